//! A state that processes share, as Python sees it: who has it, what they hold, and in what they differ.

use std::path::PathBuf;

use loadwise::{Difference, OpenPick, ProcessStatus};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

use crate::error;

static PROCESS_STATUS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static OPEN_PICK: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static DIFFERENCE: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// The path of a file.
pub fn path(path: &Bound<'_, PyAny>) -> PyResult<PathBuf> {
    path.extract().map_err(|_| error::wrong_type("path", "str or a pathlib.Path", path))
}

pub fn differences(
    py: Python<'_>,
    differences: impl IntoIterator<Item = Difference>,
) -> PyResult<Vec<Bound<'_, PyAny>>> {
    let class = DIFFERENCE.import(py, "loadwise._data", "Difference")?;
    let made = |d: Difference| class.call1((d.pool, d.key, d.configured, d.in_force));
    differences.into_iter().map(made).collect()
}

pub fn processes(py: Python<'_>, processes: Vec<ProcessStatus>) -> PyResult<Vec<Bound<'_, PyAny>>> {
    let class = PROCESS_STATUS.import(py, "loadwise._data", "ProcessStatus")?;
    let made = |status: ProcessStatus| {
        let fields = PyDict::new(py);
        fields.set_item("row", status.row)?;
        fields.set_item("pid", status.pid)?;
        fields.set_item("command", status.command)?;
        fields.set_item("is_own", status.is_own)?;
        fields.set_item("in_namespace", status.in_namespace)?;
        fields.set_item("alive", status.alive)?;
        fields.set_item("since_ns", status.since_ns)?;
        fields.set_item("heartbeat_ns", status.heartbeat_ns)?;
        fields.set_item("in_flight", status.in_flight)?;
        fields.set_item("repeats", status.repeats)?;
        class.call((), Some(&fields))
    };
    processes.into_iter().map(made).collect()
}

pub fn open_picks(py: Python<'_>, picks: Vec<OpenPick>, now_ns: u64) -> PyResult<Vec<Bound<'_, PyAny>>> {
    let class = OPEN_PICK.import(py, "loadwise._data", "OpenPick")?;
    let made = |pick: OpenPick| {
        let age = pick.started_ns.map(|since| now_ns.saturating_sub(since) as f64 / 1e9);
        class.call1((pick.ticket.as_u64(), pick.node, pick.pid, pick.started_ns, age))
    };
    picks.into_iter().map(made).collect()
}
