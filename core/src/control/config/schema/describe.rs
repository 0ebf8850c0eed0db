//! The tables, told to people and to editors: `docs/configuration.md` and `docs/loadwise.schema.json`.

use std::fmt::Write;

use super::super::engine::ENGINE;
use super::super::nodes::NODE;
use super::super::pool::PoolConfig;
use super::super::strategy::{CHAIN_MAX, Entry, STRATEGIES, StrategyConfig};
use super::super::value::{Kind, Value};
use super::{Key, Section, Shape};
use crate::control::config::EngineConfig;
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
    table(&mut out, "The pool", "", PoolConfig::KEYS, &PoolConfig::default(), &[]);
    for key in PoolConfig::KEYS {
        if let Shape::Own(form) = &key.shape {
            out.extend(form.section(key.name, key.doc));
        }
    }
    out
}

/// The chapter about all strategies.
pub(in super::super) fn strategies(doc: &str) -> String {
    let mut out = format!("\n## `strategy`\n\n{doc}\n\n| name | also | chooses |\n|---|---|---|\n");
    for entry in STRATEGIES {
        let aliases: Vec<_> = entry.aliases.iter().map(|a| format!("`{a}`")).collect();
        line(&mut out, format_args!("| `{}` | {} | {} |", entry.name, aliases.join(", "), entry.doc));
    }
    // The first key is the name itself.
    for entry in STRATEGIES.iter().filter(|e| e.keys.len() > 1) {
        let title = format!("`strategy: {{name: {}}}`", entry.name);
        table(&mut out, &title, "", entry.keys.get(1..).unwrap_or_default(), &entry.default.into(), &[]);
    }
    out
}

/// The chapter about the keys within a key.
pub(in super::super) fn section<T>(key: &str, doc: &str, keys: &[Key<T>], default: &T, required: &[&str]) -> String {
    let mut out = String::new();
    table(&mut out, &format!("`{key}`"), doc, keys, default, required);
    out
}

/// A JSON Schema (draft 7, which editors know) of a configuration: the text of `docs/loadwise.schema.json`.
///
/// It says what one key can say alone; the engine also checks what only several can, such as duplicate ids.
pub fn json_schema() -> String {
    let definition = |name| Value::map([("$ref", Value::from(format!("#/definitions/{name}")))]);
    let any = |forms: Vec<Value>| Value::map([("anyOf", Value::list(forms))]);
    let node = object(NODE, &NodeSpec::new(""), &["id"]);
    let id = node.get("properties").and_then(|keys| keys.get("id")).cloned().unwrap_or_else(Value::null);
    let chain = Value::map([
        ("type", Value::from("array")),
        ("minItems", Value::from(1)),
        ("maxItems", Value::from(CHAIN_MAX as u64)),
        ("items", definition("strategy")),
    ]);
    let mut strategies = vec![names(STRATEGIES)];
    strategies.extend(STRATEGIES.iter().map(|entry| {
        let mut object = object(entry.keys, &StrategyConfig::from(entry.default), &["name"]);
        replace(&mut object, "name", names(std::slice::from_ref(entry)));
        with(object, "description", Value::from(entry.doc))
    }));
    let definitions = Value::map([
        ("pool", object(PoolConfig::KEYS, &PoolConfig::default(), &[])),
        ("engine", object(ENGINE, &EngineConfig::default(), &["pools"])),
        ("node", any(vec![id, node])),
        ("strategy", any(strategies)),
        ("strategies", any(vec![definition("strategy"), chain])),
    ]);
    let schema = Value::map([
        ("$schema", Value::from("http://json-schema.org/draft-07/schema#")),
        ("title", Value::from("loadwise configuration: a pool, or pools by name")),
        ("if", Value::map([("required", Value::list([Value::from("pools")]))])),
        ("then", definition("engine")),
        ("else", definition("pool")),
        ("definitions", definitions),
    ]);
    schema.to_json() + "\n"
}

/// One of the names of these strategies.
fn names(entries: &[Entry]) -> Value {
    let names = entries.iter().flat_map(|e| e.aliases.iter().chain([&e.name])).map(|name| Value::from(*name));
    Value::map([("enum", Value::list(names))])
}

/// The JSON Schema of a map of these keys.
pub(in super::super) fn object<T>(keys: &[Key<T>], default: &T, required: &[&str]) -> Value {
    let properties = Value::map(keys.iter().map(|key| {
        let default = (!required.contains(&key.name)).then_some(default);
        (key.name, key.json(default))
    }));
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
    fn json(&self, default: Option<&T>) -> Value {
        let typed = |kind: &str| Value::map([("type", Value::from(kind))]);
        let bounded = |kind, min: Value, max: Value| with(with(typed(kind), "minimum", min), "maximum", max);
        let json = match &self.shape {
            Shape::Int { min, max, .. } => bounded("integer", Value::from(*min), Value::from(*max)),
            Shape::Float { min, max, .. } => bounded("number", Value::from(*min), Value::from(*max)),
            Shape::Bool { .. } => typed("boolean"),
            Shape::Word { words, .. } => {
                Value::map([("enum", Value::list(words.iter().map(|word| Value::from(*word))))])
            }
            // Characters are at most as many as bytes; the engine counts bytes.
            Shape::Text { min, max, .. } => {
                let json = with(typed("string"), "minLength", Value::from(*min as u64));
                let json = with(json, "maxLength", Value::from(*max as u64));
                with(json, "pattern", Value::from(r"^[^\u0000-\u001f\u007f-\u009f]*$"))
            }
            Shape::Own(form) => form.json(),
        };
        let json = with(json, "description", Value::from(self.doc));
        // What has a form of its own says so itself; an empty text is no default worth a word.
        match default.filter(|_| !matches!(self.shape, Shape::Own(_) | Shape::Text { .. })).and_then(|d| self.value(d))
        {
            Some(default) => with(json, "default", default),
            None => json,
        }
    }

    /// Type, default and range as the documentation shows them.
    fn row(&self, default: &T) -> [String; 3] {
        let (kind, range) = match &self.shape {
            Shape::Int { min, max, .. } => ("integer", format!("{min} to {max}")),
            Shape::Float { min, max, .. } => ("number", format!("{min} to {max}")),
            Shape::Bool { .. } => ("bool", String::new()),
            Shape::Word { words, .. } => {
                ("text", words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "))
            }
            Shape::Text { min: 0, max, .. } => ("text", format!("at most {max} bytes")),
            Shape::Text { min, max, .. } => ("text", format!("{min} to {max} bytes")),
            Shape::Own(form) => {
                let row = form.row();
                return [row.kind, row.default, row.range].map(str::to_owned);
            }
        };
        let default = match self.value(default).filter(|_| !matches!(self.shape, Shape::Text { .. })) {
            Some(default) => format!("`{}`", default.scalar_text().unwrap_or_default()),
            None => "unset".to_owned(),
        };
        [kind.to_owned(), default, range]
    }
}

fn table<T>(out: &mut String, title: &str, doc: &str, keys: &[Key<T>], default: &T, required: &[&str]) {
    line(out, format_args!("\n## {title}\n"));
    if !doc.is_empty() {
        line(out, format_args!("{doc}\n"));
    }
    line(out, format_args!("| key | type | default | unit | range | meaning |\n|---|---|---|---|---|---|"));
    for key in keys {
        let [kind, default, range] = key.row(default);
        let default = if required.contains(&key.name) { "required" } else { &default };
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
