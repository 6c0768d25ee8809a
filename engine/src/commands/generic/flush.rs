//! FLUSHDB, FLUSHALL, SWAPDB.

use proto::resp::Replies;

use crate::commands::args::{self, is};
use crate::core::Unit;
use crate::refusal::Refusal;

fn options(args: &[&[u8]]) -> Result<(), Refusal> {
    match args {
        [_] => Ok(()),
        [_, word] if is(word, "async") || is(word, "sync") => Ok(()),
        _ => Err(Refusal::Syntax),
    }
}

pub fn flushdb(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    options(args)?;
    let db = unit.selected_db();
    unit.flush(Some(db));
    reply.ok();
    Ok(())
}

pub fn flushall(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    options(args)?;
    unit.flush(None);
    reply.ok();
    Ok(())
}

pub fn swapdb(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    // Both are read before either is looked up.
    let index = |arg, invalid| match args::database(arg, unit.databases()) {
        Err(Refusal::DbIndexOutOfRange) => Ok(None),
        Err(_) => Err(invalid),
        Ok(db) => Ok(Some(db)),
    };
    let a = index(args[1], Refusal::InvalidFirstDbIndex)?;
    let b = index(args[2], Refusal::InvalidSecondDbIndex)?;
    let (Some(a), Some(b)) = (a, b) else { return Err(Refusal::DbIndexOutOfRange) };
    if a != b {
        unit.swap_db(a, b);
    }
    reply.ok();
    Ok(())
}
