//! SET with all its options, SETNX, SETEX, PSETEX.

use proto::resp::Replies;

use super::assign;
use crate::commands::args::{self, When, is};
use crate::core::Unit;
use crate::effect::Expiry;
use crate::refusal::Refusal;

#[derive(Default)]
struct Options<'a> {
    nx: bool,
    xx: bool,
    get: bool,
    keep_ttl: bool,
    expire: Option<(When, &'a [u8])>,
}

fn options<'a>(args: &[&'a [u8]]) -> Result<Options<'a>, Refusal> {
    let mut options = Options::default();
    let mut rest = args;
    while let [word, tail @ ..] = rest {
        rest = tail;
        if is(word, "nx") && !options.xx {
            options.nx = true;
        } else if is(word, "xx") && !options.nx {
            options.xx = true;
        } else if is(word, "get") {
            options.get = true;
        } else if is(word, "keepttl") && options.expire.is_none() {
            options.keep_ttl = true;
        } else if let Some(when) = When::option(word)
            && options.expire.is_none()
            && !options.keep_ttl
            && let [count, tail @ ..] = rest
        {
            options.expire = Some((when, count));
            rest = tail;
        } else {
            return Err(Refusal::Syntax);
        }
    }
    Ok(options)
}

pub fn set(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    if args.len() == 3 {
        unit.emit(&key, assign(args[2], Expiry::NEVER));
        reply.ok();
        return Ok(());
    }
    let options = options(&args[3..])?;
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
