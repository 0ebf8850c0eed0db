//! Engines: all pools of one configuration, by name, replaced together.

use std::ffi::c_char;
use std::sync::Arc;

use loadwise::config::Value;
use loadwise::{ConfigError, Engine, Error, Pool, Reloaded};

use crate::config::document;
use crate::error::Fail;
use crate::guard::guard;
use crate::handle::{self, Kind, Object};
use crate::lock::Locked;
use crate::maintain::lw_maintained;
use crate::pool::{PoolObject, lw_pool};
use crate::sized::{self, Versioned, present};
use crate::stats::text_of;
use crate::status::{INVALID_ARGUMENT, lw_status};
use crate::text::{array, copy_out, lw_str, put};
use crate::version::time;

/// All pools of one configuration. 0 is none.
pub type lw_engine = u64;

pub(crate) struct EngineObject {
    pub(crate) engine: Engine,
    /// What handles of each pool share, of those that handles were asked for.
    pools: Locked<Vec<Arc<PoolObject>>>,
}

impl Kind for EngineObject {
    const CODE: u64 = 4;
    const NAME: &'static str = "engine";

    fn of(object: &Object) -> Option<&Self> {
        match object {
            Object::Engine(engine) => Some(engine),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Engine(self)
    }
}

impl EngineObject {
    pub(crate) fn insert(engine: Engine) -> Result<u64, Fail> {
        handle::insert(Self { engine, pools: Locked::default() })
    }

    /// What handles of this pool share.
    fn object_of(&self, pool: Arc<Pool>) -> Arc<PoolObject> {
        let object = Arc::new(PoolObject::new(pool));
        self.pools.with(|pools| match pools.iter().find(|known| Arc::ptr_eq(&known.pool, &object.pool)) {
            Some(known) => known.clone(),
            None => {
                pools.push(object.clone());
                object.clone()
            }
        })
    }

    /// Lets go of pools that have left the engine.
    fn let_go(&self) {
        let present = self.engine.pools();
        let gone: Vec<_> = self.pools.with(|pools| {
            let (stay, gone) =
                pools.drain(..).partition(|known| present.iter().any(|pool| Arc::ptr_eq(&known.pool, pool)));
            *pools = stay;
            gone
        });
        // With the lock free: what pools drop may be the host's, and may call the library.
        drop(gone);
    }
}

pub(crate) fn with<R>(engine: lw_engine, f: impl FnOnce(&EngineObject) -> Result<R, Fail>) -> Result<R, Fail> {
    handle::with(engine, f)
}

/// What `lw_engine_reload` did, in numbers of pools.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_reloaded {
    /// `sizeof(lw_reloaded)`, set by the caller.
    pub struct_size: u32,
    /// New ones.
    pub added: u32,
    /// Those that are no more.
    pub removed: u32,
    /// Those that stayed and were configured otherwise before.
    pub changed: u32,
    /// Of the engine's configuration, from 1.
    pub version: u64,
}

// SAFETY: begins with struct_size; integers only.
unsafe impl Versioned for lw_reloaded {}

/// Makes an engine from a file of YAML or JSON, which `lw_engine_reload` reads again: a map `pools` of configurations by
/// name, or the configuration of one pool, which is then called `default`.
///
/// With `shared` in it, processes share the state of its pools: one that is there is attached to and not changed, see
/// `lw_engine_differences`.
///
/// Errors: `LW_ERR_CONFIG` and `LW_ERR_LIMIT`; `lw_last_error` names the file, the key and the line. With `shared` also
/// `LW_ERR_SHARED` and `LW_ERR_TOO_MANY_PROCESSES`.
///
/// # Safety
/// `path` is readable, `engine` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_open(path: lw_str, engine: *mut lw_engine) -> lw_status {
    guard(|| {
        present(engine)?;
        // SAFETY: as the caller promises.
        let handle = EngineObject::insert(Engine::open(unsafe { path.text()? })?)?;
        // SAFETY: as the caller promises.
        unsafe { put(engine, handle) };
        Ok(())
    })
}

/// Makes an engine from YAML or JSON text of `len` bytes, as `lw_engine_open`.
///
/// # Safety
/// `config` has `len` bytes, `engine` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_from_config(config: *const c_char, len: usize, engine: *mut lw_engine) -> lw_status {
    guard(|| {
        present(engine)?;
        // SAFETY: as the caller promises.
        let document = Value::from_bytes(unsafe { document(config, len)? })?;
        let handle = EngineObject::insert(Engine::from_value(&document)?)?;
        // SAFETY: as the caller promises.
        unsafe { put(engine, handle) };
        Ok(())
    })
}

