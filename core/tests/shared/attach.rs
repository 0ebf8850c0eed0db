//! One state for all who open the same file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use loadwise::Engine;
use loadwise::config::SharedConfig;
use loadwise::{Outcome, Pool, PoolNode, Request, SelectionContext, Strategy};
use serde_json::json;

use crate::process::{Process, Segment};

#[test]
fn processes_see_the_same_in_flight_health_and_weights() {
    let segment = Segment::new("same");
    let config = segment.config("strategy: least_request\nnodes: [a, b, c]");
    let (mut one, mut other) = (Process::open(&config), Process::open(&config));
    // Three nodes and three picks: each goes where nobody is, whoever makes it.
    let mut nodes = vec![one.pick(), other.pick(), one.pick()];
    nodes.sort();
    assert_eq!(nodes, ["a", "b", "c"]);
    assert_eq!(one.in_flight(), json!({"a": 1, "b": 1, "c": 1}));
    assert_eq!(other.in_flight(), one.in_flight());
    for _ in 0..3 {
        one.ask(json!({"report": "b", "ok": false}));
    }
    assert!(other.picks(8).iter().all(|node| node != "b"), "its next pick knows that b is down");
    one.ask(json!({"weigh": "a", "weight": 0}));
    assert!(other.picks(8).iter().all(|node| node == "c"));
    assert_eq!((one.finish(9), other.finish(99)), (2, 17));
    assert_eq!(one.in_flight(), json!({"a": 0, "b": 0, "c": 0}));
}

#[test]
fn a_ticket_is_of_its_process() {
    let segment = Segment::new("tickets");
    let config = segment.config("nodes: [a]");
    let (mut one, mut other) = (Process::open(&config), Process::open(&config));
    one.pick();
    let ticket = one.ask(json!({"tickets": 0}))[0].clone();
    assert_eq!(other.ask(json!({"release": ticket})), json!(300), "stale, and nothing is changed");
    assert_eq!(other.in_flight(), json!({"a": 1}));
    assert_eq!(one.finish(1), 1);
}

#[test]
fn attaching_changes_nothing_and_tells_what_differs() {
    let segment = Segment::new("differs");
    let mut one = Process::open(&segment.config("strategy: p2c\nnodes: [a, {id: b, weight: 2}]"));
    let mut other =
        Process::open(&segment.config("strategy: maglev\nnodes: [a, b, c]\nhealth: {failure_threshold: 9}"));
    assert_eq!(
        other.ask(json!({"differences": 0})),
        json!([
            [
                "default",
                "strategy",
                r#"[{"name": "maglev","table_size": 65537,"bounded_load": false}]"#,
                r#"[{"name": "p2c","load": "in_flight"}]"#
            ],
            ["default", "nodes.b.weight", "1", "2"],
            ["default", "nodes.c", other.ask(json!({"differences": 0}))[2][2], ""],
            ["default", "health.failure_threshold", "9", "3"],
        ])
    );
    assert_eq!(one.ask(json!({"differences": 0})), json!([]));
    assert_eq!(other.in_flight(), json!({"a": 0, "b": 0}));
    // What is asked for is done by a reload, for all.
    let reloaded = other.ask(json!({"reload": segment.config("strategy: maglev\nnodes: [a, b, c]")}));
    assert_eq!(reloaded["changed"], json!(["default"]));
    assert_eq!(one.in_flight(), json!({"a": 0, "b": 0, "c": 0}));
    assert_eq!(one.ask(json!({"config": 0}))["pools"]["default"]["strategy"][0]["name"], json!("maglev"));
    assert_eq!(one.ask(json!({"config": 0}))["version"], json!(2));
}

#[test]
fn pools_come_and_go_for_everybody() {
    let segment = Segment::new("pools");
    let config = segment.config("pools: {shop: {nodes: [a]}, search: {nodes: [b]}}");
    let (mut one, mut other) = (Process::open(&config), Process::new());
    assert_eq!(other.ask(json!({"attach": segment.0})), json!("ok"));
    assert_eq!(other.ask(json!({"names": 0})), json!(["shop", "search"]));
    assert_eq!(other.ask(json!({"pick": 1, "pool": "search"})), json!(["b"]));
    for round in 0..300 {
        // More pools than there are places for, one after the other.
        let name = format!("extra-{round}");
        let reloaded =
            one.ask(json!({"reload": format!("pools: {{shop: {{nodes: [a]}}, {name}: {{nodes: [c, d]}}}}")}));
        assert_eq!(reloaded["added"], json!([name]), "{reloaded}");
        if round % 100 == 0 {
            assert_eq!(other.ask(json!({"names": 0})).as_array().unwrap().len(), 2);
            assert!(other.ask(json!({"pick": 1, "pool": name}))[0].is_string());
        }
    }
    let file = std::fs::metadata(&segment.0).unwrap();
    assert!(std::os::unix::fs::MetadataExt::blocks(&file) * 512 < 64 << 20, "places are used again");
}

