//! Work that is done when something changes: tables, a changed node, a node that falls ill.

use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use hashring::HashRing;
use loadwise::{NodeSpec, Outcome, Pool, Request, now_ns};
use maglev::Maglev;
use pingora_load_balancing::selection::{Consistent, RoundRobin};

use crate::bound::Bound;
use crate::harness::{Body, Case, one, processor_time, timed};
use crate::input::address;
use crate::peers::{HASHRING, MAGLEV, PINGORA, balancer, points_of, ring_points};
use crate::pools::{named, pool};
use crate::{OURS, guarded};

const MILLIS: f64 = 1e6;
const MANY: usize = 10_000;

pub fn cases() -> Vec<Case> {
    let ours = |what: &str, n, body, millis: f64| Case {
        what: what.into(),
        n,
        who: OURS,
        body,
        bound: Some(Bound::Absolute(millis * MILLIS)),
    };
    let peer = |what: &str, n, who, body| Case { what: what.into(), n, who, body, bound: None };
    let seen = |what: &str, body| Case { what: what.into(), n: MANY, who: OURS, body, bound: Some(Bound::Checked) };
    vec![
        ours("table: maglev, 65 537 entries", 1000, table("maglev", 1000, |_| 1), 2.0),
        ours("table: maglev, 65 537 entries", MANY, table("maglev", MANY, |_| 1), 3.0),
        ours("table: maglev, weights 1 to 100", MANY, table("maglev", MANY, |i| 1 + i % 100), 3.0),
        peer("table: maglev, 65 537 entries", 1000, MAGLEV, maglev(1000)),
        ours("table: smooth schedule, weights 1 to 3", MANY, table("weighted_round_robin", MANY, |i| 1 + i % 3), 50.0),
        ours(
            "table: smooth schedule, weights 1 to 100",
            MANY,
            table("weighted_round_robin", MANY, |i| 1 + i % 100),
            50.0,
        ),
        ours("table: ring, 104 points a node", MANY, table("ring_hash", MANY, |_| 1), 20.0),
        peer("table: ring, 104 points a node", MANY, HASHRING, ring(MANY)),
        peer("table: ring, 104 points a node", MANY, PINGORA, one(|_| balancer::<Consistent>(MANY, false))),
        ours("one node changed: p2c", MANY, change("p2c", true), 5.0),
        peer("one node changed: p2c", MANY, PINGORA, one(|_| balancer::<RoundRobin>(MANY, false))),
        ours("one node changed: maglev", MANY, change("maglev", true), 5.0),
        ours("one node changed: ring_hash", MANY, change("ring_hash", false), 5.0),
        ours("one node changed: ring_hash, weights 1 to 3", MANY, change("ring_hash", true), 5.0),
        peer("one node changed: ring_hash", MANY, HASHRING, change_ring(MANY)),
        ours("one node changed: weighted_round_robin", MANY, change("weighted_round_robin", true), 50.0),
        seen("a node falls ill: the report and the next choice, p2c", flip(weighted("p2c"))),
        seen("a node falls ill: the report and the next choice, maglev", flip(weighted("maglev"))),
        seen(
            "a node falls ill: the report and the next choice, weighted_round_robin",
            flip(weighted("weighted_round_robin")),
        ),
        seen("a node falls ill: the report and the next choice, everything on", flip(everything)),
        ours("maintain after a node fell ill: p2c", MANY, maintain(weighted("p2c")), 5.0),
        ours("maintain after a node fell ill: maglev", MANY, maintain(weighted("maglev")), 5.0),
        ours("maintain after a node fell ill: everything on", MANY, maintain(everything), 5.0),
    ]
}

/// A pool that makes way for another once it is not measured: many pools at a time would need much memory.
struct Lazy(Rc<RefCell<Option<Pool>>>, Rc<dyn Fn() -> Pool>);

impl Lazy {
    fn new(make: impl Fn() -> Pool + 'static) -> Self {
        Self(Rc::default(), Rc::new(make))
    }

    fn with<R>(&self, f: impl FnOnce(&Pool) -> R) -> R {
        f(self.0.borrow_mut().get_or_insert_with(|| (self.1)()))
    }
}

/// A node that no plan has seen, so that no table is taken over from an earlier one.
fn newcomer(number: u64) -> NodeSpec {
    NodeSpec::new(format!("new-{number}"))
}

