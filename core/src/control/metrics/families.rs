//! What is told: every family with its name, kind, meaning and where its samples come from. The order is that of the text.

use super::writer::Series;
use crate::control::stats::{NodeStats, PoolStats};
use crate::vocabulary::status::HealthStatus;

pub(super) struct Family {
    /// Without the suffix of its kind.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// One sentence without quotes, backslashes and line breaks.
    pub(super) help: &'static str,
    pub(super) samples: Samples,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Info,
    Histogram,
    /// Percentiles alone: a sum and a count of moving windows would not be the counters that a summary's are.
    Summary,
}

/// Where a family's samples come from.
pub(super) enum Samples {
    OfPool(fn(&PoolStats, &mut Series)),
    OfNode(fn(&NodeStats, &mut Series)),
}

impl Kind {
    /// What a sample's name has behind the family's; a histogram's have their own.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Info => "_info",
            Self::Gauge | Self::Histogram | Self::Summary => "",
        }
    }
}

impl Family {
    pub(super) fn unit(&self) -> Option<&'static str> {
        ["seconds", "ratio"].into_iter().find(|unit| self.name.ends_with(unit))
    }
}

const fn pool(kind: Kind, name: &'static str, help: &'static str, samples: fn(&PoolStats, &mut Series)) -> Family {
    Family { name, kind, help, samples: Samples::OfPool(samples) }
}

const fn node(kind: Kind, name: &'static str, help: &'static str, samples: fn(&NodeStats, &mut Series)) -> Family {
    Family { name, kind, help, samples: Samples::OfNode(samples) }
}

use Kind::{Counter, Gauge, Histogram, Info, Summary};

