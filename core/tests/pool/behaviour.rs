//! Pick, use, finish.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use loadwise::config::{StrategyConfig, StrategyKind};
use loadwise::{
    Candidate, FailureKind, HealthPolicy, HealthStatus, Load, NoNodeReason, Node, NodeHealth, NodeSpec, Outcome, Pool,
    PoolNode, Report, Request, SelectionContext, Strategy, TicketError, Weighted,
};

use crate::{STRATEGIES, pool, weighted};

fn in_flight(pool: &Pool) -> Vec<u64> {
    pool.nodes().iter().map(|n| n.in_flight).collect()
}

#[test]
fn a_pick_is_in_flight_until_it_is_finished_or_dropped() {
    for strategy in STRATEGIES {
        let pool = pool(strategy, 3);
        let request = Request::new().key("k");
        let held: Vec<_> = (0..30).map(|_| pool.pick(&request).unwrap()).collect();
        assert_eq!(in_flight(&pool).iter().sum::<u64>(), 30, "{strategy}");
        for (i, pick) in held.into_iter().enumerate() {
            match i % 4 {
                0 => pick.finish(Outcome::Success).unwrap(),
                1 => pick.finish(Report::cancelled()).unwrap(),
                2 => pick.finish(Outcome::RateLimited { retry_after: None }).unwrap(),
                _ => drop(pick),
            }
        }
        assert_eq!(in_flight(&pool), [0, 0, 0], "{strategy}");
    }
}

#[test]
fn a_ticket_is_released_once_from_any_thread() {
    let pool = pool("p2c", 2);
    let lease = pool.pick(&Request::new()).unwrap().into_lease();
    let released: usize = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| usize::from(pool.release(lease.ticket, Outcome::Success).is_ok()))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!(released, 1);
    assert_eq!(pool.release(lease.ticket, Outcome::Failure), Err(TicketError::Stale));
    assert_eq!(in_flight(&pool), [0, 0]);
    // The late failure was not counted.
    assert!(pool.nodes().iter().all(|n| n.consecutive_failures == 0));
}

#[test]
fn numbers_that_are_no_tickets_are_refused() {
    let pool = pool("p2c", 2);
    for number in [0, 1, 1 << 20, u64::MAX, 1 << 53, (1 << 21) - 1, 7 << 21] {
        assert!(pool.release(loadwise::Ticket::from_u64(number), Outcome::Success).is_err(), "{number}");
    }
}

#[test]
fn many_picks_of_one_thread_are_held_at_once() {
    let pool = pool("round_robin", 7);
    let mut held: Vec<_> = (0..5_000).map(|_| pool.pick(&Request::new()).unwrap()).collect();
    let tickets: std::collections::HashSet<u64> = held.iter().map(|p| p.ticket().as_u64()).collect();
    assert_eq!(tickets.len(), 5_000);
    assert!(tickets.iter().all(|&t| t < 1 << 53));
    held.truncate(1_000);
    held.extend((0..9_000).map(|_| pool.pick(&Request::new()).unwrap()));
    assert_eq!(in_flight(&pool).iter().sum::<u64>(), 10_000);
}

#[test]
fn the_bound_of_picks_is_saturation_and_not_an_end() {
    let limits = loadwise::Limits { max_picks: 128, ..Default::default() };
    let pool = Pool::builder().nodes(["a", "b"]).limits(limits).build().unwrap();
    let mut held: Vec<_> = (0..128).map(|_| pool.pick(&Request::new()).unwrap()).collect();
    assert_eq!(pool.pick(&Request::new()).unwrap_err().reason, NoNodeReason::Saturated);
    held.pop();
    held.push(pool.pick(&Request::new()).unwrap());
    assert_eq!(in_flight(&pool).iter().sum::<u64>(), 128);
}

#[test]
fn round_robins_take_turns() {
    let ids = |pool: &Pool, n| -> String {
        (0..n).map(|_| pool.pick(&Request::new()).unwrap().id().chars().nth(1).unwrap()).collect()
    };
    assert_eq!(ids(&pool("round_robin", 3), 7), "0120120");
    assert_eq!(ids(&weighted("weighted_round_robin", &[5, 1, 1]), 9), "001020000");
}

#[test]
fn an_excluded_turn_goes_to_all_others() {
    let pool = pool("round_robin", 4);
    let exclude = ["n1"];
    let request = Request::new().exclude(&exclude);
    let mut counts: HashMap<String, u32> = HashMap::new();
    for _ in 0..12_000 {
        *counts.entry(pool.pick(&request).unwrap().id().to_string()).or_default() += 1;
    }
    // Each takes 3000 own turns and a third of the 3000 that n1 lost; 6 σ of that share is 160.
    assert_eq!(counts.len(), 3);
    assert!(counts.values().all(|c| c.abs_diff(4_000) < 160), "{counts:?}");
}

