use super::scale::bucket;
use super::*;
use crate::vocabulary::rng::Draws;
use crate::vocabulary::time::NANOS_PER_MS;

const WINDOW_NS: Nanos = 60 * NANOS_PER_SEC;
const START: Nanos = 1000 * NANOS_PER_SEC;

fn words<const MERGED: usize>() -> Vec<AtomicU64> {
    (0..Histogram::<MERGED>::WORDS).map(|_| AtomicU64::new(0)).collect()
}

/// Records all samples in one window and compares percentiles with those of the sorted samples.
fn percentiles_are_within<const MERGED: usize>(error: f64, mut samples: Vec<u64>, name: &str) {
    let words = words::<MERGED>();
    let histogram = Histogram::<MERGED>(&words);
    samples.iter().for_each(|&ns| histogram.record(bucket(ns), START, WINDOW_NS));
    samples.sort_unstable();

    let counts = histogram.counts(START, WINDOW_NS);
    assert_eq!(counts.count(), samples.len() as u64);
    for q in [0.0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0] {
        let rank = ((q * samples.len() as f64).ceil() as usize).max(1);
        let (exact, told) = (samples[rank - 1] as f64, counts.quantile_ns(q).unwrap());
        assert!((told - exact).abs() <= error * exact, "{name}: q {q} is {exact}, told {told}");
    }
    let mean = samples.iter().map(|&ns| ns as f64).sum::<f64>() / samples.len() as f64;
    let told = counts.mean_ns().unwrap();
    assert!((told - mean).abs() <= error * mean, "{name}: the mean is {mean}, told {told}");
}

#[test]
fn percentiles_are_within_one_percent_and_five() {
    const HOUR: f64 = 3600e9;
    type Draw = fn(&mut Draws) -> f64;
    let distributions: [(&str, Draw); 7] = [
        ("constant", |_| 1_234_567.0),
        ("uniform to 1 s", |d| 1e9 * d.unit()),
        ("log-uniform, 1 µs to 1 h", |d| 1e3 * libm::pow(HOUR / 1e3, d.unit())),
        ("exponential, mean 20 ms", |d| -20e6 * libm::log(1.0 - d.unit())),
        ("log-normal, median 5 ms", |d| 5e6 * libm::exp((0..12).map(|_| d.unit()).sum::<f64>() * 1.5 - 9.0)),
        ("Pareto, from 1 ms", |d| 1e6 / libm::pow(1.0 - d.unit(), 1.0 / 1.1)),
        ("two modes", |d| if d.below(10) == 0 { 5e9 } else { 2e6 + d.unit() * 1e5 }),
    ];
    for (seed, (name, draw)) in (0..).zip(distributions) {
        let mut d = Draws::seeded(seed, 0);
        let samples: Vec<u64> = (0..10_000).map(|_| draw(&mut d).clamp(1e3, HOUR) as u64).collect();
        percentiles_are_within::<FINE>(0.01, samples.clone(), name);
        percentiles_are_within::<COARSE>(0.05, samples, name);
    }
    for edge in [512, 1_000, 1_023, 1_024, HOUR as u64, (1 << 42) - 1] {
        percentiles_are_within::<FINE>(0.01, vec![edge], "an edge");
        percentiles_are_within::<COARSE>(0.05, vec![edge], "an edge");
    }
}

#[test]
fn what_is_too_short_or_too_long_counts_at_the_ends() {
    let words = words::<FINE>();
    let histogram = Histogram::<FINE>(&words);
    assert_eq!(histogram.counts(START, WINDOW_NS).quantile_ns(0.5), None);
    assert_eq!(histogram.counts(START, WINDOW_NS).mean_ns(), None);
    for ns in [0, 1, u64::MAX] {
        histogram.record(bucket(ns), START, WINDOW_NS);
    }
    let counts = histogram.counts(START, WINDOW_NS);
    assert_eq!(counts.count(), 3);
    assert!((500.0..530.0).contains(&counts.quantile_ns(0.5).unwrap()));
    assert!((4.3e12..4.4e12).contains(&counts.quantile_ns(1.0).unwrap()));
    assert_eq!(counts.quantile_ns(f64::NAN), counts.quantile_ns(0.0));
}

#[test]
fn sizes_are_what_is_said() {
    assert_eq!((Histogram::<FINE>::BUCKETS, Histogram::<COARSE>::BUCKETS), (1155, 231));
    assert_eq!(scale::BUCKETS % COARSE, 0);
    assert_eq!((Histogram::<FINE>::WORDS * 8, Histogram::<COARSE>::WORDS * 8), (9264, 1872));
}

