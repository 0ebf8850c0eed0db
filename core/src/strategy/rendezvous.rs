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
    view.for_each(|c| {
        let random = mix(hash ^ view.id_mix(c));
        if weighted {
            let weight = view.weight(c);
            if best.is_some() && least_cost(random, weight) > best_cost {
                return;
            }
            let cost = cost(random, weight);
            if (best.is_none() || cost < best_cost) && takes(c) {
                (best, best_cost) = (Some(c), cost);
            }
        } else if (best.is_none() || random > best_random) && takes(c) {
            (best, best_random) = (Some(c), random);
        }
    });
    best
}

/// What is compared of a candidate: its random number in 0.0 ..= 1.0, and the cost that follows, of which the least wins.
pub(crate) fn rating(hash: u64, id_mix: u64, weight: u32) -> (f64, f64) {
    let random = mix(hash ^ id_mix);
    (unit(random), cost(random, weight))
}

/// −ln(u)/weight, computed alike on every platform.
fn cost(random: u64, weight: u32) -> f64 {
    -libm::log(unit(random)) / f64::from(weight)
}

/// A lower bound of [`cost`] without the logarithm, −ln(u) ≥ 1 − u, that nearly all but the winner exceed; lowered by more
/// than the rounding of both.
#[inline(always)]
fn least_cost(random: u64, weight: u32) -> f64 {
    const SLACK: f64 = 1.0 - 1.0 / (1u64 << 40) as f64;
    (1.0 - unit(random)) * SLACK / f64::from(weight)
}

#[inline(always)]
fn unit(random: u64) -> f64 {
    ((random >> 11) as f64 + 0.5) * (1.0 / (1u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::rng::Draws;

    #[test]
    fn the_bound_is_below_the_cost() {
        let mut draws = Draws::seeded(17, 0);
        let extremes = [0, 1 << 11, u64::MAX, u64::MAX - (1 << 11), 1 << 63];
        for random in (0..100_000).map(|_| draws.next_u64()).chain(extremes) {
            for weight in [1, 3, 1 << 20, u32::MAX] {
                assert!(least_cost(random, weight) <= cost(random, weight), "{random} {weight}");
            }
        }
    }
}
