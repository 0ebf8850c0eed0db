//! Waiting for room in a pool that is saturated or rate limited: by a thread, or by an event loop.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use loadwise::WaitId;

use crate::error::Fail;
use crate::guard::{guard, guard_status};
use crate::handle::InCallback;
use crate::own_strategy::lw_drop_fn;
use crate::pick::{decide_any, lw_pick};
use crate::pool::{self, lw_pool};
use crate::request::lw_request;
use crate::sized::present;
use crate::status::{NULL_ARGUMENT, lw_status};
use crate::text::put;

/// Told once that there may be room. Runs in whichever thread ended a pick, on its way: it should do no more than wake
/// somebody. Must return: no `longjmp`, no C++ exception may leave it.
pub type lw_wake_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

struct Wake {
    wake: unsafe extern "C" fn(*mut c_void),
    user_data: *mut c_void,
    drop: lw_drop_fn,
    /// Cleared if the pool refused it: `user_data` stays the caller's then.
    accepted: AtomicBool,
}

// SAFETY: the caller has promised that `wake` may run in any thread, and `drop` too.
unsafe impl Send for Wake {}
// SAFETY: as above.
unsafe impl Sync for Wake {}

impl Drop for Wake {
    fn drop(&mut self) {
        if let (true, Some(drop)) = (*self.accepted.get_mut(), self.drop) {
            let _callback = InCallback::enter();
            // SAFETY: the caller's function, once, with the caller's pointer.
            unsafe { drop(self.user_data) };
        }
    }
}

impl Wake {
    fn call(&self) {
        let _callback = InCallback::enter();
        // SAFETY: the caller's function, with the caller's pointer.
        unsafe { (self.wake)(self.user_data) };
    }
}

/// `lw_pool_pick` that waits for room while the pool is saturated or rate limited, at most `timeout_ns`; 0: the
/// configuration's `acquire_timeout_ms`. The thread sleeps meanwhile.
///
/// Returns as `lw_pool_pick`; at once for other reasons, and if `acquire_queue` others wait already.
///
/// # Safety
/// As `lw_pool_pick`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_pick_within(
    pool: lw_pool,
    request: *const lw_request,
    timeout_ns: u64,
    pick: *mut lw_pick,
) -> lw_status {
    // SAFETY: as the caller promises.
    guard_status(|| unsafe {
        decide_any(pool, request, pick, |p, request| {
            let timeout = if timeout_ns == 0 { p.acquire_timeout() } else { Duration::from_nanos(timeout_ns) };
            let lease = p.acquire_within(request, timeout)?;
            Ok((lease.ticket.as_u64(), lease.node, lease.callback_failed))
        })
    })
}

/// Joins the queue of those who wait for room: `wake` is called once with `user_data`, as soon as a pick ends, which may be
/// before this call returns. Pick *after* joining; if there is room, leave with `lw_pool_stop_waiting`, else pick when
/// woken, and now and then (each 50 ms, say), since time and other processes make room, too, and wake nobody. Being woken
/// is no promise: whoever comes first takes the room. A pool that is freed wakes nobody. `drop` (or NULL) is called once
/// `user_data` is not used any more: woken, left, or freed. If this call fails, it is not.
///
/// Errors: `LW_NO_NODE_SATURATED` if `acquire_queue` others wait already.
///
/// # Safety
/// `wake` and `drop` may be called with `user_data` from any thread, until `drop` was; `id` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_wait(
    pool: lw_pool,
    wake: lw_wake_fn,
    user_data: *mut c_void,
    drop: lw_drop_fn,
    id: *mut u64,
) -> lw_status {
    guard(|| {
        present(id)?;
        let wake = wake.ok_or(Fail::Status(NULL_ARGUMENT))?;
        let place = pool::with(pool, |p| {
            let ours = Arc::new(Wake { wake, user_data, drop, accepted: AtomicBool::new(true) });
            let queued = ours.clone();
            Ok(p.wait(move || queued.call()).inspect_err(|_| ours.accepted.store(false, Ordering::Relaxed))?)
        })?;
        // SAFETY: as the caller promises.
        unsafe { put(id, place.as_u64()) };
        Ok(())
    })
}

/// Leaves the queue: 1 into `*was_waiting` if it was still in it, and so is never woken; else 0: it was woken, or is being
/// woken in this moment. `was_waiting` may be NULL.
///
/// # Safety
/// `was_waiting` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_stop_waiting(pool: lw_pool, id: u64, was_waiting: *mut u32) -> lw_status {
    guard(|| {
        let was = pool::with(pool, |p| Ok(p.stop_waiting(WaitId::from_u64(id))))?;
        // SAFETY: as the caller promises.
        unsafe { put(was_waiting, u32::from(was)) };
        Ok(())
    })
}

/// How many wait for room, in this process.
///
/// # Safety
/// `waiting` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_waiting(pool: lw_pool, waiting: *mut usize) -> lw_status {
    guard(|| {
        present(waiting)?;
        let count = pool::with(pool, |p| Ok(p.waiting()))?;
        // SAFETY: as the caller promises.
        unsafe { put(waiting, count) };
        Ok(())
    })
}
