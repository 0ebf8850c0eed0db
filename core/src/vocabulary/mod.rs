//! Words that every room knows. Nothing here knows a room.

pub mod breaker;
pub mod context;
pub mod error;
pub mod filter;
pub(crate) mod fork;
pub mod hash;
pub mod limits;
pub(crate) mod lock;
pub mod metrics;
pub mod node;
pub mod outcome;
pub mod rng;
pub mod status;
pub mod store;
pub mod text;
pub mod time;
