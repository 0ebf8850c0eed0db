//! What there is to see of a pool, as JavaScript data.

use loadwise::{CODES, Maintained, NodeRef, NodeStatus};

use crate::closure::Call;
use crate::error::{Failure, Result, code};
use crate::js::{Js, Value};
use crate::pool::Pools;

/// `read(pool, index, generation, field)` → one thing about a node; undefined once it is gone.
pub fn read<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let node = node(call)?;
    field(call, node, call.uint32(3, "field")?)
}

/// `hasLabel(pool, index, generation, name, value)`.
pub fn has_label<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (name, value) = (call.text(3, "name")?, call.text(4, "value")?);
    let pool = Pools::of(call)?;
    call.js.boolean(pool.candidate(node(call)?).is_some_and(|c| c.has_label(&name, &value)))
}

/// What is no number names no node.
fn node<T>(call: &Call<'_, T>) -> Result<NodeRef> {
    let number = |index| Ok::<_, Failure>(call.js.as_uint32(call.argument(index)?).unwrap_or_default());
    Ok(NodeRef { index: number(1)?, generation: number(2)? })
}

/// The numbers of fields are those of `lib/field.js`.
pub fn field<'c>(call: &Call<'c, Pools>, node: NodeRef, field: u32) -> Result<Value<'c>> {
    let js = call.js;
    let pool = Pools::of(call)?;
    let Some(candidate) = pool.candidate(node) else { return js.undefined() };
    match field {
        0 => js.string(&candidate.id()),
        1 => js.string(&candidate.address()),
        2 => js.string(&candidate.name()),
        3 => js.integer(candidate.user_data()),
        4 => js.small(candidate.weight()),
        5 => js.string(candidate.health().as_str()),
        6 => js.number(candidate.in_flight() as f64),
        7 => js.optional(candidate.load()),
        8 => js.optional(candidate.remaining_ratio()),
        _ => js.undefined(),
    }
}

pub fn nodes<'c>(js: Js<'c>, nodes: &[NodeStatus]) -> Result<Value<'c>> {
    let array = js.array(nodes.len())?;
    for (i, node) in nodes.iter().enumerate() {
        js.scoped(|| js.set_at(array, i, status(js, node)?))?;
    }
    Ok(array)
}

fn status<'c>(js: Js<'c>, node: &NodeStatus) -> Result<Value<'c>> {
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
            ("draining", js.boolean(node.draining)?),
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
