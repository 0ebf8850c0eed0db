//! Strings and bytes from JavaScript.

use std::mem::MaybeUninit;
use std::ptr;

use loadwise::ConfigError;
use napi::sys;

use super::{Js, Type, Value, node_api};
use crate::error::{Failure, Result};

/// Bytes of a string that are read without a heap allocation.
const INLINE_BYTES: usize = 256;

impl<'c> Js<'c> {
    /// A string's text. `name` is for the message.
    pub fn text(self, value: Value<'c>, name: &str) -> Result<String> {
        if self.type_of(value)? != Type::String {
            return Err(self.not(value, name, "a string"));
        }
        self.with_utf8(value, name, |bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// Calls `read` with the bytes of a string or a `Uint8Array`, copied: callbacks may detach the array meanwhile.
    #[inline]
    pub fn with_bytes<R>(self, value: Value<'c>, name: &str, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        match self.type_of(value)? {
            Type::String => self.with_utf8(value, name, read),
            Type::Object => self.with_array(value, name, read),
            _ => Err(self.not(value, name, "a string or a Uint8Array")),
        }
    }

    #[inline]
    fn with_utf8<R>(self, value: Value<'c>, name: &str, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        let mut inline = [const { MaybeUninit::<u8>::uninit() }; INLINE_BYTES];
        let data = inline.as_mut_ptr().cast();
        let length = node_api!(self, napi_get_value_string_utf8(value.raw, data, INLINE_BYTES) -> usize)?;
        // What did not fit is cut before a character of at most 4 bytes, and a zero is added.
        if length + 5 <= INLINE_BYTES {
            // SAFETY: Node has written `length` bytes.
            let bytes = unsafe { std::slice::from_raw_parts(inline.as_ptr().cast::<u8>(), length) };
            self.well_formed(value, name, bytes)?;
            return Ok(read(bytes));
        }
        let length = node_api!(self, napi_get_value_string_utf8(value.raw, ptr::null_mut(), 0) -> usize)?;
        let mut bytes = vec![0u8; length + 1];
        let data = bytes.as_mut_ptr().cast();
        let length = node_api!(self, napi_get_value_string_utf8(value.raw, data, bytes.len()) -> usize)?;
        bytes.truncate(length);
        self.well_formed(value, name, &bytes)?;
        Ok(read(&bytes))
    }

    /// Refuses lone surrogates: Node writes U+FFFD for each, so that different strings would become one.
    #[inline]
    fn well_formed(self, value: Value<'c>, name: &str, bytes: &[u8]) -> Result<()> {
        const REPLACEMENT: &[u8] = "\u{FFFD}".as_bytes();
        if !bytes.contains(&REPLACEMENT[0]) || !bytes.windows(3).any(|w| w == REPLACEMENT) {
            return Ok(());
        }
        let length = node_api!(self, napi_get_value_string_utf16(value.raw, ptr::null_mut(), 0) -> usize)?;
        let mut units = vec![0u16; length + 1];
        let data = units.as_mut_ptr();
        let length = node_api!(self, napi_get_value_string_utf16(value.raw, data, units.len()) -> usize)?;
        units.truncate(length);
        match char::decode_utf16(units).find_map(std::result::Result::err) {
            None => Ok(()),
            Some(lone) => {
                let message =
                    format!("has a lone surrogate, U+{:04X}, which is not Unicode", lone.unpaired_surrogate());
                Err(ConfigError::new(name, 0, message).into())
            }
        }
    }

    fn with_array<R>(self, value: Value<'c>, name: &str, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        if !node_api!(self, napi_is_typedarray(value.raw) -> bool)? {
            return Err(self.not(value, name, "a string or a Uint8Array"));
        }
        let (mut kind, mut length, mut data) = (0, 0, ptr::null_mut());
        let (mut buffer, mut offset) = (ptr::null_mut(), 0);
        // SAFETY: as for `node_api`; all results are live locals.
        let status = unsafe {
            sys::napi_get_typedarray_info(
                self.env,
                value.raw,
                &raw mut kind,
                &raw mut length,
                &raw mut data,
                &raw mut buffer,
                &raw mut offset,
            )
        };
        if status != sys::Status::napi_ok {
            return Err(Failure::Node(status));
        }
        if kind != sys::TypedarrayType::uint8_array && kind != sys::TypedarrayType::uint8_clamped_array {
            return Err(self.not(value, name, "a string or a Uint8Array"));
        }
        let mut bytes = vec![0u8; length];
        if length > 0 && !data.is_null() {
            // SAFETY: Node names `length` bytes at `data`, and no JavaScript of this thread runs during the copy.
            unsafe { ptr::copy_nonoverlapping(data.cast::<u8>(), bytes.as_mut_ptr(), length) };
        }
        Ok(read(&bytes))
    }
}
