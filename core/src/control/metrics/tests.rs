use std::collections::HashSet;

use super::families::{FAMILIES, Kind};
use super::writer::{Number, label};
use super::{openmetrics, prometheus};
use crate::control::stats::{LatencyBucket, LatencyHistogram, LatencyStats, NodeStats, PoolStats, QuotaStats};
use crate::vocabulary::breaker::BreakerState;
use crate::vocabulary::error::NoNodeReason;
use crate::vocabulary::outcome::FailureKind;
use crate::vocabulary::status::HealthStatus;

/// A pool of which every family has something to say.
fn pool(name: &str, nodes: &[&str]) -> PoolStats {
    let latency = LatencyStats { count: 4, mean_ms: 25.0, p50_ms: 20.0, p95_ms: 40.0, p99_ms: 41.5 };
    let node = |&id: &&str| NodeStats {
        id: id.into(),
        health: HealthStatus::Degraded,
        breaker: BreakerState::HalfOpen,
        success_rate: Some(0.5),
        max_in_flight: 10,
        failures_by_kind: FailureKind::ALL.map(|kind| (kind, 1)).into(),
        latency_ewma_ms: Some(12.5),
        latency: Some(latency),
        load: Some(f64::NAN),
        remaining_ratio: Some(0.25),
        quotas: vec![QuotaStats { dimension: "rpm".into(), used: 5, limit: 20 }],
        ..NodeStats::default()
    };
    PoolStats {
        name: name.into(),
        now_ns: 5_000_000_000,
        nodes: nodes.iter().map(node).collect(),
        max_in_flight: 100,
        failures_by_kind: FailureKind::ALL.map(|kind| (kind, u64::MAX)).into(),
        no_node: NoNodeReason::ALL.map(|reason| (reason, 2)).into(),
        tier_shares: vec![0.75, 0.25],
        last_failover_ns: Some(1_500_000_000),
        latency: Some(latency),
        latency_histogram: Some(LatencyHistogram {
            buckets: vec![LatencyBucket { le_ms: 2.5, count: 1 }, LatencyBucket { le_ms: 1000.0, count: 3 }],
            count: 4,
            sum_ms: 5100.0,
        }),
        ..PoolStats::default()
    }
}

