//! Tiers and zones of a pool: which groups of members a request goes to, and how tiers share the traffic.

use super::decision::Decision;
use super::guarded::Guarding;
use super::trace::Trace;
use super::{Event, EventKind, Pool};
use crate::control::groups::Group;
use crate::control::settings::zone_hash;
use crate::plan::groups::{self, GroupsOfTier};
use crate::plan::view::PlanView;
use crate::policies::tiers::{ALL, Shares, TIERS, Takes, TierState, takes};
use crate::policies::zones::{self, even_load_share, room};
use crate::state::held::{Held, Taken};
use crate::state::layout::{attention, plan_word, pool_word};
use crate::state::node::State;
use crate::state::seat::Holder;
use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::error::Error;
use crate::vocabulary::rng::mix;
use crate::vocabulary::time::now_ns;

/// Looks at the lease of somebody else who works out the situation: some at once, the rest a millisecond apart.
const WAITS_MAX: u32 = 100;
const YIELDS: u32 = 64;

/// What follows from who is available.
#[derive(Clone, Copy)]
pub(crate) struct Situation {
    /// Whether all nodes take traffic.
    pub(crate) panic: bool,
    /// How the tiers share the traffic, and how they came to; `None` without tiers.
    pub(crate) tiers: Option<(TierState, Shares)>,
}

impl Pool {
    /// The first node that `choose` finds: in the zone in the tier that the coin falls into, in that tier, then in the
    /// other tiers, as many as a request may try.
    pub(crate) fn in_groups<'a, R>(
        &self,
        d: Decision<'a>,
        guard: &Guarding<'_>,
        choose: impl Fn(Decision<'a>) -> Option<R>,
    ) -> Option<R> {
        if self.attention() & attention::FAILBACK != 0 {
            match d.trace.filter(|trace| trace.dry) {
                Some(trace) => self.foresee_failback(trace, guard.now_ns),
                None => self.fail_back_if_due(guard.now_ns),
            }
        }
        let foreseen = d.trace.and_then(Trace::situation).and_then(|situation| situation.tiers);
        let shares = foreseen.map_or_else(|| self.tier_shares(), |(_, shares)| shares);
        let first = shares.tier(guard.coin);
        let mut tiers = 0;
        for tier in first.into_iter().chain((0..TIERS).filter(|&tier| Some(tier) != first)) {
            let Some((zone, whole)) = self.groups_of_tier(d, guard, tier as u8) else { continue };
            let chosen = zone.and_then(|zone| choose(d.in_group(zone))).or_else(|| choose(d.in_group(whole)));
            // Where nobody is available, there was nothing to try.
            tiers += u32::from(PlanView(self.memory.group(d.generation, whole)).lead().fit() > 0);
            if chosen.is_some() || tiers >= self.live().tier_attempts() {
                return chosen;
            }
        }
        None
    }

    /// The zone of a tier that takes the request, if one does, and the tier as a whole.
    fn groups_of_tier(&self, d: Decision<'_>, guard: &Guarding<'_>, tier: u8) -> Option<(Option<usize>, usize)> {
        let GroupsOfTier { whole, zones } = groups::of_tier(tier, |at| d.plan.word(plan_word::GROUPS_OF_TIERS + at))?;
        let wanted = match d.request.zone {
            Some(name) => zone_hash(name),
            None => self.live().own_zone(),
        };
        if zones == 0 || wanted == 0 {
            return Some((None, whole));
        }
        let words = self.memory.groups(d.generation);
        let is_own = |word: &AtomicU64| Group::from_word(word.load(Ordering::Acquire)).zone == wanted >> 8;
        let own = words.get(whole + 1..=whole + zones).and_then(|zones| zones.iter().position(is_own));
        Some((own.and_then(|own| self.zone_of(d, guard, whole + 1 + own, whole, zones)), whole))
    }

    /// The zone that takes a request: its own while that has its share of the tier's capacity; what it spills goes to
    /// the others by the room that they have. `None`: anywhere in the tier.
    #[inline(always)]
    fn zone_of(&self, d: Decision<'_>, guard: &Guarding<'_>, own: usize, whole: usize, zones: usize) -> Option<usize> {
        // Another coin than the tiers', of the same throw.
        match PlanView(self.memory.group(d.generation, own)).word(plan_word::ZONE_KEEPS) {
            zones::NO_ZONE => None,
            zones::ALL => Some(own),
            kept if mix(guard.coin ^ 0x20E) >> 11 < kept => Some(own),
            _ => self.zone_with_room(d, guard, own, whole, zones),
        }
    }

    fn zone_with_room(
        &self,
        d: Decision<'_>,
        guard: &Guarding<'_>,
        own: usize,
        whole: usize,
        zones: usize,
    ) -> Option<usize> {
        let weight = |group: usize| PlanView(self.memory.group(d.generation, group)).word(plan_word::WEIGHT_SUM) as f64;
        let all = weight(whole).max(1.0);
        let others = (whole + 1..=whole + zones).filter(|&group| group != own);
        let rooms = || others.clone().map(|group| (group, room(weight(group) / all, even_load_share(zones))));
        let coin = mix(guard.coin ^ 0x5B1) >> 11;
        let mut left = coin as f64 / zones::ALL as f64 * rooms().map(|(_, room)| room).sum::<f64>();
        rooms()
            .find(|(_, room)| {
                left -= room;
                left < 0.0
            })
            .map(|(group, _)| group)
    }

