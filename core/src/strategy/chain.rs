//! The next strategy when one finds nobody.

use super::{SelectionContext, Strategy};

/// Tries `primary`, then `fallback` on the same candidates. Any depth, by nesting; costs nothing beyond the two.
///
/// ```
/// use loadwise::{SelectionContext, Strategy, strategy::{Random, RoundRobin, WithFallback}};
///
/// let strategy = WithFallback::new(Random::new(), RoundRobin::new());
/// assert_eq!(strategy.select(&["only"], &SelectionContext::default()), Some(0));
/// ```
#[derive(Debug)]
pub struct WithFallback<P, F> {
    primary: P,
    fallback: F,
}

impl<P, F> WithFallback<P, F> {
    pub fn new(primary: P, fallback: F) -> Self {
        Self { primary, fallback }
    }
}

impl<N, P: Strategy<N>, F: Strategy<N>> Strategy<N> for WithFallback<P, F> {
    fn select(&self, candidates: &[N], ctx: &SelectionContext) -> Option<usize> {
        self.primary.select(candidates, ctx).or_else(|| self.fallback.select(candidates, ctx))
    }
}

/// Tries strategies in order; for lists that are made at run time.
pub struct FallbackChain<N> {
    strategies: Vec<Box<dyn Strategy<N> + Send + Sync>>,
}

impl<N> FallbackChain<N> {
    pub fn new(strategies: Vec<Box<dyn Strategy<N> + Send + Sync>>) -> Self {
        Self { strategies }
    }
}

impl<N> std::fmt::Debug for FallbackChain<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FallbackChain").field("strategies", &self.strategies.len()).finish()
    }
}

impl<N> Strategy<N> for FallbackChain<N> {
    fn select(&self, candidates: &[N], ctx: &SelectionContext) -> Option<usize> {
        self.strategies.iter().find_map(|strategy| strategy.select(candidates, ctx))
    }
}
