//! A pool's place in its process: made once, made anew in a forked child.

use super::{AVAILABLE_MASK, Pool};
use crate::state::local::next_tag;
use crate::state::seat::Holder;
use crate::sync::Ordering;
use crate::vocabulary::fork;

impl Pool {
    /// Whether this process was forked off since it last used the pool.
    #[inline(always)]
    pub(crate) fn has_forked(&self) -> bool {
        // A zeroed word is no incarnation.
        self.fork_word.load(Ordering::Relaxed) != self.incarnation.load(Ordering::Relaxed)
    }

    pub(crate) fn after_fork_if_any(&self) {
        if self.has_forked() {
            self.after_fork(fork::incarnation_of(self.fork_word));
        }
    }

    /// The child's copy of a private pool: what the parent had in flight is not in flight here, and its tickets are void.
    #[cold]
    fn after_fork(&self, incarnation: u64) {
        // Whoever held something before the fork is another process.
        self.seat.take(Holder::new(incarnation, self.seat.row()));
        let _building = self.lock_among_threads();
        if self.incarnation.load(Ordering::Acquire) == incarnation {
            return;
        }
        self.memory.reclaim(self.seat.row(), AVAILABLE_MASK, false);
        self.tag.store(next_tag(), Ordering::Release);
        self.incarnation.store(incarnation, Ordering::Release);
    }
}
