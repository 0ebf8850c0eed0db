//! Quotas of a node, shared by all who pick it: a pick reserves, its end commits what was really used or refunds.
//!
//! ```text
//! try_reserve:  per dimension: look; add cost; look again; over the limit → take back this and all before, refuse
//! commit:       per dimension: actual > reserved → add the rest; actual < reserved → take the rest back
//! ```
//!
//! **Never over the limit**: of reservations that count at the same time, the one that added last sees all the others,
//! in whichever buckets they are, because additions and looks have one order (sequentially consistent). Two that race
//! for the last room may both be refused. Facts (`commit` of more than was reserved) can exceed a limit; then nothing
//! is reserved until enough has rolled out. A caller that dies between adding and recording leaves its amount counted
//! until its window rolls.
//!
//! **Time** is the caller's. Standing still, it stays in one bucket. Behind others by up to ten minutes (at least two
//! buckets), a caller counts what they reserved ahead of it, so it is refused too often, never too rarely. Behind by
//! more, or after a leap ahead and back, what is ahead is forgotten. At `u64::MAX` all times saturate. A stamp has 24
//! bits: a bucket of 2²⁴ buckets ago would look current, so [`Quotas::sweep`] must come by now and then (once in 2²²
//! buckets: for buckets of 62.5 µs, a millisecond's window, every four minutes), and a reservation held for exactly so
//! long could be taken back from a bucket that is not its own.
//!
//! **Cost** of a reservation: per dimension one compare-and-swap and 17 loads within two cache lines; 33 where a cost is
//! more than a 64th of its limit. A dimension with
//! cost 0 or without a limit touches nothing.

#![allow(dead_code, unused_imports)]

mod record;
mod rolling;

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;

pub(crate) use record::{RECORD_WORDS, Record};
use rolling::{Bucket, Rolling, SLOTS};

use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::time::Nanos;

/// Dimensions of a node at most.
pub(crate) const DIMENSIONS_MAX: usize = 8;
/// The largest limit that is told apart from a larger one, which is taken for this: about 1.1·10¹² units a window.
pub(crate) const LIMIT_MAX: u64 = rolling::AMOUNT_MAX - 1;
/// No limit at all: the dimension is not counted.
pub(crate) const UNLIMITED: u64 = u64::MAX;

/// Words of a node with so many dimensions.
pub(crate) const fn words(dimensions: usize) -> usize {
    dimensions * SLOTS
}

/// The settings of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dimension {
    /// Units in the window; 0: nothing can be reserved; [`UNLIMITED`]: everything.
    pub(crate) limit: u64,
    /// Changing it makes nonsense of the stamps: [`Quotas::reset_dimension`] with it.
    pub(crate) bucket_ns: Nanos,
    /// 1 ..= 16. Can change at any time.
    pub(crate) buckets: u32,
    /// Buckets that a clock may be behind those of others: of the length of one alone.
    pub(crate) ahead: u32,
}

impl Dimension {
    /// Buckets are rounded up to whole nanoseconds, so the window is no shorter than `window_ns`.
    pub(crate) fn new(limit: u64, window_ns: Nanos, buckets: u32) -> Self {
        let buckets = buckets.clamp(1, SLOTS as u32);
        Self::in_buckets(limit, window_ns.div_ceil(u64::from(buckets)), buckets)
    }

    pub(crate) fn in_buckets(limit: u64, bucket_ns: Nanos, buckets: u32) -> Self {
        let bucket_ns = bucket_ns.max(1);
        Self { limit, bucket_ns, buckets, ahead: rolling::ahead(bucket_ns) }
    }
}

/// What a pick holds: per dimension the stamp of a bucket (24 bits) and the amount in it (40 bits), 0 for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reserved([u64; DIMENSIONS_MAX]);

impl Reserved {
    /// Whether there is nothing to commit or to refund.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }

    pub(crate) fn amount(&self, dimension: usize) -> u64 {
        self.0.get(dimension).map_or(0, |&word| Bucket(word).amount())
    }
}

