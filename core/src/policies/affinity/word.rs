//! The two words of an entry.

use crate::vocabulary::node::NodeRef;
use crate::vocabulary::time::Nanos;

pub(super) const UNIT_SHIFT: u32 = 26;
pub(super) const TIME_MASK: u32 = (1 << 28) - 1;

/// Key and node: tag (40), index (16), low generation (8). Never 0, which is an empty entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(pub(super) u64);

impl Place {
    pub(super) fn new(tag: u64, node: NodeRef) -> Self {
        Self(tag << 24 | u64::from(node.index & 0xFFFF) << 8 | u64::from(node.generation & 0xFF))
    }

    /// The part of a hash that is kept here. The set is found by the other end of the hash.
    pub(super) fn tag_of(key_hash: u64) -> u64 {
        (key_hash & ((1 << 40) - 1)).max(1)
    }

    pub(super) fn tag(self) -> u64 {
        self.0 >> 24
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// More of the tag (12), time (28), high generation (24).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Detail(pub(super) u64);

impl Detail {
    pub(super) fn new(more: u64, time: u32, node: NodeRef) -> Self {
        Self(more << 52 | u64::from(time & TIME_MASK) << 24 | u64::from(node.generation >> 8))
    }

    pub(super) fn more_of(key_hash: u64) -> u64 {
        key_hash >> 40 & 0xFFF
    }

    pub(super) fn more(self) -> u64 {
        self.0 >> 52
    }

    pub(super) fn stamped(self, time: u32) -> Self {
        Self(self.0 & !(u64::from(TIME_MASK) << 24) | u64::from(time & TIME_MASK) << 24)
    }

    /// Units since the last use; negative if that is ahead of the clock.
    pub(super) fn age(self, time: u32) -> i32 {
        (time.wrapping_sub((self.0 >> 24) as u32) << 4) as i32 >> 4
    }
}

pub(super) fn node_of(place: Place, detail: Detail) -> NodeRef {
    NodeRef {
        index: (place.0 >> 8) as u32 & 0xFFFF,
        generation: (detail.0 as u32 & 0xFF_FFFF) << 8 | place.0 as u32 & 0xFF,
    }
}

pub(super) fn time_of(now_ns: Nanos) -> u32 {
    (now_ns >> UNIT_SHIFT) as u32 & TIME_MASK
}
