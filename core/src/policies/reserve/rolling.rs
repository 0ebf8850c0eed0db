//! One limit of one node: amounts in the buckets of a window that moves on one bucket at a time.
//!
//! ```text
//! number(now) = now / bucket                     slot = number mod 16
//! word        = number mod 2²⁴ (24 bits), amount (40 bits)
//! used(now)   = Σ amounts with number > number(now) − buckets
//! ```
//!
//! An amount counts for the rest of its bucket and for `buckets − 1` more. What is ahead of the reader's clock counts
//! too: clocks are read before the words are, so a caller may be late by the time that it takes to get here.

use super::Dimension;
use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::time::{NANOS_PER_SEC, Nanos};

/// Words of a window: every bucket that can count has one of its own.
pub(crate) const SLOTS: usize = if cfg!(loom) { 2 } else { 16 };

const AMOUNT_BITS: u32 = 40;
pub(super) const AMOUNT_MAX: u64 = (1 << AMOUNT_BITS) - 1;
/// How far ahead of a clock a bucket can be and still be believed. What is further ahead comes from a clock that went
/// backwards, or from buckets of another length, and counts no more than what is long past.
const AHEAD_NS: Nanos = 600 * NANOS_PER_SEC;
/// The same in buckets: at least what a thread between two buckets needs, at most a part of what a stamp can tell.
const AHEAD_BUCKETS: std::ops::RangeInclusive<u64> = 2..=1 << 20;

/// How many buckets that is.
pub(super) fn ahead(bucket_ns: Nanos) -> u32 {
    (AHEAD_NS / bucket_ns).clamp(*AHEAD_BUCKETS.start(), *AHEAD_BUCKETS.end()) as u32
}

/// A cost of at most such a part of its limit is small.
const SMALL_PART: u64 = 64;

/// The word of a bucket: stamp and amount. An amount of 0 is no bucket, whatever the stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket(pub(super) u64);

impl Bucket {
    fn new(stamp: u64, amount: u64) -> Self {
        Self(stamp << AMOUNT_BITS | amount.min(AMOUNT_MAX))
    }

    fn stamp(self) -> u64 {
        self.0 >> AMOUNT_BITS
    }

    pub(super) fn amount(self) -> u64 {
        self.0 & AMOUNT_MAX
    }

    /// How many buckets ago this one was current; negative if it is ahead.
    fn age(self, number: u64) -> i32 {
        let ago = (number as u32).wrapping_sub(self.stamp() as u32);
        (ago << 8) as i32 >> 8
    }
}

/// The window of one dimension, under its present settings.
#[derive(Clone, Copy)]
pub(super) struct Rolling<'a> {
    words: &'a [AtomicU64; SLOTS],
    limit: u64,
    bucket_ns: Nanos,
    buckets: i32,
    ahead: u32,
}

impl<'a> Rolling<'a> {
    /// Settings come from memory that others write, and are brought into range.
    #[inline]
    pub(super) fn new(words: &'a [AtomicU64; SLOTS], dimension: Dimension) -> Self {
        Self {
            words,
            limit: dimension.limit.min(super::LIMIT_MAX),
            bucket_ns: dimension.bucket_ns.max(1),
            buckets: dimension.buckets.clamp(1, SLOTS as u32) as i32,
            ahead: dimension.ahead.min(*AHEAD_BUCKETS.end() as u32),
        }
    }

    /// Adds `cost` if it fits, and tells where: look, add, look again, take back.
    ///
    /// The first look is only thrift, and spares others the sight of what is taken back again; a cost that is a small
    /// part of the limit does without. The second decides: of two that race, each has added before it looks, and the
    /// later of the two additions is seen by whoever made it together with the earlier one.
    #[inline]
    pub(super) fn try_take(self, cost: u64, now_ns: Nanos) -> Option<Bucket> {
        let number = self.number(now_ns);
        if cost > self.limit / SMALL_PART && self.sum(number).saturating_add(cost) > self.limit {
            return None;
        }
        let held = self.add(cost, number, self.limit)?;
        super::in_one_order();
        if self.sum(number) <= self.limit {
            return Some(held);
        }
        self.take_back(held, cost);
        None
    }

    #[inline]
    pub(super) fn has_room(self, cost: u64, now_ns: Nanos) -> bool {
        self.used(now_ns).saturating_add(cost) <= self.limit
    }

    #[inline]
    pub(super) fn used(self, now_ns: Nanos) -> u64 {
        self.sum(self.number(now_ns))
    }

    pub(super) fn limit(self) -> u64 {
        self.limit
    }

