//! A state that processes share: a file that all of them map, who is attached to it, and what becomes of those that are
//! gone.

pub(crate) mod directory;
pub(crate) mod file;
pub(crate) mod header;
pub(crate) mod liveness;
pub(crate) mod processes;
