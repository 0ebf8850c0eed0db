//! Text → [`Value`]: YAML 1.2 with its core schema, and JSON, which is YAML but for surrogate pairs and some tabs.
//!
//! Everything is bounded: the text, the depth, the number of values. Aliases are refused, so that a small text
//! cannot stand for a large document, and so are tags and further documents.

use std::borrow::Cow;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

use super::value::{DEPTH_MAX, Key, Kind, Value};
use crate::vocabulary::error::ConfigError;

/// The most bytes of a configuration text: 64 MiB.
pub const TEXT_BYTES_MAX: usize = 64 << 20;

/// The most values of a configuration text: 32 for each of 65 535 nodes.
const VALUES_MAX: usize = 1 << 21;

pub(super) fn parse(text: &str) -> Result<Value, ConfigError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(ConfigError::limit(
            "",
            0,
            format!("the text has {} bytes, more than {TEXT_BYTES_MAX}", text.len()),
        ));
    }
    // The scanner takes a NUL for the end and would read only what stands before it.
    if let Some(at) = text.bytes().position(|b| b == 0) {
        return Err(ConfigError::new("", line_of(text, at), "the text has a NUL character"));
    }
    match load(text) {
        Err(error) => json_as_yaml(text).map_or(Err(error), |yaml| load(&yaml)),
        done => done,
    }
}

/// The line, from 1, of the byte at `at`. A return without a line feed ends a line, too.
fn line_of(text: &str, at: usize) -> usize {
    let next = text.bytes().skip(1).chain([0]);
    1 + text.bytes().zip(next).take(at).filter(|&(b, next)| b == b'\n' || (b == b'\r' && next != b'\n')).count()
}

/// A list or a map that is not at its end.
enum Open {
    List { line: usize, items: Vec<Value> },
    Map { line: usize, entries: Vec<(Key, Value)>, key: Option<Key> },
}

/// What the events so far add up to.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    values: usize,
    root: Option<Value>,
}

fn load(text: &str) -> Result<Value, ConfigError> {
    let mut parser = Parser::new_from_str(text);
    let mut builder = Builder::default();
    // What is missing at the end is reported on the line that would follow it.
    let last = line_of(text, text.len());
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|e| syntax_error(&e, text))?;
        builder.take(event, span.start.line().min(last))?;
    }
    builder.root.ok_or_else(|| ConfigError::new("", 1, "the text is empty; {} is a pool without nodes"))
}

impl Builder {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), ConfigError> {
        let refuse = |what: &str| Err(ConfigError::new("", line, what));
        match event {
            Event::DocumentStart(_) if self.root.is_some() => refuse("there is more than one document"),
            Event::Alias(_) => refuse("aliases are not supported; write the value out"),
            Event::Scalar(_, _, _, Some(_)) | Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) => {
                refuse("tags are not supported; a text is one by its quotes")
            }
            Event::Scalar(text, style, ..) => self.scalar(text, style, line),
            Event::SequenceStart(..) => self.enter(Open::List { line, items: Vec::new() }, line),
            Event::MappingStart(..) => self.enter(Open::Map { line, entries: Vec::new(), key: None }, line),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { line, items }) => self.place(Value::new(Kind::List(items)).at(line)),
                Some(Open::Map { line, entries, .. }) => self.place(Value::new(Kind::Map(entries)).at(line)),
                None => refuse("a list or a map ends that never began"),
            },
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
        }
    }

    fn scalar(&mut self, text: Cow<'_, str>, style: ScalarStyle, line: usize) -> Result<(), ConfigError> {
        if let Some(Open::Map { key: key @ None, .. }) = self.open.last_mut() {
            *key = Some(Key { name: text.into_owned(), line });
            return Ok(());
        }
        let (kind, written) = match style {
            ScalarStyle::Plain => plain(text),
            _ => (Kind::Text(text.into_owned()), None),
        };
        // An empty value has no place of its own.
        let line = match (&kind, self.open.last()) {
            (Kind::Null, Some(Open::Map { key: Some(key), .. })) => key.line,
            _ => line,
        };
        self.place(Value { line, kind, written })
    }

    fn enter(&mut self, open: Open, line: usize) -> Result<(), ConfigError> {
        if let Some(Open::Map { key: None, .. }) = self.open.last() {
            return Err(ConfigError::new("", line, "the name of a key must be a text, not a list or a map"));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(ConfigError::limit("", line, format!("lists and maps are nested deeper than {DEPTH_MAX}")));
        }
        self.open.push(open);
        Ok(())
    }

    /// Puts a finished value into the list or map that it stands in.
    fn place(&mut self, value: Value) -> Result<(), ConfigError> {
        self.values += 1;
        if self.values > VALUES_MAX {
            return Err(ConfigError::limit("", value.line, format!("there are more than {VALUES_MAX} values")));
        }
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::List { items, .. }) => items.push(value),
            Some(Open::Map { entries, key, .. }) => match key.take() {
                Some(key) => entries.push((key, value)),
                None => return Err(ConfigError::new("", value.line, "a value has no key")),
            },
        }
        Ok(())
    }
}

