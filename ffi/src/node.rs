//! One node of a pool, named by its place and generation, as picks name it.

use std::ffi::c_char;

use loadwise::{NodeRef, NodeStatus, Pool, Ticket};

use crate::candidate::health_bit;
use crate::error::Fail;
use crate::guard::guard;
use crate::pick::void_if_closed;
use crate::pool::{self, lw_pool};
use crate::sized::{Versioned, present};
use crate::status::{UNKNOWN_NODE, lw_status};
use crate::text::{copy_out, lw_str, put};

/// A node's place in a pool, and the generation that tells it from the nodes that had the place before.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_node_ref {
    /// As `lw_pick.node`.
    pub node: u32,
    /// As `lw_pick.generation`.
    pub generation: u32,
}

impl From<lw_node_ref> for NodeRef {
    fn from(node: lw_node_ref) -> Self {
        Self { index: node.node, generation: node.generation }
    }
}

impl From<NodeRef> for lw_node_ref {
    fn from(node: NodeRef) -> Self {
        Self { node: node.index, generation: node.generation }
    }
}

/// Nothing speaks against the node; so is every node of which nothing is known.
pub const LW_HEALTH_HEALTHY: u32 = 1;
/// Half way to unhealthy. Takes requests as before.
pub const LW_HEALTH_DEGRADED: u32 = 2;
/// Failed too often in a row. Takes no requests.
pub const LW_HEALTH_UNHEALTHY: u32 = 4;
/// Was unhealthy and has answered since, but not yet often enough in a row.
pub const LW_HEALTH_RECOVERING: u32 = 8;

/// Takes no new picks.
pub const LW_NODE_DRAINING: u32 = 1;
/// `latency_ns` is known.
pub const LW_NODE_HAS_LATENCY: u32 = 2;
/// `load` is known.
pub const LW_NODE_HAS_LOAD: u32 = 4;
/// `remaining_ratio` is known.
pub const LW_NODE_HAS_REMAINING: u32 = 8;
/// An ordinary pick may choose it.
pub const LW_NODE_AVAILABLE: u32 = 16;
/// Draining is done: nothing is in flight, or its time is over.
pub const LW_NODE_DRAINED: u32 = 32;
/// Ejected as an outlier.
pub const LW_NODE_EJECTED: u32 = 64;
/// `success_rate` is known.
pub const LW_NODE_HAS_SUCCESS_RATE: u32 = 128;

/// Requests pass, and failures are counted; so does a node without a breaker.
pub const LW_BREAKER_CLOSED: u32 = 0;
/// The node failed too often, and takes no requests until its time is over.
pub const LW_BREAKER_OPEN: u32 = 1;
/// The time is over: one probe at a time passes.
pub const LW_BREAKER_HALF_OPEN: u32 = 2;

/// A node at one moment. Its texts are copied out by `lw_node_*`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_node_status {
    /// `sizeof(lw_node_status)`, set by the caller; in an array, of the first.
    pub struct_size: u32,
    /// Sum of `LW_NODE_*`.
    pub flags: u32,
    /// As `lw_pick.node`.
    pub node: u32,
    /// As `lw_pick.generation`.
    pub generation: u32,
    /// 0 takes no new picks.
    pub weight: u32,
    /// One of `LW_HEALTH_*`.
    pub health: u32,
    /// Failures since the last success.
    pub consecutive_failures: u32,
    /// 0.
    pub reserved: u32,
    /// Unfinished picks.
    pub in_flight: u64,
    /// The host's own number.
    pub user_data: u64,
    /// The latency average at its last sample, kept while a strategy uses latency.
    pub latency_ns: f64,
    /// What was reported.
    pub load: f64,
    /// What was reported, 0.0 to 1.0.
    pub remaining_ratio: f64,
    /// 0: primary; else a backup.
    pub tier: u32,
    /// One of `LW_BREAKER_*`.
    pub breaker: u32,
    /// The node's own limit of unfinished picks; 0: unlimited.
    pub max_in_flight: u32,
    /// 0.
    pub reserved_2: u32,
    /// The share of its weight that slow start allows, 0.0 to 1.0; 1.0 when warm.
    pub warming: f64,
    /// Over the health window, 0.0 to 1.0; known if there were requests in it.
    pub success_rate: f64,
    /// Until when it takes nothing but probes, on the clock of `lw_now_ns`; 0 while it is not down.
    pub hold_until_ns: u64,
}

