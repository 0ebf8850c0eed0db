//! The sections of a pool: what they say, what is off, and what cannot be.

use loadwise::NodeSpec;
use loadwise::config::{
    AdaptiveLimitConfig, AffinityConfig, BreakerConfig, ChecksConfig, HealthConfig, LatencyStats, OutlierConfig,
    PanicConfig, PanicMode, PoolConfig, QuotaLimit, Rebalance, RetryConfig, SlowStartConfig, SplitConfig, StatsConfig,
    StrategyKind, TiersConfig, Value, ZonesConfig, parse_chain, parse_nodes, validate_node_quotas,
};
use loadwise::{Error, Limits};

use super::{error, kind, parse};

fn split(labels: &[(&str, &str)], share: f64) -> SplitConfig {
    SplitConfig { labels: labels.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect(), share }
}

fn quota(dimension: &str, limit: u64) -> QuotaLimit {
    QuotaLimit { dimension: dimension.into(), limit, ..QuotaLimit::default() }
}

#[test]
fn every_key_of_every_section_is_read() {
    let config = parse(
        "
lease_timeout_ms: 1
max_in_flight: 2
acquire_timeout_ms: 3
acquire_queue: 4
drain_timeout_ms: 5
health:
  failure_threshold: 6
  recovery_successes: 7
  passive: false
  window_ms: 8000
  min_success_rate: 0.9
  min_requests: 10
  probe_interval_ms: 11
  max_probe_interval_ms: 12
  probe_timeout_ms: 13
  live_probes: false
checks: {interval_ms: 14, jitter: 0.15, timeout_ms: 16, failure_threshold: 17, success_threshold: 18, grace_ms: 19}
breaker:
  consecutive_failures: 20
  failure_rate: 0.21
  min_requests: 22
  open_ms: 23
  max_open_ms: 24
  half_open_successes: 25
outlier:
  sweep_interval_ms: 26
  stdev_factor: 2.7
  min_hosts: 28
  min_requests: 29
  failure_rate: 0.3
  failure_min_requests: 31
  ejection_ms: 32
  max_ejection_ms: 33
  max_ejected: 0.34
panic: {mode: spread, threshold: 0.35, min_nodes: 36}
tiers: {overprovisioning: 3.7, max_attempts: 8, failback_ms: 39}
zones: {zone: eu-1, min_nodes: 41}
slow_start: {duration_ms: 42, aggression: 4.3, min_weight: 0.44}
splits: [{labels: {version: v2, canary: true}, share: 0.45}, {labels: {version: v3}, share: 0}]
affinity: {entries: 46, ttl_ms: 47, rebalance: gradual, rebalance_step: 0.48, rebalance_ms: 49}
adaptive_limit: {initial: 51, min: 50, max: 52, smoothing: 0.53, tolerance: 5.4}
quotas: [{dimension: rpm, limit: 55, window_ms: 56, buckets: 7, default_cost: 3}, {dimension: tpm, limit: 58}]
retry: {max_attempts: 9, base_delay_ms: 60, max_delay_ms: 61, budget_share: 0.62, budget_min_per_s: 63, budget_window_ms: 640}
stats: {latency: nodes, window_ms: 65000}
limits: {max_groups: 16}
",
    );
    let expected = PoolConfig {
        lease_timeout_ms: 1,
        max_in_flight: 2,
        acquire_timeout_ms: 3,
        acquire_queue: 4,
        drain_timeout_ms: 5,
        health: HealthConfig {
            failure_threshold: 6,
            recovery_successes: 7,
            passive: false,
            window_ms: 8000,
            min_success_rate: 0.9,
            min_requests: 10,
            probe_interval_ms: 11,
            max_probe_interval_ms: 12,
            probe_timeout_ms: 13,
            live_probes: false,
        },
        checks: Some(ChecksConfig {
            interval_ms: 14,
            jitter: 0.15,
            timeout_ms: 16,
            failure_threshold: 17,
            success_threshold: 18,
            grace_ms: 19,
        }),
        breaker: Some(BreakerConfig {
            consecutive_failures: 20,
            failure_rate: 0.21,
            min_requests: 22,
            open_ms: 23,
            max_open_ms: 24,
            half_open_successes: 25,
        }),
        outlier: Some(OutlierConfig {
            sweep_interval_ms: 26,
            stdev_factor: 2.7,
            min_hosts: 28,
            min_requests: 29,
            failure_rate: 0.3,
            failure_min_requests: 31,
            ejection_ms: 32,
            max_ejection_ms: 33,
            max_ejected: 0.34,
        }),
        panic: PanicConfig { mode: PanicMode::Spread, threshold: 0.35, min_nodes: 36 },
        tiers: TiersConfig { overprovisioning: 3.7, max_attempts: 8, failback_ms: 39 },
        zones: Some(ZonesConfig { zone: "eu-1".into(), min_nodes: 41 }),
        slow_start: Some(SlowStartConfig { duration_ms: 42, aggression: 4.3, min_weight: 0.44 }),
        splits: vec![split(&[("version", "v2"), ("canary", "true")], 0.45), split(&[("version", "v3")], 0.0)],
        affinity: Some(AffinityConfig {
            entries: 46,
            ttl_ms: 47,
            rebalance: Rebalance::Gradual,
            rebalance_step: 0.48,
            rebalance_ms: 49,
        }),
        adaptive_limit: Some(AdaptiveLimitConfig { initial: 51, min: 50, max: 52, smoothing: 0.53, tolerance: 5.4 }),
        quotas: vec![QuotaLimit { window_ms: 56, buckets: 7, default_cost: 3, ..quota("rpm", 55) }, quota("tpm", 58)],
        retry: RetryConfig {
            max_attempts: 9,
            base_delay_ms: 60,
            max_delay_ms: 61,
            budget_share: 0.62,
            budget_min_per_s: 63,
            budget_window_ms: 640,
        },
        stats: StatsConfig { latency: LatencyStats::Nodes, window_ms: 65_000 },
        limits: Limits { max_groups: 16, ..Limits::default() },
        ..PoolConfig::default()
    };
    assert_eq!(config, expected);
    expected.validate().unwrap();
}

