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
use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::time::NANOS_PER_MS;

/// How soon to look again for a request that may take a probe that is due, when this one may not.
const LOOK_AGAIN_NS: u64 = 10 * NANOS_PER_MS;

/// Stands in the word of the next probe while somebody looks at the nodes that are down.
const LOOKING: u64 = u64::MAX;

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
        enter(self.memory.pool(pool_word::NEXT_PROBE), at_ns);
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
            match node.swap_state(state, new) {
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
            match node.swap_state(state, new) {
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

/// Begins a look at the nodes that are down; whether this caller is the one.
fn begin_look(next: &AtomicU64, due_ns: u64) -> bool {
    // Acquire pairs with whoever was entered before: the look finds that node down.
    next.compare_exchange(due_ns, LOOKING, Ordering::AcqRel, Ordering::Relaxed).is_ok()
}

/// Ends a look that found the next probe due then; [`LOOKING`]: none.
fn end_look(next: &AtomicU64, at_ns: u64) {
    enter(next, at_ns);
    let _ = next.compare_exchange(LOOKING, 0, Ordering::AcqRel, Ordering::Relaxed);
}

/// Enters a time at which to look, if it is earlier; [`LOOKING`]: none. Writes in any case: who begins a look afterwards sees what the caller
/// did before, and who has begun one already is found out here.
fn enter(next: &AtomicU64, at_ns: u64) {
    if at_ns == LOOKING {
        return;
    }
    let at = at_ns.max(1);
    let mut seen = next.load(Ordering::Relaxed);
    loop {
        let new = if seen == 0 { at } else { seen.min(at) };
        match next.compare_exchange_weak(seen, new, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => return,
            Err(now) => seen = now,
        }
    }
}

/// Takes a probe whose lease was seen free or timed out; whether this caller is the one.
fn take_lease(probe: &AtomicU64, seen: u64, deadline_ns: u64) -> bool {
    // Acquire pairs with the end of the lease before: what its report changed is seen.
    probe.compare_exchange(seen, deadline_ns, Ordering::AcqRel, Ordering::Relaxed).is_ok()
}

/// Frees a lease that is still this caller's.
fn end_lease(probe: &AtomicU64, deadline_ns: u64) {
    let _ = probe.compare_exchange(deadline_ns, 0, Ordering::AcqRel, Ordering::Relaxed);
}

/// Run with `make loom`.
#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::{LOOKING, begin_look, end_lease, end_look, enter, take_lease};
    use crate::sync::{AtomicU64, Ordering};

    type Take = fn(&AtomicU64, u64, u64) -> bool;
    type End = fn(&AtomicU64, u64);

    /// A probe has timed out; two look at the node at the same time, while the late one reports.
    fn one_probe_at_a_time(take: Take, end: End) {
        loom::model(move || {
            let word = Arc::new(AtomicU64::new(10));
            let takers: Vec<_> = [20, 21]
                .into_iter()
                .map(|deadline| {
                    let word = word.clone();
                    thread::spawn(move || take(&word, 10, deadline).then_some(deadline))
                })
                .collect();
            end(&word, 10);
            let taken: Vec<u64> = takers.into_iter().filter_map(|t| t.join().unwrap()).collect();
            assert!(taken.len() <= 1, "{taken:?}");
            // A late report frees its own lease, and only that: then nobody can take what was seen any more.
            let held = word.load(Ordering::Relaxed);
            assert_eq!(held, taken.first().copied().unwrap_or(0), "whoever took it still has it");
        });
    }

    fn take_without_swap(word: &AtomicU64, seen: u64, deadline: u64) -> bool {
        let free = word.load(Ordering::Acquire) == seen;
        if free {
            word.store(deadline, Ordering::Release);
        }
        free
    }

    fn end_whatever_is_there(word: &AtomicU64, _: u64) {
        word.store(0, Ordering::Release);
    }

    #[test]
    fn one_takes_a_probe_that_timed_out() {
        one_probe_at_a_time(take_lease, end_lease);
    }

    #[test]
    #[should_panic]
    fn mutant_that_takes_without_a_swap_probes_twice() {
        one_probe_at_a_time(take_without_swap, end_lease);
    }

    #[test]
    #[should_panic]
    fn mutant_that_ends_whatever_is_there_frees_anothers_probe() {
        one_probe_at_a_time(take_lease, end_whatever_is_there);
    }

    type EndLook = fn(&AtomicU64, u64);

    /// A look that found nobody down, while a node goes down that is to be probed at 50: it is not forgotten.
    fn no_probe_is_lost(end_look: EndLook) {
        loom::model(move || {
            let (next, down) = (Arc::new(AtomicU64::new(10)), Arc::new(AtomicU64::new(0)));
            let holder = {
                let (next, down) = (next.clone(), down.clone());
                thread::spawn(move || {
                    down.store(1, Ordering::Release);
                    enter(&next, 50);
                })
            };
            if begin_look(&next, 10) {
                let found = down.load(Ordering::Acquire) == 1;
                end_look(&next, if found { 50 } else { LOOKING });
            }
            holder.join().unwrap();
            let due = next.load(Ordering::Relaxed);
            assert!(due != 0 && due <= 50, "{due}");
        });
    }

    #[test]
    fn who_goes_down_during_a_look_is_probed() {
        no_probe_is_lost(end_look);
    }

    #[test]
    #[should_panic]
    fn mutant_that_overwrites_what_was_entered_loses_a_probe() {
        no_probe_is_lost(|next, at| next.store(if at == LOOKING { 0 } else { at }, Ordering::Release));
    }
}
