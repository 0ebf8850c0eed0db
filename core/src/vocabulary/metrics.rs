//! The hook through which a host sees what the engine does. Which metrics library it feeds is the host's choice.

use std::fmt;

use super::status::HealthStatus;

/// An observer of selections and health transitions. Called in the thread of the caller, so it should be quick.
///
/// ```
/// use loadwise::metrics::MetricsCollector;
/// use loadwise::HealthStatus;
/// use std::fmt::Debug;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// #[derive(Default)]
/// struct Ejections(AtomicU64);
///
/// impl MetricsCollector for Ejections {
///     fn on_selection(&self, _node_id: &dyn Debug, _strategy_name: &str) {}
///
///     fn on_health_change(&self, _node_id: &dyn Debug, _from: HealthStatus, to: HealthStatus) {
///         if !to.is_available() {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let ejections = Ejections::default();
/// ejections.on_health_change(&"node-1", HealthStatus::Degraded, HealthStatus::Unhealthy);
/// assert_eq!(ejections.0.into_inner(), 1);
/// ```
pub trait MetricsCollector: Send + Sync {
    /// `strategy_name` chose the node.
    fn on_selection(&self, node_id: &dyn fmt::Debug, strategy_name: &str);

    /// The node's health went `from` one state `to` another.
    fn on_health_change(&self, node_id: &dyn fmt::Debug, from: HealthStatus, to: HealthStatus);
}

/// Observes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoopCollector;

impl MetricsCollector for NoopCollector {
    fn on_selection(&self, _node_id: &dyn fmt::Debug, _strategy_name: &str) {}

    fn on_health_change(&self, _node_id: &dyn fmt::Debug, _from: HealthStatus, _to: HealthStatus) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    struct Log(Mutex<Vec<String>>);

    impl MetricsCollector for Log {
        fn on_selection(&self, node_id: &dyn fmt::Debug, strategy_name: &str) {
            self.0.lock().push(format!("{strategy_name} chose {node_id:?}"));
        }

        fn on_health_change(&self, node_id: &dyn fmt::Debug, from: HealthStatus, to: HealthStatus) {
            self.0.lock().push(format!("{node_id:?} {from} to {to}"));
        }
    }

    #[test]
    fn ids_of_any_type_reach_an_observer_behind_a_trait_object() {
        let log = Log(Mutex::new(Vec::new()));
        let observers: [&dyn MetricsCollector; 2] = [&log, &NoopCollector];
        for observer in observers {
            observer.on_selection(&7u32, "p2c");
            observer.on_health_change(&"a", HealthStatus::Healthy, HealthStatus::Degraded);
        }
        assert_eq!(*log.0.lock(), ["p2c chose 7", "\"a\" healthy to degraded"]);
    }
}
