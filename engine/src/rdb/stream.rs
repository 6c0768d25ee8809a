//! Streams in Redis' form: a radix tree of listpacks, then what the stream knows, then its groups.
//!
//! ```text
//! count, (first id 16 bytes big-endian as a string, listpack as a string) …
//! length | last id | [first id | highest removed id | entries added]           in brackets since Redis 7.0
//! count, (name | last id | [entries read] | count, (id 16 bytes, ms u64 LE, deliveries) …
//!         | count, (name | seen ms u64 LE | [active ms u64 LE] | count, id 16 bytes …) …) …     active since Redis 7.2
//! ```

use super::compact::{self, Element};
use super::read::Input;
use super::write::{length, string};
use super::{STREAM, STREAM_2, STREAM_3};
use crate::effect::Members;
use crate::number::parse_i64;
use crate::state::stream::{Cursor, Delivery, Fields, Head, Marks, Name, Part, StreamId, StreamValue};

/// An entry of a listpack that was removed.
const DELETED: i64 = 1;
/// It has the fields of the first.
const SAME_FIELDS: i64 = 2;

/// Entries of a listpack, as Redis has them.
const NODE_ENTRIES: usize = 100;
const NODE_BYTES: usize = 4096;
/// How Redis writes that it does not know how many entries a group read.
const READ_UNKNOWN: u64 = u64::MAX;

/// A listpack that grows.
#[derive(Default)]
struct Pack {
    body: Vec<u8>,
    elements: usize,
}

impl Pack {
    fn text(&mut self, text: &[u8]) {
        if let Some(n) = parse_i64(text).filter(|_| text.len() <= 20) {
            return self.integer(n);
        }
        let at = self.body.len();
        match text.len() {
            len @ 0..64 => self.body.push(0x80 | len as u8),
            len @ 64..4096 => self.body.extend_from_slice(&[0xe0 | (len >> 8) as u8, len as u8]),
            len => {
                self.body.push(0xf0);
                self.body.extend_from_slice(&(len as u32).to_le_bytes());
            }
        }
        self.body.extend_from_slice(text);
        self.close(at);
    }

    fn integer(&mut self, n: i64) {
        let at = self.body.len();
        let bytes = n.to_le_bytes();
        match n {
            0..128 => self.body.push(n as u8),
            -4096..4096 => {
                let n = n as u16 & 0x1fff;
                self.body.extend_from_slice(&[0xc0 | (n >> 8) as u8, n as u8]);
            }
            _ => {
                let (tag, len) = match n {
                    -0x8000..0x8000 => (0xf1, 2),
                    -0x80_0000..0x80_0000 => (0xf2, 3),
                    -0x8000_0000..0x8000_0000 => (0xf3, 4),
                    _ => (0xf4, 8),
                };
                self.body.push(tag);
                self.body.extend_from_slice(&bytes[..len]);
            }
        }
        self.close(at);
    }

    /// Behind each element, for whoever reads backwards, how long it was: seven bits a byte, the last first.
    fn close(&mut self, at: usize) {
        let len = self.body.len() - at;
        let bytes = match len {
            0..128 => 1,
            128..16_383 => 2,
            16_383..2_097_151 => 3,
            2_097_151..268_435_455 => 4,
            _ => 5,
        };
        for place in (0..bytes).rev() {
            let more = if place + 1 < bytes { 128 } else { 0 };
            self.body.push((len >> (7 * place)) as u8 & 127 | more);
        }
        self.elements += 1;
    }

    fn finish(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len() + 7);
        out.extend_from_slice(&(self.body.len() as u32 + 7).to_le_bytes());
        out.extend_from_slice(&u16::try_from(self.elements).unwrap_or(u16::MAX).to_le_bytes());
        out.extend_from_slice(&self.body);
        out.push(0xff);
        out
    }
}

