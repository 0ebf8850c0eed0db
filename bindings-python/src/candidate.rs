//! A node as predicates and own strategies look at it.

use loadwise::NodeRef;
use pyo3::prelude::*;

use crate::error;
use crate::pool::Pool;

/// A node of a pool, read at the moment it is asked. Raises StateError once the node has left its pool.
#[pyclass(frozen, module = "loadwise")]
pub struct Candidate {
    pool: Py<Pool>,
    node: NodeRef,
}

impl Candidate {
    pub fn new(pool: &Bound<'_, Pool>, node: NodeRef) -> Self {
        Self { pool: pool.clone().unbind(), node }
    }

    fn look<T>(&self, py: Python<'_>, at: impl FnOnce(loadwise::Candidate<'_>) -> T) -> PyResult<T> {
        let candidate = self.pool.get().core().candidate(self.node);
        candidate.map(at).ok_or_else(|| error::gone(py, &self.pool.get().core().id_of(self.node)))
    }
}

#[pymethods]
impl Candidate {
    #[getter]
    fn id(&self, py: Python<'_>) -> PyResult<String> {
        self.look(py, |c| c.id().as_str().to_owned())
    }

    #[getter]
    fn name(&self, py: Python<'_>) -> PyResult<String> {
        self.look(py, |c| c.name().as_str().to_owned())
    }

    #[getter]
    fn address(&self, py: Python<'_>) -> PyResult<String> {
        self.look(py, |c| c.address().as_str().to_owned())
    }

    #[getter]
    fn weight(&self, py: Python<'_>) -> PyResult<u32> {
        self.look(py, |c| c.weight())
    }

    /// healthy, degraded, unhealthy or recovering.
    #[getter]
    fn health(&self, py: Python<'_>) -> PyResult<&'static str> {
        self.look(py, |c| c.health().as_str())
    }

    /// Unfinished picks, in all processes.
    #[getter]
    fn in_flight(&self, py: Python<'_>) -> PyResult<u64> {
        self.look(py, |c| c.in_flight())
    }

    /// The load that was last reported, or None.
    #[getter]
    fn load(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        self.look(py, |c| c.load())
    }

    /// The share of its quota that was last reported to be left, or None.
    #[getter]
    fn remaining_ratio(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        self.look(py, |c| c.remaining_ratio())
    }

    /// The host's own number; 0 if this process gave none.
    #[getter]
    fn user_data(&self, py: Python<'_>) -> PyResult<u64> {
        self.look(py, |c| c.user_data())
    }

    /// Whether the node has a label of this value.
    fn has_label(&self, py: Python<'_>, key: &str, value: &str) -> PyResult<bool> {
        self.look(py, |c| c.has_label(key, value))
    }

    fn __repr__(&self) -> String {
        format!("<loadwise.Candidate {:?}>", self.pool.get().core().id_of(self.node).as_str())
    }
}
