//! What a request asks of a decision.

use std::cell::Cell;
use std::ffi::c_void;
use std::mem::MaybeUninit;

use arrayvec::ArrayVec;
use loadwise::{Candidate, NodeRef, Request};

use crate::candidate::{Scope, lw_candidate};
use crate::error::Fail;
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
}

// SAFETY: begins with struct_size; integers, raw pointers and an optional function, which may be zero.
unsafe impl Versioned for lw_request {}

const ANYTHING: lw_request = lw_request {
    struct_size: size_of::<lw_request>() as u32,
    health_mask: 0,
    key: lw_str { data: std::ptr::null(), len: 0 },
    exclude: std::ptr::null(),
    exclude_len: 0,
    exclude_nodes: std::ptr::null(),
    exclude_nodes_len: 0,
    require: std::ptr::null(),
    require_len: 0,
    predicate: None,
    predicate_data: std::ptr::null_mut(),
    now_ns: 0,
};

/// A list without allocation while it is short.
struct Few<T> {
    inline: ArrayVec<T, 32>,
    heap: Vec<T>,
}

impl<T> Few<T> {
    #[inline(always)]
    fn new() -> Self {
        Self { inline: ArrayVec::new_const(), heap: Vec::new() }
    }

    #[inline(always)]
    fn fill<C>(&mut self, items: &[C], convert: impl Fn(&C) -> Result<T, Fail>) -> Result<&[T], Fail> {
        if items.len() <= self.inline.capacity() {
            for item in items {
                self.inline.push(convert(item)?);
            }
            return Ok(&self.inline);
        }
        for item in items {
            self.heap.push(convert(item)?);
        }
        Ok(&self.heap)
    }
}

/// The request, if it has neither lists nor callbacks, and nothing is wrong with it.
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
    let lists = given.exclude_len | given.exclude_nodes_len | given.require_len;
    if lists != 0 || given.predicate.is_some() || given.health_mask > 0xF || given.key.len > isize::MAX as usize {
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
    let (mut exclude, mut exclude_nodes, mut require) = (Few::new(), Few::new(), Few::new());
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
    }
    request.health_mask = given.health_mask as u8;
    request.now_ns = (given.now_ns != 0).then_some(given.now_ns);
    if callback.is_some() {
        request.predicate = Some(&predicate);
    }
    f(&request, &failed)
}