#[test]
fn p2c_keeps_the_weights_when_idle_and_leaves_the_busy() {
    let pool = weighted("p2c", &[5, 1, 1]);
    let heavy = (0..10_000).filter(|_| pool.pick(&Request::new()).unwrap().id().as_str() == "n0").count();
    // 5/7, and 6 σ of a binomial.
    assert!(heavy.abs_diff(7_143) < 271, "{heavy}");

    // n0 has more in flight for its weight than the others: it loses every comparison.
    let busy: Vec<_> =
        std::iter::from_fn(|| Some(pool.pick(&Request::new().exclude(&["n1", "n2"])).unwrap())).take(20).collect();
    assert!((0..1_000).all(|_| pool.pick(&Request::new()).unwrap().id().as_str() != "n0"));
    drop(busy);
}

#[test]
fn least_request_finds_the_least_loaded() {
    let pool = weighted("least_request", &[2, 1, 1]);
    let held: Vec<String> =
        (0..8).map(|_| pool.pick(&Request::new()).map(|p| (p.id().to_string(), p.into_lease())).unwrap().0).collect();
    let count = |id: &str| held.iter().filter(|h| *h == id).count();
    assert_eq!((count("n0"), count("n1"), count("n2")), (4, 2, 2));
}

#[test]
fn peak_ewma_prefers_the_fast_and_tries_the_slow_again() {
    let pool = pool("peak_ewma", 2);
    let ms = std::time::Duration::from_millis;
    let start = 1_000_000_000_000;
    pool.report("n0", Report::success().latency(ms(10)).now_ns(start)).unwrap();
    pool.report("n1", Report::failure(FailureKind::Connect).latency(ms(1)).now_ns(start)).unwrap();
    let slow = |at| (0..400).filter(|_| pool.pick(&Request::new().now_ns(at)).unwrap().id().as_str() == "n1").count();
    // A failure after 1 ms is not fast: n1 loses every comparison.
    assert_eq!(slow(start), 0);
    // Minutes later both are what the pool's median is.
    pool.maintain(start + 300_000_000_000);
    assert!(slow(start + 300_000_000_000) > 100);
}

#[test]
fn loads_and_quotas_are_reported() {
    let pool = pool("least_load", 3);
    for (id, load) in [("n0", f64::NAN), ("n1", 2.0), ("n2", f64::INFINITY)] {
        pool.report_load(id, Load { load: Some(load), ..Load::default() }).unwrap();
    }
    assert_eq!(pool.pick(&Request::new()).unwrap().id().as_str(), "n1");
    // NaN and infinities are worst, and still better than nothing.
    assert!(pool.pick(&Request::new().exclude(&["n1"])).is_ok());

    pool.set_strategy("most_available").unwrap();
    for (id, ratio) in [("n0", 0.2), ("n1", 0.9), ("n2", 0.87)] {
        pool.report_load(id, Load { remaining_ratio: Some(ratio), ..Load::default() }).unwrap();
    }
    assert!((0..200).all(|_| pool.pick(&Request::new()).unwrap().id().as_str() != "n0"));
    assert!(pool.report_load("n0", Load { remaining_ratio: Some(1.5), ..Load::default() }).is_err());
}

#[test]
fn a_request_narrows_the_choice() {
    let nodes = ["eu", "us", "eu", "us"]
        .iter()
        .enumerate()
        .map(|(i, region)| NodeSpec::new(format!("n{i}")).label("region", *region));
    let pool = Pool::builder().nodes(nodes).seed(1).build().unwrap();
    for strategy in STRATEGIES {
        pool.set_strategy(strategy).unwrap();
        let eu = [("region", "eu")];
        let request = Request::new().key("k").require(&eu);
        for _ in 0..50 {
            assert!(matches!(pool.pick(&request).unwrap().id().as_str(), "n0" | "n2"), "{strategy}");
            let only = pool.pick(&request.exclude(&["n0"])).unwrap();
            assert_eq!(only.id().as_str(), "n2", "{strategy}");
        }
        let odd = |c: &Candidate<'_>| c.id().ends_with('3') && c.has_label("region", "us");
        assert_eq!(pool.pick(&Request::new().key("k").predicate(&odd)).unwrap().id().as_str(), "n3", "{strategy}");
        let mars = [("region", "mars")];
        assert_eq!(pool.pick(&Request::new().require(&mars)).unwrap_err().reason, NoNodeReason::NoMatch, "{strategy}");
    }
}

