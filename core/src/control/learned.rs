//! What a pool has learned of its nodes, as data that outlives it: health, holds, averages, quotas. Kept by ids, with times
//! that are relative, so that a pool made after a restart goes on where the last one was.

use std::fmt::Display;

use super::config::{Learned, Value};
use crate::policies::{gradient, latency};
use crate::pool::Pool;
use crate::state::node::State;
use crate::sync::Ordering;
use crate::vocabulary::error::{ConfigError, Error, StateError};
use crate::vocabulary::store::StateStore;
use crate::vocabulary::time::now_ns;

impl Pool {
    /// What was learned of all members: a map of `format` and `nodes`, by id. For [`learn_from`](Self::learn_from).
    ///
    /// ```
    /// use loadwise::{HealthStatus, Outcome, Pool};
    ///
    /// let pool = Pool::builder().nodes(["a", "b"]).build()?;
    /// (0..3).try_for_each(|_| pool.report("a", Outcome::Failure).map(|_| ()))?;
    ///
    /// let after_a_restart = Pool::builder().nodes(["a", "b"]).build()?;
    /// assert_eq!(after_a_restart.learn_from(&pool.learned())?, 2);
    /// assert_eq!(after_a_restart.nodes()[0].health, HealthStatus::Unhealthy);
    /// # Ok::<(), loadwise::Error>(())
    /// ```
    pub fn learned(&self) -> Value {
        self.learned_at(now_ns())
    }

    /// [`learned`](Self::learned) at a time of the caller's.
    pub fn learned_at(&self, now_ns: u64) -> Value {
        Learned::all_to_value(self.learned_by_id(now_ns))
    }

    /// Takes up what another pool has learned of nodes, in place of what this one knows; how many of them are members here.
    /// The others are left out. A hold goes on for what was left of it, at most as long as this pool ever holds a node;
    /// breaker and ejection only where they are configured here. What was open at another pool is not in flight here.
    ///
    /// # Errors
    /// [`Error::Config`], naming node and key; nothing is changed then.
    pub fn learn_from(&self, learned: &Value) -> Result<usize, Error> {
        self.learn_from_at(learned, now_ns())
    }

    /// [`learn_from`](Self::learn_from) at a time of the caller's.
    ///
    /// # Errors
    /// As [`learn_from`](Self::learn_from).
    pub fn learn_from_at(&self, learned: &Value, now_ns: u64) -> Result<usize, Error> {
        self.take_up(&Learned::all_from_value(learned)?, now_ns)
    }

    /// Keeps what was learned of all members in a store, a JSON text for each id; how many. What the store has of other
    /// ids stays.
    ///
    /// ```
    /// use loadwise::{InMemoryStore, Outcome, Pool};
    ///
    /// let store = InMemoryStore::<String, String>::new();
    /// let pool = Pool::builder().nodes(["a", "b"]).build()?;
    /// pool.report("a", Outcome::Failure)?;
    /// assert_eq!(pool.save(&store)?, 2);
    /// assert_eq!(Pool::builder().nodes(["a", "c"]).build()?.restore(&store)?, 1);
    /// # Ok::<(), loadwise::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`StateError::Store`] if the store fails.
    pub fn save<S>(&self, store: &S) -> Result<usize, Error>
    where
        S: StateStore<NodeId = String, State = String> + ?Sized,
        S::Error: Display,
    {
        let states: Vec<(String, String)> =
            self.learned_by_id(now_ns()).into_iter().map(|(id, l)| (id, l.to_value().to_json_line())).collect();
        let count = states.len();
        store.put_all(states).map_err(failed)?;
        Ok(count)
    }

    /// Takes up what a store has of members; how many. See [`learn_from`](Self::learn_from).
    ///
    /// # Errors
    /// [`StateError::Store`] if the store fails, [`Error::Config`] for what is not a learned state, naming node and key.
    /// Nothing is changed then, and the pool goes on with what it knows.
    pub fn restore<S>(&self, store: &S) -> Result<usize, Error>
    where
        S: StateStore<NodeId = String, State = String> + ?Sized,
        S::Error: Display,
    {
        let mut learned = Vec::new();
        for (id, text) in store.list().map_err(failed)? {
            if self.node(&id).is_some() {
                learned.push(read(&id, &text).map(|learned| (id, learned))?);
            }
        }
        self.take_up(&learned, now_ns())
    }

