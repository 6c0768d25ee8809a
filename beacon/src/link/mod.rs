//! One link: a QUIC connection to one peer after its handshake, and the tasks that live on it.

mod fetch;
mod handshake;
mod heartbeat;
mod receive;
mod send;
mod transfer;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use engine::effect::batch::BatchError;
use engine::effect::record::RecordError;
use engine::replication::standing::Standing;
use engine::replication::{Member, Received, ReplicaError};
use parking_lot::Mutex;
use proto::{Frontier, NodeId, Seq};
use quinn::{Connection, VarInt};
use tokio::sync::Notify;
use tokio::task::JoinSet;

pub(crate) use fetch::{compare, fetch};
use handshake::Arrival;
pub(crate) use handshake::{Answer, HandshakeError, accept, greet};

use crate::frame::{self, FrameError};
use crate::hello::{AHEAD_MS_MAX, Refused};
use crate::node::Shared;
use crate::quic::identity;
use crate::registry::{Admitted, LinkState, LinkStatus, Linked, SILENT};

/// Application close codes; the reason beside them is text for people.
pub(crate) mod close {
    pub const SHUTDOWN: u32 = 0;
    pub const REFUSED: u32 = 1;
    pub const ALREADY_LINKED: u32 = 2;
    pub const PROTOCOL: u32 = 3;
    pub const SILENT: u32 = 4;
    pub const OURSELVES: u32 = 5;
    pub const LOCAL: u32 = 6;
    pub const EVICTED: u32 = 7;
}

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("{}", identity::explain(.0))]
    Connection(#[from] quinn::ConnectionError),
    #[error("writing to the peer: {0}")]
    Write(#[from] quinn::WriteError),
    #[error("reading from the peer: {0}")]
    Read(#[from] quinn::ReadError),
    #[error("the peer ended its stream")]
    Ended,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(
        "the clock of the peer is {ahead_ms} ms ahead of ours, at most {AHEAD_MS_MAX} ms is allowed: check NTP on both"
    )]
    ClockAhead { ahead_ms: u64 },
    #[error("the peer does not hear us: one direction of the path is cut")]
    OneWay,
    #[error("the peer broke the protocol: {0}")]
    Protocol(&'static str),
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    #[error(
        "the peer has {theirs} effects of ours, our log ends at {ours}: was the data directory rolled back?"
    )]
    Rewound { theirs: Seq, ours: Seq },
    #[error(
        "each of the two nodes has dropped log that the other has never seen, so neither can take over the other's state: \
         two stores were joined, or both were apart for longer than --log-absent-size allows. Start one of them with an empty \
         --data-dir, after copying what it alone has"
    )]
    Apart,
    #[error("this node was evicted from the cluster: it joins again as a new member")]
    Evicted,
}

impl From<BatchError> for LinkError {
    fn from(error: BatchError) -> Self {
        FrameError::Batch(error).into()
    }
}

impl LinkError {
    /// The name of the alarm, if somebody should look at it.
    fn alarm(&self) -> Option<&'static str> {
        let unknown = |error: &BatchError| {
            let record = |source: &RecordError| {
                matches!(source, RecordError::UnknownKind(_) | RecordError::UnknownFlags(_))
            };
            match error {
                BatchError::UnknownKind(_) | BatchError::UnknownFlags(_) => true,
                BatchError::Record { source, .. } => record(source),
                _ => false,
            }
        };
        match self {
            LinkError::ClockAhead { .. } | LinkError::Replica(ReplicaError::Ahead(..)) => Some("clock_ahead"),
            LinkError::Frame(FrameError::UnknownKind(_)) => Some("level"),
            LinkError::Frame(FrameError::Batch(error)) | LinkError::Replica(ReplicaError::Batch(error)) => {
                Some(if unknown(error) { "level" } else { "malformed" })
            }
            LinkError::Frame(_) => Some("malformed"),
            LinkError::Replica(_) => Some("local"),
            _ => None,
        }
    }

    fn close_code(&self) -> u32 {
        match self {
            LinkError::OneWay => close::SILENT,
            LinkError::Replica(ReplicaError::Log(_)) => close::LOCAL,
            LinkError::Rewound { .. }
            | LinkError::ClockAhead { .. }
            | LinkError::Replica(ReplicaError::Ahead(..)) => close::REFUSED,
            LinkError::Evicted => close::EVICTED,
            _ => close::PROTOCOL,
        }
    }
}

/// What a link did so far.
#[derive(Default)]
pub(crate) struct Counters {
    sent_batches: AtomicU64,
    sent_bytes: AtomicU64,
    relayed_batches: AtomicU64,
    relayed_bytes: AtomicU64,
    received_batches: AtomicU64,
    received_bytes: AtomicU64,
    fetches: AtomicU64,
    fetched_batches: AtomicU64,
    fetched_bytes: AtomicU64,
    served: AtomicU64,
    served_bytes: AtomicU64,
}

