//! A stream as bytes: what assignments carry and checkpoints keep.
//!
//! ```text
//! marks | count, entries (id, fields) | count, groups (name, head, count, consumers, count, pending)
//! ```
//! `docs/format.md` draws it. Groups that do not show are there too.

use proto::varint::{self, put, put_bytes, take, take_bytes, unzigzag, zigzag};

use super::groups::{Cursor, Group, Head};
use super::id::StreamId;
use super::{Marks, StreamValue};
use crate::effect::Members;

/// Appends an id as its distance from another.
pub(crate) fn put_id(out: &mut Vec<u8>, from: StreamId, id: StreamId) {
    let ms = id.ms.wrapping_sub(from.ms) as i64;
    put(out, zigzag(ms));
    let seq = if ms == 0 { zigzag(id.seq.wrapping_sub(from.seq) as i64) } else { id.seq };
    put(out, seq);
}

pub(crate) fn take_id(input: &mut &[u8], from: StreamId) -> Option<StreamId> {
    let ms = unzigzag(take(input)?);
    let seq = take(input)?;
    let seq = if ms == 0 { from.seq.wrapping_add(unzigzag(seq) as u64) } else { seq };
    Some(StreamId::new(from.ms.wrapping_add(ms as u64), seq))
}

/// One more than the number; 0 for none.
fn put_known(out: &mut Vec<u8>, number: Option<u64>) {
    put(out, number.map_or(0, |n| n.saturating_add(1)));
}

fn take_known(input: &mut &[u8]) -> Option<Option<u64>> {
    take(input).map(|n| n.checked_sub(1))
}

pub(crate) fn put_cursor(out: &mut Vec<u8>, cursor: &Cursor) {
    put_id(out, StreamId::MIN, cursor.floor);
    put(out, cursor.slots.len() as u64);
    for (slot, id) in &cursor.slots {
        put(out, u64::from(*slot));
        put_id(out, cursor.floor, *id);
    }
}

pub(crate) fn take_cursor(input: &mut &[u8]) -> Option<Cursor> {
    let mut cursor = Cursor::at(take_id(input, StreamId::MIN)?);
    for _ in 0..take(input)? {
        let slot = u32::try_from(take(input)?).ok()?;
        let id = take_id(input, cursor.floor)?;
        let rises = cursor.slots.last().is_none_or(|last| last.0 < slot);
        (rises && id > cursor.floor).then(|| cursor.slots.push((slot, id)))?;
    }
    Some(cursor)
}

pub(crate) fn put_head(out: &mut Vec<u8>, head: &Head) {
    out.push(u8::from(head.made));
    put_known(out, head.read);
    put_cursor(out, &head.cursor);
}

pub(crate) fn take_head(input: &mut &[u8]) -> Option<Head> {
    let made = take(input).filter(|made| *made <= 1)? == 1;
    let read = take_known(input)?;
    Some(Head { made, read, cursor: take_cursor(input)? })
}

pub(crate) fn put_marks(out: &mut Vec<u8>, marks: &Marks) {
    out.push(u8::from(marks.made));
    put_id(out, StreamId::MIN, marks.last);
    put(out, marks.added);
    put_id(out, StreamId::MIN, marks.deleted);
}

pub(crate) fn take_marks(input: &mut &[u8]) -> Option<Marks> {
    let made = take(input).filter(|made| *made <= 1)? == 1;
    let last = take_id(input, StreamId::MIN)?;
    let added = take(input)?;
    Some(Marks { made, last, added, deleted: take_id(input, StreamId::MIN)? })
}

fn put_group(out: &mut Vec<u8>, name: &[u8], group: &Group) {
    put_bytes(out, name);
    out.push(u8::from(group.head().is_some()));
    if let Some(head) = group.head() {
        put_head(out, head);
    }
    put(out, group.consumers().len() as u64);
    for (name, consumer) in group.consumers() {
        put_bytes(out, name);
        out.push(u8::from(consumer.registered));
        put(out, consumer.seen_ms());
    }
    put(out, group.pending().len() as u64);
    let mut from = StreamId::MIN;
    for (id, pending) in group.pending() {
        put_id(out, from, *id);
        put_bytes(out, &pending.owner);
        put(out, pending.count);
        put(out, pending.time_ms);
        from = *id;
    }
}

