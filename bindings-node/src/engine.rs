//! Engines: pools by name, reloaded together.

use std::rc::Rc;

use loadwise::config;
use loadwise::{Engine, Reloaded};

use crate::closure::{Call, define};
use crate::control::exposition;
use crate::data::{maintained, object};
use crate::error::{ErrorMaker, Result};
use crate::events::texts;
use crate::js::{Js, Type, Value};
use crate::pool::{Pools, handed_out};
use crate::value;

/// Makes engines, whose pools are of this environment.
#[derive(Debug)]
struct Opener(Rc<Pools>);

#[derive(Debug)]
struct Opened {
    engine: Engine,
    pools: Rc<Pools>,
}

pub fn define_on<'c>(js: Js<'c>, object: Value<'c>, pools: &Rc<Pools>, errors: &Rc<ErrorMaker>) -> Result<()> {
    let opener = Rc::new(Opener(pools.clone()));
    define(js, object, &opener, errors, &[("openEngine", open), ("openEngineFile", open_file)])
}

/// `openEngine(config: text | object)` → the functions of an engine.
fn open<'c>(call: &Call<'c, Opener>) -> Result<Value<'c>> {
    opened(call, Engine::from_value(&document(call.js, call.argument(0)?)?)?)
}

/// `openEngineFile(path)`: as `openEngine`, and `reload` reads it again.
fn open_file<'c>(call: &Call<'c, Opener>) -> Result<Value<'c>> {
    opened(call, Engine::open(call.text(0, "path")?)?)
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
    let state = Rc::new(Opened { engine, pools: call.state.0.clone() });
    define(
        call.js,
        functions,
        &state,
        call.errors,
        &[
            ("pool", pool),
            ("names", names),
            ("reload", reload),
            ("config", config_in_force),
            ("version", version),
            ("maintain", maintain),
            ("stats", stats),
            ("metrics", metrics),
        ],
    )?;
    Ok(functions)
}

/// `pool(name)` → `{number, keeper}`, or undefined.
fn pool<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    match call.state.engine.pool(&call.text(0, "name")?) {
        Some(pool) => handed_out(call.js, &call.state.pools, pool),
        None => call.js.undefined(),
    }
}

fn names<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    texts(call.js, &call.state.engine.names())
}

/// `reload(config)`, or from the file without one → `{added, removed, changed, version}`.
fn reload<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    let (js, engine) = (call.js, &call.state.engine);
    let Reloaded { added, removed, changed, version } = match call.given(0)? {
        Some(given) => engine.reload_value(&document(js, given)?)?,
        None => engine.reload()?,
    };
    let properties = [
        ("added", texts(js, &added)?),
        ("removed", texts(js, &removed)?),
        ("changed", texts(js, &changed)?),
        ("version", js.number(version as f64)?),
    ];
    object(js, &properties)
}

fn config_in_force<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    value::document(call.js, &call.state.engine.config())
}

fn version<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    call.js.number(call.state.engine.version() as f64)
}

/// `maintain(nowNs)`
fn maintain<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    let now_ns = call.now_ns(0)?;
    maintained(call.js, call.state.engine.maintain(now_ns))
}

/// `stats(nowNs)` → the figures of each pool.
fn stats<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    let (js, now_ns) = (call.js, call.now_ns(0)?);
    let all = call.state.engine.stats_at(now_ns);
    let figures = js.array(all.len())?;
    for (i, pool) in all.iter().enumerate() {
        js.scoped(|| js.set_at(figures, i, value::data(js, &pool.to_value(), &value::STATS)?))?;
    }
    Ok(figures)
}

/// `metrics(format)` → a text.
fn metrics<'c>(call: &Call<'c, Opened>) -> Result<Value<'c>> {
    call.js.string(&exposition(call, 0, &call.state.engine.stats())?)
}
