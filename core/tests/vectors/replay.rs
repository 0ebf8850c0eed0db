//! Runs a scenario against the engine, comparing each expectation or writing it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use loadwise::config::{Kind, PoolConfig, Value as Native};
use loadwise::strategy::{ConsistentHash, LeastLoad, RoundRobin, WeightedRoundRobin};
use loadwise::{
    Again, ConsecutiveFailurePolicy, FailureKind, HealthTracker, Lease, Load, LoadMetric, NoNode, Node, NodeSpec,
    Outcome, Pool, Report, Request, Retry, RetryAsk, SelectionContext, Strategy, Weighted,
};
use serde_json::{Value, json};

#[derive(Clone, Copy)]
pub enum Mode<'a> {
    Write,
    Check(&'a Path),
}

/// Runs the scenario; how many expectations there were.
pub fn run(scenario: &mut Value, mode: Mode<'_>) -> usize {
    let name = scenario["name"].as_str().expect("a scenario has a name").to_owned();
    let mut expectations = 0;
    let mut meet = |at: usize, call: &mut Value, got: Value| {
        expectations += 1;
        match mode {
            Mode::Write => call["expect"] = got,
            Mode::Check(path) => assert_eq!(call["expect"], got, "{}: {name}: call {at}: {call}", path.display()),
        }
    };
    if !scenario["pool"].is_null() {
        let pool = make_pool(&scenario["pool"]);
        let mut held = HashMap::new();
        for (at, call) in scenario["calls"].as_array_mut().expect("calls").iter_mut().enumerate() {
            if let Some(got) = call_pool(&pool, &mut held, call) {
                meet(at, call, got);
            }
        }
    } else if !scenario["tracker"].is_null() {
        let tracker = HealthTracker::<String>::new(
            ConsecutiveFailurePolicy::builder()
                .failure_threshold(int(&scenario["tracker"]["failure_threshold"]) as u32)
                .recovery_successes(int(&scenario["tracker"]["recovery_successes"]) as u32)
                .build(),
        );
        for (at, event) in scenario["events"].as_array_mut().expect("events").iter_mut().enumerate() {
            let id = text(&event["id"]);
            match event["event"].as_str() {
                Some("success") => tracker.report_success(&id),
                Some("failure") => tracker.report_failure(&id),
                _ => tracker.report_outcome(&id, &Outcome::RateLimited { retry_after: None }),
            }
            let status = tracker.status(&id).as_str();
            meet(at, event, json!(status));
        }
    } else {
        let strategy = own_slice_strategy(scenario["select"].as_str().expect("a strategy"));
        let mut items = read_items(&scenario["nodes"]);
        for (at, call) in scenario["calls"].as_array_mut().expect("calls").iter_mut().enumerate() {
            if !call["nodes"].is_null() {
                items = read_items(&call["nodes"]);
            }
            let exclude: Vec<usize> =
                call["exclude"].as_array().map(|e| e.iter().map(|i| int(i) as usize).collect()).unwrap_or_default();
            let ctx = SelectionContext { hash_key: call["key"].as_u64(), exclude: Some(exclude), ..Default::default() };
            let got = strategy.select(&items, &ctx);
            meet(at, call, json!(got));
        }
    }
    expectations
}

fn make_pool(config: &Value) -> Pool {
    let config = PoolConfig::from_value(&native(config)).expect("a scenario's configuration is valid");
    assert!(config.seed.is_some(), "a scenario is seeded");
    Pool::builder().config(config).build().expect("a pool")
}

