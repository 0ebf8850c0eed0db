//! What a pool has learned of its nodes, as data that outlives it.

use std::ffi::c_char;

use loadwise::FileStore;
use loadwise::config::Value;

use crate::config::document;
use crate::guard::guard;
use crate::pool::{self, lw_pool};
use crate::status::lw_status;
use crate::text::{copy_out, lw_str, put};

/// Copies what was learned of all nodes out as JSON, for `lw_pool_learn_from`: health, holds, averages, quotas, by ids and
/// with times that are relative. As `lw_pool_stats`.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_learned(
    pool: lw_pool,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        let json = pool::with(pool, |p| Ok(p.learned().to_json()))?;
        // SAFETY: as the caller promises.
        unsafe { copy_out(&json, buffer, capacity, len) }
    })
}

/// Takes up what another pool has learned of nodes, in place of what this one knows: JSON of `len` bytes. How many of them
/// are members here into `*count`, which may be NULL; the others are left out.
///
/// Errors: `LW_ERR_CONFIG` for what is not a learned state; `lw_last_error` names the node. Nothing is changed then.
///
/// # Safety
/// `learned` has `len` bytes; `count` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_learn_from(
    pool: lw_pool,
    learned: *const c_char,
    len: usize,
    count: *mut usize,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let learned = Value::from_bytes(unsafe { document(learned, len)? })?;
        let taken = pool::with(pool, |p| Ok(p.learn_from(&learned)?))?;
        // SAFETY: as the caller promises.
        unsafe { put(count, taken) };
        Ok(())
    })
}

/// Keeps what was learned of all nodes in a file, beside what it has of other ids; it is replaced at once or not at all.
/// How many into `*count`, which may be NULL.
///
/// Errors: `LW_ERR_STORE` if the file cannot be read or written, or is not what was saved before.
///
/// # Safety
/// `path` is readable; `count` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_save(pool: lw_pool, path: lw_str, count: *mut usize) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let path = unsafe { path.text()? };
        let saved = pool::with(pool, |p| Ok(p.save(&FileStore::open(path)?)?))?;
        // SAFETY: as the caller promises.
        unsafe { put(count, saved) };
        Ok(())
    })
}

/// Takes up what a file has of this pool's nodes, as `lw_pool_learn_from`; 0 if there is no such file.
///
/// Errors: `LW_ERR_STORE` if the file cannot be read, or is not what `lw_pool_save` writes; `LW_ERR_CONFIG` for a node whose
/// state cannot be. Nothing is changed then, and the pool goes on with what it knows.
///
/// # Safety
/// `path` is readable; `count` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_restore(pool: lw_pool, path: lw_str, count: *mut usize) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let path = unsafe { path.text()? };
        let taken = pool::with(pool, |p| Ok(p.restore(&FileStore::open(path)?)?))?;
        // SAFETY: as the caller promises.
        unsafe { put(count, taken) };
        Ok(())
    })
}
