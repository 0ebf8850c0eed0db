//! `weighted_round_robin`: nginx's smooth order, from a finished cycle (see [`crate::plan::schedule`]).
//!
//! ```text
//! turn = cursor; cursor += 1
//! c = schedule[turn mod Σw]; if fit(c) → c
//! else one of the others by weight, drawn by the turn's own number
//! ```
//!
//! Cost: one atomic addition on the cursor, one load each of schedule and state. It fails, as round robin does, where
//! requests differ in cost.

use std::sync::atomic::{AtomicU64, Ordering};

use super::candidates::{Alias, Candidates, DrawTable};
use super::draw::{Scan, draw_fit, redraw, scan_fit};
use super::slice::{Cached, WeightedSlice, ids_stamp};
use super::told::Told;
use super::{SelectionContext, Strategy};
use crate::plan::{alias, schedule};
use crate::vocabulary::node::{Node, Weighted};
use crate::vocabulary::rng::Draws;

/// Smooth weighted round robin: 5/1/1 gives a a b a c a a.
///
/// A changed set or weight is noticed at the next selection and goes on at the same fraction of the cycle. A selection
/// with exclusions draws by weight among the rest and takes no turn. Above a sum of weights of 65 536 (after division by
/// their greatest common divisor) weights are scaled to that sum.
#[derive(Debug, Default)]
pub struct WeightedRoundRobin {
    cursor: AtomicU64,
    cycle: Cached<Cycle>,
}

#[derive(Debug)]
struct Cycle {
    schedule: Vec<u16>,
    columns: Vec<u64>,
}

impl WeightedRoundRobin {
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the cursor to where a cycle of `len` stands at the fraction of one of `old_len`.
    fn keep_fraction(&self, old_len: usize, len: usize) {
        if old_len == 0 || old_len == len {
            return;
        }
        let position = self.cursor.load(Ordering::Relaxed) % old_len as u64;
        let target = (u128::from(position) * len as u128).div_ceil(old_len as u128) as u64;
        self.cursor.store(target, Ordering::Relaxed);
    }
}

impl<N: Weighted + Node> Strategy<N> for WeightedRoundRobin {
    fn select(&self, candidates: &[N], ctx: &SelectionContext) -> Option<usize> {
        let view = WeightedSlice::new(candidates, ctx);
        if candidates.len() > usize::from(u16::MAX) {
            return scan_fit(view, &mut Draws::of_thread(), Scan::ByWeight, None);
        }
        let stamp = ids_stamp(candidates, Weighted::weight);
        let derive = || {
            let weights: Vec<u32> = candidates.iter().map(Weighted::weight).collect();
            let cycle = Cycle {
                schedule: schedule::smooth(&weights, crate::state::layout::SCHEDULE_MAX),
                columns: alias::build(&weights.iter().enumerate().map(|(i, &w)| (i as u16, w)).collect::<Vec<_>>()),
            };
            self.keep_fraction(self.cycle.peek(|old| old.schedule.len()).unwrap_or(0), cycle.schedule.len());
            cycle
        };
        self.cycle.with(stamp, derive, |cycle| {
            let table = Alias(cycle.columns.len(), |i| cycle.columns[i]);
            if !view.is_whole() {
                return draw_fit(view, table, &mut Draws::of_thread(), Scan::ByWeight);
            }
            if cycle.schedule.is_empty() {
                return None;
            }
            let turn = self.cursor.fetch_add(1, Ordering::Relaxed);
            let c = cycle.schedule[(turn % cycle.schedule.len() as u64) as usize];
            take_turn(view, usize::from(c), turn, table)
        })
    }
}

/// The turn's own candidate, or one of the others by weight.
pub(crate) fn take_turn<V: Candidates>(view: V, c: usize, turn: u64, table: impl DrawTable) -> Option<usize> {
    view.tell(|| Told::Drawn(c));
    if view.fit(c) {
        return Some(c);
    }
    redraw(view, table, &mut Draws::seeded(0, turn), Scan::ByWeight)
}
