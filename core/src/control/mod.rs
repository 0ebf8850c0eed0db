//! Above the pool: configuration, membership, policy, maintenance, and what there is to see.

mod boot;
mod checks;
pub mod config;
mod differences;
mod engine;
mod figures;
mod file_store;
pub(crate) mod groups;
pub(crate) mod in_force;
mod learned;
mod lock;
mod maintain;
mod membership;
pub mod metrics;
mod nodes;
pub(crate) mod policy;
mod processes;
pub(crate) mod publish;
mod reload;
mod report;
mod reported;
mod room;
pub(crate) mod settings;
#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) mod shared;
pub(crate) mod sharing;
pub mod stats;

pub use checks::CheckDue;
pub use differences::Difference;
pub use engine::{Engine, Reloaded};
pub use file_store::FileStore;
pub use maintain::Maintained;
pub use nodes::NodeStatus;
pub use processes::{OpenPick, ProcessStatus};
