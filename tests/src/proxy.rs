//! A UDP proxy that makes a bad network: delay, jitter, loss, duplication, reordering, a narrow link, a cut in one or both
//! directions. Everything may change while packets flow.
//!
//! It stands in front of one node: peers dial the proxy's address (the node advertises it), each of them becomes a *flow*
//! with its own upstream socket, as through a NAT, and both directions of the flow pass here.
//!
//! ```text
//! peers ──▶ [listen] ── to ──▶ target
//!       ◀───────────── back ──
//! ```
//! Runs on a thread of its own, so that neither the test's runtime nor its blocking calls slow the network. Decisions come
//! from one seeded generator; arrival order is the kernel's, so a run is not reproducible packet by packet.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::net::{SocketAddr, UdpSocket as StdUdpSocket};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

/// Peers at once; the longest unused flow makes room.
const FLOWS_MAX: usize = 256;
/// Packets on their way; more are lost, as in a router.
const QUEUE_MAX: usize = 64 * 1024;
const SOCKET_BUFFER_BYTES: usize = 4 << 20;
const PACKET_BYTES_MAX: usize = 64 * 1024;
/// How long packets may wait for a narrow link.
const NARROW_QUEUE: Duration = Duration::from_millis(100);

/// One direction. The default is a perfect network.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Path {
    pub delay: Duration,
    /// Up to so much more, evenly; reorders by itself when larger than the packets' spacing.
    pub jitter: Duration,
    /// Probabilities, 0 to 1.
    pub loss: f64,
    pub duplicate: f64,
    /// Of being overtaken: such a packet takes half as long again, at least 2 ms more.
    pub reorder: f64,
    /// Bottleneck with a queue of [`NARROW_QUEUE`]; `None` is infinitely wide.
    pub bytes_per_s: Option<u64>,
    pub cut: bool,
}

/// Both directions.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Conditions {
    /// Towards the target.
    pub to: Path,
    pub back: Path,
}

impl Conditions {
    /// The same both ways.
    pub fn both(path: Path) -> Self {
        Self { to: path, back: path }
    }

    /// A long, lossy line: `delay_ms` and `loss` each way.
    pub fn wan(delay_ms: u64, loss: f64) -> Self {
        Self::both(Path { delay: Duration::from_millis(delay_ms), loss, ..Path::default() })
    }

    pub fn cut(self) -> Self {
        Self { to: Path { cut: true, ..self.to }, back: Path { cut: true, ..self.back } }
    }

    pub fn healed(self) -> Self {
        Self { to: Path { cut: false, ..self.to }, back: Path { cut: false, ..self.back } }
    }
}

/// What passed since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub packets_in: u64,
    pub bytes_in: u64,
    pub packets_out: u64,
    pub bytes_out: u64,
    pub lost: u64,
    pub cut: u64,
    pub duplicated: u64,
}

#[derive(Default)]
struct Counters {
    packets_in: AtomicU64,
    bytes_in: AtomicU64,
    packets_out: AtomicU64,
    bytes_out: AtomicU64,
    lost: AtomicU64,
    cut: AtomicU64,
    duplicated: AtomicU64,
}

struct Settings {
    conditions: Conditions,
    /// In place of `conditions`, for the packets of some peers.
    peers: HashMap<SocketAddr, Conditions>,
    target: SocketAddr,
}

