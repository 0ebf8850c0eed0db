//! Probes: a node that is down gets one request at a time, from whoever takes its lease first.
//!
//! ```text
//! due:    the node is down, its hold is over, nobody has the lease or its deadline has passed
//! take:   cas(probe, what was seen → now + timeout)         exactly one of all threads and processes
//! finish: cas(probe, own deadline → 0)                      late finishers find another's deadline
//! ```
//!
//! A probe that is never reported frees itself at its deadline. A pick looks at the nodes that are down only when the
//! pool's next probe is due, which is one word; one request at a time looks, and sets it anew.

use super::Pool;
use super::decision::Decision;
use super::guarded::Guarding;
use super::trace::Trace;
use crate::state::guard::Count;
use crate::state::layout::{pool_word, tally};
use crate::state::node::State;
use crate::state::probe::{self, LOOKING, begin_look, end_lease, end_look, take_lease};
use crate::sync::Ordering;
use crate::vocabulary::time::NANOS_PER_MS;

/// How soon to look again for a request that may take a probe that is due, when this one may not.
const LOOK_AGAIN_NS: u64 = 10 * NANOS_PER_MS;

impl Pool {
    /// A node whose probe this request takes: its index and the deadline of the lease.
    pub(crate) fn take_probe(&self, d: Decision<'_>, guard: &Guarding<'_>, now_ns: u64) -> Option<(usize, u64)> {
        let word = self.memory.pool(pool_word::NEXT_PROBE);
        let due = word.load(Ordering::Acquire);
        if due == 0 || now_ns < due || due == LOOKING {
            return None;
        }
        // Who is held meanwhile is entered in the word, and found there afterwards.
        if !d.is_dry() && !begin_look(word, due) {
            return None;
        }
        let live = self.live();
        let (mut next, mut taken) = (u64::MAX, None);
        let members = self.plan_at(d.generation).members();
        for at in 0..self.plan_at(d.generation).lead().members().min(self.memory.nodes_max()) {
            let index = usize::from(members.get(at));
            let state = self.memory.node(index).state();
            if !state.is_down() || !state.is_member() {
                continue;
            }
            let Some((at_ns, seen)) = self.probe_due(d, index, state, now_ns) else { continue };
            if at_ns > now_ns {
                next = next.min(at_ns);
                continue;
            }
            if !live.live_probes() || !live.passive() && !state.is_held() {
                // No request can bring it back, a report does.
                continue;
            }
            let deadline = self.own_deadline(now_ns.saturating_add(live.probe_timeout_ns()).max(1));
            if taken.is_none()
                && !state.is_withdrawn()
                && guard.accepts_probe(self, index)
                && (d.is_dry() || self.begin_probe(index, seen, deadline))
            {
                taken = Some((index, deadline));
                next = next.min(deadline);
            } else {
                next = next.min(now_ns.saturating_add(LOOK_AGAIN_NS));
            }
        }
        if !d.is_dry() {
            end_look(word, next);
        }
        taken
    }

    /// A deadline that tells whose it is, where there are several processes: a row instead of some nanoseconds.
    fn own_deadline(&self, deadline_ns: u64) -> u64 {
        if self.memory.is_shared() { deadline_ns & !0xFF | self.seat.row() as u64 } else { deadline_ns }
    }

    /// Has the nodes that are down looked at no later than then.
    pub(crate) fn probe_by(&self, at_ns: u64) {
        probe::enter(self.memory.pool(pool_word::NEXT_PROBE), at_ns);
    }

    /// Takes a node's probe lease, which said `seen`; whether nobody else did.
    fn begin_probe(&self, index: usize, seen: u64, deadline_ns: u64) -> bool {
        let guard = self.memory.guard(index);
        if !take_lease(guard.probe(), seen, deadline_ns) {
            return false;
        }
        if seen != 0 {
            guard.add(Count::ProbeTimeouts);
            self.tally(tally::PROBE_TIMEOUTS);
        }
        guard.add(Count::Probes);
        self.tally(tally::PROBES);
        true
    }

    /// When a node that is down is next probed, and what its lease says now; `None` if it came back at this time.
    fn probe_due(&self, d: Decision<'_>, index: usize, state: State, now_ns: u64) -> Option<(u64, u64)> {
        let guard = self.memory.guard(index);
        let hold = guard.hold().load(Ordering::Acquire);
        if hold <= now_ns && state.is_ejected() {
            match d.trace.filter(|trace| trace.dry) {
                Some(trace) => self.foresee_taking_back(trace, index, now_ns),
                None => _ = self.take_back(index, now_ns),
            }
            if !self.state_in(index, d.trace).is_down() {
                return None;
            }
        }
        let seen = guard.probe().load(Ordering::Acquire);
        // A deadline further ahead than any can be was set by a clock that has gone back since.
        let seen_until = if seen > now_ns.saturating_add(self.live().probe_timeout_ns()) { 0 } else { seen };
        Some((hold.max(seen_until), seen))
    }

    /// What [`take_back`](Self::take_back) would do, as far as a decision depends on it.
    fn foresee_taking_back(&self, trace: &Trace, index: usize, now_ns: u64) {
        let before = self.state_in(index, Some(trace));
        trace.take_back(index);
        if self.state_in(index, Some(trace)).is_held() != before.is_held() {
            self.foresee_situation(trace, now_ns);
        }
    }

    /// Ejects a node as an outlier.
    pub(crate) fn eject(&self, index: usize, now_ns: u64) {
        let node = self.memory.node(index);
        let mut state = node.state();
        while !state.is_ejected() && state.is_member() {
            let new = state.with_ejection(true);
            match self.swap_state(index, state, new) {
                Ok(()) => return self.hold_ejected(index, state, new, now_ns),
                Err(seen) => state = seen,
            }
        }
    }

    /// Ends a node's ejection; whether it was ejected.
    pub(crate) fn take_back(&self, index: usize, now_ns: u64) -> bool {
        let node = self.memory.node(index);
        let mut state = node.state();
        while state.is_ejected() {
            let new = state.with_ejection(false).without_counts();
            match self.swap_state(index, state, new) {
                Ok(()) => {
                    self.follow(index, state, new, true, super::health::Source::Report, now_ns);
                    return true;
                }
                Err(seen) => state = seen,
            }
        }
        false
    }

    /// Frees the probe lease that a pick held.
    pub(crate) fn end_probe(&self, index: usize, deadline_ns: u64) {
        end_lease(self.memory.guard(index).probe(), deadline_ns);
        if self.memory.node(index).state().is_down() {
            // Due again when its hold is over, which may be at once.
            self.hold(index, self.memory.guard(index).hold().load(Ordering::Acquire));
        }
    }

    /// Whether a node that is down would be probed now, for those who only look.
    pub(crate) fn is_half_open(&self, index: usize, now_ns: u64) -> bool {
        let state = self.memory.node(index).state();
        state.is_breaker_open() && self.memory.guard(index).hold().load(Ordering::Acquire) <= now_ns
    }

    /// The earliest time at which a node that is down may be probed.
    pub(crate) fn earliest_probe(&self, index: usize) -> u64 {
        let guard = self.memory.guard(index);
        guard.hold().load(Ordering::Acquire).max(guard.probe().load(Ordering::Acquire))
    }
}
