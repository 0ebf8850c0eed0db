//! The strategies that a document can ask for, and their keys.

use super::{BOUNDED_LOAD, P2cLoad, RingCompat, StrategyConfig, StrategyKind};
use crate::control::config::DAY_MS;
use crate::control::config::schema::{Form, Key, Place, Row, Shape};
use crate::control::config::value::{Kind, Value};
use crate::vocabulary::error::ConfigError;
use crate::vocabulary::limits::Limits;

/// A strategy as the documents know it.
pub(in super::super) struct Entry {
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
pub(in super::super) const STRATEGIES: &[Entry] = &[
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

pub(super) const NAME: Key<StrategyConfig> = Key {
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
    doc: "What is compared: picks in flight, the load that was reported, or latency as in `peak_ewma`. \
          `in_flight` needs nothing from the host, `reported` its reports, `peak_ewma` that picks are finished.",
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
    doc: "Compare all nodes, however many there are. Otherwise more than 16 are compared by two draws. \
          `true`: always the least loaded, at a cost that grows with the nodes only where weights differ, or there are \
          tiers or zones.",
    shape: Shape::Bool {
        get: |s| matches!(s.kind, StrategyKind::LeastRequest { exact: true }),
        set: |s, exact| s.kind = StrategyKind::LeastRequest { exact },
    },
};

const DECAY_MS: Key<StrategyConfig> = Key {
    name: "decay_ms",
    unit: "ms",
    doc: "The time in which a latency fades to 1/e. Larger: a slow answer is remembered longer; smaller: forgiven sooner, \
          with more wavering.",
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
    doc: "Points of a node of average weight. Larger: more even, with more memory and slower changes of nodes. Unset: 512 while `limits.max_nodes` is at most 2048, else 104. \
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
    doc: "The points of nginx's `hash … consistent`, 160 for each unit of weight, placed by `address`. \
          For keys that must stay where nginx puts them. Not with `points`.",
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
    doc: "Entries of the table: a prime, well above 100 for each node, at most `limits.max_table_size`. Larger: more even. \
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
    doc: "How far below the best remaining quota still counts as best. Larger: spreads over more nodes; 0: only the best.",
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
    doc: "How many times its share of all picks in flight a node may hold before keys overflow; `true` is 1.25. \
          Smaller: more even under hot keys; larger: more keys stay with their node.",
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
