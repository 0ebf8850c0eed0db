//! The tables, told to people and to editors: `docs/configuration.md` and `docs/loadwise.schema.json`.

use std::fmt::Write;

use super::super::nodes::NODE;
use super::super::strategy::{CHAIN_MAX, STRATEGIES, StrategyConfig};
use super::super::value::{Kind, Value};
use super::super::{
    AdaptiveLimitConfig, AffinityConfig, BreakerConfig, ChecksConfig, HealthConfig, OutlierConfig, PanicConfig,
    PoolConfig, QuotaLimit, RetryConfig, SlowStartConfig, SplitConfig, StatsConfig, TiersConfig, ZonesConfig,
};
use super::{Key, Section, Shape};
use crate::vocabulary::limits::Limits;
use crate::vocabulary::node::NodeSpec;

/// What the documentation says of a value that has a form of its own.
pub(in super::super) struct Row {
    pub kind: &'static str,
    pub default: &'static str,
    pub range: &'static str,
}

const INTRODUCTION: &str = include_str!("introduction.md");

/// The documentation of all keys: the text of `docs/configuration.md`.
pub fn markdown() -> String {
    let mut out = INTRODUCTION.to_owned();
    section(&mut out, "The pool", PoolConfig::KEYS, &PoolConfig::default());
    section(&mut out, "`nodes`", NODE, &NodeSpec::new(""));
    keyed::<HealthConfig>(&mut out, "health");
    keyed::<ChecksConfig>(&mut out, "checks");
    keyed::<BreakerConfig>(&mut out, "breaker");
    keyed::<OutlierConfig>(&mut out, "outlier");
    keyed::<PanicConfig>(&mut out, "panic");
    keyed::<TiersConfig>(&mut out, "tiers");
    keyed::<ZonesConfig>(&mut out, "zones");
    keyed::<SlowStartConfig>(&mut out, "slow_start");
    keyed::<SplitConfig>(&mut out, "splits");
    keyed::<AffinityConfig>(&mut out, "affinity");
    keyed::<AdaptiveLimitConfig>(&mut out, "adaptive_limit");
    keyed::<QuotaLimit>(&mut out, "quotas");
    keyed::<RetryConfig>(&mut out, "retry");
    keyed::<StatsConfig>(&mut out, "stats");
    keyed::<Limits>(&mut out, "limits");
    out.push_str("\n## `strategy`\n\n| name | also | chooses |\n|---|---|---|\n");
    for entry in STRATEGIES {
        let aliases: Vec<_> = entry.aliases.iter().map(|a| format!("`{a}`")).collect();
        line(&mut out, format_args!("| `{}` | {} | {} |", entry.name, aliases.join(", "), entry.doc));
    }
    // The first key is the name itself.
    for entry in STRATEGIES.iter().filter(|e| e.keys.len() > 1) {
        section(
            &mut out,
            &format!("`strategy: {{name: {}}}`", entry.name),
            entry.keys.get(1..).unwrap_or_default(),
            &entry.default.into(),
        );
    }
    out
}

/// A JSON Schema (draft 7, which editors know) of a configuration: the text of `docs/loadwise.schema.json`.
///
/// It says what one key can say alone; the engine also checks what only several can, such as duplicate ids.
pub fn json_schema() -> String {
    let definition = |name| Value::map([("$ref", Value::from(format!("#/definitions/{name}")))]);
    let any = |forms: Vec<Value>| Value::map([("anyOf", Value::list(forms))]);
    let id = NODE.iter().find(|k| k.name == "id").map_or_else(Value::null, |k| k.json(&NodeSpec::new("")));
    let chain = Value::map([
        ("type", Value::from("array")),
        ("minItems", Value::from(1)),
        ("maxItems", Value::from(CHAIN_MAX as u64)),
        ("items", definition("strategy")),
    ]);
    let names = STRATEGIES.iter().flat_map(|e| e.aliases.iter().chain([&e.name])).map(|name| Value::from(*name));
    let mut strategies = vec![Value::map([("enum", Value::list(names))])];
    strategies.extend(STRATEGIES.iter().map(|entry| {
        let mut object = object(entry.keys, &StrategyConfig::from(entry.default), &["name"]);
        let names = entry.aliases.iter().chain([&entry.name]).map(|name| Value::from(*name));
        replace(&mut object, "name", Value::map([("enum", Value::list(names))]));
        with(object, "description", Value::from(entry.doc))
    }));
    let mut schema = Value::map([
        ("$schema", Value::from("http://json-schema.org/draft-07/schema#")),
        ("title", Value::from("loadwise pool configuration")),
    ]);
    if let (Kind::Map(to), Kind::Map(from)) =
        (&mut schema.kind, object(PoolConfig::KEYS, &PoolConfig::default(), &[]).kind)
    {
        to.extend(from);
    }
    let definitions = Value::map([
        ("node", any(vec![id, object(NODE, &NodeSpec::new(""), &["id"])])),
        ("strategy", any(strategies)),
        ("strategies", any(vec![definition("strategy"), chain])),
    ]);
    with(schema, "definitions", definitions).to_json() + "\n"
}

