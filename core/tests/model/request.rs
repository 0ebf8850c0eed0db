//! Who may be picked, by the model, and why nobody.

use std::collections::BTreeSet;

use loadwise::NoNodeReason;
use loadwise::config::StrategyKind;

use super::ops::{Ask, Own, Predicate, id};
use super::pool::{Member, Model, Uid};

/// What a pick may come to.
#[derive(Debug)]
pub struct Expected {
    pub allowed: BTreeSet<Uid>,
    /// Why there is no node, if there is none.
    pub none: Option<NoNodeReason>,
    /// Whether a callback fails; `None`: that depends on whom the strategy looks at.
    pub callback_failed: Option<bool>,
}

impl Model {
    /// `excluded`: members that earlier picks named.
    pub fn expect(&self, ask: &Ask, excluded: &BTreeSet<Uid>) -> Expected {
        let mask = if ask.health_mask == 0 { 1 | 2 | 8 } else { ask.health_mask };
        let is_excluded = |m: &Member| excluded.contains(&m.uid) || ask.exclude.iter().any(|&e| id(e) == m.spec.id);
        // How far each member comes: the filters in their order.
        let depth = |m: &Member| match () {
            () if m.is_withdrawn() => 0,
            () if !has_labels(m, ask) || !ask.predicate.is_none_or(|p| accepts(p, m)) => 1,
            () if is_excluded(m) => 2,
            () if m.health.status(&self.setup).bit_flag() & mask == 0 => 3,
            () => 4,
        };
        let allowed: BTreeSet<Uid> = self.members.iter().filter(|m| depth(m) == 4).map(|m| m.uid).collect();
        let own = self.own_in_charge().filter(|_| !allowed.is_empty());
        let nobody = allowed.is_empty() || (self.chain.len() == 1 && own.is_some_and(|own| !own.chooses()));
        let deepest = self.members.iter().map(|m| if depth(m) == 4 { 1 } else { depth(m) }).max();
        let none = nobody.then_some(match deepest {
            None => NoNodeReason::Empty,
            Some(0) => NoNodeReason::Draining,
            Some(1) => NoNodeReason::NoMatch,
            Some(2) => NoNodeReason::AllExcluded,
            _ => NoNodeReason::Unhealthy,
        });
        let panics = |m: &Member| {
            !m.is_withdrawn()
                && has_labels(m, ask)
                && ask.predicate.is_some_and(|p| p == Predicate::PanicsAt(number(m)))
        };
        let may_fail = self.members.iter().any(panics);
        let own_fails = own.is_some_and(|own| matches!(own, Own::Nonsense | Own::Panics));
        let callback_failed = if own_fails || none.is_some() || !may_fail { Some(own_fails || may_fail) } else { None };
        Expected { allowed, none, callback_failed }
    }

    pub fn own_in_charge(&self) -> Option<Own> {
        self.own.filter(|_| self.chain.first().is_some_and(|s| s.kind == StrategyKind::Custom))
    }

    /// What the rule in charge promises of its choice among `allowed`.
    pub fn check_rule(&self, ask: &Ask, allowed: &BTreeSet<Uid>, chosen: &Member) -> Result<(), String> {
        let among = || self.members.iter().filter(|m| allowed.contains(&m.uid));
        let Some(first) = self.chain.first() else { return Ok(()) };
        let holds = match first.kind {
            StrategyKind::Custom => match self.own {
                Some(Own::First) => among().next().is_some_and(|m| m.uid == chosen.uid),
                Some(Own::Last) => among().next_back().is_some_and(|m| m.uid == chosen.uid),
                _ => true,
            },
            // All are compared: a pool of the model has at most 16 nodes.
            StrategyKind::LeastRequest { .. } => among().all(|m| {
                let (ours, theirs) =
                    (chosen.in_flight * u64::from(m.spec.weight), m.in_flight * u64::from(chosen.spec.weight));
                ours <= theirs
            }),
            StrategyKind::LeastLoad => among().all(|m| load(chosen) <= load(m)),
            StrategyKind::MostAvailable { epsilon } => {
                let ratio = |m: &Member| m.ratio.unwrap_or(1.0);
                among().all(|m| ratio(chosen) >= ratio(m) - epsilon)
            }
            _ => match (first.bounded_load, ask.key) {
                (Some(factor), Some(_)) => !ask.is_plain() || !self.is_whole() || self.has_room(factor, chosen),
                _ => true,
            },
        };
        if holds { Ok(()) } else { Err(format!("{:?} does not choose {} among {allowed:?}", first, chosen.spec.id)) }
    }

    /// Whether all members are fit, and the plan knows.
    pub fn is_whole(&self) -> bool {
        self.plan_is_current() && self.cycle.len() == self.members.len()
    }

    /// Whether a pick more leaves the node within its bound.
    fn has_room(&self, factor: f64, m: &Member) -> bool {
        let sum: u64 = self.members.iter().map(|m| u64::from(m.spec.weight)).sum();
        let share = f64::from(m.spec.weight) / sum as f64;
        m.in_flight as f64 + 1.0 <= (share * (self.total_in_flight() + 1) as f64 * factor).ceil().max(1.0)
    }
}

impl Own {
    fn chooses(self) -> bool {
        matches!(self, Self::First | Self::Last)
    }
}

impl Ask {
    /// Whether nothing is asked for but an available node.
    pub fn is_plain(&self) -> bool {
        self.exclude.is_empty()
            && self.exclude_picked.is_empty()
            && self.require.is_empty()
            && self.health_mask == 0
            && self.predicate.is_none()
    }
}

/// The number of the member's id.
pub fn number(m: &Member) -> u32 {
    m.spec.id[1..].parse().unwrap_or(u32::MAX)
}

fn has_labels(m: &Member, ask: &Ask) -> bool {
    ask.require.iter().all(|(key, value)| m.spec.labels.get(*key).is_some_and(|v| v == value))
}

fn accepts(predicate: Predicate, m: &Member) -> bool {
    match predicate {
        Predicate::WeightFrom(least) => m.spec.weight >= least,
        Predicate::InFlightBelow(most) => m.in_flight < most,
        Predicate::PanicsAt(bad) => number(m) != bad,
    }
}

/// What was never reported is 0; NaN and infinities are worst.
fn load(m: &Member) -> f64 {
    m.load.filter(|l| l.is_finite()).unwrap_or(if m.load.is_some() { f64::INFINITY } else { 0.0 })
}
