//! Effects on streams: entries, and the groups that read them.

use proto::varint::{put, put_bytes, take, take_bytes};

use super::Members;
use crate::state::stream::{Cursor, Head, Marks, StreamId, StreamValue, encode};

/// Ids: borrowed from a plan or from an encoded record.
#[derive(Clone, Copy, Debug)]
pub enum Ids<'a> {
    Slices(&'a [StreamId]),
    /// `count` ids, each as its distance from the one before; checked when decoded.
    Encoded {
        count: usize,
        bytes: &'a [u8],
    },
}

impl<'a> Ids<'a> {
    pub fn len(&self) -> usize {
        match self {
            Ids::Slices(ids) => ids.len(),
            Ids::Encoded { count, .. } => *count,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = StreamId> + use<'a> {
        let (mut slices, mut bytes) = match self {
            Ids::Slices(ids) => (ids.iter(), &[][..]),
            Ids::Encoded { bytes, .. } => ([].iter(), *bytes),
        };
        let mut from = StreamId::MIN;
        (0..self.len()).map_while(move |_| {
            from = match slices.next() {
                Some(id) => *id,
                None => encode::take_id(&mut bytes, from)?,
            };
            Some(from)
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put(out, self.len() as u64);
        let mut from = StreamId::MIN;
        for id in self.iter() {
            encode::put_id(out, from, id);
            from = id;
        }
    }

    fn decode(input: &mut &'a [u8]) -> Option<Self> {
        let count = usize::try_from(take(input)?).ok()?;
        let bytes = *input;
        let mut from = StreamId::MIN;
        for _ in 0..count {
            from = encode::take_id(input, from)?;
        }
        Some(Ids::Encoded { count, bytes: &bytes[..bytes.len() - input.len()] })
    }
}

impl PartialEq for Ids<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// Ids, each with how often it was delivered.
#[derive(Clone, Copy, Debug)]
pub enum Deliveries<'a> {
    Slices(&'a [(StreamId, u64)]),
    /// `count` times (id as in [`Ids`], varint); checked when decoded.
    Encoded {
        count: usize,
        bytes: &'a [u8],
    },
}

impl<'a> Deliveries<'a> {
    pub fn len(&self) -> usize {
        match self {
            Deliveries::Slices(all) => all.len(),
            Deliveries::Encoded { count, .. } => *count,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = (StreamId, u64)> + use<'a> {
        let (mut slices, mut bytes) = match self {
            Deliveries::Slices(all) => (all.iter(), &[][..]),
            Deliveries::Encoded { bytes, .. } => ([].iter(), *bytes),
        };
        let mut from = StreamId::MIN;
        (0..self.len()).map_while(move |_| {
            let found = match slices.next() {
                Some(found) => *found,
                None => (encode::take_id(&mut bytes, from)?, take(&mut bytes)?),
            };
            from = found.0;
            Some(found)
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put(out, self.len() as u64);
        let mut from = StreamId::MIN;
        for (id, count) in self.iter() {
            encode::put_id(out, from, id);
            put(out, count);
            from = id;
        }
    }

    fn decode(input: &mut &'a [u8]) -> Option<Self> {
        let count = usize::try_from(take(input)?).ok()?;
        let bytes = *input;
        let mut from = StreamId::MIN;
        for _ in 0..count {
            from = encode::take_id(input, from)?;
            take(input)?;
        }
        Some(Deliveries::Encoded { count, bytes: &bytes[..bytes.len() - input.len()] })
    }
}

impl PartialEq for Deliveries<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// What becomes of a group's count of entries read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Read {
    /// So many more, if it is known.
    By(u64),
    /// This number; `None`: not known.
    To(Option<u64>),
}

impl Read {
    pub fn apply(self, read: Option<u64>) -> Option<u64> {
        match self {
            Read::By(n) => read.map(|read| read.saturating_add(n)),
            Read::To(to) => to,
        }
    }
}

/// A group reads on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advance {
    pub cursor: Cursor,
    pub read: Read,
}

/// A consumer is heard of; entries were delivered to it, or claimed by it; the group may have read on.
#[derive(Clone, PartialEq, Debug)]
pub struct Deliver<'a> {
    pub group: &'a [u8],
    pub consumer: &'a [u8],
    /// When the consumer was heard of, Unix ms.
    pub seen_ms: u64,
    pub advance: Option<Advance>,
    /// Of the deliveries, Unix ms.
    pub time_ms: u64,
    pub entries: Deliveries<'a>,
}

/// What an effect does to a stream.
#[derive(Clone, PartialEq, Debug)]
pub enum StreamOp<'a> {
    /// An entry, fields and values in turn, an even number. Afterwards the entries up to and with `upto` go that this effect saw;
    /// `upto` may take the new one along. The lowest id takes none.
    Add {
        id: StreamId,
        fields: Members<'a>,
        upto: StreamId,
    },
    /// Each entry loses what this effect saw of it.
    Remove(Ids<'a>),
    /// Entries up to and with this one go, if this effect saw them.
    Trim {
        upto: StreamId,
    },
    /// An assignment of the marks.
    Set(Marks),
    /// An assignment of a group's head. `fresh`: the group is new, and what this effect saw of one of its name goes.
    GroupSet {
        group: &'a [u8],
        head: Box<Head>,
        fresh: bool,
    },
    /// What this effect saw of a group goes.
    GroupDrop {
        group: &'a [u8],
    },
    Deliver(Box<Deliver<'a>>),
    /// Entries are done with, for ever.
    Ack {
        group: &'a [u8],
        ids: Ids<'a>,
    },
    /// A consumer goes, and these of the entries pending for it, as far as this effect saw them.
    ConsumerDrop {
        group: &'a [u8],
        consumer: &'a [u8],
        ids: Ids<'a>,
    },
}

pub(super) const KIND_ADD: u8 = 72;
pub(super) const KIND_REMOVE: u8 = 73;
pub(super) const KIND_TRIM: u8 = 74;
pub(super) const KIND_SET: u8 = 75;
pub(super) const KIND_GROUP_SET: u8 = 76;
pub(super) const KIND_GROUP_DROP: u8 = 77;
pub(super) const KIND_DELIVER: u8 = 78;
pub(super) const KIND_ACK: u8 = 79;
pub(super) const KIND_CONSUMER_DROP: u8 = 80;

const FRESH: u64 = 1;
const ADVANCES: u64 = 1;
/// The number that follows is one to add.
const READ_BY: u64 = 2;
const READ_KNOWN: u64 = 4;

impl<'a> StreamOp<'a> {
    pub(super) fn kind(&self) -> u8 {
        match self {
            StreamOp::Add { .. } => KIND_ADD,
            StreamOp::Remove(_) => KIND_REMOVE,
            StreamOp::Trim { .. } => KIND_TRIM,
            StreamOp::Set(_) => KIND_SET,
            StreamOp::GroupSet { .. } => KIND_GROUP_SET,
            StreamOp::GroupDrop { .. } => KIND_GROUP_DROP,
            StreamOp::Deliver(_) => KIND_DELIVER,
            StreamOp::Ack { .. } => KIND_ACK,
            StreamOp::ConsumerDrop { .. } => KIND_CONSUMER_DROP,
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            StreamOp::Add { id, fields, upto } => {
                encode::put_id(out, StreamId::MIN, *id);
                encode::put_id(out, StreamId::MIN, *upto);
                fields.encode(out);
            }
            StreamOp::Remove(ids) => ids.encode(out),
            StreamOp::Trim { upto } => encode::put_id(out, StreamId::MIN, *upto),
            StreamOp::Set(marks) => encode::put_marks(out, marks),
            StreamOp::GroupSet { group, head, fresh } => {
                put_bytes(out, group);
                put(out, if *fresh { FRESH } else { 0 });
                encode::put_head(out, head);
            }
            StreamOp::GroupDrop { group } => put_bytes(out, group),
            StreamOp::Deliver(deliver) => {
                put_bytes(out, deliver.group);
                put_bytes(out, deliver.consumer);
                put(out, deliver.seen_ms);
                put_advance(out, deliver.advance.as_ref());
                put(out, deliver.time_ms);
                deliver.entries.encode(out);
            }
            StreamOp::Ack { group, ids } => {
                put_bytes(out, group);
                ids.encode(out);
            }
            StreamOp::ConsumerDrop { group, consumer, ids } => {
                put_bytes(out, group);
                put_bytes(out, consumer);
                ids.encode(out);
            }
        }
    }

    /// `None`: not of this family, or malformed.
    pub(super) fn decode(body: &mut &'a [u8], kind: u8) -> Option<Self> {
        Some(match kind {
            KIND_ADD => {
                let id = encode::take_id(body, StreamId::MIN)?;
                let upto = encode::take_id(body, StreamId::MIN)?;
                let fields = Members::decode(body).filter(|f| !f.is_empty() && f.len() % 2 == 0)?;
                StreamOp::Add { id, fields, upto }
            }
            KIND_REMOVE => StreamOp::Remove(Ids::decode(body)?),
            KIND_TRIM => StreamOp::Trim { upto: encode::take_id(body, StreamId::MIN)? },
            KIND_SET => StreamOp::Set(encode::take_marks(body)?),
            KIND_GROUP_SET => {
                let group = take_bytes(body)?;
                let fresh = take(body).filter(|flags| *flags <= FRESH)? == FRESH;
                StreamOp::GroupSet { group, fresh, head: Box::new(encode::take_head(body)?) }
            }
            KIND_GROUP_DROP => StreamOp::GroupDrop { group: take_bytes(body)? },
            KIND_DELIVER => {
                let (group, consumer) = (take_bytes(body)?, take_bytes(body)?);
                let (seen_ms, advance) = (take(body)?, take_advance(body)?);
                let time_ms = take(body)?;
                let entries = Deliveries::decode(body)?;
                StreamOp::Deliver(Box::new(Deliver { group, consumer, seen_ms, advance, time_ms, entries }))
            }
            KIND_ACK => StreamOp::Ack { group: take_bytes(body)?, ids: Ids::decode(body)? },
            KIND_CONSUMER_DROP => {
                let (group, consumer) = (take_bytes(body)?, take_bytes(body)?);
                StreamOp::ConsumerDrop { group, consumer, ids: Ids::decode(body)? }
            }
            _ => return None,
        })
    }
}

/// Flags, then number and cursor as they say.
pub(crate) fn put_advance(out: &mut Vec<u8>, advance: Option<&Advance>) {
    let Some(advance) = advance else { return put(out, 0) };
    let (flags, number) = match advance.read {
        Read::By(n) => (READ_BY, Some(n)),
        Read::To(Some(n)) => (READ_KNOWN, Some(n)),
        Read::To(None) => (0, None),
    };
    put(out, ADVANCES | flags);
    number.into_iter().for_each(|n| put(out, n));
    encode::put_cursor(out, &advance.cursor);
}

pub(crate) fn take_advance(input: &mut &[u8]) -> Option<Option<Advance>> {
    let flags = take(input)?;
    let read = match flags.checked_sub(ADVANCES) {
        None => return Some(None),
        Some(0) => Read::To(None),
        Some(READ_BY) => Read::By(take(input)?),
        Some(READ_KNOWN) => Read::To(Some(take(input)?)),
        Some(_) => return None,
    };
    Some(Some(Advance { cursor: encode::take_cursor(input)?, read }))
}

/// A whole stream, as an assignment carries it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct WholeStream<'a>(&'a [u8]);

impl<'a> WholeStream<'a> {
    /// Of what [`crate::state::stream::StreamValue::encode`] wrote; `None` for anything else.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let whole = WholeStream(bytes);
        whole.read().is_some().then_some(whole)
    }

    fn read(&self) -> Option<StreamValue> {
        let mut rest = self.0;
        StreamValue::decode(&mut rest).filter(|stream| rest.is_empty() && stream.shows())
    }

    /// The stream. Checked when made.
    pub fn value(&self) -> StreamValue {
        self.read().unwrap_or_default()
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.0);
    }

    pub(super) fn decode(body: &mut &'a [u8]) -> Option<Self> {
        take_bytes(body).and_then(WholeStream::new)
    }
}
