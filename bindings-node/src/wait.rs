//! Waiting for room. The queue is the core's; JavaScript sleeps until it is called, or looks again.

use std::rc::Rc;

use loadwise::WaitId;

use crate::closure::{Call, define};
use crate::error::{ErrorMaker, Result};
use crate::function::Listener;
use crate::js::{Js, Value};
use crate::pool::Pools;

pub fn define_on<'c>(js: Js<'c>, object: Value<'c>, pools: &Rc<Pools>, errors: &Rc<ErrorMaker>) -> Result<()> {
    define(
        js,
        object,
        pools,
        errors,
        &[("wait", wait), ("stopWaiting", stop_waiting), ("waiting", waiting), ("acquireTimeout", acquire_timeout)],
    )
}

/// `wait(pool, wake)` → the place in the queue. `wake` is called once, when there may be room.
fn wait<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let wake = Listener::new(call.js, call.argument(1)?)?;
    let id = Pools::of(call)?.wait(move || wake.call(|_| Ok(Vec::new())))?;
    call.js.number(id.as_u64() as f64)
}

/// `stopWaiting(pool, id)` → whether it was still in the queue.
fn stop_waiting<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let id = WaitId::from_u64(call.uint64(1, "id")?);
    call.js.boolean(Pools::of(call).is_ok_and(|pool| pool.stop_waiting(id)))
}

fn waiting<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    call.js.number(Pools::of(call)?.waiting() as f64)
}

/// How many milliseconds a pick waits that names no time.
fn acquire_timeout<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    call.js.number(Pools::of(call)?.acquire_timeout().as_nanos() as f64 / 1e6)
}
