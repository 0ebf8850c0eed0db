//! Asking for the reasons of a decision.
//!
//! ```text
//! explain:        the decision as it would be made, over a copy of the thread's memory and of the counters
//! pick_explained: the decision as it is made; both listen to it on the way
//! ```
//!
//! What is decided by and what is told are one: the rules tell what they draw and compare while they do (see
//! [`super::trace`]). What no rule looked at is added right before the node is counted in. A pick that nobody asks about
//! goes the same way in code where the telling is compiled out.

use super::decision::Decision;
use super::explanation::{Chosen, Explanation};
use super::filter::Filter;
use super::guarded::Guarding;
use super::pick::{ATTEMPTS_MAX, Attempt, FULL, Lease, Pick, RESTLESS};
use super::trace::{Asked, Trace, Traced};
use super::{Pool, Request};
use crate::state::lease::Claims;
use crate::state::local::{self, Local};
use crate::state::thread::Owner;
use crate::vocabulary::error::NoNode;
use crate::vocabulary::time::now_ns;

impl Pool {
    /// What this thread's next pick of the same request would do, and why. Nothing advances: no turn, no draw, no count,
    /// no session's time; a probe, a quota or a session's place that the pick would take is told in
    /// [`takes`](Explanation::takes).
    ///
    /// The next pick of this thread chooses that node, if nothing comes in between: nobody changes the pool, and the
    /// request has the same time ([`Request::now_ns`]; else the clocks of both differ). Predicates are called as often as
    /// it takes, and an own strategy once: what these keep for themselves is theirs.
    ///
    /// Meant for people and for tests: it allocates and looks at all nodes.
    ///
    /// ```
    /// use loadwise::{Pool, Request};
    /// use loadwise::explain::FailedAt;
    ///
    /// let pool = Pool::from_config("{strategy: least_request, nodes: [a, b, {id: c, weight: 2}]}")?;
    /// let busy = pool.pick(&Request::new().exclude(&["b", "c"]))?;
    /// let request = Request::new().exclude(&["b"]);
    ///
    /// let explanation = pool.explain(&request);
    /// assert_eq!(explanation.chosen().unwrap().id, "c");
    /// let [a, b, c] = &explanation.candidates[..] else { unreachable!() };
    /// assert_eq!(a.score.as_ref().unwrap().value, Some(1.0), "one in flight, weight 1");
    /// assert_eq!(b.failed_at, Some(FailedAt::Excluded));
    /// assert_eq!(c.score.as_ref().unwrap().terms, [("in_flight", 0.0), ("weight", 2.0)]);
    ///
    /// assert_eq!(pool.pick(&request)?.id().as_str(), "c");
    /// println!("{}", explanation.to_value().to_json());
    /// # drop(busy);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn explain(&self, request: &Request<'_>) -> Explanation {
        self.after_fork_if_any();
        let request = at_a_time(request);
        self.maintain_if_neglected(request.now_ns.unwrap_or_default());
        for _ in 0..ATTEMPTS_MAX {
            let Some(local) = self.own_memory() else { break };
            let trace = Trace::new(true);
            let (attempt, explanation) = self.attempt_traced(&request, &local, &trace);
            if attempt != Attempt::MOVED {
                let result = match attempt {
                    _ if attempt.is_hit() => Ok(()),
                    _ if attempt.is_full() => Err(FULL),
                    _ => {
                        let plan = self.plan_at(self.generation().current());
                        Err(self.reason(plan, &request, attempt.callback_failed(), Some(&trace)))
                    }
                };
                return self.concluded(explanation, attempt, result);
            }
        }
        Explanation::without_node(RESTLESS, &request)
    }

    /// A pick with its reasons, of one and the same decision.
    ///
    /// ```
    /// use loadwise::{Outcome, Pool, Request};
    ///
    /// let pool = Pool::from_config("{strategy: p2c, nodes: [a, b, c]}")?;
    /// let (pick, explanation) = pool.pick_explained(&Request::new());
    /// let pick = pick?;
    /// assert_eq!(explanation.chosen().unwrap().node, pick.node());
    /// let drawn = explanation.candidates.iter().filter(|c| c.drawn.is_some());
    /// assert_eq!(drawn.count(), 2);
    /// pick.finish(Outcome::Success)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pick_explained(&self, request: &Request<'_>) -> (Result<Pick<'_>, NoNode>, Explanation) {
        let (result, explanation) = self.acquire_explained(request);
        (result.map(|lease| self.hold_lease(lease)), explanation)
    }

    /// [`pick_explained`](Self::pick_explained) as plain numbers, see [`acquire`](Self::acquire).
    pub fn acquire_explained(&self, request: &Request<'_>) -> (Result<Lease, NoNode>, Explanation) {
        if self.sit_down_after_fork().is_err() {
            return (Err(FULL), Explanation::without_node(FULL, request));
        }
        let request = at_a_time(request);
        self.maintain_if_neglected(request.now_ns.unwrap_or_default());
        for _ in 0..ATTEMPTS_MAX {
            let mut made = None;
            self.with_own(|local| made = Some(self.attempt_traced(&request, local, &Trace::new(false))));
            let Some((attempt, explanation)) = made else { break };
            if let Some(ticket) = attempt.ticket() {
                let lease = Lease { ticket, node: attempt.node(), callback_failed: attempt.callback_failed() };
                return (Ok(lease), self.concluded(explanation, attempt, Ok(())));
            }
            if attempt != Attempt::MOVED {
                let none = self.why_not(attempt, &request);
                return (Err(none), self.concluded(explanation, attempt, Err(none)));
            }
        }
        (Err(RESTLESS), Explanation::without_node(RESTLESS, &request))
    }

    /// Calls `f` with this thread's memory of the pool, unless the thread is being torn down.
    fn with_own(&self, f: impl FnOnce(&Local)) {
        local::with_local(self.number.get(), self.tag.load(std::sync::atomic::Ordering::Relaxed), (), f);
    }

    /// What this thread remembers of the pool, for decisions that are not to be made.
    pub(super) fn own_memory(&self) -> Option<Local> {
        let mut copy = None;
        self.with_own(|local| copy = Some(local.copy()));
        copy
    }

    /// One look at the plan, as of `Pool::attempt`, with a trace.
    fn attempt_traced(&self, request: &Request<'_>, local: &Local, trace: &Trace) -> (Attempt, Explanation) {
        let generation = self.generation().current();
        let lead = self.plan_at(generation).lead();
        let now = request.now_ns.unwrap_or(1);
        local.now_ns.set(now);
        let d = Decision::new(self, request, lead, generation, local).traced(trace);
        let filter = Filter::of(self, d);
        if lead.guarded() || self.attention() != 0 {
            let guard = Guarding::new(self, d, filter.as_ref(), now);
            let condition = Traced { asked: Asked::Guarding(&guard), trace };
            let mut explanation = None;
            let noted = std::cell::RefCell::new(&mut explanation);
            let admit = |index, probe_ns| {
                **noted.borrow_mut() = Some(self.described(d, condition, Some((index, probe_ns))));
                match trace.dry {
                    true => self.would_admit(d, &guard, index),
                    false => self.admit::<true>(d, &guard, index, probe_ns),
                }
            };
            let attempt = self.guarded(d, &guard, condition, true, admit);
            let attempt = if trace.dry { self.unless_full(attempt, local) } else { attempt };
            let explanation = match explanation {
                Some(explanation) if attempt.is_hit() => explanation,
                _ => self.described(d, condition, None),
            };
            return (attempt.with_failure(local), explanation);
        }
        let asked = filter.as_ref().map_or(Asked::Any, Asked::Filter);
        let condition = Traced { asked, trace };
        let chosen = d.chain(0, d.candidates(condition));
        if filter.as_ref().is_some_and(|filter| filter.failed.get()) {
            local.failed.set(true);
        }
        let explanation = self.described(d, condition, chosen.map(|index| (index, 0)));
        let attempt = match trace.dry {
            true => self.unless_full(self.settle::<false>(d, chosen), local),
            false => self.settle::<true>(d, chosen),
        };
        (attempt, explanation)
    }

    /// What comes of an attempt that is not made if no lease is to be had.
    fn unless_full(&self, attempt: Attempt, local: &Local) -> Attempt {
        let claims = Claims { lives: &Owner::lives_for(self.seat.row()), ready: &|_| true };
        let has_free = |owner| self.memory.leases().has_free(owner, claims);
        let has_lease = self.owner_of_runs(local).is_some_and(has_free);
        if attempt.is_hit() && !has_lease { Attempt::FULL } else { attempt }
    }

    fn concluded(&self, explanation: Explanation, attempt: Attempt, result: Result<(), NoNode>) -> Explanation {
        let chosen = || {
            let node = attempt.node();
            Chosen { id: self.id_of(node).as_str().to_owned(), node }
        };
        Explanation { result: result.map(|()| chosen()), ..explanation }
    }
}

/// The same request at one time: that of its explanation.
fn at_a_time<'a>(request: &Request<'a>) -> Request<'a> {
    Request { now_ns: Some(request.now_ns.unwrap_or_else(now_ns).max(1)), ..*request }
}
