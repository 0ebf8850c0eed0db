//! One configuration schema for Rust, C, Python and Node: YAML or JSON text, or native data as a [`Value`].
//!
//! Whatever is wrong is an error that names the key and the line, the first in the order of the document. The keys are
//! described in `docs/configuration.md`, which is written from the same tables that read them.

mod nodes;
pub mod schema;
mod strategy;
mod value;
mod yaml;

use std::io::Read;
use std::path::Path;

pub use nodes::{WEIGHT_SUM_MAX, validate_node, validate_nodes};
pub use strategy::{
    BOUNDED_LOAD, CHAIN_MAX, P2cLoad, RING_POINTS_MAX, RingCompat, StrategyConfig, StrategyKind, validate_chain,
};
pub use value::{DEPTH_MAX, Key, Kind, Value};
pub use yaml::TEXT_BYTES_MAX;

use crate::vocabulary::error::{ConfigError, Error};
use crate::vocabulary::limits::Limits;
use crate::vocabulary::node::NodeSpec;
use schema::{Place, Row, Shape, int, read_map};

/// A pool as its user describes it: read from a document, or filled in code and then checked by
/// [`validate`](Self::validate).
///
/// ```
/// use loadwise::config::{PoolConfig, StrategyKind};
///
/// let config = PoolConfig::parse("
/// strategy: {name: maglev, bounded_load: 1.25}
/// nodes:
///   - 10.0.0.1:8080
///   - {id: b, address: '10.0.0.2:8080', weight: 5}
/// ")?;
/// assert_eq!(config.strategy[0].kind, StrategyKind::Maglev { table_size: 65_537 });
/// assert_eq!(config.nodes[1].weight, 5);
///
/// let error = PoolConfig::parse("nodes:\n  - {id: a, wieght: 5}").unwrap_err();
/// assert_eq!(error.to_string(), "line 2: nodes[0].wieght: unknown key \"wieght\"; did you mean \"weight\"?");
/// # Ok::<(), loadwise::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PoolConfig {
    /// 1 to 4: the first that finds a node decides.
    pub strategy: Vec<StrategyConfig>,
    pub nodes: Vec<NodeSpec>,
    /// The line of each node; empty if the configuration was made in code.
    pub node_lines: Vec<usize>,
    /// Makes all decisions repeatable.
    pub seed: Option<u64>,
    pub health: HealthConfig,
    pub limits: Limits,
    /// After how long a pick that nobody finished is given up; 0 = never.
    pub lease_timeout_ms: u64,
}

/// When a node counts as unhealthy, and when as healthy again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthConfig {
    /// Consecutive failures that make a node unhealthy, 1 ..= 255. Half of them, rounded up, make it degraded.
    pub failure_threshold: u32,
    /// Consecutive successes that make a recovering node healthy, 1 ..= 255.
    pub recovery_successes: u32,
}

const DAY_MS: u64 = 86_400_000;

const POOL: &[schema::Key<PoolConfig>] = &[
    schema::Key {
        name: "strategy",
        unit: "",
        doc: "Which rule chooses: a name, a map of a name and its settings, or a list of up to 4 of these, \
              of which the first that finds a node decides.",
        shape: Shape::Own {
            read: |c, value, place| strategy::read_chain(value, place).map(|chain| c.strategy = chain),
            row: Row { kind: "strategy", default: "p2c", range: "" },
            json: || Value::map([("$ref", Value::from("#/definitions/strategies"))]),
        },
    },
    schema::Key {
        name: "nodes",
        unit: "",
        doc: "What can be selected: a list of addresses or maps.",
        shape: Shape::Own {
            read: |c, value, place| nodes::read_nodes(value, place).map(|read| (c.nodes, c.node_lines) = read),
            row: Row { kind: "list of nodes", default: "none", range: "" },
            json: || {
                Value::map([
                    ("type", Value::from("array")),
                    ("maxItems", Value::from(Limits::NODES_MAX)),
                    ("items", Value::map([("$ref", Value::from("#/definitions/node"))])),
                ])
            },
        },
    },
    schema::Key {
        name: "seed",
        unit: "",
        doc: "Makes all decisions repeatable: the same calls in the same order choose the same nodes. Unset: random.",
        shape: Shape::Int { min: 0, max: u64::MAX, get: |c| c.seed, set: |c, seed| c.seed = Some(seed) },
    },
    int!(
        lease_timeout_ms: u64, 0, 365 * DAY_MS, "ms",
        "After how long a pick that nobody finished is given up; 0 = never."
    ),
    schema::Key {
        name: "health",
        unit: "",
        doc: "When a node counts as unhealthy.",
        shape: Shape::Own {
            read: |c, value, place| read_map(&mut c.health, HEALTH, value, place),
            row: Row { kind: "map", default: "below", range: "" },
            json: || schema::object(HEALTH, &HealthConfig::default(), &[]),
        },
    },
    schema::Key {
        name: "limits",
        unit: "",
        doc: "How large the pool may grow. Memory is reserved for it when the pool is made, and used only as it fills.",
        shape: Shape::Own {
            read: |c, value, place| read_map(&mut c.limits, LIMITS, value, place),
            row: Row { kind: "map", default: "below", range: "" },
            json: || schema::object(LIMITS, &Limits::default(), &[]),
        },
    },
];

