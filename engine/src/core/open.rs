//! Opening an engine: configuration, and recovery from the last checkpoint and the log after it.
//!
//! In two steps, so that a node can answer while it recovers: [`Engine::prepare`] learns who the directory is,
//! [`Recovery::run`] fills the engine.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};
use proto::{Frontier, Hlc, NodeId, Seq};

use super::origins::Origins;
use super::remote::{AllShards, Swaps};
use super::stage::Stage;
use super::write::Writer;
use super::{Engine, EngineStats, Peers, checkpoint, near, new_shards, transfer};
use crate::disk::Disk;
use crate::effect::batch::{Batch, BatchError, BatchKind, FLAG_SOLO};
use crate::image::manifest::Manifest;
use crate::latch::Latch;
use crate::log::{Damage, Identity, Log, LogError, LogOptions, LogPosition, LogStart, Opening, Recovered};
use crate::replication::Member;
use crate::replication::eviction::Evictions;
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
    /// The newest feature level that this node says it knows; lower than the program's own to hold a cluster back.
    pub level: u32,
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
    /// The wall clock at the start, Unix ms.
    pub started_ms: u64,
}

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig {
            databases: 16,
            fsync: Fsync::EverySecond,
            region: "local".into(),
            addr: String::new(),
            level: crate::effect::level::LEVEL,
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
            started_ms: 0,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("working the state out again from the log: {0}")]
    Rebuild(String),
    #[error("there are keys in database {}, but only {given} databases are asked for: start with --databases {needed} or more", needed - 1)]
    Databases { needed: u32, given: u32 },
    #[error(
        "CHECKPOINT is of directory {found:016x}, IDENTITY says {own:016x}: the files of two directories are mixed"
    )]
    Mixed { found: u64, own: u64 },
    #[error("the checkpoint was cut by another hash seed than the one given")]
    HashSeed,
}

/// Runs a job on every worker at once and returns when all are done. Sequential: `|job| job()`.
pub type Workers<'a> = dyn Fn(&(dyn Fn() + Sync)) + 'a;

/// How far recovery is. Bytes of checkpoint and log together.
#[derive(Default, Debug)]
pub struct Loading {
    pub active: AtomicBool,
    pub total_bytes: AtomicU64,
    pub done_bytes: AtomicU64,
    /// Entries read from the checkpoint.
    pub keys: AtomicU64,
    /// Effects replayed from the log.
    pub effects: AtomicU64,
}

/// An engine that knows who it is and holds nothing yet.
pub struct Recovery {
    engine: Arc<Engine>,
    opening: Option<Opening>,
    manifest: Option<Arc<Manifest>>,
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

    /// [`Engine::prepare`] and [`Recovery::run`] in one, on the caller's thread.
    pub fn open(
        config: EngineConfig,
        disk: Arc<dyn Disk>,
        fresh_id: &mut dyn FnMut() -> u64,
    ) -> Result<(Arc<Engine>, Recovered), OpenError> {
        let (engine, recovery) = Engine::prepare(config, disk, fresh_id)?;
        let recovered = recovery.run(&|job| job())?;
        Ok((engine, recovered))
    }

    /// Learns who the directory is, and makes an engine that is loading: it may be asked about itself, not for keys.
    pub fn prepare(
        mut config: EngineConfig,
        disk: Arc<dyn Disk>,
        fresh_id: &mut dyn FnMut() -> u64,
    ) -> Result<(Arc<Engine>, Recovery), OpenError> {
        let mut next_id = || fresh_id().max(1);
        if !config.log {
            let identity = Identity { directory: next_id(), nodes: vec![NodeId(next_id())] };
            config.hash_seed = config.hash_seed_override.unwrap_or(identity.directory);
            let engine = Arc::new(Engine::assemble(config, &identity, &[]));
            return Ok((engine.clone(), Recovery { engine, opening: None, manifest: None }));
        }
        transfer::install::run(config.segment_bytes, &disk, config.started_ms, &mut next_id)?;
        let manifest = checkpoint::read_manifest(&*disk)?.map(Arc::new);
        let options = LogOptions { segment_bytes: config.segment_bytes, fresh_id: &mut next_id };
        let opening = Log::prepare(disk, options)?;
        let identity = opening.identity();
        // The directory's id seeds the key hash: SCAN's order differs between directories, not between starts. What came from a
        // peer as a checkpoint keeps the peer's.
        let cut_by = manifest.as_ref().map_or(identity.directory, |manifest| manifest.hash_seed);
        config.hash_seed = config.hash_seed_override.unwrap_or(cut_by);
        let mut nodes = &[][..];
        if manifest.is_none() && opening.begins_late() {
            let file = crate::image::MANIFEST_FILE.into();
            return Err(LogError::Damaged { file, offset: 0, damage: Damage::Missing }.into());
        }
        if let Some(manifest) = &manifest {
            if manifest.directory != identity.directory {
                return Err(OpenError::Mixed { found: manifest.directory, own: identity.directory });
            }
            if manifest.hash_seed != config.hash_seed {
                return Err(OpenError::HashSeed);
            }
            if manifest.databases > config.databases {
                return Err(OpenError::Databases { needed: manifest.databases, given: config.databases });
            }
            nodes = &manifest.nodes;
        }
        let engine = Engine::assemble(config, identity, nodes);
        engine.loading.active.store(true, Relaxed);
        let engine = Arc::new(engine);
        Ok((engine.clone(), Recovery { engine, opening: Some(opening), manifest }))
    }

