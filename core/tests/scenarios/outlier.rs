//! Nodes that do much worse than the others.

use crate::stage::{S, Stage, ids};

const QUIET: &str = "health: {failure_threshold: 200, min_success_rate: 0}, breaker: false";

fn stage(count: u8, outlier: &str) -> Stage {
    Stage::new(&format!("{{seed: 7, nodes: {}, {QUIET}, outlier: {outlier}}}", ids(count)))
}

/// Each node serves a hundred requests, of which so many of ten fail.
fn serve(stage: &Stage, of_ten: impl Fn(&str) -> u32) {
    for node in stage.pool.nodes_at(stage.now) {
        for i in 0..100 {
            stage.tell(&node.id, i % 10 >= of_ten(&node.id));
        }
    }
}

fn ejected(stage: &Stage) -> Vec<String> {
    stage.stats().nodes.into_iter().filter(|n| n.ejected).map(|n| n.id).collect()
}

/// One of ten nodes fails a third of its requests where the others fail none: it is ejected for about 30 s, and then
/// takes its share again.
#[test]
fn the_worst_of_ten_is_ejected_and_comes_back() {
    let mut stage = stage(10, "true");
    serve(&stage, |id| if id == "d" { 3 } else { 0 });
    stage.pass(10 * S);
    assert_eq!(ejected(&stage), ["d"]);
    assert_eq!(stage.shares(500).get("d"), None);
    let hold = stage.held_until("d") - stage.now;
    assert!(hold <= 30 * S);
    stage.pass(31 * S);
    assert!(ejected(&stage).is_empty());
    assert!(stage.shares(500).contains_key("d"));
}

/// An active check finds an ejected node well: it was ejected for what it did to requests, and stays out for its time.
#[test]
fn a_check_that_succeeds_does_not_end_an_ejection() {
    let mut stage = stage(10, "{ejection_ms: 60000}");
    serve(&stage, |id| if id == "d" { 3 } else { 0 });
    stage.pass(10 * S);
    assert_eq!(ejected(&stage), ["d"]);
    for _ in 0..15 {
        stage.tell("d", true);
        stage.pass(S);
        assert_eq!(ejected(&stage), ["d"], "at second {}", stage.now / S);
    }
    stage.pass(46 * S);
    assert!(ejected(&stage).is_empty());
}

/// Each time longer: 30 s, 60 s, ... for a node that is ejected again soon after.
#[test]
fn the_second_ejection_is_longer() {
    let mut stage = stage(10, "true");
    let mut lasted = Vec::new();
    for _ in 0..3 {
        serve(&stage, |id| if id == "d" { 3 } else { 0 });
        stage.pass(10 * S);
        assert_eq!(ejected(&stage), ["d"]);
        let before = stage.now;
        while !ejected(&stage).is_empty() {
            stage.pass(S);
        }
        lasted.push((stage.now - before) / S);
    }
    assert!(
        (5..=30).contains(&lasted[0]) && (20..=60).contains(&lasted[1]) && (50..=120).contains(&lasted[2]),
        "{lasted:?}"
    );
}

/// At most a tenth of the nodes, or one, is ejected at a time, whatever goes wrong.
#[test]
fn no_more_than_a_tenth() {
    for (count, most) in [(25, 2), (10, 1), (5, 1), (3, 1), (2, 1), (1, 0)] {
        let mut stage = stage(count, "true");
        for _ in 0..4 {
            serve(&stage, |_| 9);
            stage.pass(4 * S);
            assert!(ejected(&stage).len() <= most, "{:?} of {count}", ejected(&stage));
        }
        assert_eq!(ejected(&stage).len(), most, "of {count}");
        assert!(stage.pick().is_ok(), "somebody is left of {count}");
    }
}

/// The last node that is available is never ejected, also if the others are down for other reasons.
#[test]
fn never_the_last_one() {
    let stage = Stage::new(
        "{seed: 7, nodes: [a, b, c], health: {min_success_rate: 0}, outlier: {max_ejected: 1, failure_rate: 0.5}}",
    );
    stage.bring_down("a");
    stage.bring_down("b");
    for i in 0..90 {
        stage.tell("c", i % 9 == 0 || i % 9 == 3 || i % 9 == 6);
    }
    stage.pool.maintain(stage.now + 11 * S);
    assert_eq!(stage.pool.nodes_at(stage.now)[2].success_rate, Some(1.0 / 3.0));
    assert!(stage.of("c").available);
}

/// All do equally badly: nobody is an outlier by comparison.
#[test]
fn equals_are_no_outliers() {
    let mut stage = stage(10, "true");
    serve(&stage, |_| 5);
    stage.pass(20 * S);
    assert!(ejected(&stage).is_empty());
}
