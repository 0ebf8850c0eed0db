use super::*;
use loadwise::health;

#[test]
fn states_are_these_four() {
    let bits = |status: HealthStatus| match status {
        HealthStatus::Healthy => 1u8,
        HealthStatus::Degraded => 2,
        HealthStatus::Unhealthy => 4,
        health::HealthStatus::Recovering => 8,
    };
    const HEALTHY: u8 = HealthStatus::Healthy.bit_flag();
    assert_eq!(HEALTHY, 1);
    let all = [HealthStatus::Healthy, HealthStatus::Degraded, HealthStatus::Unhealthy, HealthStatus::Recovering];
    assert!(all.iter().all(|&status| bits(status) == status.bit_flag()));
    assert_eq!(all.map(HealthStatus::is_available), [true, true, false, true]);
    assert_eq!(HashSet::from(all).len(), 4);
}

#[test]
fn policies_are_built_or_written_out() {
    let built = ConsecutiveFailurePolicy::builder()
        .failure_threshold(5)
        .recovery_successes(4)
        .probe_interval(Duration::from_millis(250))
        .build();
    let written =
        ConsecutiveFailurePolicy { failure_threshold: 5, recovery_successes: 4, probe_interval: built.probe_interval };
    assert_eq!(written.failure_threshold, built.failure_threshold);
    let default = ConsecutiveFailurePolicy::default();
    assert_eq!((default.failure_threshold, default.recovery_successes), (3, 2));
    assert_eq!(default.probe_interval, Duration::from_secs(10));
}

#[test]
fn a_node_goes_down_and_comes_back() {
    let tracker = HealthTracker::new(ConsecutiveFailurePolicy::default());
    let mut states = Vec::new();
    for success in [false, false, true, false, false, false, true, true] {
        if success {
            tracker.report_success(&"10.0.0.1");
        } else {
            tracker.report_failure(&"10.0.0.1");
        }
        states.push(tracker.status(&"10.0.0.1"));
    }
    use HealthStatus::{Degraded, Healthy, Recovering, Unhealthy};
    assert_eq!(states, [Healthy, Degraded, Healthy, Healthy, Degraded, Unhealthy, Recovering, Healthy]);
    assert_eq!(tracker.status(&"10.0.0.2"), Healthy);
}

#[test]
fn one_failure_can_be_enough() {
    let tracker = HealthTracker::<u32>::new(ConsecutiveFailurePolicy::builder().failure_threshold(1).build());
    tracker.report_failure(&7);
    assert_eq!(tracker.status(&7), HealthStatus::Unhealthy);
}

#[test]
fn a_rate_limit_is_no_failure() {
    let tracker = HealthTracker::new(ConsecutiveFailurePolicy::builder().failure_threshold(2).build());
    let limited = Outcome::RateLimited { retry_after: Some(Duration::from_secs(30)) };
    for outcome in [&health::Outcome::Failure, &limited, &limited] {
        tracker.report_outcome(&1, outcome);
    }
    let NodeHealth { status, consecutive_failures, consecutive_successes, last_failure, last_success } =
        tracker.get_health(&1);
    assert_eq!((status, consecutive_failures, consecutive_successes), (HealthStatus::Degraded, 1, 0));
    assert!(last_failure.is_some_and(|t| t <= Instant::now()) && last_success.is_none());
    tracker.report_outcome(&1, &Outcome::Success);
    assert_eq!(tracker.get_health(&1).consecutive_successes, 1);
}

#[test]
fn only_a_rested_unhealthy_node_is_probed() {
    let policy = ConsecutiveFailurePolicy::default();
    let mut health = NodeHealth { status: HealthStatus::Unhealthy, ..NodeHealth::default() };
    assert!(policy.should_probe(&health));
    health.last_failure = Some(Instant::now());
    assert!(!policy.should_probe(&health));
    let patient = ConsecutiveFailurePolicy::builder().probe_interval(Duration::ZERO).build();
    assert!(patient.should_probe(&health));
    health.status = HealthStatus::Recovering;
    assert!(!patient.should_probe(&health));
}

#[test]
fn trackers_take_policies_of_the_users_own() {
    /// Counts rate limits as failures, and any two failures are enough.
    struct Strict;
    impl HealthPolicy for Strict {
        fn on_success(&self, health: &mut NodeHealth) {
            *health = NodeHealth::default();
        }
        fn on_failure(&self, health: &mut NodeHealth) {
            health.consecutive_failures += 1;
            if health.consecutive_failures >= 2 {
                health.status = HealthStatus::Unhealthy;
            }
        }
        fn should_probe(&self, health: &NodeHealth) -> bool {
            health.consecutive_failures >= 3
        }
        fn on_outcome(&self, health: &mut NodeHealth, outcome: &Outcome) {
            match outcome {
                Outcome::Success => self.on_success(health),
                Outcome::Failure | Outcome::RateLimited { .. } => self.on_failure(health),
            }
        }
    }
    let tracker: HealthTracker<(u8, u8)> = HealthTracker::new(Strict);
    tracker.report_failure(&(1, 2));
    tracker.report_outcome(&(1, 2), &Outcome::RateLimited { retry_after: None });
    assert_eq!(tracker.status(&(1, 2)), HealthStatus::Unhealthy);
    assert!(!tracker.should_probe(&(1, 2)) && !tracker.should_probe(&(0, 0)));
    tracker.report_failure(&(1, 2));
    assert!(tracker.should_probe(&(1, 2)));
    tracker.report_success(&(1, 2));
    assert_eq!(tracker.status(&(1, 2)), HealthStatus::Healthy);
    assert!(format!("{tracker:?}").starts_with("HealthTracker"));
}

#[test]
fn trackers_are_shared_between_threads() {
    let tracker = Arc::new(HealthTracker::new(ConsecutiveFailurePolicy::default()));
    let reporter = Arc::clone(&tracker);
    std::thread::spawn(move || (0..3).for_each(|_| reporter.report_failure(&String::from("a")))).join().unwrap();
    assert_eq!(tracker.status(&String::from("a")), HealthStatus::Unhealthy);
}
