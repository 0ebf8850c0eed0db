//! The hash ring: every member at many points, a key belongs to the next point.
//!
//! ```text
//! point j of a member = mix(h + (j + 1)·GOLDEN), h = XXH3-64(id), its upper 48 bits
//! a member has points·n·w/Σw points, rounded, at least one
//! ```
//!
//! Points are uniform, so the entries that begin with a key's leading bits are found by an index over those bits: two
//! loads instead of a search. Source: D. Karger et al., "Consistent hashing and random trees", STOC 1997.

use super::maglev::Hashed;
use crate::vocabulary::rng::mix;

/// A ring: entries in order, each a point (48 bits) and a node (16 bits), and where each bucket of leading bits begins.
#[derive(Debug)]
pub(crate) struct Ring {
    pub(crate) entries: Vec<u64>,
    pub(crate) buckets: Vec<u32>,
    /// A point's bucket is `point >> shift`.
    pub(crate) shift: u32,
}

/// The ring of `members`, in id order, with `points` each on average.
pub(crate) fn build(members: &[Hashed], points: u32) -> Ring {
    let heavy = members.iter().filter(|m| m.weight > 0);
    let n = heavy.clone().count() as u128;
    let sum: u128 = heavy.clone().map(|m| u128::from(m.weight)).sum();
    let mut entries = Vec::new();
    for m in heavy {
        let count = ((u128::from(points) * n * u128::from(m.weight) + sum / 2) / sum).max(1) as u64;
        entries.extend((1..=count).map(|j| {
            let point = mix(m.id_hash.wrapping_add(j.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
            point & !0xFFFF | u64::from(m.node)
        }));
    }
    index(entries)
}

/// Sorts entries by point, entries of one point staying in their order, and indexes them.
pub(crate) fn index(entries: Vec<u64>) -> Ring {
    let bits = (entries.len().max(1) as u64).next_power_of_two().trailing_zeros().max(1);
    let shift = 64 - bits;
    let mut buckets = vec![0u32; (1 << bits) + 1];
    for e in &entries {
        buckets[(e >> shift) as usize + 1] += 1;
    }
    for i in 1..buckets.len() {
        buckets[i] += buckets[i - 1];
    }
    let mut next = buckets.clone();
    let mut sorted = vec![0u64; entries.len()];
    for e in entries {
        let at = &mut next[(e >> shift) as usize];
        sorted[*at as usize] = e;
        *at += 1;
    }
    // A bucket has one entry on average: insertion, which is stable.
    for i in 1..sorted.len() {
        let mut j = i;
        while j > 0 && sorted[j - 1] >> 16 > sorted[j] >> 16 {
            sorted.swap(j - 1, j);
            j -= 1;
        }
    }
    Ring { entries: sorted, buckets, shift }
}

/// The position of the first entry at or after `hash`; `len` wraps to 0.
#[inline(always)]
pub(crate) fn find(
    hash: u64,
    shift: u32,
    len: usize,
    bucket: impl Fn(usize) -> u32,
    entry: impl Fn(usize) -> u64,
) -> usize {
    let mut at = bucket((hash >> (shift & 63)) as usize) as usize;
    while at < len && entry(at) >> 16 < hash >> 16 {
        at += 1;
    }
    if at >= len { 0 } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::hash::key_hash;
    use crate::vocabulary::rng::Draws;

    fn members(weights: &[u32]) -> Vec<Hashed> {
        let hashed = |(i, &weight): (usize, &u32)| Hashed {
            node: i as u16,
            id_hash: key_hash(format!("node-{i}").as_bytes()),
            weight,
        };
        weights.iter().enumerate().map(hashed).collect()
    }

    #[test]
    fn find_is_a_search_for_the_next_point() {
        let ring = build(&members(&[1, 4, 2, 0, 9]), 40);
        assert!(ring.entries.is_sorted_by_key(|e| e >> 16));
        let mut draws = Draws::seeded(5, 0);
        let keys = (0..20_000).map(|_| draws.next_u64()).chain([0, 1, u64::MAX]).chain(ring.entries.clone());
        for hash in keys {
            let expected = ring.entries.iter().position(|e| e >> 16 >= hash >> 16).unwrap_or(0);
            assert_eq!(find(hash, ring.shift, ring.entries.len(), |b| ring.buckets[b], |i| ring.entries[i]), expected);
        }
    }

    #[test]
    fn a_member_that_leaves_moves_only_its_own_keys() {
        let all = members(&[1; 8]);
        let fewer: Vec<Hashed> = all.iter().copied().filter(|m| m.node != 3).collect();
        let (a, b) = (build(&all, 104), build(&fewer, 104));
        let owner =
            |r: &Ring, h| r.entries[find(h, r.shift, r.entries.len(), |i| r.buckets[i], |i| r.entries[i])] & 0xFFFF;
        let mut draws = Draws::seeded(6, 0);
        for _ in 0..10_000 {
            let h = draws.next_u64();
            if owner(&a, h) != 3 {
                assert_eq!(owner(&a, h), owner(&b, h));
            }
        }
    }

    #[test]
    fn one_and_none() {
        assert!(build(&[], 100).entries.is_empty());
        assert_eq!(build(&members(&[3]), 10).entries.len(), 10);
    }
}
