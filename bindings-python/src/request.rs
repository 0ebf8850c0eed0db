//! What a pick is asked for, from the arguments of a call.

use std::cell::RefCell;

use loadwise::{HealthStatus, Lease, NoNode, NodeRef, Report, Request};
use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyMapping, PyString};

use crate::amounts::Amounts;
use crate::candidate::Candidate;
use crate::pick::Pick;
use crate::pool::Pool;
use crate::pool::own_strategy::framed;
use crate::{error, key};

/// The arguments as they came.
#[derive(Default)]
pub struct Asked<'a, 'py> {
    pub key: Option<&'a Bound<'py, PyAny>>,
    pub exclude: Option<&'a Bound<'py, PyAny>>,
    pub require: Option<&'a Bound<'py, PyAny>>,
    pub health: Option<&'a Bound<'py, PyAny>>,
    pub predicate: Option<&'a Bound<'py, PyAny>>,
    pub now_ns: Option<u64>,
    pub zone: Option<&'a Bound<'py, PyAny>>,
    pub session: Option<&'a Bound<'py, PyAny>>,
    pub cost: Option<&'a Bound<'py, PyAny>>,
}

/// The same from keywords, for calls in which nothing is gained by naming them all.
pub struct Keywords<'py>(Vec<(String, Bound<'py, PyAny>)>);

impl<'py> Keywords<'py> {
    pub fn read(call: &str, given: Option<&Bound<'py, PyDict>>) -> PyResult<Self> {
        const KNOWN: [&str; 8] = ["exclude", "require", "health", "predicate", "now_ns", "zone", "session", "cost"];
        let mut kept = Vec::new();
        for (name, value) in given.into_iter().flat_map(|given| given.iter()) {
            let name: String = name.extract()?;
            if !KNOWN.contains(&name.as_str()) {
                return Err(PyTypeError::new_err(format!("Pool.{call}() got an unexpected keyword argument '{name}'")));
            }
            if !value.is_none() {
                kept.push((name, value));
            }
        }
        Ok(Self(kept))
    }

    pub fn asked<'a>(&'a self, key: Option<&'a Bound<'py, PyAny>>) -> PyResult<Asked<'a, 'py>> {
        let get = |wanted: &str| self.0.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        Ok(Asked {
            key,
            exclude: get("exclude"),
            require: get("require"),
            health: get("health"),
            predicate: get("predicate"),
            now_ns: get("now_ns").map(|now_ns| now_ns.extract()).transpose()?,
            zone: get("zone"),
            session: get("session"),
            cost: get("cost"),
        })
    }
}

/// A lease, and the exception of a callback that failed on the way.
pub type Acquired<L = Lease> = (L, Option<PyErr>);

/// Why there is none, and the same.
pub type Refused = (NoNode, Option<PyErr>);

/// What a predicate raised.
pub type Raised = RefCell<Option<PyErr>>;

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
    with_request(pool, asked, |request, raised| {
        let attempt = attempt(pool, asked, raised, || pool.get().core().acquire(request))?;
        attempt.map_err(|(none, raised)| error::no_node(pool.py(), none, raised))
    })
}

/// One attempt to pick, of which a lease may come, and what its callbacks raised. Only an interrupt is an error.
#[inline(always)]
pub fn attempt<L: Into<Option<Lease>>>(
    pool: &Bound<'_, Pool>,
    asked: &Asked<'_, '_>,
    raised: &Raised,
    acquire: impl FnOnce() -> Result<L, NoNode>,
) -> PyResult<Result<Acquired<L>, Refused>> {
    let (result, by_strategy) =
        if pool.get().asks_python() { framed(pool, asked.key, acquire) } else { (acquire(), None) };
    match (result, by_strategy.or(raised.take())) {
        (result, Some(raised)) if must_end(pool.py(), &raised) => {
            if let Ok(Some(lease)) = result.map(Into::into) {
                // Nobody else knows the ticket; an expired one needs no release.
                let _ = pool.get().core().release(lease.ticket, Report::cancelled());
            }
            Err(raised)
        }
        (Ok(lease), raised) => Ok(Ok((lease, raised))),
        (Err(none), raised) => Ok(Err((none, raised))),
    }
}

/// Asks for something that takes no node, on the way of which Python may be asked. What a callback raised goes to
/// `sys.unraisablehook`; only an interrupt is an error.
pub fn asking<R>(
    pool: &Bound<'_, Pool>,
    asked: &Asked<'_, '_>,
    raised: &Raised,
    ask: impl FnOnce() -> R,
) -> PyResult<R> {
    let (answer, by_strategy) = if pool.get().asks_python() { framed(pool, asked.key, ask) } else { (ask(), None) };
    match by_strategy.or(raised.take()) {
        Some(raised) if must_end(pool.py(), &raised) => Err(raised),
        raised => {
            if let Some(raised) = raised {
                raised.write_unraisable(pool.py(), asked.predicate);
            }
            Ok(answer)
        }
    }
}

/// Makes the request of the arguments.
#[inline(always)]
pub fn with_request<R>(
    pool: &Bound<'_, Pool>,
    asked: &Asked<'_, '_>,
    body: impl FnOnce(&Request<'_>, &Raised) -> PyResult<R>,
) -> PyResult<R> {
    let py = pool.py();
    pool.get().check_open(py)?;
    let exclude = Exclude::read(asked.exclude)?;
    let ids = exclude.ids.iter().map(|id| key::text("exclude", id)).collect::<PyResult<Vec<_>>>()?;
    let labels = asked.require.map(|require| Labels::read("require", require)).transpose()?;
    let labels = labels.as_ref().map_or(Ok(Vec::new()), Labels::pairs)?;
    let cost = asked.cost.map(|cost| Amounts::read("cost", cost)).transpose()?;
    let cost = cost.as_ref().map_or(Ok(Vec::new()), Amounts::pairs)?;
    let mut request = Request::new().exclude(&ids).exclude_nodes(&exclude.nodes).require(&labels).cost(&cost);
    request.now_ns = asked.now_ns;
    if let Some(key) = asked.key {
        request = request.key(key::bytes(key)?);
    }
    if let Some(health) = asked.health {
        request = request.health_mask(read_mask(health)?);
    }
    if let Some(zone) = asked.zone {
        request = request.zone(key::text("zone", zone)?);
    }
    if let Some(session) = asked.session {
        request = request.session(key::named_bytes("session", session)?);
    }

    let raised = Raised::default();
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
    body(&request, &raised)
}

/// Whether what a callback raised ends the pick: an interrupt, a cancellation. Not for us to contain.
pub fn must_end(py: Python<'_>, raised: &PyErr) -> bool {
    !raised.is_instance_of::<PyException>(py)
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
            && self.zone.is_none()
            && self.session.is_none()
            && self.cost.is_none()
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

/// Labels by name, from a dict.
pub struct Labels<'py> {
    what: &'static str,
    entries: Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>,
}

impl<'py> Labels<'py> {
    /// `what` they are, for the message.
    pub fn read(what: &'static str, given: &Bound<'py, PyAny>) -> PyResult<Self> {
        let map = given.cast::<PyMapping>().map_err(|_| error::wrong_type(what, "a dict of labels", given))?;
        let entries = map.items()?.iter().map(|item| item.extract()).collect::<PyResult<_>>()?;
        Ok(Self { what, entries })
    }

    pub fn pairs(&self) -> PyResult<Vec<(&str, &str)>> {
        let value = format!("a value of {}", self.what);
        self.entries.iter().map(|(name, text)| Ok((key::text(self.what, name)?, key::text(&value, text)?))).collect()
    }
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
