//! The configuration in force, as data.

use loadwise::config::{Kind, PoolConfig, Value};
use loadwise::{NodeSpec, Pool};

use super::parse;

/// The configuration in force, read back, and its version.
fn read_back(pool: &Pool) -> (PoolConfig, String) {
    let mut value = pool.config_value();
    let version = value.get("version").unwrap().to_json();
    let Kind::Map(entries) = &mut value.kind else { panic!("not a map") };
    entries.retain(|(key, _)| key.name != "version");
    (PoolConfig::from_value(&value).unwrap(), version)
}

#[test]
fn has_every_key_and_the_nodes_as_they_are_now() {
    let text = "
strategy: [{name: maglev, table_size: 251}, random]
health: {failure_threshold: 5}
quotas: [{dimension: rpm, limit: 10}]
nodes:
  - {id: a, address: 'x:1', name: n, weight: 3, labels: {v: '1', w: '2'}, zone: z, tier: 1, max_in_flight: 9, quotas: {rpm: 4}, user_data: 7}
  - b";
    let pool = Pool::from_config(text).unwrap();
    let expected = PoolConfig { node_lines: Vec::new(), ..parse(text) };
    assert_eq!(read_back(&pool), (expected.clone(), "1".to_owned()));
    let value = pool.config_value();
    assert_eq!(value.get("outlier").unwrap().to_json(), "false");
    assert_eq!(value.get("health").unwrap().get("window_ms").unwrap().to_json(), "30000");

    pool.set_weight("a", 8).unwrap();
    pool.deregister("b").unwrap();
    pool.register(NodeSpec::new("c").label("v", "2")).unwrap();
    pool.set_strategy("p2c").unwrap();
    pool.drain("c", true).unwrap();
    let mut nodes = expected.nodes.clone();
    nodes[0].weight = 8;
    nodes[1] = NodeSpec::new("c").label("v", "2");
    let now = PoolConfig { nodes, strategy: parse("{strategy: p2c}").strategy, ..expected };
    assert_eq!(read_back(&pool), (now.clone(), "1".to_owned()), "one by one is no new version");

    pool.reload(&now).unwrap();
    assert_eq!(read_back(&pool), (now.clone(), "2".to_owned()));
    pool.set_nodes(["d", "e"]).unwrap();
    let nodes = vec![NodeSpec::new("d"), NodeSpec::new("e")];
    assert_eq!(read_back(&pool).0, PoolConfig { nodes, ..now });
}

#[test]
fn a_ring_tells_its_points() {
    let points = |pool: &Pool| {
        let value = pool.config_value();
        let Kind::List(chain) = &value.get("strategy").unwrap().kind else { panic!() };
        chain[0].get("points").map(Value::to_json)
    };
    let pool = Pool::from_config("{strategy: ring_hash, nodes: [a]}").unwrap();
    assert_eq!(points(&pool), Some("512".to_owned()));
    let pool = Pool::from_config("{strategy: {name: ring_hash, points: 64}, nodes: [a]}").unwrap();
    pool.reload(&parse("{strategy: ring_hash, nodes: [a]}")).unwrap();
    assert_eq!(points(&pool), Some("64".to_owned()), "fixed when the pool was made");
}

#[test]
fn nodes_are_found_by_all_of_their_labels() {
    let node = |id: &str, v: &str, region: &str| NodeSpec::new(id).label("v", v).label("region", region);
    let pool =
        Pool::builder().nodes([node("a", "1", "eu"), node("b", "2", "eu"), node("c", "2", "us")]).build().unwrap();
    let found = |labels: &[(&str, &str)]| pool.find(labels).into_iter().map(|n| n.id).collect::<Vec<_>>();
    assert_eq!(found(&[("v", "2"), ("region", "eu")]), ["b"]);
    assert_eq!(found(&[("v", "2")]), ["b", "c"]);
    assert_eq!(found(&[]), ["a", "b", "c"]);
    assert!(found(&[("v", "3")]).is_empty() && found(&[("unknown", "")]).is_empty());
    pool.reload(&parse("{nodes: [{id: b, labels: {v: '3'}}]}")).unwrap();
    assert_eq!((found(&[("v", "3")]), found(&[("region", "eu")])), (vec!["b".to_owned()], Vec::new()));
}

#[test]
fn one_setting_is_told_as_all_are() {
    let pool =
        Pool::from_config("{strategy: p2c, health: {failure_threshold: 5}, nodes: [a, {id: b, weight: 3}]}").unwrap();
    let whole = pool.config_value();
    for key in
        ["retry.max_attempts", "health.failure_threshold", "strategy[0].name", "panic", "breaker", "limits.max_nodes"]
    {
        assert_eq!(Some(&pool.setting(key).unwrap()), whole.find(key), "{key}");
    }
    assert_eq!(pool.setting("breaker").unwrap(), false.into());
    pool.set_weight("b", 8).unwrap();
    assert_eq!(pool.setting("nodes[1].weight").unwrap(), 8.into());
    pool.reload(&parse("{nodes: [a], breaker: {open_ms: 7}}")).unwrap();
    assert_eq!(pool.setting("breaker.open_ms").unwrap(), 7.into());
    assert_eq!(pool.setting("health.failure_threshold").unwrap(), 3.into());
    for nothing in ["", "retry.attempts", "outlier.ejection_ms", "nodes[1]", "seed", "shared"] {
        let error = pool.setting(nothing).unwrap_err();
        assert_eq!(error.code(), 100, "{nothing}");
        assert!(error.to_string().contains(nothing), "{error}");
    }
}
