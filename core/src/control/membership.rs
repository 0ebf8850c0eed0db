//! Who is a member: as a whole set, or one by one. State stays with the id.

use std::collections::HashMap;

use super::config::{PoolConfig, validate_node, validate_nodes};
use super::publish::Change;
use super::settings::zone_hash;
use crate::plan::ids;
use crate::plan::step::Step;
use crate::plan::view::PlanView;
use crate::pool::{Event, EventKind, Pool};
use crate::state::layout::{STEPS_MAX, plan_word};
use crate::state::node::State;
use crate::sync::Ordering;
use crate::vocabulary::error::{ConfigError, Error, StateError};
use crate::vocabulary::node::{NodeRef, NodeSpec};
use crate::vocabulary::time::now_ns;

/// Who joined and who left, by their ids.
#[derive(Debug, Default)]
pub(crate) struct TopologyChange {
    pub(crate) added: Vec<String>,
    pub(crate) removed: Vec<String>,
}

/// Where the nodes of a new set go.
#[derive(Debug)]
pub(crate) struct Replacement {
    /// Whether there were members before.
    pub(crate) is_late: bool,
    /// One for each node of the set.
    pub(crate) places: Vec<Place>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    Stays(usize),
    Joins(usize),
}

/// What becomes of the draining of nodes that stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Draining {
    Ends,
    GoesOn,
}

/// Looks at members that change all the time.
const LOOKS_MAX: u32 = 100;

impl Pool {
    /// Replaces all nodes. Those whose ids stay keep what is known of them: in flight, health, averages. The order of the
    /// list is the order of the round robins.
    ///
    /// # Errors
    /// [`Error::Config`] for a duplicate or over-long id, too many nodes or labels, or weights whose sum overflows;
    /// nothing is changed then.
    pub fn set_nodes<N: Into<NodeSpec>>(&self, nodes: impl IntoIterator<Item = N>) -> Result<(), Error> {
        let specs: Vec<NodeSpec> = nodes.into_iter().map(Into::into).collect();
        self.set_specs(&specs, &[])
    }

    pub(crate) fn set_specs(&self, specs: &[NodeSpec], lines: &[usize]) -> Result<(), Error> {
        validate_nodes(specs, lines, &self.memory.layout.limits)?;
        let building = self.enter()?;
        self.check_quotas(specs)?;
        let steps = self.steps();
        let replacement = self.find_places(specs, &steps, &self.config().clone())?;
        let change = Change { specs, replacement, draining: Draining::Ends, steps, config: None };
        let (changed, _) = self.put_in_force(change, now_ns());
        drop(building);
        self.tell_topology(changed);
        Ok(())
    }

    /// Where each of valid nodes goes under a configuration, if all of them can be. Changes nothing. For the holder of the
    /// build lease.
    pub(crate) fn find_places(
        &self,
        specs: &[NodeSpec],
        steps: &[Step],
        config: &PoolConfig,
    ) -> Result<Replacement, Error> {
        let present = self.members();
        let grouping = || specs.iter().map(|s| (s.tier, zone_hash(&s.zone)));
        let groups = self.check_groups(grouping(), config.zones.is_some())?;
        self.check_ring(steps, specs.iter().map(|s| s.weight))?;
        let by_id: HashMap<String, usize> =
            present.iter().map(|&i| (self.memory.record(i).id().as_str().to_owned(), i)).collect();
        let fresh = specs.iter().filter(|s| !by_id.contains_key(&s.id)).count();
        let mut free = self.free_indices(fresh)?;
        let nodes = free.iter().map(|index| index + 1).max().unwrap_or(0);
        let weights = specs.iter().map(|s| u64::from(s.weight)).sum();
        self.reserve_room(config, steps, nodes, groups, weights)?;
        let mut place = |spec: &NodeSpec| match by_id.get(&spec.id) {
            Some(&index) => Place::Stays(index),
            None => Place::Joins(free.pop().unwrap_or_default()),
        };
        let places = specs.iter().map(&mut place).collect();
        Ok(Replacement { is_late: !present.is_empty(), places })
    }

