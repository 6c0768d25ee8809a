//! A shard: the keys whose hash begins alike, in every database, with all that hangs on them.
//!
//! Invariants: an entry flagged windowed has a window and the other way round; an entry without value exists only with a window
//! (a *ghost*, counted apart).
#![allow(unsafe_code)] // Frees entries that left the table; see retire().

mod explain;
mod image;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use hashbrown::HashMap;
use proto::{EffectId, Frontier, Hlc};

use super::access::{self, Lfu};
use super::table::{Entry, EntryPtr, Table};
use super::value::{Kind, Value, ValueMut};
use super::waiters::{Waiter, Waiters, Woken};
use super::watch::Watchers;
use crate::effect::lists::ElementId;
use crate::effect::{Effect, Expiry, FieldOp, ListOp, Op, Payload, StreamOp};
use crate::merge::{Dispute, Pruned, Verdict, Window, elements, solo};
pub(crate) use image::Loading;
use image::{Loaded, Track};

/// Places for windows that a shard keeps though they are free.
const ROOM_KEPT: usize = 64;
/// Lingering windows looked at in one step.
const LINGERING_STEP: usize = 16;

/// Fields of one hash that are dropped at once.
const FIELDS_STEP: usize = 256;

/// Pointers are well spread after a multiplication.
#[derive(Default)]
pub(super) struct PointerHasher(u64);

impl Hasher for PointerHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*b);
        }
    }
    fn write_usize(&mut self, n: usize) {
        self.0 = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// The commonest window by far: one assignment that saw everything before it.
pub(super) enum Slot {
    Assigned { id: EffectId, hlc: Hlc },
    Open(Box<Window>),
}

/// What folding needs to know of the world.
#[derive(Clone)]
pub(crate) struct World<'a> {
    /// No peers: everything is stable at once.
    pub solo: bool,
    /// No effect older than this (ms) can still arrive.
    pub closed_ms: u64,
    /// What the effects' origin had folded as stable: they saw it.
    pub settled: &'a Frontier,
    /// Index of an origin in [`super::super::core::origins`], for the entry's tip.
    pub origin: u16,
    pub hash_of: &'a dyn Fn(&[u8]) -> u64,
    /// The ordered index is kept.
    pub indexed: bool,
    /// How uses are counted, under an LFU policy.
    pub lfu: Option<Lfu>,
    /// The command that emits the effect has counted its use of the key.
    pub counted: bool,
    /// Takes note of clients that a change wakes.
    pub woken: Woken<'a>,
    /// Takes note of what was decided on a key of a physical database.
    pub decided: &'a dyn Fn(u32, &[u8], Vec<Dispute>),
}

impl World<'_> {
    /// An effect is a use of its key, wherever it came from: a node must not evict what another one works with.
    fn note_use(&self, entry: &mut Entry<'_>, is_new: bool, effect: &Effect<'_>, id: EffectId) {
        let at_s = effect.hlc.ms() / 1000;
        entry.set_access(match self.lfu {
            None if is_new => at_s as u32,
            None => access::later(entry.access(), at_s),
            Some(_) if is_new => Lfu::fresh(at_s),
            Some(_) if self.counted => return,
            // The coin is the effect's number, mixed.
            Some(lfu) => lfu.used(entry.access(), at_s, id.seq.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32),
        });
    }
}

/// Counters of one shard, added up for INFO.
#[repr(C)]
#[derive(Default, Clone, Copy, Debug)]
pub struct ShardStats {
    pub hits: u64,
    pub misses: u64,
    pub expired: u64,
    pub expired_fields: u64,
    pub evicted: u64,
    pub forks: u64,
    pub clashes: u64,
    pub late: u64,
}

impl ShardStats {
    fn each(&self, other: &Self, op: impl Fn(u64, u64) -> u64) -> Self {
        ShardStats {
            hits: op(self.hits, other.hits),
            misses: op(self.misses, other.misses),
            expired: op(self.expired, other.expired),
            expired_fields: op(self.expired_fields, other.expired_fields),
            evicted: op(self.evicted, other.evicted),
            forks: op(self.forks, other.forks),
            clashes: op(self.clashes, other.clashes),
            late: op(self.late, other.late),
        }
    }

