//! Heap blocks of exactly the size that a program names, so that the sanitizer sees every byte too many.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};

/// The largest struct that the ABI takes; what says that it is larger is not read.
const STRUCT_MAX: usize = 1024;

pub struct Block {
    pointer: *mut u8,
    layout: Layout,
    /// Where the program says that its struct begins.
    offset: usize,
}

impl Block {
    /// `size` zero bytes.
    pub fn new(size: usize) -> Self {
        let layout = Layout::from_size_align(size.max(1), 8).expect("a small size");
        // SAFETY: the size is not 0.
        let pointer = unsafe { alloc_zeroed(layout) };
        if pointer.is_null() {
            handle_alloc_error(layout);
        }
        Self { pointer, layout, offset: 0 }
    }

    /// A struct that says that it has `size` bytes, and has them; those beyond its own are `tail`.
    pub fn of_struct<T: Copy>(value: T, size: u32, tail: u8) -> Self {
        let room = match size as usize {
            size if size > STRUCT_MAX => size_of::<T>(),
            size => size.max(4),
        };
        let block = Self::new(room);
        // SAFETY: no more is copied than there is room for; a struct of the ABI begins with its size.
        unsafe {
            block.pointer.write_bytes(tail, room);
            std::ptr::copy_nonoverlapping((&raw const value).cast(), block.pointer, room.min(size_of::<T>()));
            block.pointer.cast::<u32>().write(size);
        }
        block
    }

    /// The same struct at an odd address.
    pub fn misaligned<T: Copy>(value: T) -> Self {
        let mut block = Self::new(size_of::<T>() + 1);
        block.offset = 1;
        // SAFETY: there is room for one byte more.
        unsafe { block.pointer.add(1).cast::<T>().write_unaligned(value) };
        block
    }

    pub fn of_bytes(bytes: &[u8]) -> Self {
        let block = Self::new(bytes.len());
        // SAFETY: there is room for them.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), block.pointer, bytes.len()) };
        block
    }

    pub fn of_array<T: Copy>(items: &[T]) -> Self {
        let block = Self::new(size_of_val(items));
        // SAFETY: there is room for them, aligned to 8 as every type of the ABI may be.
        unsafe { std::ptr::copy_nonoverlapping(items.as_ptr(), block.pointer.cast(), items.len()) };
        block
    }

    pub fn pointer<T>(&self) -> *mut T {
        self.pointer.wrapping_add(self.offset).cast()
    }

    /// The first bytes as a struct, where there are enough of them.
    pub fn read<T: Copy>(&self) -> Option<T> {
        let whole = self.layout.size() - self.offset >= size_of::<T>();
        // SAFETY: there are enough bytes, and structs of the ABI are made of numbers and pointers.
        whole.then(|| unsafe { self.pointer::<T>().read_unaligned() })
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: all of it was written when it was made.
        unsafe { std::slice::from_raw_parts(self.pointer, self.layout.size()) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.pointer, self.layout) };
    }
}
