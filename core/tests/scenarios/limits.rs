//! How much may be in flight.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use loadwise::{NoNodeReason, Pool, Report, Request};

use crate::stage::{MS, Stage};

/// Eight threads pick and end as fast as they can; the most that any of them saw in flight.
fn most_in_flight(pool: &Pool, in_flight: &[AtomicU64], count: impl Fn(usize) -> usize + Sync) -> Vec<u64> {
    let most: Vec<AtomicU64> = in_flight.iter().map(|_| AtomicU64::new(0)).collect();
    let (barrier, refused) = (Barrier::new(8), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..20_000 {
                    match pool.acquire(&Request::new()) {
                        Ok(lease) => {
                            let at = count(lease.node.index as usize);
                            most[at].fetch_max(in_flight[at].fetch_add(1, Ordering::SeqCst) + 1, Ordering::Relaxed);
                            if lease.ticket.as_u64() % 64 == 0 {
                                std::thread::yield_now();
                            }
                            in_flight[at].fetch_sub(1, Ordering::SeqCst);
                            pool.release(lease.ticket, Report::success()).unwrap();
                        }
                        Err(none) => {
                            assert_eq!(none.reason, NoNodeReason::Saturated);
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    assert!(refused.into_inner() > 0, "the limits were never met");
    most.into_iter().map(AtomicU64::into_inner).collect()
}

/// A node's limit is exact: of eight threads never one more has it in flight. Whoever finds no room is told `saturated`,
/// never anything else.
#[test]
fn a_nodes_limit_is_never_exceeded() {
    for strategy in ["round_robin", "p2c", "random", "least_request"] {
        let pool = Pool::from_config(&format!(
            "{{strategy: {strategy}, nodes: [{{id: a, max_in_flight: 1}}, {{id: b, max_in_flight: 2}}, {{id: c, max_in_flight: 1}}]}}"
        ));
        let pool = pool.unwrap();
        let most = most_in_flight(&pool, &[const { AtomicU64::new(0) }; 3], |index| index);
        let limits: Vec<u64> = [0, 1, 2].map(|i| pool.nodes()[i].node.index as usize).map(|i| [1, 2, 1][i]).into();
        assert!(most.iter().zip(&limits).all(|(most, limit)| most <= limit), "{strategy}: {most:?} of {limits:?}");
        assert_eq!(pool.stats().in_flight, 0);
    }
}

/// The same for the pool as a whole.
#[test]
fn the_pools_limit_is_never_exceeded() {
    let pool = Pool::from_config("{strategy: p2c, nodes: [a, b, c, d], max_in_flight: 3}").unwrap();
    let most = most_in_flight(&pool, &[const { AtomicU64::new(0) }; 1], |_| 0);
    assert!(most[0] <= 3, "{most:?}");
    assert_eq!(pool.stats().in_flight, 0);
}

/// Full is full, and the first that ends makes room.
#[test]
fn full_and_free_again() {
    let stage =
        Stage::new("{seed: 14, nodes: [{id: a, max_in_flight: 2}, {id: b, max_in_flight: 1}], max_in_flight: 3}");
    let mut picks: Vec<_> = (0..3).map(|_| stage.pick().unwrap()).collect();
    assert_eq!(stage.nobody(), NoNodeReason::Saturated);
    let freed = picks.swap_remove(0);
    let id = freed.id().to_string();
    freed.finish(stage.outcome(true)).unwrap();
    assert_eq!(stage.pick().unwrap().id().to_string(), id);
}

/// All strategies leave a full node out, and hash strategies send its keys on.
#[test]
fn a_full_node_is_left_out() {
    for strategy in ["round_robin", "random", "p2c", "least_request", "maglev", "ring_hash", "rendezvous"] {
        let stage =
            Stage::new(&format!("{{seed: 14, strategy: {strategy}, nodes: [{{id: a, max_in_flight: 1}}, b, c]}}"));
        let only_a = stage.pool.pick(&stage.ask().exclude(&["b", "c"])).unwrap();
        let keys: Vec<String> = (0..200).map(|i| format!("user-{i}")).collect();
        let shares = stage.shares_of(200, |i| stage.ask().key(&keys[i as usize]));
        assert_eq!(shares.into_keys().collect::<Vec<_>>(), ["b", "c"], "{strategy}");
        drop(only_a);
        assert!(stage.shares_of(200, |i| stage.ask().key(&keys[i as usize])).contains_key("a"), "{strategy}");
    }
}

/// The adaptive limit: it rises while requests take what they always took, falls when they take longer, and stays within
/// its bounds.
#[test]
fn a_limit_that_learns() {
    let mut stage = Stage::new("{seed: 14, nodes: [a], adaptive_limit: {initial: 20, min: 10, max: 60}}");
    let fill = |stage: &mut Stage, latency_ms: u64| {
        let mut picks = Vec::new();
        while let Ok(pick) = stage.pool.pick(&stage.ask()) {
            picks.push(pick.into_lease());
        }
        stage.now += latency_ms * MS;
        let limit = picks.len();
        for lease in picks {
            let report = stage.outcome(true).latency(Duration::from_millis(latency_ms));
            stage.pool.release(lease.ticket, report).unwrap();
        }
        limit
    };
    let first = fill(&mut stage, 10);
    assert_eq!(first, 20);
    let well: Vec<usize> = (0..30).map(|_| fill(&mut stage, 10)).collect();
    assert!(well.is_sorted() && well[29] == 60, "{well:?}");
    let slow: Vec<usize> = (0..20).map(|_| fill(&mut stage, 100)).collect();
    assert!(slow[1] < 60 && *slow.iter().min().unwrap() < 30, "{slow:?}");
    assert!(slow.iter().all(|limit| (10..=60).contains(limit)), "{slow:?}");
    assert_eq!(stage.of("a").max_in_flight as usize, fill(&mut stage, 10), "what is told is in force");
}

/// Failures are no samples: a node that fails fast is not given more.
#[test]
fn failing_fast_raises_no_limit() {
    let stage = Stage::new(
        "{seed: 14, nodes: [a], health: {failure_threshold: 255, min_success_rate: 0}, adaptive_limit: {initial: 20, min: 10, max: 60}}",
    );
    for _ in 0..10 {
        let picks: Vec<_> = std::iter::from_fn(|| stage.pick().ok()).collect();
        assert_eq!(picks.len(), 20);
        picks.into_iter().for_each(|pick| pick.finish(stage.outcome(false).latency(Duration::from_micros(1))).unwrap());
    }
}
