//! Vectors of all policies at once, by all sorts of calls.

use serde_json::{Value, json};

use super::scenarios::MS;
use super::story::{S, Story, failure, node, success};

const POOL: [&str; 8] =
    ["available", "panic", "tier", "failovers", "in_flight", "probes", "probe_timeouts", "affinity_entries"];
const NODE: [&str; 9] =
    ["health", "breaker", "ejected", "available", "draining", "warming", "in_flight", "success_rate", "quotas"];

/// Eight nodes in two tiers and two zones, of two versions.
fn members() -> Vec<Value> {
    let member = |i: u8| {
        let (zone, version) = (["east", "west"][usize::from(i % 2)], ["v1", "v2"][usize::from(i / 4)]);
        let limits = if i == 3 { json!({ "max_in_flight": 2, "quotas": { "rpm": 4 } }) } else { json!({}) };
        let mut fields = json!({ "zone": zone, "tier": i / 6, "weight": 1 + i % 3, "labels": { "version": version } });
        limits.as_object().into_iter().flatten().for_each(|(key, value)| fields[key] = value.clone());
        node(&char::from(b'a' + i).to_string(), fields)
    };
    (0..8).map(member).collect()
}

pub fn all() -> Vec<Value> {
    let strategies = [
        json!("p2c"),
        json!("weighted_round_robin"),
        json!({ "name": "maglev", "table_size": 251 }),
        json!("adaptive"),
    ];
    let seeds = 141..;
    seeds.zip(strategies).map(|(seed, strategy)| story(seed, strategy)).collect()
}

fn story(seed: u64, strategy: Value) -> Value {
    let name = format!("everything at once, {}", strategy["name"].as_str().or(strategy.as_str()).unwrap_or_default());
    let config = json!({
        "strategy": strategy,
        "nodes": members(),
        "max_in_flight": 40,
        "breaker": { "consecutive_failures": 4, "open_ms": 2000 },
        "outlier": { "min_hosts": 3, "min_requests": 10, "failure_min_requests": 5 },
        "panic": { "mode": "spread" },
        "zones": { "zone": "east" },
        "slow_start": { "duration_ms": 10_000 },
        "splits": [{ "labels": { "version": "v2" }, "share": 0.25 }],
        "affinity": { "entries": 256, "ttl_ms": 60_000 },
        "quotas": [{ "dimension": "rpm", "limit": 20, "window_ms": 10_000 }],
        "stats": { "latency": "nodes" },
    });
    let mut story = Story::new(&name, seed, config);
    for i in 0..320u64 {
        let id = char::from(b'a' + story.dice.below(8) as u8).to_string();
        let session = format!("user-{}", story.dice.below(12));
        match story.dice.below(24) {
            0..=4 => {
                story.hold(json!({ "key": session, "times": true }));
            }
            5..=6 => {
                story.hold(json!({ "session": session, "times": true }));
            }
            7 => {
                story.hold(json!({ "zone": "west", "cost": { "rpm": 2 } }));
            }
            8 => {
                story.hold(json!({ "exclude": [id], "times": true }));
            }
            9 => {
                story.hold(json!({ "require": { "n": id }, "times": true }));
            }
            10..=13 => {
                story.end_any(success());
            }
            14 => {
                story.end_any(failure());
            }
            15 => {
                story.end_any(json!({ "kind": "cancelled" }));
            }
            16 => {
                story.end_any(json!({ "kind": "rate_limited", "retry_after_ns": 3 * S }));
            }
            // Some nodes are worse than others.
            17..=18 => {
                let outcome = if "bfh".contains(&id) || story.dice.below(8) == 0 { failure() } else { success() };
                story.report(&id, outcome);
            }
            19 => {
                let on = story.dice.below(2) == 0;
                story.at("drain", json!({ "node": id, "on": on }));
            }
            20 => {
                story.at("affinity", json!({ "session": session }));
            }
            21 if i % 3 == 0 => {
                story.call("failover", json!({ "node": "g" }));
            }
            21 => {
                story.call("reset_failover", json!({}));
            }
            _ => {
                let step = [1, 50, 400, 1000, 3000][story.dice.below(5) as usize] * MS;
                story.wait(step);
            }
        }
        if i % 16 == 15 {
            story.look(&POOL, &NODE);
        }
    }
    story.end()
}