/// A running proxy; dropping it stops it.
pub struct Proxy {
    addr: SocketAddr,
    settings: Arc<Mutex<Settings>>,
    counters: Arc<Counters>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Listens on a free loopback port.
    pub fn start(target: SocketAddr, seed: u64) -> io::Result<Proxy> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), target, seed)
    }

    pub fn start_at(listen: SocketAddr, target: SocketAddr, seed: u64) -> io::Result<Proxy> {
        let socket = bind(listen)?;
        let addr = socket.local_addr()?;
        let settings = Arc::new(Mutex::new(Settings {
            conditions: Conditions::default(),
            peers: HashMap::new(),
            target,
        }));
        let counters = Arc::new(Counters::default());
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let network = Network {
            settings: settings.clone(),
            counters: counters.clone(),
            random: seed | 1,
            free_at: [Instant::now(); 2],
        };
        let thread = std::thread::Builder::new().name("udp-proxy".into()).spawn(move || {
            runtime.block_on(async move {
                let Ok(socket) = UdpSocket::from_std(socket) else { return };
                tokio::select! {
                    () = run(network, Arc::new(socket)) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Proxy { addr, settings, counters, stop: Some(stop), thread: Some(thread) })
    }

    /// Where peers dial.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn conditions(&self) -> Conditions {
        self.settings().conditions
    }

    /// Holds for packets that arrive from now on.
    pub fn set(&self, conditions: Conditions) {
        self.settings().conditions = conditions;
    }

    /// Holds for the packets of one peer, named by the address it sends from; `None`: as for all.
    pub fn set_peer(&self, peer: SocketAddr, conditions: Option<Conditions>) {
        let mut settings = self.settings();
        match conditions {
            Some(conditions) => settings.peers.insert(peer, conditions),
            None => settings.peers.remove(&peer),
        };
    }

    /// Changes some of the conditions.
    pub fn change(&self, change: impl FnOnce(&mut Conditions)) {
        change(&mut self.settings().conditions);
    }

    /// Where packets go from now on: a node that restarted at another port.
    pub fn set_target(&self, target: SocketAddr) {
        self.settings().target = target;
    }

    pub fn counts(&self) -> Counts {
        let c = &self.counters;
        Counts {
            packets_in: c.packets_in.load(Relaxed),
            bytes_in: c.bytes_in.load(Relaxed),
            packets_out: c.packets_out.load(Relaxed),
            bytes_out: c.bytes_out.load(Relaxed),
            lost: c.lost.load(Relaxed),
            cut: c.cut.load(Relaxed),
            duplicated: c.duplicated.load(Relaxed),
        }
    }

    fn settings(&self) -> std::sync::MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A packet as it came, or as it is to leave.
struct Packet {
    bytes: Vec<u8>,
    /// The peer whose flow it belongs to.
    peer: SocketAddr,
    towards_target: bool,
}

struct Flow {
    upstream: Arc<UdpSocket>,
    used: Instant,
    reader: tokio::task::JoinHandle<()>,
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Decides each packet's fate.
struct Network {
    settings: Arc<Mutex<Settings>>,
    counters: Arc<Counters>,
    random: u64,
    /// When the narrow link of each direction is free again.
    free_at: [Instant; 2],
}

impl Network {
    /// When the packet leaves: nothing, once or twice.
    fn fate(&mut self, packet: &Packet, now: Instant) -> [Option<Instant>; 2] {
        let conditions = {
            let settings = self.settings.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            settings.peers.get(&packet.peer).copied().unwrap_or(settings.conditions)
        };
        let path = if packet.towards_target { conditions.to } else { conditions.back };
        self.counters.packets_in.fetch_add(1, Relaxed);
        self.counters.bytes_in.fetch_add(packet.bytes.len() as u64, Relaxed);
        if path.cut {
            self.counters.cut.fetch_add(1, Relaxed);
            return [None, None];
        }
        if self.chance(path.loss) {
            self.counters.lost.fetch_add(1, Relaxed);
            return [None, None];
        }
        let mut start = now;
        if let Some(bytes_per_s) = path.bytes_per_s {
            let free_at = &mut self.free_at[usize::from(packet.towards_target)];
            start = (*free_at).max(now);
            if start - now > NARROW_QUEUE {
                self.counters.lost.fetch_add(1, Relaxed);
                return [None, None];
            }
            start += Duration::from_secs_f64(packet.bytes.len() as f64 / bytes_per_s.max(1) as f64);
            *free_at = start;
        }
        let first = start + self.travel(&path);
        let second = self.chance(path.duplicate).then(|| start + self.travel(&path));
        if second.is_some() {
            self.counters.duplicated.fetch_add(1, Relaxed);
        }
        [Some(first), second]
    }

    fn travel(&mut self, path: &Path) -> Duration {
        let mut travel = path.delay + path.jitter.mul_f64(self.unit());
        if self.chance(path.reorder) {
            travel += (travel / 2).max(Duration::from_millis(2));
        }
        travel
    }

    fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.unit() < probability
    }

    /// 0 to 1, from a xorshift generator.
    fn unit(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1u64 << 53) as f64
    }

    fn target(&self) -> SocketAddr {
        self.settings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).target
    }
}

async fn run(mut network: Network, listen: Arc<UdpSocket>) {
    let (arrived, mut arrivals) = mpsc::channel::<Packet>(QUEUE_MAX);
    let mut flows: HashMap<SocketAddr, Flow> = HashMap::new();
    let mut travelling: BinaryHeap<Reverse<(Instant, u64)>> = BinaryHeap::new();
    let mut packets: HashMap<u64, Packet> = HashMap::new();
    let mut next_id = 0u64;
    let listener = tokio::spawn(read(listen.clone(), None, arrived.clone()));
    let _listener = AbortOnDrop(listener);
    loop {
        let due = travelling.peek().map(|Reverse((at, _))| *at);
        tokio::select! {
            biased;
            () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => {
                let now = Instant::now();
                while let Some(Reverse((at, id))) = travelling.peek().copied() {
                    if at > now {
                        break;
                    }
                    travelling.pop();
                    let Some(packet) = packets.remove(&id) else { continue };
                    if packet.towards_target {
                        let target = network.target();
                        let flow = match flow(&mut flows, packet.peer, target, &arrived) {
                            Ok(flow) => flow,
                            Err(_) => continue,
                        };
                        let _ = flow.upstream.send_to(&packet.bytes, target).await;
                    } else {
                        let _ = listen.send_to(&packet.bytes, packet.peer).await;
                    }
                    network.counters.packets_out.fetch_add(1, Relaxed);
                    network.counters.bytes_out.fetch_add(packet.bytes.len() as u64, Relaxed);
                }
            }
            packet = arrivals.recv() => {
                let Some(packet) = packet else { return };
                let fate = network.fate(&packet, Instant::now());
                for at in fate.into_iter().flatten() {
                    if packets.len() >= QUEUE_MAX {
                        network.counters.lost.fetch_add(1, Relaxed);
                        continue;
                    }
                    next_id += 1;
                    travelling.push(Reverse((at, next_id)));
                    let copy = Packet { bytes: packet.bytes.clone(), ..packet };
                    packets.insert(next_id, copy);
                }
            }
        }
    }
}

fn flow<'a>(
    flows: &'a mut HashMap<SocketAddr, Flow>,
    peer: SocketAddr,
    target: SocketAddr,
    arrived: &mpsc::Sender<Packet>,
) -> io::Result<&'a Flow> {
    if !flows.contains_key(&peer) {
        if flows.len() >= FLOWS_MAX {
            let oldest = flows.iter().min_by_key(|(_, f)| f.used).map(|(peer, _)| *peer);
            oldest.and_then(|peer| flows.remove(&peer));
        }
        let upstream = Arc::new(UdpSocket::from_std(bind(near(target))?)?);
        let reader = tokio::spawn(read(upstream.clone(), Some(peer), arrived.clone()));
        flows.insert(peer, Flow { upstream, used: Instant::now(), reader });
    }
    let flow = flows.get_mut(&peer).ok_or(io::ErrorKind::NotFound)?;
    flow.used = Instant::now();
    Ok(flow)
}

