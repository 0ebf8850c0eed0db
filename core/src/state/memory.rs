//! A pool's arena with its layout: the words by their names.

use super::arena::Arena;
use super::layout::{LINE, Layout, pool_word};
use super::lease::Leases;
use super::node::NodeWords;
use super::record::{Record, part};
use crate::sync::AtomicU64;
use crate::vocabulary::text::Text;

pub(crate) struct Memory {
    arena: Arena,
    pub(crate) layout: Layout,
}

impl Memory {
    pub(crate) fn private(layout: Layout) -> std::io::Result<Self> {
        Ok(Self { arena: Arena::private(layout.size)?, layout })
    }

    /// A word of the whole pool, by its place in [`pool_word`].
    #[inline(always)]
    pub(crate) fn pool(&self, word: usize) -> &AtomicU64 {
        debug_assert!(word < pool_word::COUNT);
        &self.arena.words()[word]
    }

    /// The words of plan slot `slot & 1`.
    #[inline(always)]
    pub(crate) fn plan(&self, slot: u64) -> &[AtomicU64] {
        let start = self.layout.plans[(slot & 1) as usize];
        &self.arena.words()[start..start + self.layout.plan.size]
    }

    /// The hot words of a node. Indices come bounded or from memory; those beyond the last node are taken as the last.
    #[inline(always)]
    pub(crate) fn node(&self, index: usize) -> NodeWords<'_> {
        let size = self.layout.node_words;
        let index = index.min(self.nodes_max() - 1);
        let start = self.layout.nodes.start + index * size;
        NodeWords(&self.arena.words()[start..start + size])
    }

    #[inline(always)]
    pub(crate) fn nodes_max(&self) -> usize {
        self.layout.limits.max_nodes as usize
    }

    pub(crate) fn record(&self, index: usize) -> Record<'_> {
        let index = index.min(self.nodes_max() - 1);
        Record::new(
            &self.arena.words()[part(&self.layout.records, index, self.layout.record_words)],
            &self.layout.limits,
        )
    }

    #[inline(always)]
    pub(crate) fn leases(&self) -> Leases<'_> {
        let words = self.arena.words();
        Leases {
            runs: &words[self.layout.runs.clone()],
            slots: &words[self.layout.slots.clone()],
            runs_used: &words[pool_word::RUNS_USED],
        }
    }

    /// In flight over the whole pool, for policies that bound it: the row of process `process`.
    #[inline(always)]
    pub(crate) fn total_row(&self, process: usize) -> &AtomicU64 {
        &self.arena.words()[self.layout.processes.start + process * LINE]
    }

    /// In flight of a node over all processes.
    #[inline(always)]
    pub(crate) fn in_flight(&self, index: usize) -> u64 {
        self.node(index).in_flight(self.layout.limits.max_processes as usize)
    }

    /// In flight over the whole pool, as far as it was counted.
    pub(crate) fn total_in_flight(&self) -> u64 {
        let processes = self.layout.limits.max_processes as usize;
        (0..processes).fold(0, |sum, p| sum.wrapping_add(self.total_row(p).load(crate::sync::Ordering::SeqCst)))
    }

    /// A text of node `index` while it is of `generation`, else empty.
    pub(crate) fn text(&self, index: usize, generation: u32, read: impl Fn(Record<'_>) -> Text) -> Text {
        let text = read(self.record(index));
        if self.node(index).state().generation() == generation { text } else { Text::new() }
    }
}
