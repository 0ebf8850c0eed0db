//! Active checks: the engine says which are due, the host does the I/O and reports.

use std::time::Duration;

use crate::policies::checks::{Checks, Settings, Verdict};
use crate::pool::Pool;
use crate::pool::health::Source;
use crate::state::guard::Count;
use crate::state::node::State;
use crate::sync::Ordering;
use crate::vocabulary::error::Error;
use crate::vocabulary::node::NodeRef;
use crate::vocabulary::outcome::Report;
use crate::vocabulary::rng::mix;
use crate::vocabulary::status::HealthStatus;
use crate::vocabulary::time::now_ns;

/// A check that the caller is to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckDue {
    pub node: NodeRef,
    pub id: String,
    /// Empty: none.
    pub name: String,
    pub address: String,
    /// Until when to report, on the monotonic clock; then somebody else is asked to make it.
    pub deadline_ns: u64,
}

impl Pool {
    /// The checks that are due at `now_ns`, for this caller to make: nobody else in any process is told of them until
    /// their deadlines. Empty unless `checks` are configured, and for who only looks at a shared state. Call it from a
    /// timer, as often as about once a second, and report each with [`report_check`](Self::report_check).
    ///
    /// ```
    /// use loadwise::{HealthStatus, Pool};
    ///
    /// let pool = Pool::from_config("{nodes: [a, b], checks: {interval_ms: 1000, grace_ms: 0, failure_threshold: 1}}")?;
    /// let mut now_ns = 1_000_000_000;
    /// for check in pool.checks_due(now_ns) {
    ///     let ok = check.id == "a"; // connect to check.address here
    ///     pool.report_check(&check.id, ok, None, Some(now_ns))?;
    /// }
    /// assert!(pool.checks_due(now_ns).is_empty());
    /// assert_eq!(pool.nodes()[1].health, HealthStatus::Unhealthy);
    /// # Ok::<(), loadwise::Error>(())
    /// ```
    pub fn checks_due(&self, now_ns: u64) -> Vec<CheckDue> {
        let live = self.live();
        if !live.checks() || self.sit_down_after_fork().is_err() {
            return Vec::new();
        }
        let members = self.look(<[usize]>::to_vec);
        let rule = self.checks_rule();
        let due = members.into_iter().filter(|&index| {
            let joined = self.memory.guard(index).joined();
            let _ = joined.compare_exchange(0, now_ns.max(1), Ordering::Relaxed, Ordering::Relaxed);
            self.checks_of(index).lease(now_ns, &rule)
        });
        due.map(|index| {
            let record = self.memory.record(index);
            CheckDue {
                node: self.reference(index),
                id: record.id().as_str().to_owned(),
                name: record.name().as_str().to_owned(),
                address: record.address().as_str().to_owned(),
                deadline_ns: now_ns.saturating_add(rule.timeout_ns),
            }
        })
        .collect()
    }

    /// When a check is next due; `None` without checks or nodes.
    pub fn next_check_ns(&self) -> Option<u64> {
        let members = self.live().checks().then(|| self.look(<[usize]>::to_vec))?;
        members.into_iter().map(|index| self.checks_of(index).next_due_ns()).min()
    }

    /// Tells the result of a check. After `checks.failure_threshold` failures in a row the node is unhealthy, after
    /// `checks.success_threshold` successes healthy; failures within the grace of a new node do not count. Whether the
    /// node's health status changed.
    ///
    /// # Errors
    /// [`StateError::UnknownNode`](crate::StateError::UnknownNode).
    pub fn report_check(
        &self,
        id: &str,
        ok: bool,
        latency: Option<Duration>,
        now_ns_given: Option<u64>,
    ) -> Result<bool, Error> {
        self.sit_down_after_fork()?;
        let index = self.known_now(id)?;
        let now = now_ns_given.unwrap_or_else(now_ns);
        let guard = self.memory.guard(index);
        guard.add(if ok { Count::ChecksPassed } else { Count::ChecksFailed });
        let joined = guard.joined().load(Ordering::Relaxed);
        let age_ns = if joined == 0 { 0 } else { now.saturating_sub(joined) };
        let bits = mix(mix(self.memory.node(index).id_hash() ^ self.salt()) ^ now);
        let verdict = self.checks_of(index).report(ok, now, age_ns, &self.checks_rule(), bits);
        if let Some(latency) = latency.filter(|_| ok) {
            self.learn_latency(index, 0, &Report::success().latency(latency).now_ns(now));
        }
        let status = self.memory.node(index).state().health();
        // A verdict counts when it changes, and as long as what picks say contradicts it.
        let verdict = verdict.unwrap_or_else(|| self.checks_of(index).verdict());
        let wanted = match verdict {
            Verdict::Up if ok && status != HealthStatus::Healthy => HealthStatus::Healthy,
            Verdict::Down if !ok && status != HealthStatus::Unhealthy => HealthStatus::Unhealthy,
            _ => return Ok(false),
        };
        Ok(self.turn(index, |state| state.with_health(wanted, 0, 0), ok, now))
    }

