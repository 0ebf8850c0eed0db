//! Random states: an explanation says what the next pick does, changes nothing, and is of the decision it came with.

use loadwise::stats::PoolStats;

use crate::world::{Op, Random, World, config, operation};

/// Each with about fifty picks. The slower build has fewer.
const RUNS: u64 = if cfg!(debug_assertions) { 100 } else { 3000 };

fn story(seed: u64, seeded: bool, length: usize) {
    let mut r = Random(seed);
    let text = config(&mut r, seeded);
    let mut world = World::new(&text);
    // Nobody ever asks this one for reasons. Without a seed, it would draw otherwise.
    let mut twin = seeded.then(|| World::new(&text));
    for at in 0..length {
        let op = operation(&mut r);
        let place = || format!("seed {seed}, operation {at}: {op:?} in {text}");
        let Op::Pick(wish) = &op else {
            world.apply(&op);
            if let Some(twin) = &mut twin {
                twin.apply(&op);
                assert_eq!(figures(&world), figures(twin), "{}", place());
            }
            continue;
        };
        let foretold = world.explain(wish);
        assert_eq!(world.explain(wish), foretold, "{}", place());
        let picked = if r.chance(2) {
            world.pick(wish)
        } else {
            let (picked, explanation) = world.pick_explained(wish);
            assert_eq!(explanation, foretold, "{}", place());
            picked
        };
        let chosen = foretold.result.as_ref().map(|chosen| chosen.node).map_err(|&none| none);
        assert_eq!(picked, chosen, "{}: {}", place(), foretold.to_value().to_json());
        if let Some(twin) = &mut twin {
            assert_eq!(twin.pick(wish), picked, "{}", place());
        }
    }
}

/// All that there is to see of a pool. When an operator failed over is told by the real clock.
fn figures(world: &World) -> PoolStats {
    PoolStats { last_failover_ns: None, ..world.pool.stats_at(world.now_ns) }
}

#[test]
fn seeded_pools_pick_what_was_foretold_and_do_not_notice() {
    (0..RUNS).for_each(|seed| story(seed, true, 120));
}

#[test]
fn unseeded_pools_pick_what_was_foretold() {
    (0..RUNS).for_each(|seed| story(seed, false, 120));
}