/// A socket whose own buffers lose nothing.
fn bind(addr: SocketAddr) -> io::Result<StdUdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

/// Any port from which `target` can be reached.
fn near(target: SocketAddr) -> SocketAddr {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    let ip = match (target.ip(), target.ip().is_loopback()) {
        (loopback, true) => loopback,
        (IpAddr::V4(_), false) => Ipv4Addr::UNSPECIFIED.into(),
        (IpAddr::V6(_), false) => Ipv6Addr::UNSPECIFIED.into(),
    };
    SocketAddr::new(ip, 0)
}

/// Reads one socket: the listener (`flow` is `None`, whoever sends is the peer) or a flow's upstream.
async fn read(socket: Arc<UdpSocket>, flow: Option<SocketAddr>, arrived: mpsc::Sender<Packet>) {
    let mut buffer = vec![0; PACKET_BYTES_MAX];
    loop {
        // An error here is the target's closed port, reported by the kernel; the next packet may fare better.
        let Ok((bytes, from)) = socket.recv_from(&mut buffer).await else { continue };
        let peer = flow.unwrap_or(from);
        let packet = Packet { bytes: buffer[..bytes].to_vec(), peer, towards_target: flow.is_none() };
        if let Err(mpsc::error::TrySendError::Closed(_)) = arrived.try_send(packet) {
            return;
        }
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> StdUdpSocket {
        let socket = StdUdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket
    }

    fn recv(socket: &StdUdpSocket) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 2048];
        let (bytes, from) = socket.recv_from(&mut buffer).unwrap();
        (buffer[..bytes].to_vec(), from)
    }

    #[test]
    fn both_directions_pass_and_are_delayed() {
        let (peer, target) = (socket(), socket());
        let proxy = Proxy::start(target.local_addr().unwrap(), 1).unwrap();
        proxy.set(Conditions::wan(30, 0.0));
        let start = Instant::now();
        peer.send_to(b"ping", proxy.addr()).unwrap();
        let (bytes, upstream) = recv(&target);
        assert_eq!(bytes, b"ping");
        target.send_to(b"pong", upstream).unwrap();
        assert_eq!(recv(&peer), (b"pong".to_vec(), proxy.addr()));
        assert!(start.elapsed() >= Duration::from_millis(60));
    }

    #[test]
    fn loss_duplication_and_a_one_way_cut_are_counted() {
        let (peer, target) = (socket(), socket());
        let proxy = Proxy::start(target.local_addr().unwrap(), 7).unwrap();
        let lossy = Path { loss: 0.5, duplicate: 0.5, ..Path::default() };
        proxy.set(Conditions::both(lossy));
        for n in 0..200u8 {
            peer.send_to(&[n], proxy.addr()).unwrap();
        }
        while proxy.counts().packets_in < 200 || proxy.counts().packets_out < 200 - proxy.counts().lost {
            std::thread::yield_now();
        }
        let counts = proxy.counts();
        assert!((60..140).contains(&counts.lost), "{counts:?}");
        assert!((20..80).contains(&counts.duplicated), "{counts:?}");
        proxy.set(Conditions { to: Path { cut: true, ..Path::default() }, back: Path::default() });
        peer.send_to(b"lost", proxy.addr()).unwrap();
        while proxy.counts().cut == 0 {
            std::thread::yield_now();
        }
        let (_, upstream) = recv(&target);
        target.send_to(b"heard", upstream).unwrap();
        assert_eq!(recv(&peer).0, b"heard");
    }

    #[test]
    fn a_narrow_link_takes_its_time_and_then_drops() {
        let (peer, target) = (socket(), socket());
        let proxy = Proxy::start(target.local_addr().unwrap(), 7).unwrap();
        proxy.set(Conditions::both(Path { bytes_per_s: Some(100_000), ..Path::default() }));
        let start = Instant::now();
        for _ in 0..30 {
            peer.send_to(&[0; 1000], proxy.addr()).unwrap();
        }
        for _ in 0..10 {
            recv(&target);
        }
        assert!(start.elapsed() >= Duration::from_millis(90));
        while proxy.counts().packets_in < 30 {
            std::thread::yield_now();
        }
        assert!(proxy.counts().lost > 10);
    }
}
