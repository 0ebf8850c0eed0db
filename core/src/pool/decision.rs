//! One decision under way: what rules ask for beside the candidates.

use std::cmp::Ordering as Order;

use super::filter::Filter;
use super::rating::{ClassCost, LatencyCost, ReportedLoad, Share};
use super::trace::Trace;
use super::{AVAILABLE_MASK, Pool, Request};
use crate::plan::step::Lead;
use crate::plan::view::PlanView;
use crate::policies::latency;
use crate::state::arena::Table;
use crate::state::layout::pool_word;
use crate::state::local::{Local, Turns};
use crate::state::memory::Memory;
use crate::state::node::{self, NodeWords};
use crate::strategy::adaptive::Strain;
use crate::strategy::candidates::Candidates;
use crate::strategy::fastest;
use crate::strategy::hashing::HashCandidates;
use crate::strategy::told::Told;
use crate::sync::Ordering;
use crate::vocabulary::rng::Draws;

/// Draws that a decision makes unless it has to look for a candidate that is fit.
const DRAWS_USUAL: u64 = 2 + crate::strategy::draw::REDRAWS as u64;
/// The longest block of turns that a thread takes at once.
const BLOCK_MAX: u64 = 64;

/// Small references, handed on by value: see [`Candidates`]. A function that is not compiled into its caller is given
/// the parts instead and makes the decision again, so that the usual way keeps them all in registers.
#[derive(Clone, Copy)]
pub(crate) struct Decision<'a> {
    pub(crate) pool: &'a Pool,
    pub(crate) memory: &'a Memory,
    /// The memory's nodes, so that where they are is looked up once.
    nodes: Table<{ node::WORDS }>,
    pub(crate) request: &'a Request<'a>,
    pub(crate) plan: PlanView<'a>,
    pub(crate) lead: Lead,
    pub(crate) generation: u64,
    pub(crate) local: &'a Local,
    /// The group of members whose tables the rule reads; 0 has all.
    pub(crate) group: usize,
    /// Where reasons are asked for: what listens to them.
    pub(crate) trace: Option<&'a Trace>,
}

impl<'a> Decision<'a> {
    #[inline(always)]
    pub(crate) fn new(pool: &'a Pool, request: &'a Request<'a>, lead: Lead, generation: u64, local: &'a Local) -> Self {
        let (memory, plan) = (&*pool.memory, pool.plan_at(generation));
        Self { pool, memory, nodes: memory.nodes(), request, plan, lead, generation, local, group: 0, trace: None }
    }

    /// The same decision with somebody who listens.
    pub(crate) fn traced(self, trace: &'a Trace) -> Self {
        Self { trace: Some(trace), ..self }
    }

    /// The same decision among the members of a group.
    pub(crate) fn in_group(self, group: usize) -> Self {
        let plan = PlanView(self.memory.group(self.generation, group));
        Self { plan, lead: plan.lead(), group, ..self }
    }

    /// Whether nothing is to change.
    pub(crate) fn is_dry(self) -> bool {
        self.trace.is_some_and(|trace| trace.dry)
    }

