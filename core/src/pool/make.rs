//! A pool over its memory: one of its own, or a part of a segment.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::health::OwnHealth;
use super::observe::Observers;
use super::own_strategy::OwnStrategy;
use super::wait::Waiters;
use super::{Pool, UserData, latencies, quotas, sessions};
use crate::control::config::{PoolConfig, StrategyKind};
use crate::control::in_force::{self, InForce};
use crate::control::policy::table_size;
use crate::policies::health::HealthPolicy;
use crate::segment::Segment;
use crate::state::layout::{Layout, Shape, Sizes, pool_word};
use crate::state::local::{PoolNumber, next_tag};
use crate::state::memory::Memory;
use crate::state::seat::{Holder, Seat};
use crate::sync::Ordering;
use crate::vocabulary::error::{ConfigError, Error};
use crate::vocabulary::fork;
use crate::vocabulary::lock::Mutex;
use crate::vocabulary::rng::Draws;

/// Nodes of a pool whose rings have 512 points a node; larger pools have 104.
const RING_NODES_MANY_POINTS: u32 = 2048;

/// An incarnation that no process is in.
const NEVER: u64 = u64::MAX;

/// A part of a segment that a pool is over.
#[derive(Clone)]
pub(crate) struct Share {
    pub(crate) segment: Arc<Segment>,
    /// Its place in the directory, and which pool in this place.
    pub(crate) entry: usize,
    pub(crate) life: u64,
    pub(crate) holder: Holder,
}

/// The shape of a pool that is to be configured so.
pub(crate) fn shape_of(config: &PoolConfig, max_processes: u32) -> Shape {
    let mut limits = config.limits;
    limits.max_processes = max_processes;
    limits.max_table_size = limits.max_table_size.max(table_size(&config.strategy).unwrap_or(0));
    let points = config.strategy.iter().find_map(|s| match s.kind {
        StrategyKind::RingHash { points, .. } => points,
        _ => None,
    });
    let default_points = if limits.max_nodes <= RING_NODES_MANY_POINTS { 512 } else { 104 };
    Shape {
        limits,
        ring_points: points.unwrap_or(default_points),
        affinity_entries: config.affinity.unwrap_or_default().entries,
        seed: config.seed,
    }
}

/// Where a pool of this shape has what.
pub(crate) fn layout_of(shape: &Shape) -> Layout {
    let sizes = Sizes {
        ring_points: shape.ring_points,
        quota_words: quotas::NODE_WORDS,
        reservation_words: quotas::LEASE_WORDS,
        affinity_entries: shape.affinity_entries,
        affinity_words: sessions::words(shape.affinity_entries),
        latency_words: latencies::POOL_WORDS,
        node_latency_words: latencies::NODE_WORDS,
        config_words: if shape.limits.max_processes > 1 { in_force::WORDS } else { 0 },
    };
    Layout::new(shape.limits, sizes)
}

impl Pool {
    /// A pool on private memory. `own`: puts a strategy of the user's own in it.
    pub(crate) fn alone(
        name: String,
        config: &PoolConfig,
        own_health: Option<Box<dyn HealthPolicy>>,
        own: impl FnOnce(&Self),
    ) -> Result<Self, Error> {
        let pool = Self::private(name, config, own_health)?;
        own(&pool);
        pool.begin(config)?;
        Ok(pool)
    }

    /// An empty pool on private memory.
    fn private(name: String, config: &PoolConfig, own_health: Option<Box<dyn HealthPolicy>>) -> Result<Self, Error> {
        let shape = shape_of(config, 1);
        let no_memory =
            |e: std::io::Error| ConfigError::limit("limits", 0, format!("no memory for a pool of these limits: {e}"));
        let memory = Memory::private(layout_of(&shape)).map_err(no_memory)?;
        let mut pool = Self::over(name, config, Arc::new(memory), shape.seed, None)?;
        pool.stir();
        pool.own_health = own_health.map(|policy| OwnHealth { policy, nodes: Mutex::default() });
        Ok(pool)
    }

    /// A pool over a memory. `config` is what it is known to be configured with, until it is found out.
    pub(crate) fn over(
        name: String,
        config: &PoolConfig,
        memory: Arc<Memory>,
        seed: Option<u64>,
        share: Option<Share>,
    ) -> Result<Self, Error> {
        let number = PoolNumber::claim().ok_or_else(|| {
            ConfigError::limit("", 0, format!("more than {} pools in one process", crate::state::local::POOLS_MAX))
        })?;
        let holder = share.as_ref().map_or(Holder::new(fork::incarnation(), 0), |share| share.holder);
        // Who only looks is never in the incarnation that uses a pool.
        let is_used = share.as_ref().is_none_or(|share| share.segment.is_writer());
        Ok(Self {
            name,
            seed,
            seat: Seat::new(holder),
            share,
            differences: Box::default(),
            observers: Observers::default(),
            waiters: Waiters::default(),
            in_force: InForce::new(config),
            user_data: (0..memory.nodes_max()).map(|_| UserData::default()).collect(),
            memory,
            own_strategy: OwnStrategy::default(),
            own_health: None,
            number,
            tag: AtomicU64::new(next_tag()),
            incarnation: AtomicU64::new(if is_used { fork::incarnation() } else { NEVER }),
            fork_word: fork::fork_word(),
        })
    }

    /// What a new memory begins with.
    pub(crate) fn stir(&self) {
        if self.seed.is_none() {
            // Pools of many processes must not all begin with the first node.
            self.memory.pool(pool_word::CURSOR).store(Draws::of_thread().below(1 << 32), Ordering::Relaxed);
        }
        let salt = self.seed.unwrap_or_else(|| Draws::of_thread().next_u64());
        self.memory.pool(pool_word::SALT).store(salt, Ordering::Relaxed);
    }
}
