//! A pool's choice, and a pick with its finish.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use loadwise::config::{P2cLoad, StrategyConfig, StrategyKind};
use loadwise::{Limits, NoNode, NodeRef, NodeSpec, Outcome, Pool, Report, Request};

use crate::bound::Bound;
use crate::harness::{Body, Case, many, one};
use crate::input::{address, keys, weight};
use crate::{OURS, SIZES};

/// A pool that holds the largest n of this benchmark.
pub fn pool(strategy: StrategyConfig, n: usize, weighted: bool) -> Pool {
    let limits = limits_for(n);
    let nodes = (0..n).map(|i| NodeSpec::new(address(i)).weight(if weighted { weight(i) } else { 1 }));
    let pool = Pool::builder().limits(limits).strategy(strategy).and_then(|b| b.nodes(nodes).build());
    pool.unwrap_or_else(|e| panic!("{strategy:?} over {n} nodes: {e}"))
}

pub fn limits_for(n: usize) -> Limits {
    if n > 2048 { Limits { max_nodes: 16_384, ..Limits::default() } } else { Limits::default() }
}

pub fn named(name: &str) -> StrategyConfig {
    StrategyConfig::parse_name(name).unwrap_or_else(|e| panic!("{e}"))
}

fn kind(kind: StrategyKind) -> StrategyConfig {
    kind.into()
}

/// What is asked of a pool, and how.
struct Kind {
    name: &'static str,
    strategy: StrategyConfig,
    weighted: bool,
    keyed: bool,
    /// Of the choice.
    bound: fn(usize) -> Option<Bound>,
    sizes: &'static [usize],
}

const FEW: &[usize] = &[16, 1000];

fn kinds() -> Vec<Kind> {
    let p2c_ewma = kind(StrategyKind::P2c { load: P2cLoad::PeakEwma });
    let bounded = |name| StrategyConfig { bounded_load: Some(1.25), ..named(name) };
    let k = |name, strategy, weighted, keyed, bound, sizes| Kind { name, strategy, weighted, keyed, bound, sizes };
    let f06: fn(usize) -> _ = |_| Some(Bound::F(0.6));
    let f16: fn(usize) -> _ = |_| Some(Bound::F(1.6));
    let none: fn(usize) -> _ = |_| None;
    let ring: fn(usize) -> _ = |n| (n == 1000).then_some(Bound::F(3.0));
    vec![
        k("random", named("random"), false, false, f06, &SIZES),
        k("weighted_random", named("weighted_random"), true, false, f06, &SIZES),
        k("p2c", named("p2c"), false, false, f06, &SIZES),
        k("p2c, weights differ", named("p2c"), true, false, none, &SIZES),
        k("round_robin", named("round_robin"), false, false, f16, &SIZES),
        k("weighted_round_robin", named("weighted_round_robin"), true, false, f16, &SIZES),
        k("maglev", named("maglev"), false, true, |_| Some(Bound::F(1.0)), &SIZES),
        k("ring_hash", named("ring_hash"), false, true, ring, &SIZES),
        k("rendezvous", named("rendezvous"), false, true, none, FEW),
        k("least_request", named("least_request"), false, false, none, &SIZES),
        k("peak_ewma", named("peak_ewma"), false, false, none, &SIZES),
        k("p2c, load: peak_ewma", p2c_ewma, false, false, none, FEW),
        k("adaptive", named("adaptive"), false, false, none, FEW),
        k("fastest", named("fastest"), false, false, none, FEW),
        k("maglev, bounded_load: 1.25", bounded("maglev"), false, true, none, FEW),
        k("ring_hash, bounded_load: 1.25", bounded("ring_hash"), false, true, none, FEW),
        k("least_load", named("least_load"), false, false, none, FEW),
        k("most_available", named("most_available"), false, false, none, FEW),
    ]
}

pub fn cases(only: Option<&str>) -> Vec<Case> {
    let mut cases = Vec::new();
    let wanted =
        |name: &str| only.is_none_or(|only| verb_of(CHOOSE, name).contains(only) || verb_of(PICK, name).contains(only));
    for kind in kinds().into_iter().filter(|k| wanted(k.name)) {
        for &n in kind.sizes {
            let (strategy, weighted, keyed) = (kind.strategy, kind.weighted, kind.keyed);
            let case = |verb: &str, threads, body: fn(&Arc<Pool>, bool, usize) -> Body, bound| {
                let make = move || body(&Arc::new(pool(strategy, n, weighted)), keyed, threads);
                let body = Body::Fresh(threads, Box::new(make));
                Case { what: verb_of(verb, kind.name), n, who: OURS, body, bound }
            };
            cases.push(case(CHOOSE, 1, choose, (kind.bound)(n)));
            cases.push(case(PICK, 1, pick, pick_bound(kind.name, n)));
            // What shared pools are measured beside is there for every n.
            let many = ["random", "round_robin", "weighted_round_robin"].contains(&kind.name) && FEW.contains(&n);
            if many || kind.name == "p2c" {
                let same = |verb| {
                    let bound = Bound::Times { what: verb_of(verb, kind.name), times: 1.3 };
                    kind.name.contains("round_robin").then_some(bound)
                };
                cases.push(case(CHOOSE, 2, choose, same(CHOOSE)));
                cases.push(case(PICK, 2, pick, None));
            }
        }
    }
    cases.extend(busy());
    cases.extend(exact());
    cases
}

