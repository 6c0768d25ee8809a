//! GET, GETSET, GETDEL, GETEX, STRLEN.

use proto::resp::Replies;

use super::assign;
use super::options::{Reader, options};
use crate::commands::args;
use crate::core::Unit;
use crate::effect::{Expiry, Op};
use crate::refusal::Refusal;

pub fn get(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    match unit.string(&key)? {
        Some(value) => reply.bulk(value),
        None => reply.null(),
    }
    Ok(())
}

pub fn strlen(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let len = unit.string(&key)?.map_or(0, <[u8]>::len);
    reply.integer(len as i64);
    Ok(())
}

pub fn getset(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    get(unit, args, reply)?;
    let key = unit.key(args[1]);
    unit.emit(&key, assign(args[2], Expiry::NEVER));
    Ok(())
}

pub fn getdel(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    match unit.string(&key)? {
        Some(value) => reply.bulk(value),
        None => {
            reply.null();
            return Ok(());
        }
    }
    unit.emit(&key, Op::Reset);
    Ok(())
}

pub fn getex(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let options = options(&args[2..], Reader::GetEx)?;
    if unit.string(&key)?.is_none() {
        reply.null();
        return Ok(());
    }
    let now_ms = unit.now_ms();
    let expiry = match options.expire {
        Some((when, count)) => Some(args::expiry(count, when, now_ms, "getex")?),
        None => options.persist.then_some(Expiry::NEVER),
    };
    if let Some(value) = unit.string(&key)? {
        reply.bulk(value);
    }
    match expiry {
        Some(at) if at.reached(now_ms) => unit.emit(&key, Op::Reset),
        Some(Expiry::NEVER) if unit.expiry(&key) == Some(Expiry::NEVER) => {}
        Some(at) => unit.emit(&key, Op::Ttl(at)),
        None => {}
    }
    Ok(())
}
