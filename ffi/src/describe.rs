//! What there is to see of nodes: of one, of all, of those with some labels.

use crate::error::Fail;
use crate::few::Few;
use crate::guard::guard;
use crate::node::lw_node_status;
use crate::pool::{self, lw_pool};
use crate::request::lw_label;
use crate::sized;
use crate::status::{UNKNOWN_NODE, lw_status};
use crate::text::{array, lw_str};
use crate::version::time;

/// Describes the node of an id. Does what is due first, as `lw_pool_maintain`. `now_ns` 0 reads the clock.
///
/// Errors: `LW_ERR_UNKNOWN_NODE`.
///
/// # Safety
/// `id` is readable; `status` points to a struct of its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_node_status(
    pool: lw_pool,
    id: lw_str,
    now_ns: u64,
    status: *mut lw_node_status,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let (id, out) = unsafe { (id.text()?, sized::output(status)?) };
        let found = pool::with(pool, |p| p.node_status_at(id, time(now_ns)).ok_or(Fail::Status(UNKNOWN_NODE)))?;
        out.write(lw_node_status::from(&found));
        Ok(())
    })
}

/// Describes all nodes in declared order, into `nodes[0]` to `nodes[*len - 1]`; `nodes[0].struct_size` is to be set, and the
/// others follow at that distance. How many there are into `*len`, which is also set with `LW_ERR_BUFFER_TOO_SMALL`. With
/// `nodes` NULL and `capacity` 0, tells how many there are. Does what is due first, as `lw_pool_maintain`.
///
/// # Safety
/// `nodes` has room for `capacity` structs of its `struct_size`; `len` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_nodes(
    pool: lw_pool,
    nodes: *mut lw_node_status,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    // SAFETY: as the caller promises.
    unsafe { lw_pool_nodes_at(pool, 0, nodes, capacity, len) }
}

/// `lw_pool_nodes` at a time of the caller's, on the clock of `lw_now_ns`.
///
/// # Safety
/// As `lw_pool_nodes`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_nodes_at(
    pool: lw_pool,
    now_ns: u64,
    nodes: *mut lw_node_status,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { sized::outputs(nodes, capacity, len)? };
        let described = pool::with(pool, |p| Ok(p.nodes_at(time(now_ns))))?;
        out.write(described.iter().map(lw_node_status::from))
    })
}

/// Describes the nodes that have all of these labels, as `lw_pool_nodes` does all nodes.
///
/// # Safety
/// `labels` has `labels_len` labels, and their texts are readable; else as `lw_pool_nodes`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_find(
    pool: lw_pool,
    labels: *const lw_label,
    labels_len: usize,
    nodes: *mut lw_node_status,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let (out, labels) = unsafe { (sized::outputs(nodes, capacity, len)?, array(labels, labels_len)?) };
        let mut pairs = Few::new();
        // SAFETY: as the caller promises.
        let pairs = pairs.fill(labels, |label: &lw_label| unsafe { Ok((label.key.text()?, label.value.text()?)) })?;
        let found = pool::with(pool, |p| Ok(p.find(pairs)))?;
        out.write(found.iter().map(lw_node_status::from))
    })
}
