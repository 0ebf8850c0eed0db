//! Latencies over the last one to two windows, as counts in buckets of equal ratio: any percentile, with a bounded
//! relative error.
//!
//! ```text
//! record(latency, now):   now within the current window → count[current][bucket(latency)] += 1
//!                         past it → clear the other half, make it current (one caller does; the rest count as before)
//! quantile(q):            the bucket in which the ⌈q·n⌉-th smallest of both windows lies
//! ```
//!
//! `MERGED` of the [`scale`]'s buckets make one bucket here: [`FINE`] errs by 1 % at most, [`COARSE`] by 5 %.
//! Cost of a record: two loads and one atomic add. The mean comes from the buckets, so that no sum need be written.
//!
//! What a race can cost: a writer that was stopped between choosing a half and counting counts one latency in a wrong
//! window. A caller that was stopped for over [`CLAIM_NS`] in the midst of clearing may, when it goes on, erase what
//! one word has counted. 2³² latencies within one bucket and window count as one in its neighbour: 71 million a second
//! over 60 s, 49 thousand over a day.
//!
//! Sources: C. Masson, J. Rim, H. Lee, "DDSketch", VLDB 2019, for buckets of equal ratio; the windows are our own.

pub(crate) mod cumulative;
pub(crate) mod scale;

use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::time::{NANOS_PER_SEC, Nanos};

/// 1 % relative error, 9 KB.
pub(crate) const FINE: usize = 1;
/// 5 % relative error, 2 KB.
pub(crate) const COARSE: usize = 5;

/// How long a caller may take to clear half a histogram before another one may do so, too.
const CLAIM_NS: Nanos = NANOS_PER_SEC;
/// A window that begins this much later than now is not one: the word is damaged.
const AHEAD_MAX_NS: Nanos = 86_400 * NANOS_PER_SEC;

/// Where the current window begins, a multiple of 4 ns; bit 0: which half it counts in; bit 1: [`VOID`].
const WINDOW: usize = 0;
/// When whoever clears began to; 0: nobody does.
const CLAIM: usize = 1;
const HALVES: usize = 2;

/// The other half is no part of the previous window.
const VOID: u64 = 2;

/// A histogram over words of an arena. Zeroed words are an empty one.
#[derive(Clone, Copy)]
pub(crate) struct Histogram<'a, const MERGED: usize>(pub(crate) &'a [AtomicU64]);

impl<const MERGED: usize> Histogram<'_, MERGED> {
    pub(crate) const BUCKETS: usize = scale::BUCKETS.div_ceil(MERGED);
    const HALF_WORDS: usize = Self::BUCKETS.div_ceil(2);
    /// How many words it takes.
    pub(crate) const WORDS: usize = HALVES + 2 * Self::HALF_WORDS;

    /// Counts a latency that lies in [bucket](scale::bucket) `bucket` of the scale.
    #[inline]
    pub(crate) fn record(self, bucket: usize, now_ns: Nanos, window_ns: Nanos) {
        let Some(window) = self.0.first() else { return };
        let mut window = Window(window.load(Ordering::Acquire));
        if !window.is_current(now_ns, window_ns) {
            window = self.rotate(now_ns, window_ns);
        }
        let bucket = (bucket / MERGED).min(Self::BUCKETS - 1);
        let half = if window.is_late(now_ns) { window.half() ^ 1 } else { window.half() };
        if let Some(word) = self.0.get(HALVES + half * Self::HALF_WORDS + bucket / 2) {
            word.fetch_add(1 << (bucket % 2 * 32), Ordering::Relaxed);
        }
    }

    /// What the current and the previous window at `now_ns` have counted.
    pub(crate) fn counts(self, now_ns: Nanos, window_ns: Nanos) -> Counts<MERGED> {
        const TRIES: usize = 3;
        let mut counts = Counts { counts: vec![0; Self::BUCKETS] };
        for _ in 0..TRIES {
            let before = self.word(WINDOW);
            counts.counts.fill(0);
            for half in Window(before).halves(now_ns, window_ns).into_iter().flatten() {
                self.add_half(half, &mut counts.counts);
            }
            if self.word(WINDOW) == before {
                break;
            }
        }
        counts
    }

    /// Begins the window of `now_ns`, unless another caller is at it. Returns the window to count in.
    #[cold]
    fn rotate(self, now_ns: Nanos, window_ns: Nanos) -> Window {
        let seen = Window(self.word(WINDOW));
        let Some(next) = seen.next(now_ns, window_ns) else { return seen };
        let (Some(window), Some(claim)) = (self.0.get(WINDOW), self.0.get(CLAIM)) else { return seen };
        let held = claim.load(Ordering::Relaxed);
        let mine = now_ns.max(1);
        if held != 0 && now_ns.abs_diff(held) < CLAIM_NS
            || claim.compare_exchange(held, mine, Ordering::Acquire, Ordering::Relaxed).is_err()
        {
            return seen;
        }
        // Another caller may have begun it before the claim was ours: what it made current is not to be cleared.
        let unchanged = window.load(Ordering::Acquire) == seen.0;
        let cleared = unchanged && self.clear(next.half(), claim, mine);
        // Pairs with the load in `record`: who counts in the new window counts on cleared words.
        let begun = cleared && window.compare_exchange(seen.0, next.0, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        // Pairs with the claim of the next caller, which thereby sees this window.
        let _ = claim.compare_exchange(mine, 0, Ordering::Release, Ordering::Relaxed);
        if begun { next } else { Window(self.word(WINDOW)) }
    }

    /// Whether all of a half was cleared while the claim was ours.
    fn clear(self, half: usize, claim: &AtomicU64, mine: u64) -> bool {
        let start = HALVES + half * Self::HALF_WORDS;
        let words = self.0.get(start..start + Self::HALF_WORDS).unwrap_or_default();
        words.iter().all(|word| {
            let held = claim.load(Ordering::Relaxed) == mine;
            if held {
                word.store(0, Ordering::Relaxed);
            }
            held
        })
    }

    fn add_half(self, half: usize, counts: &mut [u64]) {
        let start = HALVES + half * Self::HALF_WORDS;
        let words = self.0.get(start..start + Self::HALF_WORDS).unwrap_or_default();
        for (pair, word) in counts.chunks_mut(2).zip(words) {
            let word = word.load(Ordering::Relaxed);
            for (i, count) in pair.iter_mut().enumerate() {
                *count += word >> (i * 32) & 0xFFFF_FFFF;
            }
        }
    }

    fn word(self, index: usize) -> u64 {
        self.0.get(index).map_or(0, |word| word.load(Ordering::Acquire))
    }
}

