//! What a pool tells, as the tuples of `loadwise._data`.

use loadwise::{CheckDue, Reloaded, Retry};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

use crate::pick::Pick;

static NODE_STATUS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static MAINTAINED: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static NODE_HEALTH: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static CHECK_DUE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static RELOADED: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static RETRY: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static AGAIN: PyOnceLock<Py<PyType>> = PyOnceLock::new();

pub fn node<'py>(py: Python<'py>, status: loadwise::NodeStatus) -> PyResult<Bound<'py, PyAny>> {
    let labels = PyDict::new(py);
    for (name, text) in status.labels {
        labels.set_item(name, text)?;
    }
    let fields = PyDict::new(py);
    fields.set_item("id", status.id)?;
    fields.set_item("name", status.name)?;
    fields.set_item("address", status.address)?;
    fields.set_item("weight", status.weight)?;
    fields.set_item("labels", labels)?;
    fields.set_item("tier", status.tier)?;
    fields.set_item("zone", status.zone)?;
    fields.set_item("max_in_flight", status.max_in_flight)?;
    fields.set_item("health", status.health.as_str())?;
    fields.set_item("breaker", status.breaker.as_str())?;
    fields.set_item("ejected", status.ejected)?;
    fields.set_item("hold_until_ns", status.hold_until_ns)?;
    fields.set_item("draining", status.draining)?;
    fields.set_item("drained", status.drained)?;
    fields.set_item("warming", status.warming)?;
    fields.set_item("available", status.available)?;
    fields.set_item("in_flight", status.in_flight)?;
    fields.set_item("latency", status.latency_ns.map(|ns| ns / 1e9))?;
    fields.set_item("success_rate", status.success_rate)?;
    fields.set_item("load", status.load)?;
    fields.set_item("remaining_ratio", status.remaining_ratio)?;
    fields.set_item("consecutive_failures", status.consecutive_failures)?;
    fields.set_item("user_data", status.user_data)?;
    NODE_STATUS.import(py, "loadwise._data", "NodeStatus")?.call((), Some(&fields))
}

pub fn maintained<'py>(py: Python<'py>, done: loadwise::Maintained) -> PyResult<Bound<'py, PyAny>> {
    let fields = (done.next_due_ns, done.leases_expired, done.rebuilt);
    MAINTAINED.import(py, "loadwise._data", "Maintained")?.call1(fields)
}

pub fn health<'py>(py: Python<'py>, health: loadwise::NodeHealth) -> PyResult<Bound<'py, PyAny>> {
    let fields = (health.status.as_str(), health.consecutive_failures, health.consecutive_successes);
    NODE_HEALTH.import(py, "loadwise._data", "NodeHealth")?.call1(fields)
}

pub fn check_due<'py>(py: Python<'py>, check: CheckDue) -> PyResult<Bound<'py, PyAny>> {
    let fields = (check.id, check.name, check.address, check.deadline_ns);
    CHECK_DUE.import(py, "loadwise._data", "CheckDue")?.call1(fields)
}

pub fn retry(py: Python<'_>, retry: Retry) -> PyResult<Bound<'_, PyAny>> {
    RETRY.import(py, "loadwise._data", "Retry")?.call1(told(retry))
}

pub fn again(py: Python<'_>, pick: Option<Pick>, retry: Retry) -> PyResult<Bound<'_, PyAny>> {
    let (after, give_up) = told(retry);
    AGAIN.import(py, "loadwise._data", "Again")?.call1((pick, after, give_up))
}

/// After how many seconds to try again, or why not.
fn told(retry: Retry) -> (Option<f64>, Option<&'static str>) {
    match retry {
        Retry::After(wait) => (Some(wait.as_secs_f64()), None),
        Retry::GiveUp(why) => (None, Some(why.as_str())),
    }
}

pub fn reloaded(py: Python<'_>, reloaded: Reloaded) -> PyResult<Bound<'_, PyAny>> {
    let fields = (reloaded.added, reloaded.removed, reloaded.changed, reloaded.version);
    RELOADED.import(py, "loadwise._data", "Reloaded")?.call1(fields)
}
