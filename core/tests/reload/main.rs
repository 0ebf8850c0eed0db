//! Configurations replaced while pools are used.

mod fixed;
mod in_force;
mod kept;
mod let_go;
mod model;
mod quotas;
mod racing;

use loadwise::config::PoolConfig;
use loadwise::{NodeStatus, Outcome, Pool, Report, Request};

const SECOND: u64 = 1_000_000_000;
/// A time on a clock of the tests' own.
const T0: u64 = 1_000 * SECOND;

fn parse(text: &str) -> PoolConfig {
    PoolConfig::parse(text).unwrap()
}

fn node(pool: &Pool, id: &str, now_ns: u64) -> NodeStatus {
    pool.nodes_at(now_ns).into_iter().find(|node| node.id == id).unwrap()
}

fn failures(pool: &Pool, id: &str, count: usize, now_ns: u64) {
    for _ in 0..count {
        pool.report(id, Report::from(Outcome::Failure).now_ns(now_ns)).unwrap();
    }
}

/// What so many picks choose, each ended at once.
fn picks(pool: &Pool, count: usize, now_ns: u64) -> Vec<String> {
    (0..count).map(|_| pool.pick(&Request::new().now_ns(now_ns)).unwrap().id().to_string()).collect()
}

/// A generator of one's own: SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((u128::from(z ^ (z >> 31)) * bound as u128) >> 64) as usize
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
}
