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
    /// Which are given: sum of `LW_NODE_HAS_LOAD` and `LW_NODE_HAS_REMAINING`. What is not stays as it was.
    pub flags: u32,
    /// Lower is better; any unit, the same for all nodes. NaN and infinities are worst.
    pub load: f64,
    /// The share of its quota that is left, 0.0 to 1.0.
    pub remaining_ratio: f64,
}

// SAFETY: begins with struct_size; integers and floats only.
unsafe impl Versioned for lw_load {}

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
        let (id, report) = unsafe { (id.text()?, outcome::read(outcome)?) };
        let has_changed = pool::with(pool, |p| Ok(p.report(id, report)?))?;
        // SAFETY: as the caller promises.
        unsafe { put(changed, u32::from(has_changed)) };
        Ok(())
    })
}

/// Tells a node's load, for `least_load`, `p2c` with `load: reported`, and `most_available`.
///
/// Errors: `LW_ERR_UNKNOWN_NODE`; `LW_ERR_CONFIG` for a remaining ratio outside of 0.0 to 1.0.
///
/// # Safety
/// `id` is readable; `load` points to a struct of its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_report_load(pool: lw_pool, id: lw_str, load: *const lw_load) -> lw_status {
    guard(|| {
        let mut copy = MaybeUninit::uninit();
        // SAFETY: as the caller promises.
        let (id, load) = unsafe { (id.text()?, sized::input(load, &mut copy)?) };
        if load.flags & !(LW_NODE_HAS_LOAD | LW_NODE_HAS_REMAINING) != 0 {
            return Err(Fail::Status(INVALID_ARGUMENT));
        }
        let load = Load {
            load: (load.flags & LW_NODE_HAS_LOAD != 0).then_some(load.load),
            remaining_ratio: (load.flags & LW_NODE_HAS_REMAINING != 0).then_some(load.remaining_ratio),
            ..Load::default()
        };
        pool::with(pool, |p| Ok(p.report_load(id, load)?))
    })
}
