//! The reasons of a decision, as plain data.

use crate::config::Value;
use crate::vocabulary::error::NoNode;
use crate::vocabulary::node::NodeRef;
use crate::vocabulary::status::HealthStatus;

pub use crate::strategy::told::Score;

/// Why a pick chose a node, or found none; see [`Pool::explain`](crate::Pool::explain).
///
/// What the rules compare, as the names of [`Score`]s; of each the lowest is chosen unless it says otherwise:
///
/// | name | strategies | value | terms |
/// |---|---|---|---|
/// | `in_flight_per_weight` | `least_request`, `p2c` | in flight ÷ weight | `in_flight`, `weight` |
/// | `load` | `least_load` | reported load | `load` |
/// | `load_per_weight` | `p2c` with `load: reported` | reported load ÷ weight | `load`, `weight` |
/// | `latency_cost` | `peak_ewma`, `p2c` with `load: peak_ewma` | average · (1 + in flight/weight), in ns | `average_ns` as it counts now, `drift_ns` since its last sample, `in_flight`, `weight` |
/// | `strain` | `adaptive` | 0.0 ..= 1.0, beside the other that was drawn | `connections`, `latency_ns`, `errors` |
/// | `class_cost` | `fastest` | class · (1 + in flight)/weight | `class`, `in_flight`, `weight` |
/// | `remaining_ratio` | `most_available` | what is left, 0.0 ..= 1.0; the highest are chosen from | `remaining_ratio` |
/// | `random_cost` | `rendezvous` | −ln(random)/weight | `random` of key and node, `weight` |
/// | `bounded_load` | `ring_hash`, `maglev` with `bounded_load` | in flight, to be below the bound | `in_flight`, `bound` |
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// The node that is chosen, or why there is none.
    pub result: Result<Chosen, NoNode>,
    /// How the choice came about.
    pub way: Way,
    /// The strategy that chose, by its name in configurations. The last one asked if none found anybody; the first if
    /// none was asked.
    pub strategy: &'static str,
    /// The place of that strategy in the chain, from 0; `None` if none was asked.
    pub step: Option<usize>,
    /// The tier among whose nodes it chose; `None` in a pool without tiers and zones.
    pub tier: Option<u8>,
    /// The zone among whose nodes it chose; `None` if that was the whole tier, or pool.
    pub zone: Option<String>,
    /// The split to whose nodes the request was kept; `None` without splits, or if that would have left nobody.
    pub split: Option<SplitPart>,
    /// The turn or the draws that the strategy used up.
    pub number: Option<Number>,
    /// Where the key leads, for hash strategies.
    pub key: Option<KeyOwners>,
    /// Whether no draw, or no owner of the key, would do, so that all nodes were looked at.
    pub scanned: bool,
    /// Several nodes were as good as any.
    pub tie: Option<Tie>,
    /// What else the pick takes.
    pub takes: Takes,
    /// All members, in declared order.
    pub candidates: Vec<Considered>,
    /// The time of the decision, on the monotonic clock.
    pub now_ns: u64,
}

/// A node that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    pub id: String,
    pub node: NodeRef,
}

/// How a choice came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// By the strategies.
    Rule,
    /// By them, among all nodes: too few are available, and `panic.mode` is `spread`.
    Panic,
    /// The session's own node.
    Session,
    /// A node that is down and due to be probed.
    Probe,
}

impl Way {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Panic => "panic",
            Self::Session => "session",
            Self::Probe => "probe",
        }
    }
}

/// The part of the traffic that a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SplitPart {
    /// The split of this place in the configuration, from 0.
    Of(usize),
    /// What no split takes.
    Rest,
}

/// What a strategy used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Number {
    /// A turn of the pool's round robin, or of its tier's or zone's.
    Turn(u64),
    /// The draws of a seeded pool's decision of this number, from 0.
    Draw(u64),
    /// Draws of the thread's stream, from this state on.
    Stream(u64),
}

/// Owners of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOwners {
    /// The ids of the key's owner and of those of its rehashes, as far as they were asked: the last is chosen, unless all
    /// were scanned.
    pub owners: Vec<String>,
}

/// Nodes that were as good as each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tie {
    /// Their ids.
    pub among: Vec<String>,
    pub by: TieBreak,
}

/// What decides among equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TieBreak {
    /// Which was drawn first.
    FirstDrawn,
    /// Chance, by weight.
    Weight,
    /// Chance, to each alike.
    Chance,
}

impl TieBreak {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstDrawn => "first_drawn",
            Self::Weight => "weight",
            Self::Chance => "chance",
        }
    }
}

/// What a pick takes beside the node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Takes {
    /// The node's probe, up to this time.
    pub probe_until_ns: Option<u64>,
    /// Units of each quota of the node.
    pub quotas: Vec<(String, u64)>,
    /// Whether the session is remembered with the node from now on.
    pub session: bool,
}

/// A member, as the decision sees it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Considered {
    pub id: String,
    pub node: NodeRef,
    /// The first filter that it failed at; `None`: it was eligible, or it was chosen.
    pub failed_at: Option<FailedAt>,
    pub health: HealthStatus,
    pub weight: u32,
    /// Unfinished picks before this one, in all processes.
    pub in_flight: u64,
    pub tier: u8,
    /// Empty: none.
    pub zone: String,
    /// How the strategy rates it; `None` if it rates nobody, or it was not eligible.
    pub score: Option<Score>,
    /// That it was the n-th node to be drawn, from 1.
    pub drawn: Option<usize>,
}

