//! Which rule chooses, and its settings.

mod chain;
mod keys;

pub(super) use chain::ChainForm;
pub use chain::{parse_chain, validate_chain};
pub(super) use keys::{Entry, STRATEGIES};

use super::schema::{self, Place, read_map};
use super::value::{Kind, Value};
use crate::vocabulary::error::ConfigError;
use crate::vocabulary::limits::Limits;
use keys::NAME;

/// The most strategies of a fallback chain.
pub const CHAIN_MAX: usize = 4;

/// The most points of a ring: `points` × `limits.max_nodes`.
pub const RING_POINTS_MAX: u64 = 1 << 23;

/// What `bounded_load: true` stands for.
pub const BOUNDED_LOAD: f64 = 1.25;

/// One strategy of a pool.
///
/// ```
/// use loadwise::config::{StrategyConfig, StrategyKind};
///
/// let strategy = StrategyConfig::parse_name("least_connections")?;
/// assert_eq!(strategy.kind, StrategyKind::LeastRequest { exact: false });
/// assert_eq!(strategy.kind.name(), "least_request");
/// # Ok::<(), loadwise::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StrategyConfig {
    pub kind: StrategyKind,
    /// For `ring_hash`, `maglev` and `rendezvous`: how far above its share a node may be loaded, at least 1.0.
    pub bounded_load: Option<f64>,
}

/// The rule, with the settings that only this rule has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StrategyKind {
    RoundRobin,
    WeightedRoundRobin,
    Random,
    WeightedRandom,
    LeastLoad,
    LeastRequest {
        /// Whether all nodes are compared, however many there are.
        exact: bool,
    },
    P2c {
        load: P2cLoad,
    },
    PeakEwma {
        decay_ms: u64,
    },
    RingHash {
        /// `None`: 512 while `limits.max_nodes` is at most 2048, else 104.
        points: Option<u32>,
        compat: Option<RingCompat>,
    },
    Maglev {
        /// A prime.
        table_size: u32,
    },
    Rendezvous,
    MostAvailable {
        epsilon: f64,
    },
    Adaptive,
    Fastest {
        /// Latencies within one class count as equal, 1 ..= 86 400 000.
        class_ms: u64,
    },
    ReportedLoad {
        /// How long a node must have reported before its reports count, 0 ..= 86 400 000.
        blackout_ms: u64,
        /// How long a report counts, 1 ..= 86 400 000.
        expiry_ms: u64,
        /// How often weights are computed anew, 1 ..= 86 400 000.
        update_ms: u64,
        /// How much a share of errors counts as utilisation, 0.0 ..= 100.
        error_penalty: f64,
    },
    /// A strategy of the user's own, set by code.
    Custom,
}

/// What `p2c` compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum P2cLoad {
    #[default]
    InFlight,
    Reported,
    PeakEwma,
}

/// Whose points a ring has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RingCompat {
    /// Those of nginx's `hash ... consistent`.
    Nginx,
}

impl StrategyConfig {
    /// The strategy of that name with its default settings: the names of the documents, and their aliases.
    pub fn parse_name(name: &str) -> Result<Self, ConfigError> {
        Self::named(name, 0, &Place::root("strategy", &Limits::default()))
    }

    /// That the settings are within their bounds and those of the pool.
    pub fn validate(&self, limits: &Limits, key: &str, line: usize) -> Result<(), ConfigError> {
        let place = Place::root(key, limits);
        schema::check(self, self.kind.entry().map_or(&[], |e| e.keys), &place, line)?;
        self.fits(&place, |_| line)
    }

    /// A map of its name and all its settings.
    pub fn to_value(&self) -> Value {
        schema::entries(self, self.kind.entry().map_or(&[NAME], |e| e.keys))
    }

    fn named(name: &str, line: usize, place: &Place) -> Result<Self, ConfigError> {
        if name == StrategyKind::Custom.name() {
            return Err(place.error(line, "an own strategy is set by code, not by name"));
        }
        let entry = STRATEGIES.iter().find(|e| e.name == name || e.aliases.contains(&name));
        match entry {
            Some(entry) => Ok(Self::from(entry.default)),
            None => {
                let known = STRATEGIES.iter().flat_map(|e| [e.name].into_iter().chain(e.aliases.iter().copied()));
                Err(place.error(line, schema::unknown("strategy", name, known)))
            }
        }
    }

    /// A name, or a map of a name and its settings.
    fn read(value: &Value, place: &Place) -> Result<Self, ConfigError> {
        let named = |name: &Value, place: &Place| match &name.kind {
            Kind::Text(text) => Self::named(text, name.line, place),
            _ => Err(place.not("the name of a strategy", name)),
        };
        match &value.kind {
            Kind::Text(_) => {
                let strategy = named(value, place)?;
                strategy.fits(place, |_| value.line)?;
                Ok(strategy)
            }
            Kind::Map(_) => {
                let name = value.get("name").ok_or_else(|| place.error(value.line, "needs the key name"))?;
                let mut strategy = named(name, &place.key("name"))?;
                let keys = strategy.kind.entry().map_or(&[] as &[_], |e| e.keys);
                read_map(&mut strategy, keys, value, place)?;
                strategy.fits(place, |key| value.get(key).map_or(value.line, |v| v.line))?;
                Ok(strategy)
            }
            _ => Err(place.not("the name of a strategy, a map or a list of these", value)),
        }
    }

