//! Nodes that come and go.

use loadwise::config::{Value, parse_nodes};
use loadwise::{HealthStatus, Limits, NodeSpec};
use pyo3::prelude::*;
use pyo3::types::PyInt;

use super::Pool;
use crate::request::Labels;
use crate::{error, key, status, value};

#[pymethods]
impl Pool {
    /// Replaces all nodes. Those whose ids stay keep what is known of them.
    fn set_nodes(&self, py: Python<'_>, nodes: &Bound<'_, PyAny>) -> PyResult<()> {
        let nodes = parse(py, &value::read_nodes(nodes)?)?;
        self.open(py)?.set_nodes(nodes).map_err(|e| error::raised(py, e))
    }

    /// Adds a node: an address, or a dict.
    fn register(&self, py: Python<'_>, node: &Bound<'_, PyAny>) -> PyResult<()> {
        let nodes = parse(py, &Value::list([value::read(node, "nodes[0]")?]))?;
        self.open(py)?.register_batch(nodes).map(drop).map_err(|e| error::raised(py, e))
    }

    /// Adds nodes, all or none.
    fn register_batch(&self, py: Python<'_>, nodes: &Bound<'_, PyAny>) -> PyResult<()> {
        let nodes = parse(py, &value::read_nodes(nodes)?)?;
        self.open(py)?.register_batch(nodes).map(drop).map_err(|e| error::raised(py, e))
    }

    /// Describes a node anew, by an address or a dict: weight, tier, zone, limit, labels, address, quotas. What is known of it
    /// stays, also that it drains.
    fn update(&self, py: Python<'_>, node: &Bound<'_, PyAny>) -> PyResult<()> {
        let nodes = parse(py, &Value::list([value::read(node, "nodes[0]")?]))?;
        let core = self.open(py)?;
        nodes.into_iter().try_for_each(|node| core.update(node)).map_err(|e| error::raised(py, e))
    }

    /// Takes a node out. Picks that are under way on it end as usual.
    fn deregister(&self, py: Python<'_>, id: &Bound<'_, PyAny>) -> PyResult<()> {
        self.open(py)?.deregister(key::text("id", id)?).map_err(|e| error::raised(py, e))
    }

    /// Begins draining, or ends it: a draining node takes no new picks but those of its sessions, and these for no longer
    /// than `drain_timeout_ms`.
    #[pyo3(signature = (id, on=true, *, now_ns=None))]
    fn drain(&self, py: Python<'_>, id: &Bound<'_, PyAny>, on: bool, now_ns: Option<u64>) -> PyResult<()> {
        let now_ns = now_ns.unwrap_or_else(loadwise::now_ns);
        self.open(py)?.drain_at(key::text("id", id)?, on, now_ns).map_err(|e| error::raised(py, e))
    }

    /// Changes a node's weight; 0 takes no new picks.
    fn set_weight(&self, py: Python<'_>, id: &Bound<'_, PyAny>, weight: &Bound<'_, PyAny>) -> PyResult<()> {
        if !weight.is_instance_of::<PyInt>() {
            return Err(error::wrong_type("weight", "int", weight));
        }
        let weight = weight
            .extract::<u32>()
            .map_err(|_| error::config(py, "weight", format!("must be 0 to {}, not {weight}", u32::MAX)))?;
        self.open(py)?.set_weight(key::text("id", id)?, weight).map_err(|e| error::raised(py, e))
    }

    /// Sets a node's health by hand: healthy, degraded, unhealthy or recovering. `healthy` also ends its breaker, its ejection
    /// and a wish for less traffic; from there on it goes on as always. Whether its health changed.
    #[pyo3(signature = (id, status, *, now_ns=None))]
    fn set_health(
        &self,
        py: Python<'_>,
        id: &Bound<'_, PyAny>,
        status: &Bound<'_, PyAny>,
        now_ns: Option<u64>,
    ) -> PyResult<bool> {
        let (core, id, word) = (self.open(py)?, key::text("id", id)?, key::text("status", status)?);
        let status = HealthStatus::parse(word).ok_or_else(|| {
            let known = HealthStatus::ALL.map(HealthStatus::as_str).join(", ");
            error::config(py, "status", format!("must be one of {known}, not {word:?}"))
        })?;
        let now_ns = now_ns.unwrap_or_else(loadwise::now_ns);
        core.set_health_at(id, status, now_ns).map_err(|e| error::raised(py, e))
    }

    /// The nodes that have all of these labels, as of `nodes`.
    #[pyo3(signature = (labels, *, now_ns=None))]
    fn find<'py>(
        &self,
        py: Python<'py>,
        labels: &Bound<'_, PyAny>,
        now_ns: Option<u64>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let core = self.open(py)?;
        let labels = Labels::read("labels", labels)?;
        let nodes = core.find_at(&labels.pairs()?, now_ns.unwrap_or_else(loadwise::now_ns));
        nodes.into_iter().map(|node| status::node(py, node)).collect()
    }

    /// One node as of `nodes`; None if there is none of this id.
    #[pyo3(signature = (id, *, now_ns=None))]
    fn node_status<'py>(
        &self,
        py: Python<'py>,
        id: &Bound<'_, PyAny>,
        now_ns: Option<u64>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let node = self.open(py)?.node_status_at(key::text("id", id)?, now_ns.unwrap_or_else(loadwise::now_ns));
        node.map(|node| status::node(py, node)).transpose()
    }

    /// Gives a node the host's own number, in this process.
    fn set_node_user_data(&self, py: Python<'_>, id: &Bound<'_, PyAny>, user_data: u64) -> PyResult<()> {
        self.open(py)?.set_node_user_data(key::text("id", id)?, user_data).map_err(|e| error::raised(py, e))
    }

    /// All nodes in declared order, as a list of `NodeStatus`.
    #[pyo3(signature = (now_ns=None))]
    fn nodes<'py>(&self, py: Python<'py>, now_ns: Option<u64>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let nodes = self.open(py)?.nodes_at(now_ns.unwrap_or_else(loadwise::now_ns));
        nodes.into_iter().map(|node| status::node(py, node)).collect()
    }
}

/// Nodes are read as if there were no bounds: the pool checks them against its own.
const WIDEST: Limits = Limits {
    max_nodes: Limits::NODES_MAX,
    max_picks: Limits::PICKS_MAX,
    max_processes: 1,
    max_labels: Limits::LABELS_MAX,
    max_label_bytes: Limits::LABEL_BYTES_MAX,
    max_table_size: Limits::TABLE_SIZE_MAX,
    max_groups: Limits::GROUPS_MAX,
};

fn parse(py: Python<'_>, nodes: &Value) -> PyResult<Vec<NodeSpec>> {
    parse_nodes(nodes, &WIDEST).map_err(|e| error::raised(py, e))
}
