//! Health of a pool's nodes: the state word moves by the policies' rules, in one compare-and-swap; what follows from the
//! move (how long the node is held, when it is probed) is written right after by whoever made it.

use std::collections::HashMap;

use super::observe::{Event, EventKind};
use super::{AVAILABLE_MASK, Pool};
use crate::policies::breaker;
use crate::policies::health::{Counts, HealthPolicy, NodeHealth, Thresholds, after_failure, after_success};
use crate::policies::hold::{hold_ns, next_strikes, one_more};
use crate::policies::rate::{BUCKETS, RateWindow, falls_short};
use crate::state::guard::Count;
use crate::state::layout::{attention, pool_word};
use crate::state::node::State;
use crate::sync::Ordering;
use crate::vocabulary::lock::Mutex;
use crate::vocabulary::node::NodeRef;
use crate::vocabulary::outcome::{Outcome, Report};
use crate::vocabulary::rng::mix;
use crate::vocabulary::status::HealthStatus;
use crate::vocabulary::time::now_ns;

/// A user's own policy, with what it keeps of each node.
pub(crate) struct OwnHealth {
    pub(crate) policy: Box<dyn HealthPolicy>,
    pub(crate) nodes: Mutex<HashMap<NodeRef, NodeHealth>>,
}

/// A warm-up that nobody with a clock has looked at yet.
pub(crate) const FROM_NOW_ON: u64 = 1;

/// Where an outcome comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A pick of this health epoch.
    Pick(u8),
    /// A pick that held the node's probe lease.
    Probe(u8),
    /// A report from outside.
    Report,
}

impl Source {
    fn epoch(self) -> Option<u8> {
        match self {
            Self::Pick(epoch) | Self::Probe(epoch) => Some(epoch),
            Self::Report => None,
        }
    }
}

impl Pool {
    /// Tells the policies of an outcome at node `index`, if it still is of `generation` and in the epoch of its source.
    /// Whether the node's status changed.
    #[inline]
    pub(crate) fn learn_health(&self, index: usize, generation: u32, source: Source, report: &Report<'_>) -> bool {
        let Some(outcome) = report.outcome() else { return false };
        let success = match outcome {
            Outcome::Success => true,
            Outcome::Failure => false,
            Outcome::RateLimited { .. } => {
                return self.own_health.is_some() && self.learn_by_own_policy(index, generation, &outcome, report);
            }
        };
        if self.own_health.is_some() {
            return self.learn_by_own_policy(index, generation, &outcome, report);
        }
        let node = self.memory.node(index);
        let mut state = node.state();
        // The usual case writes nothing.
        if success && state.is_spotless() {
            return false;
        }
        let now_ns = report.now_ns.unwrap_or_else(now_ns);
        let passive = self.live().passive() || source == Source::Report;
        let window = if success { (0, 0) } else { self.window(index, now_ns) };
        loop {
            if state.generation() != generation || source.epoch().is_some_and(|e| e != state.epoch()) {
                return false;
            }
            let new = self.after(state, success, window, passive);
            match self.swap_state(index, state, new) {
                Ok(()) => return self.follow(index, state, new, success, source, now_ns),
                Err(seen) => state = seen,
            }
        }
    }

    /// The state after an outcome.
    fn after(&self, state: State, success: bool, window: (u32, u32), passive: bool) -> State {
        let live = self.live();
        let counts = Counts { status: state.health(), failures: state.failures(), successes: state.successes() };
        let thresholds = Thresholds { failure: live.failure_threshold(), recovery: live.recovery_successes() };
        let mut next = if success { after_success(counts, thresholds) } else { after_failure(counts, thresholds) };
        // The window is of requests for the most part.
        if !success && live.passive() && self.is_too_low(window) {
            next.status = HealthStatus::Unhealthy;
        }
        if !passive {
            if !live.breaker() {
                // Not even the counts: those of the checks go on.
                return state;
            }
            next.status = counts.status;
        }
        let mut new = state.with_health(next.status, next.failures, next.successes);
        if live.breaker() {
            let rule = self.breaker_rule();
            if success && state.is_breaker_open() && breaker::closes(next.successes, &rule) {
                new = new.with_breaker(false);
            } else if !success && breaker::trips(next.failures, window, &rule) {
                new = new.with_breaker(true);
            }
        }
        new
    }

    /// Whether too few of the samples of a window succeeded.
    fn is_too_low(&self, window: (u32, u32)) -> bool {
        let live = self.live();
        falls_short(window, live.min_success_rate(), u32::try_from(live.min_requests()).unwrap_or(u32::MAX))
    }

    fn breaker_rule(&self) -> breaker::Settings {
        let live = self.live();
        breaker::Settings {
            consecutive_failures: live.breaker_consecutive_failures(),
            failure_rate: live.breaker_failure_rate(),
            min_requests: u32::try_from(live.breaker_min_requests()).unwrap_or(u32::MAX),
            half_open_successes: live.breaker_half_open_successes(),
        }
    }