/// Frees an engine; else as `lw_pool_free`. Handles of its pools go on working until they are freed themselves.
#[unsafe(no_mangle)]
pub extern "C" fn lw_engine_free(engine: lw_engine) -> lw_status {
    guard(|| handle::remove::<EngineObject>(engine))
}

/// A handle of the pool of a name, to be freed by `lw_pool_free`. It stays that pool's over reloads: ask once and keep it.
/// Several handles of one pool are one pool, and a ticket of one may be released by another; freeing one leaves the pool
/// to the engine, with its open picks, and with its observers until `lw_pool_stop_observing`.
///
/// Errors: `LW_ERR_CONFIG` if there is no pool of that name.
///
/// # Safety
/// `name` is readable, `pool` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_pool(engine: lw_engine, name: lw_str, pool: *mut lw_pool) -> lw_status {
    guard(|| {
        present(pool)?;
        // SAFETY: as the caller promises.
        let name = unsafe { name.text()? };
        let object = with(engine, |e| match e.engine.pool(name) {
            Some(found) => Ok(e.object_of(found)),
            None => {
                let name: String = name.chars().take(64).collect();
                Err(Error::Config(ConfigError::new("pools", 0, format!("there is no {name:?}"))).into())
            }
        })?;
        let handle = handle::insert_object::<PoolObject>(Object::Pool(object))?;
        // SAFETY: as the caller promises.
        unsafe { put(pool, handle) };
        Ok(())
    })
}

/// How many pools the engine has.
///
/// # Safety
/// `len` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_len(engine: lw_engine, len: *mut usize) -> lw_status {
    guard(|| {
        present(len)?;
        let pools = with(engine, |e| Ok(e.engine.names().len()))?;
        // SAFETY: as the caller promises.
        unsafe { put(len, pools) };
        Ok(())
    })
}

/// Copies out the name of a pool, at most 63 bytes, by its place in the document, from 0. Else as `lw_node_id`.
///
/// Errors: `LW_ERR_INVALID_ARGUMENT` if there are not so many.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_name(
    engine: lw_engine,
    index: usize,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        let name = with(engine, |e| e.engine.names().into_iter().nth(index).ok_or(Fail::Status(INVALID_ARGUMENT)))?;
        // SAFETY: as the caller promises.
        unsafe { copy_out(&name, buffer, capacity, len) }
    })
}

/// Reads the file again that the engine was opened with, and puts it in force: as a whole, while picks are running. Pools
/// that are configured as before are left alone, those that stay keep what `lw_pool_reload` keeps, and those that are no
/// more leave the engine: handles of them go on working. `reloaded` may be NULL.
///
/// Errors: `LW_ERR_CONFIG` and `LW_ERR_LIMIT`; `lw_last_error` names the file, the key and the line. Nothing is changed then.
///
/// # Safety
/// `reloaded` is NULL or points to a struct of its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_reload(engine: lw_engine, reloaded: *mut lw_reloaded) -> lw_status {
    // SAFETY: as the caller promises.
    guard(|| unsafe { reload(engine, reloaded, Engine::reload) })
}

/// `lw_engine_reload` from a text of `len` bytes.
///
/// # Safety
/// `config` has `len` bytes; `reloaded` is NULL or points to a struct of its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_reload_from(
    engine: lw_engine,
    config: *const c_char,
    len: usize,
    reloaded: *mut lw_reloaded,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let document = Value::from_bytes(unsafe { document(config, len)? })?;
        // SAFETY: as the caller promises.
        unsafe { reload(engine, reloaded, |e| e.reload_value(&document)) }
    })
}

/// `lw_engine_reload`, but for pools whose configuration is the one that was last put in force, by whichever process: what
/// was changed by hand since, as weights, stays. For programs of many workers that all read the same file: the first that
/// has a new one replaces the old one, and one that is started again changes nothing.
///
/// # Safety
/// `reloaded` is NULL or points to a struct of its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_reload_if_new(engine: lw_engine, reloaded: *mut lw_reloaded) -> lw_status {
    // SAFETY: as the caller promises.
    guard(|| unsafe { reload(engine, reloaded, Engine::reload_if_new) })
}

/// `lw_engine_reload_if_new` from a text of `len` bytes.
///
/// # Safety
/// `config` has `len` bytes; `reloaded` is NULL or points to a struct of its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_reload_from_if_new(
    engine: lw_engine,
    config: *const c_char,
    len: usize,
    reloaded: *mut lw_reloaded,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let document = Value::from_bytes(unsafe { document(config, len)? })?;
        // SAFETY: as the caller promises.
        unsafe { reload(engine, reloaded, |e| e.reload_value_if_new(&document)) }
    })
}

