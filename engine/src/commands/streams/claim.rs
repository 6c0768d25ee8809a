//! XCLAIM, XAUTOCLAIM.

use proto::resp::Replies;

use super::{emit, ids, quoted, stream_and_group};
use crate::commands::args::{self, is};
use crate::core::{Key, Unit};
use crate::effect::StreamOp;
use crate::effect::streams::{Advance, Deliver, Deliveries, Ids, Read};
use crate::number::parse_i64;
use crate::refusal::Refusal;
use crate::state::stream::{Cursor, Fields, Head, Pending, StreamId};

/// XAUTOCLAIM looks at so many pending entries for each that it may claim.
const ATTEMPTS: usize = 10;

/// What is asked of a claim besides its ids.
#[derive(Default)]
struct Options {
    force: bool,
    just_id: bool,
    time_ms: Option<i64>,
    count: Option<i64>,
    last: StreamId,
}

fn number(arg: &[u8], refused: &'static str) -> Result<i64, Refusal> {
    parse_i64(arg).ok_or(Refusal::Text(refused))
}

fn options(mut rest: &[&[u8]], now_ms: i64) -> Result<Options, Refusal> {
    let mut options = Options::default();
    while let [word, tail @ ..] = rest {
        rest = match tail {
            tail if is(word, "force") => {
                options.force = true;
                tail
            }
            tail if is(word, "justid") => {
                options.just_id = true;
                tail
            }
            [value, tail @ ..] if is(word, "idle") => {
                let idle_ms = number(value, "ERR Invalid IDLE option argument for XCLAIM")?;
                options.time_ms = Some(now_ms.saturating_sub(idle_ms));
                tail
            }
            [value, tail @ ..] if is(word, "time") => {
                options.time_ms = Some(number(value, "ERR Invalid TIME option argument for XCLAIM")?);
                tail
            }
            [value, tail @ ..] if is(word, "retrycount") => {
                options.count = Some(number(value, "ERR Invalid RETRYCOUNT option argument for XCLAIM")?);
                tail
            }
            [value, tail @ ..] if is(word, "lastid") => {
                options.last = ids::strict(value, 0)?;
                tail
            }
            _ => {
                return Err(Refusal::Quoted(format!("ERR Unrecognized XCLAIM option '{}'", quoted(word))));
            }
        };
    }
    Ok(options)
}

fn is_idle(pending: &Pending, idle_ms: i64, now_ms: i64) -> bool {
    idle_ms <= 0 || now_ms - pending.time_ms as i64 >= idle_ms
}

/// Emits what a claim came to.
fn emit_claims<'a>(
    unit: &mut Unit<'_>,
    key: &Key<'_>,
    mut deliver: Deliver<'a>,
    claimed: &'a [(StreamId, u64)],
    gone: &[StreamId],
    head: Option<&Head>,
) {
    let group = deliver.group;
    if !claimed.is_empty() {
        deliver.entries = Deliveries::Slices(claimed);
        emit(unit, key, StreamOp::Deliver(Box::new(deliver)));
    } else if let (Some(advance), Some(head)) = (deliver.advance, head) {
        // Nothing was claimed, so the consumer is not known for it; the group is where it was told to be.
        let mut head = Box::new(head.clone());
        head.cursor.join(&advance.cursor);
        emit(unit, key, StreamOp::GroupSet { group, head, fresh: false });
    }
    if !gone.is_empty() {
        // Nobody can work on what is not there any more.
        emit(unit, key, StreamOp::Ack { group, ids: Ids::Slices(gone) });
    }
}

fn write_claimed(reply: &mut Replies<'_>, claimed: &[(StreamId, Fields<'_>)], just_id: bool) {
    reply.array(claimed.len());
    for (id, fields) in claimed {
        if just_id {
            ids::write(reply, *id);
        } else {
            ids::write_entry(reply, *id, fields);
        }
    }
}

