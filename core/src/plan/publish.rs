//! Two slots and a generation: how a plan changes under readers that hold nothing.
//!
//! ```text
//! read:    g = generation; decide from slot[g & 1]; if generation ≠ g, begin again
//! publish: write everything into slot[(g + 1) & 1]; generation := g + 1
//! ```
//!
//! A slot is written again only after the other was published, so a reader that met a half-written word also meets the
//! new generation: every word of a slot is stored with release and loaded with acquire, and the load of such a word
//! synchronizes with a store that came after the publication. Nothing is pinned, so nothing has to be reclaimed, and a
//! reader that stops in the middle holds up nobody.

use crate::sync::{AtomicU64, Ordering};

/// The generation word of a pool's plans.
#[derive(Clone, Copy)]
pub(crate) struct Generation<'a>(pub(crate) &'a AtomicU64);

impl Generation<'_> {
    /// The published plan's number.
    #[inline(always)]
    pub(crate) fn current(self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Whether `generation` is still the published one. Sequentially consistent: a pick that was counted in flight before
    /// this call and sees the old generation is seen in flight by whoever publishes a new one and then looks.
    #[inline(always)]
    pub(crate) fn is_still(self, generation: u64) -> bool {
        self.0.load(Ordering::SeqCst) == generation
    }

    /// Publishes what was written into the idle slot. Only the holder of the build lease calls it.
    pub(crate) fn publish(self, generation: u64) {
        self.0.store(generation, Ordering::SeqCst);
    }
}
