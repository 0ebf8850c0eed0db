//! What other processes do to a shared pool, told to the observers of this one.
//!
//! What this process does itself is told at once. What others did is found by comparing what was told last with what is,
//! whenever the pool is maintained; of what came and went in between nobody hears. Whichever comes first tells, and the
//! other finds that it is no news.

use std::collections::HashMap;

use super::Pool;
use super::observe::{Event, EventKind};
use crate::state::layout::{attention, pool_word};
use crate::state::node::State;
use crate::sync::Ordering;
use crate::vocabulary::node::NodeRef;
use crate::vocabulary::status::HealthStatus;

/// What the observers of this process know.
#[derive(Debug, Default)]
pub(crate) struct Known {
    look: Look,
    nodes: HashMap<String, Standing>,
}

/// What changes with everything that observers are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Look {
    generation: u64,
    fitness: u64,
    panic: bool,
    tier: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    node: NodeRef,
    health: HealthStatus,
    open: bool,
    ejected: bool,
}

impl Standing {
    fn of(node: NodeRef, state: State) -> Self {
        Self { node, health: state.health(), open: state.is_breaker_open(), ejected: state.is_ejected() }
    }
}

impl Known {
    /// Takes note of what happened in this process; what of it is news.
    fn take_note(&mut self, mut event: Event, standing: impl Fn(&str) -> Option<Standing>) -> Option<Event> {
        let of_node = |nodes: &mut HashMap<String, Standing>, set: &dyn Fn(&mut Standing) -> bool| {
            let found = nodes.values_mut().find(|known| Some(known.node) == event.node);
            found.is_none_or(set)
        };
        let is_news = match &mut event.kind {
            EventKind::Health { to, .. } => {
                of_node(&mut self.nodes, &|known| std::mem::replace(&mut known.health, *to) != *to)
            }
            EventKind::Breaker { open } => {
                of_node(&mut self.nodes, &|known| std::mem::replace(&mut known.open, *open) != *open)
            }
            EventKind::Ejection { ejected } => {
                of_node(&mut self.nodes, &|known| std::mem::replace(&mut known.ejected, *ejected) != *ejected)
            }
            EventKind::Panic { spread } => std::mem::replace(&mut self.look.panic, *spread) != *spread,
            EventKind::Tier { to, .. } => self.look.tier.replace(*to) != Some(*to),
            EventKind::Topology { added, removed } => {
                removed.retain(|id| self.nodes.remove(id).is_some());
                added.retain(|id| match standing(id) {
                    Some(standing) => self.nodes.insert(id.clone(), standing).is_none(),
                    // It has left again.
                    None => true,
                });
                !added.is_empty() || !removed.is_empty()
            }
            EventKind::Selection { .. } => true,
        };
        is_news.then_some(event)
    }

    /// Takes note of what is; how it differs from what was known.
    fn catch_up(&mut self, look: Look, nodes: HashMap<String, Standing>, at_ns: u64) -> Vec<Event> {
        let before = std::mem::replace(self, Self { look, nodes });
        let mut events = Vec::new();
        let mut tell = |node: Option<NodeRef>, kind: EventKind| events.push(Event { node, at_ns, kind });
        let lacking = |of: &HashMap<String, Standing>, known: &HashMap<String, Standing>| {
            let mut ids: Vec<String> = of.keys().filter(|id| !known.contains_key(*id)).cloned().collect();
            ids.sort_unstable();
            ids
        };
        let (added, removed) = (lacking(&self.nodes, &before.nodes), lacking(&before.nodes, &self.nodes));
        if !added.is_empty() || !removed.is_empty() {
            tell(None, EventKind::Topology { added, removed });
        }
        for (id, is) in &self.nodes {
            // One that is new, or came back as another one, begins as it is.
            let Some(was) = before.nodes.get(id).filter(|was| was.node == is.node) else { continue };
            if was.health != is.health {
                tell(Some(is.node), EventKind::Health { from: was.health, to: is.health });
            }
            if was.open != is.open {
                tell(Some(is.node), EventKind::Breaker { open: is.open });
            }
            if was.ejected != is.ejected {
                tell(Some(is.node), EventKind::Ejection { ejected: is.ejected });
            }
        }
        if before.look.panic != look.panic {
            tell(None, EventKind::Panic { spread: look.panic });
        }
        if let (Some(from), Some(to)) = (before.look.tier, look.tier) {
            if from != to {
                tell(None, EventKind::Tier { from, to });
            }
        }
        events
    }
}

