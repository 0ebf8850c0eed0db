//! Thousands of lists of operations, on a pool and on a plain model of it in lockstep. A list on which they disagree is
//! shortened and printed.

#[path = "model/mod.rs"]
mod model;

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use loadwise::NoNodeReason;
use model::lockstep::Seen::{Bounded, CallbackFailed, Expired, Late, NginxTwin, Owner, Picked, Stale, Turn, Twin};
use model::lockstep::{Seen, run, run_beside};
use model::ops::{Op, Random, Setup, Source};
use model::shrink::shrink;

const LISTS: u64 = if cfg!(debug_assertions) { 300 } else { 4_000 };
const OPS_MAX: u32 = 1_000;

/// What goes wrong, if anything does: a disagreement, or a panic.
fn failure(run: impl Fn() -> Result<(), String>) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.err(),
        Err(panic) => Some(match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => panic.downcast::<&str>().map_or_else(|_| "a panic".to_owned(), |text| text.to_string()),
        }),
    }
}

/// Panics that are asked for are not worth a line each.
fn quietly() {
    std::panic::set_hook(Box::new(|info| {
        if info.payload().downcast_ref() != Some(&"as asked for") {
            eprintln!("{info}");
        }
    }));
}

fn list(seed: u64) -> (Setup, Vec<Op>) {
    let mut random = Random(seed);
    let setup = Setup::draw(&mut random);
    let len = 1 + random.below(OPS_MAX);
    (setup, (0..len).map(|_| Op::draw(&mut random, true)).collect())
}

#[test]
fn pools_do_as_the_model_does() {
    quietly();
    let seen = RefCell::new(HashMap::<String, u64>::new());
    for seed in 0..LISTS {
        let (setup, ops) = list(seed);
        let count = |s: Seen| *seen.borrow_mut().entry(format!("{s:?}")).or_default() += 1;
        if failure(|| run_beside(&setup, &ops, &setup, &mut { count })).is_some() {
            let shortest = shrink(ops, |ops| failure(|| run(&setup, ops)).is_some());
            let why = failure(|| run(&setup, &shortest)).unwrap_or_default();
            let shortest: Vec<String> = shortest.iter().map(|op| format!("{op:?},")).collect();
            panic!("list {seed}: {why}\n{setup:?}\n{}", shortest.join("\n"));
        }
    }
    // Lists that never come to what is compared would prove nothing.
    use NoNodeReason::*;
    let reasons = [Empty, AllExcluded, NoMatch, Unhealthy, Draining, Saturated].map(Seen::NoNode);
    let others = [Turn, Owner, Twin, NginxTwin, Bounded, Late, Stale, Expired, CallbackFailed, Picked];
    for what in reasons.into_iter().chain(others) {
        let times = seen.borrow().get(&format!("{what:?}")).copied().unwrap_or(0);
        assert!(times > 0, "{what:?} never came up: {seen:?}");
    }
}

/// The comparison finds what it should, and the list that is printed is short.
#[test]
fn a_model_that_is_wrong_is_found() {
    quietly();
    let (setup, ops) = list(1);
    // Seeded, so that a list fails each time or never.
    let setup = Setup { seed: Some(7), failure_threshold: 3, max_nodes: 8, ..setup };
    let wrong = Setup { failure_threshold: 4, ..setup.clone() };
    assert_eq!(run(&setup, &ops), Ok(()));
    let fails = |ops: &[Op]| run_beside(&setup, ops, &wrong, &mut |_| ()).is_err();
    assert!(fails(&ops));
    let shortest = shrink(ops, fails);
    // A node and three failures, each with a pick of its own and hardly more.
    assert!(shortest.len() <= 10, "{} operations: {shortest:?}", shortest.len());
}
