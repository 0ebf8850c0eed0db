//! The first token of a streamed answer. No lock, no allocation.

use loadwise::Ticket;

use crate::error::Fail;
use crate::guard::guard;
use crate::handle;
use crate::pick::{lw_pick, void_if_closed};
use crate::pool::{PoolObject, lw_pool};
use crate::sized;
use crate::status::lw_status;
use crate::text::put;

/// Notes that the first token (or byte) of an answer came: the time since the pick is recorded as its latency, at once, in
/// all that learns from latencies. The finish that follows records none, not one of its own either; otherwise it is a finish
/// like any. For streamed answers, whose whole duration depends on how long they are. Where no rule needs latencies, nothing
/// is recorded.
///
/// 1 into `*first`, or 0 if it was noted before and nothing is changed; `first` may be NULL. `now_ns` 0 reads the clock where
/// it is needed. From any thread of the process that picked; no lock, no allocation.
///
/// Errors: as `lw_pick_finish`.
///
/// # Safety
/// `pick` points to a struct of its `struct_size`; `first` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pick_first_token(pick: *const lw_pick, now_ns: u64, first: *mut u32) -> lw_status {
    guard(|| {
        let mut copy = std::mem::MaybeUninit::uninit();
        // SAFETY: as the caller promises.
        let pick = unsafe { sized::input(pick, &mut copy)? };
        // SAFETY: as the caller promises.
        unsafe { note(pick.pool, pick.ticket, now_ns, first) }
    })
}

/// Notes the first token of a pick by its ticket alone, as `lw_pick_first_token`.
///
/// # Safety
/// `first` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_first_token(pool: lw_pool, ticket: u64, now_ns: u64, first: *mut u32) -> lw_status {
    // SAFETY: as the caller promises.
    guard(|| unsafe { note(pool, ticket, now_ns, first) })
}

/// # Safety
/// `first` is NULL or writable.
unsafe fn note(pool: lw_pool, ticket: u64, now_ns: u64, first: *mut u32) -> Result<(), Fail> {
    let ticket = Ticket::from_u64(ticket);
    let noted = handle::with(pool, |p: &PoolObject| {
        Ok(if now_ns == 0 { p.pool.first_token(ticket)? } else { p.pool.first_token_at(ticket, now_ns)? })
    });
    let was_first = noted.map_err(void_if_closed)?;
    // SAFETY: as the caller promises.
    unsafe { put(first, u32::from(was_first)) };
    Ok(())
}
