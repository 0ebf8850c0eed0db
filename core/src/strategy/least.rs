//! The least of all: `least_load` by reported load, `least_request` by in flight ÷ weight.
//!
//! ```text
//! of all fit candidates, those with the lowest score; of these one at random
//! ```
//!
//! Cost: every candidate is read; a pool whose `least_request` is exact keeps an index of more than 16 members of one
//! weight instead, see `state::index`. It fails by herding: everybody who looks at the same moment runs to the same
//! node; random ties help only among equals.

use std::cmp::Ordering;

use super::candidates::Candidates;
use super::p2c::rank;
use super::slice::Slice;
use super::told::Told;
use super::{SelectionContext, Strategy};
use crate::vocabulary::node::LoadMetric;
use crate::vocabulary::rng::Draws;

/// The lowest load score; ties at random. NaN and infinite loads are worst, and still selected when nothing else is left.
///
/// ```
/// use loadwise::{LoadMetric, SelectionContext, Strategy, strategy::LeastLoad};
///
/// struct Queue(f64);
/// impl LoadMetric for Queue {
///     fn load_score(&self) -> f64 { self.0 }
/// }
///
/// let queues = [Queue(3.0), Queue(1.0), Queue(f64::NAN)];
/// assert_eq!(LeastLoad.select(&queues, &SelectionContext::default()), Some(1));
/// ```
#[derive(Debug, Default, Clone, Copy)]
pub struct LeastLoad;

impl LeastLoad {
    pub fn new() -> Self {
        Self
    }
}

impl<N: LoadMetric> Strategy<N> for LeastLoad {
    fn select(&self, candidates: &[N], ctx: &SelectionContext) -> Option<usize> {
        let view = Slice::new(candidates, ctx);
        if !view.is_whole() {
            return choose(view, &mut Draws::of_thread(), |c| rank(candidates[c].load_score()), |a, b| a.cmp(&b));
        }
        least_of_all(candidates)
    }
}

/// Candidates of a block.
const BLOCK: usize = 64;

/// The same rule where nothing is excluded: the lowest of each block without a branch, then only the blocks that have it.
fn least_of_all<N: LoadMetric>(candidates: &[N]) -> Option<usize> {
    let mut best = f64::INFINITY;
    let (mut first, mut last) = (0, 0);
    for (at, block) in candidates.chunks(BLOCK).enumerate() {
        let lowest = lowest_of(block);
        if lowest < best {
            (best, first) = (lowest, at);
        }
        if lowest <= best {
            last = at;
        }
    }
    let blocks = &candidates[first * BLOCK..((last + 1) * BLOCK).min(candidates.len())];
    let lowest = || blocks.iter().enumerate().filter(|(_, n)| n.load_score() == best).map(|(i, _)| first * BLOCK + i);
    match (best.is_finite(), lowest().count()) {
        (true, 1) => lowest().next(),
        (true, ties @ 2..) => lowest().nth(Draws::of_thread().below(ties as u64) as usize),
        _ => None,
    }
    .or_else(|| one_by_one(candidates))
}

/// For loads that are not all numbers, or change while they are read.
#[cold]
fn one_by_one<N: LoadMetric>(candidates: &[N]) -> Option<usize> {
    let context = SelectionContext::default();
    let view = Slice::new(candidates, &context);
    choose(view, &mut Draws::of_thread(), |c| rank(candidates[c].load_score()), |a, b| a.cmp(&b))
}

/// The lowest score, not a number being none; infinite if there is none. In lanes, so that no comparison waits for the
/// one before.
#[inline(always)]
fn lowest_of<N: LoadMetric>(candidates: &[N]) -> f64 {
    let lower = |a: f64, b: f64| if b < a { b } else { a };
    let mut lanes = [f64::INFINITY; 8];
    let mut eights = candidates.chunks_exact(8);
    for eight in &mut eights {
        for (lane, n) in lanes.iter_mut().zip(eight) {
            *lane = lower(*lane, n.load_score());
        }
    }
    let rest = eights.remainder().iter().fold(f64::INFINITY, |lowest, n| lower(lowest, n.load_score()));
    if candidates.len() < 8 { rest } else { lanes.into_iter().fold(rest, lower) }
}

/// The lowest score by `order`; ties by weight at random.
#[inline]
pub(crate) fn choose<V: Candidates, S: Copy>(
    view: V,
    draws: &mut Draws,
    score: impl Fn(usize) -> S,
    order: impl Fn(S, S) -> Ordering,
) -> Option<usize> {
    let mut best: Option<(usize, S)> = None;
    let mut sum = 0u64;
    view.for_each(|c| {
        if !view.fit(c) {
            return;
        }
        let (score, weight) = (score(c), u64::from(view.weight(c)));
        match best.map_or(Ordering::Less, |(_, lowest)| order(score, lowest)) {
            Ordering::Less => {
                view.tell(|| Told::Best(c));
                (best, sum) = (Some((c, score)), weight);
            }
            // The i-th of the equal replaces the chosen with probability wᵢ / Σ so far.
            Ordering::Equal => {
                view.tell(|| Told::Equal(c));
                sum += weight;
                if draws.below(sum) < weight {
                    best = Some((c, score));
                }
            }
            Ordering::Greater => {}
        }
    });
    best.map(|(c, _)| c)
}
