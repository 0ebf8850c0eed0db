//! Candidates as callbacks see them, valid while the callback runs.

use std::cell::Cell;
use std::ffi::c_char;

use loadwise::health::HealthStatus;
use loadwise::{Candidate, HealthAware, LoadMetric, Node, PoolNode, RateMetric, Text, Weighted};

use crate::error::Fail;
use crate::guard::guard;
use crate::handle::InCallback;
use crate::node::{LW_NODE_HAS_LOAD, LW_NODE_HAS_REMAINING, lw_node_status};
use crate::sized::{self, present};
use crate::status::{INVALID_ARGUMENT, INVALID_HANDLE, lw_status};
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
    /// Calls `f`, a callback, in which these candidates may be looked at.
    pub(crate) fn show<R>(candidates: &[lw_candidate], f: impl FnOnce() -> R) -> R {
        struct Leave(*const Scope);
        impl Drop for Leave {
            fn drop(&mut self) {
                INNERMOST.set(self.0);
            }
        }
        let scope = Self { first: candidates.as_ptr(), len: candidates.len(), outer: INNERMOST.get() };
        let _leave = Leave(scope.outer);
        let _callback = InCallback::enter();
        INNERMOST.set(&raw const scope);
        f()
    }
}

/// A candidate of either kind, while its callback runs.
enum Shown<'a> {
    Request(&'a Candidate<'a>),
    Own(&'a PoolNode),
}

/// What a pointer of a callback's stands for, if that callback is under way in this thread.
fn shown<'a>(candidate: *const lw_candidate) -> Result<Shown<'a>, Fail> {
    present(candidate)?;
    let mut scope = INNERMOST.get();
    while !scope.is_null() {
        // SAFETY: scopes leave the list before they leave the stack.
        let here = unsafe { &*scope };
        let offset = (candidate as usize).wrapping_sub(here.first as usize);
        if offset < here.len * size_of::<lw_candidate>() && offset % size_of::<lw_candidate>() == 0 {
            // SAFETY: it points to one of the candidates of a callback that is under way; they live while it runs.
            return Ok(unsafe {
                match (*candidate).view {
                    View::Request(candidate) => Shown::Request(&*candidate.cast()),
                    View::Own(node) => Shown::Own(&*node),
                }
            });
        }
        scope = here.outer;
    }
    Err(Fail::explained(INVALID_HANDLE, "not a candidate of a callback that is under way in this thread"))
}

impl Shown<'_> {
    fn id(&self) -> Text {
        match self {
            Self::Request(candidate) => candidate.id(),
            Self::Own(node) => Text::from(node.id()).unwrap_or_default(),
        }
    }

    fn address(&self) -> Text {
        match self {
            Self::Request(candidate) => candidate.address(),
            Self::Own(node) => Text::from(node.address()).unwrap_or_default(),
        }
    }

    fn has_label(&self, key: &str, value: &str) -> bool {
        match self {
            Self::Request(candidate) => candidate.has_label(key, value),
            Self::Own(node) => node.has_label(key, value),
        }
    }

    fn status(&self) -> lw_node_status {
        let known = |flag: u32, value: Option<f64>| (if value.is_some() { flag } else { 0 }, value.unwrap_or(0.0));
        let (node, weight, health, in_flight, user_data, load, remaining_ratio) = match self {
            Self::Request(c) => {
                (c.node(), c.weight(), c.health(), c.in_flight(), c.user_data(), c.load(), c.remaining_ratio())
            }
            Self::Own(n) => {
                let (load, remaining_ratio) = (Some(n.load_score()), Some(n.remaining_ratio()));
                (n.node(), n.weight(), n.health_status(), n.in_flight(), n.user_data(), load, remaining_ratio)
            }
        };
        let (has_load, load) = known(LW_NODE_HAS_LOAD, load);
        let (has_remaining, remaining_ratio) = known(LW_NODE_HAS_REMAINING, remaining_ratio);
        lw_node_status {
            struct_size: size_of::<lw_node_status>() as u32,
            flags: has_load | has_remaining,
            node: node.index,
            generation: node.generation,
            weight,
            health: health_bit(health),
            consecutive_failures: 0,
            reserved: 0,
            in_flight,
            user_data,
            latency_ns: 0.0,
            load,
            remaining_ratio,
            tier: 0,
            breaker: 0,
            max_in_flight: 0,
            reserved_2: 0,
            warming: 0.0,
            success_rate: 0.0,
            hold_until_ns: 0,
        }
    }
}

pub(crate) fn health_bit(health: HealthStatus) -> u32 {
    u32::from(health.bit_flag())
}

/// The state of one of `LW_HEALTH_*`.
pub(crate) fn health_of(bit: u32) -> Result<HealthStatus, Fail> {
    let found = HealthStatus::ALL.into_iter().find(|health| health_bit(*health) == bit);
    found.ok_or(Fail::Status(INVALID_ARGUMENT))
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
        let text = shown(candidate)?.id();
        // SAFETY: as the caller promises.
        unsafe { copy_out(&text, buffer, capacity, len) }
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
        let text = shown(candidate)?.address();
        // SAFETY: as the caller promises.
        unsafe { copy_out(&text, buffer, capacity, len) }
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
        let answer = shown(candidate)?.has_label(key, value);
        // SAFETY: as the caller promises.
        unsafe { put(has, u32::from(answer)) };
        Ok(())
    })
}

/// The candidate at this moment; without latency, failures in a row, and all that follows `remaining_ratio`. For own
/// strategies, load and remaining ratio are always known: what was reported, else what is in flight and 1.0.
///
/// # Safety
/// `status` points to a struct of its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_candidate_status(candidate: *const lw_candidate, status: *mut lw_node_status) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { sized::output(status)? };
        out.write(shown(candidate)?.status());
        Ok(())
    })
}
