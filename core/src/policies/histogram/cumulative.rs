//! Latencies since the beginning, in 16 buckets of fixed bounds: what Prometheus sums over instances.
//!
//! Cost of a record: two atomic adds on one pair of cache lines, but for latencies above a second.

use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::time::NANOS_PER_MS;

/// The usual bounds of Prometheus clients, and two below them: an engine that sits beside its nodes sees such latencies.
pub(crate) const BOUNDS_NS: [u64; 16] = {
    let tenths_of_ms =
        [10, 25, 50, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000, 25_000, 50_000, 75_000, 100_000];
    let mut bounds = [0; 16];
    let mut i = 0;
    while i < bounds.len() {
        bounds[i] = tenths_of_ms[i] * NANOS_PER_MS / 10;
        i += 1;
    }
    bounds
};

/// What a latency adds to the sum at most, 2⁴² ns = 73 minutes: 2⁶⁴ µs are not reached in 10⁹ such latencies.
const LATENCY_MAX_NS: u64 = 1 << 42;

/// First the sum in microseconds, then a count for each bound and one for what is above all.
#[derive(Clone, Copy)]
pub(crate) struct Cumulative<'a>(pub(crate) &'a [AtomicU64]);

impl Cumulative<'_> {
    /// How many words it takes; zeroed ones are empty.
    pub(crate) const WORDS: usize = 1 + BOUNDS_NS.len() + 1;

    #[inline]
    pub(crate) fn record(self, latency_ns: u64) {
        let bucket = BOUNDS_NS.partition_point(|&bound| bound < latency_ns);
        if let (Some(sum), Some(count)) = (self.0.first(), self.0.get(1 + bucket)) {
            sum.fetch_add((latency_ns.min(LATENCY_MAX_NS) + 500) / 1000, Ordering::Relaxed);
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many latencies were at most each of [`BOUNDS_NS`].
    pub(crate) fn up_to_bounds(self) -> [u64; BOUNDS_NS.len()] {
        let mut total = 0u64;
        std::array::from_fn(|i| {
            total = total.saturating_add(self.word(1 + i));
            total
        })
    }

    pub(crate) fn above_bounds(self) -> u64 {
        self.word(1 + BOUNDS_NS.len())
    }

    pub(crate) fn sum_us(self) -> u64 {
        self.word(0)
    }

    fn word(self, index: usize) -> u64 {
        self.0.get(index).map_or(0, |word| word.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_counts_at_its_bound_and_all_above() {
        let words: Vec<_> = (0..Cumulative::WORDS).map(|_| AtomicU64::new(0)).collect();
        let cumulative = Cumulative(&words);
        for (i, &bound) in BOUNDS_NS.iter().enumerate() {
            cumulative.record(bound);
            cumulative.record(bound + 1);
            assert_eq!(cumulative.up_to_bounds()[i], 2 * i as u64 + 1);
        }
        assert_eq!((cumulative.up_to_bounds()[15], cumulative.above_bounds()), (31, 1));
    }

    #[test]
    fn the_sum_is_in_microseconds_and_cannot_be_blown_up_by_one_latency() {
        let words: Vec<_> = (0..Cumulative::WORDS).map(|_| AtomicU64::new(0)).collect();
        let cumulative = Cumulative(&words);
        cumulative.record(1_500_400);
        cumulative.record(0);
        assert_eq!(cumulative.sum_us(), 1500);
        cumulative.record(u64::MAX);
        assert_eq!(cumulative.sum_us(), 1500 + ((1 << 42) + 500) / 1000);
        assert_eq!(cumulative.above_bounds(), 1);
    }

    #[test]
    fn bounds_rise_from_a_millisecond_to_ten_seconds() {
        assert!(BOUNDS_NS.is_sorted_by(|a, b| a < b));
        assert_eq!((BOUNDS_NS[0], BOUNDS_NS[1], BOUNDS_NS[15]), (1_000_000, 2_500_000, 10_000_000_000));
    }
}
