//! Where traffic goes before a strategy chooses: tiers, zones, newcomers, label splits, remembered nodes.

use std::collections::BTreeMap;

use super::DAY_MS;
use super::nodes::LabelsForm;
use super::schema::{Key, Lines, Place, Section, Shape, float, int, word, words};
use crate::vocabulary::error::ConfigError;
use crate::vocabulary::limits::Limits;
use crate::vocabulary::node::NodeSpec;

/// How traffic spills from a tier to the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TiersConfig {
    /// A tier takes min(1, available share · this) of the traffic, 1.0 ..= 10.
    pub overprovisioning: f64,
    /// Tiers that one request may try, 1 ..= 8.
    pub max_attempts: u32,
    /// How long a better tier must have been healthy before traffic returns, 0 ..= 86 400 000.
    pub failback_ms: u64,
}

/// That nodes of the caller's zone come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZonesConfig {
    /// The caller's zone where a request names none, up to 63 bytes; empty: unknown.
    pub zone: String,
    /// Nodes that the caller's zone must have available to be preferred, 1 ..= 65 535.
    pub min_nodes: u32,
}

/// How a node that has just come gets its share: weight · max(min_weight, (t / duration)^(1 / aggression)).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlowStartConfig {
    /// After how long a node has its full weight, 1 ..= 86 400 000.
    pub duration_ms: u64,
    /// 0.1 ..= 10; 1.0 is linear, above rises sooner.
    pub aggression: f64,
    /// The least share of its weight, 0.01 ..= 1.0.
    pub min_weight: f64,
}

/// A share of the traffic for the nodes with some labels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SplitConfig {
    /// All of which a node must have; at least one.
    pub labels: BTreeMap<String, String>,
    /// Of all traffic, 0.0 ..= 1.0.
    pub share: f64,
}

/// That requests of one affinity key stay with one node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AffinityConfig {
    /// Keys that are remembered, 16 ..= 16 777 216; the least recently used is forgotten.
    pub entries: u32,
    /// After how long without a request a key is forgotten, 1 ..= a year.
    pub ttl_ms: u64,
    /// When keys move to nodes that were added.
    pub rebalance: Rebalance,
    /// The most entries that move in a step of `gradual`, as a share, 0.01 ..= 1.0.
    pub rebalance_step: f64,
    /// Over how long `gradual` moves them, 1 ..= 86 400 000.
    pub rebalance_ms: u64,
}

words! {
    /// When remembered keys move to nodes that were added.
    Rebalance {
        /// At once.
        #[default]
        Immediate = "immediate",
        /// In steps.
        Gradual = "gradual",
        /// When the host says so.
        Manual = "manual",
    }
}

impl Section for TiersConfig {
    const KEYS: &'static [Key<Self>] = &[
        float!(
            overprovisioning,
            1.0,
            10.0,
            "",
            "A tier takes min(1, share of available nodes · this) of the traffic, the next one the rest. \
             Larger: a tier keeps its traffic with fewer nodes left; 1: it spills with the first that fails."
        ),
        int!(
            max_attempts: u32, 1, 8, "tiers",
            "Tiers that one request may try. Larger: finds a node deeper down; 1: never leaves the tier it was given."
        ),
        int!(
            failback_ms: u64, 0, DAY_MS, "ms",
            "How long a better tier must have been healthy before traffic returns to it. \
             Larger: calmer under flapping; 0: at once."
        ),
    ];
}

impl Section for ZonesConfig {
    const KEYS: &'static [Key<Self>] = &[
        Key {
            name: "zone",
            unit: "",
            doc: "The caller's own zone where a request names none. Without one, zones play no part.",
            shape: Shape::Text {
                min: 0,
                max: NodeSpec::ZONE_BYTES_MAX,
                get: |c| &c.zone,
                set: |c, zone| c.zone = zone,
            },
        },
        int!(
            min_nodes: u32, 1, Limits::NODES_MAX, "nodes",
            "Available nodes that the caller's zone must have to be preferred. \
             Larger: a small zone shares its load with the others sooner."
        ),
    ];
}

impl Section for SlowStartConfig {
    const KEYS: &'static [Key<Self>] = &[
        int!(
            duration_ms: u64, 1, DAY_MS, "ms",
            "How long a node that joined, recovered or was undrained takes to reach its full weight. \
             Set it to the time that caches take to warm."
        ),
        float!(
            aggression,
            0.1,
            10.0,
            "",
            "The weight rises with (t / duration)^(1 / aggression). 1: evenly; larger: most of it early; smaller: late."
        ),
        float!(
            min_weight,
            0.01,
            1.0,
            "share",
            "The share of its weight that a node begins with. Larger: takes part sooner; smaller: is spared more."
        ),
    ];
}

impl SplitConfig {
    /// The most splits of a pool.
    pub const COUNT_MAX: usize = 16;
}

impl Section for SplitConfig {
    const KEYS: &'static [Key<Self>] = &[
        Key {
            name: "labels",
            unit: "",
            doc: "All of which a node must have to take part in this share.",
            shape: Shape::Own(&LabelsForm { get: |c: &SplitConfig| &c.labels, get_mut: |c| &mut c.labels }),
        },
        float!(
            share,
            0.0,
            1.0,
            "share",
            "Of all traffic. 0: these nodes get none; 1: no other node gets any. All shares add up to at most 1."
        ),
    ];
    const REQUIRED: &'static [&'static str] = &["labels", "share"];

    fn fits(&self, place: &Place, lines: Lines) -> Result<(), ConfigError> {
        match self.labels.is_empty() {
            true => Err(place.key("labels").error(lines.first(&["labels"]), "needs at least one label")),
            false => Ok(()),
        }
    }
}

impl Section for AffinityConfig {
    const KEYS: &'static [Key<Self>] = &[
        int!(
            entries: u32, 16, 1 << 24, "entries",
            "Keys that are remembered; when full, one not used for long is forgotten. \
             Set it above the keys that are active within `ttl_ms`; memory is reserved for all."
        ),
        int!(
            ttl_ms: u64, 1, 365 * DAY_MS, "ms",
            "After how long without a request a key is forgotten. Larger: returns to the same node after longer pauses."
        ),
        word!(
            rebalance: Rebalance,
            "When remembered keys move to nodes that were added. `immediate`: at once, the load is even soonest; \
             `gradual`: in steps, caches warm one part at a time; `manual`: when the host says so."
        ),
        float!(
            rebalance_step,
            0.01,
            1.0,
            "share",
            "The most entries that move in a step of `gradual`. Smaller: fewer cold caches at one time; larger: even sooner."
        ),
        int!(
            rebalance_ms: u64, 1, DAY_MS, "ms",
            "Over how long `gradual` moves them. Larger: gentler; smaller: even sooner."
        ),
    ];
}

impl Default for TiersConfig {
    fn default() -> Self {
        Self { overprovisioning: 1.4, max_attempts: 3, failback_ms: 30_000 }
    }
}

impl Default for ZonesConfig {
    fn default() -> Self {
        Self { zone: String::new(), min_nodes: 1 }
    }
}

impl Default for SlowStartConfig {
    fn default() -> Self {
        Self { duration_ms: 30_000, aggression: 1.0, min_weight: 0.1 }
    }
}

impl Default for AffinityConfig {
    fn default() -> Self {
        Self {
            entries: 100_000,
            ttl_ms: 3_600_000,
            rebalance: Rebalance::Immediate,
            rebalance_step: 0.1,
            rebalance_ms: 300_000,
        }
    }
}
