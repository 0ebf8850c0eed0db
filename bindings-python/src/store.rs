//! A Python object as a state store.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use loadwise::{FileStore, StateStore};
use pyo3::prelude::*;
use pyo3::types::PyMapping;

use crate::error;
use crate::request::must_end;

/// An object with get, put, remove and list, or a dict of texts.
pub struct Store {
    object: Py<PyAny>,
    is_dict: bool,
    /// What it raised, of which the core learns only that.
    raised: Mutex<Option<PyErr>>,
}

/// A call of a store that raised.
#[derive(Debug)]
pub struct StoreRaised(String);

impl fmt::Display for StoreRaised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Store {
    pub fn read(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let is_dict = object.cast::<PyMapping>().is_ok() && object.hasattr("__setitem__")?;
        let mut methods = ["get", "put", "remove", "list"].into_iter();
        if !is_dict && !methods.all(|name| object.getattr(name).is_ok_and(|method| method.is_callable())) {
            const WANTED: &str = "a path, a dict, or an object with get, put, remove and list";
            return Err(error::wrong_type("store", WANTED, object));
        }
        Ok(Self { object: object.clone().unbind(), is_dict, raised: Mutex::new(None) })
    }

    /// The exception for an error of the core's: caused by what the store raised, if it did.
    pub fn raised(&self, py: Python<'_>, told: loadwise::Error) -> PyErr {
        let raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner).take();
        match raised {
            Some(raised) if must_end(py, &raised) => raised,
            cause => {
                let error = error::raised(py, told);
                if cause.is_some() {
                    error.set_cause(py, cause);
                }
                error
            }
        }
    }

    fn call<R>(&self, call: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<R>) -> Result<R, StoreRaised> {
        Python::attach(|py| {
            call(self.object.bind(py)).map_err(|raised| {
                let told = StoreRaised(raised.to_string());
                *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(raised);
                told
            })
        })
    }
}

impl StateStore for Store {
    type NodeId = String;
    type State = String;
    type Error = StoreRaised;

    fn get(&self, id: &String) -> Result<Option<String>, StoreRaised> {
        self.call(|store| store.call_method1("get", (id,))?.extract())
    }

    fn put(&self, id: &String, state: String) -> Result<(), StoreRaised> {
        self.call(|store| match self.is_dict {
            true => store.set_item(id, state),
            false => store.call_method1("put", (id, state)).map(drop),
        })
    }

    fn remove(&self, id: &String) -> Result<(), StoreRaised> {
        self.call(|store| match self.is_dict {
            true => store.call_method1("pop", (id, store.py().None())).map(drop),
            false => store.call_method1("remove", (id,)).map(drop),
        })
    }

    fn list(&self) -> Result<Vec<(String, String)>, StoreRaised> {
        self.call(|store| {
            let listed = store.call_method0(if self.is_dict { "items" } else { "list" })?;
            let pairs = if listed.cast::<PyMapping>().is_ok() { listed.call_method0("items")? } else { listed };
            pairs.try_iter()?.map(|pair| pair?.extract()).collect()
        })
    }
}

/// A file that is written while others run. Only the writing: a thread that the core has in its hands must not be left
/// behind by a fork (see `crate`).
pub struct Detached(pub FileStore);

impl StateStore for Detached {
    type NodeId = String;
    type State = String;
    type Error = loadwise::Error;

    fn get(&self, id: &String) -> Result<Option<String>, loadwise::Error> {
        self.0.get(id)
    }

    fn put(&self, id: &String, state: String) -> Result<(), loadwise::Error> {
        self.put_all(vec![(id.clone(), state)])
    }

    fn remove(&self, id: &String) -> Result<(), loadwise::Error> {
        Python::attach(|py| py.detach(|| self.0.remove(id)))
    }

    fn list(&self) -> Result<Vec<(String, String)>, loadwise::Error> {
        self.0.list()
    }

    fn put_all(&self, states: Vec<(String, String)>) -> Result<(), loadwise::Error> {
        Python::attach(|py| py.detach(|| self.0.put_all(states)))
    }
}