pub fn xclaim(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (key, name, consumer) = (unit.key(args[1]), args[2], args[3]);
    let (now_ms, alone) = (unit.now_ms() as i64, unit.stream_slot().is_none());
    let (stream, group) = stream_and_group(unit, &key, name)?;
    let idle_ms = number(args[4], "ERR Invalid min-idle-time argument for XCLAIM")?;
    let asked: Vec<StreamId> = args[5..].iter().map_while(|arg| ids::strict(arg, 0).ok()).collect();
    let options = options(&args[5 + asked.len()..], now_ms)?;
    // A moment that makes no sense is now.
    let time_ms = options.time_ms.filter(|ms| (0..=now_ms).contains(ms)).unwrap_or(now_ms);
    let advance = (options.last > group.last()).then(|| {
        let mut cursor = Cursor::default();
        cursor.raise(options.last);
        let cursor = if alone { Cursor::at(options.last) } else { cursor };
        Advance { cursor, read: Read::By(0) }
    });
    let (mut claimed, mut shown, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for id in &asked {
        let known = group.pending().get(id).filter(|_| !gone.contains(id));
        let Some(fields) = stream.get(*id) else {
            if known.is_some() {
                gone.push(*id);
            }
            continue;
        };
        // Named before in this command: it is this consumer's by now.
        let before = claimed.iter().rposition(|(earlier, _)| earlier == id);
        let count = match (before, known) {
            (Some(before), _) if idle_ms <= 0 || now_ms - time_ms >= idle_ms => claimed.remove(before).1,
            (None, Some(pending)) if is_idle(pending, idle_ms, now_ms) => pending.count,
            (None, None) if options.force => 1,
            _ => continue,
        };
        let count = match options.count.and_then(|count| u64::try_from(count).ok()) {
            Some(count) => count,
            None if options.just_id => count,
            None => count.saturating_add(1),
        };
        claimed.push((*id, count));
        shown.push((*id, fields));
    }
    write_claimed(reply, &shown, options.just_id);
    if let Some(there) = group.consumer(consumer) {
        there.touch(now_ms as u64);
    }
    let head = group.head().cloned();
    let deliver = Deliver {
        group: name,
        consumer,
        seen_ms: now_ms as u64,
        advance,
        time_ms: time_ms as u64,
        entries: Deliveries::Slices(&[]),
    };
    emit_claims(unit, &key, deliver, &claimed, &gone, head.as_ref());
    Ok(())
}

pub fn xautoclaim(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let idle_ms = number(args[4], "ERR Invalid min-idle-time argument for XAUTOCLAIM")?;
    let from = ids::start(args[5])?;
    let (mut count, mut just_id) = (100, false);
    let mut rest = &args[6..];
    while let [word, tail @ ..] = rest {
        rest = match tail {
            [number, tail @ ..] if is(word, "count") => {
                const MOST: i64 = i64::MAX / 16;
                let wrong = Refusal::Text("ERR COUNT must be > 0");
                let number = args::integer(number).map_err(|_| wrong.clone())?;
                if !(1..=MOST).contains(&number) {
                    return Err(wrong);
                }
                count = number as usize;
                tail
            }
            tail if is(word, "justid") => {
                just_id = true;
                tail
            }
            _ => return Err(Refusal::Syntax),
        };
    }
    let (key, name, consumer) = (unit.key(args[1]), args[2], args[3]);
    let now_ms = unit.now_ms() as i64;
    let (stream, group) = stream_and_group(unit, &key, name)?;
    let mut pending = group.pending().range(from..);
    let (mut claimed, mut shown, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    let mut attempts = count.saturating_mul(ATTEMPTS);
    while attempts > 0 && claimed.len() + gone.len() < count {
        attempts -= 1;
        let Some((id, known)) = pending.next() else { break };
        match stream.get(*id) {
            None => gone.push(*id),
            Some(fields) if is_idle(known, idle_ms, now_ms) => {
                claimed.push((*id, known.count.saturating_add(u64::from(!just_id))));
                shown.push((*id, fields));
            }
            Some(_) => {}
        }
    }
    reply.array(3);
    ids::write(reply, pending.next().map(|(id, _)| *id).unwrap_or_default());
    write_claimed(reply, &shown, just_id);
    reply.array(gone.len());
    gone.iter().for_each(|id| ids::write(reply, *id));
    if let Some(there) = group.consumer(consumer) {
        there.touch(now_ms as u64);
    }
    let (seen_ms, entries) = (now_ms as u64, Deliveries::Slices(&[]));
    let deliver = Deliver { group: name, consumer, seen_ms, advance: None, time_ms: seen_ms, entries };
    emit_claims(unit, &key, deliver, &claimed, &gone, None);
    Ok(())
}
