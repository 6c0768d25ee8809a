//! XREADGROUP.

use proto::resp::Replies;

use super::read::{self, Request};
use super::{emit, ids, quoted};
use crate::core::{Key, Unit};
use crate::effect::StreamOp;
use crate::effect::streams::{Advance, Deliver, Deliveries, Read};
use crate::refusal::Refusal;
use crate::state::stream::{Cursor, Group, StreamId, StreamValue};
use crate::state::value::Kind;
use crate::state::waiters::Want;

/// Places of single nodes that a cursor holds at most; past that the floor rises.
const SLOTS_MAX: usize = 64;

/// What one stream is asked for.
enum After {
    /// Entries that no consumer got (`>`).
    New,
    /// The consumer's own that are pending, after this one.
    Own(StreamId),
}

/// A stream to be served.
enum Served {
    New(Vec<StreamId>),
    Own(StreamId),
}

/// Checks keys, groups and ids before anything is delivered.
fn check(unit: &mut Unit<'_>, request: &Request<'_, '_>, group: &[u8]) -> Result<Vec<After>, Refusal> {
    let waited = unit.waited_with().is_some();
    let mut out = Vec::with_capacity(request.ids.len());
    for (name, id) in request.names.iter().zip(request.ids) {
        let key = unit.key(name);
        let stream = match unit.stream(&key) {
            Err(_) | Ok(None) if waited => {
                return Err(Refusal::Text("UNBLOCKED the stream key no longer exists"));
            }
            stream => stream?,
        };
        if stream.is_none_or(|stream| stream.group(group).is_none()) {
            if waited {
                let text = "NOGROUP the consumer group this client was blocked on no longer exists";
                return Err(Refusal::Text(text));
            }
            return Err(Refusal::Quoted(format!(
                "NOGROUP No such key '{}' or consumer group '{}' in XREADGROUP with GROUP option",
                quoted(name),
                quoted(group)
            )));
        }
        out.push(match *id {
            b">" => After::New,
            b"$" => {
                let text = "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of \
                            this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would \
                            just return an empty result set.";
                return Err(Refusal::Text(text));
            }
            // The highest id stands for new entries, too.
            id => match ids::strict(id, 0)? {
                StreamId::MAX => After::New,
                id => After::Own(id),
            },
        });
    }
    Ok(out)
}

/// The next entries of a stream that the group did not read.
fn unread(stream: &StreamValue, group: &Group, count: usize) -> Vec<StreamId> {
    let Some(cursor) = group.cursor() else { return Vec::new() };
    let Some(last) = stream.last_entry().filter(|last| *last > group.covered()) else { return Vec::new() };
    let Some(from) = group.covered().max(cursor.floor).next() else { return Vec::new() };
    let found: Vec<StreamId> =
        stream.from(from).map(|entry| entry.0).filter(|id| !cursor.covers(*id)).take(count).collect();
    if found.is_empty() {
        group.note_covered(last);
    }
    found
}

/// How the group's count of entries read goes on.
fn count_read(stream: &StreamValue, group: &Group, delivered: &[StreamId]) -> Read {
    let (mut read, mut by, mut last) = (group.read(), Some(0), group.last());
    for id in delivered.iter().copied() {
        // One that came late from another node is read all the same.
        let late = id <= last;
        last = last.max(id);
        if let Some(known) = read
            && (late || !stream.has_gap(id))
        {
            (read, by) = (Some(known.wrapping_add(1)), by.map(|by| by + 1));
        } else if stream.marks().added > 0 {
            (read, by) = (stream.added_upto(id), None);
        }
    }
    match by {
        Some(by) => Read::By(by),
        None => Read::To(read),
    }
}

/// Where the group is after these entries. A node without peers has one place for all.
fn advanced(cursor: &Cursor, delivered: &[StreamId], alone: bool) -> Cursor {
    let last = delivered.iter().copied().max().unwrap_or_default();
    let mut advance = Cursor::default();
    delivered.iter().for_each(|id| advance.raise(*id));
    let mut after = cursor.clone();
    after.join(&advance);
    if alone || after.slots.len() > SLOTS_MAX { Cursor::at(last.max(cursor.floor)) } else { advance }
}

