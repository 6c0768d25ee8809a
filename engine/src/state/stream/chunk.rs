//! A run of entries of a stream, packed.
//!
//! ```text
//! fields varint | name bytes … | entry …
//! entry: head u8 | [ms varint] | [seq varint] | [fields varint] | values, or names and values in turn, as bytes
//! head: 1 it names its fields itself | 2 its seq follows | milliseconds since the entry before, shifted by two (63: they follow)
//! ```
//! The first entry's id is the chunk's. A seq that does not follow is the likely one after the entry before.

use proto::varint::{self, take, take_bytes};

use super::id::StreamId;
use crate::effect::Members;

const OWN_FIELDS: u8 = 1;
const SEQ_FOLLOWS: u8 = 2;
const MS_FOLLOWS: u64 = 63;

/// See the module. Never without an entry, but for the moment of its making and its end.
#[derive(Clone)]
pub(super) struct Chunk {
    first: StreamId,
    last: StreamId,
    live: u32,
    /// All that were ever put here.
    total: u32,
    /// Where the entries begin.
    entries_at: u32,
    bytes: Vec<u8>,
}

/// Fields and values of an entry.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    count: usize,
    names: Option<&'a [u8]>,
    values: &'a [u8],
}

impl<'a> Fields<'a> {
    /// How many pairs.
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let (mut names, mut values) = (self.names, self.values);
        (0..self.count).map_while(move |_| {
            let name = match &mut names {
                Some(names) => take_bytes(names)?,
                None => take_bytes(&mut values)?,
            };
            Some((name, take_bytes(&mut values)?))
        })
    }

    /// In the form of [`Members::Encoded`], its count before it.
    pub fn to_encoded(self) -> Box<[u8]> {
        let mut out = Vec::with_capacity(self.values.len() + self.names.map_or(0, <[u8]>::len) + 2);
        varint::put(&mut out, 2 * self.count as u64);
        for (name, value) in self.iter() {
            varint::put_bytes(&mut out, name);
            varint::put_bytes(&mut out, value);
        }
        out.into()
    }
}

/// An entry's place in the bytes.
#[derive(Clone, Copy)]
pub(super) struct Raw {
    pub id: StreamId,
    own: bool,
    at: usize,
    body: usize,
    end: usize,
}

/// Entries from the first on.
pub(super) struct RawIter<'a> {
    chunk: &'a Chunk,
    at: usize,
    prev: Option<StreamId>,
    fields: usize,
}

impl RawIter<'_> {
    fn decode(&mut self) -> Option<Raw> {
        let bytes = &self.chunk.bytes;
        let mut rest = bytes.get(self.at..)?;
        let (&head, tail) = rest.split_first()?;
        rest = tail;
        let id = match self.prev {
            None => self.chunk.first,
            Some(prev) => {
                let ms = match u64::from(head >> 2) {
                    MS_FOLLOWS => take(&mut rest)?,
                    ms => ms,
                };
                let seq = match head & SEQ_FOLLOWS {
                    0 => prev.likely_seq(ms == 0),
                    _ => take(&mut rest)?,
                };
                StreamId::new(prev.ms.wrapping_add(ms), seq)
            }
        };
        let own = head & OWN_FIELDS != 0;
        let body = bytes.len() - rest.len();
        let count = if own { usize::try_from(take(&mut rest)?).ok()?.checked_mul(2)? } else { self.fields };
        for _ in 0..count {
            take_bytes(&mut rest)?;
        }
        let raw = Raw { id, own, at: self.at, body, end: bytes.len() - rest.len() };
        self.at = raw.end;
        self.prev = Some(id);
        Some(raw)
    }
}

impl Iterator for RawIter<'_> {
    type Item = Raw;

    fn next(&mut self) -> Option<Raw> {
        self.decode()
    }
}

fn put_head(out: &mut Vec<u8>, prev: Option<StreamId>, id: StreamId, own: bool) {
    let own = if own { OWN_FIELDS } else { 0 };
    let Some(prev) = prev else { return out.push(own) };
    let ms = id.ms - prev.ms;
    let likely = prev.likely_seq(ms == 0) == id.seq;
    let seq = if likely { 0 } else { SEQ_FOLLOWS };
    out.push((ms.min(MS_FOLLOWS) as u8) << 2 | seq | own);
    if ms >= MS_FOLLOWS {
        varint::put(out, ms);
    }
    if !likely {
        varint::put(out, id.seq);
    }
}

