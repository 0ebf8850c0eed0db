//! Health from outcomes in a row: the rule, policies over it, and a tracker for hosts that choose without a pool.

mod rule;

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::time::{Duration, Instant};

use parking_lot::RwLock;

pub use self::rule::{Counts, Thresholds, after_failure, after_success};
pub use crate::vocabulary::outcome::Outcome;
pub use crate::vocabulary::status::HealthStatus;

/// What is remembered of a node's health. The default is that of a node of which nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeHealth {
    pub status: HealthStatus,
    /// Failures since the last success, at most `u32::MAX`.
    pub consecutive_failures: u32,
    /// Successes since the last failure, at most `u32::MAX`.
    pub consecutive_successes: u32,
    /// The time of the last failure, `None` before the first.
    pub last_failure: Option<Instant>,
    /// The time of the last success, `None` before the first.
    pub last_success: Option<Instant>,
}

impl NodeHealth {
    fn counts(&self) -> Counts {
        Counts { status: self.status, failures: self.consecutive_failures, successes: self.consecutive_successes }
    }

    fn set_counts(&mut self, counts: Counts) {
        self.status = counts.status;
        self.consecutive_failures = counts.failures;
        self.consecutive_successes = counts.successes;
    }
}

/// How outcomes change a node's health.
///
/// A [`HealthTracker`] calls its policy while it holds its lock: a policy must not call the tracker back.
///
/// ```
/// use loadwise::health::{HealthPolicy, HealthStatus, HealthTracker, NodeHealth};
///
/// /// One failure is for good, until an operator says otherwise.
/// struct OneStrike;
///
/// impl HealthPolicy for OneStrike {
///     fn on_success(&self, _health: &mut NodeHealth) {}
///     fn on_failure(&self, health: &mut NodeHealth) {
///         health.status = HealthStatus::Unhealthy;
///     }
///     fn should_probe(&self, _health: &NodeHealth) -> bool {
///         false
///     }
/// }
///
/// let tracker = HealthTracker::new(OneStrike);
/// tracker.report_failure(&"node-1");
/// tracker.report_success(&"node-1");
/// assert_eq!(tracker.status(&"node-1"), HealthStatus::Unhealthy);
/// ```
pub trait HealthPolicy: Send + Sync {
    /// An attempt at the node succeeded.
    fn on_success(&self, health: &mut NodeHealth);

    /// An attempt at the node failed.
    fn on_failure(&self, health: &mut NodeHealth);

    /// Whether it is time to try an [`Unhealthy`](HealthStatus::Unhealthy) node again.
    fn should_probe(&self, health: &NodeHealth) -> bool;

    /// The same as of `now`. A policy whose answer depends on the time implements it; else `now` is not looked at.
    fn should_probe_at(&self, health: &NodeHealth, now: Instant) -> bool {
        let _ = now;
        self.should_probe(health)
    }

    /// An attempt ended, in one way or another. By itself this tells successes and failures apart and takes a rate
    /// limit for neither: a node that asks for less traffic is a node that answers.
    fn on_outcome(&self, health: &mut NodeHealth, outcome: &Outcome) {
        match outcome {
            Outcome::Success => self.on_success(health),
            Outcome::Failure => self.on_failure(health),
            Outcome::RateLimited { .. } => {}
        }
    }
}

/// Down after so many failures in a row, up again after so many successes in a row.
///
/// ```
/// use loadwise::ConsecutiveFailurePolicy;
/// use std::time::Duration;
///
/// let policy = ConsecutiveFailurePolicy::builder().failure_threshold(5).build();
/// assert_eq!(policy.recovery_successes, 2);
/// assert_eq!(policy.probe_interval, Duration::from_secs(10));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, bon::Builder)]
pub struct ConsecutiveFailurePolicy {
    /// Failures in a row that make a node [`Unhealthy`](HealthStatus::Unhealthy). From half of it on, rounded up, it is
    /// [`Degraded`](HealthStatus::Degraded), unless this is 1. 0 is taken as 1. Default 3.
    #[builder(default = Thresholds::default().failure)]
    pub failure_threshold: u32,
    /// Successes in a row that make an unhealthy node [`Healthy`](HealthStatus::Healthy); it is
    /// [`Recovering`](HealthStatus::Recovering) until then. 0 is taken as 1. Default 2.
    #[builder(default = Thresholds::default().recovery)]
    pub recovery_successes: u32,
    /// How long after its last failure an unhealthy node is left alone. Default 10 s.
    #[builder(default = Duration::from_secs(10))]
    pub probe_interval: Duration,
}

