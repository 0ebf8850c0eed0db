//! How much was used of late: amounts in the buckets of a window that moves on one bucket at a time.
//!
//! ```text
//! bucket(now) = (now − start) / (window / resolution)          numbers only grow
//! used(now)   = Σ amounts of the buckets bucket(now) − resolution + 1 ..= bucket(now)
//! ```
//!
//! An amount counts for the rest of its bucket and for `resolution − 1` more: between `window − window/resolution`
//! and `window`. Exact because its owner holds it under a lock; a read changes nothing, so it may look ahead in time.

use std::time::Duration;

use crate::vocabulary::time::{Nanos, saturating_nanos};

pub(crate) struct Window {
    buckets: Box<[Bucket]>,
    bucket_ns: Nanos,
    start_ns: Nanos,
    /// The highest bucket number written to. Clocks are read before the lock is taken, so a writer can come late.
    newest: u64,
}

#[derive(Clone, Copy, Default)]
struct Bucket {
    number: u64,
    used: u64,
}

impl Window {
    pub(crate) const RESOLUTION_MAX: usize = 4096;

    /// A window whose first bucket begins at `start_ns`. `resolution` is taken as 1 ..= [`Self::RESOLUTION_MAX`]; a
    /// bucket is no shorter than 1 ns, and the window no shorter than `window`.
    pub(crate) fn new(window: Duration, resolution: usize, start_ns: Nanos) -> Self {
        let resolution = resolution.clamp(1, Self::RESOLUTION_MAX);
        Self {
            buckets: vec![Bucket::default(); resolution].into_boxed_slice(),
            bucket_ns: saturating_nanos(window).div_ceil(resolution as u64).max(1),
            start_ns,
            newest: 0,
        }
    }

    /// Counts `amount` at `now_ns`, or in the newest bucket if it would not count any more there.
    pub(crate) fn record(&mut self, amount: u64, now_ns: Nanos) {
        let mut number = self.number(now_ns);
        self.newest = self.newest.max(number);
        if self.newest - number >= self.buckets.len() as u64 {
            number = self.newest;
        }
        let bucket = self.slot(number);
        if bucket.number != number {
            *bucket = Bucket { number, used: 0 };
        }
        bucket.used = bucket.used.saturating_add(amount);
    }

    /// What counts at `now_ns`, or at the newest bucket if that is later.
    pub(crate) fn used(&self, now_ns: Nanos) -> u64 {
        let number = self.number(now_ns).max(self.newest);
        let counts = |b: &&Bucket| number - b.number < self.buckets.len() as u64;
        self.buckets.iter().filter(counts).fold(0, |sum, b| sum.saturating_add(b.used))
    }

    /// Takes back what was counted at `recorded_ns`. Nothing if that bucket counts no more; its amount counts no more then.
    pub(crate) fn take_back(&mut self, amount: u64, recorded_ns: Nanos) {
        let number = self.number(recorded_ns);
        let bucket = self.slot(number);
        if bucket.number == number {
            bucket.used = bucket.used.saturating_sub(amount);
        }
    }

    /// Takes back what was counted some time ago, from the oldest buckets that still count at `now_ns`. What is left
    /// then counts for as long as it should or longer, never shorter.
    pub(crate) fn take_back_oldest(&mut self, mut amount: u64, now_ns: Nanos) {
        let number = self.number(now_ns).max(self.newest);
        let resolution = self.buckets.len() as u64;
        for number in number.saturating_sub(resolution - 1)..=number {
            let bucket = self.slot(number);
            if bucket.number == number {
                let taken = bucket.used.min(amount);
                bucket.used -= taken;
                amount -= taken;
            }
        }
    }

    fn number(&self, now_ns: Nanos) -> u64 {
        now_ns.saturating_sub(self.start_ns) / self.bucket_ns
    }

