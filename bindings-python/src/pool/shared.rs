//! A pool whose state processes share.

use std::ffi::OsString;

use pyo3::prelude::*;

use super::Pool;
use crate::shared;

#[pymethods]
impl Pool {
    /// In what the configuration that this process attached with says otherwise than the one in force, which stays as it is
    /// until a `reload`: a list of `Difference`.
    #[getter]
    fn differences<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        shared::differences(py, self.open(py)?.differences().iter().cloned())
    }

    /// The file that the pool's state is in; None if it is this process's alone.
    #[getter]
    fn shared_path(&self, py: Python<'_>) -> PyResult<Option<OsString>> {
        Ok(self.open(py)?.shared_path().map(|path| path.as_os_str().to_owned()))
    }

    /// The processes that share the pool's state, with their unfinished picks: a list of `ProcessStatus`, empty if it is this
    /// process's alone.
    fn processes<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        shared::processes(py, self.open(py)?.processes())
    }

    /// Unfinished picks of all processes, those whose time is known first, the oldest of all first: a list of at most
    /// `limit` `OpenPick`s.
    #[pyo3(signature = (limit=100, *, now_ns=None))]
    fn open_picks<'py>(&self, py: Python<'py>, limit: usize, now_ns: Option<u64>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let picks = self.open(py)?.open_picks(limit);
        shared::open_picks(py, picks, now_ns.unwrap_or_else(loadwise::now_ns))
    }
}
