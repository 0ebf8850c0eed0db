//! A node's guard: the words that keep its traffic safe, read when something has gone wrong or time has passed.

use crate::sync::{AtomicU64, Ordering};

const HOLD: usize = 0;
const PROBE: usize = 1;
const STRIKES: usize = 2;
const RETURNED: usize = 3;
const JOINED: usize = 4;
const DRAINING_SINCE: usize = 5;
const CHECKS: usize = 6;
const RATE: usize = 8;
const REPORTED_SINCE: usize = 20;
const REPORTED_AT: usize = 21;
const REPORTED_SHARE: usize = 22;
const STAGED: usize = 23;
const NEWCOMER: usize = 24;
const EXHAUSTED_UNTIL: usize = 25;
const COUNTS: usize = 26;
/// Words of a guard.
pub(crate) const WORDS: usize = COUNTS + Count::COUNT.div_ceil(2);

/// What is counted of a node while it is a member, 32 bits each; the counts wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Count {
    /// Endings that are no samples of the node's window: cancellations, rate limits, attempts from before its last
    /// transition; less the reports from outside, which are samples and no endings.
    Neutral,
    /// Failures of the window.
    WindowFailures,
    /// Failures by the number of their kind.
    FailureOther,
    FailureConnect,
    FailureTimeout,
    FailureReset,
    FailureServerError,
    RateLimited,
    Cancelled,
    /// Changes of the health status.
    Transitions,
    BreakerOpens,
    Ejections,
    Probes,
    ProbeTimeouts,
    ChecksPassed,
    ChecksFailed,
}

impl Count {
    const COUNT: usize = Self::ChecksFailed as usize + 1;

    /// Everything that ends a pick, but for success.
    pub(crate) const ENDS: [Self; 7] = [
        Self::FailureOther,
        Self::FailureConnect,
        Self::FailureTimeout,
        Self::FailureReset,
        Self::FailureServerError,
        Self::RateLimited,
        Self::Cancelled,
    ];
}

/// The guard of one node.
#[derive(Clone, Copy)]
pub(crate) struct Guard<'a>(pub(crate) &'a [AtomicU64]);

impl<'a> Guard<'a> {
    /// Until when the node is held, in nanoseconds.
    pub(crate) fn hold(self) -> &'a AtomicU64 {
        &self.0[HOLD]
    }

    /// The deadline of the probe that is under way, 0 if none is.
    pub(crate) fn probe(self) -> &'a AtomicU64 {
        &self.0[PROBE]
    }

    /// Ejections and failed probes in a row.
    pub(crate) fn strikes(self) -> &'a AtomicU64 {
        &self.0[STRIKES]
    }

    /// When the node last came back, 0 if it never was away.
    pub(crate) fn returned(self) -> &'a AtomicU64 {
        &self.0[RETURNED]
    }

    /// When the node became a member.
    pub(crate) fn joined(self) -> &'a AtomicU64 {
        &self.0[JOINED]
    }

    /// Since when the node drains, 0 if it does not.
    pub(crate) fn draining_since(self) -> &'a AtomicU64 {
        &self.0[DRAINING_SINCE]
    }

    pub(crate) fn checks(self) -> &'a [AtomicU64] {
        &self.0[CHECKS..RATE]
    }

    pub(crate) fn rate(self) -> &'a [AtomicU64] {
        &self.0[RATE..REPORTED_SINCE]
    }

    /// Since when the node reports without a pause, 0 if it does not.
    pub(crate) fn reported_since(self) -> &'a AtomicU64 {
        &self.0[REPORTED_SINCE]
    }

    /// When the node last reported.
    pub(crate) fn reported_at(self) -> &'a AtomicU64 {
        &self.0[REPORTED_AT]
    }

    /// The weight of the node in the schedule of reported loads.
    pub(crate) fn reported_share(self) -> &'a AtomicU64 {
        &self.0[REPORTED_SHARE]
    }

    /// What is to become of the node when the plan that is being built is published: see `control::publish`.
    pub(crate) fn staged(self) -> &'a AtomicU64 {
        &self.0[STAGED]
    }

    /// Whether sessions are moving to the node because it joined, 0 or 1.
    pub(crate) fn newcomer(self) -> &'a AtomicU64 {
        &self.0[NEWCOMER]
    }

    /// Until when the node asked not to be tried, 0 if it did not.
    pub(crate) fn exhausted_until(self) -> &'a AtomicU64 {
        &self.0[EXHAUSTED_UNTIL]
    }

    pub(crate) fn count(self, what: Count) -> u32 {
        (self.0[COUNTS + what as usize / 2].load(Ordering::Relaxed) >> shift(what)) as u32
    }

    pub(crate) fn add(self, what: Count) {
        self.change(what, |count| count.wrapping_add(1));
    }

    pub(crate) fn take(self, what: Count) {
        self.change(what, |count| count.wrapping_sub(1));
    }

    /// Counts samples of the node's window that are no endings of picks.
    pub(crate) fn add_samples(self, samples: u32, failures: u32) {
        self.change(Count::Neutral, |count| count.wrapping_sub(samples));
        self.change(Count::WindowFailures, |count| count.wrapping_add(failures));
    }

    /// By compare-and-swap, since one of two neighbours may wrap.
    fn change(self, what: Count, change: impl Fn(u32) -> u32) {
        let word = &self.0[COUNTS + what as usize / 2];
        let mut seen = word.load(Ordering::Relaxed);
        loop {
            let changed = u64::from(change((seen >> shift(what)) as u32)) << shift(what);
            let new = seen & !(0xFFFF_FFFF << shift(what)) | changed;
            match word.compare_exchange_weak(seen, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Forgets everything: another node has the index.
    pub(crate) fn clear(self) {
        self.0.iter().for_each(|word| word.store(0, Ordering::Relaxed));
    }
}

fn shift(what: Count) -> u32 {
    what as u32 % 2 * 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_wrap_without_touching_their_neighbours() {
        let words: Vec<AtomicU64> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
        let guard = Guard(&words);
        guard.take(Count::Neutral);
        guard.add(Count::WindowFailures);
        assert_eq!((guard.count(Count::Neutral), guard.count(Count::WindowFailures)), (u32::MAX, 1));
        guard.add(Count::Neutral);
        assert_eq!((guard.count(Count::Neutral), guard.count(Count::WindowFailures)), (0, 1));
        guard.add(Count::ChecksFailed);
        assert_eq!((guard.count(Count::ChecksPassed), guard.count(Count::ChecksFailed)), (0, 1));
        guard.clear();
        assert_eq!(guard.count(Count::ChecksFailed), 0);
    }
}
