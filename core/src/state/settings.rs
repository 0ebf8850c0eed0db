//! Settings that may change while a pool is used: a word each, so that every process sees a change with its next look.
//! Each is meant to be read by itself; two of them may be of different configurations for a moment.

use super::layout::pool_word;
use crate::sync::{AtomicU64, Ordering};

/// Declares the settings, each a word at the place of its name.
macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident: $type:ident),* $(,)?) => {
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy)]
        enum Place { $($name),* }

        /// How many words there are.
        pub(crate) const COUNT: usize = [$(Place::$name),*].len();

        /// Everything, as plain values.
        #[derive(Debug, Clone, Copy, Default, PartialEq)]
        pub(crate) struct Values { $($(#[$doc])* pub(crate) $name: $type),* }

        impl Settings<'_> {
            $(
                $(#[$doc])*
                #[inline(always)]
                pub(crate) fn $name(self) -> $type {
                    <$type>::from_word(self.0[Place::$name as usize].load(Ordering::Relaxed))
                }
            )*

            /// All of them.
            pub(crate) fn values(self) -> Values {
                Values { $($name: self.$name()),* }
            }

            /// Replaces all.
            pub(crate) fn store(self, values: &Values) {
                $(self.0[Place::$name as usize].store(values.$name.to_word(), Ordering::Relaxed);)*
            }
        }
    };
}

const _: () = assert!(COUNT <= pool_word::SETTINGS_END - pool_word::SETTINGS);

/// The settings of a pool.
#[derive(Clone, Copy)]
pub(crate) struct Settings<'a>(pub(crate) &'a [AtomicU64]);

/// A value that fits a word.
trait Word {
    fn to_word(self) -> u64;
    fn from_word(word: u64) -> Self;
}

impl Word for u64 {
    fn to_word(self) -> u64 {
        self
    }

    fn from_word(word: u64) -> Self {
        word
    }
}

impl Word for u32 {
    fn to_word(self) -> u64 {
        u64::from(self)
    }

    fn from_word(word: u64) -> Self {
        u32::try_from(word).unwrap_or(u32::MAX)
    }
}

impl Word for bool {
    fn to_word(self) -> u64 {
        u64::from(self)
    }

    fn from_word(word: u64) -> Self {
        word != 0
    }
}

impl Word for f64 {
    fn to_word(self) -> u64 {
        self.to_bits()
    }

    /// What is no number is 0.
    fn from_word(word: u64) -> Self {
        let value = Self::from_bits(word);
        if value.is_finite() { value } else { 0.0 }
    }
}

settings! {
    max_in_flight: u64,
    lease_timeout_ns: u64,
    drain_timeout_ns: u64,

    failure_threshold: u32,
    recovery_successes: u32,
    passive: bool,
    window_ns: u64,
    min_success_rate: f64,
    min_requests: u64,
    probe_interval_ns: u64,
    max_probe_interval_ns: u64,
    probe_timeout_ns: u64,
    live_probes: bool,

    checks: bool,
    check_interval_ns: u64,
    check_jitter: f64,
    check_timeout_ns: u64,
    check_failure_threshold: u32,
    check_success_threshold: u32,
    check_grace_ns: u64,

    breaker: bool,
    breaker_consecutive_failures: u32,
    breaker_failure_rate: f64,
    breaker_min_requests: u64,
    breaker_open_ns: u64,
    breaker_max_open_ns: u64,
    breaker_half_open_successes: u32,

    outlier: bool,
    outlier_sweep_ns: u64,
    outlier_stdev_factor: f64,
    outlier_min_hosts: u32,
    outlier_min_requests: u64,
    outlier_failure_rate: f64,
    outlier_failure_min_requests: u64,
    outlier_ejection_ns: u64,
    outlier_max_ejection_ns: u64,
    outlier_max_ejected: f64,

    panic_spread: bool,
    panic_threshold: f64,
    panic_min_nodes: u32,

    overprovisioning: f64,
    tier_attempts: u32,
    failback_ns: u64,

    zones: bool,
    /// The hash of the caller's own zone, 0 if it has none.
    own_zone: u64,
    zone_min_nodes: u32,

    slow_start_ns: u64,
    slow_start_aggression: f64,
    slow_start_min_weight: f64,

    affinity: bool,
    affinity_ttl_ns: u64,
    rebalance: u32,
    rebalance_step: f64,
    rebalance_ns: u64,

    adaptive_limit: bool,
    adaptive_initial: u32,
    adaptive_min: u32,
    adaptive_max: u32,
    adaptive_smoothing: f64,
    adaptive_tolerance: f64,

    retry_attempts: u32,
    retry_base_ns: u64,
    retry_max_ns: u64,
    retry_share: f64,
    retry_min_per_s: f64,
    retry_window_ns: u64,

    pool_latencies: bool,
    node_latencies: bool,
    stats_window_ns: u64,

    /// Entries of the Maglev table, where a rule has one.
    table_size: u32,
    splits: bool,
    quotas: u32,

    reported_blackout_ns: u64,
    reported_expiry_ns: u64,
    reported_update_ns: u64,
    reported_error_penalty: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back() {
        let words: Vec<AtomicU64> = (0..COUNT).map(|_| AtomicU64::new(u64::MAX)).collect();
        let values = Values { max_in_flight: 7, min_success_rate: 0.8, passive: true, ..Values::default() };
        Settings(&words).store(&values);
        assert_eq!((Settings(&words).max_in_flight(), Settings(&words).min_success_rate()), (7, 0.8));
        assert!(Settings(&words).passive() && !Settings(&words).breaker());
        assert_eq!(Settings(&words).values(), values);
    }
}
