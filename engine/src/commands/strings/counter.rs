//! INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT.

use proto::resp::Replies;

use crate::commands::args;
use crate::core::Unit;
use crate::effect::Op;
use crate::number::{LongDouble, parse_i64};
use crate::refusal::Refusal;

pub fn incr(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    add(unit, args[1], 1, reply)
}

pub fn decr(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    add(unit, args[1], -1, reply)
}

pub fn incrby(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    add(unit, args[1], args::integer(args[2])?, reply)
}

pub fn decrby(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let negated = args::integer(args[2])?.checked_neg();
    add(unit, args[1], negated.ok_or(Refusal::Text("ERR decrement would overflow"))?, reply)
}

fn add(unit: &mut Unit<'_>, key: &[u8], n: i64, reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(key);
    let current = match unit.string(&key)? {
        Some(text) => parse_i64(text).ok_or(Refusal::NotInteger)?,
        None => 0,
    };
    let sum = current.checked_add(n).ok_or(Refusal::Overflow)?;
    unit.emit(&key, Op::Delta(n));
    reply.integer(sum);
    Ok(())
}

pub fn incrbyfloat(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let current = match unit.string(&key)? {
        Some(text) => args::long_double(text)?,
        None => Some(LongDouble::from_i64(0)),
    };
    let n = args::long_double(args[2])?;
    let (Some(current), Some(n)) = (current, n) else { return Err(Refusal::NanOrInfinity) };
    let sum = current.checked_add(n).ok_or(Refusal::NanOrInfinity)?;
    unit.emit(&key, Op::DeltaFloat(n));
    let mut text = Vec::new();
    sum.format_human(&mut text);
    reply.bulk(&text);
    Ok(())
}
