//! HSET, HMSET, HSETNX, HGET, HMGET, HGETALL, HKEYS, HVALS, HLEN, HEXISTS, HSTRLEN, HDEL, HSCAN.

use proto::resp::Replies;

use crate::commands::args::distinct;
use crate::commands::generic::{scan_cursor, scan_options};
use crate::core::Unit;
use crate::effect::{FieldOp, Members, Op};
use crate::glob;
use crate::refusal::Refusal;

/// Sets fields to values; how many were not there.
fn put(unit: &mut Unit<'_>, args: &[&[u8]], command: &str) -> Result<usize, Refusal> {
    let pairs = &args[2..];
    if !pairs.len().is_multiple_of(2) {
        return Err(Refusal::Arity(command.into()));
    }
    let key = unit.key(args[1]);
    let hash = unit.hash(&key)?;
    let new = match pairs {
        [field, _] => usize::from(hash.is_none_or(|hash| !hash.contains(field))),
        _ => {
            let fields: Vec<&[u8]> = pairs.iter().step_by(2).copied().collect();
            distinct(&fields, |field| hash.is_none_or(|hash| !hash.contains(field))).len()
        }
    };
    unit.emit(&key, Op::Fields(FieldOp::Put(Members::Slices(pairs))));
    Ok(new)
}

pub fn hset(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let new = put(unit, args, "hset")?;
    reply.integer(new as i64);
    Ok(())
}

pub fn hmset(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    put(unit, args, "hmset")?;
    reply.ok();
    Ok(())
}

pub fn hsetnx(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let there = unit.hash(&key)?.is_some_and(|hash| hash.contains(args[2]));
    if !there {
        unit.emit(&key, Op::Fields(FieldOp::Put(Members::Slices(&args[2..4]))));
    }
    reply.integer(i64::from(!there));
    Ok(())
}

pub(super) fn value(reply: &mut Replies<'_>, value: Option<&[u8]>) {
    match value {
        Some(value) => reply.bulk(value),
        None => reply.null(),
    }
}

pub fn hget(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    value(reply, unit.hash(&key)?.and_then(|hash| hash.get(args[2])));
    Ok(())
}

pub fn hmget(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let hash = unit.hash(&key)?;
    reply.array(args.len() - 2);
    for field in &args[2..] {
        value(reply, hash.and_then(|hash| hash.get(field)));
    }
    Ok(())
}

pub fn hgetall(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let hash = unit.hash(&key)?;
    reply.map(hash.map_or(0, |hash| hash.len()));
    if let Some(hash) = hash {
        hash.for_each(|field, value| {
            reply.bulk(field);
            reply.bulk(value);
        });
    }
    Ok(())
}

pub fn hkeys(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let hash = unit.hash(&key)?;
    reply.array(hash.map_or(0, |hash| hash.len()));
    if let Some(hash) = hash {
        hash.for_each(|field, _| reply.bulk(field));
    }
    Ok(())
}

pub fn hvals(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let hash = unit.hash(&key)?;
    reply.array(hash.map_or(0, |hash| hash.len()));
    if let Some(hash) = hash {
        hash.for_each(|_, value| reply.bulk(value));
    }
    Ok(())
}

pub fn hlen(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let len = unit.hash(&key)?.map_or(0, |hash| hash.len());
    reply.integer(len as i64);
    Ok(())
}

pub fn hexists(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let has = unit.hash(&key)?.is_some_and(|hash| hash.contains(args[2]));
    reply.integer(i64::from(has));
    Ok(())
}

pub fn hstrlen(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let len = unit.hash(&key)?.and_then(|hash| hash.get(args[2])).map_or(0, <[u8]>::len);
    reply.integer(len as i64);
    Ok(())
}

pub fn hdel(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let gone = match unit.hash(&key)? {
        Some(hash) => distinct(&args[2..], |field| hash.contains(field)),
        None => Default::default(),
    };
    if !gone.is_empty() {
        unit.emit(&key, Op::Fields(FieldOp::Remove(Members::Slices(&gone))));
    }
    reply.integer(gone.len() as i64);
    Ok(())
}

pub fn hscan(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let cursor = scan_cursor(args[2])?;
    let key = unit.key(args[1]);
    let mut found = Vec::new();
    let next = match unit.hash(&key)? {
        Some(hash) => {
            let scan = scan_options(&args[3..], false)?;
            hash.scan(cursor, scan.count, &mut |field, value| {
                if scan.pattern.is_none_or(|p| glob::matches(p, field)) {
                    found.extend([field.to_vec(), value.to_vec()]);
                }
            })
        }
        // Redis does not look at the options then.
        None => 0,
    };
    reply.array(2);
    reply.bulk(next.to_string().as_bytes());
    reply.array(found.len());
    found.iter().for_each(|part| reply.bulk(part));
    Ok(())
}
