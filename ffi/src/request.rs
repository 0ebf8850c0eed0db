//! What a request asks of a decision.

use std::cell::Cell;
use std::ffi::c_void;
use std::mem::MaybeUninit;

use loadwise::{Candidate, NodeRef, Request};

use crate::amount::lw_amount;
use crate::candidate::{Scope, lw_candidate};
use crate::error::Fail;
use crate::few::Few;
use crate::node::lw_node_ref;
use crate::sized::{self, Versioned};
use crate::status::INVALID_ARGUMENT;
use crate::text::{array, lw_str};

/// Has the last word on a candidate: more than 0 takes it, 0 refuses it, less than 0 says that the callback failed, which
/// refuses it and is told by the pick. `candidate` is valid during the call alone. Must return: no `longjmp`, no C++
/// exception may leave it.
pub type lw_predicate = Option<unsafe extern "C" fn(candidate: *const lw_candidate, data: *mut c_void) -> i32>;

/// A label and its text.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_label {
    /// UTF-8.
    pub key: lw_str,
    /// UTF-8.
    pub value: lw_str,
}

/// What a request asks for. All zero but `struct_size` asks for nothing; so does NULL in its place.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_request {
    /// `sizeof(lw_request)`.
    pub struct_size: u32,
    /// Allowed health states, a sum of `LW_HEALTH_*`; 0: all but unhealthy.
    pub health_mask: u32,
    /// What hash strategies hash: any bytes. `data` NULL is no key, and a random node; `len` 0 is the empty key.
    pub key: lw_str,
    /// Ids that must not be chosen; unknown ones are ignored.
    pub exclude: *const lw_str,
    /// How many.
    pub exclude_len: usize,
    /// Nodes that must not be chosen, as earlier picks named them; those that are gone are ignored.
    pub exclude_nodes: *const lw_node_ref,
    /// How many.
    pub exclude_nodes_len: usize,
    /// Labels that a node must have, all of them.
    pub require: *const lw_label,
    /// How many.
    pub require_len: usize,
    /// Has the last word on a candidate; NULL: none.
    pub predicate: lw_predicate,
    /// Given to `predicate`.
    pub predicate_data: *mut c_void,
    /// The time, on the clock of `lw_now_ns`; 0: the clock is read where a rule needs it.
    pub now_ns: u64,
    /// The caller's zone, for pools that prefer near nodes; empty: the pool's own.
    pub zone: lw_str,
    /// Whose session it is, any bytes: a client's address, a user's id, a cookie. A pool with `affinity` keeps it on its
    /// node. `data` NULL is none.
    pub session: lw_str,
    /// What the request is expected to use of the quotas. Unknown dimensions are unlimited; those that are not named cost
    /// their `default_cost`.
    pub cost: *const lw_amount,
    /// How many.
    pub cost_len: usize,
}

// SAFETY: begins with struct_size; integers, raw pointers and an optional function, which may be zero.
unsafe impl Versioned for lw_request {
    // Without zone, session and cost.
    const OLDER: &'static [u32] = &[96];
}

const ANYTHING: lw_request = lw_request {
    struct_size: size_of::<lw_request>() as u32,
    health_mask: 0,
    key: NONE,
    exclude: std::ptr::null(),
    exclude_len: 0,
    exclude_nodes: std::ptr::null(),
    exclude_nodes_len: 0,
    require: std::ptr::null(),
    require_len: 0,
    predicate: None,
    predicate_data: std::ptr::null_mut(),
    now_ns: 0,
    zone: NONE,
    session: NONE,
    cost: std::ptr::null(),
    cost_len: 0,
};

const NONE: lw_str = lw_str { data: std::ptr::null(), len: 0 };

