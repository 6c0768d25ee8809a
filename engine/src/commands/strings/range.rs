//! APPEND, GETRANGE, SUBSTR, SETRANGE.

use proto::resp::Replies;

use crate::commands::args;
use crate::core::Unit;
use crate::effect::Op;
use crate::refusal::Refusal;

pub fn append(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let old = unit.string(&key)?.map(<[u8]>::len);
    let len = old.unwrap_or(0) + args[2].len();
    if len as u64 > unit.string_bytes_max() {
        return Err(Refusal::StringTooLong);
    }
    if old.is_none() || !args[2].is_empty() {
        unit.emit(&key, Op::Append(args[2]));
    } else {
        // As in Redis.
        unit.touch_watched(&key);
    }
    reply.integer(len as i64);
    Ok(())
}

pub fn substr(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    getrange(unit, args, reply)
}

pub fn getrange(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (start, end) = (args::integer(args[2])?, args::integer(args[3])?);
    let key = unit.key(args[1]);
    let value = unit.string(&key)?.unwrap_or_default();
    let len = value.len() as i64;
    if start < 0 && end < 0 && start > end {
        reply.bulk(b"");
        return Ok(());
    }
    let from_end = |at: i64| if at < 0 { at.saturating_add(len).max(0) } else { at };
    let (start, end) = (from_end(start), from_end(end).min(len - 1));
    if start > end || len == 0 {
        reply.bulk(b"");
    } else {
        reply.bulk(&value[start as usize..=end as usize]);
    }
    Ok(())
}

pub fn setrange(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let offset = args::integer(args[2])?;
    if offset < 0 {
        return Err(Refusal::OffsetOutOfRange);
    }
    let key = unit.key(args[1]);
    let (old, bytes) = (unit.string(&key)?.map(<[u8]>::len).unwrap_or(0), args[3]);
    if bytes.is_empty() {
        reply.integer(old as i64);
        return Ok(());
    }
    let end = (offset as u64).saturating_add(bytes.len() as u64);
    if end > unit.string_bytes_max() {
        return Err(Refusal::StringTooLong);
    }
    let base = unit.overlay_base(&key);
    unit.emit(&key, Op::Overlay { base, offset: offset as u64, bytes });
    reply.integer(end.max(old as u64) as i64);
    Ok(())
}
