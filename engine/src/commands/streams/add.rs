//! XADD, XDEL, XLEN, XSETID.

use proto::resp::Replies;

use super::{emit, ids, trim};
use crate::commands::args::{self, is};
use crate::core::Unit;
use crate::effect::streams::Ids;
use crate::effect::{Members, StreamOp};
use crate::refusal::Refusal;
use crate::state::stream::{Marks, StreamId, StreamValue};

/// An entry is not bigger, bytes.
const ENTRY_MAX: usize = 1 << 30;

const NOT_ABOVE: Refusal =
    Refusal::Text("ERR The ID specified in XADD is equal or smaller than the target stream top item");

/// What a client says of the new entry's id.
enum NewId {
    Auto,
    /// Milliseconds are given.
    At(u64),
    Given(StreamId),
}

/// The new entry's id: above the last. Ids that are chosen on nodes with peers never meet, see [`StreamId::slot`].
fn choose(unit: &mut Unit<'_>, wanted: &NewId, last: StreamId) -> Result<StreamId, Refusal> {
    let slot = unit.stream_slot();
    let after = |ms| StreamId::seq_after(last.seq, slot).map(|seq| StreamId::new(ms, seq));
    match *wanted {
        NewId::Given(id) => (id > last).then_some(id).ok_or(NOT_ABOVE),
        NewId::At(ms) if ms == last.ms => after(ms).ok_or(NOT_ABOVE),
        NewId::At(ms) if ms > last.ms => Ok(StreamId::new(ms, StreamId::first_seq(slot))),
        NewId::At(_) => Err(NOT_ABOVE),
        NewId::Auto => {
            let now_ms = if slot.is_some() { unit.effects_ms() } else { unit.now_ms() };
            if now_ms > last.ms {
                return Ok(StreamId::new(now_ms, StreamId::first_seq(slot)));
            }
            let next_ms = || last.ms.checked_add(1).map(|ms| StreamId::new(ms, StreamId::first_seq(slot)));
            after(last.ms).or_else(next_ms).ok_or(NOT_ABOVE)
        }
    }
}

pub fn xadd(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (mut options, mut only_existing, mut at) = (trim::Options::default(), false, 2);
    let wanted = loop {
        let Some(word) = args.get(at) else { break NewId::Auto };
        if *word == b"*" {
            break NewId::Auto;
        }
        match options.take(&args[at..])? {
            0 if is(word, "nomkstream") => (only_existing, at) = (true, at + 1),
            0 => match ids::of_new(word)? {
                (ms, None) => break NewId::At(ms),
                (ms, Some(seq)) => break NewId::Given(StreamId::new(ms, seq)),
            },
            words => at += words,
        }
    };
    let trim = options.finish(true)?;
    let fields = args.get(at + 1..).unwrap_or_default();
    if fields.len() < 2 || fields.len() % 2 == 1 {
        return Err(Refusal::Arity("xadd".into()));
    }
    if matches!(wanted, NewId::Given(StreamId::MIN)) {
        return Err(Refusal::Text("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let key = unit.key(args[1]);
    let stream = unit.stream(&key)?;
    if stream.is_none() && only_existing {
        reply.null();
        return Ok(());
    }
    let last = stream.map(StreamValue::last_id).unwrap_or_default();
    if last == StreamId::MAX {
        let text = "ERR The stream has exhausted the last possible ID, unable to add more items";
        return Err(Refusal::Text(text));
    }
    let id = choose(unit, &wanted, last)?;
    let bytes: usize = fields.iter().map(|part| part.len()).sum();
    if bytes > ENTRY_MAX {
        return Err(Refusal::Text("ERR Elements are too large to be stored"));
    }
    let upto = match trim {
        None => StreamId::MIN,
        Some(trim) => {
            let planned = match unit.stream(&key)? {
                Some(stream) => stream.plan_trim(trim.to, trim.whole, trim.limit, Some((id, bytes))),
                None => StreamValue::default().plan_trim(trim.to, trim.whole, trim.limit, Some((id, bytes))),
            };
            planned.map_or(StreamId::MIN, |(_, upto)| upto)
        }
    };
    emit(unit, &key, StreamOp::Add { id, fields: Members::Slices(fields), upto });
    ids::write(reply, id);
    Ok(())
}

pub fn xdel(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let mut gone = Vec::new();
    if let Some(stream) = unit.stream(&key)? {
        gone = ids::all(&args[2..])?;
        gone.retain(|id| stream.contains(*id));
        gone.sort_unstable();
        gone.dedup();
    }
    if !gone.is_empty() {
        emit(unit, &key, StreamOp::Remove(Ids::Slices(&gone)));
    }
    reply.integer(gone.len() as i64);
    Ok(())
}

pub fn xlen(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    reply.integer(unit.stream(&key)?.map_or(0, |stream| stream.len() as i64));
    Ok(())
}

pub fn xsetid(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let id = ids::strict(args[2], 0)?;
    let (mut added, mut deleted) = (None, StreamId::MIN);
    let mut rest = &args[3..];
    while let [word, value, tail @ ..] = rest {
        if is(word, "entriesadded") {
            let refused = Refusal::Text("ERR entries_added must be positive");
            added = Some(u64::try_from(args::integer(value)?).map_err(|_| refused)?);
        } else if is(word, "maxdeletedid") {
            deleted = ids::strict(value, 0)?;
            if id < deleted {
                let text = "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id";
                return Err(Refusal::Text(text));
            }
        } else {
            return Err(Refusal::Syntax);
        }
        rest = tail;
    }
    if !rest.is_empty() {
        return Err(Refusal::Syntax);
    }
    let key = unit.key(args[1]);
    let stream = unit.stream(&key)?.ok_or(Refusal::NoSuchKey)?;
    let marks = *stream.marks();
    if stream.last_entry().is_some_and(|top| id < top) {
        let text = "ERR The ID specified in XSETID is smaller than the target stream top item";
        return Err(Refusal::Text(text));
    }
    if !stream.is_empty() && added.is_some_and(|added| added < stream.len() as u64) {
        let text = "ERR The entries_added specified in XSETID is smaller than the target stream length";
        return Err(Refusal::Text(text));
    }
    let deleted = if deleted == StreamId::MIN { marks.deleted } else { deleted };
    let marks = Marks { last: id, added: added.unwrap_or(marks.added), deleted, made: true };
    emit(unit, &key, StreamOp::Set(marks));
    reply.ok();
    Ok(())
}
