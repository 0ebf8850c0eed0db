//! How much a pool and its nodes may take: adaptive limits, quotas, retries; and what is measured of it.

use super::DAY_MS;
use super::schema::{Key, Lines, Place, Section, Shape, float, int, word, words};
use crate::vocabulary::error::ConfigError;

/// A limit of picks in flight on each node that follows its latency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaptiveLimitConfig {
    /// Picks in flight to begin with, `min ..= max`.
    pub initial: u32,
    /// What the limit never falls below, 1 ..= 1 000 000.
    pub min: u32,
    /// What it never rises above, `min` ..= 1 000 000.
    pub max: u32,
    /// How much of a new estimate is taken at once, 0.01 ..= 1.0.
    pub smoothing: f64,
    /// How many times its best a latency may be before the limit falls, 1.0 ..= 10.
    pub tolerance: f64,
}

/// What each node may be used in a window of time, in one dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaLimit {
    /// What requests and nodes call it by, 1 to 63 bytes.
    pub dimension: String,
    /// Units in the window for each node that has no limit of its own, 1 ..= 2⁵³.
    pub limit: u64,
    /// How long a unit counts, `buckets` ..= 366 days.
    pub window_ms: u64,
    /// Parts that the window rolls by, 1 ..= 16.
    pub buckets: u32,
    /// What a request costs that says nothing, 0 ..= `limit`.
    pub default_cost: u64,
}

/// How often and how fast a request may be tried again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryConfig {
    /// Attempts of a request, the first included, 1 ..= 16.
    pub max_attempts: u32,
    /// The longest random delay before the second attempt, doubled for each further one, 0 ..= 86 400 000.
    pub base_delay_ms: u64,
    /// What that doubles up to, `base_delay_ms` ..= 86 400 000.
    pub max_delay_ms: u64,
    /// Retries that are allowed for each request, 0.0 ..= 1.0.
    pub budget_share: f64,
    /// Retries that are always allowed, 0 ..= 1 000 000.
    pub budget_min_per_s: u32,
    /// Over how long requests and retries are counted, 100 ..= 86 400 000.
    pub budget_window_ms: u64,
}

/// What is measured of latencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatsConfig {
    /// Whose latencies are kept.
    pub latency: LatencyStats,
    /// Over how long a percentile is taken, 1 000 ..= 86 400 000.
    pub window_ms: u64,
}

words! {
    /// Whose latencies are kept as histograms.
    LatencyStats {
        #[default]
        Off = "off",
        /// The pool's.
        Pool = "pool",
        /// The pool's and each node's.
        Nodes = "nodes",
    }
}

const LIMIT_MAX: u32 = 1_000_000;

impl Section for AdaptiveLimitConfig {
    const KEYS: &'static [Key<Self>] = &[
        int!(
            initial: u32, 1, LIMIT_MAX, "picks",
            "The limit of a node to begin with. Larger: no wait after a start; smaller: a cold node is spared."
        ),
        int!(
            min: u32, 1, LIMIT_MAX, "picks",
            "What the limit never falls below. Larger: keeps traffic flowing to a slow node."
        ),
        int!(
            max: u32, 1, LIMIT_MAX, "picks",
            "What the limit never rises above. Set it to what a node can bear at most."
        ),
        float!(
            smoothing,
            0.01,
            1.0,
            "share",
            "How much of a new estimate is taken at once. Larger: follows latency faster, and swings more."
        ),
        float!(
            tolerance,
            1.0,
            10.0,
            "",
            "How many times its best a latency may be before the limit falls. \
             Larger: more in flight and longer queues; smaller: falls sooner."
        ),
    ];

    fn fits(&self, place: &Place, lines: Lines) -> Result<(), ConfigError> {
        let [initial, min, max] = [self.initial, self.min, self.max].map(u64::from);
        place.ordered(lines, ("min", min), ("max", max))?;
        if initial < min || initial > max {
            let line = lines.first(&["initial", "min", "max"]);
            return Err(place.key("initial").error(line, format!("must be min = {min} to max = {max}, not {initial}")));
        }
        Ok(())
    }
}

impl QuotaLimit {
    /// The most dimensions of a pool.
    pub const COUNT_MAX: usize = 8;
    pub const DIMENSION_BYTES_MAX: usize = 63;
    /// Units that a window may hold.
    /// Amounts are counted in 40 bits, of which the largest is no limit.
    pub(super) const LIMIT_MAX: u64 = crate::policies::reserve::LIMIT_MAX;
}