#[test]
fn the_file_stays_and_what_was_learned_with_it() {
    let segment = Segment::new("stays");
    let config = segment.config("nodes: [a, b]\nhealth: {probe_interval_ms: 60000}");
    let mut first = Process::open(&config);
    for _ in 0..3 {
        first.ask(json!({"report": "a", "ok": false}));
    }
    first.picks(5);
    first.ask(json!({"close": 0}));
    drop(first);
    let mut next = Process::open(&config);
    assert_eq!(next.in_flight(), json!({"a": 0, "b": 0}));
    let stats = next.ask(json!({"stats": 0}));
    assert_eq!((&stats["nodes"][0]["health"], &stats["cancelled"]), (&json!("unhealthy"), &json!(5)));
    assert_eq!(stats["processes"], json!(1));
}

#[test]
fn one_process_may_open_it_often() {
    let segment = Segment::new("often");
    let config = segment.config("nodes: [a, b]");
    let engines: Vec<Engine> = (0..5).map(|_| Engine::from_config(&config).unwrap()).collect();
    let pools: Vec<_> = engines.iter().map(|engine| engine.pool("default").unwrap()).collect();
    let picks: Vec<_> = pools.iter().map(|pool| pool.pick(&Request::new()).unwrap()).collect();
    let alone = Pool::builder().shared(SharedConfig::new(segment.0.to_str().unwrap())).build().unwrap();
    assert_eq!(alone.stats().in_flight, 5);
    assert_eq!(alone.stats().processes, 1);
    picks.into_iter().for_each(|pick| pick.finish(Outcome::Success).unwrap());
    drop((engines, pools));
    assert_eq!(alone.stats().in_flight, 0);
    // What one object has open ends in another: they are of one process.
    let other = Pool::builder().shared(SharedConfig::new(segment.0.to_str().unwrap())).build().unwrap();
    let lease = alone.acquire(&Request::new()).unwrap();
    other.release(lease.ticket, Outcome::Success).unwrap();
    assert_eq!(other.stats().in_flight, 0);
}

#[test]
fn what_was_picked_through_a_pool_goes_with_it() {
    let segment = Segment::new("goes");
    let config = segment.config("strategy: round_robin\nmax_in_flight: 100\nnodes: [a, b]");
    let mut elsewhere = Process::open(&config);
    elsewhere.picks(4);
    let [going, staying] = [(); 2].map(|()| Engine::from_config(&config).unwrap());
    let pool = |engine: &Engine| engine.pool("default").unwrap();
    let leases = |engine: &Engine| [(); 10].map(|()| pool(engine).acquire(&Request::new()).unwrap());
    let (gone, kept) = (leases(&going), leases(&staying));
    assert_eq!(pool(&staying).stats().in_flight, 24);
    drop(going);
    let stats = pool(&staying).stats();
    assert_eq!((stats.in_flight, stats.cancelled, stats.processes), (14, 10, 2));
    assert!(gone.iter().all(|lease| pool(&staying).release(lease.ticket, Outcome::Success).is_err()), "void");
    assert!(kept.iter().all(|lease| pool(&staying).release(lease.ticket, Outcome::Success).is_ok()));
    assert_eq!(elsewhere.finish(9), 4);
    let stats = pool(&staying).stats();
    assert_eq!((stats.in_flight, stats.successes, stats.cancelled), (0, 14, 10));
}

#[test]
fn who_observes_through_one_pool_hears_on_when_another_stops() {
    let segment = Segment::new("observed-often");
    let config = segment.config("nodes: [a]");
    let engines = [(); 3].map(|()| Engine::from_config(&config).unwrap());
    let pools = engines.each_ref().map(|engine| engine.pool("default").unwrap());
    let counts = [(); 3].map(|()| Arc::new(AtomicU32::new(0)));
    let observers = [0, 1, 2].map(|i| {
        let count = counts[i].clone();
        pools[i].observe(true, move |_| _ = count.fetch_add(1, Ordering::SeqCst))
    });
    let [first, second, third] = pools;
    assert!(first.stop_observing(observers[0]));
    drop((engines, third));
    second.pick(&Request::new()).unwrap().finish(Outcome::Success).unwrap();
    first.pick(&Request::new()).unwrap().finish(Outcome::Success).unwrap();
    assert_eq!(counts.map(|count| count.load(Ordering::SeqCst)), [0, 1, 0]);
}

/// The first that it may choose.
struct First;

impl Strategy<PoolNode> for First {
    fn select(&self, candidates: &[PoolNode], ctx: &SelectionContext) -> Option<usize> {
        (0..candidates.len()).find(|&i| !ctx.is_excluded(i))
    }
}

#[test]
fn an_own_strategy_is_of_its_process_and_others_go_on_without() {
    let segment = Segment::new("own-strategy");
    let config = segment.config("strategy: round_robin\nnodes: [a, b, c]");
    let engine = Engine::from_config(&config).unwrap();
    let pool = engine.pool("default").unwrap();
    let mut other = Process::open(&config);
    pool.set_own_strategy(Arc::new(First), "round_robin").unwrap();
    let mut picked = other.picks(3);
    picked.sort();
    assert_eq!(picked, ["a", "b", "c"]);
    let reloaded = other.ask(json!({"reload": segment.config("strategy: round_robin\nnodes: [b, c]")}));
    assert_eq!(reloaded["changed"], json!(["default"]), "{reloaded}");
    for _ in 0..5 {
        assert_eq!(pool.pick(&Request::new()).unwrap().id().as_str(), "b");
    }
}
