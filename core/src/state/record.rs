//! A node's texts: id, name, address and labels, written once before the node becomes a member.
//!
//! A picked node's record stays as it is until the pick ends, because an index with anything in flight is not given to
//! another node. A reader that holds no pick compares the generation before and after copying. The texts of a node that
//! stays may be replaced while it is read, so they carry a version, which is odd meanwhile; readers read again.

use std::ops::Range;

use super::layout::TEXT_WORDS;
use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::hash::label_hash;
use crate::vocabulary::limits::Limits;
use crate::vocabulary::node::NodeSpec;
use crate::vocabulary::text::{TEXT_BYTES_MAX, Text};

/// Lengths of id, name and address (8 bits each), then the number of labels (8 bits) and of label bytes (16 bits), then
/// the length of the zone (8 bits), then the version (8 bits).
const LENGTHS: usize = 0;
const ID: usize = 1;
const NAME: usize = ID + TEXT_WORDS;
const ADDRESS: usize = NAME + TEXT_WORDS;
const ZONE: usize = ADDRESS + TEXT_WORDS;
const ZONE_WORDS: usize = NodeSpec::ZONE_BYTES_MAX.div_ceil(8);
const LABEL_HASHES: usize = ZONE + ZONE_WORDS;

/// Words of a record.
pub(crate) fn words(limits: &Limits) -> usize {
    LABEL_HASHES + limits.max_labels as usize + label_text_words(limits)
}

/// What the version counts by.
const VERSION: u64 = 1 << 56;
/// Readings of a text that is being replaced. Who replaces it is done in a microsecond, unless its process was killed.
const READINGS_MAX: u32 = 1 << 16;

/// Label bytes, and two length bytes a label: they are kept as length, key, length, value.
fn label_text_words(limits: &Limits) -> usize {
    (limits.max_label_bytes as usize + 4 * limits.max_labels as usize).div_ceil(8)
}

/// The texts of one node.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    words: &'a [AtomicU64],
    max_labels: usize,
}

impl<'a> Record<'a> {
    pub(crate) fn new(words: &'a [AtomicU64], limits: &Limits) -> Self {
        Self { words, max_labels: limits.max_labels as usize }
    }

    /// For the holder of the build lease. Writes nothing if nothing is different.
    pub(crate) fn write(self, spec: &NodeSpec) {
        let mut labels = Vec::new();
        for (key, value) in spec.labels.iter().take(self.max_labels) {
            for text in [key, value] {
                labels.extend_from_slice(&(text.len() as u16).to_le_bytes());
                labels.extend_from_slice(text.as_bytes());
            }
        }
        let hashes = spec.labels.iter().take(self.max_labels).map(|(key, value)| label_hash(key, value));
        let count = spec.labels.len().min(self.max_labels);
        let lengths = spec.id.len().min(TEXT_BYTES_MAX) as u64
            | (spec.name.len().min(TEXT_BYTES_MAX) as u64) << 8
            | (spec.address.len().min(TEXT_BYTES_MAX) as u64) << 16
            | (count as u64) << 24
            | (labels.len() as u64) << 32
            | (spec.zone.len().min(NodeSpec::ZONE_BYTES_MAX) as u64) << 48;
        let texts: [(&[AtomicU64], &[u8]); 5] = [
            (&self.words[ID..NAME], spec.id.as_bytes()),
            (&self.words[NAME..ADDRESS], spec.name.as_bytes()),
            (&self.words[ADDRESS..ZONE], spec.address.as_bytes()),
            (&self.words[ZONE..LABEL_HASHES], spec.zone.as_bytes()),
            (&self.words[LABEL_HASHES + self.max_labels..], &labels),
        ];
        let before = self.lengths();
        let same = before & (VERSION - 1) == lengths && texts.iter().all(|(words, bytes)| holds(words, bytes));
        if same && before & VERSION == 0 {
            return;
        }
        let writing = before | VERSION;
        self.words[LENGTHS].store(writing, Ordering::Relaxed);
        // Releases: who reads any word of the new texts finds the version odd, or that of the new texts, afterwards.
        for (word, hash) in self.words[LABEL_HASHES..].iter().zip(hashes) {
            word.store(hash, Ordering::Release);
        }
        texts.iter().for_each(|(words, bytes)| store_bytes(words, bytes));
        let version = (writing & !(VERSION - 1)).wrapping_add(VERSION);
        self.words[LENGTHS].store(version | lengths, Ordering::Release);
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
        self.read(|lengths| text_of(&self.words[ZONE..LABEL_HASHES], (lengths >> 48) as usize & 0xFF))
    }