/// What the peer last said of itself.
#[derive(Clone, Default)]
pub(crate) struct Said {
    /// The nodes it has a healthy link to.
    pub reaches: BTreeSet<NodeId>,
    pub shown: Frontier,
}

/// What the peer is to be told besides effects and acks: only the latest counts.
#[derive(Default)]
struct Outbox {
    /// The nodes we reach, and the origins taken from the peer.
    reaches: BTreeSet<NodeId>,
    wanted: BTreeSet<NodeId>,
    reaches_due: bool,
    wanted_due: bool,
}

pub(crate) struct Link {
    /// Unique within the process.
    pub id: u64,
    pub peer: Member,
    /// The peer's process.
    pub process: u64,
    pub remote: SocketAddr,
    /// By us.
    pub dialled: bool,
    /// Our seqs up to here are shown at the peer, as of its Hello: where our stream begins.
    pub peer_has: Seq,
    /// The directory that we said we are.
    said_as: u64,
    /// Set when the link is admitted.
    standing: OnceLock<Standing>,
    connection: Connection,
    since: Instant,
    /// The newest feature level that both ends know.
    pub level: u32,
    /// Milliseconds after `since`.
    heard_ms: AtomicU64,
    /// When a heartbeat of ours was last known to have arrived.
    answered_ms: AtomicU64,
    said: Mutex<Said>,
    /// Streams that the peer asked for and that the sender has not taken over yet.
    asked: Mutex<Option<BTreeMap<NodeId, Seq>>>,
    outbox: Mutex<Outbox>,
    /// Something was asked, or lies in the outbox.
    news: Notify,
    counters: Counters,
    client: fetch::Client,
}

impl Link {
    fn new(shared: &Shared, connection: Connection, arrival: Arrival, dialled: bool) -> Self {
        let own = shared.replica.member().node;
        Self {
            id: shared.next_id(),
            peer_has: arrival.hello.position.shown.seq(own),
            said_as: arrival.said_as,
            level: arrival.agreed.level,
            said: Mutex::new(Said { reaches: BTreeSet::new(), shown: arrival.hello.position.shown }),
            asked: Mutex::default(),
            // The first word is said even if it is that nothing is wanted.
            outbox: Mutex::new(Outbox { wanted_due: true, ..Outbox::default() }),
            news: Notify::new(),
            answered_ms: AtomicU64::new(0),
            peer: arrival.hello.member,
            process: arrival.hello.process,
            standing: OnceLock::new(),
            remote: connection.remote_address(),
            dialled,
            since: Instant::now(),
            heard_ms: AtomicU64::new(0),
            counters: Counters::default(),
            client: fetch::client(connection.clone()),
            connection,
        }
    }

    /// True while both directions work.
    pub(crate) fn is_healthy(&self) -> bool {
        let answered = Duration::from_millis(self.answered_ms.load(Relaxed));
        let unanswered = self.since.elapsed().saturating_sub(answered);
        self.is_open() && self.silent_for() < SILENT && unanswered < SILENT + self.connection.rtt()
    }

    pub(crate) fn said(&self) -> Said {
        self.said.lock().clone()
    }

    /// True when the peer says that it reaches `node`.
    pub(crate) fn peer_reaches(&self, node: NodeId) -> bool {
        self.said.lock().reaches.contains(&node)
    }

    /// Has the peer told which nodes we reach and which origins we take from it, if it does not know yet.
    pub(crate) fn say(&self, reaches: &BTreeSet<NodeId>, wanted: BTreeSet<NodeId>) {
        let mut outbox = self.outbox.lock();
        if outbox.reaches != *reaches {
            outbox.reaches.clone_from(reaches);
            outbox.reaches_due = true;
        }
        if outbox.wanted != wanted {
            outbox.wanted = wanted;
            outbox.wanted_due = true;
        }
        if outbox.reaches_due || outbox.wanted_due {
            self.news.notify_one();
        }
    }

    fn answered(&self) {
        self.answered_ms.store(self.since.elapsed().as_millis() as u64, Relaxed);
    }

    fn standing(&self) -> Standing {
        self.standing.get().copied().unwrap_or(Standing::Level)
    }

    fn heard(&self) {
        self.heard_ms.store(self.since.elapsed().as_millis() as u64, Relaxed);
    }

    fn close(&self, code: u32, reason: &str) {
        self.connection.close(VarInt::from_u32(code), reason.as_bytes());
    }

