//! A node of these tests: a replica in memory around the engine's replication cores, a real beacon, a proxy in front.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use beacon::{Beacon, BeaconConfig, Notifier};
use engine::effect::batch::{self, Batch, BatchHeader, BatchKind};
use engine::effect::level::LEVEL;
use engine::effect::{Deps, Effect, Op, record};
use engine::replication::horizon::{Horizon, Offer};
use engine::replication::nack::{Nack, NackConfig};
use engine::replication::stability::Stability;
use engine::replication::standing::{Position, Standing};
use engine::replication::{Ack, Fetch, Member, Received, Replica, ReplicaError, SeqRange};
use proto::{EffectId, Frontier, Hlc, NodeId, Seq};
use tests::proxy::Proxy;

pub const SECRET: &[u8] = b"a secret of the test's cluster";

/// The log and what is shown; what a restart keeps.
#[derive(Clone, Default)]
pub struct Disk {
    frontier: Frontier,
    /// Per origin: last seq and bytes of each batch, in order.
    logs: BTreeMap<NodeId, Vec<(Seq, Vec<u8>)>>,
    /// What the own batches' contexts have said so far.
    said: Frontier,
    members: BTreeMap<u64, Member>,
}

struct State {
    disk: Disk,
    horizon: Horizon,
    nack: Nack,
    stability: Stability,
    received: u64,
    duplicates: u64,
    violations: Vec<String>,
}

pub struct Memory {
    member: Member,
    skew_ms: AtomicI64,
    state: Mutex<State>,
}

