//! What a state tells of itself: to those who only look, and to those who are told of what others do.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use loadwise::{
    Ending, Engine, EventKind, FailureKind, HealthStatus, NodeSpec, Outcome, Pool, Report, Request, Retry, RetryAsk,
    TicketError, now_ns,
};
use serde_json::json;

use crate::process::{Process, Segment};

#[test]
fn who_looks_sees_all_and_changes_nothing() {
    let segment = Segment::new("look");
    let config = segment.config("strategy: round_robin\nlease_timeout_ms: 60000\nnodes: [a, b]");
    let (mut one, mut other) = (Process::open(&config), Process::open(&config));
    one.picks(3);
    other.picks(1);
    let looking = Engine::view(&segment.0).unwrap();
    let pool = looking.pool("default").unwrap();
    let processes = looking.processes();
    let held: Vec<(u32, u64, bool)> = processes.iter().map(|p| (p.pid, p.in_flight, p.alive && !p.is_own)).collect();
    assert_eq!(held, [(one.child.id(), 3, true), (other.child.id(), 1, true)]);
    let stats = pool.stats();
    let of_one: u64 = stats
        .nodes
        .iter()
        .flat_map(|node| &node.in_flight_by_process)
        .filter(|(pid, _)| *pid == one.child.id())
        .map(|(_, count)| count)
        .sum();
    assert_eq!((stats.in_flight, stats.processes, of_one), (4, 2, 3));
    // The oldest first.
    let open = pool.open_picks(2);
    assert_eq!(open.iter().map(|pick| pick.pid).collect::<Vec<_>>(), [one.child.id(); 2]);
    assert!(open[0].started_ns.unwrap() <= open[1].started_ns.unwrap() && open[1].started_ns.unwrap() <= now_ns());
    assert_eq!(pool.open_picks(9).len(), 4);
    assert!(pool.explain(&Request::new()).chosen().is_some());

    // It goes on seeing what happens.
    for _ in 0..3 {
        one.ask(json!({"report": "b", "ok": false}));
    }
    assert_eq!(pool.node_status("b").unwrap().health, HealthStatus::Unhealthy);
    one.ask(json!({"reload": "nodes: [a, b, c]\nstrategy: maglev"}));
    assert_eq!((pool.len(), pool.strategy(), looking.version()), (3, "maglev", 2));
    one.ask(json!({"reload": "pools: {shop: {nodes: [x]}}"}));
    assert_eq!(looking.names(), ["shop"]);

    let shop = looking.pool("shop").unwrap();
    let refused = [
        shop.set_nodes(["y"]).unwrap_err(),
        shop.register("y").unwrap_err(),
        shop.set_weight("x", 2).unwrap_err(),
        shop.drain("x", true).unwrap_err(),
        shop.set_strategy("random").unwrap_err(),
        shop.report("x", Outcome::Failure).unwrap_err(),
        shop.set_health("x", HealthStatus::Unhealthy).unwrap_err(),
        shop.update(NodeSpec::new("x").weight(3)).unwrap_err(),
        looking.reload_from("nodes: [y]").unwrap_err(),
    ];
    assert_eq!(refused.map(|error| error.code()), [207; 9]);
    assert!(shop.pick(&Request::new()).is_err() && !shop.reset_failover());
    looking.maintain(now_ns());
    shop.observe(true, |_| ());
    assert_eq!(one.ask(json!({"stats": 0, "pool": "shop"}))["processes"], json!(2), "it is not one of them");
    assert_eq!(shop.nodes()[0].weight, 1);
}