#[test]
fn nodes_say_where_they_are_and_what_they_bear() {
    let text =
        "quotas: [{dimension: rpm, limit: 9}]\nnodes: [{id: a, tier: 7, zone: eu, max_in_flight: 5, quotas: {rpm: 3}}]";
    assert_eq!(parse(text).nodes, [NodeSpec::new("a").tier(7).zone("eu").max_in_flight(5).quota("rpm", 3)]);
}

#[test]
fn sections_that_may_be_off_are_switched_by_a_word() {
    for (on, off) in [
        (PoolConfig { checks: Some(ChecksConfig::default()), ..PoolConfig::default() }, "checks"),
        (PoolConfig { breaker: Some(BreakerConfig::default()), ..PoolConfig::default() }, "breaker"),
        (PoolConfig { outlier: Some(OutlierConfig::default()), ..PoolConfig::default() }, "outlier"),
        (PoolConfig { zones: Some(ZonesConfig::default()), ..PoolConfig::default() }, "zones"),
        (PoolConfig { slow_start: Some(SlowStartConfig::default()), ..PoolConfig::default() }, "slow_start"),
        (PoolConfig { affinity: Some(AffinityConfig::default()), ..PoolConfig::default() }, "affinity"),
        (
            PoolConfig { adaptive_limit: Some(AdaptiveLimitConfig::default()), ..PoolConfig::default() },
            "adaptive_limit",
        ),
    ] {
        assert_eq!(parse(&format!("{off}: true")), on);
        assert_eq!(parse(&format!("{off}: {{}}")), on);
        assert_eq!(parse(&format!("{off}: false")), PoolConfig::default());
        on.validate().unwrap();
        let message = format!("line 1: {off}: must be true, false or a map of keys, not 1");
        assert_eq!(error(&format!("{off}: 1")), message);
        let message = format!("line 1: {off}: is empty; must be true, false or a map of keys, or the key left out");
        assert_eq!(error(&format!("{off}:")), message);
    }
}

