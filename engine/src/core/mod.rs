//! The engine: shards, stage, log and peers, joined.
//!
//! Lock order: `apply` → shards ascending → `stage`; `writer` → `stage`; nothing is taken while holding `stage`.
//!
//! Invariants: an effect is in the log before any reply that could have read it leaves ([`Engine::end_turn`]); a batch's context
//! covers everything its effects could have read; the shown frontier advances only after every effect below it is folded.

mod behind;
mod checkpoint;
mod compare;
mod conflicts;
mod digest;
mod divergence;
mod evict;
mod expire;
mod leave;
mod level;
mod locks;
mod membership;
mod near;
mod open;
mod origins;
mod remote;
mod stage;
mod transfer;
mod unit;
mod wait;
mod walk;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock};
use proto::{EffectId, Frontier, NodeId};
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use crate::effect::Effect;
use crate::latch::Latch;
use crate::log::Log;
use crate::replication::heard::HeardPeers;
use crate::replication::horizon::Horizon;
use crate::replication::nack::Nack;
use crate::replication::stability::Stability;
use crate::replication::standing::Standing;
use crate::replication::{Member, MemberReach};
use crate::safety::RangeRules;
use crate::state::footprint::Overhead;
use crate::state::shard::{Shard, ShardStats, World};
use crate::state::table::{EntryPtr, SHARDS, shard_of};
use crate::state::watch::WatchFlag;
use origins::Origins;
use stage::Stage;
use write::Writer;

pub use behind::Lag;
pub(crate) use checkpoint::read_manifest;
pub use checkpoint::{
    CheckpointDone, CheckpointError, CheckpointFacts, CheckpointPolicy, CheckpointStatus, inspect_checkpoint,
};
pub use compare::CompareStats;
pub use conflicts::Conflict;
pub use digest::key_digest;
pub use evict::{POLICIES, Policy, Pool};
pub use leave::{LeaveError, Leaving};
pub use locks::LockPlan;
pub use membership::{EvictError, MemberStatus};
pub use open::{EngineConfig, Fsync, Loading, OpenError, Recovery, Workers};
pub use remote::{Queues, decode_members, replica};
pub use transfer::{LateError, LateSet, LateStatus, Loan, LoanFile, LoanPart, Wanted};
pub use unit::{Blocking, Ended, Key, Unit};
pub use wait::{Purpose, Until, WakeReactor};
pub use walk::Visited;
pub use write::WriteRefused;

/// One clock reading, shared by everything that runs in a reactor's turn.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Unix milliseconds, as the node's HLC counts them.
    pub now_ms: u64,
}

/// What is known of the cluster.
pub(crate) struct Peers {
    /// Other members, one per data directory.
    pub members: Vec<Member>,
    pub stability: Stability,
    /// Directories of those that settled what we never saw, and cannot merge what is written here: until one of them lends a checkpoint.
    pub strange_to: BTreeSet<u64>,
    /// Incarnations that are over: nothing more is taken of their processes.
    pub superseded: BTreeSet<NodeId>,
    /// How we stand to each peer with a link.
    pub standings: BTreeMap<NodeId, Standing>,
    /// What each peer said last of itself.
    pub heard: HeardPeers,
    pub nack: Nack,
    pub horizon: Horizon,
    /// What each origin knew with its latest batch: its contexts joined.
    pub contexts: HashMap<NodeId, Frontier, Xxh3DefaultBuilder>,
    /// What each origin had folded as stable with its latest batch.
    pub settled: HashMap<NodeId, Frontier, Xxh3DefaultBuilder>,
    /// Everything that was folded as stable here.
    pub base_cut: Frontier,
    /// The stable frontier last written to the log.
    pub marked: Frontier,
    /// How each other member can be reached, as the links see it.
    pub reach: Vec<MemberReach>,
}

/// Counters for INFO and metrics.
#[derive(Default, Debug)]
pub struct EngineStats {
    pub batches_written: AtomicU64,
    pub bytes_written: AtomicU64,
    pub effects_written: AtomicU64,
    pub remote_batches: AtomicU64,
    pub remote_effects: AtomicU64,
    pub held_batches: AtomicU64,
    pub dropped_batches: AtomicU64,
    pub duplicate_batches: AtomicU64,
    pub rebuilds: AtomicU64,
    /// Of evicted members, refused because they came too late.
    pub late_batches: AtomicU64,
}

