//! The entries of one set, and how one is replaced.

use super::word::{Detail, Place};
use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::node::NodeRef;

/// Entries of a set.
pub(super) const WAYS: usize = if cfg!(loom) { 2 } else { 16 };
/// Places of a set, then their details.
pub(super) const SET_WORDS: usize = 2 * WAYS;

/// One entry of a set.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) place: &'a AtomicU64,
    pub(super) detail: &'a AtomicU64,
}

/// The entries of one set.
#[derive(Clone, Copy)]
pub(super) struct Set<'a> {
    pub(super) places: &'a [AtomicU64],
    pub(super) details: &'a [AtomicU64],
}

impl<'a> Set<'a> {
    #[inline]
    pub(super) fn new(words: &'a [AtomicU64]) -> Self {
        let (places, details) = words.split_at(WAYS);
        Self { places, details }
    }

    pub(super) fn way(self, i: usize) -> Way<'a> {
        Way { place: &self.places[i], detail: &self.details[i] }
    }

    pub(super) fn ways(self) -> impl Iterator<Item = (Way<'a>, Place)> {
        (0..WAYS).map(move |i| (self.way(i), Place(self.places[i].load(Ordering::Acquire))))
    }

    /// The first entry of the key; any further one is emptied.
    pub(super) fn take_only(self, tag: u64) -> Option<(Way<'a>, Place)> {
        let mut of_key = self.ways().filter(|(_, place)| place.tag() == tag);
        let first = of_key.next();
        of_key.for_each(|(way, place)| _ = way.empty(place));
        first
    }

    /// The first empty entry, else the first of those that were used longest ago.
    pub(super) fn victim(self, time: u32) -> (Way<'a>, Place) {
        let age = |way: Way<'_>, place: Place| match place.is_empty() {
            true => i32::MAX,
            false => Detail(way.detail.load(Ordering::Acquire)).age(time),
        };
        let mut oldest = (self.way(0), Place(self.places[0].load(Ordering::Acquire)));
        let mut oldest_age = age(oldest.0, oldest.1);
        for (way, place) in self.ways().skip(1) {
            let age = age(way, place);
            if age > oldest_age {
                (oldest, oldest_age) = ((way, place), age);
            }
        }
        oldest
    }
}

impl Way<'_> {
    #[inline]
    pub(super) fn replace(self, found: Place, new: Place) -> Result<u64, u64> {
        // Acquire and release: a detail that is read after this is not older than the place that was replaced.
        self.place.compare_exchange(found.0, new.0, Ordering::AcqRel, Ordering::Relaxed)
    }

    /// Whether it was this that emptied the entry.
    pub(super) fn empty(self, found: Place) -> bool {
        !found.is_empty() && self.replace(found, Place(0)).is_ok()
    }

    /// Gives the place its detail, unless the place has gone to another meanwhile, who then does the same.
    pub(super) fn settle(self, place: Place, detail: Detail) {
        loop {
            // The detail first: had another replaced place and detail since, the swap below would fail.
            let found = self.detail.load(Ordering::Acquire);
            if found == detail.0 || self.place.load(Ordering::Relaxed) != place.0 {
                return;
            }
            if self.detail.compare_exchange(found, detail.0, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }

    pub(super) fn move_to(self, place: Place, detail: Detail, node: NodeRef) -> bool {
        let to = Place::new(place.tag(), node);
        let moved = node.index <= 0xFFFF && self.replace(place, to).is_ok();
        if moved {
            self.settle(to, Detail(detail.0 & !0xFF_FFFF | u64::from(node.generation >> 8)));
        }
        moved
    }
}
