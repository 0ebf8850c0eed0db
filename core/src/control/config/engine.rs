//! Pools by name: the whole of what an engine is configured with.

use std::path::Path;

use super::document;
use super::pool::PoolConfig;
use super::schema::{self, Form, Key, Place, Row, Shape, Short};
use super::shared::SharedConfig;
use super::value::Value;
use crate::vocabulary::error::{ConfigError, Error};

/// All pools of an engine, in the order of the document.
///
/// ```
/// use loadwise::config::EngineConfig;
///
/// let config = EngineConfig::parse("
/// pools:
///   shop: {strategy: p2c, nodes: ['10.0.0.1:80', '10.0.0.2:80']}
///   search: {strategy: maglev, nodes: ['10.0.1.1:80']}
/// ")?;
/// assert_eq!(config.pools[1].0, "search");
///
/// // A pool alone is an engine with one.
/// assert_eq!(EngineConfig::parse("nodes: [a]")?.pools[0].0, "default");
/// # Ok::<(), loadwise::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EngineConfig {
    /// At most 256. Names are unique, 1 to 63 bytes of letters, digits, `_`, `.` and `-`.
    pub pools: Vec<(String, PoolConfig)>,
    /// Where processes share the state of all pools; `None`: it is this process's alone.
    pub shared: Option<SharedConfig>,
}

impl EngineConfig {
    pub const POOLS_MAX: usize = 256;
    pub const NAME_BYTES_MAX: usize = 63;
    /// What the pool of a document is called that is a pool alone.
    pub const DEFAULT_POOL: &'static str = "default";

    /// Reads YAML or JSON.
    ///
    /// # Errors
    /// [`Error::Config`], naming key and line.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::from_value(&Value::parse(text)?)
    }

    /// Reads YAML or JSON from bytes, which must be UTF-8.
    ///
    /// # Errors
    /// [`Error::Config`], naming key and line.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Self::from_value(&Value::from_bytes(bytes)?)
    }

    /// Reads YAML or JSON from a file. Errors name it.
    ///
    /// # Errors
    /// [`Error::Config`], naming key, line and file.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, Error> {
        document::from_path(path.as_ref(), Self::from_value)
    }

    /// Reads native data: a map with the one key `pools`, or the keys of a pool.
    ///
    /// # Errors
    /// [`Error::Config`], naming key and line.
    pub fn from_value(value: &Value) -> Result<Self, Error> {
        let mut config = Self::default();
        if value.get("pools").is_some() {
            schema::read_map(&mut config, ENGINE, value, &Place::root("", &super::limits::WIDEST))?;
        } else {
            let mut pool = PoolConfig::from_value(value)?;
            config.shared = pool.shared.take();
            config.pools.push((Self::DEFAULT_POOL.to_owned(), pool));
        }
        Ok(config)
    }

    /// This configuration with every key that has a value, defaults included. What is read from it is equal to this,
    /// but for own strategies, which have no name to be read by.
    pub fn to_value(&self) -> Value {
        schema::entries(self, ENGINE)
    }

    /// Checks a configuration that code has made. One that was read has been checked.
    ///
    /// # Errors
    /// [`Error::Config`], naming the key.
    pub fn validate(&self) -> Result<(), Error> {
        Ok(schema::check(self, ENGINE, &Place::root("", &super::limits::WIDEST), 0)?)
    }
}

pub(super) const ENGINE: &[Key<EngineConfig>] = &[
    Key { name: "pools", unit: "", doc: "Pools by name.", shape: Shape::Own(&PoolsForm) },
    Key {
        name: "shared",
        unit: "",
        doc: "The file in which processes share the state of all pools.",
        shape: Shape::Own(&Short { get: |c: &EngineConfig| &c.shared, get_mut: |c| &mut c.shared }),
    },
    Key {
        name: "version",
        unit: "",
        doc: "Ignored: a configuration that was read back says here how often it was replaced.",
        shape: Shape::Int { min: 0, max: u64::MAX, get: |_| None, set: |_, _| {} },
    },
];

struct PoolsForm;

const SHARED_BY_ALL: &str = "all pools share one file: put it beside `pools`";

impl Form<EngineConfig> for PoolsForm {
    fn read(&self, engine: &mut EngineConfig, value: &Value, place: &Place) -> Result<(), ConfigError> {
        let entries = place.map(value)?;
        for (i, (key, value)) in entries.iter().enumerate() {
            place.once(entries.get(..i).unwrap_or_default(), key)?;
            let pool = place.key(&key.name);
            check_name(i, &key.name, &pool, key.line)?;
            let config = PoolConfig::read(value, &pool)?;
            if config.shared.is_some() {
                let line = value.get("shared").map_or(value.line, |shared| shared.line);
                return Err(pool.key("shared").error(line, SHARED_BY_ALL));
            }
            engine.pools.push((key.name.clone(), config));
        }
        Ok(())
    }

    fn check(&self, engine: &EngineConfig, place: &Place, line: usize) -> Result<(), ConfigError> {
        for (i, (name, config)) in engine.pools.iter().enumerate() {
            let place = place.key(name);
            check_name(i, name, &place, line)?;
            if engine.pools.iter().take(i).any(|(earlier, _)| earlier == name) {
                return Err(place.error(line, schema::repeated("the pool", 0)));
            }
            if config.shared.is_some() {
                return Err(place.key("shared").error(line, SHARED_BY_ALL));
            }
            config.check(&place)?;
        }
        Ok(())
    }

    fn value(&self, engine: &EngineConfig) -> Option<Value> {
        Some(Value::map(engine.pools.iter().map(|(name, config)| (name, config.to_value()))))
    }

    fn row(&self) -> Row {
        Row { kind: "map of pools", default: "required", range: "at most 256" }
    }

    fn json(&self) -> Value {
        let pattern = format!("^[A-Za-z0-9_.-]{{1,{}}}$", EngineConfig::NAME_BYTES_MAX);
        Value::map([
            ("type", Value::from("object")),
            ("maxProperties", Value::from(EngineConfig::POOLS_MAX as u64)),
            ("propertyNames", Value::map([("pattern", Value::from(pattern))])),
            ("additionalProperties", Value::map([("$ref", Value::from("#/definitions/pool"))])),
        ])
    }
}

fn check_name(index: usize, name: &str, place: &Place, line: usize) -> Result<(), ConfigError> {
    let max = EngineConfig::POOLS_MAX;
    if index >= max {
        return Err(place.limit(line, format!("there are more than {max} pools")));
    }
    place.text(name, 1, EngineConfig::NAME_BYTES_MAX, line)?;
    match name.chars().find(|c| !c.is_ascii_alphanumeric() && !"_.-".contains(*c)) {
        Some(c) => {
            let message = format!("the name of a pool has letters, digits, \"_\", \".\" and \"-\", not {c:?}");
            Err(place.error(line, message))
        }
        None => Ok(()),
    }
}
