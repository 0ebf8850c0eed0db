//! Attempts: whether to make another, and which to make in turn.

use std::time::Duration;

use loadwise::{GiveUp, PlannedAttempt, Retry, RetryAsk};

use crate::error::Fail;
use crate::guard::guard;
use crate::outcome::{self, lw_outcome};
use crate::pool::{self, lw_pool};
use crate::request::{self, lw_request};
use crate::sized::{self, Versioned};
use crate::status::{INVALID_ARGUMENT, lw_status};
use crate::text::put;

/// The request may be carried out twice.
pub const LW_RETRY_IDEMPOTENT: u32 = 1;
/// Something of the request went out to the node.
pub const LW_RETRY_SENT: u32 = 2;

/// The attempt did not fail.
pub const LW_GIVE_UP_NOT_FAILED: u32 = 1;
/// The request may have been carried out, and must not be twice.
pub const LW_GIVE_UP_UNSAFE: u32 = 2;
/// There were `retry.max_attempts`.
pub const LW_GIVE_UP_ATTEMPTS: u32 = 3;
/// The pool's retries have used up their budget.
pub const LW_GIVE_UP_BUDGET: u32 = 4;
/// No other node takes it.
pub const LW_GIVE_UP_NO_NODE: u32 = 5;

/// Whether to try again.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_retry {
    /// `sizeof(lw_retry)`, set by the caller.
    pub struct_size: u32,
    /// 0: try again, at another node; else why not, one of `LW_GIVE_UP_*`.
    pub give_up: u32,
    /// After how long to try again.
    pub after_ns: u64,
}

// SAFETY: begins with struct_size; integers only.
unsafe impl Versioned for lw_retry {}

/// One attempt of a plan. The node's texts are copied out by `lw_node_*`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_attempt {
    /// `sizeof(lw_attempt)`, set by the caller; in an array, of the first.
    pub struct_size: u32,
    /// As `lw_pick.node`.
    pub node: u32,
    /// As `lw_pick.generation`.
    pub generation: u32,
    /// 0.
    pub reserved: u32,
    /// How long to wait after the end of the one before.
    pub delay_ns: u64,
}

// SAFETY: begins with struct_size; integers only.
unsafe impl Versioned for lw_attempt {}

impl From<&PlannedAttempt> for lw_attempt {
    fn from(attempt: &PlannedAttempt) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            node: attempt.node.index,
            generation: attempt.node.generation,
            reserved: 0,
            delay_ns: nanoseconds(attempt.delay),
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Whether to try again after attempt number `attempt` (1: the first) has ended with `outcome`, and after how long. `flags`
/// is a sum of `LW_RETRY_IDEMPOTENT` and `LW_RETRY_SENT`. A retry that is granted is counted against the pool's budget, so
/// ask once, and only if it will be made. The next pick should exclude the nodes that were tried.
///
/// Errors: `LW_ERR_INVALID_ARGUMENT` for other flags, or attempt 0.
///
/// # Safety
/// `outcome` and all it points to is readable; `retry` points to a struct of its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_retry(
    pool: lw_pool,
    outcome: *const lw_outcome,
    attempt: u32,
    flags: u32,
    retry: *mut lw_retry,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { sized::output(retry)? };
        if flags & !(LW_RETRY_IDEMPOTENT | LW_RETRY_SENT) != 0 || attempt == 0 {
            return Err(Fail::Status(INVALID_ARGUMENT));
        }
        // SAFETY: as the caller promises.
        let answer = unsafe {
            outcome::with(outcome, |report| {
                let ask = RetryAsk::new(report.ending, attempt)
                    .idempotent(flags & LW_RETRY_IDEMPOTENT != 0)
                    .sent(flags & LW_RETRY_SENT != 0);
                pool::with(pool, |p| Ok(p.retry(&RetryAsk { now_ns: report.now_ns, ..ask })))
            })?
        };
        let (give_up, after_ns) = match answer {
            Retry::After(after) => (0, nanoseconds(after)),
            Retry::GiveUp(why) => (number_of(why), 0),
        };
        out.write(lw_retry { struct_size: 0, give_up, after_ns });
        Ok(())
    })
}

fn number_of(why: GiveUp) -> u32 {
    match why {
        GiveUp::NotFailed => LW_GIVE_UP_NOT_FAILED,
        GiveUp::Unsafe => LW_GIVE_UP_UNSAFE,
        GiveUp::Attempts => LW_GIVE_UP_ATTEMPTS,
        GiveUp::Budget => LW_GIVE_UP_BUDGET,
        GiveUp::NoNode => LW_GIVE_UP_NO_NODE,
    }
}

/// The attempts to make for a request in turn until one succeeds: distinct nodes, best first, at most `retry.max_attempts`,
/// which is never more than 16. Into `attempts[0]` to `attempts[*len - 1]`, as `lw_pool_nodes` does. Into `*hedge_after_ns`,
/// which may be NULL, after how long a second attempt may be sent beside an unanswered first one; 0: not known, since
/// `stats.latency` is off or has none. Counts nothing: each attempt still has to be picked, or reported.
///
/// Returns as `lw_pool_pick` if not even the first attempt has a node.
///
/// # Safety
/// `request` and all it points to is readable; `attempts` has room for `capacity` structs of its `struct_size`; `len` is
/// writable, `hedge_after_ns` NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_plan(
    pool: lw_pool,
    request: *const lw_request,
    attempts: *mut lw_attempt,
    capacity: usize,
    len: *mut usize,
    hedge_after_ns: *mut u64,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { sized::outputs(attempts, capacity, len)? };
        // SAFETY: as the caller promises.
        let plan = unsafe { request::with(request, |request, _| pool::with(pool, |p| Ok(p.plan(request)?)))? };
        out.write(plan.attempts.iter().map(lw_attempt::from))?;
        // SAFETY: as the caller promises.
        unsafe { put(hedge_after_ns, plan.hedge_after.map_or(0, nanoseconds)) };
        Ok(())
    })
}