    /// The earliest time with room for `cost` if nothing happens until then; `None` if there never is.
    pub(super) fn room_at(self, cost: u64, now_ns: Nanos) -> Option<Nanos> {
        let number = self.number(now_ns);
        let mut counting = [Bucket(0); SLOTS];
        for (bucket, word) in counting.iter_mut().zip(self.words) {
            let read = Bucket(word.load(Ordering::Relaxed));
            *bucket = if self.counts(read, number) { read } else { Bucket(0) };
        }
        let used: u64 = counting.iter().map(|b| b.amount()).sum();
        let mut over = used.saturating_add(cost).saturating_sub(self.limit);
        if cost > self.limit || over == 0 {
            return (cost <= self.limit).then_some(now_ns);
        }
        counting.sort_unstable_by_key(|b| std::cmp::Reverse(b.age(number)));
        let last = counting.iter().filter(|b| b.amount() > 0).find(|b| {
            over = over.saturating_sub(b.amount());
            over == 0
        })?;
        let leaves = number.saturating_add_signed(i64::from(self.buckets) - i64::from(last.age(number)));
        Some(leaves.saturating_mul(self.bucket_ns))
    }

    /// Adds a fact, beyond the limit too: to the bucket of `held` while that counts, else to the current one.
    pub(super) fn add_fact(self, amount: u64, held: Bucket, now_ns: Nanos) {
        let number = self.number(now_ns);
        let own = self.slot(held.stamp());
        let mut found = own.load(Ordering::Relaxed);
        while held.amount() > 0 && Bucket(found).stamp() == held.stamp() && self.is_in_reach(held, number) {
            let more = Bucket::new(held.stamp(), Bucket(found).amount().saturating_add(amount));
            match own.compare_exchange_weak(found, more.0, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return,
                Err(changed) => found = changed,
            }
        }
        self.add(amount, number, u64::MAX);
    }

    /// Takes `amount` out of the bucket of `held`, if that is still there. What a word could not hold any more is not
    /// known, so a full word stays full until it rolls out.
    pub(super) fn take_back(self, held: Bucket, amount: u64) {
        let word = self.slot(held.stamp());
        let mut found = word.load(Ordering::Relaxed);
        loop {
            let bucket = Bucket(found);
            if bucket.stamp() != held.stamp() || bucket.amount() == 0 || bucket.amount() == AMOUNT_MAX {
                return;
            }
            let less = Bucket::new(held.stamp(), bucket.amount().saturating_sub(amount));
            match word.compare_exchange_weak(found, less.0, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return,
                Err(changed) => found = changed,
            }
        }
    }

    /// Clears what is so far ahead that it counts for nobody: after 2²³ buckets, all that is old looks so, until it
    /// comes round. Younger buckets stay for those who are late, and because their words need not be written.
    pub(super) fn sweep(self, now_ns: Nanos) {
        let number = self.number(now_ns);
        for word in self.words {
            let found = word.load(Ordering::Relaxed);
            let age = Bucket(found).age(number);
            if found != 0 && age < 0 && !self.is_in_reach(Bucket(found), number) {
                // Lost to somebody who put a new bucket there: then there is nothing to clear.
                let _ = word.compare_exchange(found, 0, Ordering::SeqCst, Ordering::Relaxed);
            }
        }
    }

    /// Adds to the bucket `number`, or to the one ahead that has taken its place. `None`: that bucket would exceed
    /// `limit` by itself.
    #[inline]
    pub(super) fn add(self, amount: u64, number: u64, limit: u64) -> Option<Bucket> {
        let word = self.slot(number);
        let stamp = Bucket::new(number, 0).stamp();
        let mut found = word.load(Ordering::Relaxed);
        loop {
            let old = Bucket(found);
            let (stamp, before) = if self.counts(old, number) { (old.stamp(), old.amount()) } else { (stamp, 0) };
            let after = before.saturating_add(amount);
            if after > limit {
                return None;
            }
            // In one order with the loads of `sum`: what was added before it is seen, or sees this.
            match word.compare_exchange_weak(found, Bucket::new(stamp, after).0, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return Some(Bucket::new(stamp, amount)),
                Err(changed) => found = changed,
            }
        }
    }

    /// The amounts of all that [count](Self::counts), without a branch: a stamp is in reach if it lies at most so far
    /// before the one that is furthest ahead.
    #[inline]
    pub(super) fn sum(self, number: u64) -> u64 {
        const STAMP_BITS: u32 = 64 - AMOUNT_BITS;
        let shift = u32::BITS - STAMP_BITS;
        let furthest = (number as u32).wrapping_add(self.ahead) << shift;
        let reach = (self.buckets as u32 + self.ahead) << shift;
        let amount = |word: &AtomicU64| {
            let bucket = Bucket(word.load(Ordering::SeqCst));
            let before = furthest.wrapping_sub((bucket.stamp() as u32) << shift);
            if before < reach { bucket.amount() } else { 0 }
        };
        self.words.iter().map(amount).sum()
    }

    #[inline]
    fn counts(self, bucket: Bucket, number: u64) -> bool {
        bucket.amount() > 0 && self.is_in_reach(bucket, number)
    }

    #[inline]
    fn is_in_reach(self, bucket: Bucket, number: u64) -> bool {
        let age = bucket.age(number);
        age < self.buckets && (age >= 0 || age.unsigned_abs() <= self.ahead)
    }

    #[inline]
    pub(super) fn number(self, now_ns: Nanos) -> u64 {
        now_ns / self.bucket_ns
    }

    #[inline]
    fn slot(self, number: u64) -> &'a AtomicU64 {
        &self.words[number as usize % SLOTS]
    }
}