/// What a look writes it writes into a copy of a page, which no longer shows what others do: so nothing may.
#[test]
fn who_asks_for_more_than_a_look_goes_on_seeing() {
    let segment = Segment::new("more");
    let checks = "checks: {interval_ms: 1, grace_ms: 0}\naffinity: true\nbreaker: true\nlease_timeout_ms: 1000";
    let engine = Engine::from_config(&segment.config(&format!("max_in_flight: 1\nnodes: [a, b]\n{checks}"))).unwrap();
    let looking = Engine::view(&segment.0).unwrap();
    let (pool, seen) = (engine.pool("default").unwrap(), looking.pool("default").unwrap());
    let ask_all = |pool: &Pool| {
        let failed = pool.retry(&RetryAsk::new(Ending::Failure(FailureKind::Other), 1).idempotent(true));
        let request = Request::new().session(b"s");
        let waited = pool.acquire_within(&request, Duration::from_millis(1));
        let explained = pool.acquire_explained(&request).0;
        let place = pool.wait(|| ()).map(|place| pool.stop_waiting(place));
        pool.rebalance();
        let checks: Vec<String> = pool.checks_due(now_ns()).into_iter().map(|check| check.id).collect();
        pool.maintain(now_ns());
        pool.nodes();
        (matches!(failed, Retry::After(_)), waited.is_ok(), explained.is_ok(), place, checks.len())
    };
    assert_eq!(ask_all(&seen), (false, false, false, Ok(true), 0));
    let held = pool.acquire(&Request::new()).unwrap();
    assert_eq!(ask_all(&pool), (true, false, false, Ok(true), 2));
    assert_eq!(ask_all(&seen), (false, false, false, Ok(true), 0));
    pool.report_check("a", true, None, None).unwrap();
    pool.set_affinity("s", "b").unwrap();
    pool.set_health("b", HealthStatus::Degraded).unwrap();
    let told = |pool: &Pool| {
        let stats = pool.stats();
        let nodes: Vec<_> = stats.nodes.iter().map(|n| (n.checks_ok, n.health, n.in_flight, n.selections)).collect();
        (nodes, stats.in_flight, stats.no_node, stats.wait_timeouts, stats.retries, stats.affinity_entries)
    };
    assert_eq!(told(&seen), told(&pool));
    pool.release(held.ticket, Outcome::Success).unwrap();
    assert_eq!((told(&seen), seen.stats().in_flight), (told(&pool), 0));
}

#[test]
fn first_tokens_are_seen_by_all_and_told_by_who_picked() {
    let segment = Segment::new("tokens");
    let config = segment.config("strategy: peak_ewma\nnodes: [a]");
    let mut other = Process::open(&config);
    let (engine, looking) = (Engine::from_config(&config).unwrap(), Engine::view(&segment.0).unwrap());
    let (pool, seen) = (engine.pool("default").unwrap(), looking.pool("default").unwrap());
    let start = now_ns();
    let ticket = pool.acquire(&Request::new().now_ns(start)).unwrap().ticket;
    assert_eq!(seen.first_token(ticket), Err(TicketError::Stale), "who only looks is not who picked");
    assert_eq!(pool.first_token_at(ticket, start + 40_000_000), Ok(true));
    let latency_ms = || seen.nodes()[0].latency_ns.map(|ns| (ns / 1e6).round());
    assert_eq!(latency_ms(), Some(40.0));
    other.picks(1);
    let theirs = pool.open_picks(9).into_iter().find(|pick| pick.pid == other.child.id()).unwrap();
    assert_eq!(pool.first_token_at(theirs.ticket, start + 90_000_000), Err(TicketError::Stale));
    let open: Vec<_> = seen.open_picks(9).into_iter().map(|pick| pick.started_ns).collect();
    assert_eq!((open.len(), open[0]), (2, Some(start)));
    pool.release(ticket, Report::success().now_ns(start + 900_000_000)).unwrap();
    assert_eq!((latency_ms(), seen.stats().in_flight), (Some(40.0), 1));
}

#[test]
fn processes_are_there_before_any_pool_is() {
    let segment = Segment::new("processes");
    let config = segment.config("pools: {}");
    let (one, mut other) = (Process::open(&config), Process::open(&config));
    let looking = Engine::view(&segment.0).unwrap();
    let pids = |engine: &Engine| engine.processes().iter().map(|process| process.pid).collect::<Vec<_>>();
    assert_eq!(pids(&looking), [one.child.id(), other.child.id()]);
    other.ask(json!({"reload": "pools: {a: {nodes: [x]}, b: {nodes: [y]}}"}));
    other.ask(json!({"pick": 2, "pool": "b"}));
    assert_eq!(looking.processes()[1].in_flight, 2);
}

#[test]
fn there_is_nothing_to_see_where_nothing_is() {
    let segment = Segment::new("nothing");
    assert_eq!(Engine::view(&segment.0).unwrap_err().code(), 205);
    assert!(!segment.0.exists());
    let alone = Engine::from_config("nodes: [a]").unwrap();
    assert!(alone.processes().is_empty());
    let pool = alone.pool("default").unwrap();
    let pick = pool.pick(&Request::new()).unwrap();
    let open = pool.open_picks(10);
    assert_eq!((open.len(), open[0].node.as_str(), open[0].pid), (1, "a", std::process::id()));
    assert_eq!(open[0].started_ns, None, "nothing needs the time");
    drop(pick);
}