    /// All members as candidates of a plain request.
    #[inline(always)]
    pub(crate) fn available(self) -> PoolCandidates<'a, Any> {
        PoolCandidates { decision: self, mask: AVAILABLE_MASK, filter: Any }
    }

    #[inline(always)]
    pub(crate) fn node(&self, c: usize) -> NodeWords<'_> {
        NodeWords(self.nodes.block(c))
    }

    /// All members as candidates; `filter`: conditions beside health.
    #[inline(always)]
    pub(crate) fn candidates<F: Condition>(self, filter: F) -> PoolCandidates<'a, F> {
        self.candidates_in(self.request.mask(), filter)
    }

    /// All members as candidates where `mask` allows their states.
    #[inline(always)]
    pub(crate) fn candidates_in<F: Condition>(self, mask: u64, filter: F) -> PoolCandidates<'a, F> {
        PoolCandidates { decision: self, mask, filter }
    }

    /// Where this decision's draws begin; uses them up.
    #[inline(always)]
    pub(crate) fn draws_from(self) -> u64 {
        let Some(seed) = self.pool.seed else {
            let start = self.local.stream.get();
            self.local.stream.set(Draws::ahead(start, DRAWS_USUAL));
            if let Some(trace) = self.trace {
                trace.drew_from(start);
            }
            return start;
        };
        let draws = self.memory.pool(pool_word::DRAWS);
        let count = match self.trace {
            None => draws.fetch_add(1, Ordering::Relaxed),
            Some(trace) => trace.draw(draws),
        };
        Draws::seeded(seed, count).state()
    }

    /// Calls `rule` with the draws that begin at `start`, any number of them.
    #[inline(always)]
    pub(crate) fn drawing<R>(self, start: u64, rule: impl FnOnce(&mut Draws) -> R) -> R {
        let mut draws = Draws::resume(start);
        let chosen = rule(&mut draws);
        if self.pool.seed.is_none() {
            self.local.stream.set(draws.state());
        }
        chosen
    }

    /// The next turn of the pool's cursor.
    #[inline(always)]
    pub(crate) fn turn(self) -> u64 {
        let cursor = self.memory.cursor(self.group);
        // A thread's block of turns is of the cursor of all members.
        let in_blocks = self.pool.seed.is_none() && self.group == 0;
        if let Some(trace) = self.trace {
            return trace.turn(cursor, self.group, in_blocks.then_some(&self.local.turns));
        }
        if !in_blocks {
            return cursor.fetch_add(1, Ordering::Relaxed);
        }
        self.local.turns.take(|block| cursor.fetch_add(block, Ordering::Relaxed))
    }

    #[inline(always)]
    pub(crate) fn share(self, c: usize) -> Share {
        Share { in_flight: self.memory.in_flight(c), weight: self.node(c).weight() }
    }

    /// What was never reported is 0.
    #[inline(always)]
    pub(crate) fn reported_load(self, c: usize) -> ReportedLoad {
        let node = self.node(c);
        ReportedLoad { load: node.reported_load().unwrap_or(0.0), weight: node.weight() }
    }

    /// Whether b reported less load than a, each for its weight.
    #[inline(always)]
    pub(crate) fn less_reported(self, a: usize, b: usize) -> bool {
        self.reported_load(b).rank() < self.reported_load(a).rank()
    }

    #[inline(always)]
    pub(crate) fn latency_cost(self, c: usize, decay_ns: f64, reference_ns: f64) -> LatencyCost {
        let node = self.node(c);
        let word = node.latency().load(Ordering::Relaxed);
        LatencyCost {
            word,
            average_ns: latency::read(word, self.local.now_ns.get(), decay_ns, reference_ns),
            in_flight: self.memory.in_flight(c),
            weight: node.weight(),
        }
    }

    /// How strained a node is, as `adaptive` weighs it.
    #[inline(always)]
    pub(crate) fn strain(self, c: usize, decay_ns: f64, reference_ns: f64) -> Strain {
        let node = self.node(c);
        let average =
            latency::read(node.latency().load(Ordering::Relaxed), self.local.now_ns.get(), decay_ns, reference_ns);
        let tail = f64::from_bits(node.tail_latency().load(Ordering::Relaxed));
        Strain {
            connections: (self.memory.in_flight(c) as f64 + 1.0) / f64::from(node.weight().max(1)),
            latency: if tail > 0.0 { (average + tail) / 2.0 } else { average },
            errors: f64::from_bits(node.failure_share().load(Ordering::Relaxed)),
        }
    }

    /// The class of a node's average, halved while it is idle.
    pub(crate) fn class_cost(self, c: usize, class_ns: f64) -> ClassCost {
        let node = self.node(c);
        let class = fastest::class(
            node.latency().load(Ordering::Relaxed),
            self.local.now_ns.get(),
            class_ns,
            self.reference_latency(),
        );
        ClassCost { class, in_flight: self.memory.in_flight(c), weight: node.weight() }
    }

    #[inline(always)]
    pub(crate) fn reference_latency(self) -> f64 {
        match self.memory.pool(pool_word::MEDIAN_LATENCY).load(Ordering::Relaxed) {
            0 => latency::DEFAULT_NS,
            bits => f64::from_bits(bits),
        }
    }
}

