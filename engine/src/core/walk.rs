//! Walks over the keyspace: SCAN, KEYS, RANDOMKEY, and the upkeep of the ordered indexes.
//!
//! A cursor is a place in *hash space* (the top 48 bits of the next hash): every live key below it was visited. The table and the
//! ordered index are two ways to go on from it, so an iteration may change between them at any call, and a cursor needs no
//! memory on the server, survives resizes and restarts.

use std::sync::atomic::Ordering::Relaxed;

use super::{Engine, Unit};
use crate::glob;
use crate::state::shard::free_dead;
use crate::state::table::{EntryPtr, SHARD_BITS, SHARDS, shard_of};
use crate::state::value::Kind;

/// Hash bits below a cursor's resolution.
const CURSOR_SHIFT: u32 = 16;
/// Pending keys a walk merges in one go; with more it goes by the table and merges a step (about 5 ms).
const MERGE_STEP: usize = 16_384;
/// New keys that one step of comparing with peers takes into the index, about.
const CATCH_UP_KEYS: usize = 4096;
/// Prefixes with more keys than this are walked by the table.
const PREFIX_WALK_MAX: usize = 100_000;
/// Calls that an iteration by the index takes at most: it looks at the whole prefix in each.
const PREFIX_CALLS_MAX: usize = 64;

/// What a walk visits.
#[derive(Clone, Copy, Debug)]
pub struct Visited<'a> {
    pub key: &'a [u8],
    pub kind: Kind,
}

