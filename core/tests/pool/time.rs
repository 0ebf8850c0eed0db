//! What time does.

use loadwise::{HealthStatus, Outcome, Pool, Report, Request, TicketError};

use crate::pool;

const SECOND: u64 = 1_000_000_000;

#[test]
fn forgotten_leases_are_given_up() {
    let pool = Pool::builder().nodes(["a"]).lease_timeout_ms(2_000).build().unwrap();
    let start = 1_000 * SECOND;
    let old = pool.pick(&Request::new().now_ns(start)).unwrap();
    let young = pool.pick(&Request::new().now_ns(start + SECOND)).unwrap();
    assert_eq!(pool.maintain(start + SECOND).leases_expired, 0);
    assert_eq!(pool.maintain(start + 2 * SECOND).leases_expired, 1);
    assert_eq!(pool.nodes_at(start + 2 * SECOND)[0].in_flight, 1);
    assert_eq!(old.finish(Outcome::Failure), Err(TicketError::Stale));
    young.finish(Outcome::Success).unwrap();
    let node = pool.nodes_at(start + 2 * SECOND).remove(0);
    assert_eq!((node.in_flight, node.consecutive_failures), (0, 0));
}

#[test]
fn maintenance_leaves_out_what_is_down_and_takes_in_what_came_back() {
    let pool = pool("round_robin", 3);
    assert!(!pool.maintain(SECOND).rebuilt);
    let at = |report: Report<'static>, seconds: u64| report.now_ns(seconds * SECOND);
    (0..3).for_each(|_| drop(pool.report("n1", at(Outcome::Failure.into(), 2))));
    assert!(pool.maintain(2 * SECOND).rebuilt);
    let turn = || pool.pick(&Request::new().now_ns(3 * SECOND)).unwrap().id().to_string();
    let turns: Vec<String> = (0..4).map(|_| turn()).collect();
    assert_eq!(turns.iter().filter(|t| *t == "n0").count(), 2, "in turn among the two that are left: {turns:?}");
    // Coming back needs no timer.
    pool.report("n1", at(Outcome::Success.into(), 3)).unwrap();
    assert_eq!(pool.nodes_at(3 * SECOND)[1].health, HealthStatus::Recovering);
    let turns: Vec<String> = (0..6).map(|_| turn()).collect();
    assert_eq!(turns.iter().filter(|t| *t == "n1").count(), 2, "{turns:?}");
}

#[test]
fn clocks_that_go_back_stand_still_or_end_are_harmless() {
    let pool = Pool::from_config("strategy: peak_ewma\nnodes: [a, b]\nlease_timeout_ms: 1000").unwrap();
    for now in [5 * SECOND, SECOND, SECOND, 1, u64::MAX, u64::MAX - 1, 3 * SECOND] {
        let pick = pool.pick(&Request::new().now_ns(now)).unwrap();
        pool.maintain(now);
        pick.finish(loadwise::Report::success().now_ns(now)).unwrap();
    }
    assert!(pool.nodes().iter().all(|n| n.in_flight == 0));
}

#[test]
fn a_lease_timeout_alone_keeps_no_latencies() {
    let latency_of = |strategy: &str| {
        let pool = Pool::builder().strategy(strategy).unwrap().nodes(["a"]).lease_timeout_ms(60_000).build().unwrap();
        let report = loadwise::Report::success().latency(std::time::Duration::from_millis(7)).now_ns(2 * SECOND);
        pool.pick(&Request::new().now_ns(SECOND)).unwrap().finish(report).unwrap();
        pool.nodes_at(2 * SECOND).remove(0).latency_ns
    };
    assert_eq!(latency_of("p2c"), None);
    assert!(latency_of("peak_ewma").is_some());
}
