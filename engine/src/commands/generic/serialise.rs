//! DUMP, RESTORE.

use proto::resp::Replies;

use super::assign_whole;
use crate::commands::args::{self, is};
use crate::core::Unit;
use crate::effect::{Expiry, Op};
use crate::rdb;
use crate::refusal::Refusal;

pub fn dump(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    match unit.value(&key) {
        Some(value) => reply.bulk(&rdb::dump(&value)),
        None => reply.null(),
    }
    Ok(())
}

pub fn restore(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (mut replace, mut absolute, mut idle_s, mut frequency) = (false, false, None, None);
    let mut rest = &args[4..];
    while let [word, tail @ ..] = rest {
        rest = tail;
        if is(word, "replace") {
            replace = true;
        } else if is(word, "absttl") {
            absolute = true;
        } else if let [seconds, tail @ ..] = rest
            && is(word, "idletime")
            && frequency.is_none()
        {
            let wrong = Refusal::Text("ERR Invalid IDLETIME value, must be >= 0");
            idle_s = Some(u64::try_from(args::integer(seconds)?).map_err(|_| wrong)?);
            rest = tail;
        } else if let [count, tail @ ..] = rest
            && is(word, "freq")
            && idle_s.is_none()
        {
            let wrong = Refusal::Text("ERR Invalid FREQ value, must be >= 0 and <= 255");
            frequency = Some(u8::try_from(args::integer(count)?).map_err(|_| wrong)?);
            rest = tail;
        } else {
            return Err(Refusal::Syntax);
        }
    }
    let key = unit.key(args[1]);
    let there = unit.kind(&key).is_some();
    if there && !replace {
        return Err(Refusal::Text("BUSYKEY Target key name already exists."));
    }
    let negative = Refusal::Text("ERR Invalid TTL value, must be >= 0");
    let ttl_ms = u64::try_from(args::integer(args[2])?).map_err(|_| negative)?;
    if !rdb::is_whole(args[3]) {
        return Err(Refusal::Text("ERR DUMP payload version or checksum are wrong"));
    }
    let value = rdb::restore(args[3]).map_err(|_| Refusal::Text("ERR Bad data format"))?;
    let at_ms = if absolute { ttl_ms } else { ttl_ms.saturating_add(unit.now_ms()) };
    let expiry = if ttl_ms == 0 { Expiry::NEVER } else { Expiry::at_ms(at_ms) };
    if expiry.reached(unit.now_ms()) {
        // It is gone before it is there.
        if there {
            unit.emit(&key, Op::Reset);
        }
    } else {
        assign_whole(unit, &key, &value, expiry);
        if let Some(idle_s) = idle_s {
            unit.set_idle(&key, idle_s);
        }
        if let Some(count) = frequency {
            unit.set_frequency(&key, count);
        }
    }
    reply.ok();
    Ok(())
}
