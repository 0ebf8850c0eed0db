//! Which key goes where.

use std::collections::HashMap;

use loadwise::{FailureKind, HealthStatus, NodeSpec, Outcome, Pool, Report, Request};

use crate::{pool, weighted};

const HASHES: [&str; 3] = ["ring_hash", "maglev", "rendezvous"];

fn owner(pool: &Pool, key: u32) -> String {
    pool.pick(&Request::new().key(&key.to_le_bytes()).now_ns(1)).unwrap().id().to_string()
}

#[test]
fn a_key_stays_and_the_order_of_nodes_does_not_matter() {
    for strategy in HASHES {
        let ab = Pool::builder().strategy(strategy).unwrap().nodes(["a", "b", "c", "d"]).build().unwrap();
        let ba = Pool::builder().strategy(strategy).unwrap().nodes(["d", "b", "a", "c"]).build().unwrap();
        for key in 0..500 {
            assert_eq!(owner(&ab, key), owner(&ab, key), "{strategy}");
            assert_eq!(owner(&ab, key), owner(&ba, key), "{strategy}");
        }
    }
}

#[test]
fn a_node_that_is_down_moves_its_own_keys_only_and_they_come_back() {
    for strategy in HASHES {
        let pool = pool(strategy, 6);
        let before: Vec<String> = (0..600).map(|key| owner(&pool, key)).collect();
        (0..3).for_each(|_| drop(pool.report("n2", Report::failure(FailureKind::Other).now_ns(1))));
        for now in [1, 2_000_000_000] {
            for (key, was) in before.iter().enumerate() {
                let is = owner(&pool, key as u32);
                assert!(if was == "n2" { is != "n2" } else { is == *was }, "{strategy}");
            }
            // A plan that is built meanwhile has the same tables.
            pool.maintain(now);
        }
        let lost: HashMap<String, usize> =
            (0..600).filter(|&key| before[key as usize] == "n2").fold(HashMap::new(), |mut count, key| {
                *count.entry(owner(&pool, key)).or_default() += 1;
                count
            });
        assert_eq!(lost.len(), 5, "{strategy}: the lost keys are spread: {lost:?}");
        while pool.nodes()[2].health != HealthStatus::Healthy {
            pool.report("n2", Outcome::Success).unwrap();
        }
        assert!((0..600).all(|key| owner(&pool, key) == before[key as usize]), "{strategy}");
    }
}

#[test]
fn a_node_that_leaves_moves_few_keys() {
    for (strategy, most) in [("ring_hash", 0.0), ("rendezvous", 0.0), ("maglev", 0.1)] {
        let pool = pool(strategy, 10);
        let before: Vec<String> = (0..2_000).map(|key| owner(&pool, key)).collect();
        pool.deregister("n4").unwrap();
        let moved = (0..2_000).filter(|&k| before[k as usize] != "n4" && owner(&pool, k) != before[k as usize]).count();
        assert!(moved as f64 <= 2_000.0 * most, "{strategy}: {moved}");
    }
}

#[test]
fn bounded_loads_hold() {
    for strategy in HASHES {
        let config = format!("strategy: {{name: {strategy}, bounded_load: 1.25}}\nnodes: [a, b, c, d, e]");
        let pool = Pool::from_config(&config).unwrap();
        // One hot key: without the bound one node would have all 100.
        let held: Vec<_> = (0..100).map(|_| pool.pick(&Request::new().key("hot")).unwrap()).collect();
        let most = pool.nodes().iter().map(|n| n.in_flight).max().unwrap();
        assert_eq!(most, 25, "{strategy}: ⌈100/5 · 1.25⌉");
        drop(held);
        assert!(pool.nodes().iter().all(|n| n.in_flight == 0), "{strategy}");
        // Most nodes down: the rest takes it all, the bound gives way.
        for id in ["a", "b", "c", "d"] {
            (0..3).for_each(|_| drop(pool.report(id, Outcome::Failure)));
        }
        let held: Vec<_> = (0..50).map(|_| pool.pick(&Request::new().key("hot")).unwrap()).collect();
        assert!(held.iter().all(|p| p.id().as_str() == "e"), "{strategy}");
    }
}

#[test]
fn no_key_is_a_random_node_and_any_bytes_are_a_key() {
    for strategy in HASHES {
        let pool = pool(strategy, 4);
        let seen: std::collections::HashSet<String> =
            (0..200).map(|_| pool.pick(&Request::new()).unwrap().id().to_string()).collect();
        assert_eq!(seen.len(), 4, "{strategy}");
        let mega = vec![0xA5; 1 << 20];
        for key in [&b""[..], b"\0", b"\xff\xfe", &mega] {
            let first = pool.pick(&Request::new().key(key)).unwrap().id();
            assert!((0..5).all(|_| pool.pick(&Request::new().key(key)).unwrap().id() == first), "{strategy}");
        }
        // Numbers that follow each other do not land together.
        let seen: std::collections::HashSet<String> =
            (0..40u64).map(|k| pool.pick(&Request::new().key(&k.to_le_bytes())).unwrap().id().to_string()).collect();
        assert_eq!(seen.len(), 4, "{strategy}");
    }
}

#[test]
fn weights_are_shares_of_keys() {
    for strategy in HASHES {
        let pool = weighted(strategy, &[1, 3]);
        let heavy = (0..20_000).filter(|&key| owner(&pool, key) == "n1").count();
        assert!((heavy as f64 / 20_000.0 - 0.75).abs() < 0.03, "{strategy}: {heavy}");
    }
}

/// Points and owners as nginx 1.22 places them with `hash $key consistent`, worked out from its published rule by an
/// independent program (Python's `zlib.crc32`).
#[test]
fn nginx_keys_stay_on_their_servers() {
    let nodes = [("10.0.0.1:80", 1), ("10.0.0.2:80", 2), ("10.0.0.3:8080", 1)];
    let nodes = nodes.map(|(address, weight)| NodeSpec::new(address).weight(weight));
    let pool = Pool::from_config("strategy: {name: ring_hash, compat: nginx}").unwrap();
    pool.set_nodes(nodes).unwrap();
    let expected = include_str!("nginx_ring.txt");
    assert_eq!(expected.lines().count(), 200);
    for line in expected.lines() {
        let (key, address) = line.split_once(' ').unwrap();
        assert_eq!(pool.pick(&Request::new().key(key)).unwrap().address().as_str(), address, "{key}");
    }
}
