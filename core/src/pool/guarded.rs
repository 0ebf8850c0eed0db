//! The way of a pick where more than a rule decides.
//!
//! ```text
//! a probe that is due and that this request may be → that node
//! the session's node, if it may still take it      → that node
//! else, up to 8 times:
//!     group = tier by its share of the traffic, the caller's zone in it
//!     c     = the rule's choice among those that pass: request, limits, quotas, warm-up, split
//!     count c in flight, look at the limits again, reserve the quotas; refused → leave c out
//! ```
//!
//! Limits and quotas are looked at twice: once to choose among those that have room, and once more after having counted,
//! so that they hold to the unit whoever else picks.

use std::cell::Cell;

use arrayvec::ArrayVec;

use super::decision::{Condition, Decision};
use super::filter::Filter;
use super::health::FROM_NOW_ON;
use super::pick::Attempt;
use super::quotas::Costs;
use super::trace::Trace;
use super::{Pool, Request};
use crate::plan::step::Lead;
use crate::policies::{gradient, slow_start};
use crate::state::layout::{attention, plan_word, pool_word, tally};
use crate::state::local::Local;
use crate::state::node::State;
use crate::sync::Ordering;
use crate::vocabulary::hash::key_hash;
use crate::vocabulary::rng::{Draws, mix};
use crate::vocabulary::time::now_ns;

/// Candidates that one pick may find full, after having seen room, before it gives up.
const REFUSALS_MAX: usize = 8;

/// All that one request asks for, beside an available node.
pub(crate) struct Guarding<'a> {
    pub(crate) filter: Option<&'a Filter<'a>>,
    pub(crate) now_ns: u64,
    /// Uniform, and the same for every candidate of the decision; of the key where there is one. 0 where none is needed.
    pub(crate) coin: u64,
    pub(crate) mask: Cell<u64>,
    /// Which split's nodes are wanted; all but those of any split if there are splits and none is.
    pub(crate) split: Cell<Option<Split>>,
    pub(crate) costs: Option<Costs>,
    /// The rule of the adaptive limits, if there are any.
    adaptive: Option<gradient::Settings>,
    exhausted: bool,
    /// Whether candidates without quota are left out of the choice; not before one was met.
    looks_at_quotas: Cell<bool>,
    warming: Cell<bool>,
    /// What it was made in: see [`Pool::fitness`].
    fitness: Cell<Fitness>,
    refused: Cell<Refused>,
    /// Whether the session's own node was chosen.
    pub(crate) sticky: Cell<bool>,
}

/// The part of the traffic that a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Split {
    /// The nodes of this split.
    Of(usize),
    /// Those of none.
    Rest,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Fitness {
    changes: u64,
    is_panic: bool,
}

#[derive(Clone, Copy, Default)]
struct Refused {
    count: usize,
    nodes: [u16; REFUSALS_MAX],
}

impl Condition for &Guarding<'_> {
    fn is_whole(&self) -> bool {
        self.filter.is_none() && self.split.get().is_none()
    }

    fn accepts(&self, pool: &Pool, c: usize) -> bool {
        self.accepts_in(pool, c, None)
    }
}

impl<'a> Guarding<'a> {
    #[inline(always)]
    pub(crate) fn new(pool: &Pool, d: Decision<'a>, filter: Option<&'a Filter<'a>>, now_ns: u64) -> Self {
        let mut guard = Self::looking(pool, d, filter, now_ns);
        let has_groups = d.plan.word(plan_word::GROUPS) != 0;
        if !guard.warming.get() && !has_groups && !pool.live().splits() {
            return guard;
        }
        let coin = match d.request.key {
            Some(key) => mix(key_hash(key)),
            None => Draws::resume(d.draws_from()).next_u64(),
        };
        guard.coin = coin;
        guard.split = Cell::new(pool.split_of(coin));
        guard
    }

    /// Without a coin, for those who only ask who is eligible.
    #[inline(always)]
    pub(crate) fn looking(pool: &Pool, d: Decision<'a>, filter: Option<&'a Filter<'a>>, now_ns: u64) -> Self {
        let request = d.request;
        let fitness = pool.fitness();
        let attention = pool.attention();
        let foreseen = d.trace.and_then(Trace::situation);
        let panic = foreseen.map_or(fitness.is_panic, |situation| situation.panic);
        Self {
            filter,
            now_ns,
            coin: 0,
            mask: Cell::new(mask_of(request, panic)),
            split: Cell::new(None),
            costs: pool.costs_of(request.cost),
            adaptive: pool.adaptive_rule(),
            exhausted: attention & attention::EXHAUSTED != 0,
            looks_at_quotas: Cell::new(false),
            warming: Cell::new(attention & attention::WARMING != 0),
            fitness: Cell::new(fitness),
            refused: Cell::default(),
            sticky: Cell::new(false),
        }
    }

