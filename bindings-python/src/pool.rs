//! A pool as Python sees it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use loadwise::config::{PoolConfig, Value};
use loadwise::{Load, Report, Ticket, TicketError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyMapping, PyString, PyType};
use pyo3::{PyTraverseError, PyVisit};

use crate::own_strategy::OwnStrategy;
use crate::pick::Pick;
use crate::report::{Said, report};
use crate::request::{Asked, acquire, acquire_under_conditions};
use crate::{error, key, status, value};

/// Nodes under one policy: pick, use, finish. Every method may be called from any thread.
///
/// `nodes`: addresses, or dicts of the keys id, address, name, weight, labels, user_data. `strategy`: a name, a dict of a
/// name and its settings, or a list of these, of which the first that finds a node decides. Other keys are those of the
/// configuration: seed, lease_timeout_ms, health, limits.
#[pyclass(frozen, module = "loadwise")]
pub struct Pool {
    core: loadwise::Pool,
    closed: AtomicBool,
    own: OnceLock<Arc<OwnStrategy>>,
}

impl Pool {
    fn build(py: Python<'_>, config: PoolConfig) -> PyResult<Self> {
        let core = loadwise::Pool::builder().config(config).build().map_err(|e| error::raised(py, e))?;
        Ok(Self { core, closed: AtomicBool::new(false), own: OnceLock::new() })
    }

    #[inline]
    pub fn core(&self) -> &loadwise::Pool {
        &self.core
    }

    #[inline]
    pub fn check_open(&self, py: Python<'_>) -> PyResult<()> {
        if self.closed.load(Ordering::Relaxed) { Err(error::closed(py)) } else { Ok(()) }
    }

    /// Whether a pick may call Python.
    #[inline]
    pub fn asks_python(&self) -> bool {
        self.own.get().is_some_and(|own| own.is_in_charge())
    }

    /// Ends a pick. With the pool closed, every ticket is void.
    #[inline]
    pub fn finish(&self, ticket: Ticket, report: Report) -> Result<(), TicketError> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(TicketError::Stale);
        }
        self.core.release(ticket, report)
    }

    fn open(&self, py: Python<'_>) -> PyResult<&loadwise::Pool> {
        self.check_open(py)?;
        Ok(&self.core)
    }

    fn put_own(&self, callable: Option<Py<PyAny>>) {
        if let Some(own) = self.own.get() {
            own.put(callable);
        }
    }
}

#[pymethods]
impl Pool {
    #[new]
    #[pyo3(signature = (nodes=None, strategy=None, **policy))]
    fn new(
        py: Python<'_>,
        nodes: Option<&Bound<'_, PyAny>>,
        strategy: Option<&Bound<'_, PyAny>>,
        policy: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let mut entries = Vec::new();
        for (name, given) in policy.into_iter().flat_map(|policy| policy.iter()) {
            let name = key::text("a key", &name)?.to_owned();
            if !given.is_none() {
                entries.push((name.clone(), value::read(&given, &name)?));
            }
        }
        if let Some(nodes) = nodes {
            entries.push(("nodes".into(), value::read_nodes(nodes)?));
        }
        if let Some(strategy) = strategy {
            entries.push(("strategy".into(), value::read(strategy, "strategy")?));
        }
        let config = PoolConfig::from_value(&Value::map(entries)).map_err(|e| error::raised(py, e))?;
        Self::build(py, config)
    }

    /// A pool from a configuration: YAML or JSON text, a dict, or the path of a file (a `pathlib.Path`).
    #[classmethod]
    fn from_config(_class: &Bound<'_, PyType>, py: Python<'_>, config: &Bound<'_, PyAny>) -> PyResult<Self> {
        let read = if config.is_instance_of::<PyString>() {
            PoolConfig::parse(key::text("config", config)?)
        } else if let Ok(bytes) = config.cast::<PyBytes>() {
            PoolConfig::from_bytes(bytes.as_bytes())
        } else if config.cast::<PyMapping>().is_ok() {
            PoolConfig::from_value(&value::read(config, "")?)
        } else if config.hasattr("__fspath__")? {
            PoolConfig::from_path(config.extract::<PathBuf>()?)
        } else {
            return Err(error::wrong_type("config", "text, a dict or a pathlib.Path", config));
        };
        Self::build(py, read.map_err(|e| error::raised(py, e))?)
    }

