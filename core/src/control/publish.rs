//! How a change of a pool takes effect: as a whole or not at all, whoever is stopped or killed half through.
//!
//! ```text
//! stage:    what members are to become is written beside what they are; nodes that join are placed at free indices
//! build:    the next plan in the idle slot, of what members are to become
//! publish:  generation := next                                  from here on, the change is made
//! apply:    settings, staged descriptions, nodes that left the plan;  APPLIED := generation
//! ```
//!
//! Before the publication nobody sees anything of it. After it, all that is left to do follows from the arena, and each
//! step of it can be done twice, so that whoever takes the build lease of a builder that is gone does it
//! ([`Pool::end_what_was_begun`]). Picks between publication and application find the new plan with words of before,
//! each of which is right by itself.

use super::config::{PoolConfig, StrategyKind};
use super::membership::{Draining, Place, Replacement, TopologyChange};
use super::reload::let_go;
use super::settings::{self, zone_hash};
use crate::plan::build::{self, Draft, Member};
use crate::plan::step::Step;
use crate::plan::view::PlanView;
use crate::pool::Pool;
use crate::state::layout::{attention, plan_word, pool_word};
use crate::state::node::State;
use crate::state::record::Record;
use crate::state::settings::Values;
use crate::sync::Ordering;
use crate::vocabulary::error::Error;
use crate::vocabulary::hash::key_hash;
use crate::vocabulary::node::{NodeRef, NodeSpec};
use crate::vocabulary::time::now_ns;

/// Bits of [`Guard::staged`](crate::state::guard::Guard::staged), below the pointer that a staged description puts in force.
mod staged {
    /// Another description.
    pub(super) const DESCRIBED: u64 = 1;
    /// Draining ends.
    pub(super) const UNDRAINED: u64 = 2;
    pub(super) const BITS: u32 = 2;
}

/// A change that nothing stands against.
pub(crate) struct Change<'c> {
    pub(crate) specs: &'c [NodeSpec],
    pub(crate) replacement: Replacement,
    pub(crate) draining: Draining,
    pub(crate) steps: Vec<Step>,
    /// What takes the place of the configuration in force, but for its nodes.
    pub(crate) config: Option<PoolConfig>,
}

/// What followed from a publication.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Nodes that left.
    pub(crate) retired: Vec<usize>,
    /// Nodes that nothing holds any more: state before and after.
    pub(crate) let_go: Vec<(usize, State, State)>,
}

/// What a plan is made of, beside its members.
pub(crate) struct Outline<'a> {
    pub(crate) steps: &'a [Step],
    pub(crate) values: &'a Values,
    pub(crate) config: Version,
}

/// Which configuration a plan is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Version {
    number: u64,
    /// How often it was replaced by another one.
    count: u64,
    /// What tells the one that was last put in force as a whole from others.
    declared: u64,
}

/// What of a member's description its plan depends on.
pub(crate) struct Planned {
    pub(crate) weight: u32,
    pub(crate) tier: u8,
    pub(crate) zone: u64,
    pub(crate) max_in_flight: u32,
    is_draining: bool,
}

impl Planned {
    fn of(record: Record<'_>) -> Self {
        Self {
            weight: record.weight(),
            tier: record.tier(),
            zone: zone_hash(record.zone().as_str()),
            max_in_flight: record.max_in_flight(),
            is_draining: false,
        }
    }
}

/// What tells a configuration and its nodes from others, but for the numbers that hosts keep of nodes. Never 0.
fn fingerprint(config: &PoolConfig, nodes: &[NodeSpec]) -> u64 {
    let nodes = nodes.iter().map(|node| NodeSpec { user_data: 0, ..node.clone() }).collect();
    // An own strategy is no part of a configuration.
    let strategy = config.strategy.iter().filter(|s| s.kind != StrategyKind::Custom).cloned().collect();
    let whole = PoolConfig { strategy, nodes, node_lines: Vec::new(), ..config.clone() };
    key_hash(whole.to_value().to_json_line().as_bytes()).max(1)
}

impl Pool {
    /// Puts the first configuration of a pool in force.
    pub(crate) fn begin(&self, config: &PoolConfig) -> Result<(), Error> {
        let building = self.enter()?;
        self.check_room(config)?;
        let steps = self.steps_of(&config.strategy)?;
        let replacement = self.find_places(&config.nodes, &steps, config)?;
        let without_nodes = PoolConfig { nodes: Vec::new(), node_lines: Vec::new(), ..config.clone() };
        let change =
            Change { specs: &config.nodes, replacement, draining: Draining::Ends, steps, config: Some(without_nodes) };
        let (topology, _) = self.put_in_force(change, now_ns());
        drop(building);
        self.tell_topology(topology);
        Ok(())
    }

