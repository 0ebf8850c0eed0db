//! From a plan to a node: each rule of a pool in a few lines over the candidates.
//!
//! A rule is a type, so that the usual way from request to lease is compiled for it alone; later steps of a chain, and
//! requests with conditions beside health, go by number.

use super::decision::{Condition, Decision, PoolCandidates, has_smaller_share};
use super::rating::{Bounded, Load, Random as RandomCost, Remaining, Share, Strained};
use crate::plan::ketama;
use crate::plan::reciprocal::modulo;
use crate::plan::step::{SCAN_MAX, Step};
use crate::state::layout::plan_word::{
    CYCLE_PHASE, CYCLE_RECIPROCAL, SCHEDULE_LEN, SCHEDULE_PHASE, SCHEDULE_RECIPROCAL, TABLE_SIZE, WEIGHT_SUM,
};
use crate::strategy::candidates::{Alias, Candidates, Uniform};
use crate::strategy::draw::{Scan, draw_fit, draw_once, scan_fit};
use crate::strategy::hashing::{Bound, scan};
use crate::strategy::ring_hash::{self, RingTable};
use crate::strategy::told::{Score, Told};
use crate::strategy::{
    adaptive, least, maglev, most_available, rank_load, rendezvous, round_robin, two_choices, weighted_round_robin,
};
use crate::vocabulary::hash::key_hash;
use crate::vocabulary::rng::Draws;

/// A rule over the candidates of a decision.
pub(crate) trait Rule {
    /// Whether picks and their ends keep hints for it, where the plan says so.
    const MAY_KEEP_INDEX: bool = false;

    /// The turn that a decision uses up, or where its draws begin. `whole`: there are no conditions beside health.
    #[inline(always)]
    fn number(d: Decision<'_>, _whole: bool) -> u64 {
        d.draws_from()
    }

    /// What [`choose`](Self::choose) chooses for a request without conditions where nothing is out of the ordinary, in
    /// few instructions and without a call; `None`: that has to be asked, with the same number.
    #[inline(always)]
    fn at_once(_d: Decision<'_>, _number: u64) -> Option<usize> {
        None
    }

    /// The rule with its parameter (see [`Step`]).
    fn choose<F: Condition>(d: Decision<'_>, number: u64, parameter: f64, view: PoolCandidates<'_, F>)
    -> Option<usize>;

    /// How the rule rates a candidate that it need not have looked at; `None` if it rates nobody.
    fn score(_d: Decision<'_>, _parameter: f64, _c: usize) -> Option<Score> {
        None
    }
}

/// `$body`, in which `$R` is the type of a rule's number.
macro_rules! by_rule {
    ($rule:expr, $R:ident => $body:expr) => {{
        use $crate::plan::step::Rule as Number;
        use $crate::pool::choose as rules;
        match $rule {
            Number::RoundRobin => {
                type $R = rules::RoundRobin;
                $body
            }
            Number::WeightedRoundRobin => {
                type $R = rules::WeightedRoundRobin;
                $body
            }
            Number::Random => {
                type $R = rules::Random;
                $body
            }
            Number::WeightedRandom => {
                type $R = rules::WeightedRandom;
                $body
            }
            Number::LeastLoad => {
                type $R = rules::LeastLoad;
                $body
            }
            Number::LeastRequest => {
                type $R = rules::LeastRequest<false>;
                $body
            }
            Number::LeastRequestExact => {
                type $R = rules::LeastRequest<true>;
                $body
            }
            Number::P2cInFlight => {
                type $R = rules::P2cInFlight;
                $body
            }
            Number::P2cReported => {
                type $R = rules::P2cReported;
                $body
            }
            Number::P2cPeakEwma | Number::PeakEwma => {
                type $R = rules::PeakEwma;
                $body
            }
            Number::RingHash => {
                type $R = rules::RingHash<false>;
                $body
            }
            Number::RingHashNginx => {
                type $R = rules::RingHash<true>;
                $body
            }
            Number::Maglev => {
                type $R = rules::Maglev;
                $body
            }
            Number::Rendezvous => {
                type $R = rules::Rendezvous;
                $body
            }
            Number::MostAvailable => {
                type $R = rules::MostAvailable;
                $body
            }
            Number::Adaptive => {
                type $R = rules::Adaptive;
                $body
            }
            Number::Fastest => {
                type $R = rules::Fastest;
                $body
            }
            Number::ReportedLoad => {
                type $R = rules::WeightedRoundRobin;
                $body
            }
            Number::Custom => {
                type $R = rules::Custom;
                $body
            }
        }
    }};
}
pub(crate) use by_rule;

