//! Primaries and backups.

use std::sync::{Arc, Mutex};

use loadwise::{EventKind, NoNodeReason};

use crate::stage::{S, Stage};

/// Ten primaries, two backups, one of last resort.
fn stage(more: &str) -> Stage {
    let primaries: Vec<String> = (0..10).map(|i| format!("p{i}")).collect();
    Stage::new(&format!(
        "{{seed: 10, nodes: [{}, {{id: b0, tier: 1}}, {{id: b1, tier: 1}}, {{id: last, tier: 2}}]{more}}}",
        primaries.join(", ")
    ))
}

fn down(stage: &Stage, ids: &[&str]) {
    for id in ids {
        (0..3).for_each(|_| stage.tell(id, false));
    }
    stage.pool.maintain(stage.now);
}

fn up(stage: &Stage, ids: &[&str]) {
    for id in ids {
        (0..2).for_each(|_| stage.tell(id, true));
    }
    stage.pool.maintain(stage.now);
}

/// The share of the traffic that each tier takes, in hundredths.
fn tiers(stage: &Stage) -> [u32; 3] {
    let mut sums = [0; 3];
    for (id, n) in stage.shares(10_000) {
        sums[if id.starts_with('p') {
            0
        } else if id == "last" {
            2
        } else {
            1
        }] += n;
    }
    sums.map(|n| (n + 50) / 100)
}

const PRIMARIES: [&str; 10] = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9"];

/// While 72 % of the primaries are there, they take everything; below, they take their availability · 1.4 and the backups
/// the rest.
#[test]
fn traffic_spills_over_as_primaries_fail() {
    let stage = stage("");
    assert_eq!(tiers(&stage), [100, 0, 0]);
    for (failed, primary) in [(2, 100), (3, 98), (5, 70), (7, 42), (9, 14), (10, 0)] {
        down(&stage, &PRIMARIES[..failed]);
        let took = tiers(&stage);
        // 5 σ of a binomial(10 000, ½) is 2.5 %.
        assert!(took[0].abs_diff(primary) <= 2 && took[0] + took[1] == 100, "{failed} failed: {took:?}");
    }
    down(&stage, &["b0", "b1"]);
    assert_eq!(tiers(&stage), [0, 0, 100]);
    assert_eq!((stage.stats().tier, stage.stats().failovers), (2, 2));
}

/// All primaries are back: the traffic follows when they have been well for 30 seconds, and not before.
#[test]
fn failback_waits_for_thirty_seconds() {
    let mut stage = stage("");
    down(&stage, &PRIMARIES);
    assert_eq!(tiers(&stage), [0, 100, 0]);
    stage.pass(5 * S);
    for id in PRIMARIES {
        stage.pool.report(id, stage.outcome(true)).unwrap();
    }
    let back = stage.now;
    while stage.now < back + 29 * S {
        stage.pass(S);
        assert_eq!(tiers(&stage), [0, 100, 0], "after {} s", (stage.now - back) / S);
        // Looking after others is no reason to come back sooner.
        stage.pool.set_weight("b1", 1).unwrap();
        stage.pool.drain_at("last", true, stage.now).unwrap();
        stage.pool.drain_at("last", false, stage.now).unwrap();
    }
    stage.pass(S);
    assert!(tiers(&stage)[0] > 0, "after 30 s: {:?}", tiers(&stage));
    stage.pass(31 * S);
    assert_eq!(tiers(&stage), [100, 0, 0]);
    assert_eq!((stage.stats().tier, stage.stats().failovers), (0, 1));
}

/// A host without a timer: picks alone bring the traffic back, also if an operator changed something else meanwhile.
#[test]
fn failback_needs_no_timer() {
    let mut stage = Stage::new("{seed: 10, nodes: [p, {id: b, tier: 1}, {id: c, tier: 1}]}");
    (0..3).for_each(|_| stage.tell("p", false));
    (0..2).for_each(|_| stage.tell("p", true));
    stage.now += S;
    assert_ne!(stage.pick().unwrap().id().as_str(), "p");
    stage.pool.set_weight("c", 3).unwrap();
    stage.now += 28 * S;
    assert_ne!(stage.pick().unwrap().id().as_str(), "p");
    stage.now += S;
    assert_eq!(stage.pick().unwrap().id().as_str(), "p");
}

