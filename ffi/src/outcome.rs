//! How an attempt ended.

use std::mem::MaybeUninit;
use std::time::Duration;

use loadwise::{FailureKind, Report};

use crate::amount::lw_amount;
use crate::error::Fail;
use crate::few::Few;
use crate::sized::{self, Versioned};
use crate::status::INVALID_ARGUMENT;
use crate::text::array;

/// The node answered.
pub const LW_OUTCOME_SUCCESS: u32 = 1;
/// The node failed: see `lw_outcome.failure`.
pub const LW_OUTCOME_FAILURE: u32 = 2;
/// The node asked for less traffic. Says nothing about its health.
pub const LW_OUTCOME_RATE_LIMITED: u32 = 3;
/// Nobody can say, and nobody is to blame: the client left, or the pick was not used.
pub const LW_OUTCOME_CANCELLED: u32 = 4;

/// None of the others.
pub const LW_FAILURE_OTHER: u32 = 0;
/// No connection could be made.
pub const LW_FAILURE_CONNECT: u32 = 1;
/// No answer in time.
pub const LW_FAILURE_TIMEOUT: u32 = 2;
/// The connection broke.
pub const LW_FAILURE_RESET: u32 = 3;
/// An answer that says the server failed.
pub const LW_FAILURE_SERVER_ERROR: u32 = 4;

/// How an attempt ended.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_outcome {
    /// `sizeof(lw_outcome)`.
    pub struct_size: u32,
    /// One of `LW_OUTCOME_*`; 0 is none, so that a forgotten one is not taken for a success.
    pub kind: u32,
    /// One of `LW_FAILURE_*`, for `LW_OUTCOME_FAILURE`; else 0.
    pub failure: u32,
    /// 0.
    pub reserved: u32,
    /// How long the attempt took; 0: measured from pick to finish where a strategy needs it.
    pub latency_ns: u64,
    /// After how long the node asked to be tried again, for `LW_OUTCOME_RATE_LIMITED`; 0: it did not say.
    pub retry_after_ns: u64,
    /// The time of the finish, on the clock of `lw_now_ns`; 0: the clock is read where it is needed.
    pub now_ns: u64,
    /// What was used of the quotas, in place of what the request was expected to cost. Dimensions that are not named keep
    /// that; a cancelled pick gives all back.
    pub usage: *const lw_amount,
    /// How many.
    pub usage_len: usize,
}

// SAFETY: begins with struct_size; integers and raw pointers only.
unsafe impl Versioned for lw_outcome {
    // Without usage.
    const OLDER: &'static [u32] = &[40];
}

impl lw_outcome {
    /// All but the usage.
    fn report(&self) -> Result<Report<'static>, Fail> {
        let report = match (self.kind, self.failure) {
            (LW_OUTCOME_SUCCESS, 0) => Report::success(),
            (LW_OUTCOME_FAILURE, failure) => Report::failure(match failure {
                LW_FAILURE_OTHER => FailureKind::Other,
                LW_FAILURE_CONNECT => FailureKind::Connect,
                LW_FAILURE_TIMEOUT => FailureKind::Timeout,
                LW_FAILURE_RESET => FailureKind::Reset,
                LW_FAILURE_SERVER_ERROR => FailureKind::ServerError,
                _ => return Err(Fail::Status(INVALID_ARGUMENT)),
            }),
            (LW_OUTCOME_RATE_LIMITED, 0) => {
                Report::rate_limited((self.retry_after_ns != 0).then(|| Duration::from_nanos(self.retry_after_ns)))
            }
            (LW_OUTCOME_CANCELLED, 0) => Report::cancelled(),
            _ => return Err(Fail::Status(INVALID_ARGUMENT)),
        };
        Ok(Report { latency_ns: known(self.latency_ns), now_ns: known(self.now_ns), ..report })
    }
}

/// The report of a success, if the outcome is one that tells of no usage: the usual case, at the price of a look.
///
/// # Safety
/// `outcome` is NULL or points to a struct of its `struct_size`.
#[inline(always)]
pub(crate) unsafe fn success(outcome: *const lw_outcome) -> Option<Report<'static>> {
    // SAFETY: as the caller promises; only read if it is of this size.
    let given = unsafe { if sized::is_current(outcome) { &*outcome } else { return None } };
    let success = given.kind == LW_OUTCOME_SUCCESS && given.failure == 0 && given.usage_len == 0;
    success.then(|| Report { latency_ns: known(given.latency_ns), now_ns: known(given.now_ns), ..Report::success() })
}

/// 0 is a time that was not given.
#[inline(always)]
fn known(ns: u64) -> Option<u64> {
    (ns != 0).then_some(ns)
}

/// Calls `f` with the report.
///
/// # Safety
/// As [`sized::input`], and the usage is readable.
pub(crate) unsafe fn with<R>(
    outcome: *const lw_outcome,
    f: impl FnOnce(Report<'_>) -> Result<R, Fail>,
) -> Result<R, Fail> {
    let (mut copy, mut usage) = (MaybeUninit::uninit(), Few::new());
    // SAFETY: as the caller promises.
    let given = unsafe { sized::input(outcome, &mut copy)? };
    let report = given.report()?;
    // SAFETY: as the caller promises.
    let used = unsafe { array(given.usage, given.usage_len)? };
    // SAFETY: as the caller promises.
    let usage = usage.fill(used, |amount: &lw_amount| unsafe { amount.read() })?;
    f(Report { usage, ..report })
}
