//! What ended, and how badly, in the last ten buckets of time, from two counters that only ever grow.
//!
//! ```text
//! words: snapshot[11], NUMBER          snapshot of bucket b = the counters when b began, in slot b mod 11
//!                                      NUMBER = the newest bucket that has one; 0 while there is none
//!
//! rotate:  b = bucket of now; b ≤ NUMBER → done                                 acquire
//!          seen := the slots of NUMBER+1 ..= b                                  acquire
//!          c := counters; NUMBER has moved → done
//!          snapshot := c  in each of them that is still as it was seen          cas
//!          NUMBER := max(NUMBER, b)                                             release
//! over:    b = max(bucket of now, NUMBER)
//!          b − 9 > NUMBER → 0, else counters − snapshot[b − 9]                  acquire
//! ```
//!
//! The window is the current bucket and the nine before it. Who rotates before each count has it exactly. What is
//! counted without a rotation belongs to the newest bucket that has a snapshot (before there is one, to none), so after
//! a gap it leaves the window early, never late; the rate is then that of a shorter time.
//!
//! The counters are read after the slots were seen, so nobody, however late, puts a snapshot in the place of a later
//! one. The eleventh slot is the one that the next rotation writes, so that it disturbs no reader; a reader overtaken by
//! more than that counts less. A clock that goes back stands still here until it is where it was, or until somebody who
//! finds the window [ahead](RateWindow::is_ahead) zeroes its words and restarts it.
//!
//! Cost: `rotate` with nothing to do, one load and one division; `over`, two loads and one division. Counting is free.

use crate::sync::{AtomicU64, Ordering};

/// Buckets that count.
pub(crate) const BUCKETS: u64 = 10;
const SLOTS: usize = BUCKETS as usize + 1;
const NUMBER: usize = SLOTS;
/// Words of a window. Zeroed words are a window in which nothing counts.
pub(crate) const WORDS: usize = SLOTS + 1;

/// The window over a pair of counters, both of which may wrap, though not within the window. Takes the first [`WORDS`]
/// words; with fewer, nothing counts.
#[derive(Clone, Copy)]
pub(crate) struct RateWindow<'a> {
    pub(crate) words: &'a [AtomicU64],
}

impl<'a> RateWindow<'a> {
    /// Brings the snapshots up to now. `counters` are samples and failures before what is counted next, read only if
    /// there is something to do.
    #[inline]
    pub(crate) fn rotate(self, now_ns: u64, bucket_ns: u64, counters: impl FnOnce() -> (u32, u32)) {
        let Some(words) = self.words() else { return };
        let (bucket, newest) = (bucket(now_ns, bucket_ns), words[NUMBER].load(Ordering::Acquire));
        if bucket > newest {
            advance(words, newest, bucket, counters);
        }
    }

    /// Samples in the window and the failures among them, `samples` and `failures` being the counters now.
    pub(crate) fn over(self, samples: u32, failures: u32, now_ns: u64, bucket_ns: u64) -> (u32, u32) {
        let Some(words) = self.words() else { return (0, 0) };
        let newest = words[NUMBER].load(Ordering::Acquire);
        let first = bucket(now_ns, bucket_ns).max(newest).saturating_sub(BUCKETS - 1);
        if newest == 0 || first > newest {
            return (0, 0);
        }
        let then = words[slot(first)].load(Ordering::Relaxed);
        let samples = since(samples, (then >> 32) as u32);
        // The counters are two words, so one may have been read before the other was counted.
        (samples, since(failures, then as u32).min(samples))
    }

    /// Whether the newest bucket is ahead of the clock by more than a window.
    pub(crate) fn is_ahead(self, now_ns: u64, bucket_ns: u64) -> bool {
        let newest = self.words().map_or(0, |words| words[NUMBER].load(Ordering::Relaxed));
        newest > bucket(now_ns, bucket_ns).saturating_add(BUCKETS)
    }