    /// Puts a change in force. For the holder of the build lease, who has had it since the places were found.
    pub(crate) fn put_in_force(&self, change: Change<'_>, now_ns: u64) -> (TopologyChange, Applied) {
        let Change { specs, replacement, draining, steps, config } = change;
        let (members, added) = self.stage(specs, replacement, draining);
        let applied = match config {
            Some(config) => {
                let declared = fingerprint(&self.settled(&config), specs);
                let version = Version { count: self.config_version().wrapping_add(1), declared, ..self.version() };
                self.publish_as(&members, &steps, config, version, now_ns)
            }
            None => self.publish_members(&members, &steps, now_ns),
        };
        let id = |&index: &usize| self.memory.record(index).id().as_str().to_owned();
        let removed = applied.retired.iter().map(id).collect();
        (TopologyChange { added, removed }, applied)
    }

    /// Puts another configuration in force that leaves nodes as they are. For the holder of the build lease.
    pub(crate) fn publish_config(&self, members: &[usize], steps: &[Step], config: PoolConfig) {
        self.publish_as(members, steps, config, self.version(), now_ns());
    }

    fn publish_as(
        &self,
        members: &[usize],
        steps: &[Step],
        config: PoolConfig,
        version: Version,
        now_ns: u64,
    ) -> Applied {
        let values = settings::values(&config, self.places_of(&config.quotas).1);
        let version = Version { number: self.config_number().wrapping_add(1), ..version };
        self.keep_config(version.number, config);
        self.publish_with_hints(self.build(members, &Outline { steps, values: &values, config: version }));
        self.apply(now_ns)
    }

    /// Publishes the plan of other members, and lets go of those that left. For the holder of the build lease.
    pub(crate) fn publish_members(&self, members: &[usize], steps: &[Step], now_ns: u64) -> Applied {
        self.publish_with_hints(self.build(members, &self.outline(steps, &self.live().values())));
        self.apply(now_ns)
    }

    /// Builds the plan of `members` under `steps` anew, and publishes it. For the holder of the build lease.
    pub(crate) fn publish(&self, members: &[usize], steps: &[Step]) {
        let next = self.build(members, &self.outline(steps, &self.live().values()));
        self.publish_with_hints(next);
        self.memory.pool(pool_word::APPLIED).store(next, Ordering::Release);
    }

    /// Notes that the configuration in force is what was asked for as a whole. For the holder of the build lease.
    pub(crate) fn declare(&self, config: &PoolConfig, nodes: &[NodeSpec]) {
        let version = Version { declared: fingerprint(config, nodes), ..self.version() };
        let (members, steps, values) = (self.members(), self.steps(), self.live().values());
        let next = self.build(&members, &Outline { steps: &steps, values: &values, config: version });
        self.publish_with_hints(next);
        self.memory.pool(pool_word::APPLIED).store(next, Ordering::Release);
    }

    fn outline<'a>(&self, steps: &'a [Step], values: &'a Values) -> Outline<'a> {
        Outline { steps, values, config: self.version() }
    }

    fn version(&self) -> Version {
        let plan = self.plan_at(self.generation().current());
        Version {
            number: plan.word(plan_word::CONFIG),
            count: plan.word(plan_word::CONFIG_VERSION),
            declared: plan.word(plan_word::DECLARED),
        }
    }

    /// Whether a configuration is the one that was last put in force as a whole, whatever was changed since.
    pub(crate) fn is_declared(&self, config: &PoolConfig) -> bool {
        fingerprint(&self.settled(config), &config.nodes) == self.version().declared
    }

    /// Adds nodes at free indices. For the holder of the build lease.
    pub(crate) fn add_nodes(
        &self,
        mut members: Vec<usize>,
        specs: &[NodeSpec],
        free: &[usize],
        steps: &[Step],
    ) -> Vec<NodeRef> {
        let is_late = !members.is_empty();
        for (spec, &index) in specs.iter().zip(free) {
            self.place(index, spec, is_late);
            members.push(index);
        }
        self.publish_members(&members, steps, now_ns());
        free.iter().map(|&index| self.reference(index)).collect()
    }

    /// Writes down what the nodes of a set are to become; their indices, and the ids of those that join.
    fn stage(&self, specs: &[NodeSpec], replacement: Replacement, draining: Draining) -> (Vec<usize>, Vec<String>) {
        let Replacement { is_late, places } = replacement;
        let mut added = Vec::new();
        self.memory.pool(pool_word::STAGED).store(1, Ordering::Release);
        let put = |(spec, place): (&NodeSpec, Place)| match place {
            Place::Stays(index) => {
                let record = self.memory.record(index);
                let mut bits = if record.stage(spec) { staged::DESCRIBED } else { 0 };
                if draining == Draining::Ends && self.memory.node(index).state().is_draining() {
                    bits |= staged::UNDRAINED;
                }
                if bits != 0 {
                    let word = record.next_pointer() << staged::BITS | bits;
                    self.memory.guard(index).staged().store(word, Ordering::Release);
                }
                self.set_user_data(self.reference(index), spec.user_data);
                index
            }
            Place::Joins(index) => {
                self.place(index, spec, is_late);
                added.push(spec.id.clone());
                index
            }
        };
        (specs.iter().zip(places).map(put).collect(), added)
    }