#[test]
fn new_strategies_have_their_own_settings() {
    let reported = |blackout_ms, expiry_ms, update_ms, error_penalty| StrategyKind::ReportedLoad {
        blackout_ms,
        expiry_ms,
        update_ms,
        error_penalty,
    };
    assert_eq!(kind("strategy: adaptive"), StrategyKind::Adaptive);
    assert_eq!(kind("strategy: fastest"), StrategyKind::Fastest { class_ms: 20 });
    assert_eq!(kind("strategy: {name: fastest, class_ms: 5}"), StrategyKind::Fastest { class_ms: 5 });
    assert_eq!(kind("strategy: reported_load"), reported(10_000, 180_000, 1000, 1.0));
    let text = "strategy: {name: reported_load, blackout_ms: 1, expiry_ms: 2, update_ms: 3, error_penalty: 0.4}";
    assert_eq!(kind(text), reported(1, 2, 3, 0.4));
}

/// Each wrong configuration as a document and as code makes it, and what is said of both.
#[test]
fn what_cannot_be_is_told_in_a_document_and_in_code() {
    type Change = fn(&mut PoolConfig);
    fn on<T: Default>(section: &mut Option<T>) -> &mut T {
        section.get_or_insert_default()
    }
    let cases: &[(&str, usize, Change, &str)] = &[
        (
            "health:\n  probe_interval_ms: 400000",
            2,
            |c| c.health.probe_interval_ms = 400_000,
            "health.max_probe_interval_ms: must be at least probe_interval_ms = 400000, not 300000",
        ),
        (
            "health:\n  probe_timeout_ms: 0",
            2,
            |c| c.health.probe_timeout_ms = 0,
            "health.probe_timeout_ms: must be 1 to 86400000, not 0",
        ),
        (
            "health: {window_ms: 999}",
            1,
            |c| c.health.window_ms = 999,
            "health.window_ms: must be 1000 to 86400000, not 999",
        ),
        (
            "health: {min_success_rate: -0.5}",
            1,
            |c| c.health.min_success_rate = -0.5,
            "health.min_success_rate: must be 0 to 1, not -0.5",
        ),
        (
            "health: {min_requests: 0}",
            1,
            |c| c.health.min_requests = 0,
            "health.min_requests: must be 1 to 1000000, not 0",
        ),
        ("checks: {jitter: 1.5}", 1, |c| on(&mut c.checks).jitter = 1.5, "checks.jitter: must be 0 to 1, not 1.5"),
        (
            "checks: {success_threshold: 0}",
            1,
            |c| on(&mut c.checks).success_threshold = 0,
            "checks.success_threshold: must be 1 to 255, not 0",
        ),
        (
            "breaker:\n  open_ms: 10\n  max_open_ms: 9",
            3,
            |c| c.breaker = Some(BreakerConfig { open_ms: 10, max_open_ms: 9, ..BreakerConfig::default() }),
            "breaker.max_open_ms: must be at least open_ms = 10, not 9",
        ),
        (
            "breaker: {failure_rate: 0}",
            1,
            |c| on(&mut c.breaker).failure_rate = 0.0,
            "breaker.failure_rate: must be 0.01 to 1, not 0",
        ),
        (
            "outlier: {max_ejection_ms: 100}",
            1,
            |c| on(&mut c.outlier).max_ejection_ms = 100,
            "outlier.max_ejection_ms: must be at least ejection_ms = 30000, not 100",
        ),
        (
            "outlier: {min_hosts: 1}",
            1,
            |c| on(&mut c.outlier).min_hosts = 1,
            "outlier.min_hosts: must be 2 to 65535, not 1",
        ),
        ("panic: {threshold: 2}", 1, |c| c.panic.threshold = 2.0, "panic.threshold: must be 0 to 1, not 2"),
        (
            "tiers: {overprovisioning: 0.9}",
            1,
            |c| c.tiers.overprovisioning = 0.9,
            "tiers.overprovisioning: must be 1 to 10, not 0.9",
        ),
        ("tiers: {max_attempts: 9}", 1, |c| c.tiers.max_attempts = 9, "tiers.max_attempts: must be 1 to 8, not 9"),
        (
            "nodes: [{id: a, tier: 8}]",
            1,
            |c| c.nodes = vec![NodeSpec::new("a").tier(8)],
            "nodes[0].tier: must be 0 to 7, not 8",
        ),
        (
            "zones: {zone: \"a\\tb\"}",
            1,
            |c| on(&mut c.zones).zone = "a\tb".into(),
            "zones.zone: must not contain the control character \\t",
        ),
        (
            "slow_start: {min_weight: 0}",
            1,
            |c| on(&mut c.slow_start).min_weight = 0.0,
            "slow_start.min_weight: must be 0.01 to 1, not 0",
        ),
        (
            "slow_start: {duration_ms: 0}",
            1,
            |c| on(&mut c.slow_start).duration_ms = 0,
            "slow_start.duration_ms: must be 1 to 86400000, not 0",
        ),
        (
            "splits:\n- {labels: {v: 2}, share: 0.6}\n- labels: {v: 3}\n  share: 0.5",
            4,
            |c| c.splits = vec![split(&[("v", "2")], 0.6), split(&[("v", "3")], 0.5)],
            "splits[1].share: the shares up to here add up to 1.1, more than 1",
        ),
        (
            "splits: [{labels: {v: 2}, share: 1.5}]",
            1,
            |c| c.splits = vec![split(&[("v", "2")], 1.5)],
            "splits[0].share: must be 0 to 1, not 1.5",
        ),
        (
            "splits: [{labels: {}, share: 0.5}]",
            1,
            |c| c.splits = vec![split(&[], 0.5)],
            "splits[0].labels: needs at least one label",
        ),
        (
            "splits: [{labels: {v: 2}, share: 0.1},\n {labels: {v: 2}, share: 0.1}]",
            2,
            |c| c.splits = vec![split(&[("v", "2")], 0.1); 2],
            "splits[1].labels: the same labels as those of splits[0]",
        ),
        (
            "nodes: [a, {id: b, labels: {v: 2}}, {id: c, labels: {w: 1}}]\nsplits: [{labels: {v: 2, w: 1}, share: 0.1}]",
            2,
            |c| {
                c.nodes = vec!["a".into(), NodeSpec::new("b").label("v", "2"), NodeSpec::new("c").label("w", "1")];
                c.splits = vec![split(&[("v", "2"), ("w", "1")], 0.1)];
            },
            "splits[0].labels: no node has \"v=2, w=1\"",
        ),
        (
            "affinity: {entries: 15}",
            1,
            |c| on(&mut c.affinity).entries = 15,
            "affinity.entries: must be 16 to 16777216, not 15",
        ),
        (
            "affinity: {entries: 16777217}",
            1,
            |c| on(&mut c.affinity).entries = (1 << 24) + 1,
            "affinity.entries: must be 16 to 16777216, not 16777217",
        ),
        (
            "adaptive_limit: {min: 201}",
            1,
            |c| on(&mut c.adaptive_limit).min = 201,
            "adaptive_limit.max: must be at least min = 201, not 200",
        ),
        (
            "adaptive_limit:\n  initial: 10",
            2,
            |c| on(&mut c.adaptive_limit).initial = 10,
            "adaptive_limit.initial: must be min = 20 to max = 200, not 10",
        ),
        (
            "quotas: [{dimension: rpm, limit: 1},\n {dimension: rpm, limit: 2}]",
            2,
            |c| c.quotas = vec![quota("rpm", 1), quota("rpm", 2)],
            "quotas[1].dimension: the dimension \"rpm\" is there twice",
        ),
        (
            "quotas: [{dimension: rpm, limit: 10, default_cost: 11}]",
            1,
            |c| c.quotas = vec![QuotaLimit { default_cost: 11, ..quota("rpm", 10) }],
            "quotas[0].default_cost: must be at most limit = 10, not 11",
        ),
        (
            "quotas: [{dimension: rpm, limit: 10, window_ms: 5}]",
            1,
            |c| c.quotas = vec![QuotaLimit { window_ms: 5, ..quota("rpm", 10) }],
            "quotas[0].window_ms: must be at least buckets = 6, not 5",
        ),
        (
            "quotas: [{dimension: rpm, limit: 0}]",
            1,
            |c| c.quotas = vec![quota("rpm", 0)],
            "quotas[0].limit: must be 1 to 1099511627774, not 0",
        ),
        (
            "quotas: [{dimension: '', limit: 1}]",
            1,
            |c| c.quotas = vec![quota("", 1)],
            "quotas[0].dimension: must not be empty",
        ),
        (
            "nodes:\n- a\n- id: b\n  quotas:\n    rpm: 1",
            5,
            |c| c.nodes = vec!["a".into(), NodeSpec::new("b").quota("rpm", 1)],
            "nodes[1].quotas.rpm: the pool has no quota of the dimension \"rpm\"",
        ),
        (
            "nodes: [{id: b, quotas: {rpm: 4}}]\nquotas: [{dimension: rpm, limit: 10, default_cost: 5}]",
            1,
            |c| {
                c.nodes = vec![NodeSpec::new("b").quota("rpm", 4)];
                c.quotas = vec![QuotaLimit { default_cost: 5, ..quota("rpm", 10) }];
            },
            "nodes[0].quotas.rpm: must be at least the quota's default_cost = 5, not 4",
        ),
        (
            "nodes: [{id: b, quotas: {rpm: 0}}]",
            1,
            |c| c.nodes = vec![NodeSpec::new("b").quota("rpm", 0)],
            "nodes[0].quotas.rpm: must be 1 to 1099511627774, not 0",
        ),
        (
            "retry: {base_delay_ms: 251}",
            1,
            |c| c.retry.base_delay_ms = 251,
            "retry.max_delay_ms: must be at least base_delay_ms = 251, not 250",
        ),
        ("retry: {max_attempts: 0}", 1, |c| c.retry.max_attempts = 0, "retry.max_attempts: must be 1 to 16, not 0"),
        ("acquire_queue: 65537", 1, |c| c.acquire_queue = 65_537, "acquire_queue: must be 0 to 65536, not 65537"),
        ("stats: {window_ms: 0}", 1, |c| c.stats.window_ms = 0, "stats.window_ms: must be 1000 to 86400000, not 0"),
        ("limits: {max_groups: 65}", 1, |c| c.limits.max_groups = 65, "limits.max_groups: must be 1 to 64, not 65"),
    ];
    for (text, line, change, message) in cases {
        let told = error(text);
        let told = told.strip_suffix(", first on line 1").unwrap_or(&told);
        assert_eq!(told, format!("line {line}: {message}"), "{text}");
        let mut config = PoolConfig::default();
        change(&mut config);
        assert_eq!(config.validate().unwrap_err().to_string(), *message, "{text}");
    }
}

