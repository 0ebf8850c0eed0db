//! Where everything is in the arena: a pure function of the limits, so that every process computes the same.

use std::ops::Range;

use super::arena::{Packed16, Packed32};
use super::lease::{RUN_SLOTS, RUN_WORDS, SLOT_WORDS};
use super::rows::LINE_ROWS;
use crate::vocabulary::limits::Limits;
use crate::vocabulary::text::TEXT_BYTES_MAX;

/// Words of two cache lines: processors fetch them in pairs.
pub(crate) const LINE: usize = 16;

/// Words that belong to the whole pool. Each that is written while others pick has a line of its own.
pub(crate) mod pool_word {
    use super::LINE;
    /// The number of the published plan; its slot is the lowest bit.
    pub(crate) const GENERATION: usize = 0;
    /// What every pick has to look at beside the plan, as bits of [`attention`](super::attention); 0 in quiet times.
    pub(crate) const ATTENTION: usize = 1;
    /// When the next probe of a node that is down is due; 0 if there is none.
    pub(crate) const NEXT_PROBE: usize = 2;
    /// How the tiers share the traffic; see `policies::tiers`.
    pub(crate) const TIER_SHARES: usize = 3;
    pub(crate) const TIER_SHARES_END: usize = 5;
    /// Who works out the shares of the tiers, 0 if nobody.
    pub(crate) const SITUATION_LEASE: usize = 5;
    /// Whether hints of who has the least in flight are kept, 0 or 1: see `state::index`.
    pub(crate) const KEEPS_INDEX: usize = 6;
    /// When outliers are next looked for, and averages of reports renewed.
    pub(crate) const NEXT_SWEEP: usize = 9;
    /// When a tier takes its share back at the earliest.
    pub(crate) const NEXT_FAILBACK: usize = 7;
    /// When the weights of reports are next worked out.
    pub(crate) const NEXT_REPORTED: usize = 11;
    /// The tier that is forced by hand plus one, 0 if none is.
    pub(crate) const FORCED_TIER: usize = 10;
    /// One past the highest row that is in use (16 bits), then how often that was looked at; see `state::rows`.
    pub(crate) const ROWS_USED: usize = 12;
    /// What jitter is drawn with, the same in all processes.
    pub(crate) const SALT: usize = 13;
    /// Health transitions and other changes of who is fit, counted; a plan knows the count that it was built at.
    pub(crate) const FITNESS: usize = LINE;
    /// The shared cursor of the round robins.
    pub(crate) const CURSOR: usize = 2 * LINE;
    /// The pick count of a seeded pool.
    pub(crate) const DRAWS: usize = 3 * LINE;
    /// Who builds: see `state::seat`; 0 if nobody.
    pub(crate) const BUILD_LEASE: usize = 4 * LINE;
    /// The generation up to which what plans came with is in force: see `control::publish`.
    pub(crate) const APPLIED: usize = 4 * LINE + 1;
    /// The configuration whose settings are in force, by its number.
    pub(crate) const SETTINGS_OF: usize = 4 * LINE + 2;
    /// Whether something is staged for nodes, 0 or 1.
    pub(crate) const STAGED: usize = 4 * LINE + 5;
    /// What is reserved of a shared memory; see `state::commit`.
    pub(crate) const COMMITTED: usize = 7 * LINE + 8;
    /// Rows of processes in which somebody wants to hear of every selection, a bit each.
    pub(crate) const WATCHED: usize = 4 * LINE + 6;
    pub(crate) const WATCHED_END: usize = 4 * LINE + 10;
    /// Where the next step of a rebalancing goes on, and when it is due; 0 while none is under way.
    pub(crate) const REBALANCE_NEXT: usize = 4 * LINE + 3;
    pub(crate) const REBALANCE_DUE: usize = 4 * LINE + 4;
    /// The pool's median latency in nanoseconds (f64 bits), 0 while unknown.
    pub(crate) const MEDIAN_LATENCY: usize = 5 * LINE;
    /// One past the highest node index ever used.
    pub(crate) const NODES_USED: usize = 5 * LINE + 1;
    /// One past the highest lease run ever claimed.
    pub(crate) const RUNS_USED: usize = 5 * LINE + 2;
    /// When `maintain` is next due.
    pub(crate) const NEXT_DUE: usize = 5 * LINE + 3;
    /// How the tiers came to share the traffic; see `policies::tiers`.
    pub(crate) const TIER_STATE: usize = 6 * LINE;
    pub(crate) const TIER_STATE_END: usize = 7 * LINE + 2;
    /// What was counted since the pool was made, one word each.
    pub(crate) const TALLY: usize = 8 * LINE;
    /// The retry budget; see `policies::retry`.
    pub(crate) const RETRIES: usize = 10 * LINE;
    pub(crate) const RETRIES_END: usize = 14 * LINE;
    /// Settings that may change while the pool is used; see `control::settings`.
    pub(crate) const SETTINGS: usize = 14 * LINE;
    pub(crate) const SETTINGS_END: usize = 20 * LINE;
    /// The dimensions of quotas, eight words each: the hash of its name, limit, window, buckets, default cost.
    pub(crate) const QUOTAS: usize = 20 * LINE;
    pub(crate) const QUOTAS_END: usize = 24 * LINE;
    /// The splits of the traffic, eight words each: share, number of labels, their hashes.
    pub(crate) const SPLITS: usize = 24 * LINE;
    pub(crate) const SPLITS_END: usize = 32 * LINE;
    pub(crate) const COUNT: usize = 32 * LINE;
}

