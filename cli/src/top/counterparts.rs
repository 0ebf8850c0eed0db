//! Which node of another look is the same.

use std::cell::OnceCell;
use std::collections::HashMap;

use loadwise::stats::NodeStats;

pub struct Counterparts<'a> {
    nodes: &'a [NodeStats],
    by_id: OnceCell<HashMap<&'a str, &'a NodeStats>>,
}

impl<'a> Counterparts<'a> {
    pub fn new(nodes: &'a [NodeStats]) -> Self {
        Self { nodes, by_id: OnceCell::new() }
    }

    /// What the other look has of the node that is at `place` in this one: mostly it is at the same place.
    pub fn of(&self, place: usize, id: &str) -> Option<&'a NodeStats> {
        if let Some(node) = self.nodes.get(place).filter(|node| node.id == id) {
            return Some(node);
        }
        let by_id = || self.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        self.by_id.get_or_init(by_id).get(id).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_found_wherever_they_are() {
        let named = |id: &str| NodeStats { id: id.to_owned(), ..NodeStats::default() };
        let nodes = ["a", "b", "c"].map(named);
        let others = Counterparts::new(&nodes);
        let found = |place, id| others.of(place, id).map(|node| node.id.as_str());
        assert_eq!((found(0, "a"), found(1, "c"), found(7, "b")), (Some("a"), Some("c"), Some("b")));
        assert_eq!((found(0, "d"), found(3, "d")), (None, None));
    }
}
