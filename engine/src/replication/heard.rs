//! What each peer said last of itself: for those who wait for it, and for those who ask how far behind it is.
//!
//! What is kept here is what a peer *said*. What follows from it for others, [`super::stability`] works out.

use std::collections::BTreeMap;

use proto::{Frontier, Hlc, NodeId, Seq};

use super::Ack;

/// Peers kept; one that was silent longest goes first.
const PEERS_MAX: usize = 4096;

/// One peer's last words.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Heard {
    /// What it has shown.
    pub applied: Frontier,
    /// How far its own sequence had come.
    pub own: Seq,
    /// Its clock when it said so; zero before its first ack.
    pub hlc: Hlc,
    /// When it was heard, Unix ms by our own clock.
    pub at_ms: u64,
    /// A link to it is up.
    pub up: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub struct HeardPeers(BTreeMap<NodeId, Heard>);

impl HeardPeers {
    fn entry(&mut self, node: NodeId, now_ms: u64) -> &mut Heard {
        if self.0.len() >= PEERS_MAX && !self.0.contains_key(&node) {
            let oldest = self.0.iter().min_by_key(|(_, heard)| heard.at_ms).map(|(node, _)| *node);
            oldest.map(|node| self.0.remove(&node));
        }
        let heard = self.0.entry(node).or_default();
        heard.at_ms = heard.at_ms.max(now_ms);
        heard
    }

    /// A link came up; the peer said what it holds.
    pub fn up(&mut self, node: NodeId, frontier: &Frontier, now_ms: u64) {
        let heard = self.entry(node, now_ms);
        heard.applied.join(frontier);
        heard.up = true;
    }

    pub fn down(&mut self, node: NodeId) {
        if let Some(heard) = self.0.get_mut(&node) {
            heard.up = false;
        }
    }

    pub fn acked(&mut self, node: NodeId, ack: &Ack, now_ms: u64) {
        let heard = self.entry(node, now_ms);
        heard.applied.join(&ack.applied);
        heard.hlc = heard.hlc.max(ack.hlc);
        heard.own = heard.own.max(ack.own);
    }

    /// True when `peer` has shown the effects of `origin` up to `seq`. A peer never heard has shown nothing.
    pub fn has(&self, peer: NodeId, origin: NodeId, seq: Seq) -> bool {
        self.0.get(&peer).is_some_and(|heard| heard.applied.seq(origin) >= seq)
    }

    pub fn of(&self, peer: NodeId) -> Option<&Heard> {
        self.0.get(&peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_said_only_grows_and_a_stranger_has_nothing() {
        let mut heard = HeardPeers::default();
        let at = |seq| [(NodeId(1), Seq(seq))].into_iter().collect::<Frontier>();
        assert!(!heard.has(NodeId(2), NodeId(1), Seq(0)));
        heard.up(NodeId(2), &at(5), 10);
        assert!(heard.has(NodeId(2), NodeId(1), Seq(5)) && !heard.has(NodeId(2), NodeId(1), Seq(6)));
        heard.acked(NodeId(2), &Ack { applied: at(3), own: Seq(0), hlc: Hlc(7) }, 20);
        heard.down(NodeId(2));
        let said = heard.of(NodeId(2)).unwrap();
        assert_eq!((said.applied.seq(NodeId(1)), said.hlc, said.at_ms, said.up), (Seq(5), Hlc(7), 20, false));
    }
}
