//! What no section can say alone: splits and quotas against each other and against the nodes.

use super::capacity::QuotaLimit;
use super::pool::PoolConfig;
use super::schema::{Lines, Place, repeated};
use super::traffic::SplitConfig;
use super::value::Quoted;
use crate::vocabulary::error::ConfigError;
use crate::vocabulary::node::NodeSpec;

/// Shares that are written with decimals, as ten times 0.1, need not add up to exactly 1.
const ROUNDING: f64 = 1e-9;

impl PoolConfig {
    pub(super) fn agrees(&self, place: &Place, lines: Lines) -> Result<(), ConfigError> {
        let splits = place.key("splits");
        self.shares_add_up(&splits, lines.key("splits"))?;
        self.splits_have_nodes(&splits, lines.key("splits"))?;
        self.dimensions_are_unique(&place.key("quotas"), lines.key("quotas"))?;
        let nodes = place.key("nodes");
        self.nodes.iter().enumerate().try_for_each(|(i, node)| {
            let line = self.node_lines.get(i).copied().unwrap_or(0);
            // A configuration made in code has no document, but may still have lines.
            let lines = if lines.has_document() { lines.key("nodes").index(i) } else { Lines::all(line) };
            quotas_are_known(node, &self.quotas, &nodes.index(i), lines)
        })
    }

    fn shares_add_up(&self, place: &Place, lines: Lines) -> Result<(), ConfigError> {
        let mut sum = 0.0;
        for (i, split) in self.splits.iter().enumerate() {
            let (place, lines) = (place.index(i), lines.index(i));
            if let Some(earlier) = self.splits.iter().take(i).position(|s| s.labels == split.labels) {
                let message = format!("the same labels as those of splits[{earlier}]");
                return Err(place.key("labels").error(lines.first(&["labels"]), message));
            }
            sum += split.share;
            if sum > 1.0 + ROUNDING {
                let message = format!("the shares up to here add up to {sum}, more than 1");
                return Err(place.key("share").error(lines.first(&["share"]), message));
            }
        }
        Ok(())
    }

    /// A split for nobody is a slip of the pen, unless all nodes are still to come.
    fn splits_have_nodes(&self, place: &Place, lines: Lines) -> Result<(), ConfigError> {
        let has = |node: &NodeSpec, split: &SplitConfig| {
            split.labels.iter().all(|(name, text)| node.labels.get(name) == Some(text))
        };
        for (i, split) in self.splits.iter().enumerate() {
            if self.nodes.is_empty() || self.nodes.iter().any(|node| has(node, split)) {
                continue;
            }
            let labels: Vec<_> = split.labels.iter().map(|(name, text)| format!("{name}={text}")).collect();
            let message = format!("no node has {}", Quoted(&labels.join(", ")));
            return Err(place.index(i).key("labels").error(lines.index(i).first(&["labels"]), message));
        }
        Ok(())
    }

    fn dimensions_are_unique(&self, place: &Place, lines: Lines) -> Result<(), ConfigError> {
        for (i, quota) in self.quotas.iter().enumerate() {
            if let Some(earlier) = self.quotas.iter().take(i).position(|q| q.dimension == quota.dimension) {
                let line = |i| lines.index(i).first(&["dimension"]);
                let message = repeated(&format!("the dimension {}", Quoted(&quota.dimension)), line(earlier));
                return Err(place.index(i).key("dimension").error(line(i), message));
            }
        }
        Ok(())
    }
}

/// That a node limits only what the pool counts, and lets a request of the default cost through.
fn quotas_are_known(node: &NodeSpec, quotas: &[QuotaLimit], place: &Place, lines: Lines) -> Result<(), ConfigError> {
    let (place, lines) = (place.key("quotas"), lines.key("quotas"));
    for (dimension, limit) in &node.quotas {
        let wrong = |message: String| Err(place.key(dimension).error(lines.first(&[dimension]), message));
        match quotas.iter().find(|quota| quota.dimension == *dimension) {
            None => return wrong(format!("the pool has no quota of the dimension {}", Quoted(dimension))),
            Some(quota) if quota.default_cost > *limit => {
                return wrong(format!(
                    "must be at least the quota's default_cost = {}, not {limit}",
                    quota.default_cost
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Checks the limits of a node against the quotas of its pool. `key` is where the node stands, for the message.
pub fn validate_node_quotas(node: &NodeSpec, quotas: &[QuotaLimit], key: &str, line: usize) -> Result<(), ConfigError> {
    quotas_are_known(node, quotas, &Place::root(key, &super::limits::WIDEST), Lines::all(line))
}
