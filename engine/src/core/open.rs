//! Opening an engine: configuration, and recovery from the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use parking_lot::{Mutex, RwLock};
use proto::{Frontier, Hlc, NodeId, Seq};

use super::origins::Origins;
use super::remote::Swaps;
use super::stage::Stage;
use super::write::Writer;
use super::{Engine, EngineStats, Peers, new_shards};
use crate::disk::Disk;
use crate::effect::batch::{Batch, BatchError, BatchKind, FLAG_SOLO};
use crate::log::{Identity, Log, LogError, LogOptions, Recovered};
use crate::replication::Member;
use crate::replication::horizon::Horizon;
use crate::replication::nack::{Nack, NackConfig};
use crate::replication::stability::Stability;
use crate::safety::RangeRules;
use crate::state::access::Lfu;

/// When appended effects are made durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Fsync {
    /// Before any reply of the turn.
    Always,
    /// Once a second, by the owner calling [`Log::sync`].
    #[default]
    EverySecond,
    /// When the operating system does.
    No,
}

/// What an engine is told at its start.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    pub databases: u32,
    pub fsync: Fsync,
    pub region: String,
    /// `host:port` peers reach us at; empty on a node that never has peers.
    pub addr: String,
    /// Peers are configured: effects are unstable until they acknowledge, from the first write on.
    pub expects_peers: bool,
    pub rules: RangeRules,
    /// Seeds the key hash and with it SCAN's order; the directory's id when `None`.
    pub hash_seed_override: Option<u64>,
    pub hash_seed: u64,
    pub random_seed: u64,
    pub segment_bytes: u64,
    /// Bytes held of batches that wait for a gap to close.
    pub horizon_bytes_max: usize,
    /// How uses of keys are counted, when the policy in force at the start is LFU.
    pub lfu: Option<Lfu>,
    /// The block that the allocator takes for a request, both in bytes.
    pub block_bytes: fn(usize) -> usize,
    /// Keep the ordered index (off only to measure its cost).
    pub index: bool,
    /// Keep the log (off only to measure its cost: nothing survives).
    pub log: bool,
}

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig {
            databases: 16,
            fsync: Fsync::EverySecond,
            region: "local".into(),
            addr: String::new(),
            expects_peers: false,
            rules: RangeRules::default(),
            hash_seed_override: None,
            hash_seed: 0,
            random_seed: 0,
            segment_bytes: 64 << 20,
            horizon_bytes_max: 64 << 20,
            lfu: None,
            block_bytes: |bytes| bytes.next_multiple_of(8),
            index: true,
            log: true,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("working the state out again from the log: {0}")]
    Rebuild(String),
}

impl Engine {
    /// The fsync policy in force.
    pub fn fsync(&self) -> Fsync {
        match self.fsync.load(Relaxed) {
            policy if policy == Fsync::Always as u8 => Fsync::Always,
            policy if policy == Fsync::No as u8 => Fsync::No,
            _ => Fsync::EverySecond,
        }
    }

    pub fn set_fsync(&self, policy: Fsync) {
        self.fsync.store(policy as u8, Relaxed);
    }

    /// Opens the engine over a disk, replaying its log.
    pub fn open(
        mut config: EngineConfig,
        disk: Arc<dyn Disk>,
        fresh_id: &mut dyn FnMut() -> u64,
    ) -> Result<(Arc<Engine>, Recovered), OpenError> {
        // The hash seed must be known before the first key: it is the directory's id, or about to become so.
        let early = crate::log::peek_identity(&*disk)?;
        let directory = early.as_ref().map_or_else(&mut *fresh_id, |i| i.directory);
        config.hash_seed = config.hash_seed_override.unwrap_or(directory);
        let mut ids = vec![directory];
        let mut next_id = || ids.pop().unwrap_or_else(&mut *fresh_id).max(1);
        if early.is_some() {
            next_id();
        }
        if !config.log {
            let node = NodeId(next_id().max(1) ^ 1 | 2);
            let identity = Identity { directory, nodes: vec![node] };
            let engine = Engine::assemble(config, &identity);
            let recovered = Recovered { identity, clean: false, cut_bytes: 0, batches: 0, effects: 0 };
            return Ok((Arc::new(engine), recovered));
        }
        // Replay needs an engine; the engine's identity is known only after it. Own effects need no marking while replaying.
        let provisional = early.unwrap_or_else(|| Identity { directory, nodes: vec![NodeId(u64::MAX)] });
        let mut engine = Engine::assemble(config, &provisional);
        let options = LogOptions { segment_bytes: engine.config.segment_bytes, fresh_id: &mut next_id };
        let mut hlc = Hlc(0);
        let (log, recovered) = Log::open(disk, options, &mut |batch| engine.replay(batch, &mut hlc))?;
        engine.adopt(&recovered.identity);
        let written = engine.shown.lock().seq(engine.node);
        {
            let mut writer = engine.writer.lock();
            writer.received = engine.shown.lock().clone();
            writer.settled = engine.peers.lock().base_cut.clone();
        }
        *engine.stage.lock() = Stage::new(engine.node, written, hlc);
        engine.log = Some(Arc::new(log));
        if engine.must_rebuild.load(Relaxed) {
            engine.rebuild().map_err(|e| OpenError::Rebuild(e.to_string()))?;
        }
        if engine.is_alone() {
            // Written while peers were expected; none ever came.
            for shard in &engine.shards {
                let mut shard = shard.lock();
                engine.with_world(engine.own_origin, |world| shard.settle_all(world));
            }
        }
        Ok((Arc::new(engine), recovered))
    }

