//! How many retries a pool allows, so that retries of a failing service do not become its load.
//!
//! ```text
//! words: taken[10] = (bucket, retries in it), then the window of requests (`rate`)
//!
//! take:  b = bucket of now, or the newest in taken if that is later
//!        taken[b mod 10] += 1, from 0 if it was of an earlier bucket       cas, acquire and release
//!        fence                                                             sequentially consistent
//!        look at all of taken: one is later than b → take back, again
//!        retries in b−9 ..= b, this one not counted < share·requests in them + min_per_s·window → taken
//!        else take back, refuse
//! ```
//!
//! Of two who take at once, the one whose fence comes later sees the other, so a window never has more than is allowed;
//! both may see each other and be refused early. Requests are counted by the caller anyway, and only their window is kept
//! here: without a rotation they count as of its newest bucket, so too few count rather than too many.
//! Source: retry budgets as in Finagle (`RetryBudget`), with the window in place of its token bucket.
//!
//! Cost: two looks at ten words, two atomic writes and a fence a retry; nothing a request.

use crate::policies::rate::{self, BUCKETS, RateWindow};
use crate::sync::{AtomicU64, Ordering, fence};
use crate::vocabulary::time::NANOS_PER_SEC;

const SLOTS: usize = BUCKETS as usize;
/// A word: the bucket, counted from 1, above the retries in it. Both stop at their largest.
const COUNT_BITS: u32 = 24;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
const BUCKET_MAX: u64 = u64::MAX >> COUNT_BITS;

/// The part of a pool's configuration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Settings {
    /// Retries a request, 0.0 ..= 1.0.
    pub(crate) share: f64,
    /// Retries a second beside it.
    pub(crate) min_per_s: u32,
    pub(crate) window_ns: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { share: 0.2, min_per_s: 10, window_ns: 10 * NANOS_PER_SEC }
    }
}

impl Settings {
    fn bucket_ns(&self) -> u64 {
        (self.window_ns / BUCKETS).max(1)
    }

    /// Retries allowed in a window with so many requests.
    fn allowed(&self, requests: u32) -> f64 {
        let window_s = self.window_ns as f64 / NANOS_PER_SEC as f64;
        self.share.max(0.0) * f64::from(requests) + f64::from(self.min_per_s) * window_s
    }
}

/// A pool's budget. Takes the first [`Budget::WORDS`] words; with fewer, nothing is allowed.
#[derive(Clone, Copy)]
pub(crate) struct Budget<'a> {
    pub(crate) words: &'a [AtomicU64],
}

impl<'a> Budget<'a> {
    /// Zeroed words are a budget of which nothing is taken.
    pub(crate) const WORDS: usize = SLOTS + rate::WORDS;

    #[cfg(test)]
    pub(crate) fn try_take(self, now_ns: u64, settings: &Settings, requests: impl Fn() -> u64) -> bool {
        self.take(now_ns, settings, requests).is_some()
    }

    /// Retries in the window, and how many it allows.
    #[cfg(test)]
    pub(crate) fn used(self, now_ns: u64, settings: &Settings, requests: impl Fn() -> u64) -> (u64, f64) {
        let Some((taken, window)) = self.parts() else { return (0, 0.0) };
        let (samples, _) = window.over(requests() as u32, 0, now_ns, settings.bucket_ns());
        (retries(taken, bucket(taken, now_ns, settings)).unwrap_or(0), settings.allowed(samples))
    }

    /// Brings the window of requests up to now; for those who have the time, so that fewer are counted too early.
    pub(crate) fn rotate(self, now_ns: u64, settings: &Settings, requests: impl Fn() -> u64) {
        if let Some((_, window)) = self.parts() {
            window.rotate(now_ns, settings.bucket_ns(), || (requests() as u32, 0));
        }
    }

    /// Begins anew if what was taken is ahead of the clock by more than a window: the clock has gone back since. Who takes
    /// at the same moment may take more than is allowed, once.
    pub(crate) fn mend(self, now_ns: u64, settings: &Settings, requests: impl Fn() -> u64) {
        let Some((taken, window)) = self.parts() else { return };
        let now = (now_ns / settings.bucket_ns()).saturating_add(1).min(BUCKET_MAX);
        if bucket(taken, now_ns, settings) > now + BUCKETS || window.is_ahead(now_ns, settings.bucket_ns()) {
            self.words.iter().for_each(|word| word.store(0, Ordering::Release));
            window.restart(requests() as u32, 0, now_ns, settings.bucket_ns());
        }
    }