// SAFETY: begins with struct_size; integers and floats only.
unsafe impl Versioned for lw_node_status {
    // Up to `remaining_ratio`.
    const OLDER: &'static [u32] = &[72];
}

impl From<&NodeStatus> for lw_node_status {
    fn from(node: &NodeStatus) -> Self {
        let flag = |is: bool, flag: u32| if is { flag } else { 0 };
        Self {
            struct_size: size_of::<Self>() as u32,
            flags: flag(node.draining, LW_NODE_DRAINING)
                | flag(node.drained, LW_NODE_DRAINED)
                | flag(node.available, LW_NODE_AVAILABLE)
                | flag(node.ejected, LW_NODE_EJECTED)
                | flag(node.success_rate.is_some(), LW_NODE_HAS_SUCCESS_RATE)
                | flag(node.latency_ns.is_some(), LW_NODE_HAS_LATENCY)
                | flag(node.load.is_some(), LW_NODE_HAS_LOAD)
                | flag(node.remaining_ratio.is_some(), LW_NODE_HAS_REMAINING),
            node: node.node.index,
            generation: node.node.generation,
            weight: node.weight,
            health: health_bit(node.health),
            consecutive_failures: node.consecutive_failures,
            reserved: 0,
            in_flight: node.in_flight,
            user_data: node.user_data,
            latency_ns: node.latency_ns.unwrap_or(0.0),
            load: node.load.unwrap_or(0.0),
            remaining_ratio: node.remaining_ratio.unwrap_or(0.0),
            tier: u32::from(node.tier),
            breaker: u32::from(node.breaker.as_number()),
            max_in_flight: node.max_in_flight,
            reserved_2: 0,
            warming: node.warming,
            success_rate: node.success_rate.unwrap_or(0.0),
            hold_until_ns: node.hold_until_ns.unwrap_or(0),
        }
    }
}

/// The id of a node whose place is not yet another's.
fn id_of(pool: &Pool, node: NodeRef) -> Result<impl std::ops::Deref<Target = str>, Fail> {
    let id = pool.id_of(node);
    // No id is empty.
    if id.is_empty() { Err(Fail::Status(UNKNOWN_NODE)) } else { Ok(id) }
}

/// The place of the node of an id.
///
/// Errors: `LW_ERR_UNKNOWN_NODE`.
///
/// # Safety
/// `id` is readable, `node` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_node(pool: lw_pool, id: lw_str, node: *mut lw_node_ref) -> lw_status {
    guard(|| {
        present(node)?;
        // SAFETY: as the caller promises.
        let id = unsafe { id.text()? };
        let found = pool::with(pool, |p| p.node(id).ok_or(Fail::Status(UNKNOWN_NODE)))?;
        // SAFETY: as the caller promises.
        unsafe { put(node, found.into()) };
        Ok(())
    })
}

/// The node that an open ticket is about, for hosts that keep nothing but tickets.
///
/// Errors: `LW_ERR_STALE_TICKET` and `LW_ERR_INVALID_TICKET`, as `lw_pool_release`.
///
/// # Safety
/// `node` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_ticket_node(pool: lw_pool, ticket: u64, node: *mut lw_node_ref) -> lw_status {
    guard(|| {
        present(node)?;
        let found = pool::with(pool, |p| Ok(p.node_of(Ticket::from_u64(ticket))?)).map_err(void_if_closed)?;
        // SAFETY: as the caller promises.
        unsafe { put(node, found.into()) };
        Ok(())
    })
}

/// Copies the id of a node out, ending in NUL; its length without the NUL, at most 255, into `*len`, which is also set with
/// `LW_ERR_BUFFER_TOO_SMALL`. With `buffer` NULL and `capacity` 0, tells the length alone. Takes no lock.
///
/// A node that was taken out keeps its texts while picks are under way on it.
///
/// Errors: `LW_ERR_UNKNOWN_NODE` if there never was such a node, or its place is another's now.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_node_id(
    pool: lw_pool,
    node: u32,
    generation: u32,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        pool::with(pool, |p| {
            let id = id_of(p, NodeRef { index: node, generation })?;
            // SAFETY: as the caller promises.
            unsafe { copy_out(&id, buffer, capacity, len) }
        })
    })
}

