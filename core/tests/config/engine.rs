//! Documents of many pools.

use loadwise::config::{EngineConfig, PoolConfig, Value};
use loadwise::{Error, Limits};

use super::parse;

fn error(text: &str) -> String {
    match EngineConfig::parse(text) {
        Err(Error::Config(e)) => e.to_string(),
        other => panic!("{text}\n{other:?}"),
    }
}

#[test]
fn pools_have_names_and_keep_their_order() {
    let engine = EngineConfig::parse("pools:\n  shop-1.eu: {nodes: [a]}\n  A_b: {strategy: maglev}").unwrap();
    let expected = [("shop-1.eu", parse("\n{nodes: [a]}")), ("A_b", parse("strategy: maglev"))];
    assert_eq!(engine.pools, expected.map(|(name, pool)| (name.to_owned(), pool)));
    assert_eq!(EngineConfig::parse("pools: {}").unwrap(), EngineConfig::default());
}

#[test]
fn a_pool_alone_is_called_default() {
    for text in ["{}", "nodes: [a]", "strategy: maglev\nbreaker: true"] {
        assert_eq!(EngineConfig::parse(text).unwrap().pools, [("default".to_owned(), parse(text))]);
    }
}

#[test]
fn errors_name_the_pool() {
    let long = "x".repeat(64);
    for (text, message) in [
        ("pools:\n  a:\n    seed: x", r#"line 3: pools.a.seed: must be a whole number, not the text "x""#),
        (
            "pools:\n  a:\n    nodes:\n      - {id: b, wieght: 1}",
            "line 4: pools.a.nodes[0].wieght: unknown key \"wieght\"; did you mean \"weight\"?",
        ),
        ("pools: {a: {}}\nseed: 1", r#"line 2: seed: unknown key "seed"; known are pools, shared, version"#),
        ("pools: {a: {},\n a: {}}", "line 2: pools.a: the key is there twice, first on line 1"),
        ("pools: {a b: {}}", r#"line 1: pools.a b: the name of a pool has letters, digits, "_", "." and "-", not ' '"#),
        ("pools: {'': {}}", "line 1: pools.: must not be empty"),
        ("pools: [a]", "line 1: pools: must be a map of keys, not a list"),
        ("pools: {a: }", "line 1: pools.a: is empty; must be a map of keys, or the key left out"),
        ("[]", "line 1: must be a map of keys, not a list"),
        (
            "pools: {a: {limits: {max_table_size: 101}, strategy: maglev}}",
            "line 1: pools.a.strategy.table_size: 65537 is more than limits.max_table_size = 101",
        ),
        (
            "pools: {a: {splits: [{labels: {v: 2}, share: 0.7}, {labels: {v: 3}, share: 0.7}]}}",
            "line 1: pools.a.splits[1].share: the shares up to here add up to 1.4, more than 1",
        ),
    ] {
        assert_eq!(error(text), message, "{text}");
    }
    let clipped = format!("line 1: pools.{}…: must have at most 63 bytes, not 64", "x".repeat(60));
    assert_eq!(error(&format!("pools: {{{long}: {{}}}}")), clipped);
    assert!(EngineConfig::parse(&format!("pools: {{{}: {{}}}}", "x".repeat(63))).is_ok());

    let many = |n: usize| (0..n).map(|i| format!("  p{i}: {{}}\n")).collect::<String>();
    assert_eq!(EngineConfig::parse(&format!("pools:\n{}", many(256))).unwrap().pools.len(), 256);
    let too_many = EngineConfig::parse(&format!("pools:\n{}", many(257))).unwrap_err();
    assert_eq!(too_many.to_string(), "line 258: pools.p256: there are more than 256 pools");
    assert_eq!(too_many.code(), 101);
    assert_eq!(EngineConfig::from_bytes(b"\xff").unwrap_err().to_string(), "line 1: the text is not UTF-8");
}

#[test]
fn what_code_has_made_is_checked_alike() {
    let engine = |pools: Vec<(&str, PoolConfig)>| EngineConfig {
        pools: pools.into_iter().map(|(name, pool)| (name.to_owned(), pool)).collect(),
        shared: None,
    };
    let wrong = |pools| engine(pools).validate().unwrap_err().to_string();
    let plain = PoolConfig::default;
    assert_eq!(wrong(vec![("a", plain()), ("a", plain())]), "pools.a: the pool is there twice");
    assert_eq!(wrong(vec![("", plain())]), "pools.: must not be empty");
    assert_eq!(
        wrong(vec![("ä", plain())]),
        r#"pools.ä: the name of a pool has letters, digits, "_", "." and "-", not 'ä'"#
    );
    assert_eq!(wrong(vec![("a\n", plain())]), "pools.a\\n: must not contain the control character \\n");
    let limits = Limits { max_nodes: 1, ..Limits::default() };
    let small = PoolConfig { limits, nodes: vec!["a".into(), "b".into()], ..plain() };
    assert_eq!(wrong(vec![("p", small)]), "pools.p.nodes[1]: there are more nodes than limits.max_nodes = 1");
    let looped = PoolConfig { strategy: Vec::new(), ..plain() };
    assert_eq!(wrong(vec![("p", looped)]), "pools.p.strategy: a fallback chain has 1 to 4 strategies, not 0");
    assert!(engine(vec![("a", plain()), ("b", plain())]).validate().is_ok());
}

#[test]
fn an_engine_is_read_back_from_its_data() {
    let text = "pools: {a: {nodes: [x, {id: y, tier: 1}], zones: {zone: eu}}, b: {strategy: [maglev, random]}}";
    let engine = EngineConfig::parse(text).unwrap();
    assert_eq!(EngineConfig::from_value(&engine.to_value()), Ok(engine.clone()));
    assert_eq!(
        EngineConfig::parse(&engine.to_value().to_json()).unwrap().to_value().to_json(),
        engine.to_value().to_json()
    );
    let alone = EngineConfig::parse("seed: 1").unwrap();
    assert_eq!(alone.to_value().get("pools").unwrap().get("default").unwrap().get("seed").unwrap(), &Value::from(1u64));
}

#[test]
fn errors_of_a_file_name_it() {
    let path = std::env::temp_dir().join(format!("loadwise-engine-{}.yaml", std::process::id()));
    std::fs::write(&path, "pools: {a: {nodes: [x]}}").unwrap();
    assert_eq!(EngineConfig::from_path(&path).unwrap().pools[0].1.nodes[0].id, "x");
    std::fs::write(&path, "pools:\n  a: {seed: x}").unwrap();
    let wrong = EngineConfig::from_path(&path).unwrap_err().to_string();
    let message = "line 2: pools.a.seed: must be a whole number, not the text \"x\"";
    assert_eq!(wrong, format!("{message} (in {})", path.display()));
    std::fs::remove_file(&path).unwrap();
}
