//! Which pools a segment has, and where: an entry each, written before it is made known, so that no process meets half of
//! one.
//!
//! ```text
//! free → making → there → leaving → free
//! ```
//!
//! Whoever has the segment's lease makes and takes out pools. A pool that is taken out leaves when no process has it
//! mapped any more; its place is then given to the next one that fits. Whoever takes the lease of somebody that is gone
//! frees what was being made.

use crate::state::layout::{LINE, Shape, TEXT_WORDS};
use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::hash::hash_with_seed;
use crate::vocabulary::limits::Limits;

/// Words of an entry.
pub(crate) const WORDS: usize = 4 * LINE;

const STATE: usize = 0;
const OFFSET: usize = 1;
const SIZE: usize = 2;
const CHECKSUM: usize = 3;
const SHAPE: usize = 4;
const NAME: usize = SHAPE + SHAPE_WORDS;
const NAME_LENGTH: usize = NAME + TEXT_WORDS;
const SHAPE_WORDS: usize = 10;

const _: () = assert!(NAME_LENGTH < WORDS);

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Free,
    Making,
    There,
    Leaving,
}

fn words_of(shape: &Shape) -> [u64; SHAPE_WORDS] {
    let Limits { max_nodes, max_picks, max_processes, max_labels, max_label_bytes, max_table_size, max_groups } =
        shape.limits;
    let two = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    let mut words = [0; SHAPE_WORDS];
    words[..7].copy_from_slice(&[
        two(max_nodes, max_picks),
        two(max_processes, max_labels),
        two(max_label_bytes, max_table_size),
        two(max_groups, shape.ring_points),
        u64::from(shape.affinity_entries),
        u64::from(shape.seed.is_some()),
        shape.seed.unwrap_or(0),
    ]);
    words
}

fn shape_of(words: &[u64]) -> Shape {
    let low = |at: usize| words[at] as u32;
    let high = |at: usize| (words[at] >> 32) as u32;
    Shape {
        limits: Limits {
            max_nodes: low(0),
            max_picks: high(0),
            max_processes: low(1),
            max_labels: high(1),
            max_label_bytes: low(2),
            max_table_size: high(2),
            max_groups: low(3),
        },
        ring_points: high(3),
        affinity_entries: low(4),
        seed: (words[5] != 0).then_some(words[6]),
    }
}

/// Where a pool is, and what it looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    /// In bytes, from the beginning of the file.
    pub(crate) offset: u64,
    /// What is reserved for it, in bytes.
    pub(crate) size: u64,
}

/// One entry.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    words: &'a [AtomicU64],
    pub(crate) index: usize,
}

/// All entries.
pub(crate) fn entries(words: &[AtomicU64]) -> impl Iterator<Item = Entry<'_>> {
    words.chunks_exact(WORDS).enumerate().map(|(index, words)| Entry { words, index })
}

impl Entry<'_> {
    /// What becomes of the entry, and which life of it this is: another pool in its place has another number.
    pub(crate) fn state(self) -> (Phase, u64) {
        let state = self.words[STATE].load(Ordering::SeqCst);
        let phase = match state & 0xFF {
            1 => Phase::Making,
            2 => Phase::There,
            3 => Phase::Leaving,
            _ => Phase::Free,
        };
        (phase, state >> 8)
    }

    /// For the holder of the segment's lease.
    pub(crate) fn set_phase(self, phase: Phase) {
        let life = self.state().1 + u64::from(phase == Phase::Making);
        self.words[STATE].store(life << 8 | phase as u64, Ordering::SeqCst);
    }

    /// Writes down a pool that is being made. For the holder of the segment's lease.
    pub(crate) fn describe(self, pool: &Described) {
        let mut values = [0; WORDS];
        values[OFFSET] = pool.offset;
        values[SIZE] = pool.size;
        values[SHAPE..SHAPE + SHAPE_WORDS].copy_from_slice(&words_of(&pool.shape));
        for (value, chunk) in values[NAME..NAME + TEXT_WORDS].iter_mut().zip(pool.name.as_bytes().chunks(8)) {
            let mut eight = [0; 8];
            eight[..chunk.len()].copy_from_slice(chunk);
            *value = u64::from_le_bytes(eight);
        }
        values[NAME_LENGTH] = pool.name.len().min(TEXT_WORDS * 8) as u64;
        values[CHECKSUM] = checksum(&values);
        for (word, value) in self.words[STATE + 1..].iter().zip(&values[STATE + 1..]) {
            word.store(*value, Ordering::Release);
        }
    }

    /// `None` if it is not as it was written.
    pub(crate) fn described(self) -> Option<Described> {
        let mut values = [0; WORDS];
        for (value, word) in values[STATE + 1..].iter_mut().zip(&self.words[STATE + 1..]) {
            *value = word.load(Ordering::Acquire);
        }
        if values[CHECKSUM] != checksum(&values) {
            return None;
        }
        let bytes: Vec<u8> = values[NAME..NAME + TEXT_WORDS].iter().flat_map(|word| word.to_le_bytes()).collect();
        let name = bytes.get(..usize::try_from(values[NAME_LENGTH]).ok()?)?;
        Some(Described {
            name: String::from_utf8(name.to_vec()).ok()?,
            shape: shape_of(&values[SHAPE..SHAPE + SHAPE_WORDS]),
            offset: values[OFFSET],
            size: values[SIZE],
        })
    }
}

/// Of all but the state and the checksum itself.
fn checksum(values: &[u64; WORDS]) -> u64 {
    let signed = values.iter().enumerate().filter(|(at, _)| ![STATE, CHECKSUM].contains(at));
    let bytes: Vec<u8> = signed.flat_map(|(_, value)| value.to_le_bytes()).collect();
    hash_with_seed(&bytes, WORDS as u64)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn pool(name: &str) -> Described {
        let limits = Limits { max_nodes: 7, max_processes: 64, max_groups: 3, ..Limits::default() };
        let shape = Shape { limits, ring_points: 512, affinity_entries: 1000, seed: Some(9) };
        Described { name: name.to_owned(), shape, offset: 4096, size: 1 << 40 }
    }

    #[test]
    fn a_pool_comes_back_as_it_was_described() {
        let words: Vec<AtomicU64> = (0..2 * WORDS).map(|_| AtomicU64::new(0)).collect();
        let entry = entries(&words).nth(1).unwrap();
        assert_eq!((entry.state(), entry.described()), ((Phase::Free, 0), None));
        entry.set_phase(Phase::Making);
        for name in ["x".repeat(63), "api".to_owned()] {
            entry.describe(&pool(&name));
            assert_eq!(entry.described(), Some(pool(&name)));
        }
        entry.set_phase(Phase::There);
        assert_eq!(entry.state(), (Phase::There, 1));
        entry.set_phase(Phase::Leaving);
        entry.set_phase(Phase::Free);
        entry.set_phase(Phase::Making);
        assert_eq!(entry.state(), (Phase::Making, 2), "another life");
    }

    #[test]
    fn an_entry_that_was_damaged_is_none() {
        let words: Vec<AtomicU64> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
        let entry = entries(&words).next().unwrap();
        entry.describe(&pool("api"));
        for bit in 64..64 * WORDS {
            words[bit / 64].fetch_xor(1 << (bit % 64), Ordering::Relaxed);
            assert_eq!(entry.described(), None, "bit {bit}");
            words[bit / 64].fetch_xor(1 << (bit % 64), Ordering::Relaxed);
        }
        assert_eq!(entry.described(), Some(pool("api")));
    }
}
