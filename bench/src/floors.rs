//! What nothing can be faster than, on this machine in this run.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::FLOOR;
use crate::harness::{Body, Case, many, one};
use crate::input::keys;

/// F.
pub const ATOMIC: &str = "atomic addition, uncontended (F)";
pub const CLOCK: &str = "clock_gettime";

thread_local! {
    static LOCAL: Cell<u64> = const { Cell::new(0) };
}

pub fn cases() -> Vec<Case> {
    let keys = keys();
    let mutex = Mutex::new(0u64);
    let mut state = 1u64;
    let counter = AtomicU64::new(0);
    let shared = AtomicU64::new(0);
    vec![
        case(ATOMIC, one(move |_| counter.fetch_add(1, Ordering::Relaxed))),
        case("atomic addition, all on one cache line", many(2, move |_| shared.fetch_add(1, Ordering::Relaxed))),
        case("random number (SplitMix64)", one(move |_| next(&mut state))),
        case(CLOCK, one(|_| Instant::now())),
        case("thread-local variable", one(|i| LOCAL.with(|v| v.replace(i)))),
        case("mutex, uncontended", one(move |i| *mutex.lock().unwrap_or_else(|e| e.into_inner()) = i)),
        case("XXH3-64 of 24 bytes", one(move |i| xxhash_rust::xxh3::xxh3_64(keys.at(i)))),
        case("empty loop", one(|i| i)),
    ]
}

fn case(what: &str, body: Body) -> Case {
    Case { what: what.into(), n: 0, who: FLOOR, body, bound: None }
}

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
