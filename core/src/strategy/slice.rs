//! A user's own slice as candidates, and what a strategy derives from it and keeps until the slice differs.

use std::hash::{BuildHasher, Hash, Hasher};

use parking_lot::RwLock;

use super::SelectionContext;
use super::candidates::Candidates;
use crate::vocabulary::node::{Node, Weighted};

/// Candidates without weights.
#[derive(Clone, Copy)]
pub(crate) struct Slice<'a> {
    len: usize,
    excluded: &'a [usize],
}

impl<'a> Slice<'a> {
    pub(crate) fn new<N>(candidates: &[N], ctx: &'a SelectionContext) -> Self {
        Self { len: candidates.len(), excluded: excluded(ctx) }
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.excluded.is_empty()
    }
}

fn excluded(ctx: &SelectionContext) -> &[usize] {
    ctx.exclude.as_deref().unwrap_or_default()
}

impl Candidates for Slice<'_> {
    fn len(&self) -> usize {
        self.len
    }

    fn at(&self, position: usize) -> usize {
        position
    }

    #[inline(always)]
    fn fit(&self, c: usize) -> bool {
        !self.excluded.contains(&c)
    }

    fn weight(&self, _: usize) -> u32 {
        1
    }
}

/// Candidates with weights; those of weight 0 are not fit.
pub(crate) struct WeightedSlice<'a, N> {
    candidates: &'a [N],
    excluded: &'a [usize],
}

impl<'a, N> WeightedSlice<'a, N> {
    pub(crate) fn new(candidates: &'a [N], ctx: &'a SelectionContext) -> Self {
        Self { candidates, excluded: excluded(ctx) }
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.excluded.is_empty()
    }
}

impl<N> Clone for WeightedSlice<'_, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N> Copy for WeightedSlice<'_, N> {}

impl<N: Weighted> Candidates for WeightedSlice<'_, N> {
    fn len(&self) -> usize {
        self.candidates.len()
    }

    fn at(&self, position: usize) -> usize {
        position
    }

    #[inline(always)]
    fn fit(&self, c: usize) -> bool {
        self.weight(c) > 0 && !self.excluded.contains(&c)
    }

    #[inline(always)]
    fn weight(&self, c: usize) -> u32 {
        self.candidates.get(c).map_or(0, Weighted::weight)
    }
}

/// Something derived from a slice. A selection over another set or other weights derives it anew, by itself.
#[derive(Debug)]
pub(crate) struct Cached<T>(RwLock<Option<(u64, T)>>);

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self(RwLock::new(None))
    }
}

impl<T> Cached<T> {
    /// Calls `read` with what was derived under `stamp`, deriving it first if need be.
    pub(crate) fn with<R>(&self, stamp: u64, derive: impl FnOnce() -> T, read: impl FnOnce(&T) -> R) -> R {
        {
            let kept = self.0.read();
            if let Some((_, value)) = kept.as_ref().filter(|(s, _)| *s == stamp) {
                return read(value);
            }
        }
        let derived = derive();
        let mut kept = self.0.write();
        read(&kept.insert((stamp, derived)).1)
    }

    /// What was derived last, whatever from.
    pub(crate) fn peek<R>(&self, read: impl FnOnce(&T) -> R) -> Option<R> {
        self.0.read().as_ref().map(|(_, value)| read(value))
    }
}

/// A number for these ids in this order, with `weight` of each.
pub(crate) fn ids_stamp<N: Node>(candidates: &[N], weight: impl Fn(&N) -> u32) -> u64 {
    let state = foldhash::fast::FixedState::with_seed(1);
    let mut hasher = Fingerprint::new(candidates.len());
    for node in candidates {
        hasher.add(state.hash_one(node.id()) ^ u64::from(weight(node)).rotate_right(32));
    }
    hasher.finish()
}

/// An order-sensitive hash of 64-bit words, four multiplications under way at once.
struct Fingerprint {
    lanes: [u64; 4],
    at: usize,
}

impl Fingerprint {
    fn new(len: usize) -> Self {
        Self { lanes: [len as u64, 2, 3, 4], at: 0 }
    }

    #[inline(always)]
    fn add(&mut self, word: u64) {
        let lane = &mut self.lanes[self.at & 3];
        let product = u128::from(*lane ^ word ^ 0x2545_F491_4F6C_DD1D) * 0x9E37_79B9_7F4A_7C15;
        *lane = (product as u64 ^ (product >> 64) as u64).wrapping_add(word.rotate_left(17));
        self.at += 1;
    }

    fn finish(self) -> u64 {
        let mix = crate::vocabulary::rng::mix;
        self.lanes.into_iter().fold(0, |h, lane| mix(h ^ lane))
    }
}

/// The hash of an id on a table: the same in every process and version.
pub(crate) fn id_hash<I: Hash>(id: &I) -> u64 {
    struct Stable(xxhash_rust::xxh3::Xxh3);
    impl Hasher for Stable {
        fn finish(&self) -> u64 {
            self.0.digest()
        }

        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
    }
    let mut hasher = Stable(xxhash_rust::xxh3::Xxh3::new());
    id.hash(&mut hasher);
    hasher.finish()
}
