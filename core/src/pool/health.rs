//! Health of a pool's nodes: the state word moves by the policy's rule, in one compare-and-swap.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::Pool;
use crate::policies::health::{Counts, HealthPolicy, NodeHealth, after_failure, after_success};
use crate::state::layout::pool_word;
use crate::state::node::State;
use crate::sync::Ordering;
use crate::vocabulary::node::NodeRef;
use crate::vocabulary::outcome::{Outcome, Report};

/// A user's own policy, with what it keeps of each node.
pub(crate) struct OwnHealth {
    pub(crate) policy: Box<dyn HealthPolicy>,
    pub(crate) nodes: Mutex<HashMap<NodeRef, NodeHealth>>,
}

impl Pool {
    /// Tells the health policy of an outcome at node `index`, if it still is of `generation` and, if given, in health
    /// epoch `epoch`. Whether the node's status changed.
    #[inline]
    pub(crate) fn learn_health(&self, index: usize, generation: u32, epoch: Option<u8>, report: &Report) -> bool {
        let Some(outcome) = report.outcome() else { return false };
        if self.own_health.is_some() {
            return self.learn_by_own_policy(index, generation, &outcome);
        }
        let success = match outcome {
            Outcome::Success => true,
            Outcome::Failure => false,
            Outcome::RateLimited { .. } => return false,
        };
        let node = self.memory.node(index);
        let mut state = node.state();
        // The usual case writes nothing.
        if success && state.is_spotless() {
            return false;
        }
        loop {
            if state.generation() != generation || epoch.is_some_and(|e| e != state.epoch()) {
                return false;
            }
            let counts = Counts { status: state.health(), failures: state.failures(), successes: state.successes() };
            let rule = if success { after_success } else { after_failure };
            let next = rule(counts, self.settings.thresholds);
            let new = state.with_health(next.status, next.failures, next.successes);
            match node.swap_state(state, new) {
                Ok(()) => return self.note_transition(state, new),
                Err(seen) => state = seen,
            }
        }
    }

    /// A changed status makes plans out of date: `maintain` looks at the count.
    fn note_transition(&self, old: State, new: State) -> bool {
        let changed = old.health() != new.health();
        if changed {
            self.memory.pool(pool_word::FITNESS).fetch_add(1, Ordering::Release);
        }
        changed
    }

    #[cold]
    fn learn_by_own_policy(&self, index: usize, generation: u32, outcome: &Outcome) -> bool {
        let Some(own) = &self.own_health else { return false };
        let node = self.memory.node(index);
        // Held over the store, so that the word follows the policy's own order of events.
        let mut kept = own.nodes.lock();
        let state = node.state();
        if state.generation() != generation || !state.is_member() {
            return false;
        }
        let health = kept.entry(NodeRef { index: index as u32, generation }).or_default();
        let mut next = health.clone();
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| own.policy.on_outcome(&mut next, outcome)));
        if told.is_err() {
            return false;
        }
        *health = next;
        let (status, failures, successes) = (health.status, health.consecutive_failures, health.consecutive_successes);
        let mut state = state;
        loop {
            let new = state.with_health(status, failures, successes);
            match node.swap_state(state, new) {
                Ok(()) => return self.note_transition(state, new),
                Err(seen) => state = seen,
            }
        }
    }
}
