//! After an attempt that failed: whether to try again, where, and after how long.

use std::time::Duration;

use super::decision::Decision;
use super::filter::Filter;
use super::guarded::Guarding;
use super::trace::Trace;
use super::{Pick, Pool, Request};
use crate::control::config::Value;
use crate::policies::retry::budget::{self, Budget};
use crate::policies::retry::{backoff_ns, is_safe};
use crate::state::layout::{pool_word, tally};
use crate::state::local::Local;
use crate::sync::Ordering;
use crate::vocabulary::error::NoNode;
use crate::vocabulary::node::NodeRef;
use crate::vocabulary::outcome::{Ending, Report};
use crate::vocabulary::rng::{Draws, mix};
use crate::vocabulary::time::now_ns;

const _: () = assert!(Budget::WORDS <= pool_word::RETRIES_END - pool_word::RETRIES);

/// As `retry.max_attempts`, at most.
const ATTEMPTS_MAX: usize = 16;

/// What there is to know of an attempt that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAsk {
    pub ending: Ending,
    /// Which attempt it was: 1 for the first.
    pub attempt: u32,
    /// Whether the request may be carried out twice.
    pub idempotent: bool,
    /// Whether something of the request went out to the node.
    pub sent: bool,
    /// The time on the monotonic clock; without it the clock is read.
    pub now_ns: Option<u64>,
}

impl RetryAsk {
    /// A request that must not be carried out twice, and was sent.
    pub fn new(ending: Ending, attempt: u32) -> Self {
        Self { ending, attempt, idempotent: false, sent: true, now_ns: None }
    }

    pub fn idempotent(mut self, idempotent: bool) -> Self {
        self.idempotent = idempotent;
        self
    }

    pub fn sent(mut self, sent: bool) -> Self {
        self.sent = sent;
        self
    }

    pub fn now_ns(mut self, now_ns: u64) -> Self {
        self.now_ns = Some(now_ns);
        self
    }
}

/// Whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// After this long, at another node: exclude those that were tried.
    After(Duration),
    GiveUp(GiveUp),
}

/// Another attempt and its node, from [`Pool::pick_again`].
#[derive(Debug)]
pub enum Again<'p> {
    /// At this node, which is in flight from now on, after this long.
    Pick(Pick<'p>, Duration),
    GiveUp(GiveUp),
}

/// Why not to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GiveUp {
    /// The attempt did not fail.
    NotFailed,
    /// The request may have been carried out, and must not be twice.
    Unsafe,
    /// There were `retry.max_attempts`.
    Attempts,
    /// The pool's retries have used up their budget: more of them would make a bad time worse.
    Budget,
    /// No other node takes it.
    NoNode,
}

impl GiveUp {
    pub const ALL: [Self; 5] = [Self::NotFailed, Self::Unsafe, Self::Attempts, Self::Budget, Self::NoNode];

    /// The word for it in every language.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFailed => "not_failed",
            Self::Unsafe => "unsafe",
            Self::Attempts => "attempts",
            Self::Budget => "budget",
            Self::NoNode => "no_node",
        }
    }
}

/// Attempts to make in turn until one succeeds.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptPlan {
    /// Distinct nodes, best first; up to `retry.max_attempts`.
    pub attempts: Vec<PlannedAttempt>,
    /// When a second attempt may be sent beside an unanswered first one: the pool's 95th percentile, where
    /// `stats.latency` is on.
    pub hedge_after: Option<Duration>,
}

/// One attempt of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedAttempt {
    pub node: NodeRef,
    pub id: String,
    pub address: String,
    /// After the end of the one before.
    pub delay: Duration,
}

impl AttemptPlan {
    /// The same as data.
    pub fn to_value(&self) -> Value {
        let ms = |duration: Duration| Value::number(duration.as_secs_f64() * 1000.0);
        let attempts = self.attempts.iter().map(|a| {
            Value::map([
                ("id", Value::from(a.id.as_str())),
                ("address", Value::from(a.address.as_str())),
                ("delay_ms", ms(a.delay)),
            ])
        });
        Value::map([
            ("attempts", Value::list(attempts)),
            ("hedge_after_ms", self.hedge_after.map_or_else(Value::null, ms)),
        ])
    }
}