const HEALTH: &[schema::Key<HealthConfig>] = &[
    int!(
        failure_threshold: u32, 1, 255, "failures",
        "Consecutive failures that make a node unhealthy. Half of them, rounded up, make it degraded."
    ),
    int!(
        recovery_successes: u32, 1, 255, "successes",
        "Consecutive successes that make an unhealthy node healthy again."
    ),
];

const LIMITS: &[schema::Key<Limits>] = &[
    int!(max_nodes: u32, 1, Limits::NODES_MAX, "nodes", "Nodes at one time."),
    schema::Key {
        name: "max_picks",
        unit: "picks",
        doc: "Unfinished picks at one time, rounded up to a multiple of 64.",
        shape: Shape::Int {
            min: 64,
            max: Limits::PICKS_MAX as u64,
            get: |c| Some(u64::from(c.max_picks)),
            set: |c, v| c.max_picks = (v as u32).next_multiple_of(64),
        },
    },
    int!(max_labels: u32, 0, Limits::LABELS_MAX, "labels", "Labels of a node."),
    int!(
        max_label_bytes: u32, 0, Limits::LABEL_BYTES_MAX, "bytes",
        "Bytes of all labels of a node, names and texts together."
    ),
    int!(
        max_table_size: u32, 2, Limits::TABLE_SIZE_MAX, "entries",
        "The largest `table_size` that a strategy of this pool may ever have."
    ),
];

/// The bounds of the bounds, for reading nodes whose pool has impossible ones: its error is the one to report.
const WIDEST: Limits = Limits {
    max_nodes: Limits::NODES_MAX,
    max_picks: Limits::PICKS_MAX,
    max_processes: 1,
    max_labels: Limits::LABELS_MAX,
    max_label_bytes: Limits::LABEL_BYTES_MAX,
    max_table_size: Limits::TABLE_SIZE_MAX,
};

impl PoolConfig {
    /// Reads YAML or JSON.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::from_value(&yaml::parse(text)?)
    }

    /// Reads YAML or JSON from bytes, which must be UTF-8.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(text),
            Err(e) => {
                let line = 1 + bytes.iter().take(e.valid_up_to()).filter(|&&b| b == b'\n').count();
                Err(ConfigError::new("", line, "the text is not UTF-8").into())
            }
        }
    }

    /// Reads YAML or JSON from a file. Errors name it.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let unreadable = |e: std::io::Error| ConfigError::new("", 0, format!("cannot read {}: {e}", path.display()));
        let mut bytes = Vec::new();
        // One byte more than a text may have is enough to see that there are too many.
        let most = TEXT_BYTES_MAX as u64 + 1;
        std::fs::File::open(path).map_err(unreadable)?.take(most).read_to_end(&mut bytes).map_err(unreadable)?;
        Self::from_bytes(&bytes).map_err(|error| match error {
            Error::Config(e) => ConfigError { message: format!("{} (in {})", e.message, path.display()), ..e }.into(),
            other => other,
        })
    }

    /// Reads native data, a map of the keys.
    pub fn from_value(value: &Value) -> Result<Self, Error> {
        // Nodes and strategies may stand before the bounds that hold for them.
        let mut limits = Limits::default();
        if let Some(given) = value.get("limits") {
            if read_map(&mut limits, LIMITS, given, &Place::root("limits", &WIDEST)).is_err() {
                limits = WIDEST;
            }
        }
        let mut config = Self::default();
        read_map(&mut config, POOL, value, &Place::root("", &limits))?;
        Ok(config)
    }

    /// Checks a configuration that code has made. One that was read has been checked.
    ///
    /// ```
    /// use loadwise::config::{HealthConfig, PoolConfig};
    ///
    /// let health = HealthConfig { failure_threshold: 0, recovery_successes: 2 };
    /// let config = PoolConfig { health, ..PoolConfig::default() };
    /// assert_eq!(config.validate().unwrap_err().to_string(), "health.failure_threshold: must be 1 to 255, not 0");
    /// ```
    pub fn validate(&self) -> Result<(), Error> {
        let root = Place::root("", &self.limits);
        schema::check(self, POOL, &root, 0)?;
        schema::check(&self.health, HEALTH, &root.key("health"), 0)?;
        schema::check(&self.limits, LIMITS, &root.key("limits"), 0)?;
        validate_chain(&self.strategy, &self.limits, "strategy")?;
        Ok(validate_nodes(&self.nodes, &self.node_lines, &self.limits)?)
    }
}

impl Default for PoolConfig {
    /// `p2c` over no nodes, healthy by the counts of [`HealthConfig`], unseeded.
    fn default() -> Self {
        Self {
            strategy: vec![StrategyConfig::default()],
            nodes: Vec::new(),
            node_lines: Vec::new(),
            seed: None,
            health: HealthConfig::default(),
            limits: Limits::default(),
            lease_timeout_ms: 0,
        }
    }
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self { failure_threshold: 3, recovery_successes: 2 }
    }
}
