//! Everything that is said of one pool.

use std::path::Path;

use super::DAY_MS;
use super::capacity::{AdaptiveLimitConfig, QuotaLimit, RetryConfig, StatsConfig};
use super::document;
use super::guard::{BreakerConfig, OutlierConfig, PanicConfig};
use super::health::{ChecksConfig, HealthConfig};
use super::limits::WIDEST;
use super::nodes::NodesForm;
use super::schema::{self, Key, Lines, List, Place, Section, Shape, int, read_map, section};
use super::shared::SharedConfig;
use super::strategy::{ChainForm, StrategyConfig};
use super::traffic::{AffinityConfig, SlowStartConfig, SplitConfig, TiersConfig, ZonesConfig};
use super::value::Value;
use crate::vocabulary::error::{ConfigError, Error};
use crate::vocabulary::limits::Limits;
use crate::vocabulary::node::NodeSpec;

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
    /// After how long a pick that nobody finished is given up, up to a year; 0 = never.
    pub lease_timeout_ms: u64,
    /// Picks in flight of all nodes together, up to 2³² − 1; 0 = unlimited.
    pub max_in_flight: u64,
    /// How long a pick may wait for room, 0 ..= 86 400 000.
    pub acquire_timeout_ms: u64,
    /// Picks that may wait at one time, 0 ..= 65 536.
    pub acquire_queue: u32,
    /// After how long a draining node lets go of sticky traffic, too, 0 ..= 86 400 000.
    pub drain_timeout_ms: u64,
    pub health: HealthConfig,
    /// `None`, here and below: off.
    pub checks: Option<ChecksConfig>,
    pub breaker: Option<BreakerConfig>,
    pub outlier: Option<OutlierConfig>,
    pub panic: PanicConfig,
    pub tiers: TiersConfig,
    pub zones: Option<ZonesConfig>,
    pub slow_start: Option<SlowStartConfig>,
    /// Up to 16, whose shares add up to at most 1.
    pub splits: Vec<SplitConfig>,
    pub affinity: Option<AffinityConfig>,
    pub adaptive_limit: Option<AdaptiveLimitConfig>,
    /// Up to 8, each of another dimension.
    pub quotas: Vec<QuotaLimit>,
    pub retry: RetryConfig,
    pub stats: StatsConfig,
    pub limits: Limits,
    /// Where processes share the pool's state; `None`: it is this process's alone. In an engine's configuration it is said of
    /// all pools at once.
    pub shared: Option<SharedConfig>,
}

impl Section for PoolConfig {
    const KEYS: &'static [Key<Self>] = &[
        Key {
            name: "strategy",
            unit: "",
            doc: "Which rule chooses: a name, a map of a name and its settings, or a list of up to 4 of these, \
                  of which the first that finds a node decides.",
            shape: Shape::Own(&ChainForm),
        },
        Key {
            name: "nodes",
            unit: "",
            doc: "What can be selected: a list of addresses or maps.",
            shape: Shape::Own(&NodesForm),
        },
        Key {
            name: "seed",
            unit: "",
            doc: "Makes all decisions repeatable: the same calls in the same order choose the same nodes. Unset: random. \
                  For tests and replays.",
            shape: Shape::Int { min: 0, max: u64::MAX, get: |c| c.seed, set: |c, seed| c.seed = Some(seed) },
        },
        int!(
            lease_timeout_ms: u64, 0, 365 * DAY_MS, "ms",
            "After how long a pick that nobody finished is given up; 0 = never. \
             Set it above the longest request: what ends later is counted as a stale ticket."
        ),
        int!(
            max_in_flight: u64, 0, u32::MAX, "picks",
            "Picks in flight of all nodes together; 0 = unlimited. Smaller: refuses sooner, and nodes queue less."
        ),
        int!(
            acquire_timeout_ms: u64, 0, DAY_MS, "ms",
            "How long a pick may wait for room where the host lets it wait. Larger: fewer refusals, longer waits; 0: none waits."
        ),
        int!(
            acquire_queue: u32, 0, 65_536, "picks",
            "Picks that may wait at one time; more are refused at once. Larger: takes longer bursts; 0: none waits."
        ),
        int!(
            drain_timeout_ms: u64, 0, DAY_MS, "ms",
            "After how long a draining node counts as done although picks are in flight, and loses its sticky traffic. \
             Larger: long requests end in peace; 0: at once."
        ),
        section!(Always health, "When a node counts as unhealthy, and how it comes back."),
        section!(Optional checks, "Which active checks of nodes are due; the host makes them and reports."),
        section!(Optional breaker, "Takes a node out after failures, for longer each time."),
        section!(Optional outlier, "Takes a node out that does worse than the others."),
        section!(Always panic, "What happens when too few nodes are available."),
        section!(Always tiers, "How traffic spills from a tier of nodes to the next."),
        section!(Optional zones, "Prefers nodes of the caller's zone."),
        section!(Optional slow_start, "Gives a node that has just come its share little by little."),
        Key {
            name: "splits",
            unit: "",
            doc: "Shares of the traffic for nodes with some labels, as a canary. What is left goes to nodes of no split.",
            shape: Shape::Own(&List {
                kind: "list of splits",
                max: SplitConfig::COUNT_MAX,
                get: |c: &PoolConfig| &c.splits,
                get_mut: |c| &mut c.splits,
            }),
        },
        section!(Optional affinity, "Remembers which node served an affinity key."),
        section!(Optional adaptive_limit, "Limits the picks in flight of each node by its latency."),
        Key {
            name: "quotas",
            unit: "",
            doc: "What each node may be used in a window of time, in up to 8 dimensions.",
            shape: Shape::Own(&List {
                kind: "list of quotas",
                max: QuotaLimit::COUNT_MAX,
                get: |c: &PoolConfig| &c.quotas,
                get_mut: |c| &mut c.quotas,
            }),
        },
        section!(Always retry, "How often and how fast a request may be tried again."),
        section!(Always stats, "What is measured of latencies."),
        section!(
            Always limits,
            "How large the pool may grow. Memory is reserved for it when the pool is made, and used only as it fills."
        ),
        section!(
            Short shared,
            "The file in which processes share one state: they see the same in flight, health and everything else. \
             Where there are pools by name, it stands beside `pools`. Linux only."
        ),
        Key {
            name: "version",
            unit: "",
            doc: "Ignored: a configuration that was read back says here how often it was replaced.",
            shape: Shape::Int { min: 0, max: u64::MAX, get: |_| None, set: |_, _| {} },
        },
    ];
}

