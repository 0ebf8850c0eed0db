//! Which node a session went to last: a table of fixed size, sixteen entries a set, without a lock.
//!
//! ```text
//! get(key):  entry of the key's set with its tag, not expired → its node; a stamp older than TTL/64 is renewed
//! set(key):  the key's entry, else an empty one, else the one used longest ago (so an expired one first)
//! place  =   tag (40 bits) | node index (16) | node generation, low (8)           0: empty
//! detail =   more of the tag (12 bits) | last use (28) | node generation, high (24)
//! ```
//!
//! **No key meets another's node**: key and node are in one word, `place`, and change together. A place whose detail is
//! another's, as while one is being replaced, is found out by the further bits of the tag, or tells a time or a
//! generation that is not its own: then the session is taken for unknown and is set again. (It stays so only if an entry
//! is set three times at once, back to what it was, in one unit of time.) To tell a generation that happens to be that of
//! a later node, an index must have been given out again a multiple of 256 times meanwhile.
//! Of two that set one key at once, either stays. Should both have found different entries for it, the first in the set
//! is the one that counts, and the next `set` or `clear` of the key ends the other.
//!
//! **A false match** takes two keys that share all that is kept of a hash: a look-up of an unknown key finds another's
//! entry with a probability below 16·2⁻⁵² = 4·10⁻¹⁵, above 65 536 entries below entries·2⁻⁶⁴ (5·10⁻¹⁵ for 100 000).
//!
//! **Room**: sets fill unevenly. Of as many live keys as there are entries, 10 % find no room and send others away; of
//! three quarters as many 2 %, of half as many 0.08 %.
//!
//! **Time** is kept in units of 2²⁶ ns (67 ms). An entry expires between TTL and TTL + 0.14 s after its stamp, so after
//! at least 63/64 of the TTL without use. What is ahead of the clock counts as just used, and is stamped anew by `get`
//! and `sweep`: after a clock went back, nothing lives for longer than a TTL from when it is next looked at. A stamp
//! comes round after 208 days, which [`Affinity::sweep`] precedes.
//!
//! **Cost**: `get` reads two cache lines for the places and one for the detail, and writes once in TTL/64 a session.

#![allow(dead_code, unused_imports)]

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;

mod set;
mod word;

use set::{SET_WORDS, Set, WAYS, Way};
use word::{Detail, Place, UNIT_SHIFT, node_of, time_of};

use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::hash::reduce;
use crate::vocabulary::node::NodeRef;
use crate::vocabulary::time::Nanos;

/// Half of what a stamp can tell apart from the future.
const TTL_MAX: u32 = 1 << 26;
/// Share of the TTL that a stamp may be old before it is renewed.
const RENEWALS: u32 = 64;

/// Words of a table; `entries` are rounded up to whole sets.
pub(crate) const fn words(entries: usize) -> usize {
    entries.div_ceil(WAYS) * SET_WORDS
}

/// A session as sweeps see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) node: NodeRef,
    /// 52 uniform bits that stay with the key: a coin for whoever moves a share of all sessions.
    pub(crate) tag: u64,
    /// Since the last use, as far as it was noted.
    pub(crate) idle_ns: Nanos,
}

/// What becomes of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    Drop,
    /// Its last use stays as it was.
    MoveTo(NodeRef),
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Swept {
    /// Where the next one goes on; 0 after the last entry.
    pub(crate) next: usize,
    /// Entries that were not expired, whatever became of them.
    pub(crate) live: usize,
    /// Expired ones that were cleared.
    pub(crate) expired: usize,
    pub(crate) dropped: usize,
    pub(crate) moved: usize,
}

/// The table. Keys are known by their hash ([`key_hash`](crate::vocabulary::hash::key_hash)).
#[derive(Clone, Copy)]
pub(crate) struct Affinity<'a> {
    words: &'a [AtomicU64],
    /// In units of time.
    ttl: u32,
}