    /// Sets a node's health by hand. `Healthy` also ends what else holds the node: an open breaker, an ejection, a pause
    /// that it asked for. `Unhealthy` holds it as a failed check does: until a probe or a check succeeds. To take a node
    /// out for longer, [`drain`](Self::drain) it.
    ///
    /// ```
    /// use loadwise::{HealthStatus, Outcome, Pool};
    ///
    /// let pool = Pool::builder().nodes(["a", "b"]).build()?;
    /// (0..3).try_for_each(|_| pool.report("a", Outcome::Failure).map(|_| ()))?;
    /// assert!(pool.set_health("a", HealthStatus::Healthy)?);
    /// assert!(pool.nodes()[0].available);
    /// # Ok::<(), loadwise::Error>(())
    /// ```
    ///
    /// Returns whether the node's health status changed.
    ///
    /// # Errors
    /// [`StateError::UnknownNode`](crate::StateError::UnknownNode).
    pub fn set_health(&self, id: &str, status: HealthStatus) -> Result<bool, Error> {
        self.set_health_at(id, status, now_ns())
    }

    /// [`set_health`](Self::set_health) at a time of the caller's.
    ///
    /// # Errors
    /// As [`set_health`](Self::set_health).
    pub fn set_health_at(&self, id: &str, status: HealthStatus, now_ns: u64) -> Result<bool, Error> {
        self.sit_down_after_fork()?;
        let index = self.known_now(id)?;
        if status == HealthStatus::Healthy && self.exhausted_until(index) > now_ns {
            self.exhaust(index, 0, now_ns);
        }
        let freed = |state: State| match status {
            HealthStatus::Healthy => state.with_breaker(false).with_ejection(false),
            _ => state,
        };
        let is_up = status == HealthStatus::Healthy;
        let changed = self.turn(index, |state| freed(state).with_health(status, 0, 0), is_up, now_ns);
        self.tell_own_policy(index, self.memory.node(index).state());
        Ok(changed)
    }

    pub(crate) fn mend_checks(&self, index: usize, now_ns: u64) {
        if self.live().checks() {
            self.checks_of(index).mend(now_ns, &self.checks_rule());
        }
    }

    /// Sets a node's health as a check has it.
    fn turn(&self, index: usize, change: impl Fn(State) -> State, success: bool, now_ns: u64) -> bool {
        let node = self.memory.node(index);
        let mut state = node.state();
        loop {
            let new = change(state);
            match self.swap_state(index, state, new) {
                Ok(()) => {
                    let changed = self.follow(index, state, new, success, Source::Report, now_ns);
                    if success {
                        self.maintain(now_ns);
                    }
                    return changed;
                }
                Err(seen) => state = seen,
            }
        }
    }

    fn checks_of(&self, index: usize) -> Checks<'_> {
        Checks { words: self.memory.guard(index).checks() }
    }

    fn checks_rule(&self) -> Settings {
        let live = self.live();
        Settings {
            interval_ns: live.check_interval_ns(),
            jitter: live.check_jitter(),
            timeout_ns: live.check_timeout_ns(),
            failure_threshold: live.check_failure_threshold(),
            success_threshold: live.check_success_threshold(),
            grace_ns: live.check_grace_ns(),
        }
    }
}
