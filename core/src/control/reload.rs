//! A pool's configuration, replaced while picks are running, and read back.
//!
//! ```text
//! prepare:  check everything that can be refused; take the build lease; find a place for every node     changes nothing
//! apply:    settings, nodes by id, plan; then what no longer applies is let go                          cannot fail
//! tell:     observers and waiters, when no lease is held any more
//! ```
//!
//! An engine prepares all its pools before it applies any, so that a document is in force as a whole or not at all.

use super::config::{Kind, PoolConfig, StrategyConfig, StrategyKind, Value};
use super::lock::Building;
use super::membership::{Draining, Replacement, TopologyChange};
use super::publish::Change;
use crate::plan::step::Step;
use crate::pool::Pool;
use crate::state::node::State;
use crate::vocabulary::error::{ConfigError, Error};
use crate::vocabulary::limits::Limits;
use crate::vocabulary::node::NodeSpec;
use crate::vocabulary::time::now_ns;

/// A configuration that can be put in force, and the right to do so.
pub(crate) struct Prepared<'p> {
    pool: &'p Pool,
    config: PoolConfig,
    steps: Vec<Step>,
    replacement: Replacement,
    differs: bool,
    is_new: bool,
    building: Building<'p>,
}

/// What is to be told of a configuration that was put in force.
pub(crate) struct Untold<'p> {
    pool: &'p Pool,
    topology: TopologyChange,
    /// Nodes that nothing holds any more: state before and after.
    let_go: Vec<(usize, State, State)>,
    now_ns: u64,
}

impl Pool {
    /// Replaces the configuration while picks are running. What is known of nodes whose ids stay is kept: in flight,
    /// averages, health, breakers, holds, warm-ups, draining, sessions, the phase of round robins, and the host's own
    /// number where the configuration says none; so is what was used of quotas whose dimension, window and buckets stay.
    /// Weights that were set by hand are those of the configuration again. A breaker or an ejection that is not
    /// configured any more lets go of its nodes; a pool's `max_in_flight` that is new counts the picks from then on.
    ///
    /// `seed`, `limits`, and `points` of `ring_hash` are fixed when a pool is made. An own strategy that is in charge stays
    /// the first of the chain.
    ///
    /// ```
    /// use loadwise::{Pool, config::PoolConfig};
    ///
    /// let pool = Pool::from_config("{strategy: p2c, nodes: [a, b]}")?;
    /// pool.reload(&PoolConfig::parse("{strategy: maglev, nodes: [b, c], breaker: true}")?)?;
    /// assert_eq!((pool.strategy(), pool.config_version()), ("maglev", 2));
    ///
    /// let error = pool.reload(&PoolConfig::parse("{nodes: [b, c], limits: {max_nodes: 5}}")?).unwrap_err();
    /// assert!(error.to_string().starts_with("limits.max_nodes: "));
    /// assert_eq!(pool.config_version(), 2);
    /// # Ok::<(), loadwise::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] for what cannot be, or cannot be any more; nothing is changed then.
    pub fn reload(&self, config: &PoolConfig) -> Result<(), Error> {
        self.reload_at(config, now_ns())
    }

    /// [`reload`](Self::reload), unless the configuration is the one that was last put in force, by whichever process;
    /// whether it was not. What was changed by hand since stays then.
    ///
    /// # Errors
    /// As [`reload`](Self::reload).
    pub fn reload_if_new(&self, config: &PoolConfig) -> Result<bool, Error> {
        self.reload_if_new_at(config, now_ns())
    }

    /// [`reload_if_new`](Self::reload_if_new) at a time of the caller's.
    ///
    /// # Errors
    /// As [`reload`](Self::reload).
    pub fn reload_if_new_at(&self, config: &PoolConfig, now_ns: u64) -> Result<bool, Error> {
        let prepared = self.prepare(config)?;
        let is_new = prepared.is_new();
        if is_new {
            prepared.apply(now_ns).tell();
        }
        Ok(is_new)
    }

    /// [`reload`](Self::reload) at a time of the caller's.
    ///
    /// # Errors
    /// As [`reload`](Self::reload).
    pub fn reload_at(&self, config: &PoolConfig, now_ns: u64) -> Result<(), Error> {
        let applied = self.prepare(config)?.apply(now_ns);
        applied.tell();
        Ok(())
    }