impl ConsecutiveFailurePolicy {
    fn thresholds(&self) -> Thresholds {
        Thresholds { failure: self.failure_threshold, recovery: self.recovery_successes }
    }
}

impl Default for ConsecutiveFailurePolicy {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl HealthPolicy for ConsecutiveFailurePolicy {
    fn on_success(&self, health: &mut NodeHealth) {
        health.set_counts(after_success(health.counts(), self.thresholds()));
        health.last_success = Some(Instant::now());
    }

    fn on_failure(&self, health: &mut NodeHealth) {
        health.set_counts(after_failure(health.counts(), self.thresholds()));
        health.last_failure = Some(Instant::now());
    }

    fn should_probe(&self, health: &NodeHealth) -> bool {
        self.should_probe_at(health, Instant::now())
    }

    fn should_probe_at(&self, health: &NodeHealth, now: Instant) -> bool {
        let rested =
            health.last_failure.is_none_or(|failure| now.saturating_duration_since(failure) >= self.probe_interval);
        health.status == HealthStatus::Unhealthy && rested
    }
}

/// The health of any number of nodes, for hosts that choose without a pool. Shared by reference between threads.
///
/// A node is known from the first report of it until it is [forgotten](Self::forget).
///
/// ```
/// use loadwise::{ConsecutiveFailurePolicy, HealthStatus, HealthTracker, Outcome};
///
/// let tracker = HealthTracker::new(ConsecutiveFailurePolicy::builder().failure_threshold(2).build());
/// assert_eq!(tracker.status(&"10.0.0.1:80"), HealthStatus::Healthy);
///
/// tracker.report_failure(&"10.0.0.1:80");
/// tracker.report_outcome(&"10.0.0.1:80", &Outcome::RateLimited { retry_after: None });
/// assert_eq!(tracker.status(&"10.0.0.1:80"), HealthStatus::Degraded);
///
/// tracker.report_failure(&"10.0.0.1:80");
/// assert_eq!(tracker.status(&"10.0.0.1:80"), HealthStatus::Unhealthy);
/// assert!(!tracker.should_probe(&"10.0.0.1:80"), "it has just failed");
/// ```
pub struct HealthTracker<Id: Eq + Hash + Clone> {
    nodes: RwLock<HashMap<Id, NodeHealth>>,
    policy: Box<dyn HealthPolicy>,
}

impl<Id: Eq + Hash + Clone> HealthTracker<Id> {
    /// A tracker that knows no node yet.
    pub fn new(policy: impl HealthPolicy + 'static) -> Self {
        Self { nodes: RwLock::new(HashMap::new()), policy: Box::new(policy) }
    }

    pub fn report_success(&self, id: &Id) {
        self.update(id, |policy, health| policy.on_success(health));
    }

    pub fn report_failure(&self, id: &Id) {
        self.update(id, |policy, health| policy.on_failure(health));
    }

    pub fn report_outcome(&self, id: &Id, outcome: &Outcome) {
        self.update(id, |policy, health| policy.on_outcome(health, outcome));
    }

    /// The state of a node; [`Healthy`](HealthStatus::Healthy) if it is not known.
    pub fn status(&self, id: &Id) -> HealthStatus {
        self.nodes.read().get(id).map_or(HealthStatus::Healthy, |health| health.status)
    }

