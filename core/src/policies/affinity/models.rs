//! Run with `make loom`.

use loom::sync::Arc;
use loom::thread;

use super::*;

const TTL_NS: Nanos = 3_600_000_000_000;
const NOW_NS: Nanos = 1_000_000_000_000;

/// Nodes that differ in both halves of the generation.
const NODES: [NodeRef; 3] = [
    NodeRef { index: 1, generation: 0x0101 },
    NodeRef { index: 2, generation: 0x0202 },
    NodeRef { index: 3, generation: 0x0303 },
];

/// Keys with nothing in common but the only set.
fn key(i: u64) -> u64 {
    (i + 1) << 40 | (i + 1)
}

fn table(words: &[AtomicU64]) -> Affinity<'_> {
    Affinity::new(words, TTL_NS)
}

/// A table of one set, two entries, with these keys in it, each used a minute after the one before.
fn one_set(keys: &[u64]) -> Arc<Vec<AtomicU64>> {
    let shared: Vec<AtomicU64> = (0..words(1)).map(|_| AtomicU64::new(0)).collect();
    for (i, &key) in keys.iter().enumerate() {
        table(&shared).set(key, NODES[2], NOW_NS - 300_000_000_000 + i as u64 * 60_000_000_000);
    }
    Arc::new(shared)
}

type Set = fn(Affinity<'_>, u64, NodeRef);

fn set(table: Affinity<'_>, key_hash: u64, node: NodeRef) {
    table.set(key_hash, node, NOW_NS);
}

fn spawn_set(shared: &Arc<Vec<AtomicU64>>, set: Set, key: u64, node: NodeRef) -> thread::JoinHandle<()> {
    let shared = shared.clone();
    thread::spawn(move || set(table(&shared), key, node))
}

fn get(shared: &[AtomicU64], key: u64) -> Option<NodeRef> {
    table(shared).get(key, NOW_NS)
}

/// Two nodes are set for one key at once; either stays, whole.
fn either_stays(set: Set, before: impl AsRef<[u64]> + Send + Sync + 'static) {
    loom::model(move || {
        let shared = one_set(before.as_ref());
        let other = spawn_set(&shared, set, key(0), NODES[0]);
        set(table(&shared), key(0), NODES[1]);
        other.join().unwrap();
        let stayed = get(&shared, key(0));
        assert!(stayed == Some(NODES[0]) || stayed == Some(NODES[1]), "{stayed:?}");
        assert!(table(&shared).clear(key(0)));
        assert_eq!(get(&shared, key(0)), None);
    });
}

/// Two keys want an entry of a full set, while one of them is looked up.
fn no_key_meets_anothers_node(set: Set) {
    loom::model(move || {
        let shared = one_set(&[key(2), key(3)]);
        let first = spawn_set(&shared, set, key(0), NODES[0]);
        let reader = {
            let shared = shared.clone();
            thread::spawn(move || get(&shared, key(0)))
        };
        set(table(&shared), key(1), NODES[1]);
        let seen = reader.join().unwrap();
        // The generation's high part may be that of the entry's former key for a moment, the index never.
        assert!(seen.is_none_or(|node| node.index == 1 && node.generation & 0xFF == 1), "{seen:?}");
        first.join().unwrap();
        let found = [0, 1, 2, 3].map(|i| get(&shared, key(i)));
        let expected = [NODES[0], NODES[1], NODES[2], NODES[2]];
        assert!(found.iter().zip(expected).all(|(f, e)| f.is_none_or(|f| f == e)), "{found:?}");
        assert_eq!(found.iter().flatten().count(), 2, "no entry is left without its detail: {found:?}");
    });
}

/// Two plain stores instead of swaps that look what they replace.
fn set_by_stores(table: Affinity<'_>, key_hash: u64, node: NodeRef) {
    let set = table.set_of(key_hash).unwrap();
    let tag = Place::tag_of(key_hash);
    let (way, _) = set.take_only(tag).unwrap_or_else(|| set.victim(time_of(NOW_NS)));
    way.place.store(Place::new(tag, node).0, Ordering::Release);
    way.detail.store(Detail::new(Detail::more_of(key_hash), time_of(NOW_NS), node).0, Ordering::Release);
}

#[test]
fn of_two_sets_of_a_known_key_either_stays() {
    either_stays(set, [key(0)]);
}

#[test]
fn of_two_sets_of_a_new_key_either_stays() {
    either_stays(set, [0; 0]);
    either_stays(set, [key(2), key(3)]);
}

#[test]
fn keys_that_replace_each_other_keep_their_nodes() {
    no_key_meets_anothers_node(set);
}

#[test]
#[should_panic]
fn mutant_of_plain_stores_mixes_two_sets() {
    either_stays(set_by_stores, [key(0)]);
}

#[test]
#[should_panic]
fn mutant_of_plain_stores_mixes_two_keys() {
    no_key_meets_anothers_node(set_by_stores);
}

#[test]
fn a_key_that_is_cleared_while_it_is_set_is_whole_or_gone() {
    loom::model(|| {
        let shared = one_set(&[key(0)]);
        let setter = spawn_set(&shared, set, key(0), NODES[1]);
        assert!(table(&shared).clear(key(0)));
        setter.join().unwrap();
        let found = get(&shared, key(0));
        assert!(found.is_none() || found == Some(NODES[1]), "{found:?}");
    });
}

#[test]
fn a_session_that_is_moved_while_it_is_set_is_whole() {
    loom::model(|| {
        let shared = one_set(&[key(0)]);
        let setter = spawn_set(&shared, set, key(0), NODES[1]);
        let swept = table(&shared).sweep(0, WAYS, NOW_NS, |_| Verdict::MoveTo(NODES[0]));
        setter.join().unwrap();
        let found = get(&shared, key(0));
        assert!(found == Some(NODES[1]) || swept.moved == 1 && found == Some(NODES[0]), "{found:?}");
    });
}

#[test]
fn a_look_renews_only_what_it_found() {
    loom::model(|| {
        let shared = one_set(&[key(2), key(0)]);
        let setter = spawn_set(&shared, set, key(1), NODES[1]);
        // Four minutes old, so it is renewed unless it is replaced before.
        let seen = get(&shared, key(2));
        assert!(seen.is_none() || seen == Some(NODES[2]));
        setter.join().unwrap();
        assert_eq!(get(&shared, key(1)), Some(NODES[1]));
        assert_eq!([key(0), key(2)].iter().filter(|&&k| get(&shared, k).is_some()).count(), 1);
    });
}
