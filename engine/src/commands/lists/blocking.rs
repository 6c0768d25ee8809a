//! BLPOP, BRPOP, BLMOVE, BRPOPLPUSH, BLMPOP: as the ones without B, and wait when there is nothing.

use proto::resp::Replies;

use super::End;
use super::ends::{mpop_args, pop_first};
use super::moves::move_one;
use crate::commands::args::timeout_seconds;
use crate::core::{Key, Unit};
use crate::refusal::Refusal;
use crate::state::value::Kind;
use crate::state::waiters::Want;

const ELEMENTS: Want = Want { kind: Kind::List, shares: false, going: false };

pub fn blpop(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    pop_or_wait(unit, args, reply, End::Left)
}

pub fn brpop(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    pop_or_wait(unit, args, reply, End::Right)
}

fn pop_or_wait(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    reply: &mut Replies<'_>,
    end: End,
) -> Result<(), Refusal> {
    let patience_ms = timeout_seconds(args[args.len() - 1], unit.now_ms())?;
    let names = &args[1..args.len() - 1];
    if let Some(key) = first_to_take(unit, names)? {
        let Some(list) = unit.list(&key)? else { return Ok(()) };
        let at = if end == End::Left { 0 } else { list.len() - 1 };
        reply.array(2);
        reply.bulk(key.bytes);
        reply.bulk(list.get(at).unwrap_or_default());
        return super::emit_remove(unit, &key, at, 1);
    }
    if !wait(unit, names, patience_ms) {
        reply.null_array();
    }
    Ok(())
}

/// The first of several lists that has an element for this client. Who has waited already is not told of another type that a
/// key came to have.
fn first_to_take<'k>(unit: &mut Unit<'_>, names: &[&'k [u8]]) -> Result<Option<Key<'k>>, Refusal> {
    for name in names {
        let key = unit.key(name);
        let has_waited = unit.has_waited();
        match unit.list(&key) {
            Ok(Some(_)) => {}
            Err(refusal) if !has_waited => return Err(refusal),
            Ok(None) | Err(_) => continue,
        }
        if unit.may_take(&key, Kind::List) {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

fn wait(unit: &mut Unit<'_>, names: &[&[u8]], patience_ms: Option<u64>) -> bool {
    let keys: Vec<Key<'_>> = names.iter().map(|name| unit.key(name)).collect();
    unit.block(&keys, ELEMENTS, patience_ms)
}

pub fn blmove(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (from, to) = (End::from_word(args[3])?, End::from_word(args[4])?);
    move_or_wait(unit, args, from, to, reply)
}

pub fn brpoplpush(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    move_or_wait(unit, args, End::Right, End::Left, reply)
}

fn move_or_wait(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    from: End,
    to: End,
    reply: &mut Replies<'_>,
) -> Result<(), Refusal> {
    let patience_ms = timeout_seconds(args[args.len() - 1], unit.now_ms())?;
    if first_to_take(unit, &args[1..2])?.is_some() && move_one(unit, args[1], args[2], from, to, reply)? {
        return Ok(());
    }
    if !wait(unit, &args[1..2], patience_ms) {
        // As in Redis: a null when it may not wait, a null array when it has waited.
        if unit.has_waited() {
            reply.null_array();
        } else {
            reply.null();
        }
    }
    Ok(())
}

pub fn blmpop(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (names, end, count) = mpop_args(args, 2)?;
    let patience_ms = timeout_seconds(args[1], unit.now_ms())?;
    if let Some(key) = first_to_take(unit, names)?
        && pop_first(unit, &[key.bytes], end, count, reply)?
    {
        return Ok(());
    }
    if !wait(unit, names, patience_ms) {
        reply.null_array();
    }
    Ok(())
}
