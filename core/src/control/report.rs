//! What hosts know of a node without having picked it: active checks, and loads that servers tell.

use crate::pool::Pool;
use crate::vocabulary::error::{ConfigError, Error};
use crate::vocabulary::outcome::{Ending, Load, Report};
use crate::vocabulary::time::now_ns;

impl Pool {
    /// Tells of an attempt at a node that was no pick: an active check, or traffic that took another way. Counts for
    /// health and, if it has a latency, for the averages. Returns whether the node's health status changed.
    ///
    /// # Errors
    /// [`StateError::UnknownNode`](crate::StateError::UnknownNode).
    pub fn report(&self, id: &str, report: impl Into<Report>) -> Result<bool, Error> {
        self.after_fork_if_any();
        let index = self.node(id).map(|n| n.index as usize);
        let index = index.map_or_else(|| self.known(id), Ok)?;
        let state = self.memory.node(index).state();
        let report = report.into();
        if report.ending != Ending::Cancelled && report.latency_ns.is_some() {
            self.learn_latency(index, 0, &report);
        }
        let changed = self.learn_health(index, state.generation(), None, &report);
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
    /// [`StateError::UnknownNode`](crate::StateError::UnknownNode); [`Error::Config`] for a remaining ratio outside 0 ..= 1.
    pub fn report_load(&self, id: &str, load: Load) -> Result<(), Error> {
        if load.remaining_ratio.is_some_and(|r| !(0.0..=1.0).contains(&r)) {
            return Err(ConfigError::new("remaining_ratio", 0, "must be from 0.0 to 1.0").into());
        }
        let _building = self.enter();
        let node = self.memory.node(self.known(id)?);
        if load.load.is_some() {
            node.set_reported_load(load.load);
        }
        if load.remaining_ratio.is_some() {
            node.set_remaining_ratio(load.remaining_ratio);
        }
        Ok(())
    }
}
