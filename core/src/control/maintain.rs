//! What time does: given back what was forgotten, left out what is down, taken in what came back.

use crate::policies::latency;
use crate::pool::Pool;
use crate::state::layout::{plan_word, pool_word};
use crate::sync::Ordering;
use crate::vocabulary::time::NANOS_PER_SEC;

/// How often `maintain` has something to do without an occasion.
const PERIOD_NS: u64 = NANOS_PER_SEC;

/// What a call of [`Pool::maintain`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maintained {
    /// When the next call is worth making, on the monotonic clock.
    pub next_due_ns: u64,
    /// Leases that had outlived `lease_timeout_ms` and were given up.
    pub leases_expired: u64,
    /// Whether a new plan was published.
    pub rebuilt: bool,
}

impl Pool {
    /// Does what is due at `now_ns`: gives up expired leases, builds the plan anew if health has changed since, renews the
    /// median latency. Hosts call it from a timer, about once a second; [`nodes`](Self::nodes) calls it
    /// when it is due, and a report that brings a node back.
    pub fn maintain(&self, now_ns: u64) -> Maintained {
        let _building = self.enter();
        let leases_expired = self.expire_leases(now_ns);
        self.renew_latencies(now_ns);
        let rebuilt = self.rebuild_if_unfit();
        let next_due_ns = now_ns.saturating_add(PERIOD_NS);
        self.memory.pool(pool_word::NEXT_DUE).store(next_due_ns, Ordering::Relaxed);
        Maintained { next_due_ns, leases_expired, rebuilt }
    }

    /// Maintains if that is due.
    pub(crate) fn maintain_if_due(&self, now_ns: u64) {
        let due = self.memory.pool(pool_word::NEXT_DUE).load(Ordering::Relaxed);
        // A time far ahead of the clock was set by a clock that has gone back since.
        if now_ns >= due || due > now_ns.saturating_add(2 * PERIOD_NS) {
            self.maintain(now_ns);
        }
    }

    fn expire_leases(&self, now_ns: u64) -> u64 {
        let timeout = self.settings.lease_timeout_ns;
        if timeout == 0 {
            return 0;
        }
        let leases = self.memory.leases();
        let expired =
            leases.open_tickets().filter(|(_, l)| l.started_ns != 0 && now_ns.saturating_sub(l.started_ns) >= timeout);
        let mut count = 0;
        for (ticket, _) in expired {
            // Whoever closes it counts it off: the user's code may still come first.
            if let Ok(leased) = leases.close(ticket) {
                self.uncount(leased.node as usize, leased.in_total);
                count += 1;
            }
        }
        count
    }

    /// The lower median over the nodes that have samples, and stamps that must not come round.
    fn renew_latencies(&self, now_ns: u64) {
        if !self.steps().iter().any(|s| s.rule.needs_clock()) {
            return;
        }
        let mut averages: Vec<f64> = Vec::new();
        for index in self.members() {
            let word = self.memory.node(index).latency();
            let seen = word.load(Ordering::Relaxed);
            averages.extend(latency::average(seen));
            let restamped = latency::restamped(seen, now_ns);
            if restamped != seen {
                // A sample that came in between is younger than any stamp of ours.
                let _ = word.compare_exchange(seen, restamped, Ordering::Relaxed, Ordering::Relaxed);
            }
        }
        let middle = averages.len().saturating_sub(1) / 2;
        let median =
            if averages.is_empty() { 0 } else { averages.select_nth_unstable_by(middle, f64::total_cmp).1.to_bits() };
        self.memory.pool(pool_word::MEDIAN_LATENCY).store(median, Ordering::Relaxed);
    }

    fn rebuild_if_unfit(&self) -> bool {
        let fitness = self.memory.pool(pool_word::FITNESS).load(Ordering::Acquire);
        let plan = self.plan(self.generation().current());
        let stale = plan.word(plan_word::FITNESS) != fitness;
        if stale {
            self.publish(&self.members(), &self.steps());
        }
        stale
    }
}