/// A filter on the way to a node, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailedAt {
    Draining,
    ZeroWeight,
    /// Without a label that is required, or refused by the predicate.
    NoMatch,
    Excluded,
    /// In a health state that the request does not allow.
    Unhealthy,
    BreakerOpen,
    Ejected,
    /// It asked to be left alone for a while, or a quota has no room.
    RateLimited,
    /// At its limit.
    Saturated,
    OtherTier,
    OtherZone,
    /// It warms up, and left this decision to others.
    Warming,
    OtherSplit,
    /// It failed when it was looked at, and would pass now.
    Changed,
}

impl FailedAt {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::ZeroWeight => "zero_weight",
            Self::NoMatch => "no_match",
            Self::Excluded => "excluded",
            Self::Unhealthy => "unhealthy",
            Self::BreakerOpen => "breaker_open",
            Self::Ejected => "ejected",
            Self::RateLimited => "rate_limited",
            Self::Saturated => "saturated",
            Self::OtherTier => "other_tier",
            Self::OtherZone => "other_zone",
            Self::Warming => "warming",
            Self::OtherSplit => "other_split",
            Self::Changed => "changed",
        }
    }
}

impl Explanation {
    /// The chosen node; `None` if there is none.
    pub fn chosen(&self) -> Option<&Chosen> {
        self.result.as_ref().ok()
    }

    /// The same as data, for every language; what there is not is null.
    pub fn to_value(&self) -> Value {
        let (chosen, no_node) = match &self.result {
            Ok(chosen) => (chosen.to_value(), Value::null()),
            Err(none) => (Value::null(), no_node(none)),
        };
        Value::map([
            ("chosen", chosen),
            ("no_node", no_node),
            ("way", self.way.as_str().into()),
            ("strategy", self.strategy.into()),
            ("step", option(self.step.map(|step| step as u64))),
            ("tier", option(self.tier.map(u32::from))),
            ("zone", option(self.zone.as_deref())),
            ("split", option(self.split.map(SplitPart::to_value))),
            ("number", option(self.number.map(Number::to_value))),
            ("key", option(self.key.as_ref().map(KeyOwners::to_value))),
            ("scanned", self.scanned.into()),
            ("tie", option(self.tie.as_ref().map(Tie::to_value))),
            ("takes", self.takes.to_value()),
            ("candidates", Value::list(self.candidates.iter().map(Considered::to_value))),
            ("now_ns", self.now_ns.into()),
        ])
    }
}

fn no_node(none: &NoNode) -> Value {
    Value::map([
        ("reason", none.reason.as_str().into()),
        ("retry_at_ns", option(none.retry_at_ns)),
        ("callback_failed", none.callback_failed.into()),
    ])
}

fn option(value: Option<impl Into<Value>>) -> Value {
    value.map_or_else(Value::null, Into::into)
}

fn texts(texts: &[String]) -> Value {
    Value::list(texts.iter().map(|text| text.as_str().into()))
}

impl Chosen {
    fn to_value(&self) -> Value {
        Value::map([
            ("id", self.id.as_str().into()),
            ("index", self.node.index.into()),
            ("generation", self.node.generation.into()),
        ])
    }
}

impl SplitPart {
    fn to_value(self) -> Value {
        match self {
            Self::Of(place) => (place as u64).into(),
            Self::Rest => "rest".into(),
        }
    }
}

impl Number {
    fn to_value(self) -> Value {
        Value::map([match self {
            Self::Turn(turn) => ("turn", turn.into()),
            Self::Draw(draw) => ("draw", draw.into()),
            // In hexadecimal: its 64 bits fit no float.
            Self::Stream(state) => ("stream", format!("{state:016x}").into()),
        }])
    }
}

impl KeyOwners {
    fn to_value(&self) -> Value {
        let rehashes = self.owners.len().saturating_sub(1) as u64;
        Value::map([
            ("owner", option(self.owners.first().map(String::as_str))),
            ("rehashes", rehashes.into()),
            ("owners", texts(&self.owners)),
        ])
    }
}

impl Tie {
    fn to_value(&self) -> Value {
        Value::map([("among", texts(&self.among)), ("by", self.by.as_str().into())])
    }
}

impl Takes {
    fn to_value(&self) -> Value {
        let quotas = self.quotas.iter().map(|(dimension, units)| (dimension.as_str(), (*units).into()));
        Value::map([
            ("probe_until_ns", option(self.probe_until_ns)),
            ("quotas", Value::map(quotas)),
            ("session", self.session.into()),
        ])
    }
}

impl Considered {
    fn to_value(&self) -> Value {
        Value::map([
            ("id", self.id.as_str().into()),
            ("index", self.node.index.into()),
            ("eligible", self.failed_at.is_none().into()),
            ("failed_at", option(self.failed_at.map(FailedAt::as_str))),
            ("health", self.health.as_str().into()),
            ("weight", self.weight.into()),
            ("in_flight", self.in_flight.into()),
            ("tier", u32::from(self.tier).into()),
            ("zone", self.zone.as_str().into()),
            ("score", option(self.score.as_ref().map(Score::to_value))),
            ("drawn", option(self.drawn.map(|drawn| drawn as u64))),
        ])
    }
}

impl Score {
    /// The same as data.
    pub fn to_value(&self) -> Value {
        Value::map([
            ("name", self.name.into()),
            ("value", option(self.value)),
            ("terms", Value::map(self.terms.iter().map(|&(name, term)| (name, term.into())))),
        ])
    }
}
