//! A pool's arena with its layout: the words by their names.

use std::sync::atomic::AtomicU64 as LocalU64;

use super::arena::{Arena, Fixed, Line, Packed16, Packed32, Region, Table, sum_of_low_halves};
use super::commit::Reserve;
use super::guard::{self, Guard};
use super::index::{self, Index};
use super::layout::{LINE, Layout, PlanLayout, plan_word, pool_word};
use super::lease::Leases;
use super::node::{self, NodeWords, row};
use super::record::{Record, part};
use super::rows::{LINE_ROWS, RowsUsed};
use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::text::Text;

pub(crate) struct Memory {
    pub(crate) layout: Layout,
    pool: Fixed<{ pool_word::COUNT }>,
    totals: Region,
    runs: Region,
    slots: Region,
    nodes: Table<{ node::WORDS }>,
    /// Lines of rows, in a shared memory.
    rows: Option<Table<LINE_ROWS>>,
    records: [Region; 2],
    guards: Region,
    index: [Region; 3],
    cursors: Region,
    groups: [Region; 2],
    quotas: Region,
    reservations: Region,
    affinity: Region,
    latencies: Region,
    node_latencies: Region,
    /// Texts of the configuration, empty in a private memory.
    configs: [Region; 2],
    /// The tables of all members.
    plans: [PlanWords; 2],
    /// Those of the further groups.
    group_plans: [Vec<PlanWords>; 2],
    /// Pools of this process through which somebody wants to hear of every selection.
    watchers: LocalU64,
    /// Reserves pages; a private memory needs none.
    pub(crate) reserve: Option<Reserve>,
    /// Last, so that it outlives the regions.
    _arena: Arena,
}

/// A plan slot's regions.
pub(crate) struct PlanWords {
    header: Fixed<{ plan_word::COUNT }>,
    members: Region,
    fit: Region,
    by_id: Region,
    alias: Region,
    schedule: Region,
    maglev: Region,
    ring: Region,
    ring_buckets: Region,
    ids: Region,
}

impl Memory {
    pub(crate) fn private(layout: Layout) -> std::io::Result<Self> {
        let arena = Arena::private(layout.size)?;
        Ok(Self::over(arena, layout, None))
    }

    /// Over an arena that is as large as the layout.
    pub(crate) fn over(arena: Arena, layout: Layout, reserve: Option<Reserve>) -> Self {
        let at = |range: &std::ops::Range<usize>| arena.region(range.clone());
        let tables = |plan: &PlanLayout| PlanWords {
            header: arena.fixed(plan.header.clone()),
            members: at(&plan.members),
            fit: at(&plan.fit),
            by_id: at(&plan.by_id),
            alias: at(&plan.alias),
            schedule: at(&plan.schedule),
            maglev: at(&plan.maglev),
            ring: at(&plan.ring),
            ring_buckets: at(&plan.ring_buckets),
            ids: at(&plan.ids),
        };
        Self {
            pool: arena.fixed(0..pool_word::COUNT),
            totals: at(&layout.totals),
            runs: at(&layout.runs),
            slots: at(&layout.slots),
            nodes: arena.table(layout.nodes.clone()),
            rows: (!layout.rows.is_empty()).then(|| arena.table(layout.rows.clone())),
            records: layout.records.each_ref().map(at),
            guards: at(&layout.guards),
            index: layout.index.each_ref().map(at),
            cursors: at(&layout.cursors),
            groups: layout.groups.each_ref().map(at),
            quotas: at(&layout.quotas),
            reservations: at(&layout.reservations),
            affinity: at(&layout.affinity),
            latencies: at(&layout.latencies),
            node_latencies: at(&layout.node_latencies),
            configs: layout.configs.each_ref().map(at),
            plans: layout.plans.each_ref().map(|groups| tables(&groups[0])),
            group_plans: layout.plans.each_ref().map(|groups| groups[1..].iter().map(tables).collect()),
            layout,
            watchers: LocalU64::new(0),
            reserve,
            _arena: arena,
        }
    }

