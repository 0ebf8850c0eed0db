//! Operations and what they are drawn from.

use loadwise::NodeSpec;
use loadwise::config::{P2cLoad, RingCompat, StrategyConfig, StrategyKind};

/// Ids that nodes are given. The last is rarely a member's.
pub const IDS: u32 = 12;

/// Where choices come from: random numbers, or the bytes of a fuzzer.
pub trait Source {
    /// A number below `n`, which is at least 1.
    fn below(&mut self, n: u32) -> u32;

    fn chance(&mut self, one_in: u32) -> bool {
        self.below(one_in) == 0
    }

    fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u32) as usize]
    }
}

/// SplitMix64.
pub struct Random(pub u64);

impl Source for Random {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % u64::from(n)) as u32
    }
}

/// What is fixed when a pool is made.
#[derive(Debug, Clone)]
pub struct Setup {
    pub seed: Option<u64>,
    pub max_nodes: u32,
    pub max_picks: u32,
    pub max_table_size: u32,
    /// Points of a ring; `None`: the default.
    pub points: Option<u32>,
    pub lease_timeout_ms: u64,
    pub failure_threshold: u32,
    pub recovery_successes: u32,
}

impl Setup {
    pub fn draw(s: &mut impl Source) -> Self {
        Self {
            seed: if s.chance(8) { None } else { Some(7) },
            max_nodes: s.of(&[8, 10, 3]),
            max_picks: s.of(&[1024, 64, 128]),
            max_table_size: if s.chance(24) { 65_537 } else { 1021 },
            points: if s.chance(12) { None } else { s.of(&[Some(16), Some(100)]) },
            lease_timeout_ms: s.of(&[0, 1_000, 60_000]),
            failure_threshold: s.of(&[3, 1, 2, 4, 255]),
            recovery_successes: s.of(&[2, 1, 3]),
        }
    }
}

#[derive(Debug, Clone)]
pub enum Op {
    /// Kept as a `Pick`, or as a plain lease.
    Pick {
        ask: Ask,
        plain: bool,
    },
    PickAndDrop(Ask),
    Choose(Ask),
    /// Of all picks ever made, counted from the last: also those that are over.
    Finish {
        back: u32,
        end: End,
    },
    /// A number that is no ticket.
    Release(u64),
    Report {
        id: u32,
        end: End,
    },
    ReportLoad {
        id: u32,
        load: Option<f64>,
        ratio: Option<f64>,
    },
    SetNodes(Vec<Spec>),
    /// All nodes as they are, but this one.
    Redescribe(Spec),
    Register(Spec),
    RegisterBatch(Vec<Spec>),
    Deregister(u32),
    Drain(u32, bool),
    SetWeight(u32, u32),
    SetUserData(u32, u64),
    SetStrategy(Vec<StrategyConfig>),
    SetOwnStrategy(Own, Vec<StrategyConfig>),
    Maintain,
    Time(Tick),
    /// A pool made anew with these nodes gives the key to the same node.
    Twin(u32),
}

/// What a pick asks for.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    pub key: Option<u32>,
    pub exclude: Vec<u32>,
    /// Nodes of earlier picks, counted from the last.
    pub exclude_picked: Vec<u32>,
    pub require: Vec<(&'static str, &'static str)>,
    pub health_mask: u8,
    pub predicate: Option<Predicate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predicate {
    WeightFrom(u32),
    InFlightBelow(u64),
    PanicsAt(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    First,
    Last,
    Nobody,
    Nonsense,
    Panics,
}

#[derive(Debug, Clone, Copy)]
pub enum End {
    Success,
    Failure,
    RateLimited,
    Cancelled,
}

#[derive(Debug, Clone, Copy)]
pub enum Tick {
    On(u64),
    Back(u64),
    To(u64),
}

/// A node as it is described.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// From [`IDS`] on: no possible id.
    pub id: u32,
    pub weight: u32,
    pub address: u32,
    pub labels: u32,
}

impl Spec {
    pub fn node(&self) -> NodeSpec {
        let mut node = NodeSpec::new(id(self.id)).weight(self.weight).user_data(u64::from(self.address));
        if self.address != 0 {
            node = node.address(format!("10.0.0.{}:80", self.address)).name(format!("at {}", self.address));
        }
        if self.labels & 1 != 0 {
            node = node.label("region", "eu");
        }
        if self.labels & 2 != 0 {
            node = node.label("gpu", "yes");
        }
        node
    }

    fn draw(s: &mut impl Source) -> Self {
        let weight = if s.chance(3) { s.of(&[0, 2, 3, 5, 100, u32::MAX]) } else { 1 };
        let id = if s.chance(60) { IDS + s.below(3) } else { s.below(IDS) };
        Self { id, weight, address: s.below(16), labels: s.below(4) }
    }

    fn draw_some(s: &mut impl Source, most: u32) -> Vec<Self> {
        let mut all: Vec<Self> = (0..s.below(most + 1)).map(|_| Self::draw(s)).collect();
        if !s.chance(8) {
            let mut seen = Vec::new();
            all.retain(|n| !seen.contains(&n.id) && (seen.push(n.id), true).1);
        }
        all
    }
}

pub fn id(number: u32) -> String {
    match number {
        0..IDS => format!("n{number}"),
        IDS => String::new(),
        13 => "x".repeat(256),
        _ => "line\nbreak".to_owned(),
    }
}

