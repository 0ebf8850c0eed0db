//! From a plan to a node: the chain of rules, each in a few lines over the candidates.

use std::cell::Cell;
use std::cmp::Ordering as Order;

use super::filter::{Filter, PoolCandidates};
use super::{Pool, Request};
use crate::plan::ketama;
use crate::plan::reciprocal::modulo;
use crate::plan::step::{Rule, Step};
use crate::plan::view::{Flags, PlanView};
use crate::policies::latency;
use crate::state::layout::plan_word::{
    CYCLE_PHASE, CYCLE_RECIPROCAL, SCHEDULE_LEN, SCHEDULE_PHASE, SCHEDULE_RECIPROCAL, TABLE_SIZE, WEIGHT_SUM,
};
use crate::state::layout::{SCHEDULE_MAX, pool_word};
use crate::state::local::{Local, Turns};
use crate::strategy::candidates::{Alias, Uniform};
use crate::strategy::draw::{Scan, draw_fit, scan_fit};
use crate::strategy::hashing::{Bound, scan};
use crate::strategy::ring_hash::{self, RingTable};
use crate::strategy::{
    compare_loads, least, maglev, most_available, rendezvous, round_robin, two_choices, weighted_round_robin,
};
use crate::sync::Ordering;
use crate::vocabulary::hash::key_hash;
use crate::vocabulary::rng::Draws;

/// Up to this many nodes `least_request` compares all.
const SCAN_MAX: usize = 16;
/// The longest block of turns that a thread takes at once.
const BLOCK_MAX: u64 = 64;

/// One decision under way.
pub(crate) struct Decision<'a> {
    pub(crate) pool: &'a Pool,
    pub(crate) request: &'a Request<'a>,
    pub(crate) plan: PlanView<'a>,
    pub(crate) generation: u64,
    pub(crate) flags: Flags,
    pub(crate) local: &'a Local,
    /// 0 where no rule needs it.
    pub(crate) now_ns: u64,
    /// Whether an own strategy panicked, or chose what it may not.
    pub(crate) failed: Cell<bool>,
}

