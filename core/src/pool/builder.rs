//! Making a pool.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;

use super::health::OwnHealth;
use super::observe::Observers;
use super::own_strategy::OwnStrategy;
use super::wait::Waiters;
use super::{Pool, PoolNode, UserData, latencies, quotas, sessions};
use crate::control::config::{HealthConfig, PoolConfig, StrategyConfig, StrategyKind};
use crate::control::in_force::InForce;
use crate::control::policy::{IntoChain, table_size};
use crate::policies::health::HealthPolicy;
use crate::state::layout::{Layout, Sizes, pool_word};
use crate::state::local::{PoolNumber, next_tag};
use crate::state::memory::Memory;
use crate::state::seat::{Holder, Seat};
use crate::strategy::Strategy;
use crate::sync::Ordering;
use crate::vocabulary::error::{ConfigError, Error};
use crate::vocabulary::fork;
use crate::vocabulary::limits::Limits;
use crate::vocabulary::node::NodeSpec;
use crate::vocabulary::rng::Draws;

/// Nodes of a pool whose rings have 512 points a node; larger pools have 104.
const RING_NODES_MANY_POINTS: u32 = 2048;

/// Describes a pool. What is not said has the defaults of `docs/configuration.md`.
#[must_use]
pub struct PoolBuilder {
    name: String,
    config: PoolConfig,
    own_strategy: Option<Arc<dyn Strategy<PoolNode>>>,
    own_health: Option<Box<dyn HealthPolicy>>,
}

impl std::fmt::Debug for PoolBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PoolBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl PoolBuilder {
    pub(super) fn new() -> Self {
        Self { name: "default".to_owned(), config: PoolConfig::default(), own_strategy: None, own_health: None }
    }

    /// What tells the pool from others in metrics.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Everything at once.
    pub fn config(mut self, config: PoolConfig) -> Self {
        self.config = config;
        self
    }

    /// A name, a configuration, or a fallback chain.
    ///
    /// # Errors
    /// [`Error::Config`] for an unknown name.
    pub fn strategy(mut self, strategy: impl IntoChain) -> Result<Self, Error> {
        self.config.strategy = strategy.into_chain()?;
        Ok(self)
    }

    /// A strategy of one's own; the configured one takes over when it finds nobody.
    pub fn own_strategy(mut self, strategy: impl Strategy<PoolNode> + 'static) -> Self {
        self.own_strategy = Some(Arc::new(strategy));
        self
    }

    /// A health policy of one's own, instead of the thresholds.
    pub fn health_policy(mut self, policy: impl HealthPolicy + 'static) -> Self {
        self.own_health = Some(Box::new(policy));
        self
    }

    pub fn nodes<N: Into<NodeSpec>>(mut self, nodes: impl IntoIterator<Item = N>) -> Self {
        self.config.nodes = nodes.into_iter().map(Into::into).collect();
        self.config.node_lines = Vec::new();
        self
    }

    pub fn node(mut self, node: impl Into<NodeSpec>) -> Self {
        self.config.nodes.push(node.into());
        self.config.node_lines = Vec::new();
        self
    }

    /// Makes decisions a pure function of the calls in their order.
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = Some(seed);
        self
    }

    pub fn health(mut self, health: HealthConfig) -> Self {
        self.config.health = health;
        self
    }

    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// 0 = off: a pick that is never finished stays in flight.
    pub fn lease_timeout_ms(mut self, timeout_ms: u64) -> Self {
        self.config.lease_timeout_ms = timeout_ms;
        self
    }

    /// # Errors
    /// [`Error::Config`], naming what cannot be.
    pub fn build(self) -> Result<Pool, Error> {
        let mut config = self.config;
        if self.own_strategy.is_some() && !config.strategy.iter().any(|s| s.kind == StrategyKind::Custom) {
            config.strategy.insert(0, StrategyConfig::from(StrategyKind::Custom));
        }
        config.validate()?;
        if self.own_strategy.is_none() && config.strategy.iter().any(|s| s.kind == StrategyKind::Custom) {
            return Err(ConfigError::new("strategy", 0, "\"custom\" needs an own strategy").into());
        }
        let pool = Pool::private(self.name, &config, self.own_health)?;
        if let Some(own) = self.own_strategy {
            pool.own_strategy.set(own);
        }
        pool.begin(&config)?;
        Ok(pool)
    }
}

