//! Why there is no node: the filter at which the last candidates were lost.

use super::decision::Decision;
use super::explanation::FailedAt;
use super::filter::Filter;
use super::guarded::Guarding;
use super::trace::Trace;
use super::{Pool, Request};
use crate::plan::step::Rule;
use crate::plan::view::PlanView;
use crate::state::layout::{pool_word, tally};
use crate::state::local::Local;
use crate::sync::Ordering;
use crate::vocabulary::error::{NoNode, NoNodeReason};
use crate::vocabulary::time::now_ns;

impl Pool {
    /// Why a pick has no node; counted.
    #[cold]
    pub(crate) fn why(&self, plan: PlanView<'_>, request: &Request<'_>, callback_failed: bool) -> NoNode {
        let none = self.reason(plan, request, callback_failed, None);
        self.tally(tally::NO_NODE + none.reason as usize);
        none
    }

    /// Passes every member through the filters in their order; the reason is the deepest that any of them reached, with
    /// the earliest time at which that may be over.
    pub(crate) fn reason(
        &self,
        plan: PlanView<'_>,
        request: &Request<'_>,
        callback_failed: bool,
        trace: Option<&Trace>,
    ) -> NoNode {
        let local = Local::new();
        let mut d = Decision::new(self, request, plan.lead(), self.generation().current(), &local);
        d.trace = trace;
        let now = request.now_ns.unwrap_or_else(now_ns).max(1);
        let filter = Filter::of(self, d);
        let guard = Guarding::looking(self, d, filter.as_ref(), now);
        let members = plan.members();
        let (mut depth, mut is_any_eligible) = (None, false);
        for i in 0..plan.lead().members().min(self.memory.nodes_max()) {
            let c = usize::from(members.get(i));
            let failed_at = self.failed_at(c, guard.mask.get(), guard.filter, Some(&guard), trace);
            let refused_at = || self.refused_at(c, &guard, trace).filter(|_| !self.chooses_by_own_rule(plan));
            let failed_at = failed_at.or_else(refused_at);
            is_any_eligible |= failed_at.is_none();
            let reached = (Depth::of(failed_at), failed_at.and_then(|at| self.retry_at(c, at, &guard, trace)));
            depth = Some(match depth {
                None => reached,
                Some(before) => deeper(before, reached),
            });
        }
        let pool_max = self.live().max_in_flight();
        let pool_is_full = pool_max != 0 && self.memory.total_in_flight() >= pool_max;
        let (reason, retry_at_ns) = match depth {
            None => (NoNodeReason::Empty, None),
            Some(_) if is_any_eligible && pool_is_full => (NoNodeReason::Saturated, self.room_expected_at(now)),
            Some((depth, at)) => (depth.reason(), at),
        };
        let failed = filter.as_ref().is_some_and(|f| f.failed.get());
        NoNode { reason, retry_at_ns, callback_failed: callback_failed | failed }
    }

    /// The first filter that a member fails at, if it does; `guard`: where there is more to pass than health and the
    /// request's own conditions.
    pub(super) fn failed_at(
        &self,
        c: usize,
        mask: u64,
        filter: Option<&Filter<'_>>,
        guard: Option<&Guarding<'_>>,
        trace: Option<&Trace>,
    ) -> Option<FailedAt> {
        let state = self.state_in(c, trace);
        if state.is_withdrawn() {
            let is_weightless = state.is_member() && !state.is_draining();
            return Some(if is_weightless { FailedAt::ZeroWeight } else { FailedAt::Draining });
        }
        if filter.is_some_and(|filter| !filter.matches(self, c)) {
            return Some(FailedAt::NoMatch);
        }
        if filter.is_some_and(|filter| filter.excludes(c)) {
            return Some(FailedAt::Excluded);
        }
        if !state.fit(mask) {
            return Some(match () {
                () if state.is_ejected() => FailedAt::Ejected,
                () if state.is_breaker_open() => FailedAt::BreakerOpen,
                () => FailedAt::Unhealthy,
            });
        }
        let guard = guard?;
        if guard.is_exhausted(self, c) || !guard.has_quota(self, c) {
            return Some(FailedAt::RateLimited);
        }
        // Without one, the candidate is eligible: a rule of the user's own found nobody, or it has become so meanwhile.
        (!guard.has_room(self, c, trace) || guard.has_refused(c)).then_some(FailedAt::Saturated)
    }

    /// When a member that failed at a filter may pass it.
    fn retry_at(&self, c: usize, failed_at: FailedAt, guard: &Guarding<'_>, trace: Option<&Trace>) -> Option<u64> {
        match failed_at {
            FailedAt::Unhealthy | FailedAt::BreakerOpen | FailedAt::Ejected => {
                let is_down = self.state_in(c, trace).is_down();
                is_down.then(|| self.earliest_probe_in(c, trace)).filter(|&at| at > 0)
            }
            FailedAt::RateLimited => match &guard.costs {
                Some(costs) => self.quota_at(c, costs, guard.now_ns),
                None => Some(self.exhausted_until(c)),
            },
            FailedAt::Saturated => self.room_expected_at(guard.now_ns),
            _ => None,
        }
    }

