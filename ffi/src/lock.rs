//! The lock of the handle table: held for a few instructions, and never inherited by a forked child.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

static HELD: AtomicBool = AtomicBool::new(false);

/// The right to change the handle table, until it is dropped.
pub(crate) struct TableLock(());

impl TableLock {
    /// Waits for whoever has it: they copy a pointer, and never call anything while they do.
    pub(crate) fn acquire() -> Self {
        static FORKS: Once = Once::new();
        FORKS.call_once(|| {
            // SAFETY: the handlers only touch a static atomic, and the library is never unmapped (nodelete).
            unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(after_fork)) };
        });
        take();
        Self(())
    }
}

impl Drop for TableLock {
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