impl<'a> Decision<'a> {
    /// The chain from step `from` on.
    pub(crate) fn chain<F: Condition>(self, from: usize, view: PoolCandidates<'_, F>) -> Option<usize> {
        (from..self.lead.steps()).find_map(|i| {
            let Step { rule, parameter } = self.plan.step(i)?;
            view.tell(|| Told::Begun { group: self.group, step: i });
            by_rule!(rule, R => self.apply::<R>(parameter, view))
        })
    }

    #[inline(never)]
    fn apply<R: Rule>(self, parameter: f64, view: PoolCandidates<'_, impl Condition>) -> Option<usize> {
        R::choose(self, R::number(self, view.is_whole()), parameter, view)
    }

    /// The fit members alike.
    #[inline(always)]
    fn evenly(self) -> Uniform<impl Fn(usize) -> usize + Copy + 'a> {
        let fit = self.plan.fit();
        Uniform(self.lead.fit(), move |i| usize::from(fit.get(i)))
    }

    /// The fit members by weight.
    #[inline(always)]
    fn by_weight(self) -> Alias<impl Fn(usize) -> u64 + Copy + 'a> {
        let plan = self.plan;
        Alias(self.lead.fit(), move |i| plan.alias(i))
    }

    fn draw_by_weight(self, start: u64, view: impl Candidates) -> Option<usize> {
        self.drawing(start, |draws| draw_fit(view, self.by_weight(), draws, Scan::ByWeight))
    }

    #[inline(always)]
    fn bound(self, factor: f64) -> Option<Bound> {
        (factor >= 1.0).then(|| Bound {
            factor,
            total: self.memory.total_in_flight(),
            weight_sum: self.plan.word(WEIGHT_SUM),
        })
    }

    /// A candidate under a bounded load, if there is one.
    fn bounded(self, factor: f64, c: usize) -> Option<Bounded> {
        let most = self.bound(factor)?.most(self.node(c).weight());
        Some(Bounded { in_flight: self.memory.in_flight(c), most })
    }

    /// Hash rules draw for requests without a key.
    #[inline(always)]
    fn number_of_key(self) -> u64 {
        if self.request.key.is_some() { 0 } else { self.draws_from() }
    }

    /// A key's first owner, if it may take it.
    #[inline(always)]
    fn takes(self, c: usize) -> bool {
        self.available().fit(c)
            && self
                .bound(self.plan.parameter(0))
                .is_none_or(|bound| bound.has_room(self.node(c).weight(), self.memory.in_flight(c)))
    }
}

pub(crate) struct Random;

impl Rule for Random {
    #[inline(always)]
    fn at_once(d: Decision<'_>, start: u64) -> Option<usize> {
        draw_once(d.available(), d.evenly(), Draws::resume(start))
    }

    fn choose<F: Condition>(d: Decision<'_>, start: u64, _: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        d.drawing(start, |draws| draw_fit(view, d.evenly(), draws, Scan::Evenly))
    }
}

pub(crate) struct WeightedRandom;

impl Rule for WeightedRandom {
    #[inline(always)]
    fn at_once(d: Decision<'_>, start: u64) -> Option<usize> {
        draw_once(d.available(), d.by_weight(), Draws::resume(start))
    }

