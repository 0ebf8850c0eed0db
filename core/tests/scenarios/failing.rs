//! Nodes that fail some or all of what they are sent.

use loadwise::HealthStatus;

use crate::stage::{MS, S, Stage, ids};

/// A node answers every other request with an error. It never fails three times in a row, and still is out after twenty
/// requests: fewer than 80 % of them succeeded.
#[test]
fn a_node_that_fails_every_other_request_goes_down_by_its_window() {
    let stage = Stage::new(&format!("{{seed: 1, nodes: {}}}", ids(3)));
    let mut sent = 0;
    while stage.send("a", sent % 2 == 1) {
        sent += 1;
    }
    assert_eq!((sent, stage.of("a").health), (21, HealthStatus::Unhealthy));
    assert_eq!(stage.shares(300).get("a"), None);
}

/// One in ten fails: that is what other policies are for, the node stays.
#[test]
fn a_node_that_fails_one_in_ten_stays() {
    let stage = Stage::new(&format!("{{seed: 1, nodes: {}}}", ids(3)));
    assert!((0..500).all(|i| stage.send("a", i % 10 != 0)));
    assert_eq!(stage.of("a").health, HealthStatus::Healthy);
}

/// Failures that are older than the window are forgotten: nineteen a minute never bring a node down.
#[test]
fn what_is_older_than_the_window_is_forgotten() {
    let mut stage = Stage::new(&format!("{{seed: 1, nodes: {}, health: {{failure_threshold: 50}}}}", ids(2)));
    for _ in 0..20 {
        for i in 0..19 {
            assert!(stage.send("a", i % 4 == 0));
        }
        stage.pass(31 * S);
    }
    assert_eq!(stage.of("a").success_rate, None);
    assert!(stage.of("a").available);
}

/// With `min_success_rate: 0` only failures in a row count.
#[test]
fn a_rate_of_zero_is_off() {
    let stage = Stage::new("{seed: 1, nodes: [a, b], health: {min_success_rate: 0}}");
    assert!((0..300).all(|i| stage.send("a", i % 3 == 2)));
    assert!(stage.of("a").available);
}

/// With `passive: false` the outcomes of requests change nothing; only checks do, and those of requests don't hide them.
#[test]
fn without_passive_health_only_checks_count() {
    let stage = Stage::new("{seed: 1, nodes: [a, b], health: {passive: false}}");
    assert!((0..100).all(|_| stage.send("a", false)));
    assert_eq!(stage.of("a").health, HealthStatus::Healthy);
    stage.tell("a", false);
    assert_eq!(stage.of("a").health, HealthStatus::Healthy, "one check that fails is one");
    for _ in 0..2 {
        assert!(stage.send("a", true));
        stage.tell("a", false);
    }
    assert_eq!(stage.of("a").health, HealthStatus::Unhealthy, "the third check in a row");
    assert!(!stage.send("a", true));
    stage.tell("a", true);
    stage.tell("a", true);
    assert_eq!(stage.of("a").health, HealthStatus::Healthy);
}

/// The share that a node gets of a minute of traffic, ÷ the share that it should get, when it fails `of_ten` of ten
/// requests after a millisecond where the others take thirty.
fn attraction(strategy: &str, of_ten: u64) -> f64 {
    let mut stage = Stage::new(&format!("{{seed: 3, strategy: {strategy}, nodes: {}}}", ids(10)));
    let sent = stage.traffic(60 * S, 400, |id, number| match id {
        "d" if number % 10 < of_ten => (false, MS),
        _ => (true, 20 * MS + number * 7919 % 20 * MS),
    });
    let all: u64 = sent.values().sum();
    assert_eq!(all, 24_000);
    10.0 * sent.get("d").copied().unwrap_or(0) as f64 / all as f64
}

/// A node that fails fast looks idle and quick, and must not attract the traffic that it fails.
#[test]
fn failing_fast_attracts_nothing() {
    for strategy in ["p2c", "least_request", "peak_ewma", "adaptive", "fastest", "round_robin"] {
        for of_ten in [10, 7, 3] {
            let attraction = attraction(strategy, of_ten);
            assert!(attraction <= 1.5, "{strategy}, {of_ten} of 10 fail: {attraction} times its share");
        }
    }
}

/// A node that fails one of ten is not ejected, and strategies that look at latency avoid it rather.
#[test]
fn a_penalty_keeps_a_failing_node_from_looking_fast() {
    for strategy in ["peak_ewma", "adaptive"] {
        let attraction = attraction(strategy, 1);
        assert!(attraction <= 1.0, "{strategy}: {attraction} times its share");
    }
}
