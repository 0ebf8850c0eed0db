//! Control of a pool: its nodes, its strategy, reports from outside, maintenance, the end.

use std::rc::Rc;
use std::sync::Arc;

use loadwise::config::{self, StrategyConfig, parse_chain, parse_nodes};
use loadwise::stats::PoolStats;
use loadwise::{ConfigError, Limits, Load, NodeSpec, openmetrics, prometheus};

use crate::callback::OwnStrategy;
use crate::closure::{Call, define};
use crate::error::{ErrorMaker, Result};
use crate::js::{Js, Type, Value};
use crate::pool::Pools;
use crate::{data, report, request, value};

pub fn define_on<'c>(js: Js<'c>, object: Value<'c>, pools: &Rc<Pools>, errors: &Rc<ErrorMaker>) -> Result<()> {
    define(
        js,
        object,
        pools,
        errors,
        &[
            ("report", told),
            ("reportLoad", report_load),
            ("setNodes", set_nodes),
            ("update", update),
            ("setHealth", set_health),
            ("register", register),
            ("registerBatch", register_batch),
            ("deregister", deregister),
            ("drain", drain),
            ("setWeight", set_weight),
            ("setNodeUserData", set_node_user_data),
            ("setStrategy", set_strategy),
            ("setOwnStrategy", set_own_strategy),
            ("strategy", strategy),
            ("nodes", nodes),
            ("nodeStatus", node_status),
            ("length", length),
            ("name", name),
            ("configVersion", config_version),
            ("maintain", maintain),
            ("stats", stats),
            ("metrics", metrics),
        ],
    )
}

fn told<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (pool, id) = (Pools::of(call)?, call.text(1, "id")?);
    call.js.boolean(report::told(call, |report| pool.report(&id, report))??)
}

/// `reportLoad(pool, id, load, remainingRatio, requestsPerS, utilization, errorsPerS, nowNs)`
fn report_load<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let load = Load {
        load: call.optional_number(2, "load")?,
        remaining_ratio: call.optional_number(3, "remainingRatio")?,
        requests_per_s: call.optional_number(4, "requestsPerS")?,
        utilization: call.optional_number(5, "utilization")?,
        errors_per_s: call.optional_number(6, "errorsPerS")?,
        now_ns: call.nanoseconds(7, "nowNs")?,
    };
    Pools::of(call)?.report_load(&call.text(1, "id")?, load)?;
    call.js.undefined()
}

fn set_nodes<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    Pools::of(call)?.set_nodes(specs(value::read(call.js, call.argument(1)?, "nodes")?)?)?;
    call.js.undefined()
}

/// `update(pool, node)`
fn update<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let node = value::read(call.js, call.argument(1)?, "node")?;
    for spec in specs(config::Value::list([node]))? {
        Pools::of(call)?.update(spec)?;
    }
    call.js.undefined()
}

/// `setHealth(pool, id, status, nowNs)` → whether it changed.
fn set_health<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (id, now_ns) = (call.text(1, "id")?, call.now_ns(3)?);
    let status = request::health(&call.text(2, "status")?, "status")?;
    call.js.boolean(Pools::of(call)?.set_health_at(&id, status, now_ns)?)
}

fn register<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let node = value::read(call.js, call.argument(1)?, "node")?;
    Pools::of(call)?.register_batch(specs(config::Value::list([node]))?)?;
    call.js.undefined()
}

fn register_batch<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    Pools::of(call)?.register_batch(specs(value::read(call.js, call.argument(1)?, "nodes")?)?)?;
    call.js.undefined()
}

/// Nodes as a configuration has them; the pool's own bounds are checked by the pool.
fn specs(nodes: config::Value) -> Result<Vec<NodeSpec>> {
    let limits = Limits {
        max_nodes: Limits::NODES_MAX,
        max_labels: Limits::LABELS_MAX,
        max_label_bytes: Limits::LABEL_BYTES_MAX,
        ..Limits::default()
    };
    Ok(parse_nodes(&nodes, &limits)?)
}

fn deregister<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    Pools::of(call)?.deregister(&call.text(1, "id")?)?;
    call.js.undefined()
}

/// `drain(pool, id, on, nowNs)`
fn drain<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (on, now_ns) = (call.boolean(2, "on", true)?, call.now_ns(3)?);
    Pools::of(call)?.drain_at(&call.text(1, "id")?, on, now_ns)?;
    call.js.undefined()
}

fn set_weight<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    Pools::of(call)?.set_weight(&call.text(1, "id")?, call.uint32(2, "weight")?)?;
    call.js.undefined()
}

fn set_node_user_data<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let user_data = call.uint64(2, "userData")?;
    Pools::of(call)?.set_node_user_data(&call.text(1, "id")?, user_data)?;
    call.js.undefined()
}

fn set_strategy<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let chain = chain(call.js, call.argument(1)?, "strategy")?;
    Pools::of(call)?.set_strategy(chain)?;
    call.js.undefined()
}

/// `setOwnStrategy(pool, fallback)`: from now on `acquire` must be given the own strategy.
fn set_own_strategy<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let fallback = match call.given(1)? {
        Some(value) => chain(call.js, value, "fallback")?,
        None => Vec::new(),
    };
    Pools::of(call)?.set_own_strategy(Arc::new(OwnStrategy), fallback)?;
    call.js.undefined()
}

/// A strategy as a configuration has it; the pool's own bounds are checked by the pool.
pub fn chain<'c>(js: Js<'c>, given: Value<'c>, name: &str) -> Result<Vec<StrategyConfig>> {
    if js.type_of(given)? == Type::Undefined {
        return Err(js.not(given, name, "the name of a strategy, an object or a list of these"));
    }
    Ok(parse_chain(&value::read(js, given, name)?)?)
}

fn strategy<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    call.js.string(Pools::of(call)?.strategy())
}

/// `nodes(pool, nowNs)`
fn nodes<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let now_ns = call.now_ns(1)?;
    data::nodes(call.js, &Pools::of(call)?.nodes_at(now_ns))
}

/// `nodeStatus(pool, id, nowNs)` → one of them, or undefined.
fn node_status<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (id, now_ns) = (call.text(1, "id")?, call.now_ns(2)?);
    match Pools::of(call)?.node_status_at(&id, now_ns) {
        Some(node) => data::status(call.js, &node),
        None => call.js.undefined(),
    }
}

fn length<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    call.js.number(Pools::of(call)?.len() as f64)
}

fn name<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    call.js.string(Pools::of(call)?.name())
}

fn config_version<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    call.js.number(Pools::of(call)?.config_version() as f64)
}

fn maintain<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let now_ns = call.now_ns(1)?;
    data::maintained(call.js, Pools::of(call)?.maintain(now_ns))
}

/// `stats(pool, nowNs)`
fn stats<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let now_ns = call.now_ns(1)?;
    value::data(call.js, &Pools::of(call)?.stats_at(now_ns).to_value(), &value::STATS)
}

/// `metrics(pool, format)` → a text.
fn metrics<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    call.js.string(&exposition(call, 1, &[Pools::of(call)?.stats()])?)
}

/// Figures in the format that the argument names.
pub fn exposition<T>(call: &Call<'_, T>, format: usize, pools: &[PoolStats]) -> Result<String> {
    let format = call.given(format)?.map(|format| call.js.text(format, "format")).transpose()?;
    match format.as_deref() {
        None | Some("prometheus") => Ok(prometheus(pools)),
        Some("openmetrics") => Ok(openmetrics(pools)),
        Some(_) => Err(ConfigError::new("format", 0, "must be prometheus or openmetrics").into()),
    }
}
