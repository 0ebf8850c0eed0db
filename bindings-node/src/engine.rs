//! Engines: pools by name, reloaded together.

use std::cell::RefCell;
use std::rc::Rc;

use loadwise::config;
use loadwise::{Engine, Reloaded, StateError};

use crate::closure::{Call, define};
use crate::control::exposition;
use crate::data::{maintained, object};
use crate::error::{ErrorMaker, Result};
use crate::events::texts;
use crate::js::{Js, Type, Value};
use crate::pool::{Pools, handed_out};
use crate::{sharing, value};

/// Makes engines, whose pools are of this environment.
#[derive(Debug)]
struct Opener(Rc<Pools>);

#[derive(Debug)]
struct Opened {
    /// None once it is closed: garbage collection comes too late for those who share its state.
    engine: RefCell<Option<Rc<Engine>>>,
    pools: Rc<Pools>,
}

impl Opened {
    /// The engine. It stays for the caller even if a callback closes it.
    fn engine(&self) -> Result<Rc<Engine>> {
        Ok(self.engine.borrow().clone().ok_or(StateError::Closed)?)
    }
}

pub fn define_on<'c>(js: Js<'c>, object: Value<'c>, pools: &Rc<Pools>, errors: &Rc<ErrorMaker>) -> Result<()> {
    let opener = Rc::new(Opener(pools.clone()));
    define(
        js,
        object,
        &opener,
        errors,
        &[("openEngine", open), ("openEngineFile", open_file), ("attachEngine", attach), ("viewEngine", view)],
    )
}

/// `openEngine(config: text | object)` → the functions of an engine.
fn open<'c>(call: &Call<'c, Opener>) -> Result<Value<'c>> {
    opened(call, Engine::from_value(&document(call.js, call.argument(0)?)?)?)
}

/// `openEngineFile(path)`: as `openEngine`, and `reload` reads it again.
fn open_file<'c>(call: &Call<'c, Opener>) -> Result<Value<'c>> {
    opened(call, Engine::open(call.text(0, "path")?)?)
}

/// `attachEngine(path)`: as `openEngine`, of a shared state that is there.
fn attach<'c>(call: &Call<'c, Opener>) -> Result<Value<'c>> {
    opened(call, Engine::attach(call.text(0, "path")?)?)
}

/// `viewEngine(path)`: as `attachEngine`, to look at only.
fn view<'c>(call: &Call<'c, Opener>) -> Result<Value<'c>> {
    opened(call, Engine::view(call.text(0, "path")?)?)
}

/// A text, or data.
pub fn document<'c>(js: Js<'c>, given: Value<'c>) -> Result<config::Value> {
    match js.type_of(given)? {
        Type::String => Ok(config::Value::parse(&js.text(given, "")?)?),
        Type::Object => value::read(js, given, ""),
        _ => Err(js.not(given, "", "a configuration, text or an object")),
    }
}

fn opened<'c>(call: &Call<'c, Opener>, engine: Engine) -> Result<Value<'c>> {
    let functions = call.js.object()?;
    let engine = RefCell::new(Some(Rc::new(engine)));
    let state = Rc::new(Opened { engine, pools: call.state.0.clone() });
    define(
        call.js,
        functions,
        &state,
        call.errors,
        &[
            ("pool", pool),
            ("has", has),
            ("names", names),
            ("reload", reload),
            ("remove", remove),
            ("differences", differences),
            ("sharedPath", shared_path),
            ("privateBecause", private_because),
            ("processes", processes),
            ("config", config_in_force),
            ("version", version),
            ("maintain", maintain),
            ("stats", stats),
            ("metrics", metrics),
            ("close", close),
        ],
    )?;
    Ok(functions)
}

/// `pool(name)` → `{number, keeper}`, or undefined.
fn pool<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    match call.state.engine()?.pool(&call.text(0, "name")?) {
        Some(pool) => handed_out(call.js, &call.state.pools, pool),
        None => call.js.undefined(),
    }
}

/// `has(name, number)` → whether the pool of a number is the one of that name now.
fn has<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    let (pool, number) = (call.state.engine()?.pool(&call.text(0, "name")?), call.uint32(1, "number")?);
    call.js.boolean(pool.is_some_and(|pool| call.state.pools.is_at(number, &pool)))
}

fn names<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    texts(call.js, &call.state.engine()?.names())
}

/// `reload(config, ifNew)`, from the file without a configuration → `{added, removed, changed, version}`.
fn reload<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    let (js, engine) = (call.js, call.state.engine()?);
    let config = call.given(0)?.map(|given| document(js, given)).transpose()?;
    let Reloaded { added, removed, changed, version } = match (config, call.boolean(1, "ifNew", false)?) {
        (Some(config), false) => engine.reload_value(&config)?,
        (Some(config), true) => engine.reload_value_if_new(&config)?,
        (None, false) => engine.reload()?,
        (None, true) => engine.reload_if_new()?,
    };
    let properties = [
        ("added", texts(js, &added)?),
        ("removed", texts(js, &removed)?),
        ("changed", texts(js, &changed)?),
        ("version", js.number(version as f64)?),
    ];
    object(js, &properties)
}

/// `remove(name)` → whether there was a pool of that name.
fn remove<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    let removed = call.state.engine()?.remove(&call.text(0, "name")?)?;
    call.js.boolean(removed)
}

fn differences<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    sharing::told_differences(call.js, &call.state.engine()?.differences())
}

/// `sharedPath()` → the file, or undefined.
fn shared_path<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    sharing::told_path(call.js, call.state.engine()?.shared_path().as_deref())
}

/// `privateBecause()` → why nothing is shared although it should be, or undefined.
fn private_because<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    let js = call.js;
    call.state.engine()?.private_because().map_or_else(|| js.undefined(), |reason| js.string(reason))
}

fn processes<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    sharing::told_processes(call.js, &call.state.engine()?.processes())
}

fn config_in_force<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    value::document(call.js, &call.state.engine()?.config())
}

fn version<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    call.js.number(call.state.engine()?.version() as f64)
}

/// `maintain(nowNs)`
fn maintain<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    let now_ns = call.now_ns(0)?;
    maintained(call.js, call.state.engine()?.maintain(now_ns))
}

/// `stats(nowNs)` → the figures of each pool.
fn stats<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    let (js, now_ns) = (call.js, call.now_ns(0)?);
    let all = call.state.engine()?.stats_at(now_ns);
    let figures = js.array(all.len())?;
    for (i, pool) in all.iter().enumerate() {
        js.scoped(|| js.set_at(figures, i, value::data(js, &pool.to_value(), &value::STATS)?))?;
    }
    Ok(figures)
}

/// `metrics(format)` → a text.
fn metrics<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    call.js.string(&exposition(call, 0, &call.state.engine()?.stats())?)
}

fn close<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    drop(call.state.engine.take());
    call.js.undefined()
}
