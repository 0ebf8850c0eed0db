//! What cannot be is a clear, typed error, and the last good state stays.

use loadwise::config::{PoolConfig, StrategyConfig, StrategyKind};
use loadwise::{ConfigError, Error, Limits, NoNodeReason, NodeSpec, Pool, Request};

use crate::{STRATEGIES, pool, weighted};

fn config_error(result: Result<impl std::fmt::Debug, Error>) -> ConfigError {
    match result.unwrap_err() {
        Error::Config(e) => e,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_to_choose_from() {
    for strategy in STRATEGIES {
        assert_eq!(
            pool(strategy, 0).pick(&Request::new().key("k")).unwrap_err().reason,
            NoNodeReason::Empty,
            "{strategy}"
        );
        let pool = pool(strategy, 3);
        let all = ["n0", "n1", "n2", "n2", "unknown"];
        let none = pool.pick(&Request::new().key("k").exclude(&all)).unwrap_err();
        assert_eq!((none.reason, none.code()), (NoNodeReason::AllExcluded, 502), "{strategy}");
        let zero = weighted(strategy, &[0, 0]);
        assert_eq!(zero.pick(&Request::new().key("k")).unwrap_err().reason, NoNodeReason::Draining, "{strategy}");
    }
}

#[test]
fn ids_are_unique_and_bounded() {
    let pool = pool("p2c", 2);
    let duplicate = config_error(pool.set_nodes(["a", "b", "a"]));
    assert!(duplicate.message.contains("\"a\""), "{duplicate}");
    let long = "x".repeat(256);
    for id in ["", long.as_str(), "a\0b", "line\nbreak"] {
        config_error(pool.set_nodes([id]));
        config_error(pool.register(id));
    }
    pool.register("x".repeat(255)).unwrap();
    assert_eq!(pool.nodes().iter().map(|n| n.id.len()).collect::<Vec<_>>(), [2, 2, 255]);
}

#[test]
fn weights_may_not_overflow() {
    let pool = pool("weighted_round_robin", 2);
    config_error(pool.set_nodes([NodeSpec::new("a").weight(u32::MAX), NodeSpec::new("b")]));
    config_error(pool.set_weight("n0", u32::MAX));
    config_error(pool.register(NodeSpec::new("c").weight(u32::MAX)));
    assert_eq!(pool.nodes().iter().map(|n| n.weight).collect::<Vec<_>>(), [1, 1]);
    pool.set_weight("n0", u32::MAX - 1).unwrap();
    assert!((0..10).all(|_| pool.pick(&Request::new()).is_ok()));
}

#[test]
fn unknown_strategies_and_keys_are_named() {
    let unknown = config_error(Pool::builder().strategy("p3c"));
    assert!(unknown.to_string().contains("p3c") && unknown.to_string().contains("p2c"), "{unknown}");
    let key = config_error(Pool::from_config("strategy: p2c\nnods: [a]"));
    assert_eq!((key.line, key.key.as_str()), (2, "nods"));
    config_error(
        Pool::builder()
            .config(PoolConfig { strategy: vec![StrategyKind::Custom.into()], ..Default::default() })
            .build(),
    );
    let config = StrategyConfig { kind: StrategyKind::P2c { load: Default::default() }, bounded_load: Some(1.5) };
    config_error(pool("p2c", 1).set_strategy(config));
}

#[test]
fn bounds_are_named_when_they_are_reached() {
    let many = |n: usize| (0..n).map(|i| NodeSpec::new(format!("n{i}")));
    let default = config_error(Pool::builder().nodes(many(10_000)).build());
    assert!(default.limit && default.to_string().contains("limits.max_nodes"), "{default}");
    for n in [65_536, 100_000] {
        let limits = Limits { max_nodes: 65_535, ..Default::default() };
        assert!(config_error(Pool::builder().limits(limits).nodes(many(n)).build()).limit);
    }
    assert!(
        config_error(Pool::builder().limits(Limits { max_nodes: 65_536, ..Default::default() }).build())
            .to_string()
            .contains("max_nodes")
    );
    let points = StrategyConfig::from(StrategyKind::RingHash { points: Some(7), compat: None });
    assert!(config_error(pool("p2c", 1).set_strategy(points)).to_string().contains("points"));
    let table = StrategyConfig::from(StrategyKind::Maglev { table_size: 1_000_003 });
    assert!(config_error(pool("p2c", 1).set_strategy(table)).to_string().contains("max_table_size"));
    let nginx = "strategy: {name: ring_hash, compat: nginx}\nnodes: [{id: a, weight: 100000}]";
    assert!(config_error(Pool::from_config(nginx)).to_string().contains("points"));
}

#[test]
fn ten_thousand_nodes_work() {
    let limits = Limits { max_nodes: 16_384, ..Default::default() };
    let nodes = (0..10_000).map(|i| NodeSpec::new(format!("n{i}")).weight(1 + i % 7));
    let pool = Pool::builder().limits(limits).nodes(nodes).build().unwrap();
    for strategy in STRATEGIES {
        pool.set_strategy(strategy).unwrap();
        for key in 0..20u32 {
            assert!(pool.pick(&Request::new().key(&key.to_le_bytes())).is_ok(), "{strategy}");
        }
    }
    assert_eq!(pool.node("n9999").map(|n| pool.id_of(n).to_string()).as_deref(), Some("n9999"));
}

#[test]
fn long_lists_of_conditions_are_no_problem() {
    let pool = pool("round_robin", 100);
    let ids: Vec<String> = (0..99).map(|i| format!("n{i}")).collect();
    let exclude: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(pool.pick(&Request::new().exclude(&exclude)).unwrap().id().as_str(), "n99");
    let labels: Vec<(String, String)> = (0..100).map(|i| (format!("k{i}"), "v".into())).collect();
    let require: Vec<(&str, &str)> = labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(pool.pick(&Request::new().require(&require)).unwrap_err().reason, NoNodeReason::NoMatch);
    // No health state at all, and bits that mean nothing.
    assert_eq!(pool.pick(&Request::new().health_mask(0xF0)).unwrap_err().reason, NoNodeReason::Unhealthy);
}

#[test]
fn a_predicate_that_changes_the_pool_every_time_ends() {
    let pool = pool("p2c", 2);
    let restless = |c: &loadwise::Candidate<'_>| {
        pool.set_weight(c.id().as_str(), c.weight() % 5 + 1).unwrap();
        true
    };
    let none = pool.pick(&Request::new().predicate(&restless)).unwrap_err();
    assert_eq!((none.reason, none.callback_failed), (NoNodeReason::Saturated, true));
    assert!(pool.nodes().iter().all(|n| n.in_flight == 0));
    assert!(pool.pick(&Request::new()).is_ok());
}
