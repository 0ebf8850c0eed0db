//! A decision that is held until it is finished.

use super::choose::{Rule, by_rule};
use super::decision::{Any, Decision};
use super::filter::Filter;
use super::{Pool, Request, Ticket};
use crate::plan::step::Lead;
use crate::state::lease::{Claims, Leased};
use crate::state::local::{self, Local};
use crate::state::node::{State, row};
use crate::state::thread::Owner;
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
        self.acquire(request).map(|lease| self.hold_lease(lease))
    }

    /// A lease as a pick that ends itself.
    pub(crate) fn hold_lease(&self, lease: Lease) -> Pick<'_> {
        Pick { pool: self, lease }
    }

    /// [`pick`](Self::pick) as plain numbers, for hosts without destructors. Every lease must be given back by
    /// [`release`](Self::release), or be recovered by `lease_timeout_ms`.
    #[inline]
    pub fn acquire(&self, request: &Request<'_>) -> Result<Lease, NoNode> {
        let mut attempt = self.attempt::<true>(request);
        for _ in 0..ATTEMPTS_MAX {
            if let Some(ticket) = attempt.ticket() {
                return Ok(Lease { ticket, node: attempt.node(), callback_failed: attempt.callback_failed() });
            }
            attempt = self.attempt_again::<true>(attempt, request)?;
        }
        self.give_back(attempt)
    }

    /// Chooses a node as the next pick would, and counts nothing: for hosts that keep their own account of what is in
    /// flight. A round robin's turn is used up, and so is a seeded pool's draw.
    ///
    /// # Errors
    /// As [`pick`](Self::pick).
    #[inline]
    pub fn choose(&self, request: &Request<'_>) -> Result<NodeRef, NoNode> {
        let mut attempt = self.attempt::<false>(request);
        for _ in 0..ATTEMPTS_MAX {
            if attempt.is_hit() {
                return Ok(attempt.node());
            }
            attempt = self.attempt_again::<false>(attempt, request)?;
        }
        Err(RESTLESS)
    }

    /// One look at the plan. Whatever is unusual leaves this function for good: it has to keep nothing over a call.
    fn attempt<const LEASE: bool>(&self, request: &Request<'_>) -> Attempt {
        if self.has_forked() {
            return self.attempt_after_fork::<LEASE>(request);
        }
        let near = |local: &Local| {
            let generation = self.generation().current();
            let lead = self.plan_at(generation).lead();
            if request.is_plain() && lead.is_bare() && self.attention() == 0 {
                self.attempt_plain::<LEASE>(request, lead, generation, local)
            } else {
                self.attempt_prepared::<LEASE>(request, generation, local)
            }
        };
        local::with_near(self.number.get(), self.tag.load(Ordering::Relaxed), near, || {
            self.attempt_far::<LEASE>(request)
        })
    }

    #[cold]
    #[inline(never)]
    fn attempt_after_fork<const LEASE: bool>(&self, request: &Request<'_>) -> Attempt {
        if self.sit_down_after_fork().is_err() {
            return Attempt::FULL;
        }
        self.attempt_far::<LEASE>(request)
    }

    /// For a thread that has not met this pool, or has its memory of it further away.
    #[cold]
    #[inline(never)]
    fn attempt_far<const LEASE: bool>(&self, request: &Request<'_>) -> Attempt {
        local::with_local(self.number.get(), self.tag.load(Ordering::Relaxed), Attempt::FULL, |local| {
            self.attempt_prepared::<LEASE>(request, self.generation().current(), local)
        })
    }

    /// Takes the time where the plan needs it, and looks at the request's conditions.
    #[inline(never)]
    fn attempt_prepared<const LEASE: bool>(&self, request: &Request<'_>, generation: u64, local: &Local) -> Attempt {
        let lead = self.plan_at(generation).lead();
        if lead.guarded() || self.attention() != 0 {
            return self.attempt_guarded::<LEASE>(request, lead, generation, local);
        }
        if lead.needs_clock() {
            // 0 would be a lease without a time.
            local.now_ns.set(request.now_ns.unwrap_or_else(now_ns).max(1));
        }
        if request.is_plain() {
            self.attempt_plain::<LEASE>(request, lead, generation, local)
        } else {
            self.attempt_filtered::<LEASE>(request, lead, generation, local)
        }
    }

    #[inline(always)]
    fn attempt_plain<const LEASE: bool>(
        &self,
        request: &Request<'_>,
        lead: Lead,
        generation: u64,
        local: &Local,
    ) -> Attempt {
        // Without a rule, the plan is being written anew.
        let Some(rule) = lead.rule() else { return Attempt::MOVED };
        by_rule!(rule, R => self.attempt_by::<R, LEASE>(request, lead, generation, local))
    }

    /// The first rule's node. Compiled for each rule; here too, the unusual is asked for and not awaited.
    #[inline(never)]
    fn attempt_by<R: Rule, const LEASE: bool>(
        &self,
        request: &Request<'_>,
        lead: Lead,
        generation: u64,
        local: &Local,
    ) -> Attempt {
        let d = Decision::new(self, request, lead, generation, local);
        let number = R::number(d, true);
        let Some(index) = R::at_once(d, number) else {
            return self.attempt_in_full::<R, LEASE>(request, generation, local, number);
        };
        if !LEASE {
            return self.uncounted(d, index);
        }
        let Some(state) = self.count(d, index) else { return self.took_back(index, lead, Attempt::MOVED) };
        if lead.limits_total() && self.is_overfull() {
            return self.took_back(index, lead, Attempt::NOBODY);
        }
        if R::MAY_KEEP_INDEX && lead.keeps_index() {
            self.renew_hint(index);
        }
        match self.memory.leases().open_next(local.last_slot.get(), self.lease_of(lead, local, index, state)) {
            Some(ticket) => {
                local.last_slot.set(ticket.slot() as u32);
                Attempt::hit(Some(ticket), index, state)
            }
            None => self.open_further(lead, local, index, state),
        }
    }

    /// The rule's node wherever it has to be looked for, or that of the chain's further steps.
    #[cold]
    #[inline(never)]
    fn attempt_in_full<R: Rule, const LEASE: bool>(
        &self,
        request: &Request<'_>,
        generation: u64,
        local: &Local,
        number: u64,
    ) -> Attempt {
        let d = Decision::new(self, request, self.plan_at(generation).lead(), generation, local);
        let view = d.candidates(Any);
        let chosen = R::choose(d, number, d.plan.parameter(0), view).or_else(|| d.chain(1, view));
        self.settle::<LEASE>(d, chosen)
    }

    /// The chain's node under the request's conditions.
    #[inline(never)]
    fn attempt_filtered<const LEASE: bool>(
        &self,
        request: &Request<'_>,
        lead: Lead,
        generation: u64,
        local: &Local,
    ) -> Attempt {
        let d = Decision::new(self, request, lead, generation, local);
        let filter = Filter::new(self, d.plan, request);
        // Exclusions that name nobody are no condition.
        let chosen = if filter.is_void() { d.chain(0, d.candidates(Any)) } else { d.chain(0, d.candidates(&filter)) };
        if filter.failed.get() {
            local.failed.set(true);
        }
        self.settle::<LEASE>(d, chosen)
    }

    /// An attempt with this choice.
    #[inline(never)]
    pub(super) fn settle<const LEASE: bool>(&self, d: Decision<'_>, chosen: Option<usize>) -> Attempt {
        let attempt = match chosen {
            Some(index) if LEASE => match self.count_and_hint(d, index) {
                Some(_) if d.lead.limits_total() && self.is_overfull() => {
                    self.took_back(index, d.lead, Attempt::NOBODY)
                }
                Some(state) => self.open_further(d.lead, d.local, index, state),
                None => return Attempt::MOVED,
            },
            Some(index) => self.uncounted(d, index),
            None if !self.generation().is_still(d.generation) => Attempt::MOVED,
            // Nothing spoke against any node when the attempt began.
            None if self.attention() != 0 => Attempt::MOVED,
            None if self.is_panic_untold(d) => {
                return self.attempt_guarded::<LEASE>(d.request, d.lead, d.generation, d.local);
            }
            None => Attempt::NOBODY,
        };
        attempt.with_failure(d.local)
    }

    #[inline(always)]
    pub(super) fn uncounted(&self, d: Decision<'_>, index: usize) -> Attempt {
        let state = d.node(index).state();
        if self.generation().is_still(d.generation) { Attempt::hit(None, index, state) } else { Attempt::MOVED }
    }

    #[inline(always)]
    pub(super) fn lease_of(&self, lead: Lead, local: &Local, index: usize, state: State) -> Leased {
        let started_ns = if lead.needs_clock() { local.now_ns.get() } else { 0 };
        Leased::new(index, self.seat.row(), self.number.get(), state, started_ns, lead.needs_total())
    }

    /// A lease where the next slot in turn is not free, or is the thread's first.
    #[cold]
    #[inline(never)]
    fn open_further(&self, lead: Lead, local: &Local, index: usize, state: State) -> Attempt {
        self.open_lease(local, self.lease_of(lead, local, index, state), state)
    }

    /// Opens a slot for a lease that is counted in.
    pub(super) fn open_lease(&self, local: &Local, lease: Leased, state: State) -> Attempt {
        if let Some(ticket) = self.memory.leases().open_next(local.last_slot.get(), lease) {
            local.last_slot.set(ticket.slot() as u32);
            return Attempt::hit(Some(ticket), lease.node as usize, state);
        }
        let mut last = local.last_slot.get();
        let owner = self.owner_of_runs(local).inspect(|&owner| local.owner.set(owner));
        let claims = Claims { lives: &Owner::lives_for(self.seat.row()), ready: &|run| self.memory.commit_run(run) };
        let ticket = owner.and_then(|owner| self.memory.leases().open(&mut last, owner, claims, lease));
        local.last_slot.set(last);
        match ticket {
            Some(ticket) => Attempt::hit(Some(ticket), lease.node as usize, state),
            None => {
                self.uncount(lease.node as usize, lease.in_total);
                Attempt::FULL
            }
        }
    }

    /// What this thread is as the owner of runs; `None` if there are too many threads, or it is being torn down.
    pub(super) fn owner_of_runs(&self, local: &Local) -> Option<u64> {
        match local.owner.get() {
            0 => local::thread_token().map(|token| Owner::new(self.seat.row(), token).word()),
            owner => Some(owner),
        }
    }

    /// Another attempt if the plan moved under this one; else why it has no node.
    #[cold]
    #[inline(never)]
    fn attempt_again<const LEASE: bool>(&self, attempt: Attempt, request: &Request<'_>) -> Result<Attempt, NoNode> {
        match attempt {
            Attempt::MOVED => {
                if let Some(repeats) = self.share.as_ref().and_then(|share| share.segment.repeats()) {
                    repeats.fetch_add(1, Ordering::Relaxed);
                }
                Ok(self.attempt::<LEASE>(request))
            }
            _ => Err(self.why_not(attempt, request)),
        }
    }

    /// The end of a pick under which the plan never rests.
    #[cold]
    #[inline(never)]
    fn give_back(&self, last: Attempt) -> Result<Lease, NoNode> {
        if let Some(ticket) = last.ticket() {
            let _ = self.release(ticket, Report::cancelled());
        }
        Err(RESTLESS)
    }

    /// Why an attempt has no node.
    #[cold]
    pub(super) fn why_not(&self, attempt: Attempt, request: &Request<'_>) -> NoNode {
        if attempt.is_full() {
            return NoNode { callback_failed: attempt.callback_failed(), ..FULL };
        }
        self.why(self.plan_at(self.generation().current()), request, attempt.callback_failed())
    }

    /// Counts a pick in flight; the node's state, if the plan still holds, else it is to be taken back. Counted first, then
    /// looked: see `Generation::is_still`.
    #[inline(always)]
    fn count(&self, d: Decision<'_>, index: usize) -> Option<State> {
        let in_total = d.lead.needs_total();
        self.memory.row(index, self.seat.row()).fetch_add(row::PICKED, Ordering::SeqCst);
        if in_total {
            self.memory.total_row(self.seat.row()).fetch_add(1, Ordering::SeqCst);
        }
        self.generation().is_still(d.generation).then(|| d.node(index).state())
    }

    /// The end of an attempt that was counted and must not be.
    #[cold]
    #[inline(never)]
    fn took_back(&self, index: usize, lead: Lead, attempt: Attempt) -> Attempt {
        self.uncount(index, lead.needs_total());
        attempt
    }

    /// Whether the pool has more in flight than it may, this pick included.
    #[inline(always)]
    pub(super) fn is_overfull(&self) -> bool {
        let max = self.live().max_in_flight();
        max != 0 && self.memory.total_in_flight() > max
    }

    /// [`count`](Self::count) in full: taken back, or told to the plan's first rule if it wants to be.
    pub(super) fn count_and_hint(&self, d: Decision<'_>, index: usize) -> Option<State> {
        let state = self.count(d, index);
        match state {
            None => self.uncount(index, d.lead.needs_total()),
            Some(_) if d.lead.keeps_index() => self.renew_hint(index),
            Some(_) => {}
        }
        state
    }

    /// Takes back a count whose pick did not come to be.
    #[inline(always)]
    pub(crate) fn uncount(&self, index: usize, in_total: bool) {
        self.memory.row(index, self.seat.row()).fetch_sub(row::PICKED, Ordering::SeqCst);
        if in_total {
            self.memory.total_row(self.seat.row()).fetch_sub(1, Ordering::SeqCst);
        }
        self.renew_hint_if_kept(index);
    }

    /// Counts a pick off that has ended; hints are to be renewed afterwards, if they are kept.
    #[inline(always)]
    pub(crate) fn count_end(&self, index: usize, in_total: bool) {
        self.memory.row(index, self.seat.row()).fetch_add(row::FINISHED, Ordering::SeqCst);
        if in_total {
            self.memory.total_row(self.seat.row()).fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// What came of one look at a plan: two words, so that they come back in registers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Attempt {
    /// 0: none was asked for, or there is no node.
    ticket: u64,
    /// The node's index (16 bits), then whether a callback failed, then whether there is no node, then the generation
    /// (32 bits), or why there is none.
    node: u64,
}

impl Attempt {
    const FAILED: u64 = 1 << 16;
    const MISS: u64 = 1 << 17;
    pub(super) const NOBODY: Self = Self { ticket: 0, node: Self::MISS };
    /// The plan changed meanwhile.
    pub(super) const MOVED: Self = Self { ticket: 0, node: Self::MISS | 1 };
    /// A node, but no slot for the lease.
    pub(super) const FULL: Self = Self { ticket: 0, node: Self::MISS | 2 };

    #[inline(always)]
    fn hit(ticket: Option<Ticket>, index: usize, state: State) -> Self {
        let node = u64::from(state.generation()) << 32 | index as u64 & 0xFFFF;
        Self { ticket: ticket.map_or(0, Ticket::as_u64), node }
    }

    #[inline(always)]
    pub(super) fn is_hit(self) -> bool {
        self.node & Self::MISS == 0
    }

    #[inline(always)]
    pub(super) fn ticket(self) -> Option<Ticket> {
        (self.ticket != 0).then(|| Ticket::from_u64(self.ticket))
    }

    #[inline(always)]
    pub(super) fn node(self) -> NodeRef {
        NodeRef { index: self.node as u32 & 0xFFFF, generation: (self.node >> 32) as u32 }
    }

    #[inline(always)]
    pub(super) fn callback_failed(self) -> bool {
        self.node & Self::FAILED != 0
    }

    pub(super) fn is_full(self) -> bool {
        self.without_failure() == Self::FULL
    }

    fn without_failure(self) -> Self {
        Self { node: self.node & !Self::FAILED, ..self }
    }

    /// Takes over what the thread noted of callbacks.
    pub(super) fn with_failure(self, local: &Local) -> Self {
        if self != Self::MOVED && local.failed.take() { Self { node: self.node | Self::FAILED, ..self } } else { self }
    }
}

/// Plans that may move under one pick. Building one takes longer than a look at it, so that only a callback that changes
/// the pool on every call comes here.
pub(super) const ATTEMPTS_MAX: u32 = 10_000;

pub(super) const RESTLESS: NoNode = NoNode { callback_failed: true, ..FULL };

/// No lease is to be had: all are taken, or the thread is being torn down.
pub(super) const FULL: NoNode = NoNode { reason: NoNodeReason::Saturated, retry_at_ns: None, callback_failed: false };

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

    /// Notes that the first token (or byte) of the answer came: the time since the pick is its latency. See
    /// [`Pool::first_token`].
    ///
    /// # Errors
    /// As of [`finish`](Self::finish).
    pub fn first_token(&self) -> Result<bool, TicketError> {
        self.pool.first_token(self.lease.ticket)
    }

    /// [`first_token`](Self::first_token) at a time of the caller's, on the monotonic clock.
    ///
    /// # Errors
    /// As of [`finish`](Self::finish).
    pub fn first_token_at(&self, now_ns: u64) -> Result<bool, TicketError> {
        self.pool.first_token_at(self.lease.ticket, now_ns)
    }

    /// Ends the pick: in flight falls, and the outcome is learned from.
    ///
    /// # Errors
    /// [`TicketError::Stale`] if the lease had timed out, or was taken before a fork. Nothing is counted then.
    pub fn finish<'r>(self, report: impl Into<Report<'r>>) -> Result<(), TicketError> {
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
