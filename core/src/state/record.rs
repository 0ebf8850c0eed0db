//! How a node is described: id, name, address, labels, and what of its policy is its own.
//!
//! Each node has two records, and its pointer counts up when the other one is in force: the lowest bit tells which. A
//! change is written into the record that is not in force and takes effect with the pointer, so that a builder that was
//! stopped or killed half through holds up nobody and leaves nothing torn.
//!
//! ```text
//! read:   p = pointer; copy from record[p & 1]; pointer ≠ p → again
//! stage:  write into record[(p + 1) & 1]
//! point:  pointer := p + 1
//! ```
//!
//! A record is written again only after the pointer has left it, so a reader that met a half-written word also meets the
//! moved pointer: as with plans, words are stored with release and loaded with acquire. A picked node's description stays
//! its own until the pick ends, because an index with anything in flight is not given to another node.

use std::ops::Range;

use super::layout::{QUOTAS_MAX, TEXT_WORDS};
use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::hash::{key_hash, label_hash};
use crate::vocabulary::limits::Limits;
use crate::vocabulary::node::NodeSpec;
use crate::vocabulary::text::{TEXT_BYTES_MAX, Text};

/// Lengths of id, name and address (8 bits each), then the number of labels (8 bits) and of label bytes (16 bits), then
/// the length of the zone (8 bits) and the number of quotas (8 bits).
const LENGTHS: usize = 0;
/// Weight (32 bits), then tier (8 bits).
const WEIGHT: usize = 1;
const MAX_IN_FLIGHT: usize = 2;
/// The hash of a dimension's name and the node's own limit in it, for each that the node has.
const QUOTAS: usize = 3;
const ID: usize = QUOTAS + 2 * QUOTAS_MAX;
const NAME: usize = ID + TEXT_WORDS;
const ADDRESS: usize = NAME + TEXT_WORDS;
const ZONE: usize = ADDRESS + TEXT_WORDS;
const ZONE_WORDS: usize = NodeSpec::ZONE_BYTES_MAX.div_ceil(8);
const LABEL_HASHES: usize = ZONE + ZONE_WORDS;

/// Words of a record.
pub(crate) fn words(limits: &Limits) -> usize {
    LABEL_HASHES + limits.max_labels as usize + label_text_words(limits)
}

/// Readings of a description that is being replaced, again and again.
const READINGS_MAX: u32 = 1 << 16;

/// Label bytes, and two length bytes a label: they are kept as length, key, length, value.
fn label_text_words(limits: &Limits) -> usize {
    (limits.max_label_bytes as usize + 4 * limits.max_labels as usize).div_ceil(8)
}

/// The description of one node.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    both: [&'a [AtomicU64]; 2],
    pointer: &'a AtomicU64,
    /// 0 for the record in force, 1 for the staged one.
    ahead: u64,
    max_labels: usize,
}

impl<'a> Record<'a> {
    pub(crate) fn new(both: [&'a [AtomicU64]; 2], pointer: &'a AtomicU64, limits: &Limits) -> Self {
        Self { both, pointer, ahead: 0, max_labels: limits.max_labels as usize }
    }

    /// The description that takes effect with the next [`point_to`](Self::point_to). For the holder of the build lease.
    pub(crate) fn staged(self) -> Self {
        Self { ahead: 1, ..self }
    }

    fn words(self, pointer: u64) -> &'a [AtomicU64] {
        self.both[(pointer.wrapping_add(self.ahead) & 1) as usize]
    }

    /// Writes a description that is not in force yet. Whether it is another than the one in force; nothing is written
    /// otherwise. For the holder of the build lease.
    pub(crate) fn stage(self, spec: &NodeSpec) -> bool {
        let pointer = self.pointer.load(Ordering::Relaxed);
        let written = Written::of(spec, self.max_labels);
        if written.is_in(self.words(pointer), self.max_labels) {
            return false;
        }
        // Releases: who reads any word of the new description finds the pointer moved on, or meant this one.
        written.store(self.staged().words(pointer), self.max_labels);
        true
    }

    /// What the pointer is when the staged description is in force.
    pub(crate) fn next_pointer(self) -> u64 {
        self.pointer.load(Ordering::Relaxed).wrapping_add(1)
    }

    /// Puts the staged description in force: the one that [`next_pointer`](Self::next_pointer) told before. For the
    /// holder of the build lease.
    pub(crate) fn point_to(self, pointer: u64) {
        self.pointer.store(pointer, Ordering::Release);
    }

    /// Changes the weight at once. For the holder of the build lease.
    pub(crate) fn set_weight(self, weight: u32) {
        let word = &self.words(self.pointer.load(Ordering::Relaxed))[WEIGHT];
        word.store(word.load(Ordering::Relaxed) & !0xFFFF_FFFF | u64::from(weight), Ordering::Release);
    }

