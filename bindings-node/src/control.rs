//! Control of a pool: its nodes, its strategy, reports from outside, maintenance, the end.

use std::rc::Rc;
use std::sync::Arc;

use loadwise::config::{self, PoolConfig, StrategyConfig};
use loadwise::{Limits, Load, NodeSpec, now_ns};

use crate::callback::OwnStrategy;
use crate::closure::{Call, define};
use crate::error::{ErrorMaker, Result};
use crate::js::{Js, Type, Value};
use crate::pool::{Handle, report as read_report};
use crate::{data, value};

pub fn define_on<'c>(js: Js<'c>, object: Value<'c>, handle: &Rc<Handle>, errors: &Rc<ErrorMaker>) -> Result<()> {
    define(
        js,
        object,
        handle,
        errors,
        &[
            ("report", report),
            ("reportLoad", report_load),
            ("setNodes", set_nodes),
            ("register", register),
            ("registerBatch", register_batch),
            ("deregister", deregister),
            ("drain", drain),
            ("setWeight", set_weight),
            ("setStrategy", set_strategy),
            ("setOwnStrategy", set_own_strategy),
            ("strategy", strategy),
            ("nodes", nodes),
            ("length", length),
            ("maintain", maintain),
            ("close", close),
            ("closed", closed),
        ],
    )
}

fn report<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    let changed = call.state.pool()?.report(&call.text(0, "id")?, read_report(call)?)?;
    call.js.boolean(changed)
}

fn report_load<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    let number = |index, name| match call.given(index)? {
        Some(value) => call.js.as_number(value).map(Some).ok_or_else(|| call.js.not(value, name, "a number")),
        None => Ok(None),
    };
    let load = Load { load: number(1, "load")?, remaining_ratio: number(2, "remainingRatio")? };
    call.state.pool()?.report_load(&call.text(0, "id")?, load)?;
    call.js.undefined()
}

fn set_nodes<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    call.state.pool()?.set_nodes(specs(call, value::read(call.js, call.argument(0)?, "nodes")?)?)?;
    call.js.undefined()
}

fn register<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    let node = value::read(call.js, call.argument(0)?, "node")?;
    call.state.pool()?.register_batch(specs(call, config::Value::list([node]))?)?;
    call.js.undefined()
}

fn register_batch<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    call.state.pool()?.register_batch(specs(call, value::read(call.js, call.argument(0)?, "nodes")?)?)?;
    call.js.undefined()
}

/// Nodes as a configuration has them; the pool's own bounds are checked by the pool.
fn specs<T>(_: &Call<'_, T>, nodes: config::Value) -> Result<Vec<NodeSpec>> {
    let limits = [
        ("max_nodes", Limits::NODES_MAX),
        ("max_labels", Limits::LABELS_MAX),
        ("max_label_bytes", Limits::LABEL_BYTES_MAX),
    ];
    let limits = config::Value::map(limits.map(|(name, most)| (name, config::Value::from(most))));
    Ok(PoolConfig::from_value(&config::Value::map([("nodes", nodes), ("limits", limits)]))?.nodes)
}

fn deregister<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    call.state.pool()?.deregister(&call.text(0, "id")?)?;
    call.js.undefined()
}

fn drain<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    let on = match call.given(1)? {
        Some(value) => call.js.as_boolean(value).ok_or_else(|| call.js.not(value, "on", "a boolean"))?,
        None => true,
    };
    call.state.pool()?.drain(&call.text(0, "id")?, on)?;
    call.js.undefined()
}

fn set_weight<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    call.state.pool()?.set_weight(&call.text(0, "id")?, call.uint32(1, "weight")?)?;
    call.js.undefined()
}

fn set_strategy<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    let chain = chain(call.js, call.argument(0)?, "strategy")?;
    call.state.pool()?.set_strategy(chain)?;
    call.js.undefined()
}

/// `setOwnStrategy(fallback)`: from now on `acquire` must be given the own strategy.
fn set_own_strategy<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    let fallback = match call.given(0)? {
        Some(value) => chain(call.js, value, "fallback")?,
        None => Vec::new(),
    };
    call.state.pool()?.set_own_strategy(Arc::new(OwnStrategy), fallback)?;
    call.js.undefined()
}

/// A strategy as a configuration has it; the pool's own bounds are checked by the pool.
pub fn chain<'c>(js: Js<'c>, given: Value<'c>, name: &str) -> Result<Vec<StrategyConfig>> {
    if js.type_of(given)? == Type::Undefined {
        return Err(js.not(given, name, "the name of a strategy, an object or a list of these"));
    }
    let limits = [("max_nodes", 1), ("max_table_size", Limits::TABLE_SIZE_MAX)];
    let limits = config::Value::map(limits.map(|(name, bound)| (name, config::Value::from(bound))));
    let strategy = value::read(js, given, name)?;
    Ok(PoolConfig::from_value(&config::Value::map([("strategy", strategy), ("limits", limits)]))?.strategy)
}

fn strategy<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    call.js.string(call.state.pool()?.strategy())
}

fn nodes<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    data::nodes(call.js, &call.state.pool()?.nodes())
}

fn length<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    call.js.number(call.state.pool()?.len() as f64)
}

fn maintain<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    let now = call.nanoseconds(0, "nowNs")?.unwrap_or_else(now_ns);
    data::maintained(call.js, call.state.pool()?.maintain(now))
}

fn close<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    call.state.close();
    call.js.undefined()
}

fn closed<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    call.js.boolean(call.state.pool().is_err())
}
