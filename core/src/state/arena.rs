//! A zeroed region of atomic words. Pages are committed when they are first written, so a large bound costs address space only.

use crate::sync::AtomicU64;

/// Zeroed words, shared by all threads.
pub(crate) struct Arena {
    #[cfg(not(loom))]
    map: memmap2::MmapMut,
    #[cfg(loom)]
    map: Box<[AtomicU64]>,
    len: usize,
}

impl Arena {
    /// Reserves `len` words of private memory.
    #[cfg(not(loom))]
    pub(crate) fn private(len: usize) -> std::io::Result<Self> {
        let bytes = len.max(1).checked_mul(8).ok_or(std::io::ErrorKind::OutOfMemory)?;
        Ok(Self { map: memmap2::MmapMut::map_anon(bytes)?, len })
    }

    #[cfg(loom)]
    pub(crate) fn private(len: usize) -> std::io::Result<Self> {
        Ok(Self { map: (0..len).map(|_| AtomicU64::new(0)).collect(), len })
    }

    /// All words.
    #[cfg(not(loom))]
    #[inline(always)]
    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is page-aligned, `len * 8` bytes long, readable and writable, and lives as long as `self`.
        // It is reached through this function alone, so every access is atomic; all bit patterns are valid `AtomicU64`s.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast::<AtomicU64>(), self.len) }
    }

    #[cfg(loom)]
    pub(crate) fn words(&self) -> &[AtomicU64] {
        &self.map[..self.len]
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
