//! What there is to see of a pool, as JavaScript data.

use loadwise::{CODES, Candidate, Maintained, NodeRef, NodeStatus, Pool, StateError};

use crate::closure::Call;
use crate::error::{Failure, Result, code};
use crate::js::{Js, Value};
use crate::pool::Pools;

/// `described(pool, index, generation, field)` → how a picked node is described: it is as long as the pick is open.
pub fn described<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    describe(call, &*Pools::of(call)?, node(call)?, FIELD)
}

/// The argument that names a field, by the numbers of `lib/field.js`, after a node.
const FIELD: usize = 3;

/// Something about a node that its user has said; empty once it is gone.
pub fn describe<'c, T>(call: &Call<'c, T>, pool: &Pool, node: NodeRef, field: usize) -> Result<Value<'c>> {
    let js = call.js;
    match js.as_uint32(call.argument(field)?) {
        Some(0) => js.string(&pool.id_of(node)),
        Some(1) => js.string(&pool.address_of(node)),
        Some(2) => js.string(&pool.name_of(node)),
        _ => js.integer(pool.user_data_of(node)),
    }
}

/// `candidate(pool, index, generation, field)` → something about a node at this moment.
pub fn candidate<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (js, pool) = (call.js, Pools::of(call)?);
    let candidate = present(&pool, node(call)?)?;
    match js.as_uint32(call.argument(FIELD)?) {
        Some(4) => js.small(candidate.weight()),
        Some(5) => js.string(candidate.health().as_str()),
        Some(6) => js.number(candidate.in_flight() as f64),
        Some(7) => js.optional(candidate.load()),
        Some(8) => js.optional(candidate.remaining_ratio()),
        _ => describe(call, &pool, candidate.node(), FIELD),
    }
}

/// `hasLabel(pool, index, generation, name, value)`.
pub fn has_label<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (name, value) = (call.text(3, "name")?, call.text(4, "value")?);
    let pool = Pools::of(call)?;
    call.js.boolean(present(&pool, node(call)?)?.has_label(&name, &value))
}

fn present(pool: &Pool, node: NodeRef) -> Result<Candidate<'_>> {
    let gone = || StateError::UnknownNode(pool.id_of(node).as_str().to_owned());
    pool.candidate(node).ok_or_else(|| Failure::Error(gone().into()))
}

/// What is no number names no node.
fn node<T>(call: &Call<'_, T>) -> Result<NodeRef> {
    let number = |index| Ok::<_, Failure>(call.js.as_uint32(call.argument(index)?).unwrap_or_default());
    Ok(NodeRef { index: number(1)?, generation: number(2)? })
}

pub fn nodes<'c>(js: Js<'c>, nodes: &[NodeStatus]) -> Result<Value<'c>> {
    let array = js.array(nodes.len())?;
    for (i, node) in nodes.iter().enumerate() {
        js.scoped(|| js.set_at(array, i, status(js, node)?))?;
    }
    Ok(array)
}

pub fn status<'c>(js: Js<'c>, node: &NodeStatus) -> Result<Value<'c>> {
    let labels = js.object()?;
    for (name, text) in &node.labels {
        js.set(labels, name, js.string(text)?)?;
    }
    object(
        js,
        &[
            ("id", js.string(&node.id)?),
            ("name", js.string(&node.name)?),
            ("address", js.string(&node.address)?),
            ("weight", js.small(node.weight)?),
            ("labels", labels),
            ("health", js.string(node.health.as_str())?),
            ("tier", js.small(u32::from(node.tier))?),
            ("zone", js.string(&node.zone)?),
            ("maxInFlight", js.small(node.max_in_flight)?),
            ("available", js.boolean(node.available)?),
            ("breaker", js.string(node.breaker.as_str())?),
            ("ejected", js.boolean(node.ejected)?),
            ("holdUntilNs", js.optional(node.hold_until_ns.map(|ns| ns as f64))?),
            ("warming", js.number(node.warming)?),
            ("successRate", js.optional(node.success_rate)?),
            ("draining", js.boolean(node.draining)?),
            ("drained", js.boolean(node.drained)?),
            ("inFlight", js.number(node.in_flight as f64)?),
            ("latencyMs", js.optional(node.latency_ns.map(|ns| ns / 1e6))?),
            ("load", js.optional(node.load)?),
            ("remainingRatio", js.optional(node.remaining_ratio)?),
            ("consecutiveFailures", js.small(node.consecutive_failures)?),
            ("userData", js.integer(node.user_data)?),
            ("index", js.small(node.node.index)?),
            ("generation", js.small(node.node.generation)?),
        ],
    )
}

pub fn maintained<'c>(js: Js<'c>, done: Maintained) -> Result<Value<'c>> {
    object(
        js,
        &[
            ("nextDueNs", js.number(done.next_due_ns as f64)?),
            ("leasesExpired", js.number(done.leases_expired as f64)?),
            ("rebuilt", js.boolean(done.rebuilt)?),
        ],
    )
}

/// `codes()` → the `code` of each status.
pub fn codes<'c>(call: &Call<'c, ()>) -> Result<Value<'c>> {
    let js = call.js;
    let all = js.object()?;
    for (status, ..) in CODES {
        js.set(all, &code(*status), js.small(*status)?)?;
    }
    Ok(all)
}

pub fn object<'c>(js: Js<'c>, properties: &[(&str, Value<'c>)]) -> Result<Value<'c>> {
    let object = js.object()?;
    properties.iter().try_for_each(|(name, value)| js.set(object, name, *value))?;
    Ok(object)
}
