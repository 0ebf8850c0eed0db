//! Texts and arrays that come in, and texts that go out.

use std::ffi::c_char;

use crate::error::Fail;
use crate::sized::present;
use crate::status::{BUFFER_TOO_SMALL, INVALID_ARGUMENT, INVALID_UTF8, NULL_ARGUMENT};

/// A text or bytes of the caller's: `len` bytes, not ending in NUL. Only looked at during the call.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_str {
    /// May be NULL if `len` is 0.
    pub data: *const c_char,
    /// Bytes.
    pub len: usize,
}

impl lw_str {
    /// # Safety
    /// `data` points to `len` readable bytes that nobody writes during the call.
    #[inline(always)]
    pub(crate) unsafe fn bytes<'a>(self) -> Result<&'a [u8], Fail> {
        // SAFETY: as the caller promises.
        unsafe { array(self.data.cast::<u8>(), self.len) }
    }

    /// # Safety
    /// As [`bytes`](Self::bytes).
    #[inline(always)]
    pub(crate) unsafe fn text<'a>(self) -> Result<&'a str, Fail> {
        // SAFETY: as the caller promises.
        std::str::from_utf8(unsafe { self.bytes()? }).map_err(|_| Fail::Status(INVALID_UTF8))
    }
}

/// An array of the caller's; NULL is an empty one if `len` is 0.
///
/// # Safety
/// `data` points to `len` values that nobody writes during the call.
#[inline(always)]
pub(crate) unsafe fn array<'a, T>(data: *const T, len: usize) -> Result<&'a [T], Fail> {
    if len == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(Fail::Status(NULL_ARGUMENT));
    }
    if len > isize::MAX as usize / size_of::<T>().max(1) || !data.is_aligned() {
        return Err(Fail::Status(INVALID_ARGUMENT));
    }
    // SAFETY: not NULL, aligned, not larger than an object may be, and as the caller promises.
    Ok(unsafe { std::slice::from_raw_parts(data, len) })
}

/// Copies a text into the caller's buffer, ending in NUL, and its length without the NUL into `*len`, which is also set if
/// the buffer is too small, so that the caller can try again with `*len + 1` bytes. No buffer at all is never too small:
/// who gives none asks for the length, or only whether there is such a text.
///
/// # Safety
/// `buffer` has `capacity` writable bytes; `len` is NULL or writable.
pub(crate) unsafe fn copy_out(text: &str, buffer: *mut c_char, capacity: usize, len: *mut usize) -> Result<(), Fail> {
    if buffer.is_null() && capacity != 0 {
        return Err(Fail::Status(NULL_ARGUMENT));
    }
    if !len.is_null() {
        present(len)?;
        // SAFETY: as the caller promises.
        unsafe { len.write(text.len()) };
    }
    if capacity <= text.len() {
        return if buffer.is_null() { Ok(()) } else { Err(Fail::Status(BUFFER_TOO_SMALL)) };
    }
    // SAFETY: the text and its NUL fit.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast::<u8>(), text.len());
        buffer.add(text.len()).write(0);
    }
    Ok(())
}

/// Writes a number to where the caller wants it.
///
/// # Safety
/// `out` is writable, or NULL where the caller has checked that this is allowed.
#[inline(always)]
pub(crate) unsafe fn put<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: as the caller promises.
        unsafe { out.write(value) };
    }
}
