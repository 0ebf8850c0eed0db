//! `random`: every fit candidate alike. `weighted_random`: by weight.
//!
//! ```text
//! c = draw from all, or from the alias table
//! ```
//!
//! Cost: one load of the table and one of the candidate's state; nothing is written. It fails by being blind: neither
//! load nor latency is looked at, so queues are as long as chance makes them.

use super::candidates::{Candidates, Uniform};
use super::draw::{Scan, draw_fit};
use super::slice::{Slice, WeightedSlice};
use super::{SelectionContext, Strategy};
use crate::vocabulary::node::Weighted;
use crate::vocabulary::rng::Draws;

/// Uniformly random selection.
///
/// ```
/// use loadwise::{SelectionContext, Strategy, strategy::Random};
///
/// let nodes = ["a", "b", "c"];
/// let ctx = SelectionContext::builder().exclude(vec![0, 2]).build();
/// assert_eq!(Random::new().select(&nodes, &ctx), Some(1));
/// ```
#[derive(Debug, Default, Clone, Copy)]
pub struct Random;

impl Random {
    pub fn new() -> Self {
        Self
    }
}

impl<N> Strategy<N> for Random {
    fn select(&self, candidates: &[N], ctx: &SelectionContext) -> Option<usize> {
        let view = Slice::new(candidates, ctx);
        draw_fit(view, Uniform(candidates.len(), |i| i), &mut Draws::of_thread(), Scan::Evenly)
    }
}

/// Random selection in proportion to weight. A weight of 0 is never selected.
///
/// ```
/// use loadwise::{SelectionContext, Strategy, Weighted, strategy::WeightedRandom};
///
/// struct Server(u32);
/// impl Weighted for Server {
///     fn weight(&self) -> u32 { self.0 }
/// }
///
/// let servers = [Server(0), Server(3)];
/// assert_eq!(WeightedRandom::new().select(&servers, &SelectionContext::default()), Some(1));
/// ```
#[derive(Debug, Default, Clone, Copy)]
pub struct WeightedRandom;

impl WeightedRandom {
    pub fn new() -> Self {
        Self
    }
}

impl<N: Weighted> Strategy<N> for WeightedRandom {
    /// Reads every weight: what was derived from a slice would have to be checked against all of it anyway.
    fn select(&self, candidates: &[N], ctx: &SelectionContext) -> Option<usize> {
        let view = WeightedSlice::new(candidates, ctx);
        let weight = |c: usize| if view.fit(c) { u64::from(view.weight(c)) } else { 0 };
        let sum: u64 = (0..candidates.len()).map(weight).sum();
        let mut point = Draws::of_thread().below(sum);
        (0..candidates.len()).find(|&c| {
            let mine = point < weight(c);
            point = point.saturating_sub(weight(c));
            mine
        })
    }
}
