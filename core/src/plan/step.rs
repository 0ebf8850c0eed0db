//! A policy as a plan holds it: a chain of steps, each a rule with its parameter, in two words.

/// The rules that a pool knows. The numbers are in shared memory: they stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Rule {
    RoundRobin = 1,
    WeightedRoundRobin = 2,
    Random = 3,
    WeightedRandom = 4,
    LeastLoad = 5,
    LeastRequest = 6,
    P2cInFlight = 7,
    P2cReported = 8,
    P2cPeakEwma = 9,
    PeakEwma = 10,
    RingHash = 11,
    RingHashNginx = 12,
    Maglev = 13,
    Rendezvous = 14,
    MostAvailable = 15,
    Custom = 16,
    LeastRequestExact = 17,
    Adaptive = 18,
    Fastest = 19,
    ReportedLoad = 20,
}

impl Rule {
    const COUNT: u8 = 20;

    #[inline(always)]
    fn from_number(number: u8) -> Option<Self> {
        if number == 0 || number > Self::COUNT {
            return None;
        }
        Some(match number {
            1 => Self::RoundRobin,
            2 => Self::WeightedRoundRobin,
            3 => Self::Random,
            4 => Self::WeightedRandom,
            5 => Self::LeastLoad,
            6 => Self::LeastRequest,
            7 => Self::P2cInFlight,
            8 => Self::P2cReported,
            9 => Self::P2cPeakEwma,
            10 => Self::PeakEwma,
            11 => Self::RingHash,
            12 => Self::RingHashNginx,
            13 => Self::Maglev,
            14 => Self::Rendezvous,
            15 => Self::MostAvailable,
            16 => Self::Custom,
            17 => Self::LeastRequestExact,
            18 => Self::Adaptive,
            19 => Self::Fastest,
            _ => Self::ReportedLoad,
        })
    }

    /// Whether it compares latency averages, and so needs the time at pick and at finish.
    pub(crate) fn needs_clock(self) -> bool {
        matches!(self, Self::P2cPeakEwma | Self::PeakEwma | Self::Adaptive | Self::Fastest)
    }
}

/// One step of the chain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    pub(crate) rule: Rule,
    /// The factor of a bounded load (hash rules), the width of the best class (most available), the time constant of the
    /// average or the width of a class in nanoseconds (latency rules); 0 if the rule has none.
    pub(crate) parameter: f64,
}

impl Step {
    pub(crate) fn words(self) -> [u64; 2] {
        [self.rule as u64, self.parameter.to_bits()]
    }

    #[inline(always)]
    pub(crate) fn from_words(rule: u64, parameter: u64) -> Option<Self> {
        Some(Self { rule: Rule::from_number(rule as u8)?, parameter: f64::from_bits(parameter) })
    }

    /// The factor of a bounded load, if this is a hash rule that has one.
    #[inline(always)]
    pub(crate) fn bound(self) -> Option<f64> {
        let hashes = matches!(self.rule, Rule::RingHash | Rule::RingHashNginx | Rule::Maglev | Rule::Rendezvous);
        (hashes && self.parameter >= 1.0).then_some(self.parameter)
    }
}

/// What every decision reads first, in one word. From the lowest bit: the first step's rule (8 bits), the number of
/// steps (8), flags (16), members that were fit when the plan was built (16), members (16).
#[derive(Clone, Copy)]
pub(crate) struct Lead(pub(crate) u64);

const NEEDS_CLOCK: u64 = 1 << 16;
const NEEDS_TOTAL: u64 = 1 << 17;
const WEIGHTED: u64 = 1 << 18;
const HASH_WEIGHTED: u64 = 1 << 19;
const KEEPS_LATENCY: u64 = 1 << 20;
const GUARDED: u64 = 1 << 21;
const AVERAGES: u64 = 1 << 22;
const KEEPS_INDEX: u64 = 1 << 23;
const LIMITS_TOTAL: u64 = 1 << 24;

/// Up to this many nodes `least_request` compares all.
pub(crate) const SCAN_MAX: usize = 16;

/// What a plan asks of every pick, beside its rules.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Needs {
    /// The time.
    pub(crate) clock: bool,
    /// A latency sample at its end.
    pub(crate) latency: bool,
    /// To be counted in the pool's total, which is limited.
    pub(crate) limit: bool,
    /// More than a rule's choice: see `pool::guarded`.
    pub(crate) guard: bool,
    /// To choose among some of the members: by tier or zone.
    pub(crate) groups: bool,
}

