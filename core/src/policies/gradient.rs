//! How many requests a node is given at a time, learned from what they take: an adaptive limit in one word.
//!
//! ```text
//! long     += (sample − long)/600                                      what it took over a long time
//! gradient  = clamp(tolerance·long/sample, ½, 1)
//! limit    += (limit·gradient + √limit − limit)·smoothing              in min ..= max
//!             a rise only while in flight ≥ limit/2
//! ```
//!
//! While requests take what they always took, the limit grows by its root, which is the queue that it allows itself;
//! when they take longer, a queue is building up, and the limit shrinks in proportion. A limit that nobody comes near
//! says nothing about a higher one. Samples are of successes: a node that fails fast must not look fast. What takes long
//! for thousands of samples becomes usual, and the limit then rises again up to its maximum.
//! Source: gradient concurrency limits, as in Netflix' concurrency-limits ("Performance Under Load", 2018).
//!
//! The word: the limit as f32 (upper half), the long average in nanoseconds as f32 (lower half), 0 before the first
//! sample. Cost: one root and two divisions a sample; reading is a conversion.

/// Samples that the long average remembers.
const LONG_SAMPLES: f64 = 600.0;

/// The part of a pool's configuration. 1 ≤ `min` ≤ `max`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Settings {
    pub(crate) initial: u32,
    pub(crate) min: u32,
    pub(crate) max: u32,
    /// The share of a change that applies at once, 0.0 ..= 1.0.
    pub(crate) smoothing: f64,
    /// How many times as long as usual a request may take without a reduction, ≥ 1.0.
    pub(crate) tolerance: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { initial: 20, min: 20, max: 200, smoothing: 0.2, tolerance: 1.5 }
    }
}

impl Settings {
    fn bounded(&self, limit: f64) -> f64 {
        let (min, max) = (self.min.max(1), self.max.max(self.min).max(1));
        // `max` prefers a number to NaN.
        limit.max(f64::from(min)).min(f64::from(max))
    }
}

/// The word after a request that took `latency_ns`, `in_flight` being what was in flight with it.
pub(crate) fn after_sample(word: u64, latency_ns: u64, in_flight: u32, settings: &Settings) -> u64 {
    let (limit, sample) = (read_limit(word, settings), (latency_ns as f64).max(1.0));
    let long = read_long(word).map_or(sample, |long| long + (sample - long) / LONG_SAMPLES);
    let gradient = (settings.tolerance * long / sample).clamp(0.5, 1.0);
    let next = settings.bounded(limit + (limit * gradient + limit.sqrt() - limit) * settings.smoothing);
    let is_used = f64::from(in_flight) >= limit / 2.0;
    let limit = if next > limit && !is_used { limit } else { next };
    u64::from((limit as f32).to_bits()) << 32 | u64::from((long as f32).to_bits())
}

/// How many requests the node may have in flight. In `min` ..= `max`, and at least 1.
#[inline]
pub(crate) fn limit(word: u64, settings: &Settings) -> u32 {
    read_limit(word, settings) as u32
}

/// The word of a limit and of what requests took over a long time.
pub(crate) fn restored(limit: f64, long_ns: f64) -> u64 {
    u64::from((limit as f32).to_bits()) << 32 | u64::from((long_ns as f32).to_bits())
}

/// The limit with its fraction, `None` before the first sample.
pub(crate) fn learned_limit(word: u64) -> Option<f64> {
    let limit = f32::from_bits((word >> 32) as u32);
    (word != 0 && limit.is_finite() && limit >= 1.0).then_some(f64::from(limit))
}

/// What requests took over a long time, in nanoseconds; `None` before the first sample.
pub(crate) fn long_average_ns(word: u64) -> Option<f64> {
    read_long(word)
}

/// Bounded, because settings change and another process may have damaged the word.
#[inline]
fn read_limit(word: u64, settings: &Settings) -> f64 {
    let limit = f32::from_bits((word >> 32) as u32);
    let known = word != 0 && limit.is_finite();
    settings.bounded(if known { f64::from(limit) } else { f64::from(settings.initial) })
}

