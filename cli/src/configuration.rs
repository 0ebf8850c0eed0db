//! A configuration from a file or standard input, and what is wrong with it, as editors and people read it.

use std::fmt;
use std::io::{self, Read};

use loadwise::config::{EngineConfig, Kind, PoolConfig, TEXT_BYTES_MAX, Value};
use loadwise::{ConfigError, Engine, Error};

/// What stands for standard input.
pub const STANDARD_INPUT: &str = "-";

/// A text with its name.
pub struct Document {
    /// As it was given.
    pub name: String,
    bytes: Vec<u8>,
}

/// A document that is a configuration.
pub struct Configuration {
    value: Value,
    pub engine: EngineConfig,
}

/// What is wrong with a document.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    pub file: String,
    /// From 1; 0 if it is of no line.
    pub line: usize,
    /// As `nodes[2].weight`; empty: the whole document.
    pub key: String,
    pub message: String,
}

/// Whether a path is that of a shared state, usable or not: it begins as one, with bytes that no text has.
pub fn is_shared_state(path: &str) -> bool {
    // What is read of a pipe is gone.
    let is_file = path != STANDARD_INPUT && std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    let mut head = [0; 16];
    let is_read = is_file && std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok();
    is_read && head.starts_with(b"loadwise") && head.contains(&0)
}

impl Document {
    pub fn read(name: &str) -> Result<Self, Problem> {
        if is_shared_state(name) {
            return Err(Problem::of_file(name, "is a shared state, not a configuration".to_owned()));
        }
        let unreadable = |error: io::Error| Problem::of_file(name, format!("cannot be read: {error}"));
        let mut bytes = Vec::new();
        // One byte more than a text may have is enough to see that there are too many.
        let most = TEXT_BYTES_MAX as u64 + 1;
        let read = match name {
            STANDARD_INPUT => io::stdin().lock().take(most).read_to_end(&mut bytes),
            path => std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)),
        };
        read.map_err(unreadable)?;
        Ok(Self { name: name.to_owned(), bytes })
    }

    /// Reads the configuration, and makes its pools once, on memory of this process alone: what contradicts the bounds
    /// of a pool shows only then.
    pub fn configuration(&self) -> Result<Configuration, Problem> {
        let checked = || {
            let value = Value::from_bytes(&self.bytes)?;
            let engine = EngineConfig::from_value(&value)?;
            let configuration = Configuration { value, engine };
            configuration.make_pools()?;
            Ok(configuration)
        };
        checked().map_err(|error| self.problem(error))
    }

    fn problem(&self, error: Error) -> Problem {
        match error {
            Error::Config(ConfigError { key, line, message, .. }) => {
                Problem { file: self.name.clone(), line, key, message }
            }
            other => Problem::of_file(&self.name, other.to_string()),
        }
    }
}

impl Configuration {
    /// Its pools, whose state is this process's alone whatever the configuration says.
    pub fn make_pools(&self) -> Result<Engine, Error> {
        let mut value = self.value.clone();
        if let Kind::Map(entries) = &mut value.kind {
            entries.retain(|(key, _)| key.name != "shared");
        }
        Engine::from_value(&value)
    }

    /// With every default, in the form that it was given in: pools by name, or a pool alone.
    pub fn with_defaults(&self) -> Value {
        match (self.value.get("pools"), self.engine.pools.first()) {
            (None, Some((_, pool))) => PoolConfig { shared: self.engine.shared.clone(), ..pool.clone() }.to_value(),
            _ => self.engine.to_value(),
        }
    }
}

impl Problem {
    pub fn of_file(name: &str, message: String) -> Self {
        Self { file: name.to_owned(), line: 0, key: String::new(), message }
    }

    /// Without the file: whoever lists problems of several files has it.
    pub fn to_value(&self) -> Value {
        Value::map([
            ("line", if self.line == 0 { Value::null() } else { (self.line as u64).into() }),
            ("key", self.key.as_str().into()),
            ("message", self.message.as_str().into()),
        ])
    }
}

/// As compilers do, so that editors find the place.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line != 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Configuration, Problem> {
        Document { name: "pools.yaml".to_owned(), bytes: text.as_bytes().to_vec() }.configuration()
    }

    #[test]
    fn a_problem_names_file_line_and_key() {
        let told = |text: &str| of(text).map(|_| ()).unwrap_err().to_string();
        assert_eq!(
            told("pools:\n  shop:\n    nodes: [a, {id: b, weight: -1}]"),
            "pools.yaml:3: pools.shop.nodes[1].weight: must be 0 to 4294967295, not -1"
        );
        assert!(told("nodes: [a\n").starts_with("pools.yaml:2: "), "{}", told("nodes: [a\n"));
        assert!(told("- a").starts_with("pools.yaml:1: must be a map of keys"), "{}", told("- a"));
        assert_eq!(Problem::of_file("x", "is not there".to_owned()).to_string(), "x: is not there");
    }

    #[test]
    fn what_shows_only_in_a_pool_is_found_too() {
        let text = "limits: {max_groups: 1}\nnodes: [{id: a, tier: 0}, {id: b, tier: 1}, {id: c, tier: 2, zone: x}]\ntiers: {}";
        assert_eq!(of(text).map(|_| ()).unwrap_err().key, "limits.max_groups");
    }

    #[test]
    fn a_check_shares_nothing() {
        let path = std::env::temp_dir().join(format!("loadwise-check-{}", std::process::id()));
        let configuration = of(&format!("shared: '{}'\nnodes: [a]", path.display())).unwrap();
        assert!(!path.exists());
        let printed = configuration.with_defaults();
        assert_eq!(printed.get("shared").and_then(|shared| shared.get("path")), Some(&path.to_str().unwrap().into()));
    }
}
