//! Parts of streams as bytes.

use proto::varint::{put, put_bytes, take, take_bytes};

use crate::effect::Members;
use crate::effect::streams::{put_advance, take_advance};
use crate::merge::streams::{Marked, StreamWrite};
use crate::state::stream::{Delivery, Marks, Part, encode};

const ENTRY: u64 = 1;
const MARKS: u64 = 2;
const GROUP: u64 = 3;
const CONSUMER: u64 = 4;
const PENDING: u64 = 5;

const MARKED: u64 = 1;
const ADVANCE: u64 = 2;
const ACK: u64 = 3;

pub fn put_part(out: &mut Vec<u8>, part: &Part) {
    match part {
        Part::Entry(fields) => {
            put(out, ENTRY);
            put_bytes(out, fields);
        }
        Part::Marks(marks) => {
            put(out, MARKS);
            encode::put_marks(out, marks);
        }
        Part::Group(head) => {
            put(out, GROUP);
            encode::put_head(out, head);
        }
        Part::Consumer(seen_ms) => {
            put(out, CONSUMER);
            put(out, *seen_ms);
        }
        Part::Pending(pending) => {
            put(out, PENDING);
            put_bytes(out, &pending.owner);
            put(out, pending.count);
            put(out, pending.time_ms);
        }
    }
}

pub fn take_part(input: &mut &[u8]) -> Option<Part> {
    Some(match take(input)? {
        ENTRY => {
            let fields = take_bytes(input)?;
            Members::decode(&mut &fields[..]).filter(|f| f.len() % 2 == 0)?;
            Part::Entry(fields.into())
        }
        MARKS => encode::take_marks(input)?.into(),
        GROUP => Part::Group(Box::new(encode::take_head(input)?)),
        CONSUMER => Part::Consumer(take(input)?),
        PENDING => {
            let owner = take_bytes(input)?.into();
            Part::Pending(Box::new(Delivery { owner, count: take(input)?, time_ms: take(input)? }))
        }
        _ => return None,
    })
}

pub fn put_stream_write(out: &mut Vec<u8>, write: &StreamWrite) {
    match write {
        StreamWrite::Marks(marked) => {
            let Marked { last, added, deleted, makes } = **marked;
            put(out, MARKED);
            encode::put_marks(out, &Marks { last, added, deleted, made: makes });
        }
        StreamWrite::Advance(advance) => {
            put(out, ADVANCE);
            put_advance(out, Some(advance));
        }
        StreamWrite::Ack => put(out, ACK),
    }
}

pub fn take_stream_write(input: &mut &[u8]) -> Option<StreamWrite> {
    Some(match take(input)? {
        MARKED => {
            let Marks { last, added, deleted, made } = encode::take_marks(input)?;
            StreamWrite::Marks(Box::new(Marked { last, added, deleted, makes: made }))
        }
        ADVANCE => StreamWrite::Advance(Box::new(take_advance(input)??)),
        ACK => StreamWrite::Ack,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::streams::{Advance, Read};
    use crate::state::stream::{Cursor, Head, StreamId};

    #[test]
    fn parts_and_writes_come_back() {
        let id = StreamId::new(4, 5);
        let cursor = Cursor { floor: id, slots: vec![(2, StreamId::MAX)] };
        let parts = [
            Part::Entry([2, 1, b'f', 0].into()),
            Marks { last: id, added: 3, deleted: StreamId::MIN, made: true }.into(),
            Part::Group(Box::new(Head { cursor: cursor.clone(), read: Some(0), made: true })),
            Part::Consumer(7),
            Part::Pending(Box::new(Delivery { owner: [].into(), count: 1, time_ms: 2 })),
        ];
        for part in parts {
            let mut out = Vec::new();
            put_part(&mut out, &part);
            assert_eq!(take_part(&mut &out[..]), Some(part));
            assert_eq!(take_part(&mut &out[..out.len() - 1]), None);
        }
        let marked = Marked { last: id, added: 1, deleted: id, makes: false };
        let writes = [
            StreamWrite::Marks(Box::new(marked)),
            StreamWrite::Advance(Box::new(Advance { cursor, read: Read::By(9) })),
            StreamWrite::Ack,
        ];
        for write in writes {
            let mut out = Vec::new();
            put_stream_write(&mut out, &write);
            assert_eq!(take_stream_write(&mut &out[..]), Some(write));
        }
    }
}
