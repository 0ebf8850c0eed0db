//! What a pool has learned of its nodes, beyond its own life.

use std::path::PathBuf;

use loadwise::FileStore;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::Pool;
use crate::store::{Detached, Store};
use crate::{error, value};

/// Where to keep it.
enum Kept {
    File(PathBuf),
    Store(Store),
}

#[pymethods]
impl Pool {
    /// What was learned of all nodes, as a dict for `learn_from`: health, holds, averages, quotas; times are relative.
    #[pyo3(signature = (*, now_ns=None))]
    fn learned<'py>(&self, py: Python<'py>, now_ns: Option<u64>) -> PyResult<Bound<'py, PyAny>> {
        value::give(py, &self.open(py)?.learned_at(now_ns.unwrap_or_else(loadwise::now_ns)))
    }

    /// Takes up what another pool has `learned` of nodes, in place of what this one knows; of how many. Nodes that are not
    /// here are left out.
    #[pyo3(signature = (learned, *, now_ns=None))]
    fn learn_from(&self, py: Python<'_>, learned: &Bound<'_, PyAny>, now_ns: Option<u64>) -> PyResult<usize> {
        let core = self.open(py)?;
        let learned = value::read(learned, "")?;
        let now_ns = now_ns.unwrap_or_else(loadwise::now_ns);
        core.learn_from_at(&learned, now_ns).map_err(|e| error::raised(py, e))
    }

    /// Keeps what was learned of all nodes, a text for each id: in a file, which is replaced as a whole; in a dict; or in
    /// an object with get(id), put(id, text), remove(id) and list(), which gives pairs. Of how many nodes.
    fn save(&self, py: Python<'_>, store: &Bound<'_, PyAny>) -> PyResult<usize> {
        let core = self.open(py)?;
        match read_store(store)? {
            Kept::File(path) => {
                let saved = py.detach(|| FileStore::open(path)).and_then(|file| core.save(&Detached(file)));
                saved.map_err(|e| error::raised(py, e))
            }
            Kept::Store(store) => core.save(&store).map_err(|e| store.raised(py, e)),
        }
    }

    /// Takes up what `save` has kept of nodes that are here; of how many. A file that is not there is empty.
    fn restore(&self, py: Python<'_>, store: &Bound<'_, PyAny>) -> PyResult<usize> {
        let core = self.open(py)?;
        match read_store(store)? {
            Kept::File(path) => {
                let restored = py.detach(|| FileStore::open(path)).and_then(|file| core.restore(&file));
                restored.map_err(|e| error::raised(py, e))
            }
            Kept::Store(store) => core.restore(&store).map_err(|e| store.raised(py, e)),
        }
    }
}

fn read_store(store: &Bound<'_, PyAny>) -> PyResult<Kept> {
    if store.is_instance_of::<PyString>() || store.hasattr("__fspath__")? {
        return store.extract().map(Kept::File);
    }
    Store::read(store).map(Kept::Store)
}
