//! What cannot be put in force changes nothing.

use loadwise::config::{PoolConfig, StrategyConfig, StrategyKind};
use loadwise::{Error, Outcome, Pool, Request};

use super::{SECOND, T0, failures, parse, picks};

const BEGUN: &str = "
strategy: p2c
seed: 7
breaker: true
affinity: {entries: 64}
quotas: [{dimension: rpm, limit: 1000000}]
limits: {max_nodes: 8, max_picks: 256}
nodes: [{id: a, weight: 3}, {id: b, labels: {v: '1'}}, c]";

/// A pool in the midst of things.
fn used() -> Pool {
    let pool = Pool::from_config(BEGUN).unwrap();
    picks(&pool, 10, T0);
    failures(&pool, "b", 5, T0);
    pool.set_weight("c", 2).unwrap();
    pool
}

#[test]
fn a_configuration_that_cannot_be_changes_nothing() {
    let refused: [(&str, PoolConfig); 13] = [
        ("seed", parse("{seed: 8, nodes: [x], limits: {max_nodes: 8, max_picks: 256}}")),
        ("seed", parse("{nodes: [x], limits: {max_nodes: 8, max_picks: 256}}")),
        ("limits.max_nodes", parse("{seed: 7, nodes: [x], limits: {max_nodes: 9, max_picks: 256}}")),
        ("limits.max_picks", parse("{seed: 7, nodes: [x], limits: {max_nodes: 8}}")),
        ("limits.max_labels", parse("{seed: 7, limits: {max_nodes: 8, max_picks: 256, max_labels: 3}}")),
        ("limits.max_groups", parse("{seed: 7, limits: {max_nodes: 8, max_picks: 256, max_groups: 4}}")),
        ("affinity.entries", parse("{seed: 7, affinity: {entries: 65}, limits: {max_nodes: 8, max_picks: 256}}")),
        (
            "strategy.points",
            parse("{seed: 7, strategy: {name: ring_hash, points: 9}, limits: {max_nodes: 8, max_picks: 256}}"),
        ),
        ("limits.max_groups", {
            let zones = "{id: a, zone: a}, {id: b, zone: b}, {id: c, zone: c}, {id: d, zone: d}, {id: e, zone: e}, \
                         {id: f, zone: f}, {id: g, zone: g}, {id: h, zone: h}";
            parse(&format!("{{seed: 7, zones: true, nodes: [{zones}], limits: {{max_nodes: 8, max_picks: 256}}}}"))
        }),
        ("limits.max_nodes", {
            let nginx = "{name: ring_hash, compat: nginx}";
            let heavy = "{id: a, weight: 100000}";
            parse(&format!(
                "{{seed: 7, strategy: {nginx}, nodes: [{heavy}], limits: {{max_nodes: 8, max_picks: 256}}}}"
            ))
        }),
        // Five that are there and eight others are more than eight.
        ("limits.max_nodes", {
            let others: Vec<String> = (0..8).map(|i| format!("n{i}")).collect();
            parse(&format!("{{seed: 7, nodes: [{}], limits: {{max_nodes: 8, max_picks: 256}}}}", others.join(", ")))
        }),
        ("strategy", PoolConfig { strategy: vec![StrategyConfig::from(StrategyKind::Custom)], ..parse(BEGUN) }),
        ("acquire_queue", PoolConfig { acquire_queue: 1_000_000, ..parse(BEGUN) }),
    ];
    for (key, config) in refused {
        let (pool, twin) = (used(), used());
        let Err(Error::Config(error)) = pool.reload(&config) else { panic!("{key} was let through") };
        assert_eq!(error.key, key, "{error}");
        assert_eq!(pool.config_value(), twin.config_value(), "{key}");
        assert_eq!(pool.stats_at(T0 + SECOND), twin.stats_at(T0 + SECOND), "{key}");
        assert_eq!(pool.nodes_at(T0 + SECOND), twin.nodes_at(T0 + SECOND), "{key}");
        assert_eq!(picks(&pool, 100, T0 + SECOND), picks(&twin, 100, T0 + SECOND), "{key}");
    }
}

#[test]
fn what_is_refused_says_what_it_is_now() {
    let pool = used();
    let message = |text: &str| pool.reload(&parse(text)).unwrap_err().to_string();
    assert_eq!(
        message("{seed: 7, limits: {max_nodes: 9, max_picks: 256}}"),
        "limits.max_nodes: cannot become 9: it is 8 since the pool was made"
    );
    assert_eq!(message("{}"), "seed: cannot become unset: it is 7 since the pool was made");
}

#[test]
fn the_same_again_is_no_difference_but_in_its_version() {
    let (pool, twin) = (used(), used());
    pool.set_weight("c", 1).unwrap();
    twin.set_weight("c", 1).unwrap();
    for version in 2..5 {
        pool.reload_at(&parse(BEGUN), T0).unwrap();
        assert_eq!(pool.config_version(), version);
    }
    assert_eq!(picks(&pool, 100, T0 + SECOND), picks(&twin, 100, T0 + SECOND));
    assert_eq!(pool.nodes_at(T0 + SECOND), twin.nodes_at(T0 + SECOND));
    let open = pool.pick(&Request::new()).unwrap();
    open.finish(Outcome::Success).unwrap();
}
