//! A node's hot words: everything that a decision reads of one candidate, on two adjacent cache lines.

use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::rng::mix;
use crate::vocabulary::status::HealthStatus;

/// Words of a node.
pub(crate) const WORDS: usize = super::layout::LINE;

/// A node's words: two cache lines, which processors fetch in pairs.
pub(crate) type Block = [AtomicU64; WORDS];

const STATE: usize = 0;
const WEIGHT: usize = 1;
const LATENCY: usize = 2;
const LOAD: usize = 3;
const REMAINING: usize = 4;
const ID_HASH: usize = 5;
const ID_MIX: usize = 6;
/// In flight, in a private memory; in a shared one, processes have rows of their own.
const ROW_0: usize = 7;
/// The most that may be in flight, 0 = unlimited (32 bits), then the tier (8 bits).
const LIMIT: usize = 8;
/// The hash of the zone's name, 0 = none.
const ZONE: usize = 9;
/// Since when the node warms up, 0 if it does not.
const WARMING_SINCE: usize = 10;
/// The weight that the node's own reports amount to (f64 bits), 0 while there is none.
const REPORTED_WEIGHT: usize = 11;
/// The 95th percentile of its latency in nanoseconds (f64 bits), 0 while unknown; renewed by `maintain`.
const TAIL_LATENCY: usize = 12;
/// The share of failures in its window (f64 bits); renewed by `maintain` and with each failure.
const FAILURE_SHARE: usize = 13;
/// The adaptive limit; see `policies::gradient`.
const GRADIENT: usize = 14;
/// Which of its two records is in force; see `state::record`.
const RECORD: usize = 15;

/// A row: in flight (32 bits), then how many picks have ended (32 bits, wrapping), so that an end is one addition.
pub(crate) mod row {
    /// What a pick adds.
    pub(crate) const PICKED: u64 = 1;
    /// What the end of a pick adds.
    pub(crate) const FINISHED: u64 = (1 << 32) - 1;

    #[inline(always)]
    pub(crate) fn in_flight(row: u64) -> u64 {
        row & 0xFFFF_FFFF
    }

    pub(crate) fn finished(row: u64) -> u32 {
        (row >> 32) as u32
    }

    /// The row of a process that has nothing in flight any more.
    pub(crate) fn without_in_flight(row: u64) -> u64 {
        row & !0xFFFF_FFFF
    }
}

/// The state word. From the lowest bit: health (2 bits), draining, not a member, weight 0, held, breaker open, ejected,
/// failures in a row (8), successes in a row (8), epoch (8), generation (32). One word, so that a flip is one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State(pub(crate) u64);

impl State {
    pub(crate) const DRAINING: u64 = 1 << 2;
    pub(crate) const NOT_MEMBER: u64 = 1 << 3;
    pub(crate) const ZERO_WEIGHT: u64 = 1 << 4;
    /// The breaker is open, or the node is ejected: takes no traffic but probes.
    pub(crate) const HELD: u64 = 1 << 5;
    const BREAKER_OPEN: u64 = 1 << 6;
    const EJECTED: u64 = 1 << 7;
    const ADMIN: u64 = 0x1C;

    /// A member in its first health epoch.
    pub(crate) fn fresh(generation: u32, weight: u32) -> Self {
        Self(u64::from(generation) << 32).with_weight(weight)
    }

    /// Whether a pick that allows what `mask` allows may take this node. Every reason against it is a bit above the two
    /// of health, and a mask of health states has four bits, so one shift tells.
    #[inline(always)]
    pub(crate) fn fit(self, mask: u64) -> bool {
        (mask >> (self.0 & 0x3F)) & 1 != 0
    }

    /// `mask`, and draining nodes and those of weight 0: for sessions that are on them already.
    pub(crate) const fn sticky(mask: u64) -> u64 {
        mask | mask << Self::DRAINING | mask << Self::ZERO_WEIGHT | mask << (Self::DRAINING | Self::ZERO_WEIGHT)
    }

    /// Every health state, held or not.
    pub(crate) const ANY: u64 = 0xF | 0xF << Self::HELD;

    pub(crate) fn is_member(self) -> bool {
        self.0 & Self::NOT_MEMBER == 0
    }

    pub(crate) fn is_draining(self) -> bool {
        self.0 & Self::DRAINING != 0
    }

    pub(crate) fn is_held(self) -> bool {
        self.0 & Self::HELD != 0
    }

    pub(crate) fn is_breaker_open(self) -> bool {
        self.0 & Self::BREAKER_OPEN != 0
    }

    pub(crate) fn is_ejected(self) -> bool {
        self.0 & Self::EJECTED != 0
    }