#[test]
fn no_share_is_not_a_number() {
    let wrong = |change: fn(&mut PoolConfig)| {
        let mut config = PoolConfig::default();
        change(&mut config);
        config.validate().unwrap_err().to_string()
    };
    assert_eq!(wrong(|c| c.panic.threshold = f64::NAN), "panic.threshold: must be 0 to 1, not NaN");
    assert_eq!(wrong(|c| c.splits = vec![split(&[("v", "2")], f64::NAN)]), "splits[0].share: must be 0 to 1, not NaN");
    assert_eq!(wrong(|c| c.retry.budget_share = f64::INFINITY), "retry.budget_share: must be 0 to 1, not inf");
    assert_eq!(error("retry: {budget_share: .nan}"), "line 1: retry.budget_share: must be 0 to 1, not .nan");
}

#[test]
fn lists_are_bounded_and_their_items_complete() {
    let splits = |n: usize| {
        let items: Vec<_> = (0..n).map(|i| format!("{{labels: {{v: {i}}}, share: 0.01}}")).collect();
        format!("splits: [{}]", items.join(", "))
    };
    assert_eq!(parse(&splits(16)).splits.len(), 16);
    assert_eq!(error(&splits(17)), "line 1: splits[16]: there are more than 16");
    let quotas = |n: usize| {
        let items: Vec<_> = (0..n).map(|i| format!("{{dimension: d{i}, limit: 1}}")).collect();
        format!("quotas: [{}]", items.join(", "))
    };
    assert_eq!(parse(&quotas(8)).quotas.len(), 8);
    assert_eq!(error(&quotas(9)), "line 1: quotas[8]: there are more than 8");
    assert_eq!(PoolConfig::parse(&quotas(9)).unwrap_err().code(), 101);
    let of_node: Vec<_> = (0..9).map(|i| format!("d{i}: 1")).collect();
    let text = format!("{}\nnodes: [{{id: a, quotas: {{{}}}}}]", quotas(8), of_node.join(", "));
    assert_eq!(error(&text), "line 2: nodes[0].quotas: there are more than 8 dimensions");

    assert_eq!(error("splits: [{share: 1}]"), "line 1: splits[0]: needs the key labels");
    assert_eq!(error("splits: [{labels: {v: 2}}]"), "line 1: splits[0]: needs the key share");
    assert_eq!(error("quotas: [{limit: 1}]"), "line 1: quotas[0]: needs the key dimension");
    assert_eq!(error("quotas: [{dimension: rpm}]"), "line 1: quotas[0]: needs the key limit");
    assert_eq!(error("quotas: {rpm: 1}"), "line 1: quotas: must be a list of quotas, not a map");
    assert_eq!(
        error("panic: {mode: explode}"),
        r#"line 1: panic.mode: unknown word "explode"; known are fail, spread"#
    );
}

