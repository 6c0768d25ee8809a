//! A shard's image: taken chunk by chunk while commands run between the chunks, and read back at a start.
//!
//! ```text
//! head:  range bits u8 | frontier | databases | queue          once per extent
//! chunk: flags u8 | [frontier] | removed keys | entries        for each range of the hash space, in order
//! ```
//! Each chunk holds one range of the shard's hash space as it was at the chunk's own frontier. An effect after the replay's
//! beginning is folded on a key exactly if the key's chunk did not have it.
//!
//! Invariants:
//! - an entry changed after a frontier exactly if its tip is not in it, so a chunk of changes holds the entries whose tip the
//!   image before did not contain, and the keys that were removed since;
//! - what cannot be told from tips (a flush, a rebuild, too many removals) makes the next image a full one.

use std::sync::Arc;

use proto::{EffectId, Frontier, NodeId, varint};

use super::{Shard, Slot, World};
use crate::effect::Expiry;
use crate::effect::record::put_frontier;
use crate::image::bytes::{Fields, put_expiry, put_id, put_u64, put_value};
use crate::merge::Window;
use crate::state::table::{EntryPtr, SHARD_BITS};

/// Entries of a chunk, about: what is copied while the shard is held.
const CHUNK_ENTRIES: usize = 128;
/// Removals remembered between two images: more make the next one full.
const REMOVED_MIN: usize = 64;
const REMOVED_MAX: usize = 2048;
const REMOVED_KEY_BYTES_MAX: usize = 256;
const RANGE_BITS_MAX: u8 = 40;
/// Bounds on what a head may ask for before anything was read.
const PARTS_MAX: usize = 10_000;
const RESERVED_MAX: usize = 1 << 22;

const SAME_FRONTIER: u8 = 1;

const HAS_VALUE: u8 = 1;
const EXPIRES: u8 = 2;
const RAW: u8 = 4;
const TEXT: u8 = 8;
const ASSIGNED: u8 = 16;
const OPEN: u8 = 32;
const OTHER_DB: u8 = 64;
const FLAGS_KNOWN: u8 = 127;

/// What a shard remembers between two images of it.
#[derive(Default)]
pub(crate) struct Track {
    /// Keys removed since; `None`: not known, the next image is a full one.
    pub removed: Option<Vec<(u32, Box<[u8]>)>>,
    /// The last image has at least this.
    pub frontier: Option<Arc<Frontier>>,
}

impl Track {
    #[inline]
    pub fn note_removed(&mut self, db: u32, key: &[u8], live: usize) {
        let Some(removed) = &mut self.removed else { return };
        let room = REMOVED_MIN.max(live / 8).min(REMOVED_MAX);
        if removed.len() < room && key.len() <= REMOVED_KEY_BYTES_MAX {
            removed.push((db, key.into()));
        } else {
            self.removed = None;
        }
    }
}

/// The ranges that a shard's hash space is cut into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ranges {
    shard: usize,
    bits: u8,
}

impl Ranges {
    pub fn count(&self) -> usize {
        1 << self.bits
    }

    /// First and last hash of a range.
    fn bounds(&self, at: usize) -> (u64, u64) {
        let width = 64 - SHARD_BITS - u32::from(self.bits);
        let first = (self.shard as u64) << (64 - SHARD_BITS) | (at as u64) << width;
        (first, first + ((1 << width) - 1))
    }

    fn of(&self, hash: u64) -> usize {
        let within = hash << SHARD_BITS;
        if self.bits == 0 { 0 } else { (within >> (64 - u32::from(self.bits))) as usize }
    }
}

/// What a shard was loaded from, until the log is replayed.
pub(crate) struct Loaded {
    ranges: Ranges,
    /// What each range has.
    frontiers: Vec<Arc<Frontier>>,
    /// What the queue has.
    queue: Arc<Frontier>,
}

impl Loaded {
    pub fn has(&self, hash: u64, id: EffectId) -> bool {
        self.frontiers[self.ranges.of(hash)].contains(id)
    }

    pub fn queue_has(&self, id: EffectId) -> bool {
        self.queue.contains(id)
    }
}

/// The database of a key with a window.
fn db_of(parts: &mut [super::Part], hash: u64, ptr: EntryPtr) -> u32 {
    let holds = |part: &mut super::Part| part.table.find(hash, ptr.key()).is_some_and(|e| e.ptr() == ptr);
    parts.iter_mut().position(holds).expect("a key with a window is in a table") as u32
}

/// Writing one shard's image.
pub(crate) struct Capture {
    pub ranges: Ranges,
    /// Only what changed after this: seqs by the number of their origin.
    since: Option<Vec<u64>>,
    last: Option<Arc<Frontier>>,
    scratch: Vec<u8>,
    pub entries: u64,
}

