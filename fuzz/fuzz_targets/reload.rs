//! A text replaces the configuration of an engine, and is taken for what was learned: all of it, or nothing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use loadwise::config::Value;
use loadwise::{Engine, Outcome, Request};

const TEXT_BYTES_MAX: usize = 4096;
const BEGUN: &str = "
pools:
  a: {seed: 1, limits: {max_nodes: 16, max_picks: 64}, breaker: true, outlier: true, adaptive_limit: true,
      affinity: {entries: 16}, quotas: [{dimension: rpm, limit: 1000}], nodes: [x, {id: y, tier: 1, zone: z}]}
  b: {strategy: maglev, limits: {max_table_size: 65537}, nodes: [x]}";
const NOW_NS: u64 = 1_000_000_000_000;

fuzz_target!(|data: &[u8]| {
    let Some(text) = std::str::from_utf8(data).ok().filter(|text| text.len() <= TEXT_BYTES_MAX) else { return };
    let engine = Engine::from_config(BEGUN).expect("a configuration");
    let a = engine.pool("a").expect("a pool");
    let open = a.pick(&Request::new().now_ns(NOW_NS)).expect("a node");
    let before = (engine.config(), engine.names());
    match engine.reload_from(text) {
        Err(_) => assert_eq!((engine.config(), engine.names()), before),
        Ok(reloaded) => {
            assert_eq!(reloaded.version, 2);
            let again = engine.reload_from(text).expect("what was in force");
            assert!(again.added.is_empty() && again.removed.is_empty() && again.changed.is_empty(), "{again:?}");
        }
    }
    if let Ok(value) = Value::parse(text) {
        let before = a.learned_at(NOW_NS);
        match a.learn_from_at(&value, NOW_NS) {
            Err(_) => assert_eq!(a.learned_at(NOW_NS), before),
            Ok(_) => {
                let told = a.learned_at(NOW_NS);
                a.learn_from_at(&told, NOW_NS).expect("what was told");
                assert_eq!(a.learned_at(NOW_NS), told);
            }
        }
    }
    open.finish(Outcome::Success).expect("an open pick");
    assert_eq!(a.stats_at(NOW_NS).in_flight, 0);
    // Whatever it is now, it answers.
    let _ = a.pick(&Request::new().now_ns(NOW_NS));
});
