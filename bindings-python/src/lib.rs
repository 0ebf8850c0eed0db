//! The Python module `loadwise._loadwise`: the engine as Python objects. Whatever is decided, the core decides.
//!
//! A call keeps the interpreter while it is in the core, or while anything of this module is locked, and lets go of it only
//! to sleep and to write files. So does a callback: the core calls it with nothing locked. As `os.fork` needs the
//! interpreter, too, no lock is ever taken in a child by a thread that the child does not have.

mod amounts;
mod background;
mod candidate;
mod engine;
mod error;
mod event;
mod health;
mod key;
mod metrics;
mod pick;
mod pool;
mod report;
mod request;
mod select;
mod shared;
mod status;
mod store;
mod value;
mod wait;

#[pyo3::pymodule(gil_used = false)]
mod _loadwise {
    #[pymodule_export]
    use crate::candidate::Candidate;
    #[pymodule_export]
    use crate::engine::Engine;
    #[pymodule_export]
    use crate::health::HealthTracker;
    #[pymodule_export]
    use crate::metrics::metrics;
    #[pymodule_export]
    use crate::pick::Pick;
    #[pymodule_export]
    use crate::pool::Pool;
    #[pymodule_export]
    use crate::select::{Strategy, select};

    /// The number of each status, its name in C and what it means.
    #[pymodule_export]
    const CODES: &[(u32, &str, &str)] = loadwise::CODES;

    /// A method that does nothing: what a call from Python costs at least.
    #[cfg(feature = "bench")]
    #[pymodule_export]
    use crate::floor::Floor;
}

#[cfg(feature = "bench")]
mod floor {
    #[pyo3::pyclass(frozen, module = "loadwise")]
    pub struct Floor;

    #[pyo3::pymethods]
    impl Floor {
        #[new]
        fn new() -> Self {
            Self
        }

        fn call(&self) {}
    }
}
