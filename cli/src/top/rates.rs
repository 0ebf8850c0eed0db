//! What happens a second: the difference of two looks.

use std::collections::HashMap;

use loadwise::FailureKind;
use loadwise::stats::{NodeStats, PoolStats};

use super::counterparts::Counterparts;
use super::look::Look;

/// What happened from one look to the next. Of what was not there before, or began to count anew, nothing is known.
#[derive(Debug, Default)]
pub struct Rates {
    pools: HashMap<String, PoolRates>,
}

#[derive(Debug, Default)]
pub struct PoolRates {
    pub all: Rate,
    /// Picks that found no node.
    pub no_node_per_s: Option<f64>,
    pub retries_per_s: Option<f64>,
    /// By the places of nodes in the later look.
    nodes: Vec<Option<Rate>>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rate {
    pub picks_per_s: Option<f64>,
    pub answered: u64,
    pub failures: u64,
    /// Kinds that there were.
    pub failures_by_kind: Vec<(FailureKind, u64)>,
}

impl Rates {
    pub fn between(before: &Look, after: &Look) -> Self {
        let seconds = after.now_ns.saturating_sub(before.now_ns) as f64 / 1e9;
        let pools = after.pools.iter().filter_map(|pool| {
            let (before, after) = (&before.pool(&pool.stats.name)?.stats, &pool.stats);
            Some((after.name.clone(), PoolRates::between(before, after, seconds)?))
        });
        Self { pools: pools.collect() }
    }

    pub fn pool(&self, name: &str) -> Option<&PoolRates> {
        self.pools.get(name)
    }

    /// Of all pools together; picks only if they are known of any.
    pub fn all(&self) -> Rate {
        let rates = || self.pools.values().map(|pool| &pool.all);
        Rate {
            picks_per_s: rates().filter_map(|rate| rate.picks_per_s).reduce(|a, b| a + b),
            answered: rates().map(|rate| rate.answered).sum(),
            failures: rates().map(|rate| rate.failures).sum(),
            failures_by_kind: Vec::new(),
        }
    }

    /// Picks of all pools that found no node.
    pub fn no_node_per_s(&self) -> Option<f64> {
        self.pools.values().filter_map(|pool| pool.no_node_per_s).reduce(|a, b| a + b)
    }
}

impl PoolRates {
    fn between(before: &PoolStats, after: &PoolStats, seconds: f64) -> Option<Self> {
        let no_node = |stats: &PoolStats| stats.no_node.iter().map(|(_, count)| count).sum::<u64>();
        let per_s =
            |before: u64, after: u64| Some(after.checked_sub(before)? as f64 / seconds).filter(|_| seconds > 0.0);
        let earlier = Counterparts::new(&before.nodes);
        let nodes = after.nodes.iter().enumerate().map(|(place, node)| {
            let before = Counts::of_node(earlier.of(place, &node.id)?);
            Counts::of_node(node).since(&before, seconds)
        });
        Some(Self {
            all: Counts::of_pool(after).since(&Counts::of_pool(before), seconds)?,
            no_node_per_s: per_s(no_node(before), no_node(after)),
            retries_per_s: per_s(before.retries, after.retries),
            nodes: nodes.collect(),
        })
    }

    /// Of the node at a place of the later look.
    pub fn node(&self, place: usize) -> Option<&Rate> {
        self.nodes.get(place)?.as_ref()
    }
}

impl Rate {
    /// The share of failures in what was answered; `None` if nothing was.
    pub fn error_share(&self) -> Option<f64> {
        share_of_failures(self.failures, self.answered)
    }
}

/// The share of failures in what was answered since the counting began; `None` if nothing was.
pub fn error_share_of(stats: &NodeStats) -> Option<f64> {
    let counts = Counts::of_node(stats);
    share_of_failures(counts.failures(), counts.answered)
}

fn share_of_failures(failures: u64, answered: u64) -> Option<f64> {
    (answered > 0).then(|| failures as f64 / answered as f64)
}

/// What has been counted since the beginning.
struct Counts<'a> {
    selections: u64,
    /// What ended with an answer or a failure: not what was cancelled, for which nobody is to blame.
    answered: u64,
    by_kind: &'a [(FailureKind, u64)],
}

impl<'a> Counts<'a> {
    fn of_node(node: &'a NodeStats) -> Self {
        let answered = node.successes + node.failures + node.rate_limited;
        Self { selections: node.selections, answered, by_kind: &node.failures_by_kind }
    }