    /// Chooses a node and counts it in flight until the pick is finished; see `Pick`.
    ///
    /// `key`: what hash strategies hash, bytes or str (as UTF-8). `exclude`: ids or picks that must not be chosen.
    /// `require`: labels that a node must have. `health`: allowed states, by name or as the sum of healthy 1, degraded 2,
    /// unhealthy 4, recovering 8; all but unhealthy unless given. `predicate`: called with a `Candidate`, has the last
    /// word. `now_ns`: the time on the clock of `time.monotonic_ns()`.
    ///
    /// Raises NoNode.
    #[pyo3(signature = (key=None, exclude=None, require=None, health=None, predicate=None, now_ns=None))]
    fn pick(
        slf: &Bound<'_, Self>,
        key: Option<&Bound<'_, PyAny>>,
        exclude: Option<&Bound<'_, PyAny>>,
        require: Option<&Bound<'_, PyAny>>,
        health: Option<&Bound<'_, PyAny>>,
        predicate: Option<&Bound<'_, PyAny>>,
        now_ns: Option<u64>,
    ) -> PyResult<Pick> {
        let asked = Asked { key, exclude, require, health, predicate, now_ns };
        if asked.is_simple(slf.get()) {
            return Ok(Pick::new(slf, acquire(slf, &asked)?, None));
        }
        let (lease, raised) = acquire_under_conditions(slf, &asked)?;
        Ok(Pick::new(slf, lease, raised.map(|e| e.into_value(slf.py()).into_any())))
    }

    /// `pick` as a plain number, which must be given back by `release`. `node_of` and `address_of` tell the node.
    ///
    /// A callback that failed on the way is told to `sys.unraisablehook`. Raises NoNode.
    #[pyo3(signature = (key=None, exclude=None, require=None, health=None, predicate=None, now_ns=None))]
    fn acquire(
        slf: &Bound<'_, Self>,
        key: Option<&Bound<'_, PyAny>>,
        exclude: Option<&Bound<'_, PyAny>>,
        require: Option<&Bound<'_, PyAny>>,
        health: Option<&Bound<'_, PyAny>>,
        predicate: Option<&Bound<'_, PyAny>>,
        now_ns: Option<u64>,
    ) -> PyResult<u64> {
        let asked = Asked { key, exclude, require, health, predicate, now_ns };
        if asked.is_simple(slf.get()) {
            return Ok(acquire(slf, &asked)?.ticket.as_u64());
        }
        let (lease, raised) = acquire_under_conditions(slf, &asked)?;
        if let Some(raised) = raised {
            raised.write_unraisable(slf.py(), predicate);
        }
        Ok(lease.ticket.as_u64())
    }

    /// Ends what `acquire` began. `outcome`: success, failure, rate_limited or cancelled; `latency` and `retry_after` in
    /// seconds; `kind` of a failure: connect, timeout, reset, server_error or other.
    ///
    /// True the first time; False if the ticket was released before, has timed out, is another process's, or the pool is
    /// closed. Raises TicketError for a number that is no ticket.
    #[pyo3(signature = (ticket, outcome=None, latency=None, kind=None, retry_after=None, now_ns=None))]
    #[expect(clippy::too_many_arguments)]
    fn release(
        &self,
        py: Python<'_>,
        ticket: &Bound<'_, PyAny>,
        outcome: Option<&Bound<'_, PyAny>>,
        latency: Option<f64>,
        kind: Option<&Bound<'_, PyAny>>,
        retry_after: Option<f64>,
        now_ns: Option<u64>,
    ) -> PyResult<bool> {
        let ticket = read_ticket(ticket)?;
        let said = Said { latency, kind, retry_after, now_ns };
        let released = match outcome {
            // Made in place: a report that is handed over through memory costs as much as the release.
            None if said.is_nothing() => self.finish(ticket, Report::success()),
            _ => self.finish(ticket, report(py, outcome, said)?),
        };
        match released {
            Ok(()) => Ok(true),
            Err(TicketError::Stale) => Ok(false),
            Err(invalid) => Err(error::raised(py, invalid)),
        }
    }

