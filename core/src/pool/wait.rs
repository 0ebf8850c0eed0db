//! Waiting for room: a bounded queue of those who found a pool saturated, woken one by one as picks end.
//!
//! A waiter first joins the queue and then tries once more, and whoever ends a pick first counts it off and then looks at
//! the queue: so either the waiter sees the room, or the other sees the waiter. Being woken is no promise: whoever comes
//! first takes the room, and a waiter that finds none joins again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, MutexGuard};

use super::{Lease, Pick, Pool, Request};
use crate::state::layout::tally;
use crate::vocabulary::error::{NoNode, NoNodeReason};
use crate::vocabulary::fork;
use crate::vocabulary::lock::{Guard, Mutex};

/// The longest sleep between two looks: room may also come from what nobody ends, as a window that moves on.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A place in the queue of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WaitId(u64);

impl WaitId {
    pub fn as_u64(self) -> u64 {
        self.0
    }

    pub fn from_u64(number: u64) -> Self {
        Self(number)
    }
}

type Wake = Box<dyn FnOnce() + Send>;

/// Those who wait, in this process.
#[derive(Default)]
pub(crate) struct Waiters {
    /// Read by every end of a pick.
    count: AtomicU64,
    last: AtomicU64,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    /// Of the process that they wait in.
    incarnation: u64,
    places: VecDeque<(WaitId, Wake)>,
}

impl Waiters {
    /// The queue; whoever changes it says how many are left.
    fn queue(&self) -> Guard<MutexGuard<'_, Queue>> {
        let mut queue = self.queue.lock();
        let incarnation = fork::incarnation();
        if queue.incarnation != incarnation {
            // Who waited before a fork waits in the parent, and so does what they are woken by.
            std::mem::take(&mut queue.places).into_iter().for_each(std::mem::forget);
            queue.incarnation = incarnation;
            self.count.store(0, Ordering::SeqCst);
        }
        queue
    }

    fn note_count(&self, queue: &Queue) {
        self.count.store(queue.places.len() as u64, Ordering::SeqCst);
    }
}

impl Pool {
    /// [`pick`](Self::pick) that waits for room while the pool is saturated or rate limited, up to `timeout`. The thread
    /// sleeps; for an event loop, [`wait`](Self::wait) is the same without one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use loadwise::{NoNodeReason, NodeSpec, Outcome, Pool, Request};
    ///
    /// let pool = Pool::builder().node(NodeSpec::new("a").max_in_flight(1)).build()?;
    /// let first = pool.pick(&Request::new())?;
    /// let refused = pool.pick_within(&Request::new(), Duration::from_millis(1)).unwrap_err();
    /// assert_eq!(refused.reason, NoNodeReason::Saturated);
    /// first.finish(Outcome::Success)?;
    /// assert!(pool.pick_within(&Request::new(), Duration::from_secs(5)).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`NoNode`] as of [`pick`](Self::pick); at once for other reasons, or if the queue is full.
    pub fn pick_within(&self, request: &Request<'_>, timeout: Duration) -> Result<Pick<'_>, NoNode> {
        self.acquire_within(request, timeout).map(|lease| self.hold_lease(lease))
    }

    /// [`pick_within`](Self::pick_within) as plain numbers.
    ///
    /// # Errors
    /// As [`pick_within`](Self::pick_within).
    pub fn acquire_within(&self, request: &Request<'_>, timeout: Duration) -> Result<Lease, NoNode> {
        let first = match self.acquire(request) {
            Err(none) if is_temporary(&none) && !timeout.is_zero() => none,
            other => return other,
        };
        let deadline = Instant::now().checked_add(timeout);
        let signal = Arc::new((parking_lot::Mutex::new(false), Condvar::new()));
        self.tally(tally::WAITS);
        loop {
            let woken = signal.clone();
            let place = self.wait(move || {
                *woken.0.lock() = true;
                woken.1.notify_one();
            });
            let Ok(place) = place else { return Err(first) };
            let result = self.acquire(request);
            match result {
                Err(none) if is_temporary(&none) => {}
                other => {
                    self.stop_waiting(place);
                    return other;
                }
            }
            let mut is_woken = signal.0.lock();
            let look_again = Instant::now() + LOOK_AGAIN;
            let until = deadline.map_or(look_again, |deadline| deadline.min(look_again));
            while !*is_woken && !signal.1.wait_until(&mut is_woken, until).timed_out() {}
            *is_woken = false;
            drop(is_woken);
            self.stop_waiting(place);
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return self.acquire(request).inspect_err(|_| self.tally(tally::WAIT_TIMEOUTS));
            }
        }
    }

