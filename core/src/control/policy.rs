//! The strategy of a pool: read, and changed while picks are running.

use std::sync::Arc;

use super::config::{P2cLoad, PoolConfig, StrategyConfig, StrategyKind, validate_chain};
use crate::plan::ketama;
use crate::plan::step::{Rule, Step};
use crate::pool::{Pool, PoolNode};
use crate::strategy::Strategy;
use crate::vocabulary::error::{ConfigError, Error};
use crate::vocabulary::time::NANOS_PER_MS;

impl Pool {
    /// Changes the strategy: a name, a [`StrategyConfig`], or a chain of them. State stays.
    ///
    /// # Errors
    /// [`Error::Config`] for an unknown name, an impossible setting, or a table beyond what the pool was made for;
    /// the strategy stays as it was.
    pub fn set_strategy(&self, strategy: impl IntoChain) -> Result<(), Error> {
        self.apply_strategy(strategy.into_chain()?, None)
    }

    /// Puts a strategy of one's own in charge; one that finds nobody gives way to `fallback`.
    ///
    /// # Errors
    /// [`Error::Config`] if a fallback cannot be; the strategy stays as it was.
    pub fn set_own_strategy(&self, own: Arc<dyn Strategy<PoolNode>>, fallback: impl IntoChain) -> Result<(), Error> {
        let mut chain = vec![StrategyConfig::from(StrategyKind::Custom)];
        chain.extend(fallback.into_chain()?);
        self.apply_strategy(chain, Some(own))
    }

    fn apply_strategy(
        &self,
        chain: Vec<StrategyConfig>,
        own: Option<Arc<dyn Strategy<PoolNode>>>,
    ) -> Result<(), Error> {
        validate_chain(&chain, &self.memory.layout.limits, "strategy")?;
        if chain.iter().any(|s| s.kind == StrategyKind::Custom) && own.is_none() && !self.own_strategy.is_set() {
            return Err(
                ConfigError::new("strategy", 0, "\"custom\" needs an own strategy: see set_own_strategy").into()
            );
        }
        let mut _replaced = None;
        let _building = self.enter()?;
        let steps = self.steps_of(&chain)?;
        let members = self.members();
        self.check_ring(&steps, members.iter().map(|&i| self.memory.node(i).weight()))?;
        let config = PoolConfig { strategy: chain, ..self.config().clone() };
        self.check_text(&config)?;
        let weights = members.iter().map(|&i| u64::from(self.memory.node(i).weight())).sum();
        self.reserve_room(&config, &steps, 0, self.groups_in_force(), weights)?;
        // Nothing can be refused from here on. The strategy before is dropped when others may build again: its drop is
        // the user's, and may call this pool.
        if let Some(own) = own {
            _replaced = self.own_strategy.set(own);
        }
        self.publish_config(&members, &steps, config);
        Ok(())
    }

    /// The name of the strategy in charge: the first of the chain.
    pub fn strategy(&self) -> &'static str {
        self.plan_at(self.generation().current()).lead().rule().map_or("p2c", name)
    }

    pub(crate) fn steps_of(&self, chain: &[StrategyConfig]) -> Result<Vec<Step>, Error> {
        let limits = &self.memory.layout.limits;
        for strategy in chain {
            match strategy.kind {
                StrategyKind::RingHash { points: Some(points), .. } if points != self.memory.layout.ring_points => {
                    let fixed = self.memory.layout.ring_points;
                    let message = format!("{points} points a node; this pool was made with {fixed}, and that stays");
                    return Err(ConfigError::new("strategy.points", 0, message).into());
                }
                StrategyKind::Maglev { table_size } if table_size > limits.max_table_size => {
                    let max = limits.max_table_size;
                    let message = format!("{table_size} entries, more than the {max} that the pool was made for");
                    return Err(ConfigError::limit("limits.max_table_size", 0, message).into());
                }
                _ => {}
            }
        }
        Ok(chain.iter().map(step).collect())
    }

    /// Whether the ring of nginx, whose points are not scaled, has room for these weights.
    pub(crate) fn check_ring(&self, steps: &[Step], weights: impl Iterator<Item = u32>) -> Result<(), ConfigError> {
        if !steps.iter().any(|s| s.rule == Rule::RingHashNginx) {
            return Ok(());
        }
        let points = weights.map(u64::from).sum::<u64>().saturating_mul(u64::from(ketama::POINTS));
        let max = self.memory.layout.plans[0][0].ring.len() as u64;
        if points > max {
            let message =
                format!("{points} points on the ring of nginx ({} a unit of weight), more than {max}", ketama::POINTS);
            return Err(ConfigError::limit("limits.max_nodes", 0, message));
        }
        Ok(())
    }
}