impl PoolConfig {
    /// Reads YAML or JSON.
    ///
    /// # Errors
    /// [`Error::Config`], naming key and line.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::from_value(&Value::parse(text)?)
    }

    /// Reads YAML or JSON from bytes, which must be UTF-8.
    ///
    /// # Errors
    /// [`Error::Config`], naming key and line.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Self::from_value(&Value::from_bytes(bytes)?)
    }

    /// Reads YAML or JSON from a file. Errors name it.
    ///
    /// # Errors
    /// [`Error::Config`], naming key, line and file.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, Error> {
        document::from_path(path.as_ref(), Self::from_value)
    }

    /// Reads native data, a map of the keys.
    ///
    /// # Errors
    /// [`Error::Config`], naming key and line.
    pub fn from_value(value: &Value) -> Result<Self, Error> {
        Ok(Self::read(value, &Place::root("", &WIDEST))?)
    }

    /// This configuration with every key that has a value, defaults included, and what is off as `false`. What is read
    /// from it is equal to this, but for an own strategy, which has no name to be read by.
    ///
    /// ```
    /// use loadwise::config::PoolConfig;
    ///
    /// let config = PoolConfig::parse("{nodes: [a], breaker: {open_ms: 1000}}")?;
    /// let value = config.to_value();
    /// assert_eq!(value.get("breaker").unwrap().get("max_open_ms").unwrap().to_json(), "300000");
    /// assert_eq!(value.get("outlier").unwrap().to_json(), "false");
    /// assert_eq!(PoolConfig::from_value(&value)?, config);
    /// # Ok::<(), loadwise::Error>(())
    /// ```
    pub fn to_value(&self) -> Value {
        schema::entries(self, Self::KEYS)
    }

    /// Checks a configuration that code has made. One that was read has been checked.
    ///
    /// ```
    /// use loadwise::config::{HealthConfig, PoolConfig};
    ///
    /// let health = HealthConfig { failure_threshold: 0, ..HealthConfig::default() };
    /// let config = PoolConfig { health, ..PoolConfig::default() };
    /// assert_eq!(config.validate().unwrap_err().to_string(), "health.failure_threshold: must be 1 to 255, not 0");
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`], naming the key, and the line of a node that has one.
    pub fn validate(&self) -> Result<(), Error> {
        Ok(self.check(&Place::root("", &WIDEST))?)
    }

    pub(super) fn read(value: &Value, place: &Place) -> Result<Self, ConfigError> {
        // Nodes and strategies may stand before the bounds that hold for them.
        let mut limits = Limits::default();
        if let Some(given) = value.get("limits") {
            if read_map(&mut limits, Limits::KEYS, given, &place.key("limits")).is_err() {
                limits = WIDEST;
            }
        }
        let place = place.within(&limits);
        let mut config = Self::default();
        read_map(&mut config, Self::KEYS, value, &place)?;
        config.agrees(&place, Lines::of(value))?;
        Ok(config)
    }

    pub(super) fn check(&self, place: &Place) -> Result<(), ConfigError> {
        let place = place.within(&self.limits);
        // The others are checked against these.
        schema::check(&self.limits, Limits::KEYS, &place.key("limits"), 0)?;
        schema::check(self, Self::KEYS, &place, 0)?;
        self.agrees(&place, Lines::all(0))
    }
}

impl Default for PoolConfig {
    /// `p2c` over no nodes, unseeded, with what is optional off.
    fn default() -> Self {
        Self {
            strategy: vec![StrategyConfig::default()],
            nodes: Vec::new(),
            node_lines: Vec::new(),
            seed: None,
            lease_timeout_ms: 0,
            max_in_flight: 0,
            acquire_timeout_ms: 5000,
            acquire_queue: 1024,
            drain_timeout_ms: 5000,
            health: HealthConfig::default(),
            checks: None,
            breaker: None,
            outlier: None,
            panic: PanicConfig::default(),
            tiers: TiersConfig::default(),
            zones: None,
            slow_start: None,
            splits: Vec::new(),
            affinity: None,
            adaptive_limit: None,
            quotas: Vec::new(),
            retry: RetryConfig::default(),
            stats: StatsConfig::default(),
            limits: Limits::default(),
            shared: None,
        }
    }
}