pub fn timed_on(make: impl Fn() -> Pool + 'static, op: impl Fn(&Pool, u64) -> Duration + 'static) -> Body {
    let pool = Lazy::new(make);
    timed(move |number| pool.with(|pool| op(pool, number)))
}

pub fn time<R>(op: impl FnOnce() -> R) -> Duration {
    let start = processor_time();
    black_box(op());
    processor_time() - start
}

/// The first plan with the table of `strategy`, on the members of a pool that had none.
fn table(strategy: &'static str, n: usize, weight: fn(u32) -> u32) -> Body {
    let make = move || {
        let pool = pool(named("random"), n, false);
        let nodes = (0..n).map(|i| NodeSpec::new(address(i)).weight(weight(i as u32)));
        pool.set_nodes(nodes).unwrap_or_else(|e| panic!("{e}"));
        pool
    };
    timed_on(make, move |pool, number| {
        let spec = newcomer(number);
        let id = spec.id.clone();
        pool.register(spec.weight(1)).unwrap_or_else(|e| panic!("{e}"));
        let elapsed = time(|| pool.set_strategy(strategy).unwrap_or_else(|e| panic!("{e}")));
        pool.set_strategy("random").and_then(|()| pool.deregister(&id)).unwrap_or_else(|e| panic!("{e}"));
        elapsed
    })
}

fn change(strategy: &'static str, weighted: bool) -> Body {
    timed_on(
        move || pool(named(strategy), MANY, weighted),
        |pool, number| {
            let spec = newcomer(number);
            let id = spec.id.clone();
            let elapsed = time(|| pool.register(spec).unwrap_or_else(|e| panic!("{e}")));
            pool.deregister(&id).unwrap_or_else(|e| panic!("{e}"));
            elapsed
        },
    )
}

fn weighted(strategy: &'static str) -> impl Fn() -> Pool {
    move || pool(named(strategy), MANY, true)
}

fn everything() -> Pool {
    guarded::everything_on(MANY)
}

/// Three failures make a node unhealthy; the time is that of the last report and of the choice that follows it.
fn flip(make: impl Fn() -> Pool + 'static) -> Body {
    timed_on(make, |pool, number| {
        let (id, node) = ill(pool, number, 2);
        let elapsed = time(|| {
            let changed = pool.report(&id, Outcome::Failure).unwrap_or_else(|e| panic!("{e}"));
            assert!(changed, "the report changed nothing");
            pool.choose(&Request::new().key(&id))
        });
        for i in 0..1000u64 {
            let chosen = pool.choose(&Request::new().key(&i.to_le_bytes()));
            assert!(chosen.is_ok_and(|c| c != node), "an unhealthy node was chosen");
        }
        heal(pool, &id);
        elapsed
    })
}

fn maintain(make: impl Fn() -> Pool + 'static) -> Body {
    timed_on(make, |pool, number| {
        let (id, _) = ill(pool, number, 3);
        let elapsed = time(|| assert!(pool.maintain(now_ns()).rebuilt, "nothing was rebuilt"));
        heal(pool, &id);
        elapsed
    })
}

/// A node after so many failures.
fn ill(pool: &Pool, number: u64, failures: usize) -> (String, loadwise::NodeRef) {
    let id = address(number as usize * 7919 % MANY);
    let node = pool.node(&id).unwrap_or_else(|| panic!("{id} is not there"));
    for _ in 0..failures {
        pool.report(&id, Outcome::Failure).unwrap_or_else(|e| panic!("{e}"));
    }
    (id, node)
}

fn heal(pool: &Pool, id: &str) {
    for _ in 0..3 {
        pool.report(id, Outcome::Success).unwrap_or_else(|e| panic!("{e}"));
    }
}

fn maglev(n: usize) -> Body {
    one(move |_| Maglev::with_capacity((0..n).map(address), 65_537))
}

fn ring_of(n: usize) -> HashRing<(u32, u32)> {
    let mut ring = HashRing::new();
    ring.batch_add((0..n).flat_map(|i| points_of(i, ring_points(n))).collect());
    ring
}

fn ring(n: usize) -> Body {
    one(move |_| ring_of(n))
}

fn change_ring(n: usize) -> Body {
    let mut ring = None;
    timed(move |number| {
        let ring = ring.get_or_insert_with(|| ring_of(n));
        let points: Vec<_> = points_of(n + number as usize, ring_points(n)).collect();
        let elapsed = time(|| ring.batch_add(points.clone()));
        for point in &points {
            ring.remove(point);
        }
        elapsed
    })
}