    /// What a change of a node's state entails. Whether its health status changed.
    pub(crate) fn follow(
        &self,
        index: usize,
        old: State,
        new: State,
        success: bool,
        source: Source,
        now_ns: u64,
    ) -> bool {
        let (was_down, is_down) = (old.is_down(), new.is_down());
        let guard = self.memory.guard(index);
        let held_until = guard.hold().load(Ordering::Acquire);
        // A report from outside is a probe once the hold is over; before, it tells of the outage that is known.
        let is_probe = matches!(source, Source::Probe(_)) || source == Source::Report && now_ns >= held_until;
        let has_another_reason =
            new.is_breaker_open() && !old.is_breaker_open() || new.is_ejected() && !old.is_ejected();
        if is_down && !success && (!was_down || is_probe || has_another_reason) {
            let strikes = u32::try_from(guard.strikes().load(Ordering::Relaxed)).unwrap_or(u32::MAX);
            let strikes = if !was_down {
                let returned = guard.returned().load(Ordering::Relaxed);
                next_strikes(strikes, (returned != 0).then_some(returned), now_ns, self.hold_max(new))
            } else if is_probe {
                one_more(strikes)
            } else {
                strikes
            };
            guard.strikes().store(u64::from(strikes), Ordering::Relaxed);
            let until = now_ns.saturating_add(self.hold_of(index, new, strikes));
            self.hold(index, if was_down && !is_probe { until.max(held_until) } else { until });
        } else if is_down && success && !new.is_ejected() {
            // The next probe may follow at once. An ejection is for what the node did before, and lasts its time.
            self.hold(index, now_ns);
        } else if was_down && !is_down {
            self.note_return(index, now_ns);
        }
        if new.health() == HealthStatus::Healthy && !new.is_held() && old.health() == HealthStatus::Recovering {
            guard.returned().store(now_ns.max(1), Ordering::Relaxed);
        }
        if was_down != is_down {
            self.restart_window(index, now_ns);
        }
        self.note_change(index, old, new, now_ns)
    }

    /// A node that was down takes traffic again, with a warm-up if that is configured.
    pub(crate) fn note_return(&self, index: usize, now_ns: u64) {
        self.memory.guard(index).returned().store(now_ns.max(1), Ordering::Relaxed);
        self.begin_warming(index);
    }

    /// Has a node warm up from the next look at it on, if warm-ups are configured.
    pub(crate) fn begin_warming(&self, index: usize) {
        if self.live().slow_start_ns() != 0 {
            self.memory.node(index).warming_since().store(FROM_NOW_ON, Ordering::Relaxed);
            self.memory.pool(pool_word::ATTENTION).fetch_or(attention::WARMING, Ordering::Release);
        }
    }

    /// Replaces the state `old` of a node by `new`; on failure tells what is there. A change of fitness is counted before as
    /// well as after: whoever finds no node meanwhile sees that it has to look again.
    pub(crate) fn swap_state(&self, index: usize, old: State, new: State) -> Result<(), State> {
        if old.health() != new.health() || old.is_held() != new.is_held() {
            self.memory.pool(pool_word::FITNESS).fetch_add(1, Ordering::SeqCst);
        }
        self.memory.node(index).swap_state(old, new)
    }

    /// Counts what changed, makes plans out of date, tells the observers. Whether the health status changed.
    pub(crate) fn note_change(&self, index: usize, old: State, new: State, now_ns: u64) -> bool {
        let guard = self.memory.guard(index);
        let changed = old.health() != new.health();
        if changed {
            guard.add(Count::Transitions);
        }
        if !old.is_breaker_open() && new.is_breaker_open() {
            guard.add(Count::BreakerOpens);
        }
        if changed || old.is_held() != new.is_held() {
            self.memory.pool(pool_word::FITNESS).fetch_add(1, Ordering::Release);
            if !old.fit(AVAILABLE_MASK) && new.fit(AVAILABLE_MASK) {
                self.memory.pool(pool_word::ATTENTION).fetch_or(attention::RETURNED, Ordering::Release);
            }
            self.renew_hint_if_kept(index);
            self.renew_situation(Some(now_ns));
        }
        let tell = |happened: bool, kind: EventKind| {
            let event = || Event { node: Some(self.reference(index)), at_ns: now_ns, kind };
            self.tell(|| happened.then(event));
        };
        tell(changed, EventKind::Health { from: old.health(), to: new.health() });
        tell(old.is_breaker_open() != new.is_breaker_open(), EventKind::Breaker { open: new.is_breaker_open() });
        tell(old.is_ejected() != new.is_ejected(), EventKind::Ejection { ejected: new.is_ejected() });
        changed
    }

    /// How long a node in this state is held: by the longest of the reasons.
    fn hold_of(&self, index: usize, state: State, strikes: u32) -> u64 {
        let live = self.live();
        // A pure function of the node and its history, so that seeded pools repeat it.
        let history = u64::from(strikes) << 8 | u64::from(state.epoch());
        let bits = mix(mix(self.memory.node(index).id_hash() ^ self.salt()) ^ history);
        let of = |on: bool, base, max| if on { hold_ns(base, strikes, max, bits) } else { 0 };
        of(state.health() == HealthStatus::Unhealthy, live.probe_interval_ns(), live.max_probe_interval_ns())
            .max(of(state.is_breaker_open(), live.breaker_open_ns(), live.breaker_max_open_ns()))
            .max(of(state.is_ejected(), live.outlier_ejection_ns(), live.outlier_max_ejection_ns()))
    }

