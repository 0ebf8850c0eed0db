//! What there is to see of a pool and its nodes, as plain data: what metrics texts and `stats()` of every language are
//! made from.
//!
//! Counts are since the pool began and only grow; latencies with percentiles are over the last one to two windows of
//! `stats.window_ms`.

use crate::control::config::Value;
use crate::policies::histogram::Counts;
use crate::policies::histogram::cumulative::{BOUNDS_NS, Cumulative};
use crate::vocabulary::breaker::BreakerState;
use crate::vocabulary::error::NoNodeReason;
use crate::vocabulary::outcome::FailureKind;
use crate::vocabulary::status::HealthStatus;
use crate::vocabulary::time::NANOS_PER_MS;

/// A pool at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PoolStats {
    pub name: String,
    pub strategy: String,
    /// How often the configuration was replaced, from 1.
    pub config_version: u64,
    /// When this was taken, on the monotonic clock.
    pub now_ns: u64,
    /// Processes that have the pool open.
    pub processes: u32,
    /// All members in declared order.
    pub nodes: Vec<NodeStats>,
    /// How many of them can be picked now.
    pub available: u64,
    /// Picks that found a node.
    pub selections: u64,
    pub successes: u64,
    /// Of all kinds.
    pub failures: u64,
    /// Each kind once.
    pub failures_by_kind: Vec<(FailureKind, u64)>,
    /// Failures of kind `timeout`.
    pub timeouts: u64,
    pub rate_limited: u64,
    pub cancelled: u64,
    /// Picks that found no node; each reason once.
    pub no_node: Vec<(NoNodeReason, u64)>,
    /// Unfinished picks, in all processes.
    pub in_flight: u64,
    /// 0: unlimited.
    pub max_in_flight: u64,
    /// Picks that `lease_timeout_ms` has ended.
    pub leases_expired: u64,
    /// The tier that takes most of the traffic.
    pub tier: u32,
    /// What share of the traffic each tier takes, 0.0 ..= 1.0, from tier 0 on.
    pub tier_shares: Vec<f64>,
    pub failovers: u64,
    /// On the monotonic clock.
    pub last_failover_ns: Option<u64>,
    /// Whether so few nodes are available that picks go to unavailable ones, too.
    pub panic: bool,
    pub retries: u64,
    /// Retries that the budget refused.
    pub retries_denied: u64,
    /// Picks that wait for room now.
    pub waiting: u64,
    pub wait_timeouts: u64,
    /// Picks that found the queue full.
    pub queue_refusals: u64,
    pub probes: u64,
    /// Probes that were never reported.
    pub probe_timeouts: u64,
    pub affinity_entries: u64,
    /// `None` while `stats.latency` is off.
    pub latency: Option<LatencyStats>,
    /// `None` while `stats.latency` is off.
    pub latency_histogram: Option<LatencyHistogram>,
}

/// A node at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeStats {
    pub id: String,
    /// Empty: none.
    pub name: String,
    pub address: String,
    pub tier: u32,
    /// Empty: none.
    pub zone: String,
    pub weight: u32,
    pub health: HealthStatus,
    pub health_transitions: u64,
    /// Over the health window, 0.0 ..= 1.0; `None` without requests in it.
    pub success_rate: Option<f64>,
    pub breaker: BreakerState,
    pub breaker_opens: u64,
    pub ejected: bool,
    pub ejections: u64,
    /// Takes no new picks but sticky ones.
    pub draining: bool,
    /// Draining is done: nothing is in flight, or the drain timeout has passed.
    pub drained: bool,
    /// The share of its weight that slow start allows, 0.0 ..= 1.0; 1.0 when warm.
    pub warming: f64,
    /// Whether picks may choose it now.
    pub available: bool,
    pub in_flight: u64,
    /// How much of that each process of a shared pool has, by its id; only those that have any.
    pub in_flight_by_process: Vec<(u32, u64)>,
    /// What is in force now: the node's own or the adaptive limit. 0: unlimited.
    pub max_in_flight: u64,
    pub selections: u64,
    pub successes: u64,
    /// Of all kinds.
    pub failures: u64,
    /// Each kind once.
    pub failures_by_kind: Vec<(FailureKind, u64)>,
    /// Failures of kind `timeout`.
    pub timeouts: u64,
    pub rate_limited: u64,
    pub cancelled: u64,
    pub probes: u64,
    pub checks_ok: u64,
    pub checks_failed: u64,
    /// The latency average at its last sample; kept while a strategy uses latency.
    pub latency_ewma_ms: Option<f64>,
    /// `None` unless `stats.latency` is `nodes`.
    pub latency: Option<LatencyStats>,
    /// As the host last reported it.
    pub load: Option<f64>,
    /// As the host last reported it, 0.0 ..= 1.0.
    pub remaining_ratio: Option<f64>,
    /// Each dimension once.
    pub quotas: Vec<QuotaStats>,
}

