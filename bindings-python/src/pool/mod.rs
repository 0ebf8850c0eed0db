//! A pool as Python sees it.

mod attempts;
mod learned;
mod look;
mod membership;
mod outcomes;
pub mod own_strategy;
mod picking;
mod policy;
mod sessions;
mod shared;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use loadwise::config::{PoolConfig, Value};
use loadwise::{Report, Ticket, TicketError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyMapping, PyString, PyType};
use pyo3::{PyTraverseError, PyVisit};

use crate::event::Observers;
use crate::{background, error, key, value};
use own_strategy::OwnStrategy;

/// Nodes under one policy: pick, use, finish. Every method may be called from any thread.
///
/// `nodes`: addresses, or dicts of the keys id, address, name, weight, labels, tier, zone, max_in_flight, quotas, user_data.
/// `strategy`: a name, a dict of a name and its settings, or a list of these, of which the first that finds a node decides.
/// `name`: what tells it from other pools in metrics, and in a state that is shared. `shared`: the file of a state that all
/// processes which name it work on, a path or a dict of path, mode, on_bad_segment and max_processes. Other keys are those
/// of the configuration, as seed, health, breaker, quotas.
#[pyclass(frozen, weakref, module = "loadwise")]
pub struct Pool {
    core: Arc<loadwise::Pool>,
    closed: AtomicBool,
    own: OnceLock<Arc<OwnStrategy>>,
    observers: Observers,
}

impl Pool {
    /// A pool of an engine.
    pub fn of(core: Arc<loadwise::Pool>) -> Self {
        Self { core, closed: AtomicBool::new(false), own: OnceLock::new(), observers: Observers::default() }
    }

    fn build(py: Python<'_>, name: Option<&Bound<'_, PyAny>>, config: PoolConfig) -> PyResult<Self> {
        let mut builder = loadwise::Pool::builder().config(config);
        if let Some(name) = name {
            builder = builder.name(key::text("name", name)?);
        }
        Ok(Self::of(Arc::new(builder.build().map_err(|e| error::raised(py, e))?)))
    }

    #[inline]
    pub fn core(&self) -> &Arc<loadwise::Pool> {
        &self.core
    }

    #[inline]
    pub fn check_open(&self, py: Python<'_>) -> PyResult<()> {
        if self.closed.load(Ordering::Relaxed) { Err(error::closed(py)) } else { Ok(()) }
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Whether a pick may call Python.
    #[inline]
    pub fn asks_python(&self) -> bool {
        self.own.get().is_some_and(|own| own.is_in_charge())
    }

    /// Ends a pick. With the pool closed, every ticket is void.
    #[inline]
    pub fn finish(&self, ticket: Ticket, report: Report<'_>) -> Result<(), TicketError> {
        if self.closed.load(Ordering::Relaxed) {
            return self.give_back(ticket);
        }
        self.core.release(ticket, report)
    }

    /// Notes a pick's first token. With the pool closed, every ticket is void.
    pub fn answer(&self, ticket: Ticket, now_ns: Option<u64>) -> Result<bool, TicketError> {
        match now_ns {
            _ if self.is_closed() => Err(TicketError::Stale),
            Some(now_ns) => self.core.first_token_at(ticket, now_ns),
            None => self.core.first_token(ticket),
        }
    }

    /// Ends a pick of a pool that was closed, of which nobody is told any more: it would stay in flight for other processes.
    #[cold]
    fn give_back(&self, ticket: Ticket) -> Result<(), TicketError> {
        let _ = self.core.release(ticket, Report::cancelled());
        Err(TicketError::Stale)
    }

    fn open(&self, py: Python<'_>) -> PyResult<&Arc<loadwise::Pool>> {
        self.check_open(py)?;
        Ok(&self.core)
    }

    fn put_own(&self, callable: Option<Py<PyAny>>) {
        if let Some(own) = self.own.get() {
            own.put(callable);
        }
    }

    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.observers.traverse(visit)?;
        self.own.get().map_or(Ok(()), |own| own.traverse(visit))
    }
}

/// The configuration of a text, a dict or a path.
pub fn read_config(config: &Bound<'_, PyAny>) -> PyResult<Value> {
    let read = if config.is_instance_of::<PyString>() {
        Value::parse(key::text("config", config)?)
    } else if let Ok(bytes) = config.cast::<PyBytes>() {
        Value::from_bytes(bytes.as_bytes())
    } else if config.cast::<PyMapping>().is_ok() {
        return value::read(config, "");
    } else {
        return Err(error::wrong_type("config", "text, a dict or a pathlib.Path", config));
    };
    read.map_err(|e| error::raised(config.py(), e))
}

/// The path that a configuration is, if it is one.
pub fn config_path(config: &Bound<'_, PyAny>) -> PyResult<Option<PathBuf>> {
    if config.is_instance_of::<PyString>() || !config.hasattr("__fspath__")? {
        return Ok(None);
    }
    config.extract().map(Some)
}

fn pool_config(config: &Bound<'_, PyAny>) -> PyResult<PoolConfig> {
    let read = match config_path(config)? {
        Some(path) => PoolConfig::from_path(path),
        None => PoolConfig::from_value(&read_config(config)?),
    };
    read.map_err(|e| error::raised(config.py(), e))
}

#[pymethods]
impl Pool {
    #[new]
    #[pyo3(signature = (nodes=None, strategy=None, *, name=None, **policy))]
    fn new(
        py: Python<'_>,
        nodes: Option<&Bound<'_, PyAny>>,
        strategy: Option<&Bound<'_, PyAny>>,
        name: Option<&Bound<'_, PyAny>>,
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
        Self::build(py, name, config)
    }

    /// A pool from a configuration: YAML or JSON text, a dict, or the path of a file (a `pathlib.Path`).
    #[classmethod]
    #[pyo3(signature = (config, *, name=None))]
    fn from_config(
        _class: &Bound<'_, PyType>,
        py: Python<'_>,
        config: &Bound<'_, PyAny>,
        name: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        Self::build(py, name, pool_config(config)?)
    }

    /// What tells it from other pools of its engine, and in metrics.
    #[getter]
    fn name(&self) -> &str {
        self.core.name()
    }

    /// Whether `close` was called.
    #[getter]
    fn closed(&self) -> bool {
        self.is_closed()
    }

    /// Ends the pool: tickets are void, its thread ends, and all other calls raise StateError. Its memory goes with the
    /// last reference.
    pub fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        this.closed.store(true, Ordering::Relaxed);
        this.put_own(None);
        this.observers.clear(&this.core);
        background::stop(slf.as_any())
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        slf.get().check_open(slf.py())?;
        Ok(slf)
    }

    #[pyo3(signature = (kind, error, traceback, /))]
    fn __exit__(
        slf: &Bound<'_, Self>,
        kind: &Bound<'_, PyAny>,
        error: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let _ = (kind, error, traceback);
        Self::close(slf)
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.open(py)?.len())
    }

    /// A pool is true, also without nodes.
    fn __bool__(&self) -> bool {
        true
    }

    fn __repr__(&self) -> String {
        if self.is_closed() {
            return "<loadwise.Pool closed>".into();
        }
        format!("<loadwise.Pool {}, {} nodes>", self.core.strategy(), self.core.len())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.visit(&visit)
    }

    fn __clear__(&self) {
        self.put_own(None);
        self.observers.clear(&self.core);
    }
}
