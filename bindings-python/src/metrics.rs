//! Pools as texts for Prometheus.

use loadwise::stats::PoolStats;
use pyo3::prelude::*;

use crate::error;
use crate::pool::Pool;

/// The text of these stats in a format.
pub fn text(py: Python<'_>, format: &str, stats: impl FnOnce() -> Vec<PoolStats>) -> PyResult<String> {
    match format {
        "prometheus" => Ok(loadwise::prometheus(&stats())),
        "openmetrics" => Ok(loadwise::openmetrics(&stats())),
        _ => Err(error::config(py, "format", format!("must be prometheus or openmetrics, not {format:?}"))),
    }
}

/// Several pools as one text for Prometheus, which their names tell apart. `format` is prometheus (0.0.4) or openmetrics.
#[pyfunction]
#[pyo3(signature = (pools, format="prometheus"))]
pub fn metrics(py: Python<'_>, pools: &Bound<'_, PyAny>, format: &str) -> PyResult<String> {
    let mut given: Vec<Bound<'_, Pool>> = Vec::new();
    for pool in pools.try_iter().map_err(|_| error::wrong_type("pools", "a list of pools", pools))? {
        let pool = pool?;
        let pool = pool.cast::<Pool>().map_err(|_| error::wrong_type("a pool", "Pool", &pool))?;
        pool.get().check_open(py)?;
        let name = pool.get().core().name();
        if given.iter().any(|earlier| earlier.get().core().name() == name) {
            return Err(error::config(py, "pools", format!("two are called {name:?}: give them a name of their own")));
        }
        given.push(pool.clone());
    }
    text(py, format, || given.iter().map(|pool| pool.get().core().stats()).collect())
}
