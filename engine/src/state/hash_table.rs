//! Records in the order of their keys' hashes: the big form of sets and hashes, and a sorted set's way to a score.
//!
//! Extendible hashing: a directory over the hash's leading bits names segments of at most 512 slots, each an open-addressing
//! table with linear probing whose home slot is the next bits. So slot order is hash order up to probing, a scan's cursor is a
//! place in hash space that survives growth, and growing moves one segment at a time: no insertion pauses, however large the
//! table. Removal shifts back: no tombstones.

use xxhash_rust::xxh3::xxh3_64;

const CAPACITY_MIN: usize = 4;
/// Slots of a segment that splits when it is full.
const SEGMENT_SLOTS: usize = 512;
/// Two halves of so few records become one segment again.
const JOINED_MAX: usize = SEGMENT_SLOTS / 4;
/// A segment this deep grows instead: its hashes are too alike to part.
const DEPTH_MAX: u8 = 20;
/// Tries of a random pick before it takes the next best.
const TRIES: usize = 64;

/// What a table holds: bytes with a key in them.
pub(super) trait Record {
    fn key(&self) -> &[u8];
    /// Bytes out of line, in blocks of the allocator.
    fn heap_bytes(&self, block: fn(usize) -> usize) -> usize;
}

impl Record for Box<[u8]> {
    fn key(&self) -> &[u8] {
        self
    }

    fn heap_bytes(&self, block: fn(usize) -> usize) -> usize {
        block(self.len())
    }
}

#[derive(Clone, Debug)]
struct Slot<R> {
    hash: u32,
    record: R,
}

#[derive(Clone, Debug)]
struct Segment<R> {
    slots: Box<[Option<Slot<R>>]>,
    len: usize,
    /// Leading bits of the hash that all here share, and how many.
    prefix: u32,
    depth: u8,
}

fn empty_slots<R>(capacity: usize) -> Box<[Option<Slot<R>>]> {
    std::iter::repeat_with(|| None).take(capacity).collect()
}

impl<R: Record> Segment<R> {
    fn new(prefix: u32, depth: u8) -> Self {
        Segment { slots: Box::default(), len: 0, prefix, depth }
    }

    /// The hash without the bits that all here share.
    fn local(&self, hash: u32) -> u32 {
        hash << self.depth
    }

    fn home(&self, hash: u32) -> usize {
        ((u64::from(self.local(hash)) * self.slots.len() as u64) >> 32) as usize
    }

    fn next(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }

    /// The key's slot, or the empty one where it would go. Needs an empty slot.
    fn position(&self, hash: u32, key: &[u8]) -> Result<usize, usize> {
        let mut at = self.home(hash);
        while let Some(slot) = &self.slots[at] {
            if slot.hash == hash && slot.record.key() == key {
                return Ok(at);
            }
            at = self.next(at);
        }
        Err(at)
    }

    fn put_new(&mut self, slot: Slot<R>) {
        let mut at = self.home(slot.hash);
        while self.slots[at].is_some() {
            at = self.next(at);
        }
        self.slots[at] = Some(slot);
        self.len += 1;
    }

    fn resize(&mut self, capacity: usize) {
        let old = std::mem::replace(&mut self.slots, empty_slots(capacity));
        self.len = 0;
        old.into_vec().into_iter().flatten().for_each(|slot| self.put_new(slot));
    }

    fn is_full(&self) -> bool {
        (self.len + 1) * 4 > self.slots.len() * 3
    }

    fn remove(&mut self, mut hole: usize) -> Option<R> {
        let removed = self.slots[hole].take()?.record;
        self.len -= 1;
        let mut at = self.next(hole);
        while let Some(slot) = &self.slots[at] {
            // It may move back when its home is not between the hole (excluded) and where it stands.
            let home = self.home(slot.hash);
            let stays = if hole < at { hole < home && home <= at } else { hole < home || home <= at };
            if !stays {
                self.slots[hole] = self.slots[at].take();
                hole = at;
            }
            at = self.next(at);
        }
        if self.slots.len() > CAPACITY_MIN && self.len * 8 < self.slots.len() {
            self.resize(self.slots.len() / 2);
        }
        Some(removed)
    }

