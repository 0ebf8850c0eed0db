//! Drawing a candidate that is fit.
//!
//! ```text
//! up to 5 times: c = draw; if fit(c) → c
//! then: of all that are fit, one by weight
//! ```
//!
//! An unfit candidate's share goes to all others by their weight, never to a neighbour. The scan is for tables that have
//! gone out of date, and for requests that few candidates satisfy; from the next `maintain` on, tables hold fit nodes only.

use super::candidates::{Candidates, DrawTable};
use super::told::Told;
use crate::vocabulary::rng::Draws;

/// Further draws after one that was unfit.
pub(crate) const REDRAWS: usize = 4;

/// How a scan weighs candidates.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scan {
    Evenly,
    ByWeight,
}

/// A fit candidate from `table`.
#[inline]
pub(crate) fn draw_fit<V: Candidates>(view: V, table: impl DrawTable, draws: &mut Draws, scan: Scan) -> Option<usize> {
    let first = table.draw(draws.next_u64()).inspect(|&c| view.tell(|| Told::Drawn(c))).filter(|&c| view.fit(c));
    first.or_else(|| redraw(view, table, draws, scan))
}

/// The candidate that the first draw of [`draw_fit`] chooses, if it is fit.
#[inline(always)]
pub(crate) fn draw_once<V: Candidates>(view: V, table: impl DrawTable, mut draws: Draws) -> Option<usize> {
    table.draw(draws.next_u64()).filter(|&c| view.fit(c))
}

/// A fit candidate for one that was chosen otherwise and is unfit: [`draw_fit`] without its first draw.
pub(crate) fn redraw<V: Candidates>(view: V, table: impl DrawTable, draws: &mut Draws, scan: Scan) -> Option<usize> {
    for _ in 0..REDRAWS {
        let drawn = table.draw(draws.next_u64()).inspect(|&c| view.tell(|| Told::Drawn(c)));
        if let Some(c) = drawn.filter(|&c| view.fit(c)) {
            return Some(c);
        }
    }
    scan_fit(view, draws, scan, None)
}

/// A fit candidate from `table` that is not `first`; `None` if there is no other.
#[inline]
pub(crate) fn draw_second<V: Candidates>(
    view: V,
    table: impl DrawTable,
    draws: &mut Draws,
    scan: Scan,
    first: usize,
) -> Option<usize> {
    for _ in 0..=REDRAWS {
        let drawn = table.draw(draws.next_u64()).inspect(|&c| view.tell(|| Told::Drawn(c)));
        if let Some(c) = drawn.filter(|&c| c != first && view.fit(c)) {
            return Some(c);
        }
    }
    // Few are fit, or one outweighs the rest.
    scan_fit(view, draws, scan, Some(first))
}

/// One of all fit candidates but `except`, in one pass: the i-th replaces the chosen with probability wᵢ / Σ so far.
#[cold]
#[inline(never)]
pub(crate) fn scan_fit<V: Candidates>(view: V, draws: &mut Draws, scan: Scan, except: Option<usize>) -> Option<usize> {
    view.tell(|| Told::Scanned);
    let mut chosen = None;
    let mut sum = 0u64;
    view.for_each(|c| {
        if Some(c) == except || !view.fit(c) {
            return;
        }
        let weight = if scan == Scan::ByWeight { u64::from(view.weight(c)) } else { 1 };
        sum += weight;
        if weight > 0 && draws.below(sum) < weight {
            chosen = Some(c);
        }
    });
    if let Some(c) = chosen {
        view.tell(|| Told::Drawn(c));
    }
    chosen
}
