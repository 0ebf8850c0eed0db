//! What a pool decides by: its strategy and its configuration.

use std::sync::Arc;

use loadwise::config::{PoolConfig, StrategyConfig, parse_chain};
use pyo3::prelude::*;

use super::own_strategy::OwnStrategy;
use super::{Pool, pool_config};
use crate::{error, key, value};

#[pymethods]
impl Pool {
    /// Changes the strategy: a name, a dict of a name and its settings, or a list of these.
    fn set_strategy(&self, py: Python<'_>, strategy: &Bound<'_, PyAny>) -> PyResult<()> {
        let core = self.open(py)?;
        core.set_strategy(read_chain(strategy)?).map_err(|e| error::raised(py, e))?;
        self.put_own(None);
        Ok(())
    }

    /// Puts a strategy of one's own in charge: called with the list of `Candidate`s that may be chosen and the key of the
    /// pick (as it was given, or None), it gives an index into the list, or None. Where it gives None or raises,
    /// `fallback` decides.
    #[pyo3(signature = (strategy, fallback=None))]
    fn set_own_strategy(
        &self,
        py: Python<'_>,
        strategy: &Bound<'_, PyAny>,
        fallback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let core = self.open(py)?;
        if !strategy.is_callable() {
            return Err(error::wrong_type("strategy", "callable", strategy));
        }
        let chain = fallback.map_or_else(|| Ok(PoolConfig::default().strategy), read_chain)?;
        let own = self.own.get_or_init(Arc::<OwnStrategy>::default).clone();
        core.set_own_strategy(own.clone(), chain).map_err(|e| error::raised(py, e))?;
        own.put(Some(strategy.clone().unbind()));
        Ok(())
    }

    /// The name of the strategy in charge: the first of the list.
    #[getter]
    fn strategy(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(self.open(py)?.strategy())
    }

    /// Replaces the configuration while picks go on: text, a dict, or a `pathlib.Path`. Nodes whose ids stay keep what is
    /// known of them; `seed` and `limits` cannot change; an own strategy stays in charge. What cannot be changes nothing.
    ///
    /// With `if_new`, only if it is another one than was last put in force, by whichever process: what was changed by hand
    /// since, as weights, stays. Whether it was put in force.
    #[pyo3(signature = (config, *, if_new=false, now_ns=None))]
    fn reload(&self, py: Python<'_>, config: &Bound<'_, PyAny>, if_new: bool, now_ns: Option<u64>) -> PyResult<bool> {
        let (core, config) = (self.open(py)?, pool_config(config)?);
        let now_ns = now_ns.unwrap_or_else(loadwise::now_ns);
        let replaced = match if_new {
            true => core.reload_if_new_at(&config, now_ns),
            false => core.reload_at(&config, now_ns).map(|()| true),
        };
        replaced.map_err(|e| error::raised(py, e))
    }

    /// The configuration in force with all its defaults, as a dict, which can be loaded again.
    #[getter]
    fn config<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        value::give(py, &self.open(py)?.config_value())
    }

    /// One setting in force, by its key in `config`: `retry.max_attempts`, `strategy[0].name`, `nodes[2].weight`. A part of
    /// the configuration is told as a dict or a list. Raises ConfigError if there is no such setting, or it is of something
    /// that is not configured.
    fn setting<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let setting = self.open(py)?.setting(key::text("key", key)?).map_err(|e| error::raised(py, e))?;
        value::give(py, &setting)
    }

    /// How often the configuration was replaced, the first included.
    #[getter]
    fn config_version(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.open(py)?.config_version())
    }
}

fn read_chain(strategy: &Bound<'_, PyAny>) -> PyResult<Vec<StrategyConfig>> {
    parse_chain(&value::read(strategy, "strategy")?).map_err(|e| error::raised(strategy.py(), e))
}