    pub(crate) fn status(&self) -> LinkStatus {
        let c = &self.counters;
        let stats = self.connection.stats();
        LinkStatus {
            peer: self.peer.clone(),
            state: LinkState::Up,
            reason: String::new(),
            up_ms: self.since.elapsed().as_millis() as u64,
            silent_ms: self.silent_for().as_millis() as u64,
            rtt_us: stats.path.rtt.as_micros() as u64,
            sent_batches: c.sent_batches.load(Relaxed),
            sent_bytes: c.sent_bytes.load(Relaxed),
            relayed_batches: c.relayed_batches.load(Relaxed),
            relayed_bytes: c.relayed_bytes.load(Relaxed),
            sent_wire_bytes: stats.udp_tx.bytes,
            received_batches: c.received_batches.load(Relaxed),
            received_bytes: c.received_bytes.load(Relaxed),
            received_wire_bytes: stats.udp_rx.bytes,
            fetches: c.fetches.load(Relaxed),
            fetched_batches: c.fetched_batches.load(Relaxed),
            fetched_bytes: c.fetched_bytes.load(Relaxed),
            served: c.served.load(Relaxed),
            served_bytes: c.served_bytes.load(Relaxed),
        }
    }
}

impl Linked for Link {
    fn id(&self) -> u64 {
        self.id
    }

    fn peer(&self) -> &Member {
        &self.peer
    }

    fn process(&self) -> u64 {
        self.process
    }

    fn remote(&self) -> SocketAddr {
        self.remote
    }

    fn dialled(&self) -> bool {
        self.dialled
    }

    fn is_open(&self) -> bool {
        self.connection.close_reason().is_none()
    }

    fn silent_for(&self) -> Duration {
        let heard = Duration::from_millis(self.heard_ms.load(Relaxed));
        self.since.elapsed().saturating_sub(heard)
    }
}

/// Makes the link of an accepted Hello the peer's link and tells the replica, or closes the connection and says why.
fn admit(
    shared: &Shared,
    connection: &Connection,
    arrival: Arrival,
    dialled: bool,
) -> Result<Arc<Link>, HandshakeError> {
    let own = shared.replica.member();
    let (said, position) = (arrival.said.clone(), arrival.hello.position.clone());
    let members = arrival.hello.members.clone();
    let evictions = arrival.hello.evictions.clone();
    let link = Arc::new(Link::new(shared, connection.clone(), arrival, dialled));
    let ours = shared.replica.ack().own;
    if link.peer_has > ours {
        let error = LinkError::Rewound { theirs: link.peer_has, ours };
        shared.alarms.raise("rewound", format!("{}: {error}", link.peer.addr));
        link.close(close::REFUSED, &error.to_string());
        return Err(error.into());
    }
    if let Err(error) = shared.replica.learn_evictions(&evictions) {
        link.close(close::LOCAL, &error.to_string());
        return Err(LinkError::from(error).into());
    }
    if shared.replica.is_evicted(link.peer.directory) {
        tracing::info!(peer = %link.peer.node, addr = link.peer.addr, "refused: it was evicted");
        link.close(close::EVICTED, &LinkError::Evicted.to_string());
        return Err(HandshakeError::PeerEvicted);
    }
    // Held while the replica is told, so that it hears of ups and downs in the order they happen.
    let mut registry = shared.registry.lock();
    match registry.admit(own.node, &link) {
        Admitted::Yes { replaced } => {
            if let Some(old) = replaced {
                old.close(close::ALREADY_LINKED, &handshake::already_linked(own.node));
                if old.peer.node != link.peer.node {
                    shared.replica.peer_down(old.peer.node, shared.now_ms());
                }
            }
            shared.left.lock().remove(&link.peer.node);
            let standing = shared.replica.peer_up(&link.peer, &said, &position, shared.now_ms());
            let _ = link.standing.set(standing);
            if standing == Standing::Apart {
                drop(registry);
                let error = LinkError::Apart;
                shared.alarms.raise("apart", format!("{}: {error}", link.peer.addr));
                link.close(close::REFUSED, &error.to_string());
                shared.registry.lock().remove(&link);
                return Err(error.into());
            }
            for member in &members {
                shared.replica.learn(member);
            }
        }
        Admitted::AlreadyLinked => {
            link.close(close::ALREADY_LINKED, &handshake::already_linked(own.node));
            return Err(HandshakeError::AlreadyLinked(Some(link.peer.node)));
        }
        Admitted::Duplicate { addr } => {
            let refused = Refused::DuplicateNode { node: link.peer.node, addr };
            shared.alarms.raise(refused.name(), format!("{}: {refused}", link.peer.addr));
            link.close(close::REFUSED, &refused.to_string());
            return Err(refused.into());
        }
    }
    drop(registry);
    tracing::info!(peer = %link.peer.node, addr = link.peer.addr, region = link.peer.region, dialled, "link up");
    shared.links_moved();
    Ok(link)
}

