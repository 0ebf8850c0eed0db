//! Bounds of a pool. Everything has one, fixed when the pool is made; reaching one is a clear error.

/// How large a pool may grow. Memory is reserved for these at creation and used only as they fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Nodes at one time, 1 ..= 65 535. Also fixes how many points a node has on a `ring_hash`: 512 up to 2048, else 104.
    pub max_nodes: u32,
    /// Unfinished picks at one time, 64 ..= 2 097 152, rounded up to a multiple of 64.
    pub max_picks: u32,
    /// Processes that share the pool's state. A private pool has 1.
    pub max_processes: u32,
    /// Labels of a node, 0 ..= 64.
    pub max_labels: u32,
    /// Bytes of all labels of a node, keys and values together, 0 ..= 4096.
    pub max_label_bytes: u32,
    /// Entries of the largest Maglev table: the `table_size` of any later strategy is at most this.
    pub max_table_size: u32,
    /// Tiers, and with zones the zones in each tier, that have tables of their own, 1 ..= 64.
    pub max_groups: u32,
}

impl Limits {
    pub const NODES_MAX: u32 = 65_535;
    pub const PICKS_MAX: u32 = 1 << 21;
    pub const LABELS_MAX: u32 = 64;
    pub const LABEL_BYTES_MAX: u32 = 4096;
    pub const TABLE_SIZE_MAX: u32 = 1 << 23;
    pub const GROUPS_MAX: u32 = 64;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_nodes: 2048,
            max_picks: 1 << 18,
            max_processes: 1,
            max_labels: 16,
            max_label_bytes: 1024,
            max_table_size: 65_537,
            max_groups: 8,
        }
    }
}
