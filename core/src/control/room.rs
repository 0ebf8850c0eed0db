//! Reserving what a change needs before it is made, where the memory is a file's.

use super::config::{LatencyStats, PoolConfig};
use super::policy::table_size;
use crate::plan::ketama;
use crate::plan::step::{Rule, Step};
use crate::pool::Pool;
use crate::state::commit::{Needed, kind};
use crate::vocabulary::error::{Error, StateError};

impl Pool {
    /// Reserves what a pool of `nodes` indices, `groups` parts and this sum of weights needs under a policy.
    ///
    /// # Errors
    /// [`StateError::Shared`] if the file system is full.
    pub(crate) fn reserve_room(
        &self,
        config: &PoolConfig,
        steps: &[Step],
        nodes: usize,
        groups: usize,
        weights: u64,
    ) -> Result<(), Error> {
        let Some(path) = self.shared_path() else { return Ok(()) };
        let has = |rules: &[Rule]| steps.iter().any(|step| rules.contains(&step.rule));
        let kinds = [
            (!config.quotas.is_empty(), kind::QUOTAS),
            (config.stats.latency == LatencyStats::Nodes, kind::NODE_LATENCIES),
            (config.affinity.is_some(), kind::AFFINITY),
            (has(&[Rule::WeightedRoundRobin, Rule::ReportedLoad]), kind::SCHEDULE),
            (has(&[Rule::Maglev]), kind::MAGLEV),
            (has(&[Rule::RingHash, Rule::RingHashNginx]), kind::RING),
        ];
        let needed = Needed {
            nodes: nodes.max(self.memory.nodes_used()),
            groups,
            kinds: kinds.into_iter().filter(|(is_used, _)| *is_used).map(|(_, kind)| kind).sum(),
            table_size: table_size(&config.strategy).unwrap_or(0) as usize,
            // Those of nginx go by weight.
            ring_entries: if has(&[Rule::RingHashNginx]) { weights as usize * ketama::POINTS as usize } else { 0 },
        };
        self.memory.commit(needed).map_err(|error| {
            let reason = match error.kind() {
                std::io::ErrorKind::StorageFull => "its file system is full".to_owned(),
                _ => error.to_string(),
            };
            StateError::Shared { path: path.display().to_string(), reason }.into()
        })
    }

    /// The file that the pool's state is in; `None` if it is this process's alone.
    pub fn shared_path(&self) -> Option<&std::path::Path> {
        self.share.as_ref().map(|share| share.segment.path())
    }
}