fn syntax_error(e: &ScanError, text: &str) -> ConfigError {
    // The end is reported on the line that would follow it.
    let (line, last) = (e.marker().line(), line_of(text, text.len()));
    let at = if line > last { "its end".to_owned() } else { format!("column {}", e.marker().col() + 1) };
    ConfigError::new("", line.min(last), format!("not valid YAML or JSON at {at}: {}", e.info()))
}

/// A scalar without quotes by the core schema of YAML 1.2, and how it was written if that is more than the value says.
fn plain(text: Cow<'_, str>) -> (Kind, Option<Box<str>>) {
    let kind = match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Kind::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Kind::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => Kind::Float(f64::NAN),
        digits => match number(digits) {
            Some(number) => number,
            None => return (Kind::Text(text.into_owned()), None),
        },
    };
    (kind, Some(text.into()))
}

fn number(text: &str) -> Option<Kind> {
    let digits = |radix| text.get(2..).filter(|rest| rest.starts_with(|c: char| c.is_digit(radix)));
    if text.starts_with("0x") {
        return i128::from_str_radix(digits(16)?, 16).ok().map(Kind::Int);
    }
    if text.starts_with("0o") {
        return i128::from_str_radix(digits(8)?, 8).ok().map(Kind::Int);
    }
    if !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
        return None;
    }
    text.parse().map(Kind::Int).or_else(|_| text.parse().map(Kind::Float)).ok()
}

/// A JSON text in words that the YAML scanner takes, too: a pair of escaped surrogates (`\ud83d\ude00`, which encoders
/// that keep to ASCII write) becomes YAML's escape of the one character (`\U0001F600`), and a tab between tokens a
/// space. Lines stay where they are. `None` if the text does not begin as JSON.
fn json_as_yaml(text: &str) -> Option<String> {
    let begins = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    if !begins.starts_with(['{', '[']) {
        return None;
    }
    let mut yaml = String::with_capacity(text.len());
    let (mut rest, mut quoted) = (text, false);
    while let Some(at) = rest.find(['"', '\\', '\t']) {
        let (plain, special) = rest.split_at(at);
        yaml.push_str(plain);
        let taken = if special.starts_with('\t') && !quoted {
            yaml.push(' ');
            1
        } else if let Some(c) = quoted.then(|| surrogate_pair(special)).flatten() {
            yaml.push_str(&format!("\\U{:08X}", u32::from(c)));
            12
        } else {
            quoted ^= special.starts_with('"');
            // What a backslash escapes is neither a quote nor an escape.
            let taken = special.chars().take(if special.starts_with('\\') { 2 } else { 1 }).map(char::len_utf8).sum();
            yaml.push_str(special.get(..taken)?);
            taken
        };
        rest = special.get(taken..)?;
    }
    yaml.push_str(rest);
    Some(yaml)
}

fn surrogate_pair(text: &str) -> Option<char> {
    let unit = |at: usize| {
        let hex = text.get(at..at + 6)?.strip_prefix("\\u")?;
        hex.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u16::from_str_radix(hex, 16).ok()).flatten()
    };
    char::decode_utf16([unit(0)?, unit(6)?]).next()?.ok().filter(|c| u32::from(*c) > 0xffff)
}