impl Pool {
    /// What an observer that begins now knows.
    pub(crate) fn begin_knowing(&self) {
        if self.share.is_some() {
            let mut known = self.observers.known.lock();
            if known.is_none() {
                *known = Some(Known { look: self.look_of_now(), nodes: self.standings() });
            }
        }
    }

    /// What of an event of this process is news to its observers.
    pub(crate) fn news(&self, event: Event) -> Option<Event> {
        if self.share.is_none() {
            return Some(event);
        }
        match &mut *self.observers.known.lock() {
            Some(known) => known.take_note(event, |id| {
                let node = self.node(id)?;
                Some(Standing::of(node, self.memory.node(node.index as usize).state()))
            }),
            None => Some(event),
        }
    }

    /// Tells the observers of what other processes did since they were told last.
    pub(crate) fn tell_of_others(&self, now_ns: u64) {
        if self.share.is_none() || !self.observers.are_any() {
            return;
        }
        let events = {
            let mut known = self.observers.known.lock();
            let look = self.look_of_now();
            match &mut *known {
                Some(known) if known.look != look => known.catch_up(look, self.standings(), now_ns),
                _ => return,
            }
        };
        events.iter().for_each(|event| self.tell_all(event));
    }

    fn look_of_now(&self) -> Look {
        Look {
            generation: self.generation().current(),
            fitness: self.memory.pool(pool_word::FITNESS).load(Ordering::Acquire),
            panic: self.attention() & attention::PANIC != 0,
            tier: self.tier_state().main.map(|tier| tier as u8),
        }
    }

    fn standings(&self) -> HashMap<String, Standing> {
        self.look(|members| {
            let standing = |&index: &usize| {
                let id = self.memory.record(index).id().as_str().to_owned();
                (id, Standing::of(self.reference(index), self.memory.node(index).state()))
            };
            members.iter().map(standing).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(index: u32, health: HealthStatus) -> Standing {
        Standing { node: NodeRef { index, generation: 1 }, health, open: false, ejected: false }
    }

    fn known() -> Known {
        let nodes = [("a", 0), ("b", 1)].map(|(id, i)| (id.to_owned(), standing(i, HealthStatus::Healthy)));
        Known { look: Look::default(), nodes: nodes.into() }
    }

    fn kinds(events: Vec<Event>) -> Vec<EventKind> {
        events.into_iter().map(|event| event.kind).collect()
    }

    #[test]
    fn what_others_did_is_the_difference() {
        let mut known = known();
        let mut nodes = known.nodes.clone();
        nodes.remove("b");
        nodes.insert("c".into(), standing(2, HealthStatus::Unhealthy));
        nodes.insert("a".into(), Standing { open: true, ..standing(0, HealthStatus::Unhealthy) });
        let look = Look { panic: true, ..Look::default() };
        let told = kinds(known.catch_up(look, nodes.clone(), 5));
        assert_eq!(
            told,
            [
                EventKind::Topology { added: vec!["c".into()], removed: vec!["b".into()] },
                EventKind::Health { from: HealthStatus::Healthy, to: HealthStatus::Unhealthy },
                EventKind::Breaker { open: true },
                EventKind::Panic { spread: true },
            ]
        );
        assert_eq!(known.catch_up(look, nodes, 6), []);
    }

    #[test]
    fn nothing_is_told_twice() {
        let mut known = known();
        let event = |kind| Event { node: Some(NodeRef { index: 0, generation: 1 }), at_ns: 5, kind };
        let down = || event(EventKind::Health { from: HealthStatus::Healthy, to: HealthStatus::Unhealthy });
        assert!(known.take_note(down(), |_| None).is_some());
        assert!(known.take_note(down(), |_| None).is_none());
        assert_eq!(known.catch_up(Look::default(), known.nodes.clone(), 6), []);
        let joined = |ids: [&str; 2]| {
            event(EventKind::Topology { added: ids.map(str::to_owned).into(), removed: vec!["b".into()] })
        };
        let told = known.take_note(joined(["a", "c"]), |_| Some(standing(2, HealthStatus::Healthy)));
        let news = EventKind::Topology { added: vec!["c".into()], removed: vec!["b".into()] };
        assert_eq!(told.map(|event| event.kind), Some(news));
        assert!(known.take_note(joined(["a", "c"]), |_| Some(standing(2, HealthStatus::Healthy))).is_none());
    }
}
