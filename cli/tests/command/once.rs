//! `top --once`: what is told of a known situation, to the last count.

use loadwise::Engine;
use serde_json::{Value, json};

use crate::holder::{Holder, Room};
use crate::{json, run, until};

const POOLS: &str = "
pools:
  shop:
    strategy: least_request
    seed: 1
    lease_timeout_ms: 600000
    max_in_flight: 50
    stats: {latency: nodes}
    quotas: [{dimension: rpm, limit: 600}]
    nodes:
      - {id: a, address: '10.0.0.1:80', weight: 2, zone: eu-1, max_in_flight: 9}
      - {id: b, name: blue, tier: 1}
  search: {nodes: [x, y]}
";

/// The first holds five picks of `shop`, having finished three; the second holds two, and one of `search`.
fn situation(room: &Room) -> (Holder, Holder) {
    let (mut one, mut other) = (Holder::open(&room.config(POOLS)), Holder::open(&room.config(POOLS)));
    one.pick("shop", 8);
    one.finish(1, "success");
    one.finish(1, "timeout");
    one.finish(1, "cancel");
    other.pick("shop", 2);
    other.pick("search", 1);
    one.health("search", "y", "unhealthy");
    (one, other)
}

#[test]
fn the_document_has_every_figure() {
    let room = Room::new("document");
    let (one, other) = situation(&room);
    let told = json(&["top", &room.state(), "--once", "--json"]);
    assert_eq!(
        told.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["config_version", "now_ns", "open_picks", "path", "pools", "processes", "time"]
    );
    assert_eq!((&told["path"], &told["config_version"]), (&json!(room.state()), &json!(1)));
    let now_ns = told["now_ns"].as_u64().unwrap();
    assert!(now_ns > 0 && now_ns <= loadwise::now_ns());
    let time: jiff::Timestamp = told["time"].as_str().unwrap().parse().unwrap();
    assert!(time.duration_until(jiff::Timestamp::now()).as_secs() < 600);

    let shop = &told["pools"][0];
    let figures = [
        ("name", json!("shop")),
        ("strategy", json!("least_request")),
        ("processes", json!(2)),
        ("available", json!(2)),
        ("in_flight", json!(7)),
        ("max_in_flight", json!(50)),
        ("selections", json!(10)),
        ("successes", json!(1)),
        ("failures", json!(1)),
        ("failures_by_kind", json!({"other": 0, "connect": 0, "timeout": 1, "reset": 0, "server_error": 0})),
        ("cancelled", json!(1)),
        ("config_version", json!(1)),
    ];
    for (key, figure) in figures {
        assert_eq!(shop[key], figure, "{key}");
    }
    assert_eq!(shop["latency"]["count"], json!(2));
    let [a, b] = [0, 1].map(|at| &shop["nodes"][at]);
    let told_of_a = ["id", "address", "weight", "zone", "tier", "max_in_flight", "health", "breaker", "available"];
    assert_eq!(
        told_of_a.map(|key| a[key].clone()),
        [
            json!("a"),
            json!("10.0.0.1:80"),
            json!(2),
            json!("eu-1"),
            json!(0),
            json!(9),
            json!("healthy"),
            json!("closed"),
            json!(true)
        ]
    );
    assert_eq!((&b["name"], &b["tier"]), (&json!("blue"), &json!(1)));
    assert_eq!(a["in_flight"].as_u64().unwrap() + b["in_flight"].as_u64().unwrap(), 7);
    let of = |pid: u32| -> u64 {
        [a, b].iter().filter_map(|node| node["in_flight_by_process"][pid.to_string()].as_u64()).sum()
    };
    assert_eq!((of(one.pid()), of(other.pid())), (5, 2));
    let search = &told["pools"][1];
    assert_eq!((&search["available"], &search["in_flight"]), (&json!(1), &json!(1)));
    assert_eq!(search["nodes"][1]["health"], json!("unhealthy"));

    let processes = told["processes"].as_array().unwrap();
    let seen: Vec<Value> = processes
        .iter()
        .map(|p| json!([p["row"], p["pid"], p["alive"], p["is_own"], p["in_namespace"], p["in_flight"], p["repeats"]]))
        .collect();
    assert_eq!(
        seen,
        [json!([0, one.pid(), true, false, true, 5, 0]), json!([1, other.pid(), true, false, true, 3, 0])],
        "who looks is none of them"
    );
    for process in processes {
        assert!(process["command"].as_str().is_some_and(|command| command.starts_with("command")), "{process}");
        assert!(process["since_ns"].as_u64().unwrap() <= now_ns && process["heartbeat_ns"].as_u64().unwrap() <= now_ns);
    }

    let open = told["open_picks"].as_array().unwrap();
    assert_eq!(open.len(), 8);
    assert!(open[..7].iter().all(|pick| pick["pool"] == "shop" && pick["age_ms"].as_f64().unwrap() > 0.0));
    let ages: Vec<f64> = open[..7].iter().map(|pick| pick["age_ms"].as_f64().unwrap()).collect();
    assert!(ages.is_sorted_by(|older, younger| older >= younger), "{ages:?}");
    let last = &open[7];
    assert_eq!((&last["pool"], &last["age_ms"], &last["started_ns"]), (&json!("search"), &Value::Null, &Value::Null));
    assert_eq!(open[0]["pid"], json!(one.pid()));
    assert_eq!(last["pid"], json!(other.pid()));
    let fewer = json(&["top", &room.state(), "--once", "--json", "--picks", "3"]);
    let tickets = |told: &Value| -> Vec<Value> {
        told["open_picks"].as_array().unwrap().iter().map(|pick| pick["ticket"].clone()).collect()
    };
    assert_eq!(tickets(&fewer), tickets(&told)[..3]);
    assert_eq!(tickets(&json(&["top", &room.state(), "--once", "--json", "--picks", "0"])), [Value::Null; 0]);
}

