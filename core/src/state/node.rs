//! A node's hot words: everything that a decision reads of one candidate, on two adjacent cache lines.

use super::arena::Block;
use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::rng::mix;
use crate::vocabulary::status::HealthStatus;

/// Words of a node.
pub(crate) const WORDS: usize = super::layout::LINE;

const STATE: usize = 0;
const WEIGHT: usize = 1;
const LATENCY: usize = 2;
const LOAD: usize = 3;
const REMAINING: usize = 4;
const ID_HASH: usize = 5;
const ID_MIX: usize = 6;
/// In flight of process 0; further processes have rows of their own.
const ROW_0: usize = 7;

/// The state word. From the lowest bit: health (2 bits), draining, not a member, weight 0, three spare, failures in a
/// row (8), successes in a row (8), health epoch (8), generation (32). One word, so that a flip is one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State(pub(crate) u64);

impl State {
    pub(crate) const DRAINING: u64 = 1 << 2;
    pub(crate) const NOT_MEMBER: u64 = 1 << 3;
    pub(crate) const ZERO_WEIGHT: u64 = 1 << 4;
    const ADMIN: u64 = 0x1C;

    /// A member in its first health epoch.
    pub(crate) fn fresh(generation: u32, weight: u32) -> Self {
        Self(u64::from(generation) << 32).with_weight(weight)
    }

    /// Whether a pick that allows the health states of `mask` may take this node. Every reason against it is a bit above
    /// the two of health, and a mask has four bits, so one shift tells.
    #[inline(always)]
    pub(crate) fn fit(self, mask: u32) -> bool {
        (mask >> (self.0 & 0x1F)) & 1 != 0
    }

    pub(crate) fn is_member(self) -> bool {
        self.0 & Self::NOT_MEMBER == 0
    }

    pub(crate) fn is_draining(self) -> bool {
        self.0 & Self::DRAINING != 0
    }

    /// Draining or of weight 0: takes no new picks.
    pub(crate) fn is_withdrawn(self) -> bool {
        self.0 & Self::ADMIN != 0
    }

    #[inline(always)]
    pub(crate) fn health(self) -> HealthStatus {
        match self.0 & 3 {
            0 => HealthStatus::Healthy,
            1 => HealthStatus::Degraded,
            2 => HealthStatus::Unhealthy,
            _ => HealthStatus::Recovering,
        }
    }

    pub(crate) fn failures(self) -> u32 {
        (self.0 >> 8) as u32 & 0xFF
    }

    pub(crate) fn successes(self) -> u32 {
        (self.0 >> 16) as u32 & 0xFF
    }

    #[inline(always)]
    pub(crate) fn epoch(self) -> u8 {
        (self.0 >> 24) as u8
    }

    #[inline(always)]
    pub(crate) fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Healthy without a failure on record: a success changes nothing.
    #[inline(always)]
    pub(crate) fn is_spotless(self) -> bool {
        self.0 & 0xFF03 == 0
    }

    pub(crate) fn with_weight(self, weight: u32) -> Self {
        if weight == 0 { Self(self.0 | Self::ZERO_WEIGHT) } else { Self(self.0 & !Self::ZERO_WEIGHT) }
    }

    pub(crate) fn with(self, flag: u64, on: bool) -> Self {
        if on { Self(self.0 | flag) } else { Self(self.0 & !flag) }
    }

    /// The same node with other health; a changed status begins a new epoch.
    pub(crate) fn with_health(self, status: HealthStatus, failures: u32, successes: u32) -> Self {
        let code = match status {
            HealthStatus::Healthy => 0,
            HealthStatus::Degraded => 1,
            HealthStatus::Unhealthy => 2,
            HealthStatus::Recovering => 3,
        };
        let epoch = self.epoch().wrapping_add(u8::from(status != self.health()));
        let kept = self.0 & !0xFFFF_FF03;
        Self(
            kept | code
                | u64::from(failures.min(255)) << 8
                | u64::from(successes.min(255)) << 16
                | u64::from(epoch) << 24,
        )
    }
}