    fn of_pool(pool: &'a PoolStats) -> Self {
        let answered = pool.successes + pool.failures + pool.rate_limited;
        Self { selections: pool.selections, answered, by_kind: &pool.failures_by_kind }
    }

    fn failures(&self) -> u64 {
        self.by_kind.iter().map(|(_, count)| count).sum()
    }

    /// `None` if counts fell: somebody else is counted there now.
    fn since(&self, before: &Self, seconds: f64) -> Option<Rate> {
        let mut failures_by_kind = Vec::new();
        for &(kind, count) in self.by_kind {
            let earlier = before.by_kind.iter().find(|(other, _)| *other == kind).map_or(0, |(_, count)| *count);
            let since = count.checked_sub(earlier)?;
            if since > 0 {
                failures_by_kind.push((kind, since));
            }
        }
        let picks = self.selections.checked_sub(before.selections)?;
        Some(Rate {
            picks_per_s: (seconds > 0.0).then(|| picks as f64 / seconds),
            // Picks that are about to end can be seen as neither.
            answered: self.answered.saturating_sub(before.answered),
            failures: failures_by_kind.iter().map(|(_, count)| count).sum(),
            failures_by_kind,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadwise::{Engine, Report, Request};

    #[test]
    fn what_is_told_is_the_difference_of_two_looks() {
        let engine = Engine::from_config("{strategy: round_robin, nodes: [a, b]}").unwrap();
        let pool = engine.pool("default").unwrap();
        let work = |reports: &[Report<'_>]| {
            for report in reports {
                let lease = pool.acquire(&Request::new().exclude(&["b"])).unwrap();
                pool.release(lease.ticket, *report).unwrap();
            }
        };
        let (timeout, reset) = (Report::failure(FailureKind::Timeout), Report::failure(FailureKind::Reset));
        work(&[Report::success(), timeout]);
        let before = Look::at(&engine, 0);
        work(&[Report::success(), Report::success(), reset, Report::cancelled()]);
        pool.acquire(&Request::new().exclude(&["b"])).unwrap();
        assert!(pool.acquire(&Request::new().exclude(&["a", "b"])).is_err());
        let after = Look { now_ns: before.now_ns + 2_000_000_000, ..Look::at(&engine, 0) };
        let rates = Rates::between(&before, &after);
        let pool_rates = rates.pool("default").unwrap();
        let a = pool_rates.node(0).unwrap();
        assert_eq!((a.picks_per_s, a.answered, a.failures), (Some(2.5), 3, 1));
        assert_eq!((a.error_share(), &a.failures_by_kind[..]), (Some(1.0 / 3.0), &[(FailureKind::Reset, 1)][..]));
        let b = pool_rates.node(1).unwrap();
        assert_eq!((b.picks_per_s, b.error_share()), (Some(0.0), None));
        assert_eq!((pool_rates.all.picks_per_s, pool_rates.no_node_per_s), (Some(2.5), Some(0.5)));
        assert_eq!((rates.all().picks_per_s, rates.no_node_per_s()), (Some(2.5), Some(0.5)));
        assert_eq!(error_share_of(&after.pools[0].stats.nodes[0]), Some(0.4), "two of five, since the beginning");
    }

    #[test]
    fn nothing_is_known_of_what_is_new_or_counts_anew() {
        let engine = Engine::from_config("nodes: [a]").unwrap();
        let pool = engine.pool("default").unwrap();
        pool.acquire(&Request::new()).unwrap();
        let before = Look::at(&engine, 0);
        let later = |engine: &Engine| Look { now_ns: before.now_ns + 1_000_000_000, ..Look::at(engine, 0) };
        pool.register("b").unwrap();
        let rates = Rates::between(&before, &later(&engine));
        let pool_rates = rates.pool("default").unwrap();
        assert!(pool_rates.node(0).is_some() && pool_rates.node(1).is_none());
        let anew = Engine::from_config("nodes: [a]").unwrap();
        let rates = Rates::between(&before, &later(&anew));
        assert!(rates.pool("default").is_none());
        assert_eq!(rates.all(), Rate::default());
        // Two looks at one instant.
        let rates = Rates::between(&before, &before);
        assert_eq!(rates.all().picks_per_s, None);
    }
}
