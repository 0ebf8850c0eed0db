//! The end of a pick: what is learned from an outcome.

use super::health::Source;
use super::{Pool, Ticket};
use crate::plan::step::Rule;
use crate::policies::latency;
use crate::policies::reserve::Reserved;
use crate::state::guard::Count;
use crate::state::layout::STEPS_MAX;
use crate::state::lease::{Closed, Leased};
use crate::sync::Ordering;
use crate::vocabulary::error::TicketError;
use crate::vocabulary::outcome::{Ending, FailureKind, Report};
use crate::vocabulary::time::{NANOS_PER_SEC, now_ns, saturating_nanos};

/// The time constant of latency averages where no strategy sets one: 10 s.
pub(crate) const DECAY_NS: f64 = (10 * NANOS_PER_SEC) as f64;

impl Pool {
    /// Ends a lease: in flight falls, and the outcome is learned from. Once only, from any thread of the process.
    ///
    /// # Errors
    /// [`TicketError`] if the ticket was released before, timed out, or is none of this pool's. Nothing is changed then.
    #[inline]
    pub fn release<'r>(&self, ticket: Ticket, report: impl Into<Report<'r>>) -> Result<(), TicketError> {
        let report = report.into();
        if report.is_bare_success() { self.release_success(ticket) } else { self.release_as(ticket, &report) }
    }

    /// The usual end: a success of which nothing more is said. Few stores, because locked operations wait for them.
    fn release_success(&self, ticket: Ticket) -> Result<(), TicketError> {
        if self.has_forked() {
            self.after_fork_if_any();
        }
        let closed = self.memory.leases().end(ticket, self.seat.row())?;
        self.count_end(closed.node(), closed.in_total());
        if self.is_news(closed) {
            let (word, detail, started_ns, probe_ns) = closed.words();
            self.learn_success(word, detail, started_ns, probe_ns);
        } else if self.keeps_hints() {
            self.renew_hint(closed.node());
        }
        self.make_room_known();
        Ok(())
    }

    /// Whether a success tells something: where nobody needs the latency, one at a node without a failure on record does not.
    #[inline(always)]
    fn is_news(&self, closed: Closed) -> bool {
        closed.is_noted()
            || closed.may_have_latency() && self.learns_latencies()
            || self.own_health.is_some()
            || !self.memory.node(closed.node()).state().is_spotless()
    }

    /// [`learn`](Self::learn) of a success, by the words of its slot.
    #[inline(never)]
    fn learn_success(&self, word: u64, detail: u64, started_ns: u64, probe_ns: u64) {
        let leased = Closed::from_words((word, detail, started_ns, probe_ns)).leased();
        self.learn(leased, None, &Report::success());
    }

    fn release_as(&self, ticket: Ticket, report: &Report<'_>) -> Result<(), TicketError> {
        if self.has_forked() {
            self.after_fork_if_any();
        }
        // What was reserved stays used, unless the report says otherwise.
        let changes = report.ending == Ending::Cancelled || !report.usage.is_empty();
        let held = if changes { self.reservation_of(ticket) } else { None };
        let closed = self.memory.leases().end(ticket, self.seat.row())?;
        self.count_end(closed.node(), closed.in_total());
        if report.ending != Ending::Success || !report.usage.is_empty() || self.is_news(closed) {
            self.learn(closed.leased(), held.as_ref(), report);
        } else if self.keeps_hints() {
            self.renew_hint(closed.node());
        }
        self.make_room_known();
        Ok(())
    }

    /// Whether a pick's latency is a sample for some rule, still. A time may also be there for the lease's sake alone.
    #[inline(always)]
    pub(super) fn keeps_latency(&self, leased: Leased) -> bool {
        leased.started_ns != 0 && !leased.answered && self.learns_latencies()
    }

    /// Whether latencies are samples for some rule.
    #[inline(always)]
    fn learns_latencies(&self) -> bool {
        self.plan_at(self.generation().current()).lead().keeps_latency()
    }

    #[inline(never)]
    fn learn(&self, leased: Leased, held: Option<&Reserved>, report: &Report<'_>) {
        let index = leased.node as usize;
        self.renew_hint_if_kept(index);
        let state = self.memory.node(index).state();
        // What is counted of an attempt is counted of its index, which no other node has before this returns.
        let told = self.count_ending(index, report.ending);
        if state.generation() != leased.node_generation || !state.is_member() {
            self.settle_reservation(leased, held, report);
            return;
        }
        // An attempt that began before the node's last transition tells of a state that is over.
        let current = state.epoch() == leased.epoch;
        self.count_sample(index, report, told && current);
        self.settle_reservation(leased, held, report);
        if self.keeps_latency(leased) {
            self.learn_latency(index, leased.started_ns, report);
        } else if leased.answered {
            self.penalize(index, report);
        }
        if current {
            let source = if leased.probe_ns != 0 { Source::Probe(leased.epoch) } else { Source::Pick(leased.epoch) };
            self.learn_health(index, leased.node_generation, source, report);
        }
        if leased.probe_ns != 0 {
            self.end_probe(index, leased.probe_ns);
        }
    }

    /// Gives up a lease that timed out.
    pub(crate) fn expire(&self, leased: Leased) {
        self.give_up(leased);
        self.make_room_known();
    }

    /// Ends a pick of which nobody knows what became, so what it reserved counts as used.
    pub(crate) fn give_up(&self, leased: Leased) {
        let index = leased.node as usize;
        self.count_end(index, leased.in_total);
        self.renew_hint_if_kept(index);
        let guard = self.memory.guard(index);
        guard.add(Count::Cancelled);
        guard.add(Count::Neutral);
        if leased.probe_ns != 0 {
            self.end_probe(index, leased.probe_ns);
        }
    }

    /// Counts an ending by its kind; whether it tells something of the node.
    fn count_ending(&self, index: usize, ending: Ending) -> bool {
        let guard = self.memory.guard(index);
        match ending {
            Ending::Success => return true,
            Ending::Failure(kind) => {
                guard.add(match kind {
                    FailureKind::Other => Count::FailureOther,
                    FailureKind::Connect => Count::FailureConnect,
                    FailureKind::Timeout => Count::FailureTimeout,
                    FailureKind::Reset => Count::FailureReset,
                    FailureKind::ServerError => Count::FailureServerError,
                });
                return true;
            }
            Ending::RateLimited { .. } => guard.add(Count::RateLimited),
            Ending::Cancelled => guard.add(Count::Cancelled),
        }
        false
    }

    /// Brings the node's window up to date with an ending that is counted as finished already.
    fn count_sample(&self, index: usize, report: &Report<'_>, is_sample: bool) {
        let guard = self.memory.guard(index);
        if !is_sample {
            return guard.add(Count::Neutral);
        }
        let failed = matches!(report.ending, Ending::Failure(_));
        // A success needs the time only where it is known anyway; the next failure or `maintain` makes up for it.
        if let Some(now) = report.now_ns.or_else(|| failed.then(now_ns)) {
            self.rotate_window(index, now, 1);
        }
        if failed {
            guard.add(Count::WindowFailures);
            self.renew_failure_share(index, report.now_ns.unwrap_or_else(now_ns));
        }
    }

    /// Counts an attempt that was no pick.
    pub(crate) fn count_report(&self, index: usize, report: &Report<'_>) {
        let guard = self.memory.guard(index);
        let failed = match report.ending {
            Ending::Success => false,
            Ending::Failure(_) => true,
            Ending::RateLimited { .. } | Ending::Cancelled => return,
        };
        let now = report.now_ns.unwrap_or_else(now_ns);
        self.rotate_window(index, now, 0);
        // A sample, though no pick ended.
        guard.take(Count::Neutral);
        if failed {
            guard.add(Count::WindowFailures);
            self.renew_failure_share(index, now);
        }
    }

    pub(crate) fn renew_failure_share(&self, index: usize, now_ns: u64) {
        let (samples, failures) = self.window(index, now_ns);
        let share = if samples == 0 { 0.0 } else { f64::from(failures) / f64::from(samples) };
        self.memory.node(index).failure_share().store(share.to_bits(), Ordering::Relaxed);
    }

    /// Adds a sample of an attempt that has ended to what is known of the node's latency.
    pub(crate) fn learn_latency(&self, index: usize, started_ns: u64, report: &Report<'_>) {
        // It was in flight, too.
        self.add_latency(index, started_ns, report, 1);
    }

    /// Adds a sample. Nothing that failed looks fast. `uncounted`: how many were in flight beside those that are counted.
    pub(super) fn add_latency(&self, index: usize, started_ns: u64, report: &Report<'_>, uncounted: u64) {
        let now = report.now_ns.unwrap_or_else(now_ns);
        let measured = report.latency_ns.unwrap_or_else(|| now.saturating_sub(started_ns));
        if let Some(sample) = sample_of(report, measured) {
            self.record_latency(index, measured, report.ending, now, uncounted);
            self.average_latency(index, sample, now);
        }
    }

    /// What came after a first token in time is no latency; but nothing that failed looks fast.
    fn penalize(&self, index: usize, report: &Report<'_>) {
        let sample = sample_of(report, 0).filter(|_| report.ending != Ending::Success);
        sample.into_iter().for_each(|sample| self.average_latency(index, sample, report.now_ns.unwrap_or_else(now_ns)));
    }

    fn average_latency(&self, index: usize, sample: u64, now: u64) {
        if !self.plan_at(self.generation().current()).lead().averages() {
            return;
        }
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
        let plan = self.plan_at(self.generation().current());
        (0..STEPS_MAX)
            .map_while(|i| plan.step(i))
            .find(|s| matches!(s.rule, Rule::PeakEwma | Rule::P2cPeakEwma))
            .map_or(DECAY_NS, |s| s.parameter)
    }
}

/// The sample of an attempt that took so long; `None` of one that tells nothing.
fn sample_of(report: &Report<'_>, measured: u64) -> Option<u64> {
    match report.ending {
        Ending::Success => Some(measured),
        Ending::Failure(_) => Some(measured.max(latency::PENALTY_NS)),
        Ending::RateLimited { retry_after } => {
            let asked = retry_after.map_or(0, saturating_nanos).min(latency::RETRY_AFTER_MAX_NS);
            Some(measured.max(latency::PENALTY_NS).max(asked))
        }
        Ending::Cancelled => None,
    }
}
