//! States that processes share: opened without a configuration, looked at, and who has what of them.

use std::ffi::c_char;
use std::path::Path;

use loadwise::config::Value;
use loadwise::{Difference, Engine, Error, ProcessStatus};

use crate::engine::{self, EngineObject, lw_engine};
use crate::error::Fail;
use crate::guard::guard;
use crate::pool::{self, lw_pool};
use crate::sized::{self, Versioned, present};
use crate::status::lw_status;
use crate::text::{copy_out, lw_str, put};
use crate::version::time;

/// It is the one that asks.
pub const LW_PROCESS_OWN: u32 = 1;
/// It lives, as far as the one that asks can tell. Of one that does not, all is given back with the next maintenance by any
/// that does.
pub const LW_PROCESS_ALIVE: u32 = 2;
/// Its id is of the namespace of process ids of the one that asks.
pub const LW_PROCESS_IN_NAMESPACE: u32 = 4;

/// A process that is attached to a shared state.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_process_status {
    /// `sizeof(lw_process_status)`, set by the caller; in an array, of the first.
    pub struct_size: u32,
    /// Sum of `LW_PROCESS_*`.
    pub flags: u32,
    /// Its place among those attached, from 0.
    pub row: u32,
    /// In its own namespace of process ids.
    pub pid: u32,
    /// When it attached, on the clock of `lw_now_ns`.
    pub since_ns: u64,
    /// When it last maintained something, on the clock of `lw_now_ns`.
    pub heartbeat_ns: u64,
    /// Unfinished picks of its own: of the pool, or of all pools of the engine.
    pub in_flight: u64,
    /// How often a pick of its own had to look at a plan again, because another one was published meanwhile.
    pub repeats: u64,
    /// The name of its command, cut off after 16 bytes, ending in NUL.
    pub command: [c_char; 24],
}

// SAFETY: begins with struct_size; integers only.
unsafe impl Versioned for lw_process_status {}

impl From<&ProcessStatus> for lw_process_status {
    fn from(process: &ProcessStatus) -> Self {
        let flag = |is: bool, flag: u32| if is { flag } else { 0 };
        let mut command = [0; 24];
        // What was no UTF-8 may have become longer: whole characters that leave room for the NUL.
        let fits =
            process.command.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end < command.len());
        let bytes = &process.command.as_bytes()[..fits.last().unwrap_or(0)];
        for (to, from) in command.iter_mut().zip(bytes) {
            *to = *from as c_char;
        }
        Self {
            struct_size: size_of::<Self>() as u32,
            flags: flag(process.is_own, LW_PROCESS_OWN)
                | flag(process.alive, LW_PROCESS_ALIVE)
                | flag(process.in_namespace, LW_PROCESS_IN_NAMESPACE),
            row: process.row,
            pid: process.pid,
            since_ns: process.since_ns,
            heartbeat_ns: process.heartbeat_ns,
            in_flight: process.in_flight,
            repeats: process.repeats,
            command,
        }
    }
}

/// Makes an engine of the pools of a shared state that is there at `path`, without a configuration of one's own.
///
/// Errors: `LW_ERR_SHARED` if there is none, or none that can be used; `LW_ERR_TOO_MANY_PROCESSES`.
///
/// # Safety
/// `path` is readable, `engine` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_attach(path: lw_str, engine: *mut lw_engine) -> lw_status {
    // SAFETY: as the caller promises.
    guard(|| unsafe { open(path, engine, |path| Engine::attach(path)) })
}

/// `lw_engine_attach`, to look at only, without being one of the processes: nodes, figures, processes, open picks,
/// configurations and explanations tell what is. What would change something is `LW_ERR_READ_ONLY`, and picks find no node.
///
/// Errors: `LW_ERR_SHARED` if there is none, or none that can be used.
///
/// # Safety
/// `path` is readable, `engine` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_view(path: lw_str, engine: *mut lw_engine) -> lw_status {
    // SAFETY: as the caller promises.
    guard(|| unsafe { open(path, engine, |path| Engine::view(path)) })
}

