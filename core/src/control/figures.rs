//! A pool in figures: what its words have counted, for stats and metrics.

use super::metrics;
use super::stats::{LatencyHistogram, LatencyStats, NodeStats, PoolStats, QuotaStats};
use crate::policies::latency;
use crate::policies::tiers::TierState;
use crate::pool::Pool;
use crate::state::guard::Count;
use crate::state::layout::{attention, pool_word, tally};
use crate::sync::Ordering;
use crate::vocabulary::breaker::BreakerState;
use crate::vocabulary::error::{ConfigError, Error, NoNodeReason, StateError};
use crate::vocabulary::node::NodeSpec;
use crate::vocabulary::outcome::FailureKind;
use crate::vocabulary::time::{NANOS_PER_MS, now_ns};

/// What ended on a node, by kind.
#[derive(Debug, Clone, Copy, Default)]
struct Ended {
    all: u64,
    /// In the order of [`Count::ENDS`]: failures by kind, rate limits, cancellations.
    kinds: [u64; Count::ENDS.len()],
}

/// Failures by kind, in the order of their counts.
const KINDS: [FailureKind; 5] =
    [FailureKind::Other, FailureKind::Connect, FailureKind::Timeout, FailureKind::Reset, FailureKind::ServerError];

impl Ended {
    fn failures(self) -> u64 {
        self.kinds[..KINDS.len()].iter().sum()
    }

    fn by_kind(self) -> Vec<(FailureKind, u64)> {
        KINDS.into_iter().zip(self.kinds).collect()
    }

    fn timeouts(self) -> u64 {
        self.kinds[2]
    }

    fn rate_limited(self) -> u64 {
        self.kinds[5]
    }

    fn cancelled(self) -> u64 {
        self.kinds[6]
    }

    /// What ended in no other way.
    fn successes(self) -> u64 {
        self.all.saturating_sub(self.kinds.iter().sum())
    }

    fn add(&mut self, other: Self) {
        self.all += other.all;
        self.kinds.iter_mut().zip(other.kinds).for_each(|(sum, n)| *sum += n);
    }
}