    /// The id of the node of an open ticket. Raises TicketError if it is not open.
    fn node_of(&self, py: Python<'_>, ticket: &Bound<'_, PyAny>) -> PyResult<String> {
        let core = self.open(py)?;
        let node = core.node_of(read_ticket(ticket)?).map_err(|e| error::raised(py, e))?;
        Ok(core.id_of(node).as_str().to_owned())
    }

    /// The address of the node of an open ticket. Raises TicketError if it is not open.
    fn address_of(&self, py: Python<'_>, ticket: &Bound<'_, PyAny>) -> PyResult<String> {
        let core = self.open(py)?;
        let node = core.node_of(read_ticket(ticket)?).map_err(|e| error::raised(py, e))?;
        Ok(core.address_of(node).as_str().to_owned())
    }

    /// Tells of an attempt that was no pick: an active check, or traffic that took another way. Arguments as of
    /// `release`. Whether the node's health changed.
    #[pyo3(signature = (id, outcome=None, *, latency=None, kind=None, retry_after=None, now_ns=None))]
    #[expect(clippy::too_many_arguments)]
    fn report(
        &self,
        py: Python<'_>,
        id: &Bound<'_, PyAny>,
        outcome: Option<&Bound<'_, PyAny>>,
        latency: Option<f64>,
        kind: Option<&Bound<'_, PyAny>>,
        retry_after: Option<f64>,
        now_ns: Option<u64>,
    ) -> PyResult<bool> {
        let report = report(py, outcome, Said { latency, kind, retry_after, now_ns })?;
        self.open(py)?.report(key::text("id", id)?, report).map_err(|e| error::raised(py, e))
    }

    /// Tells a node's load (any unit, lower is better) and the share of its quota that is left, 0.0 to 1.0.
    #[pyo3(signature = (id, load=None, remaining_ratio=None))]
    fn report_load(
        &self,
        py: Python<'_>,
        id: &Bound<'_, PyAny>,
        load: Option<f64>,
        remaining_ratio: Option<f64>,
    ) -> PyResult<()> {
        let load = Load { load, remaining_ratio, ..Load::default() };
        self.open(py)?.report_load(key::text("id", id)?, load).map_err(|e| error::raised(py, e))
    }

    /// Replaces all nodes. Those whose ids stay keep what is known of them.
    fn set_nodes(&self, py: Python<'_>, nodes: &Bound<'_, PyAny>) -> PyResult<()> {
        let config = value::read_key(py, "nodes", value::read_nodes(nodes)?)?;
        self.open(py)?.set_nodes(config.nodes).map_err(|e| error::raised(py, e))
    }

    /// Adds a node: an address, or a dict.
    fn register(&self, py: Python<'_>, node: &Bound<'_, PyAny>) -> PyResult<()> {
        let nodes = Value::list([value::read(node, "nodes[0]")?]);
        let config = value::read_key(py, "nodes", nodes)?;
        self.open(py)?.register_batch(config.nodes).map(drop).map_err(|e| error::raised(py, e))
    }

    /// Adds nodes, all or none.
    fn register_batch(&self, py: Python<'_>, nodes: &Bound<'_, PyAny>) -> PyResult<()> {
        let config = value::read_key(py, "nodes", value::read_nodes(nodes)?)?;
        self.open(py)?.register_batch(config.nodes).map(drop).map_err(|e| error::raised(py, e))
    }

    /// Takes a node out. Picks that are under way on it end as usual.
    fn deregister(&self, py: Python<'_>, id: &Bound<'_, PyAny>) -> PyResult<()> {
        self.open(py)?.deregister(key::text("id", id)?).map_err(|e| error::raised(py, e))
    }

    /// Begins draining, or ends it: a draining node takes no new picks.
    #[pyo3(signature = (id, on=true))]
    fn drain(&self, py: Python<'_>, id: &Bound<'_, PyAny>, on: bool) -> PyResult<()> {
        self.open(py)?.drain(key::text("id", id)?, on).map_err(|e| error::raised(py, e))
    }

    /// Changes a node's weight; 0 takes no new picks.
    fn set_weight(&self, py: Python<'_>, id: &Bound<'_, PyAny>, weight: &Bound<'_, PyAny>) -> PyResult<()> {
        if !weight.is_instance_of::<PyInt>() {
            return Err(error::wrong_type("weight", "int", weight));
        }
        let weight = weight
            .extract::<u32>()
            .map_err(|_| error::config(py, "weight", format!("must be 0 to {}, not {weight}", u32::MAX)))?;
        self.open(py)?.set_weight(key::text("id", id)?, weight).map_err(|e| error::raised(py, e))
    }

