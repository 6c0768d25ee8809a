//! A stream: entries in the order of their ids, packed in chunks, and consumer groups.
//!
//! ```text
//! StreamValue ─ marks (last id, entries ever added, highest id removed)
//!             ├ chunks, ascending: [first … last] [first … last] …
//!             └ groups by name: head (cursor), consumers, pending entries
//! ```
//! Chunks end where Redis' nodes do (`stream-node-max-entries`, `-bytes`): an approximate trim takes whole ones.
//!
//! Invariants: entries of a chunk are above those of the chunk before; no chunk is empty.

mod chunk;
pub(crate) mod encode;
mod fold;
mod groups;
mod id;
mod items;

use std::collections::{BTreeMap, VecDeque};

pub use chunk::Fields;
use chunk::{Chunk, Raw, RawIter};
pub use groups::{Consumer, Cursor, Group, Head, Pending};
pub use id::StreamId;
pub use items::{Delivery, Name, NameBytes, Part, Span};

use super::limits::{STREAM_BYTES, STREAM_ENTRIES};
use super::list::Ends;
use super::table::{prefetch, prefetch_all};
use crate::effect::Members;

/// What a stream knows besides its entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Marks {
    pub last: StreamId,
    /// Entries ever added.
    pub added: u64,
    /// Highest id that was ever removed by name.
    pub deleted: StreamId,
    /// Something made the stream: it shows, with entries or without.
    pub made: bool,
}

/// How XTRIM's rule reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TrimTo {
    /// So many entries stay.
    Len(u64),
    /// Entries from this one on stay.
    Id(StreamId),
}

type Groups = BTreeMap<Box<[u8]>, Group>;

/// See the module.
#[derive(Clone, Default)]
pub struct StreamValue {
    chunks: VecDeque<Chunk>,
    len: usize,
    marks: Marks,
    groups: Option<Box<Groups>>,
}

impl std::fmt::Debug for StreamValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entries: Vec<_> = self.entries().map(|(id, fields)| (id, fields.to_encoded())).collect();
        f.debug_struct("Stream")
            .field("marks", &self.marks)
            .field("entries", &entries)
            .field("groups", &self.groups().collect::<Vec<_>>())
            .finish()
    }
}

impl PartialEq for StreamValue {
    /// What a client can see of both.
    fn eq(&self, other: &Self) -> bool {
        self.marks == other.marks
            && self.len == other.len
            && self.entries().zip(other.entries()).all(|((a, x), (b, y))| a == b && x.iter().eq(y.iter()))
            && self.groups().eq(other.groups())
    }
}

impl StreamValue {
    /// It is a value, with entries or without.
    pub fn shows(&self) -> bool {
        self.marks.made
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// An entry that was removed by name lay at this id or behind it.
    pub fn has_gap(&self, from: StreamId) -> bool {
        let deleted = self.marks.deleted;
        deleted != StreamId::MIN
            && self.first_entry().is_some_and(|first| first <= deleted)
            && from <= deleted
    }

    /// How many entries were added up to and with this id, as far as that can be told.
    pub fn added_upto(&self, id: StreamId) -> Option<u64> {
        let Marks { last, added, deleted, .. } = self.marks;
        if added == 0 {
            return Some(0);
        }
        let Some(first) = self.first_entry() else { return (id <= last).then_some(added) };
        if id >= last {
            return (id == last).then_some(added);
        }
        let whole = deleted == StreamId::MIN || deleted < first;
        let before = added.wrapping_sub(self.len as u64);
        match id.cmp(&first) {
            std::cmp::Ordering::Less if whole => Some(before),
            std::cmp::Ordering::Equal if whole => Some(before.wrapping_add(1)),
            _ => None,
        }
    }

    /// Entries that are pending in any group.
    pub(crate) fn pending(&self) -> usize {
        self.groups.iter().flat_map(|groups| groups.values()).map(|group| group.pending().len()).sum()
    }

    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    pub fn last_id(&self) -> StreamId {
        self.marks.last
    }

    /// Brings near what an entry at the end looks at: the last chunk or, once that is near, its bytes.
    #[inline]
    pub(crate) fn prefetch_end(&self, ends: Ends) {
        let Some(last) = self.chunks.back() else { return };
        if ends == Ends::Farther {
            last.ends().into_iter().for_each(prefetch);
        } else {
            prefetch_all(last);
        }
    }

    /// Id of the first entry.
    pub fn first_entry(&self) -> Option<StreamId> {
        self.chunks.front().map(Chunk::first)
    }

    /// Id of the last entry.
    pub fn last_entry(&self) -> Option<StreamId> {
        self.chunks.back().map(Chunk::last)
    }

    /// How many chunks the entries lie in.
    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Groups that show, by name.
    pub fn groups(&self) -> impl Iterator<Item = (&[u8], &Group)> {
        let all = self.groups.iter().flat_map(|groups| groups.iter());
        all.filter(|(_, group)| group.shows()).map(|(name, group)| (&**name, group))
    }

    /// A group that shows.
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.as_ref()?.get(name).filter(|group| group.shows())
    }

