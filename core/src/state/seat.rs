//! Who this process is to a pool's memory.
//!
//! A process has a row, in which it counts what it has in flight, and while it has it, a claim: rows are given to others
//! when their processes are gone, claims never are. A private pool has one row, and its claims are the incarnations of the
//! program: a forked child is another process with a copy of everything.

use crate::sync::{AtomicU64, Ordering};

/// A process at one time, in a word: claim (56 bits), row (8 bits). Never 0, which stands for nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holder(u64);

/// Rows of a memory, at most.
pub(crate) const ROWS_MAX: usize = (1 << 8) - 1;

impl Holder {
    /// `claim` is not 0.
    pub(crate) const fn new(claim: u64, row: usize) -> Self {
        Self(claim << 8 | (row & 0xFF) as u64)
    }

    /// `None` for nobody.
    #[inline(always)]
    pub(crate) fn from_word(word: u64) -> Option<Self> {
        (word >> 8 != 0).then_some(Self(word))
    }

    #[inline(always)]
    pub(crate) fn word(self) -> u64 {
        self.0
    }

    pub(crate) fn claim(self) -> u64 {
        self.0 >> 8
    }

    #[inline(always)]
    pub(crate) fn row(self) -> usize {
        (self.0 & 0xFF) as usize
    }
}

/// Where this process sits; another place in a forked child.
#[derive(Debug)]
pub(crate) struct Seat(AtomicU64);

impl Seat {
    pub(crate) fn new(holder: Holder) -> Self {
        Self(AtomicU64::new(holder.0))
    }

    #[inline(always)]
    pub(crate) fn holder(&self) -> Holder {
        Holder(self.0.load(Ordering::Relaxed))
    }

    /// The row that this process counts in.
    #[inline(always)]
    pub(crate) fn row(&self) -> usize {
        self.holder().row()
    }

    pub(crate) fn take(&self, holder: Holder) {
        self.0.store(holder.0, Ordering::Release);
    }
}