    /// How far recovery is; inactive once it has ended.
    pub fn loading(&self) -> &Loading {
        &self.loading
    }

    #[inline]
    pub fn is_loading(&self) -> bool {
        self.loading.active.load(Relaxed)
    }

    fn assemble(config: EngineConfig, identity: &Identity, nodes: &[NodeId]) -> Engine {
        let node = identity.current();
        let databases = config.databases.max(1);
        let origins = Origins::new(nodes);
        let own_origin = origins.index(node);
        let nack = NackConfig { seed: config.random_seed, ..NackConfig::default() };
        let peers = Peers {
            members: Vec::new(),
            strange_to: Default::default(),
            superseded: Default::default(),
            standings: Default::default(),
            stability: Stability::new(identity.directory),
            heard: Default::default(),
            nack: Nack::new(node, nack),
            horizon: Horizon::new(config.horizon_bytes_max),
            contexts: Default::default(),
            settled: Default::default(),
            base_cut: Frontier::new(),
            marked: Frontier::new(),
            reach: Vec::new(),
        };
        let own = Member {
            directory: identity.directory,
            node,
            incarnation: identity.nodes.len() as u64,
            region: config.region.clone(),
            addr: config.addr.clone(),
            level: config.level,
        };
        Engine {
            node,
            own_origin,
            own: RwLock::new(own),
            own_nodes: identity.nodes.clone(),
            must_rebuild: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            databases_seen: AtomicU32::new(0),
            level: AtomicU32::new(config.level),
            stamp_max_ms: AtomicU64::new(u64::MAX),
            shards: new_shards(),
            whereabouts: near::new_whereabouts(),
            index_catch_up: AtomicUsize::new(0),
            indexes: (0..databases).map(|_| Mutex::default()).collect(),
            origins,
            stage: Latch::new(Stage::new(node, Seq(0), Hlc(0))),
            writer: Mutex::new(Writer::default()),
            log: OnceLock::new(),
            own_databases: AtomicU32::new(0),
            checkpoints: checkpoint::Checkpoints::default(),
            lending: transfer::Lending::default(),
            incoming: Mutex::new(None),
            borrowing: Loading::default(),
            restart: AtomicBool::new(false),
            withholding: AtomicBool::new(false),
            unmergeable: Mutex::new(None),
            membership: Mutex::default(),
            evictions_version: AtomicU64::new(0),
            evicted: AtomicBool::new(false),
            leave: super::leave::Leave::default(),
            divergence: Default::default(),
            late: transfer::LateProgress::default(),
            late_due: AtomicBool::new(true),
            late_turn: Mutex::new(()),
            loading: Loading::default(),
            apply: Mutex::new(()),
            decode_buffer: Mutex::default(),
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
            asks_acks: config.rules.acks_max() > 0,
            rules: RwLock::new(config.rules.clone()),
            stats: EngineStats::default(),
            stats_base: Mutex::default(),
            fsync: AtomicU8::new(config.fsync as u8),
            appended: RwLock::new(None),
            waits: Default::default(),
            ages: Default::default(),
            conflicts: Default::default(),
            compare: Default::default(),
            replaying: AtomicBool::new(false),
            config,
        }
    }

