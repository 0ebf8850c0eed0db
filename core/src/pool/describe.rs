//! From a traced decision to its explanation.

use super::choose::{Rule, by_rule};
use super::decision::Decision;
use super::explanation::{Considered, Explanation, FailedAt, KeyOwners, Number, SplitPart, Takes, Tie, TieBreak, Way};
use super::filter::Filter;
use super::guarded::{Guarding, Split};
use super::pick::RESTLESS;
use super::trace::{Asked, Story, Traced};
use super::{Pool, Request};
use crate::control::groups::Group;
use crate::control::policy;
use crate::plan::step::{self, Step};
use crate::state::node::State;
use crate::sync::Ordering;
use crate::vocabulary::error::NoNode;

/// What a candidate is described by.
struct Description<'a> {
    pool: &'a Pool,
    /// In the group whose nodes the last rule was asked about.
    d: Decision<'a>,
    group: Option<Group>,
    members: Vec<usize>,
    filter: Option<Filter<'a>>,
    guard: Option<&'a Guarding<'a>>,
    story: Story,
    step: Option<Step>,
    chosen: Option<usize>,
}

impl Pool {
    /// The explanation of a decision that has chosen a node, whose probe it takes up to a time unless that is 0, or none.
    /// The result is still to be put in.
    pub(super) fn described(
        &self,
        d: Decision<'_>,
        condition: Traced<'_>,
        chosen: Option<(usize, u64)>,
    ) -> Explanation {
        let guard = match condition.asked {
            Asked::Guarding(guard) => Some(guard),
            _ => None,
        };
        let way = match (chosen, guard) {
            (Some((_, 1..)), _) => Way::Probe,
            (Some(_), Some(guard)) if guard.sticky.get() => Way::Session,
            (_, Some(guard)) if guard.mask.get() == State::ANY => Way::Panic,
            _ => Way::Rule,
        };
        let by_rule = matches!(way, Way::Rule | Way::Panic);
        let story = if by_rule { condition.trace.story.borrow().clone() } else { Story::default() };
        let (group, step) = story.begun.map_or((0, None), |(group, step)| (group, Some(step)));
        let d_group = d.in_group(group);
        let members = |of: Decision<'_>| {
            let count = of.lead.members().min(self.memory.nodes_max());
            (0..count).map(|at| usize::from(of.plan.members().get(at))).collect::<Vec<_>>()
        };
        let description = Description {
            pool: self,
            d: d_group,
            group: (group != 0).then(|| self.group_of(d, group)),
            members: members(d_group),
            filter: Filter::of(self, d),
            guard,
            step: d_group.plan.step(step.unwrap_or(0)),
            story,
            chosen: chosen.map(|(index, _)| index),
        };
        let all = members(d);
        let candidates: Vec<Considered> = all.iter().map(|&c| description.candidate(c)).collect();
        let zone = description.group.filter(|group| group.zone != 0);
        Explanation {
            result: Err(RESTLESS),
            way,
            strategy: description.step.map_or("", |step| policy::name(step.rule)),
            step,
            tier: description.group.map(|group| group.tier),
            zone: zone.and_then(|group| all.iter().find(|&&c| group.has(self.grouping(c)))).map(|&c| self.zone_name(c)),
            split: guard.filter(|_| by_rule).and_then(|guard| guard.split.get()).map(|split| match split {
                Split::Of(place) => SplitPart::Of(place),
                Split::Rest => SplitPart::Rest,
            }),
            number: description.story.number.filter(|_| by_rule),
            key: description.key(),
            scanned: description.is_scanned(),
            tie: description.tie(&candidates),
            takes: self.taken(d, guard, chosen),
            candidates,
            now_ns: d.local.now_ns.get(),
        }
    }

    fn group_of(&self, d: Decision<'_>, group: usize) -> Group {
        let word = self.memory.groups(d.generation).get(group).map_or(0, |word| word.load(Ordering::Acquire));
        Group::from_word(word)
    }

    fn zone_name(&self, index: usize) -> String {
        self.memory.record(index).zone().as_str().to_owned()
    }

    fn id_at(&self, index: usize) -> String {
        self.memory.record(index).id().as_str().to_owned()
    }

    /// What a pick takes beside its node.
    fn taken(&self, d: Decision<'_>, guard: Option<&Guarding<'_>>, chosen: Option<(usize, u64)>) -> Takes {
        let (Some((_, probe_ns)), Some(guard)) = (chosen, guard) else { return Takes::default() };
        let units = guard.costs.iter().flat_map(|costs| costs.units().to_vec());
        let names: Vec<String> = self.config().quotas.iter().map(|quota| quota.dimension.clone()).collect();
        Takes {
            probe_until_ns: (probe_ns != 0).then_some(probe_ns),
            quotas: names.into_iter().zip(units).filter(|&(_, units)| units > 0).collect(),
            session: probe_ns == 0 && d.request.session.is_some() && self.live().affinity() && !guard.sticky.get(),
        }
    }
}

