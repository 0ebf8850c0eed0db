//! Structs that carry their size, so that programs and libraries of different versions understand each other.
//!
//! A struct of the size that this version knows is taken as it is. A larger one is of a newer version: it is taken if what
//! this version does not know of is zero. A smaller one is of an older version, if that version had one of this size; what
//! it lacks is zero.

use std::mem::MaybeUninit;

use crate::error::Fail;
use crate::status::{BUFFER_TOO_SMALL, INVALID_ARGUMENT, NULL_ARGUMENT, STRUCT_SIZE};

/// No struct of this ABI will ever be larger: a `struct_size` above is garbage, and nothing is read by it.
const SIZE_MAX: usize = 1024;

/// A struct of the ABI that begins with `struct_size`.
///
/// # Safety
/// `repr(C)`; the first field is a `u32`; any bytes are a value.
pub(crate) unsafe trait Versioned: Copy {
    /// The sizes that older versions had.
    const OLDER: &'static [u32] = &[];
}

/// A pointer that must not be NULL, and must be aligned.
#[inline(always)]
pub(crate) fn present<T>(pointer: *const T) -> Result<(), Fail> {
    if pointer.is_null() {
        return Err(Fail::Status(NULL_ARGUMENT));
    }
    if !pointer.is_aligned() {
        return Err(Fail::Status(INVALID_ARGUMENT));
    }
    Ok(())
}

/// Whether a struct is there, and of the size that this version knows: the usual case, at the price of a look.
///
/// # Safety
/// `pointer` is NULL or points to a struct.
#[inline(always)]
pub(crate) unsafe fn is_current<T: Versioned>(pointer: *const T) -> bool {
    // SAFETY: every struct begins with its size.
    !pointer.is_null() && pointer.is_aligned() && unsafe { pointer.cast::<u32>().read() } as usize == size_of::<T>()
}

/// The struct that the caller gave, or a copy of it in `copy`.
///
/// # Safety
/// `pointer` is NULL or points to `struct_size` readable bytes that nobody writes during the call.
#[inline(always)]
pub(crate) unsafe fn input<T: Versioned>(pointer: *const T, copy: &mut MaybeUninit<T>) -> Result<&T, Fail> {
    present(pointer)?;
    // SAFETY: every struct begins with its size.
    let size = unsafe { pointer.cast::<u32>().read() } as usize;
    if size == size_of::<T>() {
        // SAFETY: not NULL, aligned, of this size; any bytes are a value.
        return Ok(unsafe { &*pointer });
    }
    // SAFETY: as the caller promises.
    unsafe { check_other_size(pointer, size)? };
    *copy = MaybeUninit::zeroed();
    // SAFETY: the smaller of both sizes is readable there and writable here; any bytes, zero ones too, are a value.
    unsafe {
        let common = size.min(size_of::<T>());
        std::ptr::copy_nonoverlapping(pointer.cast::<u8>(), copy.as_mut_ptr().cast::<u8>(), common);
        Ok(copy.assume_init_ref())
    }
}

/// Where a result goes, of the size that the caller gave it.
pub(crate) struct Output<T> {
    pointer: *mut T,
    size: usize,
}

/// Checks where a result is to go. Nothing is written before [`Output::write`].
///
/// # Safety
/// `pointer` is NULL or points to `struct_size` writable bytes.
#[inline(always)]
pub(crate) unsafe fn output<T: Versioned>(pointer: *mut T) -> Result<Output<T>, Fail> {
    present(pointer)?;
    // SAFETY: every struct begins with its size.
    let size = unsafe { pointer.cast::<u32>().read() } as usize;
    if size != size_of::<T>() {
        // SAFETY: as the caller promises.
        unsafe { check_other_size(pointer, size)? };
    }
    Ok(Output { pointer, size })
}

/// Where a list of results goes: an array of the caller's, of structs as large as its first one says, and the number of
/// them.
pub(crate) struct Outputs<T> {
    first: *mut T,
    size: usize,
    capacity: usize,
    len: *mut usize,
}

/// Checks where a list is to go. Nothing is written before [`Outputs::has_room`] or [`Outputs::write`].
///
/// # Safety
/// `first` is NULL or points to `capacity` structs of the first one's `struct_size`; `len` is NULL or writable.
pub(crate) unsafe fn outputs<T: Versioned>(
    first: *mut T,
    capacity: usize,
    len: *mut usize,
) -> Result<Outputs<T>, Fail> {
    present(len)?;
    if first.is_null() && capacity != 0 {
        return Err(Fail::Status(NULL_ARGUMENT));
    }
    // SAFETY: as the caller promises.
    let size = if capacity == 0 { size_of::<T>() } else { unsafe { output(first)? }.size };
    Ok(Outputs { first, size, capacity, len })
}

impl<T: Versioned> Outputs<T> {
    /// Whether there is room for `count` results; false also if nothing but their number is asked for. Tells the number in
    /// both cases.
    pub(crate) fn has_room(&self, count: usize) -> Result<bool, Fail> {
        // SAFETY: as promised to `outputs`.
        unsafe { self.len.write(count) };
        match count <= self.capacity {
            true => Ok(true),
            false if self.first.is_null() => Ok(false),
            false => Err(Fail::Status(BUFFER_TOO_SMALL)),
        }
    }

    /// Writes the results and their number.
    pub(crate) fn write(self, results: impl ExactSizeIterator<Item = T>) -> Result<(), Fail> {
        if self.has_room(results.len())? {
            for (i, result) in results.enumerate() {
                // SAFETY: within the room that the caller gave, each of the size that the first one names.
                unsafe { Output { pointer: self.first.byte_add(i * self.size), size: self.size }.write(result) };
            }
        }
        Ok(())
    }
}

impl<T: Versioned> Output<T> {
    /// Writes the result; the caller's `struct_size` stays.
    #[inline(always)]
    pub(crate) fn write(self, value: T) {
        // SAFETY: as promised to `output`; no more is written than the caller has room for.
        unsafe {
            if self.size == size_of::<T>() {
                self.pointer.write(value);
            } else {
                let common = self.size.min(size_of::<T>());
                std::ptr::copy_nonoverlapping((&raw const value).cast::<u8>(), self.pointer.cast::<u8>(), common);
            }
            self.pointer.cast::<u32>().write(self.size as u32);
        }
    }
}

/// # Safety
/// `size` bytes are readable at `pointer`.
#[cold]
unsafe fn check_other_size<T: Versioned>(pointer: *const T, size: usize) -> Result<(), Fail> {
    let known = size_of::<T>();
    if size < known {
        if T::OLDER.contains(&(size as u32)) {
            return Ok(());
        }
        return Err(Fail::explained(STRUCT_SIZE, format!("struct_size is {size}, but the struct has {known} bytes")));
    }
    if size > SIZE_MAX {
        return Err(Fail::explained(STRUCT_SIZE, format!("struct_size is {size}: no struct has more than {SIZE_MAX}")));
    }
    // SAFETY: as the caller promises.
    let tail = unsafe { std::slice::from_raw_parts(pointer.cast::<u8>().add(known), size - known) };
    if tail.iter().any(|&byte| byte != 0) {
        let message = format!("struct_size is {size}, and something is set beyond the {known} bytes of this version");
        return Err(Fail::explained(STRUCT_SIZE, message));
    }
    Ok(())
}
