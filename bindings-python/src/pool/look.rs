//! What there is to see of a pool: figures, reasons, events.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::Pool;
use crate::pick::Pick;
use crate::request::{Keywords, asking, attempt, with_request};
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

    /// What this thread's next pick would choose and why, as a dict; changes nothing. Arguments as of `pick`. A callback that
    /// failed on the way is told to `sys.unraisablehook`.
    #[pyo3(signature = (key=None, **request), text_signature = "($self, key=None, *, exclude=None, require=None, \
        health=None, predicate=None, now_ns=None, zone=None, session=None, cost=None)")]
    fn explain<'py>(
        slf: &Bound<'py, Self>,
        key: Option<&Bound<'py, PyAny>>,
        request: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let request = Keywords::read("explain", request)?;
        let asked = request.asked(key)?;
        with_request(slf, &asked, |request, raised| {
            let explanation = asking(slf, &asked, raised, || slf.get().core().explain(request))?;
            value::give(slf.py(), &explanation.to_value())
        })
    }

    /// `pick` with its reasons: the pick, and the dict that `explain` would give. Raises NoNode, whose `explanation` has it.
    #[pyo3(signature = (key=None, **request), text_signature = "($self, key=None, *, exclude=None, require=None, \
        health=None, predicate=None, now_ns=None, zone=None, session=None, cost=None)")]
    fn pick_explained<'py>(
        slf: &Bound<'py, Self>,
        key: Option<&Bound<'py, PyAny>>,
        request: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<(Pick, Bound<'py, PyAny>)> {
        let request = Keywords::read("pick_explained", request)?;
        let asked = request.asked(key)?;
        with_request(slf, &asked, |request, raised| {
            let mut explanation = None;
            let picked = attempt(slf, &asked, raised, || {
                let (result, why) = slf.get().core().acquire_explained(request);
                explanation = Some(why.to_value());
                result
            })?;
            let explanation = explanation.map_or_else(
                || Ok(slf.py().None().into_bound(slf.py())),
                |explanation| value::give(slf.py(), &explanation),
            )?;
            match picked {
                Ok((lease, raised)) => {
                    let raised = raised.map(|e| e.into_value(slf.py()).into_any());
                    Ok((Pick::new(slf, lease, raised), explanation))
                }
                Err((none, raised)) => {
                    let none = error::no_node(slf.py(), none, raised);
                    none.value(slf.py()).setattr("explanation", explanation)?;
                    Err(none)
                }
            }
        })
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
