//! What is seen of a shared state at one moment.

use std::sync::Arc;

use jiff::Timestamp;
use loadwise::stats::PoolStats;
use loadwise::{Engine, OpenPick, ProcessStatus, now_ns};

#[derive(Debug, Clone)]
pub struct Look {
    pub time: Timestamp,
    /// On the monotonic clock.
    pub now_ns: u64,
    /// How often the engine's configuration was replaced, from 1.
    pub config_version: u64,
    /// In the order in which they were made.
    pub pools: Vec<PoolLook>,
    /// Attached ones, by their rows.
    pub processes: Vec<ProcessStatus>,
}

#[derive(Debug, Clone)]
pub struct PoolLook {
    pub stats: PoolStats,
    /// The oldest first.
    pub open_picks: Vec<OpenPick>,
}

impl Look {
    /// `picks`: how many of the oldest open picks to take of each pool.
    pub fn at(engine: &Engine, picks: usize) -> Self {
        let now_ns = now_ns();
        let pools = engine.names().into_iter().filter_map(|name| {
            let pool = engine.pool(&name)?;
            let seen = PoolLook { stats: pool.stats_at(now_ns), open_picks: pool.open_picks(picks) };
            // Of a pool that was taken out meanwhile, another one may have the place by now: what was read may be of both.
            let is_there = engine.pool(&name).is_some_and(|now| Arc::ptr_eq(&now, &pool));
            is_there.then_some(seen)
        });
        Self {
            time: Timestamp::now(),
            now_ns,
            config_version: engine.version(),
            pools: pools.collect(),
            processes: engine.processes(),
        }
    }

    pub fn pool(&self, name: &str) -> Option<&PoolLook> {
        self.pools.iter().find(|pool| pool.stats.name == name)
    }

    /// The oldest open picks of all pools, with the names of their pools.
    pub fn open_picks(&self, limit: usize) -> Vec<(&str, &OpenPick)> {
        let of_pool = |pool: &'_ PoolLook| pool.open_picks.len();
        let mut open = Vec::with_capacity(self.pools.iter().map(of_pool).sum());
        for pool in &self.pools {
            open.extend(pool.open_picks.iter().map(|pick| (pool.stats.name.as_str(), pick)));
        }
        // Those whose time is not known come last, as they do in each pool.
        open.sort_by_key(|(_, pick)| pick.started_ns.unwrap_or(u64::MAX));
        open.truncate(limit);
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadwise::Request;

    #[test]
    fn the_oldest_picks_of_all_pools_come_first() {
        let engine =
            Engine::from_config("pools: {a: {lease_timeout_ms: 60000, nodes: [x]}, b: {lease_timeout_ms: 60000, nodes: [y]}, c: {nodes: [z]}}")
                .unwrap();
        let begin_ns = now_ns();
        for (pool, after_ns) in [("b", 30), ("c", 1), ("a", 20), ("b", 10), ("a", 40)] {
            engine.pool(pool).unwrap().acquire(&Request::new().now_ns(begin_ns + after_ns)).unwrap();
        }
        let look = Look::at(&engine, 9);
        let started = |limit| -> Vec<(&str, Option<u64>)> {
            let after_ns = |pick: &OpenPick| pick.started_ns.map(|started_ns| started_ns - begin_ns);
            look.open_picks(limit).into_iter().map(|(pool, pick)| (pool, after_ns(pick))).collect()
        };
        assert_eq!(
            started(9),
            [("b", Some(10)), ("a", Some(20)), ("b", Some(30)), ("a", Some(40)), ("c", None)],
            "nothing in c needs the time"
        );
        assert_eq!(started(2), [("b", Some(10)), ("a", Some(20))]);
        assert_eq!(Look::at(&engine, 1).open_picks(9).len(), 3);
    }
}
