//! What is left of a pool whose times are of an earlier boot of the machine.
//!
//! A file on a disk outlives a restart of the machine, whose clock then begins anew. What was learned stays: health,
//! averages, strikes, what open breakers hold. What is a time begins now, and what is counted over a time begins with
//! nothing.

use crate::policies::latency;
use crate::pool::Pool;
use crate::pool::health::FROM_NOW_ON;
use crate::state::layout::{attention, pool_word};
use crate::sync::Ordering;

impl Pool {
    /// For the first process of a boot, before it or another one uses the pool.
    pub(crate) fn begin_boot(&self, now_ns: u64) {
        for index in 0..self.memory.nodes_used() {
            let (node, guard) = (self.memory.node(index), self.memory.guard(index));
            for word in [guard.probe(), guard.returned(), guard.joined(), guard.reported_since(), guard.reported_at()] {
                word.store(0, Ordering::Relaxed);
            }
            let now_if = |on: bool| if on { now_ns.max(1) } else { 0 };
            guard.draining_since().store(now_if(node.state().is_draining()), Ordering::Relaxed);
            guard.hold().store(now_if(node.state().is_down()), Ordering::Relaxed);
            if node.warming_since().load(Ordering::Relaxed) != 0 {
                node.warming_since().store(FROM_NOW_ON, Ordering::Relaxed);
            }
            let word = node.latency();
            let average = latency::average(word.load(Ordering::Relaxed));
            word.store(average.map_or(0, |ns| latency::restored(ns, 0, now_ns)), Ordering::Relaxed);
            guard.checks().iter().take(1).for_each(|due| due.store(0, Ordering::Relaxed));
            self.begin_window(index, now_ns);
            self.forget_latencies(index);
            if self.live().quotas() != 0 {
                self.forget_usage(index);
            }
        }
        self.forget_pool_latencies();
        self.forget_sessions();
        self.begin_budget();
        for word in [
            pool_word::NEXT_PROBE,
            pool_word::NEXT_SWEEP,
            pool_word::NEXT_FAILBACK,
            pool_word::NEXT_REPORTED,
            pool_word::NEXT_DUE,
            pool_word::REBALANCE_DUE,
        ] {
            self.memory.pool(word).store(0, Ordering::Relaxed);
        }
        self.memory.pool(pool_word::ATTENTION).fetch_or(attention::PROBES, Ordering::SeqCst);
        self.maintain(now_ns);
    }
}
