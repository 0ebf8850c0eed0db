//! Fallback chains: up to four strategies, of which the first that finds a node decides.

use super::{CHAIN_MAX, StrategyConfig};
use crate::control::config::limits::WIDEST;
use crate::control::config::pool::PoolConfig;
use crate::control::config::schema::{Form, Place, Row, describe};
use crate::control::config::value::{Kind, Value};
use crate::vocabulary::error::{ConfigError, Error};
use crate::vocabulary::limits::Limits;

/// The key `strategy` of a pool.
pub(in super::super) struct ChainForm;

impl Form<PoolConfig> for ChainForm {
    fn read(&self, config: &mut PoolConfig, value: &Value, place: &Place) -> Result<(), ConfigError> {
        config.strategy = read_chain(value, place)?;
        Ok(())
    }

    fn check(&self, config: &PoolConfig, place: &Place, _: usize) -> Result<(), ConfigError> {
        validate_chain(&config.strategy, place.limits, &place.to_string())
    }

    fn value(&self, config: &PoolConfig) -> Option<Value> {
        let strategies = config.strategy.iter().map(StrategyConfig::to_value);
        Some(Value::list(strategies))
    }

    fn row(&self) -> Row {
        Row { kind: "strategy", default: "`p2c`", range: "" }
    }

    fn section(&self, _: &str, doc: &str) -> Option<String> {
        Some(describe::strategies(doc))
    }

    fn json(&self) -> Value {
        Value::map([("$ref", Value::from("#/definitions/strategies"))])
    }
}

/// Reads native data as a chain: the value of a pool's key `strategy`, for calls that take a strategy alone. Bounds of the
/// pool are left to the pool.
///
/// ```
/// use loadwise::config::{StrategyKind, Value, parse_chain};
///
/// let chain = parse_chain(&Value::parse("[{name: maglev, table_size: 251}, random]")?)?;
/// assert_eq!(chain[0].kind, StrategyKind::Maglev { table_size: 251 });
/// assert_eq!(chain[1].kind, StrategyKind::Random);
/// # Ok::<(), loadwise::Error>(())
/// ```
///
/// # Errors
/// [`Error::Config`], naming key and line.
pub fn parse_chain(value: &Value) -> Result<Vec<StrategyConfig>, Error> {
    // Of one node, a ring may have as many points as any ring.
    let unbounded = Limits { max_nodes: 1, ..WIDEST };
    Ok(read_chain(value, &Place::root("strategy", &unbounded))?)
}

/// Reads one strategy, or the list of a fallback chain.
fn read_chain(value: &Value, place: &Place) -> Result<Vec<StrategyConfig>, ConfigError> {
    let Kind::List(items) = &value.kind else {
        return Ok(vec![StrategyConfig::read(value, place)?]);
    };
    let mut chain = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let place = place.index(i);
        if i == CHAIN_MAX {
            return Err(place.limit(item.line, format!("a fallback chain has at most {CHAIN_MAX} strategies")));
        }
        let strategy = StrategyConfig::read(item, &place)?;
        twice(&chain, &strategy, &place, item.line)?;
        chain.push(strategy);
    }
    if chain.is_empty() {
        return Err(place.error(value.line, "needs at least one strategy"));
    }
    Ok(chain)
}

/// Checks a chain that code has made. `key` is where it stands, for the message.
pub fn validate_chain(chain: &[StrategyConfig], limits: &Limits, key: &str) -> Result<(), ConfigError> {
    let root = Place::root(key, limits);
    if chain.is_empty() || chain.len() > CHAIN_MAX {
        return Err(root.limit(0, format!("a fallback chain has 1 to {CHAIN_MAX} strategies, not {}", chain.len())));
    }
    for (i, strategy) in chain.iter().enumerate() {
        let indexed = root.index(i);
        let place = if chain.len() == 1 { &root } else { &indexed };
        strategy.validate(limits, &place.to_string(), 0)?;
        twice(chain.get(..i).unwrap_or_default(), strategy, place, 0)?;
    }
    Ok(())
}

fn twice(before: &[StrategyConfig], strategy: &StrategyConfig, place: &Place, line: usize) -> Result<(), ConfigError> {
    let name = strategy.kind.name();
    if before.iter().any(|s| s.kind.name() == name) {
        return Err(place.error(line, format!("the strategy {name} is in the chain twice")));
    }
    Ok(())
}
