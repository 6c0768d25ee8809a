//! RENAME, RENAMENX, COPY, MOVE: a whole value changes its name.

use proto::resp::Replies;

use super::{assign_whole, whole};
use crate::commands::args::{database, is};
use crate::core::Unit;
use crate::effect::Op;
use crate::refusal::Refusal;

pub fn rename(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    rename_to(unit, args, false)?;
    reply.ok();
    Ok(())
}

pub fn renamenx(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let done = rename_to(unit, args, true)?;
    reply.integer(i64::from(done));
    Ok(())
}

fn rename_to(unit: &mut Unit<'_>, args: &[&[u8]], only_new: bool) -> Result<bool, Refusal> {
    let (from, to) = (unit.key(args[1]), unit.key(args[2]));
    if unit.kind(&from).is_none() {
        return Err(Refusal::NoSuchKey);
    }
    if from.bytes == to.bytes {
        return Ok(!only_new);
    }
    if only_new && unit.kind(&to).is_some() {
        return Ok(false);
    }
    let (value, expiry) = whole(unit, &from).ok_or(Refusal::NoSuchKey)?;
    assign_whole(unit, &to, &value, expiry);
    unit.emit(&from, Op::Reset);
    Ok(true)
}

pub fn copy(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (mut db, mut replace) = (unit.selected_db(), false);
    let mut rest = &args[3..];
    while let [word, tail @ ..] = rest {
        rest = tail;
        if is(word, "replace") {
            replace = true;
        } else if let [number, tail @ ..] = rest
            && is(word, "db")
        {
            db = database(number, unit.databases())?;
            rest = tail;
        } else {
            return Err(Refusal::Syntax);
        }
    }
    let from = unit.key(args[1]);
    let to = unit.key_in(db, args[2]).ok_or(Refusal::DbIndexOutOfRange)?;
    if db == unit.selected_db() && from.bytes == to.bytes {
        return Err(Refusal::SameObject);
    }
    let free = replace || unit.kind(&to).is_none();
    let source = if free { whole(unit, &from) } else { None };
    if let Some((value, expiry)) = &source {
        assign_whole(unit, &to, value, *expiry);
    }
    reply.integer(i64::from(source.is_some()));
    Ok(())
}

pub fn move_(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let db = database(args[2], unit.databases())?;
    if db == unit.selected_db() {
        return Err(Refusal::SameObject);
    }
    let from = unit.key(args[1]);
    let to = unit.key_in(db, args[1]).ok_or(Refusal::DbIndexOutOfRange)?;
    let source = if unit.kind(&to).is_none() { whole(unit, &from) } else { None };
    if let Some((value, expiry)) = &source {
        assign_whole(unit, &to, value, *expiry);
        unit.emit(&from, Op::Reset);
    }
    reply.integer(i64::from(source.is_some()));
    Ok(())
}
