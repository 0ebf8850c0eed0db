//! A decision that is held until it is finished.

use std::cell::Cell;

use super::choose::Decision;
use super::filter::Filter;
use super::{Pool, Request, Ticket};
use crate::plan::view::Flags;
use crate::state::lease::Leased;
use crate::state::local::{self, Local};
use crate::state::thread;
use crate::sync::Ordering;
use crate::vocabulary::error::{NoNode, NoNodeReason, TicketError};
use crate::vocabulary::node::NodeRef;
use crate::vocabulary::outcome::Report;
use crate::vocabulary::text::Text;
use crate::vocabulary::time::now_ns;

/// A pick as plain numbers, for hosts that cannot hold a [`Pick`]. To be released, or its node stays busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    pub ticket: Ticket,
    pub node: NodeRef,
    /// Whether a predicate or an own strategy panicked on the way; its candidates were left out.
    pub callback_failed: bool,
}

/// A chosen node, in flight until this is finished or dropped. A dropped pick counts as cancelled.
#[derive(Debug)]
#[must_use = "a pick that is dropped at once counts as cancelled"]
pub struct Pick<'p> {
    pool: &'p Pool,
    lease: Lease,
}

impl Pool {
    /// Chooses a node. No lock, no allocation, no system call; the clock is read only where the strategy needs it.
    ///
    /// # Errors
    /// [`NoNode`] with the reason, if no node may be chosen.
    #[inline]
    pub fn pick(&self, request: &Request<'_>) -> Result<Pick<'_>, NoNode> {
        self.acquire(request).map(|lease| Pick { pool: self, lease })
    }

    /// [`pick`](Self::pick) as plain numbers, for hosts without destructors. Every lease must be given back by
    /// [`release`](Self::release), or be recovered by `lease_timeout_ms`.
    #[inline]
    pub fn acquire(&self, request: &Request<'_>) -> Result<Lease, NoNode> {
        self.after_fork_if_any();
        let in_teardown = Err(NoNode { reason: NoNodeReason::Saturated, retry_at_ns: None, callback_failed: false });
        local::with_local(self.number.get(), self.tag.load(Ordering::Relaxed), |local| {
            self.acquire_with(request, local)
        })
        .unwrap_or(in_teardown)
    }

    /// Chooses a node as the next pick would, and counts nothing: for hosts that keep their own account of what is in
    /// flight. A round robin's turn is used up, and so is a seeded pool's draw.
    #[inline]
    pub fn choose(&self, request: &Request<'_>) -> Result<NodeRef, NoNode> {
        self.after_fork_if_any();
        let in_teardown = Err(NoNode { reason: NoNodeReason::Saturated, retry_at_ns: None, callback_failed: false });
        local::with_local(self.number.get(), self.tag.load(Ordering::Relaxed), |local| {
            loop {
                let generation = self.generation().current();
                let (chosen, failed, ..) = self.decide(request, generation, local);
                if self.generation().is_still(generation) {
                    let index = chosen.ok_or_else(|| self.why(self.plan(generation), request, failed))?;
                    let generation = self.memory.node(index).state().generation();
                    return Ok(NodeRef { index: index as u32, generation });
                }
            }
        })
        .unwrap_or(in_teardown)
    }

    #[inline(always)]
    fn acquire_with(&self, request: &Request<'_>, local: &Local) -> Result<Lease, NoNode> {
        loop {
            let generation = self.generation().current();
            let (chosen, callback_failed, flags, now_ns) = self.decide(request, generation, local);
            let Some(index) = chosen else {
                if self.generation().is_still(generation) {
                    return Err(self.why(self.plan(generation), request, callback_failed));
                }
                continue;
            };
            // Counted first, then looked whether the plan still holds: see `Generation::is_still`.
            let node = self.memory.node(index);
            self.count(index, flags);
            if !self.generation().is_still(generation) {
                self.uncount(index, flags.needs_total());
                continue;
            }
            let state = node.state();
            let leased = Leased {
                node: index as u32,
                row: self.settings.process as u32,
                node_generation: state.generation(),
                epoch: state.epoch(),
                started_ns: now_ns,
                in_total: flags.needs_total(),
            };
            let mut position = local.position.get();
            let ticket = if position.run != 0 {
                self.memory.leases().open(&mut position, local.token.get(), thread::lives, leased)
            } else {
                local::thread_token().and_then(|token| {
                    local.token.set(token);
                    self.memory.leases().open(&mut position, token, thread::lives, leased)
                })
            };
            local.position.set(position);
            let Some(ticket) = ticket else {
                self.uncount(index, flags.needs_total());
                return Err(NoNode { reason: NoNodeReason::Saturated, retry_at_ns: None, callback_failed });
            };
            return Ok(Lease {
                ticket,
                node: NodeRef { index: index as u32, generation: state.generation() },
                callback_failed,
            });
        }
    }

    /// One decision over the plan of `generation`: the node, whether a callback failed, the plan's flags and the time.
    #[inline(always)]
    fn decide(&self, request: &Request<'_>, generation: u64, local: &Local) -> (Option<usize>, bool, Flags, u64) {
        let plan = self.plan(generation);
        let flags = plan.flags();
        let needs_time = flags.needs_clock() || self.settings.lease_timeout_ns != 0;
        let now_ns = if needs_time { request.now_ns.unwrap_or_else(now_ns) } else { 0 };
        let decision =
            Decision { pool: self, request, plan, generation, flags, local, now_ns, failed: Cell::new(false) };
        if request.is_plain() {
            return (decision.choose(None), decision.failed.get(), flags, now_ns);
        }
        let filter = Filter::new(self, plan, request);
        let chosen = decision.choose(if filter.is_void() { None } else { Some(&filter) });
        (chosen, filter.failed.get() | decision.failed.get(), flags, now_ns)
    }

    #[inline(always)]
    fn count(&self, index: usize, flags: Flags) {
        self.memory.node(index).row(self.settings.process).fetch_add(1, Ordering::SeqCst);
        if flags.needs_total() {
            self.memory.total_row(self.settings.process).fetch_add(1, Ordering::Relaxed);
        }
    }

    #[inline(always)]
    pub(crate) fn uncount(&self, index: usize, in_total: bool) {
        self.memory.node(index).row(self.settings.process).fetch_sub(1, Ordering::SeqCst);
        if in_total {
            self.memory.total_row(self.settings.process).fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Pick<'_> {
    /// What the host connects to.
    pub fn address(&self) -> Text {
        self.pool.address_of(self.lease.node)
    }

    pub fn id(&self) -> Text {
        self.pool.id_of(self.lease.node)
    }

    pub fn name(&self) -> Text {
        self.pool.name_of(self.lease.node)
    }

    /// The node's place in its pool, for `exclude_nodes` and reports.
    pub fn node(&self) -> NodeRef {
        self.lease.node
    }

    /// The host's own number of the node.
    pub fn user_data(&self) -> u64 {
        self.pool.user_data_of(self.lease.node)
    }

    pub fn ticket(&self) -> Ticket {
        self.lease.ticket
    }

    /// Whether a predicate or an own strategy panicked on the way; its candidates were left out.
    pub fn callback_failed(&self) -> bool {
        self.lease.callback_failed
    }

    /// Ends the pick: in flight falls, and the outcome is learned from.
    ///
    /// # Errors
    /// [`TicketError::Stale`] if the lease had timed out, or was taken before a fork. Nothing is counted then.
    pub fn finish(self, report: impl Into<Report>) -> Result<(), TicketError> {
        let (pool, ticket) = (self.pool, self.lease.ticket);
        std::mem::forget(self);
        pool.release(ticket, report)
    }

    /// Gives the pick out of hand: from now on the ticket must be released.
    pub fn into_lease(self) -> Lease {
        let lease = self.lease;
        std::mem::forget(self);
        lease
    }
}

impl Drop for Pick<'_> {
    fn drop(&mut self) {
        // A lease that timed out before has been counted off.
        let _ = self.pool.release(self.lease.ticket, Report::cancelled());
    }
}
