//! A Python callable as the strategy of a pool.
//!
//! The core asks it in the middle of a pick, on the thread of the pick: what the callable needs to see of that pick, and
//! the exception that it raises, pass through this thread's stack of frames (a callable may itself pick).

use std::cell::RefCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use loadwise::{PoolNode, SelectionContext};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyList};
use pyo3::{PyTraverseError, PyVisit};

use crate::candidate::Candidate;
use crate::error;
use crate::pool::Pool;
use crate::request::must_end;

/// What the core is given once, whatever callable is behind it.
#[derive(Default)]
pub struct OwnStrategy {
    callable: Mutex<Option<Py<PyAny>>>,
    in_charge: AtomicBool,
}

/// A pick under way whose pool may ask a callable.
struct Frame {
    pool: Py<Pool>,
    key: Option<Py<PyAny>>,
    error: Option<PyErr>,
}

thread_local! {
    static FRAMES: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// An index that no list of candidates has: the core takes it for a failure.
const FAILED: Option<usize> = Some(usize::MAX);

impl OwnStrategy {
    pub fn is_in_charge(&self) -> bool {
        self.in_charge.load(Ordering::Acquire)
    }

    /// Puts `callable` in charge, or nobody.
    pub fn put(&self, callable: Option<Py<PyAny>>) {
        self.in_charge.store(callable.is_some(), Ordering::Release);
        let former = match self.callable.lock() {
            Ok(mut kept) => std::mem::replace(&mut *kept, callable),
            Err(poisoned) => std::mem::replace(&mut *poisoned.into_inner(), callable),
        };
        // Only now: its end may run any Python code.
        drop(former);
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.callable.try_lock().map_or(Ok(()), |kept| visit.call(&*kept))
    }

    fn callable(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.callable.lock().ok()?.as_ref().map(|callable| callable.clone_ref(py))
    }

    fn ask(&self, py: Python<'_>, nodes: &[PoolNode], ctx: &SelectionContext) -> PyResult<Option<usize>> {
        let Some(callable) = self.callable(py) else { return Ok(None) };
        let seen = FRAMES.with_borrow(|frames| {
            let frame = frames.last().filter(|f| !f.error.as_ref().is_some_and(|e| must_end(py, e)))?;
            Some((frame.pool.clone_ref(py), frame.key.as_ref().map(|key| key.clone_ref(py))))
        });
        let Some((pool, key)) = seen else { return Ok(None) };
        let mut fit = vec![true; nodes.len()];
        ctx.exclude.iter().flatten().filter_map(|&i| fit.get_mut(i).map(|f| *f = false)).for_each(drop);
        let fit: Vec<usize> = fit.iter().enumerate().filter(|(_, fit)| **fit).map(|(i, _)| i).collect();
        let candidates = PyList::empty(py);
        for &i in &fit {
            candidates.append(Candidate::new(pool.bind(py), nodes[i].node()))?;
        }
        let answer = callable.bind(py).call1((candidates, key))?;
        if answer.is_none() {
            return Ok(None);
        }
        let index = answer.extract::<usize>().ok().filter(|_| !answer.is_instance_of::<PyBool>());
        match index.and_then(|i| fit.get(i)) {
            Some(&chosen) => Ok(Some(chosen)),
            None => {
                let message = format!(
                    "the own strategy must give None or an index below {}, not {}",
                    fit.len(),
                    answer.repr().map_or_else(|_| "that".into(), |r| r.to_string())
                );
                Err(error::callback(py, message))
            }
        }
    }
}

impl loadwise::Strategy<PoolNode> for OwnStrategy {
    fn select(&self, nodes: &[PoolNode], ctx: &SelectionContext) -> Option<usize> {
        Python::attach(|py| match self.ask(py, nodes, ctx) {
            Ok(index) => index,
            Err(error) => {
                FRAMES.with_borrow_mut(|frames| {
                    if let Some(frame) = frames.last_mut() {
                        frame.error = Some(error);
                    }
                });
                FAILED
            }
        })
    }
}

/// Runs `pick` where a callable may be asked; the exception is what the callable raised.
pub fn framed<R>(
    pool: &Bound<'_, Pool>,
    key: Option<&Bound<'_, PyAny>>,
    pick: impl FnOnce() -> R,
) -> (R, Option<PyErr>) {
    let frame = Frame { pool: pool.clone().unbind(), key: key.map(|k| k.clone().unbind()), error: None };
    FRAMES.with_borrow_mut(|frames| frames.push(frame));
    let result = pick();
    let frame = FRAMES.with_borrow_mut(Vec::pop);
    (result, frame.and_then(|f| f.error))
}
