//! `round_robin`: in turn.
//!
//! ```text
//! turn = cursor; cursor += 1
//! c = cycle[turn mod n]; if fit(c) → c
//! else the turn goes to one of the others, drawn by the turn's own number
//! ```
//!
//! Cost: one atomic addition on the cursor, one load each of cycle and state. Threads that meet at the cursor take turns
//! in blocks (see [`Turns`]). It fails where requests differ in cost: everybody gets as many, not as much.

use std::sync::atomic::{AtomicU64, Ordering};

use super::candidates::{Candidates, Uniform};
use super::draw::{Scan, redraw};
use super::slice::Slice;
use super::told::Told;
use super::{SelectionContext, Strategy};
use crate::vocabulary::rng::Draws;

/// Selection in turn, from the first on. An excluded node's turn goes to one of the others, each as often.
///
/// ```
/// use loadwise::{SelectionContext, Strategy, strategy::RoundRobin};
///
/// let (rr, nodes, ctx) = (RoundRobin::new(), ["a", "b", "c"], SelectionContext::default());
/// let turns: Vec<_> = (0..4).map(|_| rr.select(&nodes, &ctx).unwrap()).collect();
/// assert_eq!(turns, [0, 1, 2, 0]);
/// ```
#[derive(Debug, Default)]
pub struct RoundRobin {
    cursor: AtomicU64,
}

impl RoundRobin {
    pub fn new() -> Self {
        Self::default()
    }
}

impl<N> Strategy<N> for RoundRobin {
    fn select(&self, candidates: &[N], ctx: &SelectionContext) -> Option<usize> {
        let n = candidates.len();
        if n == 0 {
            return None;
        }
        let turn = self.cursor.fetch_add(1, Ordering::Relaxed);
        let view = Slice::new(candidates, ctx);
        let c = if n as u64 <= u64::from(u32::MAX) && turn <= u64::from(u32::MAX) {
            // A 32-bit division takes half the time of a 64-bit one on many processors.
            (turn as u32 % n as u32) as usize
        } else {
            (turn % n as u64) as usize
        };
        take_turn(view, c, turn, Uniform(n, |i| i))
    }
}

/// The turn's own candidate, or one of the others.
pub(crate) fn take_turn<V: Candidates>(
    view: V,
    c: usize,
    turn: u64,
    table: Uniform<impl Fn(usize) -> usize + Copy>,
) -> Option<usize> {
    view.tell(|| Told::Drawn(c));
    if view.fit(c) {
        return Some(c);
    }
    redraw(view, table, &mut Draws::seeded(0, turn), Scan::Evenly)
}