    pub(crate) fn hold_max(&self, state: State) -> u64 {
        let live = self.live();
        let of = |on: bool, max| if on { max } else { 0 };
        of(state.health() == HealthStatus::Unhealthy, live.max_probe_interval_ns())
            .max(of(state.is_breaker_open(), live.breaker_max_open_ns()))
            .max(of(state.is_ejected(), live.outlier_max_ejection_ns()))
    }

    /// Holds a node until `until_ns`, and has it probed then.
    pub(crate) fn hold(&self, index: usize, until_ns: u64) {
        self.memory.guard(index).hold().store(until_ns.max(1), Ordering::Release);
        self.probe_by(until_ns);
        self.memory.pool(pool_word::ATTENTION).fetch_or(attention::PROBES, Ordering::Release);
    }

    /// Holds an ejected node by its strikes.
    pub(crate) fn hold_ejected(&self, index: usize, old: State, new: State, now_ns: u64) {
        self.memory.guard(index).add(Count::Ejections);
        self.follow(index, old, new, false, Source::Report, now_ns);
    }

    /// A node's counters: samples and failures.
    pub(crate) fn samples(&self, index: usize) -> (u32, u32) {
        let guard = self.memory.guard(index);
        let samples = self.memory.finished(index).wrapping_sub(guard.count(Count::Neutral));
        (samples, guard.count(Count::WindowFailures))
    }

    fn bucket_ns(&self) -> u64 {
        (self.live().window_ns() / BUCKETS).max(1)
    }

    /// Samples and failures of the node's window.
    pub(crate) fn window(&self, index: usize, now_ns: u64) -> (u32, u32) {
        let (samples, failures) = self.samples(index);
        RateWindow { words: self.memory.guard(index).rate() }.over(samples, failures, now_ns, self.bucket_ns())
    }

    /// Brings the node's window up to now; `ended`: picks that are counted as ended and belong to what comes next.
    pub(crate) fn rotate_window(&self, index: usize, now_ns: u64, ended: u32) {
        let counters = || {
            let (samples, failures) = self.samples(index);
            (samples.wrapping_sub(ended), failures)
        };
        RateWindow { words: self.memory.guard(index).rate() }.rotate(now_ns, self.bucket_ns(), counters);
    }

    /// Whether the node's window is that of a clock that has gone back since, by more than the window is long.
    pub(crate) fn is_window_ahead(&self, index: usize, now_ns: u64) -> bool {
        RateWindow { words: self.memory.guard(index).rate() }.is_ahead(now_ns, self.bucket_ns())
    }

    /// Begins the node's window anew, by the present length of its buckets.
    pub(crate) fn begin_window(&self, index: usize, now_ns: u64) {
        self.memory.guard(index).rate().iter().for_each(|word| word.store(0, Ordering::Release));
        self.restart_window(index, now_ns);
    }

    pub(crate) fn restart_window(&self, index: usize, now_ns: u64) {
        let (samples, failures) = self.samples(index);
        RateWindow { words: self.memory.guard(index).rate() }.restart(samples, failures, now_ns, self.bucket_ns());
    }

    /// Has an own policy go on from what was learned elsewhere.
    pub(crate) fn tell_own_policy(&self, index: usize, state: State) {
        let Some(own) = &self.own_health else { return };
        let health = NodeHealth {
            status: state.health(),
            consecutive_failures: state.failures(),
            consecutive_successes: state.successes(),
            ..NodeHealth::default()
        };
        own.nodes.lock().insert(self.reference(index), health);
    }

    #[cold]
    fn learn_by_own_policy(&self, index: usize, generation: u32, outcome: &Outcome, report: &Report<'_>) -> bool {
        let Some(own) = &self.own_health else { return false };
        let node = self.memory.node(index);
        // Held over the store, so that the word follows the policy's own order of events.
        let mut kept = own.nodes.lock();
        let state = node.state();
        if state.generation() != generation || !state.is_member() {
            return false;
        }
        let health = kept.entry(NodeRef { index: index as u32, generation }).or_default();
        let mut next = health.clone();
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| own.policy.on_outcome(&mut next, outcome)));
        if told.is_err() {
            return false;
        }
        *health = next;
        let (status, failures, successes) = (health.status, health.consecutive_failures, health.consecutive_successes);
        drop(kept);
        let mut state = state;
        loop {
            let new = state.with_health(status, failures, successes);
            match self.swap_state(index, state, new) {
                Ok(()) if new.health() == state.health() => return false,
                Ok(()) => {
                    let now_ns = report.now_ns.unwrap_or_else(now_ns);
                    return self.follow(index, state, new, outcome.is_success(), Source::Report, now_ns);
                }
                Err(seen) => state = seen,
            }
        }
    }
}
