//! What a pick asks for, read from the arguments of a call.

use loadwise::{Candidate, ConfigError, HealthStatus, Lease, NoNode, NodeRef, Pool, Request};

use crate::callback::Callbacks;
use crate::closure::Call;
use crate::error::{Failure, Result};
use crate::js::{Js, Type, Value};
use crate::value;

/// The arguments of `ask`, after the pool.
const KEY: usize = 1;
const EXCLUDE: usize = 2;
const REQUIRE: usize = 3;
const HEALTH: usize = 4;
const PREDICATE: usize = 5;
const NOW_NS: usize = 6;
const OWN_STRATEGY: usize = 7;
const ZONE: usize = 8;
const SESSION: usize = 9;
const COST: usize = 10;
/// How many there are with all, and with none of those from `ZONE` on.
pub const ARGUMENTS: usize = 11;
pub const ARGUMENTS_USUAL: usize = 8;

/// What came of a request.
pub struct Asked<R> {
    pub answer: R,
    /// Whether a predicate or an own strategy threw.
    pub callback_failed: bool,
}

/// Reads the request and makes the pick.
pub fn acquire<T>(call: &Call<'_, T>, pool: &Pool) -> Result<Lease> {
    let Asked { mut answer, callback_failed } = asked(call, |request| pool.acquire(request))?;
    note(&mut answer, callback_failed);
    Ok(answer?)
}

/// Takes note of a callback that failed.
pub fn note(answer: &mut std::result::Result<Lease, NoNode>, callback_failed: bool) {
    match answer {
        Ok(lease) => lease.callback_failed |= callback_failed,
        Err(none) => none.callback_failed |= callback_failed,
    }
}

/// Reads a request and asks it.
pub fn asked<T, R>(call: &Call<'_, T>, ask: impl FnOnce(&Request<'_>) -> R) -> Result<Asked<R>> {
    let js = call.js;
    let mut request = Request::new();
    request.now_ns = call.nanoseconds(NOW_NS, "nowNs")?;
    if let Some(health) = call.given(HEALTH)? {
        request.health_mask = mask(js, health)?;
    }
    let (ids, nodes) = match call.given(EXCLUDE)? {
        Some(list) => excluded(js, list)?,
        None => Default::default(),
    };
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    (request.exclude, request.exclude_nodes) = (&ids, &nodes);
    let labels = match call.given(REQUIRE)? {
        Some(map) => labels(js, map, "require")?,
        None => Vec::new(),
    };
    let labels: Vec<(&str, &str)> = labels.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    request.require = &labels;
    let zone = call.given(ZONE)?.map(|zone| js.text(zone, "zone")).transpose()?;
    request.zone = zone.as_deref();
    let cost = call.given(COST)?.map(|cost| value::amounts(js, cost, "cost")).transpose()?.unwrap_or_default();
    let cost: Vec<(&str, u64)> = cost.iter().map(|(dimension, n)| (dimension.as_str(), *n)).collect();
    request.cost = &cost;
    let predicate = call.given(PREDICATE)?;
    let kind = predicate.map(|p| js.type_of(p)).transpose()?;
    if kind.is_some_and(|kind| kind != Type::Function) {
        return Err(js.not(call.argument(PREDICATE)?, "predicate", "a function"));
    }
    match call.given(SESSION)? {
        Some(session) => js.with_bytes(session, "session", |bytes| with_key(call, request.session(bytes), ask))?,
        None => with_key(call, request, ask),
    }
}