    /// Whether all nodes take the request, as far as it is about panic.
    fn panics(&self, request: &Request<'_>) -> bool {
        self.mask.get() == mask_of(request, true)
    }

    /// Whether a rule may choose `c`, as a decision with this trace finds it.
    #[inline(always)]
    pub(crate) fn accepts_in(&self, pool: &Pool, c: usize, trace: Option<&Trace>) -> bool {
        self.accepts_session(pool, c, trace)
            && !self.has_refused(c)
            && !self.is_too_cold(pool, c, trace)
            && self.is_in_split(pool, c)
    }

    /// What also a session's own node has to pass.
    #[inline(always)]
    pub(crate) fn accepts_session(&self, pool: &Pool, c: usize, trace: Option<&Trace>) -> bool {
        self.accepts_probe(pool, c) && self.has_room(pool, c, trace)
    }

    /// What also a probe has to pass.
    pub(crate) fn accepts_probe(&self, pool: &Pool, c: usize) -> bool {
        self.filter.is_none_or(|f| !f.excludes(c) && f.matches(pool, c))
            && !self.is_exhausted(pool, c)
            && (!self.looks_at_quotas.get() || self.has_quota(pool, c))
    }

    /// The most that `c` may have in flight, as a decision with this trace finds it; `u64::MAX` if that is unlimited.
    #[inline(always)]
    pub(super) fn limit(&self, pool: &Pool, c: usize, trace: Option<&Trace>) -> u64 {
        pool.limit_in(c, self.adaptive.as_ref(), self.now_ns, trace)
    }

    #[inline(always)]
    pub(super) fn has_room(&self, pool: &Pool, c: usize, trace: Option<&Trace>) -> bool {
        let limit = self.limit(pool, c, trace);
        limit == u64::MAX || pool.memory.in_flight(c) < limit
    }

    /// Whether `c` has more in flight than it may, this pick included.
    #[inline(always)]
    fn is_overfull(&self, pool: &Pool, c: usize) -> bool {
        let limit = self.limit(pool, c, None);
        limit != u64::MAX && pool.memory.in_flight(c) > limit
    }

    /// Whether `c` asked to be left out for a while.
    pub(crate) fn is_exhausted(&self, pool: &Pool, c: usize) -> bool {
        self.exhausted && pool.exhausted_until(c) > self.now_ns
    }

    pub(crate) fn has_quota(&self, pool: &Pool, c: usize) -> bool {
        self.costs.as_ref().is_none_or(|costs| pool.has_quota(c, costs, self.now_ns))
    }

    /// Whether `c` warms up and leaves this decision to others.
    #[inline(always)]
    pub(crate) fn is_too_cold(&self, pool: &Pool, c: usize, trace: Option<&Trace>) -> bool {
        self.warming.get() && !pool.accepts_while_warming(c, self.now_ns, self.coin, trace)
    }

    pub(crate) fn is_in_split(&self, pool: &Pool, c: usize) -> bool {
        self.split.get().is_none_or(|split| pool.is_in_split(c, split))
    }

    /// Whether `c` turned out to be full.
    pub(crate) fn has_refused(&self, c: usize) -> bool {
        self.refused.get().has(c)
    }

    /// Whether nobody's fitness changed since, and neither did what follows from it.
    fn is_still(&self, pool: &Pool) -> bool {
        pool.fitness() == self.fitness.get()
    }

    /// Leaves `c` out from now on; whether there is another try.
    fn refuse(&self, c: usize) -> bool {
        let mut refused = self.refused.get();
        let again = refused.count < REFUSALS_MAX;
        if again {
            refused.nodes[refused.count] = c as u16;
            refused.count += 1;
            self.refused.set(refused);
        }
        again
    }
}

impl Refused {
    fn has(self, c: usize) -> bool {
        self.nodes[..self.count].iter().any(|&n| usize::from(n) == c)
    }
}

/// The states in which a node takes a request.
#[inline(always)]
fn mask_of(request: &Request<'_>, panic: bool) -> u64 {
    if panic && request.health_mask == 0 { State::ANY } else { request.mask() }
}

