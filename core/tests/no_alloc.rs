//! Choosing, picking and finishing allocate nothing, whatever the strategy and the request.
//!
//! A thread's first pick in a pool sets up what the thread remembers of it, and a strategy's first selection over a slice
//! derives its table; from then on the allocator is not called, which is counted here per thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use loadwise::config::{P2cLoad, RingCompat, StrategyConfig, StrategyKind};
use loadwise::strategy::{
    ConsistentHash, FallbackChain, LeastLoad, MostAvailable, PowerOfTwoChoices, Random, RoundRobin, WeightedRandom,
    WeightedRoundRobin, WithFallback,
};
use loadwise::{
    Candidate, FailureKind, Load, LoadMetric, Node, NodeSpec, Outcome, Pool, RateMetric, Report, Request,
    SelectionContext, Strategy, Weighted,
};

struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is being torn down has no count any more, and no test either.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: every call goes to the system's allocator as it came; counting is a store to a thread-local that needs no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller keeps the contract of `dealloc`, and all memory came from `System`.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `realloc`, and all memory came from `System`.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Calls of the allocator by this thread during `f`.
fn calls_during(f: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    f();
    CALLS.get() - before
}

const ROUNDS: usize = 300;
/// Both sides of the bound up to which `least_request` compares all.
const SIZES: [usize; 3] = [1, 5, 100];

fn strategies() -> Vec<StrategyConfig> {
    let kinds = [
        StrategyKind::RoundRobin,
        StrategyKind::WeightedRoundRobin,
        StrategyKind::Random,
        StrategyKind::WeightedRandom,
        StrategyKind::LeastLoad,
        StrategyKind::LeastRequest { exact: false },
        StrategyKind::LeastRequest { exact: true },
        StrategyKind::P2c { load: P2cLoad::InFlight },
        StrategyKind::P2c { load: P2cLoad::Reported },
        StrategyKind::P2c { load: P2cLoad::PeakEwma },
        StrategyKind::PeakEwma { decay_ms: 10_000 },
        StrategyKind::RingHash { points: None, compat: None },
        StrategyKind::RingHash { points: None, compat: Some(RingCompat::Nginx) },
        StrategyKind::Maglev { table_size: 65_537 },
        StrategyKind::Rendezvous,
        StrategyKind::MostAvailable { epsilon: 0.05 },
    ];
    let bounded = |kind| StrategyConfig { kind, bounded_load: Some(1.25) };
    let hashes = [
        StrategyKind::RingHash { points: None, compat: None },
        StrategyKind::Maglev { table_size: 65_537 },
        StrategyKind::Rendezvous,
    ];
    kinds.into_iter().map(StrategyConfig::from).chain(hashes.map(bounded)).collect()
}

fn id(i: usize) -> String {
    format!("10.0.0.{i}:8080")
}

fn pool(strategy: StrategyConfig, n: usize) -> Pool {
    let region = |i: usize| if i % 2 == 0 { "eu" } else { "us" };
    let node = |i| NodeSpec::new(id(i)).weight(1 + i as u32 % 3).label("region", region(i));
    Pool::builder().strategy(strategy).unwrap().nodes((0..n).map(node)).build().unwrap()
}

/// One of everything that a host does with a pick.
fn pick_and_finish(pool: &Pool, request: &Request<'_>, round: usize) {
    // A node that asks for time is left out, and an own strategy is told of that in a list.
    let retry_after = (pool.strategy() != "custom").then(|| Duration::from_secs(1));
    let reports = [
        Report::success(),
        Report::success().latency(Duration::from_millis(3)),
        Report::cancelled(),
        Report::rate_limited(retry_after),
    ];
    // Whether there is a node is not the matter here: telling that there is none must not allocate either.
    let _ = std::hint::black_box(pool.choose(request));
    if let Ok(lease) = pool.acquire(request) {
        pool.first_token(lease.ticket).unwrap();
        pool.release(lease.ticket, reports[round % reports.len()]).unwrap();
        assert!(pool.release(lease.ticket, Outcome::Success).is_err());
    }
    if let Ok(pick) = pool.pick(request) {
        std::hint::black_box((pick.address(), pick.id(), pick.user_data()));
        pick.finish(Outcome::Success).unwrap();
    }
    drop(pool.pick(request));
}