fn deliver_new(
    unit: &mut Unit<'_>,
    key: &Key<'_>,
    (group, consumer): (&[u8], &[u8]),
    new: &[StreamId],
    noack: bool,
    reply: &mut Replies<'_>,
) -> Result<(), Refusal> {
    let (now_ms, alone) = (unit.now_ms(), unit.stream_slot().is_none());
    let Some((stream, known)) = unit.stream(key)?.and_then(|s| Some((s, s.group(group)?))) else {
        return Ok(());
    };
    reply.array(new.len());
    for id in new {
        if let Some(fields) = stream.get(*id) {
            ids::write_entry(reply, *id, &fields);
        }
    }
    let read = count_read(stream, known, new);
    let cursor = known.cursor().cloned().unwrap_or_default();
    let advance = Some(Advance { cursor: advanced(&cursor, new, alone), read });
    let entries: Vec<(StreamId, u64)> =
        if noack { Vec::new() } else { new.iter().map(|id| (*id, 1)).collect() };
    let entries = Deliveries::Slices(&entries);
    let deliver = Deliver { group, consumer, seen_ms: now_ms, advance, time_ms: now_ms, entries };
    emit(unit, key, StreamOp::Deliver(Box::new(deliver)));
    if let (Some(last), Some(group)) = (new.last(), unit.stream(key)?.and_then(|s| s.group(group)))
        && *last > group.covered()
    {
        group.note_covered(*last);
    }
    Ok(())
}

fn deliver_own(
    unit: &mut Unit<'_>,
    key: &Key<'_>,
    (group, consumer): (&[u8], &[u8]),
    after: StreamId,
    count: usize,
    reply: &mut Replies<'_>,
) -> Result<(), Refusal> {
    let now_ms = unit.now_ms();
    let Some((stream, known)) = unit.stream(key)?.and_then(|s| Some((s, s.group(group)?))) else {
        return Ok(());
    };
    let own = known.consumer(consumer);
    let pending: Vec<StreamId> = match (own, after.next()) {
        (Some(own), Some(from)) => own.pending().range(from..).copied().take(count).collect(),
        _ => Vec::new(),
    };
    reply.array(pending.len());
    let mut again = Vec::new();
    for id in &pending {
        match stream.get(*id) {
            Some(fields) => {
                ids::write_entry(reply, *id, &fields);
                again.push((*id, known.pending().get(id).map_or(1, |p| p.count.saturating_add(1))));
            }
            None => {
                reply.array(2);
                ids::write(reply, *id);
                reply.null_array();
            }
        }
    }
    match own {
        Some(own) if again.is_empty() => own.touch(now_ms),
        _ => {
            let entries = Deliveries::Slices(&again);
            let deliver =
                Deliver { group, consumer, seen_ms: now_ms, advance: None, time_ms: now_ms, entries };
            emit(unit, key, StreamOp::Deliver(Box::new(deliver)));
        }
    }
    Ok(())
}

pub fn xreadgroup(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let request = read::parse(args, true)?;
    let (group, consumer) = request.group.ok_or(Refusal::Syntax)?;
    let asked = check(unit, &request, group)?;
    let mut served = Vec::new();
    for (name, after) in request.names.iter().zip(asked) {
        let key = unit.key(name);
        let found = unit.stream(&key)?.and_then(|stream| Some((stream, stream.group(group)?)));
        let Some((stream, known)) = found else { continue };
        match after {
            After::Own(after) => served.push((key, Served::Own(after))),
            After::New => {
                let new = unread(stream, known, request.count);
                if !new.is_empty() {
                    served.push((key, Served::New(new)));
                }
            }
        }
    }
    if served.is_empty() {
        let keys: Vec<Key<'_>> = request.names.iter().map(|name| unit.key(name)).collect();
        let want = Want { kind: Kind::Stream, shares: true, going: true };
        match request.patience_ms {
            Some(patience_ms) if unit.block(&keys, want, patience_ms) => unit.note_waiting([].into()),
            _ => reply.null_array(),
        }
        return Ok(());
    }
    read::write_streams(reply, served.len());
    for (key, what) in served {
        read::write_stream(reply, key.bytes);
        match what {
            Served::New(new) => deliver_new(unit, &key, (group, consumer), &new, request.noack, reply)?,
            Served::Own(after) => {
                deliver_own(unit, &key, (group, consumer), after, request.count, reply)?;
            }
        }
    }
    Ok(())
}