    fn assemble(config: EngineConfig, identity: &Identity) -> Engine {
        let node = identity.current();
        let databases = config.databases.max(1);
        let origins = Origins::new();
        let own_origin = origins.index(node);
        let nack = NackConfig { seed: config.random_seed, ..NackConfig::default() };
        let peers = Peers {
            members: Vec::new(),
            stability: Stability::new(identity.directory),
            nack: Nack::new(node, nack),
            horizon: Horizon::new(config.horizon_bytes_max),
            contexts: Default::default(),
            settled: Default::default(),
            base_cut: Frontier::new(),
            marked: Frontier::new(),
        };
        let own = Member {
            directory: identity.directory,
            node,
            incarnation: identity.nodes.len() as u64,
            region: config.region.clone(),
            addr: config.addr.clone(),
        };
        Engine {
            node,
            own_origin,
            own: RwLock::new(own),
            own_nodes: identity.nodes.clone(),
            must_rebuild: AtomicBool::new(false),
            shards: new_shards(),
            indexes: (0..databases).map(|_| Mutex::default()).collect(),
            origins,
            stage: Mutex::new(Stage::new(node, Seq(0), Hlc(0))),
            writer: Mutex::new(Writer::default()),
            log: None,
            apply: Mutex::new(()),
            shown: Mutex::new(Frontier::new()),
            peers: Mutex::new(peers),
            alone: AtomicBool::new(!config.expects_peers),
            closed_ms: AtomicU64::new(0),
            databases: (0..databases).map(AtomicU32::new).collect(),
            swaps: Mutex::new(Swaps::default()),
            random: AtomicU64::new(config.random_seed),
            lfu: AtomicU64::new(Lfu::to_bits(config.lfu)),
            expire_at: AtomicU32::new(0),
            active_expire: AtomicBool::new(true),
            string_bytes_max: AtomicU64::new(512 << 20),
            refusing: AtomicBool::new(false),
            rules: RwLock::new(config.rules.clone()),
            stats: EngineStats::default(),
            stats_base: Mutex::default(),
            fsync: AtomicU8::new(config.fsync as u8),
            appended: RwLock::new(None),
            config,
        }
    }

    /// Takes on the incarnation that the log claimed.
    fn adopt(&mut self, identity: &Identity) {
        self.node = identity.current();
        self.own_origin = self.origins.index(self.node);
        let own = self.own.get_mut();
        own.node = self.node;
        own.directory = identity.directory;
        own.incarnation = identity.nodes.len() as u64;
        let peers = self.peers.get_mut();
        let nack = NackConfig { seed: self.config.random_seed, ..NackConfig::default() };
        peers.nack = Nack::new(self.node, nack);
        // Foreign effects in the log mean that there are peers, whoever connects first.
        let foreign = self.shown.get_mut().iter().any(|(node, _)| !identity.nodes.contains(&node));
        if foreign || !peers.members.is_empty() {
            self.alone.store(false, Relaxed);
        }
    }

    /// Folds one batch of the log; what was stable when it was written is folded as stable.
    fn replay(&self, batch: &Batch<'_>, hlc: &mut Hlc) -> Result<(), BatchError> {
        match batch.header.kind {
            BatchKind::Members => self.replay_members(batch),
            BatchKind::Stable => {
                let stable = batch.context()?;
                self.prune_shards(&stable);
                self.peers.lock().base_cut.join(&stable);
                Ok(())
            }
            BatchKind::Effects => {
                // It was written without knowing what is folded here already: the live node worked its state out again then.
                if self.misses_base(batch)? {
                    self.must_rebuild.store(true, Relaxed);
                }
                let ours = self.own_nodes.contains(&batch.header.origin);
                let solo = ours && batch.header.flags & FLAG_SOLO != 0;
                *hlc = (*hlc).max(self.fold_batch(batch, Some(solo), None)?);
                if solo {
                    self.peers.lock().base_cut.advance(batch.header.origin, batch.header.last());
                }
                Ok(())
            }
        }
    }
}