/// The word that says which half counts, and from when on.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Window(u64);

impl Window {
    fn starting(start_ns: Nanos, half: usize, void: u64) -> Self {
        Self(start_ns & !3 | void | half as u64)
    }

    #[inline(always)]
    fn start_ns(self) -> Nanos {
        self.0 & !3
    }

    #[inline(always)]
    fn half(self) -> usize {
        (self.0 & 1) as usize
    }

    #[inline(always)]
    fn is_current(self, now_ns: Nanos, window_ns: Nanos) -> bool {
        now_ns.wrapping_sub(self.start_ns()) < window_ns
    }

    /// Whether the clock was read before this window began, and the other half is of the window before.
    #[inline(always)]
    fn is_late(self, now_ns: Nanos) -> bool {
        now_ns < self.start_ns() && self.0 & VOID == 0
    }

    /// The window of `now_ns` if it is a later one.
    fn next(self, now_ns: Nanos, window_ns: Nanos) -> Option<Self> {
        let (start, other) = (self.start_ns(), self.half() ^ 1);
        if now_ns < start {
            return (start - now_ns > AHEAD_MAX_NS).then(|| Self::starting(now_ns, other, VOID));
        }
        match now_ns - start {
            age if age < window_ns => None,
            age if age < window_ns.saturating_mul(2) => Some(Self::starting(start + window_ns, other, 0)),
            _ => Some(Self::starting(now_ns, other, VOID)),
        }
    }

    /// The halves that are of the current or the previous window at `now_ns`.
    fn halves(self, now_ns: Nanos, window_ns: Nanos) -> [Option<usize>; 2] {
        let age = now_ns.saturating_sub(self.start_ns());
        let current = (age < window_ns.saturating_mul(2)).then_some(self.half());
        let previous = (age < window_ns && self.0 & VOID == 0).then_some(self.half() ^ 1);
        [current, previous]
    }
}

/// What a histogram had counted at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counts<const MERGED: usize> {
    counts: Vec<u64>,
}

impl<const MERGED: usize> Counts<MERGED> {
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The ⌈q·count⌉-th smallest latency in nanoseconds, q in 0.0 ..= 1.0; `None` without any.
    pub(crate) fn quantile_ns(&self, q: f64) -> Option<f64> {
        let count = self.count();
        let rank = ((q * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        let bucket = self.counts.iter().position(|&count| {
            seen += count;
            seen >= rank
        });
        bucket.map(|bucket| scale::middle_ns(bucket, MERGED))
    }

    /// In nanoseconds; `None` without any.
    pub(crate) fn mean_ns(&self) -> Option<f64> {
        let sum = |sum: f64, (bucket, &count): (usize, &u64)| match count {
            0 => sum,
            _ => sum + count as f64 * scale::middle_ns(bucket, MERGED),
        };
        match self.count() {
            0 => None,
            count => Some(self.counts.iter().enumerate().fold(0.0, sum) / count as f64),
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(all(test, loom))]
mod models;
