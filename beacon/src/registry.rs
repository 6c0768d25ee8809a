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

/// What the registry asks of a link. The simulated world has links of its own.
pub trait Linked {
    /// Unique within the process.
    fn id(&self) -> u64;
    fn peer(&self) -> &Member;
    /// The peer's process.
    fn process(&self) -> u64;
    fn remote(&self) -> SocketAddr;
    /// By us.
    fn dialled(&self) -> bool;
    fn is_open(&self) -> bool;
    /// Since anything came from the peer.
    fn silent_for(&self) -> Duration;
}

/// Heartbeats come four times a second; seven missed ones even on a lossy path are a reason to take other ways and to try
/// another connection.
pub const SILENT: Duration = Duration::from_millis(1_800);
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
    /// Of `sent_batches` and `sent_bytes`, those of other origins.
    pub relayed_batches: u64,
    pub relayed_bytes: u64,
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
pub enum Admitted<L> {
    /// It is the link now; the replaced one is to be closed.
    Yes { replaced: Option<Arc<L>> },
    /// The existing one is kept.
    AlreadyLinked,
    /// Another process uses the id of a live peer.
    Duplicate { addr: String },
}

/// See the module.
pub struct Registry<L> {
    links: BTreeMap<NodeId, Arc<L>>,
    /// Who answered at an address that was dialled.
    answered: HashMap<SocketAddr, NodeId>,
    selves: HashSet<SocketAddr>,
    /// Where a Hello is under way.
    greeting: HashSet<SocketAddr>,
}

impl<L> Default for Registry<L> {
    fn default() -> Self {
        Registry {
            links: BTreeMap::new(),
            answered: HashMap::new(),
            selves: HashSet::new(),
            greeting: HashSet::new(),
        }
    }
}

impl<L: Linked> Registry<L> {
    /// Decides whether `link` becomes the peer's link; `own` is our node id.
    pub fn admit(&mut self, own: NodeId, link: &Arc<L>) -> Admitted<L> {
        if let Some(existing) = self.links.get(&link.peer().node) {
            let alive = existing.is_open() && existing.silent_for() < SILENT;
            if alive && existing.process() != link.process() {
                return Admitted::Duplicate { addr: existing.peer().addr.clone() };
            }
            let by_lower = |l: &L| l.dialled() == (own < l.peer().node);
            if alive && by_lower(existing) && !by_lower(link) {
                return Admitted::AlreadyLinked;
            }
        }
        let earlier = self
            .links
            .values()
            .find(|l| {
                l.peer().directory == link.peer().directory && l.peer().incarnation <= link.peer().incarnation
            })
            .map(|l| l.peer().node);
        let replaced = earlier.and_then(|node| self.links.remove(&node));
        self.links.insert(link.peer().node, link.clone());
        if link.dialled() {
            self.answer(link.remote(), link.peer().node);
        }
        Admitted::Yes { replaced }
    }

    /// Removes `link` unless another took its place. True when the peer is down now.
    pub fn remove(&mut self, link: &L) -> bool {
        let current = self.links.get(&link.peer().node).is_some_and(|l| l.id() == link.id());
        if current {
            self.links.remove(&link.peer().node);
        }
        current
    }

    pub fn link(&self, node: NodeId) -> Option<&Arc<L>> {
        self.links.get(&node)
    }

    pub fn links(&self) -> impl Iterator<Item = &Arc<L>> {
        self.links.values()
    }

    /// A dial of `addr` was answered by `node`.
    pub fn answer(&mut self, addr: SocketAddr, node: NodeId) {
        if self.answered.len() >= ANSWERED_MAX {
            self.answered.clear();
        }
        self.answered.insert(addr, node);
    }

    /// A dial of `addr` was answered by ourselves.
    pub fn answer_self(&mut self, addr: SocketAddr) {
        if self.selves.len() >= ANSWERED_MAX {
            self.selves.clear();
        }
        self.selves.insert(addr);
    }

    /// Takes the turn to say Hello at `addr`; false when it is taken.
    pub fn greet(&mut self, addr: SocketAddr) -> bool {
        self.greeting.insert(addr)
    }

    pub fn greeted(&mut self, addr: SocketAddr) {
        self.greeting.remove(&addr);
    }

    /// True when dialling `addr` would reach ourselves or a peer with a healthy link.
    pub fn needs_no_dial(&self, addr: SocketAddr) -> bool {
        let healthy = |node: &NodeId| self.links.get(node).is_some_and(|l| l.silent_for() < SILENT);
        self.selves.contains(&addr) || self.answered.get(&addr).is_some_and(healthy)
    }

    /// True when the member advertised as `name` has a healthy link.
    pub fn is_linked(&self, name: &str) -> bool {
        self.links.values().any(|l| l.peer().addr == name && l.silent_for() < SILENT)
    }

    /// True when the directory has a healthy link.
    pub fn is_linked_directory(&self, directory: u64) -> bool {
        self.links.values().any(|l| l.peer().directory == directory && l.silent_for() < SILENT)
    }
}
