//! The unit of work: one command, or one transaction, over locked shards.
//!
//! A unit sees a stable view of the shards it locked, emits effects through [`Unit::emit`], and is atomic at every thread
//! count: shards are locked in order before the first plan runs and released after the last. Effects of a unit get consecutive
//! seqs; two or more form a bundle, closed by a bind effect.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::MutexGuard;
use proto::{EffectId, Hlc, Seq};
use smallvec::SmallVec;

use super::locks::Locks;
use super::stage::Stage;
use super::write::STAGED_MAX;
use super::{Engine, LockPlan, Turn};
use crate::effect::lists::ElementId;
use crate::effect::{Deps, Effect, Expiry, FieldOp, ListOp, Moments, Op, ScoreOp};
use crate::latch::Held;
use crate::merge::{Explanation, elements};
use crate::refusal::Refusal;
use crate::replication::{Member, Replica};
use crate::state::access::{self, Lfu};
use crate::state::hash::HashValue;
use crate::state::list::ListValue;
use crate::state::set::SetValue;
use crate::state::shard::Shard;
use crate::state::stream::StreamValue;
use crate::state::table::{Entry, EntryPtr, shard_of};
use crate::state::value::{Kind, ValueRef};
use crate::state::waiters::{Waiter, Want};
use crate::state::watch::WatchFlag;
use crate::state::zset::ZSetValue;

/// A key with its hash and physical database; made by [`Unit::key`].
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    pub bytes: &'a [u8],
    pub hash: u64,
    pub(crate) db: u32,
}

/// The client behind a unit whose command may wait.
pub struct Blocking {
    pub client: u64,
    pub reactor: usize,
    /// Its place in the queues of its keys, from an earlier run of the same command.
    pub waiter: Option<Arc<Waiter>>,
    /// False in the last run, when its time is up.
    pub may_wait: bool,
}

/// What a unit that ended had done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ended {
    /// The last effect emitted; 0 for none.
    pub last: Seq,
    /// How many other members must hold it before the client is answered.
    pub acks: u32,
}

/// What a plan asked for with [`Unit::block`].
struct Blocked {
    blocking: Blocking,
    /// How long the client waits, ms; for ever when `None`. The outer `None`: it does not wait.
    patience_ms: Option<Option<u64>>,
}

/// A key's bytes by their place: they stay where they are while a command runs.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Spot {
    address: usize,
    len: usize,
}

impl Spot {
    fn of(bytes: &[u8]) -> Self {
        Spot { address: bytes.as_ptr() as usize, len: bytes.len() }
    }
}

/// See the module.
pub struct Unit<'e> {
    pub(super) engine: &'e Engine,
    pub(super) locks: Locks<'e>,
    now_ms: u64,
    db: u32,
    stage: Option<Held<'e, Stage>>,
    emitted: u64,
    /// The last effect emitted.
    last: Seq,
    acks: u32,
    blocked: Option<Box<Blocked>>,
    touch: bool,
    lfu: Option<Lfu>,
    /// Hash of the key whose use was counted last.
    counted: Option<u64>,
    /// A key of the command whose hash is known.
    hashed: Option<(Spot, u64)>,
    /// The live key that was looked up last, with its database and hash; nothing was removed since.
    found: Option<(Spot, u32, u64, EntryPtr)>,
    _apply: Option<MutexGuard<'e, ()>>,
}

impl Engine {
    /// Locks what the plan names and begins a unit in a database (client's number, below [`Engine::databases`]).
    #[inline]
    pub fn begin<'e>(&'e self, turn: &Turn, db: u32, plan: LockPlan<'_>) -> Unit<'e> {
        let mut apply = None;
        let locks = match plan {
            LockPlan::None | LockPlan::Walk => Locks::None,
            LockPlan::One(hash) => {
                let at = shard_of(hash);
                Locks::One(at, self.shards[at].lock())
            }
            LockPlan::Many(hashes) => {
                let mut wanted: SmallVec<[usize; 16]> = hashes.iter().map(|h| shard_of(*h)).collect();
                wanted.sort_unstable();
                wanted.dedup();
                Locks::Many(wanted.into_iter().map(|at| (at, self.shards[at].lock())).collect())
            }
            LockPlan::Everything => {
                apply = Some(self.apply.lock());
                Locks::All(self.shards.iter().map(|s| s.lock()).collect())
            }
        };
        Unit {
            engine: self,
            locks,
            now_ms: turn.now_ms,
            db,
            stage: None,
            emitted: 0,
            last: Seq(0),
            acks: 0,
            blocked: None,
            touch: true,
            lfu: self.lfu(),
            counted: None,
            hashed: None,
            found: None,
            _apply: apply,
        }
    }
}

