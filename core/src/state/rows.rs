//! Which rows of in-flight counts are in use, so that who sums them up looks at no more.
//!
//! The rows of a node lie in lines of eight processes each, all nodes' first lines together, then all second ones: with up
//! to eight processes, a node's sum is one line, and further lines take no memory before somebody sits down in them.
//!
//! ```text
//! sit down:  row's entry := active;  used := (looked + 1, max(count, row + 1))         cas, repeated
//! shrink:    seen = used;  n = one past the highest active row;  cas(used: seen → (looked, n))
//! ```
//!
//! A shrink that did not see a row active began before that row sat down, so it finds the word changed. Who counts itself
//! in first sits down, so of two that count in different rows the later one sees the other.

use super::layout::LINE;
use crate::sync::{AtomicU64, Ordering};

const COUNT: u64 = 0xFFFF;
const EVER_SHIFT: u32 = 16;
const LOOKED: u64 = 1 << 32;

/// Rows of a node that share a cache line.
pub(crate) const LINE_ROWS: usize = LINE / 2;

/// One past the highest row in use (16 bits) and one past the highest that ever was (16 bits), then how often somebody sat
/// down.
#[derive(Clone, Copy)]
pub(crate) struct RowsUsed<'a>(pub(crate) &'a AtomicU64);

impl RowsUsed<'_> {
    #[inline(always)]
    pub(crate) fn count(self) -> usize {
        (self.0.load(Ordering::SeqCst) & COUNT) as usize
    }

    /// What rows that are not in use any more have counted stays counted.
    pub(crate) fn ever(self) -> usize {
        (self.0.load(Ordering::SeqCst) >> EVER_SHIFT & COUNT) as usize
    }

    /// Has a row summed up from now on. Its process is active already.
    pub(crate) fn sit_down(self, row: usize) {
        let mut seen = self.0.load(Ordering::SeqCst);
        loop {
            let count = (seen & COUNT).max(row as u64 + 1);
            let ever = (seen >> EVER_SHIFT & COUNT).max(count);
            let next = (seen & !(LOOKED - 1)).wrapping_add(LOOKED) | ever << EVER_SHIFT | count;
            match self.0.compare_exchange(seen, next, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Has rows from `needed()` on summed up no longer.
    pub(crate) fn shrink(self, needed: impl FnOnce() -> usize) {
        let seen = self.0.load(Ordering::SeqCst);
        let needed = needed() as u64;
        if needed < seen & COUNT {
            let _ = self.0.compare_exchange(seen, seen & !COUNT | needed, Ordering::SeqCst, Ordering::SeqCst);
        }
    }
}

/// Run with `make loom`.
#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    /// A process sits down in row 1 while another one makes room, having found row 1 free or not.
    fn who_sat_down_is_summed_up(shrink: fn(RowsUsed<'_>, &dyn Fn() -> usize)) {
        loom::model(move || {
            let (used, active) = (Arc::new(AtomicU64::new(3)), Arc::new(AtomicU64::new(0)));
            let sitter = {
                let (used, active) = (used.clone(), active.clone());
                thread::spawn(move || {
                    active.store(1, Ordering::SeqCst);
                    RowsUsed(&used).sit_down(1);
                })
            };
            shrink(RowsUsed(&used), &|| if active.load(Ordering::SeqCst) == 1 { 2 } else { 1 });
            sitter.join().unwrap();
            assert!(RowsUsed(&used).count() >= 2);
        });
    }

    #[test]
    fn a_row_that_is_sat_down_in_is_not_left_out() {
        who_sat_down_is_summed_up(|used, needed| used.shrink(needed));
    }

    #[test]
    #[should_panic]
    fn mutant_that_only_stores_leaves_a_row_out() {
        who_sat_down_is_summed_up(|used, needed| {
            let needed = needed() as u64;
            used.0.store(needed, Ordering::SeqCst);
        });
    }
}