/// Latencies over the last one to two windows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LatencyStats {
    pub count: u64,
    /// 0.0 if `count` is, as are the percentiles.
    pub mean_ms: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
}

/// Latencies since the pool began.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LatencyHistogram {
    /// By rising bound; `count` is of all latencies up to it.
    pub buckets: Vec<LatencyBucket>,
    /// Of all latencies.
    pub count: u64,
    pub sum_ms: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LatencyBucket {
    pub le_ms: f64,
    pub count: u64,
}

/// What is left of a node's quota in one dimension.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QuotaStats {
    pub dimension: String,
    /// Reserved and committed amounts of the window.
    pub used: u64,
    pub limit: u64,
}

impl PoolStats {
    /// The same as data: keys in snake case, durations as floats with their unit.
    pub fn to_value(&self) -> Value {
        Value::map([
            ("name", text(&self.name)),
            ("strategy", text(&self.strategy)),
            ("config_version", self.config_version.into()),
            ("now_ns", self.now_ns.into()),
            ("processes", self.processes.into()),
            ("available", self.available.into()),
            ("selections", self.selections.into()),
            ("successes", self.successes.into()),
            ("failures", self.failures.into()),
            ("failures_by_kind", counts(&self.failures_by_kind, |kind| kind.as_str())),
            ("timeouts", self.timeouts.into()),
            ("rate_limited", self.rate_limited.into()),
            ("cancelled", self.cancelled.into()),
            ("no_node", counts(&self.no_node, |reason| reason.as_str())),
            ("in_flight", self.in_flight.into()),
            ("max_in_flight", self.max_in_flight.into()),
            ("leases_expired", self.leases_expired.into()),
            ("tier", self.tier.into()),
            ("tier_shares", Value::list(self.tier_shares.iter().map(|&share| share.into()))),
            ("failovers", self.failovers.into()),
            ("last_failover_ns", option(self.last_failover_ns)),
            ("panic", self.panic.into()),
            ("retries", self.retries.into()),
            ("retries_denied", self.retries_denied.into()),
            ("waiting", self.waiting.into()),
            ("wait_timeouts", self.wait_timeouts.into()),
            ("queue_refusals", self.queue_refusals.into()),
            ("probes", self.probes.into()),
            ("probe_timeouts", self.probe_timeouts.into()),
            ("affinity_entries", self.affinity_entries.into()),
            ("latency", option(self.latency.map(|latency| latency.to_value()))),
            ("latency_histogram", option(self.latency_histogram.as_ref().map(LatencyHistogram::to_value))),
            ("nodes", Value::list(self.nodes.iter().map(NodeStats::to_value))),
        ])
    }
}

impl NodeStats {
    /// The same as data: keys in snake case, durations as floats with their unit.
    pub fn to_value(&self) -> Value {
        Value::map([
            ("id", text(&self.id)),
            ("name", text(&self.name)),
            ("address", text(&self.address)),
            ("tier", self.tier.into()),
            ("zone", text(&self.zone)),
            ("weight", self.weight.into()),
            ("health", self.health.as_str().into()),
            ("health_transitions", self.health_transitions.into()),
            ("success_rate", option(self.success_rate)),
            ("breaker", self.breaker.as_str().into()),
            ("breaker_opens", self.breaker_opens.into()),
            ("ejected", self.ejected.into()),
            ("ejections", self.ejections.into()),
            ("draining", self.draining.into()),
            ("drained", self.drained.into()),
            ("warming", self.warming.into()),
            ("available", self.available.into()),
            ("in_flight", self.in_flight.into()),
            ("in_flight_by_process", by_process(&self.in_flight_by_process)),
            ("max_in_flight", self.max_in_flight.into()),
            ("selections", self.selections.into()),
            ("successes", self.successes.into()),
            ("failures", self.failures.into()),
            ("failures_by_kind", counts(&self.failures_by_kind, |kind| kind.as_str())),
            ("timeouts", self.timeouts.into()),
            ("rate_limited", self.rate_limited.into()),
            ("cancelled", self.cancelled.into()),
            ("probes", self.probes.into()),
            ("checks_ok", self.checks_ok.into()),
            ("checks_failed", self.checks_failed.into()),
            ("latency_ewma_ms", option(self.latency_ewma_ms)),
            ("latency", option(self.latency.map(|latency| latency.to_value()))),
            ("load", option(self.load)),
            ("remaining_ratio", option(self.remaining_ratio)),
            ("quotas", Value::list(self.quotas.iter().map(QuotaStats::to_value))),
        ])
    }
}

impl LatencyStats {
    pub(crate) fn of<const MERGED: usize>(counts: &Counts<MERGED>) -> Self {
        let ms = |ns: Option<f64>| ns.map_or(0.0, |ns| ns / NANOS_PER_MS as f64);
        Self {
            count: counts.count(),
            mean_ms: ms(counts.mean_ns()),
            p50_ms: ms(counts.quantile_ns(0.5)),
            p95_ms: ms(counts.quantile_ns(0.95)),
            p99_ms: ms(counts.quantile_ns(0.99)),
        }
    }

