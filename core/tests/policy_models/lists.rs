//! Draws lists of operations, runs them, and shortens those that fail.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub const LISTS: u64 = if cfg!(debug_assertions) { 150 } else { 4_000 };
const OPS_MAX: u32 = 1_000;

/// SplitMix64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }

    pub fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }

    pub fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }
}

/// What came up, so that lists which prove nothing are noticed.
#[derive(Debug, Default)]
pub struct Seen(BTreeMap<&'static str, u64>);

impl Seen {
    pub fn note(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    #[track_caller]
    pub fn must_have(&self, all: &[&'static str]) {
        for what in all {
            assert!(self.0.contains_key(what), "{what} never came up: {self:?}");
        }
    }
}

/// A policy's model beside the pool.
pub trait Lockstep {
    type Setup: Debug;
    type Op: Debug + Clone;

    fn setup(random: &mut Random) -> Self::Setup;
    fn op(random: &mut Random) -> Self::Op;
    /// Runs all operations; the first disagreement, with its place.
    fn run(setup: &Self::Setup, ops: &[Self::Op], seen: &mut Seen) -> Result<(), String>;
}

/// Fails unless both are the same.
pub fn same<T: PartialEq + Debug>(what: &str, pool: T, model: T) -> Result<(), String> {
    if pool == model { Ok(()) } else { Err(format!("{what}: the pool has {pool:?}, the model {model:?}")) }
}

/// What went wrong, if anything did: a disagreement, or a panic.
fn failure<L: Lockstep>(setup: &L::Setup, ops: &[L::Op], seen: &mut Seen) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(|| L::run(setup, ops, seen))) {
        Ok(result) => result.err(),
        Err(panic) => Some(match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => panic.downcast::<&str>().map_or_else(|_| "a panic".to_owned(), |text| text.to_string()),
        }),
    }
}

/// All lists; what they came to.
#[track_caller]
pub fn check<L: Lockstep>() -> Seen {
    let mut seen = Seen::default();
    for seed in 0..LISTS {
        let mut random = Random::new(seed);
        let setup = L::setup(&mut random);
        let ops: Vec<L::Op> = (0..1 + random.below(u64::from(OPS_MAX))).map(|_| L::op(&mut random)).collect();
        if failure::<L>(&setup, &ops, &mut seen).is_some() {
            let shortest = shrink::<L>(&setup, ops);
            let why = failure::<L>(&setup, &shortest, &mut seen).unwrap_or_default();
            let shortest: Vec<String> = shortest.iter().map(|op| format!("{op:?},")).collect();
            panic!("list {seed}: {why}\n{setup:?}\n{}", shortest.join("\n"));
        }
    }
    seen
}

/// Drops halves, quarters, … and single operations while the rest still fails.
fn shrink<L: Lockstep>(setup: &L::Setup, mut ops: Vec<L::Op>) -> Vec<L::Op> {
    let mut chunk = ops.len().div_ceil(2);
    while chunk > 0 {
        let (mut at, before) = (0, ops.len());
        while at < ops.len() {
            let end = (at + chunk).min(ops.len());
            let rest: Vec<L::Op> = ops[..at].iter().chain(&ops[end..]).cloned().collect();
            if failure::<L>(setup, &rest, &mut Seen::default()).is_some() {
                ops = rest;
            } else {
                at = end;
            }
        }
        // The smallest chunks once more, as long as they help.
        chunk = if chunk == 1 && ops.len() < before { 1 } else { chunk / 2 };
    }
    ops
}

/// That a wrong model is found: `L` must fail on some list, and its shortest must be short.
#[track_caller]
pub fn finds<L: Lockstep>(most_ops: usize) {
    let mut random = Random::new(1);
    for _ in 0..50 {
        let setup = L::setup(&mut random);
        let ops: Vec<L::Op> = (0..500).map(|_| L::op(&mut random)).collect();
        if failure::<L>(&setup, &ops, &mut Seen::default()).is_some() {
            let shortest = shrink::<L>(&setup, ops);
            assert!(shortest.len() <= most_ops, "{} operations: {shortest:?}", shortest.len());
            return;
        }
    }
    panic!("nothing was found");
}