/// The Maglev table's size in a chain.
pub(crate) fn table_size(chain: &[StrategyConfig]) -> Option<u32> {
    chain.iter().find_map(|s| match s.kind {
        StrategyKind::Maglev { table_size } => Some(table_size),
        _ => None,
    })
}

fn step(strategy: &StrategyConfig) -> Step {
    let bound = strategy.bounded_load.unwrap_or(0.0);
    let (rule, parameter) = match strategy.kind {
        StrategyKind::RoundRobin => (Rule::RoundRobin, 0.0),
        StrategyKind::WeightedRoundRobin => (Rule::WeightedRoundRobin, 0.0),
        StrategyKind::Random => (Rule::Random, 0.0),
        StrategyKind::WeightedRandom => (Rule::WeightedRandom, 0.0),
        StrategyKind::LeastLoad => (Rule::LeastLoad, 0.0),
        StrategyKind::LeastRequest { exact: false } => (Rule::LeastRequest, 0.0),
        StrategyKind::LeastRequest { exact: true } => (Rule::LeastRequestExact, 0.0),
        StrategyKind::P2c { load: P2cLoad::InFlight } => (Rule::P2cInFlight, 0.0),
        StrategyKind::P2c { load: P2cLoad::Reported } => (Rule::P2cReported, 0.0),
        StrategyKind::P2c { load: P2cLoad::PeakEwma } => (Rule::P2cPeakEwma, crate::pool::DECAY_NS),
        StrategyKind::PeakEwma { decay_ms } => (Rule::PeakEwma, decay_ms as f64 * NANOS_PER_MS as f64),
        StrategyKind::RingHash { compat: None, .. } => (Rule::RingHash, bound),
        StrategyKind::RingHash { compat: Some(_), .. } => (Rule::RingHashNginx, bound),
        StrategyKind::Maglev { .. } => (Rule::Maglev, bound),
        StrategyKind::Rendezvous => (Rule::Rendezvous, bound),
        StrategyKind::MostAvailable { epsilon } => (Rule::MostAvailable, epsilon),
        StrategyKind::Adaptive => (Rule::Adaptive, crate::pool::DECAY_NS),
        StrategyKind::Fastest { class_ms } => (Rule::Fastest, class_ms as f64 * NANOS_PER_MS as f64),
        StrategyKind::ReportedLoad { .. } => (Rule::ReportedLoad, 0.0),
        StrategyKind::Custom => (Rule::Custom, 0.0),
    };
    Step { rule, parameter }
}

pub(crate) fn name(rule: Rule) -> &'static str {
    match rule {
        Rule::RoundRobin => "round_robin",
        Rule::WeightedRoundRobin => "weighted_round_robin",
        Rule::Random => "random",
        Rule::WeightedRandom => "weighted_random",
        Rule::LeastLoad => "least_load",
        Rule::LeastRequest | Rule::LeastRequestExact => "least_request",
        Rule::P2cInFlight | Rule::P2cReported | Rule::P2cPeakEwma => "p2c",
        Rule::PeakEwma => "peak_ewma",
        Rule::RingHash | Rule::RingHashNginx => "ring_hash",
        Rule::Maglev => "maglev",
        Rule::Rendezvous => "rendezvous",
        Rule::MostAvailable => "most_available",
        Rule::Adaptive => "adaptive",
        Rule::Fastest => "fastest",
        Rule::ReportedLoad => "reported_load",
        Rule::Custom => "custom",
    }
}

/// What names a strategy: a word, a configuration, or a chain of configurations.
pub trait IntoChain {
    /// # Errors
    /// [`Error::Config`] for an unknown name.
    fn into_chain(self) -> Result<Vec<StrategyConfig>, Error>;
}

impl IntoChain for &str {
    fn into_chain(self) -> Result<Vec<StrategyConfig>, Error> {
        Ok(vec![StrategyConfig::parse_name(self)?])
    }
}

impl IntoChain for StrategyConfig {
    fn into_chain(self) -> Result<Vec<StrategyConfig>, Error> {
        Ok(vec![self])
    }
}

impl IntoChain for Vec<StrategyConfig> {
    fn into_chain(self) -> Result<Vec<StrategyConfig>, Error> {
        Ok(self)
    }
}

impl<const N: usize> IntoChain for [StrategyConfig; N] {
    fn into_chain(self) -> Result<Vec<StrategyConfig>, Error> {
        Ok(self.to_vec())
    }
}

/// A fallback chain by names.
impl<const N: usize> IntoChain for [&str; N] {
    fn into_chain(self) -> Result<Vec<StrategyConfig>, Error> {
        Ok(self.iter().map(|name| StrategyConfig::parse_name(name)).collect::<Result<_, _>>()?)
    }
}
