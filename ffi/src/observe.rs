//! What happens in a pool, told to a callback.

use std::ffi::c_void;

use loadwise::{Event, EventKind, ObserverId};

use crate::candidate::health_bit;
use crate::error::Fail;
use crate::guard::guard;
use crate::handle::InCallback;
use crate::own_strategy::lw_drop_fn;
use crate::pool::{self, lw_pool};
use crate::sized::present;
use crate::status::{INVALID_ARGUMENT, NULL_ARGUMENT, lw_status};
use crate::text::{lw_str, put};

/// A node's health changed: `from` and `to` are `LW_HEALTH_*`.
pub const LW_EVENT_HEALTH: u32 = 1;
/// A node's breaker opened (`to` 1) or closed (`to` 0).
pub const LW_EVENT_BREAKER: u32 = 2;
/// A node was ejected as an outlier (`to` 1), or taken back (`to` 0).
pub const LW_EVENT_EJECTION: u32 = 3;
/// Too few nodes are available, and all take traffic (`to` 1); or no longer so (`to` 0).
pub const LW_EVENT_PANIC: u32 = 4;
/// Another tier takes the most traffic: `to` instead of `from`.
pub const LW_EVENT_TIER: u32 = 5;
/// Nodes joined or left: `added` and `removed`.
pub const LW_EVENT_TOPOLOGY: u32 = 6;
/// A node was picked, by `strategy`.
pub const LW_EVENT_SELECTION: u32 = 7;

/// Observe every selection, too: each pick pays for the call.
pub const LW_OBSERVE_SELECTIONS: u32 = 1;

/// Something that happened in a pool. Valid during the call alone, with all that it points to.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_event {
    /// How large the library's struct is. A field is there if it ends within.
    pub struct_size: u32,
    /// One of `LW_EVENT_*`.
    pub kind: u32,
    /// The handle that is observed.
    pub pool: lw_pool,
    /// The node that it happened to, as `lw_pick.node`.
    pub node: u32,
    /// As `lw_pick.generation`; 0: it concerns the pool.
    pub generation: u32,
    /// What was before.
    pub from: u32,
    /// What is now.
    pub to: u32,
    /// When, on the clock of `lw_now_ns`.
    pub at_ns: u64,
    /// The name of the strategy that picked; else empty.
    pub strategy: lw_str,
    /// Ids of nodes that joined.
    pub added: *const lw_str,
    /// How many.
    pub added_len: usize,
    /// Ids of nodes that left.
    pub removed: *const lw_str,
    /// How many.
    pub removed_len: usize,
}

/// Told of what happens, in whichever thread makes it happen, in several at once. May call any function. Must return: no
/// `longjmp`, no C++ exception may leave it.
pub type lw_observer_fn = Option<unsafe extern "C" fn(event: *const lw_event, user_data: *mut c_void)>;

struct Observer {
    pool: lw_pool,
    observe: unsafe extern "C" fn(*const lw_event, *mut c_void),
    user_data: *mut c_void,
    drop: lw_drop_fn,
}

// SAFETY: the caller has promised that `observe` may run in any thread, and `drop` too.
unsafe impl Send for Observer {}
// SAFETY: as above.
unsafe impl Sync for Observer {}

impl Drop for Observer {
    fn drop(&mut self) {
        if let Some(drop) = self.drop {
            let _callback = InCallback::enter();
            // SAFETY: the caller's function, once, with the caller's pointer.
            unsafe { drop(self.user_data) };
        }
    }
}

impl Observer {
    fn tell(&self, event: &Event) {
        let texts = |ids: &[String]| ids.iter().map(|id| text(id)).collect::<Vec<_>>();
        let (mut strategy, mut added, mut removed) = (text(""), Vec::new(), Vec::new());
        let (kind, from, to) = match &event.kind {
            EventKind::Health { from, to } => (LW_EVENT_HEALTH, health_bit(*from), health_bit(*to)),
            EventKind::Breaker { open } => (LW_EVENT_BREAKER, u32::from(!open), u32::from(*open)),
            EventKind::Ejection { ejected } => (LW_EVENT_EJECTION, u32::from(!ejected), u32::from(*ejected)),
            EventKind::Panic { spread } => (LW_EVENT_PANIC, u32::from(!spread), u32::from(*spread)),
            EventKind::Tier { from, to } => (LW_EVENT_TIER, u32::from(*from), u32::from(*to)),
            EventKind::Topology { added: joined, removed: left } => {
                (added, removed) = (texts(joined), texts(left));
                (LW_EVENT_TOPOLOGY, 0, 0)
            }
            EventKind::Selection { strategy: name } => {
                strategy = text(name);
                (LW_EVENT_SELECTION, 0, 0)
            }
            // Nothing that this version has a number for.
            _ => return,
        };
        let told = lw_event {
            struct_size: size_of::<lw_event>() as u32,
            kind,
            pool: self.pool,
            node: event.node.map_or(0, |node| node.index),
            generation: event.node.map_or(0, |node| node.generation),
            from,
            to,
            at_ns: event.at_ns,
            strategy,
            added: added.as_ptr(),
            added_len: added.len(),
            removed: removed.as_ptr(),
            removed_len: removed.len(),
        };
        let _callback = InCallback::enter();
        // SAFETY: the caller's function, with what it asked for.
        unsafe { (self.observe)(&raw const told, self.user_data) };
    }
}

fn text(text: &str) -> lw_str {
    lw_str { data: text.as_ptr().cast(), len: text.len() }
}

/// Calls `observe` with what happens in the pool from now on; with every selection only if `flags` has
/// `LW_OBSERVE_SELECTIONS`. `drop` (or NULL) is called once `user_data` is not used any more, which may be after
/// `lw_pool_stop_observing` or `lw_pool_free` has returned. If this call fails, it is not.
///
/// # Safety
/// `observe` and `drop` may be called with `user_data` from any thread, until `drop` was; `id` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_observe(
    pool: lw_pool,
    flags: u32,
    observe: lw_observer_fn,
    user_data: *mut c_void,
    drop: lw_drop_fn,
    id: *mut u64,
) -> lw_status {
    guard(|| {
        present(id)?;
        let observe = observe.ok_or(Fail::Status(NULL_ARGUMENT))?;
        if flags & !LW_OBSERVE_SELECTIONS != 0 {
            return Err(Fail::Status(INVALID_ARGUMENT));
        }
        let number = pool::with(pool, |p| {
            let observer = Observer { pool, observe, user_data, drop };
            Ok(p.observe(flags & LW_OBSERVE_SELECTIONS != 0, move |event| observer.tell(event)))
        })?;
        // SAFETY: as the caller promises.
        unsafe { put(id, number.as_u64()) };
        Ok(())
    })
}

/// Calls an observer no more; calls that are under way end. 1 into `*was_observing` if there was such an observer, else 0;
/// `was_observing` may be NULL.
///
/// # Safety
/// `was_observing` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_stop_observing(pool: lw_pool, id: u64, was_observing: *mut u32) -> lw_status {
    guard(|| {
        let was = pool::with(pool, |p| Ok(p.stop_observing(ObserverId::from_u64(id))))?;
        // SAFETY: as the caller promises.
        unsafe { put(was_observing, u32::from(was)) };
        Ok(())
    })
}