#[test]
fn observers_are_told_of_what_others_do() {
    let segment = Segment::new("observers");
    let config = segment.config("nodes: [a, b]\nbreaker: {consecutive_failures: 2}\npanic: {mode: spread}");
    let mut other = Process::open(&config);
    let engine = Engine::from_config(&config).unwrap();
    let pool = engine.pool("default").unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = told.clone();
    pool.observe(false, move |event| log.lock().unwrap().push(event.kind.clone()));
    let take = || std::mem::take(&mut *told.lock().unwrap());
    let maintained = || {
        pool.maintain(now_ns());
        take()
    };
    assert_eq!(maintained(), []);
    for _ in 0..3 {
        other.ask(json!({"report": "a", "ok": false}));
    }
    assert_eq!(
        maintained(),
        [
            EventKind::Health { from: HealthStatus::Healthy, to: HealthStatus::Unhealthy },
            EventKind::Breaker { open: true },
        ]
    );
    other.ask(json!({"reload": "nodes: [b, c]"}));
    let topology = EventKind::Topology { added: vec!["c".into()], removed: vec!["a".into()] };
    assert_eq!(maintained(), [topology]);
    // What it does itself is told at once, and not again.
    pool.set_nodes(["b"]).unwrap();
    assert_eq!(take(), [EventKind::Topology { added: vec![], removed: vec!["c".into()] }]);
    assert_eq!(maintained(), []);
}

#[test]
fn selections_are_told_in_the_process_that_makes_them() {
    let segment = Segment::new("selections");
    let config = segment.config("nodes: [a]");
    let mut other = Process::open(&config);
    let engine = Engine::from_config(&config).unwrap();
    let pool = engine.pool("default").unwrap();
    let count = Arc::new(Mutex::new(0));
    let counted = count.clone();
    let observer = pool.observe(true, move |_| *counted.lock().unwrap() += 1);
    other.picks(3);
    for _ in 0..4 {
        pool.pick(&Request::new()).unwrap().finish(Outcome::Success).unwrap();
    }
    assert_eq!(*count.lock().unwrap(), 4);
    pool.stop_observing(observer);
    pool.pick(&Request::new()).unwrap().finish(Outcome::Success).unwrap();
    assert_eq!(*count.lock().unwrap(), 4);
}

#[test]
fn workers_that_read_the_same_configuration_reload_once() {
    let segment = Segment::new("once");
    let (old, new) = (segment.config("nodes: [a, b]"), segment.config("nodes: [a, b, c]"));
    let mut workers = [Process::open(&old), Process::open(&old), Process::open(&old)];
    assert_eq!(workers[0].ask(json!({"reload_if_new": old}))["changed"], json!([]));
    let changed = workers.each_mut().map(|worker| worker.ask(json!({"reload_if_new": new}))["changed"].clone());
    assert_eq!(changed, [json!(["default"]), json!([]), json!([])]);
    workers[1].ask(json!({"weigh": "c", "weight": 5}));
    // One that is started again changes nothing of what was set by hand.
    let mut again = Process::open(&new);
    assert_eq!(again.ask(json!({"reload_if_new": new}))["changed"], json!([]));
    assert_eq!(again.ask(json!({"stats": 0}))["nodes"][2]["weight"], json!(5));
    assert_eq!(again.ask(json!({"reload": new}))["changed"], json!(["default"]));
    assert_eq!(workers[0].ask(json!({"stats": 0}))["nodes"][2]["weight"], json!(1));
}

#[test]
fn a_pool_that_one_takes_out_is_out_for_all_and_goes_on_for_who_holds_it() {
    let segment = Segment::new("remove");
    let config = format!("shared: {}\npools: {{api: {{nodes: [a]}}, mail: {{nodes: [b]}}}}", segment.0.display());
    let (one, other) = (Engine::from_config(&config).unwrap(), Engine::from_config(&config).unwrap());
    let looking = Engine::view(&segment.0).unwrap();
    let mail = other.pool("mail").unwrap();
    let pick = mail.pick(&Request::new()).unwrap();
    assert_eq!(looking.remove("mail").unwrap_err().code(), 207);
    assert!(!one.remove("nobody").unwrap() && one.version() == 1);
    assert!(one.remove("mail").unwrap() && one.version() == 2);
    assert!(!other.remove("mail").unwrap());
    for engine in [&one, &other, &looking] {
        assert_eq!(engine.names(), ["api"]);
    }
    pick.finish(Outcome::Success).unwrap();
    assert!(mail.pick(&Request::new()).is_ok());
    // A new one of its name is another one.
    assert_eq!(one.reload_from(&config).unwrap().added, ["mail"]);
    assert!(!std::sync::Arc::ptr_eq(&other.pool("mail").unwrap(), &mail));
}
