//! Active checks: the pool says which are due, the host does the I/O and reports.

use std::time::Duration;

use loadwise::CheckDue;

use crate::guard::guard;
use crate::pool::{self, lw_pool};
use crate::sized::{self, Versioned, present};
use crate::status::lw_status;
use crate::text::{lw_str, put};
use crate::version::time;

/// A check that the caller is to make. The node's texts are copied out by `lw_node_*`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_check {
    /// `sizeof(lw_check)`, set by the caller; in an array, of the first.
    pub struct_size: u32,
    /// As `lw_pick.node`.
    pub node: u32,
    /// As `lw_pick.generation`.
    pub generation: u32,
    /// 0.
    pub reserved: u32,
    /// Until when to report, on the clock of `lw_now_ns`; then somebody else is asked to make it.
    pub deadline_ns: u64,
}

// SAFETY: begins with struct_size; integers only.
unsafe impl Versioned for lw_check {}

impl From<&CheckDue> for lw_check {
    fn from(due: &CheckDue) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            node: due.node.index,
            generation: due.node.generation,
            reserved: 0,
            deadline_ns: due.deadline_ns,
        }
    }
}

/// The checks that are due, for this caller to make and to tell by `lw_pool_report_check`: nobody else, in any process, is
/// told of them until their deadlines. Into `checks[0]` to `checks[*len - 1]`, as `lw_pool_nodes` does. None unless the
/// configuration has `checks`. To be called from a timer, about once a second. `now_ns` 0 reads the clock.
///
/// While a check is due, `capacity` must be that of all nodes: less is `LW_ERR_BUFFER_TOO_SMALL` with that number in `*len`,
/// and nobody makes a check then. With `checks` NULL and `capacity` 0, tells that number alone; 0 while none is due.
///
/// # Safety
/// `checks` has room for `capacity` structs of its `struct_size`; `len` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_checks_due(
    pool: lw_pool,
    now_ns: u64,
    checks: *mut lw_check,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { sized::outputs(checks, capacity, len)? };
        let now_ns = time(now_ns);
        let due = pool::with(pool, |p| {
            let is_due = p.next_check_ns().is_some_and(|next| next <= now_ns);
            let room = if is_due { p.len() } else { 0 };
            // Asked for before any check is taken: one that is taken and not handed out would be made by nobody.
            Ok(if out.has_room(room)? { Some(p.checks_due(now_ns)) } else { None })
        })?;
        match due {
            Some(due) => out.write(due.iter().map(lw_check::from)),
            None => Ok(()),
        }
    })
}

/// When a check is due next, into `*next_ns`, on the clock of `lw_now_ns`; `UINT64_MAX`: never, without checks or nodes.
///
/// # Safety
/// `next_ns` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_next_check(pool: lw_pool, next_ns: *mut u64) -> lw_status {
    guard(|| {
        present(next_ns)?;
        let next = pool::with(pool, |p| Ok(p.next_check_ns()))?;
        // SAFETY: as the caller promises.
        unsafe { put(next_ns, next.unwrap_or(u64::MAX)) };
        Ok(())
    })
}

/// Tells the result of a check: `ok` not 0 if the node answered as it should, in `latency_ns` (0: not measured). After
/// `checks.failure_threshold` failures in a row the node is unhealthy, after `checks.success_threshold` successes healthy;
/// failures within the grace of a new node do not count. `now_ns` 0 reads the clock. 1 into `*changed` if the node's health
/// changed, else 0; `changed` may be NULL.
///
/// Errors: `LW_ERR_UNKNOWN_NODE`.
///
/// # Safety
/// `id` is readable; `changed` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_report_check(
    pool: lw_pool,
    id: lw_str,
    ok: u32,
    latency_ns: u64,
    now_ns: u64,
    changed: *mut u32,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let id = unsafe { id.text()? };
        let latency = (latency_ns != 0).then(|| Duration::from_nanos(latency_ns));
        let has_changed = pool::with(pool, |p| Ok(p.report_check(id, ok != 0, latency, Some(time(now_ns)))?))?;
        // SAFETY: as the caller promises.
        unsafe { put(changed, u32::from(has_changed)) };
        Ok(())
    })
}
