//! A zeroed region of atomic words: of this process, or a part of a file that others map, too. Pages are committed when they
//! are first written, so a large bound costs address space only.

use std::ops::Range;

use crate::sync::AtomicU64;

/// Zeroed words, shared by all threads.
pub(crate) struct Arena {
    #[cfg(not(loom))]
    map: memmap2::MmapRaw,
    #[cfg(loom)]
    map: Box<[AtomicU64]>,
}

impl Arena {
    /// Reserves `len` words of private memory.
    #[cfg(not(loom))]
    pub(crate) fn private(len: usize) -> std::io::Result<Self> {
        let bytes = len.max(1).checked_mul(8).ok_or(std::io::ErrorKind::OutOfMemory)?;
        // Not reserved, because nearly all of it is never written.
        Ok(Self { map: memmap2::MmapOptions::new().len(bytes).no_reserve_swap().map_anon()?.into() })
    }

    /// Maps `len` words of a file that is as long as that, from byte `offset` on. A writer's are those of all who map them;
    /// who only looks sees what the others write, and writes into copies of its own.
    #[cfg(all(target_os = "linux", not(loom)))]
    pub(crate) fn of_file(
        file: std::os::fd::BorrowedFd<'_>,
        offset: u64,
        len: usize,
        is_writer: bool,
    ) -> std::io::Result<Self> {
        let bytes = len.max(1).checked_mul(8).ok_or(std::io::ErrorKind::OutOfMemory)?;
        let mut options = memmap2::MmapOptions::new();
        options.len(bytes).offset(offset).no_reserve_swap();
        if is_writer {
            return Ok(Self { map: options.map_raw(&file)? });
        }
        // SAFETY: what others write meanwhile is reached as atomics only, as all of an arena is.
        Ok(Self { map: unsafe { options.map_copy(&file)? }.into() })
    }

    #[cfg(loom)]
    pub(crate) fn private(len: usize) -> std::io::Result<Self> {
        Ok(Self { map: (0..len).map(|_| AtomicU64::new(0)).collect() })
    }

    /// A part of the arena, for whoever owns the arena.
    ///
    /// # Panics
    /// If the range is not within the arena, or does not begin at a block: a layout that contradicts itself.
    pub(crate) fn region(&self, range: Range<usize>) -> Region {
        #[cfg(not(loom))]
        let (base, len) = (self.map.as_ptr().cast::<AtomicU64>(), self.map.len() / 8);
        #[cfg(loom)]
        let (base, len) = (self.map.as_ptr(), self.map.len());
        assert!(range.start <= range.end && range.end <= len && range.start % super::layout::LINE == 0);
        // SAFETY: the range was just found to be within the mapping.
        Region { first: unsafe { base.add(range.start) }, len: range.len() }
    }

    /// A part of exactly `N` words.
    ///
    /// # Panics
    /// As [`region`](Self::region), and if the range is shorter.
    pub(crate) fn fixed<const N: usize>(&self, range: Range<usize>) -> Fixed<N> {
        let region = self.region(range);
        assert!(region.len >= N);
        Fixed(region.first)
    }

    /// A part of blocks; their number must be a power of two.
    ///
    /// # Panics
    /// As [`region`](Self::region), and if it is not.
    pub(crate) fn table<const N: usize>(&self, range: Range<usize>) -> Table<N> {
        let region = self.region(range);
        let count = region.len / N;
        assert!(count.is_power_of_two());
        Table { first: region.first.cast(), mask: count - 1 }
    }
}

/// A part of an arena, its bounds checked once.
///
/// Neither this nor [`Fixed`] nor [`Table`] keeps its arena alive: `Memory`, which owns both, is the only one that has
/// them, and lends out what they refer to no longer than itself.
#[derive(Clone, Copy)]
pub(crate) struct Region {
    first: *const AtomicU64,
    len: usize,
}

/// `N` words of an arena.
#[derive(Clone, Copy)]
pub(crate) struct Fixed<const N: usize>(*const AtomicU64);

/// Blocks of `N` words of an arena, a power of two of them.
#[derive(Clone, Copy)]
pub(crate) struct Table<const N: usize> {
    first: *const [AtomicU64; N],
    mask: usize,
}

// SAFETY: these three are shared references to atomics in all but their lifetime, which `Memory` sees to.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}
// SAFETY: as above.
unsafe impl<const N: usize> Send for Fixed<N> {}
// SAFETY: as above.
unsafe impl<const N: usize> Sync for Fixed<N> {}
// SAFETY: as above.
unsafe impl<const N: usize> Send for Table<N> {}
// SAFETY: as above.
unsafe impl<const N: usize> Sync for Table<N> {}

impl Region {
    #[inline(always)]
    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: `Arena::region` checked that these words are in the mapping, which is page-aligned, readable and
        // writable, and outlives this region (see the type). They are reached as atomics only, and every bit pattern is
        // a valid `AtomicU64`.
        unsafe { std::slice::from_raw_parts(self.first, self.len) }
    }
}

impl<const N: usize> Fixed<N> {
    #[inline(always)]
    pub(crate) fn words(&self) -> &[AtomicU64; N] {
        // SAFETY: as in `Region::words`; `Arena::fixed` checked that there are `N`.
        unsafe { &*self.0.cast::<[AtomicU64; N]>() }
    }
}

impl<const N: usize> Table<N> {
    /// Block `index`, modulo their number.
    #[inline(always)]
    pub(crate) fn block(&self, index: usize) -> &[AtomicU64; N] {
        // SAFETY: as in `Region::words`; the masked index is below the number of blocks, a power of two, that
        // `Arena::table` found in the mapping. An array of words has their alignment.
        unsafe { &*self.first.add(index & self.mask) }
    }
}