fn with_key<T, R>(call: &Call<'_, T>, request: Request<'_>, ask: impl FnOnce(&Request<'_>) -> R) -> Result<Asked<R>> {
    match call.given(KEY)? {
        Some(key) => call.js.with_bytes(key, "key", |bytes| with_callbacks(call, request.key(bytes), ask))?,
        None => with_callbacks(call, request, ask),
    }
}

fn with_callbacks<T, R>(
    call: &Call<'_, T>,
    request: Request<'_>,
    ask: impl FnOnce(&Request<'_>) -> R,
) -> Result<Asked<R>> {
    let (predicate, own_strategy) = (call.given(PREDICATE)?, call.given(OWN_STRATEGY)?);
    if predicate.is_none() && own_strategy.is_none() {
        return Ok(Asked { answer: ask(&request), callback_failed: false });
    }
    let callbacks = Callbacks::new(call.js, predicate, own_strategy, call.argument(KEY)?);
    let accepts = |candidate: &Candidate<'_>| callbacks.accepts(candidate);
    let request = if callbacks.has_predicate() { request.predicate(&accepts) } else { request };
    let answer = callbacks.during(|| ask(&request));
    Ok(Asked { answer, callback_failed: callbacks.failed() })
}

/// The health state of a word.
pub fn health(word: &str, name: &str) -> Result<HealthStatus> {
    let known = || HealthStatus::ALL.map(HealthStatus::as_str).join(", ");
    let wrong = || ConfigError::new(name, 0, format!("unknown state; known are {}", known())).into();
    HealthStatus::parse(word).ok_or_else(wrong)
}

/// A sum of flags, or the names of states.
fn mask<'c>(js: Js<'c>, health: Value<'c>) -> Result<u8> {
    let wrong = || Failure::from(ConfigError::new("health", 0, "must be a sum of 1, 2, 4 and 8, or a list of states"));
    match js.as_number(health) {
        Some(mask) if mask.fract() == 0.0 && (1.0..=15.0).contains(&mask) => return Ok(mask as u8),
        Some(_) => return Err(wrong()),
        None => {}
    }
    if js.type_of(health)? != Type::Object || !js.is_array(health)? {
        return Err(wrong());
    }
    let mut mask = 0;
    for i in 0..js.length(health)? {
        let word = js.text(js.at(health, i)?, &format!("health[{i}]"))?;
        let status = self::health(&word, &format!("health[{i}]"))?;
        mask |= status.bit_flag();
    }
    if mask == 0 { Err(wrong()) } else { Ok(mask) }
}

/// Ids, and picks, which name their nodes.
fn excluded<'c>(js: Js<'c>, list: Value<'c>) -> Result<(Vec<String>, Vec<NodeRef>)> {
    if js.type_of(list)? != Type::Object || !js.is_array(list)? {
        return Err(js.not(list, "exclude", "a list of node ids or picks"));
    }
    let (mut ids, mut nodes) = (Vec::new(), Vec::new());
    for i in 0..js.length(list)? {
        js.scoped(|| {
            let item = js.at(list, i)?;
            match js.type_of(item)? {
                Type::String => ids.push(js.text(item, &format!("exclude[{i}]"))?),
                Type::Object => {
                    let word = |name| Ok::<_, Failure>(js.as_number(js.get(item, name)?));
                    let (Some(index), Some(generation)) = (word("index")?, word("generation")?) else {
                        return Err(js.not(item, &format!("exclude[{i}]"), "a node id or a pick"));
                    };
                    nodes.push(NodeRef { index: index as u32, generation: generation as u32 });
                }
                _ => return Err(js.not(item, &format!("exclude[{i}]"), "a node id or a pick")),
            }
            Ok(())
        })?;
    }
    Ok((ids, nodes))
}

/// Labels and their values; those that are undefined are left out.
pub fn labels<'c>(js: Js<'c>, map: Value<'c>, name: &str) -> Result<Vec<(String, String)>> {
    if js.type_of(map)? != Type::Object || js.is_array(map)? || !js.is_plain(map)? {
        return Err(ConfigError::new(name, 0, "must be a plain object of labels").into());
    }
    let names = js.names(map)?;
    let mut labels = Vec::new();
    for i in 0..js.length(names)? {
        let key = js.at(names, i)?;
        let value = js.get_by(map, key)?;
        let key = js.text(key, name)?;
        if js.type_of(value)? != Type::Undefined {
            let text = js.text(value, &format!("{name}.{key}"))?;
            labels.push((key, text));
        }
    }
    Ok(labels)
}