#[test]
fn nodes_are_excluded_by_reference_too() {
    let pool = pool("random", 3);
    let tried: Vec<_> = ["n0", "n2"].iter().map(|id| pool.node(id).unwrap()).collect();
    for _ in 0..50 {
        assert_eq!(pool.pick(&Request::new().exclude_nodes(&tried)).unwrap().id().as_str(), "n1");
    }
    // A node that came anew under the id is another.
    pool.deregister("n0").unwrap();
    pool.register("n0").unwrap();
    assert!((0..200).any(|_| pool.pick(&Request::new().exclude_nodes(&tried)).unwrap().id().as_str() == "n0"));
}

#[test]
fn failures_take_a_node_out_and_successes_bring_it_back() {
    let pool = pool("round_robin", 2);
    for expected in [HealthStatus::Healthy, HealthStatus::Degraded, HealthStatus::Unhealthy] {
        pool.pick(&Request::new().exclude(&["n1"])).unwrap().finish(Outcome::Failure).unwrap();
        assert_eq!(pool.nodes()[0].health, expected);
    }
    assert!((0..20).all(|_| pool.pick(&Request::new()).unwrap().id().as_str() == "n1"));
    assert_eq!(pool.pick(&Request::new().exclude(&["n1"])).unwrap_err().reason, NoNodeReason::Unhealthy);

    assert!(pool.report("n0", Outcome::Success).unwrap());
    assert_eq!(pool.nodes()[0].health, HealthStatus::Recovering);
    assert!(pool.report("n0", Outcome::Success).unwrap());
    assert_eq!(pool.nodes()[0].health, HealthStatus::Healthy);
    assert!((0..4).any(|_| pool.pick(&Request::new()).unwrap().id().as_str() == "n0"));
}

#[test]
fn a_flip_is_seen_by_the_next_pick() {
    for strategy in STRATEGIES {
        let pool = pool(strategy, 5);
        (0..3).for_each(|_| drop(pool.report("n3", Outcome::Failure)));
        for key in 0..200u32 {
            assert_ne!(pool.pick(&Request::new().key(&key.to_le_bytes())).unwrap().id().as_str(), "n3", "{strategy}");
        }
        // Also by requests that want it.
        let unhealthy = HealthStatus::Unhealthy.bit_flag();
        assert_eq!(
            pool.pick(&Request::new().key("k").health_mask(unhealthy)).unwrap().id().as_str(),
            "n3",
            "{strategy}"
        );
    }
}

#[test]
fn a_result_from_before_the_last_transition_says_nothing() {
    let pool = pool("p2c", 1);
    let early = pool.pick(&Request::new()).unwrap();
    (0..3).for_each(|_| drop(pool.report("n0", Outcome::Failure)));
    early.finish(Outcome::Success).unwrap();
    assert_eq!(pool.nodes()[0].health, HealthStatus::Unhealthy);
}

#[test]
fn a_chain_falls_back() {
    struct Nobody;
    impl Strategy<PoolNode> for Nobody {
        fn select(&self, _: &[PoolNode], _: &SelectionContext) -> Option<usize> {
            None
        }
    }
    let pool = Pool::builder()
        .strategy(["round_robin"])
        .unwrap()
        .nodes(["a", "b"])
        .own_strategy(Nobody)
        .seed(1)
        .build()
        .unwrap();
    assert_eq!(pool.strategy(), "custom");
    let ids: Vec<String> = (0..4).map(|_| pool.pick(&Request::new()).unwrap().id().to_string()).collect();
    assert_eq!(ids, ["a", "b", "a", "b"]);
}

#[test]
fn a_strategy_of_ones_own_sees_live_nodes() {
    struct LightestIdle;
    impl Strategy<PoolNode> for LightestIdle {
        fn select(&self, nodes: &[PoolNode], ctx: &SelectionContext) -> Option<usize> {
            let idle = |i: &usize| !ctx.is_excluded(*i) && nodes[*i].in_flight() == 0;
            (0..nodes.len()).filter(idle).min_by_key(|&i| (nodes[i].weight(), nodes[i].id().clone()))
        }
    }
    let pool = Pool::builder()
        .nodes([NodeSpec::new("heavy").weight(3), NodeSpec::new("light"), NodeSpec::new("down")])
        .own_strategy(LightestIdle)
        .build()
        .unwrap();
    (0..3).for_each(|_| drop(pool.report("down", Outcome::Failure)));
    let first = pool.pick(&Request::new()).unwrap();
    let second = pool.pick(&Request::new()).unwrap();
    assert_eq!((first.id().as_str(), second.id().as_str()), ("light", "heavy"));
    // Nobody is idle: the chain's p2c takes over.
    assert!(matches!(pool.pick(&Request::new()).unwrap().id().as_str(), "light" | "heavy"));
    pool.set_weight("heavy", 0).unwrap();
    drop(second);
    assert_eq!(pool.pick(&Request::new()).unwrap().id().as_str(), "light");
}

