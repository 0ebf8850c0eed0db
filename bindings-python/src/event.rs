//! Python callables as observers of a pool.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use loadwise::{Event, EventKind, ObserverId};
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTraverseError, PyVisit};

/// The callables that a pool calls. They are kept here, where Python's collector sees them; the core knows only the way.
#[derive(Default)]
pub struct Observers(Mutex<Vec<(ObserverId, Arc<Observer>)>>);

#[derive(Default)]
struct Observer(Mutex<Option<Py<PyAny>>>);

impl Observers {
    pub fn add(&self, pool: &Arc<loadwise::Pool>, selections: bool, callable: &Bound<'_, PyAny>) -> u64 {
        let observer = Arc::new(Observer(Mutex::new(Some(callable.clone().unbind()))));
        let (told, seen) = (observer.clone(), Arc::downgrade(pool));
        let id = pool.observe(selections, move |event| told.tell(&seen, event));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((id, observer));
        id.as_u64()
    }

    /// Whether it was one.
    pub fn remove(&self, pool: &loadwise::Pool, id: u64) -> bool {
        let id = ObserverId::from_u64(id);
        let found = {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.iter().position(|(known, _)| *known == id).map(|at| kept.swap_remove(at))
        };
        // Only now that nothing is locked: a callable's end may run any Python code.
        found.inspect(|(id, observer)| observer.stop(pool, *id)).is_some()
    }

    pub fn clear(&self, pool: &loadwise::Pool) {
        let all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        all.into_iter().for_each(|(id, observer)| observer.stop(pool, id));
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ok(kept) = self.0.try_lock() else { return Ok(()) };
        let mut observers = kept.iter().map(|(_, observer)| observer);
        observers.try_for_each(|observer| observer.0.try_lock().map_or(Ok(()), |callable| visit.call(&*callable)))
    }
}

impl Observer {
    fn callable(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|callable| callable.clone_ref(py))
    }

    fn stop(&self, pool: &loadwise::Pool, id: ObserverId) {
        pool.stop_observing(id);
        let former = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(former);
    }

    fn tell(&self, pool: &Weak<loadwise::Pool>, event: &Event) {
        let Some(pool) = pool.upgrade() else { return };
        // Without an interpreter there is nobody to tell.
        Python::try_attach(|py| {
            let Some(callable) = self.callable(py) else { return };
            let callable = callable.bind(py);
            let Err(raised) = data(py, &pool, event).and_then(|event| callable.call1((event,))) else { return };
            let interrupts = raised.is_instance_of::<PyKeyboardInterrupt>(py);
            raised.write_unraisable(py, Some(callable));
            if interrupts {
                // It was the program's, not the callable's: it goes on as soon as Python can raise it.
                let _ = py.import("_thread").and_then(|thread| thread.call_method0("interrupt_main"));
            }
        });
    }
}

/// The event as a dict: kind, node, at_ns, and what is told of this kind.
fn data<'py>(py: Python<'py>, pool: &loadwise::Pool, event: &Event) -> PyResult<Bound<'py, PyDict>> {
    let told = PyDict::new(py);
    told.set_item("kind", event.kind.name())?;
    told.set_item("node", event.node.map(|node| pool.id_of(node).as_str().to_owned()))?;
    told.set_item("at_ns", event.at_ns)?;
    match &event.kind {
        EventKind::Health { from, to } => {
            told.set_item("from", from.as_str())?;
            told.set_item("to", to.as_str())?;
        }
        EventKind::Tier { from, to } => {
            told.set_item("from", from)?;
            told.set_item("to", to)?;
        }
        EventKind::Breaker { open } => told.set_item("open", open)?,
        EventKind::Ejection { ejected } => told.set_item("ejected", ejected)?,
        EventKind::Panic { spread } => told.set_item("spread", spread)?,
        EventKind::Topology { added, removed } => {
            told.set_item("added", added)?;
            told.set_item("removed", removed)?;
        }
        EventKind::Selection { strategy } => told.set_item("strategy", strategy)?,
        _ => {}
    }
    Ok(told)
}
