//! Amounts by the dimension of a quota: what a request may cost, and what it used.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyMapping};

use crate::{error, key};

/// Read from a dict of `{dimension: amount}`.
pub struct Amounts<'py> {
    what: &'static str,
    entries: Vec<(Bound<'py, PyAny>, u64)>,
}

impl<'py> Amounts<'py> {
    /// `what` they are, for the message.
    pub fn read(what: &'static str, given: &Bound<'py, PyAny>) -> PyResult<Self> {
        let py = given.py();
        let wrong = || error::wrong_type(what, "a dict of amounts by dimension", given);
        let map = given.cast::<PyMapping>().map_err(|_| wrong())?;
        let entry = |item: Bound<'py, PyAny>| {
            let (name, amount): (Bound<'py, PyAny>, Bound<'py, PyAny>) = item.extract()?;
            if !amount.is_instance_of::<PyInt>() || amount.is_instance_of::<PyBool>() {
                return Err(error::wrong_type(&format!("an amount of {what}"), "int", &amount));
            }
            let units = amount.extract::<u64>().map_err(|_| {
                let place = format!("{what}.{}", key::text("a dimension", &name).unwrap_or_default());
                error::config(py, &place, format!("must be 0 to {}, not {amount}", u64::MAX))
            })?;
            Ok((name, units))
        };
        let entries = map.items()?.iter().map(entry).collect::<PyResult<_>>()?;
        Ok(Self { what, entries })
    }

    pub fn pairs(&self) -> PyResult<Vec<(&str, u64)>> {
        let what = format!("a dimension of {}", self.what);
        self.entries.iter().map(|(name, units)| Ok((key::text(&what, name)?, *units))).collect()
    }
}
