//! Pick, use, finish.

use loadwise::{Report, Ticket, TicketError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyTuple};

use super::Pool;
use crate::pick::Pick;
use crate::report::{Said, reported};
use crate::request::{Acquired, Asked, acquire, acquire_under_conditions};
use crate::{error, wait};

#[pymethods]
impl Pool {
    /// Chooses a node and counts it in flight until the pick is finished; see `Pick`.
    ///
    /// `key`: what hash strategies hash, bytes or str (as UTF-8). `exclude`: ids or picks that must not be chosen.
    /// `require`: labels that a node must have. `health`: allowed states, by name or as the sum of healthy 1, degraded 2,
    /// unhealthy 4, recovering 8; all but unhealthy unless given. `predicate`: called with a `Candidate`, has the last
    /// word. `now_ns`: the time on the clock of `time.monotonic_ns()`.
    ///
    /// `zone`: the caller's zone. `session`: whose session it is, str or bytes: a pool with `affinity` keeps it on its node.
    /// `cost`: what the request is expected to use of quotas, by dimension. `timeout`: for how many seconds to wait for room
    /// while all nodes are at their limits; without it, none.
    ///
    /// Raises NoNode.
    #[pyo3(signature = (key=None, exclude=None, require=None, health=None, predicate=None, now_ns=None, *, zone=None,
                        session=None, cost=None, timeout=None))]
    #[expect(clippy::too_many_arguments)]
    fn pick(
        slf: &Bound<'_, Self>,
        key: Option<&Bound<'_, PyAny>>,
        exclude: Option<&Bound<'_, PyAny>>,
        require: Option<&Bound<'_, PyAny>>,
        health: Option<&Bound<'_, PyAny>>,
        predicate: Option<&Bound<'_, PyAny>>,
        now_ns: Option<u64>,
        zone: Option<&Bound<'_, PyAny>>,
        session: Option<&Bound<'_, PyAny>>,
        cost: Option<&Bound<'_, PyAny>>,
        timeout: Option<f64>,
    ) -> PyResult<Pick> {
        let asked = Asked { key, exclude, require, health, predicate, now_ns, zone, session, cost };
        if timeout.is_none() && asked.is_simple(slf.get()) {
            return Ok(Pick::new(slf, acquire(slf, &asked)?, None));
        }
        let (lease, raised) = acquire_or_wait(slf, &asked, timeout)?;
        Ok(Pick::new(slf, lease, raised.map(|e| e.into_value(slf.py()).into_any())))
    }

    /// `pick` as a plain number, which must be given back by `release`. `node_of` and `address_of` tell the node.
    ///
    /// A callback that failed on the way is told to `sys.unraisablehook`. Raises NoNode.
    #[pyo3(signature = (key=None, exclude=None, require=None, health=None, predicate=None, now_ns=None, *, zone=None,
                        session=None, cost=None, timeout=None))]
    #[expect(clippy::too_many_arguments)]
    fn acquire(
        slf: &Bound<'_, Self>,
        key: Option<&Bound<'_, PyAny>>,
        exclude: Option<&Bound<'_, PyAny>>,
        require: Option<&Bound<'_, PyAny>>,
        health: Option<&Bound<'_, PyAny>>,
        predicate: Option<&Bound<'_, PyAny>>,
        now_ns: Option<u64>,
        zone: Option<&Bound<'_, PyAny>>,
        session: Option<&Bound<'_, PyAny>>,
        cost: Option<&Bound<'_, PyAny>>,
        timeout: Option<f64>,
    ) -> PyResult<u64> {
        let asked = Asked { key, exclude, require, health, predicate, now_ns, zone, session, cost };
        if timeout.is_none() && asked.is_simple(slf.get()) {
            return Ok(acquire(slf, &asked)?.ticket.as_u64());
        }
        let (lease, raised) = acquire_or_wait(slf, &asked, timeout)?;
        if let Some(raised) = raised {
            raised.write_unraisable(slf.py(), predicate);
        }
        Ok(lease.ticket.as_u64())
    }

    /// Ends what `acquire` began. `outcome`: success, failure, rate_limited or cancelled; `latency` and `retry_after` in
    /// seconds; `kind` of a failure: connect, timeout, reset, server_error or other; `usage`: what was used of quotas, by
    /// dimension.
    ///
    /// True the first time; False if the ticket was released before, has timed out, is another process's, or the pool is
    /// closed. Raises TicketError for a number that is no ticket.
    #[pyo3(signature = (ticket, outcome=None, latency=None, kind=None, retry_after=None, now_ns=None, *, usage=None))]
    #[expect(clippy::too_many_arguments)]
    fn release(
        &self,
        py: Python<'_>,
        ticket: &Bound<'_, PyAny>,
        outcome: Option<&Bound<'_, PyAny>>,
        latency: Option<f64>,
        kind: Option<&Bound<'_, PyAny>>,
        retry_after: Option<f64>,
        now_ns: Option<u64>,
        usage: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let ticket = read_ticket(ticket)?;
        let said = Said { latency, kind, retry_after, usage, now_ns };
        let released = match outcome {
            // Made in place: a report that is handed over through memory costs as much as the release.
            None if said.is_nothing() => self.finish(ticket, Report::success()),
            _ => reported(py, outcome, said, |report| self.finish(ticket, report))?,
        };
        match released {
            Ok(()) => Ok(true),
            Err(TicketError::Stale) => Ok(false),
            Err(invalid) => Err(error::raised(py, invalid)),
        }
    }

    /// Notes the first token of what `acquire` began, as `Pick.first_token`. True the first time; False later, or where
    /// `release` would return False. Raises TicketError for a number that is no ticket.
    #[pyo3(signature = (ticket, *, now_ns=None))]
    fn first_token(&self, py: Python<'_>, ticket: &Bound<'_, PyAny>, now_ns: Option<u64>) -> PyResult<bool> {
        match self.answer(read_ticket(ticket)?, now_ns) {
            Ok(was_first) => Ok(was_first),
            Err(TicketError::Stale) => Ok(false),
            Err(invalid) => Err(error::raised(py, invalid)),
        }
    }

    /// The id of the node of an open ticket. Raises TicketError if it is not open.
    fn node_of(&self, py: Python<'_>, ticket: &Bound<'_, PyAny>) -> PyResult<String> {
        let core = self.open(py)?;
        let node = core.node_of(read_ticket(ticket)?).map_err(|e| error::raised(py, e))?;
        Ok(core.id_of(node).as_str().to_owned())
    }

    /// The address of the node of an open ticket. Raises TicketError if it is not open.
    fn address_of(&self, py: Python<'_>, ticket: &Bound<'_, PyAny>) -> PyResult<String> {
        let core = self.open(py)?;
        let node = core.node_of(read_ticket(ticket)?).map_err(|e| error::raised(py, e))?;
        Ok(core.address_of(node).as_str().to_owned())
    }

    /// `pick` for asyncio: `async with pool.apick() as p:`, or `p = await pool.apick()`. While all nodes are at their
    /// limits, it waits for up to `timeout` seconds, the pool's `acquire_timeout_ms` unless given. Raises NoNode.
    #[pyo3(signature = (*arguments, **keywords), text_signature = "($self, key=None, exclude=None, require=None, \
        health=None, predicate=None, now_ns=None, *, zone=None, session=None, cost=None, timeout=None)")]
    fn apick<'py>(
        slf: &Bound<'py, Self>,
        arguments: &Bound<'py, PyTuple>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_python(slf, "loadwise._waiting", "apick", arguments, keywords)
    }

    /// Calls `f` with a pick and gives its result; calls it again with another node as long as it raises, may be repeated,
    /// and the pool's retry budget allows. At last the exception of the last attempt goes on.
    ///
    /// What `f` raises ends its pick as a failure of the kind that the exception tells, unless `f` has finished it before;
    /// `Failed` says more. `idempotent`: whether the request may be carried out twice; if not, only what reached nobody is
    /// repeated. Other arguments as of `pick`.
    #[pyo3(signature = (*arguments, **keywords), text_signature = "($self, f, /, key=None, exclude=None, *, \
        idempotent=False, require=None, health=None, predicate=None, zone=None, session=None, cost=None, timeout=None)")]
    fn call<'py>(
        slf: &Bound<'py, Self>,
        arguments: &Bound<'py, PyTuple>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_python(slf, "loadwise._calling", "call", arguments, keywords)
    }

    /// `call` for asyncio: `await pool.acall(f)`, where `f` is a coroutine function. Picks wait as those of `apick`.
    #[pyo3(signature = (*arguments, **keywords), text_signature = "($self, f, /, key=None, exclude=None, *, \
        idempotent=False, require=None, health=None, predicate=None, zone=None, session=None, cost=None, timeout=None)")]
    fn acall<'py>(
        slf: &Bound<'py, Self>,
        arguments: &Bound<'py, PyTuple>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_python(slf, "loadwise._calling", "acall", arguments, keywords)
    }

    /// Joins the queue of those who wait for room: `wake` is called once, from whichever thread ends a pick, when there may
    /// be some. Pick again *after* joining, and then wait for the call; leave by `stop_waiting` if that succeeds. For event
    /// loops that `apick` does not know.
    ///
    /// Raises NoNode if `acquire_queue` are waiting already.
    fn wait(&self, py: Python<'_>, wake: &Bound<'_, PyAny>) -> PyResult<u64> {
        let core = self.open(py)?;
        if !wake.is_callable() {
            return Err(error::wrong_type("wake", "callable", wake));
        }
        let wake = wake.clone().unbind();
        let woken = move || {
            // Without an interpreter there is nobody to wake.
            Python::try_attach(|py| {
                if let Err(raised) = wake.call0(py) {
                    raised.write_unraisable(py, Some(wake.bind(py)));
                }
            });
        };
        core.wait(woken).map(|id| id.as_u64()).map_err(|none| error::no_node(py, none, None))
    }

    /// Leaves the queue. Whether the waiter was still in it, and so was not woken.
    fn stop_waiting(&self, id: u64) -> bool {
        self.core.stop_waiting(loadwise::WaitId::from_u64(id))
    }

    /// For how many seconds a pick of `apick` waits that names no time of its own: `acquire_timeout_ms`.
    #[getter]
    fn acquire_timeout(&self, py: Python<'_>) -> PyResult<f64> {
        Ok(self.open(py)?.acquire_timeout().as_secs_f64())
    }

    /// How many wait for room, in this process.
    #[getter]
    fn waiting(&self) -> usize {
        self.core.waiting()
    }
}

