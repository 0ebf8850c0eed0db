//! What the metrics of pools look like whose names are as nasty as names can be:
//! `cargo run --example metrics -- prometheus|openmetrics|json`. `tests/metrics/check.py` reads all three.

use loadwise::stats::*;
use loadwise::{BreakerState, FailureKind, HealthStatus, NoNodeReason};

const NAMES: [&str; 6] = [
    "10.0.0.1:8080",
    "a \"quoted\" name",
    "back\\slash\\n",
    "two\nlines\\",
    "} 1\n# EOF\nfake{x=\"",
    "é 😀\u{2028}\0\r\t,=#",
];

fn main() -> Result<(), String> {
    let pools =
        [pool("api", 1), pool("\\\"\n{}", 1_000_000_007), PoolStats { name: "idle".into(), ..Default::default() }];
    match std::env::args().nth(1).as_deref() {
        Some("prometheus") => print!("{}", loadwise::prometheus(&pools)),
        Some("openmetrics") => print!("{}", loadwise::openmetrics(&pools)),
        Some("json") => println!("{}", loadwise::config::Value::list(pools.iter().map(PoolStats::to_value)).to_json()),
        _ => return Err("say prometheus, openmetrics or json".into()),
    }
    Ok(())
}

/// A pool in which no two numbers are the same by intent: each is a multiple of `unit`.
fn pool(name: &str, unit: u64) -> PoolStats {
    let buckets = (1u32..=16).map(|i| LatencyBucket { le_ms: 1.5 * f64::from(i).powi(3), count: u64::from(i) * unit });
    PoolStats {
        name: name.into(),
        strategy: "weighted_round_robin, then \"random\"".into(),
        config_version: 3,
        now_ns: 90_000_000_000,
        processes: 4,
        nodes: NAMES.iter().zip(1..).map(|(id, i)| node(id, i, unit)).collect(),
        available: 5,
        selections: 1000 * unit,
        successes: 900 * unit,
        failures: 15 * unit,
        failures_by_kind: FailureKind::ALL.into_iter().zip(1..).map(|(kind, i)| (kind, i * unit)).collect(),
        timeouts: 3 * unit,
        rate_limited: 40 * unit,
        cancelled: 41 * unit,
        no_node: NoNodeReason::ALL.into_iter().zip(1..).map(|(reason, i)| (reason, i * unit)).collect(),
        in_flight: 4,
        max_in_flight: 512,
        leases_expired: 7 * unit,
        tier: 1,
        tier_shares: vec![0.3, 0.7],
        failovers: 8 * unit,
        last_failover_ns: Some(88_750_000_000),
        panic: true,
        retries: 9 * unit,
        retries_denied: 10 * unit,
        waiting: 11,
        wait_timeouts: 12 * unit,
        queue_refusals: 13 * unit,
        probes: 14 * unit,
        probe_timeouts: 16 * unit,
        affinity_entries: 17,
        latency: Some(LatencyStats { count: 50, mean_ms: 21.5, p50_ms: 20.25, p95_ms: 80.125, p99_ms: 1.0 / 3.0 }),
        latency_histogram: Some(LatencyHistogram {
            buckets: buckets.collect(),
            count: 17 * unit,
            sum_ms: 1e-3 * unit as f64,
        }),
    }
}

fn node(id: &str, i: u32, unit: u64) -> NodeStats {
    let nth = u64::from(i) * unit;
    NodeStats {
        id: id.into(),
        name: format!("name of {id}"),
        address: format!("address of {id}"),
        tier: i % 2,
        zone: "eu\\west".into(),
        weight: u32::MAX - i,
        health: HealthStatus::ALL[i as usize % 4],
        health_transitions: 2 * nth,
        success_rate: Some(1.0 / f64::from(i)),
        breaker: BreakerState::ALL[i as usize % 3],
        breaker_opens: 3 * nth,
        ejected: i == 2,
        ejections: 4 * nth,
        draining: i == 3,
        drained: false,
        warming: 0.1 * f64::from(i),
        available: i != 4,
        in_flight: 5,
        in_flight_by_process: vec![(7, 3), (9, 2)],
        max_in_flight: if i == 5 { 0 } else { 64 },
        selections: u64::MAX,
        successes: 6 * nth,
        failures: 15 * nth,
        failures_by_kind: FailureKind::ALL.into_iter().zip(1..).map(|(kind, k)| (kind, k * nth)).collect(),
        timeouts: 4 * nth,
        rate_limited: 7 * nth,
        cancelled: 8 * nth,
        probes: 9 * nth,
        checks_ok: 10 * nth,
        checks_failed: 11 * nth,
        latency_ewma_ms: Some(1e9 / f64::from(i)),
        latency: (i != 6).then_some(LatencyStats { count: 3, mean_ms: 2.0, p50_ms: 1.0, p95_ms: 4.5, p99_ms: 4.75 }),
        load: [Some(f64::NAN), Some(f64::INFINITY), Some(f64::NEG_INFINITY), Some(-0.5), None, Some(1e-12)]
            [i as usize - 1],
        remaining_ratio: Some(0.5),
        quotas: ["rpm", "\"tpm\"\n"].map(|d| QuotaStats { dimension: d.into(), used: nth, limit: 20 * nth }).into(),
    }
}
