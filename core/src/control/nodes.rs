//! What there is to see of nodes.

use crate::policies::latency;
use crate::pool::Pool;
use crate::sync::Ordering;
use crate::vocabulary::breaker::BreakerState;
use crate::vocabulary::hash::label_hash;
use crate::vocabulary::node::NodeRef;
use crate::vocabulary::status::HealthStatus;
use crate::vocabulary::time::now_ns;

/// A node at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeStatus {
    pub id: String,
    /// Empty: none.
    pub name: String,
    pub address: String,
    pub weight: u32,
    /// In key order.
    pub labels: Vec<(String, String)>,
    pub health: HealthStatus,
    /// 0: primary.
    pub tier: u8,
    /// Empty: none.
    pub zone: String,
    /// The node's own limit; 0: unlimited.
    pub max_in_flight: u32,
    pub breaker: BreakerState,
    /// Ejected as an outlier.
    pub ejected: bool,
    /// Until when it takes nothing but probes, on the monotonic clock; `None` while it is not down.
    pub hold_until_ns: Option<u64>,
    /// The share of its weight that slow start allows, 0.0 ..= 1.0; 1.0 when warm.
    pub warming: f64,
    /// Whether an ordinary pick may choose it.
    pub available: bool,
    /// Over the health window, 0.0 ..= 1.0; `None` without requests in it.
    pub success_rate: Option<f64>,
    /// Draining is done: nothing is in flight, or its time is over.
    pub drained: bool,
    pub draining: bool,
    /// Unfinished picks, in all processes.
    pub in_flight: u64,
    /// The latency average at its last sample, in nanoseconds; kept while a strategy uses latency.
    pub latency_ns: Option<f64>,
    pub load: Option<f64>,
    pub remaining_ratio: Option<f64>,
    pub consecutive_failures: u32,
    /// The host's own number, in this process.
    pub user_data: u64,
    pub node: NodeRef,
}

impl Pool {
    /// All members in declared order. Maintains first, if that is due.
    pub fn nodes(&self) -> Vec<NodeStatus> {
        self.nodes_at(now_ns())
    }

    /// [`nodes`](Self::nodes) at a time of the caller's.
    pub fn nodes_at(&self, now_ns: u64) -> Vec<NodeStatus> {
        self.maintain_if_due(now_ns);
        self.look(|members| members.iter().map(|&index| self.status(index, now_ns)).collect())
    }

    /// One member; `None` if there is none of this id. Maintains first, if that is due.
    pub fn node_status(&self, id: &str) -> Option<NodeStatus> {
        self.node_status_at(id, now_ns())
    }

    /// [`node_status`](Self::node_status) at a time of the caller's.
    pub fn node_status_at(&self, id: &str, now_ns: u64) -> Option<NodeStatus> {
        self.maintain_if_due(now_ns);
        let node = self.node(id)?;
        Some(self.status(node.index as usize, now_ns)).filter(|status| status.node == node)
    }

    /// The members that have all of these labels, in declared order.
    ///
    /// ```
    /// use loadwise::{NodeSpec, Pool};
    ///
    /// let node = |id: &str, region: &str| NodeSpec::new(id).label("region", region);
    /// let pool = Pool::builder().nodes([node("a", "eu"), node("b", "us"), node("c", "eu")]).build()?;
    /// let found = pool.find(&[("region", "eu")]);
    /// assert_eq!(found.iter().map(|node| node.id.as_str()).collect::<Vec<_>>(), ["a", "c"]);
    /// # Ok::<(), loadwise::Error>(())
    /// ```
    pub fn find(&self, labels: &[(&str, &str)]) -> Vec<NodeStatus> {
        self.find_at(labels, now_ns())
    }

    /// [`find`](Self::find) at a time of the caller's.
    pub fn find_at(&self, labels: &[(&str, &str)], now_ns: u64) -> Vec<NodeStatus> {
        self.maintain_if_due(now_ns);
        let hashes: Vec<u64> = labels.iter().map(|(key, value)| label_hash(key, value)).collect();
        self.look(|members| {
            let found = members.iter().filter(|&&index| self.memory.record(index).has_labels(&hashes));
            found.map(|&index| self.status(index, now_ns)).collect()
        })
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.plan_at(self.generation().current()).lead().members()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn status(&self, index: usize, now_ns: u64) -> NodeStatus {
        let (node, record) = (self.memory.node(index), self.memory.record(index));
        let state = node.state();
        let (samples, failures) = self.window(index, now_ns);
        NodeStatus {
            id: record.id().as_str().to_owned(),
            name: record.name().as_str().to_owned(),
            address: record.address().as_str().to_owned(),
            weight: node.weight(),
            labels: record.labels(),
            health: state.health(),
            tier: node.tier(),
            zone: record.zone().as_str().to_owned(),
            max_in_flight: node.max_in_flight(),
            breaker: self.breaker_of(index, now_ns),
            ejected: state.is_ejected(),
            hold_until_ns: state.is_down().then(|| self.memory.guard(index).hold().load(Ordering::Acquire)),
            warming: self.warmth(index, now_ns),
            available: state.fit(crate::pool::AVAILABLE_MASK),
            success_rate: (samples > 0).then(|| f64::from(samples - failures) / f64::from(samples)),
            drained: self.is_drained(index, now_ns),
            draining: state.is_draining(),
            in_flight: self.memory.in_flight(index),
            latency_ns: latency::average(node.latency().load(Ordering::Relaxed)),
            load: node.reported_load(),
            remaining_ratio: node.remaining_ratio(),
            consecutive_failures: state.failures(),
            user_data: self.user_data_of(self.reference(index)),
            node: self.reference(index),
        }
    }
}
