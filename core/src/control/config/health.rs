//! When a node counts as unhealthy, and how it comes back.

use super::DAY_MS;
use super::schema::{Key, Lines, Place, Section, float, int, switch};
use crate::vocabulary::error::ConfigError;

/// When a node counts as unhealthy, when it is probed, and when it is healthy again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HealthConfig {
    /// Consecutive failures that make a node unhealthy, 1 ..= 255. Half of them, rounded up, make it degraded.
    pub failure_threshold: u32,
    /// Consecutive successes that make a recovering node healthy, 1 ..= 255.
    pub recovery_successes: u32,
    /// Whether outcomes of picks change health. Otherwise only reports and checks do.
    pub passive: bool,
    /// Over how long the success rate is taken, 1 000 ..= 86 400 000.
    pub window_ms: u64,
    /// A node whose share of successes is below it is unhealthy, 0.0 (off) ..= 1.0.
    pub min_success_rate: f64,
    /// Outcomes in the window below which its rate says nothing, 1 ..= 1 000 000.
    pub min_requests: u32,
    /// How long an unhealthy node is left alone before its first probe, 1 ..= 86 400 000.
    pub probe_interval_ms: u64,
    /// What the interval doubles up to while probes fail, `probe_interval_ms` ..= 86 400 000.
    pub max_probe_interval_ms: u64,
    /// After how long a probe that nobody finished may be taken anew, 1 ..= 86 400 000.
    pub probe_timeout_ms: u64,
    /// Whether requests serve as probes. Otherwise only checks and reports bring a node back.
    pub live_probes: bool,
}

/// Which active checks are due. The engine says when; the host does the I/O and reports.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChecksConfig {
    /// From one check of a node to the next, 1 ..= 86 400 000.
    pub interval_ms: u64,
    /// By which share of itself an interval may be shorter or longer, 0.0 ..= 1.0.
    pub jitter: f64,
    /// After how long a check that nobody reported counts as failed, 1 ..= 86 400 000.
    pub timeout_ms: u64,
    /// Consecutive failed checks that make a node unhealthy, 1 ..= 255.
    pub failure_threshold: u32,
    /// Consecutive passed checks that make it healthy, 1 ..= 255.
    pub success_threshold: u32,
    /// How long failed checks of a new node don't count, 0 ..= 86 400 000.
    pub grace_ms: u64,
}

impl Section for HealthConfig {
    const KEYS: &'static [Key<Self>] = &[
        int!(
            failure_threshold: u32, 1, 255, "failures",
            "Consecutive failures that make a node unhealthy. Half of them, rounded up, make it degraded. \
             Smaller: trips sooner, also by chance; larger: more requests fail before a dead node is left out."
        ),
        int!(
            recovery_successes: u32, 1, 255, "successes",
            "Consecutive successes that make an unhealthy node healthy again. \
             Larger: a node must prove itself longer; 1: a single success brings it back."
        ),
        switch!(passive, "Whether outcomes of picks change health. `false`: only reports and checks do."),
        int!(
            window_ms: u64, 1000, DAY_MS, "ms",
            "Over how long rates of success and failure are taken. \
             Larger: steadier and later; smaller: trips and forgets sooner, but needs more traffic."
        ),
        float!(
            min_success_rate,
            0.0,
            1.0,
            "share",
            "A node whose share of successes in the window is below it is unhealthy; 0 = off. \
             Larger: less tolerant of a node that fails now and then."
        ),
        int!(
            min_requests: u32, 1, REQUESTS_MAX, "requests",
            "Outcomes in the window below which its rate says nothing. \
             Larger: safer from chance, but nodes with little traffic are never judged by rate."
        ),
        int!(
            probe_interval_ms: u64, 1, DAY_MS, "ms",
            "How long an unhealthy node is left alone before one request tries it; doubled after each failed probe. \
             Smaller: back sooner, with more requests spent on dead nodes."
        ),
        int!(
            max_probe_interval_ms: u64, 1, DAY_MS, "ms",
            "The most that the interval doubles to; at least `probe_interval_ms`. \
             Larger: less spent on a node that stays dead; smaller: its return is noticed sooner."
        ),
        int!(
            probe_timeout_ms: u64, 1, DAY_MS, "ms",
            "After how long a probe that was never finished may be taken by another request. \
             Set it above the longest request that should count as a probe."
        ),
        switch!(
            live_probes,
            "Whether requests serve as probes of unhealthy nodes. `false`: only checks and reports bring a node back."
        ),
    ];

    fn fits(&self, place: &Place, lines: Lines) -> Result<(), ConfigError> {
        place.ordered(
            lines,
            ("probe_interval_ms", self.probe_interval_ms),
            ("max_probe_interval_ms", self.max_probe_interval_ms),
        )
    }
}

/// More outcomes than this in a window are not asked for.
pub(super) const REQUESTS_MAX: u32 = 1_000_000;

impl Section for ChecksConfig {
    const KEYS: &'static [Key<Self>] = &[
        int!(
            interval_ms: u64, 1, DAY_MS, "ms",
            "From one check of a node to the next. Smaller: failures are seen sooner, at the price of more checks."
        ),
        float!(
            jitter,
            0.0,
            1.0,
            "share",
            "By which share of itself an interval may be shorter or longer. \
             Larger: checks of many processes and nodes spread out more; 0: they may come in step."
        ),
        int!(
            timeout_ms: u64, 1, DAY_MS, "ms",
            "After how long a check that nobody reported counts as failed. \
             Smaller: hangs are seen sooner; below the node's slowest good answer, healthy nodes fail."
        ),
        int!(
            failure_threshold: u32, 1, 255, "checks",
            "Consecutive failed checks that make a node unhealthy. Larger: forgives more lost checks, and trips later."
        ),
        int!(
            success_threshold: u32, 1, 255, "checks",
            "Consecutive passed checks that make a node healthy again. Larger: surer, and back later."
        ),
        int!(
            grace_ms: u64, 0, DAY_MS, "ms",
            "How long failed checks of a new node don't count. Set it to the time that a node takes to start."
        ),
    ];
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            failure_threshold: 3,
            recovery_successes: 2,
            passive: true,
            window_ms: 30_000,
            min_success_rate: 0.8,
            min_requests: 20,
            probe_interval_ms: 10_000,
            max_probe_interval_ms: 300_000,
            probe_timeout_ms: 5000,
            live_probes: true,
        }
    }
}

impl Default for ChecksConfig {
    fn default() -> Self {
        Self {
            interval_ms: 10_000,
            jitter: 0.1,
            timeout_ms: 5000,
            failure_threshold: 3,
            success_threshold: 2,
            grace_ms: 5000,
        }
    }
}
