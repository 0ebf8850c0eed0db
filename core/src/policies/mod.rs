//! What is believed of nodes, rule by rule. Each knows the vocabulary, and none knows another.

pub(crate) mod affinity;
pub(crate) mod breaker;
pub(crate) mod checks;
pub(crate) mod gradient;
pub mod health;
pub(crate) mod histogram;
pub(crate) mod hold;
pub(crate) mod latency;
pub(crate) mod outlier;
pub mod quota;
pub(crate) mod rate;
pub(crate) mod reserve;
pub(crate) mod retry;
pub(crate) mod slow_start;
pub(crate) mod tiers;
mod window;
pub(crate) mod zones;
