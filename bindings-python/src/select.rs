//! Strategies over a list of one's own, without a pool.

use loadwise::config::{StrategyConfig, StrategyKind, Value, parse_chain};
use loadwise::strategy::{
    ConsistentHash, FallbackChain, LeastLoad, MostAvailable, PowerOfTwoChoices, Random, RoundRobin, WeightedRandom,
    WeightedRoundRobin,
};
use loadwise::{PlainNode, SelectionContext, key_hash};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyMapping, PyString};

use crate::{error, key, value};

/// A strategy over lists of one's own, with what it remembers: whose turn it is, and tables.
///
/// `strategy`: a name, a dict of a name and its settings, or a list of these; of round_robin, weighted_round_robin, random,
/// weighted_random, least_load, p2c, ring_hash and most_available. The others need a `Pool`.
#[pyclass(frozen, module = "loadwise")]
pub struct Strategy(FallbackChain<PlainNode>);

#[pymethods]
impl Strategy {
    #[new]
    #[pyo3(signature = (strategy))]
    fn new(py: Python<'_>, strategy: &Bound<'_, PyAny>) -> PyResult<Self> {
        let value = value::read(strategy, "strategy")?;
        Self::read(py, value)
    }

    /// The index of the chosen node, or None. Each of `nodes` is an id, or a dict of id, weight, load and
    /// remaining_ratio; `exclude` has indices.
    #[pyo3(signature = (nodes, *, key=None, exclude=None))]
    fn select(
        &self,
        nodes: &Bound<'_, PyAny>,
        key: Option<&Bound<'_, PyAny>>,
        exclude: Option<Vec<usize>>,
    ) -> PyResult<Option<usize>> {
        let nodes = read_nodes(nodes)?;
        // What the core takes for the hash of a key of 8 bytes is these bytes themselves.
        let hash_key = key
            .map(|key| {
                let bytes = key::bytes(key)?;
                PyResult::Ok(<[u8; 8]>::try_from(bytes).map_or_else(|_| key_hash(bytes), u64::from_le_bytes))
            })
            .transpose()?;
        let ctx = SelectionContext { hash_key, exclude, ..SelectionContext::default() };
        Ok(loadwise::Strategy::select(&self.0, &nodes, &ctx))
    }
}

impl Strategy {
    fn read(py: Python<'_>, value: Value) -> PyResult<Self> {
        let chain = parse_chain(&value).map_err(|e| error::raised(py, e))?;
        let strategies = chain.iter().map(|config| over_lists(py, config)).collect::<PyResult<_>>()?;
        Ok(Self(FallbackChain::new(strategies)))
    }
}

/// Chooses one of `nodes`, once: its index, or None. `strategy` by name, or a `Strategy`, which keeps its turn from call
/// to call. Arguments as of `Strategy.select`.
#[pyfunction]
#[pyo3(signature = (nodes, strategy=None, *, key=None, exclude=None))]
pub fn select(
    py: Python<'_>,
    nodes: &Bound<'_, PyAny>,
    strategy: Option<&Bound<'_, PyAny>>,
    key: Option<&Bound<'_, PyAny>>,
    exclude: Option<Vec<usize>>,
) -> PyResult<Option<usize>> {
    if let Some(kept) = strategy.and_then(|s| s.cast::<Strategy>().ok()) {
        return kept.get().select(nodes, key, exclude);
    }
    let value = strategy.map_or_else(|| Ok(Value::from("p2c")), |s| value::read(s, "strategy"))?;
    Strategy::read(py, value)?.select(nodes, key, exclude)
}

type Boxed = Box<dyn loadwise::Strategy<PlainNode> + Send + Sync>;

fn over_lists(py: Python<'_>, config: &StrategyConfig) -> PyResult<Boxed> {
    if config.bounded_load.is_some() {
        return Err(error::config(py, "strategy.bounded_load", "counts picks in flight: use a Pool"));
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
            return Err(error::config(py, "strategy", message));
        }
    })
}

fn read_nodes(nodes: &Bound<'_, PyAny>) -> PyResult<Vec<PlainNode>> {
    if nodes.is_instance_of::<PyString>() || nodes.cast::<PyMapping>().is_ok() {
        return Err(error::wrong_type("nodes", "a list of ids or dicts", nodes));
    }
    let items = nodes.try_iter().map_err(|_| error::wrong_type("nodes", "a list of ids or dicts", nodes))?;
    items.enumerate().map(|(i, node)| read_node(&node?, i)).collect()
}

fn read_node(node: &Bound<'_, PyAny>, i: usize) -> PyResult<PlainNode> {
    let py = node.py();
    let mut plain = PlainNode::new("");
    if node.is_instance_of::<PyString>() {
        plain.id = key::text("an id", node)?.to_owned();
        return Ok(plain);
    }
    let Ok(map) = node.cast::<PyMapping>() else {
        return Err(error::wrong_type("a node", "an id or a dict", node));
    };
    let mut has_id = false;
    for item in map.items()?.iter() {
        let (name, field): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
        let name = key::text("a key", &name)?;
        let place = || format!("nodes[{i}].{name}");
        let cannot = |wanted: &str| error::config(py, &place(), format!("must be {wanted}, not {field}"));
        match name {
            "id" => {
                plain.id = key::text(&place(), &field)?.to_owned();
                has_id = true;
            }
            "weight" => {
                let weight = field.extract().ok().filter(|_| !field.is_instance_of::<PyBool>());
                plain.weight = weight.ok_or_else(|| cannot("an integer from 0 to 4294967295"))?;
            }
            "load" => plain.load = field.extract().map_err(|_| cannot("a number"))?,
            "remaining_ratio" => {
                let ratio = field.extract().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
                plain.remaining_ratio = ratio.ok_or_else(|| cannot("a number from 0.0 to 1.0"))?;
            }
            _ => return Err(error::config(py, &place(), "unknown key: id, weight, load or remaining_ratio")),
        }
    }
    if !has_id {
        return Err(error::config(py, &format!("nodes[{i}]"), "needs the key id"));
    }
    Ok(plain)
}