    /// The configuration in force with every key, defaults included, with the nodes as they are now; and `version`, how
    /// often it was replaced.
    pub fn config_value(&self) -> Value {
        let (config, version) = (self.config_in_force(), self.config_version());
        let mut value = config.to_value();
        if let (Kind::Map(entries), Kind::Map(version)) =
            (&mut value.kind, Value::map([("version", Value::from(version))]).kind)
        {
            entries.extend(version);
        }
        value
    }

    /// One setting in force, by its key in [`config_value`](Self::config_value).
    ///
    /// ```
    /// use loadwise::Pool;
    ///
    /// let pool = Pool::from_config("{strategy: maglev, retry: {max_attempts: 5}, nodes: [a]}")?;
    /// assert_eq!(pool.setting("retry.max_attempts")?, 5.into());
    /// assert_eq!(pool.setting("strategy[0].name")?, "maglev".into());
    /// assert!(pool.setting("breaker.open_ms").is_err(), "it has none");
    /// # Ok::<(), loadwise::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] if there is no such setting, or it is of something that is not configured.
    pub fn setting(&self, key: &str) -> Result<Value, Error> {
        let config = if key.starts_with("nodes") {
            self.config_in_force()
        } else {
            // Without the nodes, of which there may be many.
            let config = self.config().clone();
            self.settled(&config)
        };
        let found = config.to_value().find(key).cloned();
        let nothing = || {
            let key: String = key.chars().take(64).collect();
            ConfigError::new(key, 0, "there is no such setting, or it is of something that is not configured")
        };
        Ok(found.ok_or_else(nothing)?)
    }

    /// Finds out whether a configuration can be put in force.
    pub(crate) fn prepare(&self, config: &PoolConfig) -> Result<Prepared<'_>, Error> {
        let building = self.enter()?;
        let is_new = !self.is_declared(config);
        let mut config = self.settled(config);
        config.validate()?;
        self.check_fixed(&config)?;
        self.check_room(&config)?;
        self.check_text(&config)?;
        let steps = self.steps_of(&config.strategy)?;
        // Whose it is need not be known here: one of another process stays in charge there.
        let needs_own = config.strategy.iter().any(is_own) && !self.own_is_in_charge();
        if needs_own && !self.own_strategy.is_set() {
            return Err(ConfigError::new("strategy", 0, "\"custom\" needs an own strategy").into());
        }
        self.keep_user_data(&mut config.nodes);
        let replacement = self.find_places(&config.nodes, &steps, &config)?;
        let differs = config != self.config_in_force();
        Ok(Prepared { pool: self, config, steps, replacement, differs, is_new, building })
    }

    /// A configuration as it would be in force here: two that mean the same are equal.
    pub(crate) fn settled(&self, config: &PoolConfig) -> PoolConfig {
        let mut config = config.clone();
        if self.own_is_in_charge() && !config.strategy.iter().any(is_own) {
            config.strategy.insert(0, StrategyConfig::from(StrategyKind::Custom));
        }
        for strategy in &mut config.strategy {
            if let StrategyKind::RingHash { points: points @ None, compat: None } = &mut strategy.kind {
                *points = Some(self.memory.layout.ring_points);
            }
        }
        config.limits.max_picks = config.limits.max_picks.next_multiple_of(64);
        config.node_lines = Vec::new();
        // Where it is shared is not the pool's to say once it is.
        config.shared = None;
        config
    }

    fn own_is_in_charge(&self) -> bool {
        self.config().strategy.iter().any(is_own)
    }

    /// With the nodes of this moment.
    pub(crate) fn config_in_force(&self) -> PoolConfig {
        let config = self.config().clone();
        let nodes = self.look(|members| members.iter().map(|&index| self.spec_of(index, &config)).collect());
        self.settled(&PoolConfig { nodes, ..config })
    }

    /// Nodes that say no number keep the one that the host gave them.
    pub(crate) fn keep_user_data(&self, nodes: &mut [NodeSpec]) {
        let plan = self.plan_at(self.generation().current());
        for node in nodes.iter_mut().filter(|node| node.user_data == 0) {
            node.user_data = self.member(plan, &node.id).map_or(0, |index| self.user_data_of(self.reference(index)));
        }
    }

    /// Takes up the host's own numbers of nodes that are there.
    pub(crate) fn take_user_data(&self, nodes: &[NodeSpec]) {
        for node in nodes.iter().filter(|node| node.user_data != 0) {
            if let Some(there) = self.node(&node.id) {
                self.set_user_data(there, node.user_data);
            }
        }
    }

    /// A member as it would be described.
    pub(crate) fn spec_of(&self, index: usize, config: &PoolConfig) -> NodeSpec {
        let (node, record) = (self.memory.node(index), self.memory.record(index));
        let dimensions = config.quotas.iter().map(|quota| &quota.dimension);
        NodeSpec {
            id: record.id().as_str().to_owned(),
            name: record.name().as_str().to_owned(),
            address: record.address().as_str().to_owned(),
            weight: node.weight(),
            labels: record.labels().into_iter().collect(),
            tier: node.tier(),
            zone: record.zone().as_str().to_owned(),
            max_in_flight: node.max_in_flight(),
            quotas: dimensions.filter_map(|name| Some((name.clone(), self.own_limit(index, name)?))).collect(),
            user_data: self.user_data_of(self.reference(index)),
        }
    }

    /// That nothing is asked to change that is fixed when a pool is made.
    fn check_fixed(&self, config: &PoolConfig) -> Result<(), ConfigError> {
        let fixed = |key: &str, is: String, was: String| {
            let message = format!("cannot become {is}: it is {was} since the pool was made");
            Err(ConfigError::new(key, 0, message))
        };
        if config.seed != self.seed {
            let text = |seed: Option<u64>| seed.map_or("unset".to_owned(), |seed| seed.to_string());
            return fixed("seed", text(config.seed), text(self.seed));
        }
        let before = self.config().clone();
        let was = fixed_limits(&self.settled(&before).limits);
        match fixed_limits(&config.limits).into_iter().zip(was).find(|(is, was)| is != was) {
            Some(((key, is), (_, was))) => fixed(key, is.to_string(), was.to_string()),
            None => Ok(()),
        }
    }
}