    /// The chunk in which an id is, or would be.
    fn place(&self, id: StreamId) -> usize {
        match self.chunks.back() {
            Some(tail) if tail.first() <= id => self.chunks.len() - 1,
            _ => self.chunks.partition_point(|chunk| chunk.first() <= id).saturating_sub(1),
        }
    }

    pub fn get(&self, id: StreamId) -> Option<Fields<'_>> {
        let chunk = self.chunks.get(self.place(id)).filter(|chunk| id <= chunk.last())?;
        chunk.find(id).map(|raw| chunk.fields(&raw))
    }

    pub fn contains(&self, id: StreamId) -> bool {
        self.get(id).is_some()
    }

    /// Every entry.
    pub fn entries(&self) -> Entries<'_> {
        self.from(StreamId::MIN)
    }

    /// Entries from an id on.
    pub fn from(&self, id: StreamId) -> Entries<'_> {
        let place = self.place(id);
        let mut entries =
            Entries { stream: self, place, raws: self.chunks.get(place).map(Chunk::raws), peeked: None };
        while let Some((chunk, raw)) = entries.advance() {
            if raw.id >= id {
                entries.peeked = Some((chunk, raw));
                break;
            }
        }
        entries
    }

    /// Visits entries from the last not above `to` down to `from`, until told false.
    pub fn walk_back<'s>(
        &'s self,
        from: StreamId,
        to: StreamId,
        visit: &mut dyn FnMut(StreamId, Fields<'s>) -> bool,
    ) {
        if self.chunks.is_empty() {
            return;
        }
        for chunk in (0..=self.place(to)).rev().map(|place| &self.chunks[place]) {
            if chunk.last() < from {
                return;
            }
            let raws: Vec<Raw> = chunk.raws().filter(|raw| from <= raw.id && raw.id <= to).collect();
            for raw in raws.iter().rev() {
                if !visit(raw.id, chunk.fields(raw)) {
                    return;
                }
            }
        }
    }

    /// Puts an entry, in place of one of the same id. The marks stay.
    pub fn put(&mut self, id: StreamId, fields: &Members<'_>) {
        let (entries_max, bytes_max) = (STREAM_ENTRIES.get(), STREAM_BYTES.get());
        let bytes: usize = fields.iter().map(<[u8]>::len).sum();
        if self.chunks.back().is_none_or(|tail| tail.last() < id) {
            match self.chunks.back_mut() {
                Some(tail) if tail.accepts(bytes, entries_max, bytes_max) => tail.push(id, fields),
                None => self.chunks.push_back(Chunk::new(id, fields, 0)),
                Some(tail) => {
                    tail.seal();
                    // It will be about as big as the one before.
                    let room = tail.bytes() + tail.bytes() / 8;
                    self.chunks.push_back(Chunk::new(id, fields, room));
                }
            }
        } else {
            self.remove(id);
            // Late ones and renewed ones: among the others.
            let place = self.place(id);
            match self.chunks.get_mut(place) {
                None => self.chunks.push_back(Chunk::new(id, fields, 0)),
                Some(chunk) => {
                    chunk.insert(id, fields);
                    if chunk.is_crowded(entries_max, bytes_max)
                        && let Some(upper) = chunk.split()
                    {
                        self.chunks.insert(place + 1, upper);
                    }
                }
            }
        }
        self.groups.iter().flat_map(|groups| groups.values()).for_each(|group| group.entry_came(id));
        self.len += 1;
    }

    /// True when it was there.
    pub fn remove(&mut self, id: StreamId) -> bool {
        let place = self.place(id);
        let Some(chunk) = self.chunks.get_mut(place) else { return false };
        if !chunk.remove(id) {
            return false;
        }
        if chunk.live() == 0 {
            self.chunks.remove(place);
        }
        self.len -= 1;
        true
    }

    /// Removes every entry up to and with `upto`.
    pub fn trim(&mut self, upto: StreamId) {
        while let Some(first) = self.chunks.front_mut() {
            if first.last() > upto {
                self.len -= first.trim(upto);
                return;
            }
            self.len -= first.live();
            self.chunks.pop_front();
        }
    }

    /// What a trim would take away: how many entries, and the last of them. `limit`: so many at most (0: any number), whole chunks
    /// only if `whole`. `next`: an entry, with its bytes, that is put first.
    pub fn plan_trim(
        &self,
        to: TrimTo,
        whole: bool,
        limit: u64,
        next: Option<(StreamId, usize)>,
    ) -> Option<(u64, StreamId)> {
        let (mut len, mut gone, mut upto) = (self.len as u64 + u64::from(next.is_some()), 0, None);
        let last = self.chunks.len().wrapping_sub(1);
        // The new entry joins the last chunk, or is one of its own.
        let joins = next.filter(|next| {
            self.chunks
                .back()
                .is_some_and(|tail| tail.accepts(next.1, STREAM_ENTRIES.get(), STREAM_BYTES.get()))
        });
        let alone = next.filter(|_| joins.is_none()).map(|next| (None, 1, next.0));
        let chunks = self.chunks.iter().enumerate().map(|(place, chunk)| match joins {
            Some((id, _)) if place == last => (Some(chunk), chunk.live() as u64 + 1, id),
            _ => (Some(chunk), chunk.live() as u64, chunk.last()),
        });
        for (chunk, live, chunk_last) in chunks.chain(alone) {
            if matches!(to, TrimTo::Len(max) if len <= max) || limit > 0 && gone + live > limit {
                break;
            }
            let goes = match to {
                TrimTo::Len(max) => len - live >= max,
                TrimTo::Id(id) => chunk_last < id,
            };
            if goes {
                (len, gone, upto) = (len - live, gone + live, Some(chunk_last));
                continue;
            }
            if !whole {
                let raws = chunk.into_iter().flat_map(Chunk::raws).map(|raw| raw.id);
                for id in raws {
                    let stays = match to {
                        TrimTo::Len(max) => len <= max,
                        TrimTo::Id(first) => id >= first,
                    };
                    if stays {
                        break;
                    }
                    (len, gone, upto) = (len - 1, gone + 1, Some(id));
                }
            }
            break;
        }
        upto.map(|upto| (gone, upto))
    }

    /// Bytes held out of line, in blocks of the allocator, by the mean of `samples` chunks (0: all).
    pub fn heap_bytes(&self, samples: usize, block: fn(usize) -> usize) -> usize {
        let looked = if samples == 0 { self.chunks.len() } else { samples.min(self.chunks.len()) };
        let bytes: usize = self.chunks.iter().take(looked).map(|chunk| block(chunk.bytes_held())).sum();
        let mean = bytes.checked_div(looked).unwrap_or(0);
        let chunks = if looked == self.chunks.len() { bytes } else { mean * self.chunks.len() };
        let groups = self.groups.iter().flat_map(|groups| groups.iter());
        chunks
            + block(self.chunks.capacity() * size_of::<Chunk>())
            + groups.map(|(name, group)| name.len() + size_of::<Group>() + group.heap_bytes()).sum::<usize>()
    }
}