fn assert_no_calls(pool: &Pool, request: &Request<'_>, what: &str) {
    pick_and_finish(pool, request, 0);
    let calls = calls_during(|| (0..ROUNDS).for_each(|round| pick_and_finish(pool, request, round)));
    assert_eq!(calls, 0, "{what}");
}

#[test]
fn the_allocator_is_counted() {
    assert_eq!(calls_during(|| drop(std::hint::black_box(Box::new(1)))), 2);
    assert_eq!(calls_during(|| ()), 0);
}

#[test]
fn plain_requests_and_keys() {
    for strategy in strategies() {
        for n in SIZES {
            let pool = pool(strategy, n);
            let what = |with| format!("{strategy:?} over {n} nodes, {with}");
            assert_no_calls(&pool, &Request::new(), &what("plain"));
            assert_no_calls(&pool, &Request::new().key(b"user-1234567890123456789"), &what("with a key"));
            assert_no_calls(&pool, &Request::new().now_ns(1 << 40), &what("with the time"));
        }
    }
}

#[test]
fn exclusions_labels_and_predicates() {
    // As many exclusions as are kept on the stack.
    let ids: Vec<String> = (0..32).map(id).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for strategy in strategies() {
        for n in SIZES {
            let pool = pool(strategy, n);
            let what = |with| format!("{strategy:?} over {n} nodes, {with}");
            let keyed = Request::new().key(b"user-17");
            let refs = [pool.node(&id(0)).unwrap()];
            let takes_odd = |c: &Candidate<'_>| c.node().index % 2 == 1;
            assert_no_calls(&pool, &keyed.exclude(&ids[..1]), &what("one excluded"));
            assert_no_calls(&pool, &keyed.exclude(&ids), &what("32 excluded"));
            assert_no_calls(&pool, &keyed.exclude(&["nobody"]), &what("an unknown one excluded"));
            assert_no_calls(&pool, &keyed.exclude_nodes(&refs), &what("excluded by place"));
            assert_no_calls(&pool, &keyed.require(&[("region", "eu")]), &what("with a label"));
            assert_no_calls(&pool, &keyed.require(&[("region", "mars")]), &what("with a label of nobody"));
            assert_no_calls(&pool, &keyed.predicate(&takes_odd), &what("with a predicate"));
            assert_no_calls(&pool, &keyed.health_mask(0b0010), &what("of degraded ones, of which there are none"));
        }
    }
}

#[test]
fn nodes_that_fail_and_report_loads() {
    for strategy in strategies() {
        let pool = pool(strategy, 8);
        for i in 0..8 {
            let load = Load { load: Some(i as f64), remaining_ratio: Some(0.1 * i as f64), ..Load::default() };
            pool.report_load(&id(i), load).unwrap();
        }
        let request = Request::new().key(b"user-17");
        pick_and_finish(&pool, &request, 0);
        // Until every node is unhealthy, and on.
        let calls = calls_during(|| {
            for _ in 0..ROUNDS {
                if let Ok(pick) = pool.pick(&request) {
                    pick.finish(Report::failure(FailureKind::Timeout)).unwrap();
                }
            }
        });
        assert_eq!(calls, 0, "{strategy:?}");
        assert!(pool.pick(&request).is_err(), "{strategy:?}");
    }
}

