//! Whoever wants to hear of what happens in a pool, in this process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Pool;
use super::elsewhere::Known;
use crate::state::node::State;
use crate::vocabulary::lock::{Mutex, RwLock};
use crate::vocabulary::metrics::MetricsCollector;
use crate::vocabulary::node::NodeRef;
use crate::vocabulary::status::HealthStatus;

/// Something that happened in a pool.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The node that it happened to; `None` if it concerns the pool.
    pub node: Option<NodeRef>,
    /// When, on the monotonic clock.
    pub at_ns: u64,
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// The node's health status changed.
    Health { from: HealthStatus, to: HealthStatus },
    /// The node's breaker opened or closed.
    Breaker { open: bool },
    /// The node was ejected as an outlier, or taken back.
    Ejection { ejected: bool },
    /// Too few nodes are available, and all take traffic; or no longer so.
    Panic { spread: bool },
    /// Another tier takes the most traffic.
    Tier { from: u8, to: u8 },
    /// Nodes joined or left, by their ids.
    Topology { added: Vec<String>, removed: Vec<String> },
    /// The node was picked, by this strategy.
    Selection { strategy: &'static str },
}

impl EventKind {
    /// The word for it in every language.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Health { .. } => "health",
            Self::Breaker { .. } => "breaker",
            Self::Ejection { .. } => "ejection",
            Self::Panic { .. } => "panic",
            Self::Tier { .. } => "tier",
            Self::Topology { .. } => "topology",
            Self::Selection { .. } => "selection",
        }
    }
}

/// What tells an observer from the others of its pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObserverId(u64);

impl ObserverId {
    pub fn as_u64(self) -> u64 {
        self.0
    }

    pub fn from_u64(number: u64) -> Self {
        Self(number)
    }
}

type Observer = dyn Fn(&Event) + Send + Sync;

/// The observers of one pool in this process.
#[derive(Default)]
pub(crate) struct Observers {
    list: RwLock<Vec<(ObserverId, bool, Arc<Observer>)>>,
    last: AtomicU64,
    count: AtomicU64,
    /// Whether one of them wants every selection, as the memory knows.
    watches: AtomicBool,
    /// What they know of a pool that others change, too.
    pub(crate) known: Mutex<Option<Known>>,
}

impl Observers {
    pub(crate) fn are_any(&self) -> bool {
        self.count.load(Ordering::Relaxed) != 0
    }

    /// Whether the memory is to be told that one of them wants every selection now, or that none does any more.
    fn renew_watches(&self) -> Option<bool> {
        let watches = self.list.read().iter().any(|(_, selections, _)| *selections);
        (self.watches.swap(watches, Ordering::SeqCst) != watches).then_some(watches)
    }
}

impl Pool {
    /// Calls `observer` with what happens from now on, from whichever thread makes it happen; with every selection only
    /// if `selections` is set, since that costs each pick the call. An observer that panics is contained. Of what other
    /// processes do to a shared pool it is told with the next maintenance in this one; selections are those of this one.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use loadwise::{EventKind, HealthStatus, Outcome, Pool};
    ///
    /// let pool = Pool::builder().node("a").build()?;
    /// let ejections = Arc::new(AtomicU32::new(0));
    /// let counted = ejections.clone();
    /// pool.observe(false, move |event| {
    ///     if matches!(event.kind, EventKind::Health { to: HealthStatus::Unhealthy, .. }) {
    ///         counted.fetch_add(1, Ordering::Relaxed);
    ///     }
    /// });
    /// (0..3).try_for_each(|_| pool.report("a", Outcome::Failure).map(|_| ()))?;
    /// assert_eq!(ejections.load(Ordering::Relaxed), 1);
    /// # Ok::<(), loadwise::Error>(())
    /// ```
    pub fn observe(&self, selections: bool, observer: impl Fn(&Event) + Send + Sync + 'static) -> ObserverId {
        self.begin_knowing();
        let id = ObserverId(self.observers.last.fetch_add(1, Ordering::Relaxed) + 1);
        self.observers.list.write().push((id, selections, Arc::new(observer)));
        self.observers.count.fetch_add(1, Ordering::SeqCst);
        if selections {
            self.renew_watch();
        }
        id
    }

    /// Calls a [`MetricsCollector`] with every selection and every change of health. Node ids are texts.
    pub fn collect_metrics(&self, collector: Arc<dyn MetricsCollector>) -> ObserverId {
        let memory = self.memory.clone();
        self.observe(true, move |event| {
            let Some(node) = event.node else { return };
            let id = memory.text(node.index as usize, node.generation, |r| r.id());
            match &event.kind {
                EventKind::Selection { strategy } => collector.on_selection(&id.as_str(), strategy),
                EventKind::Health { from, to } => collector.on_health_change(&id.as_str(), *from, *to),
                _ => {}
            }
        })
    }

    /// Calls an observer no more; whether it was one. A call that is under way ends.
    pub fn stop_observing(&self, id: ObserverId) -> bool {
        let mut list = self.observers.list.write();
        let found = list.iter().position(|(known, ..)| *known == id).map(|at| list.remove(at));
        drop(list);
        if let Some((_, selections, _)) = &found {
            self.observers.count.fetch_sub(1, Ordering::SeqCst);
            if *selections {
                self.renew_watch();
            }
        }
        found.is_some()
    }

    /// Has it known whether somebody in this process wants every selection, through whichever pool over the same memory.
    pub(crate) fn note_watch(&self) {
        if let Some(watches) = self.observers.renew_watches() {
            self.memory.count_watcher(watches);
        }
        self.memory.set_watched(self.seat.row(), self.memory.has_watchers());
    }

    /// Nobody observes any more, since the pool is about to go.
    pub(crate) fn end_observing(&self) {
        let observers = std::mem::take(&mut *self.observers.list.write());
        self.observers.count.store(0, Ordering::SeqCst);
        if observers.iter().any(|(_, selections, _)| *selections) {
            self.renew_watch();
        }
    }

    /// Tells everybody of `event`, which is made only if there is anybody.
    #[inline]
    pub(crate) fn tell(&self, event: impl FnOnce() -> Option<Event>) {
        if self.observers.are_any() {
            if let Some(event) = event().and_then(|event| self.news(event)) {
                self.tell_all(&event);
            }
        }
    }

    #[cold]
    pub(crate) fn tell_selection(&self, index: usize, state: State, now_ns: u64) {
        let node = NodeRef { index: index as u32, generation: state.generation() };
        let kind = EventKind::Selection { strategy: self.strategy() };
        self.tell(|| Some(Event { node: Some(node), at_ns: now_ns, kind }));
    }

    #[cold]
    pub(crate) fn tell_all(&self, event: &Event) {
        let selection = matches!(event.kind, EventKind::Selection { .. });
        // Called without the lock, so that an observer may itself observe, or stop.
        let list: Vec<Arc<Observer>> = self
            .observers
            .list
            .read()
            .iter()
            .filter(|(_, selections, _)| *selections || !selection)
            .map(|(.., observer)| observer.clone())
            .collect();
        for observer in list {
            let _ = catch_unwind(AssertUnwindSafe(|| observer(event)));
        }
    }
}
