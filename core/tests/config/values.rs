//! A configuration given back as data is the same configuration, with all that it left out.

use loadwise::config::{EngineConfig, Kind, PoolConfig, StrategyConfig, StrategyKind, Value, parse_chain};

use super::schema::{Schema, entries};
use super::{Random, parse};

#[test]
fn a_configuration_is_read_back_from_its_data() {
    let schema = Schema::read();
    let mut random = Random(4);
    let mut seen = 0;
    for _ in 0..3_000 {
        let document = schema.make(schema.definition("pool"), &mut random);
        let Ok(config) = PoolConfig::from_value(&document) else { continue };
        seen += 1;
        config.validate().unwrap_or_else(|e| panic!("{e}\n{}", document.to_json()));
        let value = config.to_value();
        assert_eq!(PoolConfig::from_value(&value).as_ref(), Ok(&config));
        assert_eq!(PoolConfig::from_value(&value).unwrap().to_value(), value);

        let mut from_text = parse(&value.to_json());
        // A text has lines, and what it gives back has the same ones.
        assert_eq!(from_text.node_lines.len(), config.nodes.len());
        assert_eq!(PoolConfig::from_value(&from_text.to_value()).as_ref(), Ok(&from_text));
        from_text.node_lines.clear();
        assert_eq!(from_text, config);

        // In an engine, it stands beside the pools.
        let alone = PoolConfig { shared: None, ..config.clone() };
        let pools = vec![("a".into(), alone), ("b".into(), PoolConfig::default())];
        let engine = EngineConfig { pools, shared: config.shared };
        assert_eq!(EngineConfig::from_value(&engine.to_value()), Ok(engine));
    }
    assert!(seen > 500, "{seen}");
}

#[test]
fn every_key_has_a_value() {
    let schema = Schema::read();
    let on = "{checks: true, breaker: true, outlier: true, zones: true, slow_start: true, affinity: true, \
              adaptive_limit: true, seed: 1, nodes: [{id: a, labels: {v: 1}}], splits: [{labels: {v: 1}, share: 0.5}], \
              quotas: [{dimension: rpm, limit: 1}], strategy: {name: ring_hash, points: 8}, shared: x}";
    let value = parse(on).to_value();
    assert_same_keys(schema.definition("pool"), &value, "");
    let node = schema.definition("node").get("anyOf").map(|forms| {
        let Kind::List(forms) = &forms.kind else { unreachable!() };
        forms[1].clone()
    });
    let Kind::List(nodes) = &value.get("nodes").unwrap().kind else { unreachable!() };
    assert_same_keys(&node.unwrap(), &nodes[0], "nodes[0]");
}

fn assert_same_keys(about: &Value, value: &Value, path: &str) {
    let about = match about.get("anyOf") {
        Some(forms) => {
            let Kind::List(forms) = &forms.kind else { unreachable!() };
            forms.iter().find(|form| form.get("properties").is_some()).unwrap_or(about)
        }
        None => about,
    };
    let about = about.get("items").unwrap_or(about);
    let Some(properties) = about.get("properties") else { return };
    let value = match &value.kind {
        Kind::List(items) => &items[0],
        _ => value,
    };
    // What tells of a configuration that was read back is no part of one.
    let is_told = |name: &String| path.is_empty() && name == "version";
    let names = |value: &Value| {
        entries(value).iter().map(|(key, _)| key.name.clone()).filter(|name| !is_told(name)).collect::<Vec<_>>()
    };
    assert_eq!(names(properties), names(value), "{path}");
    for (key, property) in entries(properties).iter().filter(|(key, _)| !is_told(&key.name)) {
        assert_same_keys(property, value.get(&key.name).unwrap(), &format!("{path}.{}", key.name));
    }
}

#[test]
fn what_is_off_is_false_and_what_is_unset_is_left_out() {
    let value = PoolConfig::default().to_value();
    for key in ["checks", "breaker", "outlier", "zones", "slow_start", "affinity", "adaptive_limit"] {
        assert_eq!(value.get(key), Some(&Value::from(false)), "{key}");
    }
    assert_eq!(value.get("seed"), None);
    assert_eq!(value.get("splits"), Some(&Value::list([])));
    assert_eq!(value.get("panic").unwrap().get("mode"), Some(&Value::from("fail")));
    assert_eq!(value.get("strategy").unwrap().to_json(), Value::list([p2c()]).to_json());
}

fn p2c() -> Value {
    Value::map([("name", "p2c"), ("load", "in_flight")].map(|(key, word)| (key, Value::from(word))))
}

#[test]
fn a_strategy_is_read_back_from_its_data() {
    let bounded = StrategyConfig { kind: StrategyKind::Rendezvous, bounded_load: Some(1.3) };
    for strategy in [bounded, StrategyKind::Adaptive.into(), StrategyKind::Fastest { class_ms: 7 }.into()] {
        assert_eq!(parse_chain(&strategy.to_value()), Ok(vec![strategy]));
    }
    // An own strategy is code, which no document can hold.
    let own = StrategyConfig::from(StrategyKind::Custom).to_value();
    assert_eq!(own, Value::map([("name", Value::from("custom"))]));
    assert!(parse_chain(&own).is_err());
}