    /// Joins the queue: `wake` is called once, from whichever thread ends a pick, when there may be room. Try to pick
    /// *after* joining, and then wait for the call; leave with [`stop_waiting`](Self::stop_waiting) if that succeeds.
    /// Another process's picks wake nobody here, and neither does time: look again now and then.
    ///
    /// # Errors
    /// [`NoNodeReason::Saturated`] if `acquire_queue` waiters are there already; counted as a refusal.
    pub fn wait(&self, wake: impl FnOnce() + Send + 'static) -> Result<WaitId, NoNode> {
        let mut queue = self.waiters.queue();
        if queue.places.len() >= self.config().acquire_queue as usize {
            drop(queue);
            self.tally(tally::QUEUE_REFUSALS);
            return Err(NoNode { reason: NoNodeReason::Saturated, retry_at_ns: None, callback_failed: false });
        }
        let id = WaitId(self.waiters.last.fetch_add(1, Ordering::Relaxed) + 1);
        queue.places.push_back((id, Box::new(wake)));
        self.waiters.note_count(&queue);
        Ok(id)
    }

    /// Leaves the queue; whether the waiter was still in it, and so was not woken.
    pub fn stop_waiting(&self, id: WaitId) -> bool {
        let mut queue = self.waiters.queue();
        let place = queue.places.iter().position(|(waiting, _)| *waiting == id);
        let found = place.and_then(|at| queue.places.remove(at));
        self.waiters.note_count(&queue);
        // What the waiter drops is the host's, and may call the pool.
        drop(queue);
        found.is_some()
    }

    /// How long a pick waits for room whose host names no time of its own: `acquire_timeout_ms`.
    pub fn acquire_timeout(&self) -> Duration {
        Duration::from_millis(self.config().acquire_timeout_ms)
    }

    /// How many wait, in this process.
    pub fn waiting(&self) -> usize {
        self.waiters.queue().places.len()
    }

    /// Wakes the first waiter, if there is one: a pick has ended.
    #[inline(always)]
    pub(crate) fn make_room_known(&self) {
        if self.waiters.count.load(Ordering::SeqCst) != 0 {
            self.wake_one();
        }
    }

    #[cold]
    fn wake_one(&self) {
        self.wake_first(u64::MAX);
    }

    /// Wakes the first waiter if it joined no later than `last`; whether there was one.
    fn wake_first(&self, last: u64) -> bool {
        let first = {
            let mut queue = self.waiters.queue();
            let is_meant = queue.places.front().is_some_and(|(id, _)| id.0 <= last);
            let first = if is_meant { queue.places.pop_front() } else { None };
            self.waiters.note_count(&queue);
            first
        };
        let Some((_, wake)) = first else { return false };
        // A host's callback that panics has no state of ours in its hands.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(wake));
        true
    }

    /// Wakes everybody who waits by now: limits have changed. Who finds no room waits again.
    pub(crate) fn wake_all(&self) {
        let last = self.waiters.last.load(Ordering::SeqCst);
        while self.waiters.count.load(Ordering::SeqCst) != 0 && self.wake_first(last) {}
    }
}

/// Whether waiting may help.
pub(crate) fn is_temporary(none: &NoNode) -> bool {
    matches!(none.reason, NoNodeReason::Saturated | NoNodeReason::RateLimited)
}
