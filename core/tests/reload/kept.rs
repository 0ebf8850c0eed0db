//! What a reload keeps, by id.

use std::time::Duration;

use loadwise::{BreakerState, EventKind, HealthStatus, NoNodeReason, Outcome, Pool, Report, Request};

use super::{SECOND, T0, failures, node, parse, picks};

#[test]
fn nodes_keep_what_is_known_of_them_and_leave_it_behind_when_they_go() {
    let pool = Pool::from_config("{strategy: peak_ewma, nodes: [a, b, c]}").unwrap();
    let only = |id: &'static str| move |c: &loadwise::Candidate<'_>| c.id().as_str() == id;
    let on = |id| pool.acquire(&Request::new().predicate(&only(id)).now_ns(T0)).unwrap();
    let (on_a, on_b) = (on("a"), on("b"));
    pool.release(on("a").ticket, Report::success().latency(Duration::from_millis(70)).now_ns(T0)).unwrap();
    pool.report("a", Report::from(Outcome::Failure).now_ns(T0)).unwrap();
    pool.report("a", Report::from(Outcome::Failure).now_ns(T0)).unwrap();
    pool.drain_at("a", true, T0).unwrap();
    let before = node(&pool, "a", T0);
    assert_eq!((before.health, before.in_flight, before.draining), (HealthStatus::Degraded, 1, true));

    pool.reload_at(&parse("{strategy: random, nodes: [d, {id: a, address: 'x:1', weight: 5}]}"), T0).unwrap();
    let after = node(&pool, "a", T0);
    assert_eq!((after.address.as_str(), after.weight), ("x:1", 5));
    let kept =
        |n: &loadwise::NodeStatus| (n.health, n.in_flight, n.draining, n.consecutive_failures, n.latency_ns, n.node);
    assert_eq!(kept(&before), kept(&after));

    // b left with a pick on it, and comes back as if it had never been there.
    pool.reload_at(&parse("{strategy: random, nodes: [b, a]}"), T0).unwrap();
    assert_eq!(node(&pool, "b", T0).in_flight, 0);
    assert_eq!(pool.stats_at(T0).in_flight, 2);
    pool.release(on_a.ticket, Outcome::Success).unwrap();
    pool.release(on_b.ticket, Outcome::Failure).unwrap();
    let end = pool.stats_at(T0);
    assert_eq!((end.in_flight, end.selections), (0, 3));
    assert_eq!(node(&pool, "b", T0).consecutive_failures, 0, "what failed was the b before");
}

#[test]
fn the_hosts_own_numbers_stay_unless_the_configuration_has_others() {
    let pool = Pool::from_config("{nodes: [{id: a, user_data: 1}, b, c]}").unwrap();
    pool.set_node_user_data("a", 10).unwrap();
    pool.set_node_user_data("b", 20).unwrap();
    let numbers = || pool.nodes().iter().map(|node| node.user_data).collect::<Vec<_>>();
    pool.reload(&parse("{nodes: [a, b, c, d]}")).unwrap();
    assert_eq!(numbers(), [10, 20, 0, 0]);
    pool.reload(&parse("{nodes: [{id: b, user_data: 5}, a]}")).unwrap();
    pool.reload(&parse("{nodes: [c, b, a]}")).unwrap();
    assert_eq!(numbers(), [0, 5, 10], "c came back as another");
}

