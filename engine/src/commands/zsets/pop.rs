//! ZPOPMIN, ZPOPMAX, ZMPOP.

use proto::resp::Replies;

use super::remove::remove;
use crate::commands::args::{self, is};
use crate::core::{Key, Unit};
use crate::number::parse_i64;
use crate::refusal::Refusal;

/// Takes up to `count` members off one end; they come in the order of taking. `None`: no such key.
pub(in crate::commands) fn take(
    unit: &mut Unit<'_>,
    key: &Key<'_>,
    count: usize,
    max: bool,
) -> Result<Option<Vec<(Vec<u8>, f64)>>, Refusal> {
    let mut taken = Vec::new();
    let Some(zset) = unit.zset(key)? else { return Ok(None) };
    zset.walk(0, count, max, &mut |member, score| taken.push((member.to_vec(), score)));
    remove(unit, key, taken.iter().map(|(member, _)| member.as_slice()));
    Ok(Some(taken))
}

fn pop(unit: &mut Unit<'_>, args: &[&[u8]], max: bool, reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let count = match args[2..] {
        [] => None,
        [count] => Some(args::positive(count)?),
        _ => return Err(Refusal::Syntax),
    };
    let key = unit.key(args[1]);
    let taken = take(unit, &key, count.unwrap_or(1), max)?.unwrap_or_default();
    // Pairs of their own with a count, in RESP3.
    let nested = count.is_some() && reply.is_resp3();
    reply.array(if nested { taken.len() } else { 2 * taken.len() });
    for (member, score) in &taken {
        if nested {
            reply.array(2);
        }
        reply.bulk(member);
        reply.double(*score);
    }
    Ok(())
}

pub fn zpopmin(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    pop(unit, args, false, reply)
}

pub fn zpopmax(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    pop(unit, args, true, reply)
}

/// Reads `numkeys key… MIN|MAX [COUNT count]`: keys, whether the highest are taken, how many.
pub(in crate::commands) fn many_options<'s, 'a>(
    args: &'s [&'a [u8]],
) -> Result<(&'s [&'a [u8]], bool, usize), Refusal> {
    let at_least_1 = |arg: &[u8]| parse_i64(arg).filter(|n| *n > 0).and_then(|n| usize::try_from(n).ok());
    let keys = at_least_1(args[0]).ok_or(Refusal::Text("ERR numkeys should be greater than 0"))?;
    // A side comes after the keys.
    if keys >= args.len() - 1 {
        return Err(Refusal::Syntax);
    }
    let (keys, rest) = args[1..].split_at(keys);
    let max = match rest[0] {
        word if is(word, "min") => false,
        word if is(word, "max") => true,
        _ => return Err(Refusal::Syntax),
    };
    let count = match rest[1..] {
        [] => 1,
        [word, count, ref more @ ..] if is(word, "count") => {
            let count = at_least_1(count).ok_or(Refusal::Text("ERR count should be greater than 0"))?;
            if !more.is_empty() {
                return Err(Refusal::Syntax);
            }
            count
        }
        _ => return Err(Refusal::Syntax),
    };
    Ok((keys, max, count))
}

/// Writes the reply of a pop from one of many.
pub(in crate::commands) fn write_many(reply: &mut Replies<'_>, key: &[u8], taken: &[(Vec<u8>, f64)]) {
    reply.array(2);
    reply.bulk(key);
    reply.array(taken.len());
    for (member, score) in taken {
        reply.array(2);
        reply.bulk(member);
        reply.double(*score);
    }
}

pub fn zmpop(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (keys, max, count) = many_options(&args[1..])?;
    for name in keys {
        let key = unit.key(name);
        if let Some(taken) = take(unit, &key, count, max)? {
            write_many(reply, name, &taken);
            return Ok(());
        }
    }
    reply.null_array();
    Ok(())
}
