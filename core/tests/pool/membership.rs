//! Nodes come, go and change while picks run.

use std::sync::atomic::{AtomicBool, Ordering};

use loadwise::{Error, HealthStatus, NoNodeReason, NodeSpec, Outcome, Pool, Request, StateError};

use crate::{STRATEGIES, pool};

#[test]
fn state_belongs_to_the_id() {
    let pool = pool("round_robin", 3);
    (0..2).for_each(|_| drop(pool.report("n1", Outcome::Failure)));
    let held = pool.pick(&Request::new().exclude(&["n0", "n2"])).unwrap();
    pool.set_nodes([NodeSpec::new("n2"), NodeSpec::new("n1").weight(4).name("one"), NodeSpec::new("n9")]).unwrap();
    let nodes = pool.nodes();
    assert_eq!(nodes.iter().map(|n| n.id.as_str()).collect::<Vec<_>>(), ["n2", "n1", "n9"]);
    assert_eq!(
        (nodes[1].health, nodes[1].in_flight, nodes[1].weight, nodes[1].name.as_str()),
        (HealthStatus::Degraded, 1, 4, "one")
    );
    drop(held);
    assert_eq!(pool.nodes()[1].in_flight, 0);
}

#[test]
fn a_node_that_left_ends_its_picks_and_a_new_one_begins_anew() {
    let pool = pool("p2c", 2);
    (0..3).for_each(|_| drop(pool.report("n0", Outcome::Failure)));
    let held = pool.pick(&Request::new()).unwrap();
    assert_eq!(held.id().as_str(), "n1");
    pool.deregister("n1").unwrap();
    pool.deregister("n0").unwrap();
    assert_eq!(pool.pick(&Request::new()).unwrap_err().reason, NoNodeReason::Empty);
    // The address is at hand until the pick ends.
    assert_eq!(held.address().as_str(), "n1");
    pool.register("n0").unwrap();
    pool.register("n1").unwrap();
    held.finish(Outcome::Failure).unwrap();
    let nodes = pool.nodes();
    assert!(
        nodes.iter().all(|n| n.health == HealthStatus::Healthy && n.in_flight == 0 && n.consecutive_failures == 0),
        "{nodes:?}"
    );
}

#[test]
fn an_index_with_picks_under_way_is_not_given_to_another() {
    let limits = loadwise::Limits { max_nodes: 2, ..Default::default() };
    let pool = Pool::builder().nodes(["a", "b"]).limits(limits).build().unwrap();
    let held = pool.pick(&Request::new().exclude(&["b"])).unwrap();
    pool.deregister("a").unwrap();
    let full = pool.register("c").unwrap_err();
    assert!(full.to_string().contains("limits.max_nodes"), "{full}");
    drop(held);
    pool.register("c").unwrap();
    assert_eq!(pool.len(), 2);
}

#[test]
fn weight_0_and_draining_take_no_new_picks() {
    for strategy in STRATEGIES {
        let pool = pool(strategy, 3);
        pool.set_weight("n0", 0).unwrap();
        pool.drain("n1", true).unwrap();
        for key in 0..60u32 {
            assert_eq!(pool.pick(&Request::new().key(&key.to_le_bytes())).unwrap().id().as_str(), "n2", "{strategy}");
        }
        pool.drain("n2", true).unwrap();
        assert_eq!(pool.pick(&Request::new()).unwrap_err().reason, NoNodeReason::Draining, "{strategy}");
        pool.drain("n1", false).unwrap();
        assert_eq!(pool.pick(&Request::new()).unwrap().id().as_str(), "n1", "{strategy}");
    }
}

#[test]
fn a_changed_weight_goes_on_at_the_same_fraction_of_the_cycle() {
    let pool = Pool::builder()
        .strategy("weighted_round_robin")
        .unwrap()
        .nodes([NodeSpec::new("a").weight(2), NodeSpec::new("b").weight(2)])
        .seed(1)
        .build()
        .unwrap();
    // Half of a cycle of 2 (a b): b would be next, and is, in the cycle of 3 (b a b).
    assert_eq!(pool.pick(&Request::new()).unwrap().id().as_str(), "a");
    pool.set_weight("b", 4).unwrap();
    let next: String = (0..4).map(|_| pool.pick(&Request::new()).unwrap().id().to_string()).collect();
    assert_eq!(next, "bbab");
}

#[test]
fn batches_are_all_or_nothing() {
    let pool = pool("p2c", 2);
    let duplicate = pool.register_batch(["x", "n1"]).unwrap_err();
    assert_eq!(duplicate, Error::State(StateError::DuplicateNode("n1".into())));
    assert_eq!(pool.len(), 2);
    assert_eq!(pool.register_batch(["x", "y"]).unwrap().len(), 2);
    assert_eq!(pool.len(), 4);
    assert_eq!(pool.deregister("z").unwrap_err(), Error::State(StateError::UnknownNode("z".into())));
}

#[test]
fn everything_changes_while_threads_pick() {
    let rounds = if cfg!(debug_assertions) { 60 } else { 300 };
    let pool = pool("p2c", 8);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..3u32 {
            let (pool, stop) = (&pool, &stop);
            scope.spawn(move || {
                let mut held = Vec::new();
                let mut i = thread;
                while !stop.load(Ordering::Relaxed) {
                    i = i.wrapping_add(1);
                    let key = i.to_le_bytes();
                    let pick = pool.pick(&Request::new().key(&key)).expect("n0 stays and is never reported");
                    assert!(pick.id().starts_with('n'), "a held node keeps its name");
                    held.push(pick);
                    if held.len() > 50 {
                        held.drain(..25).for_each(|p| p.finish(Outcome::Success).unwrap());
                    }
                }
            });
        }
        for round in 0..rounds {
            pool.set_strategy(STRATEGIES[round % STRATEGIES.len()]).unwrap();
            pool.set_nodes(
                (0..3 + round % 9).map(|i| NodeSpec::new(format!("n{i}")).weight(1 + (i * round % 5) as u32)),
            )
            .unwrap();
            pool.register(format!("n{}", 20 + round)).unwrap();
            pool.set_weight("n1", (round % 3) as u32).unwrap();
            pool.report("n2", if round % 2 == 0 { Outcome::Failure } else { Outcome::Success }).unwrap();
            pool.maintain(round as u64 * 1_000_000_000);
            pool.deregister(&format!("n{}", 20 + round)).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(pool.nodes().iter().all(|n| n.in_flight == 0), "{:?}", pool.nodes());
}
