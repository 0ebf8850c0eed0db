//! A decision that is held until it is finished.

use std::sync::atomic::{AtomicU8, Ordering};

use loadwise::{Ending, FailureKind, Lease, NodeRef, Report};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::pool::Pool;
use crate::report::{self, finished};

/// A chosen node, in flight until this is finished. Made by `Pool.pick`.
///
/// As a context manager: leaving normally is a success, by an exception a failure, by an interrupt or a cancellation
/// (whatever is no `Exception`) a cancellation. What was finished before stays as it was. A pick that is forgotten counts
/// as cancelled. Any thread may finish it, once.
#[pyclass(frozen, module = "loadwise")]
pub struct Pick {
    pool: Py<Pool>,
    lease: Lease,
    callback_error: Option<Py<PyAny>>,
    ended: AtomicU8,
}

/// How this object ended its pick, as a byte: 0 while it has not, then these, then failures by kind.
const SUCCESS: u8 = 1;
const CANCELLED: u8 = 2;
const RATE_LIMITED: u8 = 3;
const FAILURE: u8 = 4;

impl Pick {
    #[inline]
    pub fn new(pool: &Bound<'_, Pool>, lease: Lease, callback_error: Option<Py<PyAny>>) -> Self {
        Self { pool: pool.clone().unbind(), lease, callback_error, ended: AtomicU8::new(0) }
    }

    pub fn node_ref(&self) -> NodeRef {
        self.lease.node
    }

    #[inline]
    fn finish(&self, report: Report<'_>) -> bool {
        let ended = match report.ending {
            Ending::Success => SUCCESS,
            Ending::Cancelled => CANCELLED,
            Ending::RateLimited { .. } => RATE_LIMITED,
            Ending::Failure(kind) => FAILURE + kind as u8,
        };
        let was_first = self.pool.get().finish(self.lease.ticket, report).is_ok();
        if was_first {
            // Only the first comes here, so nothing is overwritten.
            self.ended.store(ended, Ordering::Relaxed);
        }
        was_first
    }

    fn failure_kind(&self) -> Option<FailureKind> {
        let kind = self.ended.load(Ordering::Relaxed).checked_sub(FAILURE)?;
        FailureKind::ALL.into_iter().find(|known| *known as u8 == kind)
    }
}

