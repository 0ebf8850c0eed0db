//! How large a pool may grow.

use super::schema::{Key, Section, Shape, int};
use crate::vocabulary::limits::Limits;

impl Section for Limits {
    const KEYS: &'static [Key<Self>] = &[
        int!(max_nodes: u32, 1, Limits::NODES_MAX, "nodes", "Nodes at one time. Larger: room to grow, for a few hundred bytes each and their points on a ring."),
        Key {
            name: "max_picks",
            unit: "picks",
            doc: "Unfinished picks at one time, rounded up to a multiple of 64; more are refused as saturated. \
                  Set it above the largest number of requests in flight.",
            shape: Shape::Int {
                min: 64,
                max: Limits::PICKS_MAX as u64,
                get: |c| Some(u64::from(c.max_picks)),
                set: |c, v| c.max_picks = (v as u32).next_multiple_of(64),
            },
        },
        int!(max_labels: u32, 0, Limits::LABELS_MAX, "labels", "Labels of a node. Larger: more memory for each node."),
        int!(
            max_label_bytes: u32, 0, Limits::LABEL_BYTES_MAX, "bytes",
            "Bytes of all labels of a node, names and texts together. Larger: more memory for each node."
        ),
        int!(
            max_table_size: u32, 2, Limits::TABLE_SIZE_MAX, "entries",
            "The largest `table_size` that a strategy of this pool may ever have. Larger: more memory, if it is used."
        ),
        int!(
            max_groups: u32, 1, Self::GROUPS_MAX, "groups",
            "Tiers, and with `zones` the zones in each tier, that have tables of their own. \
             Larger: room for more of them, for the memory of the tables of a plan each."
        ),
    ];
}

/// The bounds of the bounds, for reading nodes whose pool has impossible ones: its error is the one to report.
pub(super) const WIDEST: Limits = Limits {
    max_nodes: Limits::NODES_MAX,
    max_picks: Limits::PICKS_MAX,
    max_processes: 1,
    max_labels: Limits::LABELS_MAX,
    max_label_bytes: Limits::LABEL_BYTES_MAX,
    max_table_size: Limits::TABLE_SIZE_MAX,
    max_groups: Limits::GROUPS_MAX,
};
