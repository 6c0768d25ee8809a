//! The record: an effect's one encoding, hand-written because it is on the path of every write.
//!
//! ```text
//! len varint | kind u8 | flags u8 | hlc-delta varint | [db varint] | [fresh varint] | [deps] | [key] | payload
//! ```
//! `len` counts what follows it. `hlc-delta` is against the record before (the batch header for the first). Self-deps are
//! written as a distance back from the record's own seq. `docs/format.md` draws it.

use proto::varint::{put, put_bytes, take, take_bytes};
use proto::{EffectId, Frontier, Hlc, NodeId, Seq};

use super::bits::{BitsOp, RegistersOp};
use super::fields::{self, FieldOp};
use super::lists::{self, ListOp, WholeList};
use super::scores::{self, ScoreOp, Scores};
use super::streams::{self, StreamOp, WholeStream};
use super::{Deps, Effect, Expiry, FlushSeen, Members, Op, Payload};
use crate::number::LongDouble;

const KIND_ASSIGN_STRING: u8 = 1;
const KIND_ASSIGN_SET: u8 = 2;
const KIND_ASSIGN_HASH: u8 = 3;
const KIND_ASSIGN_ZSET: u8 = 4;
const KIND_ASSIGN_LIST: u8 = 5;
const KIND_ASSIGN_STREAM: u8 = 6;
const KIND_RESET: u8 = 8;
const KIND_FLUSH: u8 = 9;
const KIND_TTL: u8 = 10;
const KIND_SWAP_DB: u8 = 11;
const KIND_BIND: u8 = 12;
const KIND_NOOP: u8 = 13;
const KIND_DELTA: u8 = 16;
const KIND_DELTA_FLOAT: u8 = 17;
const KIND_APPEND: u8 = 18;
const KIND_OVERLAY: u8 = 19;
const KIND_BITS: u8 = 20;
const KIND_REGISTERS: u8 = 21;
const KIND_MEMBER_ADD: u8 = 24;
const KIND_MEMBER_REMOVE: u8 = 25;

const FLAG_DB: u8 = 1;
const FLAG_FRESH: u8 = 2;
const FLAG_DEPS: u8 = 4;
/// Exactly one dep, of the same node.
const FLAG_SELF_DEP: u8 = 8;
const FLAG_EXPIRY: u8 = 16;
const FLAGS_KNOWN: u8 = 31;

/// A value never grows past this through an overlay (bytes).
const OVERLAY_END_MAX: u64 = 1 << 32;

/// Why bytes are not a record.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum RecordError {
    #[error("record cut short")]
    Truncated,
    #[error("unknown effect kind {0}, written by a newer version: upgrade this node")]
    UnknownKind(u8),
    #[error("unknown record flags {0:#x}, written by a newer version: upgrade this node")]
    UnknownFlags(u8),
    #[error("record of kind {0} is malformed")]
    Malformed(u8),
}

