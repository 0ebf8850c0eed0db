//! What a configuration may say, and what is said of one that is wrong.

mod documents;
mod engine;
mod errors;
mod mutations;
mod schema;
mod sections;
mod values;

use loadwise::Error;
use loadwise::config::{PoolConfig, StrategyKind};

fn parse(text: &str) -> PoolConfig {
    PoolConfig::parse(text).unwrap_or_else(|e| panic!("{text}\n{e}"))
}

fn error(text: &str) -> String {
    match PoolConfig::parse(text) {
        Err(Error::Config(e)) => e.to_string(),
        other => panic!("{text}\n{other:?}"),
    }
}

fn kind(text: &str) -> StrategyKind {
    parse(text).strategy[0].kind
}

/// SplitMix64, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}
