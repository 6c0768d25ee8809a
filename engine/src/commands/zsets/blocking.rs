//! BZPOPMIN, BZPOPMAX, BZMPOP.

use proto::resp::Replies;

use super::pop::{many_options, take, write_many};
use crate::commands::args;
use crate::core::{Key, Unit};
use crate::refusal::Refusal;
use crate::state::value::Kind;
use crate::state::waiters::Want;

/// What a pop took: members with scores, and the key they were in.
type Taken<'a> = (&'a [u8], Vec<(Vec<u8>, f64)>);

/// Takes from the first key that has any, in its turn; waits, or answers that there is nothing, when none has.
fn take_first<'a>(
    unit: &mut Unit<'_>,
    names: &[&'a [u8]],
    count: usize,
    max: bool,
    patience_ms: Option<u64>,
    reply: &mut Replies<'_>,
) -> Result<Option<Taken<'a>>, Refusal> {
    for name in names {
        let key = unit.key(name);
        let has_waited = unit.has_waited();
        match unit.zset(&key) {
            Ok(Some(_)) => {}
            // Who has waited is not told of another type that a key came to have.
            Err(refusal) if !has_waited => return Err(refusal),
            Ok(None) | Err(_) => continue,
        }
        if !unit.may_take(&key, Kind::ZSet) {
            continue;
        }
        if let Some(taken) = take(unit, &key, count, max)? {
            return Ok(Some((*name, taken)));
        }
    }
    let keys: Vec<Key<'_>> = names.iter().map(|name| unit.key(name)).collect();
    if !unit.block(&keys, Want { kind: Kind::ZSet, shares: false, going: false }, patience_ms) {
        reply.null_array();
    }
    Ok(None)
}

fn pop(unit: &mut Unit<'_>, args: &[&[u8]], max: bool, reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (names, timeout) = (&args[1..args.len() - 1], args[args.len() - 1]);
    let patience_ms = args::timeout_seconds(timeout, unit.now_ms())?;
    if let Some((name, taken)) = take_first(unit, names, 1, max, patience_ms, reply)? {
        reply.array(1 + 2 * taken.len());
        reply.bulk(name);
        for (member, score) in &taken {
            reply.bulk(member);
            reply.double(*score);
        }
    }
    Ok(())
}

pub fn bzpopmin(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    pop(unit, args, false, reply)
}

pub fn bzpopmax(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    pop(unit, args, true, reply)
}

pub fn bzmpop(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (names, max, count) = many_options(&args[2..])?;
    let patience_ms = args::timeout_seconds(args[1], unit.now_ms())?;
    if let Some((name, taken)) = take_first(unit, names, count, max, patience_ms, reply)? {
        write_many(reply, name, &taken);
    }
    Ok(())
}
