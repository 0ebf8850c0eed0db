//! What a process that is gone had is given back: its open picks, what it counted in its row, its runs of leases, its
//! probes. Done twice, or by somebody who was stopped half through, it is the same.
//!
//! ```text
//! for each open slot of the row:  cas(open → closed); row[node] −1, and count it as ended
//! then what is still in flight in the row was killed between counting and opening:  row[node] := 0
//! then the runs of the row's threads are free
//! ```
//!
//! A pick is counted off by whoever closes its slot, so one that its process, taken for dead, finishes all the same is
//! counted off once.

use super::guard::Count;
use super::layout::{attention, pool_word};
use super::memory::Memory;
use super::node::row;
use super::probe;
use crate::sync::{AtomicU64, Ordering};

impl Memory {
    /// Gives back what is held in row `row`, whose process is gone or has nothing to do any more; how many picks were open.
    /// `mask`: the health states of those that hints tell of. `ended`: whether the picks end by it; those that a child
    /// inherited go on in its parent.
    pub(crate) fn reclaim(&self, row: usize, mask: u64, ended: bool) -> u64 {
        let leases = self.leases();
        let mut open = 0;
        leases.close_all_of(row, |leased| {
            open += 1;
            if !ended {
                return;
            }
            let index = leased.node as usize;
            self.row(index, row).fetch_add(row::FINISHED, Ordering::SeqCst);
            if leased.in_total {
                self.total_row(row).fetch_sub(1, Ordering::SeqCst);
            }
            // Nobody knows what became of it.
            self.guard(index).add(Count::Cancelled);
            self.guard(index).add(Count::Neutral);
            if leased.probe_ns != 0 {
                self.end_probe_of(index, leased.probe_ns);
            }
        });
        let used = self.nodes_used();
        for index in 0..used {
            self.clear_in_flight(index, row);
            let lease = self.guard(index).probe().load(Ordering::Acquire);
            if self.is_shared() && lease != 0 && lease & 0xFF == row as u64 {
                self.end_probe_of(index, lease);
            }
        }
        self.total_row(row).store(0, Ordering::SeqCst);
        if ended {
            self.set_watched(row, false);
            // It may have ended in the midst of a change of who is fit: plans are built anew.
            self.pool(pool_word::FITNESS).fetch_add(1, Ordering::SeqCst);
            self.pool(pool_word::ATTENTION).fetch_or(attention::RETURNED, Ordering::SeqCst);
        }
        leases.disown(row);
        if self.pool(pool_word::KEEPS_INDEX).load(Ordering::SeqCst) != 0 {
            self.index().renew_all(used, |index| self.room(index, mask));
        }
        open
    }

    /// Whether somebody in some process wants to hear of every selection.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        self.watched().iter().any(|word| word.load(Ordering::Relaxed) != 0)
    }

    /// Notes whether somebody in the process in `row` does.
    pub(crate) fn set_watched(&self, row: usize, is_watched: bool) {
        let (word, bit) = (&self.watched()[row / 64 % 4], 1 << (row % 64));
        // The usual case writes nothing.
        if (word.load(Ordering::SeqCst) & bit != 0) == is_watched {
            return;
        }
        if is_watched {
            word.fetch_or(bit, Ordering::SeqCst);
        } else {
            word.fetch_and(!bit, Ordering::SeqCst);
        }
    }

    fn watched(&self) -> &[AtomicU64] {
        self.pool_words(pool_word::WATCHED, pool_word::WATCHED_END)
    }

    /// Nothing is in flight on a node in this row any more; what has ended stays counted.
    pub(crate) fn clear_in_flight(&self, index: usize, row: usize) {
        let word = self.row(index, row);
        let mut counted = word.load(Ordering::SeqCst);
        while row::in_flight(counted) != 0 {
            let cleared = row::without_in_flight(counted);
            match word.compare_exchange(counted, cleared, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return,
                Err(now) => counted = now,
            }
        }
    }

    /// Frees a probe lease of a process that is gone, and has its node looked at.
    fn end_probe_of(&self, index: usize, lease: u64) {
        let guard = self.guard(index);
        probe::end_lease(guard.probe(), lease);
        if self.node(index).state().is_down() {
            probe::enter(self.pool(pool_word::NEXT_PROBE), guard.hold().load(Ordering::Acquire));
        }
    }

    /// One past the highest index that was ever used.
    pub(crate) fn nodes_used(&self) -> usize {
        (self.pool(pool_word::NODES_USED).load(Ordering::Acquire) as usize).min(self.nodes_max())
    }
}
