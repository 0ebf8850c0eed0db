//! What takes a node out for a while: breaker and outlier ejection; and what happens when too few are left.

use super::DAY_MS;
use super::health::REQUESTS_MAX;
use super::schema::{Key, Lines, Place, Section, float, int, word, words};
use crate::vocabulary::error::ConfigError;
use crate::vocabulary::limits::Limits;

/// When a node's breaker opens, and how it closes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerConfig {
    /// Consecutive failures that open it, 1 ..= 255.
    pub consecutive_failures: u32,
    /// The share of failures in `health.window_ms` that opens it, 0.01 ..= 1.0.
    pub failure_rate: f64,
    /// Outcomes in the window below which its rate says nothing, 1 ..= 1 000 000.
    pub min_requests: u32,
    /// How long it stays open the first time, 1 ..= 86 400 000.
    pub open_ms: u64,
    /// What that doubles up to, `open_ms` ..= 86 400 000.
    pub max_open_ms: u64,
    /// Successful probes that close it, 1 ..= 255.
    pub half_open_successes: u32,
}

/// When a node that does worse than the others is ejected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutlierConfig {
    /// How often nodes are compared, 1 ..= 86 400 000.
    pub sweep_interval_ms: u64,
    /// A node whose success rate is so many standard deviations below the mean is ejected, 0.1 ..= 10.
    pub stdev_factor: f64,
    /// Nodes with enough requests that the mean needs, 2 ..= 65 535.
    pub min_hosts: u32,
    /// Requests of a node that its success rate needs, 1 ..= 1 000 000.
    pub min_requests: u32,
    /// A node with this share of failures is ejected, whatever the others do, 0.01 ..= 1.0.
    pub failure_rate: f64,
    /// Requests of a node that its share of failures needs, 1 ..= 1 000 000.
    pub failure_min_requests: u32,
    /// How long the first ejection lasts, 1 ..= 86 400 000.
    pub ejection_ms: u64,
    /// What that grows to, `ejection_ms` ..= 86 400 000.
    pub max_ejection_ms: u64,
    /// The most nodes that are ejected at one time, as a share, 0.0 ..= 1.0; one always may be.
    pub max_ejected: f64,
}

/// What happens when too few nodes are available.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PanicConfig {
    pub mode: PanicMode,
    /// The share of available nodes below which the pool panics, 0.0 ..= 1.0.
    pub threshold: f64,
    /// With fewer nodes than this, the pool panics only when none is available, 1 ..= 65 535.
    pub min_nodes: u32,
}

words! {
    /// What a pool does in panic.
    PanicMode {
        /// Unfit nodes get no traffic, whatever is left.
        #[default]
        Fail = "fail",
        /// All nodes that are not draining share the traffic.
        Spread = "spread",
    }
}

impl Section for BreakerConfig {
    const KEYS: &'static [Key<Self>] = &[
        int!(
            consecutive_failures: u32, 1, 255, "failures",
            "Consecutive failures that open it. Smaller: opens sooner, also by chance."
        ),
        float!(
            failure_rate,
            0.01,
            1.0,
            "share",
            "The share of failures in `health.window_ms` that opens it. Smaller: less tolerant; 1: only when all fail."
        ),
        int!(
            min_requests: u32, 1, REQUESTS_MAX, "requests",
            "Outcomes in the window below which its rate says nothing. \
             Larger: safer from chance, and later under little traffic."
        ),
        int!(
            open_ms: u64, 1, DAY_MS, "ms",
            "How long it stays open the first time; doubled each further time, with jitter. \
             Larger: more rest for the node; smaller: back sooner."
        ),
        int!(
            max_open_ms: u64, 1, DAY_MS, "ms",
            "The most that the time doubles to; at least `open_ms`. Larger: less spent on a node that stays broken."
        ),
        int!(
            half_open_successes: u32, 1, 255, "successes",
            "Successful probes, one at a time, that close it. Larger: surer, and back later."
        ),
    ];

    fn fits(&self, place: &Place, lines: Lines) -> Result<(), ConfigError> {
        place.ordered(lines, ("open_ms", self.open_ms), ("max_open_ms", self.max_open_ms))
    }
}

