//! A pool's place in its process: made once, made anew in a forked child.

use super::Pool;
use crate::state::local::next_tag;
use crate::state::node::row;
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
        // A holder of before the fork is gone, so nobody waits here but for other threads of this process.
        let _building = self.lock_among_threads();
        if self.incarnation.load(Ordering::Acquire) == incarnation {
            return;
        }
        let leases = self.memory.leases();
        for (ticket, _) in leases.open_tickets() {
            let _ = leases.close(ticket, self.seat.row());
        }
        leases.disown_all();
        for index in 0..self.memory.nodes_max() {
            let row = self.memory.row(index, self.seat.row());
            let counted = row.load(Ordering::Relaxed);
            if row::in_flight(counted) != 0 {
                row.store(row::without_in_flight(counted), Ordering::Relaxed);
            }
        }
        self.memory.total_row(self.seat.row()).store(0, Ordering::Relaxed);
        self.renew_hints_if_kept();
        self.tag.store(next_tag(), Ordering::Release);
        self.incarnation.store(incarnation, Ordering::Release);
    }
}
