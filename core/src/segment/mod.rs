//! A state that processes share: a file that all of them map, who is attached to it, and what becomes of those that are
//! gone.
//!
//! ```text
//! head | processes, a row each | directory of pools | pool | pool | …
//! ```

#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) mod attached;
#[cfg(target_os = "linux")]
pub(crate) mod directory;
#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) mod file;
#[cfg(target_os = "linux")]
pub(crate) mod header;
#[cfg(target_os = "linux")]
pub(crate) mod liveness;
#[cfg(not(all(target_os = "linux", not(loom))))]
pub(crate) mod nowhere;
#[cfg(target_os = "linux")]
pub(crate) mod processes;

#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) use attached::{NoSeat, Segment, begin_head};
#[cfg(not(all(target_os = "linux", not(loom))))]
pub(crate) use nowhere::{NoSeat, Segment};
