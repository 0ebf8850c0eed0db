//! Keys that are more than a number, a word or a text: sections, sections that may be off, and lists of sections.

use super::super::value::{Kind, Value};
use super::describe::{Row, object, section};
use super::{Key, Lines, Place, check, entries, read_map};
use crate::vocabulary::error::ConfigError;

/// How a key of a `T` is read, checked, written and told.
pub(in super::super) trait Form<T>: Sync {
    fn read(&self, target: &mut T, value: &Value, place: &Place) -> Result<(), ConfigError>;
    /// Checks what code has filled. `line` is that of the whole, 0 if there is none.
    fn check(&self, target: &T, place: &Place, line: usize) -> Result<(), ConfigError>;
    /// What reads as the same; `None` while it is not set.
    fn value(&self, target: &T) -> Option<Value>;
    fn row(&self) -> Row;
    fn json(&self) -> Value;
    /// The chapter of the documentation about the keys within; `None` if there are none.
    fn section(&self, _key: &str, _doc: &str) -> Option<String> {
        None
    }
}

/// A map of keys that is kept in a structure of its own.
pub(in super::super) trait Section: Default + 'static {
    const KEYS: &'static [Key<Self>];
    /// Keys without a default.
    const REQUIRED: &'static [&'static str] = &[];

    /// What no key can say alone.
    fn fits(&self, _place: &Place, _lines: Lines) -> Result<(), ConfigError> {
        Ok(())
    }
}

/// A section that always holds.
pub(in super::super) struct Always<T: 'static, S: 'static> {
    pub get: fn(&T) -> &S,
    pub get_mut: fn(&mut T) -> &mut S,
}

/// A section that is off unless it is there: a map, `true` for its defaults, or `false`.
pub(in super::super) struct Optional<T: 'static, S: 'static> {
    pub get: fn(&T) -> &Option<S>,
    pub get_mut: fn(&mut T) -> &mut Option<S>,
}

/// A section that is off unless it is there: a map, or a text that is its first key.
pub(in super::super) struct Short<T: 'static, S: 'static> {
    pub get: fn(&T) -> &Option<S>,
    pub get_mut: fn(&mut T) -> &mut Option<S>,
}

/// A list of at most `max` sections.
pub(in super::super) struct List<T: 'static, S: 'static> {
    pub kind: &'static str,
    pub max: usize,
    pub get: fn(&T) -> &Vec<S>,
    pub get_mut: fn(&mut T) -> &mut Vec<S>,
}

impl<T, S: Section> Form<T> for Always<T, S> {
    fn read(&self, target: &mut T, value: &Value, place: &Place) -> Result<(), ConfigError> {
        read_section((self.get_mut)(target), value, place)
    }

    fn check(&self, target: &T, place: &Place, line: usize) -> Result<(), ConfigError> {
        check_section((self.get)(target), place, line)
    }

    fn value(&self, target: &T) -> Option<Value> {
        Some(section_value((self.get)(target)))
    }

    fn section(&self, key: &str, doc: &str) -> Option<String> {
        Some(section(key, doc, S::KEYS, &S::default(), S::REQUIRED))
    }

    fn row(&self) -> Row {
        Row { kind: "map", default: "below", range: "" }
    }

    fn json(&self) -> Value {
        object(S::KEYS, &S::default(), S::REQUIRED)
    }
}

impl<T, S: Section> Form<T> for Optional<T, S> {
    fn read(&self, target: &mut T, value: &Value, place: &Place) -> Result<(), ConfigError> {
        let section = match value.kind {
            Kind::Bool(on) => on.then(S::default),
            Kind::Map(_) => {
                let mut section = S::default();
                read_section(&mut section, value, place)?;
                Some(section)
            }
            _ => return Err(place.not("true, false or a map of keys", value)),
        };
        *(self.get_mut)(target) = section;
        Ok(())
    }

    fn check(&self, target: &T, place: &Place, line: usize) -> Result<(), ConfigError> {
        (self.get)(target).iter().try_for_each(|section| check_section(section, place, line))
    }

    fn value(&self, target: &T) -> Option<Value> {
        Some((self.get)(target).as_ref().map_or_else(|| Value::from(false), section_value))
    }

    fn section(&self, key: &str, doc: &str) -> Option<String> {
        let doc = format!("{doc} Off unless it is there: `{key}: true` has these defaults.");
        Some(section(key, &doc, S::KEYS, &S::default(), S::REQUIRED))
    }

    fn row(&self) -> Row {
        Row { kind: "map or bool", default: "`false`", range: "" }
    }

