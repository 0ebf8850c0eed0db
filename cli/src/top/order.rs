//! In which order nodes are listed.

use std::cmp::{Ordering, Reverse};

use loadwise::stats::NodeStats;

use super::condition::grade;
use super::rates::PoolRates;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// As the pool has them.
    #[default]
    Declared,
    Id,
    State,
    InFlight,
    Rate,
    Latency,
    Errors,
}

impl Order {
    pub const ALL: [Self; 7] =
        [Self::Declared, Self::Id, Self::State, Self::InFlight, Self::Rate, Self::Latency, Self::Errors];

    pub fn name(self) -> &'static str {
        match self {
            Self::Declared => "as declared",
            Self::Id => "by id",
            Self::State => "by state, worst first",
            Self::InFlight => "by in flight",
            Self::Rate => "by rate",
            Self::Latency => "by latency",
            Self::Errors => "by errors",
        }
    }

    pub fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }

    pub fn previous(self) -> Self {
        Self::ALL[(self as usize + Self::ALL.len() - 1) % Self::ALL.len()]
    }

    /// The nodes' places in their order, equals as declared.
    pub fn of(self, nodes: &[NodeStats], rates: Option<&PoolRates>) -> Vec<usize> {
        let rate = |place: usize| rates.and_then(|rates| rates.node(place));
        let mut places: Vec<usize> = (0..nodes.len()).collect();
        let most = |figure: &dyn Fn(usize) -> Option<f64>, places: &mut Vec<usize>| {
            let figures: Vec<f64> = (0..nodes.len()).map(|place| figure(place).unwrap_or(f64::NEG_INFINITY)).collect();
            places.sort_by(|&a, &b| figures[b].partial_cmp(&figures[a]).unwrap_or(Ordering::Equal));
        };
        match self {
            Self::Declared => {}
            Self::Id => places.sort_by(|&a, &b| nodes[a].id.cmp(&nodes[b].id)),
            Self::State => places.sort_by_key(|&place| Reverse(grade(&nodes[place]))),
            Self::InFlight => places.sort_by_key(|&place| Reverse(nodes[place].in_flight)),
            Self::Rate => most(&|place| rate(place)?.picks_per_s, &mut places),
            Self::Latency => {
                let latency = |node: &NodeStats| node.latency.map(|of| of.p95_ms).or(node.latency_ewma_ms);
                most(&|place| latency(&nodes[place]), &mut places);
            }
            Self::Errors => most(&|place| Some(rate(place)?.failures as f64), &mut places),
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::look::Look;
    use crate::top::rates::Rates;
    use loadwise::{Engine, HealthStatus, Report, Request};

    #[test]
    fn nodes_are_in_order() {
        let engine = Engine::from_config("nodes: [d, b, a, c]\nhealth: {passive: false}").unwrap();
        let pool = engine.pool("default").unwrap();
        let before = Look::at(&engine, 0);
        let on = |node: &str, picks: usize, report: Option<Report<'_>>| {
            let others: Vec<&str> = ["a", "b", "c", "d"].into_iter().filter(|other| *other != node).collect();
            for _ in 0..picks {
                let lease = pool.acquire(&Request::new().exclude(&others)).unwrap();
                if let Some(report) = report {
                    pool.release(lease.ticket, report).unwrap();
                }
            }
        };
        on("a", 2, None);
        on("b", 5, Some(Report::success()));
        on("c", 1, Some(Report::failure(loadwise::FailureKind::Reset)));
        pool.set_health("c", HealthStatus::Unhealthy).unwrap();
        let after = Look { now_ns: before.now_ns + 1_000_000_000, ..Look::at(&engine, 0) };
        let rates = Rates::between(&before, &after);
        let nodes = &after.pools[0].stats.nodes;
        let in_order = |order: Order| {
            let places = order.of(nodes, rates.pool("default"));
            places.into_iter().map(|place| nodes[place].id.clone()).collect::<String>()
        };
        assert_eq!(Order::ALL.map(in_order), ["dbac", "abcd", "cdba", "adbc", "bacd", "dbac", "cdba"]);
        assert_eq!(Order::Declared.of(nodes, None), [0, 1, 2, 3]);
        let (mut forth, mut back) = (Order::Declared, Order::Declared);
        for _ in Order::ALL {
            (forth, back) = (forth.next(), back.previous());
        }
        assert_eq!((forth, back), (Order::Declared, Order::Declared));
    }
}
