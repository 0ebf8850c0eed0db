//! What a pick is asked for, from the arguments of a call.

use std::cell::RefCell;

use loadwise::{HealthStatus, Lease, NoNode, NodeRef, Report, Request};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyMapping, PyString};

use crate::candidate::Candidate;
use crate::own_strategy::framed;
use crate::pick::Pick;
use crate::pool::Pool;
use crate::{error, key};

/// The arguments as they came.
pub struct Asked<'a, 'py> {
    pub key: Option<&'a Bound<'py, PyAny>>,
    pub exclude: Option<&'a Bound<'py, PyAny>>,
    pub require: Option<&'a Bound<'py, PyAny>>,
    pub health: Option<&'a Bound<'py, PyAny>>,
    pub predicate: Option<&'a Bound<'py, PyAny>>,
    pub now_ns: Option<u64>,
}

/// A lease, and the exception of a callback that failed on the way.
pub type Acquired = (Lease, Option<PyErr>);

/// Picks, or raises NoNode.
#[inline(always)]
pub fn acquire(pool: &Bound<'_, Pool>, asked: &Asked<'_, '_>) -> PyResult<Lease> {
    let this = pool.get();
    this.check_open(pool.py())?;
    let mut request = Request::new();
    if let Some(key) = asked.key {
        request = request.key(key::bytes(key)?);
    }
    this.core().acquire(&request).map_err(|none| error::no_node(pool.py(), none, None))
}

/// The same where Python may be asked on the way, or more than a key is asked for.
#[cold]
pub fn acquire_under_conditions(pool: &Bound<'_, Pool>, asked: &Asked<'_, '_>) -> PyResult<Acquired> {
    let py = pool.py();
    pool.get().check_open(py)?;
    let exclude = Exclude::read(asked.exclude)?;
    let ids = exclude.ids.iter().map(|id| key::text("exclude", id)).collect::<PyResult<Vec<_>>>()?;
    let labels = read_labels(asked.require)?;
    let labels = labels
        .iter()
        .map(|(name, text)| Ok((key::text("require", name)?, key::text("a value of require", text)?)))
        .collect::<PyResult<Vec<_>>>()?;
    let mut request = Request::new().exclude(&ids).exclude_nodes(&exclude.nodes).require(&labels);
    request.now_ns = asked.now_ns;
    if let Some(key) = asked.key {
        request = request.key(key::bytes(key)?);
    }
    if let Some(health) = asked.health {
        request = request.health_mask(read_mask(health)?);
    }

    let raised = RefCell::new(None);
    let predicate = |candidate: &loadwise::Candidate<'_>| {
        let Some(predicate) = asked.predicate else { return true };
        if raised.borrow().as_ref().is_some_and(|e| must_end(py, e)) {
            return false;
        }
        let view = Candidate::new(pool, candidate.node());
        predicate.call1((view,)).and_then(|answer| answer.is_truthy()).unwrap_or_else(|e| {
            raised.replace(Some(e));
            false
        })
    };
    if asked.predicate.is_some() {
        request = request.predicate(&predicate);
    }

    let core = pool.get().core();
    let (result, by_strategy) = if pool.get().asks_python() {
        framed(pool, asked.key, || core.acquire(&request))
    } else {
        (core.acquire(&request), None)
    };
    conclude(py, core, result, by_strategy.or(raised.take()))
}

/// Whether what a callback raised ends the pick: an interrupt, a cancellation. Not for us to contain.
pub fn must_end(py: Python<'_>, raised: &PyErr) -> bool {
    !raised.is_instance_of::<PyException>(py)
}

fn conclude(
    py: Python<'_>,
    core: &loadwise::Pool,
    result: Result<Lease, NoNode>,
    raised: Option<PyErr>,
) -> PyResult<Acquired> {
    match (result, raised) {
        (result, Some(raised)) if must_end(py, &raised) => {
            if let Ok(lease) = result {
                // Nobody else knows the ticket; an expired one needs no release.
                let _ = core.release(lease.ticket, Report::cancelled());
            }
            Err(raised)
        }
        (Ok(lease), raised) => Ok((lease, raised)),
        (Err(none), raised) => Err(error::no_node(py, none, raised)),
    }
}

impl Asked<'_, '_> {
    /// Whether nothing but a key is asked for, and nothing of Python will be called.
    #[inline]
    pub fn is_simple(&self, pool: &Pool) -> bool {
        self.exclude.is_none()
            && self.require.is_none()
            && self.health.is_none()
            && self.predicate.is_none()
            && self.now_ns.is_none()
            && !pool.asks_python()
    }
}

/// Nodes not to choose: ids, and earlier picks.
#[derive(Default)]
struct Exclude<'py> {
    ids: Vec<Bound<'py, PyAny>>,
    nodes: Vec<NodeRef>,
}

impl<'py> Exclude<'py> {
    fn read(given: Option<&Bound<'py, PyAny>>) -> PyResult<Self> {
        const WANTED: &str = "a list of ids or picks";
        let mut exclude = Self::default();
        let Some(given) = given else { return Ok(exclude) };
        if given.is_instance_of::<PyString>() || given.is_instance_of::<PyBytes>() {
            return Err(error::wrong_type("exclude", WANTED, given));
        }
        for item in given.try_iter().map_err(|_| error::wrong_type("exclude", WANTED, given))? {
            let item = item?;
            match item.cast::<Pick>() {
                Ok(pick) => exclude.nodes.push(pick.get().node_ref()),
                Err(_) if item.is_instance_of::<PyString>() => exclude.ids.push(item),
                Err(_) => return Err(error::wrong_type("what is excluded", "an id (str) or a pick", &item)),
            }
        }
        Ok(exclude)
    }
}

type Label<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

fn read_labels<'py>(require: Option<&Bound<'py, PyAny>>) -> PyResult<Vec<Label<'py>>> {
    let Some(require) = require else { return Ok(Vec::new()) };
    let map = require.cast::<PyMapping>().map_err(|_| error::wrong_type("require", "a dict of labels", require))?;
    map.items()?.iter().map(|item| item.extract()).collect()
}

/// A sum of flags, or the names of states.
fn read_mask(health: &Bound<'_, PyAny>) -> PyResult<u8> {
    let py = health.py();
    const WANTED: &str = "a list of health states, or the sum of healthy 1, degraded 2, unhealthy 4, recovering 8";
    if health.is_instance_of::<PyString>() || health.is_instance_of::<PyBytes>() || health.is_instance_of::<PyBool>() {
        return Err(error::wrong_type("health", WANTED, health));
    }
    let mask = match health.try_iter() {
        Err(_) => health.extract::<i64>().map_err(|_| error::wrong_type("health", WANTED, health))?,
        Ok(states) => {
            let mut mask = 0;
            for state in states {
                let state = state?;
                let word = key::text("a health state", &state)?;
                let status = HealthStatus::parse(word).ok_or_else(|| {
                    let known = HealthStatus::ALL.map(HealthStatus::as_str).join(", ");
                    error::config(py, "health", format!("must be of {known}, not {word:?}"))
                })?;
                mask |= i64::from(status.bit_flag());
            }
            mask
        }
    };
    match mask {
        1..=15 => Ok(mask as u8),
        _ => Err(error::config(py, "health", format!("must be {WANTED}, 1 to 15 in all, not {mask}"))),
    }
}