impl<'e> Unit<'e> {
    /// The turn's clock, Unix milliseconds. Every expiry decision of the unit uses this one reading.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// SELECT inside a transaction; `db` is below [`Engine::databases`].
    pub fn set_db(&mut self, db: u32) {
        self.db = db;
    }

    /// Reads do not count as access (CLIENT NO-TOUCH, OBJECT, TYPE, TTL).
    pub fn set_touch(&mut self, touch: bool) {
        self.touch = touch;
    }

    /// Spares hashing a key again.
    #[inline]
    pub(crate) fn know_hash(&mut self, bytes: &[u8], hash: u64) {
        self.hashed = Some((Spot::of(bytes), hash));
    }

    /// A key of the selected database.
    #[inline]
    pub fn key<'a>(&self, bytes: &'a [u8]) -> Key<'a> {
        let hash = match self.hashed {
            Some((spot, hash)) if spot == Spot::of(bytes) => hash,
            _ => self.engine.key_hash(bytes),
        };
        Key { bytes, hash, db: self.engine.physical(self.db) }
    }

    /// A key of another database, by the client's number; `None` when there is no such database.
    pub fn key_in<'a>(&self, db: u64, bytes: &'a [u8]) -> Option<Key<'a>> {
        let db = u32::try_from(db).ok().filter(|db| *db < self.engine.databases())?;
        Some(Key { bytes, hash: self.engine.key_hash(bytes), db: self.engine.physical(db) })
    }

    /// The client's number of the selected database.
    pub fn selected_db(&self) -> u64 {
        u64::from(self.db)
    }

    /// How many databases there are.
    pub fn databases(&self) -> u64 {
        u64::from(self.engine.databases())
    }

    /// `proto-max-bulk-len`: the limit of a string value, bytes.
    pub fn string_bytes_max(&self) -> u64 {
        self.engine.string_bytes_max.load(Relaxed)
    }

    /// The next number of the seeded generator.
    pub fn random(&mut self) -> u64 {
        self.engine.random()
    }

    #[inline]
    fn live(&mut self, key: &Key<'_>) -> Option<Entry<'_>> {
        let (now_ms, touch, lfu) = (self.now_ms, self.touch, self.lfu);
        let engine = self.engine;
        let shard = self.locks.shard(key.hash);
        // Two lookups: the borrow of a found entry may not outlive a purge.
        let state = match shard.find(key.db, key.hash, key.bytes) {
            Some(mut entry) if entry.kind().is_some() => {
                let dead = !entry.show_at(now_ms);
                if !dead && touch {
                    let now_s = now_ms / 1000;
                    entry.set_access(match lfu {
                        None => now_s as u32,
                        Some(lfu) => {
                            self.counted = Some(key.hash);
                            lfu.used(entry.access(), now_s, engine.random())
                        }
                    });
                }
                Some((dead, entry.ptr()))
            }
            _ => None,
        };
        match state {
            Some((false, found)) => {
                shard.stats.hits += 1;
                self.found = Some((Spot::of(key.bytes), key.db, key.hash, found));
                Some(shard.entry(found))
            }
            Some((true, _)) => {
                self.found = None;
                // As active expiry: later writes are after the expiry, whatever their turn's clock says.
                let seen = proto::Hlc::from_ms(now_ms);
                match &mut self.stage {
                    Some(stage) => stage.observe(seen),
                    None => engine.stage.lock().observe(seen),
                }
                engine.with_world(engine.own_origin, |world| {
                    shard.purge(key.db, key.hash, key.bytes, now_ms, world);
                });
                shard.stats.misses += 1;
                None
            }
            None => {
                shard.stats.misses += 1;
                None
            }
        }
    }

    /// The kind of a live key; `None` when missing or expired.
    pub fn kind(&mut self, key: &Key<'_>) -> Option<Kind> {
        self.live(key)?.kind()
    }

    /// The value of a string key.
    #[inline]
    pub fn string(&mut self, key: &Key<'_>) -> Result<Option<&[u8]>, Refusal> {
        let Some(entry) = self.live(key) else { return Ok(None) };
        match entry.into_value() {
            Some(ValueRef::String(bytes)) => Ok(Some(bytes)),
            _ => Err(Refusal::WrongType),
        }
    }

    /// The value of a set key.
    pub fn set(&mut self, key: &Key<'_>) -> Result<Option<&SetValue>, Refusal> {
        let Some(entry) = self.live(key) else { return Ok(None) };
        match entry.into_value() {
            Some(ValueRef::Set(set)) => Ok(Some(set)),
            _ => Err(Refusal::WrongType),
        }
    }

    /// The value of a hash key.
    pub fn hash(&mut self, key: &Key<'_>) -> Result<Option<&HashValue>, Refusal> {
        let Some(entry) = self.live(key) else { return Ok(None) };
        match entry.into_value() {
            Some(ValueRef::Hash(hash)) => Ok(Some(hash)),
            _ => Err(Refusal::WrongType),
        }
    }

    /// The value of a list key.
    pub fn list(&mut self, key: &Key<'_>) -> Result<Option<&ListValue>, Refusal> {
        let Some(entry) = self.live(key) else { return Ok(None) };
        match entry.into_value() {
            Some(ValueRef::List(list)) => Ok(Some(list)),
            _ => Err(Refusal::WrongType),
        }
    }

    /// The value of a sorted set key.
    pub fn zset(&mut self, key: &Key<'_>) -> Result<Option<&ZSetValue>, Refusal> {
        let Some(entry) = self.live(key) else { return Ok(None) };
        match entry.into_value() {
            Some(ValueRef::ZSet(zset)) => Ok(Some(zset)),
            _ => Err(Refusal::WrongType),
        }
    }

    /// What is put between these two neighbours in a list may hang on the left one.
    pub fn list_leads_to(&mut self, key: &Key<'_>, left: ElementId, right: ElementId) -> bool {
        let shard = self.locks.shard(key.hash);
        match shard.find(key.db, key.hash, key.bytes).map(|entry| entry.ptr()) {
            Some(ptr) => shard.list_leads_to(ptr, left, right),
            None => false,
        }
    }

    /// The value of a stream key.
    #[inline]
    pub fn stream(&mut self, key: &Key<'_>) -> Result<Option<&StreamValue>, Refusal> {
        let Some(entry) = self.live(key) else { return Ok(None) };
        match entry.into_value() {
            Some(ValueRef::Stream(stream)) => Ok(Some(stream)),
            _ => Err(Refusal::WrongType),
        }
    }

    /// What tells the ids of stream entries that this node makes from those of its peers; `None` without any.
    pub fn stream_slot(&self) -> Option<u32> {
        (!self.engine.is_alone()).then(|| self.engine.stream_slot())
    }

    /// The latest of the clocks that this node's effects go by, ms.
    pub fn effects_ms(&mut self) -> u64 {
        let stage = self.stage.get_or_insert_with(|| self.engine.stage.lock());
        stage.last_hlc().ms().max(self.now_ms)
    }

    /// The value of a live key, whatever its type.
    pub fn value(&mut self, key: &Key<'_>) -> Option<ValueRef<'_>> {
        self.live(key)?.into_value()
    }

    /// Expiry of a live key.
    pub fn expiry(&mut self, key: &Key<'_>) -> Option<Expiry> {
        Some(self.live(key)?.expiry())
    }

    /// OBJECT ENCODING of a live key.
    pub fn encoding(&mut self, key: &Key<'_>) -> Option<&'static str> {
        let entry = self.live(key)?;
        Some(match entry.value()? {
            ValueRef::Set(set) => set.encoding(),
            ValueRef::Hash(hash) => hash.encoding(),
            ValueRef::ZSet(zset) => zset.encoding(),
            ValueRef::List(list) => list.encoding(),
            ValueRef::Stream(_) => "stream",
            ValueRef::String(bytes) => match bytes.len() {
                _ if entry.raw() => "raw",
                0..=20 if !entry.text() && crate::number::parse_i64(bytes).is_some() => "int",
                0..=44 => "embstr",
                _ => "raw",
            },
        })
    }

    /// Seconds since a live key was last read or written (OBJECT IDLETIME).
    pub fn idle_seconds(&mut self, key: &Key<'_>) -> Option<u64> {
        let now_s = self.now_ms / 1000;
        Some(access::idle_seconds(self.live(key)?.access(), now_s))
    }

    /// Makes a live key one that was used so many seconds ago; nothing under a policy that counts uses.
    pub fn set_idle(&mut self, key: &Key<'_>, idle_s: u64) {
        let used_s = (self.now_ms / 1000).saturating_sub(idle_s);
        if self.lfu.is_none()
            && let Some(mut entry) = self.live(key)
        {
            entry.set_access(used_s as u32 & access::ACCESS_MASK);
        }
    }

    /// Makes a live key one that is used so often; nothing under a policy that does not count uses.
    pub fn set_frequency(&mut self, key: &Key<'_>, count: u8) {
        let used = Lfu::counted(count, self.now_ms / 1000);
        if self.lfu.is_some()
            && let Some(mut entry) = self.live(key)
        {
            entry.set_access(used);
        }
    }

    /// How often a live key is used (OBJECT FREQ): the outer `None` for no key, the inner for a policy that does not count.
    pub fn frequency(&mut self, key: &Key<'_>) -> Option<Option<u8>> {
        let (now_s, lfu) = (self.now_ms / 1000, self.lfu);
        let bits = self.live(key)?.access();
        Some(lfu.map(|lfu| lfu.count(bits, now_s)))
    }

    /// Uses of keys are counted: idle times are not known.
    pub fn counts_uses(&self) -> bool {
        self.lfu.is_some()
    }

    /// Bytes that a live key takes, a collection's members by the mean of `samples` of them (0 = all).
    pub fn footprint(&mut self, key: &Key<'_>, samples: usize) -> Option<usize> {
        self.live(key)?;
        let block = self.engine.config.block_bytes;
        self.locks.shard(key.hash).footprint(key.db, key.hash, key.bytes, samples, block)
    }

    /// Damages a string of a locked shard without an effect (DEBUG CORRUPT). False when there is none.
    pub fn damage(&mut self, key: &Key<'_>) -> bool {
        self.locks.shard(key.hash).damage(key.db, key.hash, key.bytes)
    }

    /// All members known, this node included.
    pub fn members(&self) -> Vec<Member> {
        self.engine.members()
    }

    /// All there is of a key, `limit` of its effects at most; `None` when nothing is left of it.
    pub fn explain(&mut self, key: &Key<'_>, limit: usize) -> Option<Explanation> {
        let engine = self.engine;
        let shard = self.locks.shard(key.hash);
        let (mut explained, (origin, seq)) = shard.explain(key.db, key.hash, key.bytes, limit)?;
        explained.last =
            engine.origins.node(origin).filter(|_| seq > 0).map(|node| EffectId::new(node, Seq(seq)));
        Some(explained)
    }

    /// The assignment that an overlay emitted now lies on; [`EffectId::STABLE`] when no unstable one made the value, `None` when there
    /// is no value.
    pub fn overlay_base(&mut self, key: &Key<'_>) -> Option<EffectId> {
        let now_ms = self.now_ms;
        let shard = self.locks.shard(key.hash);
        let entry = shard.find(key.db, key.hash, key.bytes)?;
        let dead = entry.kind().is_none() || entry.end().reached(now_ms);
        let ptr = entry.ptr();
        if dead { None } else { Some(shard.overlay_base(ptr).unwrap_or(EffectId::STABLE)) }
    }

    /// Emits one effect on a key of a locked shard and folds it at once; before it one that says which of the fields it writes had
    /// ended.
    pub fn emit(&mut self, key: &Key<'_>, op: Op<'_>) {
        if let Op::Fields(fields) = &op
            && !self.engine.is_alone()
        {
            let lapses = self.lapses(key, fields);
            if !lapses.is_empty() {
                self.emit_one(key, Op::Fields(FieldOp::Lapse(Moments::Slices(&lapses))));
            }
        }
        self.emit_one(key, op);
    }

    /// Fields that an effect begins anew, with the moment at which each had ended; 0 for one that may have and is forgotten.
    fn lapses<'a>(&mut self, key: &Key<'_>, op: &FieldOp<'a>) -> Vec<(Expiry, &'a [u8])> {
        let stage = self.stage.get_or_insert_with(|| self.engine.stage.lock());
        let now_ms = self.now_ms.max(stage.last_hlc().ms());
        let shard = self.locks.shard(key.hash);
        let Some(entry) = shard.find(key.db, key.hash, key.bytes) else { return Vec::new() };
        let (ptr, windowed) = (entry.ptr(), entry.windowed());
        // An end may be held for a field that is not there.
        let awaited = match op {
            FieldOp::Delta { field, .. } | FieldOp::DeltaFloat { field, .. } if windowed => {
                shard.knows_end(ptr, field)
            }
            _ => false,
        };
        let Some(ValueRef::Hash(hash)) = shard.entry(ptr).into_value() else { return Vec::new() };
        if !hash.knows_ends() && !awaited {
            return Vec::new();
        }
        let lapse = |field: &'a [u8], builds: bool| match hash.kept(field) {
            Some((_, end)) => end.reached(now_ms).then_some((end, field)),
            None => builds.then_some((Expiry::at_ms(0), field)),
        };
        match *op {
            FieldOp::Put(pairs) => pairs.iter().step_by(2).filter_map(|field| lapse(field, false)).collect(),
            FieldOp::Delta { field, .. } | FieldOp::DeltaFloat { field, .. } => {
                lapse(field, true).into_iter().collect()
            }
            FieldOp::Remove(_) | FieldOp::Expire(_) | FieldOp::Lapse(_) => Vec::new(),
        }
    }

    fn emit_one(&mut self, key: &Key<'_>, op: Op<'_>) {
        let engine = self.engine;
        let now_ms = self.now_ms;
        let shard = self.locks.shard(key.hash);
        // Made first and filled in: an effect is large to move.
        let mut effect =
            Effect { hlc: Hlc(0), db: key.db, key: key.bytes, deps: Deps::new(), fresh: None, op };
        let (mut known, mut end, mut past_ms) = (None, None, None);
        let same = |(spot, db, hash, entry)| {
            ((spot, db, hash) == (Spot::of(key.bytes), key.db, key.hash)).then_some(entry)
        };
        // Folding may remove it.
        let entry = match self.found.take().and_then(same) {
            Some(found) => Some(shard.entry(found)),
            None => shard.find(key.db, key.hash, key.bytes),
        };
        if let Some(entry) = entry {
            let (has_value, tip) = (entry.kind().is_some(), entry.tip());
            end = has_value.then(|| entry.end());
            let expiry_ms = entry.expiry().ms();
            if is_whole_removal(&entry, &effect.op) {
                effect.op = Op::Reset;
            }
            let ptr = entry.ptr();
            known = Some(ptr);
            if engine.is_alone() {
                // Everything else is stable; our own chain is recorded for those who read the log.
                if tip.0 == engine.own_origin && tip.1 != 0 {
                    effect.deps.push(EffectId::new(engine.node, Seq(tip.1)));
                }
            } else {
                // Most keys have no window: its place is not looked at then.
                if entry.windowed() {
                    shard.tips(ptr, &mut effect.deps);
                }
                past_ms = Some(expiry_ms.unwrap_or(0));
            }
        } else if !engine.is_alone() && !matches!(effect.op, Op::Assign { .. } | Op::Reset) {
            // A key that died of age and is forgotten here may be remembered elsewhere: what it was is not built on.
            past_ms = Some(0);
        }
        let stage = self.stage.get_or_insert_with(|| engine.stage.lock());
        let hlc = stage.tick(now_ms);
        // Dead by the clock that others go by as well: it may be ahead of the turn's, and whoever removed the key meanwhile has
        // nothing that this effect could prolong.
        let dead = |end: Option<Expiry>| end.is_none_or(|e| e.reached(now_ms) || e.reached(hlc.ms()));
        // A hash of which all fields ended leaves no moment before which all of the key is dead.
        let floor = |ms: u64| if ms <= now_ms.max(hlc.ms()) { ms } else { 0 };
        effect.fresh = past_ms.filter(|_| dead(end)).map(floor);
        if sets_past_expiry(&effect.op, hlc.ms()) {
            // An expiry not after the effect itself ends the key there and then.
            effect.op = Op::Reset;
        }
        effect.hlc = hlc;
        let id = stage.push(&effect);
        self.emitted += 1;
        self.last = id.seq;
        if engine.asks_acks {
            self.acks = self.acks.max(engine.rules.read().acks_for_key(key.bytes));
        }
        let counted = self.counted == Some(key.hash);
        engine.with_world_of(engine.own_origin, counted, |world| {
            shard.fold_on(known, key.hash, id, &effect, world);
        });
    }

    /// Emits an effect that names no key.
    pub(super) fn emit_bare(&mut self, op: Op<'_>) -> EffectId {
        let stage = self.stage.get_or_insert_with(|| self.engine.stage.lock());
        let hlc = stage.tick(self.now_ms);
        let effect = Effect { hlc, db: 0, key: b"", deps: Deps::new(), fresh: None, op };
        self.emitted += 1;
        let id = stage.push(&effect);
        self.last = id.seq;
        id
    }

    /// Notes, as part of this unit, that a late set was replayed up to `offset`.
    pub(super) fn mark_late(&mut self, set: u32, offset: u64) {
        let stage = self.stage.get_or_insert_with(|| self.engine.stage.lock());
        let hlc = stage.tick(self.now_ms);
        let fresh = Some(offset);
        self.emitted += 1;
        stage.push(&Effect { hlc, db: set, key: b"", deps: Deps::new(), fresh, op: Op::Noop });
    }

    /// Removes every key of one database (client's number) or of all. Needs [`LockPlan::Everything`].
    pub fn flush(&mut self, db: Option<u64>) {
        let engine = self.engine;
        let physical = db.map(|db| engine.physical(db as u32));
        let mut seen = engine.shown.lock().clone();
        let stage = self.stage.get_or_insert_with(|| engine.stage.lock());
        seen.advance(engine.node, stage.last());
        let op = Op::Flush { db: physical, seen: crate::effect::FlushSeen::Frontier(&seen) };
        let id = self.emit_bare(op);
        self.ask_all_acks();
        self.found = None;
        let Locks::All(shards) = &mut self.locks else { panic!("a flush holds every shard") };
        engine.flush_shards(shards.iter_mut().map(|s| &mut **s), id, physical, &seen);
    }

    /// Exchanges two databases (client's numbers). Needs [`LockPlan::Everything`].
    pub fn swap_db(&mut self, a: u64, b: u64) {
        let engine = self.engine;
        let (a, b) = (a as u32, b as u32);
        let Locks::All(shards) = &mut self.locks else { panic!("a swap holds every shard") };
        let (pa, pb) = (engine.physical(a), engine.physical(b));
        for shard in shards.iter_mut() {
            shard.touch_swapped(pa, pb, self.now_ms, |key| engine.key_hash(key));
        }
        let stage = self.stage.get_or_insert_with(|| engine.stage.lock());
        let hlc = stage.tick(self.now_ms);
        let effect = Effect { hlc, db: 0, key: b"", deps: Deps::new(), fresh: None, op: Op::SwapDb { a, b } };
        let id = stage.push(&effect);
        self.emitted += 1;
        self.last = id.seq;
        for shard in shards.iter_mut() {
            shard.waiters.all_changed(|db| db == pa || db == pb, &|waiter| engine.waits.note(waiter));
        }
        engine.apply_swap(id.node, hlc, a, b);
        self.ask_all_acks();
    }

    /// An effect on every key asks for what the strictest rule asks for.
    fn ask_all_acks(&mut self) {
        self.acks = self.acks.max(self.engine.rules.read().acks_max());
    }

    /// No peers are known.
    pub fn is_alone(&self) -> bool {
        self.engine.is_alone()
    }

    /// Has transactions that watch a key fail, though nothing of it changed: where Redis does.
    pub fn touch_watched(&mut self, key: &Key<'_>) {
        self.locks.shard(key.hash).watchers.touch(key.db, key.bytes);
    }

    /// True when a watched key changed, or died of age, since it was watched. Their shards must be locked.
    pub fn watch_failed(&mut self, flag: &WatchFlag) -> bool {
        if flag.is_dirty() {
            return true;
        }
        let now_ms = self.now_ms;
        flag.keys().lock().iter().filter(|k| k.live).any(|k| {
            let hash = self.engine.key_hash(&k.key);
            let entry = self.locks.shard(hash).find(k.db, hash, &k.key);
            entry.is_none_or(|e| e.end().reached(now_ms))
        })
    }

    /// The unit is the command of a client that may wait ([`Unit::block`]). Units of transactions are nobody's.
    pub fn set_blocking(&mut self, blocking: Blocking) {
        self.blocked = Some(Box::new(Blocked { blocking, patience_ms: None }));
    }

    /// The command ran before, and its client has waited since.
    pub fn has_waited(&self) -> bool {
        self.blocked.as_ref().is_some_and(|blocked| blocked.blocking.waiter.is_some())
    }

    /// Has the client wait until one of `keys` (locked, of the selected database) may have what it wants, for `patience_ms` at
    /// most. True: it waits, and nothing is answered now; the command runs anew when there is reason to. False: it may not, or its
    /// time is up; answer as for a timeout.
    ///
    /// The first run's patience counts. In the meantime the client keeps its place in the queues of its keys.
    pub fn block(&mut self, keys: &[Key<'_>], want: Want, patience_ms: Option<u64>) -> bool {
        let engine = self.engine;
        let Some(Blocked { blocking, patience_ms: patience }) = self.blocked.as_deref_mut() else {
            return false;
        };
        if !blocking.may_wait {
            return false;
        }
        let (client, reactor) = (blocking.client, blocking.reactor);
        let create = || Arc::new(Waiter::new(engine.waits.ticket(), client, reactor, want));
        let waiter = blocking.waiter.get_or_insert_with(create);
        waiter.looks();
        let mut known = waiter.keys().lock();
        // After a swap the same names are other keys; their shards are the same.
        known.retain(|(db, name)| {
            let keep = keys.iter().any(|k| k.db == *db && *k.bytes == **name);
            if !keep {
                let hash = engine.key_hash(name);
                self.locks.shard(hash).waiters.leave(*db, name, waiter, None, &|_| {});
            }
            keep
        });
        for key in keys {
            if !known.iter().any(|(db, name)| *db == key.db && **name == *key.bytes) {
                self.locks.shard(key.hash).waiters.join(key.db, key.bytes, waiter);
                known.push((key.db, key.bytes.into()));
            }
        }
        *patience = Some(patience_ms);
        true
    }

    /// Notes something for the runs that follow, when [`Unit::block`] said that the client waits. The first note counts.
    pub fn note_waiting(&mut self, notes: Box<[u64]>) {
        if let Some(waiter) = self.blocked.as_ref().and_then(|blocked| blocked.blocking.waiter.as_ref()) {
            waiter.notes().get_or_init(|| notes);
        }
    }

    /// What the command noted when its client began to wait; `None` in its first run.
    pub fn waited_with(&self) -> Option<&[u64]> {
        self.blocked.as_ref()?.blocking.waiter.as_ref()?.notes().get().map(|notes| &**notes)
    }

    /// False when another client began earlier to wait for the same: what is there is for that one, and this one is to
    /// [`Unit::block`]. Only commands that may wait ask.
    pub fn may_take(&mut self, key: &Key<'_>, kind: Kind) -> bool {
        let Some(blocked) = &self.blocked else { return true };
        let ticket = blocked.blocking.waiter.as_ref().map_or(u64::MAX, |w| w.ticket());
        let waiters = &self.locks.shard(key.hash).waiters;
        waiters.is_empty()
            || waiters.first_taker(key.db, key.bytes, kind).is_none_or(|w| w.ticket() >= ticket)
    }

    /// What became of the client after its plan: `Some` with its place and patience when it waits. If it does not, it leaves the
    /// queues it was in, and whoever is next is woken.
    pub fn settle_blocking(&mut self) -> Option<(Arc<Waiter>, Option<u64>)> {
        let Blocked { blocking, patience_ms } = *self.blocked.take()?;
        let waiter = blocking.waiter?;
        if let Some(patience_ms) = patience_ms {
            return Some((waiter, patience_ms));
        }
        let keys = std::mem::take(&mut *waiter.keys().lock());
        for (db, key) in keys {
            let hash = self.engine.key_hash(&key);
            self.locks.shard(hash).leave(db, hash, &key, &waiter, &|next| self.engine.waits.note(next));
        }
        None
    }

    /// Runs `visit` on one shard: a held one, or locked for the moment.
    pub(super) fn with_shard<R>(&mut self, at: usize, visit: impl FnOnce(&mut Shard) -> R) -> R {
        match &mut self.locks {
            Locks::All(all) => visit(&mut all[at]),
            Locks::One(held, shard) if *held == at => visit(shard),
            Locks::Many(held) => match held.binary_search_by_key(&at, |h| h.0) {
                Ok(i) => visit(&mut held[i].1),
                Err(_) => visit(&mut self.engine.shards[at].lock()),
            },
            _ => visit(&mut self.engine.shards[at].lock()),
        }
    }

    /// The physical number of the selected database.
    pub(super) fn physical_db(&self) -> u32 {
        self.engine.physical(self.db)
    }
}

impl Unit<'_> {
    /// Closes the bundle and lets go of everything, as dropping it does; tells what was emitted.
    pub fn end(mut self) -> Ended {
        self.close();
        Ended { last: self.last, acks: self.acks }
    }

    fn close(&mut self) {
        let count = self.emitted;
        if count > 1 && !std::thread::panicking() {
            self.emit_bare(Op::Bind { count });
        }
        self.emitted = 0;
        let crowded = self.stage.as_ref().is_some_and(|s| s.staged_bytes() > STAGED_MAX);
        self.stage = None;
        self.locks = Locks::None;
        if crowded {
            // A refusal is met again, and answered, at the end of the turn.
            let _ = self.engine.end_turn();
        }
    }
}

