//! Why a call failed, and this thread's memory of its last failure.

use std::cell::{Cell, RefCell};
use std::ffi::c_char;

use loadwise::{NoNode, TicketError};

use crate::guard::guard;
use crate::sized::{self, Versioned};
use crate::status::{self, lw_status};
use crate::text::copy_out;

/// Why a call fails. What a pick can meet is a number alone, so that it allocates nothing.
#[derive(Debug)]
pub(crate) enum Fail {
    Status(lw_status),
    NoNode(NoNode),
    Explained(lw_status, String),
}

impl Fail {
    pub(crate) fn explained(status: lw_status, message: impl Into<String>) -> Self {
        Self::Explained(status, message.into())
    }

    pub(crate) fn status(&self) -> lw_status {
        match self {
            Self::Status(status) | Self::Explained(status, _) => *status,
            Self::NoNode(no_node) => no_node.code(),
        }
    }
}

impl From<loadwise::Error> for Fail {
    fn from(error: loadwise::Error) -> Self {
        Self::Explained(error.code(), error.to_string())
    }
}

impl From<TicketError> for Fail {
    fn from(error: TicketError) -> Self {
        Self::Status(loadwise::Error::Ticket(error).code())
    }
}

impl From<NoNode> for Fail {
    fn from(no_node: NoNode) -> Self {
        Self::NoNode(no_node)
    }
}

thread_local! {
    static LAST_STATUS: Cell<lw_status> = const { Cell::new(status::OK) };
    static LAST_NO_NODE: Cell<Option<NoNode>> = const { Cell::new(None) };
    static LAST_MESSAGE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps a failure for `lw_last_error`. A thread that is being torn down keeps nothing.
pub(crate) fn remember(fail: Fail) -> lw_status {
    let status = fail.status();
    LAST_STATUS.set(status);
    match fail {
        Fail::Status(_) => LAST_NO_NODE.set(None),
        Fail::NoNode(no_node) => LAST_NO_NODE.set(Some(no_node)),
        Fail::Explained(_, message) => {
            LAST_NO_NODE.set(None);
            // Explained failures are marked by a message of theirs; the others speak by their status.
            let _ = LAST_MESSAGE.try_with(|last| *last.borrow_mut() = message);
            return status;
        }
    }
    let _ = LAST_MESSAGE.try_with(|last| last.borrow_mut().clear());
    status
}

/// Why no node was found, beside the status.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_no_node {
    /// `sizeof(lw_no_node)`, set by the caller.
    pub struct_size: u32,
    /// One of `LW_NO_NODE_*`.
    pub status: lw_status,
    /// The earliest time at which trying again makes sense, on the clock of `lw_now_ns`; 0 if it is not known.
    pub retry_at_ns: u64,
    /// Sum of `LW_PICK_CALLBACK_FAILED` or 0.
    pub flags: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: begins with struct_size; integers only.
unsafe impl Versioned for lw_no_node {}

/// Copies the message of this thread's last failed call into `buffer`, ending in NUL, and its length without the NUL into
/// `*len`. Calls that succeed leave it as it is. With `buffer` NULL and `capacity` 0, tells the length alone.
///
/// Returns `LW_OK`, or `LW_ERR_BUFFER_TOO_SMALL` with `*len` set if `capacity` is not more than the length. Does not count
/// as a failed call itself.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_last_error(buffer: *mut c_char, capacity: usize, len: *mut usize) -> lw_status {
    let copy = |text: &str| {
        // SAFETY: as the caller promises.
        match unsafe { copy_out(text, buffer, capacity, len) } {
            Ok(()) => status::OK,
            Err(fail) => fail.status(),
        }
    };
    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let meaning = status::meaning(LAST_STATUS.get()).to_str().unwrap_or_default();
        LAST_MESSAGE
            .try_with(|last| match last.borrow().as_str() {
                "" => copy(meaning),
                message => copy(message),
            })
            .unwrap_or_else(|_| copy(meaning))
    }));
    told.unwrap_or(status::PANIC)
}

/// Tells more of this thread's last failed call, if that was one that found no node; else `status` is `LW_OK` in it.
///
/// # Safety
/// `no_node` points to a struct of its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_last_no_node(no_node: *mut lw_no_node) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { sized::output(no_node)? };
        let last = LAST_NO_NODE.get();
        out.write(lw_no_node {
            struct_size: 0,
            status: last.map_or(status::OK, |n| n.code()),
            retry_at_ns: last.and_then(|n| n.retry_at_ns).unwrap_or(0),
            flags: last.map_or(0, |n| crate::pick::flags(n.callback_failed)),
            reserved: 0,
        });
        Ok(())
    })
}
