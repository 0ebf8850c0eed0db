//! Latencies beside the averages: histograms of the pool and of its nodes, and the adaptive limit.

use super::Pool;
use crate::policies::gradient;
use crate::policies::histogram::cumulative::Cumulative;
use crate::policies::histogram::{COARSE, Counts, FINE, Histogram, scale};
use crate::sync::Ordering;
use crate::vocabulary::outcome::Ending;

/// Words of the whole pool: since the beginning, then of late.
pub(crate) const POOL_WORDS: usize = Cumulative::WORDS + Histogram::<FINE>::WORDS;
pub(crate) const NODE_WORDS: usize = Histogram::<COARSE>::WORDS;

impl Pool {
    pub(crate) fn cumulative(&self) -> Cumulative<'_> {
        Cumulative(&self.memory.latencies()[..Cumulative::WORDS])
    }

    fn pool_histogram(&self) -> Histogram<'_, FINE> {
        Histogram(&self.memory.latencies()[Cumulative::WORDS..])
    }

    fn node_histogram(&self, index: usize) -> Histogram<'_, COARSE> {
        Histogram(self.memory.node_latencies(index))
    }

    /// Counts how long an attempt took, where somebody wants to know. `uncounted`: how many were in flight beside those that
    /// are counted.
    #[inline]
    pub(crate) fn record_latency(&self, index: usize, latency_ns: u64, ending: Ending, now_ns: u64, uncounted: u64) {
        let live = self.live();
        if live.pool_latencies() {
            let (bucket, window_ns) = (scale::bucket(latency_ns), live.stats_window_ns());
            self.cumulative().record(latency_ns);
            self.pool_histogram().record(bucket, now_ns, window_ns);
            if live.node_latencies() {
                self.node_histogram(index).record(bucket, now_ns, window_ns);
            }
        }
        if live.adaptive_limit() && ending == Ending::Success {
            self.adapt_limit(index, latency_ns, self.memory.in_flight(index).saturating_add(uncounted));
        }
    }

    fn adapt_limit(&self, index: usize, latency_ns: u64, in_flight: u64) {
        let rule = self.gradient_rule();
        let in_flight = u32::try_from(in_flight).unwrap_or(u32::MAX);
        let word = self.memory.node(index).gradient();
        // Of two samples that race, one may be lost: thousands make a limit.
        let new = gradient::after_sample(word.load(Ordering::Relaxed), latency_ns, in_flight, &rule);
        word.store(new, Ordering::Relaxed);
    }

    /// The pool's latencies of late; `None` while they are not kept.
    pub(crate) fn latencies_of_pool(&self, now_ns: u64) -> Option<Counts<FINE>> {
        let live = self.live();
        live.pool_latencies().then(|| self.pool_histogram().counts(now_ns, live.stats_window_ns()))
    }

    /// A node's latencies of late; `None` while they are not kept.
    pub(crate) fn latencies_of_node(&self, index: usize, now_ns: u64) -> Option<Counts<COARSE>> {
        let live = self.live();
        live.node_latencies().then(|| self.node_histogram(index).counts(now_ns, live.stats_window_ns()))
    }

    /// What was measured of late begins with nothing.
    pub(crate) fn forget_pool_latencies(&self) {
        self.memory.latencies()[Cumulative::WORDS..].iter().for_each(|word| word.store(0, Ordering::Relaxed));
    }

    /// For another node at the index.
    pub(crate) fn forget_latencies(&self, index: usize) {
        // Where they are not kept, their memory is not there; once they are, they begin with nothing.
        if !self.live().node_latencies() {
            return;
        }
        let words = self.memory.node_latencies(index);
        // Untouched pages of a private memory stay uncommitted.
        words.iter().filter(|word| word.load(Ordering::Relaxed) != 0).for_each(|word| word.store(0, Ordering::Relaxed));
    }
}