    fn slot(&mut self, number: u64) -> &mut Bucket {
        let slot = number % self.buckets.len() as u64;
        &mut self.buckets[slot as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::rng::Draws;

    const START: Nanos = 1_000;

    fn window(window_ns: u64, resolution: usize) -> Window {
        Window::new(Duration::from_nanos(window_ns), resolution, START)
    }

    #[test]
    fn an_amount_counts_until_its_bucket_leaves_the_window() {
        let mut w = window(60, 6);
        w.record(5, START + 9);
        w.record(7, START + 10);
        assert_eq!(w.used(START + 59), 12);
        assert_eq!(w.used(START + 60), 7);
        assert_eq!(w.used(START + 69), 7);
        assert_eq!(w.used(START + 70), 0);
    }

    #[test]
    fn looking_ahead_changes_nothing() {
        let mut w = window(60, 6);
        w.record(5, START);
        assert_eq!(w.used(u64::MAX), 0);
        assert_eq!(w.used(START), 5);
    }

    #[test]
    fn a_late_writer_counts_where_it_belongs() {
        let mut w = window(60, 6);
        w.record(1, START + 50);
        w.record(2, START + 3);
        assert_eq!((w.used(START), w.used(START + 59), w.used(START + 60)), (3, 3, 1));
        w.take_back(2, START + 3);
        assert_eq!(w.used(START + 59), 1);
    }

    #[test]
    fn a_writer_too_late_for_the_window_counts_in_the_newest_bucket() {
        let mut w = window(60, 6);
        w.record(1, START + 60);
        w.record(2, START + 9);
        assert_eq!((w.used(START + 119), w.used(START + 120)), (3, 0));
    }

    #[test]
    fn values_that_cannot_be_are_brought_into_range() {
        let mut w = window(0, 0);
        w.record(3, START);
        assert_eq!((w.used(START), w.used(START + 1)), (3, 0));
        assert_eq!(window(60, usize::MAX).buckets.len(), Window::RESOLUTION_MAX);
        let mut longest = Window::new(Duration::MAX, 1, START);
        longest.record(3, START);
        assert_eq!(longest.used(u64::MAX - 1), 3);
        let mut uneven = window(10, 6);
        uneven.record(1, START + 1);
        assert_eq!(uneven.used(START + 10), 1, "six buckets of 2 ns, as 1 ns would make the window 6 ns long");
    }

    #[test]
    fn sums_stop_at_the_largest() {
        let mut w = window(60, 2);
        w.record(u64::MAX, START);
        w.record(u64::MAX, START);
        w.record(9, START + 30);
        assert_eq!(w.used(START + 30), u64::MAX);
        assert_eq!(w.used(START + 60), 9);
    }

    #[test]
    fn what_is_taken_back_leaves_from_its_own_bucket() {
        let mut w = window(60, 6);
        w.record(5, START);
        w.record(7, START + 30);
        w.take_back(5, START);
        assert_eq!((w.used(START + 59), w.used(START + 60)), (7, 7));
        w.take_back(100, START + 30);
        assert_eq!(w.used(START + 30), 0);
    }

    #[test]
    fn what_counts_no_more_cannot_be_taken_back() {
        let mut w = window(60, 6);
        w.record(5, START);
        w.record(7, START + 60);
        w.take_back(5, START);
        assert_eq!(w.used(START + 60), 7, "the bucket of the first is now that of the second");
    }

    #[test]
    fn taking_back_the_oldest_first_leaves_the_longest_count() {
        let mut w = window(60, 6);
        w.record(5, START);
        w.record(7, START + 30);
        w.take_back_oldest(6, START + 30);
        assert_eq!((w.used(START + 59), w.used(START + 60)), (6, 6));
        w.record(5, START + 10);
        w.take_back_oldest(4, START + 70);
        assert_eq!(w.used(START + 70), 2, "the five counted no more");
        w.take_back_oldest(100, START + 70);
        assert_eq!(w.used(START + 70), 0);
        w.record(2, START + 70);
        w.take_back_oldest(1, START + 1000);
        assert_eq!(w.used(START + 70), 2, "nothing counted any more then");
    }

    /// A list of all that happened, summed up on each question.
    #[test]
    fn agrees_with_a_list_of_events() {
        for seed in 0..2000 {
            let mut draws = Draws::seeded(seed, 2);
            let (resolution, bucket_ns) = (1 + draws.below(8), 1 + draws.below(20));
            let mut w = window(resolution * bucket_ns, resolution as usize);
            let mut events: Vec<(u64, Nanos, u64)> = Vec::new();
            let mut now_ns = START;
            for step in 0..draws.below(300) {
                now_ns += draws.below(2 * bucket_ns);
                let number = (now_ns - START) / bucket_ns;
                let first = (number + 1).saturating_sub(resolution);
                match draws.below(4) {
                    0 if !events.is_empty() => {
                        let (_, recorded_ns, amount) = events.swap_remove(draws.below(events.len() as u64) as usize);
                        w.take_back(amount, recorded_ns);
                    }
                    _ => {
                        let amount = draws.below(100);
                        w.record(amount, now_ns);
                        events.push((number, now_ns, amount));
                    }
                }
                let expected: u64 = events.iter().filter(|e| e.0 >= first).map(|e| e.2).sum();
                assert_eq!(w.used(now_ns), expected, "seed {seed}, step {step}");
            }
        }
    }
}