/// See the module.
pub struct Engine {
    config: EngineConfig,
    node: NodeId,
    own: RwLock<Member>,
    /// Incarnations before this one, as known when recovery began.
    own_nodes: Vec<NodeId>,
    must_rebuild: AtomicBool,
    /// The state could not be worked out again: the node must stop.
    failed: AtomicBool,
    /// One more than the highest database that an effect named, of those this node was not given.
    databases_seen: AtomicU32,
    /// The same, after the last of our own batches that recovery read.
    own_databases: AtomicU32,
    own_origin: u16,
    shards: Box<[Latch<Shard>]>,
    whereabouts: Box<[near::Whereabouts]>,
    indexes: Vec<Mutex<keytrie::Index<EntryPtr>>>,
    /// The shard whose new keys are the next that the index is to take in.
    index_catch_up: AtomicUsize,
    origins: Origins,
    stage: Latch<Stage>,
    writer: Mutex<Writer>,
    /// Set when recovery ends; never on a node that keeps none.
    log: OnceLock<Arc<Log>>,
    checkpoints: checkpoint::Checkpoints,
    lending: transfer::Lending,
    incoming: Mutex<Option<transfer::Incoming>>,
    /// How far a transfer is that goes on.
    borrowing: Loading,
    /// A peer's checkpoint is here and waits for a start.
    restart: AtomicBool,
    /// What is written here is for nobody else: see [`crate::replication::Replica::withholds`].
    withholding: AtomicBool,
    /// The last effect of a batch that could not be merged: a checkpoint of a peer that has it is needed.
    unmergeable: Mutex<Option<EffectId>>,
    membership: Mutex<membership::Membership>,
    /// Grows with every change of what `membership` says of evictions.
    evictions_version: AtomicU64,
    /// This node was evicted.
    evicted: AtomicBool,
    leave: leave::Leave,
    divergence: divergence::Divergence,
    late: transfer::LateProgress,
    /// There may be late sets to replay without being asked.
    late_due: AtomicBool,
    /// One replay of a late set at a time.
    late_turn: Mutex<()>,
    loading: Loading,
    /// Held while a remote batch is folded, and by units that take everything.
    apply: Mutex<()>,
    /// Where the effects of a batch are decoded to, empty in between: batches are large, and new memory is dear.
    decode_buffer: Mutex<Vec<(EffectId, Effect<'static>)>>,
    shown: Mutex<Frontier>,
    peers: Mutex<Peers>,
    alone: AtomicBool,
    closed_ms: AtomicU64,
    /// What each client database number means: a physical database.
    databases: Box<[AtomicU32]>,
    swaps: Mutex<remote::Swaps>,
    random: AtomicU64,
    /// [`crate::state::access::Lfu`] as one word.
    lfu: AtomicU64,
    expire_at: AtomicU32,
    pub active_expire: AtomicBool,
    string_bytes_max: AtomicU64,
    refusing: AtomicBool,
    /// What every member knows (see `level`).
    level: AtomicU32,
    /// No stamp past this is taken from a peer (Unix ms).
    stamp_max_ms: AtomicU64,
    rules: RwLock<RangeRules>,
    /// Some rule asks for acks.
    asks_acks: bool,
    stats: EngineStats,
    /// Shard counters at the last CONFIG RESETSTAT.
    stats_base: Mutex<ShardStats>,
    /// [`Fsync`] as a number; may change at run time.
    fsync: AtomicU8,
    appended: RwLock<Option<Arc<dyn Fn() + Send + Sync>>>,
    waits: wait::Waits,
    ages: Mutex<behind::Ages>,
    conflicts: conflicts::Conflicts,
    compare: compare::Compare,
    /// What is being folded is folded again: its decisions are no news.
    replaying: AtomicBool,
}

impl Engine {
    /// Tells ids of stream entries made here from those of other nodes: a number that no other node is likely to have.
    pub fn stream_slot(&self) -> u32 {
        ((self.node.0 >> 32) as u32 ^ self.node.0 as u32).max(1)
    }

    /// This incarnation's id.
    pub fn node(&self) -> NodeId {
        self.node
    }

    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    pub fn stats(&self) -> &EngineStats {
        &self.stats
    }

    pub fn log(&self) -> Option<&Arc<Log>> {
        self.log.get()
    }

    pub fn rules(&self) -> &RwLock<RangeRules> {
        &self.rules
    }

    /// A peer's checkpoint is here: the node has to start again to take it over.
    pub fn wants_restart(&self) -> bool {
        self.restart.load(Relaxed)
    }

    /// False while the node shows less than it is going to: it loads, or is fetching a peer's checkpoint.
    pub fn is_ready(&self) -> bool {
        !self.is_loading() && !self.borrowing.active.load(Relaxed) && !self.withholding.load(Relaxed)
    }

    /// The transfer of a peer's checkpoint, active from its beginning until the restart.
    pub fn borrowing(&self) -> &Loading {
        &self.borrowing
    }

    /// Starts a turn at the given wall clock, or at the latest stamp seen: what is alive is judged by the clock that gives the
    /// turn's stamps. Holds the stage for a moment.
    #[inline]
    pub fn turn(&self, wall_ms: u64) -> Turn {
        Turn { now_ms: self.stage.lock().last_hlc().ms().max(wall_ms) }
    }

    #[inline]
    pub fn key_hash(&self, key: &[u8]) -> u64 {
        xxhash_rust::xxh3::xxh3_64_with_seed(key, self.config.hash_seed)
    }

