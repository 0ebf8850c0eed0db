//! Processes that are killed or stopped at any instant.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use loadwise::{Engine, Outcome, Request};
use serde_json::{Value, json};

use crate::process::{Process, Segment, unshare};

/// What must come, however busy the machine is.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn in_flight(process: &mut Process) -> u64 {
    process.ask(json!({"maintain": 0}));
    let nodes: BTreeMap<String, u64> = serde_json::from_value(process.in_flight()).unwrap();
    nodes.values().sum()
}

#[test]
fn what_a_killed_process_held_is_given_back() {
    let segment = Segment::new("killed");
    let config = segment.config("nodes: [a, b, {id: c, max_in_flight: 3}]");
    let (mut one, mut other) = (Process::open(&config), Process::open(&config));
    assert_eq!((one.picks(7).len(), other.picks(50).len()), (7, 50));
    assert_eq!(in_flight(&mut one), 57);
    other.kill();
    until("only what the living hold is in flight", || in_flight(&mut one) == 7);
    let stats = one.ask(json!({"stats": 0}));
    assert_eq!((&stats["processes"], &stats["cancelled"]), (&json!(1), &json!(50)));
    assert_eq!(one.finish(100), 7);
    // Its place is another's.
    let mut next = Process::open(&config);
    assert_eq!(next.picks(3).len(), 3);
    assert_eq!(in_flight(&mut next), 3);
}

#[test]
fn a_stopped_process_is_alive_and_holds_up_nobody() {
    let segment = Segment::new("stopped");
    let config = segment.config("nodes: [a, b]");
    let (mut one, mut other) = (Process::open(&config), Process::open(&config));
    other.picks(4);
    other.signal("STOP");
    for _ in 0..20 {
        assert_eq!(in_flight(&mut one), 4);
        assert_eq!(one.picks(5).len(), 5);
        assert_eq!(one.finish(5), 5);
        std::thread::sleep(Duration::from_millis(50));
    }
    other.signal("CONT");
    assert_eq!(other.finish(4), 4);
    assert_eq!(in_flight(&mut one), 0);
}

#[test]
fn a_process_that_ended_and_was_not_waited_for_is_gone() {
    let segment = Segment::new("zombie");
    let config = segment.config("nodes: [a, b]");
    let (mut one, mut other) = (Process::open(&config), Process::open(&config));
    other.picks(4);
    other.signal("KILL");
    until("a zombie holds nothing", || in_flight(&mut one) == 0);
    assert!(std::path::Path::new(&format!("/proc/{}", other.child.id())).exists());
}

#[test]
fn a_process_that_becomes_another_program_is_gone() {
    let segment = Segment::new("exec");
    let config = segment.config("nodes: [a, b]");
    let (mut one, mut other) = (Process::open(&config), Process::open(&config));
    assert_eq!((one.picks(3).len(), other.picks(4).len()), (3, 4));
    assert_eq!(in_flight(&mut one), 7);
    other.tell(&json!({"exec": ["sleep", "1000"]}));
    until("what it held is given back", || in_flight(&mut one) == 3);
    assert_eq!(other.child.try_wait().unwrap(), None, "though its id is in use");
    assert_eq!(one.ask(json!({"processes": 0})).as_array().unwrap().len(), 1);
    assert_eq!(one.finish(9), 3);
}

#[test]
fn processes_of_other_namespaces_are_known_by_their_locks() {
    let Some(program) = unshare(&["--pid", "--fork", "--kill-child", "--mount-proc"]) else { return };
    let segment = Segment::new("namespaces");
    let config = segment.config("nodes: [a, b]");
    let (mut here, mut there) = (Process::open(&config), Process::under(&program));
    assert_eq!(there.ask(json!({"open": config})), json!("ok"));
    assert_eq!((here.picks(3).len(), there.picks(4).len()), (3, 4));
    let seen = |process: &mut Process| process.ask(json!({"processes": 0}));
    let is = |namespace: bool, own: bool| json!({"in_namespace": namespace, "alive": true, "own": own});
    assert_eq!(seen(&mut here), json!([is(true, true), is(false, false)]));
    assert_eq!(seen(&mut there), json!([is(false, false), is(true, true)]));
    for _ in 0..10 {
        // Ids of the one mean nothing in the other, and each of them lives.
        assert_eq!((in_flight(&mut here), in_flight(&mut there)), (7, 7));
        std::thread::sleep(Duration::from_millis(110));
    }
    there.kill();
    until("its lock is gone, and its heartbeat too old", || in_flight(&mut here) == 3);
    assert_eq!(here.finish(9), 3);
}

