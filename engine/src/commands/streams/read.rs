//! XREAD, and the arguments that XREADGROUP shares with it.

use proto::resp::Replies;

use super::{ids, range};
use crate::commands::args::{self, is};
use crate::core::{Key, Unit};
use crate::refusal::Refusal;
use crate::state::stream::{StreamId, StreamValue};
use crate::state::value::Kind;
use crate::state::waiters::Want;

/// What is asked for.
pub(super) struct Request<'s, 'a> {
    /// Waits for so long, ms; for ever when `None`. The outer `None`: it does not wait.
    pub patience_ms: Option<Option<u64>>,
    /// So many entries of each stream.
    pub count: usize,
    pub noack: bool,
    /// Group and consumer.
    pub group: Option<(&'a [u8], &'a [u8])>,
    pub names: &'s [&'a [u8]],
    pub ids: &'s [&'a [u8]],
}

/// Reads the arguments of XREAD, or of XREADGROUP.
pub(super) fn parse<'s, 'a>(args: &'s [&'a [u8]], grouped: bool) -> Result<Request<'s, 'a>, Refusal> {
    let (mut patience_ms, mut count, mut noack, mut group) = (None, usize::MAX, false, None);
    let mut rest = &args[1..];
    while let [word, tail @ ..] = rest {
        rest = match tail {
            [patience, tail @ ..] if is(word, "block") => {
                patience_ms = Some(args::patience_ms(patience)?);
                tail
            }
            [number, tail @ ..] if is(word, "count") => {
                count = match usize::try_from(args::integer(number)?) {
                    Ok(0) | Err(_) => usize::MAX,
                    Ok(count) => count,
                };
                tail
            }
            [name, consumer, tail @ ..] if is(word, "group") => {
                if !grouped {
                    let text =
                        "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.";
                    return Err(Refusal::Text(text));
                }
                group = Some((*name, *consumer));
                tail
            }
            tail if is(word, "noack") => {
                if !grouped {
                    let text =
                        "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.";
                    return Err(Refusal::Text(text));
                }
                noack = true;
                tail
            }
            [_, ..] if is(word, "streams") => {
                if tail.len() % 2 == 1 {
                    let text = "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.";
                    return Err(Refusal::Text(text));
                }
                if grouped && group.is_none() {
                    return Err(Refusal::Text("ERR Missing GROUP option for XREADGROUP"));
                }
                let (names, ids) = tail.split_at(tail.len() / 2);
                return Ok(Request { patience_ms, count, noack, group, names, ids });
            }
            _ => return Err(Refusal::Syntax),
        };
    }
    Err(Refusal::Syntax)
}

/// After which id each stream is read. A client that waited goes on from where it began.
fn after(unit: &mut Unit<'_>, request: &Request<'_, '_>) -> Result<Vec<StreamId>, Refusal> {
    let noted: Option<Vec<StreamId>> = unit
        .waited_with()
        .map(|words| words.chunks_exact(2).map(|pair| StreamId::new(pair[0], pair[1])).collect());
    let mut out = Vec::with_capacity(request.ids.len());
    for (name, id) in request.names.iter().zip(request.ids) {
        let key = unit.key(name);
        let stream = match (&noted, unit.stream(&key)) {
            // Whatever became of the key meanwhile, it may become a stream again.
            (Some(_), Err(_)) => None,
            (_, stream) => stream?,
        };
        out.push(match *id {
            b"$" => stream.map(StreamValue::last_id).unwrap_or_default(),
            b">" => {
                let text = "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> \
                            <consumer> option.";
                return Err(Refusal::Text(text));
            }
            id => ids::strict(id, 0)?,
        });
    }
    Ok(noted.filter(|noted| noted.len() == out.len()).unwrap_or(out))
}

/// Begins the reply for so many streams.
pub(super) fn write_streams(reply: &mut Replies<'_>, count: usize) {
    if reply.is_resp3() { reply.map(count) } else { reply.array(count) }
}

/// Begins the part of one stream.
pub(super) fn write_stream(reply: &mut Replies<'_>, name: &[u8]) {
    if !reply.is_resp3() {
        reply.array(2);
    }
    reply.bulk(name);
}

pub fn xread(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let request = parse(args, false)?;
    let after = after(unit, &request)?;
    let mut has_more = Vec::with_capacity(after.len());
    for (name, after) in request.names.iter().zip(&after) {
        let key = unit.key(name);
        let last = unit.stream(&key).ok().flatten().and_then(StreamValue::last_entry);
        has_more.push(last.is_some_and(|last| last > *after));
    }
    let served = has_more.iter().filter(|more| **more).count();
    if served == 0 {
        let keys: Vec<Key<'_>> = request.names.iter().map(|name| unit.key(name)).collect();
        let want = Want { kind: Kind::Stream, shares: true, going: false };
        match request.patience_ms {
            Some(patience_ms) if unit.block(&keys, want, patience_ms) => {
                unit.note_waiting(after.iter().flat_map(|id| [id.ms, id.seq]).collect());
            }
            _ => reply.null_array(),
        }
        return Ok(());
    }
    write_streams(reply, served);
    for ((name, after), more) in request.names.iter().zip(&after).zip(has_more) {
        if !more {
            continue;
        }
        let key = unit.key(name);
        if let (Some(from), Some(stream)) = (after.next(), unit.stream(&key)?) {
            write_stream(reply, name);
            range::write(reply, &stream.from(from).take(request.count).collect::<Vec<_>>());
        }
    }
    Ok(())
}
