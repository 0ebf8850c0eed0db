//! A pick that waits for room with the thread asleep.
//!
//! The protocol is the core's: join the queue, try once more, sleep until woken. Nobody but Python's main thread can look
//! for an interrupt, so the sleep is never longer than the core's own interval between two looks.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use loadwise::{NoNode, NoNodeReason};
use pyo3::prelude::*;

use crate::pool::Pool;
use crate::request::{Acquired, Asked, Refused, attempt, with_request};
use crate::{error, report};

/// The longest sleep between two looks: room may also come from what nobody ends, as a window that moves on.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A waiter's sleep, which another thread may end.
#[derive(Default)]
struct Sleep {
    woken: Mutex<bool>,
    bell: Condvar,
}

impl Sleep {
    fn wake(&self) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_one();
    }

    /// Whether it was woken, sleeping for no longer than that.
    fn until_woken(&self, longest: Duration) -> bool {
        let woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        let (woken, _) =
            self.bell.wait_timeout_while(woken, longest, |woken| !*woken).unwrap_or_else(PoisonError::into_inner);
        *woken
    }
}

/// Picks, waiting for up to `timeout` seconds while there is no room. Raises NoNode.
#[cold]
pub fn acquire_within(pool: &Bound<'_, Pool>, asked: &Asked<'_, '_>, timeout: f64) -> PyResult<Acquired> {
    let (py, core) = (pool.py(), pool.get().core());
    let timeout = report::seconds(py, "timeout", timeout)?;
    let refused = |(none, raised): Refused| error::no_node(py, none, raised);
    with_request(pool, asked, |request, raised| {
        let mut last = match attempt(pool, asked, raised, || core.acquire(request))? {
            Err(none) if is_temporary(&none.0) && !timeout.is_zero() => none,
            done => return done.map_err(refused),
        };
        let deadline = Instant::now().checked_add(timeout);
        let left = || deadline.map_or(LOOK_AGAIN, |deadline| deadline.saturating_duration_since(Instant::now()));
        while !left().is_zero() {
            let sleep = Arc::new(Sleep::default());
            let bell = sleep.clone();
            let Ok(place) = core.wait(move || bell.wake()) else { return Err(refused(last)) };
            let woken = loop {
                match attempt(pool, asked, raised, || core.acquire(request)) {
                    Ok(Err(none)) if is_temporary(&none.0) => last = none,
                    done => {
                        core.stop_waiting(place);
                        return done?.map_err(refused);
                    }
                }
                let woken = py.detach(|| sleep.until_woken(left().min(LOOK_AGAIN)));
                if let Err(interrupted) = py.check_signals().and_then(|()| pool.get().check_open(py)) {
                    core.stop_waiting(place);
                    return Err(interrupted);
                }
                if woken || left().is_zero() {
                    break woken;
                }
            };
            if !woken {
                core.stop_waiting(place);
            }
        }
        // The last look is the core's, which counts that it was in vain.
        attempt(pool, asked, raised, || core.acquire_within(request, Duration::from_nanos(1)))?.map_err(refused)
    })
}

/// Whether waiting may help.
fn is_temporary(none: &NoNode) -> bool {
    matches!(none.reason, NoNodeReason::Saturated | NoNodeReason::RateLimited)
}