/// Nothing was reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The first without room; `None`: the node is exhausted by its own word.
    pub(crate) dimension: Option<usize>,
    /// The earliest time at which all dimensions have room, if nobody else takes it; `None`: a cost is above its limit.
    pub(crate) retry_at_ns: Option<Nanos>,
}

/// The quotas of one node. `dims` are the pool's dimensions with this node's limits, `costs` the units asked of each
/// (missing ones are 0).
#[derive(Clone, Copy)]
pub(crate) struct Quotas<'a> {
    /// Until when the node wants no picks at all (ns, 0: it does not say).
    exhausted_until: &'a AtomicU64,
    words: &'a [AtomicU64],
}

impl<'a> Quotas<'a> {
    /// `words`: [`words`] of them, zeroed for a new node; `exhausted_until` is apart from them, since a node may be
    /// exhausted where nothing is counted.
    #[inline(always)]
    pub(crate) fn new(exhausted_until: &'a AtomicU64, words: &'a [AtomicU64]) -> Self {
        Self { exhausted_until, words }
    }

    /// Takes the costs in every dimension if each has room, else in none.
    #[inline]
    pub(crate) fn try_reserve(self, dims: &[Dimension], costs: &[u64], now_ns: Nanos) -> Result<Reserved, Refused> {
        let mut reserved = Reserved::default();
        if now_ns < self.exhausted_until() {
            return Err(self.refused(None, dims, costs, now_ns));
        }
        for (i, window, cost) in self.asked(dims, costs) {
            match window.try_take(cost, now_ns) {
                Some(held) => reserved.0[i] = held.0,
                None => {
                    self.refund(dims, &reserved);
                    return Err(self.refused(Some(i), dims, costs, now_ns));
                }
            }
        }
        Ok(reserved)
    }

    /// Whether all dimensions have room now. Another caller may take it before this one does.
    #[inline]
    pub(crate) fn has_room(self, dims: &[Dimension], costs: &[u64], now_ns: Nanos) -> bool {
        now_ns >= self.exhausted_until() && self.asked(dims, costs).all(|(_, w, cost)| w.has_room(cost, now_ns))
    }

    /// The earliest time with room in all dimensions, if nothing happens until then; `None`: never.
    pub(crate) fn room_at(self, dims: &[Dimension], costs: &[u64], now_ns: Nanos) -> Option<Nanos> {
        let from = now_ns.max(self.exhausted_until());
        self.asked(dims, costs).try_fold(from, |at, (_, w, cost)| Some(at.max(w.room_at(cost, now_ns)?)))
    }

    /// Replaces what was reserved by what was used. More is added, a fact that may exceed the limit: in the
    /// reservation's bucket while that counts, else in the current one. Less is taken back, unless the bucket has
    /// rolled out. A dimension that `actual` does not reach keeps what was reserved.
    pub(crate) fn commit(self, dims: &[Dimension], reserved: &Reserved, actual: &[u64], now_ns: Nanos) {
        for ((window, &held), &actual) in self.windows(dims).zip(&reserved.0).zip(actual) {
            let held = Bucket(held);
            match window {
                Some(w) if actual > held.amount() => w.add_fact(actual - held.amount(), held, now_ns),
                Some(w) if actual < held.amount() => w.take_back(held, held.amount() - actual),
                _ => (),
            }
        }
    }

    /// Takes back all that was reserved.
    pub(crate) fn refund(self, dims: &[Dimension], reserved: &Reserved) {
        // Nothing is more than what was reserved, so no time is needed.
        self.commit(dims, reserved, &[0; DIMENSIONS_MAX], 0);
    }

    /// Nothing is reserved before `until_ns`, whatever the limits say. The last word counts; 0 lets the node in again.
    pub(crate) fn exhaust(self, until_ns: Nanos) {
        self.exhausted_until.store(until_ns, Ordering::Release);
    }

