//! XRANGE, XREVRANGE.

use proto::resp::Replies;

use super::ids;
use crate::commands::args::{self, is};
use crate::core::Unit;
use crate::refusal::Refusal;
use crate::state::stream::{Fields, StreamId};

/// Writes entries collected before.
pub(super) fn write(reply: &mut Replies<'_>, found: &[(StreamId, Fields<'_>)]) {
    reply.array(found.len());
    found.iter().for_each(|(id, fields)| ids::write_entry(reply, *id, fields));
}

fn range(unit: &mut Unit<'_>, args: &[&[u8]], back: bool, reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (from, to) = if back { (args[3], args[2]) } else { (args[2], args[3]) };
    let (from, to) = (ids::start(from)?, ids::end(to)?);
    let mut count = None;
    let mut rest = &args[4..];
    while let [word, tail @ ..] = rest {
        let (true, [number, tail @ ..]) = (is(word, "count"), tail) else { return Err(Refusal::Syntax) };
        count = Some(args::integer(number)?);
        rest = tail;
    }
    let most = count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(0));
    let key = unit.key(args[1]);
    let Some(stream) = unit.stream(&key)? else {
        reply.array(0);
        return Ok(());
    };
    if most == 0 {
        reply.null_array();
        return Ok(());
    }
    let mut found = Vec::new();
    if back {
        stream.walk_back(from, to, &mut |id, fields| {
            found.push((id, fields));
            found.len() < most
        });
    } else {
        found.extend(stream.from(from).take_while(|entry| entry.0 <= to).take(most));
    }
    write(reply, &found);
    Ok(())
}

pub fn xrange(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    range(unit, args, false, reply)
}

pub fn xrevrange(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    range(unit, args, true, reply)
}
