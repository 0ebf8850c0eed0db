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
    index(counts(members, points).flat_map(|(m, count)| (1..=count).map(move |j| point_of(m, j))).collect())
}

/// Members with a weight, and how many points each has.
fn counts(members: &[Hashed], points: u32) -> impl Iterator<Item = (Hashed, u64)> {
    let heavy = members.iter().copied().filter(|m| m.weight > 0);
    let n = heavy.clone().count() as u128;
    let sum: u128 = heavy.clone().map(|m| u128::from(m.weight)).sum();
    heavy.map(move |m| (m, ((u128::from(points) * n * u128::from(m.weight) + sum / 2) / sum).max(1) as u64))
}

/// A member's point `j` as an entry.
fn point_of(m: Hashed, j: u64) -> u64 {
    mix(m.id_hash.wrapping_add(j.wrapping_mul(0x9E37_79B9_7F4A_7C15))) & !0xFFFF | u64::from(m.node)
}

/// What [`build`] makes of `members`, out of the ring of another set that has most of them with the same number of
/// points: a merge instead of a sort. `None` if that is not so.
pub(crate) fn change(
    old: &[u64],
    shift: u32,
    bucket: impl Fn(usize) -> u32,
    members: &[Hashed],
    points: u32,
) -> Option<Ring> {
    const NEWCOMERS_MAX: usize = 64;
    const GONE: u32 = u32::MAX;
    let has = |e: u64| {
        let at = find(e, shift, old.len(), &bucket, |i| old[i]);
        old.get(at..).is_some_and(|old| old.iter().take_while(|&o| o >> 16 == e >> 16).any(|&o| o == e))
    };
    // By node: its place in id order if it stays, its place in any case, and how many points it should have and has.
    let (mut rank, mut places, mut wanted) = (vec![GONE; 1 << 16], vec![GONE; 1 << 16], vec![0u64; 1 << 16]);
    let (mut new_points, mut newcomers) = (Vec::new(), 0);
    for (place, (m, count)) in counts(members, points).enumerate() {
        let node = usize::from(m.node);
        places[node] = place as u32;
        if has(point_of(m, 1)) && has(point_of(m, count)) && !has(point_of(m, count + 1)) {
            (rank[node], wanted[node]) = (place as u32, count);
            continue;
        }
        newcomers += 1;
        if newcomers > NEWCOMERS_MAX {
            return None;
        }
        new_points.extend((1..=count).map(|j| point_of(m, j)));
    }
    let node_of = |e: u64| (e & 0xFFFF) as usize;
    new_points.sort_unstable_by_key(|&e| (e >> 16, places[node_of(e)]));
    let mut new_points = new_points.into_iter().peekable();
    let mut entries = Vec::with_capacity(old.len() + new_points.len());
    for &e in old {
        let node = node_of(e);
        if rank[node] == GONE {
            continue;
        }
        wanted[node] = wanted[node].wrapping_sub(1);
        while let Some(new) = new_points.next_if(|&new| (new >> 16, places[node_of(new)]) < (e >> 16, rank[node])) {
            entries.push(new);
        }
        entries.push(e);
    }
    entries.extend(new_points);
    wanted.iter().all(|&missing| missing == 0).then(|| index_sorted(entries))
}

/// Sorts entries by point, entries of one point staying in their order, and indexes them.
pub(crate) fn index(mut entries: Vec<u64>) -> Ring {
    // By the leading bits, a few at a time, so that what is written to stays in the caches.
    let bits = index_bits(entries.len());
    for bits in [bits.min(9), bits] {
        entries = sorted_by(&entries, bits);
    }
    // A bucket has one entry on average: insertion, which is stable.
    for i in 1..entries.len() {
        let mut j = i;
        while j > 0 && entries[j - 1] >> 16 > entries[j] >> 16 {
            entries.swap(j - 1, j);
            j -= 1;
        }
    }
    index_sorted(entries)
}

/// Bits of the index of a ring: a bucket has one entry on average.
fn index_bits(len: usize) -> u32 {
    (len.max(1) as u64).next_power_of_two().trailing_zeros().max(1)
}

/// Entries by their leading bits, stably.
fn sorted_by(entries: &[u64], bits: u32) -> Vec<u64> {
    let part = |e: u64| (e >> (64 - bits)) as usize;
    let mut next = vec![0u32; (1 << bits) + 1];
    entries.iter().for_each(|&e| next[part(e) + 1] += 1);
    for i in 1..next.len() {
        next[i] += next[i - 1];
    }
    let mut sorted = vec![0u64; entries.len()];
    for &e in entries {
        let at = &mut next[part(e)];
        sorted[*at as usize] = e;
        *at += 1;
    }
    sorted
}

fn index_sorted(entries: Vec<u64>) -> Ring {
    let bits = index_bits(entries.len());
    let shift = 64 - bits;
    // A bucket begins where the last one before it that has any entries ends.
    let mut buckets = vec![0u32; (1 << bits) + 1];
    for (at, e) in entries.iter().enumerate() {
        buckets[(e >> shift) as usize + 1] = at as u32 + 1;
    }
    let mut end = 0;
    for bucket in &mut buckets {
        end = end.max(*bucket);
        *bucket = end;
    }
    Ring { entries, buckets, shift }
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
    fn a_changed_ring_is_the_one_built_anew() {
        let all = members(&[1; 40]);
        let old = build(&all, 104);
        let changed = |ring: &Ring, to: &[Hashed]| change(&ring.entries, ring.shift, |b| ring.buckets[b], to, 104);
        let same = |to: &[Hashed]| {
            let (ring, built) = (changed(&old, to).unwrap(), build(to, 104));
            assert_eq!((ring.entries, ring.buckets, ring.shift), (built.entries, built.buckets, built.shift));
        };
        let mut joined = members(&[1; 43]);
        same(&joined);
        joined.rotate_left(41);
        same(&joined);
        joined.remove(7);
        same(&joined[..20]);
        same(&all);
        // Another member under a number that was taken before.
        let mut replaced = all.clone();
        replaced[5].id_hash ^= 1;
        same(&replaced);
        replaced[5].weight = 2;
        same(&replaced);
        same(&members(&[2, 1, 1, 1]));
        assert!(changed(&old, &members(&[1; 140])).is_none());
        assert!(changed(&build(&[], 104), &members(&[1; 65])).is_none());
    }

    #[test]
    fn entries_of_one_point_stay_in_their_order() {
        let entries = vec![5 << 60 | 9, 1 << 60 | 4, 5 << 60 | 2, 1 << 60 | 7, 5 << 60 | 3];
        assert_eq!(index(entries).entries, [1 << 60 | 4, 1 << 60 | 7, 5 << 60 | 9, 5 << 60 | 2, 5 << 60 | 3]);
    }

    #[test]
    fn one_and_none() {
        assert!(build(&[], 100).entries.is_empty());
        assert_eq!(build(&members(&[3]), 10).entries.len(), 10);
    }
}
