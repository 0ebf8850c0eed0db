//! Making a pool.

use std::sync::Arc;

use super::{Pool, PoolNode};
use crate::control::config::{HealthConfig, PoolConfig, SharedConfig, StrategyConfig, StrategyKind};
use crate::control::policy::IntoChain;
use crate::control::sharing::SharedPools;
use crate::policies::health::HealthPolicy;
use crate::strategy::Strategy;
use crate::vocabulary::error::{ConfigError, Error};
use crate::vocabulary::limits::Limits;
use crate::vocabulary::node::NodeSpec;

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

    /// Shares the pool's state with all processes that open the same file: see
    /// [`SharedConfig`](crate::config::SharedConfig). A pool of this name that is there already is attached to, and not
    /// changed: see [`Pool::differences`].
    pub fn shared(mut self, shared: impl Into<SharedConfig>) -> Self {
        self.config.shared = Some(shared.into());
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
        let own = |pool: &Pool| _ = self.own_strategy.map(|own| pool.own_strategy.set(own));
        let Some(shared) = config.shared.take() else {
            return Pool::alone(self.name, &config, self.own_health, own);
        };
        if self.own_health.is_some() {
            let message = "a health policy of one's own keeps what it knows in one process: not with `shared`";
            return Err(ConfigError::new("shared", 0, message).into());
        }
        SharedPools::open(&shared)?.pool(self.name, &config, own)
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
}
