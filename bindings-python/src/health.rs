//! Health for hosts that choose without a pool.

use std::time::Duration;

use loadwise::{ConsecutiveFailurePolicy, Outcome};
use pyo3::prelude::*;

use crate::{key, report, status};

/// The health of any number of nodes, for hosts that choose without a pool.
///
/// A node is known from the first report of it until it is forgotten. `failure_threshold` failures in a row make it
/// unhealthy (half of them degraded), `recovery_successes` successes in a row healthy again.
#[pyclass(frozen, module = "loadwise")]
pub struct HealthTracker(loadwise::HealthTracker<String>);

#[pymethods]
impl HealthTracker {
    #[new]
    #[pyo3(signature = (failure_threshold=3, recovery_successes=2, probe_interval_ms=10_000))]
    fn new(failure_threshold: u32, recovery_successes: u32, probe_interval_ms: u64) -> Self {
        let policy = ConsecutiveFailurePolicy {
            failure_threshold,
            recovery_successes,
            probe_interval: Duration::from_millis(probe_interval_ms),
        };
        Self(loadwise::HealthTracker::new(policy))
    }

    fn report_success(&self, id: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.report_success(&read_id(id)?);
        Ok(())
    }

    fn report_failure(&self, id: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.report_failure(&read_id(id)?);
        Ok(())
    }

    /// Says nothing about health: a node that asks for less traffic is a node that answers.
    #[pyo3(signature = (id, retry_after=None))]
    fn report_rate_limited(&self, py: Python<'_>, id: &Bound<'_, PyAny>, retry_after: Option<f64>) -> PyResult<()> {
        let retry_after = retry_after.map(|s| report::seconds(py, "retry_after", s)).transpose()?;
        self.0.report_outcome(&read_id(id)?, &Outcome::RateLimited { retry_after });
        Ok(())
    }

    /// healthy, degraded, unhealthy or recovering; healthy if the node is not known.
    fn status(&self, id: &Bound<'_, PyAny>) -> PyResult<&'static str> {
        Ok(self.0.status(&read_id(id)?).as_str())
    }

    /// Whether an unhealthy node has rested long enough to be tried again.
    fn should_probe(&self, id: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.0.should_probe(&read_id(id)?))
    }

    /// What is remembered of a node.
    fn health<'py>(&self, py: Python<'py>, id: &Bound<'_, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        status::health(py, self.0.get_health(&read_id(id)?))
    }

    /// Forgets a node that is gone for good. Whether it was known.
    fn forget(&self, id: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.0.forget(&read_id(id)?))
    }
}

fn read_id(id: &Bound<'_, PyAny>) -> PyResult<String> {
    key::text("id", id).map(str::to_owned)
}
