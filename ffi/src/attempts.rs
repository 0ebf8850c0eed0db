//! Attempts: whether to make another, and which to make in turn.

use std::time::Duration;

use loadwise::{Again, GiveUp, Lease, PlannedAttempt, Pool, Request, Retry, RetryAsk};

use crate::error::Fail;
use crate::guard::guard;
use crate::outcome::{self, lw_outcome};
use crate::pick::{self, lw_pick};
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

impl lw_retry {
    fn after(after: Duration) -> Self {
        Self { struct_size: 0, give_up: 0, after_ns: nanoseconds(after) }
    }

    fn give_up(why: GiveUp) -> Self {
        Self { struct_size: 0, give_up: number_of(why), after_ns: 0 }
    }
}

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
/// ask once, and only if it will be made; `lw_pool_pick_again` asks and picks. The next pick should exclude the nodes that were tried.
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
        let (out, ask) = unsafe { (sized::output(retry)?, ask_of(outcome, attempt, flags)?) };
        out.write(match pool::with(pool, |p| Ok(p.retry(&ask)))? {
            Retry::After(after) => lw_retry::after(after),
            Retry::GiveUp(why) => lw_retry::give_up(why),
        });
        Ok(())
    })
}

/// `lw_pool_retry` and the pick of the next attempt in one, for hosts that go on at once: where no node takes it, nothing is
/// counted against the budget. `request` should exclude the nodes that were tried. Into `*retry` as `lw_pool_retry`, and if
/// `give_up` is 0 in it, into `*pick` as `lw_pool_pick`: the node is in flight from then on, also while the host waits for
/// `after_ns`. With another `give_up`, `*pick` is as it was.
///
/// Returns `LW_OK` in both cases, or one of `LW_NO_NODE_*` as `lw_pool_pick`, with both as they were. Errors: as
/// `lw_pool_retry`.
///
/// # Safety
/// As `lw_pool_retry` and `lw_pool_pick`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_pick_again(
    pool: lw_pool,
    request: *const lw_request,
    outcome: *const lw_outcome,
    attempt: u32,
    flags: u32,
    retry: *mut lw_retry,
    pick: *mut lw_pick,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let (retry, pick) = unsafe { (sized::output(retry)?, sized::output(pick)?) };
        // SAFETY: as the caller promises.
        let ask = unsafe { ask_of(outcome, attempt, flags)? };
        let decision = |p: &Pool, request: &Request<'_>| {
            Ok(match p.pick_again(request, &ask)? {
                Again::Pick(pick, after) => (lw_retry::after(after), Some(pick.into_lease())),
                Again::GiveUp(why) => (lw_retry::give_up(why), None),
            })
        };
        let describe = |p: &Pool, (retry, lease): (lw_retry, Option<Lease>), failed: bool| {
            let described =
                |l: Lease| pick::described(p, pool, (l.ticket.as_u64(), l.node, l.callback_failed | failed));
            (retry, lease.map(described))
        };
        // SAFETY: as the caller promises.
        let (answer, picked) = unsafe { pick::by_request(pool, request, decision, describe)? };
        retry.write(answer);
        if let Some(picked) = picked {
            pick.write(picked);
        }
        Ok(())
    })
}

/// What is asked of an attempt that has ended.
///
/// # Safety
/// `outcome` and all it points to is readable.
unsafe fn ask_of(outcome: *const lw_outcome, attempt: u32, flags: u32) -> Result<RetryAsk, Fail> {
    if flags & !(LW_RETRY_IDEMPOTENT | LW_RETRY_SENT) != 0 || attempt == 0 {
        return Err(Fail::Status(INVALID_ARGUMENT));
    }
    // SAFETY: as the caller promises.
    unsafe {
        outcome::with(outcome, |report| {
            let ask = RetryAsk::new(report.ending, attempt)
                .idempotent(flags & LW_RETRY_IDEMPOTENT != 0)
                .sent(flags & LW_RETRY_SENT != 0);
            Ok(RetryAsk { now_ns: report.now_ns, ..ask })
        })
    }
}

pub(crate) fn number_of(why: GiveUp) -> u32 {
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