    fn choose<F: Condition>(d: Decision<'_>, start: u64, _: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        d.draw_by_weight(start, view)
    }
}

pub(crate) struct RoundRobin;

impl RoundRobin {
    #[inline(always)]
    fn candidate(d: Decision<'_>, turn: u64) -> usize {
        let turn = turn.wrapping_add(d.plan.word(CYCLE_PHASE));
        usize::from(d.plan.fit().get(modulo(turn, d.lead.fit() as u64, d.plan.word(CYCLE_RECIPROCAL)) as usize))
    }
}

impl Rule for RoundRobin {
    #[inline(always)]
    fn number(d: Decision<'_>, _: bool) -> u64 {
        if d.lead.fit() == 0 { d.draws_from() } else { d.turn() }
    }

    #[inline(always)]
    fn at_once(d: Decision<'_>, turn: u64) -> Option<usize> {
        let c = Self::candidate(d, turn);
        (d.lead.fit() != 0 && d.available().fit(c)).then_some(c)
    }

    fn choose<F: Condition>(d: Decision<'_>, turn: u64, _: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        if d.lead.fit() == 0 {
            // The plan was built when nobody was fit: whoever is by now.
            return d.drawing(turn, |draws| scan_fit(view, draws, Scan::Evenly, None));
        }
        round_robin::take_turn(view, Self::candidate(d, turn), turn, d.evenly())
    }
}

pub(crate) struct WeightedRoundRobin;

impl WeightedRoundRobin {
    /// Whether a request takes a turn. Conditions would tear holes into the cycle: such requests draw by weight.
    #[inline(always)]
    fn takes_turn(d: Decision<'_>, whole: bool) -> bool {
        whole && d.plan.word(SCHEDULE_LEN) != 0
    }

    #[inline(always)]
    fn candidate(d: Decision<'_>, turn: u64) -> usize {
        let turn = turn.wrapping_add(d.plan.word(SCHEDULE_PHASE));
        let at = modulo(turn, d.plan.word(SCHEDULE_LEN), d.plan.word(SCHEDULE_RECIPROCAL));
        usize::from(d.plan.schedule().get(at as usize))
    }
}

impl Rule for WeightedRoundRobin {
    #[inline(always)]
    fn number(d: Decision<'_>, whole: bool) -> u64 {
        if Self::takes_turn(d, whole) { d.turn() } else { d.draws_from() }
    }

    #[inline(always)]
    fn at_once(d: Decision<'_>, turn: u64) -> Option<usize> {
        let c = Self::candidate(d, turn);
        (Self::takes_turn(d, true) && d.available().fit(c)).then_some(c)
    }

    fn choose<F: Condition>(d: Decision<'_>, turn: u64, _: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        if !Self::takes_turn(d, view.is_whole()) {
            return d.draw_by_weight(turn, view);
        }
        weighted_round_robin::take_turn(view, Self::candidate(d, turn), turn, d.by_weight())
    }
}

pub(crate) struct P2cInFlight;

impl Rule for P2cInFlight {
    #[inline(always)]
    fn at_once(d: Decision<'_>, start: u64) -> Option<usize> {
        let mut draws = Draws::resume(start);
        // Compared without the decision: one that is referred to would be stored, field by field, on the way of each pick.
        let memory = d.memory;
        if d.lead.weighted() {
            let better = move |a, b| has_smaller_share(memory, b, a);
            return two_choices::by_weight_at_once(d.available(), d.by_weight(), draws, better);
        }
        two_choices::evenly_at_once(d.available(), d.evenly(), &mut draws, move |a, b| memory.has_fewer_in_flight(b, a))
    }

