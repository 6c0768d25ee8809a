//! The beacon of one node: its socket, its loops, and what they share.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use engine::replication::reach::Detector;
use engine::replication::{MemberReach, Replica};
use parking_lot::Mutex;
use proto::NodeId;
use quinn::{Endpoint, VarInt};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::task::JoinSet;

use crate::alarm::{Alarm, Alarms};
use crate::dial::JoinStatus;
use crate::dns::Resolver;
use crate::link::{self, Link, close};
use crate::quic::identity::{Identity, IdentityError};
use crate::quic::transport;
use crate::registry::{LinkState, LinkStatus, Registry};
use crate::sent::{RegionSent, Sent};
use crate::{compare, dial, quic, streams};

/// With links up, NACKs are looked at this often; without, this rarely. Never faster than the pause.
const STEP_EVERY: Duration = Duration::from_millis(10);
const STEP_EVERY_ALONE: Duration = Duration::from_millis(200);
const STEP_PAUSE: Duration = Duration::from_millis(2);
/// A member that nobody reached for so long is told as down.
const DOWN_MS: u64 = 5_000;
/// Peers that have not everything by then get the rest when the node is back.
const DRAIN_MAX: Duration = Duration::from_secs(1);
const DRAIN_LOOK: Duration = Duration::from_millis(5);
/// A goodbye that peers do not hear costs them only a timeout.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// Where and with whom. Who this node is (id, region, advertised address) comes from [`Replica::member`].
#[derive(Clone)]
pub struct BeaconConfig {
    /// UDP address of the cluster port.
    pub bind: SocketAddr,
    /// Shared by all nodes of the cluster; not empty.
    pub secret: Vec<u8>,
    /// `host:port`, names and SRV names of nodes to find the cluster by (see [`crate::dns`]); our own may be among them.
    pub join: Vec<String>,
    /// Name servers to ask in place of the operating system's.
    pub dns_servers: Vec<SocketAddr>,
}

#[derive(Debug, thiserror::Error)]
pub enum BeaconError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("cluster port {addr}: {source}")]
    Bind { addr: SocketAddr, source: io::Error },
}

/// Tells the senders that the log or the frontier grew. Cheap when nobody waits; call it after each append.
#[derive(Clone, Default)]
pub struct Notifier(Arc<Notify>);

impl Notifier {
    pub fn notify(&self) {
        self.0.notify_waiters();
    }

    pub(crate) fn news(&self) -> Notified<'_> {
        self.0.notified()
    }
}

/// What the tasks of one beacon share.
pub(crate) struct Shared {
    pub replica: Arc<dyn Replica>,
    pub endpoint: Endpoint,
    /// Random; how this process recognises itself.
    pub process: u64,
    pub registry: Mutex<Registry<Link>>,
    pub alarms: Alarms,
    pub notifier: Notifier,
    /// Links came or went, or members were learned: the dialler looks again.
    pub links_changed: Notify,
    /// Something was held: NACKs may be due.
    pub step_due: Notify,
    /// Who is reached or who is to bring what may have changed.
    pub streams_due: Notify,
    pub detector: Mutex<Detector>,
    /// Nodes that said goodbye and were not linked since.
    pub left: Mutex<BTreeSet<NodeId>>,
    pub sent: Sent,
    pub resolver: Resolver,
    /// What is joined and how it stands; written by the dialler.
    pub joins: Mutex<Vec<JoinStatus>>,
    /// A checkpoint is being fetched, or is here.
    pub transferring: AtomicBool,
    /// Why a name could not be dialled lately; written by the dialler.
    pub reasons: Mutex<HashMap<String, String>>,
    started: Instant,
    last_id: AtomicU64,
    tasks: Mutex<JoinSet<()>>,
}

impl Shared {
    /// The monotonic clock of everything told to the replica.
    pub(crate) fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Links came or went, or members were learned.
    pub(crate) fn links_moved(&self) {
        self.links_changed.notify_one();
        self.streams_due.notify_one();
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Relaxed) + 1
    }

    /// Runs `task` until it ends or the beacon does.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

/// A running beacon. Dropping it stops it without a goodbye; see [`Beacon::shutdown`].
pub struct Beacon {
    shared: Arc<Shared>,
    loops: JoinSet<()>,
}

impl Beacon {
    /// Binds, then accepts and dials until shut down. Needs a tokio runtime with time and IO.
    pub async fn start(config: BeaconConfig, replica: Arc<dyn Replica>) -> Result<Beacon, BeaconError> {
        let identity = Identity::derive(&config.secret)?;
        let bind = |source| BeaconError::Bind { addr: config.bind, source };
        let endpoint = transport::endpoint(config.bind, &identity).map_err(bind)?;
        let shared = Arc::new(Shared {
            replica,
            endpoint,
            process: random(),
            registry: Mutex::default(),
            alarms: Alarms::default(),
            notifier: Notifier::default(),
            links_changed: Notify::new(),
            step_due: Notify::new(),
            streams_due: Notify::new(),
            detector: Mutex::new(Detector::new(DOWN_MS)),
            left: Mutex::default(),
            sent: Sent::default(),
            resolver: Resolver::new(&config.dns_servers, dial::RESOLVE_MAX),
            joins: Mutex::new(config.join.iter().map(|name| JoinStatus::new(name)).collect()),
            transferring: AtomicBool::new(false),
            reasons: Mutex::default(),
            started: Instant::now(),
            last_id: AtomicU64::new(0),
            tasks: Mutex::default(),
        });
        let mut loops = JoinSet::new();
        loops.spawn(accept(shared.clone()));
        loops.spawn(dial::run(shared.clone(), config.join));
        loops.spawn(step(shared.clone()));
        loops.spawn(streams::run(shared.clone()));
        loops.spawn(compare::run(shared.clone()));
        Ok(Beacon { shared, loops })
    }