/// Where a pick asks for more than a node. Never in line: a pick that asks for nothing would pay for the room it takes.
#[cold]
#[inline(never)]
fn acquire_or_wait(pool: &Bound<'_, Pool>, asked: &Asked<'_, '_>, timeout: Option<f64>) -> PyResult<Acquired> {
    match timeout {
        None => acquire_under_conditions(pool, asked),
        Some(timeout) => wait::acquire_within(pool, asked, timeout),
    }
}

/// Calls a function of a module of the package with the pool and these arguments.
fn in_python<'py>(
    pool: &Bound<'py, Pool>,
    module: &str,
    function: &str,
    arguments: &Bound<'py, PyTuple>,
    keywords: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let arguments = (pool,).into_pyobject(pool.py())?.as_sequence().concat(arguments.as_sequence())?.to_tuple()?;
    pool.py().import(module)?.getattr(function)?.call(arguments, keywords)
}

#[inline]
fn read_ticket(ticket: &Bound<'_, PyAny>) -> PyResult<Ticket> {
    // Python reads a signed number faster; a negative one becomes one that is no ticket.
    match ticket.extract::<i64>() {
        Ok(number) => Ok(Ticket::from_u64(number as u64)),
        Err(_) if ticket.is_instance_of::<PyInt>() => Err(error::raised(ticket.py(), TicketError::Invalid)),
        Err(_) => Err(error::wrong_type("ticket", "int", ticket)),
    }
}