    /// Takes a retry if one is left, from the bucket that is told. `requests` reads how many requests there ever were,
    /// modulo 2³².
    pub(crate) fn take(self, now_ns: u64, settings: &Settings, requests: impl Fn() -> u64) -> Option<u64> {
        let (taken, window) = self.parts()?;
        window.rotate(now_ns, settings.bucket_ns(), || (requests() as u32, 0));
        loop {
            let bucket = bucket(taken, now_ns, settings);
            if !add(&taken[slot(bucket)], bucket) {
                return None;
            }
            // Pairs with the fence of whoever takes at the same time, in this bucket or in the next.
            fence(Ordering::SeqCst);
            let retries = retries(taken, bucket);
            let (samples, _) = window.over(requests() as u32, 0, now_ns, settings.bucket_ns());
            match retries {
                Some(retries) if (retries.saturating_sub(1) as f64) < settings.allowed(samples) => return Some(bucket),
                Some(_) => {
                    take_back(&taken[slot(bucket)], bucket);
                    return None;
                }
                // Time went on, and what this window had may be overwritten.
                None => take_back(&taken[slot(bucket)], bucket),
            }
        }
    }

    /// Gives a retry back that was taken from a bucket and is not made. Who takes meanwhile may be refused early.
    pub(crate) fn give_back(self, bucket: u64) {
        if let Some((taken, _)) = self.parts() {
            take_back(&taken[slot(bucket)], bucket);
        }
    }

    fn parts(self) -> Option<(&'a [AtomicU64; SLOTS], RateWindow<'a>)> {
        let (taken, words) = self.words.split_first_chunk()?;
        (words.len() >= rate::WORDS).then_some((taken, RateWindow { words }))
    }
}

fn slot(bucket: u64) -> usize {
    (bucket % BUCKETS) as usize
}

fn unpack(word: u64) -> (u64, u64) {
    (word >> COUNT_BITS, word & COUNT_MAX)
}

/// The bucket of now, or the newest that anybody has taken from: a clock that goes back stands still here, until [`Budget::mend`].
fn bucket(taken: &[AtomicU64; SLOTS], now_ns: u64, settings: &Settings) -> u64 {
    let now = (now_ns / settings.bucket_ns()).saturating_add(1).min(BUCKET_MAX);
    taken.iter().map(|word| unpack(word.load(Ordering::Acquire)).0).fold(now, u64::max)
}

/// What was taken in the window that ends with `bucket`; `None` if something was taken later.
fn retries(taken: &[AtomicU64; SLOTS], bucket: u64) -> Option<u64> {
    let mut sum = 0;
    for word in taken {
        let (of, count) = unpack(word.load(Ordering::Acquire));
        if of > bucket {
            return None;
        }
        sum += if of + BUCKETS > bucket { count } else { 0 };
    }
    Some(sum)
}

/// Counts one in `bucket`, or nothing if the word is of a later one, which the look finds. False if it is full.
fn add(word: &AtomicU64, bucket: u64) -> bool {
    let one_more = |word: u64| match unpack(word) {
        (of, _) if of > bucket => Some(word),
        (of, count) if of == bucket => (count < COUNT_MAX).then_some(word + 1),
        _ => Some(bucket << COUNT_BITS | 1),
    };
    word.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).is_ok()
}

