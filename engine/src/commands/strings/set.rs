//! SET with all its options, SETNX, SETEX, PSETEX.

use proto::resp::Replies;

use super::assign;
use super::options::{Reader, options};
use crate::commands::args::{self, When};
use crate::core::Unit;
use crate::effect::Expiry;
use crate::refusal::Refusal;

pub fn set(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    if args.len() == 3 {
        unit.emit(&key, assign(args[2], Expiry::NEVER));
        reply.ok();
        return Ok(());
    }
    let options = options(&args[3..], Reader::Set)?;
    let mut expiry = match options.expire {
        Some((when, count)) => args::expiry(count, when, unit.now_ms(), "set")?,
        None => Expiry::NEVER,
    };
    if options.get {
        match unit.string(&key)? {
            Some(value) => reply.bulk(value),
            None => reply.null(),
        }
    }
    if options.nx || options.xx {
        let exists = unit.kind(&key).is_some();
        if options.nx && exists || options.xx && !exists {
            if !options.get {
                reply.null();
            }
            return Ok(());
        }
    }
    if options.keep_ttl {
        expiry = unit.expiry(&key).unwrap_or(Expiry::NEVER);
    }
    unit.emit(&key, assign(args[2], expiry));
    if !options.get {
        reply.ok();
    }
    Ok(())
}

pub fn setnx(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let free = unit.kind(&key).is_none();
    if free {
        unit.emit(&key, assign(args[2], Expiry::NEVER));
    }
    reply.integer(i64::from(free));
    Ok(())
}

pub fn setex(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let expiry = args::expiry(args[2], When::InSeconds, unit.now_ms(), "setex")?;
    set_with(unit, args, expiry, reply)
}

pub fn psetex(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let expiry = args::expiry(args[2], When::InMs, unit.now_ms(), "psetex")?;
    set_with(unit, args, expiry, reply)
}

fn set_with(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    expiry: Expiry,
    reply: &mut Replies<'_>,
) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    unit.emit(&key, assign(args[3], expiry));
    reply.ok();
    Ok(())
}