#[test]
fn callbacks_that_panic_are_contained_and_told_of() {
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let caught = std::panic::catch_unwind(AssertUnwindSafe(|| {
        struct Wild(std::sync::atomic::AtomicUsize);
        impl Strategy<PoolNode> for Wild {
            fn select(&self, nodes: &[PoolNode], _: &SelectionContext) -> Option<usize> {
                match self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 3 {
                    0 => panic!("own strategy"),
                    1 => Some(nodes.len() + 7),
                    _ => Some(0),
                }
            }
        }
        let pool = Pool::builder().nodes(["a", "b"]).own_strategy(Wild(0.into())).build().unwrap();
        assert!(pool.pick(&Request::new()).unwrap().callback_failed());
        assert!(pool.pick(&Request::new()).unwrap().callback_failed());
        let fine = pool.pick(&Request::new()).unwrap();
        assert!(!fine.callback_failed());
        assert_eq!(fine.id().as_str(), "a");
        drop(fine);

        pool.set_strategy("round_robin").unwrap();
        let panics_on_a = |c: &Candidate<'_>| if c.id().as_str() == "a" { panic!("predicate") } else { true };
        let pick = pool.pick(&Request::new().predicate(&panics_on_a)).unwrap();
        // Whether a was asked depends on whose turn it was; if it was, the pick says so.
        assert_eq!(pick.id().as_str(), "b");
        drop(pick);
        let panics = |_: &Candidate<'_>| -> bool { panic!("predicate") };
        let none = pool.pick(&Request::new().predicate(&panics)).unwrap_err();
        assert_eq!((none.reason, none.callback_failed), (NoNodeReason::NoMatch, true));
        assert!(pool.nodes().iter().all(|n| n.in_flight == 0));
    }));
    std::panic::set_hook(quiet);
    caught.unwrap();
}

#[test]
fn a_health_policy_of_ones_own_decides() {
    /// One strike, for good.
    struct Strict;
    impl HealthPolicy for Strict {
        fn on_success(&self, _: &mut NodeHealth) {}
        fn on_failure(&self, health: &mut NodeHealth) {
            health.status = HealthStatus::Unhealthy;
        }
        fn should_probe(&self, _: &NodeHealth) -> bool {
            false
        }
    }
    let pool = Pool::builder().nodes(["a", "b"]).health_policy(Strict).build().unwrap();
    assert!(pool.report("a", Outcome::Failure).unwrap());
    assert!(!pool.report("a", Outcome::Success).unwrap());
    assert!((0..20).all(|_| pool.pick(&Request::new()).unwrap().id().as_str() == "b"));
}

#[test]
fn the_strategy_changes_while_picks_are_held() {
    let pool = pool("round_robin", 3);
    let held: Vec<_> = (0..6).map(|_| pool.pick(&Request::new()).unwrap()).collect();
    for strategy in STRATEGIES {
        pool.set_strategy(strategy).unwrap();
        assert_eq!(pool.strategy(), strategy);
        assert_eq!(in_flight(&pool), [2, 2, 2]);
        pool.pick(&Request::new().key("k")).unwrap().finish(Outcome::Success).unwrap();
    }
    drop(held);
    assert_eq!(in_flight(&pool), [0, 0, 0]);
    assert!(pool.set_strategy("no_such_thing").is_err());
    assert_eq!(pool.strategy(), "most_available");
    let bounded = StrategyConfig { kind: StrategyKind::Maglev { table_size: 251 }, bounded_load: Some(1.25) };
    pool.set_strategy(bounded).unwrap();
    assert_eq!(pool.strategy(), "maglev");
}

#[test]
fn choosing_counts_nothing() {
    let pool = pool("least_request", 4);
    for _ in 0..100 {
        let node = pool.choose(&Request::new()).unwrap();
        assert!(pool.id_of(node).starts_with('n'));
    }
    assert_eq!(in_flight(&pool), [0; 4]);
}

#[test]
fn user_data_comes_back_with_the_pick() {
    let pool = Pool::builder().nodes([NodeSpec::new("a").user_data(17)]).build().unwrap();
    assert_eq!(pool.pick(&Request::new()).unwrap().user_data(), 17);
    pool.set_node_user_data("a", 18).unwrap();
    assert_eq!(pool.pick(&Request::new()).unwrap().user_data(), 18);
}
