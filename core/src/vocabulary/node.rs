//! What can be selected.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

/// Anything with an identity.
pub trait Node: Send + Sync {
    /// What identifies a node: equal ids are the same node, wherever it stands in a slice.
    type Id: Eq + Hash + Clone + Debug + Send + Sync;

    fn id(&self) -> &Self::Id;
}

/// Anything with a weight. Twice the weight takes twice the traffic; 0 takes none.
pub trait Weighted: Send + Sync {
    fn weight(&self) -> u32;
}

/// Anything with a load. Lower is better; NaN and infinities count as worst and are chosen only when nothing else is left.
pub trait LoadMetric: Send + Sync {
    fn load_score(&self) -> f64;
}

/// Anything with a capacity that is used up. 1.0 is all of it left, 0.0 none. Higher is better.
pub trait RateMetric: Send + Sync {
    fn remaining_ratio(&self) -> f64;
}

/// A node as plain data, for strategies over a list of one's own.
///
/// ```
/// use loadwise::strategy::LeastLoad;
/// use loadwise::{PlainNode, SelectionContext, Strategy};
///
/// let nodes = [("a", 0.7), ("b", 0.2)].map(|(id, load)| PlainNode { load, ..PlainNode::new(id) });
/// assert_eq!(LeastLoad::default().select(&nodes, &SelectionContext::default()), Some(1));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PlainNode {
    pub id: String,
    /// 0 takes nothing.
    pub weight: u32,
    /// Lower is better; NaN and infinities are worst.
    pub load: f64,
    /// 0.0 ..= 1.0.
    pub remaining_ratio: f64,
}

impl PlainNode {
    /// Weight 1, load 0.0, all of its capacity left.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), weight: 1, load: 0.0, remaining_ratio: 1.0 }
    }
}

impl Node for PlainNode {
    type Id = String;

    fn id(&self) -> &String {
        &self.id
    }
}

impl Weighted for PlainNode {
    fn weight(&self) -> u32 {
        self.weight
    }
}

impl LoadMetric for PlainNode {
    fn load_score(&self) -> f64 {
        self.load
    }
}

impl RateMetric for PlainNode {
    fn remaining_ratio(&self) -> f64 {
        self.remaining_ratio
    }
}

/// A node as its user describes it to a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSpec {
    /// Unique in the pool, 1 to 255 bytes. State belongs to the id, never to a position.
    pub id: String,
    /// For people. Empty: none.
    pub name: String,
    /// What the host connects to; the engine never reads it, but for `compat: nginx`. Up to 255 bytes.
    pub address: String,
    /// 0 takes no new picks by any strategy. Default 1.
    pub weight: u32,
    /// Matched by a request's `require`.
    pub labels: BTreeMap<String, String>,
    /// 0 = primary, 1 ..= 7 = backups.
    pub tier: u8,
    /// Where it is, up to 63 bytes. Empty: unknown.
    pub zone: String,
    /// Picks in flight at one time; 0 = unlimited.
    pub max_in_flight: u32,
    /// Its own limits by dimension, instead of those of the pool's quotas.
    pub quotas: BTreeMap<String, u64>,
    /// The host's own number, returned with each pick; kept in this process.
    pub user_data: u64,
}

impl NodeSpec {
    pub const TIER_MAX: u8 = 7;
    pub const ZONE_BYTES_MAX: usize = 63;

    /// A node of weight 1 whose id is its address.
    ///
    /// ```
    /// let node = loadwise::NodeSpec::new("10.0.0.1:8080").weight(5).label("region", "eu");
    /// assert_eq!((node.id.as_str(), node.weight), ("10.0.0.1:8080", 5));
    /// ```
    pub fn new(id: impl Into<String>) -> Self {
        let id = id.into();
        Self {
            address: id.clone(),
            id,
            name: String::new(),
            weight: 1,
            labels: BTreeMap::new(),
            tier: 0,
            zone: String::new(),
            max_in_flight: 0,
            quotas: BTreeMap::new(),
            user_data: 0,
        }
    }

    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = address.into();
        self
    }

    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    pub fn tier(mut self, tier: u8) -> Self {
        self.tier = tier;
        self
    }

    pub fn zone(mut self, zone: impl Into<String>) -> Self {
        self.zone = zone.into();
        self
    }

    pub fn max_in_flight(mut self, max_in_flight: u32) -> Self {
        self.max_in_flight = max_in_flight;
        self
    }

    /// At most `limit` units in the window of the pool's quota of that dimension.
    pub fn quota(mut self, dimension: impl Into<String>, limit: u64) -> Self {
        self.quotas.insert(dimension.into(), limit);
        self
    }

    pub fn user_data(mut self, user_data: u64) -> Self {
        self.user_data = user_data;
        self
    }
}

impl<S: Into<String>> From<S> for NodeSpec {
    fn from(id: S) -> Self {
        Self::new(id)
    }
}

/// A node's place in a pool: a bounded index, and the generation that tells it from the nodes that had the index before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeRef {
    pub index: u32,
    pub generation: u32,
}
