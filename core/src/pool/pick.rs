//! A decision that is held until it is finished.

use super::choose::{Rule, by_rule};
use super::decision::{Any, Decision};
use super::filter::Filter;
use super::{Pool, Request, Ticket};
use crate::plan::step::Lead;
use crate::plan::view::PlanView;
use crate::state::lease::{Leased, Position};
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
        let attempt = self.attempt::<true>(request);
        match attempt.ticket() {
            Some(ticket) => Ok(Lease { ticket, node: attempt.node(), callback_failed: attempt.callback_failed() }),
            None => Err(self.why_not(attempt, request)),
        }
    }

    /// Chooses a node as the next pick would, and counts nothing: for hosts that keep their own account of what is in
    /// flight. A round robin's turn is used up, and so is a seeded pool's draw.
    ///
    /// # Errors
    /// As [`pick`](Self::pick).
    #[inline]
    pub fn choose(&self, request: &Request<'_>) -> Result<NodeRef, NoNode> {
        let attempt = self.attempt::<false>(request);
        if attempt.is_hit() { Ok(attempt.node()) } else { Err(self.why_not(attempt, request)) }
    }

    /// Looks at the plan, again as long as it moves meanwhile.
    #[inline(always)]
    fn attempt<const LEASE: bool>(&self, request: &Request<'_>) -> Attempt {
        self.after_fork_if_any();
        local::with_local(self.number.get(), self.tag.load(Ordering::Relaxed), Attempt::FULL, |local| {
            loop {
                let generation = self.generation().current();
                let plan = self.plan(generation);
                let lead = plan.lead();
                let Some(rule) = lead.rule() else { continue };
                let attempt = if request.is_plain() {
                    if LEASE {
                        by_rule!(rule, self.lease_by(request, plan, lead, generation, local))
                    } else {
                        by_rule!(rule, self.node_by(request, plan, lead, generation, local))
                    }
                } else {
                    self.attempt_filtered::<LEASE>(request, plan, lead, generation, local)
                };
                if attempt != Attempt::MOVED {
                    return attempt;
                }
            }
        })
    }

    #[inline(always)]
    fn decision<'a>(
        &'a self,
        request: &'a Request<'a>,
        plan: PlanView<'a>,
        lead: Lead,
        generation: u64,
        local: &'a Local,
    ) -> Decision<'a> {
        let now_ns = if lead.needs_clock() { time_of(request) } else { 0 };
        Decision { pool: self, memory: &self.memory, request, plan, lead, generation, local, now_ns }
    }

    /// The rule's node, leased. Compiled for each rule.
    #[inline(never)]
    fn lease_by<R: Rule>(
        &self,
        request: &Request<'_>,
        plan: PlanView<'_>,
        lead: Lead,
        generation: u64,
        local: &Local,
    ) -> Attempt {
        let d = self.decision(request, plan, lead, generation, local);
        match first_choice::<R>(d) {
            None if lead.steps() > 1 => self.attempt_further::<true>(request, plan, lead, generation, local),
            chosen if lead.has_own() => self.lease(d, chosen).with_failure(local),
            chosen => self.lease(d, chosen),
        }
    }

    /// The rule's node. Compiled for each rule.
    #[inline(never)]
    fn node_by<R: Rule>(
        &self,
        request: &Request<'_>,
        plan: PlanView<'_>,
        lead: Lead,
        generation: u64,
        local: &Local,
    ) -> Attempt {
        let d = self.decision(request, plan, lead, generation, local);
        match first_choice::<R>(d) {
            None if lead.steps() > 1 => self.attempt_further::<false>(request, plan, lead, generation, local),
            chosen if lead.has_own() => self.uncounted(d, chosen).with_failure(local),
            chosen => self.uncounted(d, chosen),
        }
    }

    /// The node of the chain's further steps.
    #[cold]
    fn attempt_further<const LEASE: bool>(
        &self,
        request: &Request<'_>,
        plan: PlanView<'_>,
        lead: Lead,
        generation: u64,
        local: &Local,
    ) -> Attempt {
        let d = self.decision(request, plan, lead, generation, local);
        let chosen = d.chain(1, d.candidates(Any));
        let attempt = if LEASE { self.lease(d, chosen) } else { self.uncounted(d, chosen) };
        attempt.with_failure(local)
    }

    /// The chain's node under the request's conditions.
    #[inline(never)]
    fn attempt_filtered<const LEASE: bool>(
        &self,
        request: &Request<'_>,
        plan: PlanView<'_>,
        lead: Lead,
        generation: u64,
        local: &Local,
    ) -> Attempt {
        let d = self.decision(request, plan, lead, generation, local);
        let filter = Filter::new(self, plan, request);
        // Exclusions that name nobody are no condition.
        let chosen = if filter.is_void() { d.chain(0, d.candidates(Any)) } else { d.chain(0, d.candidates(&filter)) };
        if filter.failed.get() {
            local.failed.set(true);
        }
        let attempt = if LEASE { self.lease(d, chosen) } else { self.uncounted(d, chosen) };
        attempt.with_failure(local)
    }

    #[inline(always)]
    fn uncounted(&self, d: Decision<'_>, chosen: Option<usize>) -> Attempt {
        if !self.generation().is_still(d.generation) {
            return Attempt::MOVED;
        }
        match chosen {
            Some(index) => Attempt::hit(None, index, d.memory.node(index).state().generation()),
            None => Attempt::NOBODY,
        }
    }

    #[inline(always)]
    fn lease(&self, d: Decision<'_>, chosen: Option<usize>) -> Attempt {
        let Some(index) = chosen else { return self.uncounted(d, None) };
        // Counted first, then looked whether the plan still holds: see `Generation::is_still`.
        let in_total = d.lead.needs_total();
        self.count(index, in_total);
        if !self.generation().is_still(d.generation) {
            self.uncount(index, in_total);
            return Attempt::MOVED;
        }
        let state = d.memory.node(index).state();
        let leased = Leased {
            node: index as u32,
            row: self.settings.process as u32,
            node_generation: state.generation(),
            epoch: state.epoch(),
            started_ns: d.now_ns,
            in_total,
        };
        match self.open(d.local, leased) {
            Some(ticket) => Attempt::hit(Some(ticket), index, state.generation()),
            None => {
                self.uncount(index, in_total);
                Attempt::FULL
            }
        }
    }

    #[inline(always)]
    fn open(&self, local: &Local, leased: Leased) -> Option<Ticket> {
        let mut position = local.position.get();
        let ticket = if position.run != 0 {
            self.memory.leases().open(&mut position, local.token.get(), thread::lives, leased)
        } else {
            self.open_first(local, &mut position, leased)
        };
        local.position.set(position);
        ticket
    }

    /// A thread's first lease of this pool.
    #[cold]
    fn open_first(&self, local: &Local, position: &mut Position, leased: Leased) -> Option<Ticket> {
        let token = local::thread_token()?;
        local.token.set(token);
        self.memory.leases().open(position, token, thread::lives, leased)
    }

    /// Why an attempt has no node.
    #[cold]
    fn why_not(&self, attempt: Attempt, request: &Request<'_>) -> NoNode {
        if attempt == Attempt::FULL {
            return FULL;
        }
        self.why(self.plan(self.generation().current()), request, attempt.callback_failed())
    }

    #[inline(always)]
    fn count(&self, index: usize, in_total: bool) {
        self.memory.row(index, self.settings.process).fetch_add(1, Ordering::SeqCst);
        if in_total {
            self.memory.total_row(self.settings.process).fetch_add(1, Ordering::Relaxed);
        }
    }

    #[inline(always)]
    pub(crate) fn uncount(&self, index: usize, in_total: bool) {
        self.memory.row(index, self.settings.process).fetch_sub(1, Ordering::SeqCst);
        if in_total {
            self.memory.total_row(self.settings.process).fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// The first step's node.
#[inline(always)]
fn first_choice<R: Rule>(d: Decision<'_>) -> Option<usize> {
    R::choose(d, d.plan.parameter(0), d.candidates(Any))
}

#[inline(never)]
fn time_of(request: &Request<'_>) -> u64 {
    request.now_ns.unwrap_or_else(now_ns)
}

/// What came of one look at a plan: two words, so that they come back in registers.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Attempt {
    /// 0: none was asked for, or there is no node.
    ticket: u64,
    /// The node's index (16 bits), then whether a callback failed, then whether there is no node, then the generation
    /// (32 bits), or why there is none.
    node: u64,
}

impl Attempt {
    const FAILED: u64 = 1 << 16;
    const MISS: u64 = 1 << 17;
    const NOBODY: Self = Self { ticket: 0, node: Self::MISS };
    /// The plan changed meanwhile.
    const MOVED: Self = Self { ticket: 0, node: Self::MISS | 1 };
    /// A node, but no slot for the lease.
    const FULL: Self = Self { ticket: 0, node: Self::MISS | 2 };

    #[inline(always)]
    fn hit(ticket: Option<Ticket>, index: usize, generation: u32) -> Self {
        Self { ticket: ticket.map_or(0, Ticket::as_u64), node: u64::from(generation) << 32 | index as u64 & 0xFFFF }
    }

    #[inline(always)]
    fn is_hit(self) -> bool {
        self.node & Self::MISS == 0
    }

    #[inline(always)]
    fn ticket(self) -> Option<Ticket> {
        (self.ticket != 0).then(|| Ticket::from_u64(self.ticket))
    }

    #[inline(always)]
    fn node(self) -> NodeRef {
        NodeRef { index: self.node as u32 & 0xFFFF, generation: (self.node >> 32) as u32 }
    }

    #[inline(always)]
    fn callback_failed(self) -> bool {
        self.node & Self::FAILED != 0
    }

    /// Takes over what the thread noted of callbacks.
    fn with_failure(self, local: &Local) -> Self {
        if self != Self::MOVED && local.failed.take() { Self { node: self.node | Self::FAILED, ..self } } else { self }
    }
}

/// No lease is to be had: all are taken, or the thread is being torn down.
const FULL: NoNode = NoNode { reason: NoNodeReason::Saturated, retry_at_ns: None, callback_failed: false };

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