fn put_body(out: &mut Vec<u8>, fields: &Members<'_>, own: bool) {
    if own {
        varint::put(out, fields.len() as u64 / 2);
        fields.iter().for_each(|part| varint::put_bytes(out, part));
    } else {
        fields.pairs().for_each(|(_, value)| varint::put_bytes(out, value));
    }
}

impl Chunk {
    /// A chunk of one entry, whose fields' names stand for those of all that have the same. `room`: for so many bytes.
    pub fn new(id: StreamId, fields: &Members<'_>, room: usize) -> Self {
        let mut bytes = Vec::with_capacity(room);
        varint::put(&mut bytes, fields.len() as u64 / 2);
        fields.pairs().for_each(|(name, _)| varint::put_bytes(&mut bytes, name));
        let entries_at = bytes.len() as u32;
        let mut chunk = Chunk { first: id, last: id, live: 0, total: 0, entries_at, bytes };
        chunk.push(id, fields);
        chunk
    }

    pub fn first(&self) -> StreamId {
        self.first
    }

    pub fn last(&self) -> StreamId {
        self.last
    }

    pub fn live(&self) -> usize {
        self.live as usize
    }

    pub fn bytes_held(&self) -> usize {
        self.bytes.capacity()
    }

    /// One more entry of so many bytes has room here.
    pub fn accepts(&self, bytes: usize, entries_max: usize, bytes_max: usize) -> bool {
        let entries = entries_max == 0 || (self.total as usize) < entries_max;
        // A place is 32 bits.
        entries && self.bytes.len() + bytes < if bytes_max == 0 { 1 << 20 } else { bytes_max }
    }

    /// So big that it is better two.
    pub fn is_crowded(&self, entries_max: usize, bytes_max: usize) -> bool {
        self.live >= 2
            && (entries_max != 0 && self.live as usize > 2 * entries_max
                || self.bytes.len() > 2 * if bytes_max == 0 { 1 << 20 } else { bytes_max })
    }

    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Nothing is put at its end any more.
    pub fn seal(&mut self) {
        // A new block: allocators shrink one in place by leaving it as big as it was.
        if self.bytes.capacity() - self.bytes.len() > self.bytes.len() / 32 {
            self.bytes = self.bytes.as_slice().into();
        }
    }

    fn names(&self) -> (usize, &[u8]) {
        let mut names = &self.bytes[..self.entries_at as usize];
        (take(&mut names).unwrap_or(0) as usize, names)
    }

    fn has_names_of(&self, fields: &Members<'_>) -> bool {
        let (count, mut names) = self.names();
        count * 2 == fields.len()
            && fields.pairs().all(|(name, _)| take_bytes(&mut names).is_some_and(|own| own == name))
    }

    /// Where the names and the end lie; they may be prefetched.
    pub fn ends(&self) -> [*const u8; 2] {
        [self.bytes.as_ptr(), self.bytes.as_ptr().wrapping_add(self.bytes.len())]
    }

    /// Puts an entry at the end; its id is above the last.
    pub fn push(&mut self, id: StreamId, fields: &Members<'_>) {
        let own = !self.has_names_of(fields);
        let prev = (self.live > 0).then_some(self.last);
        put_head(&mut self.bytes, prev, id, own);
        put_body(&mut self.bytes, fields, own);
        self.last = id;
        self.live += 1;
        self.total += 1;
    }