impl<'a> Affinity<'a> {
    /// `words`: [`words`] of them, zeroed for an empty table. The TTL (up to 52 days, longer is taken for that) can
    /// change at any time.
    #[inline(always)]
    pub(crate) fn new(words: &'a [AtomicU64], ttl_ns: Nanos) -> Self {
        let ttl = ttl_ns.div_ceil(1 << UNIT_SHIFT).clamp(1, u64::from(TTL_MAX)) as u32;
        Self { words, ttl }
    }

    /// Entries of all sets.
    pub(crate) fn entries(self) -> usize {
        self.words.len() / SET_WORDS * WAYS
    }

    /// The node that the key was set to, if that is not too long ago. Whether it still exists is for the caller to see.
    #[inline]
    pub(crate) fn get(self, key_hash: u64, now_ns: Nanos) -> Option<NodeRef> {
        self.find(key_hash, now_ns, |word, detail, time| self.renew(word, detail, time))
    }

    /// The same node, without the key counting as used.
    pub(crate) fn peek(self, key_hash: u64, now_ns: Nanos) -> Option<NodeRef> {
        self.find(key_hash, now_ns, |_, _, _| ())
    }

    #[inline(always)]
    fn find(self, key_hash: u64, now_ns: Nanos, found: impl Fn(&AtomicU64, Detail, u32)) -> Option<NodeRef> {
        let (tag, more, time) = (Place::tag_of(key_hash), Detail::more_of(key_hash), time_of(now_ns));
        let set = self.set_of(key_hash)?;
        for (place_word, detail_word) in set.places.iter().zip(set.details) {
            // Acquire, so that the detail is not older than the place.
            let place = Place(place_word.load(Ordering::Acquire));
            if place.tag() != tag {
                continue;
            }
            let detail = Detail(detail_word.load(Ordering::Acquire));
            let changed = place_word.load(Ordering::Relaxed) != place.0;
            if detail.more() != more || changed || self.is_expired(detail, time) {
                continue;
            }
            found(detail_word, detail, time);
            return Some(node_of(place, detail));
        }
        None
    }

    /// Remembers the node for the key. An index that no pool has is ignored.
    pub(crate) fn set(self, key_hash: u64, node: NodeRef, now_ns: Nanos) {
        let (tag, time) = (Place::tag_of(key_hash), time_of(now_ns));
        let Some(set) = self.set_of(key_hash).filter(|_| node.index <= 0xFFFF) else { return };
        let place = Place::new(tag, node);
        let detail = Detail::new(Detail::more_of(key_hash), time, node);
        loop {
            let own = set.take_only(tag);
            let (way, found) = own.unwrap_or_else(|| set.victim(time));
            if found == place {
                let present = Detail(way.detail.load(Ordering::Acquire));
                if present.stamped(time) == detail && !self.is_due(present, time) {
                    return;
                }
            } else if way.replace(found, place).is_err() {
                // Somebody else has set this entry: look again, it may be the same key.
                continue;
            }
            return way.settle(place, detail);
        }
    }

    /// Forgets the key. Whether it was there, expired or not.
    pub(crate) fn clear(self, key_hash: u64) -> bool {
        let Some(set) = self.set_of(key_hash) else { return false };
        let tag = Place::tag_of(key_hash);
        let mut found = false;
        for (way, place) in set.ways().filter(|(_, place)| place.tag() == tag) {
            // If somebody else replaces it first, it was there all the same, and this came before.
            way.empty(place);
            found = true;
        }
        found
    }

    /// Forgets all sessions of a node; how many.
    pub(crate) fn remove_node(self, node: NodeRef) -> usize {
        let of_node = |&(way, place): &(Way<'_>, Place)| {
            // Most of the comparison without a look at the detail, which is elsewhere.
            place.0 as u32 & 0xFF_FFFF == Place::new(0, node).0 as u32
                && !place.is_empty()
                && node_of(place, Detail(way.detail.load(Ordering::Acquire))) == node
        };
        self.sets().flat_map(Set::ways).filter(of_node).filter(|&(way, place)| way.empty(place)).count()
    }

