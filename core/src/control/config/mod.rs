//! One configuration schema for Rust, C, Python and Node: YAML or JSON text, or native data as a [`Value`].
//!
//! Whatever is wrong is an error that names the key and the line, the first in the order of the document. The keys are
//! described in `docs/configuration.md`, which is written from the same tables that read them.

mod capacity;
mod cross;
mod document;
mod engine;
mod guard;
mod health;
mod learned;
mod limits;
mod nodes;
mod pool;
pub mod schema;
mod shared;
mod strategy;
mod traffic;
mod value;
mod yaml;

pub use capacity::{AdaptiveLimitConfig, LatencyStats, QuotaLimit, RetryConfig, StatsConfig};
pub use cross::validate_node_quotas;
pub(super) use document::from_path;
pub use engine::EngineConfig;
pub use guard::{BreakerConfig, OutlierConfig, PanicConfig, PanicMode};
pub use health::{ChecksConfig, HealthConfig};
pub(super) use learned::Learned;
pub use nodes::{WEIGHT_SUM_MAX, parse_nodes, validate_node, validate_nodes};
pub use pool::PoolConfig;
pub use shared::{OnBadSegment, SharedConfig};
pub use strategy::{
    BOUNDED_LOAD, CHAIN_MAX, P2cLoad, RING_POINTS_MAX, RingCompat, StrategyConfig, StrategyKind, parse_chain,
    validate_chain,
};
pub use traffic::{AffinityConfig, Rebalance, SlowStartConfig, SplitConfig, TiersConfig, ZonesConfig};
pub use value::{DEPTH_MAX, Key, Kind, Value};
pub use yaml::TEXT_BYTES_MAX;

const DAY_MS: u64 = 86_400_000;
