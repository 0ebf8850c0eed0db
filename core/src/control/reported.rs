//! Weights from what servers report of themselves.
//!
//! ```text
//! weight = requests/s ÷ (utilization + penalty · errors/s ÷ requests/s)
//! known:   reported for `blackout` without a pause longer than `expiry`, the last time within `expiry`
//! share:   by weight; a node that is not known has the mean of those that are; fewer than two known → all alike
//! ```
//!
//! A node that serves much at little utilization takes more; errors count as if they were load. The blackout keeps a node
//! that has just begun to report, and so tells little, from being flooded or starved. `maintain` turns the weights into a
//! schedule, at most once in `update`, so a pick costs what one of the weighted round robin does.
//! Source: the client-side weighted round robin of gRPC (gRFC A58).

use crate::pool::Pool;
use crate::state::layout::pool_word;
use crate::sync::Ordering;

/// What a server reports of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Served {
    pub(crate) requests_per_s: f64,
    pub(crate) utilization: f64,
    pub(crate) errors_per_s: f64,
}

/// The largest weight of a schedule; the others are in proportion, at least 1.
const SCALE: f64 = 1000.0;

impl Served {
    /// `None` while it says nothing: no requests, or no load.
    fn weight(self, penalty: f64) -> Option<f64> {
        let Self { requests_per_s, utilization, errors_per_s } = self;
        if requests_per_s <= 0.0 || utilization <= 0.0 {
            return None;
        }
        Some(requests_per_s / (utilization + penalty * errors_per_s / requests_per_s))
            .filter(|w| w.is_finite() && *w > 0.0)
    }
}

impl Pool {
    /// Takes note of a node's report.
    pub(crate) fn report_served(&self, index: usize, served: Served, now_ns: u64) {
        let live = self.live();
        let Some(weight) = served.weight(live.reported_error_penalty()) else { return };
        let guard = self.memory.guard(index);
        let now = now_ns.max(1);
        let last = guard.reported_at().swap(now, Ordering::Relaxed);
        if last == 0 || now.saturating_sub(last) > live.reported_expiry_ns() {
            guard.reported_since().store(now, Ordering::Relaxed);
        }
        self.memory.node(index).reported_weight().store(weight.to_bits(), Ordering::Relaxed);
    }

    /// The weight that a node's reports amount to, if it is known.
    pub(crate) fn known_weight(&self, index: usize, now_ns: u64) -> Option<f64> {
        let live = self.live();
        let guard = self.memory.guard(index);
        let (since, last) =
            (guard.reported_since().load(Ordering::Relaxed), guard.reported_at().load(Ordering::Relaxed));
        let known = since != 0
            && now_ns.saturating_sub(since) >= live.reported_blackout_ns()
            && now_ns.saturating_sub(last) <= live.reported_expiry_ns();
        known.then(|| f64::from_bits(self.memory.node(index).reported_weight().load(Ordering::Relaxed)))
    }

    /// Works the shares out anew if that is due; whether a plan was published. For the holder of the build lease.
    pub(crate) fn renew_reported_weights(&self, now_ns: u64) -> bool {
        let steps = self.steps();
        if !steps.iter().any(|s| s.rule == crate::plan::step::Rule::ReportedLoad) {
            return false;
        }
        let word = self.memory.pool(pool_word::NEXT_REPORTED);
        let (due, update_ns) = (word.load(Ordering::Relaxed), self.live().reported_update_ns());
        if now_ns < due && due <= now_ns.saturating_add(update_ns) {
            return false;
        }
        word.store(now_ns.saturating_add(update_ns), Ordering::Relaxed);
        let members = self.members();
        let known: Vec<Option<f64>> = members.iter().map(|&index| self.known_weight(index, now_ns)).collect();
        let shares = shares(&known);
        let mut changed = false;
        for (&index, share) in members.iter().zip(shares) {
            changed |=
                self.memory.guard(index).reported_share().swap(u64::from(share), Ordering::Relaxed) != u64::from(share);
        }
        if changed {
            self.publish(&members, &steps);
        }
        changed
    }
}

/// What each node takes, in proportion.
fn shares(known: &[Option<f64>]) -> Vec<u32> {
    let weights: Vec<f64> = known.iter().flatten().copied().collect();
    if weights.len() < 2 {
        return vec![1; known.len()];
    }
    let mean = weights.iter().sum::<f64>() / weights.len() as f64;
    let largest = weights.iter().copied().fold(mean, f64::max);
    known.iter().map(|weight| ((weight.unwrap_or(mean) / largest * SCALE).round() as u32).max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(requests_per_s: f64, utilization: f64, errors_per_s: f64) -> Served {
        Served { requests_per_s, utilization, errors_per_s }
    }

    #[test]
    fn a_node_that_does_more_with_less_weighs_more() {
        assert_eq!(served(100.0, 0.5, 0.0).weight(1.0), Some(200.0));
        assert_eq!(served(100.0, 0.5, 50.0).weight(1.0), Some(100.0), "errors count as load");
        assert_eq!(served(100.0, 0.5, 50.0).weight(0.0), Some(200.0));
        assert_eq!(served(0.0, 0.5, 0.0).weight(1.0), None);
        assert_eq!(served(100.0, 0.0, 0.0).weight(1.0), None);
        assert_eq!(served(f64::MAX, f64::MIN_POSITIVE, 0.0).weight(1.0), None, "beyond what a number holds");
    }

    #[test]
    fn those_that_are_not_known_take_the_mean() {
        assert_eq!(shares(&[Some(200.0), Some(100.0), None]), [1000, 500, 750]);
        assert_eq!(shares(&[Some(200.0), None, None]), [1, 1, 1], "one alone tells nothing");
        assert_eq!(shares(&[Some(1e9), Some(1.0)]), [1000, 1], "nobody starves");
        assert!(shares(&[]).is_empty());
    }
}
