//! The core's data as JavaScript data.
//!
//! What is looked at has the names of JavaScript: `in_flight` is `inFlight`, and what is absent is undefined. Names that
//! somebody gave, and words that are values elsewhere, stay as they are: labels, dimensions, pools, reasons, kinds. A document,
//! which is there to be read again, stays as it is altogether.

use loadwise::config::{self, Kind};
use napi::sys;

use crate::error::Result;
use crate::js::{Js, Value, node_api};

/// Maps whose keys somebody gave.
const GIVEN: [&str; 2] = ["labels", "quotas"];

/// Maps of figures whose keys are words or numbers.
pub const STATS: [&str; 3] = ["failures_by_kind", "no_node", "in_flight_by_process"];

/// Whole numbers up to here are exact.
const EXACT: i128 = 1 << 53;

/// What there is to look at; `words` names maps whose keys are values elsewhere.
pub fn data<'c>(js: Js<'c>, value: &config::Value, words: &[&str]) -> Result<Value<'c>> {
    Writer { js, names: Names::Ours(words) }.value("", value)
}

/// A configuration, or what was learned.
pub fn document<'c>(js: Js<'c>, value: &config::Value) -> Result<Value<'c>> {
    Writer { js, names: Names::AsTheyAre }.value("", value)
}

/// How maps are shown.
enum Names<'w> {
    /// As JavaScript names things, but for these maps.
    Ours(&'w [&'w str]),
    AsTheyAre,
}

struct Writer<'c, 'w> {
    js: Js<'c>,
    names: Names<'w>,
}

impl<'c> Writer<'c, '_> {
    /// The value of the key `name`.
    fn value(&self, name: &str, value: &config::Value) -> Result<Value<'c>> {
        let js = self.js;
        match &value.kind {
            Kind::Null => match self.names {
                Names::Ours(_) => js.undefined(),
                Names::AsTheyAre => js.null(),
            },
            Kind::Bool(b) => js.boolean(*b),
            Kind::Int(int) => self.integer(name, *int),
            Kind::Float(float) => js.number(*float),
            Kind::Text(text) => js.string(text),
            Kind::List(items) => {
                let array = js.array(items.len())?;
                for (i, item) in items.iter().enumerate() {
                    js.scoped(|| js.set_at(array, i, self.value("", item)?))?;
                }
                Ok(array)
            }
            Kind::Map(entries) => {
                let object = js.object()?;
                let ours = match self.names {
                    Names::Ours(words) => !GIVEN.contains(&name) && !words.contains(&name),
                    Names::AsTheyAre => false,
                };
                for (key, value) in entries {
                    let shown = if ours { &camel(&key.name) } else { &key.name };
                    js.scoped(|| js.set(object, shown, self.value(&key.name, value)?))?;
                }
                Ok(object)
            }
        }
    }

    /// A number; a bigint if only that is exact. A time is always a number: what it loses is less than a microsecond.
    fn integer(&self, name: &str, int: i128) -> Result<Value<'c>> {
        let js = self.js;
        if int.abs() <= EXACT || name.ends_with("_ns") {
            return js.number(int as f64);
        }
        match (u64::try_from(int), i64::try_from(int)) {
            (Ok(int), _) => js.integer(int),
            (_, Ok(int)) => js.value(node_api!(js, napi_create_bigint_int64(int) -> sys::napi_value)),
            _ => js.number(int as f64),
        }
    }
}

/// `in_flight` → `inFlight`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}