    /// Forgets everything.
    pub(crate) fn reset(self) {
        self.words.iter().for_each(|w| w.store(0, Ordering::Release));
    }

    /// Looks at `count` entries from number `from` on, to the end of the table at most: clears those that have expired,
    /// and does with the others as `judge` says. An entry that is set at the same time stays as it is set.
    pub(crate) fn sweep(
        self,
        from: usize,
        count: usize,
        now_ns: Nanos,
        mut judge: impl FnMut(Entry) -> Verdict,
    ) -> Swept {
        let time = time_of(now_ns);
        let end = from.saturating_add(count).min(self.entries());
        let mut swept = Swept { next: if end == self.entries() { 0 } else { end }, ..Swept::default() };
        for at in from..end {
            let Some(set) = self.set_at(at / WAYS) else { break };
            let way = set.way(at % WAYS);
            let place = Place(way.place.load(Ordering::Acquire));
            if place.is_empty() {
                continue;
            }
            let detail = Detail(way.detail.load(Ordering::Acquire));
            if self.is_expired(detail, time) {
                swept.expired += usize::from(way.empty(place));
                continue;
            }
            swept.live += 1;
            match judge(entry(place, detail, time)) {
                Verdict::Keep if detail.age(time) < 0 => self.renew(way.detail, detail, time),
                Verdict::Keep => (),
                Verdict::Drop => swept.dropped += usize::from(way.empty(place)),
                Verdict::MoveTo(node) => swept.moved += usize::from(way.move_to(place, detail, node)),
            }
        }
        swept
    }

    /// Calls `f` with all sessions that have not expired.
    pub(crate) fn for_each(self, now_ns: Nanos, mut f: impl FnMut(Entry)) {
        let time = time_of(now_ns);
        for (way, place) in self.sets().flat_map(Set::ways).filter(|(_, place)| !place.is_empty()) {
            let detail = Detail(way.detail.load(Ordering::Acquire));
            if !self.is_expired(detail, time) {
                f(entry(place, detail, time));
            }
        }
    }

    /// How many sessions have not expired. Looks at the whole table.
    pub(crate) fn len(self, now_ns: Nanos) -> usize {
        let mut len = 0;
        self.for_each(now_ns, |_| len += 1);
        len
    }

    #[inline]
    fn is_expired(self, detail: Detail, time: u32) -> bool {
        detail.age(time) > self.ttl as i32
    }

    /// Whether a stamp is so old, or so far ahead, that it should be written again.
    #[inline]
    fn is_due(self, detail: Detail, time: u32) -> bool {
        detail.age(time).unsigned_abs() > self.ttl / RENEWALS
    }

    #[inline]
    fn renew(self, word: &AtomicU64, detail: Detail, time: u32) {
        if self.is_due(detail, time) {
            // Lost to another who renewed or replaced it: both have written a newer stamp.
            let _ = word.compare_exchange(detail.0, detail.stamped(time).0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    fn sets(self) -> impl Iterator<Item = Set<'a>> {
        self.words.chunks_exact(SET_WORDS).map(Set::new)
    }

    #[inline]
    fn set_of(self, key_hash: u64) -> Option<Set<'a>> {
        self.set_at(reduce(key_hash, (self.words.len() / SET_WORDS) as u64) as usize)
    }

    #[inline]
    fn set_at(self, index: usize) -> Option<Set<'a>> {
        self.words.get(index * SET_WORDS..(index + 1) * SET_WORDS).map(Set::new)
    }
}

fn entry(place: Place, detail: Detail, time: u32) -> Entry {
    Entry {
        node: node_of(place, detail),
        tag: detail.more() << 40 | place.tag(),
        idle_ns: u64::from(detail.age(time).max(0) as u32) << UNIT_SHIFT,
    }
}
