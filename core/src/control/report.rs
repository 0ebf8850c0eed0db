//! What hosts know of a node without having picked it: active checks, and loads that servers tell.

use super::reported::Served;
use crate::pool::Pool;
use crate::pool::health::Source;
use crate::vocabulary::error::{ConfigError, Error};
use crate::vocabulary::outcome::{Ending, Load, Report};
use crate::vocabulary::time::{now_ns, saturating_nanos};

impl Pool {
    /// Tells of an attempt at a node that was no pick: an active check, or traffic that took another way. Counts for
    /// health and, if it has a latency, for the averages. Returns whether the node's health status changed.
    ///
    /// # Errors
    /// [`StateError::UnknownNode`](crate::StateError::UnknownNode).
    pub fn report<'r>(&self, id: &str, report: impl Into<Report<'r>>) -> Result<bool, Error> {
        self.sit_down_after_fork()?;
        let index = self.known_now(id)?;
        let state = self.memory.node(index).state();
        let report = report.into();
        self.count_report(index, &report);
        if report.ending != Ending::Cancelled && report.latency_ns.is_some() {
            self.learn_latency(index, 0, &report);
        }
        if let Ending::RateLimited { retry_after: Some(retry_after) } = report.ending {
            self.exhaust(index, saturating_nanos(retry_after), report.now_ns.unwrap_or_else(now_ns));
        }
        let changed = self.learn_health(index, state.generation(), Source::Report, &report);
        if changed && self.memory.node(index).state().fit(crate::pool::AVAILABLE_MASK) {
            // A node that came back is in no draw table until a plan is built; nobody else need be waiting to build it.
            self.maintain(report.now_ns.unwrap_or_else(now_ns));
        }
        Ok(changed)
    }

    /// Tells a node's load, for `least_load`, `p2c` with `load: reported`, and `most_available`. What is `None` stays as
    /// it was. NaN and infinite loads are worst, and still chosen when nothing else is left.
    ///
    /// # Errors
    /// [`StateError::UnknownNode`](crate::StateError::UnknownNode); [`Error::Config`] for a remaining ratio outside 0 ..= 1, or a
    /// rate that is no number or below 0.
    pub fn report_load(&self, id: &str, load: Load) -> Result<(), Error> {
        if load.remaining_ratio.is_some_and(|r| !(0.0..=1.0).contains(&r)) {
            return Err(ConfigError::new("remaining_ratio", 0, "must be from 0.0 to 1.0").into());
        }
        let rates = [
            ("requests_per_s", load.requests_per_s),
            ("utilization", load.utilization),
            ("errors_per_s", load.errors_per_s),
        ];
        for (key, rate) in rates {
            if rate.is_some_and(|r| !r.is_finite() || r < 0.0) {
                return Err(ConfigError::new(key, 0, "must be a number of at least 0").into());
            }
        }
        self.sit_down_after_fork()?;
        let index = self.known_now(id)?;
        let node = self.memory.node(index);
        if load.load.is_some() {
            node.set_reported_load(load.load);
        }
        if load.remaining_ratio.is_some() {
            node.set_remaining_ratio(load.remaining_ratio);
        }
        if let (Some(requests_per_s), Some(utilization)) = (load.requests_per_s, load.utilization) {
            let served = Served { requests_per_s, utilization, errors_per_s: load.errors_per_s.unwrap_or(0.0) };
            self.report_served(index, served, load.now_ns.unwrap_or_else(now_ns));
        }
        Ok(())
    }
}
