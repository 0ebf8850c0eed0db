//! Where everything is in the arena: a pure function of the limits, so that every process computes the same.

use std::ops::Range;

use super::arena::{Packed16, Packed32};
use super::lease::{RUN_SLOTS, RUN_WORDS, SLOT_WORDS};
use crate::vocabulary::limits::Limits;
use crate::vocabulary::text::TEXT_BYTES_MAX;

/// Words of two cache lines: processors fetch them in pairs.
pub(crate) const LINE: usize = 16;

/// Words that belong to the whole pool. Each that is written while others pick has a line of its own.
pub(crate) mod pool_word {
    use super::LINE;
    /// The number of the published plan; its slot is the lowest bit.
    pub(crate) const GENERATION: usize = 0;
    /// Health transitions and other changes of who is fit, counted; a plan knows the count that it was built at.
    pub(crate) const FITNESS: usize = LINE;
    /// The shared cursor of the round robins.
    pub(crate) const CURSOR: usize = 2 * LINE;
    /// The pick count of a seeded pool.
    pub(crate) const DRAWS: usize = 3 * LINE;
    /// Who builds: holder and incarnation, 0 if nobody.
    pub(crate) const BUILD_LEASE: usize = 4 * LINE;
    /// The pool's median latency in nanoseconds (f64 bits), 0 while unknown.
    pub(crate) const MEDIAN_LATENCY: usize = 5 * LINE;
    /// One past the highest node index ever used.
    pub(crate) const NODES_USED: usize = 5 * LINE + 1;
    /// One past the highest lease run ever claimed.
    pub(crate) const RUNS_USED: usize = 5 * LINE + 2;
    /// When `maintain` is next due.
    pub(crate) const NEXT_DUE: usize = 5 * LINE + 3;
    pub(crate) const COUNT: usize = 6 * LINE;
}

/// Entries of the round-robin schedule.
pub(crate) const SCHEDULE_MAX: usize = 65_536;
/// Fallback steps of a policy.
pub(crate) const STEPS_MAX: usize = 4;

/// The words of a plan slot's header.
pub(crate) mod plan_word {
    /// Fitness count that the plan was built at.
    pub(crate) const FITNESS: usize = 0;
    /// What every decision reads: the first rule, and how many there are of what; see `plan::step::Lead`.
    pub(crate) const LEAD: usize = 1;
    /// Schedule length.
    pub(crate) const SCHEDULE_LEN: usize = 2;
    /// ⌊2⁶⁴ / schedule length⌋.
    pub(crate) const SCHEDULE_RECIPROCAL: usize = 3;
    /// Added to the cursor, so that a new schedule goes on at the same fraction of its cycle.
    pub(crate) const SCHEDULE_PHASE: usize = 4;
    /// ⌊2⁶⁴ / fit members⌋.
    pub(crate) const CYCLE_RECIPROCAL: usize = 5;
    pub(crate) const CYCLE_PHASE: usize = 6;
    /// Maglev entries, a prime.
    pub(crate) const TABLE_SIZE: usize = 7;
    /// Ring points (32 bits), then the shift that finds a point's bucket (32 bits).
    pub(crate) const RING: usize = 8;
    /// Hashable members: those with a weight.
    pub(crate) const HASHED: usize = 9;
    /// Sum of the weights of those that were fit.
    pub(crate) const WEIGHT_SUM: usize = 10;
    /// Entries of the id table less one: a mask.
    pub(crate) const ID_MASK: usize = 11;
    /// What `members`, `by_id` and `ids` were derived from.
    pub(crate) const MEMBERS_STAMP: usize = 13;
    /// What the Maglev table and the ring were derived from.
    pub(crate) const MAGLEV_STAMP: usize = 14;
    pub(crate) const RING_STAMP: usize = 15;
    /// The steps of the fallback chain: an option word and a parameter word each.
    pub(crate) const STEPS: usize = 16;
    /// What the schedule was derived from.
    pub(crate) const SCHEDULE_STAMP: usize = 24;
    pub(crate) const COUNT: usize = 32;
}

