//! `explain`: of states that others share, and of configurations.

use loadwise::{Engine, Pool, Request};
use serde_json::{Value, json};

use crate::holder::{Holder, Room};
use crate::{json, run, run_with_input};

const POOLS: &str = "
pools:
  cache: {strategy: maglev, nodes: [a, b, c, d, e], affinity: true}
  api:
    strategy: least_request
    seed: 1
    quotas: [{dimension: tokens, limit: 1000}]
    zones: {zone: eu}
    nodes: [{id: x, labels: {v: '1'}, zone: eu}, {id: y, labels: {v: '2'}, zone: us}]
";

#[test]
fn of_a_shared_state_as_things_are_now() {
    let room = Room::new("state");
    let mut holder = Holder::open(&room.config(POOLS));
    let before = json(&["top", &room.state(), "--once", "--json"]);
    let mut chosen = Vec::new();
    for key in ["user-1", "user-2", "user-3", "user-4", "ключ"] {
        let told = json(&["explain", &room.state(), "--pool", "cache", "--key", key, "--json"]);
        let library = Pool::from_config("{strategy: maglev, nodes: [a, b, c, d, e]}").unwrap();
        let pick = library.pick(&Request::new().key(key)).unwrap();
        assert_eq!(told["chosen"]["id"], json!(pick.id().as_str()), "{key}");
        assert_eq!(told["key"]["owner"], told["chosen"]["id"]);
        chosen.push(told["chosen"]["id"].clone());
    }
    let owner = chosen[0].as_str().unwrap();
    let told = json(&["explain", &room.state(), "--pool", "cache", "--key", "user-1", "--exclude", owner, "--json"]);
    assert_ne!(told["chosen"]["id"], chosen[0]);
    holder.health("cache", owner, "unhealthy");
    let told = json(&["explain", &room.state(), "--pool", "cache", "--key", "user-1", "--session", "s", "--json"]);
    let failed = told["candidates"].as_array().unwrap().iter().find(|node| node["id"] == chosen[0]).unwrap();
    assert_eq!(failed["failed_at"], json!("unhealthy"));
    assert_eq!(told["takes"]["session"], json!(true));

    // Nothing was picked, and nobody came.
    let after = json(&["top", &room.state(), "--once", "--json"]);
    for figure in ["selections", "in_flight", "affinity_entries", "processes"] {
        assert_eq!(after["pools"][0][figure], before["pools"][0][figure], "{figure}");
    }
    assert_eq!(after["processes"].as_array().unwrap().len(), 1);
}

#[test]
fn what_a_request_asks_for_counts() {
    let room = Room::new("asks");
    let config = room.write("pools.yaml", POOLS);
    let ask = |arguments: &[&str]| json(&[&["explain", &config, "--pool", "api", "--json"], arguments].concat());
    let id = |told: &Value| told["chosen"]["id"].clone();
    assert_eq!(id(&ask(&[])), json!("x"), "it is near");
    assert_eq!(id(&ask(&["--zone", "us"])), json!("y"));
    assert_eq!(id(&ask(&["--require", "v=2"])), json!("y"));
    assert_eq!(id(&ask(&["--exclude", "x"])), json!("y"));
    let none = ask(&["--exclude", "x", "--exclude", "y"]);
    assert_eq!((&none["chosen"], &none["no_node"]["reason"]), (&Value::Null, &json!("all_excluded")));
    assert_eq!(ask(&["--cost", "tokens=300"])["takes"]["quotas"], json!({"tokens": 300}));
    assert_eq!(ask(&["--cost", "tokens=1001"])["no_node"]["reason"], json!("rate_limited"));
}

#[test]
fn the_json_is_that_of_the_libraries() {
    let told = run_with_input(&["explain", "-", "--json"], "{strategy: round_robin, seed: 3, nodes: [a, b, c]}").out;
    let engine = Engine::from_config("{strategy: round_robin, seed: 3, nodes: [a, b, c]}").unwrap();
    let library = engine.pool("default").unwrap().explain(&Request::new()).to_value().to_json();
    let without_time = |text: &str| {
        let mut value: Value = serde_json::from_str(text).unwrap();
        value["now_ns"].take();
        value
    };
    assert_eq!(without_time(&told), without_time(&library));
}

#[test]
fn people_read_why() {
    let room = Room::new("people");
    let mut holder = Holder::open(&room.config("strategy: least_request\nnodes: [a, b, {id: c, weight: 4}]"));
    holder.health("default", "a", "unhealthy");
    let done = run(&["explain", &room.state(), "--exclude", "b"]);
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    let lines: Vec<&str> = done.out.lines().collect();
    assert_eq!(lines[0], "pool default: c");
    assert!(lines.contains(&"chosen by  least_request"), "{}", done.out);
    let line_of = |id: &str| {
        let is_it = |line: &&&str| line.trim_start_matches('>').split_whitespace().next() == Some(id);
        lines.iter().find(is_it).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).unwrap_or_default()
    };
    assert!(line_of("b").starts_with("b excluded healthy 1 "), "{}", done.out);
    assert!(line_of("a").starts_with("a unhealthy unhealthy 1 "), "{}", done.out);
    assert!(lines.iter().any(|line| line.starts_with(">  c     chosen     healthy         4 ")), "{}", done.out);
}

#[test]
fn a_configuration_that_says_shared_is_asked_alone() {
    let room = Room::new("alone");
    let config = room.write("pool.yaml", &room.config("nodes: [a]"));
    assert_eq!(json(&["explain", &config, "--json"])["chosen"]["id"], json!("a"));
    assert!(!std::path::Path::new(&room.state()).exists());
}

#[test]
fn what_cannot_be_asked_is_told() {
    let room = Room::new("cannot");
    let config = room.write("pools.yaml", POOLS);
    let told = |arguments: &[&str]| {
        let done = run(&[&["explain"], arguments].concat());
        assert_eq!(done.out, "");
        (done.code, done.err)
    };
    assert_eq!(told(&[&config]), (2, "loadwise: which pool? --pool is one of cache, api\n".to_owned()));
    let unknown = format!("loadwise: no pool \"shop\" in {config}: --pool is one of cache, api\n");
    assert_eq!(told(&[&config, "--pool", "shop"]), (2, unknown));
    let empty = room.write("empty.yaml", "pools: {}");
    assert_eq!(told(&[&empty]), (1, format!("loadwise: {empty} has no pools\n")));
    let wrong = room.write("wrong.yaml", "nodes: [a]\nstrategy: fair");
    let (code, message) = told(&[&wrong]);
    assert!(code == 1 && message.starts_with(&format!("{wrong}:2: strategy: ")), "{message}");
    for argument in [["--require", "v"], ["--cost", "tokens"], ["--cost", "tokens=-1"], ["--cost", "tokens=many"]] {
        let (code, message) = told(&[&config, "--pool", "api", argument[0], argument[1]]);
        assert!(code == 2 && message.contains("must be "), "{argument:?}: {message}");
    }
}