impl Capture {
    /// Only changes are in it.
    pub fn is_of_changes(&self) -> bool {
        self.since.is_some()
    }
}

impl Shard {
    /// Begins an image at `frontier`, which is everything folded here: appends the head. `full`: whatever happened since the last
    /// one. Hold the shard from here to the first chunk's end.
    pub(crate) fn begin_image(
        &mut self,
        shard: usize,
        full: bool,
        frontier: &Arc<Frontier>,
        nodes: &[NodeId],
        hash_of: &dyn Fn(&[u8]) -> u64,
        out: &mut Vec<u8>,
    ) -> Capture {
        let len: usize = self.parts.iter().map(|p| p.table.len()).sum();
        let bits = (len / CHUNK_ENTRIES).next_power_of_two().trailing_zeros() as u8;
        let ranges = Ranges { shard, bits: bits.min(RANGE_BITS_MAX) };
        out.push(ranges.bits);
        put_frontier(out, frontier);
        varint::put(out, self.parts.len() as u64);
        for part in &self.parts {
            varint::put(out, part.table.len() as u64);
        }
        varint::put(out, self.unstable.len() as u64);
        for (ptr, id) in &self.unstable {
            put_id(out, *id);
            // A key without a window may be freed; its place is kept all the same.
            let place = ptr.filter(|ptr| self.windows.contains_key(ptr)).map(|ptr| {
                let hash = hash_of(ptr.key());
                (db_of(&mut self.parts, hash, ptr), hash)
            });
            // One more than the database, 0 without a key.
            varint::put(out, place.map_or(0, |(db, _)| u64::from(db) + 1));
            if let Some((_, hash)) = place {
                put_u64(out, hash);
            }
        }
        let since = if full || self.track.removed.is_none() { None } else { self.track.frontier.as_ref() };
        let since: Option<Vec<u64>> =
            since.map(|since| nodes.iter().map(|node| since.seq(*node).0).collect());
        self.changes = 0;
        self.track = Track {
            // With a full image, removals count from the moment each chunk is taken; they are kept from now on.
            removed: Some(if since.is_some() {
                self.track.removed.take().unwrap_or_default()
            } else {
                Vec::new()
            }),
            frontier: Some(frontier.clone()),
        };
        Capture { ranges, since, last: None, scratch: Vec::new(), entries: 0 }
    }

    /// Appends one chunk at `frontier`, which is everything folded here. Every range in order.
    pub(crate) fn image_chunk(
        &mut self,
        capture: &mut Capture,
        at: usize,
        frontier: &Arc<Frontier>,
        hash_of: &dyn Fn(&[u8]) -> u64,
        out: &mut Vec<u8>,
    ) {
        let same =
            capture.last.as_ref().is_some_and(|last| Arc::ptr_eq(last, frontier) || *last == *frontier);
        out.push(if same { SAME_FRONTIER } else { 0 });
        if !same {
            put_frontier(out, frontier);
            capture.last = Some(frontier.clone());
        }
        let (first, last) = capture.ranges.bounds(at);
        let mut gone = Vec::new();
        if let Some(removed) = &mut self.track.removed {
            let here = |key: &[u8]| (first..=last).contains(&hash_of(key));
            gone = removed.extract_if(.., |(_, key)| here(key)).collect();
        }
        if capture.since.is_none() {
            gone.clear();
        }
        varint::put(out, gone.len() as u64);
        for (db, key) in &gone {
            varint::put(out, u64::from(*db));
            varint::put_bytes(out, key);
        }
        let scratch = &mut capture.scratch;
        scratch.clear();
        let mut entries = 0u64;
        let (windows, since) = (&self.windows, capture.since.as_deref());
        let unchanged = |(origin, seq): (u16, u64)| {
            since.and_then(|since| since.get(usize::from(origin))).is_some_and(|upto| seq <= *upto)
        };
        for (db, part) in (0u32..).zip(self.parts.iter_mut()) {
            part.table.range(first, last, hash_of, |entry| {
                let (origin, seq) = entry.tip();
                if unchanged((origin, seq)) {
                    return;
                }
                entries += 1;
                let value = entry.value();
                let expiry = entry.expiry();
                let slot = if entry.windowed() { windows.get(&entry.ptr()) } else { None };
                let flag = |on: bool, bit: u8| if on { bit } else { 0 };
                scratch.push(
                    flag(value.is_some(), HAS_VALUE)
                        | flag(expiry != Expiry::NEVER, EXPIRES)
                        | flag(entry.raw(), RAW)
                        | flag(entry.text(), TEXT)
                        | flag(matches!(slot, Some(Slot::Assigned { .. })), ASSIGNED)
                        | flag(matches!(slot, Some(Slot::Open(_))), OPEN)
                        | flag(db != 0, OTHER_DB),
                );
                if db != 0 {
                    varint::put(scratch, u64::from(db));
                }
                varint::put(scratch, u64::from(origin));
                varint::put(scratch, seq);
                scratch.extend_from_slice(&entry.access().to_le_bytes()[..3]);
                varint::put_bytes(scratch, entry.key());
                if expiry != Expiry::NEVER {
                    put_expiry(scratch, expiry);
                }
                if let Some(value) = &value {
                    put_value(scratch, value);
                }
                match slot {
                    None => {}
                    Some(Slot::Assigned { id, hlc }) => {
                        put_id(scratch, *id);
                        put_u64(scratch, hlc.0);
                    }
                    Some(Slot::Open(window)) => window.encode(scratch),
                }
            });
        }
        varint::put(out, entries);
        out.extend_from_slice(scratch);
        if scratch.capacity() > 1 << 20 {
            *scratch = Vec::new();
        }
        capture.entries += entries;
    }
}