#[test]
fn ten_tenths_are_one() {
    let tenths: Vec<_> = (0..10).map(|i| format!("{{labels: {{v: {i}}}, share: 0.1}}")).collect();
    assert_eq!(parse(&format!("splits: [{}]", tenths.join(", "))).splits.len(), 10);
}

#[test]
fn a_split_needs_its_nodes_only_when_there_are_some() {
    let splits = "splits: [{labels: {v: 2}, share: 0.1}]";
    assert_eq!(parse(splits).splits.len(), 1);
    assert_eq!(parse(&format!("{splits}\nnodes: [a, {{id: b, labels: {{v: 2}}}}]")).splits.len(), 1);
}

#[test]
fn strategies_and_nodes_are_read_alone() {
    let chain = |text: &str| parse_chain(&Value::parse(text).unwrap());
    // Bounds of a pool are the pool's.
    assert_eq!(
        chain("{name: ring_hash, points: 65535}").unwrap(),
        parse("strategy: {name: ring_hash, points: 65535}\nlimits: {max_nodes: 1}").strategy
    );
    assert_eq!(
        chain("{name: maglev, table_size: 1000003}").unwrap()[0].kind,
        StrategyKind::Maglev { table_size: 1_000_003 }
    );
    assert_eq!(
        chain("[p2c,\n {name: maglev, table_size: 4}]").unwrap_err().to_string(),
        "line 2: strategy[1].table_size: must be a prime: 5, not 4"
    );
    let limits = Limits { max_nodes: 1, ..Limits::default() };
    let nodes = |text: &str| parse_nodes(&Value::parse(text).unwrap(), &limits);
    assert_eq!(nodes("[{id: a, zone: eu}]").unwrap(), [NodeSpec::new("a").zone("eu")]);
    let Err(Error::Config(e)) = nodes("[a, b]") else { panic!() };
    assert_eq!((e.key.as_str(), e.limit), ("nodes[1]", true));
}

#[test]
fn a_node_that_comes_later_is_checked_against_the_quotas() {
    let quotas = [quota("rpm", 10)];
    let check = |node: NodeSpec| validate_node_quotas(&node, &quotas, "node", 0).map_err(|e| e.to_string());
    assert_eq!(check(NodeSpec::new("a").quota("rpm", 1)), Ok(()));
    let wrong = check(NodeSpec::new("a").quota("tpm", 1)).unwrap_err();
    assert_eq!(wrong, "node.quotas.tpm: the pool has no quota of the dimension \"tpm\"");
}
