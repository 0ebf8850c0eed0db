//! Nobody left, or nearly so.

use loadwise::{HealthStatus, NoNodeReason};

use crate::stage::{S, Stage, ids};

/// All nodes are down: picks say so and when to try again; then each node is probed by one request, and whichever answers
/// is back.
#[test]
fn all_nodes_are_down() {
    let mut stage = Stage::new(&format!("{{seed: 2, nodes: {}}}", ids(4)));
    for id in ["a", "b", "c", "d"] {
        stage.bring_down(id);
    }
    let refused = stage.pick().unwrap_err();
    assert_eq!(refused.reason, NoNodeReason::Unhealthy);
    let first = ["a", "b", "c", "d"].map(|id| stage.held_until(id)).into_iter().min();
    assert_eq!(refused.retry_at_ns, first, "the earliest of the probes");
    stage.pass(10 * S);
    let mut probed = Vec::new();
    for _ in 0..4 {
        // Requests come in one after the other; those that are due at once are 10 ms apart.
        let pick = stage.pick().expect("a node that is due");
        probed.push(pick.id().to_string());
        std::mem::forget(pick);
        stage.now += 10 * crate::stage::MS;
    }
    probed.sort();
    assert_eq!(probed, ["a", "b", "c", "d"], "each once");
    assert_eq!(stage.nobody(), NoNodeReason::Unhealthy, "all probes are under way");
}

/// The only node is down: one request at a time finds out whether it is back, the others are told when to come again.
#[test]
fn the_only_node_is_probed_by_one_request_at_a_time() {
    let mut stage = Stage::new("{seed: 2, nodes: [a]}");
    stage.bring_down("a");
    stage.now = stage.held_until("a") - 1;
    assert_eq!(stage.nobody(), NoNodeReason::Unhealthy);
    stage.now += 1;
    let probe = stage.pick().expect("the probe");
    for _ in 0..10 {
        let refused = stage.pick().unwrap_err();
        assert_eq!((refused.reason, refused.retry_at_ns), (NoNodeReason::Unhealthy, Some(stage.now + 5 * S)));
    }
    probe.finish(stage.outcome(false)).unwrap();
    let again = stage.held_until("a") - stage.now;
    assert!((10 * S..=20 * S).contains(&again), "twice as long: {} s", again / S);
    stage.pass(again);
    stage.pick().expect("the second probe").finish(stage.outcome(true)).unwrap();
    assert_eq!(stage.of("a").health, HealthStatus::Recovering);
    stage.pick().expect("it is back").finish(stage.outcome(true)).unwrap();
    assert_eq!(stage.of("a").health, HealthStatus::Healthy);
    assert_eq!(stage.of("a").probes, 2);
}

/// With `live_probes: false` no request is risked: only a check, or a report, brings a node back.
#[test]
fn without_live_probes_only_reports_bring_a_node_back() {
    let mut stage = Stage::new("{seed: 2, nodes: [a, b], health: {live_probes: false}}");
    stage.bring_down("a");
    stage.pass(400 * S);
    assert_eq!(stage.shares(100).get("a"), None);
    stage.tell("a", true);
    assert!(stage.shares(100).contains_key("a"));
}