impl Lead {
    pub(crate) fn new(
        steps: &[Step],
        members: usize,
        fit: usize,
        needs: Needs,
        weighted: bool,
        hash_weighted: bool,
    ) -> Self {
        let flag = |on: bool, flag: u64| if on { flag } else { 0 };
        // The index has one order of all members, by what they have in flight.
        let by_in_flight = steps.first().is_some_and(|s| s.rule == Rule::LeastRequestExact) && !hash_weighted;
        let keeps_index = by_in_flight && members > SCAN_MAX && !needs.groups;
        Self(
            steps.first().map_or(0, |s| s.rule as u64)
                | (steps.len() as u64) << 8
                | flag(needs.clock || steps.iter().any(|s| s.rule.needs_clock()), NEEDS_CLOCK)
                | flag(needs.limit || steps.iter().any(|s| s.bound().is_some()), NEEDS_TOTAL)
                | flag(needs.limit, LIMITS_TOTAL)
                | flag(weighted, WEIGHTED)
                | flag(hash_weighted, HASH_WEIGHTED)
                | flag(needs.latency || steps.iter().any(|s| s.rule.needs_clock()), KEEPS_LATENCY)
                | flag(needs.guard, GUARDED)
                | flag(steps.iter().any(|s| s.rule.needs_clock()), AVERAGES)
                | flag(keeps_index, KEEPS_INDEX)
                | (fit as u64 & 0xFFFF) << 32
                | (members as u64 & 0xFFFF) << 48,
        )
    }

    #[inline(always)]
    pub(crate) fn rule(self) -> Option<Rule> {
        Rule::from_number(self.0 as u8)
    }

    #[inline(always)]
    pub(crate) fn steps(self) -> usize {
        (self.0 >> 8) as usize & 0xFF
    }

    /// Whether a rule compares latencies, or leases time out.
    #[inline(always)]
    pub(crate) fn needs_clock(self) -> bool {
        self.0 & NEEDS_CLOCK != 0
    }

    /// Whether finishes have to bring samples of latency.
    #[inline(always)]
    pub(crate) fn keeps_latency(self) -> bool {
        self.0 & KEEPS_LATENCY != 0
    }

    /// Whether a rule chooses, and nothing else is to be done.
    #[inline(always)]
    pub(crate) fn is_bare(self) -> bool {
        self.0 & (NEEDS_CLOCK | GUARDED) == 0
    }

    /// Whether a pick goes the guarded way.
    pub(crate) fn guarded(self) -> bool {
        self.0 & GUARDED != 0
    }

    /// Whether a rule compares latency averages.
    pub(crate) fn averages(self) -> bool {
        self.0 & AVERAGES != 0
    }

    /// Whether the hints who has the least in flight are kept, for the first rule: see `state::index`.
    #[inline(always)]
    pub(crate) fn keeps_index(self) -> bool {
        self.0 & KEEPS_INDEX != 0
    }

    /// Whether a pick is refused where the pool has too much in flight with it.
    #[inline(always)]
    pub(crate) fn limits_total(self) -> bool {
        self.0 & LIMITS_TOTAL != 0
    }

    /// Whether a rule bounds loads by the pool's total in flight, or that is limited itself.
    #[inline(always)]
    pub(crate) fn needs_total(self) -> bool {
        self.0 & NEEDS_TOTAL != 0
    }

    /// Whether fit members differ in weight.
    #[inline(always)]
    pub(crate) fn weighted(self) -> bool {
        self.0 & WEIGHTED != 0
    }

    /// Whether members with a weight differ in it.
    #[inline(always)]
    pub(crate) fn hash_weighted(self) -> bool {
        self.0 & HASH_WEIGHTED != 0
    }

    #[inline(always)]
    pub(crate) fn fit(self) -> usize {
        (self.0 >> 32) as usize & 0xFFFF
    }

    #[inline(always)]
    pub(crate) fn members(self) -> usize {
        (self.0 >> 48) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let numbers: Vec<u8> = (0..=255).filter_map(Rule::from_number).map(|rule| rule as u8).collect();
        assert_eq!(numbers, (1..=Rule::COUNT).collect::<Vec<u8>>());
    }

    #[test]
    fn a_lead_says_what_it_was_made_of() {
        let step = Step { rule: Rule::Maglev, parameter: 1.25 };
        let lead = Lead::new(&[step], 65_535, 65_534, Needs::default(), false, true);
        assert_eq!((lead.rule(), lead.steps(), lead.members(), lead.fit()), (Some(Rule::Maglev), 1, 65_535, 65_534));
        assert!(lead.needs_total() && lead.hash_weighted() && !lead.needs_clock() && !lead.weighted());
        assert!(lead.is_bare() && !lead.guarded());
        assert_eq!(Lead(0).rule(), None);
    }
}