    /// Whether it takes nothing but probes: unhealthy, or held.
    #[inline(always)]
    pub(crate) fn is_down(self) -> bool {
        self.is_held() || self.0 & 3 == 2
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

    /// Healthy and not held, without a failure on record: a success changes nothing.
    #[inline(always)]
    pub(crate) fn is_spotless(self) -> bool {
        self.0 & (0xFF03 | Self::HELD) == 0
    }

    /// The same node with its breaker open or closed; a change begins a new epoch.
    pub(crate) fn with_breaker(self, open: bool) -> Self {
        self.with_hold(Self::BREAKER_OPEN, open)
    }

    /// The same node ejected or taken back; a change begins a new epoch.
    pub(crate) fn with_ejection(self, ejected: bool) -> Self {
        self.with_hold(Self::EJECTED, ejected)
    }

    fn with_hold(self, reason: u64, on: bool) -> Self {
        let changed = self.with(reason, on);
        if changed == self {
            return self;
        }
        let held = changed.is_breaker_open() || changed.is_ejected();
        changed.with(Self::HELD, held).with_epoch(self.epoch().wrapping_add(1))
    }

    fn with_epoch(self, epoch: u8) -> Self {
        Self(self.0 & !(0xFF << 24) | u64::from(epoch) << 24)
    }

    /// No failures and no successes in a row.
    pub(crate) fn without_counts(self) -> Self {
        Self(self.0 & !0xFF_FF00)
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

    /// The state as one order of all changes and looks has it.
    #[inline(always)]
    pub(crate) fn settled_state(self) -> State {
        State(self.0[STATE].load(Ordering::SeqCst))
    }

    pub(crate) fn set_state(self, state: State) {
        self.0[STATE].store(state.0, Ordering::Release);
    }

    /// Replaces `old` by `new`; on failure tells what is there.
    pub(crate) fn swap_state(self, old: State, new: State) -> Result<(), State> {
        self.0[STATE].compare_exchange(old.0, new.0, Ordering::SeqCst, Ordering::Acquire).map(|_| ()).map_err(State)
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

    /// The most that may be in flight; 0 = unlimited.
    #[inline(always)]
    pub(crate) fn max_in_flight(self) -> u32 {
        self.0[LIMIT].load(Ordering::Relaxed) as u32
    }

    #[inline(always)]
    pub(crate) fn tier(self) -> u8 {
        (self.0[LIMIT].load(Ordering::Relaxed) >> 32) as u8
    }

    pub(crate) fn set_limit_and_tier(self, max_in_flight: u32, tier: u8) {
        self.0[LIMIT].store(u64::from(max_in_flight) | u64::from(tier) << 32, Ordering::Relaxed);
    }

    pub(crate) fn zone(self) -> &'a AtomicU64 {
        &self.0[ZONE]
    }

    pub(crate) fn warming_since(self) -> &'a AtomicU64 {
        &self.0[WARMING_SINCE]
    }

    pub(crate) fn reported_weight(self) -> &'a AtomicU64 {
        &self.0[REPORTED_WEIGHT]
    }

    pub(crate) fn tail_latency(self) -> &'a AtomicU64 {
        &self.0[TAIL_LATENCY]
    }

    pub(crate) fn failure_share(self) -> &'a AtomicU64 {
        &self.0[FAILURE_SHARE]
    }

    pub(crate) fn gradient(self) -> &'a AtomicU64 {
        &self.0[GRADIENT]
    }

    pub(crate) fn record(self) -> &'a AtomicU64 {
        &self.0[RECORD]
    }

    /// The row of the one process of a private memory.
    #[inline(always)]
    pub(crate) fn own_row(self) -> &'a AtomicU64 {
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
    fn a_node_is_held_while_any_reason_holds() {
        let open = State::fresh(7, 1).with_breaker(true);
        assert!(open.is_held() && !open.fit(0b1111) && open.fit(State::ANY) && open.epoch() == 1);
        let both = open.with_ejection(true).with_breaker(false);
        assert!(both.is_held() && both.is_ejected() && both.epoch() == 3);
        let back = both.with_ejection(false);
        assert!(!back.is_held() && back.fit(0b0001));
        assert_eq!(back.with_ejection(false), back, "nothing changed, so no new epoch");
    }

    #[test]
    fn sessions_may_stay_on_nodes_that_take_nobody_new() {
        let leaving = State::fresh(7, 0).with(State::DRAINING, true);
        assert!(!leaving.fit(0b1011) && leaving.fit(State::sticky(0b1011)));
        assert!(!leaving.with(State::NOT_MEMBER, true).fit(State::sticky(0b1011)));
        let down = leaving.with_health(HealthStatus::Unhealthy, 3, 0);
        assert!(!down.fit(State::sticky(0b1011)) && !leaving.with_breaker(true).fit(State::sticky(0b1011)));
    }

    #[test]
    fn an_end_takes_one_off_and_counts_it() {
        let row = 3 * row::PICKED;
        let ended = row.wrapping_add(row::FINISHED);
        assert_eq!((row::in_flight(ended), row::finished(ended)), (2, 1));
        assert_eq!((row::in_flight(row::without_in_flight(ended)), row::finished(ended)), (0, 1));
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
