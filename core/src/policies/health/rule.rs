//! The rule by which a node's health changes, as a pure function: the same for a map of nodes and for a pool's words.
//!
//! ```text
//! f = failures in a row, s = successes in a row, t = failure threshold, r = recovery threshold
//!
//! Healthy ── f ≥ ⌈t/2⌉ ──▶ Degraded ── f ≥ t ──▶ Unhealthy ── success ──▶ Recovering ── s ≥ r ──▶ Healthy
//!    ▲                         │                     ▲                         │
//!    └──────── success ────────┘                     └──────── failure ────────┘
//! ```
//!
//! With t = 1 there is no room for Degraded, with r = 1 none for Recovering: each is passed over.
//! A failure never improves a state, and a success never worsens one.

use crate::vocabulary::status::HealthStatus;

/// How many outcomes in a row change a node's state. A threshold of 0 is taken as 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Failures in a row that make a node Unhealthy; the half of it, rounded up, makes it Degraded.
    pub failure: u32,
    /// Successes in a row that make an Unhealthy node Healthy again.
    pub recovery: u32,
}

impl Default for Thresholds {
    /// 3 failures, 2 successes.
    fn default() -> Self {
        Self { failure: 3, recovery: 2 }
    }
}

/// All that the rule knows of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub status: HealthStatus,
    /// Failures since the last success, at most `u32::MAX`.
    pub failures: u32,
    /// Successes since the last failure, at most `u32::MAX`.
    pub successes: u32,
}

/// What a success makes of `counts`.
///
/// ```
/// use loadwise::health::{Counts, Thresholds, after_failure, after_success};
/// use loadwise::HealthStatus;
///
/// let rule = Thresholds { failure: 1, recovery: 2 };
/// let down = after_failure(Counts::default(), rule);
/// assert_eq!(down.status, HealthStatus::Unhealthy);
/// let probed = after_success(down, rule);
/// assert_eq!(probed.status, HealthStatus::Recovering);
/// assert_eq!(after_success(probed, rule).status, HealthStatus::Healthy);
/// ```
#[inline]
pub fn after_success(counts: Counts, thresholds: Thresholds) -> Counts {
    let successes = match counts.status {
        // The first success of a recovery, whatever was counted before.
        HealthStatus::Unhealthy => 1,
        _ => counts.successes.saturating_add(1),
    };
    let status = match counts.status {
        HealthStatus::Healthy | HealthStatus::Degraded => HealthStatus::Healthy,
        HealthStatus::Unhealthy | HealthStatus::Recovering if successes >= thresholds.recovery => HealthStatus::Healthy,
        HealthStatus::Unhealthy | HealthStatus::Recovering => HealthStatus::Recovering,
    };
    Counts { status, failures: 0, successes }
}

/// What a failure makes of `counts`.
#[inline]
pub fn after_failure(counts: Counts, thresholds: Thresholds) -> Counts {
    let failures = counts.failures.saturating_add(1);
    let status = match counts.status {
        HealthStatus::Unhealthy | HealthStatus::Recovering => HealthStatus::Unhealthy,
        _ if failures >= thresholds.failure => HealthStatus::Unhealthy,
        _ if failures >= thresholds.failure.div_ceil(2) => HealthStatus::Degraded,
        unchanged => unchanged,
    };
    Counts { status, failures, successes: 0 }
}

#[cfg(test)]
mod tests {
    use super::HealthStatus::{Degraded, Healthy, Recovering, Unhealthy};
    use super::*;
    use crate::vocabulary::rng::Draws;

    /// The same rule told otherwise: a node is down from `failure` failures in a row until `recovery` successes in a
    /// row, and its state follows from that and from the run of equal outcomes that it is in.
    #[derive(Clone, Copy, Default)]
    struct Model {
        down: bool,
        /// Successes in a row if positive, failures in a row if negative.
        run: i64,
    }

    impl Model {
        fn see(self, success: bool, thresholds: Thresholds) -> Self {
            let (t, r) = (i64::from(thresholds.failure.max(1)), i64::from(thresholds.recovery.max(1)));
            let run = if success { self.run.max(0) + 1 } else { self.run.min(0) - 1 };
            Self { down: if self.down { run < r } else { run <= -t }, run }
        }

        fn counts(self, thresholds: Thresholds) -> Counts {
            let warned = 2 * -self.run >= i64::from(thresholds.failure.max(1));
            let status = match self.down {
                true if self.run > 0 => Recovering,
                true => Unhealthy,
                false if warned => Degraded,
                false => Healthy,
            };
            Counts { status, failures: (-self.run).max(0) as u32, successes: self.run.max(0) as u32 }
        }
    }

