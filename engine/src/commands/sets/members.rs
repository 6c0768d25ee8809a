//! SADD, SREM, SCARD, SISMEMBER, SMISMEMBER, SMEMBERS, SMOVE, SSCAN.

use proto::resp::Replies;
use smallvec::SmallVec;

use crate::commands::args::distinct;
use crate::commands::generic::{scan_cursor, scan_options};
use crate::core::Unit;
use crate::effect::{Members, Op};
use crate::glob;
use crate::refusal::Refusal;

pub fn sadd(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let set = unit.set(&key)?;
    let mut added = distinct(&args[2..], |m| set.is_none_or(|set| !set.contains(m)));
    reply.integer(added.len() as i64);
    if !unit.is_alone() {
        // With peers an add renews a member that a concurrent remove may cancel; alone it would be a no-op.
        added = distinct(&args[2..], |_| true);
    }
    if !added.is_empty() {
        unit.emit(&key, Op::MemberAdd(Members::Slices(&added)));
    }
    Ok(())
}

pub fn srem(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let gone = match unit.set(&key)? {
        Some(set) => distinct(&args[2..], |m| set.contains(m)),
        None => SmallVec::new(),
    };
    if !gone.is_empty() {
        unit.emit(&key, Op::MemberRemove(Members::Slices(&gone)));
    }
    reply.integer(gone.len() as i64);
    Ok(())
}

pub fn scard(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let len = unit.set(&key)?.map_or(0, |set| set.len());
    reply.integer(len as i64);
    Ok(())
}

pub fn sismember(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let has = unit.set(&key)?.is_some_and(|set| set.contains(args[2]));
    reply.integer(i64::from(has));
    Ok(())
}

pub fn smismember(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let set = unit.set(&key)?;
    reply.array(args.len() - 2);
    for member in &args[2..] {
        reply.integer(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}

pub fn smembers(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    match unit.set(&key)? {
        Some(set) => {
            reply.set(set.len());
            set.for_each(|m| reply.bulk(m));
        }
        None => reply.set(0),
    }
    Ok(())
}

pub fn smove(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (from, to, member) = (unit.key(args[1]), unit.key(args[2]), args[3]);
    // As Redis: a missing source answers before the types are looked at.
    if unit.kind(&from).is_none() {
        reply.integer(0);
        return Ok(());
    }
    let has = unit.set(&from)?.is_some_and(|set| set.contains(member));
    let there = unit.set(&to)?.is_some_and(|set| set.contains(member));
    if has && from.bytes != to.bytes {
        unit.emit(&from, Op::MemberRemove(Members::Slices(&[member])));
        // As in SADD.
        if !there || !unit.is_alone() {
            unit.emit(&to, Op::MemberAdd(Members::Slices(&[member])));
        }
    }
    reply.integer(i64::from(has));
    Ok(())
}

pub fn sscan(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let cursor = scan_cursor(args[2])?;
    let key = unit.key(args[1]);
    let mut found = Vec::new();
    let next = match unit.set(&key)? {
        Some(set) => {
            let scan = scan_options(&args[3..], false)?;
            set.scan(cursor, scan.count, &mut |m| {
                if scan.pattern.is_none_or(|p| glob::matches(p, m)) {
                    found.push(m.to_vec());
                }
            })
        }
        // Redis does not look at the options then.
        None => 0,
    };
    reply.array(2);
    reply.bulk(next.to_string().as_bytes());
    reply.array(found.len());
    found.iter().for_each(|m| reply.bulk(m));
    Ok(())
}
