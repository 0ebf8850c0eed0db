//! Picks with what keeps traffic safe: limits, tiers, zones, breakers, warm-ups, measured latencies.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use loadwise::config::PoolConfig;
use loadwise::{Limits, NodeSpec, Outcome, Pool, Report, Request};

use crate::OURS;
use crate::bound::Bound;
use crate::harness::{Body, Case, many, one};
use crate::input::address;
use crate::pools::{self, limits_for, pick_and_finish};

pub const PICK: &str = "guarded pick + finish";

/// All that a pool can look at, but histograms, quotas and sessions.
const EVERYTHING: &str = "
strategy: p2c
max_in_flight: 1000000
lease_timeout_ms: 60000
breaker: true
outlier: true
panic: {mode: spread}
zones: {zone: a}
slow_start: true
adaptive_limit: true
checks: true
";
pub const HISTOGRAMS: &str = "stats: {latency: nodes}\n";

const ZONES: [&str; 3] = ["a", "b", "c"];
const SIZES: &[usize] = &[3, 1000, 10_000];
const ONE: &[usize] = &[1000];
/// So many that hardly a node is left out.
const PICKS_A_NODE: usize = 20;

pub fn everything_and(more: &str) -> String {
    format!("{EVERYTHING}{more}")
}

pub fn everything_on(n: usize) -> Pool {
    pool(&everything_and(HISTOGRAMS), n, placed_and_limited)
}

pub fn pool(config: &str, n: usize, node: fn(usize) -> NodeSpec) -> Pool {
    let made = Pool::builder().config(configured(config, n, node)).build();
    made.unwrap_or_else(|e| panic!("{config}: {e}"))
}

pub fn configured(config: &str, n: usize, node: fn(usize) -> NodeSpec) -> PoolConfig {
    let parsed = PoolConfig::parse(config).unwrap_or_else(|e| panic!("{config}: {e}"));
    let limits = Limits { max_nodes: limits_for(n).max_nodes, ..parsed.limits };
    PoolConfig { nodes: (0..n).map(node).collect(), limits, ..parsed }
}

/// A pool whose nodes have been picked: memory that nothing was written to is not there yet.
pub fn used_pool(config: &str, n: usize, node: fn(usize) -> NodeSpec) -> Arc<Pool> {
    let pool = pool(config, n, node);
    for _ in 0..PICKS_A_NODE * n {
        pick_and_finish(&pool, &Request::new(), Outcome::Success);
    }
    Arc::new(pool)
}

pub fn plain(i: usize) -> NodeSpec {
    NodeSpec::new(address(i))
}

pub fn limited(i: usize) -> NodeSpec {
    plain(i).max_in_flight(1000)
}

/// Two tiers with three zones in each, as far as there are nodes.
fn placed(i: usize) -> NodeSpec {
    plain(i).zone(ZONES[i % 3]).tier((i / 3 % 2) as u8)
}

pub fn placed_and_limited(i: usize) -> NodeSpec {
    placed(i).max_in_flight(1000)
}

struct Kind {
    name: &'static str,
    config: String,
    node: fn(usize) -> NodeSpec,
    sizes: &'static [usize],
    bound: Option<Bound>,
}

