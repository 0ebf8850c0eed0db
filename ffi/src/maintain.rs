//! What time does.

use loadwise::Maintained;

use crate::guard::guard;
use crate::pool::{self, lw_pool};
use crate::sized::{self, Versioned};
use crate::status::lw_status;
use crate::version::time;

/// What `lw_pool_maintain` did.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_maintained {
    /// `sizeof(lw_maintained)`, set by the caller.
    pub struct_size: u32,
    /// 1 if nodes were left out or taken in for their health.
    pub rebuilt: u32,
    /// When the next call is worth making, on the clock of `lw_now_ns`.
    pub next_due_ns: u64,
    /// Picks that had outlived `lease_timeout_ms` and were given up.
    pub leases_expired: u64,
}

// SAFETY: begins with struct_size; integers only.
unsafe impl Versioned for lw_maintained {}

impl From<Maintained> for lw_maintained {
    fn from(done: Maintained) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            rebuilt: u32::from(done.rebuilt),
            next_due_ns: done.next_due_ns,
            leases_expired: done.leases_expired,
        }
    }
}

/// Does what is due: gives up expired picks, leaves out nodes that are down, takes in those that came back. To be called
/// about once a second, by one thread. `now_ns` 0 reads the clock; `maintained` may be NULL.
///
/// # Safety
/// `maintained` is NULL or points to a struct of its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_maintain(pool: lw_pool, now_ns: u64, maintained: *mut lw_maintained) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let out = if maintained.is_null() { None } else { Some(unsafe { sized::output(maintained)? }) };
        let done = pool::with(pool, |p| Ok(p.maintain(time(now_ns))))?;
        if let Some(out) = out {
            out.write(done.into());
        }
        Ok(())
    })
}
