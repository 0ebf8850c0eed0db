//! A node as predicates and hosts look at it.

use super::{Pool, Ticket};
use crate::sync::Ordering;
use crate::vocabulary::error::TicketError;
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

    /// The load that was last reported.
    pub fn load(&self) -> Option<f64> {
        self.pool.memory.node(self.index).reported_load()
    }

    /// The share of its quota that was last reported to be left.
    pub fn remaining_ratio(&self) -> Option<f64> {
        self.pool.memory.node(self.index).remaining_ratio()
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
    /// A look at a node that a pick or an own strategy named; `None` if it is gone.
    pub fn candidate(&self, node: NodeRef) -> Option<Candidate<'_>> {
        self.is_current(node).then_some(Candidate { pool: self, index: node.index as usize })
    }

    /// The node that an open ticket is about, for hosts that keep nothing but tickets.
    ///
    /// ```
    /// use loadwise::{Outcome, Pool, Request};
    ///
    /// let pool = Pool::builder().node("10.0.0.1:8080").build()?;
    /// let ticket = pool.acquire(&Request::new())?.ticket;
    /// assert_eq!(pool.address_of(pool.node_of(ticket)?).as_str(), "10.0.0.1:8080");
    /// pool.release(ticket, Outcome::Success)?;
    /// assert!(pool.node_of(ticket).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`TicketError`] as of [`release`](Self::release).
    pub fn node_of(&self, ticket: Ticket) -> Result<NodeRef, TicketError> {
        self.after_fork_if_any();
        let leased = self.memory.leases().look(ticket, self.seat.row())?;
        Ok(NodeRef { index: leased.node, generation: leased.node_generation })
    }

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
