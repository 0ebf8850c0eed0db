//! Reserving the pages of a shared memory before anything is written to them, so that a file system that is full is an
//! error of whoever needs more, and not the end of whoever writes next.
//!
//! What is reserved only grows, and is written down, so that it is asked for once. Runs of leases are reserved as threads
//! take them. A private memory needs none of it.

use std::io;
use std::ops::Range;

use super::arena::{Packed16, Packed32};
use super::layout::{Layout, PlanLayout, pool_word};
use super::lease::{RUN_SLOTS, SLOT_WORDS};
use super::memory::Memory;
use super::rows::LINE_ROWS;
use super::{guard, node};
use crate::sync::Ordering;

/// What memory is used for beside nodes, as bits.
pub(crate) mod kind {
    pub(crate) const QUOTAS: u64 = 1;
    pub(crate) const NODE_LATENCIES: u64 = 2;
    pub(crate) const AFFINITY: u64 = 4;
    pub(crate) const SCHEDULE: u64 = 8;
    pub(crate) const MAGLEV: u64 = 16;
    pub(crate) const RING: u64 = 32;
    pub(crate) const ALL: u64 = 63;
}

/// How much of everything is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needed {
    /// One past the highest index.
    pub(crate) nodes: usize,
    /// Beside that of all members.
    pub(crate) groups: usize,
    /// Bits of [`kind`].
    pub(crate) kinds: u64,
    /// Entries of the Maglev table.
    pub(crate) table_size: usize,
    /// Points on a ring whose nodes have not all the same number of them.
    pub(crate) ring_entries: usize,
}

/// Reserves a range of words.
pub(crate) type Reserve = Box<dyn Fn(&Range<usize>) -> io::Result<()> + Send + Sync>;

impl Memory {
    /// Reserves what is needed, if that is more than before.
    pub(crate) fn commit(&self, needed: Needed) -> io::Result<()> {
        let Some(reserve) = &self.reserve else { return Ok(()) };
        let word = |at: usize| self.pool(pool_word::COMMITTED + at);
        let limits = &self.layout.limits;
        let ring = self.layout.plans[0][0].ring.len() as u64;
        let most = [limits.max_nodes.into(), limits.max_groups.into(), kind::ALL, limits.max_table_size.into(), ring];
        let before = [0, 1, 2, 3, 4].map(|at| word(at).load(Ordering::Acquire).min(most[at]));
        let wanted = [
            before[0].max(needed.nodes as u64),
            before[1].max(needed.groups as u64),
            before[2] | needed.kinds,
            before[3].max(needed.table_size as u64),
            before[4].max(needed.ring_entries as u64),
        ];
        if wanted == before {
            return Ok(());
        }
        let [nodes, groups, kinds, table_size, ring_entries] = wanted;
        let needed = Needed {
            nodes: nodes as usize,
            groups: groups as usize,
            kinds,
            table_size: table_size as usize,
            ring_entries: ring_entries as usize,
        };
        ranges(&self.layout, needed).iter().try_for_each(reserve)?;
        self.lines_of_rows().try_for_each(|line| reserve(&self.rows_in(line, needed.nodes)))?;
        word(2).fetch_or(kinds, Ordering::AcqRel);
        for (at, value) in [(0, nodes), (1, groups), (3, table_size), (4, ring_entries)] {
            word(at).fetch_max(value, Ordering::SeqCst);
        }
        // Who sat down meanwhile has not seen that there are more nodes, unless after this.
        self.lines_of_rows().try_for_each(|line| reserve(&self.rows_in(line, needed.nodes)))
    }

    /// Reserves the counts of a process that sits down in `row`, on as many nodes as there are.
    pub(crate) fn commit_row(&self, row: usize) -> io::Result<()> {
        let Some(reserve) = &self.reserve else { return Ok(()) };
        let nodes = self.pool(pool_word::COMMITTED).load(Ordering::SeqCst) as usize;
        reserve(&self.rows_in(row / LINE_ROWS, nodes))
    }

    fn lines_of_rows(&self) -> std::ops::Range<usize> {
        0..self.rows_ever().div_ceil(LINE_ROWS)
    }