    fn choose<F: Condition>(d: Decision<'_>, start: u64, _: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        let share = |c| view.rated(c, d.share(c));
        d.drawing(start, |draws| {
            if d.lead.weighted() {
                let better = |a, b| share(b).compare(share(a)).is_lt();
                return two_choices::by_weight(view, d.by_weight(), draws, better);
            }
            // Weights are alike, and need not be read to compare.
            let in_flight = |c| {
                let in_flight = d.memory.in_flight(c);
                view.tell(|| Told::Scored(c, Share { in_flight, weight: d.node(c).weight() }.into()));
                in_flight
            };
            two_choices::evenly(view, d.evenly(), draws, |a, b| in_flight(b) < in_flight(a))
        })
    }

    fn score(d: Decision<'_>, _: f64, c: usize) -> Option<Score> {
        Some(d.share(c).into())
    }
}

pub(crate) struct P2cReported;

impl Rule for P2cReported {
    #[inline(always)]
    fn at_once(d: Decision<'_>, start: u64) -> Option<usize> {
        two_choices::by_weight_at_once(d.available(), d.by_weight(), Draws::resume(start), |a, b| d.less_reported(a, b))
    }

    fn choose<F: Condition>(d: Decision<'_>, start: u64, _: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        let rank = |c| view.rated(c, d.reported_load(c)).rank();
        d.drawing(start, |draws| two_choices::by_weight(view, d.by_weight(), draws, |a, b| rank(b) < rank(a)))
    }

    fn score(d: Decision<'_>, _: f64, c: usize) -> Option<Score> {
        Some(d.reported_load(c).into())
    }
}

pub(crate) struct LeastRequest<const EXACT: bool>;

impl<const EXACT: bool> LeastRequest<EXACT> {
    #[inline(always)]
    fn scans(members: usize) -> bool {
        EXACT || members <= SCAN_MAX
    }
}

impl<const EXACT: bool> Rule for LeastRequest<EXACT> {
    const MAY_KEEP_INDEX: bool = EXACT;

    #[inline(always)]
    fn at_once(d: Decision<'_>, start: u64) -> Option<usize> {
        if EXACT && d.lead.keeps_index() {
            return d.least_by_index(&mut Draws::resume(start), |_| true);
        }
        if Self::scans(d.lead.members()) { None } else { P2cInFlight::at_once(d, start) }
    }

    fn choose<F: Condition>(d: Decision<'_>, start: u64, parameter: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        if !Self::scans(view.len()) {
            return P2cInFlight::choose(d, start, parameter, view);
        }
        d.drawing(start, |draws| {
            // The least of all that are available is the least of those that the request accepts, if it is one of them.
            let by_index = EXACT && d.lead.keeps_index() && view.is_of_available();
            let accepts = |c| {
                view.tell(|| Told::Drawn(c));
                view.tell(|| Told::Scored(c, d.share(c).into()));
                view.fit(c)
            };
            let found = if by_index { d.least_by_index(draws, accepts) } else { None };
            let share = |c| view.rated(c, d.share(c));
            found.or_else(|| least::choose(view, draws, share, Share::compare))
        })
    }

    fn score(d: Decision<'_>, _: f64, c: usize) -> Option<Score> {
        Some(d.share(c).into())
    }
}

pub(crate) struct LeastLoad;

impl LeastLoad {
    /// What was never reported is 0.
    fn load(d: Decision<'_>, c: usize) -> Load {
        Load(d.node(c).reported_load().unwrap_or(0.0))
    }
}

impl Rule for LeastLoad {
    fn choose<F: Condition>(d: Decision<'_>, start: u64, _: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        let load = |c| rank_load(view.rated(c, Self::load(d, c)).0);
        d.drawing(start, |draws| least::choose(view, draws, load, |a, b| a.cmp(&b)))
    }

    fn score(d: Decision<'_>, _: f64, c: usize) -> Option<Score> {
        Some(Self::load(d, c).into())
    }
}

pub(crate) struct PeakEwma;