    #[inline]
    pub(crate) fn exhausted_until(self) -> Nanos {
        self.exhausted_until.load(Ordering::Acquire)
    }

    /// Units that count in a dimension; 0 for one that is not counted.
    pub(crate) fn used(self, dims: &[Dimension], dimension: usize, now_ns: Nanos) -> u64 {
        self.window(dims, dimension).map_or(0, |w| w.used(now_ns))
    }

    /// Units left in a dimension, whether or not the node is exhausted; `u64::MAX` without a limit.
    pub(crate) fn remaining(self, dims: &[Dimension], dimension: usize, now_ns: Nanos) -> u64 {
        self.window(dims, dimension).map_or(u64::MAX, |w| w.limit().saturating_sub(w.used(now_ns)))
    }

    /// What is left of the dimension nearest to its limit: 1.0 all of it, 0.0 nothing, or exhausted. A limit of 0 has no
    /// shares and is left out.
    pub(crate) fn remaining_ratio(self, dims: &[Dimension], now_ns: Nanos) -> f64 {
        if now_ns < self.exhausted_until() {
            return 0.0;
        }
        let left = |w: Rolling<'_>| w.limit().saturating_sub(w.used(now_ns)) as f64 / w.limit() as f64;
        self.windows(dims).flatten().filter(|w| w.limit() > 0).map(left).fold(1.0, f64::min)
    }

    /// Forgets what is long past, so that no stamp comes round.
    pub(crate) fn sweep(self, dims: &[Dimension], now_ns: Nanos) {
        self.windows(dims).flatten().for_each(|w| w.sweep(now_ns));
    }

    /// Forgets everything: for an index that goes to another node.
    pub(crate) fn reset(self) {
        self.exhaust(0);
        clear(self.words);
    }

    /// Forgets what was used in one dimension: for buckets that get another length.
    pub(crate) fn reset_dimension(self, dimension: usize) {
        clear(self.words.chunks_exact(SLOTS).nth(dimension).unwrap_or_default());
    }

    #[cold]
    fn refused(self, dimension: Option<usize>, dims: &[Dimension], costs: &[u64], now_ns: Nanos) -> Refused {
        Refused { dimension, retry_at_ns: self.room_at(dims, costs, now_ns) }
    }

    /// The windows that a request takes something of.
    #[inline]
    fn asked<'b>(self, dims: &'b [Dimension], costs: &'b [u64]) -> impl Iterator<Item = (usize, Rolling<'a>, u64)> + 'b
    where
        'a: 'b,
    {
        let of_some = |(i, (window, &cost)): (usize, (Option<Rolling<'a>>, &u64))| Some((i, window?, cost));
        self.windows(dims).zip(costs).enumerate().filter_map(of_some).filter(|&(_, _, cost)| cost > 0)
    }

    fn window(self, dims: &[Dimension], dimension: usize) -> Option<Rolling<'a>> {
        self.windows(dims).nth(dimension)?
    }

    /// The window of each dimension, `None` for those without a limit.
    #[inline]
    fn windows<'b>(self, dims: &'b [Dimension]) -> impl Iterator<Item = Option<Rolling<'a>>> + 'b
    where
        'a: 'b,
    {
        let words = self.words.chunks_exact(SLOTS).take(DIMENSIONS_MAX).filter_map(<[_]>::first_chunk);
        dims.iter().zip(words).map(|(&d, words)| (d.limit != UNLIMITED).then(|| Rolling::new(words, d)))
    }
}

/// Pages that nothing was ever written to stay uncommitted.
fn clear(words: &[AtomicU64]) {
    words.iter().filter(|w| w.load(Ordering::Relaxed) != 0).for_each(|w| w.store(0, Ordering::Release));
}

/// loom takes sequentially consistent operations for acquiring and releasing ones; this gives its models the order that
/// the language gives.
#[cfg(loom)]
fn in_one_order() {
    loom::sync::atomic::fence(Ordering::SeqCst);
}

#[cfg(not(loom))]
#[inline(always)]
fn in_one_order() {}
