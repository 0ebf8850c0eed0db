//! What a pool tells, as the tuples of `loadwise._data`.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};

static NODE_STATUS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static MAINTAINED: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static NODE_HEALTH: PyOnceLock<Py<PyType>> = PyOnceLock::new();

pub fn node<'py>(py: Python<'py>, status: loadwise::NodeStatus) -> PyResult<Bound<'py, PyAny>> {
    let labels = PyDict::new(py);
    for (name, text) in status.labels {
        labels.set_item(name, text)?;
    }
    let first =
        (status.id, status.name, status.address, status.weight, labels, status.health.as_str(), status.draining);
    let latency = status.latency_ns.map(|ns| ns / 1e9);
    let then = (status.in_flight, latency, status.load, status.remaining_ratio);
    let last = (status.consecutive_failures, status.user_data);
    let fields = first.into_pyobject(py)?.add(then)?.add(last)?;
    NODE_STATUS.import(py, "loadwise._data", "NodeStatus")?.call1(fields.cast::<PyTuple>()?)
}

pub fn maintained<'py>(py: Python<'py>, done: loadwise::Maintained) -> PyResult<Bound<'py, PyAny>> {
    let fields = (done.next_due_ns, done.leases_expired, done.rebuilt);
    MAINTAINED.import(py, "loadwise._data", "Maintained")?.call1(fields)
}

pub fn health<'py>(py: Python<'py>, health: loadwise::NodeHealth) -> PyResult<Bound<'py, PyAny>> {
    let fields = (health.status.as_str(), health.consecutive_failures, health.consecutive_successes);
    NODE_HEALTH.import(py, "loadwise._data", "NodeHealth")?.call1(fields)
}