impl Decision<'_> {
    /// The first step's node, else the next one's. `filter`: conditions beside health.
    #[inline(always)]
    pub(crate) fn choose(&self, filter: Option<&Filter<'_>>) -> Option<usize> {
        let (members, fit) = self.plan.counts();
        let nodes_max = self.pool.memory.nodes_max();
        let view = PoolCandidates {
            pool: self.pool,
            members: self.plan.members(),
            len: members.min(nodes_max),
            mask: self.request.mask(),
            filter,
        };
        let fit = fit.min(nodes_max);
        let first = self.apply(self.plan.step(0)?, &view, fit);
        if first.is_some() || self.flags.steps() <= 1 {
            return first;
        }
        (1..self.flags.steps()).find_map(|i| self.apply(self.plan.step(i)?, &view, fit))
    }

    #[inline(always)]
    fn apply(&self, step: Step, view: &PoolCandidates<'_>, fit: usize) -> Option<usize> {
        let memory = &*self.pool.memory;
        let fit_nodes = self.plan.fit();
        let evenly = Uniform(fit, |i| usize::from(fit_nodes.get(i)));
        let by_weight = Alias(fit, |i| self.plan.alias(i));
        match step.rule {
            Rule::Random => draw_fit(view, &evenly, &mut self.draws(), Scan::Evenly),
            Rule::WeightedRandom => draw_fit(view, &by_weight, &mut self.draws(), Scan::ByWeight),
            Rule::RoundRobin => {
                if fit == 0 {
                    return scan_fit(view, &mut self.draws(), Scan::Evenly, None);
                }
                let turn = self.turn();
                let at = modulo(
                    turn.wrapping_add(self.plan.word(CYCLE_PHASE)),
                    fit as u64,
                    self.plan.word(CYCLE_RECIPROCAL),
                );
                round_robin::take_turn(view, evenly.1(at as usize), turn, &evenly)
            }
            Rule::WeightedRoundRobin => {
                let len = self.plan.word(SCHEDULE_LEN).min(SCHEDULE_MAX as u64);
                if len == 0 || view.filter.is_some() {
                    return draw_fit(view, &by_weight, &mut self.draws(), Scan::ByWeight);
                }
                let turn = self.turn();
                let at =
                    modulo(turn.wrapping_add(self.plan.word(SCHEDULE_PHASE)), len, self.plan.word(SCHEDULE_RECIPROCAL));
                let c = usize::from(self.plan.schedule().get(at as usize));
                weighted_round_robin::take_turn(view, c, turn, &by_weight)
            }
            Rule::P2cInFlight => {
                let mut draws = self.draws();
                if self.flags.weighted() {
                    two_choices::choose(view, &by_weight, &mut draws, Scan::ByWeight, |a, b| self.fewer_in_flight(a, b))
                } else {
                    let fewer = |a, b| memory.in_flight(b) < memory.in_flight(a);
                    two_choices::choose(view, &evenly, &mut draws, Scan::Evenly, fewer)
                }
            }
            Rule::LeastRequest if view.len > SCAN_MAX => {
                let fewer = |a, b| self.fewer_in_flight(a, b);
                two_choices::choose(view, &by_weight, &mut self.draws(), Scan::ByWeight, fewer)
            }
            Rule::LeastRequest | Rule::LeastRequestExact => {
                least::choose(view, &mut self.draws(), |a, b| self.compare_in_flight(a, b))
            }
            Rule::P2cReported => {
                let less = |a, b| self.compare_reported(b, a) == Order::Less;
                two_choices::choose(view, &by_weight, &mut self.draws(), Scan::ByWeight, less)
            }
            Rule::LeastLoad => {
                let load = |c| memory.node(c).reported_load().unwrap_or(0.0);
                least::choose(view, &mut self.draws(), |a, b| compare_loads(load(a), load(b)))
            }
            Rule::P2cPeakEwma | Rule::PeakEwma => {
                let reference = self.reference_latency();
                let cheaper = |a, b| self.latency_cost(b, step, reference) < self.latency_cost(a, step, reference);
                two_choices::choose(view, &by_weight, &mut self.draws(), Scan::ByWeight, cheaper)
            }
            Rule::MostAvailable => {
                let ratio = |c| memory.node(c).remaining_ratio().unwrap_or(1.0);
                most_available::choose(view, &mut self.draws(), step.parameter, ratio)
            }
            Rule::Maglev | Rule::RingHash | Rule::RingHashNginx | Rule::Rendezvous => match self.request.key {
                Some(key) => self.by_key(step, view, key),
                None => draw_fit(view, &by_weight, &mut self.draws(), Scan::ByWeight),
            },
            Rule::Custom => self.pool.own_strategy.choose(self, view),
        }
    }

    #[inline(always)]
    fn by_key(&self, step: Step, view: &PoolCandidates<'_>, key: &[u8]) -> Option<usize> {
        let memory = &*self.pool.memory;
        let hash = key_hash(key);
        let weighted = self.flags.hash_weighted();
        let bound = step.bound().map(|factor| Bound {
            factor,
            total: memory.total_in_flight(),
            weight_sum: self.plan.word(WEIGHT_SUM),
        });
        match step.rule {
            Rule::Maglev => {
                let table = self.plan.maglev();
                let size = (self.plan.word(TABLE_SIZE) as usize).min(memory.layout.limits.max_table_size as usize);
                maglev::choose(view, hash, weighted, bound, size, |i| usize::from(table.get(i)))
            }
            Rule::RingHash | Rule::RingHashNginx => {
                let (len, shift) = self.plan.ring();
                let ring = RingTable {
                    len: len.min(memory.layout.plan.ring.len()),
                    shift,
                    bucket: |b| self.plan.ring_bucket(b),
                    entry: |i| self.plan.ring_entry(i),
                };
                let point = if step.rule == Rule::RingHashNginx { ketama::key_point(key) } else { hash };
                ring_hash::choose(view, point, hash, weighted, bound, &ring)
            }
            _ if bound.is_some() => scan(view, hash, weighted, bound),
            _ => {
                use crate::strategy::candidates::Candidates;
                rendezvous::highest(view, hash, weighted, |c| view.fit(c))
            }
        }
    }

    /// The random stream of this decision.
    #[inline(always)]
    fn draws(&self) -> Draws {
        match self.pool.settings.seed {
            None => Draws::of_thread(),
            Some(seed) => {
                let count = self.pool.memory.pool(pool_word::DRAWS).fetch_add(1, Ordering::Relaxed);
                Draws::seeded(seed, count)
            }
        }
    }

    /// The next turn of the pool's cursor.
    #[inline(always)]
    fn turn(&self) -> u64 {
        let cursor = self.pool.memory.pool(pool_word::CURSOR);
        if self.pool.settings.seed.is_some() {
            return cursor.fetch_add(1, Ordering::Relaxed);
        }
        self.local.turns.take(|block| cursor.fetch_add(block, Ordering::Relaxed))
    }

    /// Whether b has fewer in flight than a, each for its weight: cross-multiplied, since both are integers.
    #[inline(always)]
    fn fewer_in_flight(&self, a: usize, b: usize) -> bool {
        self.compare_in_flight(b, a) == Order::Less
    }

    #[inline(always)]
    fn compare_in_flight(&self, a: usize, b: usize) -> Order {
        let memory = &*self.pool.memory;
        let (weight_a, weight_b) = (memory.node(a).weight(), memory.node(b).weight());
        let left = memory.in_flight(a).wrapping_mul(u64::from(weight_b));
        left.cmp(&memory.in_flight(b).wrapping_mul(u64::from(weight_a)))
    }

    /// Reported load for the weight; what was never reported is 0.
    fn compare_reported(&self, a: usize, b: usize) -> Order {
        let load = |c| {
            let node = self.pool.memory.node(c);
            node.reported_load().unwrap_or(0.0) / f64::from(node.weight().max(1))
        };
        compare_loads(load(a), load(b))
    }

    /// average · (1 + in flight/weight)
    #[inline(always)]
    fn latency_cost(&self, c: usize, step: Step, reference_ns: f64) -> f64 {
        let node = self.pool.memory.node(c);
        let average = latency::read(node.latency().load(Ordering::Relaxed), self.now_ns, step.parameter, reference_ns);
        let in_flight = self.pool.memory.in_flight(c) as f64;
        average * (1.0 + in_flight / f64::from(node.weight().max(1)))
    }

    #[inline(always)]
    fn reference_latency(&self) -> f64 {
        match self.pool.memory.pool(pool_word::MEDIAN_LATENCY).load(Ordering::Relaxed) {
            0 => latency::DEFAULT_NS,
            bits => f64::from_bits(bits),
        }
    }
}

impl Turns {
    /// The next turn of a thread that takes them in blocks: doubled, up to 64, while others took turns since its last
    /// block, halved when nobody did. Alone, a thread takes them one by one.
    #[inline(always)]
    fn take(&self, fetch_add: impl FnOnce(u64) -> u64) -> u64 {
        let next = self.next.get();
        if next != self.end.get() {
            self.next.set(next.wrapping_add(1));
            return next;
        }
        let block = self.block.get().max(1);
        let start = fetch_add(block);
        let alone = start == self.end.get();
        self.block.set(if alone { (block / 2).max(1) } else { (block * 2).min(BLOCK_MAX) });
        self.next.set(start.wrapping_add(1));
        self.end.set(start.wrapping_add(block));
        start
    }
}
