//! The live links: exactly one per peer.
//!
//! When both sides dial at once two connections complete. Both sides keep the one dialled by the lower node id, so they
//! agree without talking. A link that has been silent for [`SILENT`] gives way to any newcomer: the peer may know that it
//! is dead before we do.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::replication::Member;
use proto::NodeId;

use crate::link::Link;

/// Heartbeats come twice a second; three missed ones on a lossy path are a reason to try another connection.
pub(crate) const SILENT: Duration = Duration::from_millis(1_800);
/// Addresses whose owner is remembered.
const ANSWERED_MAX: usize = 4096;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkState {
    Up,
    /// Dialled again and again.
    Down,
}

/// One peer, for INFO.
#[derive(Clone, Debug)]
pub struct LinkStatus {
    pub peer: Member,
    pub state: LinkState,
    /// Why it is down, if it is known.
    pub reason: String,
    /// Zero fields follow for a link that is down.
    pub up_ms: u64,
    /// Since anything was heard.
    pub silent_ms: u64,
    pub rtt_us: u64,
    pub sent_batches: u64,
    /// Of batches, before compression; and on the wire with everything else, UDP payload.
    pub sent_bytes: u64,
    pub sent_wire_bytes: u64,
    pub received_batches: u64,
    pub received_bytes: u64,
    pub received_wire_bytes: u64,
    /// NACKs sent, and what they brought.
    pub fetches: u64,
    pub fetched_batches: u64,
    pub fetched_bytes: u64,
    /// NACKs answered.
    pub served: u64,
    pub served_bytes: u64,
}

/// What [`Registry::admit`] decided.
pub(crate) enum Admitted {
    /// It is the link now; the replaced one is to be closed.
    Yes { replaced: Option<Arc<Link>> },
    /// The existing one is kept.
    AlreadyLinked,
    /// Another process uses the id of a live peer.
    Duplicate { addr: String },
}

#[derive(Default)]
pub(crate) struct Registry {
    links: BTreeMap<NodeId, Arc<Link>>,
    /// Who answered at an address that was dialled.
    answered: HashMap<SocketAddr, NodeId>,
    selves: HashSet<SocketAddr>,
    /// Where a Hello is under way.
    greeting: HashSet<SocketAddr>,
}

impl Registry {
    /// Decides whether `link` becomes the peer's link; `own` is our node id.
    pub(crate) fn admit(&mut self, own: NodeId, link: &Arc<Link>) -> Admitted {
        if let Some(existing) = self.links.get(&link.peer.node) {
            let alive = existing.is_open() && existing.silent_for() < SILENT;
            if alive && existing.process != link.process {
                return Admitted::Duplicate { addr: existing.peer.addr.clone() };
            }
            let by_lower = |l: &Link| l.dialled == (own < l.peer.node);
            if alive && by_lower(existing) && !by_lower(link) {
                return Admitted::AlreadyLinked;
            }
        }
        let earlier = self
            .links
            .values()
            .find(|l| l.peer.directory == link.peer.directory && l.peer.incarnation <= link.peer.incarnation)
            .map(|l| l.peer.node);
        let replaced = earlier.and_then(|node| self.links.remove(&node));
        self.links.insert(link.peer.node, link.clone());
        if link.dialled {
            self.answer(link.remote, link.peer.node);
        }
        Admitted::Yes { replaced }
    }

    /// Removes `link` unless another took its place. True when the peer is down now.
    pub(crate) fn remove(&mut self, link: &Link) -> bool {
        let current = self.links.get(&link.peer.node).is_some_and(|l| l.id == link.id);
        if current {
            self.links.remove(&link.peer.node);
        }
        current
    }

    pub(crate) fn link(&self, node: NodeId) -> Option<&Arc<Link>> {
        self.links.get(&node)
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = &Arc<Link>> {
        self.links.values()
    }

    /// A dial of `addr` was answered by `node`.
    pub(crate) fn answer(&mut self, addr: SocketAddr, node: NodeId) {
        if self.answered.len() >= ANSWERED_MAX {
            self.answered.clear();
        }
        self.answered.insert(addr, node);
    }

    /// A dial of `addr` was answered by ourselves.
    pub(crate) fn answer_self(&mut self, addr: SocketAddr) {
        if self.selves.len() >= ANSWERED_MAX {
            self.selves.clear();
        }
        self.selves.insert(addr);
    }

    /// Takes the turn to say Hello at `addr`; false when it is taken.
    pub(crate) fn greet(&mut self, addr: SocketAddr) -> bool {
        self.greeting.insert(addr)
    }

    pub(crate) fn greeted(&mut self, addr: SocketAddr) {
        self.greeting.remove(&addr);
    }

    /// True when dialling `addr` would reach ourselves or a peer with a healthy link.
    pub(crate) fn needs_no_dial(&self, addr: SocketAddr) -> bool {
        let healthy = |node: &NodeId| self.links.get(node).is_some_and(|l| l.silent_for() < SILENT);
        self.selves.contains(&addr) || self.answered.get(&addr).is_some_and(healthy)
    }

    /// True when the member advertised as `name` has a healthy link.
    pub(crate) fn is_linked(&self, name: &str) -> bool {
        self.links.values().any(|l| l.peer.addr == name && l.silent_for() < SILENT)
    }

    /// True when the directory has a healthy link.
    pub(crate) fn is_linked_directory(&self, directory: u64) -> bool {
        self.links.values().any(|l| l.peer.directory == directory && l.silent_for() < SILENT)
    }
}
