//! What hosts know of a node without having picked it.

use std::mem::MaybeUninit;

use loadwise::Load;

use crate::error::Fail;
use crate::guard::guard;
use crate::node::{LW_NODE_HAS_LOAD, LW_NODE_HAS_REMAINING};
use crate::outcome::{self, lw_outcome};
use crate::pool::{self, lw_pool};
use crate::sized::{self, Versioned};
use crate::status::{INVALID_ARGUMENT, lw_status};
use crate::text::{lw_str, put};

/// What a node says of itself, or what a host measured of it.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_load {
    /// `sizeof(lw_load)`.
    pub struct_size: u32,
    /// Which are given: sum of `LW_NODE_HAS_LOAD`, `LW_NODE_HAS_REMAINING` and `LW_LOAD_HAS_*`. What is not stays as it was.
    pub flags: u32,
    /// Lower is better; any unit, the same for all nodes. NaN and infinities are worst.
    pub load: f64,
    /// The share of its quota that is left, 0.0 to 1.0.
    pub remaining_ratio: f64,
    /// Requests a second that the node serves; with `utilization`, for `reported_load`.
    pub requests_per_s: f64,
    /// The share of the node's capacity that is in use; above 1.0 it is overloaded.
    pub utilization: f64,
    /// Errors a second that the node answers with.
    pub errors_per_s: f64,
    /// The time of the report, on the clock of `lw_now_ns`; 0: the clock is read where it is needed.
    pub now_ns: u64,
}

// SAFETY: begins with struct_size; integers and floats only.
unsafe impl Versioned for lw_load {
    // Up to `remaining_ratio`.
    const OLDER: &'static [u32] = &[24];
}

/// `requests_per_s` of a load is given.
pub const LW_LOAD_HAS_REQUESTS: u32 = 256;
/// `utilization` of a load is given.
pub const LW_LOAD_HAS_UTILIZATION: u32 = 512;
/// `errors_per_s` of a load is given.
pub const LW_LOAD_HAS_ERRORS: u32 = 1024;

const KNOWN: u32 =
    LW_NODE_HAS_LOAD | LW_NODE_HAS_REMAINING | LW_LOAD_HAS_REQUESTS | LW_LOAD_HAS_UTILIZATION | LW_LOAD_HAS_ERRORS;

/// Tells of an attempt at a node that was no pick: an active check, or traffic that took another way. 1 into `*changed` if
/// the node's health changed, else 0; `changed` may be NULL.
///
/// Errors: `LW_ERR_UNKNOWN_NODE`.
///
/// # Safety
/// `id` is readable; `outcome` points to a struct of its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_report(
    pool: lw_pool,
    id: lw_str,
    outcome: *const lw_outcome,
    changed: *mut u32,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let id = unsafe { id.text()? };
        // SAFETY: as the caller promises.
        let has_changed = unsafe { outcome::with(outcome, |report| pool::with(pool, |p| Ok(p.report(id, report)?)))? };
        // SAFETY: as the caller promises.
        unsafe { put(changed, u32::from(has_changed)) };
        Ok(())
    })
}

/// Tells a node's load, for `least_load`, `p2c` with `load: reported`, `most_available`, and `reported_load`.
///
/// Errors: `LW_ERR_UNKNOWN_NODE`; `LW_ERR_CONFIG` for a remaining ratio outside of 0.0 to 1.0, or a rate that is
/// below 0 or no number.
///
/// # Safety
/// `id` is readable; `load` points to a struct of its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_report_load(pool: lw_pool, id: lw_str, load: *const lw_load) -> lw_status {
    guard(|| {
        let mut copy = MaybeUninit::uninit();
        // SAFETY: as the caller promises.
        let (id, load) = unsafe { (id.text()?, sized::input(load, &mut copy)?) };
        if load.flags & !KNOWN != 0 {
            return Err(Fail::Status(INVALID_ARGUMENT));
        }
        let given = |flag: u32, number: f64| (load.flags & flag != 0).then_some(number);
        let load = Load {
            load: given(LW_NODE_HAS_LOAD, load.load),
            remaining_ratio: given(LW_NODE_HAS_REMAINING, load.remaining_ratio),
            requests_per_s: given(LW_LOAD_HAS_REQUESTS, load.requests_per_s),
            utilization: given(LW_LOAD_HAS_UTILIZATION, load.utilization),
            errors_per_s: given(LW_LOAD_HAS_ERRORS, load.errors_per_s),
            now_ns: (load.now_ns != 0).then_some(load.now_ns),
        };
        pool::with(pool, |p| Ok(p.report_load(id, load)?))
    })
}