    pub(crate) fn tier_shares(&self) -> Shares {
        let words = self.memory.pool_words(pool_word::TIER_SHARES, pool_word::TIER_SHARES_END);
        Shares::from_words([words[0].load(Ordering::Relaxed), words[1].load(Ordering::Relaxed)])
    }

    pub(crate) fn tier_state(&self) -> TierState {
        let words = self.memory.pool_words(pool_word::TIER_STATE, pool_word::TIER_STATE_END);
        TierState::from_words(&std::array::from_fn(|at| words[at].load(Ordering::Relaxed)))
    }

    /// The share of the traffic that each tier takes.
    pub(crate) fn shares_of_tiers(&self) -> Vec<f64> {
        let shares = self.tier_shares();
        (0..TIERS).map(|tier| f64::from(shares.of(tier)) / f64::from(ALL)).collect()
    }

    /// Sends new picks to the tier of a node, as if those above it were down, until [`reset_failover`](Self::reset_failover).
    ///
    /// # Errors
    /// [`StateError::UnknownNode`](crate::StateError::UnknownNode).
    pub fn failover(&self, id: &str) -> Result<(), Error> {
        self.sit_down_after_fork()?;
        let tier = self.memory.node(self.known_now(id)?).tier();
        self.memory.pool(pool_word::FORCED_TIER).store(u64::from(tier) + 1, Ordering::SeqCst);
        self.renew_situation(None);
        Ok(())
    }

    /// Ends what [`failover`](Self::failover) began; whether it had.
    pub fn reset_failover(&self) -> bool {
        if self.sit_down_after_fork().is_err() {
            return false;
        }
        let was = self.memory.pool(pool_word::FORCED_TIER).swap(0, Ordering::SeqCst);
        self.renew_situation(None);
        was != 0
    }

    /// Has a tier take its share back if its time has come, where nobody maintains the pool.
    #[cold]
    pub(crate) fn fail_back_if_due(&self, now_ns: u64) {
        let due = self.memory.pool(pool_word::NEXT_FAILBACK).load(Ordering::Relaxed);
        if due != 0 && now_ns >= due {
            self.renew_situation(Some(now_ns));
        }
    }

    /// What a decision that is not made finds of [`fail_back_if_due`](Self::fail_back_if_due).
    #[cold]
    fn foresee_failback(&self, trace: &Trace, now_ns: u64) {
        let due = match trace.situation().and_then(|situation| situation.tiers) {
            Some((state, _)) => state.next_due(self.live().failback_ns()).unwrap_or(0),
            None => self.memory.pool(pool_word::NEXT_FAILBACK).load(Ordering::Relaxed),
        };
        if due != 0 && now_ns >= due {
            self.foresee_situation(trace, now_ns);
        }
    }

    /// What a decision that is not made finds of [`renew_situation`](Self::renew_situation).
    pub(crate) fn foresee_situation(&self, trace: &Trace, now_ns: u64) {
        let before = trace.situation().and_then(|situation| situation.tiers);
        let before = before.map_or_else(|| self.tier_state(), |(state, _)| state);
        trace.settle(self.situation(before, Some(now_ns), now_ns, |index| self.state_in(index, Some(trace))));
    }

