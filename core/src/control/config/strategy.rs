//! Which rule chooses, and its settings.

use super::DAY_MS;
use super::pool::PoolConfig;
use super::schema::{self, Form, Key, Place, Row, Shape, read_map};
use super::value::{Kind, Value};
use crate::vocabulary::error::ConfigError;
use crate::vocabulary::limits::Limits;

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
        class_ms: u64,
    },
    ReportedLoad {
        blackout_ms: u64,
        expiry_ms: u64,
        update_ms: u64,
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

/// A strategy as the documents know it.
pub(super) struct Entry {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub doc: &'static str,
    pub default: StrategyKind,
    pub keys: &'static [Key<StrategyConfig>],
}

const fn entry(name: &'static str, default: StrategyKind, doc: &'static str) -> Entry {
    Entry { name, aliases: &[], doc, default, keys: &[NAME] }
}

/// Every strategy that a document can ask for.
pub(super) const STRATEGIES: &[Entry] = &[
    Entry {
        keys: &[NAME, LOAD],
        ..entry(
            "p2c",
            StrategyKind::P2c { load: P2cLoad::InFlight },
            "Two nodes drawn by weight; the one with less load for its weight.",
        )
    },
    entry("round_robin", StrategyKind::RoundRobin, "In turn."),
    entry("weighted_round_robin", StrategyKind::WeightedRoundRobin, "In turn by weight, spread smoothly."),
    entry("random", StrategyKind::Random, "Drawn evenly."),
    entry("weighted_random", StrategyKind::WeightedRandom, "Drawn by weight."),
    entry("least_load", StrategyKind::LeastLoad, "The lowest reported load."),
    Entry {
        aliases: &["least_connections"],
        keys: &[NAME, EXACT],
        ..entry(
            "least_request",
            StrategyKind::LeastRequest { exact: false },
            "The fewest picks in flight for its weight.",
        )
    },
    Entry {
        keys: &[NAME, DECAY_MS],
        ..entry(
            "peak_ewma",
            StrategyKind::PeakEwma { decay_ms: 10_000 },
            "The lowest latency, with peaks taken at once and forgotten slowly, times what is in flight.",
        )
    },
    Entry {
        keys: &[NAME, POINTS, COMPAT, BOUNDED_LOAD_KEY],
        ..entry(
            "ring_hash",
            StrategyKind::RingHash { points: None, compat: None },
            "By the request's key, on a ring of points.",
        )
    },
    Entry {
        aliases: &["ip_hash"],
        keys: &[NAME, TABLE_SIZE, BOUNDED_LOAD_KEY],
        ..entry(
            "maglev",
            StrategyKind::Maglev { table_size: 65_537 },
            "By the request's key, through a table: the most even of the hashes.",
        )
    },
    Entry {
        keys: &[NAME, BOUNDED_LOAD_KEY],
        ..entry(
            "rendezvous",
            StrategyKind::Rendezvous,
            "By the request's key, the highest of all nodes' hashes: the least moves when nodes change.",
        )
    },
    Entry {
        keys: &[NAME, EPSILON],
        ..entry(
            "most_available",
            StrategyKind::MostAvailable { epsilon: 0.05 },
            "Drawn among the nodes with the most quota left.",
        )
    },
    entry("adaptive", StrategyKind::Adaptive, "The best mark of load, latency with its tail, and errors together."),
    Entry {
        keys: &[NAME, CLASS_MS],
        ..entry(
            "fastest",
            StrategyKind::Fastest { class_ms: 20 },
            "The lowest average latency in classes, times what is in flight for its weight.",
        )
    },
    Entry {
        keys: &[NAME, BLACKOUT_MS, EXPIRY_MS, UPDATE_MS, ERROR_PENALTY],
        ..entry(
            "reported_load",
            StrategyKind::ReportedLoad { blackout_ms: 10_000, expiry_ms: 180_000, update_ms: 1000, error_penalty: 1.0 },
            "In turn, by weights that follow what the servers report of their load.",
        )
    },
];

const NAME: Key<StrategyConfig> = Key {
    name: "name",
    unit: "",
    doc: "Which strategy.",
    // Read before the others, since it says which others there are.
    shape: Shape::Own(&NameForm),
};

struct NameForm;

impl Form<StrategyConfig> for NameForm {
    fn read(&self, _: &mut StrategyConfig, _: &Value, _: &Place) -> Result<(), ConfigError> {
        Ok(())
    }

    fn check(&self, _: &StrategyConfig, _: &Place, _: usize) -> Result<(), ConfigError> {
        Ok(())
    }

    fn value(&self, strategy: &StrategyConfig) -> Option<Value> {
        Some(Value::from(strategy.kind.name()))
    }

    fn row(&self) -> Row {
        Row { kind: "text", default: "required", range: "" }
    }

    // Which names: `describe` knows the entry.
    fn json(&self) -> Value {
        Value::null()
    }
}

const LOAD: Key<StrategyConfig> = Key {
    name: "load",
    unit: "",
    doc: "What is compared: picks in flight, the load that was reported, or latency as in `peak_ewma`.",
    shape: Shape::Word {
        words: &["in_flight", "reported", "peak_ewma"],
        get: |s| match s.kind {
            StrategyKind::P2c { load: P2cLoad::InFlight } => Some("in_flight"),
            StrategyKind::P2c { load: P2cLoad::Reported } => Some("reported"),
            StrategyKind::P2c { load: P2cLoad::PeakEwma } => Some("peak_ewma"),
            _ => None,
        },
        set: |s, word| {
            let load = match word {
                "reported" => P2cLoad::Reported,
                "peak_ewma" => P2cLoad::PeakEwma,
                _ => P2cLoad::InFlight,
            };
            s.kind = StrategyKind::P2c { load };
        },
    },
};

const EXACT: Key<StrategyConfig> = Key {
    name: "exact",
    unit: "",
    doc: "Compare all nodes, however many there are. Otherwise more than 16 are compared by two draws.",
    shape: Shape::Bool {
        get: |s| matches!(s.kind, StrategyKind::LeastRequest { exact: true }),
        set: |s, exact| s.kind = StrategyKind::LeastRequest { exact },
    },
};

const DECAY_MS: Key<StrategyConfig> = Key {
    name: "decay_ms",
    unit: "ms",
    doc: "The time in which a latency fades to 1/e.",
    shape: Shape::Int {
        min: 1,
        max: 86_400_000,
        get: |s| match s.kind {
            StrategyKind::PeakEwma { decay_ms } => Some(decay_ms),
            _ => None,
        },
        set: |s, decay_ms| s.kind = StrategyKind::PeakEwma { decay_ms },
    },
};

const POINTS: Key<StrategyConfig> = Key {
    name: "points",
    unit: "",
    doc: "Points of a node of average weight. Unset: 512 while `limits.max_nodes` is at most 2048, else 104. \
          Times `limits.max_nodes` at most 8388608.",
    shape: Shape::Int {
        min: 1,
        max: 65_535,
        get: |s| match s.kind {
            StrategyKind::RingHash { points, .. } => points.map(u64::from),
            _ => None,
        },
        set: |s, v| {
            if let StrategyKind::RingHash { points, .. } = &mut s.kind {
                *points = u32::try_from(v).ok();
            }
        },
    },
};

const COMPAT: Key<StrategyConfig> = Key {
    name: "compat",
    unit: "",
    doc: "The points of nginx's `hash … consistent`, 160 for each unit of weight, placed by `address`. Not with `points`.",
    shape: Shape::Word {
        words: &["nginx"],
        get: |s| matches!(s.kind, StrategyKind::RingHash { compat: Some(RingCompat::Nginx), .. }).then_some("nginx"),
        set: |s, _| {
            if let StrategyKind::RingHash { compat, .. } = &mut s.kind {
                *compat = Some(RingCompat::Nginx);
            }
        },
    },
};

const TABLE_SIZE: Key<StrategyConfig> = Key {
    name: "table_size",
    unit: "entries",
    doc: "Entries of the table: a prime, well above 100 for each node, at most `limits.max_table_size`. \
          Changing it moves nearly every key.",
    shape: Shape::Int {
        min: 2,
        max: Limits::TABLE_SIZE_MAX as u64,
        get: |s| match s.kind {
            StrategyKind::Maglev { table_size } => Some(u64::from(table_size)),
            _ => None,
        },
        // The bounds are within the type.
        set: |s, v| s.kind = StrategyKind::Maglev { table_size: v as u32 },
    },
};

const EPSILON: Key<StrategyConfig> = Key {
    name: "epsilon",
    unit: "share",
    doc: "How far below the best remaining quota still counts as best.",
    shape: Shape::Float {
        min: 0.0,
        max: 1.0,
        get: |s| match s.kind {
            StrategyKind::MostAvailable { epsilon } => Some(epsilon),
            _ => None,
        },
        set: |s, epsilon| s.kind = StrategyKind::MostAvailable { epsilon },
    },
};

const CLASS_MS: Key<StrategyConfig> = Key {
    name: "class_ms",
    unit: "ms",
    doc: "Latencies within one class count as equal. Larger: more even traffic; smaller: the fastest node takes more.",
    shape: Shape::Int {
        min: 1,
        max: DAY_MS,
        get: |s| match s.kind {
            StrategyKind::Fastest { class_ms } => Some(class_ms),
            _ => None,
        },
        set: |s, class_ms| s.kind = StrategyKind::Fastest { class_ms },
    },
};

const BLACKOUT_MS: Key<StrategyConfig> = Key {
    name: "blackout_ms",
    unit: "ms",
    doc: "How long a node must have reported before its reports count. Larger: a cold node is not flooded; smaller: its weight is right sooner.",
    shape: Shape::Int {
        min: 0,
        max: DAY_MS,
        get: |s| match s.kind {
            StrategyKind::ReportedLoad { blackout_ms, .. } => Some(blackout_ms),
            _ => None,
        },
        set: |s, v| {
            if let StrategyKind::ReportedLoad { blackout_ms, .. } = &mut s.kind {
                *blackout_ms = v;
            }
        },
    },
};

const EXPIRY_MS: Key<StrategyConfig> = Key {
    name: "expiry_ms",
    unit: "ms",
    doc: "How long a report counts. Larger: a node that falls silent keeps its weight; smaller: it soon has the average weight.",
    shape: Shape::Int {
        min: 1,
        max: DAY_MS,
        get: |s| match s.kind {
            StrategyKind::ReportedLoad { expiry_ms, .. } => Some(expiry_ms),
            _ => None,
        },
        set: |s, v| {
            if let StrategyKind::ReportedLoad { expiry_ms, .. } = &mut s.kind {
                *expiry_ms = v;
            }
        },
    },
};

const UPDATE_MS: Key<StrategyConfig> = Key {
    name: "update_ms",
    unit: "ms",
    doc: "How often weights are computed anew. Larger: steadier and cheaper; smaller: follows load sooner.",
    shape: Shape::Int {
        min: 1,
        max: DAY_MS,
        get: |s| match s.kind {
            StrategyKind::ReportedLoad { update_ms, .. } => Some(update_ms),
            _ => None,
        },
        set: |s, v| {
            if let StrategyKind::ReportedLoad { update_ms, .. } = &mut s.kind {
                *update_ms = v;
            }
        },
    },
};

const ERROR_PENALTY: Key<StrategyConfig> = Key {
    name: "error_penalty",
    unit: "",
    doc: "How much a share of errors counts as utilisation. Larger: failing nodes take less; 0: errors change no weight.",
    shape: Shape::Float {
        min: 0.0,
        max: 100.0,
        get: |s| match s.kind {
            StrategyKind::ReportedLoad { error_penalty, .. } => Some(error_penalty),
            _ => None,
        },
        set: |s, v| {
            if let StrategyKind::ReportedLoad { error_penalty, .. } = &mut s.kind {
                *error_penalty = v;
            }
        },
    },
};

const BOUNDED_LOAD_KEY: Key<StrategyConfig> = Key {
    name: "bounded_load",
    unit: "",
    doc: "How many times its share of all picks in flight a node may hold before keys overflow; `true` is 1.25.",
    shape: Shape::Own(&BoundForm),
};

struct BoundForm;

impl Form<StrategyConfig> for BoundForm {
    fn read(&self, strategy: &mut StrategyConfig, value: &Value, place: &Place) -> Result<(), ConfigError> {
        strategy.bounded_load = match value.kind {
            Kind::Bool(false) => None,
            Kind::Bool(true) => Some(BOUNDED_LOAD),
            Kind::Int(int) => Some(int as f64),
            Kind::Float(float) => Some(float),
            _ => return Err(place.not("true, false or a number", value)),
        };
        Ok(())
    }

    // `fits` does, for strategies without this key, too.
    fn check(&self, _: &StrategyConfig, _: &Place, _: usize) -> Result<(), ConfigError> {
        Ok(())
    }

    fn value(&self, strategy: &StrategyConfig) -> Option<Value> {
        Some(strategy.bounded_load.map_or_else(|| Value::from(false), Value::from))
    }

    fn row(&self) -> Row {
        Row { kind: "number or bool", default: "`false`", range: "at least 1" }
    }

    fn json(&self) -> Value {
        let number = Value::map([("type", Value::from("number")), ("minimum", Value::from(1))]);
        Value::map([("anyOf", Value::list([Value::map([("type", Value::from("boolean"))]), number]))])
    }
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

/// The key `strategy` of a pool.
pub(super) struct ChainForm;

impl Form<PoolConfig> for ChainForm {
    fn read(&self, config: &mut PoolConfig, value: &Value, place: &Place) -> Result<(), ConfigError> {
        config.strategy = read_chain(value, place)?;
        Ok(())
    }

    fn check(&self, config: &PoolConfig, place: &Place, _: usize) -> Result<(), ConfigError> {
        validate_chain(&config.strategy, place.limits, &place.to_string())
    }

    fn value(&self, config: &PoolConfig) -> Option<Value> {
        let strategies = config.strategy.iter().map(StrategyConfig::to_value);
        Some(Value::list(strategies))
    }

    fn row(&self) -> Row {
        Row { kind: "strategy", default: "`p2c`", range: "" }
    }

    fn json(&self) -> Value {
        Value::map([("$ref", Value::from("#/definitions/strategies"))])
    }
}

/// Reads one strategy, or the list of a fallback chain.
pub(super) fn read_chain(value: &Value, place: &Place) -> Result<Vec<StrategyConfig>, ConfigError> {
    let Kind::List(items) = &value.kind else {
        return Ok(vec![StrategyConfig::read(value, place)?]);
    };
    let mut chain = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let place = place.index(i);
        if i == CHAIN_MAX {
            return Err(place.limit(item.line, format!("a fallback chain has at most {CHAIN_MAX} strategies")));
        }
        let strategy = StrategyConfig::read(item, &place)?;
        twice(&chain, &strategy, &place, item.line)?;
        chain.push(strategy);
    }
    if chain.is_empty() {
        return Err(place.error(value.line, "needs at least one strategy"));
    }
    Ok(chain)
}

/// Checks a chain that code has made. `key` is where it stands, for the message.
pub fn validate_chain(chain: &[StrategyConfig], limits: &Limits, key: &str) -> Result<(), ConfigError> {
    let root = Place::root(key, limits);
    if chain.is_empty() || chain.len() > CHAIN_MAX {
        return Err(root.limit(0, format!("a fallback chain has 1 to {CHAIN_MAX} strategies, not {}", chain.len())));
    }
    for (i, strategy) in chain.iter().enumerate() {
        let indexed = root.index(i);
        let place = if chain.len() == 1 { &root } else { &indexed };
        strategy.validate(limits, &place.to_string(), 0)?;
        twice(chain.get(..i).unwrap_or_default(), strategy, place, 0)?;
    }
    Ok(())
}

fn twice(before: &[StrategyConfig], strategy: &StrategyConfig, place: &Place, line: usize) -> Result<(), ConfigError> {
    let name = strategy.kind.name();
    if before.iter().any(|s| s.kind.name() == name) {
        return Err(place.error(line, format!("the strategy {name} is in the chain twice")));
    }
    Ok(())
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
