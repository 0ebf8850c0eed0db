//! What a state takes of its file: what was reserved when it was configured, and nothing more while it is used.

use std::os::unix::fs::MetadataExt;

use loadwise::{Engine, HealthStatus, Load, NodeSpec, Outcome, Report, Request, now_ns};

use crate::process::{Process, Segment};

fn blocks(segment: &Segment) -> u64 {
    std::fs::metadata(&segment.0).unwrap().blocks()
}

const PLACED: &str = "[{id: a, tier: 0, zone: x}, {id: b, tier: 0, zone: y}, {id: c, tier: 1, weight: 3, max_in_flight: 9}, \
                      {id: d, tier: 1, quotas: {rpm: 7000}}]";
const ALL: &str = "max_in_flight: 1000\nlease_timeout_ms: 60000\nbreaker: true\noutlier: true\npanic: {mode: spread}\n\
                   zones: {zone: x}\nslow_start: true\nadaptive_limit: true\nchecks: true\naffinity: {entries: 64}\n\
                   stats: {latency: nodes}\nquotas: [{dimension: rpm, limit: 100000}]";

/// Everything that looks at a pool or uses it.
fn use_it(engine: &Engine) {
    let pool = engine.pool("default").unwrap();
    for i in 0..500u32 {
        let key = format!("key-{i}");
        let request = Request::new().key(&key).session(&key).zone("y");
        let report = match i % 5 {
            0 => Report::from(Outcome::Failure),
            1 => Report::from(Outcome::RateLimited { retry_after: Some(std::time::Duration::from_millis(1)) }),
            _ => Report::success().latency(std::time::Duration::from_micros(u64::from(i))),
        };
        if let Ok(lease) = pool.acquire(&request) {
            pool.release(lease.ticket, report).unwrap();
        }
        let _ = pool.explain(&request);
        let _ = pool.affinity(&key);
        let now = now_ns();
        if i % 50 == 0 {
            pool.maintain(now);
            pool.report("a", Outcome::Failure).unwrap();
            pool.report_load("b", Load { load: Some(0.5), ..Load::default() }).unwrap();
            pool.set_health("a", HealthStatus::Healthy).unwrap();
            pool.drain("b", i % 100 == 0).unwrap();
            for check in pool.checks_due(now) {
                pool.report_check(&check.id, true, None, None).unwrap();
            }
            pool.failover("d").unwrap();
            pool.reset_failover();
            pool.update(NodeSpec::new("a").name(&key)).unwrap();
            let learned = pool.learned();
            pool.learn_from(&learned).unwrap();
        }
    }
    let _ = (pool.nodes(), pool.stats(), pool.prometheus(), engine.config(), pool.open_picks(100), engine.processes());
}

#[test]
fn what_was_not_reserved_is_never_touched() {
    let strategies = [
        "random",
        "weighted_random",
        "p2c",
        "round_robin",
        "weighted_round_robin",
        "least_request",
        "least_load",
        "peak_ewma",
        "ring_hash",
        "{name: ring_hash, compat: nginx}",
        "maglev",
        "rendezvous",
        "most_available",
        "adaptive",
        "fastest",
        "reported_load",
        "{name: least_request, exact: true}",
        "{name: maglev, bounded_load: 1.25}",
    ];
    for strategy in strategies {
        for more in ["", ALL] {
            let segment = Segment::new("touched");
            let nodes = if more.is_empty() { PLACED.replace(", quotas: {rpm: 7000}", "") } else { PLACED.to_owned() };
            let config = segment.config(&format!("strategy: {strategy}\nnodes: {nodes}\n{more}"));
            let engine = Engine::from_config(&config).unwrap();
            // A thread's first pick takes slots for itself.
            drop(engine.pool("default").unwrap().pick(&Request::new()).unwrap());
            let before = blocks(&segment);
            use_it(&engine);
            let looking = Engine::view(&segment.0).unwrap();
            let pool = looking.pool("default").unwrap();
            let _ = (pool.nodes(), pool.stats(), pool.prometheus(), looking.config(), pool.open_picks(100));
            assert_eq!(blocks(&segment), before, "{strategy} {more}");
        }
    }
}

#[test]
fn what_is_switched_on_later_is_reserved_and_begins_with_nothing() {
    let segment = Segment::new("later");
    let bare = segment.config(&format!("nodes: {}", PLACED.replace(", quotas: {rpm: 7000}", "")));
    let engine = Engine::from_config(&bare).unwrap();
    let all = segment.config(&format!("nodes: {PLACED}\n{ALL}"));
    let mut other = Process::open(&bare);
    for _ in 0..3 {
        engine.reload_from(&all).unwrap();
        drop(engine.pool("default").unwrap().pick(&Request::new()).unwrap());
        other.picks(1);
        other.finish(1);
        let before = blocks(&segment);
        let pool = engine.pool("default").unwrap();
        let fresh = pool.stats();
        assert!(
            fresh.nodes.iter().all(|node| node.quotas[0].used <= 2 && node.latency.unwrap().count <= 2),
            "{fresh:?}"
        );
        use_it(&engine);
        assert!(pool.stats().nodes.iter().any(|node| node.latency.unwrap().count > 2));
        assert_eq!(blocks(&segment), before);
        // Another node at the index, while what was counted of the first is not looked at.
        engine.reload_from(&bare).unwrap();
        pool.set_nodes(["x", "y", "z", "w"]).unwrap();
    }
}
