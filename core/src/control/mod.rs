//! Above the pool: configuration, membership, policy, maintenance, and what there is to see.

mod checks;
pub mod config;
mod figures;
pub(crate) mod groups;
mod lock;
mod maintain;
mod membership;
pub mod metrics;
mod nodes;
pub(crate) mod policy;
mod report;
mod reported;
pub(crate) mod settings;
pub mod stats;

pub use checks::CheckDue;
pub use maintain::Maintained;
pub use nodes::NodeStatus;