    /// Counts a pool of this process through which somebody wants to hear of every selection, or counts it off.
    pub(crate) fn count_watcher(&self, watches: bool) {
        match watches {
            true => self.watchers.fetch_add(1, Ordering::SeqCst),
            false => self.watchers.fetch_sub(1, Ordering::SeqCst),
        };
    }

    pub(crate) fn has_watchers(&self) -> bool {
        self.watchers.load(Ordering::SeqCst) != 0
    }

    /// Where the text of configuration `number` is, in a shared memory.
    pub(crate) fn config(&self, number: u64) -> Option<&[AtomicU64]> {
        Some(self.configs[(number & 1) as usize].words()).filter(|words| !words.is_empty())
    }

    /// A word of the whole pool, by its place in [`pool_word`].
    #[inline(always)]
    pub(crate) fn pool(&self, word: usize) -> &AtomicU64 {
        &self.pool.words()[word]
    }

    #[inline(always)]
    pub(crate) fn plan(&self, generation: u64) -> &PlanWords {
        &self.plans[(generation & 1) as usize]
    }

    /// The tables of a group; 0 has all members.
    #[inline(always)]
    pub(crate) fn group(&self, generation: u64, group: usize) -> &PlanWords {
        match group.checked_sub(1) {
            None => self.plan(generation),
            Some(further) => {
                let plans = &self.group_plans[(generation & 1) as usize];
                &plans[further.min(plans.len() - 1)]
            }
        }
    }

    /// Tier (8 bits) and zone of each group.
    #[inline(always)]
    pub(crate) fn groups(&self, generation: u64) -> &[AtomicU64] {
        self.groups[(generation & 1) as usize].words()
    }

    /// The cursor of a group's round robins.
    #[inline(always)]
    pub(crate) fn cursor(&self, group: usize) -> &AtomicU64 {
        match group {
            0 => self.pool(pool_word::CURSOR),
            _ => &self.cursors.words()[group * LINE % self.cursors.words().len()],
        }
    }

    /// A run of words of the whole pool.
    pub(crate) fn pool_words(&self, from: usize, to: usize) -> &[AtomicU64] {
        &self.pool.words()[from..to]
    }

    #[inline(always)]
    pub(crate) fn nodes(&self) -> Table<{ node::WORDS }> {
        self.nodes
    }

