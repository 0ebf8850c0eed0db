//! The keys of a configuration, described once: the same table reads a document, checks a structure that code has
//! filled, and writes the documentation and the JSON Schema.

pub(super) mod describe;
mod form;
mod lines;
mod macros;
mod place;

pub(super) use describe::Row;
pub use describe::{json_schema, markdown};
pub(super) use form::{Always, Form, List, Optional, Section, Short};
pub(super) use lines::Lines;
pub(super) use macros::{float, int, section, switch, word, words};
pub(super) use place::{Place, repeated};

use super::value::{Kind, Quoted, Value, whole};
use crate::vocabulary::error::ConfigError;

/// One key of a section that is kept in a `T`.
pub(super) struct Key<T: 'static> {
    pub name: &'static str,
    pub unit: &'static str,
    pub doc: &'static str,
    pub shape: Shape<T>,
}

/// What a key's value must be, and where it is kept. `get` gives `None` while it is not set.
pub(super) enum Shape<T: 'static> {
    Int {
        min: u64,
        max: u64,
        get: fn(&T) -> Option<u64>,
        set: fn(&mut T, u64),
    },
    Float {
        min: f64,
        max: f64,
        get: fn(&T) -> Option<f64>,
        set: fn(&mut T, f64),
    },
    Bool {
        get: fn(&T) -> bool,
        set: fn(&mut T, bool),
    },
    /// One of some words; `set` is only called with one of them.
    Word {
        words: &'static [&'static str],
        get: fn(&T) -> Option<&'static str>,
        set: fn(&mut T, &str),
    },
    /// A text of `min` to `max` bytes without control characters.
    Text {
        min: usize,
        max: usize,
        get: fn(&T) -> &str,
        set: fn(&mut T, String),
    },
    /// What has a form of its own.
    Own(&'static dyn Form<T>),
}

/// Reads the map `value` into `target`: every key must be one of `keys` and stand there once.
pub(super) fn read_map<T>(target: &mut T, keys: &[Key<T>], value: &Value, place: &Place) -> Result<(), ConfigError> {
    let entries = place.map(value)?;
    for (i, (key, value)) in entries.iter().enumerate() {
        // What stands before is known keys, each once, so this is a short look back.
        place.once(entries.get(..i).unwrap_or_default(), key)?;
        let Some(known) = keys.iter().find(|known| known.name == key.name) else {
            return Err(place.key(&key.name).error(key.line, unknown("key", &key.name, keys.iter().map(|k| k.name))));
        };
        known.read(target, value, &place.key(known.name))?;
    }
    Ok(())
}

/// Checks a section that code has filled against the bounds of its keys.
pub(super) fn check<T>(target: &T, keys: &[Key<T>], place: &Place, line: usize) -> Result<(), ConfigError> {
    keys.iter().try_for_each(|key| {
        let place = place.key(key.name);
        match &key.shape {
            Shape::Int { min, max, get, .. } => match get(target) {
                Some(int) if int < *min || int > *max => Err(place.outside(line, min, max, &int)),
                _ => Ok(()),
            },
            Shape::Float { min, max, get, .. } => match get(target) {
                Some(float) if !(*min..=*max).contains(&float) => Err(place.outside(line, min, max, &float)),
                _ => Ok(()),
            },
            Shape::Text { min, max, get, .. } => place.text(get(target), *min, *max, line),
            Shape::Own(form) => form.check(target, &place, line),
            Shape::Bool { .. } | Shape::Word { .. } => Ok(()),
        }
    })
}

/// A section as data: every key that is set, with its value.
pub(super) fn entries<T>(target: &T, keys: &[Key<T>]) -> Value {
    Value::map(keys.iter().filter_map(|key| Some((key.name, key.value(target)?))))
}

impl<T> Key<T> {
    fn read(&self, target: &mut T, value: &Value, place: &Place) -> Result<(), ConfigError> {
        match &self.shape {
            Shape::Int { min, max, set, .. } => set(target, place.int(value, *min, *max)?),
            Shape::Float { min, max, set, .. } => set(target, place.float(value, *min, *max)?),
            Shape::Bool { set, .. } => match value.kind {
                Kind::Bool(b) => set(target, b),
                _ => return Err(place.not("true or false", value)),
            },
            Shape::Word { words, set, .. } => {
                let Kind::Text(word) = &value.kind else {
                    return Err(place.not(&list(words), value));
                };
                if !words.contains(&word.as_str()) {
                    return Err(place.error(value.line, unknown("word", word, words.iter().copied())));
                }
                set(target, word);
            }
            Shape::Text { min, max, set, .. } => match &value.kind {
                Kind::Text(text) => {
                    place.text(text, *min, *max, value.line)?;
                    set(target, text.clone());
                }
                Kind::Int(_) | Kind::Float(_) | Kind::Bool(_) => {
                    return Err(place.error(value.line, format!("must be a text, not {value}; put it in quotes")));
                }
                _ => return Err(place.not("a text", value)),
            },
            Shape::Own(form) => form.read(target, value, place)?,
        }
        Ok(())
    }