impl Description<'_> {
    fn candidate(&self, c: usize) -> Considered {
        let node = self.pool.memory.node(c);
        let failed_at = self.failed_at(c);
        let score = self.story.scores.get(&c).cloned().or_else(|| self.score(c).filter(|_| failed_at.is_none()));
        // A session's node, and one that is probed, need not pass what others must.
        let failed_at = failed_at.filter(|_| self.chosen != Some(c));
        // What the rule compared is what it saw.
        let compared = score.iter().flat_map(|score| &score.terms).find(|(name, _)| *name == "in_flight");
        Considered {
            id: self.pool.id_at(c),
            node: self.pool.reference(c),
            failed_at,
            health: node.state().health(),
            weight: node.weight(),
            in_flight: compared.map_or_else(|| self.pool.memory.in_flight(c), |&(_, in_flight)| in_flight as u64),
            tier: node.tier(),
            zone: self.pool.zone_name(c),
            score,
            drawn: self.story.drawn.iter().position(|&drawn| drawn == c).map(|at| at + 1),
        }
    }

    fn score(&self, c: usize) -> Option<super::explanation::Score> {
        let Step { rule, parameter } = self.step?;
        by_rule!(rule, R => R::score(self.d, parameter, c))
    }

    /// Where a candidate failed, as the rule found it if it looked.
    fn failed_at(&self, c: usize) -> Option<FailedAt> {
        let looked_at = self.story.looked_at.get(&c);
        let mask = self.guard.map_or_else(|| self.d.request.mask(), |guard| guard.mask.get());
        let failed_at = self.pool.failed_at(c, mask, self.filter.as_ref(), self.guard, self.d.trace);
        if looked_at == Some(&true) {
            // Quotas are looked at once they have refused somebody.
            return failed_at.filter(|&at| at == FailedAt::RateLimited);
        }
        failed_at.or_else(|| self.failed_here(c)).or_else(|| looked_at.map(|_| FailedAt::Changed))
    }

    /// Where a candidate failed that any request of these conditions might take.
    fn failed_here(&self, c: usize) -> Option<FailedAt> {
        if let Some(group) = self.group.filter(|_| !self.members.contains(&c)) {
            let is_near = group.tier == self.pool.memory.node(c).tier();
            return Some(if is_near { FailedAt::OtherZone } else { FailedAt::OtherTier });
        }
        let guard = self.guard?;
        match () {
            () if guard.is_too_cold(self.pool, c, self.d.trace) => Some(FailedAt::Warming),
            () if !guard.is_in_split(self.pool, c) => Some(FailedAt::OtherSplit),
            () => None,
        }
    }

    /// `None`: no table of keys was asked.
    fn key(&self) -> Option<KeyOwners> {
        let owners: Vec<String> = self.story.owners.iter().map(|&c| self.pool.id_at(c)).collect();
        (!owners.is_empty()).then_some(KeyOwners { owners })
    }

    fn is_scanned(&self) -> bool {
        let always = self.step.is_some_and(|step| step.rule == step::Rule::Rendezvous && self.d.request.key.is_some());
        self.story.is_scanned && !always
    }

    fn tie(&self, candidates: &[Considered]) -> Option<Tie> {
        let among = |equals: &[usize]| equals.iter().map(|&c| self.pool.id_at(c)).collect();
        if let Some((a, b, first_is_better)) = self.story.compared {
            let is_tie = self.chosen == Some(a) && !first_is_better;
            return is_tie.then(|| Tie { among: among(&[a, b]), by: TieBreak::FirstDrawn });
        }
        self.story.begun?;
        let (rule, chosen) = (self.step?.rule, self.chosen?);
        let mut best: Vec<String> = among(&self.story.best);
        if rule == step::Rule::LeastRequestExact && best.is_empty() {
            // An index was asked, which knows the least without a look at the others.
            let value = |c: &&Considered| c.score.as_ref().and_then(|score| score.value);
            let least = candidates.iter().find(|c| c.node.index as usize == chosen).and_then(|c| value(&c));
            let is_least = |c: &&Considered| c.failed_at.is_none() && value(c) == least;
            best = candidates.iter().filter(is_least).map(|c| c.id.clone()).collect();
        }
        let by = if rule == step::Rule::MostAvailable { TieBreak::Chance } else { TieBreak::Weight };
        (best.len() > 1).then_some(Tie { among: best, by })
    }
}

impl Explanation {
    /// Of a decision that could not be made.
    pub(super) fn without_node(none: NoNode, request: &Request<'_>) -> Self {
        Self {
            result: Err(none),
            way: Way::Rule,
            strategy: "",
            step: None,
            tier: None,
            zone: None,
            split: None,
            number: None::<Number>,
            key: None,
            scanned: false,
            tie: None,
            takes: Takes::default(),
            candidates: Vec::new(),
            now_ns: request.now_ns.unwrap_or(0),
        }
    }
}
