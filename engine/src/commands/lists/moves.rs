//! LMOVE, RPOPLPUSH: from one list to another, or round the same one.

use proto::resp::Replies;

use super::{End, emit_insert, end_spot};
use crate::core::Unit;
use crate::effect::Op;
use crate::effect::lists::{IdRun, IdRuns, ListOp};
use crate::refusal::Refusal;

pub fn lmove(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (from, to) = (End::from_word(args[3])?, End::from_word(args[4])?);
    if !move_one(unit, args[1], args[2], from, to, reply)? {
        reply.null();
    }
    Ok(())
}

pub fn rpoplpush(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    if !move_one(unit, args[1], args[2], End::Right, End::Left, reply)? {
        reply.null();
    }
    Ok(())
}

/// Moves one element and answers it. False when there is none.
pub(super) fn move_one(
    unit: &mut Unit<'_>,
    source: &[u8],
    target: &[u8],
    from: End,
    to: End,
    reply: &mut Replies<'_>,
) -> Result<bool, Refusal> {
    let (source, target) = (unit.key(source), unit.key(target));
    let Some(list) = unit.list(&source)? else { return Ok(false) };
    let at = if from == End::Left { 0 } else { list.len() - 1 };
    let value = list.get(at).unwrap_or_default().to_vec();
    let Some(id) = list.id(at) else { return Ok(false) };
    let spot = end_spot(unit.list(&target)?, to);
    // Who else moves the same element to the same list makes the same one.
    let moved = if unit.is_alone() { None } else { Some(id.moved_to(target.db, target.bytes)) };
    // Put in first: a list that is turned round keeps its expiry.
    emit_insert(unit, &target, spot, moved, &[&value]);
    unit.emit(&source, Op::List(ListOp::Remove(IdRuns::Slices(&[IdRun::one(id)]))));
    reply.bulk(&value);
    Ok(true)
}