#[test]
fn an_open_breaker_stays_open_for_its_time() {
    let with = |strategy: &str| {
        parse(&format!(
            "{{seed: 1, strategy: {strategy}, breaker: {{open_ms: 5000}}, health: {{failure_threshold: 200}}, nodes: [a]}}"
        ))
    };
    let make = || {
        let pool = Pool::builder().config(with("p2c")).build().unwrap();
        for _ in 0..5 {
            let pick = pool.pick(&Request::new().now_ns(T0)).unwrap();
            pick.finish(Report::from(Outcome::Failure).now_ns(T0)).unwrap();
        }
        pool
    };
    let (pool, twin) = (make(), make());
    let until = node(&pool, "a", T0).hold_until_ns.unwrap();
    // Half-way through.
    pool.reload_at(&with("random"), T0 + (until - T0) / 2).unwrap();
    assert_eq!(node(&pool, "a", until - 1).hold_until_ns, Some(until));
    for pool in [&pool, &twin] {
        assert_eq!(node(pool, "a", until - 1).breaker, BreakerState::Open);
        let refused = pool.pick(&Request::new().now_ns(until - 1)).unwrap_err();
        assert_eq!((refused.reason, refused.retry_at_ns), (NoNodeReason::Unhealthy, Some(until)));
        // Two probes, one at a time.
        for at in [until, until + 1] {
            let probe = pool.pick(&Request::new().now_ns(at)).unwrap();
            assert!(pool.pick(&Request::new().now_ns(at)).is_err());
            probe.finish(Report::success().now_ns(at)).unwrap();
        }
        assert_eq!(node(pool, "a", until + 2).breaker, BreakerState::Closed);
    }
}

#[test]
fn a_probe_under_way_is_one_over_a_reload() {
    let config = parse("{breaker: true, health: {failure_threshold: 200}, nodes: [a]}");
    let pool = Pool::builder().config(config.clone()).build().unwrap();
    failures(&pool, "a", 5, T0);
    let until = node(&pool, "a", T0).hold_until_ns.unwrap();
    let probe = pool.pick(&Request::new().now_ns(until)).unwrap();
    pool.reload_at(&config, until).unwrap();
    assert!(pool.pick(&Request::new().now_ns(until)).is_err(), "the lease of the probe is still taken");
    probe.finish(Report::from(Outcome::Failure).now_ns(until)).unwrap();
    let again = node(&pool, "a", until).hold_until_ns.unwrap();
    assert!(again > until + 5 * SECOND - SECOND / 100, "held for longer the second time: {}", again - until);
}

#[test]
fn round_robin_goes_on_where_it_was() {
    let nodes = "[a, b, c, d, e, f]";
    let config = parse(&format!("{{seed: 1, strategy: round_robin, nodes: {nodes}}}"));
    let pool = Pool::builder().config(config.clone()).build().unwrap();
    let mut turns = picks(&pool, 8, T0);
    pool.reload_at(&parse(&format!("{{seed: 1, strategy: round_robin, breaker: true, nodes: {nodes}}}")), T0).unwrap();
    turns.extend(picks(&pool, 8, T0));
    let other = Pool::builder().config(config).build().unwrap();
    assert_eq!(turns, picks(&other, 16, T0));
}

#[test]
fn warm_ups_go_on() {
    let with = |strategy: &str, nodes: &str| {
        parse(&format!("{{strategy: {strategy}, slow_start: {{duration_ms: 30000}}, nodes: {nodes}}}"))
    };
    let pool = Pool::builder().config(with("random", "[a]")).build().unwrap();
    pool.reload_at(&with("random", "[a, b]"), T0).unwrap();
    let warmth = |now: u64| node(&pool, "b", now).warming;
    let (begun, half) = (warmth(T0), warmth(T0 + 15 * SECOND));
    assert!(begun < 0.2 && (half - 0.5).abs() < 0.01, "{begun} {half}");
    pool.reload_at(&with("p2c", "[b, a]"), T0 + 15 * SECOND).unwrap();
    assert_eq!(warmth(T0 + 15 * SECOND), half);
    assert_eq!(node(&pool, "a", T0).warming, 1.0, "was there from the beginning");
}