/// Where a plan slot has what.
#[derive(Debug, Clone)]
pub(crate) struct PlanLayout {
    pub(crate) header: Range<usize>,
    /// Node indices of all members in declared order.
    pub(crate) members: Range<usize>,
    /// Node indices of those that were fit, in declared order.
    pub(crate) fit: Range<usize>,
    /// Node indices of all members with a weight, in id order.
    pub(crate) by_id: Range<usize>,
    pub(crate) alias: Range<usize>,
    pub(crate) schedule: Range<usize>,
    pub(crate) maglev: Range<usize>,
    pub(crate) ring: Range<usize>,
    pub(crate) ring_buckets: Range<usize>,
    pub(crate) ids: Range<usize>,
}

/// Where the arena has what.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) limits: Limits,
    pub(crate) ring_points: u32,
    /// In flight over the whole pool, a line a process.
    pub(crate) totals: Range<usize>,
    pub(crate) runs: Range<usize>,
    pub(crate) slots: Range<usize>,
    pub(crate) nodes: Range<usize>,
    /// In-flight rows of processes 1 and up, node by node.
    pub(crate) rows: Range<usize>,
    pub(crate) row_words: usize,
    pub(crate) records: Range<usize>,
    pub(crate) record_words: usize,
    pub(crate) plans: [PlanLayout; 2],
    pub(crate) size: usize,
}

/// Hands out one region after the other, each beginning at a line.
struct Cursor(usize);

impl Cursor {
    fn take(&mut self, words: usize) -> Range<usize> {
        let start = self.0;
        self.0 = start + words.next_multiple_of(LINE);
        start..start + words
    }
}

impl Layout {
    /// `ring_points`: points a node of `ring_hash`, so that the ring of a full pool fits.
    pub(crate) fn new(mut limits: Limits, ring_points: u32) -> Self {
        limits.max_picks = limits.max_picks.clamp(64, Limits::PICKS_MAX).next_multiple_of(RUN_SLOTS as u32);
        let nodes_max = limits.max_nodes as usize;
        let picks_max = limits.max_picks as usize;
        let row_words = (limits.max_processes as usize).saturating_sub(1).next_multiple_of(LINE);
        let record_words = super::record::words(&limits);

        let mut c = Cursor(0);
        c.take(pool_word::COUNT);
        Self {
            limits,
            ring_points,
            totals: c.take(limits.max_processes as usize * LINE),
            runs: c.take(picks_max / RUN_SLOTS * RUN_WORDS),
            slots: c.take(picks_max * SLOT_WORDS),
            // A power of two, so that an index is bounded by a mask.
            nodes: c.take(nodes_max.next_power_of_two() * super::node::WORDS),
            rows: c.take(nodes_max * row_words),
            row_words,
            records: c.take(nodes_max * record_words),
            record_words,
            plans: [PlanLayout::new(&mut c, &limits, ring_points), PlanLayout::new(&mut c, &limits, ring_points)],
            size: c.0,
        }
    }
}

impl PlanLayout {
    fn new(c: &mut Cursor, limits: &Limits, ring_points: u32) -> Self {
        let nodes_max = limits.max_nodes as usize;
        // Weighted rings are rounded per node, at least one point each.
        let points_max = nodes_max * ring_points as usize + nodes_max;
        Self {
            header: c.take(plan_word::COUNT),
            members: c.take(Packed16::words(nodes_max)),
            fit: c.take(Packed16::words(nodes_max)),
            by_id: c.take(Packed16::words(nodes_max)),
            alias: c.take(nodes_max),
            schedule: c.take(Packed16::words(SCHEDULE_MAX)),
            maglev: c.take(Packed16::words(limits.max_table_size as usize)),
            ring: c.take(points_max),
            ring_buckets: c.take(Packed32::words(points_max.next_power_of_two().max(2) + 1)),
            ids: c.take(Packed32::words((nodes_max * 2).next_power_of_two())),
        }
    }
}

/// Words that hold a text of up to [`TEXT_BYTES_MAX`] bytes.
pub(crate) const TEXT_WORDS: usize = (TEXT_BYTES_MAX + 1) / 8;
