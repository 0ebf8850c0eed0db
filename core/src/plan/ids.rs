//! From an id to its node: open addressing over the ids' hashes, part of the plan, so that it changes with it.

use crate::vocabulary::hash::key_hash;

/// The table for nodes with id hashes: entries are a node's index plus one, 0 is free. Its length is a power of two.
pub(crate) fn build(nodes: &[(u16, u64)]) -> Vec<u32> {
    let len = (nodes.len() * 2).next_power_of_two().max(2);
    let mut table = vec![0u32; len];
    for &(node, hash) in nodes {
        let mut at = hash as usize & (len - 1);
        while table[at] != 0 {
            at = (at + 1) & (len - 1);
        }
        table[at] = u32::from(node) + 1;
    }
    table
}

/// The node of `id`, if `is(node, hash)` says that it is.
pub(crate) fn find(
    id: &str,
    mask: usize,
    entry: impl Fn(usize) -> u32,
    is: impl Fn(usize, u64) -> bool,
) -> Option<usize> {
    let hash = key_hash(id.as_bytes());
    let mut at = hash as usize & mask;
    // A table is at most half full; the bound is for one that is being replaced.
    for _ in 0..=mask {
        let node = (entry(at) as usize).checked_sub(1)?;
        if is(node, hash) {
            return Some(node);
        }
        at = (at + 1) & mask;
    }
    None
}
