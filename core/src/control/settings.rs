//! From a configuration to the words that picks and reports read.

use super::config::{LatencyStats, PanicMode, PoolConfig, Rebalance, StrategyKind};
use super::policy::table_size;
use crate::pool::{Pool, sessions};
use crate::state::layout::{ENTRY_WORDS, QUOTAS_MAX, SPLIT_LABELS_MAX, SPLITS_MAX, pool_word};
use crate::state::settings::{Settings, Values};
use crate::sync::Ordering;
use crate::vocabulary::error::{ConfigError, Error};
use crate::vocabulary::hash::{key_hash, label_hash};
use crate::vocabulary::time::NANOS_PER_MS;

impl Pool {
    /// The settings in force.
    #[inline(always)]
    pub(crate) fn live(&self) -> Settings<'_> {
        Settings(self.memory.pool_words(pool_word::SETTINGS, pool_word::SETTINGS_END))
    }

    /// Whether the words have room for a configuration that is valid by itself.
    pub(crate) fn check_room(&self, config: &PoolConfig) -> Result<(), Error> {
        if let Some(affinity) = &config.affinity {
            let most = self.memory.layout.sizes.affinity_entries;
            if affinity.entries > most {
                let message = format!("{} entries, more than the {most} that the pool was made for", affinity.entries);
                return Err(ConfigError::limit("affinity.entries", 0, message).into());
            }
        }
        let long = config.splits.iter().position(|split| split.labels.len() > SPLIT_LABELS_MAX);
        if let Some(at) = long {
            let message = format!("more than {SPLIT_LABELS_MAX} labels");
            return Err(ConfigError::limit(format!("splits[{at}].labels"), 0, message).into());
        }
        if config.splits.len() > SPLITS_MAX || config.quotas.len() > QUOTAS_MAX {
            return Err(ConfigError::limit("splits", 0, "too many splits or quotas").into());
        }
        Ok(())
    }

    /// Brings the words in line with the configuration in force. Done twice, it is the same. For the holder of the build
    /// lease.
    pub(crate) fn apply_settings(&self, now_ns: u64) {
        let config = self.config().clone();
        let quotas = self.store_quotas(&config.quotas);
        self.store_splits(&config);
        let (before, after) = (self.live().values(), values(&config, quotas));
        self.live().store(&after);
        if after.node_latencies && !before.node_latencies {
            (0..self.memory.nodes_used()).for_each(|index| self.forget_latencies(index));
        }
        // Buckets of another length are numbered otherwise.
        if before.window_ns != after.window_ns && before.window_ns != 0 {
            self.members().into_iter().for_each(|index| self.begin_window(index, now_ns));
        }
        if before.retry_window_ns != after.retry_window_ns && before.retry_window_ns != 0 {
            self.begin_budget();
        }
    }

    fn store_splits(&self, config: &PoolConfig) {
        let words = self.memory.pool_words(pool_word::SPLITS, pool_word::SPLITS_END);
        for (at, entry) in words.chunks_exact(ENTRY_WORDS).enumerate() {
            let split = config.splits.get(at);
            let hashes = split.iter().flat_map(|s| &s.labels).map(|(key, value)| label_hash(key, value));
            for (word, hash) in entry[2..].iter().zip(hashes) {
                word.store(hash, Ordering::Relaxed);
            }
            entry[0].store(split.map_or(0, |s| s.share.to_bits()), Ordering::Relaxed);
            entry[1].store(split.map_or(0, |s| s.labels.len() as u64), Ordering::Relaxed);
        }
    }
}

pub(crate) fn ns(ms: u64) -> u64 {
    ms.saturating_mul(NANOS_PER_MS)
}

