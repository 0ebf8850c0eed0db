//! From a plan to a node: each rule of a pool in a few lines over the candidates.
//!
//! A rule is a type, so that the whole way from request to lease is compiled for it alone; later steps of a chain, and
//! requests with conditions beside health, go by number.

use std::cmp::Ordering as Order;

use super::decision::{Condition, Decision, PoolCandidates};
use crate::plan::ketama;
use crate::plan::reciprocal::modulo;
use crate::plan::step::Step;
use crate::state::layout::plan_word::{
    CYCLE_PHASE, CYCLE_RECIPROCAL, SCHEDULE_LEN, SCHEDULE_PHASE, SCHEDULE_RECIPROCAL, TABLE_SIZE, WEIGHT_SUM,
};
use crate::strategy::candidates::{Alias, Candidates, Uniform};
use crate::strategy::draw::{Scan, draw_fit, scan_fit};
use crate::strategy::hashing::{Bound, scan};
use crate::strategy::ring_hash::{self, RingTable};
use crate::strategy::{
    compare_loads, least, maglev, most_available, rendezvous, round_robin, two_choices, weighted_round_robin,
};
use crate::vocabulary::hash::key_hash;

/// Up to this many nodes `least_request` compares all.
const SCAN_MAX: usize = 16;

/// A rule with its parameter (see [`Step`]) over the candidates of a decision.
pub(crate) trait Rule {
    fn choose<F: Condition>(d: Decision<'_>, parameter: f64, view: PoolCandidates<'_, F>) -> Option<usize>;
}

/// Calls `$f::<R>($args)` with the type of a rule's number.
macro_rules! by_rule {
    ($rule:expr, $this:ident.$f:ident($($arg:expr),*)) => {{
        use $crate::plan::step::Rule as Number;
        use $crate::pool::choose as rules;
        match $rule {
            Number::RoundRobin => $this.$f::<rules::RoundRobin>($($arg),*),
            Number::WeightedRoundRobin => $this.$f::<rules::WeightedRoundRobin>($($arg),*),
            Number::Random => $this.$f::<rules::Random>($($arg),*),
            Number::WeightedRandom => $this.$f::<rules::WeightedRandom>($($arg),*),
            Number::LeastLoad => $this.$f::<rules::LeastLoad>($($arg),*),
            Number::LeastRequest => $this.$f::<rules::LeastRequest<false>>($($arg),*),
            Number::LeastRequestExact => $this.$f::<rules::LeastRequest<true>>($($arg),*),
            Number::P2cInFlight => $this.$f::<rules::P2cInFlight>($($arg),*),
            Number::P2cReported => $this.$f::<rules::P2cReported>($($arg),*),
            Number::P2cPeakEwma | Number::PeakEwma => $this.$f::<rules::PeakEwma>($($arg),*),
            Number::RingHash => $this.$f::<rules::RingHash<false>>($($arg),*),
            Number::RingHashNginx => $this.$f::<rules::RingHash<true>>($($arg),*),
            Number::Maglev => $this.$f::<rules::Maglev>($($arg),*),
            Number::Rendezvous => $this.$f::<rules::Rendezvous>($($arg),*),
            Number::MostAvailable => $this.$f::<rules::MostAvailable>($($arg),*),
            Number::Custom => $this.$f::<rules::Custom>($($arg),*),
        }
    }};
}
pub(crate) use by_rule;

impl Decision<'_> {
    /// The chain from step `from` on.
    pub(crate) fn chain<F: Condition>(self, from: usize, view: PoolCandidates<'_, F>) -> Option<usize> {
        (from..self.lead.steps()).find_map(|i| {
            let Step { rule, parameter } = self.plan.step(i)?;
            by_rule!(rule, self.apply(parameter, view))
        })
    }

    #[inline(never)]
    fn apply<R: Rule>(self, parameter: f64, view: PoolCandidates<'_, impl Condition>) -> Option<usize> {
        R::choose(self, parameter, view)
    }

    /// The fit members alike.
    #[inline(always)]
    fn evenly(self) -> Uniform<impl Fn(usize) -> usize + Copy> {
        let fit = self.plan.fit();
        Uniform(self.lead.fit(), move |i| usize::from(fit.get(i)))
    }

    /// The fit members by weight.
    #[inline(always)]
    fn by_weight(self) -> Alias<impl Fn(usize) -> u64 + Copy> {
        let plan = self.plan;
        Alias(self.lead.fit(), move |i| plan.alias(i))
    }

    /// For a plan that was built when nobody was fit: whoever is by now.
    #[inline(always)]
    fn nobody_was_fit(self, view: impl Candidates) -> Option<usize> {
        self.drawing(|draws| {
            let (chosen, rest) = scan_fit(view, draws.clone(), Scan::Evenly, None);
            *draws = rest;
            chosen
        })
    }

    #[inline(always)]
    fn draw_by_weight(self, view: impl Candidates) -> Option<usize> {
        self.drawing(|draws| draw_fit(view, self.by_weight(), draws, Scan::ByWeight))
    }

    #[inline(always)]
    fn two_by_weight(self, view: impl Candidates, better: impl Fn(usize, usize) -> bool) -> Option<usize> {
        self.drawing(|draws| two_choices::choose(view, self.by_weight(), draws, Scan::ByWeight, better))
    }

    #[inline(always)]
    fn bound(self, factor: f64) -> Option<Bound> {
        (factor >= 1.0).then(|| Bound {
            factor,
            total: self.memory.total_in_flight(),
            weight_sum: self.plan.word(WEIGHT_SUM),
        })
    }
}

pub(crate) struct Random;

impl Rule for Random {
    #[inline(always)]
    fn choose<F: Condition>(d: Decision<'_>, _: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        d.drawing(|draws| draw_fit(view, d.evenly(), draws, Scan::Evenly))
    }
}

