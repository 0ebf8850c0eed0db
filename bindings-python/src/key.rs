//! Texts and keys from Python, borrowed where Python keeps them.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::error;

/// The bytes of a key: those of bytes, or the UTF-8 of a str.
#[inline]
pub fn bytes<'a>(key: &'a Bound<'_, PyAny>) -> PyResult<&'a [u8]> {
    named_bytes("key", key)
}

/// The same of something else; `what` it is, for the message.
#[inline]
pub fn named_bytes<'a>(what: &str, key: &'a Bound<'_, PyAny>) -> PyResult<&'a [u8]> {
    if let Ok(text) = key.cast::<PyString>() {
        return text.to_str().map(str::as_bytes).map_err(|e| error::not_utf8(key.py(), what, e));
    }
    match key.cast::<PyBytes>() {
        Ok(bytes) => Ok(bytes.as_bytes()),
        Err(_) => Err(error::wrong_type(what, "str or bytes (numbers: as str(n), the same everywhere)", key)),
    }
}

/// A text; `what` it is, for the message.
pub fn text<'a>(what: &str, text: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    match text.cast::<PyString>() {
        Ok(string) => string.to_str().map_err(|e| error::not_utf8(text.py(), what, e)),
        Err(_) => Err(error::wrong_type(what, "str", text)),
    }
}
