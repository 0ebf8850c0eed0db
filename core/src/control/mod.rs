//! Above the pool: configuration, membership, policy, maintenance, and what there is to see.

pub mod config;
mod lock;
mod maintain;
mod membership;
pub mod metrics;
mod nodes;
pub(crate) mod policy;
mod report;
pub mod stats;

pub use maintain::Maintained;
pub use nodes::NodeStatus;