pub(crate) struct WeightedRandom;

impl Rule for WeightedRandom {
    #[inline(always)]
    fn choose<F: Condition>(d: Decision<'_>, _: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        d.draw_by_weight(view)
    }
}

pub(crate) struct RoundRobin;

impl Rule for RoundRobin {
    #[inline(always)]
    fn choose<F: Condition>(d: Decision<'_>, _: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        let n = d.lead.fit();
        if n == 0 {
            return d.nobody_was_fit(view);
        }
        let turn = d.turn();
        let at = modulo(turn.wrapping_add(d.plan.word(CYCLE_PHASE)), n as u64, d.plan.word(CYCLE_RECIPROCAL));
        round_robin::take_turn(view, usize::from(d.plan.fit().get(at as usize)), turn, d.evenly())
    }
}

pub(crate) struct WeightedRoundRobin;

impl Rule for WeightedRoundRobin {
    #[inline(always)]
    fn choose<F: Condition>(d: Decision<'_>, _: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        let len = d.plan.word(SCHEDULE_LEN);
        // Conditions would tear holes into the cycle: such requests draw by weight and take no turn.
        if len == 0 || !F::VOID {
            return d.draw_by_weight(view);
        }
        let turn = d.turn();
        let at = modulo(turn.wrapping_add(d.plan.word(SCHEDULE_PHASE)), len, d.plan.word(SCHEDULE_RECIPROCAL));
        let c = usize::from(d.plan.schedule().get(at as usize));
        weighted_round_robin::take_turn(view, c, turn, d.by_weight())
    }
}

pub(crate) struct P2cInFlight;

impl Rule for P2cInFlight {
    #[inline(always)]
    fn choose<F: Condition>(d: Decision<'_>, _: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        if d.lead.weighted() {
            return d.two_by_weight(view, |a, b| d.fewer_in_flight(a, b));
        }
        let fewer = |a, b| d.memory.in_flight(b) < d.memory.in_flight(a);
        d.drawing(|draws| two_choices::choose(view, d.evenly(), draws, Scan::Evenly, fewer))
    }
}

pub(crate) struct P2cReported;

impl Rule for P2cReported {
    fn choose<F: Condition>(d: Decision<'_>, _: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        d.two_by_weight(view, |a, b| d.compare_reported(b, a) == Order::Less)
    }
}

pub(crate) struct LeastRequest<const EXACT: bool>;

impl<const EXACT: bool> Rule for LeastRequest<EXACT> {
    #[inline(always)]
    fn choose<F: Condition>(d: Decision<'_>, parameter: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        if !EXACT && view.len() > SCAN_MAX {
            return P2cInFlight::choose(d, parameter, view);
        }
        d.drawing(|draws| least::choose(view, draws, |a, b| d.compare_in_flight(a, b)))
    }
}

pub(crate) struct LeastLoad;

impl Rule for LeastLoad {
    fn choose<F: Condition>(d: Decision<'_>, _: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        let load = |c| d.memory.node(c).reported_load().unwrap_or(0.0);
        d.drawing(|draws| least::choose(view, draws, |a, b| compare_loads(load(a), load(b))))
    }
}

pub(crate) struct PeakEwma;

impl Rule for PeakEwma {
    #[inline(always)]
    fn choose<F: Condition>(d: Decision<'_>, decay_ns: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        let reference = d.reference_latency();
        d.two_by_weight(view, |a, b| d.latency_cost(b, decay_ns, reference) < d.latency_cost(a, decay_ns, reference))
    }
}

pub(crate) struct MostAvailable;

impl Rule for MostAvailable {
    fn choose<F: Condition>(d: Decision<'_>, epsilon: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        let ratio = |c| d.memory.node(c).remaining_ratio().unwrap_or(1.0);
        d.drawing(|draws| most_available::choose(view, draws, epsilon, ratio))
    }
}

pub(crate) struct Maglev;

impl Rule for Maglev {
    #[inline(always)]
    fn choose<F: Condition>(d: Decision<'_>, factor: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        let Some(key) = d.request.key else { return d.draw_by_weight(view) };
        let table = d.plan.maglev();
        let size = d.plan.word(TABLE_SIZE) as usize;
        maglev::choose(view, key_hash(key), d.lead.hash_weighted(), d.bound(factor), size, |i| {
            usize::from(table.get(i))
        })
    }
}

pub(crate) struct RingHash<const NGINX: bool>;

impl<const NGINX: bool> Rule for RingHash<NGINX> {
    #[inline(always)]
    fn choose<F: Condition>(d: Decision<'_>, factor: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        let Some(key) = d.request.key else { return d.draw_by_weight(view) };
        let (len, shift) = d.plan.ring();
        let ring = RingTable { len, shift, bucket: |b| d.plan.ring_bucket(b), entry: |i| d.plan.ring_entry(i) };
        let hash = key_hash(key);
        let point = if NGINX { ketama::key_point(key) } else { hash };
        ring_hash::choose(view, point, hash, d.lead.hash_weighted(), d.bound(factor), &ring)
    }
}

pub(crate) struct Rendezvous;

impl Rule for Rendezvous {
    fn choose<F: Condition>(d: Decision<'_>, factor: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        let Some(key) = d.request.key else { return d.draw_by_weight(view) };
        match d.bound(factor) {
            None => rendezvous::highest(view, key_hash(key), d.lead.hash_weighted(), |c| view.fit(c)),
            bound => scan(view, key_hash(key), d.lead.hash_weighted(), bound),
        }
    }
}

pub(crate) struct Custom;

impl Rule for Custom {
    #[cold]
    fn choose<F: Condition>(d: Decision<'_>, _: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        d.pool.own_strategy.choose(d, view)
    }
}
