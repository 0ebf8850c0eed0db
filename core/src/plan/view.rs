//! Reading a plan slot. Whatever is found there is bounded before it is used: the slot may be rewritten meanwhile.

use super::step::{Lead, Step};
use crate::state::arena::{Packed16, Packed32};
use crate::state::layout::{STEPS_MAX, plan_word};
use crate::state::memory::PlanWords;
use crate::sync::{AtomicU64, Ordering};

/// A plan slot's words by their names.
#[derive(Clone, Copy)]
pub(crate) struct PlanView<'a>(pub(crate) &'a PlanWords);

impl<'a> PlanView<'a> {
    #[inline(always)]
    pub(crate) fn word(self, at: usize) -> u64 {
        self.0.header()[at].load(Ordering::Acquire)
    }

    pub(crate) fn set_word(self, at: usize, value: u64) {
        self.0.header()[at].store(value, Ordering::Release);
    }

    #[inline(always)]
    pub(crate) fn lead(self) -> Lead {
        Lead(self.word(plan_word::LEAD))
    }

    /// The parameter of step `i`.
    #[inline(always)]
    pub(crate) fn parameter(self, i: usize) -> f64 {
        f64::from_bits(self.word(plan_word::STEPS + 2 * (i % STEPS_MAX) + 1))
    }

    #[inline(always)]
    pub(crate) fn step(self, i: usize) -> Option<Step> {
        let at = plan_word::STEPS + 2 * (i % STEPS_MAX);
        Step::from_words(self.word(at), self.word(at + 1))
    }

    #[inline(always)]
    pub(crate) fn members(self) -> Packed16<'a> {
        self.0.members()
    }

    #[inline(always)]
    pub(crate) fn fit(self) -> Packed16<'a> {
        self.0.fit()
    }

    pub(crate) fn by_id(self) -> Packed16<'a> {
        self.0.by_id()
    }

    #[inline(always)]
    pub(crate) fn alias(self, i: usize) -> u64 {
        load(self.0.alias(), i)
    }

    #[inline(always)]
    pub(crate) fn schedule(self) -> Packed16<'a> {
        self.0.schedule()
    }

    #[inline(always)]
    pub(crate) fn maglev(self) -> Packed16<'a> {
        self.0.maglev()
    }

    #[inline(always)]
    pub(crate) fn ring_entry(self, i: usize) -> u64 {
        load(self.0.ring(), i)
    }

    #[inline(always)]
    pub(crate) fn ring_bucket(self, i: usize) -> u32 {
        self.0.ring_buckets().get(i)
    }

    /// Entries of the ring, and its shift.
    #[inline(always)]
    pub(crate) fn ring(self) -> (usize, u32) {
        let word = self.word(plan_word::RING);
        ((word >> 32) as usize, word as u32)
    }

    pub(crate) fn ids(self) -> Packed32<'a> {
        self.0.ids()
    }
}

#[inline(always)]
fn load(words: &[AtomicU64], i: usize) -> u64 {
    words.get(i).map_or(0, |w| w.load(Ordering::Acquire))
}
