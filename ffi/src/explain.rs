//! The reasons of decisions, as data.

use std::cell::RefCell;
use std::ffi::c_char;

use crate::guard::{guard, guard_status};
use crate::pick::{decide_any, lw_pick};
use crate::pool::{self, lw_pool};
use crate::request::{self, lw_request};
use crate::status::lw_status;
use crate::text::copy_out;

thread_local! {
    static LAST_EXPLANATION: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Copies out as JSON why the next pick for this request would choose its node, or none: of each node whether it is in or
/// out, by which filter, and the terms of its score; the draws, the tie-break and the step of the chain. Advances nothing
/// and takes nothing; tells what a pick would take. As `lw_pool_stats`; finding no node is an answer, too.
///
/// # Safety
/// `request` and all it points to is readable; `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_explain(
    pool: lw_pool,
    request: *const lw_request,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let explanation = unsafe { request::with(request, |request, _| pool::with(pool, |p| Ok(p.explain(request))))? };
        // SAFETY: as the caller promises.
        unsafe { copy_out(&explanation.to_value().to_json(), buffer, capacity, len) }
    })
}

/// `lw_pool_pick` that keeps its reasons for `lw_last_explanation`, also if it finds no node. Allocates.
///
/// # Safety
/// As `lw_pool_pick`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_pick_explained(
    pool: lw_pool,
    request: *const lw_request,
    pick: *mut lw_pick,
) -> lw_status {
    // SAFETY: as the caller promises.
    guard_status(|| unsafe {
        decide_any(pool, request, pick, |p, request| {
            let (lease, explanation) = p.acquire_explained(request);
            let json = explanation.to_value().to_json();
            // A thread that is being torn down keeps nothing.
            let _ = LAST_EXPLANATION.try_with(|last| *last.borrow_mut() = json);
            let lease = lease?;
            Ok((lease.ticket.as_u64(), lease.node, lease.callback_failed))
        })
    })
}

/// Copies out the reasons of this thread's last `lw_pool_pick_explained`, as `lw_pool_explain` tells them; empty before the
/// first.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_last_explanation(buffer: *mut c_char, capacity: usize, len: *mut usize) -> lw_status {
    guard(|| {
        LAST_EXPLANATION
            // SAFETY: as the caller promises.
            .try_with(|last| unsafe { copy_out(&last.borrow(), buffer, capacity, len) })
            // SAFETY: as the caller promises.
            .unwrap_or_else(|_| unsafe { copy_out("", buffer, capacity, len) })
    })
}
