//! The hot path: pick and finish. No lock, no allocation.

use std::sync::atomic::Ordering;

use loadwise::{NoNode, NodeRef, Pool, Request, Ticket};

use crate::error::Fail;
use crate::guard::{guard_status, status_of};
use crate::handle;
use crate::outcome::{self, lw_outcome};
use crate::own_strategy::with_key;
use crate::pool::{PoolObject, lw_pool};
use crate::request::{self, lw_request};
use crate::sized::{self, Versioned};
use crate::status::{CLOSED, OK, STALE_TICKET, lw_status};

/// A predicate or an own strategy failed on the way; its candidates were left out.
pub const LW_PICK_CALLBACK_FAILED: u32 = 1;

/// A decision. Plain numbers, free to be copied; finishing one copy finishes all.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_pick {
    /// `sizeof(lw_pick)`, set by the caller before the pick.
    pub struct_size: u32,
    /// Sum of `LW_PICK_CALLBACK_FAILED` or 0.
    pub flags: u32,
    /// The pool that was picked from.
    pub pool: lw_pool,
    /// To be finished, or its node stays busy. Below 2^53. 0: nothing to be finished, from `lw_pool_choose`.
    pub ticket: u64,
    /// The node's place in its pool.
    pub node: u32,
    /// Which of the nodes that had this place.
    pub generation: u32,
    /// The host's own number of the node.
    pub user_data: u64,
}

// SAFETY: begins with struct_size; integers only.
unsafe impl Versioned for lw_pick {}

pub(crate) fn flags(callback_failed: bool) -> u32 {
    if callback_failed { LW_PICK_CALLBACK_FAILED } else { 0 }
}

/// Chooses a node and counts it in flight until the pick is finished. No lock, no allocation. `request` may be NULL: it asks
/// for nothing.
///
/// Returns `LW_OK`, or one of `LW_NO_NODE_*` (see `lw_last_no_node`), with `*pick` as it was.
///
/// # Safety
/// `request` and all it points to is readable; `pick` points to a struct of its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_pick(pool: lw_pool, request: *const lw_request, pick: *mut lw_pick) -> lw_status {
    // SAFETY: as the caller promises.
    unsafe {
        decide(pool, request, pick, |p, request| {
            let lease = p.acquire(request)?;
            Ok((lease.ticket.as_u64(), lease.node, lease.callback_failed))
        })
    }
}

/// Chooses a node as the next pick would, and counts nothing: for hosts that keep their own account of what is in flight.
/// The pick has ticket 0 and need not be finished. Else as `lw_pool_pick`.
///
/// # Safety
/// As `lw_pool_pick`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_choose(pool: lw_pool, request: *const lw_request, pick: *mut lw_pick) -> lw_status {
    // SAFETY: as the caller promises.
    unsafe { decide(pool, request, pick, |p, request| Ok((0, p.choose(request)?, false))) }
}

/// A ticket, a node, and whether a callback failed.
pub(crate) type Decided = Result<(u64, NodeRef, bool), NoNode>;

