//! Observers that do what they please.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use loadwise::{EventKind, Request};

use crate::stage::{S, Stage};

/// An observer may call the pool that it observes, whatever it is told of: nothing waits for itself.
#[test]
fn an_observer_may_call_its_pool() {
    let mut stage = Stage::new(
        "{seed: 18, nodes: [a, b, c, {id: d, tier: 1}], breaker: true, outlier: true, panic: {mode: spread}, affinity: true}",
    );
    let (pool, calls) = (stage.pool, Arc::new(AtomicU64::new(0)));
    let count = calls.clone();
    pool.observe(true, move |event| {
        // Not of what it causes itself.
        if count.fetch_add(1, Ordering::Relaxed) > 200 || matches!(event.kind, EventKind::Selection { .. }) {
            return;
        }
        let now = event.at_ns;
        drop(pool.pick(&Request::new().now_ns(now)));
        pool.maintain(now);
        pool.stats_at(now);
        pool.set_weight("c", 2).unwrap();
        pool.failover("d").unwrap();
        pool.reset_failover();
        pool.drain_at("c", true, now).unwrap();
        pool.drain_at("c", false, now).unwrap();
    });
    for id in ["a", "b", "c"] {
        stage.bring_down(id);
    }
    stage.pool.register("e").unwrap();
    stage.pass(30 * S);
    stage.pool.deregister("e").unwrap();
    stage.tell("a", true);
    assert!(calls.load(Ordering::Relaxed) > 20 && stage.pick().is_ok());
}

/// Every transition is told once, in order, with the node that it is of. Where traffic goes is settled before anybody is
/// told why.
#[test]
fn every_transition_is_told_in_order() {
    let mut stage = Stage::new("{seed: 18, nodes: [a, b, {id: c, tier: 1}]}");
    let told = Arc::new(Mutex::new(Vec::new()));
    let (heard, pool) = (told.clone(), stage.pool);
    let id = stage.pool.observe(false, move |event| {
        let node = event.node.map(|n| pool.id_of(n).to_string()).unwrap_or_default();
        let what = match &event.kind {
            EventKind::Health { from, to } => format!("{node} {from} {to}"),
            EventKind::Tier { from, to } => format!("tier {from} {to}"),
            EventKind::Topology { added, removed } => format!("+{added:?} -{removed:?}"),
            other => other.name().to_owned(),
        };
        heard.lock().unwrap().push(what);
    });
    stage.bring_down("a");
    stage.bring_down("b");
    stage.pass(10 * S);
    assert!(stage.send("b", true) && stage.send("b", true));
    stage.pool.register("d").unwrap();
    let expected = [
        "a healthy degraded",
        "a degraded unhealthy",
        "b healthy degraded",
        "tier 0 1",
        "b degraded unhealthy",
        "b unhealthy recovering",
        "b recovering healthy",
        "+[\"d\"] -[]",
    ];
    assert_eq!(*told.lock().unwrap(), expected);
    assert!(stage.pool.stop_observing(id) && !stage.pool.stop_observing(id));
}
