//! Pools by name, under one configuration.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use loadwise::config::Value;
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyList, PyType};
use pyo3::{PyTraverseError, PyVisit};

use crate::pool::{Pool, config_path, read_config};
use crate::{background, error, key, metrics, shared, status, value};

/// Pools by name, under one configuration that can be replaced while picks go on: `engine["api"].pick()`.
///
/// `Engine.open(path)` reads a file, which `reload` reads again; `Engine(config)` takes text or a dict. A configuration has
/// the key `pools`, or is that of one pool, which is then called default. With its key `shared`, all processes that open
/// it work on one state; `Engine.attach(path)` takes the pools of such a state as they are.
#[pyclass(frozen, weakref, module = "loadwise")]
pub struct Engine {
    core: loadwise::Engine,
    /// The pools that were asked for, each with one object.
    pools: Mutex<HashMap<String, Py<Pool>>>,
    closed: AtomicBool,
}

impl Engine {
    fn of(core: loadwise::Engine) -> Self {
        Self { core, pools: Mutex::default(), closed: AtomicBool::new(false) }
    }

    fn open_core(&self, py: Python<'_>) -> PyResult<&loadwise::Engine> {
        if self.closed.load(Ordering::Relaxed) { Err(error::closed(py)) } else { Ok(&self.core) }
    }

    fn pool<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, Pool>>> {
        let Some(core) = self.open_core(py)?.pool(name) else { return Ok(None) };
        let known = |pools: &HashMap<String, Py<Pool>>| {
            let kept = pools.get(name)?.bind(py);
            (Arc::ptr_eq(kept.get().core(), &core) && !kept.get().is_closed()).then(|| kept.clone())
        };
        if let Some(kept) = known(&self.pools()) {
            return Ok(Some(kept));
        }
        // With nothing locked: an allocation may collect garbage, whose end may run any Python code; so may an end here.
        let made = Bound::new(py, Pool::of(core.clone()))?;
        let mut pools = self.pools();
        if let Some(kept) = known(&pools) {
            return Ok(Some(kept));
        }
        let former = pools.insert(name.to_owned(), made.clone().unbind());
        drop(pools);
        drop(former);
        Ok(Some(made))
    }

    fn pools(&self) -> MutexGuard<'_, HashMap<String, Py<Pool>>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of pools that have left, by this process or by another one.
    fn tidy(&self) {
        let mut pools = self.pools();
        let has_left = |name: &str, kept: &Py<Pool>| match self.core.pool(name) {
            Some(there) => !Arc::ptr_eq(kept.get().core(), &there),
            None => true,
        };
        let left: Vec<String> =
            pools.iter().filter(|(name, kept)| has_left(name, kept)).map(|(name, _)| name.clone()).collect();
        let gone: Vec<Py<Pool>> = left.iter().filter_map(|name| pools.remove(name)).collect();
        drop(pools);
        drop(gone);
    }
}

#[pymethods]
impl Engine {
    #[new]
    fn new(config: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Some(path) = config_path(config)? {
            return loadwise::Engine::open(path).map(Self::of).map_err(|e| error::raised(config.py(), e));
        }
        loadwise::Engine::from_value(&read_config(config)?).map(Self::of).map_err(|e| error::raised(config.py(), e))
    }

    /// The pools of a file of YAML or JSON.
    #[classmethod]
    fn open(_class: &Bound<'_, PyType>, py: Python<'_>, path: &Bound<'_, PyAny>) -> PyResult<Self> {
        loadwise::Engine::open(shared::path(path)?).map(Self::of).map_err(|e| error::raised(py, e))
    }

    /// The pools of a state that other processes share, as they are: without a configuration of one's own. Raises StateError
    /// if there is none in this file (code 205), or if as many processes share it as may (206).
    #[classmethod]
    fn attach(_class: &Bound<'_, PyType>, py: Python<'_>, path: &Bound<'_, PyAny>) -> PyResult<Self> {
        loadwise::Engine::attach(shared::path(path)?).map(Self::of).map_err(|e| error::raised(py, e))
    }

