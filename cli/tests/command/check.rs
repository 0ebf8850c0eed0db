//! `check`: configurations, right and wrong.

use serde_json::{Value, json};

use crate::holder::Room;
use crate::{run, run_with_input};

#[test]
fn what_is_right_is_passed_over_in_silence() {
    let room = Room::new("right");
    let engine = room.write("engine.yaml", "pools: {shop: {strategy: p2c, nodes: [a, b]}}");
    let pool = room.write("pool.json", r#"{"nodes": ["a", {"id": "b", "weight": 3}]}"#);
    let shared = room.write("shared.yaml", &room.config("nodes: [a]"));
    let done = run(&["check", &engine, &pool, &shared]);
    assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (0, "", ""));
    assert!(!std::path::Path::new(&room.state()).exists(), "no state is made");
}

#[test]
fn what_is_wrong_is_told_with_file_line_and_key() {
    let room = Room::new("wrong");
    let right = room.write("right.yaml", "nodes: [a]");
    let value = room.write("value.yaml", "pools:\n  shop:\n    nodes:\n      - a\n      - {id: b, weight: -1}\n");
    let key = room.write("key.json", "{\n  \"nodes\": [\"a\"],\n  \"stratgy\": \"p2c\"\n}");
    let text = room.write("text.yaml", "nodes: [a\nb: c: d\n");
    let missing = room.path("missing.yaml");
    let done = run(&["check", &value, &right, &key, &missing, &text]);
    assert_eq!((done.code, done.out.as_str()), (1, ""));
    let lines: Vec<&str> = done.err.lines().collect();
    assert_eq!(lines[0], format!("{value}:5: pools.shop.nodes[1].weight: must be 0 to 4294967295, not -1"));
    assert!(lines[1].starts_with(&format!("{key}:3: stratgy: ")), "{}", lines[1]);
    assert_eq!(lines[2], format!("{missing}: cannot be read: No such file or directory (os error 2)"));
    assert!(lines[3].starts_with(&format!("{text}:2: ")), "{}", lines[3]);
    assert_eq!(lines.len(), 4);
}

#[test]
fn standard_input_is_a_configuration_too() {
    let done = run_with_input(&["check", "-"], "nodes: [a]");
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    let done = run_with_input(&["check", "-"], "nodes: [a]\nstrategy: fair");
    assert_eq!(done.code, 1);
    assert!(done.err.starts_with("-:2: strategy: "), "{}", done.err);
}

#[test]
fn editors_are_told_as_json() {
    let room = Room::new("editors");
    let (right, wrong) = (room.write("right.yaml", "nodes: [a]"), room.write("wrong.yaml", "\nnodes: [a, a]"));
    let missing = room.path("missing.yaml");
    let done = run(&["check", "--json", &right, &wrong, &missing]);
    assert_eq!((done.code, done.err.as_str()), (1, ""));
    let told: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(told[0], json!({"file": right, "ok": true, "errors": []}));
    assert_eq!((&told[1]["file"], &told[1]["ok"]), (&json!(wrong), &json!(false)));
    let error = &told[1]["errors"][0];
    assert_eq!((&error["line"], &error["key"]), (&json!(2), &json!("nodes[1].id")), "{error}");
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
    assert_eq!(told[2]["errors"][0]["line"], Value::Null);
    assert_eq!(run(&["check", "--json", &right]).code, 0);

    let done = run(&["check", "--json", "--print", &right, &wrong]);
    let told: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(told[0]["config"]["nodes"][0]["id"], json!("a"));
    assert_eq!(told[1]["config"], Value::Null);
}

#[test]
fn what_is_printed_has_every_default_and_is_a_configuration_again() {
    let documents =
        ["nodes: [a, {id: b, weight: 2}]", "pools: {shop: {nodes: [a]}}", "shared: /dev/shm/never\nnodes: [a]", "{}"];
    for text in documents {
        let done = run_with_input(&["check", "--print", "-"], text);
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{text}");
        let again = run_with_input(&["check", "--print", "-"], &done.out);
        assert_eq!(again.out, done.out, "{text}");
        let printed: Value = serde_json::from_str(&done.out).unwrap();
        let pool = printed.pointer("/pools/shop").unwrap_or(&printed);
        assert_eq!(pool["health"]["failure_threshold"], json!(3), "{text}");
        assert_eq!(printed.get("pools").is_some(), text.starts_with("pools"), "in the form that it was given in");
    }
}

#[test]
fn what_is_no_configuration_is_refused() {
    let room = Room::new("none");
    let _holder = crate::holder::Holder::open(&room.config("nodes: [a]"));
    let done = run(&["check", &room.state()]);
    assert_eq!(done.code, 1);
    assert_eq!(done.err, format!("{}: is a shared state, not a configuration\n", room.state()));
    let done = run(&["check", room.0.to_str().unwrap()]);
    assert!(done.code == 1 && done.err.contains("cannot be read: Is a directory"), "{}", done.err);
    std::fs::write(room.0.join("latin"), b"nodes: [a]\n# \xE9\n").unwrap();
    let done = run(&["check", &room.path("latin")]);
    assert_eq!((done.code, done.err), (1, format!("{}:2: the text is not UTF-8\n", room.path("latin"))));
}

#[test]
fn it_is_told_how_it_is_called() {
    assert_eq!(run(&["check"]).code, 2);
    let done = run_with_input(&["check", "-", "-"], "nodes: [a]");
    assert_eq!((done.code, done.err.as_str()), (2, "loadwise: standard input can be read once only\n"));
}
