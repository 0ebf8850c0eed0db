//! What the hash rules share: a key's walk over its owners, and bounded loads.
//!
//! ```text
//! for i in 0 ..= 32: c = owner(rehash(key, i)); if fit(c) and it has room → c
//! then: of all that are fit and have room, the highest random weight for the key
//! then, if all are full: the least loaded that is fit
//! ```
//!
//! Health is no part of a table, so a node's flip moves only its own keys, and they come back with it.
//! Bounded loads: V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent hashing with bounded loads", SODA 2018; the
//! overflow goes by rehash, so that a full node's keys do not pile up on its neighbour.

use super::candidates::Candidates;
use super::rendezvous;
use super::told::Told;

/// Rehashes before all candidates are looked at.
const REHASHES: u64 = 32;

/// Candidates of a hash rule: what it needs to know beside fitness.
pub(crate) trait HashCandidates: Candidates {
    /// `mix` of the hash of a candidate's id.
    fn id_mix(&self, c: usize) -> u64;

    fn in_flight(&self, c: usize) -> u64;
}

/// The most that a candidate may have in flight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    /// c: how far above its share a candidate may go.
    pub(crate) factor: f64,
    /// In flight over all candidates.
    pub(crate) total: u64,
    /// Σ of the weights of those that share it.
    pub(crate) weight_sum: u64,
}

impl Bound {
    /// Whether a candidate of `weight` with `in_flight` may take another: up to ⌈share·(total + 1)·c⌉, at least 1.
    #[inline(always)]
    pub(crate) fn has_room(self, weight: u32, in_flight: u64) -> bool {
        // in flight < ⌈x⌉ is in flight < x for whole numbers, so that nothing need be rounded or divided.
        let room = self.share(weight);
        in_flight == 0 || in_flight as f64 * (self.weight_sum as f64) < room
    }

    #[inline(always)]
    fn share(self, weight: u32) -> f64 {
        f64::from(weight) * (self.total + 1) as f64 * self.factor
    }

    /// The most that a candidate of `weight` may have in flight.
    pub(crate) fn most(self, weight: u32) -> f64 {
        (self.share(weight) / self.weight_sum.max(1) as f64).ceil().max(1.0)
    }
}

/// The first owner of a walk that may take the key; else one of all candidates.
#[inline]
pub(crate) fn walk<V: HashCandidates>(
    view: V,
    hash: u64,
    weighted: bool,
    bound: Option<Bound>,
    owner: impl Fn(u64) -> Option<usize>,
) -> Option<usize> {
    let takes = |c: usize| view.fit(c) && bound.is_none_or(|b| b.has_room(view.weight(c), view.in_flight(c)));
    let owner = |i| owner(i).inspect(|&c| view.tell(|| Told::Owner { i, c }));
    let first = owner(0)?;
    if takes(first) {
        return Some(first);
    }
    for i in 1..=REHASHES {
        if let Some(c) = owner(i).filter(|&c| takes(c)) {
            return Some(c);
        }
    }
    scan(view, hash, weighted, bound)
}

/// Of all candidates: the highest random weight with room, else the least loaded.
#[inline]
pub(crate) fn scan<V: HashCandidates>(view: V, hash: u64, weighted: bool, bound: Option<Bound>) -> Option<usize> {
    view.tell(|| Told::Scanned);
    let with_room = rendezvous::highest(view, hash, weighted, |c| {
        view.fit(c) && bound.is_none_or(|b| b.has_room(view.weight(c), view.in_flight(c)))
    });
    if with_room.is_some() || bound.is_none() {
        return with_room;
    }
    let load = |c| view.in_flight(c) as f64 / f64::from(view.weight(c).max(1));
    let mut least = f64::INFINITY;
    view.for_each(|c| {
        if view.fit(c) {
            least = least.min(load(c));
        }
    });
    rendezvous::highest(view, hash, weighted, |c| view.fit(c) && load(c) <= least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_is_a_rounded_up_share() {
        // 3 of equal weight, 7 in flight: ⌈8/3 · 1.25⌉ = 4.
        let b = Bound { factor: 1.25, total: 7, weight_sum: 3 };
        assert!(b.has_room(1, 3) && !b.has_room(1, 4));
        // Idle: everybody may have one.
        let idle = Bound { factor: 1.25, total: 0, weight_sum: 1000 };
        assert!(idle.has_room(1, 0) && !idle.has_room(1, 1));
    }
}
