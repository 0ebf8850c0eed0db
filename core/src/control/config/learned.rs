//! What was learned of a node, as data: read and written by one table.
//!
//! All times are relative, so that they mean the same to another process with another clock.

use std::collections::BTreeMap;

use super::capacity::QuotaLimit;
use super::limits::WIDEST;
use super::schema::{self, Form, Key, Place, Row, Shape, int, read_map, switch};
use super::value::Value;
use crate::vocabulary::error::ConfigError;
use crate::vocabulary::status::HealthStatus;

/// The version of the form; another one is refused.
const FORMAT: u64 = 1;

/// What was learned of a node.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::control) struct Learned {
    pub health: HealthStatus,
    /// In a row, at most 255.
    pub failures: u32,
    pub successes: u32,
    pub strikes: u32,
    /// For how long the node takes nothing but probes from now on.
    pub hold_ns: u64,
    /// How long ago it came back from its last hold.
    pub returned_ns: Option<u64>,
    /// For how long the node does not want to be tried.
    pub exhausted_ns: u64,
    pub breaker_open: bool,
    pub ejected: bool,
    /// The latency average at its last sample.
    pub latency_ns: Option<f64>,
    /// How long ago that was.
    pub latency_age_ns: u64,
    pub adaptive_limit: Option<f64>,
    /// The latency that the limit takes for usual.
    pub usual_latency_ns: Option<f64>,
    /// Of the health window.
    pub window_requests: u32,
    pub window_failures: u32,
    /// Used in the present window, by dimension.
    pub quotas: BTreeMap<String, u64>,
}

/// The same for a number that may not be known.
macro_rules! known_float {
    ($field:ident, $doc:literal) => {
        Key {
            name: stringify!($field),
            unit: "",
            doc: $doc,
            shape: Shape::Float {
                min: 1.0,
                max: Learned::NS_MAX as f64,
                get: |c| c.$field,
                set: |c, v| c.$field = Some(v),
            },
        }
    };
}

const KEYS: &[Key<Learned>] = &[
    Key {
        name: "format",
        unit: "",
        doc: "The version of this form.",
        shape: Shape::Int { min: FORMAT, max: FORMAT, get: |_| Some(FORMAT), set: |_, _| {} },
    },
    Key {
        name: "health",
        unit: "",
        doc: "The health status.",
        shape: Shape::Word {
            words: &["healthy", "degraded", "unhealthy", "recovering"],
            get: |c| Some(c.health.as_str()),
            set: |c, word| c.health = HealthStatus::parse(word).unwrap_or_default(),
        },
    },
    int!(failures: u32, 0, 255, "", "Failures in a row."),
    int!(successes: u32, 0, 255, "", "Successes in a row."),
    int!(strikes: u32, 0, 63, "", "How often the hold has doubled."),
    int!(hold_ns: u64, 0, Learned::NS_MAX, "ns", "For how long the node is held from now on."),
    Key {
        name: "returned_ns",
        unit: "ns",
        doc: "How long ago the node came back from its last hold.",
        shape: Shape::Int { min: 0, max: Learned::NS_MAX, get: |c| c.returned_ns, set: |c, v| c.returned_ns = Some(v) },
    },
    int!(exhausted_ns: u64, 0, Learned::NS_MAX, "ns", "For how long the node asked not to be tried."),
    switch!(breaker_open, "Whether the breaker is open."),
    switch!(ejected, "Whether the node is ejected as an outlier."),
    known_float!(latency_ns, "The latency average at its last sample."),
    int!(latency_age_ns: u64, 0, Learned::NS_MAX, "ns", "How long ago the last sample was."),
    known_float!(adaptive_limit, "The adaptive limit of picks in flight."),
    known_float!(usual_latency_ns, "The latency that the adaptive limit takes for usual."),
    int!(window_requests: u32, 0, Learned::SAMPLES_MAX, "", "Requests in the health window."),
    int!(window_failures: u32, 0, Learned::SAMPLES_MAX, "", "Failures in the health window."),
    Key {
        name: "quotas",
        unit: "units",
        doc: "What is used of the present windows, by dimension.",
        shape: Shape::Own(&UsedForm),
    },
];

impl Learned {
    /// The longest time that is kept: what a number of JavaScript holds exactly, 104 days.
    pub const NS_MAX: u64 = 1 << 53;
    /// Requests in a window, far below what its counters wrap at.
    pub const SAMPLES_MAX: u32 = 1 << 30;

