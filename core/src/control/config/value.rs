//! A configuration as data, before anything is known of its keys: what a text is read into, and what bindings turn
//! native dicts and objects into.

use std::fmt::{self, Write};

/// How deep lists and maps may nest, in text and in native data alike: who converts native data stops there.
pub const DEPTH_MAX: usize = 64;

/// A value and where it stood.
///
/// ```
/// use loadwise::config::{PoolConfig, Value};
///
/// let value = Value::map([
///     ("strategy", Value::from("round_robin")),
///     ("nodes", Value::list([Value::map([("id", Value::from("a")), ("weight", Value::from(3))])])),
/// ]);
/// assert_eq!(PoolConfig::from_value(&value)?.nodes[0].weight, 3);
/// # Ok::<(), loadwise::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// The line in the text, from 1; 0 if the value is not from a text.
    pub line: usize,
    pub kind: Kind,
    /// How a number, a bool or a null was written, so that the label `version: 1.10` stays `1.10`.
    pub(super) written: Option<Box<str>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Null,
    Bool(bool),
    /// Wide enough for every `u64` and `i64`.
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Value>),
    /// In the order of the document. A name may stand in it twice; reading it reports that.
    Map(Vec<(Key, Value)>),
}

/// A name in a map and where it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub name: String,
    /// The line in the text, from 1; 0 if the map is not from a text.
    pub line: usize,
}

impl Value {
    /// A value that is not from a text.
    pub fn new(kind: Kind) -> Self {
        Self { line: 0, kind, written: None }
    }

    pub fn null() -> Self {
        Self::new(Kind::Null)
    }

    /// A number of a language that has only floats: a whole one up to 2⁵³ counts as an integer.
    pub fn number(number: f64) -> Self {
        Self::new(whole(number).map_or(Kind::Float(number), Kind::Int))
    }

    pub fn list(items: impl IntoIterator<Item = Value>) -> Self {
        Self::new(Kind::List(items.into_iter().collect()))
    }

    /// A map that keeps the order of its entries.
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Value)>) -> Self {
        let entries = entries.into_iter().map(|(name, value)| (Key { name: name.into(), line: 0 }, value));
        Self::new(Kind::Map(entries.collect()))
    }

    /// The same value, standing at `line`.
    pub fn at(mut self, line: usize) -> Self {
        self.line = line;
        self
    }

    /// The first value of that name, if this is a map that has one.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|(key, _)| key.name == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// What stands under a key as errors name it, as `retry.max_attempts` or `nodes[2].weight`.
    pub fn find(&self, key: &str) -> Option<&Value> {
        key.split(['.', '[']).try_fold(self, |at, step| at.step(step))
    }

    /// One step of such a key: a name, or an index that ends in a bracket.
    pub(in crate::control) fn step(&self, step: &str) -> Option<&Value> {
        match (&self.kind, step.strip_suffix(']')) {
            (Kind::List(items), Some(index)) => items.get(index.parse::<usize>().ok()?),
            _ => self.get(step),
        }
    }

    /// This value as JSON, two spaces a level. NaN and infinities, which JSON lacks, become `null`.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        write_json(&mut out, self, 0);
        out
    }

    /// The text of a scalar as its writer wrote it; `None` for null, lists and maps.
    pub(super) fn scalar_text(&self) -> Option<String> {
        match (&self.kind, &self.written) {
            (Kind::Text(text), _) => Some(text.clone()),
            (Kind::Bool(_) | Kind::Int(_) | Kind::Float(_), Some(written)) => Some(written.to_string()),
            (Kind::Bool(b), None) => Some(b.to_string()),
            (Kind::Int(i), None) => Some(i.to_string()),
            (Kind::Float(f), None) => Some(f.to_string()),
            (Kind::Null | Kind::List(_) | Kind::Map(_), _) => None,
        }
    }
}

/// What the value is, for a message: `not {value}`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.kind, &self.written) {
            (Kind::Null, _) => f.write_str("empty"),
            (Kind::Text(text), _) => write!(f, "the text {}", Quoted(text)),
            (Kind::List(_), _) => f.write_str("a list"),
            (Kind::Map(_), _) => f.write_str("a map"),
            (_, Some(written)) => write!(f, "{}", Clipped(written)),
            (Kind::Bool(b), None) => write!(f, "{b}"),
            (Kind::Int(i), None) => write!(f, "{i}"),
            (Kind::Float(float), None) => write!(f, "{float}"),
        }
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::new(Kind::Bool(b))
    }
}

