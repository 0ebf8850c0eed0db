//! A pool's configuration: replaced while picks are running, and read back.

use std::ffi::c_char;

use loadwise::config::{Kind, PoolConfig};

use crate::error::Fail;
use crate::guard::guard;
use crate::pool::{self, lw_pool};
use crate::sized::present;
use crate::status::lw_status;
use crate::text::{array, copy_out, lw_str, put};

/// The bytes of a document.
///
/// # Safety
/// `data` has `len` readable bytes.
pub(crate) unsafe fn document<'a>(data: *const c_char, len: usize) -> Result<&'a [u8], Fail> {
    present(data)?;
    // SAFETY: as the caller promises.
    unsafe { array(data.cast::<u8>(), len) }
}

/// Reads a pool's configuration, YAML or JSON text of `config_len` bytes, and makes nothing of it: copies it out as JSON with
/// every default, which is a configuration again. For hosts that check a configuration before it is used, and for those
/// that change some keys of it. As `lw_pool_stats`.
///
/// Errors: `LW_ERR_CONFIG` and `LW_ERR_LIMIT`; `lw_last_error` names the key and the line.
///
/// # Safety
/// `config` has `config_len` bytes, `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_config_check(
    config: *const c_char,
    config_len: usize,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let config = PoolConfig::from_bytes(unsafe { document(config, config_len)? })?;
        // SAFETY: as the caller promises.
        unsafe { copy_out(&config.to_value().to_json(), buffer, capacity, len) }
    })
}

/// Replaces the pool's configuration while picks are running, by YAML or JSON text of `len` bytes. What is known of nodes
/// whose ids stay is kept. `seed`, `limits`, and `points` of `ring_hash` are fixed when a pool is made. An own strategy that
/// is in charge stays in charge.
///
/// Errors: `LW_ERR_CONFIG` and `LW_ERR_LIMIT`; `lw_last_error` names the key and the line. Nothing is changed then.
///
/// # Safety
/// `config` has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_reload(pool: lw_pool, config: *const c_char, len: usize) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let config = PoolConfig::from_bytes(unsafe { document(config, len)? })?;
        pool::with(pool, |p| Ok(p.reload(&config)?))
    })
}

/// `lw_pool_reload`, unless the configuration is the one that was last put in force, by whichever process; 1 into `*was_new`
/// if it was not, else 0; `was_new` may be NULL. What was changed by hand since stays then.
///
/// Errors: as `lw_pool_reload`.
///
/// # Safety
/// `config` has `len` bytes; `was_new` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_reload_if_new(
    pool: lw_pool,
    config: *const c_char,
    len: usize,
    was_new: *mut u32,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let config = PoolConfig::from_bytes(unsafe { document(config, len)? })?;
        let is_new = pool::with(pool, |p| Ok(p.reload_if_new(&config)?))?;
        // SAFETY: as the caller promises.
        unsafe { put(was_new, u32::from(is_new)) };
        Ok(())
    })
}

/// Copies the configuration in force out as JSON: every key, defaults included, the nodes as they are now, and `version`, how
/// often it was replaced. It is a configuration again, of which `version` is ignored. As `lw_pool_stats`.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_config(
    pool: lw_pool,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        let json = pool::with(pool, |p| Ok(p.config_value().to_json()))?;
        // SAFETY: as the caller promises.
        unsafe { copy_out(&json, buffer, capacity, len) }
    })
}

/// Copies one setting in force out as text, by its key in `lw_pool_config`, as `retry.max_attempts` or `strategy[0].name`:
/// numbers in decimal, words and texts as they are, `true` and `false`, and what is made of several as JSON on one line. As
/// `lw_node_id`.
///
/// Errors: `LW_ERR_CONFIG` if there is no such setting, or it is of something that is not configured.
///
/// # Safety
/// `key` is readable; `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_setting(
    pool: lw_pool,
    key: lw_str,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let key = unsafe { key.text()? };
        let value = pool::with(pool, |p| Ok(p.setting(key)?))?;
        let text = match value.kind {
            Kind::Text(text) => text,
            _ => value.to_json_line(),
        };
        // SAFETY: as the caller promises.
        unsafe { copy_out(&text, buffer, capacity, len) }
    })
}
