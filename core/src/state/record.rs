//! A node's texts: id, name, address and labels, written once before the node becomes a member.
//!
//! A picked node's record stays as it is until the pick ends, because an index with anything in flight is not given to
//! another node. A reader that holds no pick compares the generation before and after copying.

use std::ops::Range;

use super::layout::TEXT_WORDS;
use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::hash::label_hash;
use crate::vocabulary::limits::Limits;
use crate::vocabulary::node::NodeSpec;
use crate::vocabulary::text::{TEXT_BYTES_MAX, Text};

/// Lengths of id, name and address (8 bits each), then the number of labels (8 bits) and of label bytes (16 bits), then
/// the length of the zone (8 bits).
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

    pub(crate) fn write(self, spec: &NodeSpec) {
        let mut labels = Vec::new();
        for (i, (key, value)) in spec.labels.iter().enumerate().take(self.max_labels) {
            self.words[LABEL_HASHES + i].store(label_hash(key, value), Ordering::Release);
            for text in [key, value] {
                labels.extend_from_slice(&(text.len() as u16).to_le_bytes());
                labels.extend_from_slice(text.as_bytes());
            }
        }
        let count = spec.labels.len().min(self.max_labels);
        store_bytes(&self.words[ID..NAME], spec.id.as_bytes());
        store_bytes(&self.words[NAME..ADDRESS], spec.name.as_bytes());
        store_bytes(&self.words[ADDRESS..ZONE], spec.address.as_bytes());
        store_bytes(&self.words[ZONE..LABEL_HASHES], spec.zone.as_bytes());
        store_bytes(&self.words[LABEL_HASHES + self.max_labels..], &labels);
        let lengths = spec.id.len().min(TEXT_BYTES_MAX) as u64
            | (spec.name.len().min(TEXT_BYTES_MAX) as u64) << 8
            | (spec.address.len().min(TEXT_BYTES_MAX) as u64) << 16
            | (count as u64) << 24
            | (labels.len() as u64) << 32
            | (spec.zone.len().min(NodeSpec::ZONE_BYTES_MAX) as u64) << 48;
        self.words[LENGTHS].store(lengths, Ordering::Release);
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
        let len = (self.lengths() >> 48) as usize & 0xFF;
        self.text_of(ZONE, ZONE_WORDS, len.min(NodeSpec::ZONE_BYTES_MAX))
    }

    /// Whether the node has every label of `hashes`.
    pub(crate) fn has_labels(self, hashes: &[u64]) -> bool {
        let count = ((self.lengths() >> 24) as usize & 0xFF).min(self.max_labels);
        let own = &self.words[LABEL_HASHES..LABEL_HASHES + count];
        hashes.iter().all(|&h| own.iter().any(|w| w.load(Ordering::Acquire) == h))
    }

    /// Keys and values in key order.
    pub(crate) fn labels(self) -> Vec<(String, String)> {
        let len = (self.lengths() >> 32) as usize & 0xFFFF;
        let area = &self.words[LABEL_HASHES + self.max_labels..];
        let mut bytes = vec![0; len.min(area.len() * 8)];
        load_bytes(area, &mut bytes);
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
        self.text_of(at, TEXT_WORDS, (self.lengths() >> shift) as usize & 0xFF)
    }

    fn text_of(self, at: usize, words: usize, len: usize) -> Text {
        let mut bytes = [0; TEXT_WORDS * 8];
        load_bytes(&self.words[at..at + words], &mut bytes[..len.next_multiple_of(8)]);
        let mut text = Text::new();
        // A record that is being replaced under a reader's eyes can be torn within a character.
        if let Ok(valid) = std::str::from_utf8(&bytes[..len]) {
            text.push_str(valid);
        }
        text
    }
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
