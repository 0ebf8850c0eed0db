//! Between JavaScript data and the core's.

mod read;
mod write;

pub use read::{amounts, read};
pub use write::{STATS, data, document};
