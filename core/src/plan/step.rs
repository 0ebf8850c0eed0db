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
}

impl Rule {
    const ALL: [Self; 17] = [
        Self::RoundRobin,
        Self::WeightedRoundRobin,
        Self::Random,
        Self::WeightedRandom,
        Self::LeastLoad,
        Self::LeastRequest,
        Self::P2cInFlight,
        Self::P2cReported,
        Self::P2cPeakEwma,
        Self::PeakEwma,
        Self::RingHash,
        Self::RingHashNginx,
        Self::Maglev,
        Self::Rendezvous,
        Self::MostAvailable,
        Self::Custom,
        Self::LeastRequestExact,
    ];

    #[inline(always)]
    fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).wrapping_sub(1)).copied()
    }

    /// Whether it compares latency averages, and so needs the time at pick and at finish.
    pub(crate) fn needs_clock(self) -> bool {
        matches!(self, Self::P2cPeakEwma | Self::PeakEwma)
    }
}

/// One step of the chain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    pub(crate) rule: Rule,
    /// The factor of a bounded load (hash rules), the width of the best class (most available), the time constant of the
    /// average in nanoseconds (latency rules); 0 if the rule has none.
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

/// Flags of a plan, above the number of its steps.
pub(crate) const NEEDS_CLOCK: u64 = 1 << 8;
pub(crate) const NEEDS_TOTAL: u64 = 1 << 9;
/// Fit members differ in weight.
pub(crate) const WEIGHTED: u64 = 1 << 10;
/// Members with a weight differ in it.
pub(crate) const HASH_WEIGHTED: u64 = 1 << 11;

/// The flags of a chain.
pub(crate) fn flags(steps: &[Step]) -> u64 {
    steps.len() as u64
        | if steps.iter().any(|s| s.rule.needs_clock()) { NEEDS_CLOCK } else { 0 }
        | if steps.iter().any(|s| s.bound().is_some()) { NEEDS_TOTAL } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_positions() {
        for rule in Rule::ALL {
            assert_eq!(Rule::from_number(rule as u8), Some(rule));
        }
        assert_eq!(Rule::from_number(0), None);
        assert_eq!(Rule::from_number(200), None);
    }
}
