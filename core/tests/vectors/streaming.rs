//! Vectors of streamed answers, whose first tokens count as their latencies.

use serde_json::{Value, json};

use super::scenarios::MS;
use super::story::{Story, nodes};

const NODE: [&str; 4] = ["latency_ewma_ms", "max_in_flight", "in_flight", "successes"];

pub fn first_token() -> Vec<Value> {
    let mut list = Vec::new();
    for (seed, name, config) in [
        (151, "peak_ewma", json!({ "strategy": { "name": "peak_ewma", "decay_ms": 2000 } })),
        (152, "adaptive", json!({ "strategy": "adaptive" })),
        (153, "limits that adapt", json!({ "adaptive_limit": { "initial": 4, "min": 1, "max": 9 } })),
        (154, "no latencies at all", json!({ "strategy": "p2c", "stats": { "latency": "off" } })),
    ] {
        let mut config = config;
        config["nodes"] = json!(nodes(3));
        config["lease_timeout_ms"] = json!(20_000);
        if config["stats"].is_null() {
            config["stats"] = json!({ "latency": "nodes" });
        }
        let mut story = Story::new(&format!("first tokens, {name}"), seed, config);
        // Those that are streaming and the last few that have ended, by name.
        let (mut open, mut ended): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        for i in 0..160 {
            let step = story.dice.below(200) * MS;
            story.wait(step);
            let at = story.dice.below(open.len().max(1) as u64) as usize;
            match story.dice.below(10) {
                0..=3 => {
                    let name = format!("s{i}");
                    story.at("pick", json!({ "as": name }));
                    open.push(name);
                }
                4..=6 if at < open.len() => {
                    story.at("first_token", json!({ "pick": open[at] }));
                }
                7..=8 if at < open.len() => {
                    let name = open.swap_remove(at);
                    let mut outcome = match story.dice.below(5) {
                        0 => json!({ "kind": "failure", "failure": "reset" }),
                        1 => json!({ "kind": "cancelled" }),
                        2 => json!({ "kind": "success", "latency_ns": 3000 * MS }),
                        _ => json!({ "kind": "success" }),
                    };
                    outcome["now_ns"] = json!(story.now);
                    story.call("finish", json!({ "pick": name, "outcome": outcome }));
                    ended.push(name);
                }
                _ => {
                    if let Some(name) = ended.last() {
                        story.at("first_token", json!({ "pick": name }));
                    }
                }
            }
            if i % 20 == 19 {
                story.look(&["in_flight"], &NODE);
            }
        }
        list.push(story.end());
    }
    list
}