    /// Visits from a hash on, at least `count` records if there are so many; the hash to go on with, or `None` at the end.
    fn scan(&self, from: u32, count: usize, visited: &mut usize, visit: &mut dyn FnMut(&R)) -> Option<u32> {
        let from = self.local(from);
        let home = |slot: &Slot<R>| self.home(slot.hash);
        let first = ((u64::from(from) * self.slots.len() as u64) >> 32) as usize;
        for at in first..self.slots.len() {
            match &self.slots[at] {
                None if *visited >= count && at > first => {
                    // Everything with a home before this was seen; go on with the least hash that has its home here.
                    let local = (((at as u64) << 32) / self.slots.len() as u64) as u32;
                    return Some(self.first_hash() + (local >> self.depth));
                }
                Some(slot) if self.local(slot.hash) >= from && home(slot) <= at => {
                    visit(&slot.record);
                    *visited += 1;
                }
                _ => {}
            }
        }
        // The last cluster may have wrapped to the front.
        for (at, slot) in self.slots.iter().enumerate() {
            let Some(slot) = slot else { break };
            if self.local(slot.hash) >= from && home(slot) > at {
                visit(&slot.record);
                *visited += 1;
            }
        }
        None
    }

    fn first_hash(&self) -> u32 {
        if self.depth == 0 { 0 } else { self.prefix << (32 - self.depth) }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct HashTable<R> {
    segments: Vec<Segment<R>>,
    /// Places in `segments` by the hash's leading `depth` bits; empty while there is one segment.
    directory: Vec<u32>,
    depth: u8,
    len: usize,
}

impl<R> Default for HashTable<R> {
    fn default() -> Self {
        HashTable { segments: Vec::new(), directory: Vec::new(), depth: 0, len: 0 }
    }
}

fn hash_of(key: &[u8]) -> u32 {
    (xxh3_64(key) >> 32) as u32
}

impl<R: Record> HashTable<R> {
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes out of line, in blocks of the allocator; records by the mean of the first `samples` (0 = all).
    pub fn heap_bytes(&self, samples: usize, block: fn(usize) -> usize) -> usize {
        let looked = if samples == 0 { self.len } else { samples.min(self.len) };
        let records: usize = self.iter().take(looked).map(|r| r.heap_bytes(block)).sum();
        let array = |bytes: usize| if bytes == 0 { 0 } else { block(bytes) };
        let slots: usize =
            self.segments.iter().map(|s| array(s.slots.len() * size_of::<Option<Slot<R>>>())).sum();
        let frame =
            array(self.segments.capacity() * size_of::<Segment<R>>()) + array(self.directory.capacity() * 4);
        frame + slots + (records * self.len).checked_div(looked).unwrap_or(0)
    }

    fn segment_at(&self, hash: u32) -> usize {
        match self.depth {
            0 => 0,
            depth => self.directory[(hash >> (32 - depth)) as usize] as usize,
        }
    }

    pub fn find(&self, key: &[u8]) -> Option<&R> {
        if self.len == 0 {
            return None;
        }
        let hash = hash_of(key);
        let segment = &self.segments[self.segment_at(hash)];
        if segment.len == 0 {
            return None;
        }
        let at = segment.position(hash, key).ok()?;
        segment.slots[at].as_ref().map(|slot| &slot.record)
    }

    pub fn find_mut(&mut self, key: &[u8]) -> Option<&mut R> {
        if self.len == 0 {
            return None;
        }
        let hash = hash_of(key);
        let at = self.segment_at(hash);
        let segment = &mut self.segments[at];
        if segment.len == 0 {
            return None;
        }
        let at = segment.position(hash, key).ok()?;
        segment.slots[at].as_mut().map(|slot| &mut slot.record)
    }

    /// Adds a record whose key is not there.
    pub fn insert_new(&mut self, record: R) {
        let hash = hash_of(record.key());
        if self.segments.is_empty() {
            self.segments.push(Segment::new(0, 0));
        }
        let at = loop {
            let at = self.segment_at(hash);
            let segment = &mut self.segments[at];
            if !segment.is_full() {
                break at;
            }
            if segment.slots.len() < SEGMENT_SLOTS || segment.depth >= DEPTH_MAX {
                segment.resize((segment.slots.len() * 2).max(CAPACITY_MIN));
                break at;
            }
            self.split(at);
        };
        self.segments[at].put_new(Slot { hash, record });
        self.len += 1;
    }

    fn split(&mut self, at: usize) {
        let (prefix, depth) = (self.segments[at].prefix, self.segments[at].depth);
        if depth == self.depth {
            self.directory = match self.depth {
                0 => vec![0, 0],
                _ => self.directory.iter().flat_map(|at| [*at, *at]).collect(),
            };
            self.depth += 1;
        }
        let mut halves = [Segment::new(prefix << 1, depth + 1), Segment::new(prefix << 1 | 1, depth + 1)];
        halves.iter_mut().for_each(|half| half.slots = empty_slots(SEGMENT_SLOTS));
        for slot in std::mem::take(&mut self.segments[at].slots).into_vec().into_iter().flatten() {
            halves[(slot.hash >> (31 - depth) & 1) as usize].put_new(slot);
        }
        let [low, high] = halves;
        self.segments[at] = low;
        self.segments.push(high);
        self.point(at);
        self.point(self.segments.len() - 1);
    }

    /// Makes the directory lead to a segment.
    fn point(&mut self, at: usize) {
        if self.depth == 0 {
            return;
        }
        let segment = &self.segments[at];
        let width = self.depth - segment.depth;
        let first = (segment.prefix as usize) << width;
        self.directory[first..first + (1 << width)].fill(at as u32);
    }

    pub fn remove(&mut self, key: &[u8]) -> Option<R> {
        if self.len == 0 {
            return None;
        }
        let hash = hash_of(key);
        let at = self.segment_at(hash);
        let segment = &mut self.segments[at];
        if segment.len == 0 {
            return None;
        }
        let place = segment.position(hash, key).ok()?;
        let removed = segment.remove(place)?;
        self.len -= 1;
        self.join(at);
        Some(removed)
    }

    /// Makes one of a segment and its other half, when both are small.
    fn join(&mut self, at: usize) {
        let (prefix, depth) = (self.segments[at].prefix, self.segments[at].depth);
        if depth == 0 || self.segments[at].len > JOINED_MAX / 2 {
            return;
        }
        let other = self.directory[((prefix ^ 1) as usize) << (self.depth - depth)] as usize;
        let half = &self.segments[other];
        if half.depth != depth || half.len > JOINED_MAX / 2 {
            return;
        }
        let mut whole = Segment::new(prefix >> 1, depth - 1);
        whole.slots = empty_slots(JOINED_MAX * 2);
        for from in [at, other] {
            let slots = std::mem::take(&mut self.segments[from].slots);
            slots.into_vec().into_iter().flatten().for_each(|slot| whole.put_new(slot));
        }
        let (kept, gone) = (at.min(other), at.max(other));
        self.segments[kept] = whole;
        self.point(kept);
        self.segments.swap_remove(gone);
        if gone < self.segments.len() {
            self.point(gone);
        }
        if self.segments.len() == 1 {
            self.directory = Vec::new();
            self.depth = 0;
        }
    }

    /// Every record, in hash order up to probing.
    pub fn iter(&self) -> impl Iterator<Item = &R> + '_ {
        let mut at = 0usize;
        let places = std::iter::from_fn(move || {
            if self.depth == 0 {
                at += 1;
                return (at == 1 && !self.segments.is_empty()).then_some(0);
            }
            let place = *self.directory.get(at)? as usize;
            at += 1 << (self.depth - self.segments[place].depth);
            Some(place)
        });
        places.flat_map(|place| self.segments[place].slots.iter().flatten().map(|slot| &slot.record))
    }

    /// A record, all about equally likely.
    pub fn random(&self, random: &mut dyn FnMut() -> u64) -> Option<&R> {
        if self.len == 0 {
            return None;
        }
        let width = match &self.segments[..] {
            [only] => only.slots.len(),
            _ => SEGMENT_SLOTS,
        };
        let mut segment = 0;
        for _ in 0..TRIES {
            let number = random();
            segment = (number >> 32) as usize % self.segments.len();
            if let Some(Some(slot)) = self.segments[segment].slots.get((number as u32) as usize % width) {
                return Some(&slot.record);
            }
        }
        // Nearly empty: the next one there is.
        let (before, from) = self.segments.split_at(segment);
        from.iter().chain(before).find_map(|s| s.slots.iter().flatten().next()).map(|slot| &slot.record)
    }

    /// Visits records from `cursor` (0 = start), about `count` of them; returns the next cursor, the least hash not yet visited,
    /// or 0 at the end.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(&R)) -> u64 {
        let Ok(mut from) = u32::try_from(cursor) else { return 0 };
        if self.len == 0 {
            return 0;
        }
        let mut visited = 0;
        loop {
            let segment = &self.segments[self.segment_at(from)];
            if let Some(next) = segment.scan(from, count, &mut visited, visit) {
                return u64::from(next.max(from.saturating_add(1)));
            }
            let width = 1u64 << (32 - u32::from(segment.depth));
            let next = u64::from(segment.first_hash()) + width;
            match u32::try_from(next) {
                Ok(next) if visited >= count => return u64::from(next),
                Ok(next) => from = next,
                Err(_) => return 0,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn agrees_with_a_tree_while_it_grows_and_shrinks_by_segments() {
        let mut state = 11u64;
        let mut random = move || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            state >> 20
        };
        let (mut table, mut model) = (HashTable::<Box<[u8]>>::default(), BTreeSet::new());
        for round in 0..4 {
            for _ in 0..20_000 {
                let key = (random() % 30_000).to_string().into_bytes();
                let growing = round % 2 == 0;
                if random() % 8 == 0 || !growing {
                    assert_eq!(table.remove(&key).is_some(), model.remove(&key));
                } else if table.find(&key).is_none() {
                    table.insert_new(key.clone().into());
                    model.insert(key);
                }
                assert_eq!(table.len(), model.len());
            }
            let all: BTreeSet<Vec<u8>> = table.iter().map(|r| r.to_vec()).collect();
            assert_eq!(all, model);
            let (mut seen, mut cursor) = (Vec::new(), 0);
            loop {
                cursor = table.scan(cursor, 10, &mut |r| seen.push(r.to_vec()));
                if cursor == 0 {
                    break;
                }
            }
            assert_eq!(seen.len(), model.len());
            assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), model);
            for _ in 0..100 {
                assert_eq!(table.random(&mut random).is_some(), !model.is_empty());
            }
        }
        for key in model {
            assert!(table.remove(&key).is_some());
        }
        assert_eq!((table.len(), table.segments.len(), table.depth), (0, 1, 0));
    }

    #[test]
    fn what_was_there_throughout_is_scanned_while_the_table_grows() {
        let mut table = HashTable::<Box<[u8]>>::default();
        let old: BTreeSet<Vec<u8>> = (0..500).map(|n| format!("old{n}").into_bytes()).collect();
        old.iter().for_each(|key| table.insert_new(key.clone().into()));
        let (mut seen, mut cursor, mut n) = (BTreeSet::new(), 0, 0);
        loop {
            cursor = table.scan(cursor, 10, &mut |r| _ = seen.insert(r.to_vec()));
            if cursor == 0 {
                break;
            }
            for _ in 0..100 {
                table.insert_new(format!("new{n}").into_bytes().into());
                n += 1;
            }
        }
        assert!(seen.is_superset(&old));
    }
}