impl Memory {
    pub fn new(member: Member, disk: Disk, horizon_bytes: usize, skew_ms: i64) -> Self {
        let config = NackConfig { seed: member.node.0, ..NackConfig::default() };
        let mut stability = Stability::new(member.directory);
        disk.members.values().for_each(|m| _ = stability.learn(m));
        let state = State {
            disk,
            horizon: Horizon::new(horizon_bytes),
            nack: Nack::new(member.node, config),
            stability,
            received: 0,
            duplicates: 0,
            violations: Vec::new(),
        };
        Self { member, skew_ms: skew_ms.into(), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Appends one batch of `values` effects, each a value of so many bytes.
    pub fn write(&self, values: usize, value_bytes: usize) {
        let mut state = self.state();
        let own = self.member.node;
        let first = state.disk.frontier.seq(own).0 + 1;
        let (mut records, mut hlc) = (Vec::new(), Hlc(first));
        for seq in first..first + values as u64 {
            let value: Vec<u8> = noise(own.0 << 32 | seq).take(value_bytes).collect();
            let effect = Effect {
                hlc: Hlc(seq + 1),
                db: 0,
                key: b"key",
                deps: Deps::new(),
                fresh: None,
                op: Op::Append(&value),
            };
            record::encode(&mut records, &effect, EffectId::new(own, Seq(seq)), hlc);
            hlc = effect.hlc;
        }
        let disk = &mut state.disk;
        let context: Frontier =
            disk.frontier.iter().filter(|(n, s)| *n != own && disk.said.seq(*n) != *s).collect();
        disk.said.join(&context);
        let header = BatchHeader {
            kind: BatchKind::Effects,
            flags: 0,
            count: values as u32,
            origin: own,
            first: Seq(first),
            hlc: Hlc(first),
            body_bytes: 0,
            crc: 0,
        };
        let mut bytes = Vec::new();
        batch::encode(&mut bytes, &header, &context, &Default::default(), &records);
        disk.frontier.set(own, header.last());
        disk.logs.entry(own).or_default().push((header.last(), bytes));
    }

    /// The clock jumps.
    pub fn skew(&self, skew_ms: i64) {
        self.skew_ms.store(skew_ms, Relaxed);
    }

    /// Appends a batch whose one effect is of a kind that no program knows yet.
    pub fn write_unknown(&self) {
        self.write(1, 0);
        let mut state = self.state();
        let log = state.disk.logs.get_mut(&self.member.node).expect("something was written");
        let (_, bytes) = log.last_mut().expect("something was written");
        // Behind the header, two empty frontiers at least and the record's length lies its kind.
        let at = (batch::HEADER_BYTES..bytes.len()).find(|at| bytes[*at] == 18).expect("an append");
        bytes[at] = 99;
        let crc = crc32c::crc32c(&bytes[12..]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
    }

    pub fn disk(&self) -> Disk {
        self.state().disk.clone()
    }

    pub fn shown(&self) -> Frontier {
        self.state().disk.frontier.clone()
    }

    pub fn stable(&self) -> Frontier {
        let state = self.state();
        state.stability.stable(&state.disk.frontier)
    }

    /// Batches that came, and those that had come before.
    pub fn received(&self) -> (u64, u64) {
        let state = self.state();
        (state.received, state.duplicates)
    }

    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }
}

/// Bytes that do not compress.
fn noise(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
}

impl State {
    fn show(&mut self, header: &BatchHeader, context: &Frontier, bytes: &[u8]) {
        let shown = self.disk.frontier.seq(header.origin);
        if header.first.0 > shown.0 + 1 || header.last() <= shown {
            self.violations.push(format!(
                "{}: {}..={} shown at {shown}",
                header.origin,
                header.first,
                header.last()
            ));
        }
        if !self.disk.frontier.covers(context) {
            self.violations.push(format!("{}:{} shown before its causes", header.origin, header.first));
        }
        self.disk.frontier.advance(header.origin, header.last());
        self.disk.logs.entry(header.origin).or_default().push((header.last(), bytes.to_vec()));
        self.stability.advance(&self.disk.frontier);
    }
}

impl Replica for Memory {
    fn member(&self) -> Member {
        self.member.clone()
    }

    fn members(&self) -> Vec<Member> {
        let mut members: Vec<Member> = self.state().disk.members.values().cloned().collect();
        members.push(self.member.clone());
        members
    }

    fn learn(&self, member: &Member) -> bool {
        let mut state = self.state();
        let news = state.stability.learn(member);
        if news {
            state.disk.members.insert(member.directory, member.clone());
        }
        news
    }

    fn informed(&self, peer: NodeId, members: &[Member]) {
        self.state().stability.informed(peer, members);
    }

    fn position(&self) -> Position {
        Position { shown: self.frontier(), ..Position::default() }
    }

    fn peer_up(&self, peer: &Member, _said: &Position, position: &Position, _now_ms: u64) -> Standing {
        let mut state = self.state();
        state.nack.peer_up(peer.node, &position.shown);
        state.nack.place(peer.node, peer.region == self.member.region);
        Standing::Level
    }

    fn peer_down(&self, node: NodeId, _now_ms: u64) {
        self.state().nack.peer_down(node);
    }

    fn feature_level(&self) -> u32 {
        let state = self.state();
        let levels = state.disk.members.values().map(|m| m.level);
        levels.fold(self.member.level, u32::min)
    }

    fn carried(&self, origin: NodeId, by: Option<NodeId>, _now_ms: u64) {
        self.state().nack.carried(origin, by);
    }

    fn frontier(&self) -> Frontier {
        self.shown()
    }

    fn ack(&self) -> Ack {
        let applied = self.shown();
        Ack { own: applied.seq(self.member.node), applied, hlc: self.hlc() }
    }

    fn batch(&self, _peer: NodeId, bytes: &[u8], _now_ms: u64) -> Result<Received, ReplicaError> {
        let batch = Batch::parse(bytes)?;
        batch.check()?;
        let mut state = self.state();
        let state = &mut *state;
        state.received += 1;
        match state.horizon.offer(&state.disk.frontier, &batch)? {
            Offer::Held => return Ok(Received::Held),
            Offer::Dropped => return Ok(Received::Dropped),
            Offer::Duplicate => {
                state.duplicates += 1;
                return Ok(Received::Duplicate);
            }
            Offer::Ready => {}
        }
        state.show(&batch.header, &batch.context()?, bytes);
        let mut batches = 1;
        while let Some(held) = state.horizon.next_ready(&state.disk.frontier) {
            state.show(&held.header, &held.context, &held.bytes);
            batches += 1;
        }
        Ok(Received::Shown { batches })
    }

    fn acked(&self, peer: NodeId, ack: &Ack, _now_ms: u64) {
        let mut state = self.state();
        let state = &mut *state;
        state.nack.announced(peer, &ack.applied);
        state.stability.acked(peer, ack, &state.disk.frontier);
    }

    fn step(&self, now_ms: u64, out: &mut Vec<Fetch>) {
        let mut state = self.state();
        let state = &mut *state;
        state.nack.step(now_ms, &state.disk.frontier, &state.horizon, out);
    }

    fn fetched(&self, peer: NodeId, ranges: &[SeqRange], _now_ms: u64) {
        self.state().nack.fetched(peer, ranges);
    }

    fn read_log(
        &self,
        origin: NodeId,
        after: Seq,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<Option<Seq>, ReplicaError> {
        let state = self.state();
        let Some(log) = state.disk.logs.get(&origin) else { return Ok(None) };
        let (mut last, start) = (None, out.len());
        for (seq, bytes) in &log[log.partition_point(|(seq, _)| *seq <= after)..] {
            if last.is_some() && out.len() - start + bytes.len() > bytes_max {
                break;
            }
            out.extend_from_slice(bytes);
            last = Some(*seq);
        }
        Ok(last)
    }

    fn hlc(&self) -> Hlc {
        let wall = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
        Hlc::from_ms((wall + self.skew_ms.load(Relaxed)) as u64)
    }
}

/// Options of [`Node::start`].
#[derive(Clone)]
pub struct Options {
    pub region: &'static str,
    pub secret: &'static [u8],
    pub join: Vec<String>,
    pub skew_ms: i64,
    pub horizon_bytes: usize,
    /// Feature level that it says it knows.
    pub level: u32,
    pub dns_servers: Vec<SocketAddr>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            region: "eu",
            secret: SECRET,
            join: Vec::new(),
            skew_ms: 0,
            horizon_bytes: 64 << 20,
            level: LEVEL,
            dns_servers: Vec::new(),
        }
    }
}

pub struct Node {
    pub memory: Arc<Memory>,
    pub proxy: Proxy,
    pub beacon: Beacon,
    notifier: Notifier,
    options: Options,
}

impl Node {
    /// A node whose advertised address is its proxy's.
    pub async fn start(id: u64, options: Options) -> Node {
        let nowhere: SocketAddr = ([127, 0, 0, 1], 9).into();
        Self::open(id, options, Proxy::start(nowhere, id).unwrap(), Disk::default()).await
    }