impl From<f64> for Value {
    fn from(float: f64) -> Self {
        Self::new(Kind::Float(float))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::new(Kind::Text(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::new(Kind::Text(text))
    }
}

macro_rules! from_int {
    ($($int:ty),*) => {$(
        impl From<$int> for Value {
            fn from(int: $int) -> Self {
                Self::new(Kind::Int(i128::from(int)))
            }
        }
    )*};
}
from_int!(i32, u32, i64, u64);

/// `number` as an integer, if it is one that a float holds exactly.
pub(super) fn whole(number: f64) -> Option<i128> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i128)
}

/// A text of unknown length and content, short and harmless enough for a message.
pub(super) struct Clipped<'a>(pub &'a str);

impl fmt::Display for Clipped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CHARS_MAX: usize = 60;
        for (i, c) in self.0.chars().enumerate() {
            match c {
                _ if i == CHARS_MAX => return f.write_str("…"),
                _ if c.is_control() => write!(f, "{}", c.escape_default())?,
                _ => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// The same in double quotes.
pub(super) struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", Clipped(self.0))
    }
}

fn write_json(out: &mut String, value: &Value, depth: usize) {
    match &value.kind {
        Kind::Null => out.push_str("null"),
        Kind::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Kind::Int(int) => out.push_str(&int.to_string()),
        Kind::Float(float) if float.is_finite() => out.push_str(&float.to_string()),
        Kind::Float(_) => out.push_str("null"),
        Kind::Text(text) => write_json_text(out, text),
        Kind::List(items) if items.is_empty() => out.push_str("[]"),
        Kind::List(items) => {
            for (i, item) in items.iter().enumerate() {
                out.push(if i == 0 { '[' } else { ',' });
                new_line(out, depth + 1);
                write_json(out, item, depth + 1);
            }
            new_line(out, depth);
            out.push(']');
        }
        Kind::Map(entries) if entries.is_empty() => out.push_str("{}"),
        Kind::Map(entries) => {
            for (i, (key, value)) in entries.iter().enumerate() {
                out.push(if i == 0 { '{' } else { ',' });
                new_line(out, depth + 1);
                write_json_text(out, &key.name);
                out.push_str(": ");
                write_json(out, value, depth + 1);
            }
            new_line(out, depth);
            out.push('}');
        }
    }
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

fn write_json_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            _ if u32::from(c) < 0x20 => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_float_languages_are_integers_when_whole() {
        assert_eq!(Value::number(3.0).kind, Kind::Int(3));
        assert_eq!(Value::number(-0.5).kind, Kind::Float(-0.5));
        assert_eq!(Value::number(1e300).kind, Kind::Float(1e300));
        assert!(matches!(Value::number(f64::NAN).kind, Kind::Float(_)));
    }

    #[test]
    fn json_is_read_back_as_it_was() {
        let value = Value::map([
            (
                "a\"\\\n\u{1}é😀",
                Value::list([Value::null(), Value::from(true), Value::from(u64::MAX), Value::from(0.05)]),
            ),
            ("empty", Value::list([])),
            ("none", Value::map::<&str>([])),
        ]);
        let read = super::super::yaml::parse(&value.to_json()).unwrap();
        assert_eq!(read.to_json(), value.to_json());
        assert_eq!(read.get("a\"\\\n\u{1}é😀").unwrap().line, 2);
    }

    #[test]
    fn keys_lead_where_errors_say() {
        let value = super::super::yaml::parse("retry: {max_attempts: 3}\nnodes: [a, {id: b, weight: 7}]").unwrap();
        let found = |key: &str| value.find(key).map(|found| found.kind.clone());
        assert_eq!(found("retry.max_attempts"), Some(Kind::Int(3)));
        assert_eq!(found("nodes[1].weight"), Some(Kind::Int(7)));
        assert_eq!(found("nodes[0]"), Some(Kind::Text("a".into())));
        for nowhere in
            ["", "retry.", "retry.x", "retry[0]", "nodes.1", "nodes[2]", "nodes[-1]", "nodes[1]weight", "a.b.c"]
        {
            assert_eq!(found(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn messages_stay_short_and_printable() {
        let long = "é".repeat(1000);
        assert_eq!(Quoted(&long).to_string().chars().count(), 63);
        assert_eq!(Quoted("a\u{1b}[31m\0").to_string(), "\"a\\u{1b}[31m\\u{0}\"");
    }
}