    fn json(&self) -> Value {
        let switch = Value::map([("type", Value::from("boolean"))]);
        let forms = Value::list([switch, object(S::KEYS, &S::default(), S::REQUIRED)]);
        Value::map([("anyOf", forms), ("default", Value::from(false))])
    }
}

impl<T, S: Section> Form<T> for Short<T, S> {
    fn read(&self, target: &mut T, value: &Value, place: &Place) -> Result<(), ConfigError> {
        let mut section = S::default();
        match (&value.kind, S::KEYS.first()) {
            (Kind::Text(_), Some(first)) => {
                first.read(&mut section, value, place)?;
                section.fits(place, Lines::all(value.line))?;
            }
            (Kind::Map(_), _) => read_section(&mut section, value, place)?,
            (Kind::Bool(false), _) => {
                *(self.get_mut)(target) = None;
                return Ok(());
            }
            _ => return Err(place.not("a text or a map of keys", value)),
        }
        *(self.get_mut)(target) = Some(section);
        Ok(())
    }

    fn check(&self, target: &T, place: &Place, line: usize) -> Result<(), ConfigError> {
        (self.get)(target).iter().try_for_each(|section| check_section(section, place, line))
    }

    fn value(&self, target: &T) -> Option<Value> {
        (self.get)(target).as_ref().map(section_value)
    }

    fn section(&self, key: &str, doc: &str) -> Option<String> {
        let first = S::KEYS.first().map_or("", |first| first.name);
        let doc = format!("{doc} Off unless it is there; a text alone is its `{first}`.");
        Some(section(key, &doc, S::KEYS, &S::default(), S::REQUIRED))
    }

    fn row(&self) -> Row {
        Row { kind: "text or map", default: "unset", range: "" }
    }

    fn json(&self) -> Value {
        let text = Value::map([("type", Value::from("string")), ("minLength", Value::from(1))]);
        let off = Value::map([("enum", Value::list([Value::from(false)]))]);
        let forms = Value::list([text, off, object(S::KEYS, &S::default(), S::REQUIRED)]);
        Value::map([("anyOf", forms)])
    }
}

impl<T, S: Section> List<T, S> {
    fn too_many(&self, place: &Place, line: usize) -> ConfigError {
        place.limit(line, format!("there are more than {}", self.max))
    }
}

impl<T, S: Section> Form<T> for List<T, S> {
    fn read(&self, target: &mut T, value: &Value, place: &Place) -> Result<(), ConfigError> {
        let Kind::List(items) = &value.kind else {
            return Err(place.not(&format!("a {}", self.kind), value));
        };
        let mut sections = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let place = place.index(i);
            if i == self.max {
                return Err(self.too_many(&place, item.line));
            }
            let mut section = S::default();
            read_section(&mut section, item, &place)?;
            sections.push(section);
        }
        *(self.get_mut)(target) = sections;
        Ok(())
    }

    fn check(&self, target: &T, place: &Place, line: usize) -> Result<(), ConfigError> {
        let sections = (self.get)(target);
        for (i, section) in sections.iter().enumerate() {
            let place = place.index(i);
            if i == self.max {
                return Err(self.too_many(&place, line));
            }
            check_section(section, &place, line)?;
        }
        Ok(())
    }

    fn value(&self, target: &T) -> Option<Value> {
        Some(Value::list((self.get)(target).iter().map(section_value)))
    }

    fn section(&self, key: &str, doc: &str) -> Option<String> {
        let doc = format!("{doc} A list of at most {} maps of these keys.", self.max);
        Some(section(key, &doc, S::KEYS, &S::default(), S::REQUIRED))
    }

    fn row(&self) -> Row {
        Row { kind: self.kind, default: "none", range: "" }
    }

    fn json(&self) -> Value {
        Value::map([
            ("type", Value::from("array")),
            ("maxItems", Value::from(self.max as u64)),
            ("items", object(S::KEYS, &S::default(), S::REQUIRED)),
        ])
    }
}

fn read_section<S: Section>(section: &mut S, value: &Value, place: &Place) -> Result<(), ConfigError> {
    read_map(section, S::KEYS, value, place)?;
    if let Some(missing) = S::REQUIRED.iter().find(|name| value.get(name).is_none()) {
        return Err(place.error(value.line, format!("needs the key {missing}")));
    }
    section.fits(place, Lines::of(value))
}

fn check_section<S: Section>(section: &S, place: &Place, line: usize) -> Result<(), ConfigError> {
    check(section, S::KEYS, place, line)?;
    section.fits(place, Lines::all(line))
}

fn section_value<S: Section>(section: &S) -> Value {
    entries(section, S::KEYS)
}
