//! Why there is no node: the filter at which the last candidates were lost.

use super::decision::Decision;
use super::filter::Filter;
use super::guarded::Guarding;
use super::{Pool, Request};
use crate::plan::step::Rule;
use crate::plan::view::PlanView;
use crate::state::layout::{pool_word, tally};
use crate::state::local::Local;
use crate::sync::Ordering;
use crate::vocabulary::error::{NoNode, NoNodeReason};
use crate::vocabulary::time::now_ns;

impl Pool {
    /// Passes every member through the filters in their order; the reason is the deepest that any of them reached, with
    /// the earliest time at which that may be over.
    #[cold]
    pub(crate) fn why(&self, plan: PlanView<'_>, request: &Request<'_>, callback_failed: bool) -> NoNode {
        let local = Local::new();
        let d = Decision::new(self, request, plan.lead(), self.generation().current(), &local);
        let now = request.now_ns.unwrap_or_else(now_ns).max(1);
        let filter = Filter::of(self, d);
        let guard = Guarding::looking(self, d, filter.as_ref(), now);
        let members = plan.members();
        let (mut depth, mut is_any_eligible) = (None, false);
        for i in 0..plan.lead().members().min(self.memory.nodes_max()) {
            let c = usize::from(members.get(i));
            let mut reached = self.depth(c, &guard);
            if reached.0 == Depth::Eligible && self.is_limited(c, &guard) && !self.chooses_by_own_rule(plan) {
                reached = (Depth::Saturated, self.room_expected_at(now));
            }
            is_any_eligible |= reached.0 == Depth::Eligible;
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
        self.tally(tally::NO_NODE + reason as usize);
        NoNode { reason, retry_at_ns, callback_failed: callback_failed | failed }
    }

    /// How far a member comes, and when that may change.
    fn depth(&self, c: usize, guard: &Guarding<'_>) -> (Depth, Option<u64>) {
        let state = self.memory.node(c).state();
        if state.is_withdrawn() {
            return (Depth::Withdrawn, None);
        }
        if let Some(filter) = &guard.filter {
            if !filter.matches(self, c) {
                return (Depth::NoMatch, None);
            }
            if filter.excludes(c) {
                return (Depth::Excluded, None);
            }
        }
        if !state.fit(guard.mask) {
            let at = state.is_down().then(|| self.earliest_probe(c)).filter(|&at| at > 0);
            return (Depth::Unhealthy, at);
        }
        let is_exhausted = self.exhausted_until(c) > guard.now_ns;
        match &guard.costs {
            Some(costs) if is_exhausted || !self.has_quota(c, costs, guard.now_ns) => {
                return (Depth::RateLimited, self.quota_at(c, costs, guard.now_ns));
            }
            None if is_exhausted => return (Depth::RateLimited, Some(self.exhausted_until(c))),
            _ => {}
        }
        if !self.has_room(c, guard.now_ns) {
            return (Depth::Saturated, self.room_expected_at(guard.now_ns));
        }
        // A rule of the user's own found nobody, or the node has become eligible meanwhile.
        (Depth::Eligible, None)
    }

    /// Whether a node may have been full a moment ago.
    fn is_limited(&self, c: usize, guard: &Guarding<'_>) -> bool {
        let live = self.live();
        live.max_in_flight() != 0 || guard.costs.is_some() || self.limit_of(c, guard.now_ns) != u64::MAX
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