#[test]
fn sessions_stay_and_newcomers_get_theirs() {
    let with = |nodes: &str, rebalance: &str| {
        parse(&format!("{{strategy: random, affinity: {{entries: 4096, rebalance: {rebalance}}}, nodes: {nodes}}}"))
    };
    let pool = Pool::builder().config(with("[a, b]", "manual")).build().unwrap();
    let go = |session: &str| pool.pick(&Request::new().session(session).now_ns(T0)).unwrap().id().to_string();
    let sessions: Vec<String> = (0..200).map(|i| format!("s{i}")).collect();
    let before: Vec<String> = sessions.iter().map(|s| go(s)).collect();
    pool.reload_at(&with("[c, b, a]", "manual"), T0).unwrap();
    assert_eq!(sessions.iter().map(|s| go(s)).collect::<Vec<_>>(), before);
    let moved = pool.rebalance_at(T0);
    // A third of 200: 6 σ of a binomial are 40.
    assert!((27..=107).contains(&moved), "{moved}");
    let after: Vec<String> = sessions.iter().map(|s| go(s)).collect();
    assert_eq!(after.iter().filter(|id| *id == "c").count() as u64, moved);
}

#[test]
fn an_own_strategy_stays_in_charge() {
    struct Last;
    impl loadwise::Strategy<loadwise::PoolNode> for Last {
        fn select(&self, nodes: &[loadwise::PoolNode], _: &loadwise::SelectionContext) -> Option<usize> {
            nodes.len().checked_sub(1)
        }
    }
    let pool = Pool::builder().own_strategy(Last).nodes(["a", "b"]).build().unwrap();
    pool.reload(&parse("{strategy: random, nodes: [a, b, c]}")).unwrap();
    assert_eq!((pool.strategy(), picks(&pool, 3, T0)), ("custom", vec!["c".to_owned(); 3]));
    pool.set_strategy("round_robin").unwrap();
    pool.reload(&parse("{strategy: random, nodes: [a, b, c]}")).unwrap();
    assert_eq!(pool.strategy(), "random", "it was dismissed");
}

#[test]
fn observers_hear_of_it_and_may_look_at_the_pool() {
    use std::sync::{Arc, Mutex};
    let pool = Arc::new(Pool::from_config("{nodes: [a, b]}").unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (inner, notes) = (pool.clone(), heard.clone());
    let id = pool.observe(false, move |event| {
        if let EventKind::Topology { added, removed } = &event.kind {
            // Nothing is held that this would wait for.
            let members = inner.nodes().len();
            inner.set_weight("b", 2).unwrap();
            notes.lock().unwrap().push((added.clone(), removed.clone(), members));
        }
    });
    pool.reload(&parse("{nodes: [b, c, d]}")).unwrap();
    pool.reload(&parse("{nodes: [b, c, d], strategy: random}")).unwrap();
    let expected = (vec!["c".to_owned(), "d".to_owned()], vec!["a".to_owned()], 3);
    assert_eq!(*heard.lock().unwrap(), [expected]);
    assert!(pool.stop_observing(id));
}

#[test]
fn those_who_wait_are_woken_by_room() {
    let pool = Pool::from_config("{max_in_flight: 1, nodes: [a]}").unwrap();
    let first = pool.pick(&Request::new()).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| pool.pick_within(&Request::new(), Duration::from_secs(60)).map(drop));
        while pool.waiting() == 0 {
            std::thread::yield_now();
        }
        pool.reload(&parse("{max_in_flight: 2, nodes: [a]}")).unwrap();
        assert!(waiting.join().unwrap().is_ok());
    });
    // All who wait are called, not only when they would look again.
    let second = pool.pick(&Request::new()).unwrap();
    let called = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    for _ in 0..3 {
        let called = called.clone();
        let wake = move || {
            called.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        };
        pool.wait(wake).unwrap();
    }
    pool.reload(&parse("{max_in_flight: 3, nodes: [a]}")).unwrap();
    assert_eq!((called.load(std::sync::atomic::Ordering::Relaxed), pool.waiting()), (3, 0));
    second.finish(Outcome::Success).unwrap();
    first.finish(Outcome::Success).unwrap();
}