    fn value(&self, target: &T) -> Option<Value> {
        match &self.shape {
            Shape::Int { get, .. } => get(target).map(Value::from),
            Shape::Float { get, .. } => get(target).map(Value::from),
            Shape::Bool { get, .. } => Some(Value::from(get(target))),
            Shape::Word { get, .. } => get(target).map(Value::from),
            Shape::Text { get, .. } => Some(Value::from(get(target))),
            Shape::Own(form) => form.value(target),
        }
    }
}

/// The message for a word that is not one of `known`, with the one that was probably meant, or else all of them.
pub(super) fn unknown<'a>(what: &str, word: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let nearest = known.clone().map(|k| (edits(word, k), k)).min_by_key(|(distance, _)| *distance);
    match nearest {
        Some((distance, meant)) if distance <= 1.max(meant.len() / 3) => {
            format!("unknown {what} {}; did you mean {meant:?}?", Quoted(word))
        }
        _ => format!("unknown {what} {}; known are {}", Quoted(word), known.collect::<Vec<_>>().join(", ")),
    }
}

fn list(words: &[&str]) -> String {
    match words {
        [one] => format!("{one:?}"),
        _ => format!("one of {}", words.join(", ")),
    }
}

/// How many single-character edits lie between two words, neighbours that changed places counting as one
/// (optimal string alignment). Long words are far from everything.
fn edits(a: &str, b: &str) -> usize {
    const CHARS_MAX: usize = 48;
    let (a, b): (Vec<char>, Vec<char>) =
        (a.chars().take(CHARS_MAX + 1).map(|c| c.to_ascii_lowercase()).collect(), b.chars().collect());
    if a.len() > CHARS_MAX || b.len() > CHARS_MAX {
        return usize::MAX;
    }
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let same = usize::from(a[i - 1] != b[j - 1]);
                let mut least = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + same);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    least = least.min(rows[i - 2][j - 2] + 1);
                }
                least
            };
        }
    }
    rows[a.len()][b.len()]
}

impl Place<'_> {
    /// A whole number of `min` to `max`.
    pub fn int(&self, value: &Value, min: u64, max: u64) -> Result<u64, ConfigError> {
        let int = match value.kind {
            Kind::Int(int) => Some(int),
            Kind::Float(float) => whole(float),
            _ => None,
        };
        let int = int.ok_or_else(|| self.not("a whole number", value))?;
        match u64::try_from(int) {
            Ok(int) if (min..=max).contains(&int) => Ok(int),
            _ => Err(self.outside(value.line, &min, &max, &value)),
        }
    }

    /// A finite number of `min` to `max`.
    pub fn float(&self, value: &Value, min: f64, max: f64) -> Result<f64, ConfigError> {
        let float = match value.kind {
            Kind::Int(int) => int as f64,
            Kind::Float(float) => float,
            _ => return Err(self.not("a number", value)),
        };
        if !(min..=max).contains(&float) {
            return Err(self.outside(value.line, &min, &max, &value));
        }
        Ok(float)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_count_changes_and_swaps() {
        for (a, b, distance) in
            [("", "", 0), ("weight", "wieght", 1), ("p2c", "P2C", 0), ("kitten", "sitting", 3), ("", "abc", 3)]
        {
            assert_eq!(edits(b, a), distance, "{a} {b}");
        }
        assert_eq!(edits(&"x".repeat(1_000_000), "x"), usize::MAX);
    }

    #[test]
    fn only_a_near_word_is_suggested() {
        let known = ["weight", "labels"].into_iter();
        assert_eq!(unknown("key", "wieght", known.clone()), r#"unknown key "wieght"; did you mean "weight"?"#);
        assert_eq!(unknown("key", "tier", known), r#"unknown key "tier"; known are weight, labels"#);
    }
}
