//! Vectors of what is bounded or remembered for a request: sessions, quotas, limits, and strategies that learn.

use serde_json::{Value, json};

use super::scenarios::MS;
use super::story::{S, Story, failure, node, nodes, success};

pub fn affinity() -> Vec<Value> {
    let mut list = Vec::new();
    let session = |i: u64| format!("user-{i}");
    for (seed, mode) in [(101, "immediate"), (102, "gradual"), (103, "manual")] {
        let config = json!({
            "strategy": "round_robin", "nodes": nodes(3),
            "affinity": { "entries": 64, "rebalance": mode, "rebalance_ms": 10_000 },
        });
        let mut story = Story::new(&format!("sessions, a newcomer, {mode}"), seed, config);
        for i in (0..24).chain(0..24) {
            story.pick(json!({ "session": session(i % 12) }));
        }
        story.call("register", json!({ "node": node("d", json!({})) })).maintain();
        for _ in 0..3 {
            for i in 0..12 {
                story.at("affinity", json!({ "session": session(i) }));
            }
            story.wait(4 * S).maintain();
        }
        if mode == "manual" {
            story.at("rebalance", json!({}));
        }
        story.look(&["affinity_entries"], &[]);
        for i in 0..12 {
            story.pick(json!({ "session": session(i) }));
        }
        list.push(story.end());
    }

    let mut story = Story::new(
        "draining, gone, down, forgotten",
        104,
        json!({ "nodes": nodes(3), "affinity": true, "drain_timeout_ms": 5000 }),
    );
    story
        .at("set_affinity", json!({ "session": "u", "node": "a" }))
        .at("set_affinity", json!({ "session": "v", "node": "b" }));
    story.pick(json!({ "session": "u" })).pick(json!({ "session": "v" }));
    story.at("drain", json!({ "node": "a", "on": true })).wait(4 * S).pick(json!({ "session": "u" }));
    story.wait(2 * S).pick(json!({ "session": "u" })).at("affinity", json!({ "session": "u" }));
    for _ in 0..3 {
        story.report("b", failure());
    }
    story.pick(json!({ "session": "v" })).at("affinity", json!({ "session": "v" }));
    story.at("set_affinity", json!({ "session": "w", "node": "c" })).call("deregister", json!({ "node": "c" }));
    story.at("affinity", json!({ "session": "w" })).pick(json!({ "session": "w" }));
    story.call("clear_affinity", json!({ "session": "v" })).call("clear_affinity", json!({ "session": "v" }));
    story.at("affinity", json!({ "session": "v" })).wait(3601 * S).at("affinity", json!({ "session": "u" }));
    story.look(&["affinity_entries"], &[]);
    list.push(story.end());
    list
}

pub fn quotas() -> Vec<Value> {
    let mut list = Vec::new();
    let members = vec![node("a", json!({})), node("b", json!({ "quotas": { "rpm": 3 } }))];
    let quotas = json!([
        { "dimension": "rpm", "limit": 6 },
        { "dimension": "tpm", "limit": 1000, "default_cost": 10 },
    ]);
    let config = json!({ "nodes": members, "quotas": quotas });
    let figures = ["quotas", "rate_limited", "available"];

    let mut story = Story::new("reserved, committed, given back", 111, config.clone());
    for i in 0..8 {
        story.hold(json!({ "cost": { "tpm": 100 + 50 * i } })).wait(S);
    }
    story.look(&["rate_limited"], &figures).pick(json!({ "times": true }));
    story.end_oldest(json!({ "kind": "success", "usage": { "tpm": 20 } }));
    story.end_oldest(json!({ "kind": "cancelled" })).end_oldest(json!({ "kind": "success" }));
    story
        .end_oldest(json!({ "kind": "success", "usage": { "tpm": 5000, "unknown": 7 } }))
        .look(&["in_flight"], &figures);
    story
        .pick(json!({ "cost": { "tpm": 1001 }, "times": true }))
        .pick(json!({ "cost": { "unknown": 1u64 << 40 }, "times": true }));
    for _ in 0..7 {
        story.wait(10 * S).hold(json!({ "cost": { "tpm": 300 }, "times": true })).look(&[], &figures);
    }
    list.push(story.end());

    let mut story = Story::new("a node that asks for less", 112, json!({ "nodes": nodes(2) }));
    let limited = |ns: u64| json!({ "kind": "rate_limited", "retry_after_ns": ns });
    story.request_of("a", limited(7 * S)).picks(4).look(&["rate_limited"], &["available"]);
    story.request_of("b", limited(40_000_000 * S)).pick(json!({ "times": true })).wait(7 * S).picks(3);
    story.request_of("a", limited(0)).picks(3).wait(292 * S).picks(4).wait(S).picks(8);
    list.push(story.end());

    let mut story = Story::new("all sorts of requests", 113, config);
    for i in 0..200u64 {
        let step = story.dice.below(1500) * MS;
        story.wait(step);
        match story.dice.below(9) {
            0..=3 => {
                let cost = story.dice.below(200);
                story.hold(json!({ "cost": { "rpm": 1, "tpm": cost }, "times": true }));
            }
            4..=5 => {
                let used = story.dice.below(250);
                story.end_any(json!({ "kind": "success", "usage": { "tpm": used } }));
            }
            6 => {
                story.end_any(json!({ "kind": "cancelled" }));
            }
            7 => {
                story.end_any(failure());
            }
            _ => {
                story.pick(json!({ "times": true }));
            }
        }
        if i % 20 == 19 {
            story.look(&["in_flight"], &figures);
        }
    }
    list.push(story.end());
    list
}

