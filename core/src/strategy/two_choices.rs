//! Two choices: draw two by weight, take the better. The rule of `p2c`, `peak_ewma` and, above 16 nodes, `least_request`.
//!
//! ```text
//! a, b = two distinct fit candidates, drawn by weight
//! the better of them; if neither is, a
//! ```
//!
//! Cost: two loads of the table, two of candidates; nothing is written. Drawing by weight and comparing load ÷ weight
//! gives idle candidates their shares, and an overloaded one is left as soon as it meets another.
//! Source: M. Mitzenmacher, "The power of two choices in randomized load balancing", IEEE TPDS 12(10), 2001.

use super::candidates::{Candidates, DrawTable, Uniform};
use super::draw::{REDRAWS, Scan, draw_fit, draw_second};
use super::told::Told;
use crate::vocabulary::rng::Draws;

/// From candidates drawn by weight. `better(a, b)`: whether b is better than a.
pub(crate) fn by_weight<V: Candidates>(
    view: V,
    table: impl DrawTable,
    draws: &mut Draws,
    better: impl Fn(usize, usize) -> bool,
) -> Option<usize> {
    let a = draw_fit(view, table, draws, Scan::ByWeight)?;
    Some(match draw_second(view, table, draws, Scan::ByWeight, a) {
        Some(b) => better_of(view, a, b, better),
        None => a,
    })
}

/// What [`by_weight`] chooses if its draws are fit.
#[inline(always)]
pub(crate) fn by_weight_at_once<V: Candidates>(
    view: V,
    table: impl DrawTable,
    mut draws: Draws,
    better: impl Fn(usize, usize) -> bool,
) -> Option<usize> {
    let a = table.draw(draws.next_u64()).filter(|&a| view.fit(a))?;
    for _ in 0..=REDRAWS {
        let b = table.draw(draws.next_u64())?;
        if b != a {
            return view.fit(b).then(|| if better(a, b) { b } else { a });
        }
    }
    None
}

/// From candidates drawn evenly: a pair by one number, and if that is not fit, one after the other.
pub(crate) fn evenly<V: Candidates>(
    view: V,
    table: Uniform<impl Fn(usize) -> usize + Copy>,
    draws: &mut Draws,
    better: impl Fn(usize, usize) -> bool,
) -> Option<usize> {
    if let Some((a, b)) = table.draw_two(draws.next_u64()) {
        view.tell(|| Told::Drawn(a));
        view.tell(|| Told::Drawn(b));
        if view.fit(a) && view.fit(b) {
            return Some(better_of(view, a, b, better));
        }
    }
    let a = draw_fit(view, table, draws, Scan::Evenly)?;
    Some(match draw_second(view, table, draws, Scan::Evenly, a) {
        Some(b) => better_of(view, a, b, better),
        None => a,
    })
}

/// The second if it is better, else the first.
#[inline(always)]
fn better_of<V: Candidates>(view: V, a: usize, b: usize, better: impl Fn(usize, usize) -> bool) -> usize {
    // Told first: ratings are told as they are compared, and those that count are the last.
    view.tell(|| Told::Compared { a, b, first_is_better: better(b, a) });
    if better(a, b) { b } else { a }
}

/// What [`evenly`] chooses if its pair is fit.
#[inline(always)]
pub(crate) fn evenly_at_once<V: Candidates>(
    view: V,
    table: Uniform<impl Fn(usize) -> usize + Copy>,
    draws: &mut Draws,
    better: impl Fn(usize, usize) -> bool,
) -> Option<usize> {
    let (a, b) = table.draw_two(draws.next_u64())?;
    (view.fit(a) && view.fit(b)).then(|| if better(a, b) { b } else { a })
}