/// Appends the record of `effect`, which is `id`, following a record stamped `previous`.
pub fn encode(out: &mut Vec<u8>, effect: &Effect<'_>, id: EffectId, previous: Hlc) {
    let start = out.len();
    // One byte of length is right for records under 128 bytes; longer ones are shifted once below.
    out.push(0);
    let (kind, mut flags) = kind_of(&effect.op);
    let self_dep = effect.deps.len() == 1 && effect.deps[0].node == id.node;
    if effect.db != 0 {
        flags |= FLAG_DB;
    }
    if effect.fresh.is_some() {
        flags |= FLAG_FRESH;
    }
    if self_dep {
        flags |= FLAG_SELF_DEP;
    } else if !effect.deps.is_empty() {
        flags |= FLAG_DEPS;
    }
    out.push(kind);
    out.push(flags);
    put(out, effect.hlc.0 - previous.0);
    if effect.db != 0 {
        put(out, u64::from(effect.db));
    }
    if let Some(floor) = effect.fresh {
        put(out, floor);
    }
    if self_dep {
        put(out, id.seq.0 - effect.deps[0].seq.0);
    } else if !effect.deps.is_empty() {
        put(out, effect.deps.len() as u64);
        for dep in &effect.deps {
            out.extend_from_slice(&dep.node.0.to_le_bytes());
            put(out, dep.seq.0);
        }
    }
    if has_key(kind) {
        put_bytes(out, effect.key);
    }
    match &effect.op {
        Op::Assign { payload, expiry } => {
            if let Some(ms) = expiry.ms() {
                put(out, ms);
            }
            match payload {
                Payload::String(bytes) => put_bytes(out, bytes),
                Payload::Set(members) => members.encode(out),
                Payload::Hash(pairs) => fields::encode_pairs(out, pairs),
                Payload::ZSet(scores) => scores.encode(out),
                Payload::List(whole) => whole.encode(out, id),
                Payload::Stream(whole) => whole.encode(out),
            }
        }
        Op::Reset | Op::Noop => {}
        Op::Delta(n) => put(out, proto::varint::zigzag(*n)),
        Op::DeltaFloat(n) => out.extend_from_slice(&n.to_bytes()),
        Op::Append(bytes) => put_bytes(out, bytes),
        Op::Overlay { base, offset, bytes } => {
            let base = base.unwrap_or(EffectId::NONE);
            out.extend_from_slice(&base.node.0.to_le_bytes());
            put(out, base.seq.0);
            put(out, *offset);
            put_bytes(out, bytes);
        }
        Op::Ttl(expiry) => {
            if let Some(ms) = expiry.ms() {
                put(out, ms);
            }
        }
        Op::MemberAdd(members) | Op::MemberRemove(members) => members.encode(out),
        Op::Bits(op) => op.encode(out),
        Op::Registers(op) => op.encode(out),
        Op::Fields(op) => op.encode(out),
        Op::Scores(op) => op.encode(out),
        Op::List(op) => op.encode(out, id),
        Op::Stream(op) => op.encode(out),
        Op::Flush { db, seen } => {
            put(out, db.map_or(0, |db| u64::from(db) + 1));
            put_frontier(out, &seen.to_frontier());
        }
        Op::SwapDb { a, b } => {
            put(out, u64::from(*a));
            put(out, u64::from(*b));
        }
        Op::Bind { count } => put(out, *count),
    }
    let len = out.len() - start - 1;
    if len < 0x80 {
        out[start] = len as u8;
    } else {
        let mut head = Vec::with_capacity(10);
        put(&mut head, len as u64);
        out.splice(start..start + 1, head);
    }
}

/// Reads the record at the front of `input`, which is effect `id`, and moves past it.
pub fn decode<'a>(input: &mut &'a [u8], id: EffectId, previous: Hlc) -> Result<Effect<'a>, RecordError> {
    let mut body = take_bytes(input).ok_or(RecordError::Truncated)?;
    let body = &mut body;
    let (&[kind, flags], rest) = body.split_first_chunk::<2>().ok_or(RecordError::Truncated)?;
    *body = rest;
    if flags & !FLAGS_KNOWN != 0 {
        return Err(RecordError::UnknownFlags(flags));
    }
    let bad = RecordError::Malformed(kind);
    let hlc = Hlc(previous.0.checked_add(take(body).ok_or(bad)?).ok_or(bad)?);
    let db = if flags & FLAG_DB != 0 { take_db(body).ok_or(bad)? } else { 0 };
    let fresh = if flags & FLAG_FRESH != 0 { Some(take(body).ok_or(bad)?) } else { None };
    let deps = take_deps(body, flags, id).ok_or(bad)?;
    let key = if has_key(kind) { take_bytes(body).ok_or(bad)? } else { &[][..] };
    let op = take_op(body, kind, flags, id)?;
    if !body.is_empty() {
        return Err(bad);
    }
    Ok(Effect { hlc, db, key, deps, fresh, op })
}

fn take_deps(body: &mut &[u8], flags: u8, id: EffectId) -> Option<Deps> {
    let mut deps = Deps::new();
    if flags & FLAG_SELF_DEP != 0 {
        let back = take(body)?;
        if back == 0 || back >= id.seq.0 {
            return None;
        }
        deps.push(EffectId::new(id.node, Seq(id.seq.0 - back)));
    } else if flags & FLAG_DEPS != 0 {
        let count = take(body)?;
        for _ in 0..count {
            deps.push(take_id(body)?);
        }
    }
    Some(deps)
}

