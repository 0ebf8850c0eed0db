//! `p2c` over a user's own slice: two draws, the one with the lower load score; ties go to the first drawn.

use std::cmp::Ordering;

use super::candidates::Uniform;
use super::slice::Slice;
use super::{SelectionContext, Strategy, two_choices};
use crate::vocabulary::node::LoadMetric;
use crate::vocabulary::rng::Draws;

/// Power of two choices. NaN and infinite loads are worst, and still selected when nothing else is left.
///
/// ```
/// use loadwise::{LoadMetric, SelectionContext, Strategy, strategy::PowerOfTwoChoices};
///
/// struct Queue(f64);
/// impl LoadMetric for Queue {
///     fn load_score(&self) -> f64 { self.0 }
/// }
///
/// let queues = [Queue(9.0), Queue(1.0)];
/// assert_eq!(PowerOfTwoChoices::new().select(&queues, &SelectionContext::default()), Some(1));
/// ```
#[derive(Debug, Default, Clone, Copy)]
pub struct PowerOfTwoChoices;

impl PowerOfTwoChoices {
    pub fn new() -> Self {
        Self
    }
}

impl<N: LoadMetric> Strategy<N> for PowerOfTwoChoices {
    fn select(&self, candidates: &[N], ctx: &SelectionContext) -> Option<usize> {
        let view = Slice::new(candidates, ctx);
        let better =
            |a: usize, b: usize| compare(candidates[b].load_score(), candidates[a].load_score()) == Ordering::Less;
        two_choices::evenly(view, Uniform(candidates.len(), |i| i), &mut Draws::of_thread(), better)
    }
}

/// Orders loads, all that is not finite as equally worst.
#[inline(always)]
pub(crate) fn compare(a: f64, b: f64) -> Ordering {
    match (a.is_finite(), b.is_finite()) {
        (true, true) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => Ordering::Equal,
    }
}