    pub fn raws(&self) -> RawIter<'_> {
        RawIter { chunk: self, at: self.entries_at as usize, prev: None, fields: self.names().0 }
    }

    pub fn fields(&self, raw: &Raw) -> Fields<'_> {
        let mut values = &self.bytes[raw.body..raw.end];
        if raw.own {
            let count = take(&mut values).unwrap_or(0) as usize;
            return Fields { count, names: None, values };
        }
        let (count, names) = self.names();
        Fields { count, names: Some(names), values }
    }

    pub fn find(&self, id: StreamId) -> Option<Raw> {
        self.raws().find(|raw| raw.id >= id).filter(|raw| raw.id == id)
    }

    /// Puts an entry among the others; there is none of its id.
    pub fn insert(&mut self, id: StreamId, fields: &Members<'_>) {
        let mut prev = None;
        let mut after = None;
        for raw in self.raws() {
            if raw.id > id {
                after = Some(raw);
                break;
            }
            prev = Some(raw.id);
        }
        let Some(next) = after else { return self.push(id, fields) };
        let own = !self.has_names_of(fields);
        let mut new = Vec::new();
        put_head(&mut new, prev, id, own);
        put_body(&mut new, fields, own);
        put_head(&mut new, Some(id), next.id, next.own);
        self.bytes.splice(next.at..next.body, new);
        if prev.is_none() {
            self.first = id;
        }
        self.live += 1;
        self.total += 1;
    }

    /// True when it was there. The chunk may be empty afterwards.
    pub fn remove(&mut self, id: StreamId) -> bool {
        let mut prev = None;
        let mut raws = self.raws();
        let found = loop {
            match raws.next() {
                Some(raw) if raw.id == id => break raw,
                Some(raw) if raw.id < id => prev = Some(raw.id),
                _ => return false,
            }
        };
        let next = raws.next();
        self.live -= 1;
        match next {
            Some(next) => {
                let mut head = Vec::new();
                put_head(&mut head, prev, next.id, next.own);
                self.bytes.splice(found.at..next.body, head);
                if prev.is_none() {
                    self.first = next.id;
                }
            }
            None => {
                self.bytes.truncate(found.at);
                self.last = prev.unwrap_or(self.first);
            }
        }
        true
    }

    /// Removes the entries up to and with `upto`, but not the last one; how many.
    pub fn trim(&mut self, upto: StreamId) -> usize {
        let mut gone = 0;
        let Some(next) = self.raws().find(|raw| {
            gone += usize::from(raw.id <= upto);
            raw.id > upto
        }) else {
            return 0;
        };
        if gone > 0 {
            let mut head = Vec::new();
            put_head(&mut head, None, next.id, next.own);
            self.bytes.splice(self.entries_at as usize..next.body, head);
            self.first = next.id;
            self.live -= gone as u32;
        }
        gone
    }

    /// The upper half as a chunk of its own.
    pub fn split(&mut self) -> Option<Chunk> {
        let middle = self.raws().nth(self.live as usize / 2)?;
        let mut upper: Option<Chunk> = None;
        let (mut prev, mut kept) = (self.first, 0);
        for raw in self.raws() {
            if raw.id < middle.id {
                (prev, kept) = (raw.id, kept + 1);
                continue;
            }
            let encoded = self.fields(&raw).to_encoded();
            let fields = Members::decode(&mut &encoded[..])?;
            match &mut upper {
                None => upper = Some(Chunk::new(raw.id, &fields, self.bytes.len() / 2)),
                Some(upper) => upper.push(raw.id, &fields),
            }
        }
        self.bytes.truncate(middle.at);
        (self.last, self.live, self.total) = (prev, kept, kept);
        upper
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

    fn entries(chunk: &Chunk) -> Vec<(StreamId, Pairs)> {
        let pairs = |raw: &Raw| chunk.fields(raw).iter().map(|(f, v)| (f.to_vec(), v.to_vec())).collect();
        chunk.raws().map(|raw| (raw.id, pairs(&raw))).collect()
    }

    #[test]
    fn entries_come_and_go_anywhere() {
        let id = |n: u64| StreamId::new(n * n % 97 + n / 3, n * 7 % 5);
        let mut ids: Vec<StreamId> = (1..60).map(id).chain([StreamId::MAX]).collect();
        let text = |id: &StreamId| id.to_string().into_bytes();
        let mut chunk: Option<Chunk> = None;
        ids.sort_by_key(|id| (id.seq, id.ms));
        ids.dedup();
        for id in &ids {
            let value = text(id);
            let other: &[&[u8]] = &[b"x", &value, b"y", b""];
            let same: &[&[u8]] = &[b"f", &value];
            let fields = Members::Slices(if id.ms % 3 == 0 { other } else { same });
            match &mut chunk {
                None => chunk = Some(Chunk::new(*id, &fields, 0)),
                Some(chunk) => chunk.insert(*id, &fields),
            }
        }
        let mut chunk = chunk.unwrap();
        ids.sort();
        let check = |chunk: &Chunk, ids: &[StreamId]| {
            let found = entries(chunk);
            assert_eq!(found.iter().map(|e| e.0).collect::<Vec<_>>(), ids);
            assert!(found.iter().all(|(id, pairs)| pairs[0].1 == text(id)));
            assert_eq!((chunk.first(), chunk.last(), chunk.live()), (ids[0], ids[ids.len() - 1], ids.len()));
        };
        check(&chunk, &ids);
        for at in [0, 5, ids.len() - 3, 0] {
            let id = ids.remove(at);
            assert!(chunk.remove(id) && !chunk.remove(id) && chunk.find(id).is_none());
            check(&chunk, &ids);
        }
        let upto = ids[3];
        assert_eq!(chunk.trim(upto), 4);
        ids.drain(..4);
        check(&chunk, &ids);
        let upper = chunk.split().unwrap();
        check(&upper, &ids[ids.len() / 2..]);
        check(&chunk, &ids[..ids.len() / 2]);
    }
}