/// Entries in ascending order.
pub struct Entries<'a> {
    stream: &'a StreamValue,
    place: usize,
    raws: Option<RawIter<'a>>,
    peeked: Option<(&'a Chunk, Raw)>,
}

impl<'a> Entries<'a> {
    fn advance(&mut self) -> Option<(&'a Chunk, Raw)> {
        if let Some(peeked) = self.peeked.take() {
            return Some(peeked);
        }
        loop {
            let chunk = self.stream.chunks.get(self.place)?;
            if let Some(raw) = self.raws.as_mut().and_then(Iterator::next) {
                return Some((chunk, raw));
            }
            self.place += 1;
            self.raws = self.stream.chunks.get(self.place).map(Chunk::raws);
        }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = (StreamId, Fields<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().map(|(chunk, raw)| (raw.id, chunk.fields(&raw)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn agrees_with_a_map_whatever_comes_and_goes() {
        let mut state = 5u64;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            state >> 33
        };
        let (mut stream, mut model) = (StreamValue::default(), BTreeMap::new());
        for step in 0..60_000u64 {
            let n = next();
            // Mostly at the end, as streams are written.
            let ms = if n % 4 == 0 { n % 5000 } else { step / 3 };
            let id = StreamId::new(ms, n % 3);
            if n % 16 < 11 {
                let value = n.to_string().into_bytes();
                let name: &[u8] = if n % 7 == 0 { b"other" } else { b"field" };
                stream.put(id, &Members::Slices(&[name, &value]));
                model.insert(id, value);
            } else if n % 4000 == 15 {
                let upto = StreamId::new(ms / 2, 1);
                stream.trim(upto);
                model.retain(|id, _| *id > upto);
            } else {
                assert_eq!(stream.remove(id), model.remove(&id).is_some());
            }
            assert_eq!(stream.len(), model.len());
            assert_eq!(stream.get(id).map(|f| f.iter().next().unwrap().1.to_vec()), model.get(&id).cloned());
            if step % 1000 == 0 {
                assert!(stream.entries().map(|e| e.0).eq(model.keys().copied()));
                let (from, to) = (StreamId::new(ms / 2, 1), id);
                assert!(stream.from(from).map(|e| e.0).eq(model.range(from..).map(|e| *e.0)));
                let mut back = Vec::new();
                stream.walk_back(from.min(to), to, &mut |id, _| {
                    back.push(id);
                    back.len() < 500
                });
                assert!(back.iter().eq(model.range(from.min(to)..=to).rev().take(500).map(|e| e.0)));
                assert_eq!(stream.first_entry(), model.keys().next().copied());
                assert_eq!(stream.last_entry(), model.keys().next_back().copied());
                for keep in [0, 1, model.len() as u64 / 2, model.len() as u64] {
                    let planned = stream.plan_trim(TrimTo::Len(keep), false, 0, None);
                    let gone = model.len() as u64 - keep;
                    let upto = gone.checked_sub(1).and_then(|at| model.keys().nth(at as usize));
                    assert_eq!(planned, upto.map(|upto| (gone, *upto)));
                }
            }
        }
    }

    #[test]
    fn approximate_trims_take_whole_chunks() {
        let mut stream = StreamValue::default();
        for n in 0..250 {
            stream.put(StreamId::new(n, 1), &Members::Slices(&[b"f", b"v"]));
        }
        assert_eq!(stream.chunks(), 3);
        let plan = |to, limit| stream.plan_trim(to, true, limit, None);
        assert_eq!(plan(TrimTo::Len(120), 0), Some((100, StreamId::new(99, 1))));
        assert_eq!(plan(TrimTo::Len(20), 150), Some((100, StreamId::new(99, 1))));
        assert_eq!(plan(TrimTo::Len(160), 0), None);
        assert_eq!(plan(TrimTo::Id(StreamId::new(220, 0)), 0), Some((200, StreamId::new(199, 1))));
        let next = Some((StreamId::new(900, 0), 2));
        assert_eq!(stream.plan_trim(TrimTo::Len(0), false, 0, next), Some((251, StreamId::new(900, 0))));
        let all = (251, StreamId::new(900, 0));
        assert_eq!(stream.plan_trim(TrimTo::Id(StreamId::MAX), true, 0, next), Some(all));
    }

    #[test]
    fn a_cursor_covers_what_was_read_of_each_node() {
        let slotted = |ms, slot| StreamId::new(ms, StreamId::first_seq(Some(slot)));
        let mut cursor = Cursor::at(StreamId::new(5, 0));
        cursor.raise(slotted(9, 1));
        cursor.raise(slotted(7, 2));
        assert!(
            cursor.covers(slotted(8, 1)) && !cursor.covers(slotted(8, 2)) && !cursor.covers(slotted(6, 3))
        );
        assert!(cursor.covers(StreamId::new(5, 0)) && !cursor.covers(StreamId::new(5, 1)));
        assert_eq!(cursor.last(), slotted(9, 1));
        cursor.join(&Cursor::at(StreamId::new(8, 0)));
        assert_eq!(cursor.slots, [(1, slotted(9, 1))]);
    }
}
