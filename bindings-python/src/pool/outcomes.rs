//! What hosts know of nodes and of attempts beside their picks.

use loadwise::Load;
use pyo3::prelude::*;

use super::Pool;
use crate::report::{self, Said, reported};
use crate::{background, error, key, status};

#[pymethods]
impl Pool {
    /// Tells of an attempt that was no pick: traffic that took another way. Arguments as of `release`. Whether the node's
    /// health changed.
    #[pyo3(signature = (id, outcome=None, *, latency=None, kind=None, retry_after=None, now_ns=None))]
    #[expect(clippy::too_many_arguments)]
    fn report(
        &self,
        py: Python<'_>,
        id: &Bound<'_, PyAny>,
        outcome: Option<&Bound<'_, PyAny>>,
        latency: Option<f64>,
        kind: Option<&Bound<'_, PyAny>>,
        retry_after: Option<f64>,
        now_ns: Option<u64>,
    ) -> PyResult<bool> {
        let (core, id) = (self.open(py)?, key::text("id", id)?);
        let said = Said { latency, kind, retry_after, now_ns, ..Said::default() };
        reported(py, outcome, said, |report| core.report(id, report))?.map_err(|e| error::raised(py, e))
    }

    /// Tells a node's load (any unit, lower is better) and the share of its quota that is left, 0.0 to 1.0; and what it
    /// serves, for `reported_load`: requests and errors a second, and the share of its capacity in use.
    #[pyo3(signature = (id, load=None, remaining_ratio=None, *, requests_per_s=None, utilization=None, errors_per_s=None,
                        now_ns=None))]
    #[expect(clippy::too_many_arguments)]
    fn report_load(
        &self,
        py: Python<'_>,
        id: &Bound<'_, PyAny>,
        load: Option<f64>,
        remaining_ratio: Option<f64>,
        requests_per_s: Option<f64>,
        utilization: Option<f64>,
        errors_per_s: Option<f64>,
        now_ns: Option<u64>,
    ) -> PyResult<()> {
        let load = Load { load, remaining_ratio, requests_per_s, utilization, errors_per_s, now_ns };
        self.open(py)?.report_load(key::text("id", id)?, load).map_err(|e| error::raised(py, e))
    }

    /// The checks that are due, for this caller to make and to report by `report_check`; nobody else is told of them until
    /// their deadlines. A list of `CheckDue`; empty unless `checks` are configured.
    #[pyo3(signature = (now_ns=None))]
    fn checks_due<'py>(&self, py: Python<'py>, now_ns: Option<u64>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let due = self.open(py)?.checks_due(now_ns.unwrap_or_else(loadwise::now_ns));
        due.into_iter().map(|check| status::check_due(py, check)).collect()
    }

    /// When a check is next due, on the clock of `time.monotonic_ns()`; None without checks or nodes.
    #[getter]
    fn next_check_ns(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        Ok(self.open(py)?.next_check_ns())
    }

    /// Tells the result of a check, `latency` in seconds. Whether the node's health changed.
    #[pyo3(signature = (id, ok, latency=None, *, now_ns=None))]
    fn report_check(
        &self,
        py: Python<'_>,
        id: &Bound<'_, PyAny>,
        ok: bool,
        latency: Option<f64>,
        now_ns: Option<u64>,
    ) -> PyResult<bool> {
        let latency = latency.map(|s| report::seconds(py, "latency", s)).transpose()?;
        let changed = self.open(py)?.report_check(key::text("id", id)?, ok, latency, now_ns);
        changed.map_err(|e| error::raised(py, e))
    }

    /// Does what is due: gives up picks that timed out, moves windows and warm-ups on, ejects outliers and takes them back,
    /// leaves out nodes that are down and takes in those that came back. To be called about once a second, unless the pool
    /// is started; `nodes`, `stats` and `metrics` do it too.
    #[pyo3(signature = (now_ns=None))]
    fn maintain<'py>(&self, py: Python<'py>, now_ns: Option<u64>) -> PyResult<Bound<'py, PyAny>> {
        status::maintained(py, self.open(py)?.maintain(now_ns.unwrap_or_else(loadwise::now_ns)))
    }

    /// Starts a daemon thread that calls `maintain` when it is due and makes the active checks: `check` is called with a
    /// `CheckDue` for each, in a thread of its own, and says whether the node is well; what it raises says that it is not.
    /// The thread ends by `stop`, and with the pool. A forked child has one of its own. Starting again replaces `check`.
    #[pyo3(signature = (check=None))]
    fn start(slf: &Bound<'_, Self>, check: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        slf.get().check_open(slf.py())?;
        background::start(slf.as_any(), check)
    }

    /// Ends the thread of `start` and waits for it; checks under way are let go. Harmless where there is none.
    fn stop(slf: &Bound<'_, Self>) -> PyResult<()> {
        background::stop(slf.as_any())
    }
}
