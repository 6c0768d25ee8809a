//! SETBIT, GETBIT.

use proto::resp::Replies;

use super::{needs_no_effect, offset};
use crate::core::Unit;
use crate::effect::{BitsOp, Op};
use crate::number::bits;
use crate::refusal::Refusal;

pub fn setbit(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let at = offset(unit, args[2], None)?;
    let value = match args[3] {
        b"0" => 0,
        b"1" => 1,
        _ => return Err(Refusal::Text("ERR bit is not an integer or out of range")),
    };
    let key = unit.key(args[1]);
    let text = unit.string(&key)?.unwrap_or_default();
    let (old, reaches) = (bits::read(text, at, 1), at / 8 < text.len() as u64);
    if !(reaches && needs_no_effect(unit, old, value)) {
        let base = unit.overlay_base(&key);
        unit.emit(&key, Op::Bits(BitsOp { base, at, width: 1, value, adds: false }));
    }
    reply.integer(old as i64);
    Ok(())
}

pub fn getbit(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let at = offset(unit, args[2], None)?;
    let key = unit.key(args[1]);
    let bit = bits::read(unit.string(&key)?.unwrap_or_default(), at, 1);
    reply.integer(bit as i64);
    Ok(())
}
