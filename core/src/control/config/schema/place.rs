//! Where in a document the reader stands, for messages, and the bounds that hold there.

use std::fmt;

use super::super::value::{self, Clipped, Kind, Value};
use super::Lines;
use crate::vocabulary::error::ConfigError;
use crate::vocabulary::limits::Limits;

/// A path such as `nodes[2].weight`, written out only when something is wrong there.
#[derive(Clone, Copy)]
pub(in super::super) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    step: Step<'a>,
    pub limits: &'a Limits,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

impl<'a> Place<'a> {
    /// The place called `name`, empty for the whole document.
    pub fn root(name: &'a str, limits: &'a Limits) -> Self {
        Self { parent: None, step: Step::Name(name), limits }
    }

    pub fn key(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Name(name), limits: self.limits }
    }

    pub fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index), limits: self.limits }
    }

    /// The same place under other bounds.
    pub fn within(&self, limits: &'a Limits) -> Self {
        Self { limits, ..*self }
    }

    pub fn error(&self, line: usize, message: impl Into<String>) -> ConfigError {
        ConfigError::new(self.to_string(), line, message)
    }

    pub fn limit(&self, line: usize, message: impl Into<String>) -> ConfigError {
        ConfigError::limit(self.to_string(), line, message)
    }

    /// A value of the wrong type.
    pub fn not(&self, wanted: &str, value: &Value) -> ConfigError {
        match value.kind {
            Kind::Null => self.error(value.line, format!("is empty; must be {wanted}, or the key left out")),
            _ => self.error(value.line, format!("must be {wanted}, not {value}")),
        }
    }

    /// A number out of its range.
    pub fn outside(
        &self,
        line: usize,
        min: &dyn fmt::Display,
        max: &dyn fmt::Display,
        is: &dyn fmt::Display,
    ) -> ConfigError {
        self.error(line, format!("must be {min} to {max}, not {is}"))
    }

    /// That the key `most` is not below the key `least`.
    pub fn ordered(&self, lines: Lines, least: (&str, u64), most: (&str, u64)) -> Result<(), ConfigError> {
        if least.1 <= most.1 {
            return Ok(());
        }
        let message = format!("must be at least {} = {}, not {}", least.0, least.1, most.1);
        Err(self.key(most.0).error(lines.first(&[most.0, least.0]), message))
    }

    /// The entries of a map.
    pub fn map<'v>(&self, value: &'v Value) -> Result<&'v [(value::Key, Value)], ConfigError> {
        match &value.kind {
            Kind::Map(entries) => Ok(entries),
            _ => Err(self.not("a map of keys", value)),
        }
    }

    /// That `key` is not among the entries before it.
    pub fn once(&self, before: &[(value::Key, Value)], key: &value::Key) -> Result<(), ConfigError> {
        match before.iter().find(|(earlier, _)| earlier.name == key.name) {
            Some((earlier, _)) => Err(self.key(&key.name).error(key.line, repeated("the key", earlier.line))),
            None => Ok(()),
        }
    }

    /// That a text has `min` to `max` bytes and no control characters.
    pub fn text(&self, text: &str, min: usize, max: usize, line: usize) -> Result<(), ConfigError> {
        if text.len() < min {
            return Err(self.error(line, "must not be empty"));
        }
        if text.len() > max {
            return Err(self.error(line, format!("must have at most {max} bytes, not {}", text.len())));
        }
        match text.chars().find(|c| c.is_control()) {
            Some(c) => Err(self.error(line, format!("must not contain the control character {}", c.escape_default()))),
            None => Ok(()),
        }
    }
}

/// That something stands there a second time.
pub(in super::super) fn repeated(what: &str, earlier_line: usize) -> String {
    match earlier_line {
        0 => format!("{what} is there twice"),
        line => format!("{what} is there twice, first on line {line}"),
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let within = match self.parent {
            Some(parent) => {
                write!(f, "{parent}")?;
                !matches!(parent, Place { parent: None, step: Step::Name(""), .. })
            }
            None => false,
        };
        match self.step {
            Step::Name(name) => write!(f, "{}{}", if within { "." } else { "" }, Clipped(name)),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}