/// Entries that come to one listpack, the first of which gives it its fields.
fn pack(entries: &[(StreamId, Fields<'_>)]) -> Vec<u8> {
    let (first, names) = (entries[0].0, entries[0].1);
    let mut pack = Pack::default();
    pack.integer(entries.len() as i64);
    pack.integer(0);
    pack.integer(names.len() as i64);
    names.iter().for_each(|(name, _)| pack.text(name));
    pack.integer(0);
    for (id, fields) in entries {
        let before = pack.elements;
        let same = fields.len() == names.len() && fields.iter().map(|f| f.0).eq(names.iter().map(|f| f.0));
        pack.integer(if same { SAME_FIELDS } else { 0 });
        pack.integer(id.ms.wrapping_sub(first.ms) as i64);
        pack.integer(id.seq.wrapping_sub(first.seq) as i64);
        if !same {
            pack.integer(fields.len() as i64);
        }
        for (name, value) in fields.iter() {
            if !same {
                pack.text(name);
            }
            pack.text(value);
        }
        pack.integer((pack.elements - before) as i64);
    }
    pack.finish()
}

fn id_parts(out: &mut Vec<u8>, id: StreamId) {
    number(out, id.ms);
    number(out, id.seq);
}

fn number(out: &mut Vec<u8>, n: u64) {
    length(out, n as usize);
}

/// Writes what follows the type.
pub fn write(out: &mut Vec<u8>, stream: &StreamValue) {
    let mut nodes: Vec<Vec<(StreamId, Fields<'_>)>> = Vec::new();
    let mut bytes = 0;
    for (id, fields) in stream.entries() {
        let size: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 8).sum();
        match nodes.last_mut() {
            Some(node) if node.len() < NODE_ENTRIES && bytes + size < NODE_BYTES => node.push((id, fields)),
            _ => {
                nodes.push(vec![(id, fields)]);
                bytes = 0;
            }
        }
        bytes += size;
    }
    length(out, nodes.len());
    for node in nodes {
        raw_string(out, &node[0].0.to_bytes());
        raw_string(out, &pack(&node));
    }
    let marks = stream.marks();
    number(out, stream.len() as u64);
    id_parts(out, marks.last);
    id_parts(out, stream.first_entry().unwrap_or_default());
    id_parts(out, marks.deleted);
    number(out, marks.added);
    length(out, stream.groups().count());
    for (name, group) in stream.groups() {
        string(out, name);
        id_parts(out, group.last());
        number(out, group.read().unwrap_or(READ_UNKNOWN));
        length(out, group.pending().len());
        for (id, pending) in group.pending() {
            out.extend_from_slice(&id.to_bytes());
            out.extend_from_slice(&pending.time_ms.to_le_bytes());
            number(out, pending.count);
        }
        length(out, group.consumers().len());
        for (name, consumer) in group.consumers() {
            string(out, name);
            out.extend_from_slice(&consumer.seen_ms().to_le_bytes());
            length(out, consumer.pending().len());
            consumer.pending().iter().for_each(|id| out.extend_from_slice(&id.to_bytes()));
        }
    }
}

/// Never as a number.
fn raw_string(out: &mut Vec<u8>, bytes: &[u8]) {
    length(out, bytes.len());
    out.extend_from_slice(bytes);
}

struct Elements<'e, 'a>(std::slice::Iter<'e, Element<'a>>);

impl<'e> Elements<'e, '_> {
    fn text(&mut self) -> Option<&'e [u8]> {
        self.0.next().map(|element| &**element)
    }

    fn integer(&mut self) -> Option<i64> {
        parse_i64(self.text()?)
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.integer()?).ok().filter(|count| *count <= self.0.len())
    }
}

fn unpack(stream: &mut StreamValue, first: StreamId, packed: &[u8]) -> Option<()> {
    let elements = compact::listpack(packed)?;
    let mut elements = Elements(elements.iter());
    let (live, removed) = (elements.count()?, elements.count()?);
    let fields = elements.count()?;
    let names: Vec<&[u8]> = (0..fields).map(|_| elements.text()).collect::<Option<_>>()?;
    (elements.integer()? == 0).then_some(())?;
    let (mut seen_live, mut seen_removed) = (0, 0);
    while elements.0.len() > 0 {
        let before = elements.0.len();
        let flags = elements.integer()?;
        let id = StreamId::new(
            first.ms.wrapping_add(elements.integer()? as u64),
            first.seq.wrapping_add(elements.integer()? as u64),
        );
        let mut pairs: Vec<&[u8]> = Vec::new();
        if flags & SAME_FIELDS != 0 {
            for name in &names {
                pairs.extend([*name, elements.text()?]);
            }
        } else {
            for _ in 0..elements.count()?.checked_mul(2)? {
                pairs.push(elements.text()?);
            }
        }
        let told = usize::try_from(elements.integer()?).ok()?;
        (told + 1 == before - elements.0.len()).then_some(())?;
        if flags & DELETED != 0 {
            seen_removed += 1;
            continue;
        }
        seen_live += 1;
        let rises = stream.last_entry().is_none_or(|last| last < id);
        (rises && !pairs.is_empty()).then_some(())?;
        stream.put(id, &Members::Slices(&pairs));
    }
    (seen_live == live && seen_removed == removed && live > 0).then_some(())
}