    pub fn to_value(&self) -> Value {
        Value::map([
            ("count", self.count.into()),
            ("mean_ms", self.mean_ms.into()),
            ("p50_ms", self.p50_ms.into()),
            ("p95_ms", self.p95_ms.into()),
            ("p99_ms", self.p99_ms.into()),
        ])
    }
}

impl LatencyHistogram {
    pub(crate) fn of(cumulative: Cumulative<'_>) -> Self {
        let counts = cumulative.up_to_bounds();
        let le_ms = BOUNDS_NS.map(|ns| ns as f64 / NANOS_PER_MS as f64);
        Self {
            buckets: le_ms.into_iter().zip(counts).map(|(le_ms, count)| LatencyBucket { le_ms, count }).collect(),
            count: counts[counts.len() - 1].saturating_add(cumulative.above_bounds()),
            sum_ms: cumulative.sum_us() as f64 / 1e3,
        }
    }

    pub fn to_value(&self) -> Value {
        let bucket = |b: &LatencyBucket| Value::map([("le_ms", b.le_ms.into()), ("count", b.count.into())]);
        Value::map([
            ("buckets", Value::list(self.buckets.iter().map(bucket))),
            ("count", self.count.into()),
            ("sum_ms", self.sum_ms.into()),
        ])
    }
}

impl QuotaStats {
    pub fn to_value(&self) -> Value {
        Value::map([("dimension", text(&self.dimension)), ("used", self.used.into()), ("limit", self.limit.into())])
    }
}

fn text(text: &str) -> Value {
    text.into()
}

fn option(value: Option<impl Into<Value>>) -> Value {
    value.map_or_else(Value::null, Into::into)
}

fn by_process(counts: &[(u32, u64)]) -> Value {
    Value::map(counts.iter().map(|&(pid, count)| (pid.to_string(), count.into())))
}

fn counts<K: Copy>(counts: &[(K, u64)], name: impl Fn(K) -> &'static str) -> Value {
    Value::map(counts.iter().map(|&(key, count)| (name(key), count.into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policies::histogram::{FINE, Histogram, scale};
    use crate::sync::AtomicU64;

    fn words(count: usize) -> Vec<AtomicU64> {
        (0..count).map(|_| AtomicU64::new(0)).collect()
    }

    #[test]
    fn latencies_are_told_in_milliseconds() {
        let words = words(Histogram::<FINE>::WORDS);
        let histogram = Histogram::<FINE>(&words);
        assert_eq!(LatencyStats::of(&histogram.counts(1, 1000)), LatencyStats::default());
        (1..=100).for_each(|ms| histogram.record(scale::bucket(ms * NANOS_PER_MS), 1, 1000));
        let told = LatencyStats::of(&histogram.counts(1, 1000));
        assert_eq!(told.count, 100);
        for (exact, told) in [(50.5, told.mean_ms), (50.0, told.p50_ms), (95.0, told.p95_ms), (99.0, told.p99_ms)] {
            assert!((told - exact).abs() <= 0.01 * exact, "{exact} is told as {told}");
        }
    }

    #[test]
    fn a_histogram_is_told_with_all_below_each_bound() {
        let words = words(Cumulative::WORDS);
        let cumulative = Cumulative(&words);
        [2, 70, 20_000].into_iter().for_each(|ms| cumulative.record(ms * NANOS_PER_MS));
        let told = LatencyHistogram::of(cumulative);
        let up_to = |le_ms: f64| told.buckets.iter().find(|bucket| bucket.le_ms == le_ms).unwrap().count;
        assert_eq!([1.0, 2.5, 50.0, 75.0, 10_000.0].map(up_to), [0, 1, 1, 2, 2]);
        assert_eq!((told.count, told.sum_ms), (3, 20_072.0));
    }

    #[test]
    fn as_data_absent_is_null_and_counts_have_their_names() {
        let node = NodeStats { id: "a".into(), load: Some(f64::NAN), ..NodeStats::default() };
        let pool = PoolStats {
            failures_by_kind: FailureKind::ALL.map(|kind| (kind, kind as u64)).into(),
            no_node: vec![(NoNodeReason::Saturated, 7)],
            nodes: vec![node],
            ..PoolStats::default()
        };
        let value = pool.to_value();
        assert_eq!(value.get("latency"), Some(&Value::null()));
        assert_eq!(value.get("failures_by_kind").unwrap().get("server_error"), Some(&Value::from(4)));
        assert_eq!(value.get("no_node").unwrap().get("saturated"), Some(&Value::from(7)));
        let json = value.to_json();
        for line in ["\"id\": \"a\"", "\"load\": null", "\"breaker\": \"closed\"", "\"warming\": 0"] {
            assert!(json.contains(line), "no {line} in {json}");
        }
    }
}