fn kinds() -> Vec<Kind> {
    let kind = |name, config: &str, node, sizes, bound| Kind { name, config: config.into(), node, sizes, bound };
    let bare = || pools::verb_of(pools::PICK, "p2c");
    let seven = || Some(Bound::Times { what: bare(), times: 7.0 });
    let two_more = Some(Bound::Over { what: bare(), f: 2.0 });
    let (whole, without) = (everything_and(HISTOGRAMS), everything_and(""));
    let idle = "{strategy: p2c, breaker: true, outlier: true, panic: {mode: spread}, slow_start: true, checks: true}";
    let histograms = format!("strategy: p2c\n{HISTOGRAMS}");
    vec![
        kind("everything on", &whole, placed_and_limited, SIZES, seven()),
        kind("everything on, no histograms", &without, placed_and_limited, SIZES, seven()),
        kind("p2c, limits of nodes", "strategy: p2c", limited, ONE, seven()),
        kind("p2c, limit of the pool", "{strategy: p2c, max_in_flight: 1000000}", plain, ONE, two_more),
        kind("p2c, tiers and zones", "{strategy: p2c, zones: {zone: a}}", placed, ONE, seven()),
        kind("p2c, adaptive_limit", "{strategy: p2c, adaptive_limit: true}", plain, ONE, seven()),
        kind("p2c, histograms", &histograms, plain, ONE, seven()),
        kind("p2c, lease_timeout_ms", "{strategy: p2c, lease_timeout_ms: 60000}", plain, ONE, None),
        kind("p2c, breaker, outlier, panic, slow_start, checks", idle, plain, ONE, None),
    ]
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for Kind { name, config, node, sizes, bound } in kinds() {
        for &n in sizes {
            let threads: &[usize] = if name.starts_with("everything") && n == 1000 { &[1, 2] } else { &[1] };
            for &threads in threads {
                let config = config.clone();
                let make = move || pools::pick(&used_pool(&config, n, node), false, threads);
                let bound = bound.clone().filter(|_| threads == 1);
                cases.push(case(name, n, Body::Fresh(threads, Box::new(make)), bound));
            }
        }
    }
    for threads in [1, 2] {
        let body = Body::Fresh(threads, Box::new(move || spread(threads)));
        cases.push(case("everything on, callers in 3 zones, latencies of 1 to 100 ms", 1000, body, None));
    }
    cases.push(case("everything on, one node in 100 ill", 1000, Body::Fresh(1, Box::new(some_ill)), None));
    cases
}

fn case(name: &str, n: usize, body: Body, bound: Option<Bound>) -> Case {
    Case { what: pools::verb_of(PICK, name), n, who: OURS, body, bound }
}

/// With callers in one zone, its nodes alone are picked; measured latencies all fall into one bucket. Not so here.
fn spread(threads: usize) -> Body {
    let pool = everything_on(1000);
    use_all(&pool);
    let pick = move |i| {
        let request = Request::new().zone(ZONES[i as usize % 3]);
        pick_and_finish(&pool, &request, Report::success().latency(latency(i)))
    };
    if threads == 1 { one(pick) } else { many(threads, pick) }
}

/// 1 to 100 ms, in no order.
fn latency(i: u64) -> Duration {
    Duration::from_micros(1000 + i.wrapping_mul(7919) % 99_000)
}

fn some_ill() -> Body {
    let pool = everything_on(1000);
    use_all(&pool);
    for i in (0..1000).step_by(100) {
        for _ in 0..3 {
            pool.report(&address(i), Outcome::Failure).unwrap_or_else(|e| panic!("{e}"));
        }
    }
    one(move |_| pick_and_finish(&pool, black_box(&Request::new()), Outcome::Success))
}

/// Picks on every node of every tier and zone, with latencies, and a check of each.
pub fn use_all(pool: &Pool) {
    let must = |result: Result<(), loadwise::Error>| result.unwrap_or_else(|e| panic!("{e}"));
    for first_of_tier in [0, 3] {
        must(pool.failover(&address(first_of_tier)));
        for i in 0..(PICKS_A_NODE * pool.len()) as u64 {
            let request = Request::new().zone(ZONES[i as usize % 3]);
            pick_and_finish(pool, &request, Report::success().latency(latency(i)));
        }
    }
    pool.reset_failover();
    let untouched = pool.stats().nodes.iter().filter(|node| node.selections == 0).count();
    assert_eq!(untouched, 0, "nodes were never picked");
    for check in pool.checks_due(loadwise::now_ns()) {
        must(pool.report_check(&check.id, true, None, None).map(|_| ()));
    }
}
