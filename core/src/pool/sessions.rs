//! Sessions that stay on their nodes.
//!
//! A session is remembered with the node that its first pick chose, and later picks go there while the node may take them:
//! it is still a member, not down, and has room. Draining nodes keep their sessions until their time is over. When nodes
//! join, a share of all sessions moves to them, by their weight: at once, step by step, or when the host says so.

use super::Pool;
use super::decision::Decision;
use super::guarded::Guarding;
use crate::policies::affinity::{self, Affinity, Entry, Verdict};
use crate::state::layout::{pool_word, tally};
use crate::state::node::State;
use crate::sync::Ordering;
use crate::vocabulary::error::{ConfigError, Error, StateError};
use crate::vocabulary::hash::key_hash;
use crate::vocabulary::node::NodeRef;
use crate::vocabulary::time::now_ns;

/// Words for so many entries.
pub(crate) fn words(entries: u32) -> usize {
    // Twice as many places, or uneven sets would send one in ten away before so many are remembered.
    affinity::words(2 * entries as usize)
}

/// Modes of rebalancing, as the settings have them; any other waits for the host.
pub(crate) const IMMEDIATE: u32 = 0;
pub(crate) const GRADUAL: u32 = 1;
pub(crate) const MANUAL: u32 = 2;

impl Pool {
    fn sessions(&self) -> Affinity<'_> {
        Affinity::new(self.memory.affinity(), self.live().affinity_ttl_ns())
    }

    /// The node of a request's session, if it may take it.
    pub(crate) fn node_of_session(&self, d: Decision<'_>, guard: &Guarding<'_>) -> Option<usize> {
        let session = d.request.session?;
        if !self.live().affinity() {
            return None;
        }
        let found = match d.is_dry() {
            true => self.sessions().peek(key_hash(session), guard.now_ns),
            false => self.sessions().get(key_hash(session), guard.now_ns),
        };
        let node = found.filter(|&node| self.keeps_session(node, d, guard));
        if !d.is_dry() {
            self.tally(if node.is_some() { tally::AFFINITY_HITS } else { tally::AFFINITY_MISSES });
        }
        guard.sticky.set(node.is_some());
        node.map(|node| node.index as usize)
    }

    fn keeps_session(&self, node: NodeRef, d: Decision<'_>, guard: &Guarding<'_>) -> bool {
        let index = node.index as usize;
        self.is_current(node)
            && self.state_in(index, d.trace).fit(State::sticky(guard.mask.get()))
            && !self.is_past_draining(index, guard.now_ns)
            && !guard.has_refused(index)
            && guard.accepts_session(self, index, d.trace)
    }

    /// Whether a draining node's time is over.
    fn is_past_draining(&self, index: usize, now_ns: u64) -> bool {
        let since = self.memory.guard(index).draining_since().load(Ordering::Relaxed);
        since != 0 && now_ns.saturating_sub(since) >= self.live().drain_timeout_ns()
    }

    pub(crate) fn remember_session(&self, d: Decision<'_>, guard: &Guarding<'_>, index: usize) {
        let Some(session) = d.request.session else { return };
        if self.live().affinity() && !guard.sticky.get() {
            self.sessions().set(key_hash(session), self.reference(index), guard.now_ns);
        }
    }

    /// The node that a session is remembered with, whether or not it may take the session now.
    ///
    /// ```
    /// use loadwise::{Outcome, Pool, Request};
    ///
    /// let pool = Pool::from_config("{strategy: random, affinity: true, nodes: [a, b, c]}")?;
    /// let first = pool.pick(&Request::new().session("user-17"))?;
    /// let again = pool.pick(&Request::new().session("user-17"))?;
    /// assert_eq!(first.node(), again.node());
    /// assert_eq!(pool.affinity("user-17"), Some(first.node()));
    /// assert!(pool.clear_affinity("user-17"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn affinity(&self, session: impl AsRef<[u8]>) -> Option<NodeRef> {
        self.affinity_at(session, now_ns())
    }

    /// [`affinity`](Self::affinity) at a time of the caller's.
    pub fn affinity_at(&self, session: impl AsRef<[u8]>, now_ns: u64) -> Option<NodeRef> {
        if !self.live().affinity() {
            return None;
        }
        let found = self.sessions().get(key_hash(session.as_ref()), now_ns);
        found.filter(|&node| self.is_current(node))
    }

    /// Remembers a session with a node.
    ///
    /// # Errors
    /// [`StateError::UnknownNode`]; [`Error::Config`] if the pool has no `affinity`.
    pub fn set_affinity(&self, session: impl AsRef<[u8]>, id: &str) -> Result<(), Error> {
        self.set_affinity_at(session, id, now_ns())
    }

    /// [`set_affinity`](Self::set_affinity) at a time of the caller's.
    ///
    /// # Errors
    /// As [`set_affinity`](Self::set_affinity).
    pub fn set_affinity_at(&self, session: impl AsRef<[u8]>, id: &str, now_ns: u64) -> Result<(), Error> {
        self.sit_down_after_fork()?;
        if !self.live().affinity() {
            return Err(ConfigError::new("affinity", 0, "is off in this pool").into());
        }
        let node = self.node(id).ok_or_else(|| StateError::UnknownNode(id.chars().take(64).collect()))?;
        self.sessions().set(key_hash(session.as_ref()), node, now_ns);
        Ok(())
    }

    /// Forgets a session; whether it was remembered.
    pub fn clear_affinity(&self, session: impl AsRef<[u8]>) -> bool {
        self.sit_down_after_fork().is_ok()
            && self.live().affinity()
            && self.sessions().clear(key_hash(session.as_ref()))
    }

    /// Forgets all sessions.
    pub(crate) fn forget_sessions(&self) {
        let words = self.memory.affinity();
        // Untouched pages stay uncommitted.
        if self.live().affinity() {
            words.iter().for_each(|word| word.store(0, Ordering::Release));
        }
    }

    /// How many sessions are remembered.
    pub(crate) fn sessions_at(&self, now_ns: u64) -> usize {
        if self.live().affinity() { self.sessions().len(now_ns) } else { 0 }
    }

    /// Takes note of so many nodes that joined.
    pub(crate) fn begin_rebalancing(&self, joined: usize) {
        if joined == 0 {
            return;
        }
        // Where all are new, as in a new pool, nobody has a share to give.
        if joined >= self.len() || !self.live().affinity() {
            return self.forget_newcomers(&self.newcomers());
        }
        self.memory.pool(pool_word::REBALANCE_NEXT).store(0, Ordering::SeqCst);
        self.memory.pool(pool_word::REBALANCE_DUE).store(0, Ordering::SeqCst);
    }

    /// Moves the sessions that nodes which joined since the last time are due, all at once; how many.
    pub fn rebalance(&self) -> u64 {
        self.rebalance_at(now_ns())
    }

    /// [`rebalance`](Self::rebalance) at a time of the caller's.
    pub fn rebalance_at(&self, now_ns: u64) -> u64 {
        if self.sit_down_after_fork().is_err() || !self.live().affinity() {
            return 0;
        }
        let newcomers = self.newcomers();
        let (moved, _) = self.move_sessions(&newcomers, 0, usize::MAX, now_ns);
        self.memory.pool(pool_word::REBALANCE_NEXT).store(0, Ordering::SeqCst);
        self.forget_newcomers(&newcomers);
        moved
    }

    /// What is due of a rebalancing: all of it, or a step. One of all threads and processes does it.
    pub(crate) fn rebalance_step(&self, now_ns: u64) {
        let live = self.live();
        let (step_ns, count) = match live.rebalance() {
            IMMEDIATE => (0, usize::MAX),
            GRADUAL => {
                let count = (self.sessions().entries() as f64 * live.rebalance_step()).ceil() as usize;
                ((live.rebalance_ns() as f64 * live.rebalance_step()) as u64, count.max(1))
            }
            _ => return,
        };
        let newcomers = self.newcomers();
        if newcomers.is_empty() {
            return;
        }
        let due = self.memory.pool(pool_word::REBALANCE_DUE);
        let seen = due.load(Ordering::SeqCst);
        if seen != 0 && now_ns < seen && seen <= now_ns.saturating_add(step_ns) {
            return;
        }
        let after = now_ns.saturating_add(step_ns).max(1);
        let next = self.memory.pool(pool_word::REBALANCE_NEXT);
        let from = next.load(Ordering::SeqCst);
        if due.compare_exchange(seen, after, Ordering::SeqCst, Ordering::Relaxed).is_err() {
            return;
        }
        let (_, to) = self.move_sessions(&newcomers, from as usize, count, now_ns);
        // Not if others joined meanwhile: then it begins anew.
        let went_on = next.compare_exchange(from, to as u64, Ordering::SeqCst, Ordering::Relaxed).is_ok();
        if went_on && to == 0 {
            self.forget_newcomers(&newcomers);
        }
    }

    /// Members whose share of the sessions is still on its way to them.
    fn newcomers(&self) -> Vec<NodeRef> {
        let is_new = |&index: &usize| self.memory.guard(index).newcomer().load(Ordering::Relaxed) != 0;
        self.members().into_iter().filter(is_new).map(|index| self.reference(index)).collect()
    }

    fn forget_newcomers(&self, newcomers: &[NodeRef]) {
        for node in newcomers.iter().filter(|&&node| self.is_current(node)) {
            self.memory.guard(node.index as usize).newcomer().store(0, Ordering::Relaxed);
        }
    }

    /// Moves the share of `count` entries that is the newcomers' to them; how many, and where to go on, 0 after the last.
    fn move_sessions(&self, newcomers: &[NodeRef], from: usize, count: usize, now_ns: u64) -> (u64, usize) {
        let weight = |node: &NodeRef| {
            let words = self.memory.node(node.index as usize);
            if self.is_current(*node) && !words.state().is_withdrawn() { u64::from(words.weight()) } else { 0 }
        };
        let newcomers: Vec<(NodeRef, u64)> =
            newcomers.iter().map(|node| (*node, weight(node))).filter(|(_, weight)| *weight > 0).collect();
        let joined: u64 = newcomers.iter().map(|(_, weight)| weight).sum();
        let all: u64 = self.members().into_iter().map(|index| weight(&self.reference(index))).sum();
        if joined == 0 {
            return (0, 0);
        }
        let owner = |entry: Entry| {
            // The entry's coin falls into the newcomers' share of all weight, or it stays.
            let mut at = ((u128::from(entry.tag << 12) * u128::from(all)) >> 64) as u64;
            for (node, weight) in &newcomers {
                if at < *weight {
                    return Some(*node);
                }
                at -= *weight;
            }
            None
        };
        let verdict = |entry: Entry| match owner(entry) {
            _ if !self.is_current(entry.node) => Verdict::Drop,
            Some(node) if node != entry.node => Verdict::MoveTo(node),
            _ => Verdict::Keep,
        };
        let swept = self.sessions().sweep(from, count, now_ns, verdict);
        (swept.moved as u64, swept.next)
    }
}