    /// Describes another node at once. Looks at nothing that was never written.
    pub(crate) fn write(self, spec: &NodeSpec) {
        let pointer = self.pointer.load(Ordering::Relaxed);
        Written::of(spec, self.max_labels).store(self.staged().words(pointer), self.max_labels);
        self.point_to(self.next_pointer());
    }

    pub(crate) fn id(self) -> Text {
        self.text(ID, 0)
    }

    pub(crate) fn name(self) -> Text {
        self.text(NAME, 8)
    }

    pub(crate) fn address(self) -> Text {
        self.text(ADDRESS, 16)
    }

    pub(crate) fn zone(self) -> Text {
        self.read(|words| text_of(&words[ZONE..LABEL_HASHES], (lengths(words) >> 48) as usize & 0xFF))
    }

    pub(crate) fn weight(self) -> u32 {
        self.read(|words| load(words, WEIGHT) as u32)
    }

    pub(crate) fn tier(self) -> u8 {
        self.read(|words| (load(words, WEIGHT) >> 32) as u8)
    }

    /// 0: unlimited.
    pub(crate) fn max_in_flight(self) -> u32 {
        self.read(|words| load(words, MAX_IN_FLIGHT) as u32)
    }

    /// The node's own limit in a dimension, by the hash of its name.
    pub(crate) fn quota(self, dimension: u64) -> Option<u64> {
        self.read(|words| {
            let count = ((lengths(words) >> 56) as usize).min(QUOTAS_MAX);
            (0..count).map(|at| QUOTAS + 2 * at).find(|&at| load(words, at) == dimension).map(|at| load(words, at + 1))
        })
    }

    /// Whether the node has every label of `hashes`.
    pub(crate) fn has_labels(self, hashes: &[u64]) -> bool {
        self.read(|words| {
            let count = ((lengths(words) >> 24) as usize & 0xFF).min(self.max_labels);
            let own = &words[LABEL_HASHES..LABEL_HASHES + count];
            hashes.iter().all(|&h| own.iter().any(|w| w.load(Ordering::Acquire) == h))
        })
    }

    /// Keys and values in key order.
    pub(crate) fn labels(self) -> Vec<(String, String)> {
        let bytes = self.read(|words| {
            let area = &words[LABEL_HASHES + self.max_labels..];
            let mut bytes = vec![0; ((lengths(words) >> 32) as usize & 0xFFFF).min(area.len() * 8)];
            load_bytes(area, &mut bytes);
            bytes
        });
        let mut rest = bytes.as_slice();
        let mut labels = Vec::new();
        while let (Some(key), Some(value)) = (take_text(&mut rest), take_text(&mut rest)) {
            labels.push((key, value));
        }
        labels
    }

    fn text(self, at: usize, shift: u32) -> Text {
        self.read(|words| text_of(&words[at..at + TEXT_WORDS], (lengths(words) >> shift) as usize & 0xFF))
    }

    /// What `copy` makes of one description.
    #[inline]
    fn read<T>(self, copy: impl Fn(&[AtomicU64]) -> T) -> T {
        let mut pointer = self.pointer.load(Ordering::Acquire);
        for _ in 0..READINGS_MAX {
            let copied = copy(self.words(pointer));
            let now = self.pointer.load(Ordering::Acquire);
            if now == pointer {
                return copied;
            }
            pointer = now;
        }
        copy(self.words(pointer))
    }
}

fn load(words: &[AtomicU64], at: usize) -> u64 {
    words[at].load(Ordering::Acquire)
}

fn lengths(words: &[AtomicU64]) -> u64 {
    load(words, LENGTHS)
}

/// A description as it is written.
struct Written<'s> {
    head: [u64; QUOTAS + 2 * QUOTAS_MAX],
    /// How much of the head is used.
    used: usize,
    spec: &'s NodeSpec,
    hashes: Vec<u64>,
    labels: Vec<u8>,
}

