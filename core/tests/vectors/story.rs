//! A scenario as it is told: calls in order, on a clock of its own.

use serde_json::{Value, json};

use super::scenarios::{Dice, MS};

pub const S: u64 = 1_000 * MS;

pub struct Story {
    name: String,
    pool: Value,
    calls: Vec<Value>,
    pub now: u64,
    pub dice: Dice,
    held: Vec<String>,
}

impl Story {
    /// Of a pool of this configuration, which the seed is added to; begins at second 1000.
    pub fn new(name: &str, seed: u64, mut pool: Value) -> Self {
        pool["seed"] = json!(seed);
        let calls = Vec::new();
        Self { name: name.to_owned(), pool, calls, now: 1000 * S, dice: Dice(seed), held: Vec::new() }
    }

    pub fn end(self) -> Value {
        json!({ "name": self.name, "pool": self.pool, "calls": self.calls })
    }

    /// Moves the clock on.
    pub fn wait(&mut self, ns: u64) -> &mut Self {
        self.now += ns;
        self
    }

    pub fn call(&mut self, op: &str, fields: Value) -> &mut Self {
        let mut call = json!({ "op": op });
        if let Some(fields) = fields.as_object() {
            fields.iter().for_each(|(key, value)| call[key] = value.clone());
        }
        self.calls.push(call);
        self
    }

    /// The same with the time of the clock.
    pub fn at(&mut self, op: &str, mut fields: Value) -> &mut Self {
        fields["now_ns"] = json!(self.now);
        self.call(op, fields)
    }

    pub fn maintain(&mut self) -> &mut Self {
        self.at("maintain", json!({}))
    }

    /// A pick that is cancelled at once.
    pub fn pick(&mut self, fields: Value) -> &mut Self {
        self.at("pick", fields)
    }

    pub fn picks(&mut self, count: u32) -> &mut Self {
        for _ in 0..count {
            self.pick(json!({}));
        }
        self
    }

    /// A pick that is held under a name; the oldest that is held goes by [`end_oldest`](Self::end_oldest).
    pub fn hold(&mut self, fields: Value) -> &mut Self {
        self.hold_by("pick", fields)
    }

    /// The same by another call that picks.
    pub fn hold_by(&mut self, op: &str, mut fields: Value) -> &mut Self {
        let name = format!("p{}", self.calls.len());
        fields["as"] = json!(name);
        self.held.push(name);
        self.at(op, fields)
    }

    pub fn held(&self) -> usize {
        self.held.len()
    }

    pub fn end_oldest(&mut self, outcome: Value) -> &mut Self {
        if self.held.is_empty() {
            return self;
        }
        let pick = self.held.remove(0);
        self.finish(&pick, outcome)
    }

    pub fn end_any(&mut self, outcome: Value) -> &mut Self {
        let at = self.dice.below(self.held.len().max(1) as u64) as usize;
        if at < self.held.len() {
            let pick = self.held.swap_remove(at);
            self.finish(&pick, outcome);
        }
        self
    }

    fn finish(&mut self, pick: &str, mut outcome: Value) -> &mut Self {
        outcome["now_ns"] = json!(self.now);
        self.call("finish", json!({ "pick": pick, "outcome": outcome }))
    }

    /// One request from its pick to its end, 10 ms later.
    pub fn request(&mut self, fields: Value, outcome: Value) -> &mut Self {
        self.hold(fields).wait(10 * MS);
        let pick = self.held.pop().unwrap_or_default();
        self.finish(&pick, outcome)
    }

    /// A request that only the node of this id may take: its label `n` is its id.
    pub fn request_of(&mut self, id: &str, outcome: Value) -> &mut Self {
        self.request(json!({ "require": { "n": id } }), outcome)
    }

    pub fn report(&mut self, id: &str, mut outcome: Value) -> &mut Self {
        outcome["now_ns"] = json!(self.now);
        self.call("report", json!({ "node": id, "outcome": outcome }))
    }

    /// Maintains and looks.
    pub fn look(&mut self, figures: &[&str], node_figures: &[&str]) -> &mut Self {
        self.maintain();
        let mut fields = json!({ "figures": figures });
        if !node_figures.is_empty() {
            fields["node_figures"] = json!(node_figures);
        }
        self.at("stats", fields)
    }
}

/// Nodes `a`, `b`, … of weight 1, each with a label `n` of its own id.
pub fn nodes(count: u8) -> Vec<Value> {
    (0..count).map(|i| node(&char::from(b'a' + i).to_string(), json!({}))).collect()
}

/// A node with a label `n` of its own id.
pub fn node(id: &str, fields: Value) -> Value {
    let mut node = json!({ "id": id, "labels": { "n": id } });
    if let Some(fields) = fields.as_object() {
        for (key, value) in fields {
            match (key.as_str(), value.as_object()) {
                ("labels", Some(labels)) => labels.iter().for_each(|(k, v)| node["labels"][k] = v.clone()),
                _ => node[key] = value.clone(),
            }
        }
    }
    node
}

pub fn success() -> Value {
    json!({ "kind": "success", "latency_ns": 10 * MS })
}

pub fn failure() -> Value {
    json!({ "kind": "failure", "failure": "server_error", "latency_ns": 10 * MS })
}
