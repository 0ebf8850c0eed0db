//! Sessions that stay on their nodes.

use std::collections::BTreeMap;

use loadwise::NodeSpec;

use crate::stage::{S, Stage};

fn stage(affinity: &str, strategy: &str) -> Stage {
    Stage::new(&format!("{{seed: 13, strategy: {strategy}, nodes: [a, b, c], affinity: {affinity}}}"))
}

fn node_of(stage: &Stage, session: &str) -> String {
    stage.pool.pick(&stage.ask().session(session)).unwrap().id().to_string()
}

fn remembered(stage: &Stage, session: &str) -> Option<String> {
    stage.pool.affinity_at(session, stage.now).map(|node| stage.pool.id_of(node).to_string())
}

fn sessions(count: u32) -> Vec<String> {
    (0..count).map(|i| format!("user-{i}")).collect()
}

/// Whatever the strategy, a session stays where its first request went, as long as it is used once an hour.
#[test]
fn a_session_stays() {
    for strategy in ["round_robin", "random", "p2c", "least_request", "maglev"] {
        let mut stage = stage("true", strategy);
        let sessions = sessions(200);
        let first: Vec<String> = sessions.iter().map(|s| node_of(&stage, s)).collect();
        for _ in 0..5 {
            stage.pass(50 * 60 * S);
            let now: Vec<String> = sessions.iter().map(|s| node_of(&stage, s)).collect();
            assert_eq!(now, first, "{strategy}");
        }
        assert_eq!(stage.stats().affinity_entries, 200);
        stage.pass(3601 * S);
        assert_eq!(stage.stats().affinity_entries, 0, "{strategy}: forgotten after an hour");
    }
}

/// A draining node keeps its sessions until its time is over, and gets no others.
#[test]
fn a_draining_node_keeps_its_sessions_for_a_while() {
    let mut stage = stage("true, drain_timeout_ms: 5000", "round_robin");
    stage.pool.set_affinity_at("old", "a", stage.now).unwrap();
    stage.pool.drain_at("a", true, stage.now).unwrap();
    for session in sessions(60) {
        assert_ne!(node_of(&stage, &session), "a", "no new ones");
    }
    stage.now += 5 * S - 1;
    assert_eq!(node_of(&stage, "old"), "a");
    stage.now += 1;
    let moved = node_of(&stage, "old");
    assert_ne!(moved, "a");
    stage.pool.drain_at("a", false, stage.now).unwrap();
    assert_eq!(node_of(&stage, "old"), moved, "it has moved for good");
}

/// A node of weight 0 takes nothing new, and keeps its sessions.
#[test]
fn weight_zero_keeps_sessions() {
    let stage = stage("true", "round_robin");
    stage.pool.set_affinity_at("old", "a", stage.now).unwrap();
    stage.pool.set_weight("a", 0).unwrap();
    assert_eq!(node_of(&stage, "old"), "a");
    assert!(!stage.shares(90).contains_key("a"));
}

/// The session's node is gone, down, or excluded by a retry: the session goes on elsewhere, and stays there.
#[test]
fn a_session_whose_node_is_gone_finds_another() {
    let stage = stage("true", "round_robin");
    for (session, lose) in [("x", 0), ("y", 1), ("z", 2)] {
        stage.pool.set_affinity_at(session, "a", stage.now).unwrap();
        let next = match lose {
            0 => stage.pool.pick(&stage.ask().session(session).exclude(&["a"])).unwrap().id().to_string(),
            1 => {
                stage.bring_down("a");
                node_of(&stage, session)
            }
            _ => {
                stage.pool.deregister("a").unwrap();
                assert_eq!(remembered(&stage, session), None);
                node_of(&stage, session)
            }
        };
        assert_ne!(next, "a");
        assert_eq!(node_of(&stage, session), next);
    }
}

/// A node that was taken out and put in again under the same id is another one: its old sessions are nobody's.
#[test]
fn a_new_node_of_the_same_id_has_no_sessions() {
    let stage = stage("true", "round_robin");
    stage.pool.set_affinity_at("x", "a", stage.now).unwrap();
    stage.pool.deregister("a").unwrap();
    stage.pool.register("a").unwrap();
    assert_eq!(remembered(&stage, "x"), None);
}

/// What may be said by hand: where a session is to be, and that it is to be nowhere.
#[test]
fn by_hand() {
    let stage = stage("true", "round_robin");
    stage.pool.set_affinity_at("x", "c", stage.now).unwrap();
    assert_eq!((node_of(&stage, "x"), remembered(&stage, "x")), ("c".to_owned(), Some("c".to_owned())));
    assert!(stage.pool.clear_affinity("x") && !stage.pool.clear_affinity("x"));
    assert_eq!(remembered(&stage, "x"), None);
    assert!(stage.pool.set_affinity_at("x", "nobody", stage.now).is_err());
    let off = Stage::new("{seed: 13, nodes: [a]}");
    assert!(off.pool.set_affinity_at("x", "a", off.now).is_err(), "a pool without affinity says so");
    assert_eq!(remembered(&off, "x"), None);
}