impl Drop for Unit<'_> {
    fn drop(&mut self) {
        self.close();
    }
}

/// Removing every member there is ends the key, its expiry included, as a DEL does.
fn is_whole_removal(entry: &Entry<'_>, op: &Op<'_>) -> bool {
    let members = match op {
        Op::List(ListOp::Remove(runs)) => {
            // Its elements are named once each.
            return matches!(entry.value(), Some(ValueRef::List(list)) if runs.elements() >= list.len() as u64);
        }
        Op::MemberRemove(members)
        | Op::Fields(FieldOp::Remove(members))
        | Op::Scores(ScoreOp::Remove(members)) => *members,
        _ => return false,
    };
    let Some(value) = entry.value().filter(|value| Some(value.kind()) == elements::kind_of(op)) else {
        return false;
    };
    // Fields that reads do not see may come to light again.
    let kept = match &value {
        ValueRef::Hash(hash) => hash.total(),
        value => value.len(),
    };
    if members.len() < kept {
        return false;
    }
    let distinct: std::collections::BTreeSet<&[u8]> = members.iter().filter(|m| value.has_item(m)).collect();
    distinct.len() == kept
}

fn sets_past_expiry(op: &Op<'_>, hlc_ms: u64) -> bool {
    match op {
        Op::Assign { expiry, .. } | Op::Ttl(expiry) => expiry.reached(hlc_ms),
        _ => false,
    }
}