fn samples(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

#[track_caller]
fn has(text: &str, line: &str) {
    assert!(text.lines().any(|l| l == line), "no line {line:?} in\n{text}");
}

#[test]
fn both_texts_have_the_same_samples() {
    let pools = [pool("a", &["1", "2"]), pool("b", &[]), pool("c", &["1"])];
    let (prometheus, openmetrics) = (prometheus(&pools), openmetrics(&pools));
    assert_eq!(samples(&prometheus), samples(&openmetrics));
    assert!(openmetrics.ends_with("\n# EOF\n") && !prometheus.contains("EOF"));
}

#[test]
fn samples_say_what_the_stats_say() {
    let text = prometheus(&[pool("api", &["n"])]);
    has(&text, "loadwise_pool_info{pool=\"api\",strategy=\"\"} 1");
    has(&text, "loadwise_pool_failures_total{pool=\"api\",kind=\"timeout\"} 18446744073709551615");
    has(&text, "loadwise_pool_no_node_total{pool=\"api\",reason=\"saturated\"} 2");
    has(&text, "loadwise_pool_tier_share_ratio{pool=\"api\",tier=\"1\"} 0.25");
    has(&text, "loadwise_pool_last_failover_age_seconds{pool=\"api\"} 3.5");
    has(&text, "loadwise_pool_request_duration_seconds_bucket{pool=\"api\",le=\"0.0025\"} 1");
    has(&text, "loadwise_pool_request_duration_seconds_bucket{pool=\"api\",le=\"1.0\"} 3");
    has(&text, "loadwise_pool_request_duration_seconds_bucket{pool=\"api\",le=\"+Inf\"} 4");
    has(&text, "loadwise_pool_request_duration_seconds_sum{pool=\"api\"} 5.1");
    has(&text, "loadwise_pool_request_duration_seconds_count{pool=\"api\"} 4");
    has(&text, "loadwise_node_health{pool=\"api\",node=\"n\",state=\"degraded\"} 1");
    has(&text, "loadwise_node_health{pool=\"api\",node=\"n\",state=\"healthy\"} 0");
    has(&text, "loadwise_node_breaker_state{pool=\"api\",node=\"n\"} 2");
    has(&text, "loadwise_node_latency_seconds{pool=\"api\",node=\"n\",quantile=\"0.95\"} 0.04");
    has(&text, "loadwise_node_load{pool=\"api\",node=\"n\"} NaN");
    has(&text, "loadwise_node_quota_used_ratio{pool=\"api\",node=\"n\",dimension=\"rpm\"} 0.25");
}

#[test]
fn every_family_is_described_once_and_stands_together() {
    let pools = [pool("a", &["1", "2"]), pool("b", &["1"])];
    for text in [prometheus(&pools), openmetrics(&pools)] {
        let kinds: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE ")).collect();
        assert_eq!(kinds.len(), FAMILIES.len());
        assert_eq!(kinds.iter().collect::<HashSet<_>>().len(), kinds.len());
        let mut family = "";
        for line in text.lines().filter(|line| *line != "# EOF") {
            match line.strip_prefix("# ") {
                Some(head) => family = head.split(' ').nth(1).unwrap(),
                None => assert!(line.starts_with(family), "{line} stands under {family}"),
            }
        }
    }
}

#[test]
fn no_series_stands_twice_even_for_pools_of_one_name() {
    let pools = [pool("a", &["1"]), pool("a", &["1"]), pool("a#2", &["1"]), pool("a", &["1"])];
    let text = prometheus(&pools);
    let series: Vec<&str> = samples(&text).into_iter().map(|line| line.rsplit_once(' ').unwrap().0).collect();
    assert_eq!(series.iter().collect::<HashSet<_>>().len(), series.len());
    for name in ["a", "a#2", "a#2#2", "a#3"] {
        has(&text, &format!("loadwise_pool_selections_total{{pool=\"{name}\"}} 0"));
    }
}

#[test]
fn what_is_off_is_absent() {
    let bare = [PoolStats { nodes: vec![NodeStats::default()], ..PoolStats::default() }];
    for text in [prometheus(&bare), openmetrics(&bare)] {
        for name in ["_latency_", "request_duration", "quota", "failover_age", "in_flight_limit", "tier_share", "_load"]
        {
            assert!(!text.contains(name), "{name} in\n{text}");
        }
    }
    let idle = PoolStats { latency: Some(LatencyStats::default()), ..PoolStats::default() };
    assert!(!prometheus(&[idle]).contains("quantile"));
    assert_eq!((prometheus(&[]), openmetrics(&[])), (String::new(), "# EOF\n".to_owned()));
}

#[test]
fn label_values_are_escaped() {
    assert_eq!(label("node", "a\\b\"c\nd"), r#"node="a\\b\"c\nd""#);
    assert_eq!(label("node", "é,}{=#\r\t😀\0"), "node=\"é,}{=#\r\t😀\0\"");
    let text = prometheus(&[pool("\"} 1\nfake 2", &["\n\\n"])]);
    assert!(samples(&text).iter().all(|line| line.starts_with("loadwise_")));
    has(&text, r#"loadwise_node_in_flight{pool="\"} 1\nfake 2",node="\n\\n"} 0"#);
}

#[test]
fn numbers_are_written_as_the_formats_have_them() {
    let written = [0.0, -0.5, 1e-9, 1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(|f| Number::from(f).text());
    assert_eq!(written, ["0.0", "-0.5", "1e-9", "1e300", "+Inf", "-Inf", "NaN"]);
    assert_eq!((Number::from(u64::MAX).text(), Number::from(true).text()), ("18446744073709551615".into(), "1".into()));
}

#[test]
fn names_are_those_of_the_formats() {
    let names: HashSet<&str> = FAMILIES.iter().map(|family| family.name).collect();
    assert_eq!(names.len(), FAMILIES.len());
    for family in FAMILIES {
        let name = family.name;
        assert!(name.starts_with("loadwise_pool") || name.starts_with("loadwise_node"), "{name}");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        for suffix in ["_total", "_info", "_created", "_bucket", "_sum", "_count"] {
            assert!(!name.ends_with(suffix), "{name} ends like a sample of another kind");
        }
        assert!(family.help.ends_with('.') && !family.help.contains(['\\', '\n', '"']), "{name}: {}", family.help);
        let told_in_seconds = name.contains("duration") || name.contains("latency") || name.contains("age");
        assert_eq!(told_in_seconds, family.unit() == Some("seconds"), "{name}");
        assert!(family.kind != Kind::Counter || family.unit().is_none(), "{name}");
    }
}
