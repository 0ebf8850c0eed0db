//! Sessions and the nodes that they stay on.

use crate::guard::guard;
use crate::node::lw_node_ref;
use crate::pool::{self, lw_pool};
use crate::sized::present;
use crate::status::lw_status;
use crate::text::{lw_str, put};
use crate::version::time;

/// The node that a session is remembered with, whether or not it may take the session now: 1 into `*known` and the node
/// into `*node`, or 0 into `*known` with `*node` as it was. `now_ns` 0 reads the clock.
///
/// # Safety
/// `session` is readable, `node` and `known` are writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_affinity(
    pool: lw_pool,
    session: lw_str,
    now_ns: u64,
    node: *mut lw_node_ref,
    known: *mut u32,
) -> lw_status {
    guard(|| {
        present(node)?;
        present(known)?;
        // SAFETY: as the caller promises.
        let session = unsafe { session.bytes()? };
        let found = pool::with(pool, |p| Ok(p.affinity_at(session, time(now_ns))))?;
        // SAFETY: as the caller promises.
        unsafe {
            put(known, u32::from(found.is_some()));
            if let Some(found) = found {
                put(node, found.into());
            }
        }
        Ok(())
    })
}

/// Remembers a session, any bytes, with a node. `now_ns` 0 reads the clock.
///
/// Errors: `LW_ERR_UNKNOWN_NODE`; `LW_ERR_CONFIG` if the pool has no `affinity`.
///
/// # Safety
/// `session` and `id` are readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_set_affinity(pool: lw_pool, session: lw_str, id: lw_str, now_ns: u64) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let (session, id) = unsafe { (session.bytes()?, id.text()?) };
        pool::with(pool, |p| Ok(p.set_affinity_at(session, id, time(now_ns))?))
    })
}

/// Forgets a session: 1 into `*known` if it was remembered, else 0; `known` may be NULL.
///
/// # Safety
/// `session` is readable; `known` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_clear_affinity(pool: lw_pool, session: lw_str, known: *mut u32) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let session = unsafe { session.bytes()? };
        let was_known = pool::with(pool, |p| Ok(p.clear_affinity(session)))?;
        // SAFETY: as the caller promises.
        unsafe { put(known, u32::from(was_known)) };
        Ok(())
    })
}

/// Moves the sessions that nodes which joined since the last time are due, all at once; how many into `*moved`, which may
/// be NULL. Needed with `affinity.rebalance: manual` alone. `now_ns` 0 reads the clock.
///
/// # Safety
/// `moved` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_rebalance(pool: lw_pool, now_ns: u64, moved: *mut u64) -> lw_status {
    guard(|| {
        let count = pool::with(pool, |p| Ok(p.rebalance_at(time(now_ns))))?;
        // SAFETY: as the caller promises.
        unsafe { put(moved, count) };
        Ok(())
    })
}
