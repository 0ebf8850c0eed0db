//! What operators do to a pool: look inside, reload, have it do what is due.

use std::fmt::Write;

use loadwise::{Engine, Pool, Request, now_ns};

use crate::OURS;
use crate::guarded::{HISTOGRAMS, configured, everything_and, everything_on, placed_and_limited, use_all};
use crate::harness::{Body, Case, timed};
use crate::tables::{time, timed_on};

const NODES: usize = 1000;

pub fn cases() -> Vec<Case> {
    let case = |what: &str, n, body| Case { what: what.into(), n, who: OURS, body, bound: None };
    let maintain = |n| case("maintain: everything on, no occasion", n, with(n, |pool| pool.maintain(now_ns())));
    vec![
        maintain(NODES),
        maintain(10_000),
        case("reload: one weight changed, from YAML", NODES, reload_from()),
        case("reload: one weight changed, parsed already", NODES, reload()),
        case("look: nodes()", NODES, with(NODES, Pool::nodes)),
        case("look: stats()", NODES, with(NODES, Pool::stats)),
        case("look: prometheus()", NODES, with(NODES, Pool::prometheus)),
        case("look: explain()", NODES, with(NODES, |pool| pool.explain(&Request::new()))),
    ]
}

/// On a pool with everything on, whose every node was picked.
fn with<R>(n: usize, op: impl Fn(&Pool) -> R + 'static) -> Body {
    let make = move || {
        let pool = everything_on(n);
        use_all(&pool);
        pool
    };
    timed_on(make, move |pool, _| time(|| op(pool)))
}

/// An engine's document, in which the first node has this weight.
fn document(weight: u64) -> String {
    let mut text = everything_and(HISTOGRAMS) + "nodes:\n";
    for i in 0..NODES {
        let node = placed_and_limited(i);
        let weight = if i == 0 { weight } else { 1 };
        let (id, tier, zone, max) = (node.id, node.tier, node.zone, node.max_in_flight);
        let _ =
            writeln!(text, "  - {{id: '{id}', tier: {tier}, zone: {zone}, max_in_flight: {max}, weight: {weight}}}");
    }
    text
}

fn reload_from() -> Body {
    let engine = Engine::from_config(&document(1)).unwrap_or_else(|e| panic!("{e}"));
    timed(move |number| {
        let text = document(1 + number % 2);
        time(|| engine.reload_from(&text).unwrap_or_else(|e| panic!("{e}")))
    })
}

fn reload() -> Body {
    let pool = everything_on(NODES);
    let mut config = configured(&everything_and(HISTOGRAMS), NODES, placed_and_limited);
    timed(move |number| {
        config.nodes[0].weight = 1 + number as u32 % 2;
        time(|| pool.reload(&config).unwrap_or_else(|e| panic!("{e}")))
    })
}
