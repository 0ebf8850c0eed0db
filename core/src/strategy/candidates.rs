//! What a rule sees: candidates by number, whether each may be taken, and what is known of it.
//!
//! A user's slice and a pool's plan are both seen this way, so that a rule is written once.

/// The candidates of one decision. Handed on by value, so that a way that is rarely taken costs the usual one nothing.
pub(crate) trait Candidates: Copy {
    /// How many there are, fit or not.
    fn len(&self) -> usize;

    /// The number of the candidate at a position of the declared order. A slice's numbers are its positions.
    fn at(&self, position: usize) -> usize;

    /// Whether candidate `c` may be taken by this request.
    fn fit(&self, c: usize) -> bool;

    fn weight(&self, c: usize) -> u32;
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
        Some((self.1)(crate::vocabulary::hash::reduce(bits, self.0 as u64) as usize))
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
        Some(crate::plan::alias::draw(bits, self.0 as u64, &self.1))
    }
}