/// The JSON Schema of a map of these keys.
pub(in super::super) fn object<T>(keys: &[Key<T>], default: &T, required: &[&str]) -> Value {
    let properties = Value::map(keys.iter().map(|key| (key.name, key.json(default))));
    let object = Value::map([
        ("type", Value::from("object")),
        ("additionalProperties", Value::from(false)),
        ("properties", properties),
    ]);
    if required.is_empty() {
        return object;
    }
    with(object, "required", Value::list(required.iter().map(|name| Value::from(*name))))
}

impl<T> Key<T> {
    fn json(&self, default: &T) -> Value {
        let typed = |kind: &str| Value::map([("type", Value::from(kind))]);
        let bounded = |kind, min: Value, max: Value| with(with(typed(kind), "minimum", min), "maximum", max);
        let (json, default) = match &self.shape {
            Shape::Int { min, max, get, .. } => {
                (bounded("integer", Value::from(*min), Value::from(*max)), get(default).map(Value::from))
            }
            Shape::Float { min, max, get, .. } => {
                (bounded("number", Value::from(*min), Value::from(*max)), get(default).map(Value::from))
            }
            Shape::Bool { get, .. } => (typed("boolean"), Some(Value::from(get(default)))),
            Shape::Word { words, get, .. } => {
                let words = Value::list(words.iter().map(|word| Value::from(*word)));
                (Value::map([("enum", words)]), get(default).map(Value::from))
            }
            // Characters are at most as many as bytes; the engine counts bytes.
            Shape::Text { min, max, .. } => {
                let json = with(typed("string"), "minLength", Value::from(*min as u64));
                let json = with(json, "maxLength", Value::from(*max as u64));
                (with(json, "pattern", Value::from(r"^[^\u0000-\u001f\u007f-\u009f]*$")), None)
            }
            Shape::Own(form) => (form.json(), None),
        };
        let json = with(json, "description", Value::from(self.doc));
        match default {
            Some(default) => with(json, "default", default),
            None => json,
        }
    }

    /// Type, default and range as the documentation shows them.
    fn row(&self, default: &T) -> [String; 3] {
        let shown = |default: Option<String>| default.map_or_else(|| "unset".to_owned(), |d| format!("`{d}`"));
        match &self.shape {
            Shape::Int { min, max, get, .. } => {
                ["integer".to_owned(), shown(get(default).map(|d| d.to_string())), format!("{min} to {max}")]
            }
            Shape::Float { min, max, get, .. } => {
                ["number".to_owned(), shown(get(default).map(|d| d.to_string())), format!("{min} to {max}")]
            }
            Shape::Bool { get, .. } => ["bool".to_owned(), shown(Some(get(default).to_string())), String::new()],
            Shape::Word { words, get, .. } => {
                let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
                ["text".to_owned(), shown(get(default).map(str::to_owned)), words.join(", ")]
            }
            Shape::Text { min: 0, max, .. } => ["text".to_owned(), "unset".to_owned(), format!("at most {max} bytes")],
            Shape::Text { min, max, .. } => ["text".to_owned(), "required".to_owned(), format!("{min} to {max} bytes")],
            Shape::Own(form) => {
                let row = form.row();
                [row.kind, row.default, row.range].map(str::to_owned)
            }
        }
    }
}

fn keyed<S: Section>(out: &mut String, name: &str) {
    section(out, &format!("`{name}`"), S::KEYS, &S::default());
}

fn section<T>(out: &mut String, title: &str, keys: &[Key<T>], default: &T) {
    line(
        out,
        format_args!("\n## {title}\n\n| key | type | default | unit | range | meaning |\n|---|---|---|---|---|---|"),
    );
    for key in keys {
        let [kind, default, range] = key.row(default);
        line(out, format_args!("| `{}` | {kind} | {default} | {} | {range} | {} |", key.name, key.unit, key.doc));
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}

/// `map` with one more entry.
fn with(mut map: Value, name: &str, value: Value) -> Value {
    if let Kind::Map(entries) = &mut map.kind {
        entries.push((super::super::value::Key { name: name.to_owned(), line: 0 }, value));
    }
    map
}

/// Puts another schema for the property `name` of an object's schema.
fn replace(object: &mut Value, name: &str, schema: Value) {
    let Kind::Map(entries) = &mut object.kind else { return };
    for (_, properties) in entries.iter_mut().filter(|(key, _)| key.name == "properties") {
        let Kind::Map(properties) = &mut properties.kind else { continue };
        if let Some((_, property)) = properties.iter_mut().find(|(key, _)| key.name == name) {
            *property = schema;
            return;
        }
    }
}