fn take_op<'a>(body: &mut &'a [u8], kind: u8, flags: u8, id: EffectId) -> Result<Op<'a>, RecordError> {
    let bad = RecordError::Malformed(kind);
    let mut expiry = || match flags & FLAG_EXPIRY {
        0 => Ok(Expiry::NEVER),
        _ => take(body).map(Expiry::at_ms).ok_or(bad),
    };
    Ok(match kind {
        KIND_ASSIGN_STRING => {
            let expiry = expiry()?;
            Op::Assign { payload: Payload::String(take_bytes(body).ok_or(bad)?), expiry }
        }
        KIND_ASSIGN_SET => {
            let expiry = expiry()?;
            let members = Members::decode(body).ok_or(bad)?;
            if members.is_empty() {
                return Err(bad);
            }
            Op::Assign { payload: Payload::Set(members), expiry }
        }
        KIND_ASSIGN_HASH => {
            let expiry = expiry()?;
            let pairs = fields::decode_pairs(body).filter(|pairs| !pairs.is_empty()).ok_or(bad)?;
            Op::Assign { payload: Payload::Hash(pairs), expiry }
        }
        KIND_ASSIGN_ZSET => {
            let expiry = expiry()?;
            let scores = Scores::decode(body).filter(|scores| !scores.is_empty()).ok_or(bad)?;
            Op::Assign { payload: Payload::ZSet(scores), expiry }
        }
        KIND_ASSIGN_LIST => {
            let expiry = expiry()?;
            Op::Assign { payload: Payload::List(WholeList::decode(body, id).ok_or(bad)?), expiry }
        }
        KIND_ASSIGN_STREAM => {
            let expiry = expiry()?;
            Op::Assign { payload: Payload::Stream(WholeStream::decode(body).ok_or(bad)?), expiry }
        }
        KIND_RESET => Op::Reset,
        KIND_NOOP => Op::Noop,
        KIND_DELTA => Op::Delta(proto::varint::unzigzag(take(body).ok_or(bad)?)),
        KIND_DELTA_FLOAT => {
            let (head, rest) = body.split_first_chunk::<10>().ok_or(bad)?;
            *body = rest;
            Op::DeltaFloat(LongDouble::from_bytes(*head).ok_or(bad)?)
        }
        KIND_APPEND => Op::Append(take_bytes(body).ok_or(bad)?),
        KIND_OVERLAY => {
            let base = take_id(body).ok_or(bad)?;
            let offset = take(body).ok_or(bad)?;
            let bytes = take_bytes(body).ok_or(bad)?;
            if offset.checked_add(bytes.len() as u64).is_none_or(|end| end > OVERLAY_END_MAX) {
                return Err(bad);
            }
            Op::Overlay { base: (base != EffectId::NONE).then_some(base), offset, bytes }
        }
        KIND_BITS => Op::Bits(BitsOp::decode(body).ok_or(bad)?),
        KIND_REGISTERS => Op::Registers(RegistersOp::decode(body).ok_or(bad)?),
        KIND_TTL => Op::Ttl(expiry()?),
        KIND_MEMBER_ADD => Op::MemberAdd(Members::decode(body).ok_or(bad)?),
        KIND_MEMBER_REMOVE => Op::MemberRemove(Members::decode(body).ok_or(bad)?),
        fields::KIND_PUT..=fields::KIND_LAPSE => Op::Fields(FieldOp::decode(body, kind).ok_or(bad)?),
        streams::KIND_ADD..=streams::KIND_CONSUMER_DROP => {
            Op::Stream(StreamOp::decode(body, kind).ok_or(bad)?)
        }
        scores::KIND_PUT..=scores::KIND_REMOVE => Op::Scores(ScoreOp::decode(body, kind).ok_or(bad)?),
        lists::KIND_INSERT..=lists::KIND_TRIM => Op::List(ListOp::decode(body, kind, id).ok_or(bad)?),
        KIND_FLUSH => {
            let db = match take(body).ok_or(bad)? {
                0 => None,
                n => Some(u32::try_from(n - 1).map_err(|_| bad)?),
            };
            let bytes = *body;
            take_frontier(body).ok_or(bad)?;
            Op::Flush { db, seen: FlushSeen::Encoded(&bytes[..bytes.len() - body.len()]) }
        }
        KIND_SWAP_DB => Op::SwapDb { a: take_db(body).ok_or(bad)?, b: take_db(body).ok_or(bad)? },
        KIND_BIND => Op::Bind { count: take(body).ok_or(bad)? },
        unknown => return Err(RecordError::UnknownKind(unknown)),
    })
}