    /// From here on only what follows counts.
    pub(crate) fn restart(self, samples: u32, failures: u32, now_ns: u64, bucket_ns: u64) {
        let Some(words) = self.words() else { return };
        for snapshot in &words[..SLOTS] {
            snapshot.store(pack(samples, failures), Ordering::Release);
        }
        words[NUMBER].fetch_max(bucket(now_ns, bucket_ns), Ordering::Release);
    }

    fn words(self) -> Option<&'a [AtomicU64; WORDS]> {
        self.words.first_chunk()
    }
}

/// Whether of so many samples less than `min_success_rate` succeeded. Too few samples say nothing.
pub(crate) fn falls_short((samples, failures): (u32, u32), min_success_rate: f64, min_requests: u32) -> bool {
    let successes = samples.saturating_sub(failures);
    samples >= min_requests.max(1) && f64::from(successes) / f64::from(samples) < min_success_rate
}

#[cold]
fn advance(words: &[AtomicU64; WORDS], newest: u64, bucket: u64, counters: impl FnOnce() -> (u32, u32)) {
    // A window without snapshots needs all of them, also of buckets before the clock's first.
    let after_newest = if newest == 0 { 0 } else { newest + 1 };
    let missing = after_newest.max(bucket.saturating_sub(BUCKETS))..=bucket;
    let seen: [u64; SLOTS] = std::array::from_fn(|slot| words[slot].load(Ordering::Acquire));
    let (samples, failures) = counters();
    if words[NUMBER].load(Ordering::Acquire) != newest {
        return;
    }
    for slot in missing.map(slot) {
        // Lost to a later writer: its snapshot is as good, or of a later bucket.
        _ = words[slot].compare_exchange(seen[slot], pack(samples, failures), Ordering::AcqRel, Ordering::Relaxed);
    }
    words[NUMBER].fetch_max(bucket, Ordering::Release);
}

/// Counted from 1, since 0 is no bucket.
fn bucket(now_ns: u64, bucket_ns: u64) -> u64 {
    (now_ns / bucket_ns.max(1)).saturating_add(1)
}

fn slot(bucket: u64) -> usize {
    (bucket % SLOTS as u64) as usize
}

fn pack(samples: u32, failures: u32) -> u64 {
    u64::from(samples) << 32 | u64::from(failures)
}