    fn rows_in(&self, line: usize, nodes: usize) -> Range<usize> {
        let area = &self.layout.rows;
        let blocks = self.layout.node_blocks;
        let start = area.start + (line * blocks * LINE_ROWS).min(area.len());
        start..(start + nodes.min(blocks) * LINE_ROWS).min(area.end)
    }

    /// Reserves what is needed before there is anything.
    pub(crate) fn commit_base(&self) -> io::Result<()> {
        let Some(reserve) = &self.reserve else { return Ok(()) };
        let layout = &self.layout;
        let whole = [&layout.totals, &layout.runs, &layout.cursors, &layout.latencies];
        let whole = whole.into_iter().chain(&layout.index).chain(&layout.groups).chain(&layout.configs);
        reserve(&(0..pool_word::COUNT))?;
        whole.into_iter().try_for_each(reserve)?;
        self.commit(Needed { nodes: 1, groups: 0, kinds: 0, table_size: 0, ring_entries: 0 })
    }

    /// Reserves the slots of a run; whether they can be used.
    pub(crate) fn commit_run(&self, run: usize) -> bool {
        let Some(reserve) = &self.reserve else { return true };
        let slots = run * RUN_SLOTS..(run + 1) * RUN_SLOTS;
        let words = self.layout.sizes.reservation_words;
        let part = |area: &Range<usize>, size: usize| area.start + slots.start * size..area.start + slots.end * size;
        reserve(&part(&self.layout.slots, SLOT_WORDS)).is_ok()
            && reserve(&part(&self.layout.reservations, words)).is_ok()
    }
}

fn ranges(layout: &Layout, needed: Needed) -> Vec<Range<usize>> {
    let nodes = needed.nodes.min(layout.limits.max_nodes as usize);
    let of_nodes = |area: &Range<usize>, words: usize| area.start..area.start + nodes * words;
    let mut ranges = vec![
        of_nodes(&layout.nodes, node::WORDS),
        of_nodes(&layout.records[0], layout.record_words),
        of_nodes(&layout.records[1], layout.record_words),
        of_nodes(&layout.guards, guard::WORDS),
    ];
    if needed.kinds & kind::QUOTAS != 0 {
        ranges.push(of_nodes(&layout.quotas, layout.sizes.quota_words));
    }
    if needed.kinds & kind::NODE_LATENCIES != 0 {
        ranges.push(of_nodes(&layout.node_latencies, layout.sizes.node_latency_words));
    }
    if needed.kinds & kind::AFFINITY != 0 {
        ranges.push(layout.affinity.clone());
    }
    for plan in layout.plans.iter().flat_map(|groups| groups.iter().take(needed.groups + 1)) {
        of_plan(plan, needed, nodes, layout.ring_points, &mut ranges);
    }
    ranges
}

fn of_plan(plan: &PlanLayout, needed: Needed, nodes: usize, ring_points: u32, ranges: &mut Vec<Range<usize>>) {
    let mut first = |area: &Range<usize>, words: usize| ranges.push(area.start..area.start + words.min(area.len()));
    first(&plan.header, plan.header.len());
    for area in [&plan.members, &plan.fit, &plan.by_id] {
        first(area, Packed16::words(nodes));
    }
    first(&plan.alias, nodes);
    first(&plan.ids, Packed32::words((nodes * 2).next_power_of_two().max(2)));
    if needed.kinds & kind::SCHEDULE != 0 {
        first(&plan.schedule, plan.schedule.len());
    }
    if needed.kinds & kind::MAGLEV != 0 {
        first(&plan.maglev, Packed16::words(needed.table_size));
    }
    if needed.kinds & kind::RING != 0 {
        let points = ring_entries(nodes, needed.ring_entries, ring_points);
        first(&plan.ring, points);
        first(&plan.ring_buckets, Packed32::words(points.next_power_of_two().max(2) + 1));
    }
}

/// Entries of a ring: weighted ones are rounded per node, at least one point each.
fn ring_entries(nodes: usize, told: usize, ring_points: u32) -> usize {
    (nodes * (ring_points as usize + 1)).max(told)
}