/// What came of counting a candidate in.
pub(super) enum Admission {
    Done(Attempt),
    /// It has no room after all.
    Refused,
    /// The pool has none.
    PoolFull,
    Moved,
}

impl Pool {
    #[inline(always)]
    pub(crate) fn attention(&self) -> u64 {
        self.memory.pool(pool_word::ATTENTION).load(Ordering::Relaxed)
    }

    /// Who is fit, as a count of changes, and what follows from it.
    #[inline(always)]
    fn fitness(&self) -> Fitness {
        let changes = self.memory.pool(pool_word::FITNESS).load(Ordering::Acquire);
        Fitness { changes, is_panic: self.attention() & attention::PANIC != 0 }
    }

    #[inline(never)]
    pub(super) fn attempt_guarded<const LEASE: bool>(
        &self,
        request: &Request<'_>,
        lead: Lead,
        generation: u64,
        local: &Local,
    ) -> Attempt {
        // Limits alone need no time, and 0 would be a lease without one.
        let timed = lead.needs_clock() || self.attention() != 0;
        let now = request.now_ns.unwrap_or_else(|| if timed { now_ns() } else { 1 }).max(1);
        if self.maintain_if_neglected(now) {
            return Attempt::MOVED;
        }
        local.now_ns.set(now);
        let d = Decision::new(self, request, lead, generation, local);
        let filter = Filter::of(self, d);
        let guard = Guarding::new(self, d, filter.as_ref(), now);
        let admit = |index, probe_ns| self.admit::<LEASE>(d, &guard, index, probe_ns);
        self.guarded(d, &guard, &guard, LEASE, admit).with_failure(local)
    }

    /// Finds a node and counts it in by `admit`, which is given the deadline of its probe lease, 0 if it is no probe.
    /// `condition`: `guard`, or what listens to it. `probes`: whether the decision may be a probe.
    #[inline(always)]
    pub(super) fn guarded(
        &self,
        d: Decision<'_>,
        guard: &Guarding<'_>,
        condition: impl Condition,
        probes: bool,
        admit: impl Fn(usize, u64) -> Admission,
    ) -> Attempt {
        let attempt = self.guarded_attempt(d, guard, condition, probes, admit);
        if guard.filter.is_some_and(|f| f.failed.get()) {
            d.local.failed.set(true);
        }
        attempt
    }

    #[inline(always)]
    fn guarded_attempt(
        &self,
        d: Decision<'_>,
        guard: &Guarding<'_>,
        condition: impl Condition,
        probes: bool,
        admit: impl Fn(usize, u64) -> Admission,
    ) -> Attempt {
        if probes && self.attention() & attention::PROBES != 0 {
            if let Some((index, deadline)) = self.take_probe(d, guard, guard.now_ns) {
                match admit(index, deadline) {
                    Admission::Done(attempt) => return attempt,
                    other => {
                        match d.trace.filter(|trace| trace.dry) {
                            Some(trace) => trace.end_probe(index),
                            None => self.end_probe(index, deadline),
                        }
                        if let Admission::Moved = other {
                            return Attempt::MOVED;
                        }
                    }
                }
            }
            // What was taken and given back is no news.
            guard.fitness.set(self.fitness());
        }
        loop {
            let Some(index) = self.decide(d, guard, condition) else {
                if !self.generation().is_still(d.generation) {
                    return Attempt::MOVED;
                }
                if !guard.panics(d.request) && self.is_panic_untold(d) {
                    guard.mask.set(mask_of(d.request, true));
                    continue;
                }
                return if guard.is_still(self) { Attempt::NOBODY } else { Attempt::MOVED };
            };
            match admit(index, 0) {
                Admission::Done(attempt) => return attempt,
                Admission::Moved => return Attempt::MOVED,
                Admission::PoolFull => return Attempt::NOBODY,
                Admission::Refused if guard.refuse(index) => {}
                Admission::Refused => return Attempt::NOBODY,
            }
        }
    }

    /// The node that takes the request, as far as can be seen before it is counted in.
    pub(super) fn decide(&self, d: Decision<'_>, guard: &Guarding<'_>, condition: impl Condition) -> Option<usize> {
        if let Some(index) = self.node_of_session(d, guard) {
            return Some(index);
        }
        let chosen = self.decide_by_rule(d, guard, condition);
        if chosen.is_some() {
            return chosen;
        }
        // Better a node that warms up, or is not of the request's split, than none.
        let mut wished = guard.warming.take();
        if let Some(index) = wished.then(|| self.decide_by_rule(d, guard, condition)).flatten() {
            return Some(index);
        }
        wished = guard.split.take().is_some();
        wished.then(|| self.decide_by_rule(d, guard, condition)).flatten()
    }