    /// The pools of a state that other processes share, to look at only, without being one of them: `nodes`, `stats`,
    /// `processes`, `open_picks`, `config` and `explain` tell what is. What would change something raises StateError (code
    /// 207), and picks find no node. Raises StateError if there is no state in this file (205).
    #[classmethod]
    fn view(_class: &Bound<'_, PyType>, py: Python<'_>, path: &Bound<'_, PyAny>) -> PyResult<Self> {
        loadwise::Engine::view(shared::path(path)?).map(Self::of).map_err(|e| error::raised(py, e))
    }

    /// The pools of a configuration: text, a dict, or a `pathlib.Path`.
    #[classmethod]
    fn from_config(_class: &Bound<'_, PyType>, config: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::new(config)
    }

    /// The pool of a name, the same object each time. Raises KeyError.
    fn __getitem__<'py>(&self, py: Python<'py>, name: &Bound<'_, PyAny>) -> PyResult<Bound<'py, Pool>> {
        let word = key::text("name", name)?;
        self.pool(py, word)?.ok_or_else(|| PyKeyError::new_err(word.to_owned()))
    }

    /// The pool of a name, or `default`.
    #[pyo3(signature = (name, default=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        name: &Bound<'_, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.pool(py, key::text("name", name)?)?.map(Bound::into_any).or(default))
    }

    fn __contains__(&self, name: &Bound<'_, PyAny>) -> PyResult<bool> {
        let core = self.open_core(name.py())?;
        Ok(name.extract::<String>().is_ok_and(|name| core.pool(&name).is_some()))
    }

    /// The names of all pools, in the order of the configuration.
    fn names(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        Ok(self.open_core(py)?.names())
    }

    /// All pools, in the order of `names`.
    #[pyo3(name = "pools")]
    fn all_pools<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, Pool>>> {
        let pools = self.names(py)?.into_iter().map(|name| self.pool(py, &name));
        // One may have left since.
        pools.filter_map(Result::transpose).collect()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.names(py)?)?.try_iter()
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.names(py)?.len())
    }

    /// An engine is true, also without pools.
    fn __bool__(&self) -> bool {
        true
    }

    /// Puts the file into force again that the engine was opened with, or `config`: text, a dict, or a `pathlib.Path`. What
    /// changed, as a `Reloaded`. Pools and nodes that stay keep what is known of them; whatever cannot be changes nothing.
    ///
    /// With `if_new`, pools are left alone whose configuration is the one that was last put in force, by whichever process:
    /// what was changed by hand since, as weights, stays. So many workers that read the same file replace it once.
    #[pyo3(signature = (config=None, *, if_new=false))]
    fn reload<'py>(
        &self,
        py: Python<'py>,
        config: Option<&Bound<'_, PyAny>>,
        if_new: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let core = self.open_core(py)?;
        let put_in_force = |value: &Value| match if_new {
            true => core.reload_value_if_new(value),
            false => core.reload_value(value),
        };
        let reloaded = match config {
            None if if_new => core.reload_if_new(),
            None => core.reload(),
            Some(config) => match config_path(config)? {
                None => put_in_force(&read_config(config)?),
                Some(path) => {
                    let unreadable = |e| error::config(py, "", format!("cannot read {}: {e}", path.display()));
                    let bytes = std::fs::read(&path).map_err(unreadable)?;
                    Value::from_bytes(&bytes).and_then(|value| put_in_force(&value))
                }
            },
        };
        let reloaded = reloaded.map_err(|e| error::raised(py, e))?;
        self.tidy();
        status::reloaded(py, reloaded)
    }

    /// Takes one pool out, as a `reload` does whose configuration does not have it; whether there was one of that name. For
    /// programs that know which pools are theirs and not which others there are, where processes share a state.
    fn remove(&self, py: Python<'_>, name: &Bound<'_, PyAny>) -> PyResult<bool> {
        let removed = self.open_core(py)?.remove(key::text("name", name)?).map_err(|e| error::raised(py, e))?;
        self.tidy();
        Ok(removed)
    }

    /// The configuration in force with all its defaults, as a dict, which can be loaded again.
    #[getter]
    fn config<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        value::give(py, &self.open_core(py)?.config())
    }

    /// How often a configuration was put in force, the first included.
    #[getter]
    fn version(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.open_core(py)?.version())
    }

    /// In what this process is configured otherwise than pools that were there when it attached to them, which stay as they
    /// are until a `reload`: a list of `Difference`.
    #[getter]
    fn differences<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        shared::differences(py, self.open_core(py)?.differences())
    }

    /// The file that the state of the pools is in; None if it is this process's alone.
    #[getter]
    fn shared_path(&self, py: Python<'_>) -> PyResult<Option<OsString>> {
        Ok(self.open_core(py)?.shared_path().map(PathBuf::into_os_string))
    }

    /// Why this process goes on alone although its configuration says `shared`: its `on_bad_segment` is private. Else None.
    #[getter]
    fn private_because(&self, py: Python<'_>) -> PyResult<Option<&str>> {
        Ok(self.open_core(py)?.private_because())
    }

    /// The processes that share the state, with their unfinished picks of all pools: a list of `ProcessStatus`, empty if it
    /// is this process's alone.
    fn processes<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        shared::processes(py, self.open_core(py)?.processes())
    }

    /// All pools in figures: a list of dicts as of `Pool.stats`.
    #[pyo3(signature = (now_ns=None))]
    fn stats<'py>(&self, py: Python<'py>, now_ns: Option<u64>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let stats = self.open_core(py)?.stats_at(now_ns.unwrap_or_else(loadwise::now_ns));
        stats.iter().map(|pool| value::give(py, &pool.to_value())).collect()
    }

    /// The same as a text for Prometheus: `format` is prometheus (0.0.4) or openmetrics.
    #[pyo3(signature = (format="prometheus"))]
    fn metrics(&self, py: Python<'_>, format: &str) -> PyResult<String> {
        let core = self.open_core(py)?;
        metrics::text(py, format, || core.stats())
    }

    /// `Pool.maintain` of all pools.
    #[pyo3(signature = (now_ns=None))]
    fn maintain<'py>(&self, py: Python<'py>, now_ns: Option<u64>) -> PyResult<Bound<'py, PyAny>> {
        let maintained = self.open_core(py)?.maintain(now_ns.unwrap_or_else(loadwise::now_ns));
        self.tidy();
        status::maintained(py, maintained)
    }

    /// Starts a daemon thread for all pools, those of later configurations included; see `Pool.start`.
    #[pyo3(signature = (check=None))]
    fn start(slf: &Bound<'_, Self>, check: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        slf.get().open_core(slf.py())?;
        background::start(slf.as_any(), check)
    }

    /// Ends the thread of `start` and waits for it; checks under way are let go. Harmless where there is none.
    fn stop(slf: &Bound<'_, Self>) -> PyResult<()> {
        background::stop(slf.as_any())
    }

    /// Whether `close` was called.
    #[getter]
    fn closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Ends the engine and the pools that were taken from it, as `Pool.close`. A state that is shared stays for the others; it
    /// is left with the last reference.
    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        this.closed.store(true, Ordering::Relaxed);
        background::stop(slf.as_any())?;
        let pools = std::mem::take(&mut *this.pools());
        pools.values().try_for_each(|pool| Pool::close(pool.bind(slf.py())))
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        slf.get().open_core(slf.py())?;
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

    fn __repr__(&self) -> String {
        format!("<loadwise.Engine {}>", self.core.names().join(", "))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ok(pools) = self.pools.try_lock() else { return Ok(()) };
        pools.values().try_for_each(|pool| visit.call(pool))
    }

    fn __clear__(&self) {
        let pools = std::mem::take(&mut *self.pools());
        drop(pools);
    }
}
