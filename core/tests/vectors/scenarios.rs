//! What the vectors try: each scenario's calls, made from a seed. Expectations are filled in by running them.

use serde_json::{Value, json};

use super::{everything, failing, limiting, retrying, sharing, streaming};

/// A generator for scenarios alone.
pub struct Dice(pub u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

pub const MS: u64 = 1_000_000;

/// The files with their scenarios.
pub fn all() -> Vec<(&'static str, Vec<Value>)> {
    let mut files = Vec::new();
    let strategies: [(&str, Value); 13] = [
        ("round_robin", json!("round_robin")),
        ("weighted_round_robin", json!("weighted_round_robin")),
        ("random", json!("random")),
        ("weighted_random", json!("weighted_random")),
        ("least_load", json!("least_load")),
        ("least_request", json!("least_request")),
        ("p2c", json!({"name": "p2c"})),
        ("peak_ewma", json!({"name": "peak_ewma", "decay_ms": 500})),
        ("ring_hash", json!({"name": "ring_hash", "points": 32})),
        ("maglev", json!({"name": "maglev", "table_size": 251})),
        ("rendezvous", json!("rendezvous")),
        ("most_available", json!({"name": "most_available", "epsilon": 0.1})),
        ("ring_hash_nginx", json!({"name": "ring_hash", "compat": "nginx"})),
    ];
    let mut by_strategy: Vec<(&'static str, Vec<Value>)> = vec![
        ("round_robin.json", vec![]),
        ("random.json", vec![]),
        ("least.json", vec![]),
        ("p2c.json", vec![]),
        ("peak_ewma.json", vec![]),
        ("hash.json", vec![]),
        ("most_available.json", vec![]),
    ];
    for (i, (name, strategy)) in strategies.iter().enumerate() {
        let file = match *name {
            "round_robin" | "weighted_round_robin" => 0,
            "random" | "weighted_random" => 1,
            "least_load" | "least_request" => 2,
            "p2c" => 3,
            "peak_ewma" => 4,
            "most_available" => 6,
            _ => 5,
        };
        for n in [1, 3, 20] {
            let seed = (i as u64 + 1) * 100 + n;
            let list = &mut by_strategy[file].1;
            list.push(scenario(&format!("{name}, {n} nodes, idle"), strategy, n, seed, &mut idle_calls(n, seed)));
            list.push(scenario(
                &format!("{name}, {n} nodes, all sorts of calls"),
                strategy,
                n,
                seed + 50,
                &mut mixed_calls(n, seed),
            ));
        }
    }
    let variants = [
        (3, json!({"name": "p2c", "load": "reported"}), "p2c by reported load"),
        (3, json!({"name": "p2c", "load": "peak_ewma"}), "p2c by latency"),
        (2, json!({"name": "least_request", "exact": true}), "least_request, exact"),
        (5, json!({"name": "maglev", "table_size": 251, "bounded_load": 1.25}), "maglev, bounded"),
        (5, json!({"name": "ring_hash", "bounded_load": 1.1}), "ring_hash, bounded"),
        (5, json!({"name": "rendezvous", "bounded_load": 2.0}), "rendezvous, bounded"),
        (5, json!("ip_hash"), "ip_hash is maglev"),
        (6, json!(["most_available", "round_robin"]), "a fallback chain"),
    ];
    for (i, (file, strategy, name)) in variants.into_iter().enumerate() {
        let seed = 5000 + i as u64;
        by_strategy[file].1.push(scenario(name, &strategy, 20, seed, &mut mixed_calls(20, seed)));
    }
    files.extend(by_strategy);
    files.push(("health.json", health()));
    files.push(("select.json", select()));
    files.push(("health_window.json", failing::health_window()));
    files.push(("probes.json", failing::probes()));
    files.push(("breaker.json", failing::breaker()));
    files.push(("outlier.json", failing::outlier()));
    files.push(("panic.json", failing::panic()));
    files.push(("tiers.json", sharing::tiers()));
    files.push(("zones.json", sharing::zones()));
    files.push(("splits.json", sharing::splits()));
    files.push(("slow_start.json", sharing::slow_start()));
    files.push(("affinity.json", limiting::affinity()));
    files.push(("quotas.json", limiting::quotas()));
    files.push(("limits.json", limiting::limits()));
    files.push(("learning.json", limiting::learning()));
    files.push(("retries.json", retrying::retries()));
    files.push(("settings.json", retrying::settings()));
    files.push(("first_token.json", streaming::first_token()));
    files.push(("everything.json", everything::all()));
    files
}

fn node(i: u64, dice: &mut Dice) -> Value {
    let region = if i % 2 == 0 { "eu" } else { "us" };
    json!({
        "id": format!("node-{i}"),
        "address": format!("10.0.0.{}:8080", i + 1),
        "weight": 1 + dice.below(5),
        "labels": { "region": region, "version": format!("v{}", i % 3) },
    })
}

fn scenario(name: &str, strategy: &Value, n: u64, seed: u64, calls: &mut Vec<Value>) -> Value {
    let mut dice = Dice(seed);
    let nodes: Vec<Value> = (0..n).map(|i| node(i, &mut dice)).collect();
    json!({ "name": name, "pool": { "seed": seed, "strategy": strategy, "nodes": nodes }, "calls": calls })
}

fn idle_calls(n: u64, seed: u64) -> Vec<Value> {
    let mut dice = Dice(seed + 1);
    (0..30 + 2 * n)
        .map(|i| json!({ "op": "pick", "key": format!("user-{}", dice.below(1000)), "now_ns": (1000 + i) * MS }))
        .collect()
}

fn mixed_calls(n: u64, seed: u64) -> Vec<Value> {
    let mut dice = Dice(seed + 2);
    let mut calls = Vec::new();
    let mut held: Vec<String> = Vec::new();
    let mut absent: Vec<u64> = Vec::new();
    let mut now = 1_000_000 * MS;
    for i in 0..160 {
        now += (1 + dice.below(200)) * MS;
        let some = format!("node-{}", dice.below(n));
        let present = !absent.iter().any(|a| some == format!("node-{a}"));
        match dice.below(20) {
            0..=8 => {
                let mut call = json!({ "op": "pick", "now_ns": now });
                match dice.below(4) {
                    0 => {}
                    1 => call["key_hex"] = json!(format!("{:02x}{:02x}", dice.below(256), dice.below(256))),
                    _ => call["key"] = json!(format!("user-{}", dice.below(500))),
                }
                match dice.below(6) {
                    0 => call["exclude"] = json!([some, "unknown"]),
                    1 => call["require"] = json!({ "region": dice.one(&["eu", "us", "mars"]) }),
                    2 => call["health_mask"] = json!(1 + dice.below(15)),
                    _ => {}
                }
                if dice.below(3) > 0 {
                    let name = format!("p{i}");
                    call["as"] = json!(name);
                    held.push(name);
                }
                calls.push(call);
            }
            9..=12 if !held.is_empty() => {
                let at = dice.below(held.len() as u64) as usize;
                // Some are finished twice.
                let pick = if dice.below(8) == 0 { held[at].clone() } else { held.swap_remove(at) };
                calls.push(json!({ "op": "finish", "pick": pick, "outcome": outcome(&mut dice, now) }));
            }
            13..=14 if present => {
                calls.push(json!({ "op": "report", "node": some, "outcome": outcome(&mut dice, now) }))
            }
            15 if present => calls.push(json!({
                "op": "report_load", "node": some,
                "load": dice.below(1000) as f64 / 8.0, "remaining_ratio": dice.below(65) as f64 / 64.0
            })),
            16 if present => calls.push(json!({ "op": "set_weight", "node": some, "weight": dice.below(8) })),
            17 if present => calls.push(json!({ "op": "drain", "node": some, "on": dice.below(2) == 0 })),
            18 if n > 1 => {
                if present && dice.below(2) == 0 {
                    calls.push(json!({ "op": "deregister", "node": some }));
                    absent.push(some["node-".len()..].parse().expect("a number"));
                } else if let Some(back) = absent.pop() {
                    calls.push(json!({ "op": "register", "node": node(back, &mut dice) }));
                }
            }
            19 => calls.push(json!({ "op": "maintain", "now_ns": now })),
            _ => {}
        }
    }
    calls
}

fn outcome(dice: &mut Dice, now: u64) -> Value {
    let latency = (1 + dice.below(300)) * MS;
    match dice.below(8) {
        0..=3 => json!({ "kind": "success", "latency_ns": latency, "now_ns": now }),
        4..=5 => {
            json!({ "kind": "failure", "failure": dice.one(&["connect", "timeout", "reset", "server_error", "other"]), "latency_ns": latency, "now_ns": now })
        }
        6 => {
            json!({ "kind": "rate_limited", "retry_after_ns": dice.below(60) * 1000 * MS, "latency_ns": latency, "now_ns": now })
        }
        _ => json!({ "kind": "cancelled" }),
    }
}

fn health() -> Vec<Value> {
    let mut list = Vec::new();
    for (t, r) in [(1, 1), (1, 2), (2, 2), (3, 2), (5, 3)] {
        let mut dice = Dice(t * 31 + r);
        let event = |dice: &mut Dice| {
            let event = dice.one(&["success", "failure", "failure", "rate_limited"]);
            json!({ "id": dice.one(&["a", "b"]), "event": event })
        };
        let events: Vec<Value> = (0..120).map(|_| event(&mut dice)).collect();
        list.push(json!({ "name": format!("tracker, threshold {t}, recovery {r}"), "tracker": { "failure_threshold": t, "recovery_successes": r }, "events": events }));
    }
    let mut dice = Dice(77);
    let mut calls = Vec::new();
    for i in 0..200u64 {
        let id = *dice.one(&["a", "b", "c"]);
        calls.push(json!({ "op": "report", "node": id, "outcome": outcome(&mut dice, i * 1000 * MS) }));
        calls.push(json!({ "op": "pick", "now_ns": i * 1000 * MS }));
        if i % 10 == 0 {
            calls.push(json!({ "op": "maintain", "now_ns": i * 1000 * MS }));
            calls.push(json!({ "op": "nodes", "now_ns": i * 1000 * MS }));
        }
    }
    list.push(json!({
        "name": "pool, reports from outside",
        "pool": { "seed": 9, "strategy": "round_robin", "nodes": ["a", "b", "c"], "health": { "failure_threshold": 2, "recovery_successes": 3 } },
        "calls": calls,
    }));
    // What was begun before a transition says nothing of what came after it.
    let late = json!([
        { "op": "pick", "now_ns": 1000 * MS, "as": "early" },
        { "op": "report", "node": "only", "outcome": { "kind": "failure", "now_ns": 1000 * MS } },
        { "op": "report", "node": "only", "outcome": { "kind": "failure", "now_ns": 1000 * MS } },
        { "op": "report", "node": "only", "outcome": { "kind": "failure", "now_ns": 1000 * MS } },
        { "op": "maintain", "now_ns": 1000 * MS },
        { "op": "nodes", "now_ns": 1000 * MS },
        { "op": "finish", "pick": "early", "outcome": { "kind": "success", "now_ns": 1000 * MS } },
        { "op": "maintain", "now_ns": 1000 * MS },
        { "op": "nodes", "now_ns": 1000 * MS },
        { "op": "pick", "now_ns": 1000 * MS },
        { "op": "pick", "now_ns": 1000 * MS, "health_mask": 4, "as": "probe" },
        { "op": "finish", "pick": "probe", "outcome": { "kind": "success", "now_ns": 1000 * MS } },
        { "op": "finish", "pick": "probe", "outcome": { "kind": "failure", "now_ns": 1000 * MS } },
        { "op": "maintain", "now_ns": 1000 * MS },
        { "op": "nodes", "now_ns": 1000 * MS },
    ]);
    list.push(json!({ "name": "pool, late results", "pool": { "seed": 1, "nodes": ["only"] }, "calls": late }));
    list
}

fn select() -> Vec<Value> {
    let items = |weights: &[u64]| -> Value {
        weights
            .iter()
            .enumerate()
            .map(|(i, w)| json!({ "id": format!("n{i}"), "weight": w, "load": (i * 7 % 5) as f64 + i as f64 / 16.0 }))
            .collect()
    };
    ["round_robin", "weighted_round_robin", "least_load", "ring_hash"]
        .into_iter()
        .map(|strategy| {
            let mut dice = Dice(strategy.len() as u64);
            let mut calls: Vec<Value> = Vec::new();
            for i in 0..80 {
                let mut call = json!({ "key": dice.below(1 << 30) });
                // A weighted round robin draws at random when something is excluded.
                if dice.below(4) == 0 && strategy != "weighted_round_robin" {
                    call["exclude"] = json!([dice.below(5)]);
                }
                match i {
                    30 => call["nodes"] = items(&[1, 2, 3]),
                    50 => call["nodes"] = items(&[5, 1, 1, 0]),
                    70 => call["nodes"] = json!([]),
                    _ => {}
                }
                calls.push(call);
            }
            json!({ "name": format!("{strategy} over a list"), "select": strategy, "nodes": items(&[5, 1, 1, 2, 3]), "calls": calls })
        })
        .collect()
}

/// One call a line, so that a changed decision is a changed line.
pub fn layout(scenarios: &[Value]) -> String {
    let mut text = String::from("{\"scenarios\": [\n");
    for (i, scenario) in scenarios.iter().enumerate() {
        let map = scenario.as_object().expect("a map");
        let lines: Vec<String> = map
            .iter()
            .map(|(key, value)| match (key.as_str(), value.as_array()) {
                ("calls" | "events", Some(list)) => {
                    let calls: Vec<String> = list.iter().map(|c| format!("    {c}")).collect();
                    format!("  \"{key}\": [\n{}\n  ]", calls.join(",\n"))
                }
                _ => format!("  \"{key}\": {value}"),
            })
            .collect();
        text.push_str(&format!(" {{\n{}\n }}{}\n", lines.join(",\n"), if i + 1 < scenarios.len() { "," } else { "" }));
    }
    text.push_str("]}\n");
    text
}