/// Copies the address of a node out: what to connect to. As `lw_node_id`.
///
/// # Safety
/// As `lw_node_id`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_node_address(
    pool: lw_pool,
    node: u32,
    generation: u32,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        pool::with(pool, |p| {
            let node = NodeRef { index: node, generation };
            let address = p.address_of(node);
            id_of(p, node)?;
            // SAFETY: as the caller promises.
            unsafe { copy_out(&address, buffer, capacity, len) }
        })
    })
}

/// Copies the name of a node out; empty if it has none. As `lw_node_id`.
///
/// # Safety
/// As `lw_node_id`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_node_name(
    pool: lw_pool,
    node: u32,
    generation: u32,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        pool::with(pool, |p| {
            let node = NodeRef { index: node, generation };
            let name = p.name_of(node);
            id_of(p, node)?;
            // SAFETY: as the caller promises.
            unsafe { copy_out(&name, buffer, capacity, len) }
        })
    })
}

/// Copies the text of a node's label out; empty if it has no such label, with `*has` 0. `has` may be NULL. Looks through
/// all nodes: not for the path of a request. Else as `lw_node_id`.
///
/// # Safety
/// As `lw_node_id`; `key` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_node_label(
    pool: lw_pool,
    node: u32,
    generation: u32,
    key: lw_str,
    has: *mut u32,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let key = unsafe { key.text()? };
        let node = status_of(pool, NodeRef { index: node, generation })?;
        let label = node.labels.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str());
        // SAFETY: as the caller promises.
        unsafe {
            copy_out(label.unwrap_or_default(), buffer, capacity, len)?;
            put(has, u32::from(label.is_some()));
        }
        Ok(())
    })
}

/// Copies the zone of a node out; empty if it has none. Looks through all nodes: not for the path of a request. Else as
/// `lw_node_id`, but a node that was taken out has none any more: `LW_ERR_UNKNOWN_NODE`.
///
/// # Safety
/// As `lw_node_id`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_node_zone(
    pool: lw_pool,
    node: u32,
    generation: u32,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        let status = status_of(pool, NodeRef { index: node, generation })?;
        // SAFETY: as the caller promises.
        unsafe { copy_out(&status.zone, buffer, capacity, len) }
    })
}

/// What there is to see of a member.
fn status_of(pool: lw_pool, node: NodeRef) -> Result<NodeStatus, Fail> {
    let nodes = pool::with(pool, |p| Ok(p.nodes()))?;
    nodes.into_iter().find(|n| n.node == node).ok_or(Fail::Status(UNKNOWN_NODE))
}

/// The host's own number of a node; 0 if it was given none.
///
/// Errors: `LW_ERR_UNKNOWN_NODE`, as `lw_node_id`.
///
/// # Safety
/// `user_data` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_node_user_data(
    pool: lw_pool,
    node: u32,
    generation: u32,
    user_data: *mut u64,
) -> lw_status {
    guard(|| {
        present(user_data)?;
        let node = NodeRef { index: node, generation };
        let value = pool::with(pool, |p| {
            let value = p.user_data_of(node);
            id_of(p, node).map(|_| value)
        })?;
        // SAFETY: as the caller promises.
        unsafe { put(user_data, value) };
        Ok(())
    })
}

/// Gives a node the host's own number, returned with each pick. Kept in this process.
///
/// Errors: `LW_ERR_UNKNOWN_NODE` if the node is gone.
#[unsafe(no_mangle)]
pub extern "C" fn lw_node_set_user_data(pool: lw_pool, node: u32, generation: u32, user_data: u64) -> lw_status {
    guard(|| {
        pool::with(pool, |p| {
            let id = id_of(p, NodeRef { index: node, generation })?;
            Ok(p.set_node_user_data(&id, user_data)?)
        })
    })
}