/// The least loaded of all nodes, and not of two.
fn exact() -> Vec<Case> {
    let exact = kind(StrategyKind::LeastRequest { exact: true });
    let case = |verb, name, make: fn(&Arc<Pool>) -> Body, bound| {
        let body = Body::Fresh(1, Box::new(move || make(&Arc::new(pool(exact, 10_000, false)))));
        Case { what: verb_of(verb, name), n: 10_000, who: OURS, body, bound }
    };
    vec![
        case(CHOOSE, "least_request, exact", |pool| choose(pool, false, 1), Some(Bound::F(40.0))),
        case(PICK, "least_request, exact", |pool| pick(pool, false, 1), None),
        case(PICK, "least_request, exact, 2 in flight a node", |pool| while_held(pool, false), None),
    ]
}

/// Two picks a node are held meanwhile, by another thread.
fn busy() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, keyed) in [("p2c", false), ("maglev, bounded_load: 1.25", true), ("least_request", false)] {
        for n in [16, 1000, 10_000] {
            let Some(kind) = kinds().into_iter().find(|k| k.name == name) else { continue };
            let make = move || while_held(&Arc::new(pool(kind.strategy, n, false)), keyed);
            let what = verb_of(PICK, &format!("{name}, 2 in flight a node"));
            cases.push(Case { what, n, who: OURS, body: Body::Fresh(1, Box::new(make)), bound: None });
        }
    }
    cases
}

fn while_held(pool: &Arc<Pool>, keyed: bool) -> Body {
    let holder = hold(pool.clone(), 2 * pool.len());
    let mut body = pick(pool, keyed, 1);
    Body::One(Box::new(move |count| {
        let _alive = &holder;
        if let Body::One(run) = &mut body {
            run(count);
        }
    }))
}

/// Picks of a thread of their own, held until the sender is dropped.
fn hold(pool: Arc<Pool>, picks: usize) -> Sender<()> {
    let (sender, receiver) = channel::<()>();
    let (ready, wait) = channel();
    std::thread::spawn(move || {
        let keys: Vec<String> = (0..picks).map(|i| format!("held-{i}")).collect();
        let held: Vec<_> = keys.iter().map(|key| pool.acquire(&Request::new().key(key))).collect();
        let _ = ready.send(());
        let _ = receiver.recv();
        drop(held);
    });
    let _ = wait.recv();
    sender
}

pub const CHOOSE: &str = "choose";
pub const PICK: &str = "pick + finish";

pub fn verb_of(verb: &str, name: &str) -> String {
    format!("{verb}: {name}")
}

fn choose(pool: &Arc<Pool>, keyed: bool, threads: usize) -> Body {
    let (pool, keys) = (pool.clone(), keys());
    // What a caller goes on with: where the node stands.
    let index = |chosen: Result<NodeRef, NoNode>| chosen.map_or(u32::MAX, |node| node.index);
    let plain = Request::new();
    match (keyed, threads) {
        (false, 1) => one(move |_| index(pool.choose(black_box(&plain)))),
        (true, 1) => one(move |i| index(pool.choose(&Request::new().key(keys.at(i))))),
        (_, threads) => many(threads, move |_| index(pool.choose(&Request::new()))),
    }
}

pub fn pick(pool: &Arc<Pool>, keyed: bool, threads: usize) -> Body {
    let (pool, keys) = (pool.clone(), keys());
    let plain = Request::new();
    match (keyed, threads) {
        (false, 1) => one(move |_| pick_and_finish(&pool, black_box(&plain), Outcome::Success)),
        (true, 1) => one(move |i| pick_and_finish(&pool, &Request::new().key(keys.at(i)), Outcome::Success)),
        (_, threads) => many(threads, move |_| pick_and_finish(&pool, &Request::new(), Outcome::Success)),
    }
}

/// Where the node stands that took the request.
#[inline(always)]
pub fn pick_and_finish<'r>(pool: &Pool, request: &Request<'_>, report: impl Into<Report<'r>>) -> u32 {
    // What finds no node is another way, and not what is measured.
    let lease = pool.acquire(request).unwrap_or_else(|e| panic!("{e}"));
    let _ = pool.release(lease.ticket, report);
    lease.node.index
}

fn pick_bound(name: &str, n: usize) -> Option<Bound> {
    let with_latency = || Bound::OverWithClock { what: verb_of(PICK, "p2c"), clocks: 2.0, f: 3.0 };
    match name {
        "p2c" => Some(Bound::F(if n == 3 { 3.5 } else { 3.0 })),
        "peak_ewma" | "p2c, load: peak_ewma" => Some(with_latency()),
        // Few nodes are all compared.
        "adaptive" | "fastest" => (n > 16).then(with_latency),
        "maglev, bounded_load: 1.25" => Some(Bound::Over { what: verb_of(PICK, "maglev"), f: 2.0 }),
        "ring_hash, bounded_load: 1.25" => Some(Bound::Over { what: verb_of(PICK, "ring_hash"), f: 2.0 }),
        _ => None,
    }
}