#[test]
fn a_latency_counts_in_its_window_and_the_next() {
    let words = words::<COARSE>();
    let histogram = Histogram::<COARSE>(&words);
    let count = |now| histogram.counts(now, WINDOW_NS).count();
    histogram.record(bucket(NANOS_PER_MS), START, WINDOW_NS);
    assert_eq!(count(START + 2 * WINDOW_NS - 1), 1);
    assert_eq!(count(START + 2 * WINDOW_NS), 0);
    histogram.record(bucket(NANOS_PER_MS), START + WINDOW_NS, WINDOW_NS);
    assert_eq!((count(START + WINDOW_NS), count(START + 2 * WINDOW_NS)), (2, 1));
    histogram.record(bucket(NANOS_PER_MS), START + 2 * WINDOW_NS, WINDOW_NS);
    assert_eq!(count(START + 2 * WINDOW_NS), 2);
}

/// The windows as lists of what was recorded.
struct Model {
    start: Nanos,
    current: Vec<usize>,
    previous: Option<Vec<usize>>,
}

impl Model {
    fn record(&mut self, bucket: usize, now: Nanos) {
        if now >= self.start + 2 * WINDOW_NS || self.start > now + AHEAD_MAX_NS {
            *self = Self { start: now & !3, current: Vec::new(), previous: None };
        } else if now >= self.start + WINDOW_NS {
            self.previous = Some(std::mem::take(&mut self.current));
            self.start += WINDOW_NS;
        }
        match &mut self.previous {
            Some(previous) if now < self.start => previous.push(bucket),
            _ => self.current.push(bucket),
        }
    }

    fn counts(&self, now: Nanos) -> Vec<u64> {
        let mut counts = vec![0; Histogram::<COARSE>::BUCKETS];
        if now < self.start + 2 * WINDOW_NS {
            self.current.iter().for_each(|&bucket| counts[bucket / COARSE] += 1);
        }
        if now < self.start + WINDOW_NS {
            self.previous.iter().flatten().for_each(|&bucket| counts[bucket / COARSE] += 1);
        }
        counts
    }
}

#[test]
fn any_order_of_records_reads_and_steps_of_the_clock_counts_as_the_lists_do() {
    for seed in 0..100 {
        let mut d = Draws::seeded(seed, 0);
        let words = words::<COARSE>();
        let histogram = Histogram::<COARSE>(&words);
        let mut model = Model { start: 0, current: Vec::new(), previous: Some(Vec::new()) };
        let mut now = START;
        for _ in 0..1 + d.below(1000) {
            let at = match d.below(100) {
                0 => now.saturating_sub(d.below(3 * WINDOW_NS)),
                1 => now.saturating_sub(AHEAD_MAX_NS + d.below(10 * WINDOW_NS)),
                _ => now,
            };
            let latency = d.next_u64() >> d.below(64);
            histogram.record(bucket(latency), at, WINDOW_NS);
            model.record(bucket(latency), at);
            now += match d.below(20) {
                0 => d.below(3 * WINDOW_NS),
                1 => WINDOW_NS,
                _ => d.below(WINDOW_NS / 10),
            };
            let read_at = now - d.below(WINDOW_NS);
            assert_eq!(histogram.counts(read_at, WINDOW_NS).counts, model.counts(read_at), "seed {seed}");
        }
    }
}

#[test]
fn threads_that_begin_a_window_together_lose_nothing() {
    const THREADS: u64 = 4;
    const RECORDS: u64 = 50;
    for _ in 0..200 {
        let words = words::<COARSE>();
        let histogram = Histogram::<COARSE>(&words);
        let record =
            |ms: u64, window| histogram.record(bucket(ms * NANOS_PER_MS), START + window * WINDOW_NS, WINDOW_NS);
        (0..RECORDS).for_each(|ms| (0..2).for_each(|window| record(ms, window)));
        let barrier = std::sync::Barrier::new(THREADS as usize);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    barrier.wait();
                    (0..RECORDS).for_each(|ms| record(ms, 2));
                });
            }
        });
        assert_eq!(histogram.counts(START + 2 * WINDOW_NS, WINDOW_NS).count(), (1 + THREADS) * RECORDS);
    }
}

#[test]
fn damaged_words_neither_panic_nor_last() {
    for seed in 0..100 {
        let mut d = Draws::seeded(seed, 0);
        let words: Vec<_> = words::<COARSE>().iter().map(|_| AtomicU64::new(d.next_u64())).collect();
        let histogram = Histogram::<COARSE>(&words);
        let read = histogram.counts(START, WINDOW_NS);
        assert!(read.quantile_ns(0.5).is_none_or(f64::is_finite) && read.mean_ns().is_none_or(f64::is_finite));
        histogram.record(usize::MAX, START, WINDOW_NS);
        histogram.record(0, START + 10 * WINDOW_NS, WINDOW_NS);
        histogram.record(0, START + 20 * WINDOW_NS, WINDOW_NS);
        histogram.record(0, START + 30 * WINDOW_NS, WINDOW_NS);
        assert_eq!(histogram.counts(START + 30 * WINDOW_NS, WINDOW_NS).count(), 1, "seed {seed}");
    }
    Histogram::<FINE>(&[]).record(0, START, WINDOW_NS);
    assert_eq!(Histogram::<FINE>(&[]).counts(START, WINDOW_NS).count(), 0);
}