    /// The bound address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.endpoint.local_addr()
    }

    /// The handle that wakes the senders.
    pub fn notifier(&self) -> Notifier {
        self.shared.notifier.clone()
    }

    /// Every known peer, linked or not.
    pub fn links(&self) -> Vec<LinkStatus> {
        let mut links: Vec<LinkStatus> = self.shared.registry.lock().links().map(|l| l.status()).collect();
        let own = self.shared.replica.member();
        let reasons = self.shared.reasons.lock();
        for member in self.shared.replica.members() {
            let known = links.iter().any(|l| l.peer.directory == member.directory);
            if !known && member.directory != own.directory {
                let reason = reasons.get(&member.addr).cloned().unwrap_or_default();
                links.push(LinkStatus::down(member, reason));
            }
        }
        links
    }

    /// The names that are joined, and what became of each.
    pub fn joins(&self) -> Vec<JoinStatus> {
        self.shared.joins.lock().clone()
    }

    /// How each other member can be reached, by node id.
    pub fn reachability(&self) -> Vec<MemberReach> {
        self.shared.detector.lock().list()
    }

    /// The clock of [`MemberReach::since_ms`].
    pub fn now_ms(&self) -> u64 {
        self.shared.now_ms()
    }

    /// What was sent into each region since the start.
    pub fn sent(&self) -> Vec<RegionSent> {
        self.shared.sent.list()
    }

    /// Refusals since the start.
    pub fn alarms(&self) -> Vec<Alarm> {
        self.shared.alarms.list()
    }

    /// Waits a moment for the linked peers to have what was written here, says goodbye to all and stops.
    pub async fn shutdown(mut self) {
        let _ = tokio::time::timeout(DRAIN_MAX, self.drained()).await;
        self.stop();
        let _ = tokio::time::timeout(GOODBYE_MAX, self.shared.endpoint.wait_idle()).await;
    }

    /// Returns once every linked peer has said that it shows all of our own effects.
    async fn drained(&self) {
        loop {
            let (node, own) = (self.shared.replica.member().node, self.shared.replica.ack().own);
            let have = |link: &Arc<link::Link>| link.said().shown.seq(node) >= own;
            if self.shared.registry.lock().links().filter(|l| l.is_healthy()).all(have) {
                return;
            }
            tokio::time::sleep(DRAIN_LOOK).await;
        }
    }

    fn stop(&mut self) {
        self.loops.abort_all();
        self.shared.endpoint.close(VarInt::from_u32(close::SHUTDOWN), b"shutting down");
        self.shared.tasks.lock().abort_all();
    }
}

impl Drop for Beacon {
    fn drop(&mut self) {
        self.stop();
    }
}

impl LinkStatus {
    fn down(peer: engine::replication::Member, reason: String) -> Self {
        LinkStatus {
            peer,
            state: LinkState::Down,
            reason,
            up_ms: 0,
            silent_ms: 0,
            rtt_us: 0,
            sent_batches: 0,
            sent_bytes: 0,
            relayed_batches: 0,
            relayed_bytes: 0,
            sent_wire_bytes: 0,
            received_batches: 0,
            received_bytes: 0,
            received_wire_bytes: 0,
            fetches: 0,
            fetched_batches: 0,
            fetched_bytes: 0,
            served: 0,
            served_bytes: 0,
        }
    }
}

async fn accept(shared: Arc<Shared>) {
    while let Some(incoming) = shared.endpoint.accept().await {
        let remote = incoming.remote_address();
        let inbound = shared.clone();
        shared.spawn(async move {
            let connection = match incoming.await {
                Ok(connection) => connection,
                Err(error) => {
                    quic::report(&inbound.alarms, remote, &error);
                    return;
                }
            };
            match link::accept(&inbound, &connection).await {
                Ok((link, answer)) => link::live(inbound, link, Some(answer)).await,
                Err(error) => tracing::debug!(%remote, "inbound connection: {error}"),
            }
        });
    }
}

async fn step(shared: Arc<Shared>) {
    let (mut due, mut evictions) = (Vec::new(), 0);
    loop {
        let alone = shared.registry.lock().links().next().is_none();
        let every = if alone { STEP_EVERY_ALONE } else { STEP_EVERY };
        let _ = tokio::time::timeout(every, shared.step_due.notified()).await;
        shared.replica.step(shared.now_ms(), &mut due);
        let version = shared.replica.evictions_version();
        if version != evictions {
            evictions = version;
            link::close_evicted(&shared);
        }
        for fetch in due.drain(..) {
            let link = shared.registry.lock().link(fetch.peer).cloned();
            match link {
                Some(link) => shared.spawn(link::fetch(shared.clone(), link, fetch.ranges)),
                None => shared.replica.fetched(fetch.peer, &fetch.ranges, shared.now_ms()),
            }
        }
        tokio::time::sleep(STEP_PAUSE).await;
    }
}

/// Not secret: it only tells processes apart.
pub(crate) fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}
