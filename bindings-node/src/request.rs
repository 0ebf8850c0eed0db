//! What a pick asks for, read from the arguments of a call.

use loadwise::{Candidate, ConfigError, HealthStatus, Lease, NodeRef, Pool, Request};

use crate::callback::Callbacks;
use crate::closure::Call;
use crate::error::{Failure, Result};
use crate::js::{Js, Type, Value};

/// The arguments of `ask`, after the pool.
const KEY: usize = 1;
const EXCLUDE: usize = 2;
const REQUIRE: usize = 3;
const HEALTH: usize = 4;
const PREDICATE: usize = 5;
const NOW_NS: usize = 6;
const OWN_STRATEGY: usize = 7;

/// Reads the request and makes the pick.
pub fn acquire<T>(call: &Call<'_, T>, pool: &Pool) -> Result<Lease> {
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
        Some(map) => labels(js, map)?,
        None => Vec::new(),
    };
    let labels: Vec<(&str, &str)> = labels.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    request.require = &labels;
    let own_strategy = call.given(OWN_STRATEGY)?;
    let predicate = call.given(PREDICATE)?;
    let kind = predicate.map(|p| js.type_of(p)).transpose()?;
    if kind.is_some_and(|kind| kind != Type::Function) {
        return Err(js.not(call.argument(PREDICATE)?, "predicate", "a function"));
    }
    match call.given(KEY)? {
        Some(key) => {
            js.with_bytes(key, "key", |bytes| with_callbacks(call, pool, request.key(bytes), predicate, own_strategy))?
        }
        None => with_callbacks(call, pool, request, predicate, own_strategy),
    }
}

fn with_callbacks<'c, T>(
    call: &Call<'c, T>,
    pool: &Pool,
    request: Request<'_>,
    predicate: Option<Value<'c>>,
    own_strategy: Option<Value<'c>>,
) -> Result<Lease> {
    if predicate.is_none() && own_strategy.is_none() {
        return Ok(pool.acquire(&request)?);
    }
    let callbacks = Callbacks::new(call.js, predicate, own_strategy, call.argument(KEY)?);
    let accepts = |candidate: &Candidate<'_>| callbacks.accepts(candidate);
    let request = if callbacks.has_predicate() { request.predicate(&accepts) } else { request };
    let mut result = callbacks.during(|| pool.acquire(&request));
    match &mut result {
        Ok(lease) => lease.callback_failed |= callbacks.failed(),
        Err(no_node) => no_node.callback_failed |= callbacks.failed(),
    }
    Ok(result?)
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
        let Some(status) = HealthStatus::parse(&word) else {
            let known = HealthStatus::ALL.map(HealthStatus::as_str).join(", ");
            return Err(ConfigError::new(format!("health[{i}]"), 0, format!("unknown state; known are {known}")).into());
        };
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

fn labels<'c>(js: Js<'c>, map: Value<'c>) -> Result<Vec<(String, String)>> {
    if js.type_of(map)? != Type::Object || js.is_array(map)? || !js.is_plain(map)? {
        return Err(ConfigError::new("require", 0, "must be a plain object of labels").into());
    }
    let names = js.names(map)?;
    let mut labels = Vec::new();
    for i in 0..js.length(names)? {
        let name = js.at(names, i)?;
        let value = js.get_by(map, name)?;
        let name = js.text(name, "require")?;
        if js.type_of(value)? != Type::Undefined {
            let text = js.text(value, &format!("require.{name}"))?;
            labels.push((name, text));
        }
    }
    Ok(labels)
}
