//! So few nodes are left that sending to the others, too, may be better than overloading those.

use std::sync::{Arc, Mutex};

use loadwise::{EventKind, NoNodeReason};

use crate::stage::{Stage, ids};

fn stage(mode: &str, strategy: &str, count: u8) -> Stage {
    Stage::new(&format!("{{seed: 8, strategy: {strategy}, nodes: {}, panic: {{mode: {mode}}}}}", ids(count)))
}

fn bring_down(stage: &Stage, count: u8) {
    for i in 0..count {
        for _ in 0..3 {
            stage.tell(&char::from(b'a' + i).to_string(), false);
        }
    }
    stage.pool.maintain(stage.now);
}

/// By default a node that is down gets nothing, however few are left.
#[test]
fn without_panic_the_few_take_all() {
    let stage = stage("fail", "random", 10);
    bring_down(&stage, 9);
    assert_eq!(stage.shares(200).into_keys().collect::<Vec<_>>(), ["j"]);
    bring_down(&stage, 10);
    assert_eq!(stage.nobody(), NoNodeReason::Unhealthy);
    assert!(!stage.stats().panic);
}

/// With `mode: spread` and at least ten nodes: at half of them all goes to the half that is left; below, to all alike,
/// by every strategy.
#[test]
fn below_the_threshold_all_take_their_share() {
    for strategy in
        ["round_robin", "random", "weighted_round_robin", "weighted_random", "p2c", "least_request", "peak_ewma"]
    {
        let stage = stage("spread", strategy, 10);
        bring_down(&stage, 5);
        assert_eq!(stage.shares(1000).len(), 5, "{strategy}: half is enough");
        assert!(!stage.stats().panic);
        bring_down(&stage, 6);
        assert!(stage.stats().panic);
        let shares = stage.shares(1000);
        // 100 each; 6 σ of a binomial(1000, 0.1) is 57.
        assert!(shares.len() == 10 && shares.values().all(|n| n.abs_diff(100) < 57), "{strategy}: {shares:?}");
        for _ in 0..2 {
            for id in ["a", "b", "c"] {
                stage.tell(id, true);
            }
        }
        stage.pool.maintain(stage.now);
        assert!(!stage.stats().panic);
        assert_eq!(stage.shares(1000).len(), 7, "{strategy}: seven are back");
    }
}

/// With few nodes a share says little: only when none is left are all tried.
#[test]
fn with_few_nodes_only_none_is_too_few() {
    let stage = stage("spread", "p2c", 3);
    bring_down(&stage, 2);
    assert_eq!(stage.shares(100).into_keys().collect::<Vec<_>>(), ["c"]);
    bring_down(&stage, 3);
    assert_eq!(stage.shares(100).len(), 3);
    stage.tell("b", true);
    assert_eq!(stage.shares(100).into_keys().collect::<Vec<_>>(), ["b"], "one that answers is enough");
}

/// Draining nodes are out in a panic, too; and a request that names the states it wants gets no others.
#[test]
fn not_everybody_is_tried_in_a_panic() {
    let stage = stage("spread", "random", 3);
    bring_down(&stage, 3);
    stage.pool.drain_at("a", true, stage.now).unwrap();
    assert_eq!(stage.shares(100).into_keys().collect::<Vec<_>>(), ["b", "c"]);
    let healthy = loadwise::HealthStatus::Healthy.bit_flag();
    assert_eq!(stage.pool.pick(&stage.ask().health_mask(healthy)).unwrap_err().reason, NoNodeReason::Unhealthy);
}

/// Observers hear of both ends of a panic.
#[test]
fn a_panic_is_told() {
    let stage = stage("spread", "random", 2);
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    stage.pool.observe(false, move |event| {
        if let EventKind::Panic { spread } = event.kind {
            heard.lock().unwrap().push(spread);
        }
    });
    bring_down(&stage, 2);
    stage.tell("a", true);
    assert_eq!(*told.lock().unwrap(), [true, false]);
}

/// In a panic, what succeeds brings a node back without waiting for its probe.
#[test]
fn what_answers_in_a_panic_is_back() {
    let stage = stage("spread", "random", 2);
    bring_down(&stage, 2);
    assert!(stage.send("a", true));
    assert!(stage.of("a").available && !stage.stats().panic);
}
