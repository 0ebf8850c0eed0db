//! Vectors of traffic that is shared otherwise than by a strategy alone: tiers, zones, splits, warm-ups.

use serde_json::{Value, json};

use super::story::{S, Story, failure, node, nodes, success};

const TIERS: [&str; 4] = ["tier", "tier_shares", "failovers", "available"];

fn down(story: &mut Story, id: &str) {
    for _ in 0..3 {
        story.report(id, failure());
    }
}

fn up(story: &mut Story, id: &str) {
    for _ in 0..2 {
        story.report(id, success());
    }
}

pub fn tiers() -> Vec<Value> {
    let mut list = Vec::new();
    let members: Vec<Value> = ["a", "b", "c", "d"].iter().map(|id| node(id, json!({}))).collect();
    let members = [
        members,
        vec![node("e", json!({ "tier": 1 })), node("f", json!({ "tier": 1 })), node("g", json!({ "tier": 2 }))],
    ]
    .concat();

    let mut story = Story::new("spills down at once, comes back after 30 s", 61, json!({ "nodes": members }));
    story.look(&TIERS, &["tier"]).picks(10);
    for id in ["a", "b", "c", "d"] {
        down(&mut story, id);
        story.look(&TIERS, &["available"]).picks(20);
    }
    down(&mut story, "e");
    down(&mut story, "f");
    story.look(&TIERS, &["available"]).picks(10);
    for id in ["a", "b", "c", "d", "e", "f"] {
        up(&mut story, id);
    }
    for _ in 0..8 {
        story.look(&TIERS, &[]).picks(5).wait(5 * S);
    }
    list.push(story.end());

    let mut story = Story::new("by hand", 62, json!({ "nodes": members, "strategy": "round_robin" }));
    story.picks(4).call("failover", json!({ "node": "e" })).look(&TIERS, &[]).picks(4);
    story.call("failover", json!({ "node": "g" })).look(&TIERS, &[]).picks(4);
    story.call("reset_failover", json!({})).look(&TIERS, &[]).picks(4).call("reset_failover", json!({}));
    list.push(story.end());

    let three: Vec<Value> = (0..5).map(|tier| node(&format!("t{tier}"), json!({ "tier": tier }))).collect();
    let mut story =
        Story::new("a request tries so many tiers", 63, json!({ "nodes": three, "tiers": { "max_attempts": 2 } }));
    let without = |ids: &[&str]| json!({ "exclude": ids });
    story.pick(without(&["t0"])).pick(without(&["t0", "t1"])).pick(without(&["t0", "t1", "t2"]));
    list.push(story.end());

    let mut story = Story::new(
        "keys stay in their tier",
        64,
        json!({ "strategy": { "name": "maglev", "table_size": 251 }, "nodes": members }),
    );
    down(&mut story, "a");
    down(&mut story, "b");
    story.look(&TIERS, &[]);
    for i in 0..40 {
        story.pick(json!({ "key": format!("user-{}", i % 20) }));
    }
    list.push(story.end());
    list
}

pub fn zones() -> Vec<Value> {
    let members: Vec<Value> = ["a1", "a2", "b1", "b2"].iter().map(|id| node(id, json!({ "zone": id[..1] }))).collect();
    let mut list = Vec::new();
    let mut story =
        Story::new("near nodes first, the rest spills", 71, json!({ "nodes": members, "zones": { "zone": "a" } }));
    story.maintain().picks(8);
    for zone in ["b", "mars"] {
        for _ in 0..8 {
            story.pick(json!({ "zone": zone }));
        }
    }
    down(&mut story, "a1");
    story.maintain().picks(20);
    down(&mut story, "a2");
    story.maintain().picks(8);
    list.push(story.end());

    let mut story = Story::new("zones off", 72, json!({ "nodes": members, "strategy": "round_robin" }));
    for _ in 0..8 {
        story.pick(json!({ "zone": "a" }));
    }
    list.push(story.end());
    list
}

pub fn splits() -> Vec<Value> {
    let of = |id: &str, version: &str| node(id, json!({ "labels": { "version": version } }));
    let members = vec![of("a", "v1"), of("b", "v1"), of("c", "v2"), of("d", "v3")];
    let splits =
        json!([{ "labels": { "version": "v2" }, "share": 0.2 }, { "labels": { "version": "v3" }, "share": 0.1 }]);
    let mut list = Vec::new();
    let mut story = Story::new("a fifth and a tenth", 81, json!({ "nodes": members, "splits": splits }));
    story.picks(100);
    for i in 0..40 {
        story.pick(json!({ "key": format!("user-{}", i % 20) }));
    }
    // Better another version than none.
    down(&mut story, "c");
    story.maintain().picks(20);
    list.push(story.end());
    list
}

pub fn slow_start() -> Vec<Value> {
    let mut list = Vec::new();
    for (seed, name, strategy) in [
        (91, "round_robin", json!("round_robin")),
        (92, "p2c", json!("p2c")),
        (93, "maglev", json!({ "name": "maglev", "table_size": 251 })),
    ] {
        let config = json!({ "strategy": strategy, "nodes": nodes(2), "slow_start": { "duration_ms": 20_000 } });
        let mut story = Story::new(&format!("a newcomer warms up, {name}"), seed, config);
        story.look(&["available"], &["warming"]).call("register", json!({ "node": node("c", json!({})) }));
        for i in 0..6 {
            story.look(&["available"], &["warming"]);
            for k in 0..15 {
                story.pick(json!({ "key": format!("user-{}", (i * 7 + k) % 20) }));
            }
            story.wait(4 * S);
        }
        list.push(story.end());
    }
    let config =
        json!({ "nodes": nodes(2), "slow_start": { "duration_ms": 20_000, "aggression": 2.0, "min_weight": 0.2 } });
    let mut story = Story::new("back from being down, and undrained", 94, config);
    down(&mut story, "a");
    story.look(&["available"], &["warming"]);
    up(&mut story, "a");
    story.look(&["available"], &["warming"]).wait(5 * S).look(&["available"], &["warming"]).picks(10);
    story.at("drain", json!({ "node": "b", "on": true })).picks(2).at("drain", json!({ "node": "b", "on": false }));
    story.look(&["available"], &["warming"]).picks(10).wait(20 * S).look(&["available"], &["warming"]).picks(10);
    list.push(story.end());
    list
}