impl Pool {
    /// The pool and all its nodes in figures. Maintains first, if that is due.
    ///
    /// ```
    /// use loadwise::{Outcome, Pool, Request};
    ///
    /// let pool = Pool::builder().nodes(["a", "b"]).build()?;
    /// pool.pick(&Request::new())?.finish(Outcome::Success)?;
    /// let stats = pool.stats();
    /// assert_eq!((stats.selections, stats.successes, stats.in_flight), (1, 1, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stats(&self) -> PoolStats {
        self.stats_at(now_ns())
    }

    /// [`stats`](Self::stats) at a time of the caller's.
    pub fn stats_at(&self, now_ns: u64) -> PoolStats {
        self.maintain_if_due(now_ns);
        let used = self.memory.nodes_used();
        let attached = self.attached();
        let (nodes, ended) = self.look(|members| {
            let figures = |&index: &usize| NodeStats {
                in_flight_by_process: self.in_flight_by_process(index, &attached),
                ..self.figures_of(index, now_ns)
            };
            let nodes: Vec<NodeStats> = members.iter().map(figures).collect();
            let mut ended = self.ended_by_gone();
            (0..used).for_each(|index| ended.add(self.ended(index)));
            (nodes, ended)
        });
        let in_flight: u64 = (0..used).map(|index| self.memory.in_flight(index)).sum();
        let tally = |what: usize| self.memory.pool(pool_word::TALLY + what).load(Ordering::Relaxed);
        let tiers = self.tier_state();
        let live = self.live();
        PoolStats {
            name: self.name().to_owned(),
            strategy: self.strategy().to_owned(),
            config_version: self.config_version(),
            now_ns,
            processes: attached.len().max(1) as u32,
            available: nodes.iter().filter(|n| n.available).count() as u64,
            nodes,
            selections: ended.all + in_flight,
            successes: ended.successes(),
            failures: ended.failures(),
            failures_by_kind: ended.by_kind(),
            timeouts: ended.timeouts(),
            rate_limited: ended.rate_limited(),
            cancelled: ended.cancelled(),
            no_node: NoNodeReason::ALL.into_iter().map(|r| (r, tally(tally::NO_NODE + r as usize))).collect(),
            in_flight,
            max_in_flight: live.max_in_flight(),
            leases_expired: tally(tally::LEASES_EXPIRED),
            tier: tiers.main.unwrap_or(0) as u32,
            tier_shares: if tiers == TierState::default() { vec![1.0] } else { self.shares_of_tiers() },
            failovers: u64::from(tiers.failovers),
            last_failover_ns: (tiers.last_failover_ns != 0).then_some(tiers.last_failover_ns),
            panic: self.attention() & attention::PANIC != 0,
            retries: tally(tally::RETRIES),
            retries_denied: tally(tally::RETRIES_DENIED),
            waiting: self.waiting() as u64,
            wait_timeouts: tally(tally::WAIT_TIMEOUTS),
            queue_refusals: tally(tally::QUEUE_REFUSALS),
            probes: tally(tally::PROBES),
            probe_timeouts: tally(tally::PROBE_TIMEOUTS),
            affinity_entries: self.sessions_at(now_ns) as u64,
            latency: self.latencies_of_pool(now_ns).map(|counts| LatencyStats::of(&counts)),
            latency_histogram: live.pool_latencies().then(|| LatencyHistogram::of(self.cumulative())),
        }
    }

    /// [`stats`](Self::stats) as the text of Prometheus, format 0.0.4.
    pub fn prometheus(&self) -> String {
        metrics::prometheus(&[self.stats()])
    }

    /// [`stats`](Self::stats) as the text of OpenMetrics 1.0.
    pub fn openmetrics(&self) -> String {
        metrics::openmetrics(&[self.stats()])
    }

    fn figures_of(&self, index: usize, now_ns: u64) -> NodeStats {
        let (node, record, guard) = (self.memory.node(index), self.memory.record(index), self.memory.guard(index));
        let state = node.state();
        let ended = self.ended(index);
        let in_flight = self.memory.in_flight(index);
        let (samples, failures) = self.window(index, now_ns);
        let limit = self.limit_of(index, now_ns);
        let quotas = self.config().quotas.clone();
        let count = |what| u64::from(guard.count(what));
        NodeStats {
            id: record.id().as_str().to_owned(),
            name: record.name().as_str().to_owned(),
            address: record.address().as_str().to_owned(),
            tier: u32::from(node.tier()),
            zone: record.zone().as_str().to_owned(),
            weight: node.weight(),
            health: state.health(),
            health_transitions: count(Count::Transitions),
            success_rate: (samples > 0).then(|| f64::from(samples - failures) / f64::from(samples)),
            breaker: self.breaker_of(index, now_ns),
            breaker_opens: count(Count::BreakerOpens),
            ejected: state.is_ejected(),
            ejections: count(Count::Ejections),
            draining: state.is_draining(),
            drained: self.is_drained(index, now_ns),
            warming: self.warmth(index, now_ns),
            available: state.fit(crate::pool::AVAILABLE_MASK),
            in_flight,
            in_flight_by_process: Vec::new(),
            max_in_flight: if limit == u64::MAX { 0 } else { limit },
            selections: ended.all + in_flight,
            successes: ended.successes(),
            failures: ended.failures(),
            failures_by_kind: ended.by_kind(),
            timeouts: ended.timeouts(),
            rate_limited: ended.rate_limited(),
            cancelled: ended.cancelled(),
            probes: count(Count::Probes),
            checks_ok: count(Count::ChecksPassed),
            checks_failed: count(Count::ChecksFailed),
            latency_ewma_ms: latency::average(node.latency().load(Ordering::Relaxed))
                .map(|ns| ns / NANOS_PER_MS as f64),
            latency: self.latencies_of_node(index, now_ns).map(|counts| LatencyStats::of(&counts)),
            load: node.reported_load(),
            remaining_ratio: node.remaining_ratio(),
            quotas: quotas
                .iter()
                .zip(self.quotas_used(index, &quotas, now_ns))
                .map(|(quota, (used, limit))| QuotaStats { dimension: quota.dimension.clone(), used, limit })
                .collect(),
        }
    }

    /// The breaker of a node, half open once it may be probed.
    pub(crate) fn breaker_of(&self, index: usize, now_ns: u64) -> BreakerState {
        let state = self.memory.node(index).state();
        match state.is_breaker_open() {
            false => BreakerState::Closed,
            true if self.is_half_open(index, now_ns) => BreakerState::HalfOpen,
            true => BreakerState::Open,
        }
    }

    fn ended(&self, index: usize) -> Ended {
        let guard = self.memory.guard(index);
        Ended {
            all: u64::from(self.memory.finished(index)),
            kinds: Count::ENDS.map(|what| u64::from(guard.count(what))),
        }
    }

    /// Picks that ever ended.
    pub(crate) fn ended_in_all(&self) -> u64 {
        let used = self.memory.nodes_used();
        let ended = (0..used).map(|index| u64::from(self.memory.finished(index)));
        self.ended_by_gone().all + ended.sum::<u64>()
    }

    fn ended_by_gone(&self) -> Ended {
        let words = self.memory.pool_words(pool_word::TALLY + tally::GONE, pool_word::TALLY + tally::GONE_END);
        let word = |at: usize| words.get(at).map_or(0, |w| w.load(Ordering::Relaxed));
        Ended { all: word(0), kinds: std::array::from_fn(|at| word(at + 1)) }
    }

    /// Keeps what ended on a node that left, so that the pool's totals do not fall when its index is used again.
    pub(crate) fn keep_counts(&self, index: usize) {
        let ended = self.ended(index);
        let words = self.memory.pool_words(pool_word::TALLY + tally::GONE, pool_word::TALLY + tally::GONE_END);
        for (word, n) in words.iter().zip(std::iter::once(ended.all).chain(ended.kinds)) {
            word.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// That nodes name no dimension of quotas that the pool does not have.
    pub(crate) fn check_quotas(&self, specs: &[NodeSpec]) -> Result<(), Error> {
        let config = self.config();
        for (at, spec) in specs.iter().enumerate() {
            let unknown = spec.quotas.keys().find(|name| config.quotas.iter().all(|q| &&q.dimension != name));
            if let Some(name) = unknown {
                let key = format!("nodes[{at}].quotas.{name}");
                return Err(ConfigError::new(key, 0, "no quota of the pool has this dimension").into());
            }
        }
        Ok(())
    }

    /// Takes up whether anybody wants to hear of every selection.
    pub(crate) fn renew_watch(&self) {
        // One that cannot be made known now is with the next plan.
        let building = self.enter();
        if matches!(building, Err(StateError::ReadOnly | StateError::TooManyProcesses)) {
            return;
        }
        self.note_watch();
        if building.is_ok() {
            self.publish(&self.members(), &self.steps());
        }
    }
}