/// Reading one extent of a shard.
pub(crate) struct Loading {
    ranges: Ranges,
    frontiers: Vec<Arc<Frontier>>,
    head: Arc<Frontier>,
    queue: Vec<(Option<(u32, u64)>, EffectId)>,
    databases: u32,
    /// The shard was empty: nothing to look for before inserting.
    fresh: bool,
}

impl Loading {
    /// Every chunk was read.
    pub fn is_whole(&self) -> bool {
        self.frontiers.len() == self.ranges.count()
    }
}

impl Shard {
    /// Reads the head of an extent. `None` from here on: malformed.
    pub(crate) fn begin_load(
        &mut self,
        shard: usize,
        databases: u32,
        fields: &mut Fields<'_>,
    ) -> Option<Loading> {
        let bits = fields.u8().filter(|bits| *bits <= RANGE_BITS_MAX)?;
        let head = Arc::new(fields.frontier()?);
        let fresh = self.is_empty();
        let parts = fields.count().filter(|parts| *parts <= PARTS_MAX)?;
        for db in 0..parts {
            let entries = usize::try_from(fields.varint()?).ok()?;
            if fresh && entries > 0 && (db as u32) < databases {
                self.part(db as u32).table.reserve_empty(entries.min(RESERVED_MAX));
            }
        }
        let mut queue = Vec::new();
        for _ in 0..fields.count()? {
            let id = fields.id()?;
            let place = match u32::try_from(fields.varint()?).ok()?.checked_sub(1) {
                Some(db) => Some((db, fields.u64()?)),
                None => None,
            };
            queue.push((place, id));
        }
        let (ranges, frontiers) = (Ranges { shard, bits }, Vec::new());
        Some(Loading { ranges, frontiers, head, queue, databases, fresh })
    }

    /// Reads one chunk.
    pub(crate) fn load_chunk(
        &mut self,
        loading: &mut Loading,
        fields: &mut Fields<'_>,
        hash_of: &dyn Fn(&[u8]) -> u64,
    ) -> Option<()> {
        if loading.is_whole() {
            return None;
        }
        let frontier = match fields.u8()? {
            SAME_FRONTIER => loading.frontiers.last()?.clone(),
            _ => Arc::new(fields.frontier()?),
        };
        loading.frontiers.push(frontier);
        for _ in 0..fields.count()? {
            let db = u32::try_from(fields.varint()?).ok()?;
            let key = fields.bytes()?;
            let part = self.part_if_any(db);
            if let Some(ptr) = part.and_then(|part| part.table.remove(hash_of(key), key)) {
                self.windows.remove(&ptr);
                // SAFETY: out of the table, and no index knows it before the load is finished.
                unsafe { ptr.free() };
            }
        }
        for _ in 0..fields.count()? {
            self.load_entry(loading, fields, hash_of)?;
        }
        Some(())
    }

