//! Vectors of nodes that fail: the window, probes and their backoff, breakers, outliers, panic.

use serde_json::{Value, json};

use super::scenarios::MS;
use super::story::{S, Story, failure, nodes, success};

const POOL: [&str; 4] = ["available", "panic", "probes", "probe_timeouts"];
const NODE: [&str; 5] = ["health", "available", "probes", "health_transitions", "success_rate"];

pub fn health_window() -> Vec<Value> {
    let mut list = Vec::new();

    // Never three failures in a row, and still down: half of twenty.
    let mut story =
        Story::new("every other request fails", 11, json!({ "strategy": "round_robin", "nodes": nodes(3) }));
    story.maintain();
    for i in 0..24 {
        story.request_of("a", if i % 2 == 0 { failure() } else { success() });
        story.request_of("b", success());
        if i % 8 == 7 {
            story.look(&POOL, &NODE);
        }
    }
    story.picks(12);
    list.push(story.end());

    let window = json!({ "window_ms": 10_000, "min_success_rate": 0.5, "min_requests": 4, "failure_threshold": 10 });
    let mut story =
        Story::new("what is older than the window counts no more", 12, json!({ "nodes": nodes(2), "health": window }));
    for _ in 0..3 {
        story.request_of("a", failure());
    }
    story.wait(11 * S).look(&POOL, &NODE);
    for _ in 0..3 {
        story.request_of("a", failure());
    }
    story.look(&POOL, &NODE).request_of("a", failure()).look(&POOL, &NODE).picks(8);
    list.push(story.end());

    let config = json!({ "nodes": nodes(2), "health": { "min_success_rate": 0.0 } });
    let mut story = Story::new("without a window only failures in a row count", 13, config);
    for i in 0..60 {
        story.request_of("a", if i % 3 == 2 { success() } else { failure() });
    }
    story.look(&POOL, &NODE);
    list.push(story.end());
    list
}

pub fn probes() -> Vec<Value> {
    let mut list = Vec::new();

    // Probed by one request after about 10, 20, 40, ... seconds.
    let mut story = Story::new("a node that stays down is probed ever more seldom", 21, json!({ "nodes": nodes(3) }));
    for _ in 0..3 {
        story.request_of("a", failure());
    }
    for i in 0..400 {
        story.wait(2 * S).request_of("a", failure());
        if i % 40 == 0 {
            story.look(&POOL, &NODE);
        }
    }
    story.look(&POOL, &NODE);
    list.push(story.end());

    let mut story = Story::new("the only node goes down and comes back", 22, json!({ "nodes": nodes(1) }));
    for _ in 0..3 {
        story.request(json!({}), failure());
    }
    story.pick(json!({ "times": true })).wait(4 * S).pick(json!({ "times": true })).wait(7 * S);
    // One is the probe; the others find nobody.
    story.hold(json!({})).pick(json!({ "times": true })).pick(json!({ "times": true }));
    story.wait(S).end_oldest(success()).look(&POOL, &NODE).picks(2);
    story.request(json!({}), success()).look(&POOL, &NODE);
    list.push(story.end());

    let mut story = Story::new("a probe that is never reported", 23, json!({ "nodes": nodes(1) }));
    for _ in 0..3 {
        story.request(json!({}), failure());
    }
    story.wait(11 * S).hold(json!({})).wait(4999 * MS).pick(json!({ "times": true })).look(&POOL, &NODE);
    story.wait(2 * MS).hold(json!({})).pick(json!({ "times": true })).look(&POOL, &NODE);
    // The late one has nothing of the second's lease.
    story.wait(S).end_oldest(json!({ "kind": "cancelled" })).pick(json!({ "times": true }));
    story.end_oldest(success()).look(&POOL, &NODE).picks(2);
    list.push(story.end());

    let config = json!({ "nodes": nodes(2), "health": { "max_probe_interval_ms": 60_000, "recovery_successes": 1 } });
    let mut story = Story::new("flapping lasts longer each time, and is forgotten", 24, config);
    for _ in 0..5 {
        for _ in 0..3 {
            story.request_of("a", failure());
        }
        // What is told is how long it lasts.
        story.pick(json!({ "require": { "n": "a" }, "times": true })).wait(70 * S).request_of("a", success());
        story.look(&POOL, &NODE);
    }
    story.wait(70 * S);
    for _ in 0..3 {
        story.request_of("a", failure());
    }
    story.pick(json!({ "require": { "n": "a" }, "times": true })).look(&POOL, &NODE);
    list.push(story.end());

    let config = json!({ "nodes": nodes(2), "health": { "live_probes": false } });
    let mut story = Story::new("without live probes only reports bring a node back", 25, config);
    for _ in 0..3 {
        story.request_of("a", failure());
    }
    story.wait(400 * S).picks(6).report("a", success()).report("a", success()).look(&POOL, &NODE).picks(6);
    list.push(story.end());
    list
}