#[test]
fn a_probe_of_a_killed_process_is_free_again() {
    let segment = Segment::new("probe");
    let health =
        "health: {failure_threshold: 1, probe_interval_ms: 1, max_probe_interval_ms: 1, probe_timeout_ms: 60000}";
    let config = segment.config(&format!("nodes: [a]\n{health}"));
    let (mut one, mut other) = (Process::open(&config), Process::open(&config));
    one.ask(json!({"report": "a", "ok": false}));
    until("the probe is due", || other.picks(1) == ["a"]);
    assert_eq!(one.picks(1), ["unhealthy"], "somebody probes it, for a minute");
    other.kill();
    until("somebody else may", || {
        one.ask(json!({"maintain": 0}));
        one.picks(1) == ["a"]
    });
}

/// Whoever replaces the configuration is killed in the midst of it, a hundred times: pools are of the one or of the other,
/// never of both, and nobody waits for what the dead had begun.
#[test]
fn a_change_is_made_or_it_is_not() {
    let segment = Segment::new("change");
    let nodes = |suffix: &str, weight: u32| -> String {
        (0..40)
            .map(|i| format!("  - {{id: n{i}, address: 'n{i}-{suffix}:80', weight: {weight}, zone: {suffix}}}\n"))
            .collect()
    };
    let odd = segment.config(&format!("strategy: maglev\nmax_in_flight: 100\nnodes:\n{}", nodes("odd", 3)));
    let even =
        segment.config(&format!("strategy: weighted_round_robin\nmax_in_flight: 200\nnodes:\n{}", nodes("even", 2)));
    let mut one = Process::open(&odd);
    let engine = Engine::attach(&segment.0).unwrap();
    let pool = engine.pool("default").unwrap();
    let mut seen = BTreeMap::new();
    for round in 0..100u64 {
        let mut changer = Process::open(&even);
        changer.tell(&json!({"spin_reload": [odd, even]}));
        let until = Instant::now() + Duration::from_micros(200 + round * 173 % 20_000);
        while Instant::now() < until {
            // Others pick meanwhile, and are never refused.
            pool.pick(&Request::new()).unwrap().finish(Outcome::Success).unwrap();
        }
        changer.kill();
        // The next control call ends what was begun.
        engine.maintain(loadwise::now_ns());
        let config: Value = serde_json::from_str(&engine.config().to_json()).unwrap();
        let config = &config["pools"]["default"];
        let (name, limit) =
            (config["strategy"][0]["name"].as_str().unwrap(), config["max_in_flight"].as_u64().unwrap());
        let (suffix, weight) = if name == "maglev" { ("odd", 3) } else { ("even", 2) };
        assert_eq!(limit, if suffix == "odd" { 100 } else { 200 });
        let nodes = config["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), 40);
        for (i, node) in nodes.iter().enumerate() {
            let is = (node["address"].as_str().unwrap(), node["weight"].as_u64(), node["zone"].as_str());
            assert_eq!(is, (format!("n{i}-{suffix}:80").as_str(), Some(weight), Some(suffix)), "round {round}, {name}");
        }
        assert_eq!(pool.strategy(), name);
        *seen.entry(name.to_owned()).or_insert(0) += 1;
    }
    assert_eq!(seen.values().sum::<i32>(), 100);
    assert_eq!(one.ask(json!({"reload": odd}))["code"], Value::Null, "and changes go on");
    assert_eq!(pool.stats().in_flight, 0);
}

/// Workers that pick and finish in tight loops are killed at random instants: what is in flight is what the living hold.
#[test]
fn in_flight_is_what_the_living_hold() {
    let segment = Segment::new("hot");
    let config = segment.config("strategy: p2c\nmax_in_flight: 100000\nnodes: [a, b, c, d]");
    let mut one = Process::open(&config);
    one.picks(10);
    for round in 0..60u64 {
        let mut workers: Vec<Process> = (0..2).map(|_| Process::open(&config)).collect();
        workers.iter_mut().for_each(|worker| worker.tell(&json!({"spin": 0})));
        std::thread::sleep(Duration::from_micros(500 + round * 997 % 5000));
        workers.iter_mut().for_each(Process::kill);
        until("only what the living hold is in flight", || in_flight(&mut one) == 10);
    }
    until("their rows are free", || one.ask(json!({"stats": 0}))["processes"] == json!(1) || in_flight(&mut one) != 10);
    assert_eq!(one.finish(100), 10);
    assert_eq!(in_flight(&mut one), 0);
}
