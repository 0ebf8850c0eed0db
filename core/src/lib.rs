//! The load-balancing engine that everybody embeds: which node takes the next request?
//!
//! A [`Pool`] is a set of nodes under one policy. It [picks](Pool::pick) a node for each request, counts it in flight
//! until the pick is finished, and learns from how it ended. Strategies also run without a pool, over a slice of your
//! own ([`Strategy`]). No I/O, no threads, no async runtime.
//!
//! ```
//! use loadwise::{Outcome, Pool, Request};
//!
//! let pool = Pool::from_config("
//! strategy: p2c
//! nodes: ['10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.3:8080']
//! ")?;
//! let pick = pool.pick(&Request::new())?;
//! println!("connect to {}", pick.address());
//! pick.finish(Outcome::Success)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Rooms
//! - [`node`], [`filter`], [`metrics`], errors and outcomes: the vocabulary that all rooms share
//! - [`strategy`]: one file an algorithm
//! - [`health`], [`quota`]: what is believed of nodes
//! - [`config`]: one schema for all languages

#![deny(missing_debug_implementations)]

mod control;
mod plan;
mod policies;
mod pool;
mod segment;
pub mod state;
pub mod strategy;
mod sync;
mod vocabulary;

pub use control::config;
pub use control::metrics::{openmetrics, prometheus};
pub use control::policy::IntoChain;
pub use control::stats;
pub use control::{CheckDue, Difference, Engine, FileStore, Maintained, NodeStatus, OpenPick, ProcessStatus, Reloaded};
pub use policies::health::{ConsecutiveFailurePolicy, HealthPolicy, HealthTracker, NodeHealth};
pub use policies::quota::{QuotaConfig, QuotaDimension, QuotaTracker};
pub use policies::{health, quota};
pub use pool::explanation as explain;
pub use pool::explanation::Explanation;
pub use pool::{
    Again, AttemptPlan, CallError, CallOptions, Candidate, Event, EventKind, Failed, GiveUp, Lease, ObserverId, Pick,
    PlannedAttempt, Pool, PoolBuilder, PoolNode, Request, Retry, RetryAsk, Ticket, WaitId,
};
pub use state::{InMemoryStore, StateStore};
pub use strategy::Strategy;
pub use vocabulary::breaker::BreakerState;
pub use vocabulary::context::SelectionContext;
pub use vocabulary::error::{CODES, ConfigError, Error, NoNode, NoNodeReason, StateError, TicketError};
pub use vocabulary::filter::{AllOf, Filter, FnFilter, HealthAware, HealthFilter, QuotaFilter};
pub use vocabulary::hash::key_hash;
pub use vocabulary::limits::Limits;
pub use vocabulary::metrics::{MetricsCollector, NoopCollector};
pub use vocabulary::node::{LoadMetric, Node, NodeRef, NodeSpec, PlainNode, RateMetric, Weighted};
pub use vocabulary::outcome::{Ending, FailureKind, Load, Outcome, Report};
pub use vocabulary::status::HealthStatus;
pub use vocabulary::text::Text;
pub use vocabulary::time::now_ns;
pub use vocabulary::{filter, metrics, node};

/// Holds the code of the guides to compile and run.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../docs/rust.md")]
    struct Rust;
    #[doc = include_str!("../../README.md")]
    struct Readme;
}
