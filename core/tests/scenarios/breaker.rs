//! Circuit breakers.

use std::sync::{Arc, Mutex};

use loadwise::{BreakerState, EventKind, HealthStatus, NoNodeReason};

use crate::stage::{S, Stage};

/// Only the breaker decides: health stays out of it.
const ALONE: &str = "health: {failure_threshold: 100, min_success_rate: 0}";

fn stage(breaker: &str) -> Stage {
    Stage::new(&format!("{{seed: 6, nodes: [a, b], {ALONE}, breaker: {breaker}}}"))
}

/// Five failures in a row open the breaker: nothing is sent for about 5 seconds. Then one request at a time is let
/// through; two that succeed close it.
#[test]
fn open_half_open_closed() {
    let mut stage = stage("true");
    let mut sent = 0;
    while stage.send("a", false) {
        sent += 1;
    }
    assert_eq!((sent, stage.of("a").breaker), (5, BreakerState::Open));
    assert_eq!(stage.shares(200).get("a"), None);
    let hold = stage.held_until("a") - stage.now;
    assert!((2500 * crate::stage::MS..=5 * S).contains(&hold));
    stage.pass(hold);
    assert_eq!(stage.of("a").breaker, BreakerState::HalfOpen);
    let probe = stage.pool.pick(&stage.ask().exclude(&["b"])).expect("one is let through");
    assert_eq!(stage.pool.pick(&stage.ask().exclude(&["b"])).unwrap_err().reason, NoNodeReason::Unhealthy);
    probe.finish(stage.outcome(true)).unwrap();
    assert_eq!(stage.of("a").breaker, BreakerState::HalfOpen, "one success is not enough");
    assert!(stage.send("a", true));
    assert_eq!(stage.of("a").breaker, BreakerState::Closed);
    stage.pool.maintain(stage.now);
    assert!(stage.shares(200).contains_key("a"));
}

/// A probe that fails opens the breaker again, for twice as long each time, up to `max_open_ms`.
#[test]
fn open_again_for_longer() {
    let mut stage = stage("{open_ms: 1000, max_open_ms: 6000}");
    stage.bring_down("a");
    for full in [1, 2, 4, 6, 6] {
        let hold = stage.held_until("a") - stage.now;
        assert!((full * S / 2..=full * S).contains(&hold), "{hold} of {full} s");
        stage.pass(hold);
        assert_eq!(stage.of("a").breaker, BreakerState::HalfOpen);
        assert!(stage.send("a", false));
        assert_eq!(stage.of("a").breaker, BreakerState::Open);
    }
    assert_eq!(stage.of("a").breaker_opens, 1, "it was open all the time");
}

/// A success and then a failure while half open: the count begins anew.
#[test]
fn successes_count_in_a_row() {
    let mut stage = stage("{half_open_successes: 3}");
    stage.bring_down("a");
    stage.pass(5 * S);
    assert!(stage.send("a", true) && stage.send("a", true) && stage.send("a", false));
    stage.pass(300 * S);
    assert!(stage.send("a", true) && stage.send("a", true));
    assert_eq!(stage.of("a").breaker, BreakerState::HalfOpen);
    assert!(stage.send("a", true));
    assert_eq!(stage.of("a").breaker, BreakerState::Closed);
}

/// Half of at least twenty requests failed, never five in a row.
#[test]
fn half_of_the_requests_fail() {
    let stage = stage("true");
    let mut sent = 0;
    while stage.send("a", sent % 2 == 0) {
        sent += 1;
    }
    assert_eq!((sent, stage.of("a").breaker), (20, BreakerState::Open));
}

/// The request that was let through never ends: the next one takes over after `probe_timeout_ms`, so nothing is stuck.
#[test]
fn a_probe_that_never_ends_leaves_nothing_stuck() {
    let mut stage = stage("{half_open_successes: 1}");
    stage.bring_down("a");
    stage.pass(5 * S);
    let lost = stage.pool.pick(&stage.ask().exclude(&["b"])).unwrap();
    stage.pass(5 * S);
    assert!(stage.send("a", true));
    assert_eq!(stage.of("a").breaker, BreakerState::Closed);
    lost.finish(stage.outcome(false)).unwrap();
    assert_eq!(stage.of("a").breaker, BreakerState::Closed, "it tells of what is over");
}

/// Both health and breaker say that a node is down: it is out until both are content, and observers are told of both.
#[test]
fn health_and_breaker_together() {
    let mut stage = Stage::new("{seed: 6, nodes: [a, b], health: {failure_threshold: 5}, breaker: true}");
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    stage.pool.observe(false, move |event| {
        if let EventKind::Health { .. } | EventKind::Breaker { .. } = event.kind {
            heard.lock().unwrap().push(event.kind.name().to_owned());
        }
    });
    stage.bring_down("a");
    assert_eq!(*told.lock().unwrap(), ["health", "health", "breaker"], "degraded, unhealthy, open");
    stage.pass(10 * S);
    assert!(stage.send("a", true), "the probe");
    assert_eq!((stage.of("a").health, stage.of("a").available), (HealthStatus::Recovering, false));
    assert!(stage.send("a", true), "the second probe");
    assert_eq!((stage.of("a").health, stage.of("a").breaker), (HealthStatus::Healthy, BreakerState::Closed));
    assert!(stage.of("a").available);
}