impl Rule for PeakEwma {
    #[inline(always)]
    fn at_once(d: Decision<'_>, start: u64) -> Option<usize> {
        let (decay_ns, reference) = (d.plan.parameter(0), d.reference_latency());
        two_choices::by_weight_at_once(d.available(), d.by_weight(), Draws::resume(start), |a, b| {
            d.latency_cost(b, decay_ns, reference).cost() < d.latency_cost(a, decay_ns, reference).cost()
        })
    }

    fn choose<F: Condition>(d: Decision<'_>, start: u64, decay_ns: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        let reference = d.reference_latency();
        let cost = |c| view.rated(c, d.latency_cost(c, decay_ns, reference)).cost();
        d.drawing(start, |draws| two_choices::by_weight(view, d.by_weight(), draws, |a, b| cost(b) < cost(a)))
    }

    fn score(d: Decision<'_>, decay_ns: f64, c: usize) -> Option<Score> {
        Some(d.latency_cost(c, decay_ns, d.reference_latency()).into())
    }
}

pub(crate) struct Adaptive;

impl Rule for Adaptive {
    #[inline(always)]
    fn at_once(d: Decision<'_>, start: u64) -> Option<usize> {
        let (decay_ns, reference) = (d.plan.parameter(0), d.reference_latency());
        two_choices::by_weight_at_once(d.available(), d.by_weight(), Draws::resume(start), |a, b| {
            adaptive::is_better(d.strain(b, decay_ns, reference), d.strain(a, decay_ns, reference))
        })
    }

    fn choose<F: Condition>(d: Decision<'_>, start: u64, decay_ns: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        let reference = d.reference_latency();
        let better = |a, b| {
            let (of_a, of_b) = (d.strain(a, decay_ns, reference), d.strain(b, decay_ns, reference));
            view.rated(a, Strained(of_a, of_b));
            view.rated(b, Strained(of_b, of_a));
            adaptive::is_better(of_b, of_a)
        };
        d.drawing(start, |draws| two_choices::by_weight(view, d.by_weight(), draws, better))
    }

    fn score(d: Decision<'_>, decay_ns: f64, c: usize) -> Option<Score> {
        Some(d.strain(c, decay_ns, d.reference_latency()).into())
    }
}

pub(crate) struct Fastest;

impl Rule for Fastest {
    fn choose<F: Condition>(d: Decision<'_>, start: u64, class_ns: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        let cost = |c| view.rated(c, d.class_cost(c, class_ns)).cost();
        if view.len() <= SCAN_MAX {
            return d.drawing(start, |draws| least::choose(view, draws, cost, |a: f64, b| a.total_cmp(&b)));
        }
        d.drawing(start, |draws| two_choices::by_weight(view, d.by_weight(), draws, |a, b| cost(b) < cost(a)))
    }

    fn score(d: Decision<'_>, class_ns: f64, c: usize) -> Option<Score> {
        Some(d.class_cost(c, class_ns).into())
    }
}

pub(crate) struct MostAvailable;

impl MostAvailable {
    /// What is reported, else what is left of the quotas.
    fn ratio(d: Decision<'_>, c: usize) -> f64 {
        let left = || d.pool.quota_left(c, d.local.now_ns.get());
        d.node(c).remaining_ratio().or_else(left).unwrap_or(1.0)
    }
}

impl Rule for MostAvailable {
    fn choose<F: Condition>(d: Decision<'_>, start: u64, epsilon: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        let ratio = |c| view.rated(c, Remaining(Self::ratio(d, c))).0;
        d.drawing(start, |draws| most_available::choose(view, draws, epsilon, ratio))
    }

    fn score(d: Decision<'_>, _: f64, c: usize) -> Option<Score> {
        Some(Remaining(Self::ratio(d, c)).into())
    }
}

pub(crate) struct Maglev;

impl Maglev {
    #[inline(always)]
    fn slot(d: Decision<'_>) -> (usize, impl Fn(usize) -> usize) {
        let table = d.plan.maglev();
        (d.plan.word(TABLE_SIZE) as usize, move |i| usize::from(table.get(i)))
    }
}