/// Bits of [`pool_word::ATTENTION`].
pub(crate) mod attention {
    /// A node is down, and will be probed.
    pub(crate) const PROBES: u64 = 1;
    /// Too few nodes are available, and all take traffic.
    pub(crate) const PANIC: u64 = 2;
    /// A node warms up.
    pub(crate) const WARMING: u64 = 4;
    /// A node asked not to be tried for a while.
    pub(crate) const EXHAUSTED: u64 = 8;
    /// A tier that recovered waits to take its share back.
    pub(crate) const FAILBACK: u64 = 16;
    /// A node is available again that the plan's draw tables leave out.
    pub(crate) const RETURNED: u64 = 32;
}

/// Places of [`pool_word::TALLY`].
pub(crate) mod tally {
    /// Picks that found no node, by reason, in the order of `NoNodeReason::ALL`.
    pub(crate) const NO_NODE: usize = 0;
    pub(crate) const PROBES: usize = 8;
    pub(crate) const RETRIES: usize = 9;
    pub(crate) const RETRIES_DENIED: usize = 10;
    pub(crate) const WAITS: usize = 11;
    pub(crate) const WAIT_TIMEOUTS: usize = 12;
    pub(crate) const QUEUE_REFUSALS: usize = 13;
    pub(crate) const LEASES_EXPIRED: usize = 14;
    pub(crate) const PANIC_PICKS: usize = 15;
    pub(crate) const AFFINITY_HITS: usize = 16;
    pub(crate) const AFFINITY_MISSES: usize = 17;
    /// What nodes that left have ended, so that totals of the pool do not fall.
    pub(crate) const GONE: usize = 18;
    pub(crate) const GONE_END: usize = 28;
    /// The end of the last probe that nobody reported.
    pub(crate) const PROBE_TIMEOUTS: usize = 28;
}

/// Entries of the round-robin schedule.
pub(crate) const SCHEDULE_MAX: usize = 65_536;
/// Fallback steps of a policy.
pub(crate) const STEPS_MAX: usize = 4;
/// Dimensions of quotas.
pub(crate) const QUOTAS_MAX: usize = 8;
/// Splits of the traffic, and labels that one may name.
pub(crate) const SPLITS_MAX: usize = 16;
pub(crate) const SPLIT_LABELS_MAX: usize = 6;
/// Words of a dimension, and of a split.
pub(crate) const ENTRY_WORDS: usize = 8;

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
    /// How many groups there are beside the first, which has all members.
    pub(crate) const GROUPS: usize = 25;
    /// Where the groups of each tier are; see `plan::groups`.
    pub(crate) const GROUPS_OF_TIERS: usize = 26;
    /// In the plan of a zone: of 2⁵³ requests of callers in it, how many stay; see `policies::zones`.
    pub(crate) const ZONE_KEEPS: usize = 28;
    /// The number of the configuration that the plan is of, and what its users count: how often it was replaced.
    pub(crate) const CONFIG: usize = 29;
    pub(crate) const CONFIG_VERSION: usize = 30;
    /// What tells that configuration, nodes included, from others; see `control::in_force`.
    pub(crate) const DECLARED: usize = 31;
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

/// How large what the policies keep is, beside the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Points a node of `ring_hash`, so that the ring of a full pool fits.
    pub(crate) ring_points: u32,
    /// Words a node.
    pub(crate) quota_words: usize,
    /// Words a lease.
    pub(crate) reservation_words: usize,
    pub(crate) affinity_entries: u32,
    pub(crate) affinity_words: usize,
    pub(crate) latency_words: usize,
    /// Words a node.
    pub(crate) node_latency_words: usize,
    /// Words of a configuration's text.
    pub(crate) config_words: usize,
}

