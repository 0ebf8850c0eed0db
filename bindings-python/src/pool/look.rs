//! What there is to see of a pool: figures, reasons, events.

use pyo3::prelude::*;

use super::Pool;
use crate::{error, metrics, value};

#[pymethods]
impl Pool {
    /// The pool and all its nodes in figures, as a dict. Counts are since the pool began.
    #[pyo3(signature = (now_ns=None))]
    fn stats<'py>(&self, py: Python<'py>, now_ns: Option<u64>) -> PyResult<Bound<'py, PyAny>> {
        let stats = self.open(py)?.stats_at(now_ns.unwrap_or_else(loadwise::now_ns));
        value::give(py, &stats.to_value())
    }

    /// The same as a text for Prometheus: `format` is prometheus (0.0.4) or openmetrics.
    #[pyo3(signature = (format="prometheus"))]
    fn metrics(&self, py: Python<'_>, format: &str) -> PyResult<String> {
        let core = self.open(py)?;
        metrics::text(py, format, || vec![core.stats()])
    }

    /// Calls `observer` with an `Event`, a dict, whenever something happens, from whichever thread makes it happen; with
    /// every selection only if `selections` is set. What it raises goes to `sys.unraisablehook`. Gives a number for
    /// `off_event`.
    #[pyo3(signature = (observer, selections=false))]
    fn on_event(&self, py: Python<'_>, observer: &Bound<'_, PyAny>, selections: bool) -> PyResult<u64> {
        let core = self.open(py)?;
        if !observer.is_callable() {
            return Err(error::wrong_type("observer", "callable", observer));
        }
        Ok(self.observers.add(core, selections, observer))
    }

    /// Calls an observer no more. Whether it was one.
    fn off_event(&self, id: u64) -> bool {
        self.observers.remove(&self.core, id)
    }
}
