//! Pools: made, asked for their strategy and size, freed.

use std::ffi::c_char;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use loadwise::{Pool, config::PoolConfig};

use crate::config::document;
use crate::error::Fail;
use crate::guard::guard;
use crate::handle::{self, Kind, Object};
use crate::lock::Locked;
use crate::own_strategy::OwnStrategy;
use crate::sized::present;
use crate::status::lw_status;
use crate::text::{copy_out, put};

/// A pool. 0 is none.
pub type lw_pool = u64;

pub(crate) struct PoolObject {
    /// Of this object alone, or one of an engine's, too.
    pub(crate) pool: Arc<Pool>,
    /// Whether a callback may want to know the request's key.
    pub(crate) has_own_strategy: AtomicBool,
    /// A second reference to the own strategy in charge.
    pub(crate) own_strategy: Locked<Option<Arc<OwnStrategy>>>,
}

impl Kind for PoolObject {
    const CODE: u64 = 1;
    const NAME: &'static str = "pool";

    #[inline(always)]
    fn of(object: &Object) -> Option<&Self> {
        match object {
            Object::Pool(pool) => Some(pool),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Pool(Arc::new(self))
    }
}

impl PoolObject {
    pub(crate) fn new(pool: Arc<Pool>) -> Self {
        Self { pool, has_own_strategy: AtomicBool::new(false), own_strategy: Locked::default() }
    }
}

/// Makes a pool from YAML or JSON text of `len` bytes: see docs/configuration.md. `{}` is a pool without nodes. With `shared`
/// in it, processes share its state, as `lw_engine_open`.
///
/// Errors: `LW_ERR_CONFIG` and `LW_ERR_LIMIT`; `lw_last_error` names the key and the line. With `shared` also `LW_ERR_SHARED`
/// and `LW_ERR_TOO_MANY_PROCESSES`.
///
/// # Safety
/// `config` has `len` bytes, `pool` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_new(config: *const c_char, len: usize, pool: *mut lw_pool) -> lw_status {
    guard(|| {
        present(pool)?;
        // SAFETY: as the caller promises.
        let config = PoolConfig::from_bytes(unsafe { document(config, len)? })?;
        let made = Pool::builder().config(config).build()?;
        let handle = handle::insert(PoolObject::new(Arc::new(made)))?;
        // SAFETY: as the caller promises.
        unsafe { put(pool, handle) };
        Ok(())
    })
}

/// Frees a pool. Its open tickets are void: releasing one is `LW_ERR_STALE_TICKET`. Other threads may be using the pool:
/// their calls end as usual, and every later one is `LW_ERR_CLOSED`. A thread that has used the pool lets go of its memory
/// with its next call of any function on a handle, or when it ends.
#[unsafe(no_mangle)]
pub extern "C" fn lw_pool_free(pool: lw_pool) -> lw_status {
    guard(|| handle::remove::<PoolObject>(pool))
}

/// How many nodes the pool has.
///
/// # Safety
/// `len` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_len(pool: lw_pool, len: *mut usize) -> lw_status {
    guard(|| {
        present(len)?;
        let nodes = with(pool, |p| Ok(p.len()))?;
        // SAFETY: as the caller promises.
        unsafe { put(len, nodes) };
        Ok(())
    })
}

/// Copies out what tells the pool from the others of its engine, and in metrics: `default` for a pool of its own. As
/// `lw_node_id`.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_name(
    pool: lw_pool,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        with(pool, |p| unsafe { copy_out(p.name(), buffer, capacity, len) })
    })
}

/// How often the pool's configuration was replaced, from 1.
///
/// # Safety
/// `version` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_config_version(pool: lw_pool, version: *mut u64) -> lw_status {
    guard(|| {
        present(version)?;
        let number = with(pool, |p| Ok(p.config_version()))?;
        // SAFETY: as the caller promises.
        unsafe { put(version, number) };
        Ok(())
    })
}

/// Calls `f` with the pool of a handle.
pub(crate) fn with<R>(pool: lw_pool, f: impl FnOnce(&Pool) -> Result<R, Fail>) -> Result<R, Fail> {
    handle::with(pool, |p: &PoolObject| f(&p.pool))
}