#[rustfmt::skip] // One family after the other, as a table.
pub(super) const FAMILIES: &[Family] = &[
    pool(Info, "loadwise_pool", "The strategy in force.",
        |p, s| s.info([("strategy", &p.strategy)])),
    pool(Gauge, "loadwise_pool_config_version", "How often the configuration was replaced, from 1.",
        |p, s| s.value(p.config_version)),
    pool(Gauge, "loadwise_pool_processes", "Processes that have the pool open.",
        |p, s| s.value(p.processes)),
    pool(Gauge, "loadwise_pool_nodes", "Members.",
        |p, s| s.value(p.nodes.len() as u64)),
    pool(Gauge, "loadwise_pool_available_nodes", "Members that can be picked now.",
        |p, s| s.value(p.available)),
    pool(Gauge, "loadwise_pool_panic", "1 while picks go to unavailable nodes, too, because too few are available.",
        |p, s| s.value(p.panic)),
    pool(Counter, "loadwise_pool_selections", "Picks that found a node.",
        |p, s| s.value(p.selections)),
    pool(Counter, "loadwise_pool_no_node", "Picks that found none, by reason.",
        |p, s| p.no_node.iter().for_each(|&(reason, count)| s.labelled("reason", reason.as_str(), count))),
    pool(Counter, "loadwise_pool_successes", "Picks that ended well.",
        |p, s| s.value(p.successes)),
    pool(Counter, "loadwise_pool_failures", "Picks that ended in failure, by kind.",
        |p, s| p.failures_by_kind.iter().for_each(|&(kind, count)| s.labelled("kind", kind.as_str(), count))),
    pool(Counter, "loadwise_pool_rate_limited", "Picks whose node asked for less traffic.",
        |p, s| s.value(p.rate_limited)),
    pool(Counter, "loadwise_pool_cancelled", "Picks that ended without a result.",
        |p, s| s.value(p.cancelled)),
    pool(Counter, "loadwise_pool_leases_expired", "Picks that the lease timeout ended.",
        |p, s| s.value(p.leases_expired)),
    pool(Gauge, "loadwise_pool_in_flight", "Unfinished picks.",
        |p, s| s.value(p.in_flight)),
    pool(Gauge, "loadwise_pool_in_flight_limit", "How many picks may be unfinished at once; absent if unlimited.",
        |p, s| s.option((p.max_in_flight > 0).then_some(p.max_in_flight))),
    pool(Gauge, "loadwise_pool_waiting", "Picks that wait for room.",
        |p, s| s.value(p.waiting)),
    pool(Counter, "loadwise_pool_wait_timeouts", "Picks that waited in vain.",
        |p, s| s.value(p.wait_timeouts)),
    pool(Counter, "loadwise_pool_queue_refusals", "Picks that found the queue of the waiting full.",
        |p, s| s.value(p.queue_refusals)),
    pool(Counter, "loadwise_pool_retries", "Attempts beyond the first.",
        |p, s| s.value(p.retries)),
    pool(Counter, "loadwise_pool_retries_denied", "Retries that the budget refused.",
        |p, s| s.value(p.retries_denied)),
    pool(Gauge, "loadwise_pool_tier", "The tier that takes most of the traffic; 0 is the primary one.",
        |p, s| s.value(p.tier)),
    pool(Gauge, "loadwise_pool_tier_share_ratio", "The share of the traffic that each tier takes.",
        |p, s| (0u32..).zip(&p.tier_shares).for_each(|(tier, &share)| s.labelled("tier", &tier.to_string(), share))),
    pool(Counter, "loadwise_pool_failovers", "How often the traffic went over to another tier.",
        |p, s| s.value(p.failovers)),
    pool(Gauge, "loadwise_pool_last_failover_age_seconds", "Time since the last failover; absent before the first.",
        |p, s| s.option(p.last_failover_ns.map(|at| p.now_ns.saturating_sub(at) as f64 / 1e9))),
    pool(Counter, "loadwise_pool_probes", "Picks that tried an unavailable node.",
        |p, s| s.value(p.probes)),
    pool(Counter, "loadwise_pool_probe_timeouts", "Probes that were never reported.",
        |p, s| s.value(p.probe_timeouts)),
    pool(Gauge, "loadwise_pool_affinity_entries", "Sessions that are remembered.",
        |p, s| s.value(p.affinity_entries)),
    pool(Histogram, "loadwise_pool_request_duration_seconds", "Time from pick to finish.",
        |p, s| s.histogram(p.latency_histogram.as_ref())),
    pool(Summary, "loadwise_pool_latency_seconds", "Percentiles over the last one to two windows.",
        |p, s| s.quantiles(p.latency)),
    pool(Gauge, "loadwise_pool_latency_mean_seconds", "The mean over the last one to two windows.",
        |p, s| s.option(p.latency.filter(|l| l.count > 0).map(|l| l.mean_ms / 1e3))),

    node(Info, "loadwise_node", "What the node is and where.",
        |n, s| s.info([("address", &n.address), ("name", &n.name), ("zone", &n.zone)])),
    node(Gauge, "loadwise_node_weight", "The share of traffic relative to other nodes; 0 takes no new picks.",
        |n, s| s.value(n.weight)),
    node(Gauge, "loadwise_node_tier", "The tier of the node; 0 is the primary one.",
        |n, s| s.value(n.tier)),
    node(Gauge, "loadwise_node_available", "1 if the node can be picked now.",
        |n, s| s.value(n.available)),
    node(Gauge, "loadwise_node_health", "1 for the health that the node has, 0 for the others.",
        |n, s| HealthStatus::ALL.into_iter().for_each(|h| s.labelled("state", h.as_str(), n.health == h))),
    node(Counter, "loadwise_node_health_transitions", "Changes of health.",
        |n, s| s.value(n.health_transitions)),
    node(Gauge, "loadwise_node_success_ratio", "Successes among the requests of the health window; absent without any.",
        |n, s| s.option(n.success_rate)),
    node(Gauge, "loadwise_node_breaker_state", "0 closed, 1 open, 2 half-open.",
        |n, s| s.value(u32::from(n.breaker.as_number()))),
    node(Counter, "loadwise_node_breaker_opens", "How often the breaker opened.",
        |n, s| s.value(n.breaker_opens)),
    node(Gauge, "loadwise_node_ejected", "1 while the node is out as an outlier.",
        |n, s| s.value(n.ejected)),
    node(Counter, "loadwise_node_ejections", "How often the node was an outlier.",
        |n, s| s.value(n.ejections)),
    node(Gauge, "loadwise_node_draining", "1 while the node takes no new picks but sticky ones.",
        |n, s| s.value(n.draining)),
    node(Gauge, "loadwise_node_warmup_ratio", "The share of its weight that slow start allows; 1 when warm.",
        |n, s| s.value(n.warming)),
    node(Counter, "loadwise_node_selections", "Picks of the node.",
        |n, s| s.value(n.selections)),
    node(Counter, "loadwise_node_successes", "Picks of the node that ended well.",
        |n, s| s.value(n.successes)),
    node(Counter, "loadwise_node_failures", "Picks of the node that ended in failure, by kind.",
        |n, s| n.failures_by_kind.iter().for_each(|&(kind, count)| s.labelled("kind", kind.as_str(), count))),
    node(Counter, "loadwise_node_rate_limited", "Picks at which the node asked for less traffic.",
        |n, s| s.value(n.rate_limited)),
    node(Counter, "loadwise_node_cancelled", "Picks of the node that ended without a result.",
        |n, s| s.value(n.cancelled)),
    node(Counter, "loadwise_node_probes", "Picks that tried the node while it was unavailable.",
        |n, s| s.value(n.probes)),
    node(Counter, "loadwise_node_checks", "Active checks by result.",
        |n, s| [("ok", n.checks_ok), ("failed", n.checks_failed)].into_iter().for_each(|(r, c)| s.labelled("result", r, c))),
    node(Gauge, "loadwise_node_in_flight", "Unfinished picks of the node.",
        |n, s| s.value(n.in_flight)),
    node(Gauge, "loadwise_node_in_flight_limit", "How many picks of the node may be unfinished at once; absent if unlimited.",
        |n, s| s.option((n.max_in_flight > 0).then_some(n.max_in_flight))),
    node(Gauge, "loadwise_node_latency_average_seconds", "The moving average that latency strategies use.",
        |n, s| s.option(n.latency_ewma_ms.map(|ms| ms / 1e3))),
    node(Summary, "loadwise_node_latency_seconds", "Percentiles over the last one to two windows.",
        |n, s| s.quantiles(n.latency)),
    node(Gauge, "loadwise_node_latency_mean_seconds", "The mean over the last one to two windows.",
        |n, s| s.option(n.latency.filter(|l| l.count > 0).map(|l| l.mean_ms / 1e3))),
    node(Gauge, "loadwise_node_load", "The load that the host reported, in its own unit.",
        |n, s| s.option(n.load)),
    node(Gauge, "loadwise_node_remaining_ratio", "The share of its quota that the host reported as left.",
        |n, s| s.option(n.remaining_ratio)),
    node(Gauge, "loadwise_node_quota_used", "Reserved and spent amounts of the quota window, by dimension.",
        |n, s| n.quotas.iter().for_each(|q| s.labelled("dimension", &q.dimension, q.used))),
    node(Gauge, "loadwise_node_quota_limit", "The limit of the quota window, by dimension.",
        |n, s| n.quotas.iter().for_each(|q| s.labelled("dimension", &q.dimension, q.limit))),
    node(Gauge, "loadwise_node_quota_used_ratio", "The share of the limit that is used, by dimension.",
        |n, s| n.quotas.iter().for_each(|q| s.labelled("dimension", &q.dimension, q.used as f64 / q.limit as f64))),
];
