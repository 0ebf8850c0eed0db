//! Statuses: numbers from the core's one table.

use std::ffi::{CStr, CString, c_char};
use std::sync::OnceLock;

use loadwise::CODES;

/// The result of a call: `LW_OK`, or what went wrong. The numbers are stable; retired ones are never reused.
pub type lw_status = u32;

pub(crate) const OK: lw_status = 0;
pub(crate) const LIMIT: lw_status = 101;
pub(crate) const UNKNOWN_NODE: lw_status = 200;
pub(crate) const CLOSED: lw_status = 203;
pub(crate) const STALE_TICKET: lw_status = 300;
pub(crate) const INVALID_HANDLE: lw_status = 600;
pub(crate) const NULL_ARGUMENT: lw_status = 601;
pub(crate) const STRUCT_SIZE: lw_status = 602;
pub(crate) const INVALID_UTF8: lw_status = 603;
pub(crate) const BUFFER_TOO_SMALL: lw_status = 604;
pub(crate) const INVALID_ARGUMENT: lw_status = 605;
pub(crate) const PANIC: lw_status = 606;

/// Number, name and meaning, ending in NUL for C. Made once, on first use.
fn table() -> &'static [(u32, CString, CString)] {
    static TABLE: OnceLock<Vec<(u32, CString, CString)>> = OnceLock::new();
    let text = |text: String| CString::new(text).unwrap_or_default();
    TABLE.get_or_init(|| {
        CODES
            .iter()
            .map(|&(code, name, meaning)| (code, text(format!("LW_{name}")), text(meaning.to_owned())))
            .collect()
    })
}

fn entry(status: lw_status) -> Option<&'static (u32, CString, CString)> {
    table().iter().find(|(code, ..)| *code == status)
}

/// What a status means, in words.
pub(crate) fn meaning(status: lw_status) -> &'static CStr {
    entry(status).map_or(c"unknown status", |(_, _, meaning)| meaning)
}

/// The name of a status, as `"LW_ERR_CONFIG"`; `"LW_UNKNOWN"` for a number that is none. The text lives as long as the
/// program.
#[unsafe(no_mangle)]
pub extern "C" fn lw_status_name(status: lw_status) -> *const c_char {
    entry(status).map_or(c"LW_UNKNOWN", |(_, name, _)| name).as_ptr()
}

/// What a status means, in words. The text lives as long as the program.
#[unsafe(no_mangle)]
pub extern "C" fn lw_status_text(status: lw_status) -> *const c_char {
    meaning(status).as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_used_here_are_those_of_the_table() {
        let by_name = [
            (OK, "OK"),
            (LIMIT, "ERR_LIMIT"),
            (UNKNOWN_NODE, "ERR_UNKNOWN_NODE"),
            (CLOSED, "ERR_CLOSED"),
            (STALE_TICKET, "ERR_STALE_TICKET"),
            (INVALID_HANDLE, "ERR_INVALID_HANDLE"),
            (NULL_ARGUMENT, "ERR_NULL_ARGUMENT"),
            (STRUCT_SIZE, "ERR_STRUCT_SIZE"),
            (INVALID_UTF8, "ERR_INVALID_UTF8"),
            (BUFFER_TOO_SMALL, "ERR_BUFFER_TOO_SMALL"),
            (INVALID_ARGUMENT, "ERR_INVALID_ARGUMENT"),
            (PANIC, "ERR_PANIC"),
        ];
        for (code, name) in by_name {
            assert!(CODES.iter().any(|&(c, n, _)| c == code && n == name), "{code} is not {name}");
        }
    }

    #[test]
    fn numbers_and_names_are_given_out_once() {
        for (i, (code, name, _)) in CODES.iter().enumerate() {
            assert!(CODES[..i].iter().all(|(c, n, _)| c < code && n != name), "{code} {name}");
        }
    }
}
