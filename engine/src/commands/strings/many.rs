//! MGET, MSET, MSETNX.

use proto::resp::Replies;

use super::assign;
use crate::core::Unit;
use crate::effect::Expiry;
use crate::refusal::Refusal;

pub fn mget(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    reply.array(args.len() - 1);
    for key in &args[1..] {
        let key = unit.key(key);
        match unit.string(&key) {
            Ok(Some(value)) => reply.bulk(value),
            // A value of another type counts as none.
            Ok(None) | Err(_) => reply.null(),
        }
    }
    Ok(())
}

fn pairs<'a>(
    args: &'a [&'a [u8]],
    command: &str,
) -> Result<impl Iterator<Item = (&'a [u8], &'a [u8])>, Refusal> {
    if args.len().is_multiple_of(2) {
        return Err(Refusal::Arity(command.into()));
    }
    Ok(args[1..].chunks_exact(2).map(|pair| (pair[0], pair[1])))
}

pub fn mset(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    for (key, value) in pairs(args, "mset")? {
        let key = unit.key(key);
        unit.emit(&key, assign(value, Expiry::NEVER));
    }
    reply.ok();
    Ok(())
}

pub fn msetnx(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let free = pairs(args, "msetnx")?.all(|(key, _)| {
        let key = unit.key(key);
        unit.kind(&key).is_none()
    });
    if free {
        for (key, value) in pairs(args, "msetnx")? {
            let key = unit.key(key);
            unit.emit(&key, assign(value, Expiry::NEVER));
        }
    }
    reply.integer(i64::from(free));
    Ok(())
}
