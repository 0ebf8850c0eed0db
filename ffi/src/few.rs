//! Lists of what a call was given, converted.

use arrayvec::ArrayVec;

use crate::error::Fail;

/// A list without allocation while it is short.
pub(crate) struct Few<T> {
    inline: ArrayVec<T, 32>,
    heap: Vec<T>,
}

impl<T> Few<T> {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Self { inline: ArrayVec::new_const(), heap: Vec::new() }
    }

    #[inline(always)]
    pub(crate) fn fill<C>(&mut self, items: &[C], convert: impl Fn(&C) -> Result<T, Fail>) -> Result<&[T], Fail> {
        if items.len() <= self.inline.capacity() {
            for item in items {
                self.inline.push(convert(item)?);
            }
            return Ok(&self.inline);
        }
        for item in items {
            self.heap.push(convert(item)?);
        }
        Ok(&self.heap)
    }
}
