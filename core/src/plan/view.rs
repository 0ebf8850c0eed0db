//! Reading a plan slot. Whatever is found there is bounded before it is used: the slot may be rewritten meanwhile.

use super::step::{HASH_WEIGHTED, NEEDS_CLOCK, NEEDS_TOTAL, Step, WEIGHTED};
use crate::state::arena::{Packed16, Packed32};
use crate::state::layout::{PlanLayout, STEPS_MAX, plan_word};
use crate::sync::{AtomicU64, Ordering};

/// A plan slot's words by their names.
#[derive(Clone, Copy)]
pub(crate) struct PlanView<'a> {
    pub(crate) words: &'a [AtomicU64],
    pub(crate) layout: &'a PlanLayout,
}

impl<'a> PlanView<'a> {
    #[inline(always)]
    pub(crate) fn word(self, at: usize) -> u64 {
        self.words[at].load(Ordering::Acquire)
    }

    #[inline(always)]
    pub(crate) fn flags(self) -> Flags {
        Flags(self.word(plan_word::FLAGS))
    }

    #[inline(always)]
    pub(crate) fn step(self, i: usize) -> Option<Step> {
        let at = plan_word::STEPS + 2 * (i % STEPS_MAX);
        Step::from_words(self.word(at), self.word(at + 1))
    }

    /// Members, then those that were fit when the plan was built.
    #[inline(always)]
    pub(crate) fn counts(self) -> (usize, usize) {
        let word = self.word(plan_word::COUNTS);
        ((word >> 32) as usize, word as usize & 0xFFFF_FFFF)
    }

    #[inline(always)]
    pub(crate) fn members(self) -> Packed16<'a> {
        Packed16(&self.words[self.layout.members.clone()])
    }

    #[inline(always)]
    pub(crate) fn fit(self) -> Packed16<'a> {
        Packed16(&self.words[self.layout.fit.clone()])
    }

    #[inline(always)]
    pub(crate) fn by_id(self) -> Packed16<'a> {
        Packed16(&self.words[self.layout.by_id.clone()])
    }

    #[inline(always)]
    pub(crate) fn alias(self, i: usize) -> u64 {
        self.words[self.layout.alias.clone()].get(i).map_or(0, |w| w.load(Ordering::Acquire))
    }

    #[inline(always)]
    pub(crate) fn schedule(self) -> Packed16<'a> {
        Packed16(&self.words[self.layout.schedule.clone()])
    }

    #[inline(always)]
    pub(crate) fn maglev(self) -> Packed16<'a> {
        Packed16(&self.words[self.layout.maglev.clone()])
    }

    #[inline(always)]
    pub(crate) fn ring_entry(self, i: usize) -> u64 {
        self.words[self.layout.ring.clone()].get(i).map_or(0, |w| w.load(Ordering::Acquire))
    }

    #[inline(always)]
    pub(crate) fn ring_bucket(self, i: usize) -> u32 {
        Packed32(&self.words[self.layout.ring_buckets.clone()]).get(i)
    }

    /// Entries of the ring, and its shift.
    #[inline(always)]
    pub(crate) fn ring(self) -> (usize, u32) {
        let word = self.word(plan_word::RING);
        ((word >> 32) as usize, word as u32)
    }

    pub(crate) fn ids(self) -> Packed32<'a> {
        Packed32(&self.words[self.layout.ids.clone()])
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Flags(u64);

impl Flags {
    #[inline(always)]
    pub(crate) fn steps(self) -> usize {
        (self.0 & 0xFF) as usize
    }

    #[inline(always)]
    pub(crate) fn needs_clock(self) -> bool {
        self.0 & NEEDS_CLOCK != 0
    }

    #[inline(always)]
    pub(crate) fn needs_total(self) -> bool {
        self.0 & NEEDS_TOTAL != 0
    }

    #[inline(always)]
    pub(crate) fn weighted(self) -> bool {
        self.0 & WEIGHTED != 0
    }

    #[inline(always)]
    pub(crate) fn hash_weighted(self) -> bool {
        self.0 & HASH_WEIGHTED != 0
    }
}