    async fn open(id: u64, options: Options, proxy: Proxy, disk: Disk) -> Node {
        let member = Member {
            directory: 1000 + id,
            node: NodeId(id),
            incarnation: 1,
            region: options.region.to_string(),
            addr: proxy.addr().to_string(),
            level: options.level,
        };
        let memory = Arc::new(Memory::new(member, disk, options.horizon_bytes, options.skew_ms));
        let config = BeaconConfig {
            bind: ([127, 0, 0, 1], 0).into(),
            secret: options.secret.to_vec(),
            join: options.join.clone(),
            dns_servers: options.dns_servers.clone(),
        };
        let beacon = Beacon::start(config, memory.clone()).await.unwrap();
        proxy.set_target(beacon.local_addr().unwrap());
        Node { memory, proxy, notifier: beacon.notifier(), beacon, options }
    }

    /// Dies without a word and comes back with its disk at another port, behind the same address.
    pub async fn restart(self) -> Node {
        let disk = self.memory.disk();
        let id = self.memory.member.node.0;
        drop(self.beacon);
        Self::open(id, self.options, self.proxy, disk).await
    }

    pub fn addr(&self) -> String {
        self.proxy.addr().to_string()
    }

    pub fn region(&self) -> &str {
        &self.memory.member.region
    }

    pub fn write_unknown(&self) {
        self.memory.write_unknown();
        self.notifier.notify();
    }

    pub fn write(&self, values: usize, value_bytes: usize) {
        self.memory.write(values, value_bytes);
        self.notifier.notify();
    }
}

/// Polls until `done`; panics with the state of all nodes when it takes longer.
pub async fn until(what: &str, limit: Duration, nodes: &[&Node], mut done: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > limit {
            for node in nodes {
                eprintln!(
                    "{}: {:?} {:#?}",
                    node.memory.member.node,
                    node.memory.shown(),
                    node.beacon.links()
                );
                eprintln!("{:?} {:?}", node.beacon.alarms(), node.proxy.counts());
            }
            panic!("{what}: not within {limit:?}");
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    start.elapsed()
}

/// Waits until all have shown the same, which is all that was written.
pub async fn converged(limit: Duration, nodes: &[&Node]) -> Duration {
    let took = until("converged", limit, nodes, || {
        let mut all = Frontier::new();
        nodes.iter().for_each(|n| all.join(&n.memory.shown()));
        nodes.iter().all(|n| n.memory.shown() == all)
    })
    .await;
    for node in nodes {
        assert_eq!(node.memory.violations(), Vec::<String>::new());
    }
    took
}

/// Waits until every node has a live link to every other.
pub async fn linked(limit: Duration, nodes: &[&Node]) -> Duration {
    until("linked", limit, nodes, || {
        nodes.iter().all(|n| {
            let up = |l: &&beacon::LinkStatus| l.state == beacon::LinkState::Up;
            n.beacon.links().iter().filter(up).count() == nodes.len() - 1
        })
    })
    .await
}