/// Where the arena has what.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) limits: Limits,
    pub(crate) sizes: Sizes,
    pub(crate) ring_points: u32,
    /// In flight over the whole pool, a line a process.
    pub(crate) totals: Range<usize>,
    pub(crate) runs: Range<usize>,
    pub(crate) slots: Range<usize>,
    pub(crate) nodes: Range<usize>,
    /// Blocks of nodes, and of lines of rows: a power of two.
    pub(crate) node_blocks: usize,
    /// In-flight rows of all processes: see `state::rows`. That of a private memory is among the nodes' words.
    pub(crate) rows: Range<usize>,
    /// The two records of each node: those of even pointers, then those of odd ones, since most nodes never change.
    pub(crate) records: [Range<usize>; 2],
    pub(crate) record_words: usize,
    pub(crate) guards: Range<usize>,
    /// Leaves, blocks and groups of the hints who has the least in flight; see `state::index`.
    pub(crate) index: [Range<usize>; 3],
    /// The cursors of the groups' round robins, a line each.
    pub(crate) cursors: Range<usize>,
    /// Tier (8 bits) and zone of each group, for both plan slots.
    pub(crate) groups: [Range<usize>; 2],
    /// Buckets of the nodes' quotas.
    pub(crate) quotas: Range<usize>,
    /// What open leases have reserved.
    pub(crate) reservations: Range<usize>,
    pub(crate) affinity: Range<usize>,
    /// Latencies of the whole pool, then of each node.
    pub(crate) latencies: Range<usize>,
    pub(crate) node_latencies: Range<usize>,
    pub(crate) configs: [Range<usize>; 2],
    /// For both plan slots, the tables of each group.
    pub(crate) plans: [Vec<PlanLayout>; 2],
    pub(crate) size: usize,
}

/// What the layout of a pool follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) limits: Limits,
    pub(crate) ring_points: u32,
    pub(crate) affinity_entries: u32,
    /// Makes decisions repeatable.
    pub(crate) seed: Option<u64>,
}

impl Shape {
    pub(crate) const RING_POINTS_MAX: u32 = 1 << 16;
    pub(crate) const AFFINITY_ENTRIES_MAX: u32 = 1 << 24;

    /// Whether a memory can be laid out so: the shape may come from a file.
    pub(crate) fn is_possible(&self) -> bool {
        let Limits { max_nodes, max_picks, max_processes, max_labels, max_label_bytes, max_table_size, max_groups } =
            self.limits;
        (1..=Limits::NODES_MAX).contains(&max_nodes)
            && (64..=Limits::PICKS_MAX).contains(&max_picks)
            && (1..=super::seat::ROWS_MAX as u32).contains(&max_processes)
            && max_labels <= Limits::LABELS_MAX
            && max_label_bytes <= Limits::LABEL_BYTES_MAX
            && (2..=Limits::TABLE_SIZE_MAX).contains(&max_table_size)
            && (1..=Limits::GROUPS_MAX).contains(&max_groups)
            && (1..=Self::RING_POINTS_MAX).contains(&self.ring_points)
            && (1..=Self::AFFINITY_ENTRIES_MAX).contains(&self.affinity_entries)
    }
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
    pub(crate) fn new(mut limits: Limits, sizes: Sizes) -> Self {
        let ring_points = sizes.ring_points;
        limits.max_picks = limits.max_picks.clamp(64, Limits::PICKS_MAX).next_multiple_of(RUN_SLOTS as u32);
        let nodes_max = limits.max_nodes as usize;
        let picks_max = limits.max_picks as usize;
        // Those of a shared memory are apart from what decisions read: a line that all hot processes write, and only one.
        let row_lines = match limits.max_processes as usize {
            ..=1 => 0,
            processes => processes.div_ceil(LINE_ROWS).next_power_of_two(),
        };
        // A power of two, so that an index is bounded by a mask.
        let node_blocks = nodes_max.next_power_of_two();
        let record_words = super::record::words(&limits);

        let groups = limits.max_groups as usize + 1;
        let mut c = Cursor(0);
        c.take(pool_word::COUNT);
        Self {
            limits,
            sizes,
            ring_points,
            totals: c.take(limits.max_processes as usize * LINE),
            runs: c.take(picks_max / RUN_SLOTS * RUN_WORDS),
            slots: c.take(picks_max * SLOT_WORDS),
            nodes: c.take(node_blocks * super::node::WORDS),
            node_blocks,
            rows: c.take(row_lines * node_blocks * LINE_ROWS),
            records: [c.take(nodes_max * record_words), c.take(nodes_max * record_words)],
            record_words,
            guards: c.take(nodes_max * super::guard::WORDS),
            index: super::index::words(nodes_max).map(|words| c.take(words)),
            cursors: c.take(groups * LINE),
            groups: [c.take(groups), c.take(groups)],
            quotas: c.take(nodes_max * sizes.quota_words),
            reservations: c.take(picks_max * sizes.reservation_words),
            affinity: c.take(sizes.affinity_words),
            latencies: c.take(sizes.latency_words),
            node_latencies: c.take(nodes_max * sizes.node_latency_words),
            configs: [c.take(sizes.config_words), c.take(sizes.config_words)],
            plans: [(); 2].map(|()| (0..groups).map(|_| PlanLayout::new(&mut c, &limits, ring_points)).collect()),
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