/// The request, if it has neither lists, zone, session nor callbacks, and nothing is wrong with it.
///
/// # Safety
/// `request` is NULL or points to a struct of its `struct_size`, and its key is readable.
#[inline(always)]
pub(crate) unsafe fn plain<'a>(request: *const lw_request) -> Option<Request<'a>> {
    let mut plain = Request::new();
    if request.is_null() {
        return Some(plain);
    }
    // SAFETY: as the caller promises; only read if it is of this size.
    let given = unsafe { if sized::is_current(request) { &*request } else { return None } };
    let lists = given.exclude_len | given.exclude_nodes_len | given.require_len | given.cost_len | given.zone.len;
    let sessions = given.session.len | given.session.data.addr();
    if lists | sessions != 0
        || given.predicate.is_some()
        || given.health_mask > 0xF
        || given.key.len > isize::MAX as usize
    {
        return None;
    }
    if !given.key.data.is_null() {
        // SAFETY: not NULL, not larger than an object may be, and as the caller promises.
        plain.key = Some(unsafe { std::slice::from_raw_parts(given.key.data.cast(), given.key.len) });
    } else if given.key.len != 0 {
        return None;
    }
    plain.health_mask = given.health_mask as u8;
    plain.now_ns = (given.now_ns != 0).then_some(given.now_ns);
    Some(plain)
}

/// Calls `f` with the request, and with whether a callback has failed.
///
/// # Safety
/// All that `request` points to is readable, and written by nobody during the call.
#[inline(always)]
pub(crate) unsafe fn with<R>(
    request: *const lw_request,
    f: impl FnOnce(&Request<'_>, &Cell<bool>) -> Result<R, Fail>,
) -> Result<R, Fail> {
    let mut copy = MaybeUninit::uninit();
    // SAFETY: as the caller promises, here and below.
    let given = if request.is_null() { &ANYTHING } else { unsafe { sized::input(request, &mut copy)? } };
    if given.health_mask > 0xF {
        return Err(Fail::Status(INVALID_ARGUMENT));
    }
    let (mut exclude, mut exclude_nodes, mut require, mut cost) = (Few::new(), Few::new(), Few::new(), Few::new());
    let failed = Cell::new(false);
    let callback = given.predicate;
    let predicate = |candidate: &Candidate<'_>| match callback {
        None => true,
        Some(callback) => {
            let shown = [lw_candidate::of_request(candidate)];
            // SAFETY: the caller's function, with what it asked for.
            match Scope::show(&shown, || unsafe { callback(&raw const shown[0], given.predicate_data) }) {
                0 => false,
                1.. => true,
                _ => {
                    failed.set(true);
                    false
                }
            }
        }
    };
    let mut request = Request::new();
    if !given.key.data.is_null() || given.key.len != 0 {
        // SAFETY: as above. A key of no bytes is a key.
        request.key = Some(unsafe { given.key.bytes()? });
    }
    // SAFETY: as above.
    unsafe {
        request.exclude = exclude.fill(array(given.exclude, given.exclude_len)?, |id: &lw_str| id.text())?;
        request.exclude_nodes = exclude_nodes
            .fill(array(given.exclude_nodes, given.exclude_nodes_len)?, |node: &lw_node_ref| {
                Ok(NodeRef::from(*node))
            })?;
        request.require = require.fill(array(given.require, given.require_len)?, |label: &lw_label| {
            Ok((label.key.text()?, label.value.text()?))
        })?;
        let zone = given.zone.text()?;
        request.zone = (!zone.is_empty()).then_some(zone);
        request.cost = cost.fill(array(given.cost, given.cost_len)?, |amount: &lw_amount| amount.read())?;
    }
    if !given.session.data.is_null() || given.session.len != 0 {
        // SAFETY: as above. A session of no bytes is a session.
        request.session = Some(unsafe { given.session.bytes()? });
    }
    request.health_mask = given.health_mask as u8;
    request.now_ns = (given.now_ns != 0).then_some(given.now_ns);
    if callback.is_some() {
        request.predicate = Some(&predicate);
    }
    f(&request, &failed)
}
