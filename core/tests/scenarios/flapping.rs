//! Nodes that come back and go down again.

use loadwise::HealthStatus;

use crate::stage::{MS, S, Stage};

/// How long the node is held from now on.
fn hold(stage: &Stage) -> u64 {
    stage.held_until("a") - stage.now
}

/// Whether a time is `full`, or up to half of it less.
fn is_about(ns: u64, full: u64) -> bool {
    ns >= full / 2 && ns <= full
}

/// Each time that a node goes down soon after it came back, it stays down for longer: about 10, 20, 40, ... seconds, never
/// more than `max_probe_interval_ms`.
#[test]
fn each_ejection_lasts_longer_up_to_the_cap() {
    let mut stage = Stage::new("{seed: 5, nodes: [a, b], health: {max_probe_interval_ms: 100000}}");
    for full in [10, 20, 40, 80, 100, 100, 100] {
        stage.bring_down("a");
        let hold = hold(&stage);
        assert!(is_about(hold, full * S), "{} s of {full}", hold / S);
        stage.pass(hold);
        assert!(stage.send("a", true) && stage.send("a", true));
        assert_eq!(stage.of("a").health, HealthStatus::Healthy);
    }
}

/// After as long a time in health as the cap, it is as if it had never been down.
#[test]
fn damping_is_forgotten_after_the_cap() {
    let mut stage = Stage::new("{seed: 5, nodes: [a, b], health: {max_probe_interval_ms: 60000}}");
    for _ in 0..4 {
        stage.bring_down("a");
        stage.pass(60 * S);
        assert!(stage.send("a", true) && stage.send("a", true));
    }
    stage.pass(61 * S);
    stage.bring_down("a");
    assert!(is_about(hold(&stage), 10 * S));
}

/// A hiccup that does not bring a node down is no return: the first time down is the first.
#[test]
fn being_degraded_is_no_flapping() {
    let stage = Stage::new("{seed: 5, nodes: [a, b]}");
    assert!(stage.send("a", false) && stage.send("a", false));
    assert_eq!(stage.of("a").health, HealthStatus::Degraded);
    assert!(stage.send("a", true));
    stage.bring_down("a");
    assert!(is_about(hold(&stage), 10 * S), "{} s", hold(&stage) / S);
}

/// Many clients tell of the same outage at once: that is one time down, not one for each of them.
#[test]
fn a_crowd_of_reports_is_one_outage() {
    let mut stage = Stage::new("{seed: 5, nodes: [a, b]}");
    for _ in 0..50 {
        stage.tell("a", false);
        stage.now += MS;
    }
    let hold = hold(&stage);
    assert!(is_about(hold, 10 * S) || hold < 10 * S, "{} s", hold / S);
    // A check that fails when its time is over is a probe that failed.
    stage.pass(hold);
    stage.tell("a", false);
    assert!(is_about(stage.held_until("a") - stage.now, 20 * S));
}