#[test]
fn pools_are_told_as_the_libraries_tell_them() {
    let room = Room::new("stats");
    let (_one, _other) = situation(&room);
    let mut told = json(&["top", &room.state(), "--once", "--json"]);
    let engine = Engine::view(room.state()).unwrap();
    let stats: Vec<String> = engine.stats().iter().map(|pool| pool.to_value().to_json()).collect();
    for (told, stats) in told["pools"].as_array_mut().unwrap().iter_mut().zip(stats) {
        let mut stats: Value = serde_json::from_str(&stats).unwrap();
        assert_ne!(told["now_ns"], stats["now_ns"]);
        told["now_ns"].take();
        stats["now_ns"].take();
        assert_eq!(*told, stats);
    }
}

#[test]
fn who_was_killed_is_gone_and_then_not_there() {
    let room = Room::new("killed");
    let (mut one, mut other) = situation(&room);
    one.kill();
    let told = json(&["top", &room.state(), "--once", "--json"]);
    assert_eq!((&told["processes"][0]["alive"], &told["processes"][1]["alive"]), (&json!(false), &json!(true)));
    assert_eq!(told["processes"][0]["in_flight"], json!(5), "nobody has given it back yet");
    let text = run(&["top", &room.state(), "--once"]).out;
    assert!(text.lines().any(|line| line.contains(" gone ") && line.contains(&one.pid().to_string())), "{text}");
    let mut told = json!(null);
    until("what it held is given back", || {
        other.ask(json!({"maintain": 0}));
        told = json(&["top", &room.state(), "--once", "--json"]);
        told["processes"].as_array().unwrap().len() == 1
    });
    assert_eq!((&told["pools"][0]["in_flight"], &told["pools"][0]["cancelled"]), (&json!(2), &json!(6)));
    assert_eq!(told["processes"][0]["pid"], json!(other.pid()));
    assert_eq!(told["open_picks"].as_array().unwrap().len(), 3);
}

#[test]
fn the_text_tells_the_same() {
    let room = Room::new("text");
    let (one, other) = situation(&room);
    let done = run(&["top", &room.state(), "--once", "--picks", "2"]);
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    let lines: Vec<&str> = done.out.lines().collect();
    assert!(lines[0].starts_with(&room.state()), "{}", lines[0]);
    assert!(lines[0].ends_with("Z  pools 2  processes 2  in flight 8  configuration 1"), "{}", lines[0]);
    let shop = "pool shop  least_request  available 2 of 2  in flight 7/50  picks 10  failures 1  no node 0  p50 ";
    assert!(lines[2].starts_with(shop), "{}", lines[2]);
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let headings = "NODE STATE WEIGHT TIER ZONE IN FLIGHT PICKS ERRORS P50 MS P95 MS P99 MS BREAKER FAILURES BY KIND IN FLIGHT BY PROCESS";
    assert_eq!(words(lines[3]).join(" "), headings);
    let a = words(lines[4]);
    assert_eq!(a[..5], ["a", "healthy", "2", "0", "eu-1"]);
    assert!(a[5].ends_with("/9"), "in flight of its limit: {a:?}");
    let by_process = a[a.len() - 2..].join(" ");
    assert!(
        by_process.contains(&format!("{}:", one.pid())) && by_process.contains(&format!("{}:", other.pid())),
        "{a:?}"
    );
    assert_eq!(words(lines[5])[..4], ["b", "healthy", "1", "1"]);
    assert_eq!(lines[7], "pool search  p2c  available 1 of 2  in flight 1  picks 1  failures 0  no node 0");
    assert!(
        words(lines[8]).join(" ").contains("ERRORS AVG MS BREAKER"),
        "latencies are not measured there: {}",
        lines[8]
    );
    assert_eq!(words(lines[10])[..2], ["y", "unhealthy"]);
    assert_eq!(words(lines[12])[..4], ["PROCESS", "COMMAND", "STATE", "IN"]);
    let process = words(lines[13]);
    assert_eq!(
        (process[0].as_str(), process[2].as_str(), process[3].as_str()),
        (one.pid().to_string().as_str(), "alive", "5")
    );
    assert_eq!(words(lines[16]), ["OPEN", "FOR", "POOL", "NODE", "PROCESS"]);
    assert_eq!((words(lines[17])[1].as_str(), words(lines[17])[3].as_str()), ("shop", one.pid().to_string().as_str()));
    assert_eq!(lines.len(), 19, "two picks: {}", done.out);
}

#[test]
fn a_state_without_pools_has_processes_all_the_same() {
    let room = Room::new("empty");
    let holder = Holder::open(&room.config("pools: {}"));
    let done = run(&["top", &room.state(), "--once"]);
    assert_eq!(done.code, 0, "{}", done.err);
    let told = json(&["top", &room.state(), "--once", "--json"]);
    assert_eq!(told["pools"], json!([]));
    assert_eq!(told["processes"][0]["pid"], json!(holder.pid()), "{}", done.out);
}
