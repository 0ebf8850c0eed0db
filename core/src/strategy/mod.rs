//! Strategies: one file an algorithm.
//!
//! Each rule is written once over the `Candidates` view, and serves both the [`Strategy`] trait over a user's own slice and
//! a [`Pool`](crate::Pool). Over a slice:
//!
//! | strategy | needs | chooses |
//! |---|---|---|
//! | [`RoundRobin`] | | in turn |
//! | [`WeightedRoundRobin`] | `Weighted + Node` | in turn by weight, smoothly |
//! | [`Random`], [`WeightedRandom`] | –, `Weighted` | at random, by weight |
//! | [`LeastLoad`] | `LoadMetric` | the lowest load |
//! | [`PowerOfTwoChoices`] | `LoadMetric` | the better of two at random |
//! | [`ConsistentHash`] | `Node` | by key, on a ring |
//! | [`MostAvailable`] | `RateMetric` | among those with most quota left |
//! | [`WithFallback`], [`FallbackChain`] | | the next strategy when one finds nobody |

pub(crate) mod adaptive;
pub(crate) mod candidates;
mod chain;
pub(crate) mod draw;
pub(crate) mod fastest;
pub(crate) mod hashing;
pub(crate) mod least;
pub(crate) mod maglev;
pub(crate) mod most_available;
pub(crate) mod p2c;
pub(crate) mod random;
pub(crate) mod rendezvous;
pub(crate) mod ring_hash;
pub(crate) mod round_robin;
mod slice;
pub(crate) mod told;
pub(crate) mod two_choices;
pub(crate) mod weighted_round_robin;

pub use chain::{FallbackChain, WithFallback};
pub use least::LeastLoad;
pub use most_available::MostAvailable;
pub use p2c::PowerOfTwoChoices;
pub(crate) use p2c::rank as rank_load;
pub use random::{Random, WeightedRandom};
pub use ring_hash::ConsistentHash;
pub use round_robin::RoundRobin;
pub use weighted_round_robin::WeightedRoundRobin;

pub use crate::vocabulary::context::SelectionContext;

/// Chooses a candidate of a slice.
///
/// Takes `&self`: what a strategy keeps, it keeps behind atomics. Own strategies implement this, over any type, and run
/// over a slice or in a [`Pool`](crate::Pool):
///
/// ```
/// use loadwise::{SelectionContext, Strategy};
///
/// struct Last;
/// impl<N> Strategy<N> for Last {
///     fn select(&self, candidates: &[N], ctx: &SelectionContext) -> Option<usize> {
///         (0..candidates.len()).rev().find(|&i| !ctx.is_excluded(i))
///     }
/// }
///
/// assert_eq!(Last.select(&["a", "b"], &SelectionContext::default()), Some(1));
/// ```
pub trait Strategy<N>: Send + Sync {
    /// The index of the chosen candidate; `None` if there are none, or the context excludes all.
    fn select(&self, candidates: &[N], ctx: &SelectionContext) -> Option<usize>;
}