#[test]
fn many_picks_at_once() {
    let pool = pool(StrategyKind::P2c { load: P2cLoad::InFlight }.into(), 100);
    let mut held = Vec::with_capacity(1000);
    drop(pool.pick(&Request::new()));
    // More than one run of slots holds.
    let calls = calls_during(|| {
        for _ in 0..3 {
            held.extend((0..1000).map(|_| pool.acquire(&Request::new()).unwrap().ticket));
            held.drain(..).for_each(|ticket| pool.release(ticket, Outcome::Success).unwrap());
        }
    });
    assert_eq!(calls, 0);
}

#[test]
fn chains_and_the_first_pick_by_a_new_plan() {
    let pool = pool(StrategyKind::LeastRequest { exact: false }.into(), 20);
    pool.set_strategy(["maglev", "ring_hash", "weighted_round_robin", "random"]).unwrap();
    assert_no_calls(&pool, &Request::new().key(b"user-17"), "a chain");
    let none_by_any = |_: &Candidate<'_>| false;
    assert_no_calls(&pool, &Request::new().key(b"user-17").predicate(&none_by_any), "a chain to its end");
    for strategy in strategies() {
        pool.set_strategy(strategy).unwrap();
        pool.set_weight(&id(3), 7).unwrap();
        let calls = calls_during(|| pick_and_finish(&pool, &Request::new().key(b"user-17"), 0));
        assert_eq!(calls, 0, "{strategy:?}");
    }
}

#[test]
fn an_own_strategy_while_all_nodes_are_fit() {
    let pool = Pool::builder().own_strategy(RoundRobin::new()).nodes((0..20).map(id)).build().unwrap();
    assert_no_calls(&pool, &Request::new(), "own");
}

struct Server {
    id: String,
    weight: u32,
    load: f64,
}

impl Node for Server {
    type Id = String;

    fn id(&self) -> &String {
        &self.id
    }
}

impl Weighted for Server {
    fn weight(&self) -> u32 {
        self.weight
    }
}

impl LoadMetric for Server {
    fn load_score(&self) -> f64 {
        self.load
    }
}

impl RateMetric for Server {
    fn remaining_ratio(&self) -> f64 {
        self.load / 100.0
    }
}

fn servers(n: usize) -> Vec<Server> {
    (0..n).map(|i| Server { id: id(i), weight: 1 + i as u32 % 3, load: (i * 7 % 100) as f64 }).collect()
}

#[test]
fn slices() {
    let strategies: Vec<(&str, Box<dyn Strategy<Server>>)> = vec![
        ("RoundRobin", Box::new(RoundRobin::new())),
        ("WeightedRoundRobin", Box::new(WeightedRoundRobin::new())),
        ("Random", Box::new(Random::new())),
        ("WeightedRandom", Box::new(WeightedRandom::new())),
        ("LeastLoad", Box::new(LeastLoad::new())),
        ("PowerOfTwoChoices", Box::new(PowerOfTwoChoices::new())),
        ("ConsistentHash", Box::new(ConsistentHash::default())),
        ("MostAvailable", Box::new(MostAvailable::default())),
        ("WithFallback", Box::new(WithFallback::new(LeastLoad::new(), Random::new()))),
        ("FallbackChain", Box::new(FallbackChain::new(vec![Box::new(WeightedRoundRobin::new())]))),
    ];
    let contexts = [
        SelectionContext::default(),
        SelectionContext::builder().hash_key(42).build(),
        SelectionContext::builder().hash_key(42).exclude(vec![0, 2]).build(),
        SelectionContext::builder().exclude((0..100).collect()).build(),
    ];
    for n in SIZES {
        let servers = servers(n);
        for (name, strategy) in &strategies {
            for ctx in &contexts {
                let select = || std::hint::black_box(strategy.select(&servers, ctx));
                let first = select();
                let calls = calls_during(|| {
                    for _ in 0..ROUNDS {
                        select();
                    }
                });
                assert_eq!(calls, 0, "{name} over {n} servers, {ctx:?}");
                assert_eq!(first.is_some(), ctx.exclude.as_ref().is_none_or(|e| (0..n).any(|i| !e.contains(&i))));
            }
        }
    }
}
