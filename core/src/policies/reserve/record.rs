//! What an open pick has reserved, beside its lease slot.
//!
//! ```text
//! pick:    open the slot → ticket; reserve; write(ticket, reserved)
//! finish:  reserved = read(ticket); close(ticket) succeeded → commit or refund what was read
//! ```
//!
//! Read **before** the close, act **after** it: the slot cannot be opened again until its close has succeeded, so what
//! the one successful closer has read is whole and its own. All others are refused by the lease and throw away what they
//! read. Nothing is ever cleared: a record of another ticket is as good as none.

use super::{DIMENSIONS_MAX, Reserved};
use crate::state::lease::Ticket;
use crate::sync::{AtomicU64, Ordering};

/// Words of a record: the ticket (53 bits) and a mask of dimensions (8 bits), then what is held of each.
pub(crate) const RECORD_WORDS: usize = 1 + DIMENSIONS_MAX;

/// The reservation beside one lease slot.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    words: &'a [AtomicU64],
}

impl<'a> Record<'a> {
    /// `words`: the [`RECORD_WORDS`] of the ticket's slot.
    #[inline(always)]
    pub(crate) fn new(words: &'a [AtomicU64]) -> Self {
        Self { words }
    }

    /// By the owner of the slot, while it is open. Nothing to hold need not be written.
    #[inline]
    pub(crate) fn write(self, ticket: Ticket, reserved: &Reserved) {
        let mut mask = 0;
        for (i, (word, &held)) in self.words[1..].iter().zip(&reserved.0).enumerate() {
            if held != 0 {
                word.store(held, Ordering::Relaxed);
                mask |= 1 << i;
            }
        }
        // Release pairs with the acquire of a read: it finds the amounts of this ticket.
        self.words[0].store(head(ticket) | mask, Ordering::Release);
    }

    /// What `ticket` holds; nothing if the record is another's. Means something once the ticket's close has succeeded.
    #[inline]
    pub(crate) fn read(self, ticket: Ticket) -> Reserved {
        let mut reserved = Reserved::default();
        let found = self.words[0].load(Ordering::Acquire);
        if found & !0xFF == head(ticket) {
            for (i, (word, held)) in self.words[1..].iter().zip(&mut reserved.0).enumerate() {
                if found >> i & 1 != 0 {
                    *held = word.load(Ordering::Relaxed);
                }
            }
        }
        reserved
    }

    /// Forgets what is held of the dimensions of `mask`. A record that changes owner meanwhile may lose the same, which
    /// then counts until its window rolls.
    pub(crate) fn forget(self, mask: u64) {
        self.words[0].fetch_and(!(mask & 0xFF), Ordering::AcqRel);
    }
}

fn head(ticket: Ticket) -> u64 {
    ticket.as_u64() << DIMENSIONS_MAX
}