    /// Gives a node the host's own number, in this process.
    fn set_node_user_data(&self, py: Python<'_>, id: &Bound<'_, PyAny>, user_data: u64) -> PyResult<()> {
        self.open(py)?.set_node_user_data(key::text("id", id)?, user_data).map_err(|e| error::raised(py, e))
    }

    /// Changes the strategy: a name, a dict of a name and its settings, or a list of these.
    fn set_strategy(&self, py: Python<'_>, strategy: &Bound<'_, PyAny>) -> PyResult<()> {
        let core = self.open(py)?;
        let config = value::read_key(py, "strategy", value::read(strategy, "strategy")?)?;
        core.set_strategy(config.strategy).map_err(|e| error::raised(py, e))?;
        self.put_own(None);
        Ok(())
    }

    /// Puts a strategy of one's own in charge: called with the list of `Candidate`s that may be chosen and the key of the
    /// pick (as it was given, or None), it gives an index into the list, or None. Where it gives None or raises,
    /// `fallback` decides.
    #[pyo3(signature = (strategy, fallback=None))]
    fn set_own_strategy(
        &self,
        py: Python<'_>,
        strategy: &Bound<'_, PyAny>,
        fallback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let core = self.open(py)?;
        if !strategy.is_callable() {
            return Err(error::wrong_type("strategy", "callable", strategy));
        }
        let chain = match fallback {
            Some(fallback) => value::read_key(py, "strategy", value::read(fallback, "strategy")?)?.strategy,
            None => PoolConfig::default().strategy,
        };
        let own = self.own.get_or_init(Arc::default).clone();
        core.set_own_strategy(own.clone(), chain).map_err(|e| error::raised(py, e))?;
        own.put(Some(strategy.clone().unbind()));
        Ok(())
    }

    /// The name of the strategy in charge: the first of the list.
    #[getter]
    fn strategy(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(self.open(py)?.strategy())
    }

    /// All nodes in declared order, as a list of `NodeStatus`.
    fn nodes<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        self.open(py)?.nodes().into_iter().map(|node| status::node(py, node)).collect()
    }

    /// Does what is due: gives up picks that timed out, leaves out nodes that are down, takes in those that came back. To
    /// be called about once a second; `nodes` does it too.
    #[pyo3(signature = (now_ns=None))]
    fn maintain<'py>(&self, py: Python<'py>, now_ns: Option<u64>) -> PyResult<Bound<'py, PyAny>> {
        status::maintained(py, self.open(py)?.maintain(now_ns.unwrap_or_else(loadwise::now_ns)))
    }

    /// Whether `close` was called.
    #[getter]
    fn closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Ends the pool: tickets are void, and all other calls raise StateError. Its memory goes with the last reference.
    fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.put_own(None);
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        slf.get().check_open(slf.py())?;
        Ok(slf)
    }

    #[pyo3(signature = (kind, error, traceback, /))]
    fn __exit__(&self, kind: &Bound<'_, PyAny>, error: &Bound<'_, PyAny>, traceback: &Bound<'_, PyAny>) {
        let _ = (kind, error, traceback);
        self.close();
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.open(py)?.len())
    }

    /// A pool is true, also without nodes.
    fn __bool__(&self) -> bool {
        true
    }

    fn __repr__(&self) -> String {
        if self.closed() {
            return "<loadwise.Pool closed>".into();
        }
        format!("<loadwise.Pool {}, {} nodes>", self.core.strategy(), self.core.len())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.own.get().map_or(Ok(()), |own| own.traverse(&visit))
    }

    fn __clear__(&self) {
        self.put_own(None);
    }
}

#[inline]
fn read_ticket(ticket: &Bound<'_, PyAny>) -> PyResult<Ticket> {
    // Python reads a signed number faster; a negative one becomes one that is no ticket.
    match ticket.extract::<i64>() {
        Ok(number) => Ok(Ticket::from_u64(number as u64)),
        Err(_) if ticket.is_instance_of::<PyInt>() => Err(error::raised(ticket.py(), TicketError::Invalid)),
        Err(_) => Err(error::wrong_type("ticket", "int", ticket)),
    }
}
