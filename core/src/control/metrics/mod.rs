//! The state of pools as texts for monitoring: [`prometheus`] for every Prometheus, [`openmetrics`] for whoever asks for
//! it. The same families and the same numbers in both.
//!
//! Names begin with `loadwise_pool_` (label `pool`) or `loadwise_node_` (labels `pool` and `node`, the node's id), so
//! that no sum over a family counts a request twice. Units are base units: seconds, and shares as ratios. Families
//! of what is switched off are absent.

mod families;
mod openmetrics;
mod prometheus;
mod writer;

pub use openmetrics::openmetrics;
pub use prometheus::prometheus;

#[cfg(test)]
mod tests;
