//! What every export runs in: no panic leaves the library, and every failure is remembered.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Fail, remember};
use crate::status::{self, lw_status};

/// Runs a call. A panic in it is a defect of ours, and ends as a status.
#[inline(always)]
pub(crate) fn guard(call: impl FnOnce() -> Result<(), Fail>) -> lw_status {
    // What a panic leaves half done is the core's to bear: its state moves in single atomic steps.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(())) => status::OK,
        Ok(Err(fail)) => failed(fail),
        Err(panic) => panicked(&*panic),
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
