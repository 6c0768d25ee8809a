//! SINTER, SUNION, SDIFF, their STORE forms, SINTERCARD.

use proto::resp::Replies;

use crate::commands::args::{self, is};
use crate::core::Unit;
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

/// Combines sets; stops an intersection at `limit` members.
fn combine(unit: &mut Unit<'_>, keys: &[&[u8]], algebra: Algebra, limit: usize) -> Result<SetValue, Refusal> {
    // All types are looked at before anything is worked out, as Redis does.
    let mut sizes = Vec::with_capacity(keys.len());
    for key in keys {
        let key = unit.key(key);
        sizes.push(unit.set(&key)?.map_or(0, |set| set.len()));
    }
    let mut load = |key: &[u8]| -> Result<Option<SetValue>, Refusal> {
        let key = unit.key(key);
        Ok(unit.set(&key)?.cloned())
    };
    match algebra {
        Algebra::Union => {
            let mut out = SetValue::default();
            for key in keys {
                let key = unit.key(key);
                if let Some(set) = unit.set(&key)? {
                    set.for_each(|m| _ = out.insert(m));
                }
            }
            Ok(out)
        }
        Algebra::Diff => {
            let Some(mut out) = load(keys[0])? else { return Ok(SetValue::default()) };
            for key in &keys[1..] {
                let key = unit.key(key);
                if let Some(set) = unit.set(&key)? {
                    if set.len() <= out.len() {
                        set.for_each(|m| _ = out.remove(m));
                    } else {
                        out.to_vec().iter().filter(|m| set.contains(m)).for_each(|m| _ = out.remove(m));
                    }
                }
            }
            Ok(out)
        }
        Algebra::Inter => {
            let mut out = SetValue::default();
            if sizes.contains(&0) {
                return Ok(out);
            }
            let smallest = sizes.iter().enumerate().min_by_key(|s| s.1).map_or(0, |s| s.0);
            let mut left = load(keys[smallest])?.map_or_else(Vec::new, |set| set.to_vec());
            for (i, key) in keys.iter().enumerate().filter(|(i, _)| *i != smallest) {
                let last = i + 1 == keys.len() || i + 2 == keys.len() && smallest + 1 == keys.len();
                let key = unit.key(key);
                let Some(set) = unit.set(&key)? else { return Ok(out) };
                let mut kept = 0;
                left.retain(|m| {
                    let keep = !(last && kept >= limit) && set.contains(m);
                    kept += usize::from(keep);
                    keep
                });
            }
            left.iter().take(limit).for_each(|m| _ = out.insert(m));
            Ok(out)
        }
    }
}

fn answer(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    algebra: Algebra,
    reply: &mut Replies<'_>,
) -> Result<(), Refusal> {
    let set = combine(unit, &args[1..], algebra, usize::MAX)?;
    reply.set(set.len());
    set.for_each(|m| reply.bulk(m));
    Ok(())
}

fn store(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    algebra: Algebra,
    reply: &mut Replies<'_>,
) -> Result<(), Refusal> {
    let set = combine(unit, &args[2..], algebra, usize::MAX)?;
    let to = unit.key(args[1]);
    if set.is_empty() {
        if unit.kind(&to).is_some() {
            unit.emit(&to, Op::Reset);
        }
    } else {
        let members = set.to_vec();
        let slices: Vec<&[u8]> = members.iter().map(Vec::as_slice).collect();
        let payload = Payload::Set(Members::Slices(&slices));
        unit.emit(&to, Op::Assign { payload, expiry: Expiry::NEVER });
    }
    reply.integer(set.len() as i64);
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
    let count =
        parse_i64(args[1]).filter(|n| (1..=i64::from(i32::MAX)).contains(n)).ok_or(positive)? as usize;
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
    let set = combine(unit, keys, Algebra::Inter, limit)?;
    reply.integer(set.len() as i64);
    Ok(())
}