    /// The hot words of a node. Indices come bounded or from memory; any number leads to some node's words.
    #[inline(always)]
    pub(crate) fn node(&self, index: usize) -> NodeWords<'_> {
        NodeWords(self.nodes.block(index))
    }

    #[inline(always)]
    pub(crate) fn nodes_max(&self) -> usize {
        self.layout.limits.max_nodes as usize
    }

    /// The in-flight count of a node that only process `process` writes.
    #[inline(always)]
    pub(crate) fn row(&self, index: usize, process: usize) -> &AtomicU64 {
        match &self.rows {
            None => self.node(index).own_row(),
            Some(rows) => &self.line(rows, index, process / LINE_ROWS)[process % LINE_ROWS],
        }
    }

    /// Rows of eight processes on a node.
    #[inline(always)]
    fn line<'m>(&self, rows: &'m Table<LINE_ROWS>, index: usize, line: usize) -> &'m Line {
        rows.block(line * self.layout.node_blocks + index)
    }

    /// Whether there may be several processes.
    #[inline(always)]
    pub(crate) fn is_shared(&self) -> bool {
        self.rows.is_some()
    }

    /// In flight of a node over all processes.
    #[inline(always)]
    pub(crate) fn in_flight(&self, index: usize) -> u64 {
        match &self.rows {
            None => row::in_flight(self.node(index).own_row().load(Ordering::SeqCst)),
            Some(rows) => self.sum(rows, index, self.rows_used().count()),
        }
    }

    /// Whether node `b` has fewer in flight than node `a`.
    #[inline(always)]
    pub(crate) fn has_fewer_in_flight(&self, b: usize, a: usize) -> bool {
        match &self.rows {
            None => self.in_flight(b) < self.in_flight(a),
            Some(rows) => self.has_fewer_in_rows(rows, b, a),
        }
    }

    /// Not inlined: who has no rows makes two loads here, and should keep its registers.
    #[inline(never)]
    fn has_fewer_in_rows(&self, rows: &Table<LINE_ROWS>, b: usize, a: usize) -> bool {
        let used = self.rows_used().count();
        self.sum(rows, b, used) < self.sum(rows, a, used)
    }

    /// In flight of a node in the first `used` rows. Those beside them in their line are free, and have nothing in flight.
    #[inline(always)]
    fn sum(&self, rows: &Table<LINE_ROWS>, index: usize, used: usize) -> u64 {
        let near = sum_of_low_halves(self.line(rows, index, 0));
        if used <= LINE_ROWS { near } else { near.wrapping_add(self.sum_of_further(rows, index, used)) }
    }

    #[inline(never)]
    fn sum_of_further(&self, rows: &Table<LINE_ROWS>, index: usize, used: usize) -> u64 {
        let lines = (1..used.div_ceil(LINE_ROWS)).map(|line| self.line(rows, index, line));
        lines.map(sum_of_low_halves).fold(0, u64::wrapping_add)
    }

    /// In flight of a node in one process.
    pub(crate) fn in_flight_of(&self, index: usize, process: usize) -> u64 {
        if process < self.rows_ever() { row::in_flight(self.row(index, process).load(Ordering::SeqCst)) } else { 0 }
    }

    #[inline(always)]
    pub(crate) fn rows_used(&self) -> RowsUsed<'_> {
        RowsUsed(self.pool(pool_word::ROWS_USED))
    }

    /// Picks of a node that have ended, over all processes; wraps at 2³².
    pub(crate) fn finished(&self, index: usize) -> u32 {
        self.all_rows(index).fold(0, |sum, r| sum.wrapping_add(row::finished(r.load(Ordering::Relaxed))))
    }

    /// Takes the count of ended picks back to 0, for another node at the index. What is in flight stays.
    pub(crate) fn forget_finished(&self, index: usize) {
        for r in self.all_rows(index) {
            let counted = r.load(Ordering::Relaxed);
            r.fetch_sub(counted & !0xFFFF_FFFF, Ordering::Relaxed);
        }
    }

    /// Whether nothing is in flight on a node, and no pick by an older plan can come to be: see `Generation::is_still`.
    pub(crate) fn is_settled(&self, index: usize) -> bool {
        self.all_rows(index).all(|r| row::in_flight(settled(r)) == 0)
    }

    /// Hints of who has the least in flight.
    #[inline(always)]
    pub(crate) fn index(&self) -> Index<'_> {
        let [leaves, blocks, groups] = &self.index;
        Index { leaves: leaves.words(), blocks: blocks.words(), groups: groups.words() }
    }

    /// What the index should say of a node that takes picks whose health `mask` allows: read in the order of its changes.
    #[inline(always)]
    pub(crate) fn room(&self, node: usize, mask: u64) -> u64 {
        if self.node(node).settled_state().fit(mask) { index::room(self.in_flight(node)) } else { 0 }
    }

    /// One past the highest row that ever was in use.
    pub(crate) fn rows_ever(&self) -> usize {
        let max = self.layout.limits.max_processes as usize;
        if self.is_shared() { self.rows_used().ever().min(max) } else { 1 }
    }

    /// Every row that ever was in use.
    fn all_rows(&self, index: usize) -> impl Iterator<Item = &AtomicU64> {
        (0..self.rows_ever()).map(move |process| self.row(index, process))
    }

    pub(crate) fn record(&self, index: usize) -> Record<'_> {
        let index = index.min(self.nodes_max() - 1);
        let part = part(&(0..0), index, self.layout.record_words);
        let both = self.records.each_ref().map(|records| &records.words()[part.clone()]);
        Record::new(both, self.node(index).record(), &self.layout.limits)
    }

    /// What keeps the node's traffic safe.
    pub(crate) fn guard(&self, index: usize) -> Guard<'_> {
        Guard(slice_of(&self.guards, index, guard::WORDS))
    }

    pub(crate) fn quotas(&self, index: usize) -> &[AtomicU64] {
        slice_of(&self.quotas, index, self.layout.sizes.quota_words)
    }

    /// What the open lease in slot `slot` has reserved.
    pub(crate) fn reservation(&self, slot: usize) -> &[AtomicU64] {
        slice_of(&self.reservations, slot, self.layout.sizes.reservation_words)
    }

    pub(crate) fn affinity(&self) -> &[AtomicU64] {
        self.affinity.words()
    }

    pub(crate) fn latencies(&self) -> &[AtomicU64] {
        self.latencies.words()
    }

    pub(crate) fn node_latencies(&self, index: usize) -> &[AtomicU64] {
        slice_of(&self.node_latencies, index, self.layout.sizes.node_latency_words)
    }

    #[inline(always)]
    pub(crate) fn leases(&self) -> Leases<'_> {
        Leases { runs: self.runs.words(), slots: self.slots.words(), runs_used: self.pool(pool_word::RUNS_USED) }
    }

    /// In flight over the whole pool, for policies that bound it: the row of process `process`.
    #[inline(always)]
    pub(crate) fn total_row(&self, process: usize) -> &AtomicU64 {
        &self.totals.words()[process * LINE]
    }

    /// In flight over the whole pool, as far as it was counted.
    #[inline(always)]
    pub(crate) fn total_in_flight(&self) -> u64 {
        let first = self.total_row(0).load(Ordering::SeqCst);
        if !self.is_shared() {
            return first;
        }
        let rows = self.totals.words().iter().step_by(LINE).take(self.rows_used().count());
        let further = rows.skip(1).map(|row| row.load(Ordering::SeqCst));
        further.fold(first, u64::wrapping_add)
    }

    /// A text of node `index` while it is of `generation`, else empty.
    pub(crate) fn text(&self, index: usize, generation: u32, read: impl Fn(Record<'_>) -> Text) -> Text {
        let text = read(self.record(index));
        if self.node(index).state().generation() == generation { text } else { Text::new() }
    }
}

