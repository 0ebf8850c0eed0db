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

use super::candidates::{Candidates, DrawTable};
use super::draw::{Scan, draw_fit, draw_second};
use crate::vocabulary::rng::Draws;

/// `better(a, b)`: whether b is better than a.
#[inline(always)]
pub(crate) fn choose<V: Candidates>(
    view: V,
    table: impl DrawTable,
    draws: &mut Draws,
    scan: Scan,
    better: impl Fn(usize, usize) -> bool,
) -> Option<usize> {
    let a = draw_fit(view, table, draws, scan)?;
    match draw_second(view, table, draws, scan, a) {
        Some(b) if better(a, b) => Some(b),
        _ => Some(a),
    }
}