impl Unit<'_> {
    /// Visits live keys matching `pattern` from `cursor` (0 = start) until about `count` were looked at; returns the next cursor,
    /// 0 at the end. A key present throughout an iteration is visited at least once.
    pub fn scan(
        &mut self,
        cursor: u64,
        count: usize,
        pattern: Option<&[u8]>,
        visit: &mut dyn FnMut(Visited<'_>),
    ) -> u64 {
        if cursor >> (64 - CURSOR_SHIFT) != 0 {
            return 0;
        }
        let prefix = pattern.map(glob::literal_prefix).unwrap_or_default();
        if !prefix.is_empty()
            && let Some(next) = self.scan_index(cursor, count, prefix, pattern, visit)
        {
            return next;
        }
        self.scan_table(cursor, count, pattern, visit)
    }

    fn scan_table(
        &mut self,
        cursor: u64,
        count: usize,
        pattern: Option<&[u8]>,
        visit: &mut dyn FnMut(Visited<'_>),
    ) -> u64 {
        let (engine, db, now_ms) = (self.engine, self.physical_db(), self.now_ms());
        let mut from = cursor << CURSOR_SHIFT;
        let mut looked = 0;
        loop {
            let at = shard_of(from);
            let next = self.with_shard(at, |shard| {
                let part = shard.part_if_any(db)?;
                let hash_of = |key: &[u8]| engine.key_hash(key);
                part.table.scan(from, count.saturating_sub(looked).max(1), hash_of, |entry| {
                    looked += 1;
                    let Some(kind) = entry.kind() else { return };
                    let key = entry.key();
                    if !entry.end().reached(now_ms) && pattern.is_none_or(|p| glob::matches(p, key)) {
                        visit(Visited { key, kind });
                    }
                })
            });
            match next {
                Some(next) => from = next,
                None if at + 1 == SHARDS => return 0,
                None => from = (at as u64 + 1) << (64 - SHARD_BITS),
            }
            if looked >= count {
                return from >> CURSOR_SHIFT;
            }
        }
    }

    /// Goes by the ordered index, when that is current and the prefix selective.
    fn scan_index(
        &mut self,
        cursor: u64,
        count: usize,
        prefix: &[u8],
        pattern: Option<&[u8]>,
        visit: &mut dyn FnMut(Visited<'_>),
    ) -> Option<u64> {
        let (engine, db) = (self.engine, self.physical_db());
        if !self.index_is_current(db) {
            return None;
        }
        let mut found: Vec<(u64, Vec<u8>)> = Vec::new();
        let under = {
            let index = engine.indexes[db as usize].lock();
            let under = index.prefix_len(prefix);
            if under > PREFIX_WALK_MAX || under * 8 > index.len() && under > 1000 {
                return None;
            }
            index.walk_prefix(prefix, |ptr: EntryPtr| {
                let hash = engine.key_hash(ptr.key());
                if hash >> CURSOR_SHIFT >= cursor {
                    found.push((hash, ptr.key().to_vec()));
                }
                true
            });
            under
        };
        found.sort_unstable();
        let mut end = count.max(under / PREFIX_CALLS_MAX).min(found.len());
        while end > 0 && end < found.len() && found[end].0 >> CURSOR_SHIFT == found[end - 1].0 >> CURSOR_SHIFT
        {
            end += 1;
        }
        for (hash, key) in &found[..end] {
            self.visit_live(*hash, key, pattern, visit);
        }
        Some(found.get(end).map_or(0, |next| next.0 >> CURSOR_SHIFT))
    }

    fn visit_live(
        &mut self,
        hash: u64,
        key: &[u8],
        pattern: Option<&[u8]>,
        visit: &mut dyn FnMut(Visited<'_>),
    ) {
        if pattern.is_some_and(|p| !glob::matches(p, key)) {
            return;
        }
        let (db, now_ms) = (self.physical_db(), self.now_ms());
        let kind = self.with_shard(shard_of(hash), |shard| {
            let entry = shard.find(db, hash, key)?;
            if entry.end().reached(now_ms) { None } else { entry.kind() }
        });
        if let Some(kind) = kind {
            visit(Visited { key, kind });
        }
    }

    /// Every live key of the selected database matching `pattern` (KEYS).
    pub fn keys(&mut self, pattern: &[u8], visit: &mut dyn FnMut(&[u8])) {
        let prefix = glob::literal_prefix(pattern);
        let db = self.physical_db();
        if !prefix.is_empty() && self.index_is_current(db) {
            let engine = self.engine;
            let mut found = Vec::new();
            engine.indexes[db as usize].lock().walk_prefix(prefix, |ptr: EntryPtr| {
                found.push(ptr.key().to_vec());
                true
            });
            found.dedup();
            for key in found {
                let hash = engine.key_hash(&key);
                self.visit_live(hash, &key, Some(pattern), &mut |v| visit(v.key));
            }
            return;
        }
        let now_ms = self.now_ms();
        let all = pattern == b"*";
        for at in 0..SHARDS {
            self.with_shard(at, |shard| {
                let Some(part) = shard.part_if_any(db) else { return };
                part.table.for_each(|entry| {
                    let key = entry.key();
                    let live = entry.kind().is_some() && !entry.end().reached(now_ms);
                    if live && (all || glob::matches(pattern, key)) {
                        visit(key);
                    }
                });
            });
        }
    }

    /// Live keys in the selected database; those past their expiry count until removed, as in Redis.
    pub fn db_len(&mut self) -> u64 {
        let db = self.physical_db();
        (0..SHARDS).map(|at| self.with_shard(at, |shard| shard.len(db) as u64)).sum()
    }

    /// A random live key of the selected database.
    pub fn random_key(&mut self) -> Option<Vec<u8>> {
        let (engine, db, now_ms) = (self.engine, self.physical_db(), self.now_ms());
        // Keys that died of age are passed over, a bounded number of times.
        for _ in 0..100 {
            let start = self.random();
            let mut candidates: Vec<(Vec<u8>, bool)> = Vec::new();
            for step in 0..SHARDS {
                let at = (shard_of(start) + step) % SHARDS;
                let base = (at as u64) << (64 - SHARD_BITS);
                let from = if step == 0 { start } else { base };
                self.with_shard(at, |shard| {
                    let Some(part) = shard.part_if_any(db) else { return };
                    let hash_of = |key: &[u8]| engine.key_hash(key);
                    let mut collect = |from: u64, out: &mut Vec<(Vec<u8>, bool)>| {
                        part.table.scan(from, 8, hash_of, |e| {
                            if e.kind().is_some() {
                                out.push((e.key().to_vec(), e.end().reached(now_ms)));
                            }
                        });
                    };
                    collect(from, &mut candidates);
                    if candidates.is_empty() && from != base {
                        collect(base, &mut candidates);
                    }
                });
                if candidates.len() >= 4 {
                    break;
                }
            }
            if candidates.is_empty() {
                return None;
            }
            let pick = self.random() as usize % candidates.len();
            let (key, dead) = candidates.swap_remove(pick);
            if !dead {
                return Some(key);
            }
        }
        None
    }

    /// Takes new keys into the index, a bounded step; true when walks by it are complete.
    fn index_is_current(&mut self, db: u32) -> bool {
        if !self.engine.config.index {
            return false;
        }
        let mut fresh = Vec::new();
        let mut dead = 0;
        for at in 0..SHARDS {
            self.with_shard(at, |shard| dead += shard.take_tail(db, &mut fresh));
        }
        let mut index = self.engine.indexes[db as usize].lock();
        index.note_dead(dead);
        index.offer(fresh);
        let left = index.merge_step(MERGE_STEP, free_dead);
        if index.wants_sweep() {
            index.sweep_step(MERGE_STEP, free_dead);
        }
        left == 0
    }
}

impl Engine {
    /// Names of keys of a physical database in `(after, upto]` by the ordered index, in order: `count` and `bytes` at most, one at
    /// least if there is any. Keys that are new may be missing.
    pub(super) fn keys_between(
        &self,
        db: u32,
        after: &[u8],
        upto: Option<&[u8]>,
        count: usize,
        bytes: usize,
    ) -> Vec<Vec<u8>> {
        self.catch_up_index(db);
        let (mut names, mut size) = (Vec::new(), 0);
        // Excluded is what follows the last one.
        let end = upto.map(|upto| [upto, &[0]].concat());
        self.indexes[db as usize].lock().walk(after, !after.is_empty(), end.as_deref(), |ptr: EntryPtr| {
            size += ptr.key().len();
            names.push(ptr.key().to_vec());
            names.len() < count && size < bytes
        });
        names
    }

    /// Takes some of the new keys into the index, if it took in those before. What this costs is bounded: a call sorts and merges
    /// little, however many wait.
    fn catch_up_index(&self, db: u32) {
        if !self.config.index {
            return;
        }
        let (mut fresh, mut dead) = (Vec::new(), 0);
        let busy = !self.indexes[db as usize].lock().is_current();
        // From where the last call ended, so that every shard has its turn.
        let begin = self.index_catch_up.load(Relaxed);
        for at in (begin..begin + SHARDS).take_while(|_| !busy) {
            dead += self.shards[at % SHARDS].lock().take_tail(db, &mut fresh);
            self.index_catch_up.store((at + 1) % SHARDS, Relaxed);
            if fresh.len() >= CATCH_UP_KEYS {
                break;
            }
        }
        let mut index = self.indexes[db as usize].lock();
        index.note_dead(dead);
        index.offer(fresh);
        index.merge_step(MERGE_STEP, free_dead);
    }

    /// Background upkeep: frees dead keys that an index still holds, be they few when `eager`. Returns true when more is
    /// to do.
    pub fn sweep_indexes(&self, eager: bool) -> bool {
        let mut more = false;
        if eager {
            self.shards.iter().for_each(|shard| shard.lock().free_soon());
        }
        for (db, index) in self.indexes.iter().enumerate() {
            let mut dead = 0;
            for shard in &self.shards {
                dead += shard.lock().take_dead(db as u32);
            }
            let mut index = index.lock();
            index.note_dead(dead);
            if eager {
                // Keys that died before they were merged are found in the run.
                more |= index.merge_step(MERGE_STEP, free_dead) > 0;
            }
            if eager || index.wants_sweep() {
                more |= !index.sweep_step(MERGE_STEP, free_dead);
            }
        }
        more
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Shards first: what the index still holds is then dead, all of it.
        self.shards = Box::new([]);
        for index in &self.indexes {
            index.lock().clear(free_dead);
        }
    }
}
