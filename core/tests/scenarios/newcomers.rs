//! Nodes that join, or come back, among busy ones.

use crate::stage::{S, Stage};

fn share_of_c(stage: &Stage) -> f64 {
    let shares = stage.shares(6000);
    f64::from(shares.get("c").copied().unwrap_or(0)) / 6000.0
}

const STRATEGIES: [&str; 7] =
    ["round_robin", "random", "weighted_random", "p2c", "least_request", "peak_ewma", "rendezvous"];

/// Without slow start a new node takes its full share at once.
#[test]
fn a_newcomer_takes_its_share_at_once() {
    for strategy in STRATEGIES {
        let stage = Stage::new(&format!("{{seed: 9, strategy: {strategy}, nodes: [a, b]}}"));
        stage.pool.register("c").unwrap();
        let share = share_of_c(&stage);
        assert!((share - 1.0 / 3.0).abs() < 0.04, "{strategy}: {share}");
    }
}

/// With slow start its weight rises from a tenth to the whole in 30 s: its share of the traffic is w/(2 + w) then.
#[test]
fn with_slow_start_its_share_ramps() {
    for strategy in STRATEGIES {
        let mut stage = Stage::new(&format!("{{seed: 9, strategy: {strategy}, nodes: [a, b], slow_start: true}}"));
        assert_eq!(stage.of("a").warming, 1.0, "those of the beginning are warm");
        stage.pool.register("c").unwrap();
        stage.pool.maintain(stage.now);
        for (weight, seconds) in [(0.1, 3), (0.1, 6), (0.3, 6), (0.5, 6), (0.7, 6), (0.9, 3)] {
            let share = share_of_c(&stage);
            // A third of all decisions fall on it, and it takes this part of them.
            let wanted = weight / 3.0;
            assert!((share - wanted).abs() < 0.03, "{strategy}, {weight}: {share} of {wanted}");
            stage.pass(seconds * S);
        }
        assert_eq!(stage.of("c").warming, 1.0);
        let share = share_of_c(&stage);
        assert!((share - 1.0 / 3.0).abs() < 0.04, "{strategy}: {share}");
    }
}

/// A key that has moved to the newcomer stays there while it gets warmer.
#[test]
fn keys_move_to_a_newcomer_one_way() {
    let mut stage = Stage::new("{seed: 9, strategy: maglev, nodes: [a, b], slow_start: true}");
    stage.pool.register("c").unwrap();
    stage.pool.maintain(stage.now);
    let keys: Vec<String> = (0..500).map(|i| format!("user-{i}")).collect();
    let mut on_c: Vec<bool> = vec![false; keys.len()];
    for _ in 0..=30 {
        for (key, was) in keys.iter().zip(&mut on_c) {
            let is = stage.pool.pick(&stage.ask().key(key)).unwrap().id().as_str() == "c";
            assert!(is || !*was, "{key} left again");
            *was = is;
        }
        stage.pass(S);
    }
    let moved = on_c.iter().filter(|on| **on).count();
    assert!((120..=215).contains(&moved), "a third in the end: {moved}");
}

/// What may be in flight on it is capped alike.
#[test]
fn in_flight_is_capped_while_it_warms_up() {
    let mut stage = Stage::new("{seed: 9, nodes: [{id: a, weight: 1}], slow_start: true}");
    stage.pool.register(loadwise::NodeSpec::new("c").max_in_flight(50)).unwrap();
    stage.pool.maintain(stage.now);
    assert_eq!(stage.of("c").max_in_flight, 5);
    stage.pass(15 * S);
    assert_eq!(stage.of("c").max_in_flight, 25);
    stage.pass(15 * S);
    assert_eq!(stage.of("c").max_in_flight, 50);
}

/// Nodes that recover, or are undrained, warm up, too.
#[test]
fn who_comes_back_warms_up() {
    let mut stage = Stage::new("{seed: 9, nodes: [a, b], slow_start: {duration_ms: 10000}}");
    stage.bring_down("a");
    stage.pass(10 * S);
    assert!(stage.send("a", true));
    assert_eq!(stage.of("a").warming, 0.1);
    stage.pass(5 * S);
    assert_eq!(stage.of("a").warming, 0.5);
    stage.pool.drain_at("b", true, stage.now).unwrap();
    stage.pool.drain_at("b", false, stage.now).unwrap();
    assert_eq!(stage.of("b").warming, 0.1);
    // A second drain that was not one changes nothing.
    stage.pass(10 * S);
    stage.pool.drain_at("b", false, stage.now).unwrap();
    assert_eq!(stage.of("b").warming, 1.0);
}

/// When all that is left is warming up, it takes everything.
#[test]
fn better_a_cold_node_than_none() {
    let mut stage = Stage::new("{seed: 9, nodes: [a], slow_start: true}");
    stage.bring_down("a");
    stage.pass(10 * S);
    assert!(stage.send("a", true));
    assert_eq!(stage.shares(100).get("a"), Some(&100));
}

/// Among nodes that are busy, at the least loaded of which a newcomer would be overrun: its share of real traffic ramps.
#[test]
fn a_newcomer_among_busy_nodes() {
    for strategy in ["p2c", "least_request", "peak_ewma"] {
        let mut stage = Stage::new(&format!("{{seed: 9, strategy: {strategy}, nodes: [a, b], slow_start: true}}"));
        stage.traffic(5 * S, 500, |_, _| (true, 40 * crate::stage::MS));
        stage.pool.register("c").unwrap();
        let mut share = || {
            let sent = stage.traffic(3 * S, 500, |_, _| (true, 40 * crate::stage::MS));
            sent.get("c").copied().unwrap_or(0) as f64 / 1500.0
        };
        let shares: Vec<f64> = (0..12).map(|_| share()).collect();
        // Idle where the others have ten in flight, it is chosen whenever it is drawn: of two in three decisions.
        assert!(shares[0] < 0.12, "{strategy}: {shares:?}");
        assert!(shares[..10].windows(2).all(|s| s[1] > s[0] - 0.05) && shares[4] < 0.33, "{strategy}: {shares:?}");
        assert!((shares[11] - 1.0 / 3.0).abs() < 0.05, "{strategy}: {shares:?}");
    }
}