/// How [`Pool::call`] may repeat a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct CallOptions {
    /// Whether the request may be carried out twice.
    pub idempotent: bool,
    /// How long each attempt may wait for room, as of [`Pool::pick_within`].
    pub timeout: Duration,
}

/// An attempt of [`Pool::call`] that failed.
#[derive(Debug, Clone, Copy)]
pub struct Failed<E> {
    pub error: E,
    /// What the pool is told of it.
    pub report: Report<'static>,
    /// Whether something of the request went out to the node.
    pub sent: bool,
}

/// Why a call ended without a result.
#[derive(Debug)]
pub enum CallError<E> {
    /// No node took the first attempt.
    NoNode(NoNode),
    /// The last attempt's error, and why there was no other.
    Failed { error: E, attempts: u32, gave_up: GiveUp },
}

impl<E: std::fmt::Display> std::fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoNode(none) => none.fmt(f),
            Self::Failed { error, attempts, gave_up } => {
                write!(f, "{error} (attempts: {attempts}, given up: {})", gave_up.as_str())
            }
        }
    }
}

impl<E: std::fmt::Debug + std::fmt::Display> std::error::Error for CallError<E> {}

impl Pool {
    /// Whether to try again after an attempt has ended, and after how long: a random time that doubles with each attempt.
    /// A retry that is granted is counted against the pool's budget, so ask once, and only if it will be made. A server's
    /// `retry_after` keeps its node out of picks for as long; it does not delay an attempt at another.
    ///
    /// ```
    /// use loadwise::{Ending, FailureKind, GiveUp, Pool, Retry, RetryAsk};
    ///
    /// let pool = Pool::builder().nodes(["a", "b"]).build()?;
    /// let refused = Ending::Failure(FailureKind::Connect);
    /// assert!(matches!(pool.retry(&RetryAsk::new(refused, 1)), Retry::After(_)));
    /// assert_eq!(pool.retry(&RetryAsk::new(refused, 3)), Retry::GiveUp(GiveUp::Attempts));
    /// let reset = Ending::Failure(FailureKind::Reset);
    /// assert_eq!(pool.retry(&RetryAsk::new(reset, 1)), Retry::GiveUp(GiveUp::Unsafe));
    /// assert!(matches!(pool.retry(&RetryAsk::new(reset, 1).idempotent(true)), Retry::After(_)));
    /// # Ok::<(), loadwise::Error>(())
    /// ```
    pub fn retry(&self, ask: &RetryAsk) -> Retry {
        match self.take_retry(ask) {
            Ok(_) => Retry::After(self.count_retry(ask.attempt)),
            Err(give_up) => Retry::GiveUp(give_up),
        }
    }

