//! Ids, names and addresses, copied out by value: short, bounded, never borrowed from memory that others write.

/// The most bytes of an id, a name or an address.
pub const TEXT_BYTES_MAX: usize = 255;

/// A copied text of at most [`TEXT_BYTES_MAX`] bytes, on the stack.
pub type Text = arrayvec::ArrayString<TEXT_BYTES_MAX>;