fn kind_of(op: &Op<'_>) -> (u8, u8) {
    let expiry_flag = |e: &Expiry| if e.ms().is_some() { FLAG_EXPIRY } else { 0 };
    match op {
        Op::Assign { payload: Payload::String(_), expiry } => (KIND_ASSIGN_STRING, expiry_flag(expiry)),
        Op::Assign { payload: Payload::Set(_), expiry } => (KIND_ASSIGN_SET, expiry_flag(expiry)),
        Op::Assign { payload: Payload::Hash(_), expiry } => (KIND_ASSIGN_HASH, expiry_flag(expiry)),
        Op::Assign { payload: Payload::ZSet(_), expiry } => (KIND_ASSIGN_ZSET, expiry_flag(expiry)),
        Op::Assign { payload: Payload::List(_), expiry } => (KIND_ASSIGN_LIST, expiry_flag(expiry)),
        Op::Assign { payload: Payload::Stream(_), expiry } => (KIND_ASSIGN_STREAM, expiry_flag(expiry)),
        Op::Reset => (KIND_RESET, 0),
        Op::Delta(_) => (KIND_DELTA, 0),
        Op::DeltaFloat(_) => (KIND_DELTA_FLOAT, 0),
        Op::Append(_) => (KIND_APPEND, 0),
        Op::Overlay { .. } => (KIND_OVERLAY, 0),
        Op::Bits(_) => (KIND_BITS, 0),
        Op::Registers(_) => (KIND_REGISTERS, 0),
        Op::Ttl(expiry) => (KIND_TTL, expiry_flag(expiry)),
        Op::MemberAdd(_) => (KIND_MEMBER_ADD, 0),
        Op::MemberRemove(_) => (KIND_MEMBER_REMOVE, 0),
        Op::Fields(op) => (op.kind(), 0),
        Op::Scores(op) => (op.kind(), 0),
        Op::List(op) => (op.kind(), 0),
        Op::Stream(op) => (op.kind(), 0),
        Op::Flush { .. } => (KIND_FLUSH, 0),
        Op::SwapDb { .. } => (KIND_SWAP_DB, 0),
        Op::Bind { .. } => (KIND_BIND, 0),
        Op::Noop => (KIND_NOOP, 0),
    }
}

fn has_key(kind: u8) -> bool {
    !matches!(kind, KIND_FLUSH | KIND_SWAP_DB | KIND_BIND | KIND_NOOP)
}

fn take_db(body: &mut &[u8]) -> Option<u32> {
    u32::try_from(take(body)?).ok()
}

pub(super) fn take_id(body: &mut &[u8]) -> Option<EffectId> {
    let (head, rest) = body.split_first_chunk::<8>()?;
    *body = rest;
    Some(EffectId::new(NodeId(u64::from_le_bytes(*head)), Seq(take(body)?)))
}

/// Appends a version vector: count, then (node u64 LE, seq varint) in node order.
pub fn put_frontier(out: &mut Vec<u8>, frontier: &Frontier) {
    put(out, frontier.len() as u64);
    for (node, seq) in frontier.iter() {
        out.extend_from_slice(&node.0.to_le_bytes());
        put(out, seq.0);
    }
}