impl Section for QuotaLimit {
    const KEYS: &'static [Key<Self>] = &[
        Key {
            name: "dimension",
            unit: "",
            doc: "What is counted, as `rpm` or `tpm`: requests give their costs by this name, and nodes their own limits.",
            shape: Shape::Text {
                min: 1,
                max: Self::DIMENSION_BYTES_MAX,
                get: |c| &c.dimension,
                set: |c, dimension| c.dimension = dimension,
            },
        },
        int!(
            limit: u64, 1, Self::LIMIT_MAX, "units",
            "Units in the window for each node that has no limit of its own."
        ),
        int!(
            window_ms: u64, 1, 366 * DAY_MS, "ms",
            "How long a unit counts. Set it to the window of whoever limits the node."
        ),
        int!(
            buckets: u32, 1, 16, "",
            "Parts that the window rolls by. Larger: units come back in smaller portions; 1: all at once."
        ),
        int!(
            default_cost: u64, 0, Self::LIMIT_MAX, "units",
            "What a request costs that says nothing; at most the limit. 0: only requests that say so are counted."
        ),
    ];
    const REQUIRED: &'static [&'static str] = &["dimension", "limit"];

    fn fits(&self, place: &Place, lines: Lines) -> Result<(), ConfigError> {
        if self.default_cost > self.limit {
            let message = format!("must be at most limit = {}, not {}", self.limit, self.default_cost);
            return Err(place.key("default_cost").error(lines.first(&["default_cost", "limit"]), message));
        }
        place.ordered(lines, ("buckets", u64::from(self.buckets)), ("window_ms", self.window_ms))
    }
}

impl Section for RetryConfig {
    const KEYS: &'static [Key<Self>] = &[
        int!(
            max_attempts: u32, 1, 16, "attempts",
            "Attempts of a request, the first included. 1: no retries; larger: more requests succeed in the end, later."
        ),
        int!(
            base_delay_ms: u64, 0, DAY_MS, "ms",
            "The second attempt waits a random time up to this, each further one up to twice as long. \
             Larger: gentler on nodes in trouble; 0: at once."
        ),
        int!(
            max_delay_ms: u64, 0, DAY_MS, "ms",
            "The most that the delay doubles to; at least `base_delay_ms`. Smaller: answers sooner."
        ),
        float!(
            budget_share,
            0.0,
            1.0,
            "share",
            "Retries that are allowed for each request of the pool. \
             Larger: more is saved in small failures, and more load is added in large ones."
        ),
        int!(
            budget_min_per_s: u32, 0, 1_000_000, "retries/s",
            "Retries that are always allowed, so that a quiet pool can retry. 0: only the share counts."
        ),
        int!(
            budget_window_ms: u64, 100, DAY_MS, "ms",
            "Over how long requests and retries are counted. Larger: lets through longer bursts of retries."
        ),
    ];

    fn fits(&self, place: &Place, lines: Lines) -> Result<(), ConfigError> {
        place.ordered(lines, ("base_delay_ms", self.base_delay_ms), ("max_delay_ms", self.max_delay_ms))
    }
}

impl Section for StatsConfig {
    const KEYS: &'static [Key<Self>] = &[
        word!(
            latency: LatencyStats,
            "Whose latencies are kept as histograms, for percentiles: nobody's, the pool's, or each node's, too, \
             at about 2 KB a node."
        ),
        int!(
            window_ms: u64, 1000, DAY_MS, "ms",
            "Over how long percentiles are taken. Larger: steadier; smaller: shows changes sooner."
        ),
    ];
}

impl Default for AdaptiveLimitConfig {
    fn default() -> Self {
        Self { initial: 20, min: 20, max: 200, smoothing: 0.2, tolerance: 1.5 }
    }
}

impl Default for QuotaLimit {
    /// A minute in six parts. A dimension and a limit are still to be named.
    fn default() -> Self {
        Self { dimension: String::new(), limit: 0, window_ms: 60_000, buckets: 6, default_cost: 1 }
    }
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            base_delay_ms: 25,
            max_delay_ms: 250,
            budget_share: 0.2,
            budget_min_per_s: 10,
            budget_window_ms: 10_000,
        }
    }
}

impl Default for StatsConfig {
    fn default() -> Self {
        Self { latency: LatencyStats::Off, window_ms: 60_000 }
    }
}