impl Rule for Maglev {
    #[inline(always)]
    fn number(d: Decision<'_>, _: bool) -> u64 {
        d.number_of_key()
    }

    #[inline(always)]
    fn at_once(d: Decision<'_>, _: u64) -> Option<usize> {
        let (size, slot) = Self::slot(d);
        maglev::owner(key_hash(d.request.key?), size, slot).filter(|&c| d.takes(c))
    }

    fn choose<F: Condition>(d: Decision<'_>, start: u64, factor: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        let Some(key) = d.request.key else { return d.draw_by_weight(start, view) };
        let (size, slot) = Self::slot(d);
        maglev::choose(view, key_hash(key), d.lead.hash_weighted(), d.bound(factor), size, slot)
    }

    fn score(d: Decision<'_>, factor: f64, c: usize) -> Option<Score> {
        d.request.key.and(d.bounded(factor, c)).map(Score::from)
    }
}

pub(crate) struct RingHash<const NGINX: bool>;

impl<const NGINX: bool> RingHash<NGINX> {
    #[inline(always)]
    fn ring(d: Decision<'_>) -> RingTable<impl Fn(usize) -> u32, impl Fn(usize) -> u64> {
        let (len, shift) = d.plan.ring();
        RingTable { len, shift, bucket: move |b| d.plan.ring_bucket(b), entry: move |i| d.plan.ring_entry(i) }
    }

    #[inline(always)]
    fn point(key: &[u8], hash: u64) -> u64 {
        if NGINX { ketama::key_point(key) } else { hash }
    }
}

impl<const NGINX: bool> Rule for RingHash<NGINX> {
    #[inline(always)]
    fn number(d: Decision<'_>, _: bool) -> u64 {
        d.number_of_key()
    }

    #[inline(always)]
    fn at_once(d: Decision<'_>, _: u64) -> Option<usize> {
        let key = d.request.key?;
        let point = Self::point(key, if NGINX { 0 } else { key_hash(key) });
        ring_hash::owner(point, &Self::ring(d)).filter(|&c| d.takes(c))
    }

    fn choose<F: Condition>(d: Decision<'_>, start: u64, factor: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        let Some(key) = d.request.key else { return d.draw_by_weight(start, view) };
        let hash = key_hash(key);
        let point = Self::point(key, hash);
        ring_hash::choose(view, point, hash, d.lead.hash_weighted(), d.bound(factor), &Self::ring(d))
    }

    fn score(d: Decision<'_>, factor: f64, c: usize) -> Option<Score> {
        d.request.key.and(d.bounded(factor, c)).map(Score::from)
    }
}

pub(crate) struct Rendezvous;

impl Rule for Rendezvous {
    #[inline(always)]
    fn number(d: Decision<'_>, _: bool) -> u64 {
        d.number_of_key()
    }

    fn choose<F: Condition>(d: Decision<'_>, start: u64, factor: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        let Some(key) = d.request.key else { return d.draw_by_weight(start, view) };
        scan(view, key_hash(key), d.lead.hash_weighted(), d.bound(factor))
    }

    fn score(d: Decision<'_>, factor: f64, c: usize) -> Option<Score> {
        let (node, weight) = (d.node(c), d.node(c).weight());
        let (random, cost) = rendezvous::rating(key_hash(d.request.key?), node.id_mix(), weight);
        let mut score = Score::from(RandomCost { random, cost, weight });
        score.terms.extend(d.bounded(factor, c).into_iter().flat_map(Bounded::terms));
        Some(score)
    }
}

pub(crate) struct Custom;

impl Rule for Custom {
    #[inline(always)]
    fn number(_: Decision<'_>, _: bool) -> u64 {
        0
    }

    fn choose<F: Condition>(d: Decision<'_>, _: u64, _: f64, view: PoolCandidates<'_, F>) -> Option<usize> {
        d.pool.own_strategy.choose(d, view)
    }
}
