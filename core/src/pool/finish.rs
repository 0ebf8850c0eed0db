//! The end of a pick, and reports from outside: what is learned from an outcome.

use super::{Pool, Ticket};
use crate::plan::step::Rule;
use crate::policies::latency;
use crate::state::layout::STEPS_MAX;
use crate::state::lease::{Leased, Refused};
use crate::sync::Ordering;
use crate::vocabulary::error::TicketError;
use crate::vocabulary::outcome::{Ending, Report};
use crate::vocabulary::time::{NANOS_PER_SEC, now_ns, saturating_nanos};

/// The time constant of latency averages where no strategy sets one: 10 s.
pub(crate) const DECAY_NS: f64 = (10 * NANOS_PER_SEC) as f64;

impl Pool {
    /// Ends a lease: in flight falls, and the outcome is learned from. Once only, from any thread of the process.
    ///
    /// # Errors
    /// [`TicketError`] if the ticket was released before, timed out, or is none of this pool's. Nothing is changed then.
    #[inline]
    pub fn release(&self, ticket: Ticket, report: impl Into<Report>) -> Result<(), TicketError> {
        self.release_as(ticket, &report.into())
    }

    fn release_as(&self, ticket: Ticket, report: &Report) -> Result<(), TicketError> {
        if self.has_forked() {
            self.after_fork_if_any();
        }
        let leased = self.memory.leases().close(ticket).map_err(|refused| match refused {
            Refused::Stale => TicketError::Stale,
            Refused::Invalid => TicketError::Invalid,
        })?;
        self.uncount(leased.node as usize, leased.in_total);
        let expected = match report.ending {
            // The usual case: nobody needs the latency, and a success at a node without a failure on record is no news.
            Ending::Success => {
                !self.keeps_latency(leased)
                    && self.own_health.is_none()
                    && self.memory.node(leased.node as usize).state().is_spotless()
            }
            Ending::Failure(_) | Ending::RateLimited { .. } => false,
            Ending::Cancelled => true,
        };
        if !expected {
            self.learn(leased, report);
        }
        Ok(())
    }

    /// Whether a pick's latency is a sample for some rule. A time may also be there for the lease's sake alone.
    #[inline(always)]
    fn keeps_latency(&self, leased: Leased) -> bool {
        leased.started_ns != 0 && self.plan(self.generation().current()).lead().keeps_latency()
    }

    #[inline(never)]
    fn learn(&self, leased: Leased, report: &Report) {
        let index = leased.node as usize;
        let state = self.memory.node(index).state();
        if state.generation() != leased.node_generation || !state.is_member() {
            return;
        }
        if self.keeps_latency(leased) {
            self.learn_latency(index, leased.started_ns, report);
        }
        // An attempt that began before the node's last transition tells of a state that is over.
        if state.epoch() == leased.epoch {
            self.learn_health(index, leased.node_generation, Some(leased.epoch), report);
        }
    }

    /// Adds a sample to the node's latency average. Nothing that failed looks fast.
    pub(crate) fn learn_latency(&self, index: usize, started_ns: u64, report: &Report) {
        let now = report.now_ns.unwrap_or_else(now_ns);
        let measured = report.latency_ns.unwrap_or_else(|| now.saturating_sub(started_ns));
        let sample = match report.ending {
            Ending::Success => measured,
            Ending::Failure(_) => measured.max(latency::PENALTY_NS),
            Ending::RateLimited { retry_after } => {
                let asked = retry_after.map_or(0, saturating_nanos).min(latency::RETRY_AFTER_MAX_NS);
                measured.max(latency::PENALTY_NS).max(asked)
            }
            Ending::Cancelled => return,
        };
        let word = self.memory.node(index).latency();
        let decay_ns = self.decay_ns();
        let mut old = word.load(Ordering::Relaxed);
        loop {
            let new = latency::after_sample(old, sample, now, decay_ns);
            match word.compare_exchange_weak(old, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(seen) => old = seen,
            }
        }
    }

    /// The time constant of the chain's first rule that has one.
    pub(crate) fn decay_ns(&self) -> f64 {
        let plan = self.plan(self.generation().current());
        (0..STEPS_MAX)
            .map_while(|i| plan.step(i))
            .find(|s| matches!(s.rule, Rule::PeakEwma | Rule::P2cPeakEwma))
            .map_or(DECAY_NS, |s| s.parameter)
    }
}