/// # Safety
/// As `lw_engine_reload`.
unsafe fn reload(
    engine: lw_engine,
    reloaded: *mut lw_reloaded,
    f: impl FnOnce(&Engine) -> Result<Reloaded, Error>,
) -> Result<(), Fail> {
    // SAFETY: as the caller promises.
    let out = if reloaded.is_null() { None } else { Some(unsafe { sized::output(reloaded)? }) };
    let done = with(engine, |e| {
        let done = f(&e.engine)?;
        e.let_go();
        Ok(done)
    })?;
    if let Some(out) = out {
        out.write(lw_reloaded {
            struct_size: 0,
            added: done.added.len() as u32,
            removed: done.removed.len() as u32,
            changed: done.changed.len() as u32,
            version: done.version,
        });
    }
    Ok(())
}

/// Takes one pool out, as a reload does whose document does not have it: handles of it go on working. Into `*removed`, which
/// may be NULL, 1 if there was one of that name, else 0. For programs that know which pools are theirs and not which others
/// there are, where processes share a state.
///
/// Errors: `LW_ERR_READ_ONLY` of an engine of `lw_engine_view`.
///
/// # Safety
/// `name` is readable; `removed` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_remove(engine: lw_engine, name: lw_str, removed: *mut u32) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let name = unsafe { name.text()? };
        if !removed.is_null() {
            present(removed)?;
        }
        let was_there = with(engine, |e| {
            let was_there = e.engine.remove(name)?;
            e.let_go();
            Ok(was_there)
        })?;
        if !removed.is_null() {
            // SAFETY: as the caller promises.
            unsafe { put(removed, u32::from(was_there)) };
        }
        Ok(())
    })
}

/// How often a configuration was put in force, the first included.
///
/// # Safety
/// `version` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_version(engine: lw_engine, version: *mut u64) -> lw_status {
    guard(|| {
        present(version)?;
        let number = with(engine, |e| Ok(e.engine.version()))?;
        // SAFETY: as the caller promises.
        unsafe { put(version, number) };
        Ok(())
    })
}

/// Copies the configuration in force out as JSON: `pools` by name, each as `lw_pool_config` has it, and `version`. As
/// `lw_pool_stats`.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_config(
    engine: lw_engine,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        let json = with(engine, |e| Ok(e.engine.config().to_json()))?;
        // SAFETY: as the caller promises.
        unsafe { copy_out(&json, buffer, capacity, len) }
    })
}

/// `lw_pool_maintain` of all pools: what was done in all, and when one of them is due again.
///
/// # Safety
/// `maintained` is NULL or points to a struct of its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_maintain(
    engine: lw_engine,
    now_ns: u64,
    maintained: *mut lw_maintained,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let out = if maintained.is_null() { None } else { Some(unsafe { sized::output(maintained)? }) };
        let done = with(engine, |e| {
            let done = e.engine.maintain(time(now_ns));
            // Other processes may have taken pools out.
            e.let_go();
            Ok(done)
        })?;
        if let Some(out) = out {
            out.write(done.into());
        }
        Ok(())
    })
}

/// Copies the figures of all pools out as JSON: a list of what `lw_pool_stats` tells of each. As `lw_pool_stats`.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_stats(
    engine: lw_engine,
    now_ns: u64,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        let pools = with(engine, |e| Ok(e.engine.stats_at(time(now_ns))))?;
        let json = Value::list(pools.iter().map(|pool| pool.to_value())).to_json();
        // SAFETY: as the caller promises.
        unsafe { copy_out(&json, buffer, capacity, len) }
    })
}

/// Copies the metrics of all pools out, in `format`, one of `LW_METRICS_*`. As `lw_pool_stats`.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_metrics(
    engine: lw_engine,
    format: u32,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        let text = text_of(format, &with(engine, |e| Ok(e.engine.stats()))?)?;
        // SAFETY: as the caller promises.
        unsafe { copy_out(&text, buffer, capacity, len) }
    })
}

/// `lw_engine_metrics` of several engines in one text: `engines[0]` to `engines[engines_len - 1]`. None may have a pool of
/// the name of another's, or the text has series twice.
///
/// # Safety
/// `engines` has `engines_len` handles; `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engines_metrics(
    engines: *const lw_engine,
    engines_len: usize,
    format: u32,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let engines = unsafe { array(engines, engines_len) }?;
        let mut pools = Vec::new();
        for &engine in engines {
            pools.extend(with(engine, |e| Ok(e.engine.stats()))?);
        }
        let text = text_of(format, &pools)?;
        // SAFETY: as the caller promises.
        unsafe { copy_out(&text, buffer, capacity, len) }
    })
}
