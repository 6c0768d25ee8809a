//! EXPIRE and its kin, TTL and its kin, PERSIST.

use proto::resp::Replies;

use crate::commands::args::{self, When, is};
use crate::core::Unit;
use crate::effect::{Expiry, Op};
use crate::refusal::Refusal;

pub fn expire(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    set_expiry(unit, args, When::InSeconds, "expire", reply)
}

pub fn pexpire(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    set_expiry(unit, args, When::InMs, "pexpire", reply)
}

pub fn expireat(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    set_expiry(unit, args, When::AtSecond, "expireat", reply)
}

pub fn pexpireat(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    set_expiry(unit, args, When::AtMs, "pexpireat", reply)
}

#[derive(Default)]
struct Conditions {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

fn conditions(args: &[&[u8]]) -> Result<Conditions, Refusal> {
    let mut c = Conditions::default();
    for word in args {
        match () {
            () if is(word, "nx") => c.nx = true,
            () if is(word, "xx") => c.xx = true,
            () if is(word, "gt") => c.gt = true,
            () if is(word, "lt") => c.lt = true,
            () => {
                let word = String::from_utf8_lossy(word);
                return Err(Refusal::Quoted(format!("ERR Unsupported option {word}")));
            }
        }
    }
    if c.nx && (c.xx || c.gt || c.lt) {
        return Err(Refusal::Text("ERR NX and XX, GT or LT options at the same time are not compatible"));
    }
    if c.gt && c.lt {
        return Err(Refusal::Text("ERR GT and LT options at the same time are not compatible"));
    }
    Ok(c)
}

fn set_expiry(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    when: When,
    command: &'static str,
    reply: &mut Replies<'_>,
) -> Result<(), Refusal> {
    let c = conditions(&args[3..])?;
    let now_ms = unit.now_ms();
    let ms = when.resolve(args::integer(args[2])?, now_ms).ok_or(Refusal::InvalidExpire(command))?;
    let key = unit.key(args[1]);
    let Some(current) = unit.expiry(&key) else {
        reply.integer(0);
        return Ok(());
    };
    let current = current.ms().map(|ms| ms as i64);
    let refused = c.nx && current.is_some()
        || c.xx && current.is_none()
        || c.gt && current.is_none_or(|at| ms <= at)
        || c.lt && current.is_some_and(|at| ms >= at);
    if refused {
        reply.integer(0);
        return Ok(());
    }
    match u64::try_from(ms) {
        Ok(ms) if ms > now_ms => unit.emit(&key, Op::Ttl(Expiry::at_ms(ms))),
        _ => unit.emit(&key, Op::Reset),
    }
    reply.integer(1);
    Ok(())
}

pub fn persist(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let had = unit.expiry(&key).is_some_and(|at| at != Expiry::NEVER);
    if had {
        unit.emit(&key, Op::Ttl(Expiry::NEVER));
    }
    reply.integer(i64::from(had));
    Ok(())
}

/// -2 for a missing key, -1 for one that never expires, else what `answer` makes of the expiry (ms).
fn tell(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    reply: &mut Replies<'_>,
    answer: impl Fn(u64, u64) -> u64,
) -> Result<(), Refusal> {
    unit.set_touch(false);
    let key = unit.key(args[1]);
    let now_ms = unit.now_ms();
    reply.integer(match unit.expiry(&key) {
        None => -2,
        Some(expiry) => expiry.ms().map_or(-1, |ms| answer(ms, now_ms) as i64),
    });
    Ok(())
}

pub fn ttl(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    tell(unit, args, reply, |ms, now_ms| (ms.saturating_sub(now_ms) + 500) / 1000)
}

pub fn pttl(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    tell(unit, args, reply, |ms, now_ms| ms.saturating_sub(now_ms))
}

pub fn expiretime(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    tell(unit, args, reply, |ms, _| ms.saturating_add(500) / 1000)
}

pub fn pexpiretime(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    tell(unit, args, reply, |ms, _| ms)
}
