//! A node as predicates and hosts look at it.

use super::Pool;
use crate::sync::Ordering;
use crate::vocabulary::node::NodeRef;
use crate::vocabulary::status::HealthStatus;
use crate::vocabulary::text::Text;

/// One node of a pool, at this moment.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    pub(crate) pool: &'a Pool,
    pub(crate) index: usize,
}

impl std::fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidate").field("id", &self.id()).field("health", &self.health()).finish_non_exhaustive()
    }
}

impl Candidate<'_> {
    pub fn id(&self) -> Text {
        self.pool.memory.record(self.index).id()
    }

    pub fn name(&self) -> Text {
        self.pool.memory.record(self.index).name()
    }

    pub fn address(&self) -> Text {
        self.pool.memory.record(self.index).address()
    }

    pub fn weight(&self) -> u32 {
        self.pool.memory.node(self.index).weight()
    }

    pub fn health(&self) -> HealthStatus {
        self.pool.memory.node(self.index).state().health()
    }

    /// Unfinished picks, in all processes.
    pub fn in_flight(&self) -> u64 {
        self.pool.memory.in_flight(self.index)
    }

    /// Whether the node has a label of this value.
    pub fn has_label(&self, key: &str, value: &str) -> bool {
        self.pool.memory.record(self.index).has_labels(&[crate::vocabulary::hash::label_hash(key, value)])
    }

    /// The host's own number; 0 if this process gave none.
    pub fn user_data(&self) -> u64 {
        self.pool.user_data_of(self.node())
    }

    pub fn node(&self) -> NodeRef {
        NodeRef { index: self.index as u32, generation: self.pool.memory.node(self.index).state().generation() }
    }
}

impl Pool {
    /// A node's own number in this process; 0 if it is gone or has none.
    #[inline]
    pub fn user_data_of(&self, node: NodeRef) -> u64 {
        match self.user_data.get(node.index as usize) {
            Some(slot) if slot.generation.load(Ordering::Acquire) == u64::from(node.generation) => {
                slot.value.load(Ordering::Relaxed)
            }
            _ => 0,
        }
    }

    pub(crate) fn set_user_data(&self, node: NodeRef, value: u64) {
        if let Some(slot) = self.user_data.get(node.index as usize) {
            slot.value.store(value, Ordering::Relaxed);
            slot.generation.store(u64::from(node.generation), Ordering::Release);
        }
    }

    /// The id of a node that a pick named; empty if the node is gone.
    pub fn id_of(&self, node: NodeRef) -> Text {
        self.memory.text(node.index as usize, node.generation, |r| r.id())
    }

    /// The address of a node that a pick named; empty if the node is gone.
    pub fn address_of(&self, node: NodeRef) -> Text {
        self.memory.text(node.index as usize, node.generation, |r| r.address())
    }

    /// The name of a node that a pick named; empty if it has none or is gone.
    pub fn name_of(&self, node: NodeRef) -> Text {
        self.memory.text(node.index as usize, node.generation, |r| r.name())
    }
}
