//! Failover by hand.

use crate::guard::guard;
use crate::pool::{self, lw_pool};
use crate::status::lw_status;
use crate::text::{lw_str, put};

/// Sends new picks to the tier of a node, as if the tiers above it were down, until `lw_pool_reset_failover`.
///
/// Errors: `LW_ERR_UNKNOWN_NODE`.
///
/// # Safety
/// `id` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_failover(pool: lw_pool, id: lw_str) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let id = unsafe { id.text()? };
        pool::with(pool, |p| Ok(p.failover(id)?))
    })
}

/// Ends what `lw_pool_failover` began: 1 into `*was_forced` if it had, else 0; `was_forced` may be NULL.
///
/// # Safety
/// `was_forced` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_reset_failover(pool: lw_pool, was_forced: *mut u32) -> lw_status {
    guard(|| {
        let was = pool::with(pool, |p| Ok(p.reset_failover()))?;
        // SAFETY: as the caller promises.
        unsafe { put(was_forced, u32::from(was)) };
        Ok(())
    })
}
