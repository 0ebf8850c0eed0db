//! `maglev`: the key's slot in a finished table (see [`crate::plan::maglev`]).
//!
//! ```text
//! h = XXH3-64(key); c = table[h · M / 2⁶⁴]; unfit or full: rehash
//! ```
//!
//! Cost: one hash, one load of the table, one of the candidate. A change of members moves a few keys beyond those that
//! must move, the price of the even table.

use super::hashing::{Bound, HashCandidates, walk};
use crate::vocabulary::hash::{reduce, rehash};

/// The owner of `hash` in a table of `size` slots, fit or not.
#[inline(always)]
pub(crate) fn owner(hash: u64, size: usize, slot: impl Fn(usize) -> usize) -> Option<usize> {
    (size > 0).then(|| slot(reduce(hash, size as u64) as usize))
}

/// The owner of `hash`, or of its rehashes.
pub(crate) fn choose<V: HashCandidates>(
    view: V,
    hash: u64,
    weighted: bool,
    bound: Option<Bound>,
    size: usize,
    slot: impl Fn(usize) -> usize,
) -> Option<usize> {
    walk(view, hash, weighted, bound, |i| owner(rehash(hash, i), size, &slot))
}