    /// Whether the policy says that it is time to try the node again. Never for a node that is not known. Every caller
    /// gets the same answer: who must be the only one to probe coordinates that elsewhere, as a pool does.
    pub fn should_probe(&self, id: &Id) -> bool {
        self.nodes.read().get(id).is_some_and(|health| self.policy.should_probe(health))
    }

    /// The same as of `now`.
    pub fn should_probe_at(&self, id: &Id, now: Instant) -> bool {
        self.nodes.read().get(id).is_some_and(|health| self.policy.should_probe_at(health, now))
    }

    /// A copy of what is remembered of a node; the default if it is not known.
    pub fn get_health(&self, id: &Id) -> NodeHealth {
        self.nodes.read().get(id).cloned().unwrap_or_default()
    }

    /// Forgets a node that is gone for good. Without this, every id ever reported takes memory. Whether it was known.
    pub fn forget(&self, id: &Id) -> bool {
        self.nodes.write().remove_entry(id).is_some()
    }

    fn update(&self, id: &Id, change: impl FnOnce(&dyn HealthPolicy, &mut NodeHealth)) {
        let mut nodes = self.nodes.write();
        match nodes.get_mut(id) {
            Some(health) => change(&*self.policy, health),
            None => change(&*self.policy, nodes.entry(id.clone()).or_default()),
        }
    }
}

impl<Id: Eq + Hash + Clone> fmt::Debug for HealthTracker<Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthTracker").field("nodes", &self.nodes.read().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::HealthStatus::{Degraded, Healthy, Recovering, Unhealthy};
    use super::*;
    use crate::vocabulary::rng::Draws;

    const LIMITED: Outcome = Outcome::RateLimited { retry_after: Some(Duration::from_secs(1)) };

    #[test]
    fn defaults() {
        let policy = ConsecutiveFailurePolicy::default();
        assert_eq!((policy.failure_threshold, policy.recovery_successes), (3, 2));
        assert_eq!(policy.probe_interval, Duration::from_secs(10));
        let unknown = NodeHealth::default();
        assert_eq!((unknown.status, unknown.last_failure, unknown.last_success), (Healthy, None, None));
    }

    #[test]
    fn the_policy_is_the_rule_with_times() {
        for seed in 0..1000 {
            let mut draws = Draws::seeded(seed, 1);
            let thresholds = Thresholds { failure: draws.below(6) as u32, recovery: draws.below(6) as u32 };
            let policy = ConsecutiveFailurePolicy::builder()
                .failure_threshold(thresholds.failure)
                .recovery_successes(thresholds.recovery)
                .build();
            let (mut health, mut counts) = (NodeHealth::default(), Counts::default());
            for step in 0..=draws.below(1000) {
                let before = health.clone();
                match draws.below(3) {
                    0 => {
                        counts = after_success(counts, thresholds);
                        policy.on_outcome(&mut health, &Outcome::Success);
                        assert!(health.last_success.is_some() && health.last_success >= before.last_success);
                        assert_eq!(health.last_failure, before.last_failure);
                    }
                    1 => {
                        counts = after_failure(counts, thresholds);
                        policy.on_outcome(&mut health, &Outcome::Failure);
                        assert!(health.last_failure.is_some() && health.last_failure >= before.last_failure);
                        assert_eq!(health.last_success, before.last_success);
                    }
                    _ => {
                        policy.on_outcome(&mut health, &LIMITED);
                        assert_eq!(health, before);
                    }
                }
                assert_eq!(health.counts(), counts, "seed {seed}, step {step}");
            }
        }
    }