/// Words of a cache line.
pub(crate) type Line = [AtomicU64; 8];

/// The sum of the lower halves of a line's words, each as it is at some time during the call.
///
/// A line that another processor writes has to come from there, and each load that waits for it is then made again: four
/// loads of two words cost two processes that share a pool a tenth of a pick and its finish less than eight of one.
#[cfg(all(target_arch = "x86_64", not(any(miri, loom))))]
#[inline(always)]
pub(crate) fn sum_of_low_halves(line: &Line) -> u64 {
    debug_assert_eq!(line.as_ptr().addr() % size_of::<Line>(), 0);
    let sum: u64;
    // SAFETY: the block reads the 64 bytes of `line`, and writes nothing but registers. Others write the words meanwhile,
    // by atomic operations on whole words: an aligned load of 16 bytes sees each of its two words before or after such a
    // write, and both at once where there is AVX. Loads are ordered as all loads of this architecture are, which is all
    // that it does for sequentially consistent ones, too; the compiler moves no access to memory over the block.
    unsafe {
        std::arch::asm!(
            "movdqa {a}, [{line}]",
            "movdqa {b}, [{line} + 16]",
            "movdqa {c}, [{line} + 32]",
            "movdqa {d}, [{line} + 48]",
            // The lower half of each word.
            "pcmpeqd {low}, {low}",
            "psrlq {low}, 32",
            "pand {a}, {low}",
            "pand {b}, {low}",
            "pand {c}, {low}",
            "pand {d}, {low}",
            "paddq {a}, {b}",
            "paddq {c}, {d}",
            "paddq {a}, {c}",
            // The upper word beside the lower one.
            "pshufd {b}, {a}, 0xEE",
            "paddq {a}, {b}",
            "movq {sum}, {a}",
            line = in(reg) line.as_ptr(),
            low = out(xmm_reg) _,
            a = out(xmm_reg) _,
            b = out(xmm_reg) _,
            c = out(xmm_reg) _,
            d = out(xmm_reg) _,
            sum = lateout(reg) sum,
            options(nostack, preserves_flags),
        );
    }
    sum
}

/// The sum of the lower halves of a line's words, each as it is at some time during the call.
#[cfg(not(all(target_arch = "x86_64", not(any(miri, loom)))))]
pub(crate) fn sum_of_low_halves(line: &Line) -> u64 {
    line.iter().map(|word| word.load(crate::sync::Ordering::SeqCst) & 0xFFFF_FFFF).fold(0, u64::wrapping_add)
}

/// 16-bit entries, four to a word. A reader bounds what it finds; a writer stores whole words.
#[derive(Clone, Copy)]
pub(crate) struct Packed16<'a>(pub(crate) &'a [AtomicU64]);

impl Packed16<'_> {
    pub(crate) const fn words(len: usize) -> usize {
        len.div_ceil(4)
    }

    /// Entry `i`, 0 if it is out of range.
    #[inline(always)]
    pub(crate) fn get(self, i: usize) -> u16 {
        match self.0.get(i >> 2) {
            Some(word) => (word.load(crate::sync::Ordering::Acquire) >> ((i & 3) * 16)) as u16,
            None => 0,
        }
    }

    /// Calls `f` with the first `len` entries, as far as there are so many.
    #[inline(always)]
    pub(crate) fn for_each(self, len: usize, mut f: impl FnMut(u16)) {
        let mut left = len;
        for word in &self.0[..Self::words(len).min(self.0.len())] {
            let mut four = word.load(crate::sync::Ordering::Acquire);
            for _ in 0..left.min(4) {
                f(four as u16);
                four >>= 16;
            }
            left = left.saturating_sub(4);
        }
    }

    /// Stores `entries` from the first on.
    pub(crate) fn store(self, entries: &[u16]) {
        for (word, four) in self.0.iter().zip(entries.chunks(4)) {
            let packed = four.iter().enumerate().fold(0, |packed, (i, &e)| packed | u64::from(e) << (i * 16));
            word.store(packed, crate::sync::Ordering::Release);
        }
    }
}

/// 32-bit entries, two to a word.
#[derive(Clone, Copy)]
pub(crate) struct Packed32<'a>(pub(crate) &'a [AtomicU64]);

impl Packed32<'_> {
    pub(crate) const fn words(len: usize) -> usize {
        len.div_ceil(2)
    }

    /// Entry `i`, 0 if it is out of range.
    #[inline(always)]
    pub(crate) fn get(self, i: usize) -> u32 {
        match self.0.get(i >> 1) {
            Some(word) => (word.load(crate::sync::Ordering::Acquire) >> ((i & 1) * 32)) as u32,
            None => 0,
        }
    }

    /// Stores `entries` from the first on.
    pub(crate) fn store(self, entries: &[u32]) {
        for (word, two) in self.0.iter().zip(entries.chunks(2)) {
            let packed = two.iter().enumerate().fold(0, |packed, (i, &e)| packed | u64::from(e) << (i * 32));
            word.store(packed, crate::sync::Ordering::Release);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::Ordering;
    use crate::vocabulary::rng::Draws;

    #[test]
    fn lower_halves_are_summed_up_whatever_is_above_them() {
        let arena = Arena::private(16).unwrap();
        let table = arena.table::<8>(0..16);
        let mut draws = Draws::resume(7);
        for _ in 0..1000 {
            let words: [u64; 8] = std::array::from_fn(|_| draws.next_u64());
            table.block(1).iter().zip(words).for_each(|(word, value)| word.store(value, Ordering::SeqCst));
            assert_eq!(sum_of_low_halves(table.block(1)), words.iter().map(|word| word & 0xFFFF_FFFF).sum::<u64>());
            assert_eq!(sum_of_low_halves(table.block(0)), 0);
        }
    }
}
