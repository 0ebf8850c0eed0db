//! The forms that a document may have.

use loadwise::config::{HealthConfig, Kind, P2cLoad, PoolConfig, RingCompat, StrategyKind, Value};
use loadwise::{Limits, NodeSpec};

use super::{error, kind, parse};

#[test]
fn a_document_may_be_yaml_or_json() {
    let yaml = parse(
        "
# The pool of the shop.
strategy:
  - name: maglev
    table_size: 65537
    bounded_load: true
  - least_connections
seed: 18446744073709551615
lease_timeout_ms: 30000
",
    );
    let json = parse(
        r#"{"strategy": [{"name": "maglev", "table_size": 65537, "bounded_load": 1.25}, "least_request"],
            "seed": 18446744073709551615, "lease_timeout_ms": 3e4}"#,
    );
    assert_eq!(yaml, json);
    assert_eq!(yaml.seed, Some(u64::MAX));
    assert_eq!(parse("{}"), PoolConfig::default());
}

#[test]
fn nodes_are_addresses_or_maps() {
    let config = parse(
        "
nodes:
  - 10.0.0.1:80
  - {id: b, weight: 0, user_data: 18446744073709551615}
  - id: c
    address: '[::1]:80'
    name: Third
    labels: {version: 1.10, canary: true, region: eu, port: 0x50, 8: x}
",
    );
    assert_eq!(config.node_lines, [3, 4, 5]);
    assert_eq!(config.nodes[0], NodeSpec::new("10.0.0.1:80"));
    assert_eq!(config.nodes[1], NodeSpec::new("b").weight(0).user_data(u64::MAX));
    let third = NodeSpec::new("c").address("[::1]:80").name("Third");
    let third = third.label("version", "1.10").label("canary", "true").label("region", "eu").label("port", "0x50");
    assert_eq!(config.nodes[2], third.label("8", "x"));
}

#[test]
fn strategies_have_their_own_settings() {
    assert_eq!(kind("strategy: {name: p2c, load: peak_ewma}"), StrategyKind::P2c { load: P2cLoad::PeakEwma });
    assert_eq!(kind("strategy: {load: reported, name: p2c}"), StrategyKind::P2c { load: P2cLoad::Reported });
    assert_eq!(kind("strategy: {name: least_request, exact: true}"), StrategyKind::LeastRequest { exact: true });
    assert_eq!(kind("strategy: {name: peak_ewma, decay_ms: 500}"), StrategyKind::PeakEwma { decay_ms: 500 });
    assert_eq!(kind("strategy: {name: ip_hash, table_size: 101}"), StrategyKind::Maglev { table_size: 101 });
    assert_eq!(kind("strategy: {name: most_available, epsilon: 0}"), StrategyKind::MostAvailable { epsilon: 0.0 });
    let ring = |points, compat| StrategyKind::RingHash { points, compat };
    assert_eq!(kind("strategy: ring_hash"), ring(None, None));
    assert_eq!(kind("strategy: {name: ring_hash, points: 64}"), ring(Some(64), None));
    assert_eq!(kind("strategy: {name: ring_hash, compat: nginx}"), ring(None, Some(RingCompat::Nginx)));
    assert_eq!(parse("strategy: {name: rendezvous, bounded_load: 2}").strategy[0].bounded_load, Some(2.0));
    assert_eq!(parse("strategy: {name: rendezvous, bounded_load: false}").strategy[0].bounded_load, None);
}

#[test]
fn bounds_hold_wherever_they_stand_in_the_document() {
    let config = parse("strategy: {name: maglev, table_size: 100003}\nlimits: {max_table_size: 200000, max_picks: 65}");
    assert_eq!(config.limits, Limits { max_table_size: 200_000, max_picks: 128, ..Limits::default() });
    assert_eq!(config.health, HealthConfig { failure_threshold: 3, recovery_successes: 2, ..HealthConfig::default() });
}

