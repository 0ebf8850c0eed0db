use super::*;
use std::fmt::Debug;
use std::sync::Mutex;

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl loadwise::metrics::MetricsCollector for Log {
    fn on_selection(&self, node_id: &dyn Debug, strategy_name: &str) {
        self.0.lock().unwrap().push(format!("{node_id:?} by {strategy_name}"));
    }

    fn on_health_change(&self, node_id: &dyn Debug, from: HealthStatus, to: HealthStatus) {
        self.0.lock().unwrap().push(format!("{node_id:?}: {from:?}, {to:?}"));
    }
}

#[test]
fn observers_hear_of_nodes_of_any_id() {
    let log = Arc::new(Log::default());
    let collectors: Vec<Arc<dyn MetricsCollector>> = vec![Arc::clone(&log) as _, Arc::new(NoopCollector)];
    for collector in &collectors {
        collector.on_selection(Server::new("a").id(), "least_load");
        collector.on_health_change(&7, HealthStatus::Healthy, HealthStatus::Degraded);
    }
    assert_eq!(*log.0.lock().unwrap(), ["\"a\" by least_load", "7: Healthy, Degraded"]);
}
