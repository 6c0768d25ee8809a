//! LPUSH, RPUSH, LPUSHX, RPUSHX, LPOP, RPOP, LMPOP.

use proto::resp::Replies;

use super::{End, emit_insert, emit_pop, emit_remove, end_spot};
use crate::commands::args::{at_least, is};
use crate::core::{Key, Unit};
use crate::refusal::Refusal;

pub fn lpush(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    push(unit, args, reply, End::Left, false)
}

pub fn rpush(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    push(unit, args, reply, End::Right, false)
}

pub fn lpushx(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    push(unit, args, reply, End::Left, true)
}

pub fn rpushx(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    push(unit, args, reply, End::Right, true)
}

fn push(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    reply: &mut Replies<'_>,
    end: End,
    only_existing: bool,
) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let list = unit.list(&key)?;
    if only_existing && list.is_none() {
        reply.integer(0);
        return Ok(());
    }
    let len = list.map_or(0, |list| list.len());
    let spot = end_spot(list, end);
    emit_insert(unit, &key, spot, None, &args[2..]);
    reply.integer((len + args.len() - 2) as i64);
    Ok(())
}

pub fn lpop(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    pop(unit, args, reply, End::Left)
}

pub fn rpop(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    pop(unit, args, reply, End::Right)
}

fn pop(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>, end: End) -> Result<(), Refusal> {
    let count = match args {
        [_, _] => None,
        [_, _, count] => Some(at_least(count, 0, "ERR value is out of range, must be positive")?),
        _ => return Err(Refusal::Arity(String::from_utf8_lossy(args[0]).to_lowercase())),
    };
    let key = unit.key(args[1]);
    let Some(list) = unit.list(&key)? else {
        if count.is_some() {
            reply.null_array();
        } else {
            reply.null();
        }
        return Ok(());
    };
    let Some(count) = count else {
        let Some((id, value)) = (if end == End::Left { list.front() } else { list.back() }) else {
            reply.null();
            return Ok(());
        };
        reply.bulk(value);
        emit_pop(unit, &key, id);
        return Ok(());
    };
    let count = count.min(list.len());
    reply.array(count);
    take(unit, &key, end, count, reply)
}

/// Answers and removes `count` elements of one end, the outermost first.
fn take(
    unit: &mut Unit<'_>,
    key: &Key<'_>,
    end: End,
    count: usize,
    reply: &mut Replies<'_>,
) -> Result<(), Refusal> {
    let Some(list) = unit.list(key)? else { return Ok(()) };
    let start = if end == End::Left { 0 } else { list.len() - count };
    if end == End::Left {
        list.values_from(start).take(count).for_each(|value| reply.bulk(value));
    } else {
        let values: Vec<&[u8]> = list.values_from(start).take(count).collect();
        values.iter().rev().for_each(|value| reply.bulk(value));
    }
    emit_remove(unit, key, start, count)
}

/// Keys, end and count of LMPOP: `numkeys key … LEFT|RIGHT [COUNT n]` from argument `at` on.
pub(super) fn mpop_args<'a>(
    args: &'a [&'a [u8]],
    at: usize,
) -> Result<(&'a [&'a [u8]], End, usize), Refusal> {
    let keys = at_least(args[at], 1, "ERR numkeys should be greater than 0")?;
    let where_at = at.saturating_add(1).saturating_add(keys);
    let Some(word) = args.get(where_at) else { return Err(Refusal::Syntax) };
    let end = End::from_word(word)?;
    let mut count = None;
    let mut rest = &args[where_at + 1..];
    while let [word, tail @ ..] = rest {
        match tail {
            [number, tail @ ..] if count.is_none() && is(word, "count") => {
                count = Some(at_least(number, 1, "ERR count should be greater than 0")?);
                rest = tail;
            }
            _ => return Err(Refusal::Syntax),
        }
    }
    Ok((&args[at + 1..where_at], end, count.unwrap_or(1)))
}

/// Pops from the first key that has elements. False when none has.
pub(super) fn pop_first(
    unit: &mut Unit<'_>,
    keys: &[&[u8]],
    end: End,
    count: usize,
    reply: &mut Replies<'_>,
) -> Result<bool, Refusal> {
    for name in keys {
        let key = unit.key(name);
        let Some(list) = unit.list(&key)? else { continue };
        let count = count.min(list.len());
        reply.array(2);
        reply.bulk(name);
        reply.array(count);
        take(unit, &key, end, count, reply)?;
        return Ok(true);
    }
    Ok(false)
}

pub fn lmpop(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (keys, end, count) = mpop_args(args, 1)?;
    if !pop_first(unit, keys, end, count, reply)? {
        reply.null_array();
    }
    Ok(())
}
