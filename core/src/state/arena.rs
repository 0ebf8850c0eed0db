//! A zeroed region of atomic words: of this process, or a part of a file that others map, too. Pages are committed when they
//! are first written, so a large bound costs address space only.

use std::ops::Range;

use crate::sync::AtomicU64;

/// Words that are read together: two cache lines, which processors fetch in pairs.
pub(crate) type Block = [AtomicU64; super::layout::LINE];

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
    pub(crate) fn table(&self, range: Range<usize>) -> Table {
        let region = self.region(range);
        let count = region.len / super::layout::LINE;
        assert!(count.is_power_of_two());
        Table { first: region.first.cast::<Block>(), mask: count - 1 }
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

/// Blocks of an arena, a power of two of them.
#[derive(Clone, Copy)]
pub(crate) struct Table {
    first: *const Block,
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
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

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

impl Table {
    /// Block `index`, modulo their number.
    #[inline(always)]
    pub(crate) fn block(&self, index: usize) -> &Block {
        // SAFETY: as in `Region::words`; the masked index is below the number of blocks, a power of two, that
        // `Arena::table` found in the mapping. An array of words has their alignment.
        unsafe { &*self.first.add(index & self.mask) }
    }
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