/// Uncounts one, unless the word is of a later bucket by now.
fn take_back(word: &AtomicU64, bucket: u64) {
    let one_less = |word: u64| (unpack(word).0 == bucket && word & COUNT_MAX > 0).then(|| word - 1);
    _ = word.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::vocabulary::rng::Draws;

    const S: u64 = NANOS_PER_SEC;

    fn words() -> Vec<AtomicU64> {
        (0..Budget::WORDS).map(|_| AtomicU64::new(0)).collect()
    }

    /// Takes until it is refused.
    fn drain(budget: Budget<'_>, now_ns: u64, settings: &Settings, requests: u64) -> usize {
        (0..1_000_000).take_while(|_| budget.try_take(now_ns, settings, || requests)).count()
    }

    #[test]
    fn allows_a_share_of_the_requests_and_some_beside() {
        let (words, settings) = (words(), Settings::default());
        let budget = Budget { words: &words };
        assert_eq!(drain(budget, S, &settings, 0), 100, "10 a second in 10 s");
        assert_eq!(drain(budget, S, &settings, 500), 100, "a fifth of 500 requests");
        assert_eq!(budget.used(S, &settings, || 500), (200, 200.0));
        assert_eq!(drain(budget, 10 * S, &settings, 500), 0);
        assert_eq!(drain(budget, 11 * S, &settings, 500), 100, "it is all forgotten");
    }

    #[test]
    fn a_share_that_is_no_whole_number_allows_one_more() {
        let settings = Settings { share: 0.2, min_per_s: 0, ..Settings::default() };
        for (requests, allowed) in [(0, 0), (1, 1), (5, 1), (6, 2), (10, 2)] {
            let words = words();
            let budget = Budget { words: &words };
            budget.rotate(S, &settings, || 0);
            assert_eq!(drain(budget, S, &settings, requests), allowed, "{requests} requests");
        }
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let (words, settings) = (words(), Settings::default());
        let budget = Budget { words: &words };
        let bucket = budget.take(S, &settings, || 0).unwrap();
        assert_eq!(drain(budget, S, &settings, 0), 99);
        budget.give_back(bucket);
        assert_eq!(drain(budget, S, &settings, 0), 1);
        // A window later its bucket is another's, and nothing is owed.
        assert_eq!(drain(budget, 11 * S, &settings, 0), 100);
        budget.give_back(bucket);
        assert_eq!(drain(budget, 11 * S, &settings, 0), 0);
    }

    #[test]
    fn a_clock_that_goes_back_stands_still() {
        let (words, settings) = (words(), Settings::default());
        let budget = Budget { words: &words };
        assert_eq!(drain(budget, 100 * S, &settings, 0), 100);
        assert_eq!(drain(budget, 50 * S, &settings, 0), 0);
        assert_eq!(drain(budget, 0, &settings, 0), 0);
        assert_eq!(drain(budget, u64::MAX, &settings, 0), 100);
    }

    #[test]
    fn who_is_overtaken_looks_again() {
        let words = words();
        let (taken, _) = Budget { words: &words }.parts().unwrap();
        assert!(add(&taken[slot(17)], 17) && add(&taken[slot(8)], 8));
        assert_eq!([17, 16, 8].map(|bucket| retries(taken, bucket)), [Some(2), None, None]);
        assert!(add(&taken[slot(7)], 7), "its word is of bucket 17 by now");
        take_back(&taken[slot(7)], 7);
        assert_eq!(retries(taken, 17), Some(2), "and stays as it is");
        assert_eq!(retries(taken, 18), Some(1));
    }

    #[test]
    fn odd_settings_and_damaged_words_are_harmless() {
        let odd = Settings { share: f64::NAN, min_per_s: u32::MAX, window_ns: 0 };
        let fresh = words();
        assert!(!Budget { words: &fresh }.try_take(S, &odd, || 9), "a window of no length allows nothing");
        assert!(!Budget { words: &fresh[1..] }.try_take(S, &Settings::default(), || 9));
        let mut draws = Draws::seeded(1, 0);
        for _ in 0..2000 {
            let damaged: Vec<_> = (0..Budget::WORDS).map(|_| draws.next_u64() >> draws.clone().below(64)).collect();
            let words: Vec<_> = damaged.into_iter().map(AtomicU64::new).collect();
            let budget = Budget { words: &words };
            let requests = draws.next_u64();
            budget.try_take(draws.next_u64() >> draws.clone().below(64), &Settings::default(), || requests);
            budget.used(draws.next_u64(), &Settings::default(), || requests);
        }
        let full = words();
        full[1].store(1 << COUNT_BITS | COUNT_MAX, Ordering::Relaxed);
        let all = Settings { min_per_s: u32::MAX, ..Settings::default() };
        assert!(!Budget { words: &full }.try_take(0, &all, || 0), "a full word is the end of it");
        assert_eq!(full[1].load(Ordering::Relaxed), 1 << COUNT_BITS | COUNT_MAX);
    }

    /// Two lists, of requests and of retries, summed up on each question.
    #[test]
    fn agrees_with_lists_of_requests_and_retries() {
        for seed in 0..1000 {
            let mut draws = Draws::seeded(seed, 0);
            let bucket_ns = 1 + draws.below(20) * S / 10;
            let settings = Settings {
                share: draws.below(11) as f64 / 10.0,
                min_per_s: draws.below(3) as u32,
                window_ns: bucket_ns * BUCKETS,
            };
            let words = words();
            let budget = Budget { words: &words };
            let (mut requests, mut retries): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
            let (mut now, before) = (draws.below(100 * S), draws.next_u64() >> draws.below(64));
            for step in 0..draws.below(500) {
                now += draws.below(bucket_ns) * if draws.below(50) == 0 { 15 } else { 1 };
                let first = (now / bucket_ns).saturating_sub(BUCKETS - 1);
                let total = before + requests.len() as u64;
                // Rotated at each event, the window of requests is exact.
                budget.rotate(now, &settings, || total);
                if draws.below(3) > 0 {
                    requests.push(now / bucket_ns);
                    continue;
                }
                let counted = |list: &[u64]| list.iter().filter(|bucket| **bucket >= first).count() as f64;
                let window_s = settings.window_ns as f64 / S as f64;
                let allowed = settings.share * counted(&requests) + f64::from(settings.min_per_s) * window_s;
                let expected = counted(&retries) < allowed;
                assert_eq!(budget.used(now, &settings, || total), (counted(&retries) as u64, allowed), "seed {seed}");
                assert_eq!(budget.try_take(now, &settings, || total), expected, "seed {seed}, step {step}");
                if expected {
                    retries.push(now / bucket_ns);
                }
            }
        }
    }

    #[test]
    fn eight_threads_never_take_more_than_there_is() {
        let settings = Settings { share: 0.0, min_per_s: 100, ..Settings::default() };
        for round in 0..20 {
            let words = words();
            let budget = Budget { words: &words };
            let taken: usize = std::thread::scope(|scope| {
                let takers: Vec<_> = (0..8)
                    .map(|_| scope.spawn(|| (0..300).filter(|_| budget.try_take(S, &settings, || 0)).count()))
                    .collect();
                takers.into_iter().map(|taker| taker.join().unwrap()).sum()
            });
            assert!(taken <= 1000, "round {round}: {taken}");
            assert_eq!(taken + drain(budget, S, &settings, 0), 1000, "round {round}: what was refused early is left");
        }
    }

    #[test]
    fn no_window_has_more_than_is_allowed_while_threads_move_the_clock() {
        let settings = Settings { share: 0.0, min_per_s: 5, ..Settings::default() };
        let (words, clock, taken) = (words(), AtomicU64::new(S), Mutex::new(Vec::new()));
        let budget = Budget { words: &words };
        std::thread::scope(|scope| {
            for seed in 0..8 {
                let (clock, taken, settings) = (&clock, &taken, &settings);
                scope.spawn(move || {
                    let mut draws = Draws::seeded(seed, 0);
                    let mut mine = Vec::new();
                    for _ in 0..3000 {
                        let now = clock.fetch_add(draws.below(S / 20), Ordering::Relaxed);
                        mine.extend(budget.take(now, settings, || 0));
                    }
                    taken.lock().unwrap().extend(mine);
                });
            }
        });
        let taken = taken.into_inner().unwrap();
        let last = taken.iter().copied().max().unwrap();
        assert!(taken.len() > 1000, "24 000 tried in 600 s, of which 3 000 are allowed: {}", taken.len());
        for first in 0..=last {
            let window = taken.iter().filter(|bucket| (first..first + BUCKETS).contains(bucket)).count();
            assert!(window <= 50, "{window} from bucket {first} on");
        }
    }
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    /// One retry in 10 ns.
    const ONE: Settings = Settings { share: 0.0, min_per_s: 100_000_000, window_ns: 10 };

    type Take = fn(Budget<'_>, u64) -> bool;

    fn take(budget: Budget<'_>, now_ns: u64) -> bool {
        budget.try_take(now_ns, &ONE, || 0)
    }

    fn take_after_a_look(budget: Budget<'_>, now_ns: u64) -> bool {
        let (taken, _) = budget.parts().unwrap();
        let bucket = bucket(taken, now_ns, &ONE);
        retries(taken, bucket) == Some(0) && add(&taken[slot(bucket)], bucket)
    }

    fn take_without_a_fence(budget: Budget<'_>, now_ns: u64) -> bool {
        let (taken, _) = budget.parts().unwrap();
        let bucket = bucket(taken, now_ns, &ONE);
        add(&taken[slot(bucket)], bucket) && retries(taken, bucket).is_some_and(|retries| retries <= 1)
    }

    /// Two take at these times, of which only one may.
    fn one_is_taken(take: Take, times: [u64; 2]) {
        loom::model(move || {
            let words: Arc<Vec<_>> = Arc::new((0..Budget::WORDS).map(|_| AtomicU64::new(0)).collect());
            Budget { words: &words }.rotate(times[1], &ONE, || 0);
            let other = {
                let words = words.clone();
                thread::spawn(move || take(Budget { words: &words }, times[0]))
            };
            let mine = take(Budget { words: &words }, times[1]);
            let both = other.join().unwrap() && mine;
            assert!(!both);
        });
    }

    #[test]
    fn two_at_once_take_one() {
        one_is_taken(take, [5, 5]);
    }

    #[test]
    fn two_in_neighbouring_buckets_take_one() {
        one_is_taken(take, [5, 6]);
    }

    #[test]
    #[should_panic]
    fn mutant_that_looks_first_takes_two() {
        one_is_taken(take_after_a_look, [5, 5]);
    }

    #[test]
    #[should_panic]
    fn mutant_without_a_fence_takes_two() {
        one_is_taken(take_without_a_fence, [5, 6]);
    }
}
