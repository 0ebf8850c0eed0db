//! What is not configured any more lets go, and windows of another length begin anew.

use loadwise::{BreakerState, EventKind, HealthStatus, Outcome, Pool, Report, Request};

use super::{SECOND, T0, failures, node, parse, picks};

#[test]
fn a_breaker_that_is_taken_away_lets_its_nodes_go() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    let patient = "health: {failure_threshold: 200, min_success_rate: 0}";
    let pool = Pool::from_config(&format!("{{breaker: true, {patient}, nodes: [a, b]}}")).unwrap();
    failures(&pool, "a", 5, T0);
    assert_eq!(node(&pool, "a", T0).breaker, BreakerState::Open);
    assert_eq!(picks(&pool, 20, T0), vec!["b"; 20]);
    let closed = Arc::new(AtomicU32::new(0));
    let count = closed.clone();
    pool.observe(false, move |event| {
        if matches!(event.kind, EventKind::Breaker { open: false }) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    pool.reload_at(&parse(&format!("{{{patient}, nodes: [a, b]}}")), T0).unwrap();
    let a = node(&pool, "a", T0);
    assert_eq!((a.breaker, a.available, a.hold_until_ns), (BreakerState::Closed, true, None));
    assert_eq!(closed.load(Ordering::Relaxed), 1);
    let turns = picks(&pool, 100, T0);
    assert!(turns.iter().any(|id| id == "a"), "{turns:?}");
}

#[test]
fn health_holds_a_node_without_its_breaker() {
    let pool = Pool::from_config("{breaker: true, nodes: [a, b]}").unwrap();
    failures(&pool, "a", 5, T0);
    let until = node(&pool, "a", T0).hold_until_ns;
    pool.reload_at(&parse("{nodes: [a, b]}"), T0).unwrap();
    let a = node(&pool, "a", T0);
    assert_eq!((a.breaker, a.health, a.hold_until_ns), (BreakerState::Closed, HealthStatus::Unhealthy, until));
    assert_eq!(picks(&pool, 20, T0), vec!["b"; 20]);
}

#[test]
fn outliers_come_back_when_nobody_looks_for_them_any_more() {
    let patient = "health: {failure_threshold: 200, min_success_rate: 0}";
    let sweeping = "outlier: {min_hosts: 2, min_requests: 10, failure_min_requests: 10, max_ejected: 0.5}";
    let nodes = "nodes: [a, b, c, d, e]";
    let pool = Pool::from_config(&format!("{{{sweeping}, {patient}, {nodes}}}")).unwrap();
    pool.maintain(T0);
    for id in ["a", "b", "c", "d", "e"] {
        let report = if id == "a" { Report::from(Outcome::Failure) } else { Report::success() };
        for _ in 0..50 {
            pool.report(id, report.now_ns(T0 + SECOND)).unwrap();
        }
    }
    pool.maintain(T0 + 20 * SECOND);
    assert!(node(&pool, "a", T0 + 20 * SECOND).ejected);
    pool.reload_at(&parse(&format!("{{{patient}, {nodes}}}")), T0 + 21 * SECOND).unwrap();
    let a = node(&pool, "a", T0 + 21 * SECOND);
    assert_eq!((a.ejected, a.available), (false, true));
}

#[test]
fn a_window_of_another_length_counts_from_now_on() {
    let with = |window_ms: u64| {
        parse(&format!("{{health: {{failure_threshold: 200, window_ms: {window_ms}}}, nodes: [a, b]}}"))
    };
    let pool = Pool::builder().config(with(10_000)).build().unwrap();
    pool.maintain(T0);
    failures(&pool, "a", 10, T0);
    assert_eq!(node(&pool, "a", T0).success_rate, Some(0.0));
    // A hundred times as long: its buckets have lower numbers.
    pool.reload_at(&with(1_000_000), T0).unwrap();
    assert_eq!(node(&pool, "a", T0).success_rate, None);
    pool.report("a", Report::success().now_ns(T0 + SECOND)).unwrap();
    failures(&pool, "a", 1, T0 + SECOND);
    assert_eq!(node(&pool, "a", T0 + SECOND).success_rate, Some(0.5));
    failures(&pool, "a", 18, T0 + 200 * SECOND);
    assert_eq!(node(&pool, "a", T0 + 200 * SECOND).health, HealthStatus::Unhealthy, "1 of 20 succeeded");
    // And back.
    pool.reload_at(&with(10_000), T0 + 200 * SECOND).unwrap();
    pool.report("b", Report::success().now_ns(T0 + 201 * SECOND)).unwrap();
    assert_eq!(node(&pool, "b", T0 + 201 * SECOND).success_rate, Some(1.0));
    assert_eq!(node(&pool, "b", T0 + 220 * SECOND).success_rate, None, "it has rolled out");
}

#[test]
fn a_retry_budget_of_another_window_begins_anew() {
    let with = |window_ms: u64| {
        let retry = format!("retry: {{budget_share: 0, budget_min_per_s: 1, budget_window_ms: {window_ms}}}");
        parse(&format!("{{{retry}, nodes: [a]}}"))
    };
    let pool = Pool::builder().config(with(1_000)).build().unwrap();
    let ask = |now_ns: u64| {
        let ending = loadwise::Ending::Failure(loadwise::FailureKind::Connect);
        let ask = loadwise::RetryAsk { ending, attempt: 1, idempotent: true, sent: false, now_ns: Some(now_ns) };
        matches!(pool.retry(&ask), loadwise::Retry::After(_))
    };
    assert_eq!([ask(T0), ask(T0), ask(T0 + 2 * SECOND)], [true, false, true]);
    pool.reload_at(&with(3_000_000), T0 + 2 * SECOND).unwrap();
    assert!((0..3_000).all(|_| ask(T0 + 3 * SECOND)) && !ask(T0 + 3 * SECOND), "one a second of 3000");
    assert!(ask(T0 + 4_000 * SECOND), "and the window moves on");
}

#[test]
fn what_is_switched_on_counts_from_now_on() {
    let pool = Pool::from_config("{strategy: random, nodes: [a]}").unwrap();
    let before = pool.pick(&Request::new()).unwrap();
    let everything = "{strategy: peak_ewma, max_in_flight: 2, affinity: true, breaker: true, outlier: true, checks: true, \
                      slow_start: true, zones: {zone: z}, adaptive_limit: true, quotas: [{dimension: rpm, limit: 9}], \
                      stats: {latency: nodes}, lease_timeout_ms: 60000, nodes: [{id: a, max_in_flight: 3, zone: z}]}";
    pool.reload(&parse(everything)).unwrap();
    let open: Vec<_> = (0..2).map(|_| pool.pick(&Request::new().session("s")).unwrap()).collect();
    assert_eq!(pool.pick(&Request::new()).unwrap_err().reason, loadwise::NoNodeReason::Saturated);
    pool.reload(&parse("{strategy: random, nodes: [a]}")).unwrap();
    before.finish(Outcome::Success).unwrap();
    open.into_iter().for_each(|pick| pick.finish(Outcome::Success).unwrap());
    let stats = pool.stats();
    assert_eq!((stats.in_flight, stats.successes), (0, 3));
    // Whoever was counted in was counted off, and the others were not.
    pool.reload(&parse(everything)).unwrap();
    let picks: Vec<_> = (0..2).map(|_| pool.pick(&Request::new()).unwrap()).collect();
    assert_eq!(pool.pick(&Request::new()).unwrap_err().reason, loadwise::NoNodeReason::Saturated);
    drop(picks);
}