pub fn limits() -> Vec<Value> {
    let mut list = Vec::new();
    let members =
        vec![node("a", json!({ "max_in_flight": 3 })), node("b", json!({ "max_in_flight": 1 })), node("c", json!({}))];
    for (seed, max) in [(121, 0), (122, 5)] {
        let config = json!({ "nodes": members, "max_in_flight": max, "strategy": "round_robin" });
        let mut story = Story::new(&format!("limits of nodes, {max} for the pool"), seed, config);
        for _ in 0..60 {
            let id = ["a", "b", "c"][story.dice.below(3) as usize];
            match story.dice.below(5) {
                0..=1 => {
                    story.hold(json!({}));
                }
                2 => {
                    story.hold(json!({ "require": { "n": id } }));
                }
                _ if story.held() > 0 => {
                    story.end_any(success());
                }
                _ => {}
            }
        }
        story.look(&["in_flight", "max_in_flight"], &["in_flight", "max_in_flight"]);
        list.push(story.end());
    }
    let config = json!({ "nodes": nodes(1), "adaptive_limit": { "initial": 4, "min": 2, "max": 12 } });
    let mut story = Story::new("a limit that learns", 123, config);
    for round in 0..6 {
        let latency = if round < 3 { 10 * MS } else { 200 * MS };
        for _ in 0..14 {
            story.hold(json!({}));
        }
        story.look(&["in_flight"], &["max_in_flight"]).wait(latency);
        while story.held() > 0 {
            story.end_oldest(json!({ "kind": "success", "latency_ns": latency }));
        }
    }
    list.push(story.end());
    list
}

pub fn learning() -> Vec<Value> {
    let mut list = Vec::new();
    for (seed, name, strategy) in [
        (131, "adaptive", json!("adaptive")),
        (132, "fastest", json!("fastest")),
        (133, "fastest in wide classes", json!({ "name": "fastest", "class_ms": 100 })),
    ] {
        for count in [3, 20] {
            let config = json!({ "strategy": strategy, "nodes": nodes(count), "stats": { "latency": "nodes" } });
            let mut story = Story::new(&format!("{name}, {count} nodes"), seed + u64::from(count), config);
            for i in 0..120 {
                let step = story.dice.below(400) * MS;
                story.wait(step);
                match story.dice.below(7) {
                    0..=2 => {
                        story.hold(json!({}));
                    }
                    3..=4 => {
                        let latency = (1 + story.dice.below(200)) * MS;
                        story.end_any(json!({ "kind": "success", "latency_ns": latency }));
                    }
                    5 => {
                        let id = char::from(b'a' + story.dice.below(u64::from(count)) as u8).to_string();
                        let outcome = if story.dice.below(3) == 0 { failure() } else { success() };
                        story.report(&id, outcome);
                    }
                    _ => {
                        story.pick(json!({}));
                    }
                }
                if i % 30 == 29 {
                    story.maintain();
                }
            }
            list.push(story.end());
        }
    }
    let strategy = json!({ "name": "reported_load", "blackout_ms": 2000, "expiry_ms": 20_000 });
    let mut story = Story::new("reported_load", 139, json!({ "strategy": strategy, "nodes": nodes(3) }));
    let tell = |story: &mut Story, errors: f64| {
        for (id, utilization) in [("a", 0.25), ("b", 0.5), ("c", 0.75)] {
            story.at(
                "report_load",
                json!({
                    "node": id, "requests_per_s": 100.0, "utilization": utilization,
                    "errors_per_s": if id == "a" { errors } else { 0.0 },
                }),
            );
        }
    };
    for second in 0..8 {
        tell(&mut story, if second < 5 { 0.0 } else { 75.0 });
        story.maintain().picks(11).wait(S);
    }
    story.wait(30 * S).maintain().picks(9);
    list.push(story.end());
    list
}