impl<'s> Written<'s> {
    fn of(spec: &'s NodeSpec, max_labels: usize) -> Self {
        let mut labels = Vec::new();
        for (key, value) in spec.labels.iter().take(max_labels) {
            for text in [key, value] {
                labels.extend_from_slice(&(text.len() as u16).to_le_bytes());
                labels.extend_from_slice(text.as_bytes());
            }
        }
        let hashes: Vec<u64> = spec.labels.iter().take(max_labels).map(|(key, value)| label_hash(key, value)).collect();
        let mut head = [0; QUOTAS + 2 * QUOTAS_MAX];
        for (pair, (name, &limit)) in head[QUOTAS..].chunks_exact_mut(2).zip(&spec.quotas) {
            pair.copy_from_slice(&[key_hash(name.as_bytes()), limit]);
        }
        let quotas = spec.quotas.len().min(QUOTAS_MAX);
        head[LENGTHS] = spec.id.len().min(TEXT_BYTES_MAX) as u64
            | (spec.name.len().min(TEXT_BYTES_MAX) as u64) << 8
            | (spec.address.len().min(TEXT_BYTES_MAX) as u64) << 16
            | (hashes.len() as u64) << 24
            | (labels.len() as u64) << 32
            | (spec.zone.len().min(NodeSpec::ZONE_BYTES_MAX) as u64) << 48
            | (quotas as u64) << 56;
        head[WEIGHT] = u64::from(spec.weight) | u64::from(spec.tier) << 32;
        head[MAX_IN_FLIGHT] = u64::from(spec.max_in_flight);
        Self { head, used: QUOTAS + 2 * quotas, spec, hashes, labels }
    }

    fn texts<'w>(&'w self, words: &'w [AtomicU64], max_labels: usize) -> [(&'w [AtomicU64], &'w [u8]); 5] {
        [
            (&words[ID..NAME], self.spec.id.as_bytes()),
            (&words[NAME..ADDRESS], self.spec.name.as_bytes()),
            (&words[ADDRESS..ZONE], self.spec.address.as_bytes()),
            (&words[ZONE..LABEL_HASHES], self.spec.zone.as_bytes()),
            (&words[LABEL_HASHES + max_labels..], &self.labels),
        ]
    }

    /// Whether these words say just this. The hashes of labels follow from the labels.
    fn is_in(&self, words: &[AtomicU64], max_labels: usize) -> bool {
        words.iter().zip(&self.head[..self.used]).all(|(word, &value)| word.load(Ordering::Relaxed) == value)
            && self.texts(words, max_labels).iter().all(|(words, bytes)| holds(words, bytes))
    }

    fn store(&self, words: &[AtomicU64], max_labels: usize) {
        for (word, &value) in words.iter().zip(&self.head[..self.used]) {
            word.store(value, Ordering::Release);
        }
        for (word, &hash) in words[LABEL_HASHES..].iter().zip(&self.hashes) {
            word.store(hash, Ordering::Release);
        }
        self.texts(words, max_labels).iter().for_each(|(words, bytes)| store_bytes(words, bytes));
    }
}

fn text_of(words: &[AtomicU64], len: usize) -> Text {
    let mut bytes = [0; TEXT_WORDS * 8];
    let len = len.min(words.len() * 8).min(TEXT_BYTES_MAX);
    load_bytes(words, &mut bytes[..len.next_multiple_of(8)]);
    let mut text = Text::new();
    // A reader that was overtaken may have words of two texts, and reads again.
    if let Ok(valid) = std::str::from_utf8(&bytes[..len]) {
        text.push_str(valid);
    }
    text
}

/// Whether these words begin with `bytes`.
fn holds(words: &[AtomicU64], bytes: &[u8]) -> bool {
    words.iter().zip(bytes.chunks(8)).all(|(word, chunk)| word.load(Ordering::Relaxed).to_le_bytes().starts_with(chunk))
}

fn store_bytes(words: &[AtomicU64], bytes: &[u8]) {
    for (word, chunk) in words.iter().zip(bytes.chunks(8)) {
        let mut eight = [0; 8];
        eight[..chunk.len()].copy_from_slice(chunk);
        word.store(u64::from_le_bytes(eight), Ordering::Release);
    }
}

fn load_bytes(words: &[AtomicU64], bytes: &mut [u8]) {
    for (word, chunk) in words.iter().zip(bytes.chunks_mut(8)) {
        let eight = word.load(Ordering::Acquire).to_le_bytes();
        chunk.copy_from_slice(&eight[..chunk.len()]);
    }
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    let (len, tail) = rest.split_at_checked(2)?;
    let len = usize::from(u16::from_le_bytes([len[0], len[1]]));
    let (text, tail) = tail.split_at_checked(len)?;
    *rest = tail;
    String::from_utf8(text.to_vec()).ok()
}

/// The part of `area` that belongs to entry `index` of `size` words.
pub(crate) fn part(area: &Range<usize>, index: usize, size: usize) -> Range<usize> {
    let start = area.start + index * size;
    start..start + size
}

#[cfg(test)]
const NO_LABELS: Limits = Limits {
    max_nodes: 1,
    max_picks: 64,
    max_processes: 1,
    max_labels: 0,
    max_label_bytes: 0,
    max_table_size: 2,
    max_groups: 1,
};

#[cfg(test)]
fn at(address: &str) -> NodeSpec {
    NodeSpec { address: address.to_owned(), ..NodeSpec::new("a") }
}

