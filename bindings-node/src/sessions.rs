//! Sessions that stay on their nodes, and traffic that is sent to another tier by hand.

use std::rc::Rc;

use crate::closure::{Call, define};
use crate::error::{ErrorMaker, Result};
use crate::js::{Js, Value};
use crate::pool::Pools;

pub fn define_on<'c>(js: Js<'c>, object: Value<'c>, pools: &Rc<Pools>, errors: &Rc<ErrorMaker>) -> Result<()> {
    define(
        js,
        object,
        pools,
        errors,
        &[
            ("affinity", affinity),
            ("setAffinity", set_affinity),
            ("clearAffinity", clear_affinity),
            ("rebalance", rebalance),
            ("failover", failover),
            ("resetFailover", reset_failover),
        ],
    )
}

/// `affinity(pool, session, nowNs)` → the id of the node that the session is remembered with, or undefined.
fn affinity<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (js, pool, now_ns) = (call.js, Pools::of(call)?, call.now_ns(2)?);
    match session(call, |session| pool.affinity_at(session, now_ns))? {
        Some(node) => js.string(&pool.id_of(node)),
        None => js.undefined(),
    }
}

/// `setAffinity(pool, session, id, nowNs)`
fn set_affinity<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (pool, id, now_ns) = (Pools::of(call)?, call.text(2, "id")?, call.now_ns(3)?);
    session(call, |session| pool.set_affinity_at(session, &id, now_ns))??;
    call.js.undefined()
}

/// `clearAffinity(pool, session)` → whether the session was remembered.
fn clear_affinity<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let pool = Pools::of(call)?;
    call.js.boolean(session(call, |session| pool.clear_affinity(session))?)
}

fn session<T, R>(call: &Call<'_, T>, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
    call.js.with_bytes(call.argument(1)?, "session", read)
}

/// `rebalance(pool, nowNs)` → how many sessions were moved.
fn rebalance<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let now_ns = call.now_ns(1)?;
    call.js.number(Pools::of(call)?.rebalance_at(now_ns) as f64)
}

/// `failover(pool, id)`
fn failover<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    Pools::of(call)?.failover(&call.text(1, "id")?)?;
    call.js.undefined()
}

/// `resetFailover(pool)` → whether there was one.
fn reset_failover<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    call.js.boolean(Pools::of(call)?.reset_failover())
}