fn call_pool(pool: &Pool, held: &mut HashMap<String, Lease>, call: &Value) -> Option<Value> {
    let node = || text(&call["node"]);
    match call["op"].as_str().expect("a call has an op") {
        "pick" => {
            let picked = asking(call, |request| pool.acquire(request));
            return Some(picked.map_or_else(|none| refused(call, none), |lease| taken(pool, held, call, lease)));
        }
        "retry" => return Some(retried(pool.retry(&ask(call)))),
        "pick_again" => {
            return Some(match asking(call, |request| pool.pick_again(request, &ask(call))) {
                Ok(Again::Pick(pick, wait)) => {
                    let mut told = taken(pool, held, call, pick.into_lease());
                    told["after_ns"] = retried(Retry::After(wait))["after_ns"].clone();
                    told
                }
                Ok(Again::GiveUp(why)) => retried(Retry::GiveUp(why)),
                Err(none) => refused(call, none),
            });
        }
        "setting" => {
            let setting = pool.setting(&text(&call["key"])).expect("a setting");
            return Some(serde_json::from_str(&setting.to_json()).expect("settings are JSON"));
        }
        "finish" => {
            // A pick that found no node has nothing to finish.
            let lease = held.get(call["pick"].as_str().expect("the name of a pick"));
            let usage = amounts(&call["outcome"]["usage"]);
            let report = report(&call["outcome"]).usage(&usage);
            return Some(json!(lease.is_some_and(|lease| pool.release(lease.ticket, report).is_ok())));
        }
        "first_token" => {
            let lease = held.get(call["pick"].as_str().expect("the name of a pick"));
            let noted = lease.map(|lease| pool.first_token_at(lease.ticket, int(&call["now_ns"])));
            return Some(json!(matches!(noted, Some(Ok(true)))));
        }
        "report" => return Some(json!(pool.report(&node(), report(&call["outcome"])).expect("a known node"))),
        "report_load" => {
            let figure = |name: &str| call[name].as_f64();
            let load = Load {
                load: figure("load"),
                remaining_ratio: figure("remaining_ratio"),
                requests_per_s: figure("requests_per_s"),
                utilization: figure("utilization"),
                errors_per_s: figure("errors_per_s"),
                now_ns: call["now_ns"].as_u64(),
            };
            pool.report_load(&node(), load).expect("a known node");
        }
        "set_nodes" => pool.set_nodes(specs(&call["nodes"])).expect("valid nodes"),
        "register_batch" => drop(pool.register_batch(specs(&call["nodes"])).expect("valid nodes")),
        "register" => drop(pool.register(spec(&call["node"])).expect("a valid node")),
        "deregister" => pool.deregister(&node()).expect("a known node"),
        "set_weight" => pool.set_weight(&node(), int(&call["weight"]) as u32).expect("a known node"),
        "drain" => {
            let on = call["on"].as_bool().unwrap_or(true);
            let drained = match call["now_ns"].as_u64() {
                Some(now_ns) => pool.drain_at(&node(), on, now_ns),
                None => pool.drain(&node(), on),
            };
            drained.expect("a known node");
        }
        "affinity" => {
            let node = pool.affinity_at(text(&call["session"]), int(&call["now_ns"]));
            return Some(json!({ "node": node.map(|node| pool.id_of(node).to_string()) }));
        }
        "set_affinity" => {
            pool.set_affinity_at(text(&call["session"]), &node(), int(&call["now_ns"])).expect("a known node");
        }
        "clear_affinity" => return Some(json!(pool.clear_affinity(text(&call["session"])))),
        "rebalance" => return Some(json!(pool.rebalance_at(int(&call["now_ns"])))),
        "failover" => pool.failover(&node()).expect("a known node"),
        "reset_failover" => return Some(json!(pool.reset_failover())),
        "stats" => return Some(stats(pool, call)),
        "set_strategy" => {
            let config = json!({ "strategy": call["strategy"] });
            let config = PoolConfig::from_value(&native(&config)).expect("a valid strategy");
            pool.set_strategy(config.strategy).expect("a strategy this pool can have");
        }
        "maintain" => {
            let done = pool.maintain(int(&call["now_ns"]));
            return Some(json!({ "rebuilt": done.rebuilt, "leases_expired": done.leases_expired }));
        }
        "nodes" => {
            let shown = pool.nodes_at(int(&call["now_ns"])).into_iter().map(|n| {
                json!({ "id": n.id, "weight": n.weight, "health": n.health.as_str(), "draining": n.draining, "in_flight": n.in_flight })
            });
            return Some(Value::Array(shown.collect()));
        }
        other => panic!("unknown op {other}"),
    }
    None
}