    pub fn plus(&self, other: &Self) -> Self {
        self.each(other, |a, b| a + b)
    }

    pub fn since(&self, before: &Self) -> Self {
        self.each(before, u64::saturating_sub)
    }
}

/// One database's share.
#[derive(Default)]
pub(crate) struct Part {
    pub table: Table,
    pub ghosts: usize,
    /// Keys with an expiry (those counted when set; for INFO).
    pub expires: usize,
    pub tail: keytrie::Tail<EntryPtr>,
}

/// See the module. In this order: what every command reads comes first, in few cache lines.
#[derive(Default)]
#[repr(C)]
pub struct Shard {
    pub(super) parts: Vec<Part>,
    pub(crate) watchers: Watchers,
    /// Clients that wait for keys.
    pub(crate) waiters: Waiters,
    /// While the log is replayed: what the checkpoint brought.
    loaded: Option<Box<Loaded>>,
    /// Effects folded since the last image: how much a chunk of changes would have to hold, at most.
    pub(crate) changes: u64,
    pub stats: ShardStats,
    pub(crate) track: Track,
    pub(super) windows: HashMap<EntryPtr, Slot, BuildHasherDefault<PointerHasher>>,
    /// Folded effects in order of arrival, each with the key whose window it is in. Without a key: an effect that cancelled and left no
    /// window. Nothing that arrived after it is pruned before it is stable, for others may still write on what it cancelled.
    unstable: VecDeque<(Option<EntryPtr>, EffectId)>,
    /// Keys whose window is stable but must stay for a time; looked at again now and then.
    lingering: VecDeque<EntryPtr>,
    /// Moments at which a key, or a field of it, ends.
    pub(super) due: BinaryHeap<Reverse<(u64, u64, u32)>>,
    /// How many of them were kept when superseded ones were last dropped.
    due_kept: usize,
    /// Dead entries that the index's run still holds, per database; told to it at the next merge.
    pub(crate) dead_in_run: Vec<usize>,
}

impl Shard {
    pub(crate) fn part(&mut self, db: u32) -> &mut Part {
        let at = db as usize;
        if at >= self.parts.len() {
            self.parts.resize_with(at + 1, Part::default);
            self.dead_in_run.resize(at + 1, 0);
        }
        &mut self.parts[at]
    }

    pub(crate) fn part_if_any(&mut self, db: u32) -> Option<&mut Part> {
        self.parts.get_mut(db as usize)
    }

    pub(crate) fn parts(&mut self) -> impl Iterator<Item = (u32, &mut Part)> {
        (0..).zip(self.parts.iter_mut())
    }

    #[inline]
    pub(crate) fn part_ref(&self, db: u32) -> Option<&Part> {
        self.parts.get(db as usize)
    }

    #[inline]
    pub(crate) fn table(&self, db: u32) -> Option<&Table> {
        self.part_ref(db).map(|p| &p.table)
    }