/// Forms of JSON that YAML by itself reads otherwise, or not at all.
#[test]
fn all_of_json_is_read() {
    let id = |json: &str| parse(&format!("{{\"nodes\": [{{\"id\": {json}}}]}}")).nodes[0].id.clone();
    assert_eq!(id(r#""\/a\"\\\u0041""#), "/a\"\\A");
    assert_eq!(id(r#""\ud83d\ude00 \uD83D\uDE00""#), "😀 😀");
    assert_eq!(id(r#""\\ud83d\\ude00""#), r"\ud83d\ude00");
    assert_eq!(id(r#""a\\\"\ud83d\ude00""#), "a\\\"😀");
    assert_eq!(id(r#""a # b: c, [d] {e} - !f &g *h""#), "a # b: c, [d] {e} - !f &g *h");
    assert_eq!(id("\"\u{2028}\u{2029}é\""), "\u{2028}\u{2029}é");
    let tabs = "\u{feff}\t{\r\n\t\"seed\"\t:\r\n\t\t7,\n\t\"nodes\"\n:\n[\n\t\"a\"\t,\n\"---\"]\n}\t\n";
    assert_eq!(parse(tabs).nodes, [NodeSpec::new("a"), NodeSpec::new("---")]);
    assert_eq!(parse(tabs).node_lines, [7, 8]);
    assert_eq!(parse("{\"seed\"\t:\t64\t,\t\"nodes\"\t:\t[\"a \\\\\\\" b\"\t]}").nodes[0].id, "a \\\" b");
    assert_eq!(error("{\"nodes\": [\n\"\\ud83d\"]}").get(..7), Some("line 2:"));
    assert_eq!(error("{\"nodes\": [\"\\ud83d\\ude00\",\n{\"x\": \"\\ude00\"}]}").get(..7), Some("line 2:"));
}

#[test]
fn native_data_is_read_like_text() {
    let node =
        Value::map([("id", Value::from("a")), ("weight", Value::number(2.0)), ("user_data", Value::from(u64::MAX))]);
    let labels = Value::map([("v", Value::from(1.5)), ("on", Value::from(true)), ("n", Value::from(-1))]);
    let mut other = Value::map([("id", Value::from("b"))]);
    let Kind::Map(entries) = &mut other.kind else { unreachable!() };
    entries.push((loadwise::config::Key { name: "labels".into(), line: 0 }, labels));
    let value = Value::map([("nodes", Value::list([node, other]))]);
    let config = PoolConfig::from_value(&value).unwrap();
    assert_eq!(config.nodes[0], NodeSpec::new("a").weight(2).user_data(u64::MAX));
    assert_eq!(config.nodes[1], NodeSpec::new("b").label("v", "1.5").label("on", "true").label("n", "-1"));
    assert_eq!(parse(&value.to_json()).nodes, config.nodes);

    let wrong = |value: Value| PoolConfig::from_value(&value).unwrap_err().to_string();
    assert_eq!(wrong(Value::map([("seed", Value::from(1.5))])), "seed: must be a whole number, not 1.5");
    assert_eq!(
        wrong(Value::map([("seed", Value::null()), ("seed", Value::null())])),
        "seed: is empty; must be a whole number, or the key left out"
    );
    assert_eq!(wrong(Value::map([("seed", Value::from(1)), ("seed", Value::from(1))])), "seed: the key is there twice");
    assert_eq!(
        wrong(Value::map([("nodes", Value::list([Value::from("a"), Value::from("a")]))])),
        "nodes[1].id: the node \"a\" is there twice"
    );
    let infinite = Value::map([("name", Value::from("most_available")), ("epsilon", Value::from(f64::INFINITY))]);
    assert_eq!(wrong(Value::map([("strategy", infinite)])), "strategy.epsilon: must be 0 to 1, not inf");
}

#[test]
fn bytes_must_be_utf8() {
    assert_eq!(PoolConfig::from_bytes(b"seed: 1").unwrap().seed, Some(1));
    let wrong = PoolConfig::from_bytes(b"seed: 1\nnodes: [\xff]").unwrap_err();
    assert_eq!(wrong.to_string(), "line 2: the text is not UTF-8");
}

#[test]
fn errors_of_a_file_name_it() {
    let directory = std::env::temp_dir().join(format!("loadwise-config-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("pool.yaml");
    std::fs::write(&path, "nodes: [a]\nseed: 1\n").unwrap();
    assert_eq!(PoolConfig::from_path(&path).unwrap(), parse("nodes: [a]\nseed: 1\n"));
    std::fs::write(&path, "nodes: [a]\nseed: x\n").unwrap();
    let wrong = PoolConfig::from_path(&path).unwrap_err().to_string();
    assert_eq!(wrong, format!("line 2: seed: must be a whole number, not the text \"x\" (in {})", path.display()));
    let absent = PoolConfig::from_path(directory.join("absent.yaml")).unwrap_err().to_string();
    assert!(absent.starts_with(&format!("cannot read {}", directory.join("absent.yaml").display())), "{absent}");
    std::fs::remove_dir_all(&directory).unwrap();
}
