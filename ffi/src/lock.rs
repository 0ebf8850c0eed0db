//! The library's one lock: held for a few instructions, and never inherited by a forked child.

use std::cell::UnsafeCell;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

static HELD: AtomicBool = AtomicBool::new(false);

/// What is reached under the lock alone.
pub(crate) struct Locked<T>(UnsafeCell<T>);

// SAFETY: the value is reached through `with` alone, by one thread at a time.
unsafe impl<T: Send> Sync for Locked<T> {}

impl<T> Locked<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Calls `f` with the value, under the lock. `f` must not run code of others: no drop of an object, no callback, and
    /// nothing that comes here again.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let _lock = Lock::acquire();
        // SAFETY: the lock makes this the only reference; `f` cannot come back here, since it runs nobody else's code.
        f(unsafe { &mut *self.0.get() })
    }
}

impl<T: Default> Default for Locked<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

struct Lock;

impl Lock {
    /// Waits for whoever has it: they copy a pointer, and never call anything while they do.
    fn acquire() -> Self {
        static FORKS: Once = Once::new();
        FORKS.call_once(|| {
            // SAFETY: the handlers only touch a static atomic, and the library is never unmapped (nodelete).
            unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(after_fork)) };
        });
        take();
        Self
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        HELD.store(false, Ordering::Release);
    }
}

fn take() {
    while HELD.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
        std::thread::yield_now();
    }
}

// The forking thread takes the lock over the fork, so that no other thread, which the child does not have, holds it then.
extern "C" fn before_fork() {
    take();
}

extern "C" fn after_fork() {
    HELD.store(false, Ordering::Release);
}
