//! The core's errors as the exceptions of `loadwise._errors`.

use loadwise::{ConfigError, Error, NoNode, StateError, Text};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

static CONFIG_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static STATE_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static TICKET_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static CALLBACK_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static NO_NODE: PyOnceLock<Py<PyType>> = PyOnceLock::new();

#[cold]
pub fn raised(py: Python<'_>, error: impl Into<Error>) -> PyErr {
    let error = error.into();
    let (message, code) = (error.to_string(), error.code());
    match error {
        Error::Config(e) => make(py, &CONFIG_ERROR, "ConfigError", (message, code, e.key, e.line)),
        Error::State(_) => make(py, &STATE_ERROR, "StateError", (message, code)),
        Error::Ticket(_) => make(py, &TICKET_ERROR, "TicketError", (message, code)),
        Error::Callback(_) => make(py, &CALLBACK_ERROR, "CallbackError", (message, code)),
    }
}

/// An argument that cannot be.
#[cold]
pub fn config(py: Python<'_>, key: &str, message: impl Into<String>) -> PyErr {
    raised(py, ConfigError::new(key, 0, message))
}

/// A text with lone surrogates, which have no UTF-8.
#[cold]
pub fn not_utf8(py: Python<'_>, key: &str, cause: PyErr) -> PyErr {
    let error = config(py, key, "must be text that has UTF-8, without lone surrogates");
    error.set_cause(py, Some(cause));
    error
}

/// `what` must be `wanted`, and is of another type.
#[cold]
pub fn wrong_type(what: &str, wanted: &str, given: &Bound<'_, PyAny>) -> PyErr {
    let name = given.get_type().qualname().map_or_else(|_| "something else".into(), |n| n.to_string());
    PyTypeError::new_err(format!("{what} must be {wanted}, not {name}"))
}

#[cold]
pub fn callback(py: Python<'_>, message: String) -> PyErr {
    raised(py, Error::Callback(message))
}

#[cold]
pub fn closed(py: Python<'_>) -> PyErr {
    raised(py, StateError::Closed)
}

/// A node that has left its pool.
#[cold]
pub fn gone(py: Python<'_>, id: &Text) -> PyErr {
    raised(py, StateError::UnknownNode(id.as_str().to_owned()))
}

#[cold]
pub fn no_node(py: Python<'_>, none: NoNode, cause: Option<PyErr>) -> PyErr {
    let arguments = (
        none.to_string(),
        none.code(),
        none.reason.as_str(),
        none.retry_at_ns,
        none.callback_failed || cause.is_some(),
    );
    let error = make(py, &NO_NODE, "NoNode", arguments);
    if cause.is_some() {
        error.set_cause(py, cause);
    }
    error
}

fn make<'py>(
    py: Python<'py>,
    class: &PyOnceLock<Py<PyType>>,
    name: &str,
    arguments: impl pyo3::call::PyCallArgs<'py>,
) -> PyErr {
    match class.import(py, "loadwise._errors", name).and_then(|class| class.call1(arguments)) {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}
