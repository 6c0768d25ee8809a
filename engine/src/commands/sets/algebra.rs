//! SINTER, SUNION, SDIFF, their STORE forms, SINTERCARD.

use proto::resp::Replies;

use crate::commands::args::{self, is};
use crate::core::{Key, Unit};
use crate::effect::{Expiry, Members, Op, Payload};
use crate::number::parse_i64;
use crate::refusal::Refusal;
use crate::state::set::SetValue;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Algebra {
    Inter,
    Union,
    Diff,
}

/// Members looked at in one go: what is held of a set beside the result.
const BLOCK: usize = 1024;

/// Combines sets into distinct members; stops an intersection at `limit` of them.
fn combine(
    unit: &mut Unit<'_>,
    keys: &[&[u8]],
    algebra: Algebra,
    limit: usize,
) -> Result<Vec<Vec<u8>>, Refusal> {
    let keys: Vec<Key<'_>> = keys.iter().map(|key| unit.key(key)).collect();
    // All types are looked at before anything is worked out, as Redis does.
    let mut sizes = Vec::with_capacity(keys.len());
    for key in &keys {
        sizes.push(unit.set(key)?.map_or(0, SetValue::len));
    }
    match algebra {
        Algebra::Union => union(unit, &keys),
        Algebra::Diff => difference(unit, &keys, &sizes),
        Algebra::Inter => {
            if sizes.contains(&0) {
                return Ok(Vec::new());
            }
            // Smallest first: fewest members to try, and most of them fail early.
            let mut order: Vec<usize> = (0..keys.len()).collect();
            order.sort_by_key(|i| sizes[*i]);
            let others: Vec<Key<'_>> = order[1..].iter().map(|i| keys[*i]).collect();
            filtered(unit, &keys[order[0]], &others, true, limit)
        }
    }
}

/// The members of one set that all others have (`wanted`), or that none has; at most `limit`.
fn filtered(
    unit: &mut Unit<'_>,
    of: &Key<'_>,
    others: &[Key<'_>],
    wanted: bool,
    limit: usize,
) -> Result<Vec<Vec<u8>>, Refusal> {
    let mut out = Vec::new();
    let mut cursor = 0;
    loop {
        let mut block = Vec::new();
        let Some(set) = unit.set(of)? else { break };
        // Nothing changes meanwhile, so the scan visits each member once.
        cursor = set.scan(cursor, BLOCK, &mut |m| block.push(m.to_vec()));
        for other in others {
            match unit.set(other)? {
                Some(set) => block.retain(|m| set.contains(m) == wanted),
                None if wanted => block.clear(),
                None => {}
            }
        }
        out.append(&mut block);
        if cursor == 0 || out.len() >= limit {
            break;
        }
    }
    out.truncate(limit);
    Ok(out)
}

fn union(unit: &mut Unit<'_>, keys: &[Key<'_>]) -> Result<Vec<Vec<u8>>, Refusal> {
    if let [key] = keys {
        return Ok(unit.set(key)?.map_or_else(Vec::new, SetValue::to_vec));
    }
    let mut out = SetValue::default();
    for key in keys {
        if let Some(set) = unit.set(key)? {
            set.for_each(|m| _ = out.insert(m));
        }
    }
    Ok(out.to_vec())
}

fn difference(unit: &mut Unit<'_>, keys: &[Key<'_>], sizes: &[usize]) -> Result<Vec<Vec<u8>>, Refusal> {
    // Either look each member of the first set up in the others, or take each member of the others out of a copy of the first:
    // whichever is less work. Half as much for the first way, which usually ends early.
    let lookups = sizes[0].saturating_mul(sizes.len()) / 2;
    if lookups <= sizes.iter().sum() {
        return filtered(unit, &keys[0], &keys[1..], false, usize::MAX);
    }
    let Some(mut out) = unit.set(&keys[0])?.cloned() else { return Ok(Vec::new()) };
    for key in &keys[1..] {
        if let Some(set) = unit.set(key)? {
            set.for_each(|m| _ = out.remove(m));
        }
        if out.is_empty() {
            break;
        }
    }
    Ok(out.to_vec())
}

fn answer(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    algebra: Algebra,
    reply: &mut Replies<'_>,
) -> Result<(), Refusal> {
    let members = combine(unit, &args[1..], algebra, usize::MAX)?;
    reply.set(members.len());
    members.iter().for_each(|m| reply.bulk(m));
    Ok(())
}

fn store(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    algebra: Algebra,
    reply: &mut Replies<'_>,
) -> Result<(), Refusal> {
    let members = combine(unit, &args[2..], algebra, usize::MAX)?;
    let to = unit.key(args[1]);
    if members.is_empty() {
        if unit.kind(&to).is_some() {
            unit.emit(&to, Op::Reset);
        }
    } else {
        let slices: Vec<&[u8]> = members.iter().map(Vec::as_slice).collect();
        let payload = Payload::Set(Members::Slices(&slices));
        unit.emit(&to, Op::Assign { payload, expiry: Expiry::NEVER });
    }
    reply.integer(members.len() as i64);
    Ok(())
}

pub fn sinter(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    answer(unit, args, Algebra::Inter, reply)
}

pub fn sunion(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    answer(unit, args, Algebra::Union, reply)
}

pub fn sdiff(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    answer(unit, args, Algebra::Diff, reply)
}

pub fn sinterstore(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    store(unit, args, Algebra::Inter, reply)
}

pub fn sunionstore(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    store(unit, args, Algebra::Union, reply)
}

pub fn sdiffstore(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    store(unit, args, Algebra::Diff, reply)
}

pub fn sintercard(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let positive = Refusal::Text("ERR numkeys should be greater than 0");
    let count = parse_i64(args[1]).filter(|n| *n > 0).ok_or(positive)? as usize;
    if count > args.len() - 2 {
        return Err(Refusal::Text("ERR Number of keys can't be greater than number of args"));
    }
    let (keys, mut rest) = args[2..].split_at(count);
    let mut limit = 0;
    while let [word, tail @ ..] = rest {
        let [value, tail @ ..] = tail else { return Err(Refusal::Syntax) };
        if !is(word, "limit") {
            return Err(Refusal::Syntax);
        }
        let negative = Refusal::Text("ERR LIMIT can't be negative");
        let value = args::integer(value).map_err(|_| negative.clone())?;
        limit = usize::try_from(value).map_err(|_| negative)?;
        rest = tail;
    }
    let limit = if limit == 0 { usize::MAX } else { limit };
    let members = combine(unit, keys, Algebra::Inter, limit)?;
    reply.integer(members.len() as i64);
    Ok(())
}