/// Whether b has fewer in flight than a, each for its weight.
#[inline(always)]
pub(crate) fn has_smaller_share(memory: &Memory, b: usize, a: usize) -> bool {
    let share = |c| Share { in_flight: memory.in_flight(c), weight: memory.node(c).weight() };
    share(b).compare(share(a)) == Order::Less
}

/// A condition on candidates beside health.
pub(crate) trait Condition: Copy {
    /// Whether the request asks for nothing: its turn in a cycle is used up, whoever takes it.
    fn is_whole(&self) -> bool;

    fn accepts(&self, pool: &Pool, c: usize) -> bool;

    /// Whether the request may take node `c` where `mask` allows its state.
    #[inline(always)]
    fn fits(&self, d: Decision<'_>, mask: u64, c: usize) -> bool {
        d.node(c).state().fit(mask) && self.accepts(d.pool, c)
    }

    /// See [`Candidates::tell`].
    #[inline(always)]
    fn hear(&self, _: impl FnOnce() -> Told) {}
}

/// No condition.
#[derive(Clone, Copy)]
pub(crate) struct Any;

impl Condition for Any {
    #[inline(always)]
    fn is_whole(&self) -> bool {
        true
    }

    #[inline(always)]
    fn accepts(&self, _: &Pool, _: usize) -> bool {
        true
    }
}

impl Condition for &Filter<'_> {
    fn is_whole(&self) -> bool {
        false
    }

    fn accepts(&self, pool: &Pool, c: usize) -> bool {
        !self.excludes(c) && self.matches(pool, c)
    }
}

/// The nodes of a plan as candidates, their numbers being node indices.
#[derive(Clone, Copy)]
pub(crate) struct PoolCandidates<'a, F> {
    decision: Decision<'a>,
    mask: u64,
    filter: F,
}

impl<F: Condition> PoolCandidates<'_, F> {
    /// Whether the request asks for no more than an available node.
    #[inline(always)]
    pub(crate) fn is_whole(&self) -> bool {
        self.filter.is_whole()
    }

    /// Whether only members that are available may be taken, of all there are.
    #[inline(always)]
    pub(crate) fn is_of_available(&self) -> bool {
        self.mask & !AVAILABLE_MASK == 0 && self.decision.group == 0
    }
}

impl<F: Condition> Candidates for PoolCandidates<'_, F> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.decision.lead.members()
    }

    #[inline(always)]
    fn at(&self, position: usize) -> usize {
        usize::from(self.decision.plan.members().get(position))
    }

    #[inline(always)]
    fn for_each(&self, mut f: impl FnMut(usize)) {
        self.decision.plan.members().for_each(self.len(), |c| f(usize::from(c)));
    }

    #[inline(always)]
    fn fit(&self, c: usize) -> bool {
        self.filter.fits(self.decision, self.mask, c)
    }

    #[inline(always)]
    fn weight(&self, c: usize) -> u32 {
        self.decision.node(c).weight()
    }

    #[inline(always)]
    fn tell(&self, told: impl FnOnce() -> Told) {
        self.filter.hear(told);
    }
}

impl<F: Condition> HashCandidates for PoolCandidates<'_, F> {
    #[inline(always)]
    fn id_mix(&self, c: usize) -> u64 {
        self.decision.node(c).id_mix()
    }

    #[inline(always)]
    fn in_flight(&self, c: usize) -> u64 {
        self.decision.memory.in_flight(c)
    }
}

impl Turns {
    /// The next turn of a thread that takes them in blocks: doubled, up to 64, while others took turns since its last
    /// block, halved when nobody did. Alone, a thread takes them one by one, and so it does the first four times: turns
    /// that a short-lived thread takes and never uses would be missed by the same nodes again and again.
    #[inline(always)]
    pub(super) fn take(&self, fetch_add: impl FnOnce(u64) -> u64) -> u64 {
        let next = self.next.get();
        if next != self.end.get() {
            self.next.set(next.wrapping_add(1));
            return next;
        }
        let eighths = self.block_eighths.get().max(1);
        let block = (eighths / 8).max(1);
        let start = fetch_add(block);
        let alone = start == self.end.get();
        self.block_eighths.set(if alone { eighths / 2 } else { (eighths * 2).min(8 * BLOCK_MAX) });
        self.next.set(start.wrapping_add(1));
        self.end.set(start.wrapping_add(block));
        start
    }
}