/// The hot words of one node.
#[derive(Clone, Copy)]
pub(crate) struct NodeWords<'a>(pub(crate) &'a Block);

impl<'a> NodeWords<'a> {
    #[inline(always)]
    pub(crate) fn state(self) -> State {
        State(self.0[STATE].load(Ordering::Acquire))
    }

    pub(crate) fn set_state(self, state: State) {
        self.0[STATE].store(state.0, Ordering::Release);
    }

    /// Replaces `old` by `new`; on failure tells what is there.
    pub(crate) fn swap_state(self, old: State, new: State) -> Result<(), State> {
        self.0[STATE].compare_exchange(old.0, new.0, Ordering::AcqRel, Ordering::Acquire).map(|_| ()).map_err(State)
    }

    #[inline(always)]
    pub(crate) fn weight(self) -> u32 {
        self.0[WEIGHT].load(Ordering::Relaxed) as u32
    }

    pub(crate) fn set_weight(self, weight: u32) {
        self.0[WEIGHT].store(u64::from(weight), Ordering::Relaxed);
    }

    /// The packed latency average; see `policies::latency`.
    #[inline(always)]
    pub(crate) fn latency(self) -> &'a AtomicU64 {
        &self.0[LATENCY]
    }

    /// The load that was reported, `None` while there is none.
    #[inline(always)]
    pub(crate) fn reported_load(self) -> Option<f64> {
        decode_f64(self.0[LOAD].load(Ordering::Relaxed))
    }

    pub(crate) fn set_reported_load(self, load: Option<f64>) {
        self.0[LOAD].store(encode_f64(load), Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn remaining_ratio(self) -> Option<f64> {
        decode_f64(self.0[REMAINING].load(Ordering::Relaxed))
    }

    pub(crate) fn set_remaining_ratio(self, ratio: Option<f64>) {
        self.0[REMAINING].store(encode_f64(ratio), Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn id_hash(self) -> u64 {
        self.0[ID_HASH].load(Ordering::Relaxed)
    }

    pub(crate) fn set_id_hash(self, hash: u64) {
        self.0[ID_HASH].store(hash, Ordering::Relaxed);
        self.0[ID_MIX].store(mix(hash), Ordering::Relaxed);
    }

    /// `mix` of the id's hash, ready for rendezvous hashing.
    #[inline(always)]
    pub(crate) fn id_mix(self) -> u64 {
        self.0[ID_MIX].load(Ordering::Relaxed)
    }

    /// The in-flight count that only process 0 writes.
    #[inline(always)]
    pub(crate) fn first_row(self) -> &'a AtomicU64 {
        &self.0[ROW_0]
    }
}

/// Flips the sign bit, so that a zeroed word is "no value" and +0.0 is not.
fn encode_f64(value: Option<f64>) -> u64 {
    value.map_or(0, |v| if v == 0.0 { 1 << 63 } else { v.to_bits() ^ (1 << 63) })
}

fn decode_f64(word: u64) -> Option<f64> {
    (word != 0).then(|| f64::from_bits(word ^ (1 << 63)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_against_a_node_makes_it_unfit() {
        let state = State::fresh(7, 1);
        assert!(state.fit(0b1011));
        for flag in [State::DRAINING, State::NOT_MEMBER, State::ZERO_WEIGHT] {
            assert!(!state.with(flag, true).fit(0b1111));
        }
        let down = state.with_health(HealthStatus::Unhealthy, 3, 0);
        assert!(!down.fit(0b1011) && down.fit(0b0100));
        assert_eq!((down.generation(), down.failures(), down.epoch()), (7, 3, 1));
    }

    #[test]
    fn floats_survive_and_absence_is_a_zeroed_word() {
        for v in [0.0, 1.5, -2.0, f64::INFINITY] {
            assert_eq!(decode_f64(encode_f64(Some(v))), Some(v));
        }
        assert!(decode_f64(encode_f64(Some(f64::NAN))).is_some_and(f64::is_nan));
        assert_eq!(decode_f64(0), None);
        assert_eq!(encode_f64(None), 0);
    }
}