    fn decide_by_rule(&self, d: Decision<'_>, guard: &Guarding<'_>, condition: impl Condition) -> Option<usize> {
        if d.plan.word(plan_word::GROUPS) == 0 {
            return d.chain(0, d.candidates_in(guard.mask.get(), condition));
        }
        self.in_groups(d, guard, |d| d.chain(0, d.candidates_in(guard.mask.get(), condition)))
    }

    /// Counts a candidate in, looks at its limits again, and remembers the session.
    pub(super) fn admit<const LEASE: bool>(
        &self,
        d: Decision<'_>,
        guard: &Guarding<'_>,
        index: usize,
        probe_ns: u64,
    ) -> Admission {
        let admission = self.count_guarded::<LEASE>(d, guard, index, probe_ns);
        if LEASE && probe_ns == 0 && matches!(admission, Admission::Done(_)) {
            self.remember_session(d, guard, index);
            if guard.mask.get() == State::ANY {
                self.tally(tally::PANIC_PICKS);
            }
        }
        admission
    }

    fn count_guarded<const LEASE: bool>(
        &self,
        d: Decision<'_>,
        guard: &Guarding<'_>,
        index: usize,
        probe_ns: u64,
    ) -> Admission {
        if !LEASE {
            return match self.uncounted(d, index) {
                Attempt::MOVED => Admission::Moved,
                attempt => Admission::Done(attempt),
            };
        }
        let Some(state) = self.count_and_hint(d, index) else { return Admission::Moved };
        let in_total = d.lead.needs_total();
        // A node that left the plan's states meanwhile is still the choice of this plan: as of any pick.
        if guard.is_overfull(self, index) {
            self.uncount(index, in_total);
            return Admission::Refused;
        }
        if self.is_overfull() {
            self.uncount(index, in_total);
            return Admission::PoolFull;
        }
        let reserved = match guard.costs {
            None => None,
            Some(ref costs) => match self.reserve(index, costs, guard.now_ns) {
                Ok(reserved) => Some(reserved),
                Err(_) => {
                    self.uncount(index, in_total);
                    guard.looks_at_quotas.set(true);
                    return Admission::Refused;
                }
            },
        };
        let mut lease = self.lease_of(d.lead, d.local, index, state);
        lease.probe_ns = probe_ns;
        lease.noted = probe_ns != 0;
        let attempt = self.open_lease(d.local, lease, state);
        match (attempt.ticket(), reserved) {
            (Some(ticket), Some(reserved)) => self.keep_reservation(ticket, &reserved),
            (None, Some(reserved)) => self.refund(index, &reserved),
            _ => {}
        }
        if self.memory.is_watched() {
            self.tell_selection(index, state, guard.now_ns);
        }
        Admission::Done(attempt)
    }

    /// What [`admit`](Self::admit) would say, for those who only look.
    pub(super) fn would_admit(&self, d: Decision<'_>, guard: &Guarding<'_>, index: usize) -> Admission {
        let max = self.live().max_in_flight();
        if !guard.has_room(self, index, d.trace) {
            return Admission::Refused;
        }
        if max != 0 && self.memory.total_in_flight().saturating_add(u64::from(d.lead.needs_total())) > max {
            return Admission::PoolFull;
        }
        if !guard.has_quota(self, index) {
            guard.looks_at_quotas.set(true);
            return Admission::Refused;
        }
        match self.uncounted(d, index) {
            Attempt::MOVED => Admission::Moved,
            attempt => Admission::Done(attempt),
        }
    }

    /// The most that a node may have in flight now; `u64::MAX` if that is unlimited.
    pub(crate) fn limit_of(&self, index: usize, now_ns: u64) -> u64 {
        self.limit_in(index, self.adaptive_rule().as_ref(), now_ns, None)
    }

