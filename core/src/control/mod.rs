//! Above the pool: configuration, membership, policy, maintenance, and what there is to see.

pub mod config;
mod lock;
mod maintain;
mod membership;
mod nodes;
pub(crate) mod policy;
mod report;

pub use maintain::Maintained;
pub use nodes::NodeStatus;
