//! Sessions that stay on their nodes: a look-up beside caches that others have, and picks.

use std::time::Duration;

use dashmap::DashMap;
use loadwise::{NodeRef, Outcome, Pool, Request, now_ns};
use moka::sync::Cache;

use crate::OURS;
use crate::bound::Bound;
use crate::guarded::{self, plain};
use crate::harness::{Body, Case, one};
use crate::input::address;
use crate::pools::{self, pick_and_finish};

const MOKA: &str = "moka 0.12";
const DASHMAP: &str = "dashmap 6, no expiry";
const NODES: usize = 1000;
const SESSIONS: u64 = 100_000;
const LOOK_UP: &str = "session: look-up among 100 000";

pub fn cases() -> Vec<Case> {
    let fresh = |make: fn() -> Body| Body::Fresh(1, Box::new(make));
    let case = |what: String, who, body, bound| Case { what, n: NODES, who, body, bound };
    let pick = |name: &str| pools::verb_of(guarded::PICK, name);
    vec![
        case(LOOK_UP.into(), OURS, fresh(look_up), Some(Bound::Absolute(100.0))),
        case(LOOK_UP.into(), MOKA, fresh(moka), None),
        case(LOOK_UP.into(), DASHMAP, fresh(dashmap), None),
        case(pick("p2c, one of 100 000 known sessions"), OURS, fresh(known), None),
        case(pick("p2c, a new session, 100 000 known"), OURS, fresh(new), None),
    ]
}

/// As long as other keys of this benchmark, and worked out: keys in memory would miss the caches, too.
fn session(number: u64) -> [u8; 24] {
    let mut bytes = *b"session-________________";
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    bytes[16..].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    bytes
}

/// One of those that are known, in no order that a processor would foresee.
fn known_session(i: u64) -> [u8; 24] {
    let mixed = (i ^ i >> 15).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    session((mixed ^ mixed >> 31) % SESSIONS)
}

fn full_pool() -> Pool {
    let pool = guarded::pool("{strategy: p2c, affinity: true}", NODES, plain);
    let now = now_ns();
    for number in 0..SESSIONS {
        let id = address(number as usize % NODES);
        pool.set_affinity_at(session(number), &id, now).unwrap_or_else(|e| panic!("{e}"));
    }
    let kept = (0..SESSIONS).filter(|&number| pool.affinity_at(session(number), now).is_some()).count() as u64;
    assert!(kept > SESSIONS * 99 / 100, "only {kept} sessions are remembered");
    pool
}

fn look_up() -> Body {
    let (pool, now) = (full_pool(), now_ns());
    one(move |i| pool.affinity_at(known_session(i), now))
}

fn node(number: u64) -> NodeRef {
    NodeRef { index: (number % NODES as u64) as u32, generation: 1 }
}

/// Twice as large as need be: at its bound it does not let all of them in.
fn moka() -> Body {
    let cache = Cache::builder().max_capacity(2 * SESSIONS).time_to_idle(Duration::from_secs(3600)).build();
    (0..SESSIONS).for_each(|number| cache.insert(session(number), node(number)));
    cache.run_pending_tasks();
    assert_eq!(cache.entry_count(), SESSIONS, "sessions of the cache");
    one(move |i| cache.get(&known_session(i)))
}

fn dashmap() -> Body {
    let map: DashMap<_, _> = (0..SESSIONS).map(|number| (session(number), node(number))).collect();
    one(move |i| map.get(&known_session(i)).map(|node| *node))
}

fn known() -> Body {
    let pool = full_pool();
    one(move |i| pick_and_finish(&pool, &Request::new().session(&known_session(i)), Outcome::Success))
}

fn new() -> Body {
    let pool = full_pool();
    let mut number = SESSIONS;
    one(move |_| {
        number += 1;
        pick_and_finish(&pool, &Request::new().session(&session(number)), Outcome::Success)
    })
}
