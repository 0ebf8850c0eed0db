//! `p2c` over a user's own slice: two draws, the one with the lower load score; ties go to the first drawn.

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
        let better = |a: usize, b: usize| rank(candidates[b].load_score()) < rank(candidates[a].load_score());
        two_choices::evenly(view, Uniform(candidates.len(), |i| i), &mut Draws::of_thread(), better)
    }
}

/// A load as an integer of the same order, all that is not finite as equally worst.
#[inline(always)]
pub(crate) fn rank(load: f64) -> i64 {
    if !load.is_finite() {
        return i64::MAX;
    }
    // Adding 0 makes one zero of two; of negative numbers, a larger magnitude is lower.
    let bits = (load + 0.0).to_bits() as i64;
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_in_the_order_of_loads() {
        let loads = [f64::MIN, -2.0, -1.0, -f64::MIN_POSITIVE, 0.0, 5e-324, 1.0, 1.5, f64::MAX];
        assert!(loads.is_sorted_by(|a, b| rank(*a) < rank(*b)));
        assert_eq!(rank(-0.0), rank(0.0));
        for worst in [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(rank(worst) == rank(f64::NAN) && rank(worst) > rank(f64::MAX));
        }
    }
}