    fn load_entry(
        &mut self,
        loading: &Loading,
        fields: &mut Fields<'_>,
        hash_of: &dyn Fn(&[u8]) -> u64,
    ) -> Option<()> {
        let flags = fields.u8().filter(|flags| flags & !FLAGS_KNOWN == 0)?;
        if flags & (HAS_VALUE | ASSIGNED | OPEN) == 0 || flags & (ASSIGNED | OPEN) == ASSIGNED | OPEN {
            return None;
        }
        let db = if flags & OTHER_DB != 0 { u32::try_from(fields.varint()?).ok()? } else { 0 };
        if db >= loading.databases {
            return None;
        }
        let origin = u16::try_from(fields.varint()?).ok()?;
        let seq = fields.varint().filter(|seq| *seq < 1 << 48)?;
        let (access, rest) = fields.0.split_first_chunk::<3>()?;
        fields.0 = rest;
        let access = u32::from_le_bytes([access[0], access[1], access[2], 0]);
        let key = fields.bytes()?;
        let expiry = if flags & EXPIRES != 0 { fields.expiry()? } else { Expiry::NEVER };
        let value = if flags & HAS_VALUE != 0 { Some(fields.value_or_text()?) } else { None };
        let hash = hash_of(key);
        let room = value.as_ref().and_then(|v| v.as_ref().ok()).map_or(0, |text| text.len());
        let table = &mut self.part(db).table;
        let known = if loading.fresh { None } else { table.find(hash, key).map(|entry| entry.ptr()) };
        let ptr = known.unwrap_or_else(|| {
            let ptr = EntryPtr::create(key, room, expiry != Expiry::NEVER);
            table.insert(hash, ptr, hash_of);
            ptr
        });
        self.windows.remove(&ptr);
        // SAFETY: in this shard's table, and we hold the shard.
        let mut entry = unsafe { ptr.entry() };
        match value {
            None => entry.clear(),
            Some(Ok(text)) => entry.set_string(text, expiry),
            Some(Err(value)) => entry.set_value(value, expiry),
        }
        entry.set_raw(flags & RAW != 0);
        entry.set_text(flags & TEXT != 0);
        entry.set_tip(origin, seq);
        entry.set_access(access);
        entry.set_windowed(flags & (ASSIGNED | OPEN) != 0);
        if flags & ASSIGNED != 0 {
            let (id, hlc) = (fields.id()?, fields.hlc()?);
            self.windows.insert(ptr, Slot::Assigned { id, hlc });
        } else if flags & OPEN != 0 {
            self.windows.insert(ptr, Slot::Open(Box::new(Window::decode(fields)?)));
        }
        Some(())
    }

    /// All extents are read, `last` the last of them: counts, queues and the index's tail are worked out.
    pub(crate) fn finish_load(&mut self, last: Loading, world: &World<'_>) {
        let (mut dues, mut places) = (Vec::new(), hashbrown::HashMap::new());
        for (db, part) in (0u32..).zip(self.parts.iter_mut()) {
            part.ghosts = 0;
            part.expires = 0;
            let (tail, ghosts, expires) = (&mut part.tail, &mut part.ghosts, &mut part.expires);
            part.table.for_each(|entry| {
                if world.indexed {
                    tail.push(entry.ptr());
                }
                *ghosts += usize::from(entry.kind().is_none());
                if entry.windowed() {
                    places.insert((db, (world.hash_of)(entry.key())), entry.ptr());
                }
                if let Some(ms) = entry.expiry().ms() {
                    *expires += 1;
                    dues.push((ms, (world.hash_of)(entry.key()), db));
                }
                if let Some(ms) = entry.first_field_end_ms() {
                    dues.push((ms, (world.hash_of)(entry.key()), db));
                }
            });
        }
        self.due = dues.into_iter().map(std::cmp::Reverse).collect();
        let queue = last.queue.into_iter();
        self.unstable =
            queue.map(|(place, id)| (place.and_then(|place| places.get(&place).copied()), id)).collect();
        self.changes = 0;
        self.track = Track { removed: Some(Vec::new()), frontier: Some(last.head.clone()) };
        self.loaded =
            Some(Box::new(Loaded { ranges: last.ranges, frontiers: last.frontiers, queue: last.head }));
    }

    /// Something happened that tips do not tell.
    pub(crate) fn lose_track(&mut self) {
        self.changes += 1;
        self.track.removed = None;
    }

    /// An effect of the log that the image has already: only its place in the queue may be missing.
    #[cold]
    pub(super) fn replay_known(&mut self, hash: u64, id: EffectId, db: u32, key: &[u8], world: &World<'_>) {
        let queued = self.loaded.as_ref().is_none_or(|loaded| loaded.queue_has(id));
        if world.solo || queued {
            return;
        }
        // The next image has to have this place.
        self.changes += 1;
        let entry = self.find(db, hash, key).filter(|entry| entry.windowed());
        let ptr = entry.map(|entry| entry.ptr());
        self.unstable.push_back((ptr, id));
    }

    /// The log is replayed: from here on everything is new.
    pub(crate) fn end_load(&mut self) {
        if self.loaded.take().is_none() || self.windows.is_empty() {
            return;
        }
        let queued: hashbrown::HashSet<EffectId> = self.unstable.iter().map(|(_, id)| *id).collect();
        let lingering = &mut self.lingering;
        // What has no place left is stable since before the image's head was taken.
        self.windows.retain(|ptr, slot| match slot {
            Slot::Assigned { id, .. } if !queued.contains(id) => {
                // SAFETY: a key with a window is in the table; we hold the shard.
                unsafe { ptr.entry() }.set_windowed(false);
                false
            }
            Slot::Open(window) if !queued.contains(&window.last()) => {
                lingering.push_back(*ptr);
                true
            }
            _ => true,
        });
    }
}
