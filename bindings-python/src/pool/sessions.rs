//! Sessions that stay on their nodes, and traffic that is sent elsewhere by hand.

use pyo3::prelude::*;

use super::Pool;
use crate::{error, key};

#[pymethods]
impl Pool {
    /// The id of the node that a session (str or bytes) is remembered with, whether or not it may take it now; or None.
    #[pyo3(signature = (session, *, now_ns=None))]
    fn affinity(&self, py: Python<'_>, session: &Bound<'_, PyAny>, now_ns: Option<u64>) -> PyResult<Option<String>> {
        let (core, session) = (self.open(py)?, key::named_bytes("session", session)?);
        let node = core.affinity_at(session, now_ns.unwrap_or_else(loadwise::now_ns));
        Ok(node.map(|node| core.id_of(node).as_str().to_owned()))
    }

    /// Remembers a session with a node.
    #[pyo3(signature = (session, id, *, now_ns=None))]
    fn set_affinity(
        &self,
        py: Python<'_>,
        session: &Bound<'_, PyAny>,
        id: &Bound<'_, PyAny>,
        now_ns: Option<u64>,
    ) -> PyResult<()> {
        let (core, session) = (self.open(py)?, key::named_bytes("session", session)?);
        let now_ns = now_ns.unwrap_or_else(loadwise::now_ns);
        core.set_affinity_at(session, key::text("id", id)?, now_ns).map_err(|e| error::raised(py, e))
    }

    /// Forgets a session. Whether it was remembered.
    fn clear_affinity(&self, py: Python<'_>, session: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.open(py)?.clear_affinity(key::named_bytes("session", session)?))
    }

    /// Moves the sessions that nodes which joined are due, all at once; how many. Without it, `affinity.rebalance` says
    /// when they move.
    #[pyo3(signature = (*, now_ns=None))]
    fn rebalance(&self, py: Python<'_>, now_ns: Option<u64>) -> PyResult<u64> {
        Ok(self.open(py)?.rebalance_at(now_ns.unwrap_or_else(loadwise::now_ns)))
    }

    /// Sends new picks to the tier of a node, as if those above it were down, until `reset_failover`.
    fn failover(&self, py: Python<'_>, id: &Bound<'_, PyAny>) -> PyResult<()> {
        self.open(py)?.failover(key::text("id", id)?).map_err(|e| error::raised(py, e))
    }

    /// Ends what `failover` began. Whether it had.
    fn reset_failover(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.open(py)?.reset_failover())
    }
}