    /// What a member is to be described by, as the next plan has it.
    fn planned_record(&self, index: usize) -> Record<'_> {
        let record = self.memory.record(index);
        match self.memory.guard(index).staged().load(Ordering::Relaxed) & staged::DESCRIBED {
            0 => record,
            _ => record.staged(),
        }
    }

    fn planned(&self, index: usize) -> Planned {
        let (node, staged) = (self.memory.node(index), self.memory.guard(index).staged().load(Ordering::Relaxed));
        let is_draining = node.state().is_draining() && staged & staged::UNDRAINED == 0;
        if staged & staged::DESCRIBED != 0 {
            return Planned { is_draining, ..Planned::of(self.memory.record(index).staged()) };
        }
        Planned {
            weight: node.weight(),
            tier: node.tier(),
            zone: node.zone().load(Ordering::Relaxed),
            max_in_flight: node.max_in_flight(),
            is_draining,
        }
    }

    /// Builds a plan in the idle slot; its generation.
    fn build(&self, members: &[usize], outline: &Outline<'_>) -> u64 {
        let Outline { steps, values, config } = *outline;
        let current = self.generation().current();
        // Read before any state: a flip that the plan misses makes it out of date.
        let fitness = self.memory.pool(pool_word::FITNESS).load(Ordering::Acquire);
        let panic = self.attention() & attention::PANIC != 0;
        let mask = if panic { State::ANY } else { crate::pool::AVAILABLE_MASK };
        let planned: Vec<Planned> = members.iter().map(|&index| self.planned(index)).collect();
        let describe = |(&index, planned): (&usize, &Planned)| {
            let node = self.memory.node(index);
            let state = let_go(node.state(), values.breaker, values.outlier)
                .with_weight(planned.weight)
                .with(State::DRAINING, planned.is_draining);
            Member {
                index: index as u16,
                generation: state.generation(),
                weight: planned.weight,
                reported_share: self.memory.guard(index).reported_share().load(Ordering::Relaxed) as u32,
                fit: state.fit(mask),
                id_hash: node.id_hash(),
            }
        };
        let described: Vec<Member> = members.iter().zip(&planned).map(describe).collect();
        let needs = self.needs(&planned, values);
        let groups = self.groups_of(&planned, values.zones);
        let next = current.wrapping_add(1);
        for (word, group) in self.memory.groups(next)[1..].iter().zip(&groups) {
            word.store(group.word(), Ordering::Release);
        }
        let build = |group: usize, described: &[Member]| {
            let draft = Draft {
                members: described,
                steps,
                table_size: values.table_size,
                ring_points: self.memory.layout.ring_points,
                needs,
                groups: groups.len(),
                fitness,
                cursor: self.memory.cursor(group).load(Ordering::Relaxed),
                id: &|index| self.memory.record(index).id().as_str().to_owned(),
                address: &|index| self.planned_record(index).address().as_str().to_owned(),
            };
            let view = |generation| PlanView(self.memory.group(generation, group));
            build::build(&draft, view(current), view(next));
        };
        build(0, &described);
        for (at, group) in groups.iter().enumerate() {
            let inside = described.iter().zip(&planned).filter(|(_, planned)| group.has((planned.tier, planned.zone)));
            build(at + 1, &inside.map(|(member, _)| member.clone()).collect::<Vec<_>>());
        }
        self.direct_to_groups(next, &groups, values.zone_min_nodes as usize);
        let whole = self.plan_at(next);
        whole.set_word(plan_word::CONFIG, config.number);
        whole.set_word(plan_word::CONFIG_VERSION, config.count);
        whole.set_word(plan_word::DECLARED, config.declared);
        next
    }

    /// Brings in force what the published plan came with. For the holder of the build lease.
    fn apply(&self, now_ns: u64) -> Applied {
        let generation = self.generation().current();
        let plan = self.plan_at(generation);
        let members = self.members();
        let mut applied = Applied::default();
        let number = plan.word(plan_word::CONFIG);
        if self.memory.pool(pool_word::SETTINGS_OF).load(Ordering::Acquire) != number {
            self.apply_settings(now_ns);
            applied.let_go = members.iter().filter_map(|&index| self.let_go(index)).collect();
            // Last: whoever ends this for one who was killed does all of it again.
            self.memory.pool(pool_word::SETTINGS_OF).store(number, Ordering::Release);
        }
        if self.memory.pool(pool_word::STAGED).load(Ordering::Acquire) != 0 {
            members.iter().for_each(|&index| self.apply_staged(index));
            self.memory.pool(pool_word::STAGED).store(0, Ordering::Release);
        }
        if self.live().quotas() != 0 {
            members.iter().for_each(|&index| self.set_quotas(index));
        }
        // Only now: whoever still picks by the old plan finds the new generation afterwards.
        applied.retired = self.indices_without_a_place(&members);
        applied.retired.iter().for_each(|&index| self.retire(index));
        self.memory.pool(pool_word::APPLIED).store(generation, Ordering::Release);
        applied
    }

    /// Puts a staged description in force. Done twice, it is the same.
    fn apply_staged(&self, index: usize) {
        let word = self.memory.guard(index).staged();
        let staged = word.load(Ordering::Acquire);
        if staged == 0 {
            return;
        }
        if staged & staged::DESCRIBED != 0 {
            self.memory.record(index).point_to(staged >> staged::BITS);
            self.take_over_description(index);
        }
        if staged & staged::UNDRAINED != 0 {
            self.memory.guard(index).draining_since().store(0, Ordering::Relaxed);
            self.change_state(index, |s| s.with(State::DRAINING, false));
        }
        word.store(0, Ordering::Release);
    }

    /// Brings the words that decisions read in line with a node's description.
    fn take_over_description(&self, index: usize) {
        let (node, planned) = (self.memory.node(index), Planned::of(self.memory.record(index)));
        node.set_weight(planned.weight);
        node.set_limit_and_tier(planned.max_in_flight, planned.tier);
        node.zone().store(planned.zone, Ordering::Relaxed);
        self.change_state(index, |s| s.with_weight(planned.weight));
    }

    /// Members by their states that the published plan does not have.
    fn indices_without_a_place(&self, members: &[usize]) -> Vec<usize> {
        let mut has_place = vec![false; self.memory.nodes_max()];
        members.iter().for_each(|&index| has_place[index] = true);
        let used = (self.memory.pool(pool_word::NODES_USED).load(Ordering::Acquire) as usize).min(has_place.len());
        (0..used).filter(|&index| !has_place[index] && self.memory.node(index).state().is_member()).collect()
    }

    /// For whoever took the build lease of a builder that is gone: what was published is applied, and what was not is
    /// forgotten.
    #[cold]
    pub(crate) fn end_what_was_begun(&self) {
        if self.memory.pool(pool_word::APPLIED).load(Ordering::Acquire) != self.generation().current() {
            self.apply(now_ns());
        }
        if self.memory.pool(pool_word::STAGED).load(Ordering::Acquire) != 0 {
            let used = self.memory.nodes_used();
            for index in 0..used {
                self.memory.guard(index).staged().store(0, Ordering::Release);
            }
            self.memory.pool(pool_word::STAGED).store(0, Ordering::Release);
        }
        self.indices_without_a_place(&self.members()).into_iter().for_each(|index| self.retire(index));
        // A weight or a draining that was set and not yet built for.
        self.publish(&self.members(), &self.steps());
    }

    /// A new node at a free index: everything is written before the state makes it a member.
    fn place(&self, index: usize, spec: &NodeSpec, is_late: bool) {
        let (node, guard) = (self.memory.node(index), self.memory.guard(index));
        let generation = node.state().generation().wrapping_add(1).max(1);
        node.set_id_hash(key_hash(spec.id.as_bytes()));
        node.latency().store(0, Ordering::Relaxed);
        node.set_reported_load(None);
        node.set_remaining_ratio(None);
        for word in
            [node.warming_since(), node.reported_weight(), node.tail_latency(), node.failure_share(), node.gradient()]
        {
            word.store(0, Ordering::Relaxed);
        }
        self.keep_counts(index);
        guard.clear();
        self.forget_quotas(index);
        self.memory.forget_finished(index);
        self.forget_latencies(index);
        self.memory.record(index).write(spec);
        self.take_over_description(index);
        if is_late {
            guard.newcomer().store(1, Ordering::Relaxed);
            self.begin_warming(index);
        }
        self.set_user_data(NodeRef { index: index as u32, generation }, spec.user_data);
        node.set_state(State::fresh(generation, spec.weight));
        self.memory.pool(pool_word::NODES_USED).fetch_max(index as u64 + 1, Ordering::AcqRel);
    }

    fn retire(&self, index: usize) {
        self.change_state(index, |s| s.with(State::NOT_MEMBER, true));
        if let Some(own) = &self.own_health {
            own.nodes.lock().remove(&self.reference(index));
        }
    }

    pub(crate) fn change_state(&self, index: usize, change: impl Fn(State) -> State) {
        let node = self.memory.node(index);
        let mut state = node.state();
        while let Err(seen) = self.swap_state(index, state, change(state)) {
            state = seen;
        }
        self.renew_hint_if_kept(index);
    }
}
