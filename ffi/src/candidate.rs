//! Candidates as callbacks see them, valid while the callback runs.

use std::cell::Cell;
use std::ffi::c_char;
use std::mem::MaybeUninit;

use loadwise::health::HealthStatus;
use loadwise::{Candidate, HealthAware, LoadMetric, Node, PoolNode, RateMetric, Weighted};

use crate::error::Fail;
use crate::guard::guard;
use crate::node::{LW_NODE_HAS_LOAD, LW_NODE_HAS_REMAINING, lw_node_status};
use crate::sized::{self, present};
use crate::status::{INVALID_HANDLE, lw_status};
use crate::text::{copy_out, lw_str, put};

/// A node that may be chosen, in the hands of a callback. To be asked by `lw_candidate_*` during the callback, in its
/// thread; at any other time it is refused.
pub struct lw_candidate {
    view: View,
}

/// Lifetimes are not told to C: [`Scope`] keeps them.
enum View {
    Request(*const Candidate<'static>),
    Own(*const PoolNode),
}

impl lw_candidate {
    pub(crate) fn of_request(candidate: &Candidate<'_>) -> Self {
        Self { view: View::Request(std::ptr::from_ref(candidate).cast()) }
    }

    pub(crate) fn of_own(node: &PoolNode) -> Self {
        Self { view: View::Own(node) }
    }
}

/// The candidates that a callback under way may look at.
pub(crate) struct Scope {
    first: *const lw_candidate,
    len: usize,
    outer: *const Scope,
}

thread_local! {
    static INNERMOST: Cell<*const Scope> = const { Cell::new(std::ptr::null()) };
}

impl Scope {
    /// Calls `f`, in which these candidates may be looked at.
    pub(crate) fn show<R>(candidates: &[lw_candidate], f: impl FnOnce() -> R) -> R {
        struct Leave(*const Scope);
        impl Drop for Leave {
            fn drop(&mut self) {
                INNERMOST.set(self.0);
            }
        }
        let scope = Self { first: candidates.as_ptr(), len: candidates.len(), outer: INNERMOST.get() };
        let _leave = Leave(scope.outer);
        INNERMOST.set(&raw const scope);
        f()
    }
}

/// What a pointer of a callback's stands for, if that callback is under way in this thread.
fn shown<'a>(candidate: *const lw_candidate) -> Result<&'a View, Fail> {
    present(candidate)?;
    let mut scope = INNERMOST.get();
    while !scope.is_null() {
        // SAFETY: scopes leave the list before they leave the stack.
        let here = unsafe { &*scope };
        let offset = (candidate as usize).wrapping_sub(here.first as usize);
        if offset < here.len * size_of::<lw_candidate>() && offset % size_of::<lw_candidate>() == 0 {
            // SAFETY: it points to one of the candidates of a callback that is under way.
            return Ok(unsafe { &(*candidate).view });
        }
        scope = here.outer;
    }
    Err(Fail::explained(INVALID_HANDLE, "not a candidate of a callback that is under way in this thread"))
}

/// Asks a candidate of either kind.
macro_rules! ask {
    ($candidate:expr, $node:ident => $request:expr, $own:expr) => {
        match shown($candidate)? {
            // SAFETY: the callback's candidates live while it runs.
            View::Request(candidate) => {
                let $node = unsafe { &**candidate };
                $request
            }
            // SAFETY: as above.
            View::Own(node) => {
                let $node = unsafe { &**node };
                $own
            }
        }
    };
}

pub(crate) fn health_bit(health: HealthStatus) -> u32 {
    u32::from(health.bit_flag())
}

/// Copies the candidate's id out, as `lw_node_id`.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_candidate_id(
    candidate: *const lw_candidate,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        ask!(candidate, c => unsafe { copy_out(&c.id(), buffer, capacity, len) }, unsafe {
            copy_out(c.id(), buffer, capacity, len)
        })
    })
}

/// Copies the candidate's address out, as `lw_node_address`.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_candidate_address(
    candidate: *const lw_candidate,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        ask!(candidate, c => unsafe { copy_out(&c.address(), buffer, capacity, len) }, unsafe {
            copy_out(c.address(), buffer, capacity, len)
        })
    })
}

/// Whether the candidate has a label of this text: 1 or 0 into `*has`.
///
/// # Safety
/// The texts are readable, `has` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_candidate_has_label(
    candidate: *const lw_candidate,
    key: lw_str,
    value: lw_str,
    has: *mut u32,
) -> lw_status {
    guard(|| {
        present(has)?;
        // SAFETY: as the caller promises.
        let (key, value) = unsafe { (key.text()?, value.text()?) };
        let answer = ask!(candidate, c => c.has_label(key, value), c.has_label(key, value));
        // SAFETY: as the caller promises.
        unsafe { put(has, u32::from(answer)) };
        Ok(())
    })
}

/// The candidate at this moment; without latency and failures in a row. For own strategies, load and remaining ratio are
/// always known: what was reported, else what is in flight and 1.0.
///
/// # Safety
/// `status` points to a struct of its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_candidate_status(candidate: *const lw_candidate, status: *mut lw_node_status) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { sized::output(status)? };
        // SAFETY: integers and floats, which may be zero.
        let zero: lw_node_status = unsafe { MaybeUninit::zeroed().assume_init() };
        let described = ask!(candidate, c => lw_node_status {
            node: c.node().index,
            generation: c.node().generation,
            weight: c.weight(),
            health: health_bit(c.health()),
            in_flight: c.in_flight(),
            user_data: c.user_data(),
            load: c.load().unwrap_or(0.0),
            remaining_ratio: c.remaining_ratio().unwrap_or(0.0),
            flags: c.load().map_or(0, |_| LW_NODE_HAS_LOAD) | c.remaining_ratio().map_or(0, |_| LW_NODE_HAS_REMAINING),
            ..zero
        }, lw_node_status {
            flags: LW_NODE_HAS_LOAD | LW_NODE_HAS_REMAINING,
            node: c.node().index,
            generation: c.node().generation,
            weight: c.weight(),
            health: health_bit(c.health_status()),
            in_flight: c.in_flight(),
            user_data: c.user_data(),
            load: c.load_score(),
            remaining_ratio: c.remaining_ratio(),
            ..zero
        });
        out.write(described);
        Ok(())
    })
}