impl Op {
    /// `panics`: whether callbacks may panic.
    pub fn draw(s: &mut impl Source, panics: bool) -> Self {
        match s.below(43) {
            0..=9 => Self::Pick { ask: Ask::draw(s, panics), plain: s.chance(2) },
            10 => Self::PickAndDrop(Ask::draw(s, panics)),
            11 => Self::Choose(Ask::draw(s, panics)),
            12..=19 => Self::Finish { back: s.below(24), end: End::draw(s) },
            20 => Self::Release(s.of(&[0, 1, u64::MAX, 1 << 53, (1 << 21) - 1, 7 << 21])),
            21..=25 => Self::Report { id: s.below(IDS), end: End::draw(s) },
            26 => Self::ReportLoad {
                id: s.below(IDS),
                load: s.of(&[None, Some(0.0), Some(-0.0), Some(1.5), Some(7.0), Some(f64::NAN), Some(f64::INFINITY)]),
                ratio: s.of(&[None, Some(0.0), Some(0.5), Some(0.52), Some(1.0), Some(1.1), Some(f64::NAN)]),
            },
            27 => Self::SetNodes(Spec::draw_some(s, 10)),
            28 | 29 => Self::Register(Spec::draw(s)),
            30 => Self::RegisterBatch(Spec::draw_some(s, 4)),
            31 => Self::Deregister(s.below(IDS)),
            32 => Self::Drain(s.below(IDS), !s.chance(3)),
            33 => Self::SetWeight(s.below(IDS), s.of(&[1, 0, 2, 3, 7, 1000, u32::MAX])),
            34 => Self::SetUserData(s.below(IDS), u64::from(s.below(9))),
            35 => Self::SetStrategy(chain(s)),
            36 if s.chance(2) => Self::SetStrategy(chain(s)),
            36 => {
                let own = s.of(&[Own::First, Own::Last, Own::Nobody, Own::Nonsense, Own::Panics]);
                let own = if own == Own::Panics && !panics { Own::Nonsense } else { own };
                Self::SetOwnStrategy(own, if s.chance(3) { Vec::new() } else { chain(s) })
            }
            37 => Self::Maintain,
            38 => Self::Time(Tick::draw(s)),
            39 => Self::SetStrategy(chain(s)),
            40 => Self::Redescribe(Spec::draw(s)),
            _ => Self::Twin(s.below(32)),
        }
    }
}

impl Ask {
    fn draw(s: &mut impl Source, panics: bool) -> Self {
        let mut ask = Self { key: (!s.chance(4)).then(|| s.below(32)), ..Self::default() };
        if s.chance(2) {
            return ask;
        }
        if s.chance(2) {
            ask.exclude = (0..s.below(4)).map(|_| s.below(IDS)).collect();
        }
        if s.chance(4) {
            ask.exclude_picked = (0..s.below(3)).map(|_| s.below(24)).collect();
        }
        if s.chance(5) {
            ask.require =
                s.of(&[&[("region", "eu")][..], &[("region", "eu"), ("gpu", "yes")], &[("gpu", "no")]]).to_vec();
        }
        if s.chance(4) {
            ask.health_mask = s.of(&[1, 4, 8, 15, 0xF0]);
        }
        if s.chance(4) {
            let predicate = match s.below(3) {
                0 => Predicate::WeightFrom(2),
                1 if panics => Predicate::PanicsAt(s.below(IDS)),
                _ => Predicate::InFlightBelow(2),
            };
            ask.predicate = Some(predicate);
        }
        ask
    }
}

impl End {
    fn draw(s: &mut impl Source) -> Self {
        s.of(&[Self::Success, Self::Failure, Self::Failure, Self::RateLimited, Self::Cancelled])
    }
}

impl Tick {
    fn draw(s: &mut impl Source) -> Self {
        const SECOND: u64 = 1_000_000_000;
        s.of(&[
            Self::On(1),
            Self::On(SECOND / 3),
            Self::On(SECOND),
            Self::On(3 * SECOND),
            Self::On(3600 * SECOND),
            Self::Back(SECOND),
            Self::Back(3600 * SECOND),
            Self::To(1),
            Self::To(1_000_000 * SECOND),
            Self::To(u64::MAX - 5),
            Self::To(u64::MAX),
        ])
    }
}

/// Mostly one strategy that can be.
fn chain(s: &mut impl Source) -> Vec<StrategyConfig> {
    let more = if s.chance(4) { s.below(6) } else { 1 };
    (0..more).map(|_| strategy(s)).collect()
}

fn strategy(s: &mut impl Source) -> StrategyConfig {
    let kind = match s.below(18) {
        0 | 1 => StrategyKind::RoundRobin,
        2 => StrategyKind::WeightedRoundRobin,
        3 => StrategyKind::Random,
        4 => StrategyKind::WeightedRandom,
        5 => StrategyKind::LeastLoad,
        6 => StrategyKind::LeastRequest { exact: s.chance(2) },
        7 => StrategyKind::P2c { load: s.of(&[P2cLoad::InFlight, P2cLoad::Reported, P2cLoad::PeakEwma]) },
        8 => StrategyKind::PeakEwma { decay_ms: s.of(&[10_000, 1, 0]) },
        9 => StrategyKind::MostAvailable { epsilon: s.of(&[0.05, 0.0, 1.0, f64::NAN]) },
        10 => StrategyKind::RingHash { points: None, compat: Some(RingCompat::Nginx) },
        11 | 12 => StrategyKind::RingHash { points: s.of(&[None, None, Some(16), Some(0)]), compat: None },
        13..=15 => StrategyKind::Maglev { table_size: s.of(&[251, 251, 509, 250, 65_537]) },
        _ => StrategyKind::Rendezvous,
    };
    let bounded_load = if kind.is_hash() { s.of(&[None, None, Some(1.25), Some(1.0), Some(0.5)]) } else { None };
    StrategyConfig { kind, bounded_load }
}
