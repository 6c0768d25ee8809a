//! Origins by a small number, so that an entry's tip fits a word.

use parking_lot::RwLock;
use proto::NodeId;

/// Node ids in the order they were met. Index 0 is "none".
pub(crate) struct Origins(RwLock<Vec<NodeId>>);

impl Origins {
    /// Nodes known before, in the order of their numbers from 1.
    pub fn new(known: &[NodeId]) -> Self {
        let mut nodes = vec![NodeId(0)];
        nodes.extend_from_slice(known);
        Origins(RwLock::new(nodes))
    }

    /// Every node in the order of its number, from 0, which is none.
    pub fn list(&self) -> Vec<NodeId> {
        self.0.read().clone()
    }

    /// False when the number of this node would not fit an entry any more.
    pub fn has_room_for(&self, node: NodeId) -> bool {
        let origins = self.0.read();
        origins.len() < usize::from(u16::MAX) || origins.contains(&node)
    }

    /// The node behind a number given out.
    pub fn node(&self, index: u16) -> Option<NodeId> {
        self.0.read().get(usize::from(index)).copied()
    }

    /// The number of a node, given at first sight. Ask [`Origins::has_room_for`] before taking in a stranger.
    pub fn index(&self, node: NodeId) -> u16 {
        if let Some(at) = self.0.read().iter().rposition(|n| *n == node) {
            return at as u16;
        }
        let mut origins = self.0.write();
        if let Some(at) = origins.iter().rposition(|n| *n == node) {
            return at as u16;
        }
        assert!(
            origins.len() < usize::from(u16::MAX),
            "fewer than 65,535 incarnations ever write to one store"
        );
        origins.push(node);
        (origins.len() - 1) as u16
    }
}