    /// [`retry`](Self::retry) and the pick of the next attempt in one, for hosts that go on at once: where no node takes it,
    /// nothing is counted against the budget. `request` should exclude the nodes that were tried. Whoever waits before the
    /// attempt keeps its node busy meanwhile.
    ///
    /// ```
    /// use loadwise::{Again, Ending, FailureKind, GiveUp, NoNodeReason, Outcome, Pool, Request, RetryAsk};
    ///
    /// let pool = Pool::builder().nodes(["a", "b"]).build()?;
    /// let refused = RetryAsk::new(Ending::Failure(FailureKind::Connect), 1);
    /// match pool.pick_again(&Request::new().exclude(&["a"]), &refused)? {
    ///     Again::Pick(pick, _) => {
    ///         assert_eq!(pick.id().as_str(), "b");
    ///         pick.finish(Outcome::Success)?;
    ///     }
    ///     Again::GiveUp(why) => panic!("{why:?}"),
    /// }
    /// let none = pool.pick_again(&Request::new().exclude(&["a", "b"]), &refused).unwrap_err();
    /// assert_eq!(none.reason, NoNodeReason::AllExcluded);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`NoNode`], as [`pick`](Self::pick).
    pub fn pick_again(&self, request: &Request<'_>, ask: &RetryAsk) -> Result<Again<'_>, NoNode> {
        let taken = match self.take_retry(ask) {
            Ok(taken) => taken,
            Err(give_up) => return Ok(Again::GiveUp(give_up)),
        };
        match self.pick(request) {
            Ok(pick) => Ok(Again::Pick(pick, self.count_retry(ask.attempt))),
            Err(none) => {
                self.budget().give_back(taken);
                Err(none)
            }
        }
    }

    /// Takes a retry from the budget, if one may be made: from which of its buckets.
    fn take_retry(&self, ask: &RetryAsk) -> Result<u64, GiveUp> {
        let live = self.live();
        if matches!(ask.ending, Ending::Success | Ending::Cancelled) {
            return Err(GiveUp::NotFailed);
        }
        if !is_safe(ask.ending, ask.idempotent, ask.sent) {
            return Err(GiveUp::Unsafe);
        }
        if ask.attempt >= live.retry_attempts() {
            return Err(GiveUp::Attempts);
        }
        if self.is_view() {
            // Who only looks at a pool makes no attempts with it.
            return Err(GiveUp::NoNode);
        }
        let now = ask.now_ns.unwrap_or_else(now_ns);
        self.budget().take(now, &self.budget_rule(), || self.requests()).ok_or_else(|| {
            self.tally(tally::RETRIES_DENIED);
            GiveUp::Budget
        })
    }

    /// Counts a retry that is made; after how long.
    fn count_retry(&self, attempt: u32) -> Duration {
        let count = self.memory.pool(pool_word::TALLY + tally::RETRIES).fetch_add(1, Ordering::Relaxed);
        let bits = match self.seed {
            Some(seed) => mix(mix(seed) ^ count),
            None => Draws::of_thread().next_u64(),
        };
        self.backoff(attempt, bits)
    }

    fn backoff(&self, attempt: u32, bits: u64) -> Duration {
        let live = self.live();
        Duration::from_nanos(backoff_ns(attempt.saturating_sub(1), live.retry_base_ns(), live.retry_max_ns(), bits))
    }

    fn budget(&self) -> Budget<'_> {
        Budget { words: self.memory.pool_words(pool_word::RETRIES, pool_word::RETRIES_END) }
    }

    /// Begins the budget anew, by the present length of its window.
    pub(crate) fn begin_budget(&self) {
        self.budget().words.iter().for_each(|word| word.store(0, Ordering::Release));
    }

    fn budget_rule(&self) -> budget::Settings {
        let live = self.live();
        budget::Settings {
            share: live.retry_share(),
            min_per_s: live.retry_min_per_s() as u32,
            window_ns: live.retry_window_ns(),
        }
    }

    /// Requests there ever were: ended picks, less those that were retries of others.
    fn requests(&self) -> u64 {
        let retries = self.memory.pool(pool_word::TALLY + tally::RETRIES).load(Ordering::Relaxed);
        self.ended_in_all().saturating_sub(retries)
    }

    /// Brings the budget up to now.
    pub(crate) fn rotate_budget(&self, now_ns: u64) {
        self.budget().mend(now_ns, &self.budget_rule(), || self.requests());
        self.budget().rotate(now_ns, &self.budget_rule(), || self.requests());
    }

    /// The nodes to try for a request, one after the other, without counting anything: the first is the one that the
    /// thread's next pick would take. For hosts that make their attempts themselves; each still has to be picked (with the
    /// others excluded), or reported.
    ///
    /// # Errors
    /// [`NoNode`] if not even the first attempt has one.
    pub fn plan(&self, request: &Request<'_>) -> Result<AttemptPlan, NoNode> {
        self.after_fork_if_any();
        let now = request.now_ns.unwrap_or_else(now_ns).max(1);
        let (own, trace) = (self.own_memory(), Trace::new(true));
        let mut tried: Vec<NodeRef> = request.exclude_nodes.to_vec();
        let mut attempts: Vec<PlannedAttempt> = Vec::new();
        let seed = self.seed.unwrap_or_else(|| Draws::of_thread().next_u64());
        // A setting that was damaged asks for no more than one may.
        let most = (self.live().retry_attempts() as usize).min(ATTEMPTS_MAX);
        while attempts.len() < most {
            let again = Request { exclude_nodes: &tried, now_ns: Some(now), ..*request };
            let would_pick = |local| self.would_pick(&again, local, &trace);
            let Some(node) = own.as_ref().and_then(would_pick) else { break };
            let delay = match attempts.len() as u32 {
                0 => Duration::ZERO,
                attempt => self.backoff(attempt, mix(seed ^ u64::from(attempt))),
            };
            let (id, address) = (self.id_of(node).as_str().to_owned(), self.address_of(node).as_str().to_owned());
            attempts.push(PlannedAttempt { node, id, address, delay });
            tried.push(node);
        }
        if attempts.is_empty() {
            return Err(self.why(self.plan_at(self.generation().current()), request, false));
        }
        let hedge = self.latencies_of_pool(now).and_then(|counts| counts.quantile_ns(0.95));
        Ok(AttemptPlan { attempts, hedge_after: hedge.map(|ns| Duration::from_nanos(ns as u64)) })
    }

