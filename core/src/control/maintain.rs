//! What time does: given back what was forgotten, left out what is down, taken in what came back.

use crate::policies::{latency, outlier};
use crate::pool::Pool;
use crate::pool::health::FROM_NOW_ON;
use crate::state::layout::{attention, plan_word, pool_word, tally};
use crate::state::lease::Leased;
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
    /// Does what is due at `now_ns`: gives up expired leases, moves windows and warm-ups on, looks for outliers, takes
    /// ejected nodes back, moves sessions, shifts traffic between tiers, and builds the plan anew if health has changed
    /// since. Hosts call it from a timer, about once a second; [`nodes`](Self::nodes), [`stats`](Self::stats) and
    /// [`metrics`](Self::metrics) call it when it is due, and a report that brings a node back.
    pub fn maintain(&self, now_ns: u64) -> Maintained {
        self.tell_of_others(now_ns);
        if let (Some(share), Ok(())) = (&self.share, self.sit_down_after_fork()) {
            share.segment.maintain();
            self.move_if_evicted();
        }
        // Who only looks, or found no row, may hold nothing, not even the right to build.
        if !self.is_seated() || self.sit_down_after_fork().is_err() {
            let next_due_ns = now_ns.saturating_add(PERIOD_NS);
            return Maintained { next_due_ns, leases_expired: 0, rebuilt: false };
        }
        let leases_expired = self.expire_leases(now_ns);
        // Observers may call the pool, so what they are told of is done before anything is held.
        self.sweep_nodes(now_ns);
        self.sweep_outliers(now_ns);
        self.renew_hints_if_kept();
        self.renew_situation(Some(now_ns));
        self.rebalance_step(now_ns);
        self.rotate_budget(now_ns);
        self.renew_latencies(now_ns);
        // Where another process builds, it is its turn.
        let building = self.lock_among_threads();
        let rebuilt = building.is_some() && self.renew_reported_weights(now_ns) | self.rebuild_if_unfit();
        drop(building);
        self.settle_attention(attention::RETURNED, false, Self::is_plan_out_of_date);
        let failback = self.tier_state().next_due(self.live().failback_ns()).filter(|&due| due > now_ns);
        let next_due_ns = now_ns.saturating_add(PERIOD_NS).min(failback.unwrap_or(u64::MAX));
        self.memory.pool(pool_word::NEXT_DUE).store(next_due_ns, Ordering::Relaxed);
        Maintained { next_due_ns, leases_expired, rebuilt }
    }

    /// Maintains if that is due.
    pub(crate) fn maintain_if_due(&self, now_ns: u64) {
        if self.is_view() {
            return;
        }
        let due = self.memory.pool(pool_word::NEXT_DUE).load(Ordering::Relaxed);
        // A time far ahead of the clock was set by a clock that has gone back since.
        if now_ns >= due || due > now_ns.saturating_add(2 * PERIOD_NS) {
            self.maintain(now_ns);
        }
    }

    /// Maintains a pool that nobody maintains, for a pick: or a node that is available again would never be drawn.
    /// Whether the pick has to look at the plan again.
    #[inline(always)]
    pub(crate) fn maintain_if_neglected(&self, now_ns: u64) -> bool {
        self.attention() & attention::RETURNED != 0 && self.maintain_if_overdue(now_ns)
    }

    #[cold]
    fn maintain_if_overdue(&self, now_ns: u64) -> bool {
        let word = self.memory.pool(pool_word::NEXT_DUE);
        let due = word.load(Ordering::Relaxed);
        // A period late: whoever has a timer comes before that. And one pick does it, while the others go on.
        now_ns >= due.saturating_add(PERIOD_NS)
            && !self.is_view()
            && word.compare_exchange(due, now_ns, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            && self.maintain(now_ns).rebuilt
    }

    fn expire_leases(&self, now_ns: u64) -> u64 {
        let timeout = self.live().lease_timeout_ns();
        if timeout == 0 {
            return 0;
        }
        let (leases, row) = (self.memory.leases(), self.seat.row());
        // Each process gives up its own: nobody else may count in its row.
        let is_expired =
            |l: &Leased| l.row as usize == row && l.started_ns != 0 && now_ns.saturating_sub(l.started_ns) >= timeout;
        let expired = leases.open_tickets().filter(|(_, l)| is_expired(l));
        let mut count = 0;
        for (ticket, _) in expired {
            // Whoever closes it counts it off: the user's code may still come first.
            if let Ok(leased) = leases.close(ticket, row) {
                self.expire(leased);
                self.tally(tally::LEASES_EXPIRED);
                count += 1;
            }
        }
        count
    }

    /// Moves each node's windows on, ends warm-ups, ejections and exhaustions that are over.
    fn sweep_nodes(&self, now_ns: u64) {
        let (mut warming, mut exhausted, mut down) = (false, false, false);
        for index in self.members() {
            self.mend_times(index, now_ns);
            self.rotate_window(index, now_ns, 0);
            self.renew_failure_share(index, now_ns);
            self.sweep_quotas(index, now_ns);
            warming |= self.warm_on(index, now_ns);
            exhausted |= self.exhausted_until(index) > now_ns;
            let joined = self.memory.guard(index).joined();
            let _ = joined.compare_exchange(0, now_ns.max(1), Ordering::Relaxed, Ordering::Relaxed);
            let state = self.memory.node(index).state();
            if state.is_ejected() && self.memory.guard(index).hold().load(Ordering::Acquire) <= now_ns {
                self.take_back(index, now_ns);
            }
            if self.memory.node(index).state().is_down() {
                down = true;
                // Whoever looks at the nodes that are down may have died at it.
                self.probe_by(self.earliest_probe(index));
            }
        }
        self.settle_attention(attention::WARMING, warming, |pool| {
            pool.members().iter().any(|&index| pool.memory.node(index).warming_since().load(Ordering::Acquire) != 0)
        });
        self.settle_attention(attention::EXHAUSTED, exhausted, |pool| {
            pool.members().iter().any(|&index| pool.exhausted_until(index) > now_ns)
        });
        self.settle_attention(attention::PROBES, down, |pool| {
            pool.members().iter().any(|&index| pool.memory.node(index).state().is_down())
        });
    }

    /// What is further ahead of the clock than it can be was set by a clock that has gone back since: it begins now.
    fn mend_times(&self, index: usize, now_ns: u64) {
        let (node, guard) = (self.memory.node(index), self.memory.guard(index));
        let begins =
            [node.warming_since(), guard.draining_since(), guard.joined(), guard.reported_since(), guard.reported_at()];
        for word in begins {
            let seen = word.load(Ordering::Relaxed);
            if seen > now_ns.max(FROM_NOW_ON) {
                let _ = word.compare_exchange(seen, now_ns.max(1), Ordering::Relaxed, Ordering::Relaxed);
            }
        }
        let live = self.live();
        let hold_max = live.max_probe_interval_ns().max(live.breaker_max_open_ns()).max(live.outlier_max_ejection_ns());
        // Twice as far: who wrote it may have read the clock after the caller did.
        let is_beyond = |until_ns: u64, most_ns: u64| until_ns > now_ns.saturating_add(most_ns.saturating_mul(2));
        if node.state().is_down() && is_beyond(guard.hold().load(Ordering::Acquire), hold_max) {
            self.hold(index, now_ns);
        }
        if is_beyond(self.exhausted_until(index), latency::RETRY_AFTER_MAX_NS) {
            self.exhaust(index, 0, now_ns);
        }
        self.mend_checks(index, now_ns);
        if self.is_window_ahead(index, now_ns) {
            self.begin_window(index, now_ns);
        }
    }

    /// Clears a bit that nothing needs any more. Whoever sets it writes its reason first, so a second look after the
    /// clearing finds what came in between.
    fn settle_attention(&self, bit: u64, needed: bool, look_again: impl Fn(&Self) -> bool) {
        let word = self.memory.pool(pool_word::ATTENTION);
        if needed == (word.load(Ordering::Acquire) & bit != 0) {
            return;
        }
        if needed {
            // Whoever made it so was killed before it said so.
            word.fetch_or(bit, Ordering::SeqCst);
            return;
        }
        word.fetch_and(!bit, Ordering::SeqCst);
        if look_again(self) {
            word.fetch_or(bit, Ordering::SeqCst);
        }
    }

    /// Ends a node's warm-up if it is over; whether it goes on.
    fn warm_on(&self, index: usize, now_ns: u64) -> bool {
        let word = self.memory.node(index).warming_since();
        let since = word.load(Ordering::Acquire);
        if since == 0 {
            return false;
        }
        if self.warmth(index, now_ns) < 1.0 {
            return true;
        }
        word.compare_exchange(since, 0, Ordering::AcqRel, Ordering::Relaxed).is_err()
    }

    /// Ejects the nodes that fail far more often than the others.
    fn sweep_outliers(&self, now_ns: u64) {
        let live = self.live();
        let next = self.memory.pool(pool_word::NEXT_SWEEP);
        let due = next.load(Ordering::Relaxed);
        let sweep_ns = live.outlier_sweep_ns();
        if !live.outlier() || (now_ns < due && due <= now_ns.saturating_add(sweep_ns)) {
            return;
        }
        // One of all processes sweeps.
        let after = now_ns.saturating_add(sweep_ns);
        if next.compare_exchange(due, after, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return;
        }
        let rule = outlier::Settings {
            stdev_factor: live.outlier_stdev_factor(),
            min_hosts: live.outlier_min_hosts(),
            min_requests: u32::try_from(live.outlier_min_requests()).unwrap_or(u32::MAX),
            failure_rate: live.outlier_failure_rate(),
            failure_min_requests: u32::try_from(live.outlier_failure_min_requests()).unwrap_or(u32::MAX),
            max_ejected: live.outlier_max_ejected(),
        };
        let members: Vec<usize> =
            self.members().into_iter().filter(|&i| !self.memory.node(i).state().is_withdrawn()).collect();
        let sample = |&index: &usize| {
            let (samples, failures) = self.window(index, now_ns);
            let state = self.memory.node(index).state();
            outlier::Sample { samples, failures, ejected: state.is_ejected(), available: !state.is_down() }
        };
        let samples: Vec<outlier::Sample> = members.iter().map(sample).collect();
        for at in outlier::sweep(&samples, &rule) {
            if let Some(&index) = members.get(at) {
                self.eject(index, now_ns);
            }
        }
    }

    /// The lower median over the nodes that have samples, tails, and stamps that must not come round.
    fn renew_latencies(&self, now_ns: u64) {
        let steps = self.steps();
        if !steps.iter().any(|s| s.rule.needs_clock()) && !self.live().pool_latencies() {
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
            if let Some(counts) = self.latencies_of_node(index, now_ns) {
                let tail = counts.quantile_ns(0.95).unwrap_or(0.0);
                self.memory.node(index).tail_latency().store(tail.to_bits(), Ordering::Relaxed);
            }
        }
        let middle = averages.len().saturating_sub(1) / 2;
        let median =
            if averages.is_empty() { 0 } else { averages.select_nth_unstable_by(middle, f64::total_cmp).1.to_bits() };
        self.memory.pool(pool_word::MEDIAN_LATENCY).store(median, Ordering::Relaxed);
    }

    /// Whether somebody's fitness has changed since the plan was built.
    fn is_plan_out_of_date(&self) -> bool {
        let fitness = self.memory.pool(pool_word::FITNESS).load(Ordering::Acquire);
        self.plan_at(self.generation().current()).word(plan_word::FITNESS) != fitness
    }

    fn rebuild_if_unfit(&self) -> bool {
        let is_unfit = self.is_plan_out_of_date();
        if is_unfit {
            self.publish(&self.members(), &self.steps());
        }
        is_unfit
    }
}
