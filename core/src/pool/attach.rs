//! A pool's place in its process: made once, made anew in a forked child, given up with the pool.

use super::{AVAILABLE_MASK, Pool};
use crate::segment::NoSeat;
use crate::state::local::next_tag;
use crate::state::seat::{Holder, ROWS_MAX};
use crate::sync::Ordering;
use crate::vocabulary::error::StateError;
use crate::vocabulary::fork;

/// A row that no memory has, for a process that found none.
const NO_ROW: usize = ROWS_MAX;
/// Not an incarnation, and not the zero that a child finds.
const NEVER: u64 = u64::MAX;

impl Pool {
    /// Whether this process was forked off since it last used the pool, or may not use it at all.
    #[inline(always)]
    pub(crate) fn has_forked(&self) -> bool {
        // A zeroed word is no incarnation.
        // Acquire pairs with whoever sat down: the seat is seen with its incarnation.
        self.fork_word.load(Ordering::Relaxed) != self.incarnation.load(Ordering::Acquire)
    }

    /// Whether this process has a row, without which it may hold nothing.
    pub(crate) fn is_seated(&self) -> bool {
        self.seat.row() < NO_ROW
    }

    /// Whether this process only looks.
    pub(crate) fn is_view(&self) -> bool {
        self.share.as_ref().is_some_and(|share| !share.segment.is_writer())
    }

    /// For those who only look: what a child finds is the same wherever it sits.
    pub(crate) fn after_fork_if_any(&self) {
        let _ = self.sit_down_after_fork();
    }

    /// Notices a fork.
    ///
    /// # Errors
    /// [`StateError::TooManyProcesses`] if there is no row for this process; [`StateError::ReadOnly`] if it only looks,
    /// which is asked every time.
    pub(crate) fn sit_down_after_fork(&self) -> Result<(), StateError> {
        if !self.has_forked() {
            return Ok(());
        }
        let incarnation = fork::incarnation_of(self.fork_word);
        match &self.share {
            None => self.after_private_fork(incarnation),
            Some(share) if !share.segment.is_writer() => return Err(StateError::ReadOnly),
            Some(share) => match share.segment.seat() {
                Ok(holder) => self.after_shared_fork(incarnation, holder),
                Err(NoSeat) => {
                    // Nothing of the parent's is in the child's hands.
                    self.seat.take(Holder::new(incarnation, NO_ROW));
                    return Err(StateError::TooManyProcesses);
                }
            },
        }
        Ok(())
    }

    /// The child's copy of a private pool: what the parent had in flight is not in flight here, and its tickets are void.
    #[cold]
    fn after_private_fork(&self, incarnation: u64) {
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

    /// A child sits in a row of its own; what the parent has in flight goes on there.
    #[cold]
    fn after_shared_fork(&self, incarnation: u64, holder: Holder) {
        self.seat.take(holder);
        self.tag.store(next_tag(), Ordering::Release);
        self.incarnation.store(incarnation, Ordering::Release);
        // What observes in the parent observes its copy here.
        self.note_watch();
    }

    /// Where this process was taken for dead, it goes on as another one: its picks of before are void.
    pub(crate) fn move_if_evicted(&self) {
        let Some(share) = &self.share else { return };
        match share.segment.seat() {
            Ok(holder) if holder == self.seat.holder() => {}
            Ok(holder) => self.after_shared_fork(fork::incarnation_of(self.fork_word), holder),
            Err(NoSeat) => {
                self.seat.take(Holder::new(fork::incarnation_of(self.fork_word), NO_ROW));
                // Looked for with every use, as after a fork.
                self.incarnation.store(NEVER, Ordering::Release);
            }
        }
    }
}

impl Drop for Pool {
    /// Its tickets are void from now on, so what they stand for goes back to a state that outlives it.
    fn drop(&mut self) {
        let holder = self.seat.holder();
        // What a child inherited and never used is its parent's, and who was taken for dead has nothing any more.
        if self.has_forked() || !self.share.as_ref().is_some_and(|share| share.segment.is_seated(holder)) {
            return;
        }
        self.end_observing();
        self.memory.leases().close_all_through(self.number.get(), holder.row(), |leased| self.give_up(leased));
    }
}