pub fn breaker() -> Vec<Value> {
    let figures = ["breaker", "breaker_opens", "health", "available", "probes"];
    let mut list = Vec::new();
    let config = |breaker: Value| json!({ "nodes": nodes(2), "breaker": breaker, "health": { "failure_threshold": 100, "min_success_rate": 0.0 } });

    let mut story = Story::new("opens, is half open, opens for longer, closes", 31, config(json!(true)));
    for _ in 0..5 {
        story.request_of("a", failure());
    }
    story.look(&POOL, &figures).picks(4);
    for outcome in [failure(), failure(), success(), success()] {
        story.pick(json!({ "require": { "n": "a" }, "times": true })).wait(41 * S).look(&POOL, &figures);
        story.request_of("a", outcome).look(&POOL, &figures);
    }
    story.picks(6);
    list.push(story.end());

    let mut story = Story::new("half of twenty failed", 32, config(json!({ "consecutive_failures": 100 })));
    story.maintain();
    for i in 0..20 {
        story.request_of("a", if i % 2 == 1 { failure() } else { success() });
    }
    story.look(&POOL, &figures).picks(4);
    list.push(story.end());

    let mut story = Story::new(
        "a probe that is never reported leaves nothing stuck",
        33,
        config(json!({ "half_open_successes": 1 })),
    );
    for _ in 0..5 {
        story.request_of("a", failure());
    }
    story.wait(6 * S).hold(json!({ "require": { "n": "a" } })).look(&POOL, &figures);
    story.wait(6 * S).request_of("a", success()).look(&POOL, &figures);
    list.push(story.end());
    list
}

pub fn outlier() -> Vec<Value> {
    let figures = ["ejected", "ejections", "available", "success_rate"];
    let reports = |story: &mut Story, ids: &str, of_ten: &dyn Fn(char) -> u32| {
        for i in 0..100 {
            for id in ids.chars() {
                let failed = i % 10 < of_ten(id);
                story.report(&id.to_string(), if failed { failure() } else { success() });
            }
            story.wait(20 * MS);
        }
    };
    let health = json!({ "failure_threshold": 100, "min_success_rate": 0.0 });
    let mut list = Vec::new();

    let config = json!({ "nodes": nodes(6), "outlier": true, "health": health });
    let mut story = Story::new("one of six does much worse", 41, config);
    story.maintain();
    reports(&mut story, "abcdef", &|id| if id == 'c' { 5 } else { 0 });
    story.wait(10 * S).look(&POOL, &figures).picks(8);
    story.wait(14 * S).look(&POOL, &figures).wait(17 * S).look(&POOL, &figures).picks(8);
    list.push(story.end());

    let config = json!({ "nodes": nodes(3), "outlier": true, "health": health });
    let mut story = Story::new("all fail, one is ejected, the last stays", 42, config);
    reports(&mut story, "abc", &|_| 9);
    for _ in 0..4 {
        story.wait(2 * S).look(&POOL, &figures);
    }
    story.picks(4);
    list.push(story.end());
    list
}

pub fn panic() -> Vec<Value> {
    let mut list = Vec::new();
    for (seed, mode) in [(51, "fail"), (52, "spread")] {
        let config = json!({ "strategy": "round_robin", "nodes": nodes(10), "panic": { "mode": mode } });
        let mut story = Story::new(&format!("ten nodes, {mode}"), seed, config);
        for (at, id) in "abcdefghij".chars().enumerate() {
            for _ in 0..3 {
                story.report(&id.to_string(), failure());
            }
            if at == 4 || at == 5 || at == 9 {
                story.look(&["available", "panic"], &["health"]).picks(10);
            }
        }
        for _ in 0..2 {
            for id in "cdefghij".chars() {
                story.report(&id.to_string(), success());
            }
        }
        story.look(&["available", "panic"], &["health"]).picks(10);
        list.push(story.end());
        let mut story = Story::new(
            &format!("two nodes, {mode}"),
            seed + 10,
            json!({ "nodes": nodes(2), "panic": { "mode": mode } }),
        );
        for id in ["a", "b"] {
            for _ in 0..3 {
                story.report(id, failure());
            }
            story.look(&["available", "panic"], &["health"]).picks(4);
        }
        story.report("a", success()).look(&["available", "panic"], &["health"]).picks(4);
        list.push(story.end());
    }
    list
}
