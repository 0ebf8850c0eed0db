//! Reloads while others pick.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use loadwise::{Outcome, Pool, Request};

use super::{Random, parse};

/// Configurations that have next to nothing in common but node b.
const CONFIGS: [&str; 5] = [
    "{strategy: p2c, nodes: [{id: a, address: 'a:1'}, {id: b, address: 'one.example:1'}, c]}",
    "{strategy: round_robin, quotas: [{dimension: x, limit: 1000000000}, {dimension: y, limit: 1000000000}],
      nodes: [{id: b, address: 'another.example:22', weight: 5, labels: {v: '2'}}, d, {id: a, address: 'a:1'}]}",
    "{strategy: {name: maglev, table_size: 251}, breaker: true, affinity: {entries: 1024}, max_in_flight: 100000,
      nodes: [{id: b, address: 'one.example:1'}]}",
    "{strategy: peak_ewma, quotas: [{dimension: y, limit: 1000000000}], zones: {zone: z}, stats: {latency: nodes},
      nodes: [{id: b, address: 'another.example:22', zone: z}, {id: e, tier: 1}, {id: f, zone: y}]}",
    "{strategy: [weighted_round_robin, random], adaptive_limit: {initial: 1000, min: 1000, max: 1000}, outlier: true, slow_start: true,
      health: {window_ms: 5000}, nodes: [f, {id: b, address: 'one.example:1', weight: 3}]}",
];

#[test]
fn picks_go_on_and_nothing_leaks() {
    const RELOADS: usize = 300;
    const PICKS: u64 = 20_000;
    let pool = Pool::builder().config(parse(CONFIGS[0])).build().unwrap();
    let stop = AtomicBool::new(false);
    let picked = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (pool, stop, picked) = (&pool, &stop, &picked);
            scope.spawn(move || {
                let mut random = Random(thread);
                let mut held = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let session = format!("s{}", random.below(100));
                    let request =
                        if random.chance(2) { Request::new() } else { Request::new().session(&session).key("k") };
                    let pick = pool.pick(&request).unwrap();
                    let (id, address) = (pick.id(), pick.address());
                    match id.as_str() {
                        "a" => assert_eq!(address.as_str(), "a:1"),
                        "b" => assert!(matches!(address.as_str(), "one.example:1" | "another.example:22"), "{address}"),
                        other => assert_eq!(address.as_str(), other),
                    }
                    held.push(pick);
                    picked.fetch_add(1, Ordering::Relaxed);
                    if held.len() > 20 {
                        held.swap_remove(random.below(20)).finish(Outcome::Success).unwrap();
                    }
                    if random.chance(50) {
                        held.drain(..).for_each(|pick| pick.finish(Outcome::Success).unwrap());
                    }
                }
            });
        }
        let mut random = Random(99);
        let mut reloads = 0;
        while reloads < RELOADS || picked.load(Ordering::Relaxed) < PICKS {
            pool.reload(&parse(CONFIGS[random.below(CONFIGS.len())])).unwrap();
            reloads += 1;
            assert!(pool.reload(&parse("{seed: 1}")).is_err());
        }
        stop.store(true, Ordering::Relaxed);
        assert_eq!(pool.config_version(), 1 + reloads as u64);
    });
    let stats = pool.stats();
    let picked = picked.into_inner();
    assert_eq!((stats.in_flight, stats.selections), (0, picked));
    assert_eq!((stats.successes, stats.cancelled), (picked - stats.cancelled, stats.cancelled));
    // Nothing is held of the limits and quotas either.
    pool.reload(&parse("{max_in_flight: 3, nodes: [b], quotas: [{dimension: y, limit: 1000000000}]}")).unwrap();
    let open: Vec<_> = (0..3).map(|_| pool.pick(&Request::new()).unwrap()).collect();
    assert!(pool.pick(&Request::new()).is_err());
    drop(open);
}

#[test]
fn control_calls_of_all_kinds_wait_for_each_other() {
    let pool = Pool::builder().config(parse(CONFIGS[0])).build().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let pool = &pool;
            scope.spawn(move || {
                let mut random = Random(thread);
                for _ in 0..200 {
                    match random.below(8) {
                        0 | 1 => pool.reload(&parse(CONFIGS[random.below(CONFIGS.len())])).unwrap(),
                        2 => pool.set_nodes(["b", "x"]).unwrap(),
                        3 => drop(pool.learn_from(&pool.learned()).unwrap()),
                        4 => drop(pool.config_value()),
                        5 => drop(pool.set_strategy("random")),
                        6 => drop(pool.drain("b", random.chance(2))),
                        _ => drop(pool.maintain(loadwise::now_ns())),
                    }
                    let node = pool.find(&[]).into_iter().find(|node| node.id == "b");
                    assert!(node.is_some());
                }
            });
        }
    });
    pool.drain("b", false).unwrap();
    assert!(pool.pick(&Request::new()).is_ok());
}