#[pymethods]
impl Pick {
    /// The id of the node; empty once the pick is finished and the node is gone.
    #[getter]
    fn node<'py>(&self, py: Python<'py>) -> Bound<'py, pyo3::types::PyString> {
        pyo3::types::PyString::new(py, &self.pool.get().core().id_of(self.lease.node))
    }

    /// What to connect to; empty once the pick is finished and the node is gone.
    #[getter]
    fn address<'py>(&self, py: Python<'py>) -> Bound<'py, pyo3::types::PyString> {
        pyo3::types::PyString::new(py, &self.pool.get().core().address_of(self.lease.node))
    }

    /// The node's name; empty if it has none.
    #[getter]
    fn name<'py>(&self, py: Python<'py>) -> Bound<'py, pyo3::types::PyString> {
        pyo3::types::PyString::new(py, &self.pool.get().core().name_of(self.lease.node))
    }

    /// The host's own number of the node; 0 if it has none.
    #[getter]
    fn user_data(&self) -> u64 {
        self.pool.get().core().user_data_of(self.lease.node)
    }

    /// The number of this pick, below 2**53: what `Pool.release` takes.
    #[getter]
    fn ticket(&self) -> u64 {
        self.lease.ticket.as_u64()
    }

    /// The node's place in its pool.
    #[getter]
    fn index(&self) -> u32 {
        self.lease.node.index
    }

    /// What tells the node from those that had its place before.
    #[getter]
    fn generation(&self) -> u32 {
        self.lease.node.generation
    }

    /// Whether a predicate or an own strategy failed on the way; its candidates were left out.
    #[getter]
    fn callback_failed(&self) -> bool {
        self.lease.callback_failed || self.callback_error.is_some()
    }

    /// The exception that a predicate or an own strategy raised on the way, the last of them, or None.
    #[getter]
    fn callback_error(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.callback_error.as_ref().map(|error| error.clone_ref(py))
    }

    /// How the pick was finished by this object: success, failure, rate_limited or cancelled; None before.
    #[getter]
    fn outcome(&self) -> Option<&'static str> {
        match self.ended.load(Ordering::Relaxed) {
            0 => None,
            SUCCESS => Some("success"),
            CANCELLED => Some("cancelled"),
            RATE_LIMITED => Some("rate_limited"),
            _ => Some("failure"),
        }
    }

    /// The kind of the failure by which the pick was finished, or None.
    #[getter]
    fn kind(&self) -> Option<&'static str> {
        self.failure_kind().map(FailureKind::as_str)
    }

    /// Notes that the first token (or byte) of a streamed answer came: the time since the pick is recorded as its latency,
    /// at once, and the finish that follows records none, not one of its own either. Where no rule needs latencies, nothing is
    /// recorded. `now_ns`: the time, if not now.
    /// True the first time; False later, or where finishing would return False.
    #[pyo3(signature = (*, now_ns=None))]
    fn first_token(&self, now_ns: Option<u64>) -> bool {
        self.pool.get().answer(self.lease.ticket, now_ns).unwrap_or(false)
    }

    /// Ends the pick well. `latency` in seconds; without it, strategies that need it measure from pick to finish. `usage`:
    /// what was used of quotas, by dimension, in place of what the request was expected to cost.
    /// True the first time, False if the pick has been finished, has timed out or is another process's.
    #[pyo3(signature = (latency=None, *, usage=None, now_ns=None))]
    fn success(
        &self,
        py: Python<'_>,
        latency: Option<f64>,
        usage: Option<&Bound<'_, PyAny>>,
        now_ns: Option<u64>,
    ) -> PyResult<bool> {
        finished(py, Ending::Success, latency, usage, now_ns, |report| self.finish(report))
    }

    /// Ends the pick by an error of the node: connect, timeout, reset, server_error or other. Returns as `success`.
    #[pyo3(signature = (kind=None, latency=None, *, usage=None, now_ns=None))]
    fn failure(
        &self,
        py: Python<'_>,
        kind: Option<&Bound<'_, PyAny>>,
        latency: Option<f64>,
        usage: Option<&Bound<'_, PyAny>>,
        now_ns: Option<u64>,
    ) -> PyResult<bool> {
        finished(py, report::failure(py, kind)?, latency, usage, now_ns, |report| self.finish(report))
    }

    /// Ends the pick by the node's wish for less traffic, `retry_after` in seconds: it gets none until then, 300 s at
    /// most. Returns as `success`.
    #[pyo3(signature = (retry_after=None, latency=None, *, usage=None, now_ns=None))]
    fn rate_limited(
        &self,
        py: Python<'_>,
        retry_after: Option<f64>,
        latency: Option<f64>,
        usage: Option<&Bound<'_, PyAny>>,
        now_ns: Option<u64>,
    ) -> PyResult<bool> {
        finished(py, report::rate_limited(py, retry_after)?, latency, usage, now_ns, |report| self.finish(report))
    }

    /// Ends the pick without a word about the node: the client left, or it was not used. What it reserved of quotas goes
    /// back, unless `usage` says what was used after all. Returns as `success`.
    #[pyo3(signature = (*, usage=None, now_ns=None))]
    fn cancel(&self, py: Python<'_>, usage: Option<&Bound<'_, PyAny>>, now_ns: Option<u64>) -> PyResult<bool> {
        finished(py, Ending::Cancelled, None, usage, now_ns, |report| self.finish(report))
    }

    #[inline]
    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (kind, error, traceback, /))]
    fn __exit__(&self, kind: &Bound<'_, PyAny>, error: &Bound<'_, PyAny>, traceback: &Bound<'_, PyAny>) -> bool {
        let _ = (kind, traceback);
        let report = if error.is_none() {
            Report::success()
        } else if error.is_instance_of::<PyException>() {
            Report::failure(FailureKind::Other)
        } else {
            Report::cancelled()
        };
        self.finish(report);
        false
    }

    fn __repr__(&self) -> String {
        let node = self.pool.get().core().id_of(self.lease.node);
        format!("<loadwise.Pick {:?} ticket {}>", node.as_str(), self.lease.ticket.as_u64())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.pool)?;
        visit.call(&self.callback_error)
    }
}

impl Drop for Pick {
    fn drop(&mut self) {
        if *self.ended.get_mut() == 0 {
            // One whose ticket was released is stale by now.
            self.finish(Report::cancelled());
        }
    }
}
