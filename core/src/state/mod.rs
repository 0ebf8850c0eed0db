//! The only mutable memory of a pool: 64-bit words at bounded indices in an arena, the same on private memory and on a
//! mapped segment. Offsets, no pointers; nothing in here decides anything.

pub(crate) mod arena;
pub(crate) mod commit;
pub(crate) mod guard;
pub(crate) mod held;
pub(crate) mod index;
pub(crate) mod layout;
pub(crate) mod lease;
pub(crate) mod local;
pub(crate) mod memory;
pub(crate) mod node;
pub(crate) mod probe;
pub(crate) mod reclaim;
pub(crate) mod record;
pub(crate) mod rows;
pub(crate) mod seat;
pub(crate) mod settings;
pub(crate) mod thread;

pub use crate::vocabulary::store::{InMemoryStore, StateStore};
