//! HINCRBY, HINCRBYFLOAT.

use proto::resp::Replies;

use crate::commands::args;
use crate::core::Unit;
use crate::effect::{FieldOp, Op};
use crate::number::{LongDouble, parse_i64};
use crate::refusal::Refusal;

pub fn hincrby(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let by = args::integer(args[3])?;
    let (key, field) = (unit.key(args[1]), args[2]);
    let current = match unit.hash(&key)?.and_then(|hash| hash.get(field)) {
        Some(text) => parse_i64(text).ok_or(Refusal::Text("ERR hash value is not an integer"))?,
        None => 0,
    };
    let sum = current.checked_add(by).ok_or(Refusal::Overflow)?;
    unit.emit(&key, Op::Fields(FieldOp::Delta { field, by }));
    reply.integer(sum);
    Ok(())
}

pub fn hincrbyfloat(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let by = args::long_double(args[3])?.ok_or(Refusal::Text("ERR value is NaN or Infinity"))?;
    let (key, field) = (unit.key(args[1]), args[2]);
    let current = match unit.hash(&key)?.and_then(|hash| hash.get(field)) {
        Some(text) => args::long_double(text).map_err(|_| Refusal::Text("ERR hash value is not a float"))?,
        None => Some(LongDouble::from_i64(0)),
    };
    let sum = current.and_then(|current| current.checked_add(by)).ok_or(Refusal::NanOrInfinity)?;
    unit.emit(&key, Op::Fields(FieldOp::DeltaFloat { field, by }));
    let mut text = Vec::new();
    sum.format_human(&mut text);
    reply.bulk(&text);
    Ok(())
}
