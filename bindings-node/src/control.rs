//! Control of a pool: its nodes, its strategy, reports from outside, maintenance, the end.

use std::rc::Rc;
use std::sync::Arc;

use loadwise::config::{self, PoolConfig, StrategyConfig};
use loadwise::{Limits, Load, NodeSpec, now_ns};

use crate::callback::OwnStrategy;
use crate::closure::{Call, define};
use crate::error::{ErrorMaker, Result};
use crate::js::{Js, Type, Value};
use crate::pool::Pools;
use crate::report::read as read_report;
use crate::{data, value};

pub fn define_on<'c>(js: Js<'c>, object: Value<'c>, pools: &Rc<Pools>, errors: &Rc<ErrorMaker>) -> Result<()> {
    define(
        js,
        object,
        pools,
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
            ("setNodeUserData", set_node_user_data),
            ("setStrategy", set_strategy),
            ("setOwnStrategy", set_own_strategy),
            ("strategy", strategy),
            ("nodes", nodes),
            ("length", length),
            ("maintain", maintain),
        ],
    )
}

fn report<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let changed = Pools::of(call)?.report(&call.text(1, "id")?, read_report(call)?)?;
    call.js.boolean(changed)
}

fn report_load<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let number = |index, name| match call.given(index)? {
        Some(value) => call.js.as_number(value).map(Some).ok_or_else(|| call.js.not(value, name, "a number")),
        None => Ok(None),
    };
    let load = Load { load: number(2, "load")?, remaining_ratio: number(3, "remainingRatio")?, ..Load::default() };
    Pools::of(call)?.report_load(&call.text(1, "id")?, load)?;
    call.js.undefined()
}

fn set_nodes<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    Pools::of(call)?.set_nodes(specs(value::read(call.js, call.argument(1)?, "nodes")?)?)?;
    call.js.undefined()
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
    let limits = [
        ("max_nodes", Limits::NODES_MAX),
        ("max_labels", Limits::LABELS_MAX),
        ("max_label_bytes", Limits::LABEL_BYTES_MAX),
    ];
    let limits = config::Value::map(limits.map(|(name, most)| (name, config::Value::from(most))));
    Ok(PoolConfig::from_value(&config::Value::map([("nodes", nodes), ("limits", limits)]))?.nodes)
}

fn deregister<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    Pools::of(call)?.deregister(&call.text(1, "id")?)?;
    call.js.undefined()
}

fn drain<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let on = match call.given(2)? {
        Some(value) => call.js.as_boolean(value).ok_or_else(|| call.js.not(value, "on", "a boolean"))?,
        None => true,
    };
    Pools::of(call)?.drain(&call.text(1, "id")?, on)?;
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
    let limits = [("max_nodes", 1), ("max_table_size", Limits::TABLE_SIZE_MAX)];
    let limits = config::Value::map(limits.map(|(name, bound)| (name, config::Value::from(bound))));
    let strategy = value::read(js, given, name)?;
    Ok(PoolConfig::from_value(&config::Value::map([("strategy", strategy), ("limits", limits)]))?.strategy)
}

fn strategy<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    call.js.string(Pools::of(call)?.strategy())
}

fn nodes<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    data::nodes(call.js, &Pools::of(call)?.nodes())
}

fn length<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    call.js.number(Pools::of(call)?.len() as f64)
}

fn maintain<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let now = call.nanoseconds(1, "nowNs")?.unwrap_or_else(now_ns);
    data::maintained(call.js, Pools::of(call)?.maintain(now))
}