fn read_long(word: u64) -> Option<f64> {
    let long = f32::from_bits(word as u32);
    (long.is_finite() && long >= 1.0).then_some(f64::from(long))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::rng::Draws;
    use crate::vocabulary::time::NANOS_PER_MS;

    const MS: u64 = NANOS_PER_MS;

    /// The word after so many samples of a node that is used up to its limit.
    fn fed(mut word: u64, samples: u32, latency_ns: u64, settings: &Settings) -> u64 {
        for _ in 0..samples {
            word = after_sample(word, latency_ns, limit(word, settings), settings);
        }
        word
    }

    #[test]
    fn begins_at_its_initial_limit_and_grows_while_all_is_well() {
        let settings = Settings::default();
        assert_eq!(limit(0, &settings), 20);
        // 20 + √20·0.2, then on from there.
        assert_eq!(limit(fed(0, 1, 10 * MS, &settings), &settings), 20);
        assert_eq!(limit(fed(0, 2, 10 * MS, &settings), &settings), 21);
        assert_eq!(limit(fed(0, 300, 10 * MS, &settings), &settings), 200);
    }

    #[test]
    fn shrinks_when_requests_take_longer() {
        let settings = Settings::default();
        let grown = fed(0, 300, 10 * MS, &settings);
        let tolerated = fed(grown, 20, 14 * MS, &settings);
        assert_eq!(limit(tolerated, &settings), 200);
        let slow = limit(fed(grown, 5, 30 * MS, &settings), &settings);
        assert!((115..150).contains(&slow), "{slow}");
        assert_eq!(limit(fed(grown, 60, 100 * MS, &settings), &settings), 20);
    }

    #[test]
    fn a_limit_that_nobody_comes_near_does_not_grow() {
        let settings = Settings { initial: 40, ..Settings::default() };
        let mut word = 0;
        for _ in 0..100 {
            word = after_sample(word, 10 * MS, 19, &settings);
        }
        assert_eq!(limit(word, &settings), 40);
        assert!(limit(after_sample(word, 1000 * MS, 19, &settings), &settings) < 40, "but it shrinks");
        assert!(limit(fed(word, 2, 10 * MS, &settings), &settings) > 40);
    }

    #[test]
    fn usual_times_follow_slowly() {
        let settings = Settings::default();
        let word = fed(fed(0, 1, 10 * MS, &settings), 600, 20 * MS, &settings);
        let long = long_average_ns(word).unwrap() / MS as f64;
        // 20 − 10·(1 − 1/600)^600
        assert!((long - 16.318).abs() < 0.01, "{long}");
        assert_eq!(long_average_ns(0), None);
    }

    #[test]
    fn settings_that_change_count_at_once() {
        let wide = Settings::default();
        let grown = fed(0, 300, 10 * MS, &wide);
        assert_eq!(limit(grown, &Settings { max: 50, ..wide }), 50);
        assert_eq!(limit(0, &Settings { min: 30, ..wide }), 30);
        assert_eq!(limit(0, &Settings { initial: 0, min: 0, max: 0, ..wide }), 1);
        assert_eq!(limit(0, &Settings { min: 9, max: 3, ..wide }), 9);
    }

    #[test]
    fn damaged_words_and_odd_settings_are_harmless() {
        let mut draws = Draws::seeded(1, 0);
        for _ in 0..20_000 {
            let word = draws.next_u64() << draws.below(64);
            let odd = [0.2, 0.0, 1.0, f64::NAN, f64::INFINITY, -1.0];
            let settings = Settings {
                smoothing: odd[draws.below(6) as usize],
                tolerance: odd[draws.below(6) as usize],
                ..Settings::default()
            };
            let next = after_sample(word, draws.next_u64() >> draws.below(64), draws.next_u64() as u32, &settings);
            assert!((20..=200).contains(&limit(word, &settings)) && (20..=200).contains(&limit(next, &settings)));
            assert!(long_average_ns(next).is_some_and(f64::is_finite));
        }
        for limit_bits in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].map(f32::to_bits) {
            assert_eq!(limit(u64::from(limit_bits) << 32, &Settings::default()), 20);
        }
    }

    /// The rule as it is told elsewhere: a new limit first, which is then blended with the old one.
    struct Model {
        limit: f64,
        long: Option<f64>,
    }

    impl Model {
        fn see(&mut self, sample: f64, in_flight: f64, settings: &Settings) {
            let long = self.long.map_or(sample, |long| long * (599.0 / 600.0) + sample / 600.0);
            self.long = Some(long);
            let shrunk = match settings.tolerance * long / sample {
                gradient if gradient >= 1.0 => self.limit,
                gradient if gradient <= 0.5 => self.limit / 2.0,
                gradient => self.limit * gradient,
            };
            let new = shrunk + self.limit.sqrt();
            let blended = self.limit * (1.0 - settings.smoothing) + new * settings.smoothing;
            let idle = in_flight * 2.0 < self.limit;
            if blended <= self.limit || !idle {
                self.limit = blended.clamp(f64::from(settings.min), f64::from(settings.max));
            }
        }
    }

    #[test]
    fn agrees_with_the_rule_in_full_precision() {
        for seed in 0..300 {
            let mut draws = Draws::seeded(seed, 0);
            let min = 1 + draws.below(40) as u32;
            let settings = Settings {
                initial: min + draws.below(50) as u32,
                min,
                max: min + 50 + draws.below(400) as u32,
                smoothing: draws.unit(),
                tolerance: 1.0 + draws.unit(),
            };
            let (mut word, mut model) = (0, Model { limit: f64::from(settings.initial), long: None });
            let usual = 1 + draws.below(1000) * MS;
            for step in 0..draws.below(1000) {
                let latency = usual / 2 + draws.below(usual) + if draws.below(20) == 0 { 5 * usual } else { 0 };
                // Far from the limit's half, or f32 could tell otherwise.
                let in_flight = if draws.below(3) == 0 { 0 } else { settings.max };
                word = after_sample(word, latency, in_flight, &settings);
                model.see((latency as f64).max(1.0), f64::from(in_flight), &settings);
                let got = read_limit(word, &settings);
                assert!((got - model.limit).abs() < 1e-3 * model.limit, "seed {seed}, step {step}: {got}");
                let (got, long) = (long_average_ns(word).unwrap(), model.long.unwrap());
                assert!((got - long).abs() < 1e-3 * long, "seed {seed}, step {step}: {got} ns");
            }
        }
    }

    /// A server that works on `cores` requests at a time, always given as many as the limit allows: the time of a
    /// request is that of its work, and longer as the others share the cores.
    #[test]
    fn keeps_the_queue_of_an_overloaded_server_short() {
        let settings = Settings { initial: 20, min: 1, max: 1000, ..Settings::default() };
        let (cores, mut word, mut largest) = (50, 0, 0);
        // Its usual time is known from when it was not overloaded.
        for _ in 0..100 {
            word = after_sample(word, 10 * MS, 0, &settings);
        }
        for _ in 0..600 {
            let in_flight = limit(word, &settings);
            let latency = 10 * MS * u64::from(in_flight.max(cores)) / u64::from(cores);
            word = after_sample(word, latency, in_flight, &settings);
            largest = largest.max(in_flight);
        }
        assert!((50..200).contains(&largest) && limit(word, &settings) >= 50, "{largest}");
    }
}