    /// Folds one batch of the log; what was stable when it was written is folded as stable.
    /// `held`: the caller holds every shard.
    pub(super) fn replay(
        &self,
        batch: &Batch<'_>,
        hlc: &mut Hlc,
        held: Option<&mut AllShards<'_>>,
    ) -> Result<(), BatchError> {
        match batch.header.kind {
            BatchKind::Members => self.replay_members(batch),
            BatchKind::Evictions => {
                let told = Evictions::decode(batch.payload()).ok_or(BatchError::Header)?;
                self.replay_evictions(&told);
                Ok(())
            }
            BatchKind::Stable => {
                let stable = batch.context()?;
                match held {
                    Some(shards) => self.with_world(self.own_origin, |world| {
                        shards.iter_mut().for_each(|shard| _ = shard.prune(&stable, world));
                    }),
                    None => _ = self.prune_shards(&stable),
                }
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
                let before = self.databases_seen.swap(0, Relaxed);
                *hlc = (*hlc).max(self.fold_batch(batch, Some(solo), held)?);
                let seen = self.databases_seen.fetch_max(before, Relaxed);
                if ours {
                    self.note_late_marks(batch);
                    self.own_databases.fetch_max(seen, Relaxed);
                }
                if solo {
                    self.peers.lock().base_cut.advance(batch.header.origin, batch.header.last());
                }
                Ok(())
            }
        }
    }
}

impl Recovery {
    /// Reads the checkpoint on all workers, replays the log after it, and opens the log for appending.
    ///
    /// Errors: whatever is damaged, by file and offset; then the engine is of no use.
    pub fn run(self, workers: &Workers<'_>) -> Result<Recovered, OpenError> {
        let Recovery { engine, opening, manifest } = self;
        let Some(opening) = opening else {
            let identity =
                Identity { directory: engine.own.read().directory, nodes: engine.own_nodes.clone() };
            return Ok(Recovered { identity, clean: false, cut_bytes: 0, batches: 0, effects: 0 });
        };
        let from = manifest.as_ref().map_or(LogPosition(0), |manifest| manifest.from);
        let loading = &engine.loading;
        let image_bytes = manifest.as_ref().map_or(0, |manifest| manifest.live_bytes());
        loading.total_bytes.store(image_bytes + opening.bytes_after(from)?, Relaxed);
        let (disk, names) = (opening.disk().clone(), opening.names().to_vec());
        let mut hlc = Hlc(0);
        let mut start = None;
        if let Some(manifest) = &manifest {
            checkpoint::apply_manifest(&engine, manifest)?;
            checkpoint::load_shards(&engine, &*disk, manifest, workers)?;
            engine.prune_shards(&manifest.base_cut);
            hlc = manifest.hlc;
            start = Some(LogStart {
                first_segment: manifest.first_segment,
                from,
                durable: manifest.durable,
                index: manifest.index.clone(),
            });
        }
        let (log, recovered) = opening.replay(start, &mut |batch, at| {
            loading.done_bytes.store(image_bytes + at.0 - from.0, Relaxed);
            loading.effects.fetch_add(u64::from(batch.header.count), Relaxed);
            engine.replay(batch, &mut hlc, None)
        })?;
        if let Some(manifest) = &manifest {
            log.remove_leftovers(&names, manifest.first_segment)?;
        }
        engine.shards.iter().for_each(|shard| shard.lock().end_load());
        // What peers write to databases that we were not given is theirs to show; what this node wrote itself would be lost.
        let needed = engine.own_databases.load(Relaxed);
        if needed > engine.databases() {
            return Err(OpenError::Databases { needed, given: engine.databases() });
        }
        engine.settle_in(log, hlc)?;
        loading.active.store(false, Relaxed);
        Ok(recovered)
    }
}

impl Engine {
    /// The log is replayed: what follows from all of it.
    fn settle_in(&self, log: Log, hlc: Hlc) -> Result<(), OpenError> {
        // Foreign effects in the log mean that there are peers, whoever connects first.
        let foreign = self.shown.lock().iter().any(|(node, _)| !self.own_nodes.contains(&node));
        if foreign || !self.peers.lock().members.is_empty() {
            self.alone.store(false, Relaxed);
        }
        let written = self.shown.lock().seq(self.node);
        {
            let mut writer = self.writer.lock();
            writer.received = self.shown.lock().clone();
            writer.settled = self.peers.lock().base_cut.clone();
        }
        *self.stage.lock() = Stage::new(self.node, written, hlc);
        let _ = self.log.set(Arc::new(log));
        self.resume_membership();
        if self.must_rebuild.load(Relaxed) {
            self.rebuild().map_err(|e| OpenError::Rebuild(e.to_string()))?;
        }
        if self.is_alone() {
            // Written while peers were expected; none ever came.
            for shard in &self.shards {
                let mut shard = shard.lock();
                if shard.has_unstable() {
                    self.with_world(self.own_origin, |world| shard.settle_all(world));
                }
            }
        }
        Ok(())
    }
}
