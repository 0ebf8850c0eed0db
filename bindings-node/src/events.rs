//! What happens in a pool, told to JavaScript when it happens.

use std::rc::Rc;
use std::sync::Weak;

use loadwise::{Event, EventKind, ObserverId, Pool};

use crate::closure::{Call, define};
use crate::data::object;
use crate::error::{ErrorMaker, Result};
use crate::function::Listener;
use crate::js::{Js, Value};
use crate::pool::Pools;

pub fn define_on<'c>(js: Js<'c>, object: Value<'c>, pools: &Rc<Pools>, errors: &Rc<ErrorMaker>) -> Result<()> {
    define(js, object, pools, errors, &[("observe", observe), ("stopObserving", stop_observing)])
}

/// `observe(pool, listener, selections)` → the observer's number.
fn observe<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let pool = Pools::of(call)?;
    let selections = call.boolean(2, "selections", false)?;
    let listener = Listener::new(call.js, call.argument(1)?)?;
    // The pool has its observers, so they must not have it.
    let observed = pool.weak();
    let id = pool.observe(selections, move |event| listener.call(|js| Ok(vec![told(js, &observed, event)?])));
    call.js.number(id.as_u64() as f64)
}

/// `stopObserving(pool, id)` → whether it was an observer.
fn stop_observing<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let id = ObserverId::from_u64(call.uint64(1, "id")?);
    call.js.boolean(Pools::of(call).is_ok_and(|pool| pool.stop_observing(id)))
}

fn told<'c>(js: Js<'c>, pool: &Weak<Pool>, event: &Event) -> Result<Value<'c>> {
    let mut properties = vec![("kind", js.string(event.kind.name())?), ("atNs", js.number(event.at_ns as f64)?)];
    if let (Some(node), Some(pool)) = (event.node, pool.upgrade()) {
        properties.push(("node", js.string(&pool.id_of(node))?));
    }
    match &event.kind {
        EventKind::Health { from, to } => {
            properties.extend([("from", js.string(from.as_str())?), ("to", js.string(to.as_str())?)]);
        }
        EventKind::Breaker { open } => properties.push(("open", js.boolean(*open)?)),
        EventKind::Ejection { ejected } => properties.push(("ejected", js.boolean(*ejected)?)),
        EventKind::Panic { spread } => properties.push(("spread", js.boolean(*spread)?)),
        EventKind::Tier { from, to } => {
            properties.extend([("from", js.small(u32::from(*from))?), ("to", js.small(u32::from(*to))?)]);
        }
        EventKind::Topology { added, removed } => {
            properties.extend([("added", texts(js, added)?), ("removed", texts(js, removed)?)]);
        }
        EventKind::Selection { strategy } => properties.push(("strategy", js.string(strategy)?)),
        _ => {}
    }
    object(js, &properties)
}

pub fn texts<'c>(js: Js<'c>, texts: &[String]) -> Result<Value<'c>> {
    let array = js.array(texts.len())?;
    for (i, text) in texts.iter().enumerate() {
        js.scoped(|| js.set_at(array, i, js.string(text)?))?;
    }
    Ok(array)
}