    /// The physical database behind a client's number.
    #[inline]
    pub(crate) fn physical(&self, db: u32) -> u32 {
        self.databases[db as usize].load(Relaxed)
    }

    pub fn databases(&self) -> u32 {
        self.databases.len() as u32
    }

    /// The state is lost and the log has it: the node must stop, and start again.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Relaxed)
    }

    /// No peers are known: everything is stable at once.
    pub fn is_alone(&self) -> bool {
        self.alone.load(Relaxed)
    }

    /// Folds with this.
    #[inline]
    pub(crate) fn with_world<R>(&self, origin: u16, run: impl FnOnce(&World<'_>) -> R) -> R {
        self.with_world_of(origin, false, run)
    }

    /// The same for an effect whose use of its key is `counted` already.
    #[inline]
    fn with_world_of<R>(&self, origin: u16, counted: bool, run: impl FnOnce(&World<'_>) -> R) -> R {
        let seed = self.config.hash_seed;
        run(&World {
            solo: self.alone.load(Relaxed),
            closed_ms: self.closed_ms.load(Relaxed),
            settled: &Frontier::new(),
            origin,
            hash_of: &move |key: &[u8]| xxhash_rust::xxh3::xxh3_64_with_seed(key, seed),
            indexed: self.config.index,
            lfu: self.lfu(),
            counted,
            woken: &|waiter| self.waits.note(waiter),
            decided: &|db, key, disputes| {
                if !self.is_loading() && !self.replaying.load(Relaxed) {
                    self.conflicts.note(db, key, disputes);
                }
            },
        })
    }

    /// Live keys of a database (client's number), and how many of them have an expiry.
    pub fn db_len(&self, db: u32) -> (u64, u64) {
        let db = self.physical(db);
        self.shards.iter().fold((0, 0), |(keys, expires), shard| {
            let shard = shard.lock();
            (keys + shard.len(db) as u64, expires + shard.expires(db) as u64)
        })
    }

    /// What a database's keys (client's number) cost besides names and values.
    pub fn overhead(&self, db: u32) -> Overhead {
        let db = self.physical(db);
        self.shards.iter().fold(Overhead::default(), |sum, shard| {
            let more = shard.lock().overhead(db);
            Overhead { main: sum.main + more.main, expires: sum.expires + more.expires }
        })
    }

    /// Counters of all shards together: statistics, keys with a window, unstable effects queued.
    pub fn shard_stats(&self) -> (ShardStats, usize, usize) {
        let mut sum = ShardStats::default();
        let (mut windows, mut unstable) = (0, 0);
        for shard in &self.shards {
            let shard = shard.lock();
            sum = sum.plus(&shard.stats);
            windows += shard.windows();
            unstable += shard.unstable_len();
        }
        (sum.since(&self.stats_base.lock()), windows, unstable)
    }

    /// CONFIG RESETSTAT: counts from here on, given what [`Engine::shard_stats`] says now. Takes no shard, for a transaction may
    /// hold them.
    pub fn reset_stats(&self, now: ShardStats) {
        let mut base = self.stats_base.lock();
        *base = base.plus(&now);
    }

    /// The next number of the seeded generator (splitmix64).
    pub fn random(&self) -> u64 {
        let mut z = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Relaxed);
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// `proto-max-bulk-len`, the limit of a string value in bytes.
    pub fn set_string_bytes_max(&self, bytes: u64) {
        self.string_bytes_max.store(bytes, Relaxed);
    }

    /// Called after each append to the log: wakes the senders.
    pub fn on_append(&self, wake: Arc<dyn Fn() + Send + Sync>) {
        *self.appended.write() = Some(wake);
    }

    /// Marks `flag` when an effect touches the key (client's database number) from now on.
    pub fn watch(&self, turn: &Turn, db: u32, key: &[u8], flag: &Arc<WatchFlag>) {
        let (db, hash) = (self.physical(db), self.key_hash(key));
        let mut shard = self.shards[shard_of(hash)].lock();
        let mut keys = flag.keys().lock();
        if keys.iter().any(|k| k.db == db && *k.key == *key) {
            return;
        }
        let live =
            shard.find(db, hash, key).is_some_and(|e| e.kind().is_some() && !e.end().reached(turn.now_ms));
        keys.push(crate::state::watch::WatchedKey { db, key: key.into(), live });
        shard.watchers.add(db, key, flag);
    }

    /// Ends a watch; the flag is dropped by the client.
    pub fn unwatch(&self, flag: &Arc<WatchFlag>) {
        // The list is let go of first: whoever folds holds a shard and asks for the list.
        let keys = std::mem::take(&mut *flag.keys().lock());
        for watched in keys {
            let hash = self.key_hash(&watched.key);
            let mut shard = self.shards[shard_of(hash)].lock();
            shard.watchers.remove(watched.db, &watched.key, flag);
        }
    }
}

fn new_shards() -> Box<[Latch<Shard>]> {
    (0..SHARDS).map(|_| Latch::default()).collect()
}