    fn follow(thresholds: Thresholds, outcomes: &str) -> Vec<HealthStatus> {
        let mut counts = Counts::default();
        let mut states = Vec::new();
        for outcome in outcomes.chars() {
            counts = match outcome {
                '+' => after_success(counts, thresholds),
                _ => after_failure(counts, thresholds),
            };
            states.push(counts.status);
        }
        states
    }

    #[test]
    fn the_whole_way_down_and_up() {
        let states = follow(Thresholds::default(), "---++");
        assert_eq!(states, [Healthy, Degraded, Unhealthy, Recovering, Healthy]);
    }

    #[test]
    fn one_success_clears_a_warning() {
        assert_eq!(follow(Thresholds::default(), "--+--"), [Healthy, Degraded, Healthy, Healthy, Degraded]);
    }

    #[test]
    fn a_failure_during_recovery_is_the_end_of_it() {
        let states = follow(Thresholds { failure: 3, recovery: 3 }, "---++-+++");
        let up = [Recovering, Recovering, Unhealthy, Recovering, Recovering, Healthy];
        assert_eq!(states[3..], up);
    }

    #[test]
    fn failures_never_improve_a_state() {
        // After the success the run of failures starts anew, and at 2 it would only be worth a warning.
        assert_eq!(follow(Thresholds::default(), "---+--")[3..], [Recovering, Unhealthy, Unhealthy]);
    }

    #[test]
    fn thresholds_of_one_pass_over_the_states_between() {
        assert_eq!(follow(Thresholds { failure: 1, recovery: 2 }, "-++"), [Unhealthy, Recovering, Healthy]);
        assert_eq!(follow(Thresholds { failure: 2, recovery: 1 }, "--+"), [Degraded, Unhealthy, Healthy]);
        assert_eq!(follow(Thresholds { failure: 1, recovery: 1 }, "-+-+"), [Unhealthy, Healthy, Unhealthy, Healthy]);
    }

    #[test]
    fn zero_is_taken_as_one() {
        let (zero, one) = (Thresholds { failure: 0, recovery: 0 }, Thresholds { failure: 1, recovery: 1 });
        for outcomes in ["+-+-", "--++", "-+++--"] {
            assert_eq!(follow(zero, outcomes), follow(one, outcomes));
        }
    }

    #[test]
    fn counts_stop_at_their_largest() {
        let thresholds = Thresholds { failure: u32::MAX, recovery: u32::MAX };
        let failing = Counts { status: Degraded, failures: u32::MAX, successes: 0 };
        let down = after_failure(failing, thresholds);
        assert_eq!(down, Counts { status: Unhealthy, failures: u32::MAX, successes: 0 });
        let well = Counts { status: Healthy, failures: 0, successes: u32::MAX };
        assert_eq!(after_success(well, thresholds), well);
    }

    #[test]
    fn a_recovery_counts_from_its_own_start() {
        // Fields are public, so a count can be left over from elsewhere.
        let odd = Counts { status: Unhealthy, failures: 0, successes: 9 };
        assert_eq!(after_success(odd, Thresholds::default()), Counts { status: Recovering, failures: 0, successes: 1 });
    }

    #[test]
    fn agrees_with_the_model_on_thousands_of_histories() {
        for seed in 0..4000 {
            let mut draws = Draws::seeded(seed, 0);
            let thresholds = Thresholds { failure: draws.below(8) as u32, recovery: draws.below(8) as u32 };
            let success_share = draws.unit();
            let (mut counts, mut model) = (Counts::default(), Model::default());
            for step in 0..=draws.below(1000) {
                let success = draws.unit() < success_share;
                counts = if success { after_success(counts, thresholds) } else { after_failure(counts, thresholds) };
                model = model.see(success, thresholds);
                assert_eq!(counts, model.counts(thresholds), "seed {seed}, step {step}, {thresholds:?}");
            }
        }
    }

    #[test]
    fn agrees_with_the_model_on_every_short_history() {
        for (failure, recovery) in (0..6).flat_map(|t| (0..6).map(move |r| (t, r))) {
            let thresholds = Thresholds { failure, recovery };
            for history in 0u32..1 << 12 {
                let (mut counts, mut model) = (Counts::default(), Model::default());
                for bit in 0..12 {
                    let success = history >> bit & 1 == 1;
                    counts =
                        if success { after_success(counts, thresholds) } else { after_failure(counts, thresholds) };
                    model = model.see(success, thresholds);
                    assert_eq!(counts, model.counts(thresholds), "{history:012b} up to bit {bit}, {thresholds:?}");
                }
            }
        }
    }
}