/// `quotas`: places of dimensions.
pub(crate) fn values(c: &PoolConfig, quotas: u32) -> Values {
    let health = &c.health;
    let checks = c.checks.unwrap_or_default();
    let breaker = c.breaker.unwrap_or_default();
    let outlier = c.outlier.unwrap_or_default();
    let zones = c.zones.clone().unwrap_or_default();
    let affinity = c.affinity.unwrap_or_default();
    let adaptive = c.adaptive_limit.unwrap_or_default();
    let reported = c.strategy.iter().find_map(|s| match s.kind {
        StrategyKind::ReportedLoad { blackout_ms, expiry_ms, update_ms, error_penalty } => {
            Some((blackout_ms, expiry_ms, update_ms, error_penalty))
        }
        _ => None,
    });
    let reported = reported.unwrap_or_default();
    Values {
        max_in_flight: c.max_in_flight,
        lease_timeout_ns: ns(c.lease_timeout_ms),
        drain_timeout_ns: ns(c.drain_timeout_ms),

        failure_threshold: health.failure_threshold,
        recovery_successes: health.recovery_successes,
        passive: health.passive,
        window_ns: ns(health.window_ms),
        min_success_rate: health.min_success_rate,
        min_requests: u64::from(health.min_requests),
        probe_interval_ns: ns(health.probe_interval_ms),
        max_probe_interval_ns: ns(health.max_probe_interval_ms),
        probe_timeout_ns: ns(health.probe_timeout_ms),
        live_probes: health.live_probes,

        checks: c.checks.is_some(),
        check_interval_ns: ns(checks.interval_ms),
        check_jitter: checks.jitter,
        check_timeout_ns: ns(checks.timeout_ms),
        check_failure_threshold: checks.failure_threshold,
        check_success_threshold: checks.success_threshold,
        check_grace_ns: ns(checks.grace_ms),

        breaker: c.breaker.is_some(),
        breaker_consecutive_failures: breaker.consecutive_failures,
        breaker_failure_rate: breaker.failure_rate,
        breaker_min_requests: u64::from(breaker.min_requests),
        breaker_open_ns: ns(breaker.open_ms),
        breaker_max_open_ns: ns(breaker.max_open_ms),
        breaker_half_open_successes: breaker.half_open_successes,

        outlier: c.outlier.is_some(),
        outlier_sweep_ns: ns(outlier.sweep_interval_ms),
        outlier_stdev_factor: outlier.stdev_factor,
        outlier_min_hosts: outlier.min_hosts,
        outlier_min_requests: u64::from(outlier.min_requests),
        outlier_failure_rate: outlier.failure_rate,
        outlier_failure_min_requests: u64::from(outlier.failure_min_requests),
        outlier_ejection_ns: ns(outlier.ejection_ms),
        outlier_max_ejection_ns: ns(outlier.max_ejection_ms),
        outlier_max_ejected: outlier.max_ejected,

        panic_spread: c.panic.mode == PanicMode::Spread,
        panic_threshold: c.panic.threshold,
        panic_min_nodes: c.panic.min_nodes,

        overprovisioning: c.tiers.overprovisioning,
        tier_attempts: c.tiers.max_attempts,
        failback_ns: ns(c.tiers.failback_ms),

        zones: c.zones.is_some(),
        own_zone: zone_hash(&zones.zone),
        zone_min_nodes: zones.min_nodes,

        slow_start_ns: c.slow_start.as_ref().map_or(0, |s| ns(s.duration_ms)),
        slow_start_aggression: c.slow_start.as_ref().map_or(1.0, |s| s.aggression),
        slow_start_min_weight: c.slow_start.as_ref().map_or(1.0, |s| s.min_weight),

        affinity: c.affinity.is_some(),
        affinity_ttl_ns: ns(affinity.ttl_ms),
        rebalance: match affinity.rebalance {
            Rebalance::Immediate => sessions::IMMEDIATE,
            Rebalance::Gradual => sessions::GRADUAL,
            Rebalance::Manual => sessions::MANUAL,
        },
        rebalance_step: affinity.rebalance_step,
        rebalance_ns: ns(affinity.rebalance_ms),

        adaptive_limit: c.adaptive_limit.is_some(),
        adaptive_initial: adaptive.initial,
        adaptive_min: adaptive.min,
        adaptive_max: adaptive.max,
        adaptive_smoothing: adaptive.smoothing,
        adaptive_tolerance: adaptive.tolerance,

        retry_attempts: c.retry.max_attempts,
        retry_base_ns: ns(c.retry.base_delay_ms),
        retry_max_ns: ns(c.retry.max_delay_ms),
        retry_share: c.retry.budget_share,
        retry_min_per_s: f64::from(c.retry.budget_min_per_s),
        retry_window_ns: ns(c.retry.budget_window_ms),

        pool_latencies: c.stats.latency != LatencyStats::Off,
        node_latencies: c.stats.latency == LatencyStats::Nodes,
        stats_window_ns: ns(c.stats.window_ms),

        table_size: table_size(&c.strategy).unwrap_or(0),
        splits: !c.splits.is_empty(),
        quotas,

        reported_blackout_ns: ns(reported.0),
        reported_expiry_ns: ns(reported.1),
        reported_update_ns: ns(reported.2),
        reported_error_penalty: reported.3,
    }
}

/// A zone as nodes and requests are compared by it; 0 is none.
pub(crate) fn zone_hash(zone: &str) -> u64 {
    if zone.is_empty() { 0 } else { key_hash(zone.as_bytes()).max(1) }
}