/// What was counted since. A snapshot later than the counter (somebody rotated since it was read) makes it nothing.
fn since(counter: u32, snapshot: u32) -> u32 {
    let counted = counter.wrapping_sub(snapshot);
    if counted > u32::MAX / 2 { 0 } else { counted }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::vocabulary::rng::Draws;

    /// A node as a pool keeps it, and beside it a list of all that was counted: the bucket it belongs to, how it ended.
    struct Node {
        words: Vec<AtomicU64>,
        bucket_ns: u64,
        samples: u32,
        failures: u32,
        events: Vec<(u64, bool)>,
        newest: u64,
    }

    impl Node {
        fn new(bucket_ns: u64, samples: u32, failures: u32) -> Self {
            let words = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
            Self { words, bucket_ns, samples, failures, events: Vec::new(), newest: 0 }
        }

        fn window(&self) -> RateWindow<'_> {
            RateWindow { words: &self.words }
        }

        fn rotate(&mut self, now_ns: u64) {
            self.window().rotate(now_ns, self.bucket_ns, || (self.samples, self.failures));
            self.newest = self.newest.max(now_ns / self.bucket_ns + 1);
        }

        fn count(&mut self, ok: bool) {
            self.samples = self.samples.wrapping_add(1);
            self.failures = self.failures.wrapping_add(u32::from(!ok));
            self.events.push((self.newest, ok));
        }

        fn restart(&mut self, now_ns: u64) {
            self.window().restart(self.samples, self.failures, now_ns, self.bucket_ns);
            self.newest = self.newest.max(now_ns / self.bucket_ns + 1);
            self.events.clear();
        }

        fn over(&self, now_ns: u64) -> (u32, u32) {
            self.window().over(self.samples, self.failures, now_ns, self.bucket_ns)
        }

        fn expected(&self, now_ns: u64) -> (u32, u32) {
            let last = (now_ns / self.bucket_ns + 1).max(self.newest);
            let counts = |event: &&(u64, bool)| event.0 > 0 && event.0 + BUCKETS > last;
            let counted: Vec<_> = self.events.iter().filter(counts).collect();
            (counted.len() as u32, counted.iter().filter(|event| !event.1).count() as u32)
        }
    }

    #[test]
    fn counts_the_current_bucket_and_the_nine_before() {
        let mut node = Node::new(100, 0, 0);
        for now in [0, 50, 999, 1000] {
            node.rotate(now);
            node.count(now != 50);
        }
        assert_eq!(node.over(0), (2, 0), "the clock stands at the newest bucket");
        assert_eq!((node.over(1099), node.over(1899), node.over(1900)), ((2, 0), (2, 0), (1, 0)));
        assert_eq!((node.over(1999), node.over(2000), node.over(u64::MAX)), ((1, 0), (0, 0), (0, 0)));
    }

    #[test]
    fn what_comes_without_a_rotation_belongs_to_the_newest_bucket() {
        let mut node = Node::new(100, 0, 0);
        node.count(true);
        assert_eq!(node.over(0), (0, 0), "nobody knows when that was");
        node.rotate(0);
        node.count(true);
        node.rotate(850);
        assert_eq!(node.over(850), (1, 0));
        node.count(false);
        assert_eq!((node.over(999), node.over(1000)), ((2, 1), (1, 1)));
    }

    #[test]
    fn a_restart_forgets() {
        let mut node = Node::new(100, 7, 7);
        node.restart(5000);
        assert_eq!(node.over(5000), (0, 0));
        node.count(false);
        assert_eq!(node.over(5000), (1, 1), "a restart is a rotation, too");
        node.rotate(5300);
        node.count(true);
        node.restart(5300);
        node.count(true);
        assert_eq!((node.over(5300), node.over(6299), node.over(6300)), ((1, 0), (1, 0), (0, 0)));
    }

    #[test]
    fn a_reader_that_was_overtaken_counts_nothing_rather_than_billions() {
        let mut node = Node::new(100, 5, 5);
        node.rotate(0);
        assert_eq!(node.window().over(4, 4, 0, 100), (0, 0));
        assert_eq!(node.window().over(9, 11, 0, 100), (4, 4), "failures are samples");
    }

    #[test]
    fn clocks_at_their_ends_and_words_that_were_damaged_are_harmless() {
        for bucket_ns in [0, 1, 7, u64::MAX] {
            let mut node = Node::new(bucket_ns.max(1), 0, 0);
            for now in [u64::MAX - 1, u64::MAX, 0, 5] {
                node.window().rotate(now, bucket_ns, || (node.samples, node.failures));
                node.count(true);
            }
            assert!((1..=4).contains(&node.window().over(4, 0, u64::MAX, bucket_ns).0));
        }
        let node = Node::new(100, 0, 0);
        node.words.iter().for_each(|word| word.store(u64::MAX, Ordering::Relaxed));
        node.window().rotate(0, 100, || (0, 0));
        assert_eq!(node.over(0), (1, 1));
        let none = RateWindow { words: &node.words[1..] };
        none.rotate(0, 100, || unreachable!());
        none.restart(0, 0, 0, 100);
        assert_eq!(none.over(0, 0, 0, 100), (0, 0));
    }

    #[test]
    fn too_few_samples_say_nothing() {
        assert!(falls_short((20, 5), 0.8, 20) && !falls_short((20, 4), 0.8, 20));
        assert!(!falls_short((19, 19), 0.8, 20) && !falls_short((0, 0), 1.0, 0));
        assert!(!falls_short((20, 20), 0.0, 20), "a rate of 0 is off");
        assert!(falls_short((4, 9), 0.1, 1), "damaged counters are a success rate of 0");
    }

    #[test]
    fn agrees_with_a_list_of_events_rotated_before_each() {
        for seed in 0..2000 {
            let mut draws = Draws::seeded(seed, 0);
            let bucket_ns = 1 + draws.below(20);
            // Both counters wrap on the way.
            let mut node = Node::new(bucket_ns, 0u32.wrapping_sub(draws.below(200) as u32), 0u32.wrapping_sub(9));
            let (mut now, ok_below) = (draws.below(1000), draws.below(10));
            for step in 0..draws.below(500) {
                match draws.below(40) {
                    0 => now += draws.below(30 * bucket_ns),
                    1 => now = now.saturating_sub(draws.below(3 * bucket_ns)),
                    2 => node.restart(now),
                    _ => now += draws.below(bucket_ns),
                }
                node.rotate(now);
                node.count(draws.below(10) < ok_below);
                let later = now + draws.below(12 * bucket_ns);
                assert_eq!(node.over(now), node.expected(now), "seed {seed}, step {step}");
                assert_eq!(node.over(later), node.expected(later), "seed {seed}, step {step}, later");
            }
        }
    }

    #[test]
    fn agrees_with_a_list_of_events_rotated_now_and_then() {
        for seed in 0..2000 {
            let mut draws = Draws::seeded(seed, 1);
            let bucket_ns = 1 + draws.below(20);
            let mut node = Node::new(bucket_ns, draws.next_u64() as u32, draws.next_u64() as u32);
            let mut now = 0;
            for step in 0..draws.below(500) {
                now += draws.below(bucket_ns);
                if draws.below(8) == 0 {
                    let before = node.over(now);
                    node.rotate(now);
                    assert_eq!(node.over(now), before, "seed {seed}, step {step}: a rotation changes nothing now");
                }
                node.count(draws.below(2) == 0);
                assert_eq!(node.over(now), node.expected(now), "seed {seed}, step {step}");
            }
        }
    }
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    type Rotate = fn(&[AtomicU64], u64, &AtomicU64);

    fn counters(counter: &AtomicU64) -> (u32, u32) {
        (counter.load(Ordering::Relaxed) as u32, 0)
    }

    fn rotate(words: &[AtomicU64], now: u64, counter: &AtomicU64) {
        RateWindow { words }.rotate(now, 1, || counters(counter));
    }

    /// As if nobody could be late: what was read is written.
    fn rotate_blindly(words: &[AtomicU64], now: u64, counter: &AtomicU64) {
        let newest = words[NUMBER].load(Ordering::Acquire);
        let (samples, failures) = counters(counter);
        for bucket in (newest + 1).max(bucket(now, 1).saturating_sub(BUCKETS))..=bucket(now, 1) {
            words[slot(bucket)].store(pack(samples, failures), Ordering::Release);
        }
        words[NUMBER].fetch_max(bucket(now, 1), Ordering::Release);
    }

    /// One rotates to bucket 2 and may be late; another counts, and rotates to bucket 13, which has the same slot. When
    /// bucket 13 is the first of the window, nothing from before it counts.
    fn a_late_rotation_brings_nothing_back(rotate: Rotate) {
        loom::model(move || {
            let words: Arc<Vec<_>> = Arc::new((0..WORDS).map(|_| AtomicU64::new(0)).collect());
            let counter = Arc::new(AtomicU64::new(0));
            words[NUMBER].store(1, Ordering::Relaxed);
            let late = {
                let (words, counter) = (words.clone(), counter.clone());
                thread::spawn(move || rotate(&words, 1, &counter))
            };
            counter.fetch_add(10, Ordering::Relaxed);
            rotate(&words, 12, &counter);
            late.join().unwrap();
            assert_eq!(RateWindow { words: &words }.over(10, 0, 21, 1), (0, 0));
        });
    }

    #[test]
    fn nobody_is_counted_twice() {
        a_late_rotation_brings_nothing_back(rotate);
    }

    #[test]
    #[should_panic]
    fn mutant_blind_rotation_counts_the_past() {
        a_late_rotation_brings_nothing_back(rotate_blindly);
    }
}
