//! Any bytes as a configuration: read without harm, and what was read makes a pool that picks.

#![no_main]

use libfuzzer_sys::fuzz_target;
use loadwise::config::{EngineConfig, PoolConfig};
use loadwise::{Error, NoNodeReason, Outcome, Pool, Request};

fuzz_target!(|data: &[u8]| {
    if let Ok(engine) = EngineConfig::from_bytes(data) {
        engine.validate().expect("what was read has been checked");
        assert_eq!(EngineConfig::from_value(&engine.to_value()), Ok(engine));
    }
    let config = match PoolConfig::from_bytes(data) {
        Ok(config) => config,
        Err(Error::Config(e)) => {
            let lines = 1 + data.iter().filter(|&&b| b == b'\n' || b == b'\r').count();
            assert!(e.line <= lines && !e.message.is_empty() && e.to_string().len() < 2_000, "{e}");
            return;
        }
        Err(other) => panic!("{other:?}"),
    };
    config.validate().expect("what was read has been checked");
    assert_eq!(PoolConfig::from_bytes(data).as_ref(), Ok(&config));
    assert_eq!(PoolConfig::from_value(&config.to_value()).as_ref(), Ok(&config));
    let limits = &config.limits;
    if limits.max_nodes > 4_096 || limits.max_picks > 65_536 || limits.max_table_size > 65_537 || limits.max_groups > 8
    {
        return;
    }
    if config.affinity.is_some_and(|a| a.entries > 65_536) {
        return;
    }
    // What may refuse a pick although a node has weight.
    let is_narrow = !config.quotas.is_empty() || !config.splits.is_empty() || config.nodes.iter().any(|n| n.tier > 0);
    let nodes = config.nodes.clone();
    let pool = match Pool::builder().config(config).build() {
        Ok(pool) => pool,
        // Such as too much weight for the ring of nginx.
        Err(Error::Config(e)) => return assert!(e.limit, "{e}"),
        Err(other) => panic!("{other:?}"),
    };
    let ids: Vec<String> = pool.nodes().into_iter().map(|n| n.id).collect();
    assert!(ids.iter().eq(nodes.iter().map(|n| &n.id)));
    for key in data.chunks(8).take(8) {
        match pool.pick(&Request::new().key(key).now_ns(1)) {
            Ok(pick) => {
                assert!(nodes.iter().any(|n| n.id == pick.id().as_str() && n.weight > 0));
                pick.finish(Outcome::Success).expect("it is open");
            }
            Err(none) if nodes.is_empty() => assert_eq!(none.reason, NoNodeReason::Empty),
            Err(_) if is_narrow => {}
            Err(none) => {
                assert_eq!(none.reason, NoNodeReason::Draining);
                assert!(nodes.iter().all(|n| n.weight == 0));
            }
        }
    }
    assert!(pool.nodes().iter().all(|n| n.in_flight == 0));
});