/// Runs a link until it ends. `answer` is our Hello still owed to a dialler.
pub(crate) async fn live(shared: Arc<Shared>, link: Arc<Link>, answer: Option<Answer>) {
    let error = match answer {
        Some(answer) => match answer.send().await {
            Ok(()) => tasks(&shared, &link).await,
            Err(error) => error,
        },
        None => tasks(&shared, &link).await,
    };
    // The connection knows better why a stream broke; if it is still open, the fault is ours to report.
    let reason = match link.connection.close_reason() {
        Some(reason) => {
            if matches!(&reason, quinn::ConnectionError::ApplicationClosed(c)
                if c.error_code == VarInt::from_u32(close::SHUTDOWN))
            {
                shared.left.lock().insert(link.peer.node);
            }
            if matches!(&reason, quinn::ConnectionError::ApplicationClosed(c)
                if c.error_code == VarInt::from_u32(close::REFUSED))
            {
                let text = format!("{} refuses this node: {}", link.peer.addr, identity::explain(&reason));
                shared.alarms.raise("refused", text);
            }
            if matches!(&reason, quinn::ConnectionError::ApplicationClosed(c)
                if c.error_code == VarInt::from_u32(close::EVICTED))
            {
                evicted(&shared, &link);
            }
            identity::explain(&reason)
        }
        None => {
            link.close(error.close_code(), &error.to_string());
            if let Some(alarm) = error.alarm() {
                shared.alarms.raise(alarm, format!("link to {}: {error}", link.peer.addr));
            }
            error.to_string()
        }
    };
    let mut registry = shared.registry.lock();
    if registry.remove(&link) {
        shared.replica.peer_down(link.peer.node, shared.now_ms());
        tracing::info!(peer = %link.peer.node, addr = link.peer.addr, reason, "link down");
    }
    drop(registry);
    shared.links_moved();
}

/// Ends the links to whoever is evicted, saying so.
pub(crate) fn close_evicted(shared: &Shared) {
    let links: Vec<Arc<Link>> = shared.registry.lock().links().cloned().collect();
    for link in links.iter().filter(|link| shared.replica.is_evicted(link.peer.directory)) {
        link.close(close::EVICTED, &LinkError::Evicted.to_string());
    }
}

/// A peer says that we are evicted.
fn evicted(shared: &Shared, link: &Link) {
    // Who leaves asked for it.
    if !shared.replica.become_evicted(link.said_as) {
        shared.alarms.raise("evicted", format!("{}: {}", link.peer.addr, LinkError::Evicted));
    }
}

/// All that happens on a link; the first to end ends it.
async fn tasks(shared: &Arc<Shared>, link: &Arc<Link>) -> LinkError {
    let mut tasks: JoinSet<Result<(), LinkError>> = JoinSet::new();
    tasks.spawn(send::run(shared.clone(), link.clone()));
    tasks.spawn(receive::run(shared.clone(), link.clone()));
    tasks.spawn(heartbeat::run(link.clone()));
    tasks.spawn(fetch::serve(shared.clone(), link.clone()));
    if let Standing::Behind { .. } = link.standing() {
        tasks.spawn(transfer::run(shared.clone(), link.clone()));
    }
    match tasks.join_next().await {
        Some(Ok(Err(error))) => error,
        _ => LinkError::Ended,
    }
}

/// Hands a group of batches to the replica on a thread that may block. Wakes the senders when something was shown and the
/// NACK loop when something was held.
async fn deliver(shared: &Arc<Shared>, link: &Arc<Link>, group: bytes::Bytes) -> Result<usize, LinkError> {
    let (shared, link) = (shared.clone(), link.clone());
    let delivered = tokio::task::spawn_blocking(move || {
        let (mut batches, mut shown, mut waits) = (0, false, false);
        let mut result = Ok(());
        shared.replica.stamps_until(handshake::wall_ms() + AHEAD_MS_MAX);
        for batch in frame::batches(&group) {
            let now_ms = shared.now_ms();
            let received = batch
                .map_err(LinkError::from)
                .and_then(|b| Ok(shared.replica.batch(link.peer.node, b, now_ms)?));
            match received {
                Ok(Received::Shown { .. }) => shown = true,
                Ok(Received::Held | Received::Dropped) => waits = true,
                Ok(Received::Duplicate) => {}
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
            batches += 1;
        }
        if shown {
            shared.notifier.notify();
        }
        if waits {
            shared.step_due.notify_one();
        }
        result.map(|()| batches)
    });
    delivered.await.unwrap_or(Err(LinkError::Ended))
}
