//! A strategy of the host's own, as a callback.

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use loadwise::{PoolNode, SelectionContext, Strategy};

use crate::candidate::{Scope, lw_candidate};
use crate::error::Fail;
use crate::guard::guard;
use crate::handle::{self, InCallback};
use crate::pool::{PoolObject, lw_pool};
use crate::status::{NULL_ARGUMENT, lw_status};
use crate::strategy;
use crate::text::lw_str;

/// What an own strategy returns to choose nobody: the fallback decides.
pub const LW_CHOOSE_NOBODY: i64 = -1;
/// What an own strategy returns when it failed: the fallback decides, and the pick tells of it.
pub const LW_CHOOSE_FAILED: i64 = -2;

/// Chooses one of `len` candidates: its index, or `LW_CHOOSE_NOBODY`, or `LW_CHOOSE_FAILED`; any other number counts as
/// failed. Only those that may be chosen are given. `key` is the request's, `data` NULL without one. All are valid during
/// the call alone. May run in several threads at once. Must return: no `longjmp`, no C++ exception may leave it.
pub type lw_strategy_fn = Option<
    unsafe extern "C" fn(
        candidates: *const *const lw_candidate,
        len: usize,
        key: lw_str,
        user_data: *mut c_void,
    ) -> i64,
>;

/// Told that a `user_data` is not used any more. Runs in whichever thread used it last.
pub type lw_drop_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

pub(crate) struct OwnStrategy {
    choose: unsafe extern "C" fn(*const *const lw_candidate, usize, lw_str, *mut c_void) -> i64,
    user_data: *mut c_void,
    drop: lw_drop_fn,
    /// Cleared if the pool refused it: `user_data` stays the caller's then, and is not to be touched.
    accepted: AtomicBool,
}

// SAFETY: the caller has promised that `choose` may run in any thread, and `drop` too.
unsafe impl Send for OwnStrategy {}
// SAFETY: as above.
unsafe impl Sync for OwnStrategy {}

impl Drop for OwnStrategy {
    fn drop(&mut self) {
        if let (true, Some(drop)) = (*self.accepted.get_mut(), self.drop) {
            let _callback = InCallback::enter();
            // SAFETY: the caller's function, once, with the caller's pointer.
            unsafe { drop(self.user_data) };
        }
    }
}

thread_local! {
    /// The key of the pick under way in this thread: the core hands own strategies only its hash.
    static KEY: Cell<lw_str> = const { Cell::new(NO_KEY) };
}

const NO_KEY: lw_str = lw_str { data: std::ptr::null(), len: 0 };

/// Calls `f`, a decision for a request of this key.
#[cold]
pub(crate) fn with_key<R>(key: Option<&[u8]>, f: impl FnOnce() -> R) -> R {
    struct Restore(lw_str);
    impl Drop for Restore {
        fn drop(&mut self) {
            KEY.set(self.0);
        }
    }
    let key = key.map_or(NO_KEY, |key| lw_str { data: key.as_ptr().cast(), len: key.len() });
    let _restore = Restore(KEY.replace(key));
    f()
}

impl Strategy<PoolNode> for OwnStrategy {
    fn select(&self, candidates: &[PoolNode], ctx: &SelectionContext) -> Option<usize> {
        if !self.accepted.load(Ordering::Acquire) {
            return None;
        }
        let mut out = vec![false; candidates.len()];
        for &index in ctx.exclude.iter().flatten() {
            if let Some(out) = out.get_mut(index) {
                *out = true;
            }
        }
        let eligible: Vec<usize> = (0..candidates.len()).filter(|&i| !out[i]).collect();
        let shown: Vec<lw_candidate> = eligible.iter().map(|&i| lw_candidate::of_own(&candidates[i])).collect();
        let pointers: Vec<*const lw_candidate> = shown.iter().map(std::ptr::from_ref).collect();
        // SAFETY: the caller's function, with what it asked for.
        let choice = Scope::show(&shown, || unsafe {
            (self.choose)(pointers.as_ptr(), pointers.len(), KEY.get(), self.user_data)
        });
        match choice {
            LW_CHOOSE_NOBODY => None,
            // An index that is none is how the core is told of a failure.
            choice => Some(usize::try_from(choice).ok().and_then(|i| eligible.get(i).copied()).unwrap_or(usize::MAX)),
        }
    }
}

/// Puts a callback in charge of the pool's decisions; where it chooses nobody or fails, `fallback` decides: a strategy as
/// `lw_pool_set_strategy` takes it, or empty for none. `drop` (or NULL) is called once `user_data` is not used any more,
/// which may be after another `lw_pool_set_own_strategy` or `lw_pool_free` has returned. If this call fails, it is not.
///
/// Errors: `LW_ERR_CONFIG` for a fallback that cannot be.
///
/// # Safety
/// `choose` and `drop` may be called with `user_data` from any thread, until `drop` was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_set_own_strategy(
    pool: lw_pool,
    choose: lw_strategy_fn,
    user_data: *mut c_void,
    drop: lw_drop_fn,
    fallback: lw_str,
) -> lw_status {
    guard(|| {
        let choose = choose.ok_or(Fail::Status(NULL_ARGUMENT))?;
        // SAFETY: as the caller promises.
        let fallback = unsafe { fallback.text()? };
        let chain = if fallback.is_empty() { Vec::new() } else { strategy::parse(fallback)? };
        handle::with(pool, |p: &PoolObject| {
            let own = Arc::new(OwnStrategy { choose, user_data, drop, accepted: AtomicBool::new(false) });
            p.has_own_strategy.store(true, Ordering::Release);
            // Accepted before it is known: picks may call it as soon as the pool has it.
            own.accepted.store(true, Ordering::Release);
            let result = p.pool.set_own_strategy(own.clone(), chain);
            if result.is_err() {
                own.accepted.store(false, Ordering::Release);
                return Ok(result?);
            }
            // The one before is dropped here, not within the core's locks: its `drop` may call the library.
            let before = p.own_strategy.with(|own_strategy| own_strategy.replace(own));
            std::mem::drop(before);
            Ok(())
        })
    })
}
