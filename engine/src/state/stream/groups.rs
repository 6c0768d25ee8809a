//! Consumer groups of a stream: how far each has read, its consumers, and what was delivered and not acknowledged.
//!
//! Invariants: a consumer's pending ids are those of the group's pending entries that it owns; there is no consumer that is neither
//! registered nor owns any. A group without a head was not made (its maker was cancelled, or is not known yet): it does not show.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use smallvec::SmallVec;

use super::id::StreamId;

/// How far a group has read: a floor for all entries, and for those of single nodes (by slot) places above it. On a lone node the
/// floor is all there is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cursor {
    pub floor: StreamId,
    /// Ascending slots, each above the floor.
    pub slots: Vec<(u32, StreamId)>,
}

impl Cursor {
    pub fn at(floor: StreamId) -> Self {
        Cursor { floor, slots: Vec::new() }
    }

    /// The highest place: the last delivered id.
    pub fn last(&self) -> StreamId {
        self.slots.iter().map(|s| s.1).max().map_or(self.floor, |top| top.max(self.floor))
    }

    /// An entry of this id counts as delivered.
    pub fn covers(&self, id: StreamId) -> bool {
        id <= self.floor
            || !self.slots.is_empty()
                && self
                    .slots
                    .binary_search_by_key(&id.slot(), |s| s.0)
                    .is_ok_and(|place| id <= self.slots[place].1)
    }

    /// Notes that an entry was delivered.
    pub fn raise(&mut self, id: StreamId) {
        if id <= self.floor {
            return;
        }
        match self.slots.binary_search_by_key(&id.slot(), |s| s.0) {
            Ok(at) => self.slots[at].1 = self.slots[at].1.max(id),
            Err(at) => self.slots.insert(at, (id.slot(), id)),
        }
    }

    /// The pointwise maximum of both.
    pub fn join(&mut self, other: &Cursor) {
        self.floor = self.floor.max(other.floor);
        other.slots.iter().for_each(|(slot, id)| match self.slots.binary_search_by_key(slot, |s| s.0) {
            Ok(at) => self.slots[at].1 = self.slots[at].1.max(*id),
            Err(at) => self.slots.insert(at, (*slot, *id)),
        });
        let floor = self.floor;
        self.slots.retain(|s| s.1 > floor);
    }
}

/// A group's own state.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Head {
    pub cursor: Cursor,
    /// Entries ever read by it, `None` when that is not known.
    pub read: Option<u64>,
    /// It was made, and shows.
    pub made: bool,
}

/// An entry delivered and not acknowledged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pending {
    pub owner: Arc<[u8]>,
    pub count: u64,
    /// Of the last delivery, Unix ms.
    pub time_ms: u64,
}

/// One consumer.
#[derive(Debug, Default)]
pub struct Consumer {
    /// Made by a command, not only known from what it owns.
    pub(super) registered: bool,
    /// When it was last heard of, Unix ms: what effects say, and this node's own reads that changed nothing else.
    seen_ms: AtomicU64,
    pub(super) pending: BTreeSet<StreamId>,
}

impl Consumer {
    pub fn pending(&self) -> &BTreeSet<StreamId> {
        &self.pending
    }

    pub fn seen_ms(&self) -> u64 {
        self.seen_ms.load(Relaxed)
    }

    /// It asked for something. A note of this node alone, like a key's last access.
    pub fn touch(&self, now_ms: u64) {
        self.seen_ms.store(now_ms, Relaxed);
    }
}

impl Clone for Consumer {
    fn clone(&self) -> Self {
        Consumer {
            registered: self.registered,
            seen_ms: AtomicU64::new(self.seen_ms()),
            pending: self.pending.clone(),
        }
    }
}

/// One consumer group.
#[derive(Debug, Default)]
pub struct Group {
    head: Option<Box<Head>>,
    consumers: BTreeMap<Arc<[u8]>, Consumer>,
    pending: BTreeMap<StreamId, Pending>,
    /// Every entry present up to here is covered: where to look for the next one. A note of this node alone.
    covered: [AtomicU64; 2],
}

impl Clone for Group {
    fn clone(&self) -> Self {
        let covered = self.covered();
        Group {
            head: self.head.clone(),
            consumers: self.consumers.clone(),
            pending: self.pending.clone(),
            covered: [AtomicU64::new(covered.ms), AtomicU64::new(covered.seq)],
        }
    }
}

impl PartialEq for Group {
    /// What a client can see of both.
    fn eq(&self, other: &Self) -> bool {
        self.head == other.head
            && self.pending == other.pending
            && self.consumers.keys().eq(other.consumers.keys())
    }
}