    /// The entry of a key, whatever state it is in.
    #[inline]
    pub(crate) fn find(&mut self, db: u32, hash: u64, key: &[u8]) -> Option<Entry<'_>> {
        self.parts.get_mut(db as usize)?.table.find(hash, key)
    }

    /// Live keys of a database (keys past their expiry count until they are removed, as in Redis).
    pub fn len(&self, db: u32) -> usize {
        self.parts.get(db as usize).map_or(0, |p| p.table.len() - p.ghosts)
    }

    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(|p| p.table.is_empty())
    }

    /// Entries of all databases, ghosts included.
    pub fn entries(&self) -> usize {
        self.parts.iter().map(|p| p.table.len()).sum()
    }

    pub fn expires(&self, db: u32) -> usize {
        self.parts.get(db as usize).map_or(0, |p| p.expires)
    }

    pub(crate) fn has_unstable(&self) -> bool {
        !self.windows.is_empty() || !self.unstable.is_empty()
    }

    pub fn windows(&self) -> usize {
        self.windows.len()
    }

    /// The tips an effect on this key must name.
    pub(crate) fn tips(&self, ptr: EntryPtr, out: &mut crate::effect::Deps) {
        match self.windows.get(&ptr) {
            Some(Slot::Assigned { id, .. }) => out.push(*id),
            Some(Slot::Open(window)) => out.extend(window.tips().iter().copied()),
            None => {}
        }
    }

    /// The assignment an overlay would lie on; `None` when it is stable.
    pub(crate) fn overlay_base(&self, ptr: EntryPtr) -> Option<EffectId> {
        match self.windows.get(&ptr)? {
            Slot::Assigned { id, .. } => Some(*id),
            Slot::Open(window) => window.overlay_base(),
        }
    }

    /// Something unstable says when a field of a hash ends, whether the field is there or not.
    pub(crate) fn knows_end(&self, ptr: EntryPtr, field: &[u8]) -> bool {
        matches!(self.windows.get(&ptr), Some(Slot::Open(window)) if window.knows_end(field))
    }

    /// What is put between these two elements of a list may hang on the left one.
    pub(crate) fn list_leads_to(&self, ptr: EntryPtr, left: ElementId, right: ElementId) -> bool {
        matches!(self.windows.get(&ptr), Some(Slot::Open(window)) if window.list_leads_to(left, right))
    }

    /// An entry that [`Shard::find`] gave since the shard was locked, and that nothing was folded on or purged from meanwhile: saves
    /// looking for it again.
    #[inline]
    pub(crate) fn entry(&mut self, found: EntryPtr) -> Entry<'_> {
        // SAFETY: in a table of this shard by the caller's word, and `&mut self` is the shard's lock.
        unsafe { found.entry() }
    }

    /// Folds one effect on one key. The only way a key changes.
    pub(crate) fn fold(&mut self, hash: u64, id: EffectId, effect: &Effect<'_>, world: &World<'_>) {
        self.fold_on(None, hash, id, effect, world);
    }

    /// As [`Shard::fold`], with the key's entry if the caller has it, as for [`Shard::entry`].
    pub(crate) fn fold_on(
        &mut self,
        known: Option<EntryPtr>,
        hash: u64,
        id: EffectId,
        effect: &Effect<'_>,
        world: &World<'_>,
    ) {
        let (db, key) = (effect.db, effect.key);
        if self.loaded.as_ref().is_some_and(|loaded| loaded.has(hash, id)) {
            return self.replay_known(hash, id, db, key, world);
        }
        self.changes += 1;
        if !self.watchers.is_empty() {
            match &effect.op {
                Op::Reset => self.watchers.touch_going(db, key),
                op if !keeps_entries(op) => self.watchers.touch(db, key),
                _ => {}
            }
        }
        let part = self.part(db);
        let ptr = match known.or_else(|| part.table.find(hash, key).map(|e| e.ptr())) {
            Some(ptr) => ptr,
            None => {
                if !creates(&effect.op, world.solo) {
                    return;
                }
                let ptr = EntryPtr::create(key, value_len(&effect.op), has_expiry(&effect.op));
                part.table.insert(hash, ptr, world.hash_of);
                part.ghosts += 1;
                if world.indexed {
                    part.tail.push(ptr);
                }
                ptr
            }
        };
        // SAFETY: live in this shard's table, and we hold the shard.
        let mut entry = unsafe { ptr.entry() };
        let (had_value, had_expiry) = (entry.kind().is_some(), entry.expiry() != Expiry::NEVER);
        let field_due_ms = entry.first_field_end_ms();
        if !had_value && !self.watchers.is_empty() && keeps_entries(&effect.op) {
            self.watchers.touch(db, key);
        }
        if world.solo {
            solo::fold(&mut entry, id, effect);
        } else {
            let verdict = self.fold_window(&mut entry, id, effect, world);
            self.stats.forks += u64::from(verdict.fork);
            self.stats.clashes += u64::from(verdict.clash);
            self.stats.late += u64::from(verdict.late);
            if !verdict.disputes.is_empty() {
                (world.decided)(db, key, verdict.disputes);
            }
            if entry.windowed() {
                self.unstable.push_back((Some(ptr), id));
            } else if matches!(effect.op, Op::Reset) {
                self.unstable.push_back((None, id));
            }
        }
        entry.set_tip(world.origin, id.seq.0);
        world.note_use(&mut entry, !had_value, effect, id);
        if !self.waiters.is_empty() && brings(&effect.op) {
            self.waiters.changed(db, key, entry.kind(), world.woken);
        }
        match entry.first_field_end_ms() {
            Some(ms) if field_due_ms != Some(ms) => self.note_due(ms, hash, db),
            _ => {}
        }
        self.settle(entry, hash, db, had_value, had_expiry, world);
    }

    /// Accounts for what a fold did to an entry; removes it when nothing is left.
    fn settle(
        &mut self,
        entry: Entry<'_>,
        hash: u64,
        db: u32,
        had_value: bool,
        had_expiry: bool,
        world: &World<'_>,
    ) {
        let (value, expiry) = (entry.kind().is_some(), entry.expiry());
        let part = self.part(db);
        match (had_value, value) {
            (true, false) => part.ghosts += 1,
            (false, true) => part.ghosts -= 1,
            _ => {}
        }
        if had_expiry {
            part.expires -= 1;
        }
        if expiry != Expiry::NEVER {
            part.expires += 1;
            if let Some(ms) = expiry.ms() {
                self.note_due(ms, hash, db);
            }
        }
        if !value && !entry.windowed() {
            self.remove(hash, db, entry.ptr(), world.indexed);
        }
    }

    fn note_due(&mut self, ms: u64, hash: u64, db: u32) {
        self.due.push(Reverse((ms, hash, db)));
        let live: usize = self.parts.iter().map(|p| p.expires).sum();
        if self.due.len() > 64 + 4 * live.max(self.due_kept) {
            // Most are superseded: one of each moment and key is enough, and only those still set.
            let mut due: Vec<_> = std::mem::take(&mut self.due).into_vec();
            due.sort_unstable();
            due.dedup();
            let table_of = |db: u32| self.parts.get(db as usize).map(|p| &p.table);
            due.retain(|Reverse((ms, hash, db))| {
                table_of(*db).is_some_and(|t| t.any_with_hash(*hash, |e| is_due(e, *ms)))
            });
            self.due_kept = due.len();
            self.due = due.into();
        }
    }

    fn fold_window(
        &mut self,
        entry: &mut Entry<'_>,
        id: EffectId,
        effect: &Effect<'_>,
        world: &World<'_>,
    ) -> Verdict {
        let ptr = entry.ptr();
        let slot = if entry.windowed() { self.windows.get_mut(&ptr) } else { None };
        let saw_all = match &slot {
            None => true,
            Some(Slot::Assigned { id: assigned, .. }) => {
                effect.deps.contains(assigned)
                    || assigned.node == id.node
                    || world.settled.contains(*assigned)
            }
            Some(Slot::Open(_)) => false,
        };
        // A list's elements keep their places in a window: others may hang theirs on them.
        let of_list = entry.kind() == Some(Kind::List)
            || matches!(effect.op, Op::Assign { payload: Payload::List(_), .. });
        if saw_all && !of_list && effect.fresh.is_none_or(|floor_ms| floor_ms <= world.closed_ms) {
            match &effect.op {
                Op::Assign { payload, expiry } => {
                    match payload {
                        Payload::String(bytes) => entry.set_string(bytes, *expiry),
                        _ => {
                            entry.set_value(Value::from_payload(payload, id), *expiry);
                        }
                    }
                    self.windows.insert(ptr, Slot::Assigned { id, hlc: effect.hlc });
                    entry.set_windowed(true);
                    return Verdict::default();
                }
                Op::Reset => {
                    entry.clear();
                    self.windows.remove(&ptr);
                    entry.set_windowed(false);
                    return Verdict::default();
                }
                _ => {}
            }
        }
        let window = match slot {
            Some(Slot::Open(window)) => window,
            Some(slot) => {
                let Slot::Assigned { id, hlc } = *slot else { unreachable!("matched above") };
                *slot = Slot::Open(Box::new(Window::open_assigned(entry, id, hlc)));
                let Slot::Open(window) = slot else { unreachable!("just set") };
                window
            }
            None => {
                entry.set_windowed(true);
                let slot = self.windows.entry(ptr).insert(Slot::Open(Box::new(Window::open(entry))));
                let Slot::Open(window) = slot.into_mut() else { unreachable!("just set") };
                window
            }
        };
        let verdict = window.fold(entry, id, effect, world.settled);
        if entry.kind().is_none() && window.nothing_live() && window.floor_ms() <= world.closed_ms {
            self.windows.remove(&ptr);
            entry.set_windowed(false);
        }
        verdict
    }

    /// Applies a flush of one database or all: what `seen` contains dies.
    pub(crate) fn flush(&mut self, id: EffectId, db: Option<u32>, seen: &Frontier, world: &World<'_>) {
        let dbs: Vec<u32> = (0..self.parts.len() as u32).filter(|d| db.is_none_or(|db| db == *d)).collect();
        if !self.waiters.is_empty() {
            self.waiters.all_changed(|d| db.is_none_or(|db| db == d), world.woken);
        }
        self.lose_track();
        let loaded = self.loaded.take();
        for db in dbs {
            let mut kept = Vec::new();
            let mut gone = Vec::new();
            for ptr in self.part(db).table.drain() {
                // SAFETY: was in this shard's table; we hold the shard.
                let mut entry = unsafe { ptr.entry() };
                if let Some(l) = &loaded
                    && l.has((world.hash_of)(entry.key()), id)
                {
                    // The image has it done; the window's place in the queue may be missing.
                    let window = self.windows.get(&ptr);
                    if !l.queue_has(id) && matches!(window, Some(Slot::Open(w)) if w.last() == id) {
                        self.unstable.push_back((Some(ptr), id));
                    }
                    kept.push(ptr);
                    continue;
                }
                if !self.watchers.is_empty() && entry.kind().is_some() {
                    self.watchers.touch_going(db, entry.key());
                }
                if entry.kind() == Some(Kind::List) && !entry.windowed() && !world.solo {
                    // Others may yet hang elements on these.
                    self.windows.insert(ptr, Slot::Open(Box::new(Window::open(&entry))));
                    entry.set_windowed(true);
                }
                let survives = match self.windows.get_mut(&ptr) {
                    None => false,
                    Some(Slot::Assigned { id, .. }) => !seen.contains(*id),
                    Some(Slot::Open(window)) => {
                        // A floor outlives the values: what is older may still come.
                        let survives =
                            !window.flush(&mut entry, id, seen) || window.floor_ms() > world.closed_ms;
                        if survives {
                            self.unstable.push_back((Some(ptr), id));
                        }
                        survives
                    }
                };
                if survives { kept.push(ptr) } else { gone.push(ptr) }
            }
            let part = self.part(db);
            part.ghosts = 0;
            part.expires = 0;
            for ptr in kept {
                // SAFETY: as above; goes back into the table.
                let entry = unsafe { ptr.entry() };
                let hash = (world.hash_of)(entry.key());
                let part = self.part(db);
                part.ghosts += usize::from(entry.kind().is_none());
                part.expires += usize::from(entry.expiry() != Expiry::NEVER);
                part.table.insert(hash, ptr, world.hash_of);
            }
            for ptr in gone {
                self.windows.remove(&ptr);
                self.retire(db, ptr, world.indexed);
            }
        }
        if !world.solo && loaded.as_ref().is_none_or(|l| !l.queue_has(id)) {
            self.unstable.push_back((None, id));
        }
        self.loaded = loaded;
    }

    /// Drops every window: there is nobody left whom a key's past could concern.
    pub(crate) fn settle_all(&mut self, world: &World<'_>) {
        self.lose_track();
        self.unstable.clear();
        self.lingering.clear();
        for (ptr, _) in std::mem::take(&mut self.windows) {
            // SAFETY: a key with a window is in the table; we hold the shard.
            let mut entry = unsafe { ptr.entry() };
            Window::settle_list(&mut entry);
            entry.set_windowed(false);
            if entry.kind().is_none() {
                let hash = (world.hash_of)(entry.key());
                let db = self.db_of(hash, ptr);
                self.remove(hash, db, ptr, world.indexed);
            }
        }
    }

    /// Drops windows that became stable. Returns how many queue places were taken off.
    pub(crate) fn prune(&mut self, stable: &Frontier, world: &World<'_>) -> usize {
        let mut popped = 0;
        while let Some((ptr, id)) = self.unstable.front().copied() {
            if !stable.contains(id) {
                break;
            }
            self.unstable.pop_front();
            popped += 1;
            if let Some(ptr) = ptr
                && self.prune_window(ptr, Some(id), stable, world)
            {
                self.lingering.push_back(ptr);
            }
        }
        for _ in 0..self.lingering.len().min(LINGERING_STEP) {
            let Some(ptr) = self.lingering.pop_front() else { break };
            if self.prune_window(ptr, None, stable, world) {
                self.lingering.push_back(ptr);
            }
        }
        if popped > 0 {
            self.give_back();
        }
        popped
    }

    /// What a long absence of a peer took is given back once it is pruned; ordinary ups and downs stay allocated.
    fn give_back(&mut self) {
        let roomy = |len: usize, capacity: usize| capacity > ROOM_KEPT && len * 8 < capacity;
        if roomy(self.windows.len(), self.windows.capacity()) {
            self.windows.shrink_to(self.windows.len() * 2);
        }
        if roomy(self.unstable.len(), self.unstable.capacity()) {
            self.unstable.shrink_to(self.unstable.len() * 2);
        }
    }

    /// Prunes one window, if it is still there; `by`: because this effect in it became stable. True when it is to be looked at again
    /// later.
    fn prune_window(
        &mut self,
        ptr: EntryPtr,
        by: Option<EffectId>,
        stable: &Frontier,
        world: &World<'_>,
    ) -> bool {
        let pruned = match self.windows.get_mut(&ptr) {
            None => return false,
            // An earlier effect says nothing of what arrived after it; the memory may even be another key's by now.
            Some(Slot::Assigned { id, .. }) if by == Some(*id) => Pruned::Whole,
            Some(Slot::Assigned { .. }) => Pruned::Partly,
            Some(Slot::Open(window)) if by.is_some_and(|by| by != window.last()) => {
                window.prune_partly(stable);
                // SAFETY: a key with a window is in the table; we hold the shard.
                window.prune_list(&mut unsafe { ptr.entry() }, stable);
                Pruned::Partly
            }
            Some(Slot::Open(window)) => {
                // SAFETY: a key with a window is in the table; we hold the shard.
                window.prune(&mut unsafe { ptr.entry() }, stable, world.closed_ms)
            }
        };
        if pruned == Pruned::Whole {
            self.windows.remove(&ptr);
            // SAFETY: as above.
            let mut entry = unsafe { ptr.entry() };
            entry.set_windowed(false);
            if entry.kind().is_none() {
                let hash = (world.hash_of)(entry.key());
                let db = self.db_of(hash, ptr);
                self.remove(hash, db, ptr, world.indexed);
            }
        }
        pruned == Pruned::Lingers
    }

    fn db_of(&mut self, hash: u64, ptr: EntryPtr) -> u32 {
        let holds = |p: &mut Part| p.table.find(hash, ptr.key()).is_some_and(|e| e.ptr() == ptr);
        self.parts.iter_mut().position(holds).expect("a key with a window is in a table") as u32
    }

    /// Removes a key that died of age, when nothing can revive it. True when it did.
    pub(crate) fn purge(&mut self, db: u32, hash: u64, key: &[u8], now_ms: u64, world: &World<'_>) -> bool {
        let Some(entry) = self.find(db, hash, key) else { return false };
        let Some(ms) = entry.end().ms().filter(|ms| *ms <= now_ms) else { return false };
        let had_expiry = entry.expiry() != Expiry::NEVER;
        if entry.windowed() || !world.solo && ms > world.closed_ms {
            return false;
        }
        let ptr = entry.ptr();
        if !self.watchers.is_empty() {
            self.watchers.touch_going(db, key);
        }
        if !self.waiters.is_empty() {
            self.waiters.changed(db, key, None, world.woken);
        }
        let part = self.part(db);
        part.expires -= usize::from(had_expiry);
        part.ghosts += 1;
        self.stats.expired += 1;
        self.remove(hash, db, ptr, world.indexed);
        true
    }

    /// Removes up to `budget` keys past their expiry. Returns how many were looked at.
    pub(crate) fn expire(&mut self, now_ms: u64, budget: usize, world: &World<'_>) -> usize {
        let mut done = 0;
        let mut later = Vec::new();
        while done < budget {
            match self.due.peek() {
                Some(Reverse((ms, _, _))) if *ms <= now_ms => {}
                _ => break,
            }
            let Some(Reverse((ms, hash, db))) = self.due.pop() else { break };
            done += 1;
            let mut found = None;
            if let Some(table) = self.table(db) {
                table.any_with_hash(hash, |e| {
                    let matches = is_due(e, ms);
                    if matches {
                        found = Some(e.key().to_vec());
                    }
                    matches
                });
            }
            let Some(key) = found else { continue };
            if self.purge(db, hash, &key, now_ms, world) {
                continue;
            }
            done += self.purge_fields(db, hash, &key, now_ms, world);
            let Some(entry) = self.find(db, hash, &key) else { continue };
            // The key's own end, and that of the field that is the first to end now.
            let own_ms = entry.expiry().ms().filter(|own_ms| *own_ms == ms);
            later.extend(
                own_ms.into_iter().chain(entry.first_field_end_ms()).map(|ms| Reverse((ms, hash, db))),
            );
        }
        self.due.extend(later);
        done
    }

    /// Drops fields of a hash that ended and that nothing can revive, a bounded number. Returns how many.
    fn purge_fields(&mut self, db: u32, hash: u64, key: &[u8], now_ms: u64, world: &World<'_>) -> usize {
        let closed_ms = if world.solo { now_ms } else { now_ms.min(world.closed_ms) };
        let Some(mut entry) = self.find(db, hash, key).filter(|entry| !entry.windowed()) else { return 0 };
        let Some(ValueMut::Hash(hash)) = entry.value_mut() else { return 0 };
        let gone = hash.purge(closed_ms, FIELDS_STEP);
        self.stats.expired_fields += gone as u64;
        gone
    }

    fn remove(&mut self, hash: u64, db: u32, ptr: EntryPtr, indexed: bool) {
        let part = self.part(db);
        let removed = part.table.remove(hash, ptr.key());
        assert!(removed == Some(ptr), "an entry to remove is in its table");
        part.ghosts -= 1;
        let live = part.table.len();
        self.changes += u64::from(self.track.removed.is_some());
        self.track.note_removed(db, ptr.key(), live);
        self.retire(db, ptr, indexed);
    }

    /// Frees an entry that left the table, or leaves that to whoever of the index still holds it.
    fn retire(&mut self, db: u32, ptr: EntryPtr, indexed: bool) {
        // SAFETY: out of the table and we hold the shard: nobody else has an `Entry` of it.
        let mut entry = unsafe { ptr.entry() };
        if !indexed {
            // SAFETY: no index: nobody else knows the pointer.
            unsafe { ptr.free() };
            return;
        }
        entry.kill();
        if entry.in_run() {
            self.dead_in_run[db as usize] += 1;
            return;
        }
        let part = self.part(db);
        part.tail.note_dead();
        part.tail.compact(|dead| {
            // SAFETY: dead, out of the table, and the tail just let go of it.
            unsafe { dead.free() }
        });
    }

    /// Hands the pending new keys of a database to the index; returns how many died in its run since the last time.
    pub(crate) fn take_tail(&mut self, db: u32, into: &mut Vec<EntryPtr>) -> usize {
        let Some(part) = self.parts.get_mut(db as usize) else { return 0 };
        for ptr in part.tail.pointers() {
            // SAFETY: held by the tail, so not freed; we hold the shard.
            unsafe { ptr.entry() }.set_in_run();
        }
        into.extend(part.tail.take());
        std::mem::take(&mut self.dead_in_run[db as usize])
    }

    /// How many entries died in the index's run since the last time.
    pub(crate) fn take_dead(&mut self, db: u32) -> usize {
        self.dead_in_run.get_mut(db as usize).map_or(0, std::mem::take)
    }

    /// A client leaves the queue of a key.
    pub(crate) fn leave(&mut self, db: u32, hash: u64, key: &[u8], waiter: &Waiter, woken: Woken<'_>) {
        let kind = self.find(db, hash, key).and_then(|entry| entry.kind());
        self.waiters.leave(db, key, waiter, kind, woken);
    }

    /// Two databases change places: whoever watches a key that is live in either is told, or that was live when watched and is there
    /// still, past its expiry or not.
    pub(crate) fn touch_swapped(&mut self, a: u32, b: u32, now_ms: u64, hash_of: impl Fn(&[u8]) -> u64) {
        let parts = &mut self.parts;
        let mut state = |db: u32, key: &[u8]| {
            let found = parts.get_mut(db as usize).and_then(|p| p.table.find(hash_of(key), key));
            let entry = found.filter(|entry| entry.kind().is_some());
            (entry.is_some(), entry.is_some_and(|entry| !entry.end().reached(now_ms)))
        };
        self.watchers.touch_all(|db, key, was_live| {
            let other = if db == a { b } else { a };
            (db == a || db == b) && (was_live && state(db, key).0 || state(other, key).1)
        });
        self.watchers.swap(a, b);
    }

    /// Forgets every key.
    pub(crate) fn reset(&mut self, indexed: bool) {
        self.watchers.touch_all(|_, _, _| true);
        self.lose_track();
        self.loaded = None;
        self.windows.clear();
        self.unstable.clear();
        self.lingering.clear();
        self.due.clear();
        for db in 0..self.parts.len() as u32 {
            let part = self.part(db);
            part.ghosts = 0;
            part.expires = 0;
            for ptr in part.table.drain() {
                self.retire(db, ptr, indexed);
            }
        }
    }

    /// Bytes held for keys: slots, entries, windows (approximate, for INFO).
    pub fn unstable_len(&self) -> usize {
        self.unstable.len()
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        for part in &mut self.parts {
            // Dead entries that only the tail still knows.
            for ptr in part.tail.take() {
                if keytrie::Keyed::is_dead(&ptr) {
                    free_dead(ptr);
                }
            }
            for ptr in part.table.drain() {
                // SAFETY: out of the table; entries in the run are freed by their index, which is cleared after the shards.
                unsafe {
                    if ptr.entry().in_run() {
                        ptr.entry().kill();
                    } else {
                        ptr.free();
                    }
                }
            }
        }
    }
}