/// The two records of a node and its pointer.
#[cfg(test)]
struct Owned([Vec<AtomicU64>; 2], AtomicU64);

#[cfg(test)]
impl Owned {
    fn new(limits: &Limits) -> Self {
        let words = || (0..words(limits)).map(|_| AtomicU64::new(0)).collect();
        Self([words(), words()], AtomicU64::new(0))
    }

    fn record(&self, limits: &Limits) -> Record<'_> {
        Record::new([&self.0[0], &self.0[1]], &self.1, limits)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_and_others_take_their_place() {
        let limits = Limits::default();
        let owned = Owned::new(&limits);
        let record = owned.record(&limits);
        let long = "é".repeat(127);
        let mut spec =
            NodeSpec { name: long.clone(), zone: "z".repeat(63), ..at("x:1").label("v", "1").label("w", "") };
        record.write(&spec);
        let told = |r: Record<'_>| (r.id().to_string(), r.name().to_string(), r.address().to_string(), r.zone().len());
        assert_eq!(told(record), ("a".to_owned(), long, "x:1".to_owned(), 63));
        assert_eq!(record.labels(), [("v".to_owned(), "1".to_owned()), ("w".to_owned(), String::new())]);
        spec = at("a-longer-address:1").label("v", "2");
        record.write(&spec);
        assert_eq!(told(record), ("a".to_owned(), String::new(), "a-longer-address:1".to_owned(), 0));
        assert_eq!(record.labels(), [("v".to_owned(), "2".to_owned())]);
        assert!(record.has_labels(&[label_hash("v", "2")]) && !record.has_labels(&[label_hash("w", "")]));
    }

    #[test]
    fn what_is_staged_takes_effect_with_the_pointer() {
        let limits = Limits::default();
        let owned = Owned::new(&limits);
        let record = owned.record(&limits);
        record.write(&at("x:1").weight(3).quota("rpm", 7));
        assert!(record.stage(&at("x:2").weight(5).tier(2).max_in_flight(9).quota("tpm", 8)));
        let told = |r: Record<'_>| (r.address().to_string(), r.weight(), r.tier(), r.max_in_flight());
        let quotas = |r: Record<'_>| [r.quota(key_hash(b"rpm")), r.quota(key_hash(b"tpm"))];
        assert_eq!(told(record), ("x:1".to_owned(), 3, 0, 0));
        assert_eq!((told(record.staged()), quotas(record)), (("x:2".to_owned(), 5, 2, 9), [Some(7), None]));
        record.point_to(record.next_pointer());
        assert_eq!((told(record), quotas(record)), (("x:2".to_owned(), 5, 2, 9), [None, Some(8)]));
    }

    #[test]
    fn the_same_again_writes_nothing() {
        let owned = Owned::new(&NO_LABELS);
        let record = owned.record(&NO_LABELS);
        assert!(record.stage(&at("x:1")), "there was nothing");
        record.point_to(record.next_pointer());
        assert!(!record.stage(&at("x:1")));
        for round in 0..1000 {
            let spec = at(["x:2", "x:1"][round % 2]);
            // What was staged before and never took effect is no hindrance.
            record.stage(&at("x:3"));
            record.write(&spec);
            assert_eq!(record.address().as_str(), spec.address);
        }
    }
}

/// Run with `make loom`.
#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    const OLD: &str = "old-old-old-old";
    const NEW: &str = "new-new-n";
    const NEWEST: &str = "newest-newest";

    /// Two changes under a reader, the second of which is written where the first reading began.
    fn no_text_is_of_two(read: fn(Record<'_>) -> Text) {
        loom::model(move || {
            let owned = Arc::new(Owned::new(&NO_LABELS));
            owned.record(&NO_LABELS).write(&at(OLD));
            let writer = {
                let owned = owned.clone();
                thread::spawn(move || {
                    [NEW, NEWEST].into_iter().for_each(|text| owned.record(&NO_LABELS).write(&at(text)));
                })
            };
            let text = read(owned.record(&NO_LABELS));
            assert!(matches!(text.as_str(), OLD | NEW | NEWEST), "{text}");
            writer.join().unwrap();
            assert_eq!(read(owned.record(&NO_LABELS)).as_str(), NEWEST);
        });
    }

    #[test]
    fn a_text_that_is_replaced_is_read_whole() {
        no_text_is_of_two(|record| record.address());
    }

    #[test]
    #[should_panic]
    fn mutant_that_does_not_look_again_reads_of_two() {
        no_text_is_of_two(|record| {
            let words = record.words(record.pointer.load(Ordering::Acquire));
            text_of(&words[ADDRESS..ADDRESS + TEXT_WORDS], (lengths(words) >> 16) as usize & 0xFF)
        });
    }
}