/// Entry `index` of `size` words, the last one for any that is out of range.
fn slice_of(region: &Region, index: usize, size: usize) -> &[AtomicU64] {
    let words = region.words();
    let index = index.min((words.len() / size.max(1)).saturating_sub(1));
    words.get(index * size..(index + 1) * size).unwrap_or_default()
}

/// A row's count, read in the order of its changes.
pub(crate) fn settled(row: &AtomicU64) -> u64 {
    row.fetch_add(0, Ordering::AcqRel)
}

impl PlanWords {
    #[inline(always)]
    pub(crate) fn header(&self) -> &[AtomicU64; plan_word::COUNT] {
        self.header.words()
    }

    #[inline(always)]
    pub(crate) fn members(&self) -> Packed16<'_> {
        Packed16(self.members.words())
    }

    #[inline(always)]
    pub(crate) fn fit(&self) -> Packed16<'_> {
        Packed16(self.fit.words())
    }

    #[inline(always)]
    pub(crate) fn by_id(&self) -> Packed16<'_> {
        Packed16(self.by_id.words())
    }

    #[inline(always)]
    pub(crate) fn alias(&self) -> &[AtomicU64] {
        self.alias.words()
    }

    #[inline(always)]
    pub(crate) fn schedule(&self) -> Packed16<'_> {
        Packed16(self.schedule.words())
    }

    #[inline(always)]
    pub(crate) fn maglev(&self) -> Packed16<'_> {
        Packed16(self.maglev.words())
    }

    #[inline(always)]
    pub(crate) fn ring(&self) -> &[AtomicU64] {
        self.ring.words()
    }

    #[inline(always)]
    pub(crate) fn ring_buckets(&self) -> Packed32<'_> {
        Packed32(self.ring_buckets.words())
    }

    pub(crate) fn ids(&self) -> Packed32<'_> {
        Packed32(self.ids.words())
    }
}
