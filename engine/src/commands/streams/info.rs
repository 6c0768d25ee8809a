//! XINFO.

use proto::resp::Replies;

use super::groups::no_group;
use super::{ids, quoted, range};
use crate::commands::args::{self, is};
use crate::commands::help;
use crate::core::{Key, Unit};
use crate::refusal::Refusal;
use crate::session::Call;
use crate::state::stream::{Group, StreamId, StreamValue};

/// Entries that FULL tells when nothing is said.
const FULL_ENTRIES: usize = 10;

fn existing<'u>(unit: &'u mut Unit<'_>, key: &Key<'_>) -> Result<&'u StreamValue, Refusal> {
    unit.stream(key)?.ok_or(Refusal::NoSuchKey)
}

/// How many entries a group has not read; `None` when that cannot be told.
fn lag(stream: &StreamValue, group: &Group) -> Option<i64> {
    let added = stream.marks().added;
    if added == 0 {
        return Some(0);
    }
    let counted = group.read().filter(|_| !stream.has_gap(group.last()));
    counted.or_else(|| stream.added_upto(group.last())).map(|read| added.wrapping_sub(read) as i64)
}

fn known(reply: &mut Replies<'_>, number: Option<i64>) {
    match number {
        Some(number) => reply.integer(number),
        None => reply.null(),
    }
}

fn position(reply: &mut Replies<'_>, stream: &StreamValue, group: &Group) {
    reply.bulk(b"last-delivered-id");
    ids::write(reply, group.last());
    reply.bulk(b"entries-read");
    known(reply, group.read().map(|read| read as i64));
    reply.bulk(b"lag");
    known(reply, lag(stream, group));
}

fn number(reply: &mut Replies<'_>, name: &str, number: usize) {
    reply.bulk(name.as_bytes());
    reply.integer(number as i64);
}

pub fn xinfo_groups(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[2]);
    let stream = existing(unit, &key)?;
    reply.array(stream.groups().count());
    for (name, group) in stream.groups() {
        reply.map(6);
        reply.bulk(b"name");
        reply.bulk(name);
        number(reply, "consumers", group.consumers().len());
        number(reply, "pending", group.pending().len());
        position(reply, stream, group);
    }
    Ok(())
}

pub fn xinfo_consumers(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (key, now_ms) = (unit.key(args[2]), unit.now_ms());
    let group = existing(unit, &key)?.group(args[3]).ok_or_else(|| no_group(args[2], args[3]))?;
    reply.array(group.consumers().len());
    for (name, consumer) in group.consumers() {
        reply.map(3);
        reply.bulk(b"name");
        reply.bulk(name);
        number(reply, "pending", consumer.pending().len());
        number(reply, "idle", now_ms.saturating_sub(consumer.seen_ms()) as usize);
    }
    Ok(())
}

/// `None`: the short form. Else how many of everything are told.
fn full(args: &[&[u8]]) -> Result<Option<usize>, Refusal> {
    let refused = || {
        Refusal::Quoted(format!(
            "ERR unknown subcommand or wrong number of arguments for '{}'. Try XINFO HELP.",
            quoted(args[1])
        ))
    };
    match args[3..] {
        [] => Ok(None),
        [word] if is(word, "full") => Ok(Some(FULL_ENTRIES)),
        [word, count, number] if is(word, "full") && is(count, "count") => {
            let count = args::integer(number)?;
            Ok(Some(match usize::try_from(count) {
                Ok(0) => usize::MAX,
                Ok(count) => count,
                Err(_) => FULL_ENTRIES,
            }))
        }
        _ => Err(refused()),
    }
}

pub fn xinfo_stream(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[2]);
    let stream = existing(unit, &key)?;
    let full = full(args)?;
    let marks = stream.marks();
    reply.map(if full.is_some() { 9 } else { 10 });
    number(reply, "length", stream.len());
    number(reply, "radix-tree-keys", stream.chunks());
    number(reply, "radix-tree-nodes", stream.chunks() + 1);
    for (name, id) in [("last-generated-id", marks.last), ("max-deleted-entry-id", marks.deleted)] {
        reply.bulk(name.as_bytes());
        ids::write(reply, id);
    }
    number(reply, "entries-added", marks.added as usize);
    reply.bulk(b"recorded-first-entry-id");
    ids::write(reply, stream.first_entry().unwrap_or_default());
    if let Some(count) = full {
        reply.bulk(b"entries");
        range::write(reply, &stream.entries().take(count).collect::<Vec<_>>());
        reply.bulk(b"groups");
        reply.array(stream.groups().count());
        stream.groups().for_each(|(name, group)| write_group(reply, stream, name, group, count));
        return Ok(());
    }
    number(reply, "groups", stream.groups().count());
    let edge = |reply: &mut Replies<'_>, name: &str, id: Option<StreamId>| {
        reply.bulk(name.as_bytes());
        match id.and_then(|id| Some((id, stream.get(id)?))) {
            Some((id, fields)) => ids::write_entry(reply, id, &fields),
            None => reply.null(),
        }
    };
    edge(reply, "first-entry", stream.first_entry());
    edge(reply, "last-entry", stream.last_entry());
    Ok(())
}

fn write_group(reply: &mut Replies<'_>, stream: &StreamValue, name: &[u8], group: &Group, count: usize) {
    reply.map(7);
    reply.bulk(b"name");
    reply.bulk(name);
    position(reply, stream, group);
    number(reply, "pel-count", group.pending().len());
    reply.bulk(b"pending");
    reply.array(group.pending().len().min(count));
    for (id, pending) in group.pending().iter().take(count) {
        reply.array(4);
        ids::write(reply, *id);
        reply.bulk(&pending.owner);
        reply.integer(pending.time_ms as i64);
        reply.integer(pending.count as i64);
    }
    reply.bulk(b"consumers");
    reply.array(group.consumers().len());
    for (name, consumer) in group.consumers() {
        reply.map(4);
        reply.bulk(b"name");
        reply.bulk(name);
        number(reply, "seen-time", consumer.seen_ms() as usize);
        number(reply, "pel-count", consumer.pending().len());
        reply.bulk(b"pending");
        reply.array(consumer.pending().len().min(count));
        for id in consumer.pending().iter().take(count) {
            let pending = group.pending().get(id);
            reply.array(3);
            ids::write(reply, *id);
            reply.integer(pending.map_or(0, |pending| pending.time_ms as i64));
            reply.integer(pending.map_or(0, |pending| pending.count as i64));
        }
    }
}

pub fn xinfo_help(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    help::answer(
        reply,
        "XINFO",
        &[
            "CONSUMERS <key> <groupname>",
            "    Show consumers of <groupname>.",
            "GROUPS <key>",
            "    Show the stream consumer groups.",
            "STREAM <key> [FULL [COUNT <count>]",
            "    Show information about the stream.",
        ],
    );
    Ok(())
}