    #[test]
    fn an_unhealthy_node_is_probed_after_its_rest() {
        let policy = ConsecutiveFailurePolicy::builder().probe_interval(Duration::from_secs(7)).build();
        let failed = Instant::now();
        let health = |status, last_failure| NodeHealth { status, last_failure, ..NodeHealth::default() };
        let after_ns = |ns| failed + Duration::from_nanos(ns);

        let down = health(Unhealthy, Some(failed));
        assert!(!policy.should_probe_at(&down, failed));
        assert!(!policy.should_probe_at(&down, after_ns(6_999_999_999)));
        assert!(policy.should_probe_at(&down, after_ns(7_000_000_000)));
        assert!(policy.should_probe_at(&health(Unhealthy, None), failed));
        for status in [Healthy, Degraded, Recovering] {
            assert!(!policy.should_probe_at(&health(status, Some(failed)), after_ns(7_000_000_000)), "{status}");
        }
        let later = health(Unhealthy, Some(after_ns(1)));
        assert!(!policy.should_probe_at(&later, failed), "a failure after `now` is no reason to probe");
    }

    #[test]
    fn a_tracker_keeps_nodes_apart() {
        let tracker = HealthTracker::new(ConsecutiveFailurePolicy::default());
        for _ in 0..3 {
            tracker.report_failure(&1u64);
            tracker.report_success(&2);
            tracker.report_outcome(&3, &LIMITED);
        }
        assert_eq!([1, 2, 3, 4].map(|id| tracker.status(&id)), [Unhealthy, Healthy, Healthy, Healthy]);
        assert_eq!(tracker.get_health(&1).consecutive_failures, 3);
        assert_eq!(tracker.get_health(&2).consecutive_successes, 3);
        assert_eq!(tracker.get_health(&3), NodeHealth::default());
        assert_eq!(tracker.get_health(&4), NodeHealth::default());
    }

    #[test]
    fn a_tracker_asks_its_policy_for_probes() {
        let tracker = HealthTracker::new(ConsecutiveFailurePolicy::default());
        let hour = Instant::now() + Duration::from_secs(3600);
        assert!(!tracker.should_probe_at(&"a", hour), "not known");
        for _ in 0..3 {
            tracker.report_failure(&"a");
        }
        assert!(!tracker.should_probe_at(&"a", tracker.get_health(&"a").last_failure.unwrap()));
        assert!(tracker.should_probe_at(&"a", hour));
        let eager = HealthTracker::new(ConsecutiveFailurePolicy::builder().probe_interval(Duration::ZERO).build());
        for _ in 0..3 {
            assert!(!eager.should_probe(&"a"));
            eager.report_failure(&"a");
        }
        assert!(eager.should_probe(&"a"));
    }

    #[test]
    fn a_forgotten_node_is_unknown() {
        let tracker = HealthTracker::new(ConsecutiveFailurePolicy::builder().failure_threshold(1).build());
        tracker.report_failure(&"a");
        assert_eq!(format!("{tracker:?}"), "HealthTracker { nodes: 1, .. }");
        assert!(tracker.forget(&"a"));
        assert!(!tracker.forget(&"a"));
        assert_eq!(tracker.get_health(&"a"), NodeHealth::default());
    }

    #[test]
    fn reports_from_many_threads_all_count() {
        let tracker = HealthTracker::new(ConsecutiveFailurePolicy::default());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..1000).for_each(|_| tracker.report_failure(&"a")));
            }
        });
        assert_eq!(tracker.get_health(&"a").consecutive_failures, 8000);
    }

    #[test]
    fn a_policy_that_panics_leaves_the_tracker_usable() {
        struct Touchy;
        impl HealthPolicy for Touchy {
            fn on_success(&self, health: &mut NodeHealth) {
                health.status = Healthy;
            }
            fn on_failure(&self, _health: &mut NodeHealth) {
                panic!("cannot bear it");
            }
            fn should_probe(&self, _health: &NodeHealth) -> bool {
                true
            }
        }
        let tracker = HealthTracker::new(Touchy);
        let report = std::panic::AssertUnwindSafe(|| tracker.report_failure(&"a"));
        assert!(std::panic::catch_unwind(report).is_err());
        tracker.report_success(&"a");
        assert_eq!(tracker.status(&"a"), Healthy);
        assert!(tracker.should_probe_at(&"a", Instant::now()), "by default it asks for now");
    }
}
