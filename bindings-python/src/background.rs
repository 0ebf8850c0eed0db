//! The thread that does what is due; see `loadwise._background`.

use pyo3::prelude::*;
use pyo3::types::PyModule;

use crate::error;

const MODULE: &str = "loadwise._background";

/// Starts the thread of a pool or an engine.
pub fn start(followed: &Bound<'_, PyAny>, check: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
    if let Some(check) = check.filter(|check| !check.is_callable()) {
        return Err(error::wrong_type("check", "callable", check));
    }
    followed.py().import(MODULE)?.call_method1("start", (followed, check)).map(drop)
}

/// Stops it, if anybody ever started one.
pub fn stop(followed: &Bound<'_, PyAny>) -> PyResult<()> {
    let modules = followed.py().import("sys")?.getattr("modules")?;
    match modules.call_method1("get", (MODULE,))?.cast_into::<PyModule>() {
        Ok(background) => background.call_method1("stop", (followed,)).map(drop),
        Err(_) => Ok(()),
    }
}