/// One primary of two flaps: the traffic does not follow it to and fro.
#[test]
fn a_primary_that_flaps_moves_nothing_back() {
    let mut stage = stage("");
    down(&stage, &PRIMARIES);
    for _ in 0..10 {
        up(&stage, &PRIMARIES);
        stage.pass(20 * S);
        assert_eq!(tiers(&stage)[0], 0);
        down(&stage, &PRIMARIES);
        stage.pass(5 * S);
    }
}

/// While nobody of the lower tiers is there, a primary that recovers is used at once.
#[test]
fn nobody_waits_where_there_is_nobody_else() {
    let stage = stage("");
    down(&stage, &PRIMARIES);
    down(&stage, &["b0", "b1", "last"]);
    assert_eq!(stage.nobody(), NoNodeReason::Unhealthy);
    up(&stage, &["p3"]);
    assert_eq!(tiers(&stage), [100, 0, 0]);
}

/// By hand: `failover` sends everything to a node's tier, `reset_failover` back at once; observers hear of both.
#[test]
fn failover_by_hand() {
    let stage = stage("");
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    stage.pool.observe(false, move |event| {
        if let EventKind::Tier { from, to } = event.kind {
            heard.lock().unwrap().push((from, to));
        }
    });
    stage.pool.failover("b0").unwrap();
    assert_eq!(tiers(&stage), [0, 100, 0]);
    down(&stage, &["b0", "b1"]);
    assert_eq!(tiers(&stage), [0, 0, 100], "those above stay out of it");
    assert!(stage.pool.reset_failover() && !stage.pool.reset_failover());
    assert_eq!(tiers(&stage), [100, 0, 0]);
    assert_eq!(*told.lock().unwrap(), [(0, 1), (1, 2), (2, 0)]);
    assert!(stage.pool.failover("nobody").is_err());
}

/// A request that cannot have a node of its tier tries the next ones, `max_attempts` tiers in all.
#[test]
fn a_request_tries_so_many_tiers() {
    for (attempts, reached) in [(1, None), (2, Some("b0")), (3, Some("b0"))] {
        let stage = stage(&format!(", tiers: {{max_attempts: {attempts}}}"));
        let picked = stage.pool.pick(&stage.ask().exclude(&[PRIMARIES.as_slice(), &["b1"]].concat()));
        assert_eq!(picked.map(|p| p.id().to_string()).ok().as_deref(), reached, "{attempts} tiers");
    }
    let stage = stage(", tiers: {max_attempts: 3}");
    let all_but_last = [PRIMARIES.as_slice(), &["b0", "b1"]].concat();
    assert_eq!(stage.pool.pick(&stage.ask().exclude(&all_but_last)).unwrap().id().as_str(), "last");
}

/// Primaries that are full spill over, too: a backup is better than a refusal.
#[test]
fn full_primaries_spill_over() {
    let stage = Stage::new("{seed: 10, nodes: [{id: p, max_in_flight: 2}, {id: b, tier: 1}]}");
    let picks: Vec<_> = (0..5).map(|_| stage.pick().unwrap()).collect();
    let ids: Vec<String> = picks.iter().map(|p| p.id().to_string()).collect();
    assert_eq!(ids, ["p", "p", "b", "b", "b"]);
}

/// Draining all primaries is a failover, and undraining them the way back, both at once: somebody wants it so.
#[test]
fn draining_the_primaries() {
    let stage = Stage::new("{seed: 10, nodes: [p, {id: b, tier: 1}]}");
    stage.pool.drain_at("p", true, stage.now).unwrap();
    assert_eq!(stage.pick().unwrap().id().as_str(), "b");
    stage.pool.drain_at("p", false, stage.now).unwrap();
    assert_eq!(stage.pick().unwrap().id().as_str(), "p");
}

/// A tier without nodes, and tiers with gaps between them, are no hindrance.
#[test]
fn tiers_with_gaps() {
    let mut stage = Stage::new("{seed: 10, nodes: [{id: b, tier: 2}, {id: c, tier: 7}]}");
    assert_eq!(stage.pick().unwrap().id().as_str(), "b");
    stage.bring_down("b");
    assert_eq!(stage.pick().unwrap().id().as_str(), "c");
    // The first node of a tier counts at once.
    stage.pool.register(loadwise::NodeSpec::new("a").tier(0)).unwrap();
    assert_eq!(stage.pick().unwrap().id().as_str(), "a");
    stage.pool.deregister("a").unwrap();
    stage.pass(S);
    assert_eq!(stage.pick().unwrap().id().as_str(), "c");
}
