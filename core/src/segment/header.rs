//! The head of a segment: what it is, how it is laid out, and what changes of it as a whole.
//!
//! The static part is written once, before anybody else can open the file, and has a checksum. A file whose static part is
//! not what this version writes is refused; of the rest nothing is believed without a bound.

use super::{directory, processes};
use crate::state::layout::{self, LINE};
use crate::state::seat::ROWS_MAX;
use crate::sync::AtomicU64;
use crate::vocabulary::hash::hash_with_seed;

/// "loadwise" in bytes, which also tells that the order of bytes is this machine's.
const MAGIC: u64 = u64::from_le_bytes(*b"loadwise");
/// Counts up with each change of what is where in a segment.
pub(crate) const LAYOUT_VERSION: u64 = 4;

/// Words of the head.
pub(crate) const WORDS: usize = 512;
/// Words of the static part.
pub(crate) const STATIC_WORDS: usize = 8;

/// What changes.
pub(crate) mod word {
    use super::LINE;
    /// The boot that the segment's times are of.
    pub(crate) const BOOT: usize = LINE;
    /// How often the engine's configuration was replaced.
    pub(crate) const VERSION: usize = LINE + 2;
    /// Changes of the directory, counted.
    pub(crate) const DIRECTORY: usize = LINE + 3;
    /// Who changes the directory; 0 if nobody.
    pub(crate) const LEASE: usize = 2 * LINE;
}

/// What is fixed when a segment is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fixed {
    pub(crate) max_processes: u32,
    pub(crate) max_pools: u32,
}

/// Why a file is no segment for this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is none, or was cut off.
    Foreign(String),
    /// It is of another version of the library, or of another build of it.
    OtherVersion(u64),
    /// Its static part is not as it was written.
    Damaged(String),
}

impl Fixed {
    pub(crate) const PROCESSES: std::ops::RangeInclusive<u32> = 1..=ROWS_MAX as u32;
    pub(crate) const POOLS: std::ops::RangeInclusive<u32> = 1..=256;

    /// Words of head, processes and directory.
    pub(crate) fn control_words(self) -> usize {
        WORDS + self.max_processes as usize * processes::WORDS + self.max_pools as usize * directory::WORDS
    }

    pub(crate) fn processes(self) -> std::ops::Range<usize> {
        WORDS..WORDS + self.max_processes as usize * processes::WORDS
    }

    pub(crate) fn directory(self) -> std::ops::Range<usize> {
        self.processes().end..self.control_words()
    }

    /// The static part.
    pub(crate) fn to_words(self) -> [u64; STATIC_WORDS] {
        let mut words = [0; STATIC_WORDS];
        words[..6].copy_from_slice(&[
            MAGIC,
            LAYOUT_VERSION,
            fingerprint(),
            u64::from(self.max_processes),
            u64::from(self.max_pools),
            self.control_words() as u64,
        ]);
        words[STATIC_WORDS - 1] = checksum(&words);
        words
    }

    /// Of the static part of a file of `file_bytes`.
    pub(crate) fn from_words(words: &[u64; STATIC_WORDS], file_bytes: u64) -> Result<Self, Unfit> {
        let [magic, version, built, processes, pools, control, ..] = *words;
        if magic != MAGIC {
            return Err(Unfit::Foreign("it does not begin like one".to_owned()));
        }
        if version != LAYOUT_VERSION || built != fingerprint() {
            return Err(Unfit::OtherVersion(version));
        }
        if words[STATIC_WORDS - 1] != checksum(words) {
            return Err(Unfit::Damaged("its checksum is wrong".to_owned()));
        }
        let (Ok(max_processes), Ok(max_pools)) = (u32::try_from(processes), u32::try_from(pools)) else {
            return Err(Unfit::Damaged("its bounds are out of range".to_owned()));
        };
        let fixed = Self { max_processes, max_pools };
        if !Self::PROCESSES.contains(&max_processes) || !Self::POOLS.contains(&max_pools) {
            return Err(Unfit::Damaged("its bounds are out of range".to_owned()));
        }
        if control != fixed.control_words() as u64 {
            return Err(Unfit::Damaged("its bounds contradict its size".to_owned()));
        }
        if file_bytes < control * 8 {
            return Err(Unfit::Foreign(format!("it was cut off after {file_bytes} bytes")));
        }
        Ok(fixed)
    }
}

fn checksum(words: &[u64; STATIC_WORDS]) -> u64 {
    let bytes: Vec<u8> = words[..STATIC_WORDS - 1].iter().flat_map(|word| word.to_le_bytes()).collect();
    hash_with_seed(&bytes, MAGIC)
}

/// What builds differ in that must not share a segment, although their layouts have one number: a net under whoever
/// forgets to count it up.
fn fingerprint() -> u64 {
    let sizes = [
        WORDS,
        processes::WORDS,
        directory::WORDS,
        layout::pool_word::COUNT,
        layout::plan_word::COUNT,
        layout::SCHEDULE_MAX,
        layout::STEPS_MAX,
        layout::QUOTAS_MAX,
        layout::SPLITS_MAX,
        crate::state::settings::COUNT,
        crate::state::node::WORDS,
        crate::state::guard::WORDS,
        crate::state::lease::SLOT_WORDS,
        crate::state::lease::RUN_SLOTS,
    ];
    let bytes: Vec<u8> = sizes.iter().flat_map(|&size| (size as u64).to_le_bytes()).collect();
    hash_with_seed(&bytes, LAYOUT_VERSION)
}

/// A word of the head.
pub(crate) fn at(words: &[AtomicU64], at: usize) -> &AtomicU64 {
    &words[at]
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let fixed = Fixed { max_processes: 64, max_pools: 256 };
        let words = fixed.to_words();
        assert_eq!(Fixed::from_words(&words, 1 << 30), Ok(fixed));
        assert!(matches!(Fixed::from_words(&words, 4096), Err(Unfit::Foreign(_))));
        assert!(matches!(Fixed::from_words(&[0; STATIC_WORDS], 1 << 30), Err(Unfit::Foreign(_))));
    }

    #[test]
    fn every_changed_bit_is_found() {
        let words = Fixed { max_processes: 64, max_pools: 256 }.to_words();
        for bit in 0..64 * STATIC_WORDS {
            let mut changed = words;
            changed[bit / 64] ^= 1 << (bit % 64);
            let error = Fixed::from_words(&changed, u64::MAX).unwrap_err();
            match bit / 64 {
                0 => assert!(matches!(error, Unfit::Foreign(_))),
                1 | 2 => assert!(matches!(error, Unfit::OtherVersion(_))),
                _ => assert!(matches!(error, Unfit::Damaged(_)), "{error:?}"),
            }
        }
    }

    #[test]
    fn bounds_that_are_signed_are_checked_all_the_same() {
        let mut words = Fixed { max_processes: 64, max_pools: 256 }.to_words();
        for (at, value) in [(3, 0), (3, 257), (3, u64::MAX), (4, 0), (4, 1 << 40), (5, 1)] {
            let before = words;
            words[at] = value;
            words[STATIC_WORDS - 1] = checksum(&words);
            assert!(matches!(Fixed::from_words(&words, u64::MAX), Err(Unfit::Damaged(_))), "{at} {value}");
            words = before;
        }
    }
}
