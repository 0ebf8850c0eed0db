//! Vectors of attempts after the first, and of single settings.

use serde_json::{Value, json};

use super::scenarios::MS;
use super::story::{S, Story, nodes, success};

const KINDS: [&str; 4] = ["connect", "timeout", "reset", "server_error"];
const IDS: [&str; 4] = ["a", "b", "c", "d"];
const POOL: [&str; 4] = ["selections", "retries", "retries_denied", "in_flight"];

fn refused() -> Value {
    json!({ "kind": "failure", "failure": "connect" })
}

pub fn retries() -> Vec<Value> {
    let mut list = Vec::new();

    let mut story = Story::new("attempts end in all ways", 91, json!({ "nodes": nodes(4) }));
    for i in 0..120 {
        let mut ending = match story.dice.below(8) {
            0 => json!({ "kind": "success" }),
            1 => json!({ "kind": "cancelled" }),
            2 => json!({ "kind": "rate_limited", "retry_after_ns": S }),
            3 => json!({ "kind": "failure" }),
            at => json!({ "kind": "failure", "failure": KINDS[at as usize - 4] }),
        };
        ending["now_ns"] = json!(story.now);
        let mut fields = json!({ "outcome": ending, "attempt": 1 + story.dice.below(3) });
        if story.dice.below(2) == 0 {
            fields["idempotent"] = json!(true);
        }
        if story.dice.below(3) == 0 {
            fields["sent"] = json!(false);
        }
        if i % 3 == 0 {
            story.call("retry", fields);
        } else {
            let tried = story.dice.below(4) as usize;
            fields["exclude"] = json!([IDS[tried]]);
            story.hold_by("pick_again", fields).wait(100 * MS);
            if story.held() > 3 {
                story.end_oldest(success());
            }
        }
    }
    story.look(&POOL, &["selections", "in_flight"]);
    list.push(story.end());

    let retry = json!({ "budget_share": 0, "budget_min_per_s": 1, "budget_window_ms": 10_000 });
    let mut story =
        Story::new("a retry that finds no node costs nothing", 92, json!({ "nodes": nodes(1), "retry": retry }));
    let mut again = json!({ "outcome": refused(), "attempt": 1, "exclude": ["a"] });
    again["outcome"]["now_ns"] = json!(story.now);
    for _ in 0..20 {
        story.at("pick_again", again.clone());
    }
    story.call("register", json!({ "node": { "id": "b" } }));
    for _ in 0..12 {
        story.at("pick_again", again.clone());
    }
    story.look(&POOL, &[]);
    list.push(story.end());

    // A fifth of the requests, and no less than two a second.
    let retry = json!({ "budget_share": 0.2, "budget_min_per_s": 2, "budget_window_ms": 5_000, "max_attempts": 5 });
    let mut story = Story::new("retries have a budget", 93, json!({ "nodes": nodes(3), "retry": retry }));
    for i in 0..150 {
        story.request(json!({}), success()).wait(60 * MS);
        if i % 2 == 0 {
            let outcome = json!({ "kind": "failure", "failure": "connect", "now_ns": story.now });
            story.call("retry", json!({ "outcome": outcome, "attempt": 1 + i % 4 }));
        }
    }
    story.look(&POOL, &[]);
    list.push(story.end());
    list
}

pub fn settings() -> Vec<Value> {
    let config = json!({
        "nodes": nodes(3),
        "strategy": [{ "name": "maglev", "table_size": 251 }, "round_robin"],
        "breaker": { "open_ms": 7000 },
        "quotas": [{ "dimension": "rpm", "limit": 1000, "window_ms": 60_000 }],
    });
    let mut story = Story::new("one setting at a time", 94, config);
    story.call("set_weight", json!({ "node": "b", "weight": 8 }));
    for key in [
        "retry.max_attempts",
        "retry",
        "strategy[0].table_size",
        "strategy[1].name",
        "breaker.open_ms",
        "health.min_success_rate",
        "outlier",
        "quotas[0].dimension",
        "nodes[1].weight",
        "nodes[2].labels.n",
        "seed",
    ] {
        story.call("setting", json!({ "key": key }));
    }
    vec![story.end()]
}