    /// Whether the node has every label of `hashes`.
    pub(crate) fn has_labels(self, hashes: &[u64]) -> bool {
        let count = ((self.lengths() >> 24) as usize & 0xFF).min(self.max_labels);
        let own = &self.words[LABEL_HASHES..LABEL_HASHES + count];
        hashes.iter().all(|&h| own.iter().any(|w| w.load(Ordering::Acquire) == h))
    }

    /// Keys and values in key order.
    pub(crate) fn labels(self) -> Vec<(String, String)> {
        let area = &self.words[LABEL_HASHES + self.max_labels..];
        let bytes = self.read(|lengths| {
            let mut bytes = vec![0; ((lengths >> 32) as usize & 0xFFFF).min(area.len() * 8)];
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

    fn lengths(self) -> u64 {
        self.words[LENGTHS].load(Ordering::Acquire)
    }

    fn text(self, at: usize, shift: u32) -> Text {
        self.read(|lengths| text_of(&self.words[at..at + TEXT_WORDS], (lengths >> shift) as usize & 0xFF))
    }

    /// What `copy` makes of texts that belong together, given their lengths.
    #[inline]
    fn read<T>(self, copy: impl Fn(u64) -> T) -> T {
        let mut before = self.lengths();
        for _ in 0..READINGS_MAX {
            let copied = copy(before);
            let after = self.lengths();
            if before == after && before & VERSION == 0 {
                return copied;
            }
            wait_a_little();
            before = after;
        }
        copy(before)
    }
}

#[cfg(not(loom))]
fn wait_a_little() {
    std::hint::spin_loop();
}

#[cfg(loom)]
fn wait_a_little() {
    loom::thread::yield_now();
}

fn text_of(words: &[AtomicU64], len: usize) -> Text {
    let mut bytes = [0; TEXT_WORDS * 8];
    let len = len.min(words.len() * 8).min(TEXT_BYTES_MAX);
    load_bytes(words, &mut bytes[..len.next_multiple_of(8)]);
    let mut text = Text::new();
    // Whoever was killed while writing has left it torn, maybe within a character.
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn record_words(limits: &Limits) -> Vec<AtomicU64> {
        (0..words(limits)).map(|_| AtomicU64::new(0)).collect()
    }

    #[test]
    fn texts_come_back_and_others_take_their_place() {
        let limits = Limits::default();
        let words = record_words(&limits);
        let record = Record::new(&words, &limits);
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
    fn the_same_again_writes_nothing() {
        let words = record_words(&NO_LABELS);
        let record = Record::new(&words, &NO_LABELS);
        let version = || record.lengths() / VERSION;
        record.write(&at("x:1"));
        assert_eq!(version(), 2);
        record.write(&at("x:1"));
        assert_eq!(version(), 2);
        for round in 0..1000 {
            record.write(&at(["x:2", "x:1"][round % 2]));
            assert_eq!(version() % 2, 0);
        }
        // Somebody was killed while writing.
        words[LENGTHS].fetch_or(VERSION, Ordering::Relaxed);
        assert_eq!(record.address().as_str(), "x:1", "as well as it can be");
        record.write(&at("x:1"));
        assert_eq!(version() % 2, 0);
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

    fn no_text_is_of_both(read: fn(Record<'_>) -> Text) {
        loom::model(move || {
            let words: Arc<Vec<AtomicU64>> = Arc::new((0..words(&NO_LABELS)).map(|_| AtomicU64::new(0)).collect());
            Record::new(&words, &NO_LABELS).write(&at(OLD));
            let writer = {
                let words = words.clone();
                thread::spawn(move || Record::new(&words, &NO_LABELS).write(&at(NEW)))
            };
            let text = read(Record::new(&words, &NO_LABELS));
            assert!(matches!(text.as_str(), OLD | NEW), "{text}");
            writer.join().unwrap();
            assert_eq!(read(Record::new(&words, &NO_LABELS)).as_str(), NEW);
        });
    }

    #[test]
    fn a_text_that_is_replaced_is_read_whole() {
        no_text_is_of_both(|record| record.address());
    }

    #[test]
    #[should_panic(expected = "old")]
    fn the_model_sees_a_reader_that_does_not_look_again() {
        no_text_is_of_both(|record| {
            text_of(&record.words[ADDRESS..ADDRESS + TEXT_WORDS], (record.lengths() >> 16) as usize & 0xFF)
        });
    }
}
