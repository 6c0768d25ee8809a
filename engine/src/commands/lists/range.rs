//! LLEN, LINDEX, LRANGE, LTRIM.

use proto::resp::Replies;

use crate::commands::args::integer;
use crate::core::Unit;
use crate::effect::Op;
use crate::effect::lists::{IdRuns, ListOp};
use crate::refusal::Refusal;

/// So many elements are removed by name; more by naming what stays.
const NAMED_MAX: usize = 1024;

/// The element number that an index means, negative ones counted from the end.
pub(super) fn at_index(index: i64, len: usize) -> Option<usize> {
    let at = if index < 0 { index.checked_add(len as i64)? } else { index };
    usize::try_from(at).ok().filter(|at| *at < len)
}

/// First number and count of a range of indices.
fn range(start: i64, stop: i64, len: usize) -> (usize, usize) {
    let len = len as i64;
    let from_end = |index: i64| if index < 0 { index.saturating_add(len) } else { index };
    let (start, stop) = (from_end(start).max(0), from_end(stop).min(len - 1));
    if start > stop { (0, 0) } else { (start as usize, (stop - start + 1) as usize) }
}

pub fn llen(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let len = unit.list(&key)?.map_or(0, |list| list.len());
    reply.integer(len as i64);
    Ok(())
}

pub fn lindex(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let Some(list) = unit.list(&key)? else {
        reply.null();
        return Ok(());
    };
    let index = integer(args[2])?;
    match at_index(index, list.len()).and_then(|at| list.get(at)) {
        Some(value) => reply.bulk(value),
        None => reply.null(),
    }
    Ok(())
}

pub fn lrange(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (start, stop) = (integer(args[2])?, integer(args[3])?);
    let key = unit.key(args[1]);
    let list = unit.list(&key)?;
    let (start, count) = range(start, stop, list.map_or(0, |list| list.len()));
    reply.array(count);
    if let Some(list) = list {
        list.values_from(start).take(count).for_each(|value| reply.bulk(value));
    }
    Ok(())
}

pub fn ltrim(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (start, stop) = (integer(args[2])?, integer(args[3])?);
    let key = unit.key(args[1]);
    let list = unit.list(&key)?;
    reply.ok();
    let Some(list) = list else { return Ok(()) };
    let len = list.len();
    let (start, count) = range(start, stop, len);
    if count == len {
        unit.touch_watched(&key);
        return Ok(());
    }
    if count == 0 {
        unit.emit(&key, Op::Reset);
    } else if len - count <= NAMED_MAX || list.has_moved() {
        // Between two elements is a place only as long as no other can come to stand there.
        let mut runs = list.runs(0, start);
        runs.extend(list.runs(start + count, len - start - count));
        unit.emit(&key, Op::List(ListOp::Remove(IdRuns::Slices(&runs))));
    } else if let (Some(first), Some(last)) = (list.id(start), list.id(start + count - 1)) {
        unit.emit(&key, Op::List(ListOp::Trim { first, last }));
    }
    Ok(())
}
