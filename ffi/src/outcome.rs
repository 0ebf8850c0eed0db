//! How an attempt ended.

use std::mem::MaybeUninit;
use std::time::Duration;

use loadwise::{FailureKind, Report};

use crate::error::Fail;
use crate::sized::{self, Versioned};
use crate::status::INVALID_ARGUMENT;

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
}

// SAFETY: begins with struct_size; integers only.
unsafe impl Versioned for lw_outcome {}

impl lw_outcome {
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

/// The report of a success, if the outcome is one: the usual case, at the price of a look.
///
/// # Safety
/// `outcome` is NULL or points to a struct of its `struct_size`.
#[inline(always)]
pub(crate) unsafe fn success(outcome: *const lw_outcome) -> Option<Report<'static>> {
    // SAFETY: as the caller promises; only read if it is of this size.
    let given = unsafe { if sized::is_current(outcome) { &*outcome } else { return None } };
    let success = given.kind == LW_OUTCOME_SUCCESS && given.failure == 0;
    success.then(|| Report { latency_ns: known(given.latency_ns), now_ns: known(given.now_ns), ..Report::success() })
}

/// 0 is a time that was not given.
#[inline(always)]
fn known(ns: u64) -> Option<u64> {
    (ns != 0).then_some(ns)
}

/// # Safety
/// As [`sized::input`].
pub(crate) unsafe fn read(outcome: *const lw_outcome) -> Result<Report<'static>, Fail> {
    let mut copy = MaybeUninit::uninit();
    // SAFETY: as the caller promises.
    unsafe { sized::input(outcome, &mut copy)? }.report()
}
