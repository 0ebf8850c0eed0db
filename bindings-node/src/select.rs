//! Strategies over a list of one's own, without a pool.

use std::rc::Rc;

use loadwise::config::{StrategyConfig, StrategyKind};
use loadwise::strategy::{
    ConsistentHash, FallbackChain, LeastLoad, MostAvailable, PowerOfTwoChoices, Random, RoundRobin, WeightedRandom,
    WeightedRoundRobin,
};
use loadwise::{ConfigError, PlainNode, SelectionContext, Strategy, key_hash};

use crate::closure::{Call, define};
use crate::control::chain;
use crate::error::{Failure, Result};
use crate::js::{Js, Type, Value};

/// `openStrategy(config)` → `{select(nodes, key, exclude)}`, which keeps its turn and its tables from call to call.
pub fn open<'c>(call: &Call<'c, ()>) -> Result<Value<'c>> {
    let chain = chain(call.js, call.argument(0)?, "strategy")?;
    let strategies = chain.iter().map(over_lists).collect::<Result<_>>()?;
    let functions = call.js.object()?;
    define(call.js, functions, &Rc::new(FallbackChain::new(strategies)), call.errors, &[("select", select)])?;
    Ok(functions)
}

/// The index of the chosen node, or null.
fn select<'c>(call: &Call<'c, FallbackChain<PlainNode>>) -> Result<Value<'c>> {
    let js = call.js;
    let nodes = nodes(js, call.argument(0)?)?;
    // What the core takes for the hash of a key of 8 bytes is these bytes themselves.
    let hash = |bytes: &[u8]| <[u8; 8]>::try_from(bytes).map_or_else(|_| key_hash(bytes), u64::from_le_bytes);
    let hash_key = match call.given(1)? {
        Some(key) => Some(js.with_bytes(key, "key", hash)?),
        None => None,
    };
    let exclude = match call.given(2)? {
        Some(list) => Some(indices(js, list)?),
        None => None,
    };
    let ctx = SelectionContext { hash_key, exclude, ..SelectionContext::default() };
    match call.state.select(&nodes, &ctx) {
        Some(index) => js.number(index as f64),
        None => js.null(),
    }
}

type Boxed = Box<dyn Strategy<PlainNode> + Send + Sync>;

fn over_lists(config: &StrategyConfig) -> Result<Boxed> {
    if config.bounded_load.is_some() {
        return Err(ConfigError::new("strategy.bounded_load", 0, "counts picks in flight: use a Pool").into());
    }
    Ok(match config.kind {
        StrategyKind::RoundRobin => Box::new(RoundRobin::new()),
        StrategyKind::WeightedRoundRobin => Box::new(WeightedRoundRobin::new()),
        StrategyKind::Random => Box::new(Random::new()),
        StrategyKind::WeightedRandom => Box::new(WeightedRandom::new()),
        StrategyKind::LeastLoad => Box::new(LeastLoad::new()),
        StrategyKind::P2c { .. } => Box::new(PowerOfTwoChoices::new()),
        StrategyKind::RingHash { points: None, compat: None } => Box::new(ConsistentHash::default()),
        StrategyKind::RingHash { points: Some(points), compat: None } => {
            Box::new(ConsistentHash::builder().replicas(points as usize).build())
        }
        StrategyKind::MostAvailable { epsilon } => Box::new(MostAvailable::builder().epsilon(epsilon).build()),
        kind => {
            let message = format!("{} needs a Pool, with these settings or with any", kind.name());
            return Err(ConfigError::new("strategy", 0, message).into());
        }
    })
}

fn nodes<'c>(js: Js<'c>, list: Value<'c>) -> Result<Vec<PlainNode>> {
    if js.type_of(list)? != Type::Object || !js.is_array(list)? {
        return Err(js.not(list, "nodes", "a list of ids or objects"));
    }
    (0..js.length(list)?)
        .map(|i| js.scoped(|| read_node(js, js.at(list, i)?)).map_err(|failure| failure.within(&format!("nodes[{i}]"))))
        .collect()
}

fn indices<'c>(js: Js<'c>, list: Value<'c>) -> Result<Vec<usize>> {
    let wrong = || Failure::from(ConfigError::new("exclude", 0, "must be a list of indices"));
    if js.type_of(list)? != Type::Object || !js.is_array(list)? {
        return Err(wrong());
    }
    let index = |i| match js.as_number(js.at(list, i)?) {
        Some(n) if n.fract() == 0.0 && n >= 0.0 => Ok(n as usize),
        _ => Err(wrong()),
    };
    (0..js.length(list)?).map(index).collect()
}

fn read_node<'c>(js: Js<'c>, node: Value<'c>) -> Result<PlainNode> {
    let mut plain = PlainNode::new("");
    match js.type_of(node)? {
        Type::String => plain.id = js.text(node, "")?,
        Type::Object if !js.is_array(node)? => {
            plain.id = js.text(js.get(node, "id")?, "id")?;
            let whole = |n: f64| n.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&n);
            if let Some(n) = number(js, node, "weight", "an integer from 0 to 4294967295", whole)? {
                plain.weight = n as u32;
            }
            if let Some(load) = number(js, node, "load", "a number", |_| true)? {
                plain.load = load;
            }
            let share = |n: f64| (0.0..=1.0).contains(&n);
            if let Some(ratio) = number(js, node, "remainingRatio", "a number from 0 to 1", share)? {
                plain.remaining_ratio = ratio;
            }
        }
        _ => return Err(js.not(node, "", "an id or an object")),
    }
    Ok(plain)
}

/// A property that is a number which `fits`, or undefined.
fn number<'c>(
    js: Js<'c>,
    object: Value<'c>,
    name: &str,
    wanted: &str,
    fits: impl Fn(f64) -> bool,
) -> Result<Option<f64>> {
    let value = js.get(object, name)?;
    match js.as_number(value) {
        Some(n) if fits(n) => Ok(Some(n)),
        Some(n) => Err(ConfigError::new(name, 0, format!("must be {wanted}, not {n}")).into()),
        None if js.type_of(value)? == Type::Undefined => Ok(None),
        None => Err(js.not(value, name, wanted)),
    }
}
