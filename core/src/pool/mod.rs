//! Nodes and a policy: pick, use, finish.

pub(crate) mod attach;
mod builder;
mod candidate;
pub(crate) mod choose;
pub(crate) mod decision;
mod describe;
mod elsewhere;
mod explain;
pub mod explanation;
mod filter;
mod finish;
mod first_token;
pub(crate) mod guarded;
pub(crate) mod health;
pub(crate) mod latencies;
mod least_index;
pub(crate) mod make;
mod observe;
mod own_strategy;
mod pick;
mod probe;
pub(crate) mod quotas;
mod rating;
mod request;
mod retry;
pub(crate) mod sessions;
pub(crate) mod tiers;
mod trace;
mod wait;
mod why;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

pub use builder::PoolBuilder;
pub use candidate::Candidate;
pub use observe::{Event, EventKind, ObserverId};
pub use own_strategy::PoolNode;
pub use pick::{Lease, Pick};
pub use request::Request;
pub use retry::{Again, AttemptPlan, CallError, CallOptions, Failed, GiveUp, PlannedAttempt, Retry, RetryAsk};
pub use wait::WaitId;

pub use crate::state::lease::Ticket;

pub(crate) use finish::DECAY_NS;

/// The health states that a plan is built for.
pub(crate) const AVAILABLE_MASK: u64 = request::AVAILABLE as u64;

use crate::control::in_force::InForce;
use crate::plan::publish::Generation;
use crate::plan::view::PlanView;
use crate::state::layout::{plan_word, pool_word};
use crate::state::local::PoolNumber;
use crate::state::memory::Memory;
use crate::state::seat::Seat;
use crate::sync::Ordering;

/// A set of nodes under one policy.
///
/// [`pick`](Self::pick) chooses a node and counts it in flight until the [`Pick`] is finished or dropped. All methods take
/// `&self` and may be called from any thread; picking takes no lock and allocates nothing, also while others change nodes,
/// weights or the strategy.
///
/// ```
/// use loadwise::{NoNodeReason, Outcome, Pool, Request};
///
/// let pool = Pool::builder().strategy("p2c")?.nodes(["10.0.0.1:8080", "10.0.0.2:8080"]).build()?;
///
/// let pick = pool.pick(&Request::new())?;
/// println!("connect to {}", pick.address());
/// let tried = pick.id();
/// pick.finish(Outcome::Failure)?;
///
/// // The retry goes elsewhere.
/// let exclude = [tried.as_str()];
/// let pick = pool.pick(&Request::new().exclude(&exclude))?;
/// assert_ne!(pick.id(), tried);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Pool {
    name: String,
    pub(crate) memory: Arc<Memory>,
    /// Makes decisions repeatable; fixed when the pool is made.
    pub(crate) seed: Option<u64>,
    /// Where this process counts what it has in flight.
    pub(crate) seat: Seat,
    /// What it is a part of, if other processes share it.
    pub(crate) share: Option<make::Share>,
    /// In what this process is configured otherwise than the pool that it attached to.
    pub(crate) differences: Box<[crate::control::Difference]>,
    /// The host's own number of each node, of this process alone: generation (32 bits) is kept beside it.
    pub(crate) user_data: Box<[UserData]>,
    pub(crate) own_strategy: own_strategy::OwnStrategy,
    pub(crate) own_health: Option<health::OwnHealth>,
    pub(crate) observers: observe::Observers,
    pub(crate) waiters: wait::Waiters,
    pub(crate) in_force: InForce,
    number: PoolNumber,
    /// This pool's life in this process; another after a fork.
    tag: AtomicU64,
    incarnation: AtomicU64,
    fork_word: &'static AtomicU64,
}

/// A node's `user_data`, and the generation of the node that it belongs to.
#[derive(Default)]
pub(crate) struct UserData {
    pub(crate) generation: AtomicU64,
    pub(crate) value: AtomicU64,
}

impl Pool {
    /// Starts describing a pool.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::new()
    }

    /// What tells it from the other pools of its engine, and in metrics; `default` unless it was named.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often the configuration was replaced, the first included.
    pub fn config_version(&self) -> u64 {
        self.plan_at(self.generation().current()).word(plan_word::CONFIG_VERSION)
    }

    /// What jitter is drawn with.
    pub(crate) fn salt(&self) -> u64 {
        self.memory.pool(pool_word::SALT).load(Ordering::Relaxed)
    }

    /// Counts something of the whole pool; see `layout::tally`.
    pub(crate) fn tally(&self, what: usize) {
        if self.is_view() {
            return;
        }
        self.memory.pool(pool_word::TALLY + what).fetch_add(1, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn generation(&self) -> Generation<'_> {
        Generation(self.memory.pool(pool_word::GENERATION))
    }

    #[inline(always)]
    pub(crate) fn plan_at(&self, generation: u64) -> PlanView<'_> {
        PlanView(self.memory.plan(generation))
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lead = self.plan_at(self.generation().current()).lead();
        f.debug_struct("Pool").field("nodes", &lead.members()).field("fit", &lead.fit()).finish_non_exhaustive()
    }
}