    /// What no key can say alone. `line` gives that of a key.
    fn fits(&self, place: &Place, line: impl Fn(&str) -> usize) -> Result<(), ConfigError> {
        if let Some(factor) = self.bounded_load {
            let place = place.key("bounded_load");
            if !(1.0..=f64::MAX).contains(&factor) {
                return Err(
                    place.error(line("bounded_load"), format!("must be a finite number of at least 1, not {factor}"))
                );
            }
            if !self.kind.is_hash() {
                let message = format!("is for ring_hash, maglev and rendezvous, not for {}", self.kind.name());
                return Err(place.error(line("bounded_load"), message));
            }
        }
        match self.kind {
            StrategyKind::RingHash { points: Some(_), compat: Some(RingCompat::Nginx) } => {
                Err(place.key("points").error(line("points"), "cannot be set with compat: nginx, which has its own"))
            }
            StrategyKind::RingHash { points: Some(points), .. } => {
                let all = u64::from(points) * u64::from(place.limits.max_nodes);
                if all > RING_POINTS_MAX {
                    let message = format!(
                        "times limits.max_nodes = {} is {all}, more than {RING_POINTS_MAX}",
                        place.limits.max_nodes
                    );
                    return Err(place.key("points").limit(line("points"), message));
                }
                Ok(())
            }
            StrategyKind::Maglev { table_size } => {
                let (place, line, max) = (place.key("table_size"), line("table_size"), place.limits.max_table_size);
                if table_size > max {
                    return Err(place.limit(line, format!("{table_size} is more than limits.max_table_size = {max}")));
                }
                if !is_prime(table_size) {
                    let near = nearest_prime(table_size);
                    return Err(place.error(line, format!("must be a prime: {near}, not {table_size}")));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl From<StrategyKind> for StrategyConfig {
    fn from(kind: StrategyKind) -> Self {
        Self { kind, bounded_load: None }
    }
}

impl StrategyKind {
    /// The word for it in every language.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RoundRobin => "round_robin",
            Self::WeightedRoundRobin => "weighted_round_robin",
            Self::Random => "random",
            Self::WeightedRandom => "weighted_random",
            Self::LeastLoad => "least_load",
            Self::LeastRequest { .. } => "least_request",
            Self::P2c { .. } => "p2c",
            Self::PeakEwma { .. } => "peak_ewma",
            Self::RingHash { .. } => "ring_hash",
            Self::Maglev { .. } => "maglev",
            Self::Rendezvous => "rendezvous",
            Self::MostAvailable { .. } => "most_available",
            Self::Adaptive => "adaptive",
            Self::Fastest { .. } => "fastest",
            Self::ReportedLoad { .. } => "reported_load",
            Self::Custom => "custom",
        }
    }

    /// Whether a request's key decides.
    pub fn is_hash(&self) -> bool {
        matches!(self, Self::RingHash { .. } | Self::Maglev { .. } | Self::Rendezvous)
    }

    fn entry(&self) -> Option<&'static Entry> {
        STRATEGIES.iter().find(|e| e.name == self.name())
    }
}

impl Default for StrategyKind {
    /// `p2c` by what is in flight: good where nothing is known.
    fn default() -> Self {
        Self::P2c { load: P2cLoad::InFlight }
    }
}

/// By trial division: a table size has few divisors to try.
fn is_prime(n: u32) -> bool {
    n >= 2 && (2..).take_while(|d| u64::from(*d) * u64::from(*d) <= u64::from(n)).all(|d| n % d != 0)
}

/// The next prime, or the one before where the next would be too large for a table.
fn nearest_prime(n: u32) -> u32 {
    (n..=Limits::TABLE_SIZE_MAX).chain((2..=n.min(Limits::TABLE_SIZE_MAX)).rev()).find(|&p| is_prime(p)).unwrap_or(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for entry in STRATEGIES {
            assert_eq!(entry.default.name(), entry.name);
            for name in entry.aliases.iter().chain([&entry.name]) {
                assert_eq!(StrategyConfig::parse_name(name).unwrap(), StrategyConfig::from(entry.default));
            }
            assert!(StrategyConfig::from(entry.default).validate(&Limits::default(), "strategy", 0).is_ok());
        }
    }

    #[test]
    fn the_next_prime_is_named_while_there_is_one() {
        assert!([2, 3, 65_537].into_iter().all(is_prime));
        assert!(![0, 1, 4, 65_535, 65_536].into_iter().any(is_prime));
        assert_eq!(nearest_prime(65_536), 65_537);
        assert_eq!(nearest_prime(Limits::TABLE_SIZE_MAX), 8_388_593);
        assert_eq!(nearest_prime(0), 2);
    }
}