impl Section for OutlierConfig {
    const KEYS: &'static [Key<Self>] = &[
        int!(
            sweep_interval_ms: u64, 1, DAY_MS, "ms",
            "How often nodes are compared, by the requests since the last time. \
             Smaller: ejects sooner; larger: more requests to judge by."
        ),
        float!(
            stdev_factor,
            0.1,
            10.0,
            "σ",
            "A node whose success rate is so many standard deviations below the mean is ejected. \
             Smaller: ejects more, also by chance; larger: only what is far off."
        ),
        int!(
            min_hosts: u32, 2, Limits::NODES_MAX, "nodes",
            "Nodes with `min_requests` that the mean needs. Larger: no ejection by comparison in small pools."
        ),
        int!(
            min_requests: u32, 1, REQUESTS_MAX, "requests",
            "Requests of a node in a sweep before it is compared. Larger: safer from chance; smaller: judges quiet nodes, too."
        ),
        float!(
            failure_rate,
            0.01,
            1.0,
            "share",
            "A node with this share of failures is ejected, whatever the others do. Smaller: less tolerant."
        ),
        int!(
            failure_min_requests: u32, 1, REQUESTS_MAX, "requests",
            "Requests of a node in a sweep before `failure_rate` counts. Larger: safer from chance."
        ),
        int!(
            ejection_ms: u64, 1, DAY_MS, "ms",
            "How long the first ejection lasts; longer each further time. Larger: a bad node is away longer, a good one, too."
        ),
        int!(
            max_ejection_ms: u64, 1, DAY_MS, "ms",
            "The most that the time grows to; at least `ejection_ms`. Larger: less traffic to a node that flaps."
        ),
        float!(
            max_ejected,
            0.0,
            1.0,
            "share",
            "The most nodes that are ejected at one time; one always may be, the last one never. \
             Larger: follows a wide failure further, with the load on fewer nodes."
        ),
    ];

    fn fits(&self, place: &Place, lines: Lines) -> Result<(), ConfigError> {
        place.ordered(lines, ("ejection_ms", self.ejection_ms), ("max_ejection_ms", self.max_ejection_ms))
    }
}

impl Section for PanicConfig {
    const KEYS: &'static [Key<Self>] = &[
        word!(
            mode: PanicMode,
            "`fail`: an unfit node gets no traffic, whatever is left. `spread`: in panic all nodes that are not draining \
             share it, so that the few fit ones are not run over."
        ),
        float!(
            threshold,
            0.0,
            1.0,
            "share",
            "The share of available nodes below which the pool panics. \
             Larger: spreads sooner; 0: only when none is available."
        ),
        int!(
            min_nodes: u32, 1, Limits::NODES_MAX, "nodes",
            "With fewer nodes than this, the pool panics only when none is available. \
             Larger: small pools don't panic over one or two nodes."
        ),
    ];
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            failure_rate: 0.5,
            min_requests: 20,
            open_ms: 5000,
            max_open_ms: 300_000,
            half_open_successes: 2,
        }
    }
}

impl Default for OutlierConfig {
    fn default() -> Self {
        Self {
            sweep_interval_ms: 10_000,
            stdev_factor: 1.9,
            min_hosts: 5,
            min_requests: 100,
            failure_rate: 0.85,
            failure_min_requests: 50,
            ejection_ms: 30_000,
            max_ejection_ms: 300_000,
            max_ejected: 0.1,
        }
    }
}

impl Default for PanicConfig {
    fn default() -> Self {
        Self { mode: PanicMode::Fail, threshold: 0.5, min_nodes: 10 }
    }
}
