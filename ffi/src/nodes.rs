//! Who is a member: as a whole set, or one by one.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;

use loadwise::{ConfigError, Error, NodeSpec};

use crate::amount::lw_amount;
use crate::candidate::health_of;
use crate::error::Fail;
use crate::guard::guard;
use crate::node::lw_node_ref;
use crate::pool::{self, lw_pool};
use crate::request::lw_label;
use crate::sized::{self, Versioned, present};
use crate::status::{INVALID_ARGUMENT, STRUCT_SIZE, lw_status};
use crate::text::{array, lw_str, put};
use crate::version::time;

/// A node as its user describes it. Begin with `LW_NODE_SPEC_INIT`, which has weight 1.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_node_spec {
    /// `sizeof(lw_node_spec)`; in an array, the same in each.
    pub struct_size: u32,
    /// Twice the weight takes twice the traffic; 0 takes no new picks.
    pub weight: u32,
    /// Unique in the pool, 1 to 255 bytes of UTF-8. What is known of a node belongs to its id.
    pub id: lw_str,
    /// What the host connects to, at most 255 bytes. Empty: the id.
    pub address: lw_str,
    /// For people, at most 255 bytes. May be empty.
    pub name: lw_str,
    /// For requests that require them.
    pub labels: *const lw_label,
    /// How many.
    pub labels_len: usize,
    /// The host's own number, returned with each pick.
    pub user_data: u64,
    /// 0: primary; 1 to 7: backups.
    pub tier: u32,
    /// Picks in flight at one time; 0: unlimited.
    pub max_in_flight: u32,
    /// Where it is, at most 63 bytes. Empty: unknown.
    pub zone: lw_str,
    /// Its own limits of the pool's quotas.
    pub quotas: *const lw_amount,
    /// How many.
    pub quotas_len: usize,
}

// SAFETY: begins with struct_size; integers and raw pointers only.
unsafe impl Versioned for lw_node_spec {
    // Without tier, max_in_flight, zone and quotas.
    const OLDER: &'static [u32] = &[80];
}

impl lw_node_spec {
    /// # Safety
    /// All that it points to is readable.
    unsafe fn read(&self) -> Result<NodeSpec, Fail> {
        // SAFETY: as the caller promises.
        let (id, address, name, labels) =
            unsafe { (self.id.text()?, self.address.text()?, self.name.text()?, array(self.labels, self.labels_len)?) };
        // SAFETY: as the caller promises.
        let (zone, quotas) = unsafe { (self.zone.text()?, array(self.quotas, self.quotas_len)?) };
        let labels = labels.iter().map(|label| {
            // SAFETY: as the caller promises.
            unsafe { Ok((label.key.text()?, label.value.text()?.to_owned())) }
        });
        // SAFETY: as the caller promises.
        let quotas = quotas.iter().map(|amount| unsafe { amount.read() });
        let address = if address.is_empty() { id } else { address };
        let spec = NodeSpec::new(id).address(address).name(name).weight(self.weight).user_data(self.user_data);
        let spec = spec.zone(zone).max_in_flight(self.max_in_flight);
        Ok(NodeSpec {
            labels: once("labels", labels)?,
            quotas: once("quotas", quotas)?,
            // The core says which tiers there are.
            tier: u8::try_from(self.tier).unwrap_or(u8::MAX),
            ..spec
        })
    }
}

/// Entries by their names, each of which may be there once.
fn once<'a, T>(
    list: &str,
    entries: impl Iterator<Item = Result<(&'a str, T), Fail>>,
) -> Result<BTreeMap<String, T>, Fail> {
    let mut read = BTreeMap::new();
    for entry in entries {
        let (name, value) = entry?;
        if read.insert(name.to_owned(), value).is_some() {
            let error = ConfigError::new(list, 0, format!("{name:?} is there twice"));
            return Err(Error::Config(error).into());
        }
    }
    Ok(read)
}

/// # Safety
/// `node` points to a struct of its `struct_size`, and all it points to is readable.
unsafe fn read_one(node: *const lw_node_spec) -> Result<NodeSpec, Fail> {
    let mut copy = MaybeUninit::uninit();
    // SAFETY: as the caller promises.
    unsafe { sized::input(node, &mut copy)?.read() }
}

/// # Safety
/// `nodes` points to `len` structs of the first one's `struct_size`.
unsafe fn read_all(nodes: *const lw_node_spec, len: usize) -> Result<Vec<NodeSpec>, Fail> {
    if len == 0 {
        return Ok(Vec::new());
    }
    present(nodes)?;
    // SAFETY: every struct begins with its size.
    let size = unsafe { nodes.cast::<u32>().read() } as usize;
    if size == 0 || len > isize::MAX as usize / size {
        return Err(Fail::Status(if size == 0 { STRUCT_SIZE } else { INVALID_ARGUMENT }));
    }
    (0..len)
        .map(|i| {
            let mut copy = MaybeUninit::uninit();
            // SAFETY: within the array, as the caller promises.
            unsafe {
                let node: *const lw_node_spec = nodes.byte_add(i * size);
                let spec = sized::input(node, &mut copy)?;
                if spec.struct_size as usize != size {
                    return Err(Fail::explained(STRUCT_SIZE, format!("struct_size differs in nodes[{i}]")));
                }
                spec.read()
            }
        })
        .collect()
}

