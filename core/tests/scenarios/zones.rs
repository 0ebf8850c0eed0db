//! Callers that prefer what is near.

use std::collections::BTreeMap;

use crate::stage::Stage;

fn stage(counts: &[(&str, u32)], more: &str) -> Stage {
    let nodes: Vec<String> =
        counts.iter().flat_map(|(zone, n)| (0..*n).map(move |i| format!("{{id: {zone}{i}, zone: {zone}}}"))).collect();
    Stage::new(&format!("{{seed: 11, nodes: [{}]{more}}}", nodes.join(", ")))
}

/// What each zone takes of a caller's traffic, in hundredths.
fn from(stage: &Stage, zone: &str) -> BTreeMap<String, u32> {
    let mut zones: BTreeMap<String, u32> = BTreeMap::new();
    for (id, n) in stage.shares_of(10_000, |_| stage.ask().zone(zone)) {
        *zones.entry(id[..1].to_owned()).or_default() += n;
    }
    zones.into_iter().map(|(zone, n)| (zone, (n + 50) / 100)).collect()
}

/// Zones of equal capacity: every caller stays at home.
#[test]
fn everybody_stays_at_home() {
    let stage = stage(&[("a", 3), ("b", 3), ("c", 3)], ", zones: true");
    for zone in ["a", "b", "c"] {
        assert_eq!(from(&stage, zone), BTreeMap::from([(zone.to_owned(), 100)]));
    }
}

/// A zone with less than its share of the capacity gives away what it cannot take, and only to zones that have room; so
/// that in the end each node of the pool has as much to do.
#[test]
fn a_zone_that_is_short_spills_the_rest() {
    let stage = stage(&[("a", 1), ("b", 3), ("c", 2)], ", zones: true");
    // A sixth of the capacity for a third of the load: half of it stays.
    let a = from(&stage, "a");
    assert!(a["a"].abs_diff(50) <= 2 && a["b"].abs_diff(50) <= 2 && !a.contains_key("c"), "{a:?}");
    assert_eq!(from(&stage, "b"), BTreeMap::from([("b".to_owned(), 100)]));
    assert_eq!(from(&stage, "c"), BTreeMap::from([("c".to_owned(), 100)]));
}

/// The pool's own zone is that of callers that name none; whoever is of none of the zones is served by all.
#[test]
fn the_pools_own_zone_and_strangers() {
    let stage = stage(&[("a", 2), ("b", 2)], ", zones: {zone: b}");
    assert!(stage.shares(1000).keys().all(|id| id.starts_with('b')));
    assert_eq!(stage.shares_of(1000, |_| stage.ask().zone("mars")).len(), 4);
}

/// Nobody is left at home: the others serve. Fewer than `min_nodes`: so do they.
#[test]
fn a_zone_that_is_down() {
    let stage = stage(&[("a", 2), ("b", 4)], ", zones: {min_nodes: 2}");
    assert!(from(&stage, "a")["a"] > 60);
    for _ in 0..3 {
        stage.tell("a0", false);
    }
    stage.pool.maintain(stage.now);
    let spread = from(&stage, "a");
    assert!(spread["a"].abs_diff(20) <= 2, "one of five nodes: {spread:?}");
    for _ in 0..3 {
        stage.tell("a1", false);
    }
    stage.pool.maintain(stage.now);
    assert_eq!(from(&stage, "a"), BTreeMap::from([("b".to_owned(), 100)]));
}

/// Off unless it is configured.
#[test]
fn zones_are_off() {
    let stage = stage(&[("a", 2), ("b", 2)], "");
    assert_eq!(stage.shares_of(1000, |_| stage.ask().zone("a")).len(), 4);
}

/// Zones within tiers: home of the first tier, then the first tier, then the backups.
#[test]
fn zones_within_tiers() {
    let stage = Stage::new(
        "{seed: 11, zones: {zone: a}, nodes: [{id: a0, zone: a}, {id: b0, zone: b}, {id: a1, zone: a, tier: 1}, {id: b1, zone: b, tier: 1}]}",
    );
    assert_eq!(stage.shares(100).into_keys().collect::<Vec<_>>(), ["a0"]);
    let ids = |exclude: &[&str]| {
        let picks: Vec<String> =
            (0..50).map(|_| stage.pool.pick(&stage.ask().exclude(exclude)).unwrap().id().to_string()).collect();
        picks.into_iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(ids(&["a0"]), ["b0"]);
    assert_eq!(ids(&["a0", "b0"]), ["a1"]);
    assert_eq!(ids(&["a0", "b0", "a1"]), ["b1"]);
}
