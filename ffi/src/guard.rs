//! What every export runs in: no panic leaves the library, and every failure is remembered.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Fail, remember};
use crate::status::{self, lw_status};

/// Runs a call. A panic in it is a defect of ours, and ends as a status.
pub(crate) fn guard(call: impl FnOnce() -> Result<(), Fail>) -> lw_status {
    guard_status(|| status_of(call()))
}

/// Runs a call that has its status at hand: the hot path.
#[inline(always)]
pub(crate) fn guard_status(call: impl FnOnce() -> lw_status) -> lw_status {
    // What a panic leaves half done is the core's to bear: its state moves in single atomic steps.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| panicked(&*panic))
}

/// The status of a result; a failure is remembered.
pub(crate) fn status_of(result: Result<(), Fail>) -> lw_status {
    match result {
        Ok(()) => status::OK,
        Err(fail) => failed(fail),
    }
}

#[cold]
fn failed(fail: Fail) -> lw_status {
    catch_unwind(AssertUnwindSafe(|| remember(fail))).unwrap_or(status::PANIC)
}

#[cold]
fn panicked(panic: &(dyn Any + Send)) -> lw_status {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    failed(Fail::explained(status::PANIC, format!("panicked: {}", text.unwrap_or("no message"))))
}
