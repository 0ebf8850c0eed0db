//! `most_available`: at random among those whose remaining quota is within ε of the best.
//!
//! ```text
//! best = largest remaining ratio of all fit candidates
//! one of those with ratio ≥ best − ε, each alike
//! ```
//!
//! Cost: every candidate is read twice. A single winner would draw all traffic until its quota is spent; ε spreads it.

use super::candidates::Candidates;
use super::slice::Slice;
use super::told::Told;
use super::{SelectionContext, Strategy};
use crate::vocabulary::node::RateMetric;
use crate::vocabulary::rng::Draws;

/// Those with most of their quota left, ε wide. A ratio that is NaN counts as 0.
///
/// ```
/// use loadwise::{RateMetric, SelectionContext, Strategy, strategy::MostAvailable};
///
/// struct Account(f64);
/// impl RateMetric for Account {
///     fn remaining_ratio(&self) -> f64 { self.0 }
/// }
///
/// let accounts = [Account(0.1), Account(0.9), Account(0.88)];
/// let chosen = MostAvailable::default().select(&accounts, &SelectionContext::default());
/// assert!(matches!(chosen, Some(1 | 2)));
/// ```
#[derive(Debug, bon::Builder)]
pub struct MostAvailable {
    /// Ratios that differ by no more than this are alike; what is no such width is taken as 0. **Default: 0.05.**
    #[builder(default = 0.05)]
    epsilon: f64,
}

impl Default for MostAvailable {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl<N: RateMetric> Strategy<N> for MostAvailable {
    fn select(&self, candidates: &[N], ctx: &SelectionContext) -> Option<usize> {
        choose(Slice::new(candidates, ctx), &mut Draws::of_thread(), self.epsilon, |c| candidates[c].remaining_ratio())
    }
}

/// One of the candidates within `epsilon` of the best ratio.
pub(crate) fn choose<V: Candidates>(
    view: V,
    draws: &mut Draws,
    epsilon: f64,
    ratio: impl Fn(usize) -> f64,
) -> Option<usize> {
    let known = |c| {
        let r = ratio(c);
        if r.is_nan() { 0.0 } else { r }
    };
    let epsilon = if epsilon.is_finite() { epsilon.max(0.0) } else { 0.0 };
    let mut best = f64::NEG_INFINITY;
    view.for_each(|c| {
        if view.fit(c) {
            best = best.max(known(c));
        }
    });
    let mut chosen = None;
    let mut count = 0;
    view.for_each(|c| {
        if view.fit(c) && known(c) >= best - epsilon {
            view.tell(|| Told::Equal(c));
            count += 1;
            if draws.below(count) == 0 {
                chosen = Some(c);
            }
        }
    });
    chosen
}