/// Reads what [`put_frontier`] wrote.
pub fn take_frontier(input: &mut &[u8]) -> Option<Frontier> {
    let count = take(input)?;
    let mut frontier = Frontier::new();
    let mut last = None;
    for _ in 0..count {
        let id = take_id(input)?;
        // In order, as it was put: a peer cannot make each insertion move all before it.
        if last.replace(id.node) >= Some(id.node) {
            return None;
        }
        frontier.advance(id.node, id.seq);
    }
    Some(frontier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_round_trips() {
        use super::fields::Moments;
        use super::lists::{ElementId, IdRun, IdRuns, Place, Spot, Step};
        use super::streams::{Advance, Deliver, Deliveries, Ids, Read};
        use crate::state::stream::{Cursor, Head, Marks, StreamId, StreamValue};
        let (first, last) = (StreamId::new(0, 1), StreamId::MAX);
        let marks = Marks { last, added: 5, deleted: first, made: true };
        let cursor = Cursor { floor: first, slots: vec![(3, StreamId::new(4, 1)), (8, last)] };
        let head = Head { cursor, read: Some(4), made: true };
        let mut bytes = Vec::new();
        let mut stream = StreamValue::default();
        stream.put(first, &Members::Slices(&[b"f", b"v"]));
        stream.put_part(&crate::state::stream::Name::Marks.encode(), &marks.into());
        stream.encode(&mut bytes);
        let whole_stream = WholeStream::new(&bytes).unwrap();
        let entries = [(first, 1), (last, u64::MAX)];
        let deliver = |advance| {
            Op::Stream(StreamOp::Deliver(Box::new(Deliver {
                group: b"g",
                consumer: b"",
                seen_ms: 7,
                advance,
                time_ms: 1 << 40,
                entries: Deliveries::Slices(&entries),
            })))
        };
        let id = EffectId::new(NodeId(7), Seq(500));
        let other = EffectId::new(NodeId(9), Seq(3));
        let own = EffectId::new(NodeId(7), Seq(499));
        let seen: Frontier = [(NodeId(7), Seq(4)), (NodeId(9), Seq(1 << 40))].into_iter().collect();
        let long = vec![7u8; 300];
        let pushed = ElementId::new(own, 3);
        let strange = ElementId::new(other, 1);
        let moved = strange.moved_to(0, b"k");
        let spot = |place, left, right| Spot { place, left, right };
        let runs = [
            IdRun::one(moved),
            IdRun { first: pushed, len: 3, step: Step { by_seq: false, down: true } },
            IdRun { first: strange, len: 9, step: Step { by_seq: true, down: false } },
        ];
        let whole = WholeList {
            spot: spot(Place::Before, None, Some(strange)),
            values: Members::Slices(&[b"a", b"", b"a"]),
        };
        let ops = [
            Op::Assign { payload: Payload::List(whole), expiry: Expiry::at_ms(9) },
            Op::List(ListOp::Insert {
                spot: spot(Place::Behind, Some(pushed), None),
                moved: None,
                values: Members::Slices(&[b"a", &long]),
            }),
            Op::List(ListOp::Insert {
                spot: spot(Place::Before, Some(strange), Some(moved)),
                moved: Some(moved),
                values: Members::Slices(&[b""]),
            }),
            Op::List(ListOp::Insert { spot: Spot::END, moved: None, values: Members::Slices(&[b"a"]) }),
            Op::List(ListOp::Remove(IdRuns::Slices(&runs))),
            Op::List(ListOp::Set { id: strange, value: b"x" }),
            Op::List(ListOp::Trim { first: pushed, last: moved }),
            Op::Assign { payload: Payload::String(b"v"), expiry: Expiry::NEVER },
            Op::Assign { payload: Payload::String(&long), expiry: Expiry::at_ms(77) },
            Op::Assign { payload: Payload::Set(Members::Slices(&[b"a", b""])), expiry: Expiry::at_ms(1) },
            Op::Reset,
            Op::Noop,
            Op::Delta(i64::MIN),
            Op::DeltaFloat(LongDouble::parse(b"3.25").unwrap()),
            Op::Append(b"xyz"),
            Op::Overlay { base: Some(other), offset: 9, bytes: b"\0\r\n" },
            Op::Overlay { base: None, offset: 0, bytes: b"" },
            Op::Bits(BitsOp { base: Some(other), at: 77, width: 64, value: u64::MAX, adds: true }),
            Op::Bits(BitsOp { base: None, at: 0, width: 1, value: 0, adds: false }),
            Op::Registers(RegistersOp { dense: true, ranks: vec![(0, 1), (5, 63), (16_383, 2)] }),
            Op::Registers(RegistersOp { dense: false, ranks: Vec::new() }),
            Op::Ttl(Expiry::NEVER),
            Op::Ttl(Expiry::at_ms(5)),
            Op::Assign { payload: Payload::Stream(whole_stream), expiry: Expiry::at_ms(9) },
            Op::Stream(StreamOp::Add { id: last, fields: Members::Slices(&[b"f", &long]), upto: first }),
            Op::Stream(StreamOp::Remove(Ids::Slices(&[first, last, first]))),
            Op::Stream(StreamOp::Trim { upto: last }),
            Op::Stream(StreamOp::Set(marks)),
            Op::Stream(StreamOp::GroupSet { group: b"g", head: Box::new(head.clone()), fresh: true }),
            Op::Stream(StreamOp::GroupSet { group: b"", head: Box::default(), fresh: false }),
            Op::Stream(StreamOp::GroupDrop { group: b"g" }),
            deliver(None),
            deliver(Some(Advance { cursor: head.cursor.clone(), read: Read::By(3) })),
            deliver(Some(Advance { cursor: head.cursor.clone(), read: Read::To(Some(0)) })),
            deliver(Some(Advance { cursor: head.cursor, read: Read::To(None) })),
            Op::Stream(StreamOp::Ack { group: b"g", ids: Ids::Slices(&[first]) }),
            Op::Stream(StreamOp::ConsumerDrop { group: b"g", consumer: b"c", ids: Ids::Slices(&[]) }),
            Op::MemberAdd(Members::Slices(&[b"m"])),
            Op::MemberRemove(Members::Slices(&[b"m", &long])),
            Op::Assign { payload: Payload::Hash(Members::Slices(&[b"f", &long])), expiry: Expiry::at_ms(1) },
            Op::Assign { payload: Payload::ZSet(Scores::Slices(&[(-0.5, b"m")])), expiry: Expiry::NEVER },
            Op::Fields(FieldOp::Put(Members::Slices(&[b"f", b"v", b"", &long]))),
            Op::Fields(FieldOp::Remove(Members::Slices(&[b"f"]))),
            Op::Fields(FieldOp::Delta { field: b"f", by: -7 }),
            Op::Fields(FieldOp::DeltaFloat { field: b"f", by: LongDouble::parse(b"0.5").unwrap() }),
            Op::Fields(FieldOp::Expire(Moments::Slices(&[
                (Expiry::at_ms(7), b"f"),
                (Expiry::NEVER, b""),
                (Expiry::at_ms(u64::MAX - 1), &long),
                (Expiry::at_ms(0), b"f"),
            ]))),
            Op::Fields(FieldOp::Lapse(Moments::Slices(&[(Expiry::at_ms(7), b"f")]))),
            Op::Scores(ScoreOp::Put(Scores::Slices(&[(1.5, b"a"), (f64::INFINITY, b"")]))),
            Op::Scores(ScoreOp::Add(Scores::Slices(&[(1.5, b"a")]))),
            Op::Scores(ScoreOp::Max(Scores::Slices(&[(1.5, b"a")]))),
            Op::Scores(ScoreOp::Min(Scores::Slices(&[(1.5, b"a")]))),
            Op::Scores(ScoreOp::Remove(Members::Slices(&[b"a"]))),
            Op::Flush { db: Some(0), seen: FlushSeen::Frontier(&seen) },
            Op::Flush { db: None, seen: FlushSeen::Frontier(&seen) },
            Op::SwapDb { a: 0, b: 15 },
            Op::Bind { count: 4 },
        ];
        for op in ops {
            for deps in [Deps::new(), [own].into_iter().collect(), [other, own].into_iter().collect()] {
                for (db, fresh) in [(0, None), (3, Some(0)), (70_000, Some(123))] {
                    let key: &[u8] = if has_key(kind_of(&op).0) { b"key\0" } else { b"" };
                    let effect =
                        Effect { hlc: Hlc(1000), db, key, deps: deps.clone(), fresh, op: op.clone() };
                    let mut out = vec![1, 2];
                    encode(&mut out, &effect, id, Hlc(990));
                    let mut input = &out[2..];
                    assert_eq!(decode(&mut input, id, Hlc(990)), Ok(effect));
                    assert!(input.is_empty());
                    for cut in 2..out.len() {
                        assert!(decode(&mut &out[2..cut], id, Hlc(990)).is_err());
                    }
                }
            }
        }
    }
}
