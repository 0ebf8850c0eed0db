//! `ring_hash`: the next point on the ring (see [`crate::plan::ring`]).
//!
//! ```text
//! h = XXH3-64(key); c = owner of the first point at or after h; unfit or full: the point after it, …
//! ```
//!
//! Cost: one hash, two loads of the ring, one of the candidate. Shares are as even as the number of points makes them.

use super::candidates::{Candidates, Uniform};
use super::draw::{Scan, draw_fit};
use super::hashing::{Bound, HashCandidates, scan, walk};
use super::slice::{Cached, Slice, id_hash, ids_stamp};
use super::{SelectionContext, Strategy};
use crate::plan::maglev::Hashed;
use crate::plan::ring::{self, Ring};
use crate::vocabulary::hash::key_hash;
use crate::vocabulary::node::Node;
use crate::vocabulary::rng::{Draws, mix};

/// A ring of `len` entries as a rule reads it.
pub(crate) struct RingTable<B, E> {
    pub(crate) len: usize,
    pub(crate) shift: u32,
    pub(crate) bucket: B,
    pub(crate) entry: E,
}

/// The owner of point `point`, fit or not.
#[inline(always)]
pub(crate) fn owner(point: u64, ring: &RingTable<impl Fn(usize) -> u32, impl Fn(usize) -> u64>) -> Option<usize> {
    if ring.len == 0 {
        return None;
    }
    let at = ring::find(point, ring.shift, ring.len, &ring.bucket, &ring.entry);
    Some(((ring.entry)(at) & 0xFFFF) as usize)
}

/// The owner of point `point`, or of those after it; `hash` is the key's for the final scan.
pub(crate) fn choose<V: HashCandidates>(
    view: V,
    point: u64,
    hash: u64,
    weighted: bool,
    bound: Option<Bound>,
    ring: &RingTable<impl Fn(usize) -> u32, impl Fn(usize) -> u64>,
) -> Option<usize> {
    if ring.len == 0 {
        return None;
    }
    let first = ring::find(point, ring.shift, ring.len, &ring.bucket, &ring.entry);
    let owner = |i: u64| Some(((ring.entry)((first + i as usize) % ring.len) & 0xFFFF) as usize);
    walk(view, hash, weighted, bound, owner)
}

/// Consistent hashing over a ring of virtual nodes: one key, one node, whatever the order of the slice; a node that comes
/// or goes moves its own keys only. Without a key, a random node.
///
/// ```
/// use loadwise::{Node, SelectionContext, Strategy, strategy::ConsistentHash};
///
/// struct Cache(&'static str);
/// impl Node for Cache {
///     type Id = &'static str;
///     fn id(&self) -> &&'static str { &self.0 }
/// }
///
/// let hash = ConsistentHash::builder().replicas(200).build();
/// let ctx = SelectionContext::builder().hash_key(42).build();
/// let (ab, ba) = ([Cache("a"), Cache("b")], [Cache("b"), Cache("a")]);
/// let (i, j) = (hash.select(&ab, &ctx).unwrap(), hash.select(&ba, &ctx).unwrap());
/// assert_eq!(ab[i].0, ba[j].0);
/// ```
#[derive(Debug, bon::Builder)]
pub struct ConsistentHash {
    /// Points a node. More make shares more even and the ring larger. **Default: 150.**
    #[builder(default = 150)]
    replicas: usize,
    #[builder(skip)]
    ring: Cached<SliceRing>,
}

#[derive(Debug)]
struct SliceRing {
    ring: Ring,
    id_hashes: Vec<u64>,
}

impl Default for ConsistentHash {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl<N: Node> Strategy<N> for ConsistentHash {
    fn select(&self, candidates: &[N], ctx: &SelectionContext) -> Option<usize> {
        let slice = Slice::new(candidates, ctx);
        let Some(key) = ctx.hash_key else {
            return draw_fit(slice, Uniform(candidates.len(), |i| i), &mut Draws::of_thread(), Scan::Evenly);
        };
        let hash = key_hash(&key.to_le_bytes());
        if candidates.len() > usize::from(u16::MAX) {
            let id_hashes: Vec<u64> = candidates.iter().map(|n| id_hash(n.id())).collect();
            return scan(HashSlice { slice, id_hashes: &id_hashes }, hash, false, None);
        }
        self.ring.with(
            ids_stamp(candidates, |_| 1),
            || self.derive(candidates),
            |kept| {
                let view = HashSlice { slice, id_hashes: &kept.id_hashes };
                let ring = &kept.ring;
                let table = RingTable {
                    len: ring.entries.len(),
                    shift: ring.shift,
                    bucket: |b| ring.buckets[b],
                    entry: |i| ring.entries[i],
                };
                choose(view, hash, hash, false, None, &table)
            },
        )
    }
}

impl ConsistentHash {
    fn derive<N: Node>(&self, candidates: &[N]) -> SliceRing {
        let id_hashes: Vec<u64> = candidates.iter().map(|n| id_hash(n.id())).collect();
        let members: Vec<Hashed> =
            id_hashes.iter().enumerate().map(|(i, &id_hash)| Hashed { node: i as u16, id_hash, weight: 1 }).collect();
        SliceRing { ring: ring::build(&members, self.replicas.clamp(1, 1 << 16) as u32), id_hashes }
    }
}

#[derive(Clone, Copy)]
struct HashSlice<'a> {
    slice: Slice<'a>,
    id_hashes: &'a [u64],
}

impl Candidates for HashSlice<'_> {
    fn len(&self) -> usize {
        self.slice.len()
    }

    fn at(&self, position: usize) -> usize {
        position
    }

    fn fit(&self, c: usize) -> bool {
        self.slice.fit(c)
    }

    fn weight(&self, _: usize) -> u32 {
        1
    }
}

impl HashCandidates for HashSlice<'_> {
    fn id_mix(&self, c: usize) -> u64 {
        mix(self.id_hashes.get(c).copied().unwrap_or(0))
    }

    fn in_flight(&self, _: usize) -> u64 {
        0
    }
}
