//! Outcomes that come too late to tell anything.

use loadwise::{HealthStatus, Report};

use crate::stage::{S, Stage};

/// Requests that began before a node went down end well afterwards: they tell of a time that is over.
#[test]
fn successes_from_before_a_node_went_down() {
    let stage = Stage::new("{seed: 16, nodes: [a]}");
    let early: Vec<_> = (0..5).map(|_| stage.pick().unwrap()).collect();
    stage.bring_down("a");
    early.into_iter().for_each(|pick| pick.finish(stage.outcome(true)).unwrap());
    assert_eq!(stage.of("a").health, HealthStatus::Unhealthy);
    assert_eq!(stage.of("a").success_rate, None, "they are no samples of what came after");
}

/// The same for failures that end when the node is back.
#[test]
fn failures_from_before_a_node_came_back() {
    let mut stage = Stage::new("{seed: 16, nodes: [a]}");
    let early: Vec<_> = (0..50).map(|_| stage.pick().unwrap()).collect();
    stage.bring_down("a");
    stage.pass(10 * S);
    assert!(stage.send("a", true) && stage.send("a", true));
    early.into_iter().for_each(|pick| pick.finish(stage.outcome(false)).unwrap());
    assert_eq!((stage.of("a").health, stage.status("a").consecutive_failures), (HealthStatus::Healthy, 0));
    let told = stage.of("a");
    assert_eq!((told.failures, told.successes), (53, 2), "counted all the same");
}

/// Outcomes for a node that was taken out, also if one of the same id is there again.
#[test]
fn outcomes_of_a_node_that_is_gone() {
    let stage = Stage::new("{seed: 16, nodes: [a, b], quotas: [{dimension: rpm, limit: 100}]}");
    let early: Vec<_> = (0..20).map(|_| stage.pool.pick(&stage.ask().exclude(&["b"])).unwrap()).collect();
    stage.pool.deregister("a").unwrap();
    stage.pool.register("a").unwrap();
    for (i, pick) in early.into_iter().enumerate() {
        let report = match i % 3 {
            0 => stage.outcome(false),
            1 => stage.limited(std::time::Duration::from_secs(100)),
            _ => Report::cancelled().now_ns(stage.now),
        };
        pick.finish(report).unwrap();
    }
    let told = stage.of("a");
    assert_eq!((told.health, told.in_flight, told.failures), (HealthStatus::Healthy, 0, 0));
    assert_eq!(told.quotas[0].used, 0);
    assert!(stage.send("a", true), "and it takes requests");
    assert!(stage.pool.report("gone", stage.outcome(true)).is_err());
    assert_eq!(stage.stats().failures, 7, "the pool's own count has them");
}

/// Rate limits and cancellations are no news about health, however many.
#[test]
fn neither_rate_limits_nor_cancellations_are_failures() {
    let stage = Stage::new("{seed: 16, nodes: [a]}");
    for _ in 0..100 {
        stage.pick().unwrap().finish(stage.limited(std::time::Duration::ZERO)).unwrap();
        drop(stage.pick().unwrap());
    }
    let told = stage.of("a");
    assert_eq!(
        (told.health, told.rate_limited, told.cancelled, told.success_rate),
        (HealthStatus::Healthy, 100, 100, None)
    );
}
