//! What the library is, and its clock.

use std::ffi::c_char;

/// Raised when programs built for the version before would break. Compare with `lw_abi_version()` after loading.
pub const LW_ABI_VERSION: u32 = 1;

/// The ABI that the loaded library has: `LW_ABI_VERSION` of its header.
#[unsafe(no_mangle)]
pub extern "C" fn lw_abi_version() -> u32 {
    LW_ABI_VERSION
}

/// The version of the loaded library, as `"0.2.0"`. The text lives as long as the program.
#[unsafe(no_mangle)]
pub extern "C" fn lw_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The clock of all `now_ns`: nanoseconds of the machine's monotonic clock. Never 0.
#[unsafe(no_mangle)]
pub extern "C" fn lw_now_ns() -> u64 {
    loadwise::now_ns()
}

/// A time of the caller's; 0 reads the clock.
pub(crate) fn time(now_ns: u64) -> u64 {
    if now_ns == 0 { loadwise::now_ns() } else { now_ns }
}
