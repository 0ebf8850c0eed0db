//! What rules compare of their candidates, each with its terms.

use std::cmp::Ordering;

use crate::policies::latency;
use crate::strategy::adaptive::Strain;
use crate::strategy::rank_load;
use crate::strategy::told::Score;

/// In flight ÷ weight.
#[derive(Clone, Copy)]
pub(crate) struct Share {
    pub(crate) in_flight: u64,
    pub(crate) weight: u32,
}

impl Share {
    /// Cross-multiplied, since both are integers.
    #[inline(always)]
    pub(crate) fn compare(self, other: Self) -> Ordering {
        let own = self.in_flight.wrapping_mul(u64::from(other.weight));
        own.cmp(&other.in_flight.wrapping_mul(u64::from(self.weight)))
    }
}

impl From<Share> for Score {
    fn from(share: Share) -> Self {
        let (in_flight, weight) = (share.in_flight as f64, f64::from(share.weight));
        Self::new("in_flight_per_weight", in_flight / weight, [("in_flight", in_flight), ("weight", weight)])
    }
}

/// The load that was last reported.
#[derive(Clone, Copy)]
pub(crate) struct ReportedLoad {
    pub(crate) load: f64,
    pub(crate) weight: u32,
}

impl ReportedLoad {
    #[inline(always)]
    fn per_weight(self) -> f64 {
        self.load / f64::from(self.weight.max(1))
    }

    /// Load ÷ weight.
    #[inline(always)]
    pub(crate) fn rank(self) -> i64 {
        rank_load(self.per_weight())
    }
}

impl From<ReportedLoad> for Score {
    fn from(reported: ReportedLoad) -> Self {
        let terms = [("load", reported.load), ("weight", f64::from(reported.weight))];
        Self::new("load_per_weight", reported.per_weight(), terms)
    }
}

/// The load that was last reported, whatever the weight.
#[derive(Clone, Copy)]
pub(crate) struct Load(pub(crate) f64);

impl From<Load> for Score {
    fn from(load: Load) -> Self {
        Self::new("load", load.0, [("load", load.0)])
    }
}

/// What is left of a quota.
#[derive(Clone, Copy)]
pub(crate) struct Remaining(pub(crate) f64);

impl From<Remaining> for Score {
    fn from(remaining: Remaining) -> Self {
        Self::new("remaining_ratio", remaining.0, [("remaining_ratio", remaining.0)])
    }
}

/// The latency average, for what is in flight.
#[derive(Clone, Copy)]
pub(crate) struct LatencyCost {
    /// The node's latency word.
    pub(crate) word: u64,
    /// The average now, on its way to the reference.
    pub(crate) average_ns: f64,
    pub(crate) in_flight: u64,
    pub(crate) weight: u32,
}

impl LatencyCost {
    /// average · (1 + in flight/weight), as coarse as averages are kept: nodes that have drifted to the reference are
    /// alike.
    #[inline(always)]
    pub(crate) fn cost(self) -> f32 {
        (self.average_ns * (1.0 + self.in_flight as f64 / f64::from(self.weight.max(1)))) as f32
    }
}

impl From<LatencyCost> for Score {
    fn from(cost: LatencyCost) -> Self {
        let sampled_ns = latency::average(cost.word);
        let terms = [
            ("average_ns", cost.average_ns),
            ("drift_ns", sampled_ns.map_or(0.0, |sampled_ns| cost.average_ns - sampled_ns)),
            ("in_flight", cost.in_flight as f64),
            ("weight", f64::from(cost.weight)),
        ];
        Self::new("latency_cost", f64::from(cost.cost()), terms)
    }
}

/// The class of the latency average, for what is in flight.
#[derive(Clone, Copy)]
pub(crate) struct ClassCost {
    pub(crate) class: f64,
    pub(crate) in_flight: u64,
    pub(crate) weight: u32,
}

impl ClassCost {
    /// class · (1 + in flight)/weight.
    pub(crate) fn cost(self) -> f64 {
        self.class * (1.0 + self.in_flight as f64) / f64::from(self.weight.max(1))
    }
}

impl From<ClassCost> for Score {
    fn from(cost: ClassCost) -> Self {
        let terms = [("class", cost.class), ("in_flight", cost.in_flight as f64), ("weight", f64::from(cost.weight))];
        Self::new("class_cost", cost.cost(), terms)
    }
}

impl From<Strain> for Score {
    /// Without a value: a strain is one beside another.
    fn from(strain: Strain) -> Self {
        let terms = [("connections", strain.connections), ("latency_ns", strain.latency), ("errors", strain.errors)];
        Self { name: "strain", value: None, terms: terms.into() }
    }
}

/// A strain beside that of the other candidate.
#[derive(Clone, Copy)]
pub(crate) struct Strained(pub(crate) Strain, pub(crate) Strain);

impl From<Strained> for Score {
    fn from(Strained(own, other): Strained) -> Self {
        Self { value: Some(own.beside(other)), ..own.into() }
    }
}

/// What rendezvous hashing compares; the least cost wins.
#[derive(Clone, Copy)]
pub(crate) struct Random {
    /// 0.0 ..= 1.0, of key and node.
    pub(crate) random: f64,
    pub(crate) cost: f64,
    pub(crate) weight: u32,
}

impl From<Random> for Score {
    fn from(random: Random) -> Self {
        let terms = [("random", random.random), ("weight", f64::from(random.weight))];
        Self::new("random_cost", random.cost, terms)
    }
}

/// What a bounded load compares.
#[derive(Clone, Copy)]
pub(crate) struct Bounded {
    pub(crate) in_flight: u64,
    /// In flight must be below.
    pub(crate) most: f64,
}

impl Bounded {
    pub(crate) fn terms(self) -> [(&'static str, f64); 2] {
        [("in_flight", self.in_flight as f64), ("bound", self.most)]
    }
}

impl From<Bounded> for Score {
    fn from(bounded: Bounded) -> Self {
        Self::new("bounded_load", bounded.in_flight as f64, bounded.terms())
    }
}