    /// The same limit as a decision finds it; `adaptive`: the [rule](Self::adaptive_rule).
    #[inline(always)]
    fn limit_in(&self, index: usize, adaptive: Option<&gradient::Settings>, now_ns: u64, trace: Option<&Trace>) -> u64 {
        let node = self.memory.node(index);
        let mut limit = match node.max_in_flight() {
            0 => u64::MAX,
            max => u64::from(max),
        };
        if let Some(rule) = adaptive {
            limit = limit.min(u64::from(gradient::limit(node.gradient().load(Ordering::Relaxed), rule)));
        }
        if limit != u64::MAX && self.warming_since_in(index, trace) != 0 {
            let cap = u32::try_from(limit).unwrap_or(u32::MAX);
            limit = u64::from(slow_start::capped(cap, self.warmth_in(index, now_ns, trace)));
        }
        limit
    }

    /// The rule of the adaptive limits, if there are any.
    #[inline(always)]
    fn adaptive_rule(&self) -> Option<gradient::Settings> {
        self.live().adaptive_limit().then(|| self.gradient_rule())
    }

    pub(crate) fn gradient_rule(&self) -> gradient::Settings {
        let live = self.live();
        gradient::Settings {
            initial: live.adaptive_initial(),
            min: live.adaptive_min(),
            max: live.adaptive_max(),
            smoothing: live.adaptive_smoothing(),
            tolerance: live.adaptive_tolerance(),
        }
    }

    fn warm_up(&self) -> slow_start::Settings {
        let live = self.live();
        slow_start::Settings {
            duration_ns: live.slow_start_ns(),
            aggression: live.slow_start_aggression(),
            min_weight: live.slow_start_min_weight(),
        }
    }

    /// How much of its share a node takes: 1.0 when it is warm.
    pub(crate) fn warmth(&self, index: usize, now_ns: u64) -> f64 {
        self.warmth_in(index, now_ns, None)
    }

    /// The same as a decision finds it.
    #[inline(always)]
    fn warmth_in(&self, index: usize, now_ns: u64, trace: Option<&Trace>) -> f64 {
        let since = match self.warming_since_in(index, trace) {
            0 => return 1.0,
            FROM_NOW_ON => {
                let now = now_ns.max(FROM_NOW_ON + 1);
                if trace.is_none_or(|trace| !trace.dry) {
                    let word = self.memory.node(index).warming_since();
                    let _ = word.compare_exchange(FROM_NOW_ON, now, Ordering::Relaxed, Ordering::Relaxed);
                }
                now
            }
            since => since,
        };
        slow_start::warmth(now_ns.saturating_sub(since), &self.warm_up())
    }

    #[inline(always)]
    fn accepts_while_warming(&self, index: usize, now_ns: u64, coin: u64, trace: Option<&Trace>) -> bool {
        self.warming_since_in(index, trace) == 0
            || slow_start::accepts(self.warmth_in(index, now_ns, trace), coin, self.memory.node(index).id_mix())
    }

    /// The split that a coin falls into; `None` if there are no splits.
    fn split_of(&self, coin: u64) -> Option<Split> {
        if !self.live().splits() {
            return None;
        }
        // Another coin than the tiers', of the same throw.
        let unit = (mix(coin ^ 0x5117) >> 11) as f64 / (1u64 << 53) as f64;
        let mut sum = 0.0;
        Some(
            self.splits()
                .position(|split| {
                    sum += split.share;
                    unit < sum
                })
                .map_or(Split::Rest, Split::Of),
        )
    }

    fn is_in_split(&self, c: usize, split: Split) -> bool {
        let record = self.memory.record(c);
        match split {
            Split::Of(wanted) => self.splits().nth(wanted).is_some_and(|s| record.has_labels(&s.labels)),
            Split::Rest => !self.splits().any(|s| record.has_labels(&s.labels)),
        }
    }

    /// The splits in force.
    fn splits(&self) -> impl Iterator<Item = SplitWords> + '_ {
        use crate::state::layout::{ENTRY_WORDS, SPLIT_LABELS_MAX};
        let words = self.memory.pool_words(pool_word::SPLITS, pool_word::SPLITS_END);
        let load = |word: &crate::sync::AtomicU64| word.load(Ordering::Relaxed);
        words.chunks_exact(ENTRY_WORDS).map_while(move |entry| {
            let count = usize::try_from(load(&entry[1])).unwrap_or(0).min(SPLIT_LABELS_MAX);
            (count > 0).then(|| SplitWords {
                share: f64::from_bits(load(&entry[0])),
                labels: entry[2..2 + count].iter().map(load).collect(),
            })
        })
    }
}

/// A split as the words have it.
struct SplitWords {
    share: f64,
    labels: ArrayVec<u64, { crate::state::layout::SPLIT_LABELS_MAX }>,
}
