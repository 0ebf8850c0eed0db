//! One builder at a time: a lease in the arena that dies with its process.
//!
//! Picks never wait for a builder, and neither does maintenance, which leaves the building to whoever is at it. Who
//! changes a pool waits for others of this process, and for a while for other processes. A builder that is gone is not
//! waited for: whoever takes its lease first ends what it had begun (see `control::publish`).

use std::time::{Duration, Instant};

use crate::pool::Pool;
use crate::state::held::{Held, Taken};
use crate::state::layout::pool_word;
use crate::state::seat::Holder;
use crate::vocabulary::error::StateError;

/// The right to build and publish plans, until it is dropped.
pub(crate) struct Building<'p>(&'p Pool, Holder);

/// Attempts before a waiting builder sleeps between them.
const YIELDS: u32 = 64;
/// How long to wait for a builder of another process, which may be stopped.
const PATIENCE: Duration = Duration::from_secs(5);

impl Pool {
    /// Waits until nobody else builds.
    ///
    /// # Errors
    /// [`StateError::Busy`] if another process does not end.
    pub(crate) fn lock(&self) -> Result<Building<'_>, StateError> {
        if !self.is_seated() {
            return Err(StateError::Busy);
        }
        let mut attempt = 0;
        let mut since = None;
        loop {
            let holder = match self.try_lock() {
                Ok(building) => return Ok(building),
                Err(holder) => holder,
            };
            if holder != self.seat.holder() && since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                return Err(StateError::Busy);
            }
            attempt += 1;
            if attempt < YIELDS { std::thread::yield_now() } else { std::thread::sleep(Duration::from_micros(50)) }
        }
    }

    /// Waits for others of this process alone; `None` if another process builds.
    pub(crate) fn lock_among_threads(&self) -> Option<Building<'_>> {
        if !self.is_seated() {
            return None;
        }
        let mut attempt = 0;
        loop {
            match self.try_lock() {
                Ok(building) => return Some(building),
                Err(holder) if holder != self.seat.holder() => return None,
                Err(_) => {}
            }
            attempt += 1;
            if attempt < YIELDS { std::thread::yield_now() } else { std::thread::sleep(Duration::from_micros(50)) }
        }
    }

    fn try_lock(&self) -> Result<Building<'_>, Holder> {
        let lease = Held(self.memory.pool(pool_word::BUILD_LEASE));
        let me = self.seat.holder();
        match lease.take(me, |holder| self.is_gone(holder)) {
            Taken::By(holder) => Err(holder),
            Taken::Free => Ok(Building(self, me)),
            Taken::After(_) => {
                let building = Building(self, me);
                self.end_what_was_begun();
                Ok(building)
            }
        }
    }

    /// Whether a process does not live any more, as far as it is known by now.
    pub(crate) fn is_gone(&self, holder: Holder) -> bool {
        match &self.share {
            Some(share) => share.segment.is_gone(holder),
            // A private memory is of one process; a fork is another one, with a copy of what the parent was at.
            None => holder != self.seat.holder(),
        }
    }
}

impl Drop for Building<'_> {
    fn drop(&mut self) {
        Held(self.0.memory.pool(pool_word::BUILD_LEASE)).give_back(self.1);
    }
}