    /// Where a node that passes now may have been full a moment ago.
    fn refused_at(&self, c: usize, guard: &Guarding<'_>, trace: Option<&Trace>) -> Option<FailedAt> {
        if self.live().max_in_flight() != 0 || guard.limit(self, c, trace) != u64::MAX {
            return Some(FailedAt::Saturated);
        }
        guard.costs.is_some().then_some(FailedAt::RateLimited)
    }

    /// Whether it is up to rules of the user's own who is chosen.
    fn chooses_by_own_rule(&self, plan: PlanView<'_>) -> bool {
        (0..plan.lead().steps()).all(|i| plan.step(i).is_some_and(|step| step.rule == Rule::Custom))
    }

    /// When a pick that is under way may be expected to end: after the pool's median latency, where that is known.
    fn room_expected_at(&self, now_ns: u64) -> Option<u64> {
        match self.memory.pool(pool_word::MEDIAN_LATENCY).load(Ordering::Relaxed) {
            0 => None,
            bits => Some(now_ns.saturating_add(f64::from_bits(bits).max(0.0) as u64)),
        }
    }
}

/// The deeper of two, with the earlier time of equals.
fn deeper(a: (Depth, Option<u64>), b: (Depth, Option<u64>)) -> (Depth, Option<u64>) {
    match a.0.cmp(&b.0) {
        std::cmp::Ordering::Less => b,
        std::cmp::Ordering::Greater => a,
        std::cmp::Ordering::Equal => (a.0, a.1.into_iter().chain(b.1).min()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    Withdrawn,
    Eligible,
    NoMatch,
    Excluded,
    Unhealthy,
    RateLimited,
    Saturated,
}

impl Depth {
    fn of(failed_at: Option<FailedAt>) -> Self {
        match failed_at {
            Some(FailedAt::Draining | FailedAt::ZeroWeight) => Self::Withdrawn,
            Some(FailedAt::NoMatch) => Self::NoMatch,
            Some(FailedAt::Excluded) => Self::Excluded,
            Some(FailedAt::Unhealthy | FailedAt::BreakerOpen | FailedAt::Ejected) => Self::Unhealthy,
            Some(FailedAt::RateLimited) => Self::RateLimited,
            Some(FailedAt::Saturated) => Self::Saturated,
            _ => Self::Eligible,
        }
    }

    fn reason(self) -> NoNodeReason {
        match self {
            Self::Withdrawn => NoNodeReason::Draining,
            Self::NoMatch | Self::Eligible => NoNodeReason::NoMatch,
            Self::Excluded => NoNodeReason::AllExcluded,
            Self::Unhealthy => NoNodeReason::Unhealthy,
            Self::RateLimited => NoNodeReason::RateLimited,
            Self::Saturated => NoNodeReason::Saturated,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::state::layout::{attention, pool_word};
    use crate::sync::Ordering;
    use crate::{HealthStatus, Pool, Request};

    #[test]
    fn what_a_killed_process_did_not_work_out_is_worked_out_by_who_finds_no_node() {
        let pool = Pool::from_config("{panic: {mode: spread}, nodes: [a, b]}").expect("a pool");
        ["a", "b"].iter().for_each(|id| assert!(pool.set_health(id, HealthStatus::Unhealthy).is_ok()));
        let attention = pool.memory.pool(pool_word::ATTENTION);
        assert!(attention.load(Ordering::Relaxed) & attention::PANIC != 0);
        // As it is between the last node's change and what follows from it.
        attention.fetch_and(!attention::PANIC, Ordering::Relaxed);
        assert!(pool.pick(&Request::new()).is_ok());
        assert!(attention.load(Ordering::Relaxed) & attention::PANIC != 0);
        attention.fetch_and(!attention::PANIC, Ordering::Relaxed);
        assert!(pool.pick_explained(&Request::new()).0.is_ok());
    }

    #[test]
    fn a_node_whose_process_was_killed_before_it_asked_for_probes_gets_them() {
        let pool = Pool::from_config("{health: {probe_interval_ms: 1}, nodes: [a]}").expect("a pool");
        assert!(pool.set_health("a", HealthStatus::Unhealthy).is_ok());
        let attention = pool.memory.pool(pool_word::ATTENTION);
        attention.fetch_and(!attention::PROBES, Ordering::Relaxed);
        let later = crate::now_ns() + 1_000_000_000;
        pool.maintain(later);
        assert!(attention.load(Ordering::Relaxed) & attention::PROBES != 0);
        assert!(pool.pick(&Request::new().now_ns(later)).is_ok());
    }
}
