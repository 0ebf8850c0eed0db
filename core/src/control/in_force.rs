//! The configuration in force, but for its nodes, which are read from the arena as they came to be.
//!
//! A process keeps it as data. In a shared memory it is there as text, too, in one of two places by its number, and a plan
//! says which configuration it is of: so it changes with the plan, and whoever finds another number reads it anew. A text
//! that cannot be read (its memory was damaged) leaves what the process knew.

use parking_lot::MappedMutexGuard;

use super::config::{PoolConfig, StrategyConfig, StrategyKind, Value};
use crate::plan::step::Rule;
use crate::pool::Pool;
use crate::state::layout::plan_word;
use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::error::{ConfigError, Error};
use crate::vocabulary::hash::key_hash;
use crate::vocabulary::lock::{Guard, Mutex};

/// What this process knows of the configuration in force.
pub(crate) struct InForce(Mutex<Known>);

struct Known {
    number: u64,
    config: PoolConfig,
}

/// Bytes of a configuration without its nodes, in a shared memory.
pub(crate) const TEXT_BYTES_MAX: usize = 64 << 10;
/// Length (32 bits) and number (32 bits) of a text, then its hash, then the text.
const LENGTH: usize = 0;
const HASH: usize = 1;
const TEXT: usize = 2;
/// Words of one text.
pub(crate) const WORDS: usize = TEXT + TEXT_BYTES_MAX / 8;

impl InForce {
    pub(crate) fn new(config: &PoolConfig) -> Self {
        let config = PoolConfig { nodes: Vec::new(), node_lines: Vec::new(), ..config.clone() };
        Self(Mutex::new(Known { number: 0, config }))
    }
}

impl Pool {
    /// The number of the configuration that the published plan is of.
    pub(crate) fn config_number(&self) -> u64 {
        self.plan_at(self.generation().current()).word(plan_word::CONFIG)
    }

    /// The configuration in force, without nodes.
    pub(crate) fn config(&self) -> Guard<MappedMutexGuard<'_, PoolConfig>> {
        let mut known = self.in_force.0.lock();
        let number = self.config_number();
        if known.number != number {
            if let Some(config) = self.read_config(number) {
                known.config = config;
            }
            known.number = number;
        }
        known.map(|known| &mut known.config)
    }

    /// Keeps a configuration that the next plan is of. For the holder of the build lease.
    pub(crate) fn keep_config(&self, number: u64, config: PoolConfig) {
        if let Some(words) = self.memory.config(number) {
            let text = text_of(&config);
            let (length, hash) = (text.len() as u64 | number << 32, key_hash(text.as_bytes()));
            for (word, value) in words.iter().zip([length, hash]) {
                word.store(value, Ordering::Release);
            }
            for (word, chunk) in words[TEXT..].iter().zip(text.as_bytes().chunks(8)) {
                let mut eight = [0; 8];
                eight[..chunk.len()].copy_from_slice(chunk);
                word.store(u64::from_le_bytes(eight), Ordering::Release);
            }
        }
        *self.in_force.0.lock() = Known { number, config };
    }

    fn read_config(&self, number: u64) -> Option<PoolConfig> {
        let text = read_text(self.memory.config(number)?, number)?;
        let mut config = PoolConfig::from_value(&Value::parse(&text).ok()?).ok()?;
        // An own strategy has no name that a text could have.
        let lead = self.plan_at(self.generation().current()).lead();
        if lead.rule() == Some(Rule::Custom) {
            config.strategy.truncate(lead.steps().saturating_sub(1));
            config.strategy.insert(0, StrategyConfig::from(StrategyKind::Custom));
        }
        Some(config)
    }

    /// Whether there is room for the text of a configuration.
    pub(crate) fn check_text(&self, config: &PoolConfig) -> Result<(), Error> {
        if self.memory.config(0).is_none() {
            return Ok(());
        }
        let bytes = text_of(config).len();
        if bytes > TEXT_BYTES_MAX {
            let message = format!("{bytes} bytes without its nodes, more than {TEXT_BYTES_MAX} in a shared pool");
            return Err(ConfigError::limit("", 0, message).into());
        }
        Ok(())
    }
}

fn text_of(config: &PoolConfig) -> String {
    let named = |strategy: &&StrategyConfig| strategy.kind != StrategyKind::Custom;
    let mut strategy: Vec<StrategyConfig> = config.strategy.iter().filter(named).cloned().collect();
    if strategy.is_empty() {
        strategy.push(StrategyConfig::default());
    }
    PoolConfig { strategy, nodes: Vec::new(), node_lines: Vec::new(), ..config.clone() }.to_value().to_json()
}

/// The text of a number, if it is there as it was written.
fn read_text(words: &[AtomicU64], number: u64) -> Option<String> {
    let load = |at: usize| words.get(at).map_or(0, |word| word.load(Ordering::Acquire));
    let (length, hash) = (load(LENGTH), load(HASH));
    let bytes = (length & 0xFFFF_FFFF) as usize;
    if length >> 32 != number & 0xFFFF_FFFF || bytes > TEXT_BYTES_MAX {
        return None;
    }
    let mut text = vec![0; bytes.next_multiple_of(8)];
    for (at, eight) in text.chunks_exact_mut(8).enumerate() {
        eight.copy_from_slice(&load(TEXT + at).to_le_bytes());
    }
    text.truncate(bytes);
    (key_hash(&text) == hash).then(|| String::from_utf8(text).ok()).flatten()
}