impl Pool {
    /// A pool from YAML or JSON text.
    ///
    /// ```
    /// let pool = loadwise::Pool::from_config("
    /// strategy: {name: maglev, bounded_load: 1.25}
    /// nodes:
    ///   - {id: a, address: '10.0.0.1:8080', weight: 5}
    ///   - {id: b, address: '10.0.0.2:8080'}
    /// ")?;
    /// assert_eq!(pool.strategy(), "maglev");
    ///
    /// let error = loadwise::Pool::from_config("nodes:\n  - {id: a, weight: -1}").unwrap_err();
    /// assert!(error.to_string().contains("line 2") && error.to_string().contains("weight"));
    /// # Ok::<(), loadwise::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`], naming key and line.
    pub fn from_config(text: &str) -> Result<Self, Error> {
        Self::builder().config(PoolConfig::parse(text)?).build()
    }

    /// An empty pool on private memory.
    fn private(name: String, config: &PoolConfig, own_health: Option<Box<dyn HealthPolicy>>) -> Result<Self, Error> {
        let mut limits = config.limits;
        let table_size = table_size(&config.strategy);
        limits.max_table_size = limits.max_table_size.max(table_size.unwrap_or(0));
        let points = config.strategy.iter().find_map(|s| match s.kind {
            StrategyKind::RingHash { points, .. } => points,
            _ => None,
        });
        let default_points = if limits.max_nodes <= RING_NODES_MANY_POINTS { 512 } else { 104 };
        let affinity_entries = config.affinity.unwrap_or_default().entries;
        let sizes = Sizes {
            ring_points: points.unwrap_or(default_points),
            quota_words: quotas::NODE_WORDS,
            reservation_words: quotas::LEASE_WORDS,
            affinity_entries,
            affinity_words: sessions::words(affinity_entries),
            latency_words: latencies::POOL_WORDS,
            node_latency_words: latencies::NODE_WORDS,
            config_words: 0,
        };
        let layout = Layout::new(limits, sizes);
        let no_memory =
            |e: std::io::Error| ConfigError::limit("limits", 0, format!("no memory for a pool of these limits: {e}"));
        let memory = Memory::private(layout).map_err(no_memory)?;
        let number = PoolNumber::claim().ok_or_else(|| {
            ConfigError::limit("", 0, format!("more than {} pools in one process", crate::state::local::POOLS_MAX))
        })?;
        if config.seed.is_none() {
            // Pools of many processes must not all begin with the first node.
            memory.pool(pool_word::CURSOR).store(Draws::of_thread().below(1 << 32), Ordering::Relaxed);
        }
        let user_data = (0..limits.max_nodes).map(|_| UserData::default()).collect();
        memory
            .pool(pool_word::SALT)
            .store(config.seed.unwrap_or_else(|| Draws::of_thread().next_u64()), Ordering::Relaxed);
        Ok(Self {
            name,
            memory: Arc::new(memory),
            seed: config.seed,
            seat: Seat::new(Holder::new(fork::incarnation(), 0)),
            observers: Observers::default(),
            waiters: Waiters::default(),
            in_force: InForce::new(config),
            user_data,
            own_strategy: OwnStrategy::default(),
            own_health: own_health.map(|policy| OwnHealth { policy, nodes: Mutex::default() }),
            number,
            tag: AtomicU64::new(next_tag()),
            incarnation: AtomicU64::new(fork::incarnation()),
            fork_word: fork::fork_word(),
        })
    }
}