impl Group {
    pub fn head(&self) -> Option<&Head> {
        self.head.as_deref()
    }

    pub fn shows(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.made)
    }

    pub fn cursor(&self) -> Option<&Cursor> {
        self.head.as_ref().map(|head| &head.cursor)
    }

    /// Last delivered id.
    pub fn last(&self) -> StreamId {
        self.cursor().map_or(StreamId::MIN, Cursor::last)
    }

    pub fn read(&self) -> Option<u64> {
        self.head.as_ref().and_then(|head| head.read)
    }

    pub fn consumers(&self) -> impl ExactSizeIterator<Item = (&Arc<[u8]>, &Consumer)> {
        self.consumers.iter()
    }

    pub fn consumer(&self, name: &[u8]) -> Option<&Consumer> {
        self.consumers.get(name)
    }

    pub fn pending(&self) -> &BTreeMap<StreamId, Pending> {
        &self.pending
    }

    pub fn covered(&self) -> StreamId {
        StreamId::new(self.covered[0].load(Relaxed), self.covered[1].load(Relaxed))
    }

    /// Notes that every entry present up to here is covered.
    pub fn note_covered(&self, upto: StreamId) {
        self.covered[0].store(upto.ms, Relaxed);
        self.covered[1].store(upto.seq, Relaxed);
    }

    /// An entry came to be.
    pub(super) fn entry_came(&self, id: StreamId) {
        if id <= self.covered() {
            self.note_covered(id.prev().unwrap_or_default());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head.is_none() && self.consumers.is_empty() && self.pending.is_empty()
    }

    pub(super) fn set_head(&mut self, head: Option<Box<Head>>) {
        self.note_covered(head.as_ref().map_or(StreamId::MIN, |head| head.cursor.floor));
        self.head = head;
    }

    /// Moves the cursor on; the count of entries read changes as told.
    pub(super) fn advance(&mut self, cursor: &Cursor, read: impl FnOnce(Option<u64>) -> Option<u64>) {
        let head = self.head.get_or_insert_default();
        head.cursor.join(cursor);
        head.read = read(head.read);
        let floor = head.cursor.floor;
        if floor > self.covered() {
            self.note_covered(floor);
        }
    }

    /// The name's shared bytes, with its consumer.
    fn named(&mut self, name: &[u8]) -> (Arc<[u8]>, &mut Consumer) {
        let name: Arc<[u8]> = match self.consumers.get_key_value(name) {
            Some((known, _)) => known.clone(),
            None => name.into(),
        };
        let consumer = self.consumers.entry(name.clone()).or_default();
        (name, consumer)
    }

    pub(super) fn register(&mut self, name: &[u8], seen_ms: u64) {
        let (_, consumer) = self.named(name);
        consumer.registered = true;
        consumer.touch(seen_ms);
    }

    pub(super) fn unregister(&mut self, name: &[u8]) {
        if let Some(consumer) = self.consumers.get_mut(name) {
            consumer.registered = false;
            if consumer.pending.is_empty() {
                self.consumers.remove(name);
            }
        }
    }

    pub(super) fn put_pending(&mut self, id: StreamId, owner: &[u8], count: u64, time_ms: u64) {
        if let Some(known) = self.pending.get_mut(&id)
            && *known.owner == *owner
        {
            (known.count, known.time_ms) = (count, time_ms);
            return;
        }
        self.remove_pending(id);
        let (owner, consumer) = self.named(owner);
        consumer.pending.insert(id);
        self.pending.insert(id, Pending { owner, count, time_ms });
    }

    pub(super) fn remove_pending(&mut self, id: StreamId) -> bool {
        let Some(known) = self.pending.remove(&id) else { return false };
        if let Some(consumer) = self.consumers.get_mut(&known.owner) {
            consumer.pending.remove(&id);
            if consumer.pending.is_empty() && !consumer.registered {
                self.consumers.remove(&known.owner);
            }
        }
        true
    }

    /// Whether a command made the consumer, and when it was heard of.
    pub(super) fn registration(&self, name: &[u8]) -> Option<u64> {
        self.consumers.get(name).filter(|consumer| consumer.registered).map(Consumer::seen_ms)
    }

    /// Bytes held, roughly.
    pub(super) fn heap_bytes(&self) -> usize {
        let names: SmallVec<[usize; 8]> = self.consumers.keys().map(|name| name.len()).collect();
        size_of::<Head>()
            + names.iter().map(|len| len + size_of::<Consumer>() + 48).sum::<usize>()
            + self.pending.len() * (2 * size_of::<StreamId>() + size_of::<Pending>() + 24)
    }
}
