//! A state that processes share: who they are, what they hold, and what they would have otherwise.

use std::path::Path;
use std::rc::Rc;

use loadwise::{Difference, ProcessStatus, now_ns};

use crate::closure::{Call, define};
use crate::data::object;
use crate::error::{ErrorMaker, Result};
use crate::js::{Js, Value};
use crate::pool::Pools;
use crate::value;

pub fn define_on<'c>(js: Js<'c>, object: Value<'c>, pools: &Rc<Pools>, errors: &Rc<ErrorMaker>) -> Result<()> {
    define(
        js,
        object,
        pools,
        errors,
        &[
            ("differences", differences),
            ("sharedPath", shared_path),
            ("processes", processes),
            ("openPicks", open_picks),
        ],
    )
}

/// `differences(pool)` → in what it was configured otherwise than the pool that was there.
fn differences<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    told_differences(call.js, Pools::of(call)?.differences())
}

/// `sharedPath(pool)` → its file, or undefined.
fn shared_path<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    told_path(call.js, Pools::of(call)?.shared_path())
}

/// `processes(pool)` → who shares it.
fn processes<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    told_processes(call.js, &Pools::of(call)?.processes())
}

/// `openPicks(pool, limit)` → the oldest unfinished picks of all processes.
fn open_picks<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (pool, limit, now_ns) = (Pools::of(call)?, call.uint32(1, "limit")?, now_ns());
    let picks = pool.open_picks(limit as usize);
    list(call.js, &picks, |pick| value::data(call.js, &pick.to_value(now_ns), &[]))
}

pub fn told_differences<'c>(js: Js<'c>, differences: &[Difference]) -> Result<Value<'c>> {
    list(js, differences, |Difference { pool, key, configured, in_force }| {
        let properties = [
            ("pool", js.string(pool)?),
            ("key", js.string(key)?),
            ("configured", js.string(configured)?),
            ("inForce", js.string(in_force)?),
        ];
        object(js, &properties)
    })
}

pub fn told_processes<'c>(js: Js<'c>, processes: &[ProcessStatus]) -> Result<Value<'c>> {
    list(js, processes, |process| value::data(js, &process.to_value(), &[]))
}

pub fn told_path<'c>(js: Js<'c>, path: Option<&Path>) -> Result<Value<'c>> {
    path.map_or_else(|| js.undefined(), |path| js.string(&path.to_string_lossy()))
}

fn list<'c, T>(js: Js<'c>, items: &[T], told: impl Fn(&T) -> Result<Value<'c>>) -> Result<Value<'c>> {
    let array = js.array(items.len())?;
    for (i, item) in items.iter().enumerate() {
        js.scoped(|| js.set_at(array, i, told(item)?))?;
    }
    Ok(array)
}
