//! Documents that an engine refuses, and where it says what is wrong.

use loadwise::config::Value;
use loadwise::{Engine, Error, Request};

use super::Directory;

const BEGUN: &str = "
pools:
  api:
    seed: 1
    strategy: round_robin
    nodes: [a, b]
  web.v2:
    strategy: random
    nodes: [c]
    limits: {max_nodes: 4}
";

/// The key and the line of what is wrong.
fn refused(engine: &Engine, text: &str) -> (String, usize) {
    match engine.reload_from(text) {
        Err(Error::Config(e)) => (e.key, e.line),
        other => panic!("{other:?} for {text}"),
    }
}

#[test]
fn errors_name_pool_key_and_line_and_change_nothing() {
    let engine = Engine::from_config(BEGUN).unwrap();
    let (api, web) = (engine.pool("api").unwrap(), engine.pool("web.v2").unwrap());
    let before = engine.config();
    let cases = [
        // What reading finds.
        ("pools:\n  api:\n    strategy: fastest_of_all", "pools.api.strategy", 3),
        ("pools:\n  api: {seed: 1}\n  web.v2:\n    nodes: [{id: x, weight: -1}]", "pools.web.v2.nodes[0].weight", 4),
        ("pools:\n  api: {seed: 1}\n  'a b': {}", "pools.a b", 3),
        ("pools: [api]", "pools", 1),
        ("pools: {api: {seed: 1}}\nversions: 3", "versions", 2),
        ("pools:\n  api: {nodes: [a\n", "", 3),
        // What only a pool that is there can say.
        ("pools:\n  api:\n    nodes: [a]\n    seed: 2", "pools.api.seed", 4),
        ("pools:\n  web.v2:\n    nodes: [a]\n    limits:\n      max_nodes: 5", "pools.web.v2.limits.max_nodes", 5),
        (
            "pools:\n  web.v2:\n    limits: {max_nodes: 4}\n    nodes:\n      - a\n      - b\n      - d\n      - e",
            "pools.web.v2.limits.max_nodes",
            3,
        ),
        (
            "pools:\n  web.v2:\n    limits: {max_nodes: 4}\n    strategy:\n      - random\n      - {name: ring_hash, points: 3}",
            "pools.web.v2.strategy.points",
            5,
        ),
        ("pools:\n  api:\n    nodes: [a]", "pools.api.seed", 3),
    ];
    for (text, key, line) in cases {
        // The pool before it would be changed, and one made, if they were not all looked at first.
        assert_eq!(refused(&engine, text), (key.to_owned(), line), "{text}");
        let text = text.replacen("pools:\n", "pools:\n  new: {nodes: [n]}\n", 1);
        if text.contains("new:") {
            assert_eq!(refused(&engine, &text), (key.to_owned(), line + 1), "{text}");
        }
        assert_eq!((engine.config(), engine.version()), (before.clone(), 1), "{text}");
        assert_eq!(engine.names(), ["api", "web.v2"]);
        assert_eq!((api.config_version(), web.config_version()), (1, 1));
    }
    // The first can be, the second cannot: neither is.
    let text = "pools:\n  api: {seed: 1, nodes: [x]}\n  web.v2: {seed: 1, limits: {max_nodes: 4}}";
    assert_eq!(refused(&engine, text), ("pools.web.v2.seed".to_owned(), 3));
    assert_eq!(engine.config(), before);
    assert_eq!(api.pick(&Request::new()).unwrap().id().as_str(), "a");
}

#[test]
fn a_document_of_one_pool_needs_no_name() {
    let engine = Engine::from_config("{strategy: random, nodes: [a]}").unwrap();
    assert_eq!(engine.names(), ["default"]);
    assert_eq!(refused(&engine, "strategy: random\nseed: 1"), ("seed".to_owned(), 2));
    let reloaded = engine.reload_from("pools: {default: {strategy: p2c, nodes: [a]}}").unwrap();
    assert_eq!(reloaded.changed, ["default"], "the same pool by its name");
    let error = Engine::from_config("nodes: [a, a]").unwrap_err();
    assert!(error.to_string().contains("nodes[1].id"), "{error}");
}

#[test]
fn files_are_read_again_and_named_in_errors() {
    let directory = Directory::new("files");
    let path = directory.write("pools.yaml", BEGUN);
    let engine = Engine::open(&path).unwrap();
    assert_eq!(engine.reload().unwrap().changed, [""; 0], "nothing has changed");
    assert_eq!(engine.version(), 2);
    directory.write("pools.yaml", &BEGUN.replace("round_robin", "p2c"));
    assert_eq!(engine.reload().unwrap().changed, ["api"]);
    assert_eq!(engine.pool("api").unwrap().strategy(), "p2c");

    directory.write("pools.yaml", &BEGUN.replace("seed: 1", "seed: 2"));
    let error = engine.reload().unwrap_err().to_string();
    assert!(error.starts_with("line 4: pools.api.seed: ") && error.contains("pools.yaml"), "{error}");
    directory.write("pools.yaml", "pools: {api: {");
    assert!(engine.reload().unwrap_err().to_string().contains("pools.yaml"));
    std::fs::write(&path, [0xFF, 0xFE]).unwrap();
    assert!(engine.reload().unwrap_err().to_string().contains("UTF-8"));
    std::fs::remove_file(&path).unwrap();
    assert!(engine.reload().unwrap_err().to_string().contains("cannot read"));
    assert_eq!((engine.version(), engine.pool("api").unwrap().strategy()), (3, "p2c"));

    assert!(Engine::open(&path).unwrap_err().to_string().contains("pools.yaml"));
    let error = Engine::from_config(BEGUN).unwrap().reload().unwrap_err();
    assert!(matches!(error, Error::Config(_)) && error.to_string().contains("file"), "{error}");
}

#[test]
fn native_data_is_as_good_as_text() {
    let nodes = |ids: [&'static str; 2]| Value::list(ids.map(Value::from));
    let document = |ids| Value::map([("pools", Value::map([("api", Value::map([("nodes", nodes(ids))]))]))]);
    let engine = Engine::from_value(&document(["a", "b"])).unwrap();
    assert_eq!(engine.reload_value(&document(["b", "c"])).unwrap().changed, ["api"]);
    let Err(Error::Config(error)) = engine.reload_value(&document(["b", "b"])) else { panic!() };
    assert_eq!((error.key.as_str(), error.line), ("pools.api.nodes[1].id", 0));
}
