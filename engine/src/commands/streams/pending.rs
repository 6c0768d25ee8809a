//! XACK, XPENDING.

use proto::resp::Replies;

use super::{emit, ids, stream_and_group};
use crate::commands::args::{self, is};
use crate::core::Unit;
use crate::effect::StreamOp;
use crate::effect::streams::Ids;
use crate::refusal::Refusal;
use crate::state::stream::{Group, Pending, StreamId};

pub fn xack(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (key, group) = (unit.key(args[1]), args[2]);
    let Some(known) = unit.stream(&key)?.and_then(|stream| stream.group(group)) else {
        reply.integer(0);
        return Ok(());
    };
    let mut done = ids::all(&args[3..])?;
    done.retain(|id| known.pending().contains_key(id));
    done.sort_unstable();
    done.dedup();
    if !done.is_empty() {
        emit(unit, &key, StreamOp::Ack { group, ids: Ids::Slices(&done) });
    }
    reply.integer(done.len() as i64);
    Ok(())
}

/// The long form's arguments.
struct Asked<'a> {
    idle_ms: i64,
    from: StreamId,
    to: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

fn parse<'a>(args: &[&'a [u8]]) -> Result<Asked<'a>, Refusal> {
    let (mut idle_ms, mut rest) = (0, &args[3..]);
    if is(rest[0], "idle") {
        idle_ms = args::integer(rest[1])?;
        rest = &rest[2..];
        if rest.len() < 3 {
            return Err(Refusal::Syntax);
        }
    }
    let count = usize::try_from(args::integer(rest[2])?).unwrap_or(0);
    let (from, to) = (ids::start(rest[0])?, ids::end(rest[1])?);
    Ok(Asked { idle_ms, from, to, count, consumer: rest.get(3).copied() })
}

pub fn xpending(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    if args.len() != 3 && !(6..=9).contains(&args.len()) {
        return Err(Refusal::Syntax);
    }
    let asked = if args.len() == 3 { None } else { Some(parse(args)?) };
    let (key, now_ms) = (unit.key(args[1]), unit.now_ms());
    let (_, group) = stream_and_group(unit, &key, args[2])?;
    match asked {
        None => summary(group, reply),
        Some(asked) => list(group, &asked, now_ms, reply),
    }
    Ok(())
}

fn summary(group: &Group, reply: &mut Replies<'_>) {
    let pending = group.pending();
    reply.array(4);
    reply.integer(pending.len() as i64);
    let (Some((first, _)), Some((last, _))) = (pending.first_key_value(), pending.last_key_value()) else {
        reply.null();
        reply.null();
        return reply.null_array();
    };
    ids::write(reply, *first);
    ids::write(reply, *last);
    let owners = || group.consumers().filter(|(_, consumer)| !consumer.pending().is_empty());
    reply.array(owners().count());
    for (name, consumer) in owners() {
        reply.array(2);
        reply.bulk(name);
        reply.bulk_integer(consumer.pending().len() as i64);
    }
}

fn list(group: &Group, asked: &Asked<'_>, now_ms: u64, reply: &mut Replies<'_>) {
    let idle = |pending: &Pending| now_ms as i64 - pending.time_ms as i64;
    let fits = |pending: &Pending| asked.idle_ms == 0 || idle(pending) >= asked.idle_ms;
    let range = if asked.from <= asked.to { asked.from..=asked.to } else { StreamId::MAX..=StreamId::MAX };
    let found: Vec<(StreamId, &Pending)> = match asked.consumer {
        _ if asked.from > asked.to => Vec::new(),
        None => {
            let all = group.pending().range(range).map(|(id, pending)| (*id, pending));
            all.filter(|(_, pending)| fits(pending)).take(asked.count).collect()
        }
        Some(name) => {
            let own = group.consumer(name).into_iter().flat_map(|own| own.pending().range(range.clone()));
            let own = own.filter_map(|id| Some((*id, group.pending().get(id)?)));
            own.filter(|(_, pending)| fits(pending)).take(asked.count).collect()
        }
    };
    reply.array(found.len());
    for (id, pending) in found {
        reply.array(4);
        ids::write(reply, id);
        reply.bulk(&pending.owner);
        reply.integer(idle(pending).max(0));
        reply.integer(pending.count as i64);
    }
}
