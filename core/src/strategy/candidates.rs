//! What a rule sees: candidates by number, whether each may be taken, and what is known of it.
//!
//! A user's slice and a pool's plan are both seen this way, so that a rule is written once.

use super::told::{Score, Told};
use crate::vocabulary::hash::reduce;

/// The candidates of one decision. Handed on by value, so that a way that is rarely taken costs the usual one nothing.
pub(crate) trait Candidates: Copy {
    /// How many there are, fit or not.
    fn len(&self) -> usize;

    /// The number of the candidate at a position of the declared order. A slice's numbers are its positions.
    fn at(&self, position: usize) -> usize;

    /// Calls `f` with each candidate's number in the declared order.
    #[inline(always)]
    fn for_each(&self, f: impl FnMut(usize)) {
        (0..self.len()).map(|position| self.at(position)).for_each(f);
    }

    /// Whether candidate `c` may be taken by this request.
    fn fit(&self, c: usize) -> bool;

    fn weight(&self, c: usize) -> u32;

    /// What the rule does, for those who listen.
    #[inline(always)]
    fn tell(&self, _: impl FnOnce() -> Told) {}

    /// The same rating of candidate `c`, told.
    #[inline(always)]
    fn rated<S: Copy + Into<Score>>(&self, c: usize, rating: S) -> S {
        self.tell(|| Told::Scored(c, rating.into()));
        rating
    }
}

/// Something that draws a candidate.
pub(crate) trait DrawTable: Copy {
    /// The candidate that 64 uniform bits choose; `None` if there is none to draw.
    fn draw(&self, bits: u64) -> Option<usize>;
}

/// Every position of `n` alike, through `at`.
#[derive(Clone, Copy)]
pub(crate) struct Uniform<F>(pub(crate) usize, pub(crate) F);

impl<F: Fn(usize) -> usize + Copy> DrawTable for Uniform<F> {
    #[inline(always)]
    fn draw(&self, bits: u64) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        Some((self.1)(reduce(bits, self.0 as u64) as usize))
    }
}

impl<F: Fn(usize) -> usize + Copy> Uniform<F> {
    /// Two distinct candidates from the same 64 bits: the upper half of bits·n is the first position, and its lower half,
    /// uniform again, draws among the others. `None` if there are no two.
    #[inline(always)]
    pub(crate) fn draw_two(&self, bits: u64) -> Option<(usize, usize)> {
        if self.0 < 2 {
            return None;
        }
        let product = u128::from(bits) * self.0 as u128;
        let first = (product >> 64) as u64;
        let other = reduce(product as u64, self.0 as u64 - 1);
        let second = other + u64::from(other >= first);
        Some(((self.1)(first as usize), (self.1)(second as usize)))
    }
}

/// By weight, through an alias table of `n` columns.
#[derive(Clone, Copy)]
pub(crate) struct Alias<F>(pub(crate) usize, pub(crate) F);

impl<F: Fn(usize) -> u64 + Copy> DrawTable for Alias<F> {
    #[inline(always)]
    fn draw(&self, bits: u64) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        Some(crate::plan::alias::draw(bits, self.0 as u64, self.1))
    }
}
