//! `rendezvous`: every candidate gets a random weight for the key; the highest takes it.
//!
//! ```text
//! r = mix(key ^ mix(id)) of each fit candidate; equal weights: the largest r wins
//! else: the smallest −ln(u)/weight wins, where u = (r + ½)/2⁶⁴
//! ```
//!
//! Cost: every candidate is read. No table, the least possible movement, exact weights.
//! Source: D. Thaler, C. Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM ToN 6(1), 1998; the
//! weighted form: J. Wang, "Weighted distributed hash tables", SPAA 2015.

use super::hashing::HashCandidates;
use crate::vocabulary::rng::mix;

/// The candidate with the highest random weight for `hash` among those that `takes` accepts. Equal scores, which only
/// equal ids have, go to the first.
#[inline(always)]
pub(crate) fn highest<V: HashCandidates>(
    view: V,
    hash: u64,
    weighted: bool,
    takes: impl Fn(usize) -> bool,
) -> Option<usize> {
    let mut best: Option<usize> = None;
    let (mut best_random, mut best_cost) = (0, f64::INFINITY);
    for c in (0..view.len()).map(|i| view.at(i)) {
        let random = mix(hash ^ mix(view.id_hash(c)));
        if weighted {
            let cost = cost(random, view.weight(c));
            if (best.is_none() || cost < best_cost) && takes(c) {
                (best, best_cost) = (Some(c), cost);
            }
        } else if (best.is_none() || random > best_random) && takes(c) {
            (best, best_random) = (Some(c), random);
        }
    }
    best
}

/// −ln(u)/weight, computed alike on every platform.
fn cost(random: u64, weight: u32) -> f64 {
    let u = ((random >> 11) as f64 + 0.5) * (1.0 / (1u64 << 53) as f64);
    -libm::log(u) / f64::from(weight)
}