    fn learned_by_id(&self, now_ns: u64) -> Vec<(String, Learned)> {
        let quotas = self.config().quotas.clone();
        let learned = |index: usize| {
            let (node, guard) = (self.memory.node(index), self.memory.guard(index));
            let state = node.state();
            let (average, gradient) = (node.latency().load(Ordering::Relaxed), node.gradient().load(Ordering::Relaxed));
            let returned = guard.returned().load(Ordering::Relaxed);
            let hold_ns = guard.hold().load(Ordering::Acquire).saturating_sub(now_ns);
            let (window_requests, window_failures) = self.window(index, now_ns);
            let window_requests = window_requests.min(Learned::SAMPLES_MAX);
            let used = quotas.iter().zip(self.quotas_used(index, &quotas, now_ns));
            Learned {
                health: state.health(),
                failures: state.failures(),
                successes: state.successes(),
                strikes: guard.strikes().load(Ordering::Relaxed).min(63) as u32,
                hold_ns: if state.is_down() { hold_ns.min(Learned::NS_MAX) } else { 0 },
                returned_ns: (returned != 0).then(|| now_ns.saturating_sub(returned).min(Learned::NS_MAX)),
                exhausted_ns: self.exhausted_until(index).saturating_sub(now_ns).min(Learned::NS_MAX),
                breaker_open: state.is_breaker_open(),
                ejected: state.is_ejected(),
                latency_ns: latency::average(average).and_then(told),
                latency_age_ns: latency::idle_ns(average, now_ns).min(Learned::NS_MAX),
                adaptive_limit: gradient::learned_limit(gradient),
                usual_latency_ns: gradient::long_average_ns(gradient).and_then(told),
                window_requests,
                window_failures: window_failures.min(window_requests),
                quotas: used.map(|(quota, (used, _))| (quota.dimension.clone(), used)).collect(),
            }
        };
        let id = |index: usize| self.memory.record(index).id().as_str().to_owned();
        self.look(|members| members.iter().map(|&index| (id(index), learned(index))).collect())
    }

    fn take_up(&self, learned: &[(String, Learned)], now_ns: u64) -> Result<usize, Error> {
        let building = self.enter()?;
        let plan = self.plan_at(self.generation().current());
        let members = learned.iter().filter_map(|(id, learned)| Some((self.member(plan, id)?, learned)));
        let changes: Vec<(usize, State, State)> =
            members.map(|(index, learned)| self.take_up_one(index, learned, now_ns)).collect();
        drop(building);
        for (index, old, new) in &changes {
            self.note_change(*index, *old, *new, now_ns);
        }
        self.maintain(now_ns);
        Ok(changes.len())
    }

    /// The state before and after. For the holder of the build lease.
    fn take_up_one(&self, index: usize, l: &Learned, now_ns: u64) -> (usize, State, State) {
        let (node, guard, live) = (self.memory.node(index), self.memory.guard(index), self.live());
        self.begin_window(index, now_ns);
        guard.add_samples(l.window_requests, l.window_failures);
        self.renew_failure_share(index, now_ns);
        let average = l.latency_ns.map_or(0, |ns| latency::restored(ns, l.latency_age_ns, now_ns));
        node.latency().store(average, Ordering::Relaxed);
        let limit = l.adaptive_limit.map_or(0, |limit| gradient::restored(limit, l.usual_latency_ns.unwrap_or(0.0)));
        node.gradient().store(limit, Ordering::Relaxed);
        for (dimension, &used) in &l.quotas {
            self.set_used(index, dimension, used, now_ns);
        }
        self.exhaust(index, l.exhausted_ns, now_ns);
        guard.strikes().store(u64::from(l.strikes), Ordering::Relaxed);
        let returned = l.returned_ns.map_or(0, |ago| now_ns.saturating_sub(ago).max(1));
        guard.returned().store(returned, Ordering::Relaxed);
        let mut old = node.state();
        let new = loop {
            let new = old
                .with_health(l.health, l.failures, l.successes)
                .with_breaker(l.breaker_open && live.breaker())
                .with_ejection(l.ejected && live.outlier());
            match self.swap_state(index, old, new) {
                Ok(()) => break new,
                Err(seen) => old = seen,
            }
        };
        if new.is_down() {
            self.hold(index, now_ns.saturating_add(l.hold_ns.min(self.hold_max(new))));
        }
        self.tell_own_policy(index, new);
        (index, old, new)
    }
}

/// A latency within the bounds of what is kept.
fn told(ns: f64) -> Option<f64> {
    ns.is_finite().then(|| ns.clamp(1.0, Learned::NS_MAX as f64))
}

/// One node's state out of a store.
fn read(id: &str, text: &str) -> Result<Learned, Error> {
    let key = format!("nodes.{id}");
    let named = |error: Error| match error {
        Error::Config(e) if e.key.is_empty() => ConfigError { key: key.clone(), ..e }.into(),
        other => other,
    };
    let value = Value::parse(text).map_err(named)?;
    Ok(Learned::from_value(&value, &key)?)
}

fn failed(error: impl Display) -> Error {
    StateError::Store(error.to_string()).into()
}