/// What is fixed of the limits, by key.
pub(crate) fn fixed_limits(limits: &Limits) -> [(&'static str, u32); 7] {
    [
        ("limits.max_nodes", limits.max_nodes),
        ("limits.max_picks", limits.max_picks),
        ("limits.max_processes", limits.max_processes),
        ("limits.max_labels", limits.max_labels),
        ("limits.max_label_bytes", limits.max_label_bytes),
        ("limits.max_table_size", limits.max_table_size),
        ("limits.max_groups", limits.max_groups),
    ]
}

impl<'p> Prepared<'p> {
    /// Whether it is another configuration than the one in force.
    pub(crate) fn differs(&self) -> bool {
        self.differs
    }

    /// Whether it is another one than was last put in force, whatever was changed since.
    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Puts the configuration in force, unless it is; then it is only noted that this is what was asked for.
    pub(crate) fn apply_if_other(self, now_ns: u64) -> Option<Untold<'p>> {
        if self.differs {
            return Some(self.apply(now_ns));
        }
        self.pool.declare(&self.config, &self.config.nodes);
        None
    }

    /// Puts the configuration in force.
    pub(crate) fn apply(self, now_ns: u64) -> Untold<'p> {
        let Self { pool, mut config, steps, replacement, building, .. } = self;
        let nodes = std::mem::take(&mut config.nodes);
        let change = Change { specs: &nodes, replacement, draining: Draining::GoesOn, steps, config: Some(config) };
        let (topology, applied) = pool.put_in_force(change, now_ns);
        drop(building);
        Untold { pool, topology, let_go: applied.let_go, now_ns }
    }
}

fn is_own(strategy: &StrategyConfig) -> bool {
    strategy.kind == StrategyKind::Custom
}

impl Untold<'_> {
    /// Tells observers and waiters. Not under a build lease: they may call any pool.
    pub(crate) fn tell(self) {
        let Self { pool, topology, let_go, now_ns } = self;
        for (index, old, new) in let_go {
            if !new.is_down() {
                pool.note_return(index, now_ns);
            }
            pool.note_change(index, old, new, now_ns);
        }
        pool.tell_topology(topology);
    }
}

impl Pool {
    /// Ends what holds a node and is not configured any more; the state before and after, if that changed it.
    pub(crate) fn let_go(&self, index: usize) -> Option<(usize, State, State)> {
        let (breaker, outlier) = (self.live().breaker(), self.live().outlier());
        let node = self.memory.node(index);
        let mut state = node.state();
        loop {
            let new = let_go(state, breaker, outlier);
            if new == state {
                return None;
            }
            match self.swap_state(index, state, new) {
                Ok(()) => return Some((index, state, new)),
                Err(seen) => state = seen,
            }
        }
    }
}

/// A state that nothing holds but what is configured.
pub(crate) fn let_go(state: State, breaker: bool, outlier: bool) -> State {
    state.with_breaker(state.is_breaker_open() && breaker).with_ejection(state.is_ejected() && outlier)
}
