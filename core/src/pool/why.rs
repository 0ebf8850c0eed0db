//! Why there is no node: the filter at which the last candidates were lost.

use super::filter::Filter;
use super::{Pool, Request};
use crate::plan::view::PlanView;
use crate::vocabulary::error::{NoNode, NoNodeReason};

impl Pool {
    /// Passes every member through the filters in their order; the reason is the deepest that any of them reached.
    #[cold]
    pub(crate) fn why(&self, plan: PlanView<'_>, request: &Request<'_>, callback_failed: bool) -> NoNode {
        let filter = Filter::new(self, plan, request);
        let members = plan.members();
        let depth =
            (0..plan.lead().members().min(self.memory.nodes_max())).map(|i| usize::from(members.get(i))).map(|c| {
                let state = self.memory.node(c).state();
                if state.is_withdrawn() {
                    Depth::Withdrawn
                } else if !filter.matches(self, c) {
                    Depth::NoMatch
                } else if filter.excludes(c) {
                    Depth::Excluded
                } else if !state.fit(request.mask()) {
                    Depth::Unhealthy
                } else {
                    // Fit, but a rule of the user's own found nobody, or the node has become fit meanwhile.
                    Depth::NoMatch
                }
            });
        let reason = match depth.max() {
            None => NoNodeReason::Empty,
            Some(Depth::Withdrawn) => NoNodeReason::Draining,
            Some(Depth::NoMatch) => NoNodeReason::NoMatch,
            Some(Depth::Excluded) => NoNodeReason::AllExcluded,
            Some(Depth::Unhealthy) => NoNodeReason::Unhealthy,
        };
        NoNode { reason, retry_at_ns: None, callback_failed: callback_failed | filter.failed.get() }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    Withdrawn,
    NoMatch,
    Excluded,
    Unhealthy,
}