    pub fn to_value(&self) -> Value {
        schema::entries(self, KEYS)
    }

    /// Reads what [`to_value`](Self::to_value) gives. `key` is where it stands, for messages.
    pub fn from_value(value: &Value, key: &str) -> Result<Self, ConfigError> {
        Self::read(value, &Place::root(key, &WIDEST))
    }

    /// All of a pool's, by id.
    pub fn all_to_value(all: impl IntoIterator<Item = (String, Self)>) -> Value {
        let nodes = Value::map(all.into_iter().map(|(id, learned)| (id, learned.to_value())));
        Value::map([("format", Value::from(FORMAT)), ("nodes", nodes)])
    }

    /// Reads what [`all_to_value`](Self::all_to_value) gives.
    pub fn all_from_value(value: &Value) -> Result<Vec<(String, Self)>, ConfigError> {
        let mut all = Vec::new();
        let root = Place::root("", &WIDEST);
        let entries = root.map(value)?;
        check_format(value, &root)?;
        for (i, (key, value)) in entries.iter().enumerate() {
            root.once(entries.get(..i).unwrap_or_default(), key)?;
            let place = root.key(&key.name);
            match key.name.as_str() {
                "format" => {}
                "nodes" => {
                    let mut seen = std::collections::HashSet::new();
                    for (id, value) in place.map(value)? {
                        let place = place.key(&id.name);
                        if !seen.insert(id.name.as_str()) {
                            return Err(place.error(id.line, schema::repeated("the node", 0)));
                        }
                        all.push((id.name.clone(), Self::read(value, &place)?));
                    }
                }
                name => {
                    return Err(place.error(key.line, schema::unknown("key", name, ["format", "nodes"].into_iter())));
                }
            }
        }
        Ok(all)
    }

    fn read(value: &Value, place: &Place) -> Result<Self, ConfigError> {
        place.map(value)?;
        check_format(value, place)?;
        let mut learned = Self::default();
        read_map(&mut learned, KEYS, value, place)?;
        if learned.window_failures > learned.window_requests {
            let line = value.get("window_failures").map_or(value.line, |v| v.line);
            let (failures, requests) = (learned.window_failures, learned.window_requests);
            let message = format!("must be at most window_requests = {requests}, not {failures}");
            return Err(place.key("window_failures").error(line, message));
        }
        Ok(learned)
    }
}

/// What another version wrote need not have these keys, or mean the same by them.
fn check_format(value: &Value, place: &Place) -> Result<(), ConfigError> {
    match value.get("format") {
        None => Err(place.error(value.line, "needs the key format")),
        Some(format) => match place.key("format").int(format, 0, u64::MAX)? {
            FORMAT => Ok(()),
            other => {
                let message = format!("is {other}; this version reads {FORMAT}");
                Err(place.key("format").error(format.line, message))
            }
        },
    }
}

/// The key `quotas`.
struct UsedForm;

impl Form<Learned> for UsedForm {
    fn read(&self, learned: &mut Learned, value: &Value, place: &Place) -> Result<(), ConfigError> {
        let entries = place.map(value)?;
        for (i, (key, value)) in entries.iter().enumerate() {
            place.once(entries.get(..i).unwrap_or_default(), key)?;
            if i == QuotaLimit::COUNT_MAX {
                return Err(place.limit(key.line, format!("there are more than {i} dimensions")));
            }
            let place = place.key(&key.name);
            place.text(&key.name, 1, QuotaLimit::DIMENSION_BYTES_MAX, key.line)?;
            learned.quotas.insert(key.name.clone(), place.int(value, 0, QuotaLimit::LIMIT_MAX)?);
        }
        Ok(())
    }

    fn check(&self, _: &Learned, _: &Place, _: usize) -> Result<(), ConfigError> {
        Ok(())
    }

    fn value(&self, learned: &Learned) -> Option<Value> {
        let used = learned.quotas.iter().map(|(dimension, used)| (dimension, Value::from(*used)));
        (!learned.quotas.is_empty()).then(|| Value::map(used))
    }

    fn row(&self) -> Row {
        Row { kind: "map of integers", default: "none", range: "" }
    }

    fn json(&self) -> Value {
        Value::map([("type", Value::from("object"))])
    }
}

impl Value {
    /// This value as JSON on one line.
    pub fn to_json_line(&self) -> String {
        // No text in JSON has a raw line end, so all that there are stand between values.
        self.to_json().lines().map(str::trim_start).collect()
    }
}