/// Asks by the request of a call.
fn asking<R>(call: &Value, ask: impl FnOnce(&Request<'_>) -> R) -> R {
    let key = match (call["key"].as_str(), call["key_hex"].as_str()) {
        (Some(key), _) => Some(key.as_bytes().to_vec()),
        (_, Some(hex)) => {
            Some((0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex")).collect())
        }
        _ => None,
    };
    let exclude: Vec<&str> =
        call["exclude"].as_array().map(|e| e.iter().filter_map(Value::as_str).collect()).unwrap_or_default();
    let require: Vec<(&str, &str)> = call["require"]
        .as_object()
        .map(|r| r.iter().map(|(k, v)| (k.as_str(), v.as_str().expect("text"))).collect())
        .unwrap_or_default();
    let mut request =
        Request::new().exclude(&exclude).require(&require).health_mask(call["health_mask"].as_u64().unwrap_or(0) as u8);
    let cost = amounts(&call["cost"]);
    request = request.cost(&cost);
    request.key = key.as_deref();
    request.zone = call["zone"].as_str();
    request.session = call["session"].as_str().map(str::as_bytes);
    request.now_ns = call["now_ns"].as_u64();
    ask(&request)
}

fn refused(call: &Value, none: NoNode) -> Value {
    match call["times"] == true {
        true => json!({ "no_node": none.reason.as_str(), "retry_at_ns": none.retry_at_ns }),
        false => json!({ "no_node": none.reason.as_str() }),
    }
}

fn taken(pool: &Pool, held: &mut HashMap<String, Lease>, call: &Value, lease: Lease) -> Value {
    let id = pool.id_of(lease.node);
    match call["as"].as_str() {
        Some(name) => drop(held.insert(name.to_owned(), lease)),
        None => pool.release(lease.ticket, Report::cancelled()).expect("an open lease"),
    }
    json!({ "node": id.as_str() })
}

/// An attempt that has ended.
fn ask(call: &Value) -> RetryAsk {
    let report = report(&call["outcome"]);
    RetryAsk {
        idempotent: call["idempotent"].as_bool().unwrap_or(false),
        sent: call["sent"].as_bool().unwrap_or(true),
        now_ns: report.now_ns,
        ..RetryAsk::new(report.ending, int(&call["attempt"]) as u32)
    }
}

fn retried(retry: Retry) -> Value {
    match retry {
        Retry::After(wait) => json!({ "after_ns": wait.as_nanos() as u64 }),
        Retry::GiveUp(why) => json!({ "give_up": why.as_str() }),
    }
}

fn report(outcome: &Value) -> Report<'static> {
    let mut report = match outcome["kind"].as_str().expect("a kind") {
        "success" => Report::success(),
        "failure" => Report::failure(outcome["failure"].as_str().and_then(FailureKind::parse).unwrap_or_default()),
        "rate_limited" => Report::rate_limited(outcome["retry_after_ns"].as_u64().map(Duration::from_nanos)),
        _ => Report::cancelled(),
    };
    report.latency_ns = outcome["latency_ns"].as_u64();
    report.now_ns = outcome["now_ns"].as_u64();
    report
}

/// The figures that the call names, of the pool and of each node.
fn stats(pool: &Pool, call: &Value) -> Value {
    let told = pool.stats_at(int(&call["now_ns"])).to_value().to_json();
    let told: Value = serde_json::from_str(&told).expect("stats are JSON");
    let figures = |of: &Value, named: &Value| {
        let named = named.as_array().map(Vec::as_slice).unwrap_or_default();
        named
            .iter()
            .map(|name| {
                let name = text(name);
                let figure = of.get(&name).unwrap_or_else(|| panic!("no figure {name}")).clone();
                (name, figure)
            })
            .collect::<serde_json::Map<String, Value>>()
    };
    let mut all = figures(&told, &call["figures"]);
    if !call["node_figures"].is_null() {
        let of_node = |node: &Value| {
            let mut shown = figures(node, &call["node_figures"]);
            shown.insert("id".to_owned(), node["id"].clone());
            Value::Object(shown)
        };
        let nodes = told["nodes"].as_array().expect("a list of nodes");
        all.insert("nodes".to_owned(), nodes.iter().map(of_node).collect());
    }
    Value::Object(all)
}

fn amounts(map: &Value) -> Vec<(&str, u64)> {
    map.as_object().map(|m| m.iter().map(|(name, n)| (name.as_str(), int(n))).collect()).unwrap_or_default()
}

fn specs(nodes: &Value) -> Vec<NodeSpec> {
    nodes.as_array().expect("a list of nodes").iter().map(spec).collect()
}

fn spec(node: &Value) -> NodeSpec {
    let config = PoolConfig::from_value(&native(&json!({ "nodes": [node] }))).expect("a valid node");
    config.nodes.into_iter().next().expect("one node")
}

/// JSON as the bindings hand native data over.
fn native(value: &Value) -> Native {
    let kind = match value {
        Value::Null => Kind::Null,
        Value::Bool(b) => Kind::Bool(*b),
        Value::Number(n) => match n.as_i64() {
            Some(i) => return Native::from(i),
            None => return n.as_u64().map_or_else(|| Native::number(n.as_f64().unwrap_or(f64::NAN)), Native::from),
        },
        Value::String(s) => return Native::from(s.as_str()),
        Value::Array(items) => Kind::List(items.iter().map(native).collect()),
        Value::Object(map) => return Native::map(map.iter().map(|(k, v)| (k.as_str(), native(v)))),
    };
    Native::new(kind)
}

fn int(value: &Value) -> u64 {
    value.as_u64().expect("a whole number")
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

/// A node of a caller's own list.
pub struct Item {
    id: String,
    weight: u32,
    load: f64,
}

impl Node for Item {
    type Id = String;

    fn id(&self) -> &String {
        &self.id
    }
}

impl Weighted for Item {
    fn weight(&self) -> u32 {
        self.weight
    }
}

impl LoadMetric for Item {
    fn load_score(&self) -> f64 {
        self.load
    }
}

fn read_items(nodes: &Value) -> Vec<Item> {
    let item = |n: &Value| Item {
        id: text(&n["id"]),
        weight: n["weight"].as_u64().unwrap_or(1) as u32,
        load: n["load"].as_f64().unwrap_or(0.0),
    };
    nodes.as_array().expect("a list of nodes").iter().map(item).collect()
}

fn own_slice_strategy(name: &str) -> Box<dyn Strategy<Item>> {
    let mut strategies: BTreeMap<&str, Box<dyn Strategy<Item>>> = BTreeMap::new();
    strategies.insert("round_robin", Box::new(RoundRobin::new()));
    strategies.insert("weighted_round_robin", Box::new(WeightedRoundRobin::new()));
    strategies.insert("least_load", Box::new(LeastLoad));
    strategies.insert("ring_hash", Box::new(ConsistentHash::default()));
    strategies.remove(name).unwrap_or_else(|| panic!("no strategy {name} over a slice here"))
}