    /// Works out what follows from who is available: panic, and the shares of the tiers. At a time, a tier that recovers
    /// waits for its failback; without one, what an operator changed applies at once, and nobody's wait is over.
    pub(crate) fn renew_situation(&self, now_ns: Option<u64>) {
        let mut waits = 0;
        loop {
            let Some(me) = self.take_situation() else {
                // Whoever works it out looks again at who became available meanwhile; what an operator changed is looked
                // at once only, unless somebody who is stopped is at it.
                waits += 1;
                if now_ns.is_some() || waits > WAITS_MAX {
                    return;
                }
                if waits < YIELDS {
                    std::thread::yield_now();
                } else {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                continue;
            };
            let fitness = self.memory.pool(pool_word::FITNESS).load(Ordering::SeqCst);
            let changes = self.work_out_situation(now_ns);
            Held(self.memory.pool(pool_word::SITUATION_LEASE)).give_back(me);
            for event in changes.into_iter().flatten() {
                self.tell(|| Some(event));
            }
            if self.memory.pool(pool_word::FITNESS).load(Ordering::SeqCst) == fitness {
                return;
            }
        }
    }

    /// Whether a decision that knows of no panic, and finds no node, has to take it for one: too few nodes are available, and
    /// whoever changed that has not told so yet. It may be killed before it does, or be stopped.
    #[cold]
    pub(super) fn is_panic_untold(&self, d: Decision<'_>) -> bool {
        let now = d.request.now_ns.unwrap_or_else(now_ns).max(1);
        let state_of = |index| self.state_in(index, d.trace);
        let is_untold = self.live().panic_spread()
            && self.situation(self.tier_state(), Some(now), now, state_of).is_some_and(|situation| situation.panic);
        if is_untold && d.trace.is_none_or(|trace| !trace.dry) {
            self.renew_situation(Some(now));
        }
        is_untold
    }

    /// Takes the lease of whoever works out the situation; as whom, if nobody has it that lives.
    fn take_situation(&self) -> Option<Holder> {
        let (lease, me) = (Held(self.memory.pool(pool_word::SITUATION_LEASE)), self.seat.holder());
        let is_taken = self.is_seated() && !matches!(lease.take(me, |holder| self.is_gone(holder)), Taken::By(_));
        is_taken.then_some(me)
    }

    /// What changed: panic, the main tier.
    fn work_out_situation(&self, now: Option<u64>) -> [Option<Event>; 2] {
        let before = self.tier_state();
        let at_ns = now.unwrap_or_else(now_ns);
        let Some(situation) = self.situation(before, now, at_ns, |index| self.memory.node(index).state()) else {
            return [self.set_panic(false, at_ns), None];
        };
        let panicked = self.set_panic(situation.panic, at_ns);
        [panicked, situation.tiers.and_then(|tiers| self.share_among_tiers(before, tiers, at_ns))]
    }

    /// What follows from nodes in these states, where `before` is how tiers came to share so far; `None` in a pool where
    /// nothing does.
    pub(crate) fn situation(
        &self,
        before: TierState,
        now: Option<u64>,
        at_ns: u64,
        state_of: impl Fn(usize) -> State,
    ) -> Option<Situation> {
        let live = self.live();
        let plan = self.plan_at(self.generation().current());
        // A pool whose other tiers have left goes on telling what its tiers take.
        let has_tiers = plan.word(plan_word::GROUPS) != 0 || before != TierState::default();
        if !live.panic_spread() && !has_tiers {
            return None;
        }
        let members = plan.members();
        let (mut count, mut available) = (0u64, 0u64);
        let mut tiers = [(0u64, 0u64); TIERS];
        for at in 0..plan.lead().members().min(self.memory.nodes_max()) {
            let index = usize::from(members.get(at));
            let (node, state) = (self.memory.node(index), state_of(index));
            if !state.is_member() || state.is_withdrawn() {
                continue;
            }
            let is_available = !state.is_down();
            count += 1;
            available += u64::from(is_available);
            let tier = &mut tiers[usize::from(node.tier()).min(TIERS - 1)];
            tier.0 += u64::from(node.weight()) * u64::from(is_available);
            tier.1 += u64::from(node.weight());
        }
        let is_panic = live.panic_spread()
            && if count >= u64::from(live.panic_min_nodes()) {
                (available as f64) < live.panic_threshold() * count as f64
            } else {
                available == 0 && count > 0
            };
        let tiers = has_tiers.then(|| {
            let forced = (self.memory.pool(pool_word::FORCED_TIER).load(Ordering::SeqCst) as usize).checked_sub(1);
            let takes: Takes = tiers.map(|(available, all)| takes(available, all, live.overprovisioning()));
            match now {
                Some(now) => before.step(&takes, forced, now, live.failback_ns()),
                None => before.change(&takes, forced, at_ns),
            }
        });
        Some(Situation { panic: is_panic, tiers })
    }

    /// The change, if it is one.
    fn set_panic(&self, on: bool, at_ns: u64) -> Option<Event> {
        let word = self.memory.pool(pool_word::ATTENTION);
        let was = match on {
            true => word.fetch_or(attention::PANIC, Ordering::AcqRel),
            false => word.fetch_and(!attention::PANIC, Ordering::AcqRel),
        };
        if (was & attention::PANIC != 0) == on {
            return None;
        }
        // In a panic, draw tables have everybody.
        self.memory.pool(pool_word::FITNESS).fetch_add(1, Ordering::Release);
        if on {
            word.fetch_or(attention::RETURNED, Ordering::Release);
        }
        Some(Event { node: None, at_ns, kind: EventKind::Panic { spread: on } })
    }

    fn share_among_tiers(&self, before: TierState, (state, shares): (TierState, Shares), at_ns: u64) -> Option<Event> {
        let words = self.memory.pool_words(pool_word::TIER_STATE, pool_word::TIER_STATE_END);
        words.iter().zip(state.to_words()).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
        let words = self.memory.pool_words(pool_word::TIER_SHARES, pool_word::TIER_SHARES_END);
        words.iter().zip(shares.to_words()).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
        let due = state.next_due(self.live().failback_ns());
        self.memory.pool(pool_word::NEXT_FAILBACK).store(due.unwrap_or(0), Ordering::Relaxed);
        let attention = self.memory.pool(pool_word::ATTENTION);
        match due {
            Some(_) => attention.fetch_or(attention::FAILBACK, Ordering::AcqRel),
            None => attention.fetch_and(!attention::FAILBACK, Ordering::AcqRel),
        };
        match (before.main, state.main) {
            (Some(from), Some(to)) if from != to => {
                Some(Event { node: None, at_ns, kind: EventKind::Tier { from: from as u8, to: to as u8 } })
            }
            _ => None,
        }
    }
}
