//! RENAME, RENAMENX, COPY, MOVE: a whole value changes its name.

use proto::resp::Replies;

use super::{assign_whole, whole};
use crate::commands::args::{self, is};
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
    let (value, expiry) = whole(unit, &from).ok_or(Refusal::NoSuchKey)?;
    if from.bytes == to.bytes {
        return Ok(!only_new);
    }
    if only_new && unit.kind(&to).is_some() {
        return Ok(false);
    }
    assign_whole(unit, &to, &value, expiry);
    unit.emit(&from, Op::Reset);
    Ok(true)
}

/// A database's number: an integer of 32 bits that names one.
fn database(unit: &Unit<'_>, arg: &[u8]) -> Result<u64, Refusal> {
    let db = i32::try_from(args::integer(arg)?).map_err(|_| Refusal::NotInteger)?;
    u64::try_from(db).ok().filter(|db| *db < unit.databases()).ok_or(Refusal::DbIndexOutOfRange)
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
            db = database(unit, number)?;
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
    let copied = match whole(unit, &from) {
        Some(_) if !replace && unit.kind(&to).is_some() => false,
        Some((value, expiry)) => {
            assign_whole(unit, &to, &value, expiry);
            true
        }
        None => false,
    };
    reply.integer(i64::from(copied));
    Ok(())
}

pub fn move_(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let db = database(unit, args[2])?;
    if db == unit.selected_db() {
        return Err(Refusal::SameObject);
    }
    let from = unit.key(args[1]);
    let to = unit.key_in(db, args[1]).ok_or(Refusal::DbIndexOutOfRange)?;
    let moved = match whole(unit, &from) {
        Some((value, expiry)) if unit.kind(&to).is_none() => {
            assign_whole(unit, &to, &value, expiry);
            unit.emit(&from, Op::Reset);
            true
        }
        _ => false,
    };
    reply.integer(i64::from(moved));
    Ok(())
}