/// One decision, by `decision`. The usual way first: a pool that this thread has used lately, and a request without lists
/// and callbacks.
#[inline(always)]
unsafe fn decide(
    pool: lw_pool,
    request: *const lw_request,
    pick: *mut lw_pick,
    decision: impl Fn(&Pool, &Request<'_>) -> Decided + Copy,
) -> lw_status {
    guard_status(|| {
        let recent = handle::recent_pool(pool);
        // SAFETY: as the caller promises, here and below.
        if let (Some(p), Some(plain), true) = unsafe { (recent, request::plain(request), sized::is_current(pick)) } {
            // SAFETY: the thread's reference keeps it, and no call of this thread is made meanwhile but from a callback.
            let p = unsafe { &*p };
            if !p.has_own_strategy.load(Ordering::Relaxed) {
                return match decision(&p.pool, &plain) {
                    Ok(decided) => {
                        // SAFETY: it is of this size.
                        unsafe { pick.write(described(&p.pool, pool, decided)) };
                        OK
                    }
                    Err(no_node) => status_of(Err(no_node.into())),
                };
            }
        }
        // SAFETY: as the caller promises.
        unsafe { decide_any(pool, request, pick, decision) }
    })
}

#[inline(never)]
pub(crate) unsafe fn decide_any(
    pool: lw_pool,
    request: *const lw_request,
    pick: *mut lw_pick,
    decision: impl Fn(&Pool, &Request<'_>) -> Decided + Copy,
) -> lw_status {
    // SAFETY: as the caller promises.
    let out = match unsafe { sized::output(pick) } {
        Ok(out) => out,
        Err(fail) => return status_of(Err(fail)),
    };
    // SAFETY: as the caller promises.
    let picked = unsafe {
        by_request(pool, request, decision, |p, (ticket, node, f), failed| {
            described(p, pool, (ticket, node, f | failed))
        })
    };
    status_of(picked.map(|picked| out.write(picked)))
}

/// What a decision comes to for a request of any kind, described by one who is told whether a callback has failed.
///
/// # Safety
/// `request` and all it points to is readable.
pub(crate) unsafe fn by_request<T, R>(
    pool: lw_pool,
    request: *const lw_request,
    decision: impl Fn(&Pool, &Request<'_>) -> Result<T, NoNode>,
    describe: impl FnOnce(&Pool, T, bool) -> R,
) -> Result<R, Fail> {
    handle::with(pool, |p: &PoolObject| {
        handle::remember_pool(pool, p);
        // SAFETY: as the caller promises.
        unsafe {
            request::with(request, |request, failed| {
                // Relaxed: a callback that was just set may miss the key of a pick that is under way.
                let decided = if p.has_own_strategy.load(Ordering::Relaxed) {
                    with_key(request.key, || decision(&p.pool, request))
                } else {
                    decision(&p.pool, request)
                };
                match decided {
                    Ok(decided) => Ok(describe(&p.pool, decided, failed.get())),
                    Err(no_node) => {
                        let callback_failed = no_node.callback_failed | failed.get();
                        Err(NoNode { callback_failed, ..no_node }.into())
                    }
                }
            })
        }
    })
}

#[inline(always)]
pub(crate) fn described(
    pool: &Pool,
    handle: lw_pool,
    (ticket, node, callback_failed): (u64, NodeRef, bool),
) -> lw_pick {
    lw_pick {
        struct_size: size_of::<lw_pick>() as u32,
        flags: flags(callback_failed),
        pool: handle,
        ticket,
        node: node.index,
        generation: node.generation,
        user_data: pool.user_data_of(node),
    }
}

/// Ends a pick: in flight falls, and the outcome is learned from. Once only, from any thread of the process that picked.
///
/// Errors: `LW_ERR_STALE_TICKET` if it was finished before, timed out, was taken before a fork, or its pool was freed;
/// `LW_ERR_INVALID_TICKET` if it never was a ticket of this pool. Nothing is changed then.
///
/// # Safety
/// `pick` and `outcome` point to structs of their `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pick_finish(pick: *const lw_pick, outcome: *const lw_outcome) -> lw_status {
    guard_status(|| {
        // SAFETY: as the caller promises, here and below.
        if unsafe { sized::is_current(pick) } {
            // SAFETY: it is of this size.
            let pick = unsafe { &*pick };
            // SAFETY: as the caller promises.
            return unsafe { release(pick.pool, pick.ticket, outcome) };
        }
        let mut copy = std::mem::MaybeUninit::uninit();
        // SAFETY: as the caller promises.
        match unsafe { sized::input(pick, &mut copy) } {
            // SAFETY: as the caller promises.
            Ok(pick) => unsafe { release_any(pick.pool, pick.ticket, outcome) },
            Err(fail) => status_of(Err(fail)),
        }
    })
}

/// Ends a pick by its ticket alone, as `lw_pick_finish`.
///
/// # Safety
/// `outcome` points to a struct of its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_release(pool: lw_pool, ticket: u64, outcome: *const lw_outcome) -> lw_status {
    // SAFETY: as the caller promises.
    guard_status(|| unsafe { release(pool, ticket, outcome) })
}

/// The usual way first: a pool that this thread has used lately, and a success.
#[inline(always)]
unsafe fn release(pool: lw_pool, ticket: u64, outcome: *const lw_outcome) -> lw_status {
    // SAFETY: as the caller promises.
    if let (Some(p), Some(success)) = unsafe { (handle::recent_pool(pool), outcome::success(outcome)) } {
        // SAFETY: the thread's reference keeps it, and no call of this thread is made meanwhile but from a callback.
        return match unsafe { &*p }.pool.release(Ticket::from_u64(ticket), success) {
            Ok(()) => OK,
            Err(error) => status_of(Err(error.into())),
        };
    }
    // SAFETY: as the caller promises.
    unsafe { release_any(pool, ticket, outcome) }
}

#[inline(never)]
unsafe fn release_any(pool: lw_pool, ticket: u64, outcome: *const lw_outcome) -> lw_status {
    // SAFETY: as the caller promises.
    let released = unsafe {
        outcome::with(outcome, |report| {
            handle::with(pool, |p: &PoolObject| {
                handle::remember_pool(pool, p);
                Ok(p.pool.release(Ticket::from_u64(ticket), report)?)
            })
        })
    };
    status_of(released.map_err(void_if_closed))
}

/// A ticket is void after its pool is freed.
#[cold]
pub(crate) fn void_if_closed(fail: Fail) -> Fail {
    match fail.status() {
        CLOSED => Fail::explained(STALE_TICKET, "stale ticket: its pool was freed"),
        _ => fail,
    }
}
