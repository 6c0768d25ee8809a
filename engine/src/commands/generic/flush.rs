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
    let a = args::integer(args[1]).map_err(|_| Refusal::InvalidFirstDbIndex)?;
    let b = args::integer(args[2]).map_err(|_| Refusal::InvalidSecondDbIndex)?;
    let known = |db: i64| u64::try_from(db).ok().filter(|db| *db < unit.databases());
    let (Some(a), Some(b)) = (known(a), known(b)) else { return Err(Refusal::DbIndexOutOfRange) };
    if a != b {
        unit.swap_db(a, b);
    }
    reply.ok();
    Ok(())
}