fn id_at(input: &mut Input<'_>) -> Option<StreamId> {
    Some(StreamId::new(input.length()? as u64, input.length()? as u64))
}

fn raw_id(input: &mut Input<'_>) -> Option<StreamId> {
    Some(StreamId::from_bytes(input.take(16)?.try_into().ok()?))
}

fn moment(input: &mut Input<'_>) -> Option<u64> {
    Some(u64::from_le_bytes(input.take(8)?.try_into().ok()?))
}

/// Reads what follows the type.
pub fn read(input: &mut Input<'_>, form: u8) -> Option<StreamValue> {
    debug_assert!(matches!(form, STREAM | STREAM_2 | STREAM_3));
    let mut stream = StreamValue::default();
    for _ in 0..input.length()? {
        let first = StreamId::from_bytes(input.string()?[..].try_into().ok()?);
        unpack(&mut stream, first, &input.string()?)?;
    }
    let len = input.length()?;
    (len == stream.len()).then_some(())?;
    let last = id_at(input)?;
    let (deleted, added) = if form == STREAM {
        (StreamId::MIN, len as u64)
    } else {
        id_at(input)?;
        (id_at(input)?, input.length()? as u64)
    };
    let sound = stream.last_entry().is_none_or(|top| top <= last) && added >= len as u64;
    sound.then_some(())?;
    stream.put_part(&Name::Marks.encode(), &Marks { last, added, deleted, made: true }.into());
    for _ in 0..input.length()? {
        read_group(&mut stream, input, form)?;
    }
    Some(stream)
}

fn read_group(stream: &mut StreamValue, input: &mut Input<'_>, form: u8) -> Option<()> {
    let name = input.string()?;
    let floor = id_at(input)?;
    let read = if form == STREAM { stream.added_upto(floor) } else { Some(input.length()? as u64) };
    let read = read.filter(|read| *read != READ_UNKNOWN);
    stream.group(&name).is_none().then_some(())?;
    let head = Head { cursor: Cursor::at(floor), read, made: true };
    stream.put_part(&Name::Group(&name).encode(), &Part::Group(Box::new(head)));
    let mut pending = std::collections::BTreeMap::new();
    for _ in 0..input.length()? {
        let id = raw_id(input)?;
        let (time_ms, count) = (moment(input)?, input.length()? as u64);
        pending.insert(id, (time_ms, count)).is_none().then_some(())?;
    }
    for _ in 0..input.length()? {
        let consumer = input.string()?;
        let seen_ms = moment(input)?;
        if form == STREAM_3 {
            moment(input)?;
        }
        stream.put_part(&Name::Consumer(&name, &consumer).encode(), &Part::Consumer(seen_ms));
        for _ in 0..input.length()? {
            let id = raw_id(input)?;
            // Of one consumer only.
            let (time_ms, count) = pending.remove(&id)?;
            let delivery = Delivery { owner: (&*consumer).into(), count, time_ms };
            stream.put_part(&Name::Pending(&name, id).encode(), &Part::Pending(Box::new(delivery)));
        }
    }
    pending.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::push_i64;

    #[test]
    fn listpacks_are_read_back_as_written() {
        let texts: Vec<Vec<u8>> = [0, 1, 63, 64, 130, 4095, 4096, 20_000].map(|len| vec![b'x'; len]).into();
        let numbers = [0, 127, 128, -1, -4096, 4095, 4096, -32_769, 8_388_608, i64::MIN, i64::MAX];
        let mut out = Pack::default();
        texts.iter().for_each(|text| out.text(text));
        numbers.iter().for_each(|n| out.integer(*n));
        out.text(b"007");
        out.text(b"-12");
        let bytes = out.finish();
        let back = compact::listpack(&bytes).unwrap();
        let mut expected = texts;
        for n in numbers {
            let mut text = Vec::new();
            push_i64(&mut text, n);
            expected.push(text);
        }
        expected.extend([b"007".to_vec(), b"-12".to_vec()]);
        assert!(back.iter().map(|element| &**element).eq(expected.iter().map(Vec::as_slice)));
    }
}
