//! What a configuration says that a pool which exists already does not do.

use super::config::{Kind, PoolConfig, Value};
use crate::pool::Pool;

/// One key in which the configuration of whoever attached to a shared pool differs from the one in force, which stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub pool: String,
    /// As `health.failure_threshold` or `nodes.10.0.0.1:80.weight`; nodes go by their ids.
    pub key: String,
    /// What whoever attached has, as JSON in a line; empty if nothing.
    pub configured: String,
    /// What is in force.
    pub in_force: String,
}

impl Difference {
    /// The same as data, with both sides as they are in a configuration, and null for nothing.
    pub fn to_value(&self) -> Value {
        let side = |json: &str| if json.is_empty() { Value::null() } else { Value::parse(json).unwrap_or(json.into()) };
        Value::map([
            ("pool", Value::from(self.pool.as_str())),
            ("key", self.key.as_str().into()),
            ("configured", side(&self.configured)),
            ("in_force", side(&self.in_force)),
        ])
    }
}

impl Pool {
    /// What the configuration that this process attached with says otherwise than the one in force: attaching to a shared
    /// pool never changes it. [`reload`](Self::reload) does.
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// In what `config` differs from what is in force.
    pub(crate) fn differences_to(&self, config: &PoolConfig) -> Vec<Difference> {
        let mut found = Vec::new();
        let (mine, theirs) = (self.settled(config).to_value(), self.config_in_force().to_value());
        compare("", Some(&mine), Some(&theirs), &mut |key, configured, in_force| {
            found.push(Difference { pool: self.name().to_owned(), key, configured, in_force });
        });
        found
    }
}

fn compare(key: &str, mine: Option<&Value>, theirs: Option<&Value>, found: &mut impl FnMut(String, String, String)) {
    let text = |value: Option<&Value>| value.map_or_else(String::new, Value::to_json_line);
    match (mine.map(|v| &v.kind), theirs.map(|v| &v.kind)) {
        (Some(Kind::Map(a)), Some(Kind::Map(b))) => {
            let names = a.iter().map(|(key, _)| &key.name);
            let others = b.iter().map(|(key, _)| &key.name).filter(|name| a.iter().all(|(key, _)| key.name != **name));
            for name in names.chain(others).filter(|name| name.as_str() != "user_data") {
                let below = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                compare(&below, mine.and_then(|v| v.get(name)), theirs.and_then(|v| v.get(name)), found);
            }
        }
        (Some(Kind::List(a)), Some(Kind::List(b))) if key == "nodes" => {
            for (id, node) in a.iter().filter_map(by_id) {
                let other = b.iter().filter_map(by_id).find(|(other, _)| *other == id);
                compare(&format!("nodes.{id}"), Some(node), other.map(|(_, node)| node), found);
            }
            for (id, node) in b.iter().filter_map(by_id) {
                if a.iter().filter_map(by_id).all(|(other, _)| other != id) {
                    compare(&format!("nodes.{id}"), None, Some(node), found);
                }
            }
        }
        (a, b) if a == b => {}
        _ => found(key.to_owned(), text(mine), text(theirs)),
    }
}

fn by_id(node: &Value) -> Option<(&str, &Value)> {
    match &node.get("id")?.kind {
        Kind::Text(id) => Some((id, node)),
        _ => None,
    }
}