    /// The node that this thread's next pick would take, by the rules alone.
    fn would_pick(&self, request: &Request<'_>, local: &Local, trace: &Trace) -> Option<NodeRef> {
        let generation = self.generation().current();
        local.now_ns.set(request.now_ns.unwrap_or(1));
        let d = Decision::new(self, request, self.plan_at(generation).lead(), generation, local).traced(trace);
        let filter = Filter::of(self, d);
        let guard = Guarding::new(self, d, filter.as_ref(), request.now_ns.unwrap_or(1));
        self.decide(d, &guard, &guard).map(|index| self.reference(index))
    }

    /// Calls `attempt` with a picked node, and again with another as long as it fails, may be repeated, and the budget
    /// allows; the thread sleeps in between. Every pick is finished by what `attempt` says.
    ///
    /// ```
    /// use loadwise::{CallOptions, Failed, FailureKind, Pool, Report, Request};
    ///
    /// let pool = Pool::builder().seed(1).nodes(["a", "b", "c"]).build()?;
    /// let mut tried = Vec::new();
    /// let answer = pool.call(&Request::new(), CallOptions::default(), |pick| {
    ///     tried.push(pick.id());
    ///     match tried.len() {
    ///         1 => Err(Failed { error: "refused", report: Report::failure(FailureKind::Connect), sent: false }),
    ///         _ => Ok("hello"),
    ///     }
    /// });
    /// assert_eq!(answer.ok(), Some("hello"));
    /// assert_ne!(tried[0], tried[1]);
    /// # Ok::<(), loadwise::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`CallError`]: no node for the first attempt, or the last attempt's error and why it was the last.
    pub fn call<T, E>(
        &self,
        request: &Request<'_>,
        options: CallOptions,
        mut attempt: impl FnMut(&Pick<'_>) -> Result<T, Failed<E>>,
    ) -> Result<T, CallError<E>> {
        let mut tried: Vec<NodeRef> = request.exclude_nodes.to_vec();
        let mut last: Option<Failed<E>> = None;
        let mut attempts = 0;
        loop {
            let again = Request { exclude_nodes: &tried, ..*request };
            let pick = match (self.pick_within(&again, options.timeout), last.take()) {
                (Ok(pick), _) => pick,
                (Err(none), None) => return Err(CallError::NoNode(none)),
                (Err(_), Some(Failed { error, .. })) => {
                    return Err(CallError::Failed { error, attempts, gave_up: GiveUp::NoNode });
                }
            };
            attempts += 1;
            tried.push(pick.node());
            let failed = match attempt(&pick) {
                Ok(answer) => {
                    // A lease that timed out meanwhile has been counted off.
                    let _ = pick.finish(Report::success());
                    return Ok(answer);
                }
                Err(failed) => failed,
            };
            let _ = pick.finish(failed.report);
            let ask = RetryAsk::new(failed.report.ending, attempts).idempotent(options.idempotent).sent(failed.sent);
            match self.retry(&ask) {
                Retry::After(wait) => std::thread::sleep(wait),
                Retry::GiveUp(gave_up) => {
                    return Err(CallError::Failed { error: failed.error, attempts, gave_up });
                }
            }
            last = Some(failed);
        }
    }
}