/// Replaces all nodes. Those whose ids stay keep what is known of them: in flight, health, averages. All or none.
///
/// Errors: `LW_ERR_CONFIG` for a duplicate or over-long id; `LW_ERR_LIMIT` for too many nodes or labels, or weights that
/// add up to more than 4294967295. `lw_last_error` names the node.
///
/// # Safety
/// `nodes` points to `len` structs, and all they point to is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_set_nodes(pool: lw_pool, nodes: *const lw_node_spec, len: usize) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let specs = unsafe { read_all(nodes, len)? };
        pool::with(pool, |p| Ok(p.set_nodes(specs)?))
    })
}

/// Adds a node. Its place into `*added`, which may be NULL.
///
/// Errors: `LW_ERR_DUPLICATE_NODE`; else as `lw_pool_set_nodes`.
///
/// # Safety
/// `node` and all it points to is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_register(
    pool: lw_pool,
    node: *const lw_node_spec,
    added: *mut lw_node_ref,
) -> lw_status {
    // SAFETY: as the caller promises.
    unsafe { lw_pool_register_batch(pool, node, 1, added) }
}

/// Adds nodes, all or none. Their places into `added[0]` to `added[len - 1]`; `added` may be NULL.
///
/// Errors: as `lw_pool_register`.
///
/// # Safety
/// `nodes` points to `len` structs, and all they point to is readable; `added` has room for `len`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_register_batch(
    pool: lw_pool,
    nodes: *const lw_node_spec,
    len: usize,
    added: *mut lw_node_ref,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let specs = unsafe { read_all(nodes, len)? };
        let places = pool::with(pool, |p| Ok(p.register_batch(specs)?))?;
        if !added.is_null() {
            for (i, place) in places.into_iter().enumerate() {
                // SAFETY: there is room for as many as were given.
                unsafe { put(added.add(i), place.into()) };
            }
        }
        Ok(())
    })
}

/// Describes a member anew, by its id: weight, tier, zone, limit, labels, address, quotas, and `user_data` unless it is 0. What
/// is known of it stays, also its draining.
///
/// Errors: `LW_ERR_UNKNOWN_NODE`; else as `lw_pool_set_nodes`. Nothing is changed then.
///
/// # Safety
/// `node` and all it points to is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_update(pool: lw_pool, node: *const lw_node_spec) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let spec = unsafe { read_one(node)? };
        pool::with(pool, |p| Ok(p.update(spec)?))
    })
}

/// Takes a node out. Picks that are under way on it end as usual.
///
/// Errors: `LW_ERR_UNKNOWN_NODE`.
///
/// # Safety
/// `id` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_deregister(pool: lw_pool, id: lw_str) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let id = unsafe { id.text()? };
        pool::with(pool, |p| Ok(p.deregister(id)?))
    })
}

/// Begins (`on` not 0) or ends draining: a draining node takes no new picks but its sessions', those for
/// `drain_timeout_ms`, and picks under way end as usual.
///
/// Errors: `LW_ERR_UNKNOWN_NODE`.
///
/// # Safety
/// `id` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_drain(pool: lw_pool, id: lw_str, on: u32) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let id = unsafe { id.text()? };
        pool::with(pool, |p| Ok(p.drain(id, on != 0)?))
    })
}

/// `lw_pool_drain` at a time of the caller's, on the clock of `lw_now_ns`.
///
/// Errors: `LW_ERR_UNKNOWN_NODE`.
///
/// # Safety
/// `id` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_drain_at(pool: lw_pool, id: lw_str, on: u32, now_ns: u64) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let id = unsafe { id.text()? };
        pool::with(pool, |p| Ok(p.drain_at(id, on != 0, time(now_ns))?))
    })
}

/// Changes a node's weight; 0 takes no new picks.
///
/// Errors: `LW_ERR_UNKNOWN_NODE`; `LW_ERR_LIMIT` if all weights add up to more than 4294967295.
///
/// # Safety
/// `id` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_set_weight(pool: lw_pool, id: lw_str, weight: u32) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let id = unsafe { id.text()? };
        pool::with(pool, |p| Ok(p.set_weight(id, weight)?))
    })
}

/// Sets a node's health by hand, one of `LW_HEALTH_*`: its failures in a row begin anew, and `LW_HEALTH_HEALTHY` also closes its
/// breaker, takes it back from an ejection, and ends the rest that it had asked for. What it learns from then on changes its
/// health as ever. 1 into `*changed` if it was another before, else 0; `changed` may be NULL. `now_ns` 0 reads the clock.
///
/// Errors: `LW_ERR_UNKNOWN_NODE`; `LW_ERR_INVALID_ARGUMENT` for another number.
///
/// # Safety
/// `id` is readable; `changed` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_set_health(
    pool: lw_pool,
    id: lw_str,
    health: u32,
    now_ns: u64,
    changed: *mut u32,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let id = unsafe { id.text()? };
        let health = health_of(health)?;
        let has_changed = pool::with(pool, |p| Ok(p.set_health_at(id, health, time(now_ns))?))?;
        // SAFETY: as the caller promises.
        unsafe { put(changed, u32::from(has_changed)) };
        Ok(())
    })
}
