//! A user's own slice as candidates, and what a strategy derives from it and keeps until the slice differs.

use std::hash::{Hash, Hasher};

use parking_lot::RwLock;

use super::SelectionContext;
use super::candidates::Candidates;
use crate::vocabulary::node::{Node, Weighted};
use crate::vocabulary::rng::mix;

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
    // Four hashers take ids in turn, so that four multiplications are under way at once.
    let mut lanes = [Fingerprint(1), Fingerprint(2), Fingerprint(3), Fingerprint(4)];
    let mut fours = candidates.chunks_exact(4);
    for four in &mut fours {
        for (lane, node) in lanes.iter_mut().zip(four) {
            node.id().hash(lane);
            lane.write_u32(weight(node));
        }
    }
    for node in fours.remainder() {
        node.id().hash(&mut lanes[0]);
        lanes[0].write_u32(weight(node));
    }
    lanes.iter().fold(candidates.len() as u64, |stamp, lane| mix(stamp ^ lane.0))
}

/// Tells slices apart, of ids that nobody chooses to deceive it: a multiplication for 16 bytes, next to nothing for the
/// byte that ends a text.
struct Fingerprint(u64);

impl Fingerprint {
    #[inline(always)]
    fn fold(&mut self, a: u64, b: u64) {
        let product = u128::from(self.0 ^ a) * u128::from(b ^ 0x9E37_79B9_7F4A_7C15);
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

impl Hasher for Fingerprint {
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((sixteen, further)) = rest.split_first_chunk::<16>().filter(|(_, further)| !further.is_empty()) {
            let word = u128::from_le_bytes(*sixteen);
            self.fold(word as u64, (word >> 64) as u64);
            rest = further;
        }
        // Two words that cover the rest, overlapping; shorter ones are spread out.
        let (first, last) = match (rest.first_chunk::<8>(), rest.last_chunk::<8>()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => (rest.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)), 0),
        };
        self.fold(first, last.wrapping_add((bytes.len() as u64) << 32));
    }

    #[inline(always)]
    fn write_u8(&mut self, byte: u8) {
        self.0 = self.0.rotate_left(8) ^ u64::from(byte);
    }

    #[inline(always)]
    fn write_u32(&mut self, word: u32) {
        self.0 = self.0.rotate_left(29).wrapping_add(u64::from(word).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    }

    #[inline(always)]
    fn write_u64(&mut self, word: u64) {
        self.fold(word, 0);
    }

    #[inline(always)]
    fn write_usize(&mut self, word: usize) {
        self.fold(word as u64, 0);
    }

    fn finish(&self) -> u64 {
        self.0
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
