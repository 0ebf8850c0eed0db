//! Pools of an engine over reloads.

use std::sync::{Arc, Weak};

use loadwise::config::{EngineConfig, Kind};
use loadwise::{Engine, HealthStatus, Outcome, Reloaded, Request};

#[test]
fn pools_that_stay_are_the_same_and_those_that_go_live_on_with_their_hosts() {
    let engine = Engine::from_config("pools: {a: {nodes: [x]}, b: {nodes: [y]}, c: {nodes: [z]}}").unwrap();
    let (a, b) = (engine.pool("a").unwrap(), engine.pool("b").unwrap());
    (0..3).for_each(|_| assert!(a.report("x", Outcome::Failure).is_ok()));
    let open = b.pick(&Request::new()).unwrap();
    let gone: Weak<_> = Arc::downgrade(&engine.pool("c").unwrap());

    let text = "pools: {d: {nodes: [w]}, a: {nodes: [x, y], strategy: random}}";
    let expected = Reloaded {
        added: vec!["d".to_owned()],
        removed: vec!["b".to_owned(), "c".to_owned()],
        changed: vec!["a".to_owned()],
        version: 2,
    };
    assert_eq!(engine.reload_from(text).unwrap(), expected);
    assert_eq!(engine.names(), ["d", "a"]);
    assert!(Arc::ptr_eq(&a, &engine.pool("a").unwrap()));
    assert_eq!(a.nodes()[0].health, HealthStatus::Unhealthy);
    assert!(engine.pool("b").is_none() && gone.upgrade().is_none(), "nobody held c");
    // Whoever holds b goes on with it.
    open.finish(Outcome::Success).unwrap();
    assert!(b.pick(&Request::new()).is_ok());
    assert_eq!((b.name(), b.stats().successes), ("b", 1));
    // One of that name is another.
    engine.reload_from("pools: {b: {nodes: [y]}}").unwrap();
    let anew = engine.pool("b").unwrap();
    assert!(!Arc::ptr_eq(&b, &anew) && anew.stats().successes == 0);
}

#[test]
fn what_is_configured_as_it_is_is_left_alone() {
    let text =
        "pools: {a: {nodes: [x, y], strategy: ring_hash, limits: {max_picks: 100}}, b: {nodes: [{id: z, weight: 2}]}}";
    let engine = Engine::from_config(text).unwrap();
    let (a, b) = (engine.pool("a").unwrap(), engine.pool("b").unwrap());
    for version in 2..4 {
        assert_eq!(engine.reload_from(text).unwrap(), Reloaded { version, ..Reloaded::default() });
    }
    assert_eq!((a.config_version(), b.config_version()), (1, 1));
    // A change by hand is a difference, and the document puts it right.
    b.set_weight("z", 7).unwrap();
    a.drain("x", true).unwrap();
    assert_eq!(engine.reload_from(text).unwrap().changed, ["b"]);
    assert_eq!((b.nodes()[0].weight, b.config_version()), (2, 2));
    assert!(a.nodes()[0].draining, "which is no part of a configuration");
}

#[test]
fn the_configuration_is_read_back() {
    let text = "pools: {a: {nodes: [x, y], breaker: true}, b: {nodes: [{id: z, labels: {v: '1'}}]}}";
    let engine = Engine::from_config(text).unwrap();
    engine.pool("a").unwrap().register("w").unwrap();
    engine.reload_from(&text.replace("x, y", "x, y, w").replace("'1'", "'2'")).unwrap();
    let config = engine.config();
    assert_eq!(config.get("version").unwrap().to_json(), "2");
    let Kind::Map(pools) = &config.get("pools").unwrap().kind else { panic!() };
    let versions: Vec<String> = pools.iter().map(|(_, pool)| pool.get("version").unwrap().to_json()).collect();
    assert_eq!(versions, ["1", "2"], "a was like that already");
    let config = EngineConfig::from_value(&config).unwrap();
    assert_eq!((config.pools[0].1.nodes[2].id.as_str(), config.pools[0].1.breaker.is_some()), ("w", true));
    assert_eq!(config.pools[1].1.nodes[0].labels["v"], "2");
    // And put in force again as it was read.
    assert_eq!(engine.reload_value(&engine.config()).unwrap(), Reloaded { version: 3, ..Reloaded::default() });
}

#[test]
fn all_pools_are_maintained_and_told_of_at_once() {
    const SECOND: u64 = 1_000_000_000;
    let engine = Engine::from_config(
        "pools: {a: {nodes: [x], lease_timeout_ms: 1000}, b: {nodes: [y], lease_timeout_ms: 1000}, empty: {}}",
    )
    .unwrap();
    for name in ["a", "b"] {
        let lease = engine.pool(name).unwrap().acquire(&Request::new().now_ns(5 * SECOND)).unwrap();
        assert_ne!(lease.ticket.as_u64(), 0);
    }
    let done = engine.maintain(5 * SECOND + SECOND / 2);
    assert_eq!((done.leases_expired, done.next_due_ns > 5 * SECOND), (0, true));
    assert_eq!(engine.maintain(6 * SECOND).leases_expired, 2);
    let stats = engine.stats_at(6 * SECOND);
    let told: Vec<_> = stats.iter().map(|pool| (pool.name.as_str(), pool.leases_expired, pool.in_flight)).collect();
    assert_eq!(told, [("a", 1, 0), ("b", 1, 0), ("empty", 0, 0)]);
    let text = engine.prometheus();
    assert!(text.contains("pool=\"a\"") && text.contains("pool=\"empty\""), "{text}");
    assert!(engine.openmetrics().trim_end().ends_with("# EOF"));
    assert_eq!(format!("{engine:?}"), "Engine { pools: [\"a\", \"b\", \"empty\"], version: 1, .. }");

    let nothing = Engine::from_config("pools: {}").unwrap();
    assert_eq!((nothing.names().len(), nothing.maintain(1).next_due_ns), (0, u64::MAX));
}

#[test]
fn observers_may_call_every_pool_and_the_engine() {
    let engine = Arc::new(Engine::from_config("pools: {a: {nodes: [x]}, b: {nodes: [y]}}").unwrap());
    let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
    for name in ["a", "b"] {
        let (inner, notes) = (engine.clone(), heard.clone());
        engine.pool(name).unwrap().observe(false, move |_| {
            let sizes: Vec<usize> = ["a", "b"].map(|name| inner.pool(name).unwrap().nodes().len()).into();
            assert!(inner.reload_from("pools: {}").is_err() || !sizes.is_empty());
            notes.lock().unwrap().push((name, sizes));
        });
    }
    let (a, b) = (engine.pool("a").unwrap(), engine.pool("b").unwrap());
    engine.reload_from("pools: {a: {nodes: [x, z]}, b: {nodes: [y, z]}}").unwrap();
    let heard = heard.lock().unwrap().clone();
    // The first to hear finds both pools as they are to be, and throws them out; the second finds none, and is contained.
    assert_eq!(heard, [("a", vec![2, 2])]);
    assert_eq!((engine.names().len(), a.len(), b.len()), (0, 2, 2));
}