/// # Safety
/// As `lw_engine_attach`.
unsafe fn open(
    path: lw_str,
    engine: *mut lw_engine,
    open: impl FnOnce(&str) -> Result<Engine, Error>,
) -> Result<(), Fail> {
    present(engine)?;
    // SAFETY: as the caller promises.
    let handle = EngineObject::insert(open(unsafe { path.text()? })?)?;
    // SAFETY: as the caller promises.
    unsafe { put(engine, handle) };
    Ok(())
}

/// Copies out the path of the file that the state of the engine's pools is in; empty if it is this process's alone. As
/// `lw_pool_stats`.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_shared_path(
    engine: lw_engine,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        let path = engine::with(engine, |e| Ok(text_of(e.engine.shared_path().as_deref())))?;
        // SAFETY: as the caller promises.
        unsafe { copy_out(&path, buffer, capacity, len) }
    })
}

/// `lw_engine_shared_path` of a pool.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_shared_path(
    pool: lw_pool,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        let path = pool::with(pool, |p| Ok(text_of(p.shared_path())))?;
        // SAFETY: as the caller promises.
        unsafe { copy_out(&path, buffer, capacity, len) }
    })
}

fn text_of(path: Option<&Path>) -> String {
    path.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Copies out why this process goes on alone although its configuration says `shared`, with `on_bad_segment: private`; empty
/// if it does not. As `lw_pool_stats`.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_private_because(
    engine: lw_engine,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        engine::with(engine, |e| {
            // SAFETY: as the caller promises.
            unsafe { copy_out(e.engine.private_because().unwrap_or_default(), buffer, capacity, len) }
        })
    })
}

/// Copies out in what this process is configured otherwise than pools that were there when it attached to them: attaching
/// changes nothing, and a reload does. A list in JSON, empty if there is nothing, of objects with `pool`, `key` (as
/// `health.failure_threshold`; nodes go by their ids), `configured` and `in_force`, null on the side that has nothing. As
/// `lw_pool_stats`.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_differences(
    engine: lw_engine,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        let json = engine::with(engine, |e| Ok(json_of(&e.engine.differences())))?;
        // SAFETY: as the caller promises.
        unsafe { copy_out(&json, buffer, capacity, len) }
    })
}

/// `lw_engine_differences` of a pool.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_differences(
    pool: lw_pool,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        let json = pool::with(pool, |p| Ok(json_of(p.differences())))?;
        // SAFETY: as the caller promises.
        unsafe { copy_out(&json, buffer, capacity, len) }
    })
}

fn json_of(differences: &[Difference]) -> String {
    Value::list(differences.iter().map(Difference::to_value)).to_json()
}

/// Describes the processes that share the state, with their unfinished picks of all pools, into `processes[0]` to
/// `processes[*len - 1]`, as `lw_pool_nodes` does nodes; none if it is this process's alone.
///
/// # Safety
/// `processes` has room for `capacity` structs of its `struct_size`; `len` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_engine_processes(
    engine: lw_engine,
    processes: *mut lw_process_status,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { sized::outputs(processes, capacity, len)? };
        let described = engine::with(engine, |e| Ok(e.engine.processes()))?;
        out.write(described.iter().map(lw_process_status::from))
    })
}

/// `lw_engine_processes` of a pool, with their unfinished picks of this pool. How many of them are on which node is told by
/// `in_flight_by_process` of `lw_pool_stats`.
///
/// # Safety
/// As `lw_engine_processes`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_processes(
    pool: lw_pool,
    processes: *mut lw_process_status,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { sized::outputs(processes, capacity, len)? };
        let described = pool::with(pool, |p| Ok(p.processes()))?;
        out.write(described.iter().map(lw_process_status::from))
    })
}

/// Copies out the unfinished picks of all processes, at most `limit`, as a list in JSON: objects with `ticket`, which is good
/// for the process alone that has it, `node` (its id), `pid`, `started_ns` and `age_ms`, the oldest first; the last two are
/// null where nothing in the configuration needs the time of picks. `now_ns` 0 reads the clock. As `lw_pool_stats`.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_open_picks(
    pool: lw_pool,
    limit: usize,
    now_ns: u64,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        let open = pool::with(pool, |p| Ok(p.open_picks(limit)))?;
        let now_ns = time(now_ns);
        let json = Value::list(open.iter().map(|pick| pick.to_value(now_ns))).to_json();
        // SAFETY: as the caller promises.
        unsafe { copy_out(&json, buffer, capacity, len) }
    })
}