/// Sessions, and which of them moved to where, when `d` joined.
fn moves(stage: &mut Stage, join: impl FnOnce(&mut Stage)) -> (usize, BTreeMap<String, usize>) {
    let sessions = sessions(3000);
    let before: Vec<String> = sessions.iter().map(|s| node_of(stage, s)).collect();
    join(stage);
    let mut moved = BTreeMap::new();
    for (session, before) in sessions.iter().zip(before) {
        let now = remembered(stage, session).expect("none is forgotten");
        if now != before {
            *moved.entry(now).or_default() += 1;
        }
    }
    (sessions.len(), moved)
}

/// `immediate`: with the next maintenance a quarter of the sessions moves to a fourth node, and no other session moves.
#[test]
fn a_newcomer_takes_its_share_of_sessions_and_no_more() {
    let mut stage = stage("true", "round_robin");
    let (all, moved) = moves(&mut stage, |stage| {
        stage.pool.register("d").unwrap();
        stage.pass(S);
    });
    assert_eq!(moved.keys().collect::<Vec<_>>(), ["d"], "only to the newcomer");
    // 6 σ of a binomial(3000, ¼) is 142.
    assert!(moved["d"].abs_diff(all / 4) < 142, "{moved:?}");
}

/// The same by weight: a node of weight 3 beside three of weight 1 is due one half.
#[test]
fn a_heavy_newcomer_takes_more() {
    let mut stage = stage("true", "round_robin");
    let (all, moved) = moves(&mut stage, |stage| {
        stage.pool.register(NodeSpec::new("d").weight(3)).unwrap();
        stage.pass(S);
    });
    assert_eq!(moved.keys().collect::<Vec<_>>(), ["d"]);
    // 6 σ of a binomial(3000, ½) is 164.
    assert!(moved["d"].abs_diff(all / 2) < 164, "{moved:?}");
}

/// Nothing moves when a pool is made, nor when nobody joins.
#[test]
fn nothing_moves_without_a_newcomer() {
    let mut stage = Stage::new("{seed: 13, strategy: round_robin, nodes: [a, b, c], affinity: true}");
    let (_, moved) = moves(&mut stage, |stage| {
        stage.pass(S);
        stage.pool.set_weight("a", 5).unwrap();
        stage.pass(S);
    });
    assert!(moved.is_empty(), "{moved:?}");
    let pool = Stage::new("{seed: 13, strategy: round_robin, nodes: [a, b, c], affinity: true}").pool;
    let first = pool.pick(&loadwise::Request::new().session("x").now_ns(S)).unwrap().id().to_string();
    (0..100).for_each(|i| drop(pool.pick(&loadwise::Request::new().session(&format!("s{i}")).now_ns(S))));
    pool.maintain(2 * S);
    assert_eq!(pool.affinity_at("x", 2 * S).map(|n| pool.id_of(n).to_string()), Some(first));
}

/// `gradual`: no more than a tenth of the table in a step, the whole in five minutes.
#[test]
fn gradually() {
    let mut stage = stage("{rebalance: gradual, entries: 4096}", "round_robin");
    let sessions = sessions(2000);
    sessions.iter().for_each(|s| drop(node_of(&stage, s)));
    stage.pool.register("d").unwrap();
    let on_d = |stage: &Stage| sessions.iter().filter(|s| remembered(stage, s).as_deref() == Some("d")).count();
    let mut steps = vec![on_d(&stage)];
    for _ in 0..11 {
        stage.pass(30 * S);
        steps.push(on_d(&stage));
    }
    let largest = steps.windows(2).map(|s| s[1] - s[0]).max().unwrap();
    // A tenth of the table has about 200 sessions, of which a quarter is due: 50.
    assert!(steps.is_sorted() && largest <= 100, "{steps:?}");
    // 6 σ of a binomial(2000, ¼) is 116; the oldest of a set that was full may be gone.
    assert!(steps[11].abs_diff(500) < 130 && steps[3] < 250, "{steps:?}");
}

/// `manual`: when the host says so.
#[test]
fn when_the_host_says_so() {
    let mut stage = stage("{rebalance: manual}", "round_robin");
    let (all, moved) = moves(&mut stage, |stage| {
        stage.pool.register("d").unwrap();
        stage.pass(600 * S);
        assert_eq!(stage.pool.stats_at(stage.now).nodes.len(), 4);
    });
    assert!(moved.is_empty(), "{moved:?} of {all}");
    let told = stage.pool.rebalance_at(stage.now);
    assert!(told.abs_diff(750) < 142, "{told}");
    assert_eq!(stage.pool.rebalance_at(stage.now), 0, "once");
}
