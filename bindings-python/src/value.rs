//! The core's data as native data and back: dicts, lists and what stands in them.

use loadwise::config::{DEPTH_MAX, Kind, Value};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PySequence, PyString};

use crate::error;

/// A value, where `key` is where it stands, for the message.
pub fn read(value: &Bound<'_, PyAny>, key: &str) -> PyResult<Value> {
    read_at(value, key, 0)
}

fn read_at(value: &Bound<'_, PyAny>, key: &str, depth: usize) -> PyResult<Value> {
    let py = value.py();
    if depth > DEPTH_MAX {
        return Err(error::config(py, key, format!("is nested deeper than {DEPTH_MAX} levels")));
    }
    if value.is_none() {
        return Ok(Value::null());
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Value::from(text.to_str().map_err(|e| error::not_utf8(py, key, e))?));
    }
    if let Ok(truth) = value.cast::<PyBool>() {
        return Ok(Value::from(truth.is_true()));
    }
    if let Ok(float) = value.cast::<PyFloat>() {
        return Ok(Value::from(float.value()));
    }
    if value.cast::<PyMapping>().is_ok() {
        return read_map(value, key, depth);
    }
    if value.is_instance_of::<PyBytes>() || value.is_instance_of::<PyByteArray>() {
        return Err(error::config(py, key, "must be str, not bytes: decode them first"));
    }
    if value.is_instance_of::<PyInt>() || value.hasattr("__index__")? {
        return read_int(value, key);
    }
    if value.cast::<PySequence>().is_ok() {
        return read_list(value, key, depth);
    }
    if value.hasattr("__fspath__")? {
        return read_at(&value.call_method0("__fspath__")?, key, depth + 1);
    }
    let name = value.get_type().qualname()?;
    Err(error::config(py, key, format!("must be plain data (str, int, float, bool, list or dict), not {name}")))
}

fn read_map(map: &Bound<'_, PyAny>, key: &str, depth: usize) -> PyResult<Value> {
    let mut entries = Vec::new();
    for item in map.call_method0("items")?.try_iter()? {
        let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item?.extract()?;
        let Ok(name) = name.cast::<PyString>() else {
            let message = format!("has the key {}, which is not str", name.repr()?);
            return Err(error::config(map.py(), key, message));
        };
        let name = name.to_str().map_err(|e| error::not_utf8(map.py(), key, e))?;
        if value.is_none() {
            continue;
        }
        let place = if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
        entries.push((name.to_owned(), read_at(&value, &place, depth + 1)?));
    }
    Ok(Value::map(entries))
}

fn read_list(list: &Bound<'_, PyAny>, key: &str, depth: usize) -> PyResult<Value> {
    let items = list.try_iter()?.enumerate().map(|(i, item)| read_at(&item?, &format!("{key}[{i}]"), depth + 1));
    Ok(Value::list(items.collect::<PyResult<Vec<_>>>()?))
}

fn read_int(int: &Bound<'_, PyAny>, key: &str) -> PyResult<Value> {
    let py = int.py();
    let int = int.call_method0("__index__")?;
    match int.extract::<i64>() {
        Ok(small) => Ok(Value::from(small)),
        Err(e) if e.is_instance_of::<PyOverflowError>(py) => int
            .extract::<u64>()
            .map(Value::from)
            .map_err(|_| error::config(py, key, "must be an integer of at most 64 bits")),
        Err(e) => Err(e),
    }
}

/// The nodes argument of a pool: any iterable of addresses and maps.
pub fn read_nodes(nodes: &Bound<'_, PyAny>) -> PyResult<Value> {
    if nodes.is_instance_of::<PyString>() || nodes.is_instance_of::<PyBytes>() || nodes.is_instance_of::<PyDict>() {
        return Err(error::wrong_type("nodes", "a list of addresses or dicts", nodes));
    }
    match nodes.try_iter() {
        Ok(_) => read_list(nodes, "nodes", 0),
        Err(_) => Err(error::wrong_type("nodes", "a list of addresses or dicts", nodes)),
    }
}

/// What the core tells as data.
pub fn give<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match &value.kind {
        Kind::Null => py.None().into_bound(py),
        Kind::Bool(truth) => PyBool::new(py, *truth).to_owned().into_any(),
        Kind::Int(int) => int.into_pyobject(py)?.into_any(),
        Kind::Float(float) => PyFloat::new(py, *float).into_any(),
        Kind::Text(text) => PyString::new(py, text).into_any(),
        Kind::List(items) => {
            let list = PyList::empty(py);
            items.iter().try_for_each(|item| list.append(give(py, item)?))?;
            list.into_any()
        }
        Kind::Map(entries) => {
            let dict = PyDict::new(py);
            entries.iter().try_for_each(|(key, value)| dict.set_item(&key.name, give(py, value)?))?;
            dict.into_any()
        }
    })
}