/// Frees an entry that an index handed back.
pub(crate) fn free_dead(ptr: EntryPtr) {
    assert!(keytrie::Keyed::is_dead(&ptr), "an index hands back dead entries only");
    // SAFETY: dead entries are out of every table, and the index that held this one let go of it.
    unsafe { ptr.free() }
}

/// A missing key needs an entry for this effect.
fn creates(op: &Op<'_>, solo: bool) -> bool {
    match op {
        Op::Assign { .. } | Op::Delta(_) | Op::DeltaFloat(_) | Op::Append(_) | Op::Overlay { .. } => true,
        Op::Bits(_) | Op::Registers(_) => true,
        Op::List(ListOp::Insert { .. }) => true,
        // A moment before which nothing counts has to be remembered.
        Op::Fields(FieldOp::Lapse(_)) => !solo,
        op if elements::kind_of(op).is_some() => !elements::removes(op),
        // With peers an unseen add or value may still arrive, and meet it.
        Op::Ttl(_) => !solo,
        _ => false,
    }
}

/// Leaves a stream's entries alone. To who watches the key that is no change, as in Redis, unless it makes the stream.
fn keeps_entries(op: &Op<'_>) -> bool {
    matches!(
        op,
        Op::Stream(
            StreamOp::Set(_)
                | StreamOp::GroupSet { .. }
                | StreamOp::GroupDrop { .. }
                | StreamOp::Deliver(_)
                | StreamOp::Ack { .. }
                | StreamOp::ConsumerDrop { .. }
        )
    )
}

/// Somebody who waits for the key may find what it waits for: not if things were only taken or handed out.
fn brings(op: &Op<'_>) -> bool {
    match op {
        Op::Stream(op) => matches!(
            op,
            StreamOp::Add { .. } | StreamOp::GroupSet { .. } | StreamOp::GroupDrop { .. } | StreamOp::Set(_)
        ),
        _ => true,
    }
}

/// A key or a field of it ends at this moment.
fn is_due(entry: &Entry<'_>, ms: u64) -> bool {
    entry.expiry().ms() == Some(ms) || entry.first_field_end_ms() == Some(ms)
}

fn value_len(op: &Op<'_>) -> usize {
    match op {
        Op::Assign { payload: Payload::String(bytes), .. } | Op::Append(bytes) => bytes.len(),
        // A word, with room for an expiry before it.
        Op::Assign { .. } => 8,
        Op::Delta(_) => 8,
        _ => 0,
    }
}

fn has_expiry(op: &Op<'_>) -> bool {
    matches!(op, Op::Assign { expiry, .. } if *expiry != Expiry::NEVER)
}
