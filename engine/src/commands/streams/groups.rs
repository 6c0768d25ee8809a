//! XGROUP.

use proto::resp::Replies;

use super::{emit, ids, quoted};
use crate::commands::args::{self, is};
use crate::commands::help;
use crate::core::{Key, Unit};
use crate::effect::StreamOp;
use crate::effect::streams::{Deliver, Deliveries, Ids};
use crate::refusal::Refusal;
use crate::session::Call;
use crate::state::stream::{Cursor, Group, Head, StreamId, StreamValue};

const NO_KEY: Refusal = Refusal::Text(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option \
     to create an empty stream automatically.",
);

/// Options behind the id of CREATE and SETID.
#[derive(Default)]
struct Options {
    make_stream: bool,
    read: Option<u64>,
}

fn refused(subcommand: &[u8]) -> Refusal {
    Refusal::Quoted(format!(
        "ERR unknown subcommand or wrong number of arguments for '{}'. Try XGROUP HELP.",
        quoted(subcommand)
    ))
}

fn options(args: &[&[u8]], may_make: bool) -> Result<Options, Refusal> {
    let mut options = Options::default();
    let mut rest = &args[5..];
    while let [word, tail @ ..] = rest {
        rest = match tail {
            tail if may_make && is(word, "mkstream") => {
                options.make_stream = true;
                tail
            }
            [number, tail @ ..] if is(word, "entriesread") => {
                let number = args::integer(number)?;
                if number < -1 {
                    return Err(Refusal::Text("ERR value for ENTRIESREAD must be positive or -1"));
                }
                options.read = u64::try_from(number).ok();
                tail
            }
            _ => return Err(refused(args[1])),
        };
    }
    Ok(options)
}

/// A stream's group; both must exist.
fn group_of<'u>(
    unit: &'u mut Unit<'_>,
    key: &Key<'_>,
    group: &[u8],
) -> Result<(&'u StreamValue, &'u Group), Refusal> {
    let name = key.bytes;
    let stream = unit.stream(key)?.ok_or(NO_KEY)?;
    let found = stream.group(group).map(|group| (stream, group));
    found.ok_or_else(|| no_group(name, group))
}

/// A group that a stream does not have.
pub(super) fn no_group(key: &[u8], group: &[u8]) -> Refusal {
    let (key, group) = (quoted(key), quoted(group));
    Refusal::Quoted(format!("NOGROUP No such consumer group '{group}' for key name '{key}'"))
}

pub fn xgroup_create(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let options = options(args, true)?;
    let (key, group) = (unit.key(args[2]), args[3]);
    let stream = unit.stream(&key)?;
    if stream.is_none() && !options.make_stream {
        return Err(NO_KEY);
    }
    // Each option once.
    if args.len() > 8 {
        return Err(refused(args[1]));
    }
    let floor = match args[4] {
        b"$" => stream.map(StreamValue::last_id).unwrap_or_default(),
        id => ids::strict(id, 0)?,
    };
    if stream.is_some_and(|stream| stream.group(group).is_some()) {
        return Err(Refusal::Text("BUSYGROUP Consumer Group name already exists"));
    }
    let head = Head { cursor: Cursor::at(floor), read: options.read, made: true };
    emit(unit, &key, StreamOp::GroupSet { group, head: Box::new(head), fresh: true });
    reply.ok();
    Ok(())
}

pub fn xgroup_setid(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let options = options(args, false)?;
    let (key, group) = (unit.key(args[2]), args[3]);
    let (stream, _) = group_of(unit, &key, group)?;
    if !matches!(args.len(), 5 | 7) {
        return Err(refused(args[1]));
    }
    let floor = match args[4] {
        b"$" => stream.last_id(),
        id => ids::any(id, 0)?,
    };
    let head = Head { cursor: Cursor::at(floor), read: options.read, made: true };
    emit(unit, &key, StreamOp::GroupSet { group, head: Box::new(head), fresh: false });
    reply.ok();
    Ok(())
}

pub fn xgroup_destroy(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (key, group) = (unit.key(args[2]), args[3]);
    let there = unit.stream(&key)?.ok_or(NO_KEY)?.group(group).is_some();
    if there {
        emit(unit, &key, StreamOp::GroupDrop { group });
    }
    reply.integer(i64::from(there));
    Ok(())
}

pub fn xgroup_createconsumer(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    reply: &mut Replies<'_>,
) -> Result<(), Refusal> {
    let (key, group, consumer) = (unit.key(args[2]), args[3], args[4]);
    let now_ms = unit.now_ms();
    let there = group_of(unit, &key, group)?.1.consumer(consumer).is_some();
    if !there {
        let entries = Deliveries::Slices(&[]);
        let deliver = Deliver { group, consumer, seen_ms: now_ms, advance: None, time_ms: now_ms, entries };
        emit(unit, &key, StreamOp::Deliver(Box::new(deliver)));
    }
    reply.integer(i64::from(!there));
    Ok(())
}

pub fn xgroup_delconsumer(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    reply: &mut Replies<'_>,
) -> Result<(), Refusal> {
    let (key, group, consumer) = (unit.key(args[2]), args[3], args[4]);
    let pending: Option<Vec<StreamId>> =
        group_of(unit, &key, group)?.1.consumer(consumer).map(|c| c.pending().iter().copied().collect());
    if let Some(pending) = &pending {
        emit(unit, &key, StreamOp::ConsumerDrop { group, consumer, ids: Ids::Slices(pending) });
    }
    reply.integer(pending.map_or(0, |pending| pending.len() as i64));
    Ok(())
}

pub fn xgroup_help(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    help::answer(
        reply,
        "XGROUP",
        &[
            "CREATE <key> <groupname> <id|$> [option]",
            "    Create a new consumer group. Options are:",
            "    * MKSTREAM",
            "      Create the empty stream if it does not exist.",
            "    * ENTRIESREAD entries_read",
            "      Set the group's entries_read counter (internal use).",
            "CREATECONSUMER <key> <groupname> <consumer>",
            "    Create a new consumer in the specified group.",
            "DELCONSUMER <key> <groupname> <consumer>",
            "    Remove the specified consumer.",
            "DESTROY <key> <groupname>",
            "    Remove the specified group.",
            "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
            "    Set the current group ID and entries_read counter.",
        ],
    );
    Ok(())
}
