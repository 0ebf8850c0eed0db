//! When a circuit breaker opens, and when it closes again.
//!
//! ```text
//! opens:   failures in a row ≥ consecutive_failures
//!          or, of at least min_requests in the window, a share ≥ failure_rate failed
//! closes:  probes that succeeded since it opened ≥ half_open_successes
//! ```
//!
//! How long it stays open is told by `hold`, and that one probe at a time passes is the matter of its lease. Counts
//! catch a node that is gone, shares one that fails now and then. Source: M. Nygard, "Release It!", 2007.

/// The breaker's part of a pool's configuration. Counts of 0 are taken as 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Settings {
    pub(crate) consecutive_failures: u32,
    /// 0.0 ..= 1.0; at 0.0 any failure among `min_requests` opens it.
    pub(crate) failure_rate: f64,
    pub(crate) min_requests: u32,
    pub(crate) half_open_successes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { consecutive_failures: 5, failure_rate: 0.5, min_requests: 20, half_open_successes: 2 }
    }
}

/// Whether a closed breaker opens on a failure: its place in a row of them, and samples and failures in the window.
pub(crate) fn trips(consecutive_failures: u32, (samples, failures): (u32, u32), settings: &Settings) -> bool {
    consecutive_failures >= settings.consecutive_failures.max(1)
        || failures > 0
            && samples >= settings.min_requests.max(1)
            && f64::from(failures) / f64::from(samples) >= settings.failure_rate
}

/// Whether a half-open breaker closes after so many probes in a row that succeeded.
pub(crate) fn closes(successes: u32, settings: &Settings) -> bool {
    successes >= settings.half_open_successes.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::rng::Draws;

    #[test]
    fn opens_on_failures_in_a_row() {
        let settings = Settings::default();
        assert!(!trips(4, (19, 19), &settings));
        assert!(trips(5, (5, 5), &settings));
        assert!(trips(5, (0, 0), &settings), "a window that has just begun");
    }

    #[test]
    fn opens_on_a_share_of_enough_requests() {
        let settings = Settings::default();
        assert!(trips(1, (20, 10), &settings));
        assert!(!trips(1, (21, 10), &settings));
        assert!(!trips(1, (19, 18), &settings), "too few to tell");
    }

    #[test]
    fn a_share_that_is_met_exactly_is_met() {
        for (failures, samples) in [(7, 100), (29, 100), (57, 100), (1, 3), (1, 10)] {
            let rate = Settings { failure_rate: f64::from(failures) / f64::from(samples), ..Settings::default() };
            let settings = Settings { min_requests: 1, ..rate };
            assert!(trips(1, (samples, failures), &settings) && !trips(1, (samples, failures - 1), &settings));
        }
        let settings = Settings { failure_rate: 0.07, ..Settings::default() };
        assert!(trips(1, (100, 7), &settings), "0.07·100 is more than 7 in floating point");
    }

    #[test]
    fn settings_at_their_ends() {
        let touchy = Settings { consecutive_failures: 0, failure_rate: 0.0, min_requests: 0, half_open_successes: 0 };
        assert!(trips(1, (1, 1), &touchy) && !trips(0, (9, 0), &touchy) && !trips(0, (0, 0), &touchy));
        assert!(closes(1, &touchy) && !closes(0, &touchy));
        let deaf = Settings { consecutive_failures: u32::MAX, failure_rate: 1.1, ..touchy };
        assert!(!trips(1000, (1000, 1000), &deaf));
        let odd = Settings { failure_rate: f64::NAN, ..deaf };
        assert!(!trips(1000, (1000, 1000), &odd));
    }

    #[test]
    fn closes_after_enough_probes() {
        let settings = Settings::default();
        assert!(!closes(1, &settings) && closes(2, &settings) && closes(u32::MAX, &settings));
    }

    /// Over a list of outcomes the breaker opens at the first failure at which either reason holds, each told in whole
    /// numbers of the list itself.
    #[test]
    fn agrees_with_a_look_at_the_whole_list() {
        for seed in 0..3000 {
            let mut draws = Draws::seeded(seed, 0);
            let percent = draws.below(101);
            let settings = Settings {
                consecutive_failures: 1 + draws.below(8) as u32,
                failure_rate: percent as f64 / 100.0,
                min_requests: 1 + draws.below(30) as u32,
                half_open_successes: 1,
            };
            let (well, mut outcomes) = (draws.unit(), Vec::new());
            let (mut row, mut failures) = (0, 0);
            for step in 0..draws.below(300) {
                let ok = draws.unit() < well;
                outcomes.push(ok);
                (row, failures) = if ok { (0, failures) } else { (row + 1, failures + 1) };
                let tail = &outcomes[outcomes.len().saturating_sub(settings.consecutive_failures as usize)..];
                let in_a_row = tail.len() == settings.consecutive_failures as usize && !tail.contains(&true);
                let failed = outcomes.iter().filter(|ok| !**ok).count() as u64;
                let by_share = failed > 0
                    && outcomes.len() >= settings.min_requests as usize
                    && failed * 100 >= percent * outcomes.len() as u64;
                let got = trips(row, (outcomes.len() as u32, failures), &settings);
                assert_eq!(got, in_a_row || by_share, "seed {seed}, step {step}, {settings:?}");
            }
        }
    }
}
