//! Attempts after the first.

use loadwise::{Again, GiveUp, Retry, RetryAsk};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::Pool;
use crate::pick::Pick;
use crate::report::ending;
use crate::request::{Asked, Keywords, asking, attempt as attempted, with_request};
use crate::{error, status, value};

#[pymethods]
impl Pool {
    /// Whether to try again after an attempt has ended, as a `Retry`: after how many seconds, or why not. `outcome`, `kind`
    /// and `retry_after` as of `release`; `attempt`: 1 for the first. `idempotent`: whether the request may be carried out
    /// twice; `sent`: whether something of it went out to the node.
    ///
    /// A retry that is granted is counted against the pool's budget: ask once, and only if it will be made.
    #[pyo3(signature = (outcome, attempt, *, kind=None, retry_after=None, idempotent=false, sent=true, now_ns=None))]
    #[expect(clippy::too_many_arguments)]
    fn retry<'py>(
        &self,
        py: Python<'py>,
        outcome: &Bound<'_, PyAny>,
        attempt: &Bound<'_, PyAny>,
        kind: Option<&Bound<'_, PyAny>>,
        retry_after: Option<f64>,
        idempotent: bool,
        sent: bool,
        now_ns: Option<u64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let core = self.open(py)?;
        let ask = RetryAsk { idempotent, sent, now_ns, ..ended(outcome, attempt, kind, retry_after)? };
        status::retry(py, core.retry(&ask))
    }

    /// `retry` and the pick of the next attempt in one, as an `Again`, for those who go on at once: where no node takes it,
    /// nothing is counted against the budget. The node is in flight from then on, also while `after` passes. Arguments as of
    /// `retry` and of `pick`; `exclude` should have the nodes that were tried.
    ///
    /// Raises NoNode.
    #[pyo3(signature = (outcome, attempt, key=None, *, kind=None, retry_after=None, idempotent=false, sent=true,
                        now_ns=None, **request),
           text_signature = "($self, outcome, attempt, key=None, *, kind=None, retry_after=None, idempotent=False, \
        sent=True, now_ns=None, exclude=None, require=None, health=None, predicate=None, zone=None, session=None, \
        cost=None)")]
    #[expect(clippy::too_many_arguments)]
    fn pick_again<'py>(
        slf: &Bound<'py, Self>,
        outcome: &Bound<'py, PyAny>,
        attempt: &Bound<'py, PyAny>,
        key: Option<&Bound<'py, PyAny>>,
        kind: Option<&Bound<'py, PyAny>>,
        retry_after: Option<f64>,
        idempotent: bool,
        sent: bool,
        now_ns: Option<u64>,
        request: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let ask = RetryAsk { idempotent, sent, now_ns, ..ended(outcome, attempt, kind, retry_after)? };
        let request = Keywords::read("pick_again", request)?;
        let asked = Asked { now_ns, ..request.asked(key)? };
        with_request(slf, &asked, |request, raised| {
            let mut told = Retry::GiveUp(GiveUp::NoNode);
            let picked = attempted(slf, &asked, raised, || {
                let (retry, lease) = match slf.get().core().pick_again(request, &ask)? {
                    Again::Pick(pick, wait) => (Retry::After(wait), Some(pick.into_lease())),
                    Again::GiveUp(why) => (Retry::GiveUp(why), None),
                };
                told = retry;
                Ok(lease)
            })?;
            let (lease, raised) = picked.map_err(|(none, raised)| error::no_node(py, none, raised))?;
            let pick = lease.map(|lease| Pick::new(slf, lease, raised.map(|e| e.into_value(py).into_any())));
            status::again(py, pick, told)
        })
    }

    /// The nodes to try for a request one after the other, as data, counting nothing: for hosts that make their attempts
    /// themselves. Arguments as of `pick`. Raises NoNode.
    #[pyo3(signature = (key=None, **request), text_signature = "($self, key=None, *, exclude=None, require=None, \
        health=None, predicate=None, now_ns=None, zone=None, session=None, cost=None)")]
    fn plan<'py>(
        slf: &Bound<'py, Self>,
        key: Option<&Bound<'py, PyAny>>,
        request: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let request = Keywords::read("plan", request)?;
        let asked = request.asked(key)?;
        with_request(slf, &asked, |request, raised| {
            let plan = asking(slf, &asked, raised, || slf.get().core().plan(request))?;
            let plan = plan.map_err(|none| error::no_node(slf.py(), none, None))?;
            value::give(slf.py(), &plan.to_value())
        })
    }
}

/// How an attempt ended, and which it was.
fn ended(
    outcome: &Bound<'_, PyAny>,
    attempt: &Bound<'_, PyAny>,
    kind: Option<&Bound<'_, PyAny>>,
    retry_after: Option<f64>,
) -> PyResult<RetryAsk> {
    let py = outcome.py();
    let ending = ending(py, Some(outcome), kind, retry_after)?;
    let number = attempt.extract::<i128>().map_err(|_| error::wrong_type("attempt", "int", attempt))?;
    let number = u32::try_from(number)
        .ok()
        .filter(|&number| number > 0)
        .ok_or_else(|| error::config(py, "attempt", format!("must be 1 to {}, not {number}", u32::MAX)))?;
    Ok(RetryAsk::new(ending, number))
}
