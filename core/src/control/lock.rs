//! One builder at a time: a lease in the arena that dies with its process.

use std::time::Duration;

use crate::pool::Pool;
use crate::state::layout::pool_word;
use crate::sync::Ordering;
use crate::vocabulary::fork;

/// The right to build and publish plans, until it is dropped.
pub(crate) struct Building<'p>(&'p Pool);

/// Attempts before a waiting builder sleeps between them.
const YIELDS: u32 = 64;

impl Pool {
    /// Waits until nobody else builds. A holder that vanished in a fork is not waited for.
    pub(crate) fn lock(&self) -> Building<'_> {
        let word = self.memory.pool(pool_word::BUILD_LEASE);
        let me = fork::incarnation();
        let mut attempt = 0;
        loop {
            let holder = word.load(Ordering::Relaxed);
            let free = holder == 0 || holder != me;
            // Acquire pairs with the release of the previous holder: its plan is ours to build on.
            if free && word.compare_exchange(holder, me, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return Building(self);
            }
            attempt += 1;
            if attempt < YIELDS { std::thread::yield_now() } else { std::thread::sleep(Duration::from_micros(50)) }
        }
    }
}

impl Drop for Building<'_> {
    fn drop(&mut self) {
        self.0.memory.pool(pool_word::BUILD_LEASE).store(0, Ordering::Release);
    }
}
