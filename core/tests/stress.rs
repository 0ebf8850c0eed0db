//! Threads that pick, hold, finish for each other and report, while others change everything: for ThreadSanitizer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

use loadwise::{NodeSpec, Outcome, Pool, Report, Request, Ticket};

const STRATEGIES: [&str; 8] = [
    "p2c",
    "round_robin",
    "weighted_round_robin",
    "peak_ewma",
    "maglev",
    "ring_hash",
    "least_request",
    "weighted_random",
];

#[test]
fn nothing_is_lost_between_threads() {
    let picks = if cfg!(debug_assertions) { 20_000 } else { 200_000 };
    let pool = Pool::builder().nodes((0..6).map(|i| format!("n{i}"))).lease_timeout_ms(60_000).build().unwrap();
    let (finished, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (send, receive) = mpsc::channel::<Ticket>();
        let pickers: Vec<_> = (0..2u64)
            .map(|thread| {
                let (pool, send) = (&pool, send.clone());
                scope.spawn(move || {
                    for i in 0..picks {
                        let key = (i * 2 + thread).to_le_bytes();
                        let lease = pool.acquire(&Request::new().key(&key)).expect("n0 is always there");
                        if i % 3 == 0 {
                            // Another thread finishes it.
                            send.send(lease.ticket).unwrap();
                        } else {
                            pool.release(lease.ticket, Outcome::Success).unwrap();
                        }
                    }
                })
            })
            .collect();
        drop(send);
        let (pool_ref, finished_ref) = (&pool, &finished);
        scope.spawn(move || {
            for ticket in receive {
                pool_ref.release(ticket, Report::cancelled()).unwrap();
                assert!(pool_ref.release(ticket, Outcome::Failure).is_err());
                finished_ref.fetch_add(1, Ordering::Relaxed);
            }
        });
        let stop_ref = &stop;
        let changer = scope.spawn(move || {
            let mut round = 0u64;
            while !stop_ref.load(Ordering::Relaxed) {
                round += 1;
                pool_ref.set_strategy(STRATEGIES[round as usize % STRATEGIES.len()]).unwrap();
                pool_ref
                    .set_nodes(
                        (0..1 + round % 8).map(|i| NodeSpec::new(format!("n{i}")).weight(1 + (round % 3) as u32)),
                    )
                    .unwrap();
                let _ = pool_ref.report("n1", if round % 2 == 0 { Outcome::Failure } else { Outcome::Success });
                pool_ref.maintain(round * 1_000_000);
                assert!(!pool_ref.nodes().is_empty());
            }
        });
        pickers.into_iter().for_each(|p| p.join().unwrap());
        stop.store(true, Ordering::Relaxed);
        changer.join().unwrap();
    });
    assert_eq!(finished.load(Ordering::Relaxed), 2 * u64::div_ceil(picks, 3));
    assert!(pool.nodes().iter().all(|n| n.in_flight == 0), "{:?}", pool.nodes());
}

#[test]
fn a_pool_that_panics_has_a_node_for_every_pick_however_nodes_come_and_go() {
    let picks = if cfg!(debug_assertions) { 40_000 } else { 400_000 };
    let config = |strategy: &str| {
        format!(
            "{{strategy: {strategy}, health: {{failure_threshold: 2, probe_interval_ms: 5}}, panic: {{mode: spread}},
              breaker: {{consecutive_failures: 2, open_ms: 5}}, slow_start: {{duration_ms: 20}}, nodes: [a, b, c, d]}}"
        )
    };
    for strategy in ["least_request", "peak_ewma", "p2c"] {
        let pool = Pool::from_config(&config(strategy)).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for i in 0..picks {
                        let failed = i % 7 == 0;
                        let lease = pool.acquire(&Request::new()).expect("all nodes, if none is healthy");
                        pool.release(lease.ticket, if failed { Outcome::Failure } else { Outcome::Success }).unwrap();
                    }
                });
            }
        });
    }
}
