//! A user's own strategy in a pool: the trait of loadwise over the pool's nodes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::decision::Decision;
use crate::state::memory::Memory;
use crate::strategy::candidates::Candidates;
use crate::strategy::{SelectionContext, Strategy};
use crate::vocabulary::filter::HealthAware;
use crate::vocabulary::hash::key_hash;
use crate::vocabulary::lock::RwLock;
use crate::vocabulary::node::{LoadMetric, Node, NodeRef, RateMetric, Weighted};
use crate::vocabulary::status::HealthStatus;

/// A pool's node as own strategies see it: everything that the traits ask for, read at the moment it is asked.
pub struct PoolNode {
    memory: Arc<Memory>,
    id: String,
    address: String,
    node: NodeRef,
    user_data: u64,
}

impl std::fmt::Debug for PoolNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PoolNode").field("id", &self.id).field("node", &self.node).finish_non_exhaustive()
    }
}

impl PoolNode {
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The node's place in its pool.
    pub fn node(&self) -> NodeRef {
        self.node
    }

    /// Unfinished picks, in all processes.
    pub fn in_flight(&self) -> u64 {
        self.memory.in_flight(self.node.index as usize)
    }

    pub fn user_data(&self) -> u64 {
        self.user_data
    }

    /// Whether the node has a label of this value.
    pub fn has_label(&self, key: &str, value: &str) -> bool {
        let labels = [crate::vocabulary::hash::label_hash(key, value)];
        self.memory.record(self.node.index as usize).has_labels(&labels)
    }
}

impl Node for PoolNode {
    type Id = String;

    fn id(&self) -> &String {
        &self.id
    }
}

impl Weighted for PoolNode {
    fn weight(&self) -> u32 {
        self.memory.node(self.node.index as usize).weight()
    }
}

impl LoadMetric for PoolNode {
    /// The reported load, else what is in flight.
    fn load_score(&self) -> f64 {
        self.memory.node(self.node.index as usize).reported_load().unwrap_or_else(|| self.in_flight() as f64)
    }
}

impl RateMetric for PoolNode {
    /// What was reported, else 1.0.
    fn remaining_ratio(&self) -> f64 {
        self.memory.node(self.node.index as usize).remaining_ratio().unwrap_or(1.0)
    }
}

impl HealthAware for PoolNode {
    fn health_status(&self) -> HealthStatus {
        self.memory.node(self.node.index as usize).state().health()
    }
}

/// The own strategy of a pool in this process, with its nodes as of the last plan that it was asked about.
#[derive(Default)]
pub(crate) struct OwnStrategy {
    strategy: RwLock<Option<Arc<dyn Strategy<PoolNode>>>>,
    nodes: RwLock<(u64, Arc<[PoolNode]>)>,
}

impl OwnStrategy {
    /// What was set before, to be dropped where its drop may call the pool.
    pub(crate) fn set(&self, strategy: Arc<dyn Strategy<PoolNode>>) -> Option<Arc<dyn Strategy<PoolNode>>> {
        self.strategy.write().replace(strategy)
    }

    pub(crate) fn is_set(&self) -> bool {
        self.strategy.read().is_some()
    }

    /// Asks the own strategy; one that panics, or names a candidate that it was told to leave out, found nobody.
    #[cold]
    pub(crate) fn choose(&self, decision: Decision<'_>, view: impl Candidates) -> Option<usize> {
        let strategy = self.strategy.read().clone()?;
        let nodes = self.nodes_of(decision, view);
        let unfit: Vec<usize> =
            nodes.iter().enumerate().filter(|(_, n)| !view.fit(n.node.index as usize)).map(|(i, _)| i).collect();
        if unfit.len() == nodes.len() {
            return None;
        }
        let hash_key = decision.request.key.map(|key| match <[u8; 8]>::try_from(key) {
            Ok(eight) => u64::from_le_bytes(eight),
            Err(_) => key_hash(key),
        });
        let ctx =
            SelectionContext { hash_key, exclude: (!unfit.is_empty()).then_some(unfit), ..SelectionContext::default() };
        match catch_unwind(AssertUnwindSafe(|| strategy.select(&nodes, &ctx))) {
            Ok(None) => None,
            Ok(Some(i)) if i < nodes.len() && !ctx.is_excluded(i) => Some(nodes[i].node.index as usize),
            _ => {
                decision.local.failed.set(true);
                None
            }
        }
    }

    /// The members of the decision's plan.
    fn nodes_of(&self, decision: Decision<'_>, view: impl Candidates) -> Arc<[PoolNode]> {
        let generation = decision.generation;
        {
            let kept = self.nodes.read();
            if kept.0 == generation && kept.1.len() == view.len() {
                return kept.1.clone();
            }
        }
        let pool = decision.pool;
        let nodes: Arc<[PoolNode]> = (0..view.len())
            .map(|i| view.at(i))
            .map(|index| {
                let node = NodeRef { index: index as u32, generation: pool.memory.node(index).state().generation() };
                let record = pool.memory.record(index);
                PoolNode {
                    memory: pool.memory.clone(),
                    id: record.id().as_str().to_owned(),
                    address: record.address().as_str().to_owned(),
                    node,
                    user_data: pool.user_data_of(node),
                }
            })
            .collect();
        *self.nodes.write() = (generation, nodes.clone());
        nodes
    }
}
