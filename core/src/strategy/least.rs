//! The least of all: `least_load` by reported load, `least_request` by in flight ÷ weight.
//!
//! ```text
//! of all fit candidates, those with the lowest score; of these one at random
//! ```
//!
//! Cost: every candidate is read. It fails by herding: everybody who looks at the same moment runs to the same node;
//! random ties help only among equals.

use std::cmp::Ordering;

use super::candidates::Candidates;
use super::p2c::rank;
use super::slice::Slice;
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

/// The same rule where nothing is excluded, as two passes without branches: the lowest score, then who has it.
fn least_of_all<N: LoadMetric>(candidates: &[N]) -> Option<usize> {
    // NaN and infinities compare as the largest number, so that the passes need no special case.
    let score = |n: &N| {
        let s = n.load_score();
        if s.is_finite() { s } else { f64::INFINITY }
    };
    let mut lanes = [f64::INFINITY; 8];
    let mut chunks = candidates.chunks_exact(8);
    for chunk in &mut chunks {
        for (lane, n) in lanes.iter_mut().zip(chunk) {
            let s = score(n);
            *lane = if s < *lane { s } else { *lane };
        }
    }
    let tail = chunks.remainder().iter().map(score);
    let best = lanes.into_iter().chain(tail).fold(f64::INFINITY, f64::min);
    let ties = candidates.iter().filter(|n| score(n) == best).count();
    let wanted = if ties > 1 { Draws::of_thread().below(ties as u64) as usize } else { 0 };
    candidates.iter().enumerate().filter(|(_, n)| score(n) == best).nth(wanted).map(|(i, _)| i)
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
            Ordering::Less => (best, sum) = (Some((c, score)), weight),
            // The i-th of the equal replaces the chosen with probability wᵢ / Σ so far.
            Ordering::Equal => {
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