    /// Tells the observers of nodes that joined or left, and moves sessions as configured. Not under the build lease.
    pub(crate) fn tell_topology(&self, change: TopologyChange) {
        let TopologyChange { added, removed } = change;
        self.begin_rebalancing(added.len());
        // Those who stay may have another tier, weight or limit.
        self.renew_situation(None);
        self.wake_all();
        if added.is_empty() && removed.is_empty() {
            return;
        }
        let at_ns = now_ns();
        self.tell(|| Some(Event { node: None, at_ns, kind: EventKind::Topology { added, removed } }));
    }

    /// Adds a node.
    ///
    /// # Errors
    /// [`StateError::DuplicateNode`] if its id is there; [`Error::Config`] if it cannot be, or a bound is reached.
    pub fn register(&self, node: impl Into<NodeSpec>) -> Result<NodeRef, Error> {
        let refs = self.register_batch([node.into()])?;
        refs.first().copied().ok_or(Error::State(StateError::Busy))
    }

    /// Adds nodes, all or none.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub fn register_batch<N: Into<NodeSpec>>(&self, nodes: impl IntoIterator<Item = N>) -> Result<Vec<NodeRef>, Error> {
        let specs: Vec<NodeSpec> = nodes.into_iter().map(Into::into).collect();
        validate_nodes(&specs, &[], &self.memory.layout.limits)?;
        let building = self.enter()?;
        let members = self.members();
        let plan = self.plan_at(self.generation().current());
        if let Some(spec) = specs.iter().find(|s| self.member(plan, &s.id).is_some()) {
            return Err(StateError::DuplicateNode(spec.id.clone()).into());
        }
        let limits = &self.memory.layout.limits;
        if members.len() + specs.len() > limits.max_nodes as usize {
            return Err(self.full("nodes", members.len() + specs.len()).into());
        }
        let weights = || members.iter().map(|&i| self.memory.node(i).weight()).chain(specs.iter().map(|s| s.weight));
        self.check_weight_sum(weights())?;
        let steps = self.steps();
        self.check_ring(&steps, weights())?;
        let grouping = |&i: &usize| (self.memory.node(i).tier(), self.memory.node(i).zone().load(Ordering::Relaxed));
        let joining = specs.iter().map(|s| (s.tier, zone_hash(&s.zone)));
        let groups = self.check_groups(members.iter().map(grouping).chain(joining), self.live().zones())?;
        self.check_quotas(&specs)?;
        let free: Vec<usize> = self.free_indices(specs.len())?.into_iter().rev().collect();
        let nodes = free.iter().map(|index| index + 1).max().unwrap_or(0);
        self.reserve_room(&self.config().clone(), &steps, nodes, groups, weights().map(u64::from).sum())?;
        let placed = self.add_nodes(members, &specs, &free, &steps);
        drop(building);
        let added = specs.into_iter().map(|spec| spec.id).collect();
        self.tell_topology(TopologyChange { added, removed: Vec::new() });
        Ok(placed)
    }

    /// Describes a member anew: weight, tier, zone, limit, labels, address, quotas. What is known of it stays, also its
    /// draining.
    ///
    /// ```
    /// use loadwise::{NodeSpec, Pool};
    ///
    /// let pool = Pool::builder().nodes(["a", "b"]).build()?;
    /// pool.update(NodeSpec::new("a").weight(3).tier(1))?;
    /// assert_eq!((pool.nodes()[0].weight, pool.nodes()[0].tier), (3, 1));
    /// # Ok::<(), loadwise::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`StateError::UnknownNode`]; [`Error::Config`] for what cannot be. Nothing is changed then.
    pub fn update(&self, node: impl Into<NodeSpec>) -> Result<(), Error> {
        let mut spec = node.into();
        validate_node(&spec, &self.memory.layout.limits, "node", 0)?;
        let building = self.enter()?;
        self.keep_user_data(std::slice::from_mut(&mut spec));
        let at = self.known(&spec.id)?;
        let config = self.config().clone();
        let member = |&index: &usize| if index == at { spec.clone() } else { self.spec_of(index, &config) };
        let specs: Vec<NodeSpec> = self.members().iter().map(member).collect();
        self.check_weight_sum(specs.iter().map(|spec| spec.weight))?;
        self.check_quotas(&specs)?;
        let steps = self.steps();
        let replacement = self.find_places(&specs, &steps, &config)?;
        let change = Change { specs: &specs, replacement, draining: Draining::GoesOn, steps, config: None };
        let (changed, _) = self.put_in_force(change, now_ns());
        drop(building);
        self.tell_topology(changed);
        Ok(())
    }

    /// Takes a node out. Picks that are under way on it end as usual.
    ///
    /// # Errors
    /// [`StateError::UnknownNode`].
    pub fn deregister(&self, id: &str) -> Result<(), Error> {
        let building = self.enter()?;
        let index = self.known(id)?;
        let members: Vec<usize> = self.members().into_iter().filter(|&i| i != index).collect();
        self.publish_members(&members, &self.steps(), now_ns());
        drop(building);
        self.tell_topology(TopologyChange { added: Vec::new(), removed: vec![id.to_owned()] });
        Ok(())
    }

    /// Changes a node's weight; 0 takes no new picks.
    ///
    /// # Errors
    /// [`StateError::UnknownNode`]; [`Error::Config`] if the sum of all weights overflows.
    pub fn set_weight(&self, id: &str, weight: u32) -> Result<(), Error> {
        let building = self.enter()?;
        let index = self.known(id)?;
        let members = self.members();
        let weights = || members.iter().map(|&i| if i == index { weight } else { self.memory.node(i).weight() });
        self.check_weight_sum(weights())?;
        let steps = self.steps();
        self.check_ring(&steps, weights())?;
        let groups = self.groups_in_force();
        self.reserve_room(&self.config().clone(), &steps, 0, groups, weights().map(u64::from).sum())?;
        self.memory.record(index).set_weight(weight);
        self.memory.node(index).set_weight(weight);
        self.change_state(index, |s| s.with_weight(weight));
        self.publish(&members, &steps);
        drop(building);
        self.renew_situation(None);
        Ok(())
    }

    /// Begins or ends draining: a draining node takes no new picks but those of its sessions, and is done when nothing is
    /// in flight on it any more, or after `drain_timeout_ms`. Picks that are under way end as usual.
    ///
    /// # Errors
    /// [`StateError::UnknownNode`].
    pub fn drain(&self, id: &str, draining: bool) -> Result<(), Error> {
        self.drain_at(id, draining, now_ns())
    }

    /// [`drain`](Self::drain) at a time of the caller's.
    ///
    /// # Errors
    /// As [`drain`](Self::drain).
    pub fn drain_at(&self, id: &str, draining: bool, now_ns: u64) -> Result<(), Error> {
        let building = self.enter()?;
        let index = self.known(id)?;
        let was = self.memory.node(index).state().is_draining();
        if was != draining {
            let since = if draining { now_ns.max(1) } else { 0 };
            self.memory.guard(index).draining_since().store(since, Ordering::Relaxed);
            if !draining {
                self.begin_warming(index);
            }
        }
        self.change_state(index, |s| s.with(State::DRAINING, draining));
        self.publish(&self.members(), &self.steps());
        drop(building);
        self.renew_situation(None);
        Ok(())
    }

    /// Whether a draining node is done: nothing is in flight on it, or its time is over.
    pub(crate) fn is_drained(&self, index: usize, now_ns: u64) -> bool {
        if !self.memory.node(index).state().is_draining() {
            return false;
        }
        let since = self.memory.guard(index).draining_since().load(Ordering::Relaxed);
        self.memory.in_flight(index) == 0 || now_ns.saturating_sub(since) >= self.live().drain_timeout_ns()
    }

    /// Gives a node the host's own number, in this process.
    ///
    /// # Errors
    /// [`StateError::UnknownNode`].
    pub fn set_node_user_data(&self, id: &str, user_data: u64) -> Result<(), Error> {
        self.after_fork_if_any();
        let index = self.known_now(id)?;
        self.set_user_data(self.reference(index), user_data);
        Ok(())
    }

    /// The node of an id, if it is a member.
    pub fn node(&self, id: &str) -> Option<NodeRef> {
        self.after_fork_if_any();
        loop {
            let generation = self.generation().current();
            let found = self.member(self.plan_at(generation), id).map(|index| self.reference(index));
            if self.generation().is_still(generation) {
                return found;
            }
        }
    }

    /// Waits for the right to build, having noticed a fork.
    ///
    /// # Errors
    /// [`StateError::Busy`] if another process does not end.
    pub(crate) fn enter(&self) -> Result<super::lock::Building<'_>, StateError> {
        self.sit_down_after_fork()?;
        self.lock()
    }

    /// What `f` makes of the members of one moment. Nobody is waited for: if they change, `f` is called again.
    pub(crate) fn look<R>(&self, f: impl Fn(&[usize]) -> R) -> R {
        self.after_fork_if_any();
        let mut attempt = 0;
        loop {
            let generation = self.generation().current();
            let found = f(&self.members());
            attempt += 1;
            if self.generation().is_still(generation) || attempt >= LOOKS_MAX {
                return found;
            }
        }
    }

    pub(crate) fn reference(&self, index: usize) -> NodeRef {
        NodeRef { index: index as u32, generation: self.memory.node(index).state().generation() }
    }

    /// Whether a node that somebody named is still that member.
    pub(crate) fn is_current(&self, node: NodeRef) -> bool {
        let state = self.memory.node(node.index as usize).state();
        (node.index as usize) < self.memory.nodes_max() && state.generation() == node.generation && state.is_member()
    }

    /// The member of an id, by a plan.
    pub(crate) fn member(&self, plan: PlanView<'_>, id: &str) -> Option<usize> {
        let entries = plan.ids();
        let mask = (plan.word(plan_word::ID_MASK) as usize).min(self.memory.nodes_max().saturating_mul(4));
        ids::find(
            id,
            mask,
            |i| entries.get(i),
            |node, hash| {
                node < self.memory.nodes_max()
                    && self.memory.node(node).id_hash() == hash
                    && self.memory.record(node).id().as_str() == id
            },
        )
    }

    /// The member of an id, whoever builds meanwhile.
    pub(crate) fn known_now(&self, id: &str) -> Result<usize, Error> {
        let found = self.node(id).map(|node| node.index as usize);
        found.ok_or_else(|| StateError::UnknownNode(id.chars().take(64).collect()).into())
    }

    pub(crate) fn known(&self, id: &str) -> Result<usize, Error> {
        let plan = self.plan_at(self.generation().current());
        self.member(plan, id).ok_or_else(|| StateError::UnknownNode(id.chars().take(64).collect()).into())
    }

    /// Indices of all members in declared order. For the holder of the build lease.
    pub(crate) fn members(&self) -> Vec<usize> {
        let plan = self.plan_at(self.generation().current());
        let (members, max) = (plan.members(), self.memory.nodes_max());
        (0..plan.lead().members().min(max)).map(|i| usize::from(members.get(i))).filter(|&index| index < max).collect()
    }

    /// The policy in force.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let plan = self.plan_at(self.generation().current());
        (0..plan.lead().steps().min(STEPS_MAX)).filter_map(|i| plan.step(i)).collect()
    }

    /// `count` indices that no node has and nothing is in flight on.
    fn free_indices(&self, count: usize) -> Result<Vec<usize>, Error> {
        let used = self.memory.nodes_used();
        let retired = (0..used).filter(|&i| !self.memory.node(i).state().is_member() && self.memory.is_settled(i));
        let mut free: Vec<usize> = retired.chain(used..self.memory.nodes_max()).take(count).collect();
        if free.len() < count {
            return Err(self
                .full("nodes, counting those that left with picks still under way", self.memory.nodes_max() + 1)
                .into());
        }
        free.reverse();
        Ok(free)
    }

    fn full(&self, what: &str, count: usize) -> ConfigError {
        let max = self.memory.layout.limits.max_nodes;
        ConfigError::limit(
            "limits.max_nodes",
            0,
            format!("{count} {what}, more than the {max} that the pool was made for"),
        )
    }

    fn check_weight_sum(&self, weights: impl Iterator<Item = u32>) -> Result<(), ConfigError> {
        let sum: u64 = weights.map(u64::from).sum();
        if sum > super::config::WEIGHT_SUM_MAX {
            let max = super::config::WEIGHT_SUM_MAX;
            return Err(ConfigError::limit(
                "weight",
                0,
                format!("the sum of all weights would be {sum}, more than {max}"),
            ));
        }
        Ok(())
    }
}

/// Checks a node by itself, for hosts that want to know before they change anything.
impl Pool {
    /// # Errors
    /// [`Error::Config`], naming the field.
    pub fn check_node(&self, node: &NodeSpec) -> Result<(), Error> {
        Ok(validate_node(node, &self.memory.layout.limits, "node", 0)?)
    }
}