fn take_group(stream: &mut StreamValue, input: &mut &[u8]) -> Option<()> {
    let name = take_bytes(input)?;
    let group = stream.group_mut(name);
    if take(input)? != 0 {
        let head = take_head(input)?;
        group.set_head(Some(Box::new(head)));
    }
    let mut known = Vec::new();
    for _ in 0..take(input)? {
        let consumer = take_bytes(input)?;
        let registered = take(input)? != 0;
        let seen_ms = take(input)?;
        if registered {
            group.register(consumer, seen_ms);
        } else {
            known.push((consumer, seen_ms));
        }
    }
    let mut from = StreamId::MIN;
    for _ in 0..take(input)? {
        let id = take_id(input, from)?;
        let owner = take_bytes(input)?;
        group.put_pending(id, owner, take(input)?, take(input)?);
        from = id;
    }
    for (consumer, seen_ms) in known {
        group.consumer(consumer)?.touch(seen_ms);
    }
    Some(())
}

impl StreamValue {
    /// Appends everything there is to know.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_marks(out, &self.marks);
        put(out, self.len as u64);
        let mut from = StreamId::MIN;
        for (id, fields) in self.entries() {
            put_id(out, from, id);
            put(out, 2 * fields.len() as u64);
            for (name, value) in fields.iter() {
                put_bytes(out, name);
                put_bytes(out, value);
            }
            from = id;
        }
        put(out, self.groups.as_ref().map_or(0, |groups| groups.len()) as u64);
        self.groups.iter().flat_map(|groups| groups.iter()).for_each(|(name, g)| put_group(out, name, g));
    }

    /// Reads what [`StreamValue::encode`] wrote.
    pub fn decode(input: &mut &[u8]) -> Option<StreamValue> {
        let mut stream = StreamValue { marks: take_marks(input)?, ..StreamValue::default() };
        let mut from = None;
        for _ in 0..take(input)? {
            let id = take_id(input, from.unwrap_or(StreamId::MIN))?;
            let fields = Members::decode(input).filter(|f| !f.is_empty() && f.len() % 2 == 0)?;
            from.is_none_or(|from| from < id).then(|| stream.put(id, &fields))?;
            from = Some(id);
        }
        for _ in 0..take(input)? {
            take_group(&mut stream, input)?;
        }
        Some(stream)
    }

    /// Appends what a client can see, for the digest.
    pub fn digest(&self, out: &mut Vec<u8>) {
        put_marks(out, &self.marks);
        for (id, fields) in self.entries() {
            out.extend_from_slice(&id.to_bytes());
            varint::put(out, fields.len() as u64);
            for (name, value) in fields.iter() {
                put_bytes(out, name);
                put_bytes(out, value);
            }
        }
        for (name, group) in self.groups() {
            put_bytes(out, name);
            group.head().into_iter().for_each(|head| put_head(out, head));
            group.consumers().for_each(|(name, _)| put_bytes(out, name));
            for (id, pending) in group.pending() {
                out.extend_from_slice(&id.to_bytes());
                put_bytes(out, &pending.owner);
                put(out, pending.count);
                put(out, pending.time_ms);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::stream::{Name, Part};

    #[test]
    fn a_stream_comes_back_with_all_it_has() {
        let mut stream = StreamValue::default();
        for n in 0..300u64 {
            let value = n.to_string();
            stream.put(StreamId::new(n * n, n % 3), &Members::Slices(&[b"f", value.as_bytes()]));
        }
        let marks = Marks { last: StreamId::MAX, added: 400, deleted: StreamId::new(3, 0), made: true };
        stream.marks = marks;
        let mut cursor = Cursor::at(StreamId::new(7, 0));
        cursor.raise(StreamId::new(9, StreamId::first_seq(Some(77))));
        let head = Head { cursor, read: None, made: true };
        stream.put_part(&Name::Group(b"g").encode(), &Part::Group(Box::new(head)));
        stream.put_part(&Name::Consumer(b"g", b"c").encode(), &Part::Consumer(12));
        stream.group_mut(b"g").put_pending(StreamId::new(4, 2), b"d", 3, 99);
        let mut bytes = Vec::new();
        stream.encode(&mut bytes);
        let mut input = &bytes[..];
        let back = StreamValue::decode(&mut input).unwrap();
        assert!(back == stream && input.is_empty());
        assert_eq!(back.group(b"g").unwrap().consumer(b"c").unwrap().seen_ms(), 12);
        for cut in 0..bytes.len() {
            assert!(StreamValue::decode(&mut &bytes[..cut]).is_none());
        }
    }
}
