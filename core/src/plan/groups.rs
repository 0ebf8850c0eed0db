//! Where a plan has the groups of each tier, so that a decision goes straight to them.

use crate::policies::tiers::TIERS;

/// Words of a directory.
pub(crate) const WORDS: usize = 2;
/// Tiers of a word.
const TIERS_A_WORD: usize = TIERS / WORDS;

/// The groups of one tier: the tier as a whole, and its zones right behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupsOfTier {
    pub(crate) whole: usize,
    pub(crate) zones: usize,
}

/// The words of a directory, given the tier of each group from the first further one on; those of a tier are together.
pub(crate) fn directory(tiers: impl Iterator<Item = u8>) -> [u64; WORDS] {
    let mut words = [0; WORDS];
    for (at, tier) in tiers.enumerate() {
        let (word, shift) = (&mut words[usize::from(tier) / TIERS_A_WORD % WORDS], shift(tier));
        let first_or_further = if *word >> shift & 0xFF == 0 { (at + 1) as u64 & 0xFF } else { 1 << 8 };
        *word += first_or_further << shift;
    }
    words
}

/// The groups of a tier by the word that it is in; `None` if it has none.
#[inline(always)]
pub(crate) fn of_tier(tier: u8, word: impl Fn(usize) -> u64) -> Option<GroupsOfTier> {
    let entry = word(usize::from(tier) / TIERS_A_WORD % WORDS) >> shift(tier);
    let (whole, zones) = ((entry & 0xFF) as usize, (entry >> 8 & 0xFF) as usize);
    (whole != 0).then_some(GroupsOfTier { whole, zones })
}

#[inline(always)]
fn shift(tier: u8) -> u32 {
    u32::from(tier) % TIERS_A_WORD as u32 * 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tier_finds_its_groups() {
        let tiers = [0, 0, 0, 3, 4, 4, 7];
        let words = directory(tiers.into_iter());
        let found = |tier| of_tier(tier, |at| words[at]).map(|groups| (groups.whole, groups.zones));
        assert_eq!((found(0), found(3), found(4), found(7)), (Some((1, 2)), Some((4, 0)), Some((5, 1)), Some((7, 0))));
        assert_eq!((found(1), found(6)), (None, None));
        assert_eq!(directory(std::iter::empty()), [0; WORDS]);
    }

    #[test]
    fn as_many_groups_as_there_can_be() {
        let words = directory((0..64).map(|at| (at / 8) as u8));
        let of = |tier: u8| of_tier(tier, |at| words[at]).map(|groups| (groups.whole, groups.zones));
        assert!((0..8).all(|tier| of(tier) == Some((1 + 8 * usize::from(tier), 7))));
    }
}
