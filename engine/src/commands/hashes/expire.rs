//! HEXPIRE and its kin, HTTL and its kin, HPERSIST, HGETEX, HSETEX, HGETDEL: fields that end by themselves.
//!
//! As Redis 7.4 and 8 document them.

use std::collections::BTreeMap;

use proto::resp::Replies;

use super::fields::value;
use crate::commands::args::{self, When, distinct, is};
use crate::core::{Key, Unit};
use crate::effect::{Expiry, FieldOp, Members, Moments, Op};
use crate::number::parse_i64;
use crate::refusal::Refusal;
use crate::state::hash::HashValue;

/// No field may end after this, ms.
const END_MAX_MS: i64 = (1 << 48) - 1;

const NO_FIELD: i64 = -2;
const NO_END: i64 = -1;
const UNMET: i64 = 0;
const SET: i64 = 1;
const GONE: i64 = 2;

const COUNT: Refusal = Refusal::Text("ERR Number of fields must be a positive integer");

/// `FIELDS count field…` from a place on, to the end.
fn fields<'a>(args: &[&'a [u8]], at: usize, count: Refusal) -> Result<Vec<&'a [u8]>, Refusal> {
    if !args.get(at).is_some_and(|word| is(word, "fields")) {
        return Err(Refusal::Text("ERR Mandatory argument FIELDS is missing or not at the right position"));
    }
    let n = args.get(at + 1).and_then(|n| parse_i64(n)).filter(|n| *n > 0).ok_or(count)?;
    let fields = &args[at + 2..];
    if usize::try_from(n) != Ok(fields.len()) {
        return Err(Refusal::Text("ERR The `numfields` parameter must match the number of arguments"));
    }
    Ok(fields.to_vec())
}

/// The moment that an argument gives, ms.
fn moment(arg: &[u8], when: When, now_ms: u64, command: &'static str) -> Result<i64, Refusal> {
    let count = args::integer(arg)?;
    if count < 0 {
        return Err(Refusal::Text("ERR invalid expire time, must be >= 0"));
    }
    let ms = when.resolve(count, now_ms).filter(|ms| *ms <= END_MAX_MS);
    ms.ok_or(Refusal::InvalidExpire(command))
}

/// Emits that fields end at a moment, or that they are gone when it has passed.
fn end_at(unit: &mut Unit<'_>, key: &Key<'_>, fields: &[&[u8]], ms: i64) {
    if fields.is_empty() {
        return;
    }
    if ms <= unit.now_ms() as i64 {
        return unit.emit(key, Op::Fields(FieldOp::Remove(Members::Slices(fields))));
    }
    let end = Expiry::at_ms(ms as u64);
    let moments: Vec<(Expiry, &[u8])> = fields.iter().map(|field| (end, *field)).collect();
    unit.emit(key, Op::Fields(FieldOp::Expire(Moments::Slices(&moments))));
}

fn expire(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    when: When,
    command: &'static str,
    reply: &mut Replies<'_>,
) -> Result<(), Refusal> {
    let (key, now_ms) = (unit.key(args[1]), unit.now_ms());
    unit.hash(&key)?;
    let ms = moment(args[2], when, now_ms, command)?;
    let condition = ["nx", "xx", "gt", "lt"].into_iter().find(|word| is(args[3], word));
    let few = Refusal::Text("ERR Parameter `numFields` should be greater than 0");
    let names = fields(args, 3 + usize::from(condition.is_some()), few)?;
    let hash = unit.hash(&key)?;
    let meets = |end: Expiry| match (condition, end.ms().map(|end_ms| end_ms as i64)) {
        (Some("nx"), end_ms) => end_ms.is_none(),
        (Some("xx"), end_ms) => end_ms.is_some(),
        (Some("gt"), end_ms) => end_ms.is_some_and(|end_ms| ms > end_ms),
        (Some("lt"), end_ms) => end_ms.is_none_or(|end_ms| ms < end_ms),
        _ => true,
    };
    let over = ms <= now_ms as i64;
    // What the fields named before came to: a field may be named twice.
    let mut changed = BTreeMap::<&[u8], Option<Expiry>>::new();
    reply.array(names.len());
    for field in &names {
        let now = match changed.get(field) {
            Some(now) => *now,
            None => hash.and_then(|hash| hash.end(field)),
        };
        reply.integer(match now {
            None => NO_FIELD,
            Some(end) if !meets(end) => UNMET,
            Some(_) => {
                changed.insert(field, (!over).then(|| Expiry::at_ms(ms as u64)));
                if over { GONE } else { SET }
            }
        });
    }
    let changed: Vec<&[u8]> = changed.into_keys().collect();
    end_at(unit, &key, &changed, ms);
    Ok(())
}

pub fn hexpire(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    expire(unit, args, When::InSeconds, "hexpire", reply)
}

pub fn hpexpire(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    expire(unit, args, When::InMs, "hpexpire", reply)
}

pub fn hexpireat(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    expire(unit, args, When::AtSecond, "hexpireat", reply)
}

pub fn hpexpireat(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    expire(unit, args, When::AtMs, "hpexpireat", reply)
}

/// Answers of each field when it ends, as `told` says a moment in ms.
fn tell_ends(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    reply: &mut Replies<'_>,
    told: impl Fn(u64) -> u64,
) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    unit.hash(&key)?;
    let names = fields(args, 2, COUNT)?;
    let hash = unit.hash(&key)?;
    reply.array(names.len());
    for field in names {
        reply.integer(match hash.and_then(|hash| hash.end(field)).map(Expiry::ms) {
            None => NO_FIELD,
            Some(None) => NO_END,
            Some(Some(ms)) => told(ms) as i64,
        });
    }
    Ok(())
}

pub fn httl(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let now_ms = unit.now_ms();
    tell_ends(unit, args, reply, |ms| (ms - now_ms).div_ceil(1000))
}

pub fn hpttl(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let now_ms = unit.now_ms();
    tell_ends(unit, args, reply, |ms| ms - now_ms)
}

pub fn hexpiretime(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    tell_ends(unit, args, reply, |ms| ms.div_ceil(1000))
}

pub fn hpexpiretime(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    tell_ends(unit, args, reply, |ms| ms)
}

/// Has the fields that end never end.
fn persist(unit: &mut Unit<'_>, key: &Key<'_>, names: &[&[u8]]) -> Result<(), Refusal> {
    let hash = unit.hash(key)?;
    let ends = |field: &[u8]| hash.and_then(|hash| hash.end(field)).is_some_and(|end| end != Expiry::NEVER);
    let moments: Vec<(Expiry, &[u8])> =
        distinct(names, ends).into_iter().map(|field| (Expiry::NEVER, field)).collect();
    if !moments.is_empty() {
        unit.emit(key, Op::Fields(FieldOp::Expire(Moments::Slices(&moments))));
    }
    Ok(())
}

pub fn hpersist(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    unit.hash(&key)?;
    let names = fields(args, 2, COUNT)?;
    let hash = unit.hash(&key)?;
    reply.array(names.len());
    for (i, field) in names.iter().enumerate() {
        reply.integer(match hash.and_then(|hash| hash.end(field)) {
            None => NO_FIELD,
            Some(Expiry::NEVER) => NO_END,
            Some(_) if names[..i].contains(field) => NO_END,
            Some(_) => SET,
        });
    }
    persist(unit, &key, &names)
}

fn write_values(hash: Option<&HashValue>, names: &[&[u8]], reply: &mut Replies<'_>) {
    reply.array(names.len());
    names.iter().for_each(|field| value(reply, hash.and_then(|hash| hash.get(field))));
}

pub fn hgetex(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let now_ms = unit.now_ms();
    let (mut end_ms, mut persists, mut at) = (None, false, 2);
    if let Some(when) = When::option(args[2]) {
        end_ms = Some(moment(args[3], when, now_ms, "hgetex")?);
        at = 4;
    } else if is(args[2], "persist") {
        (persists, at) = (true, 3);
    }
    let names = fields(args, at, COUNT)?;
    let key = unit.key(args[1]);
    let hash = unit.hash(&key)?;
    write_values(hash, &names, reply);
    if persists {
        return persist(unit, &key, &names);
    }
    if let Some(ms) = end_ms {
        let there = distinct(&names, |field| hash.is_some_and(|hash| hash.contains(field)));
        end_at(unit, &key, &there, ms);
    }
    Ok(())
}

pub fn hgetdel(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let names = fields(args, 2, COUNT)?;
    let key = unit.key(args[1]);
    let hash = unit.hash(&key)?;
    let there = distinct(&names, |field| hash.is_some_and(|hash| hash.contains(field)));
    reply.array(names.len());
    for (i, field) in names.iter().enumerate() {
        // Named twice, it is gone the second time.
        let first = !names[..i].contains(field);
        value(reply, hash.filter(|_| first).and_then(|hash| hash.get(field)));
    }
    if !there.is_empty() {
        unit.emit(&key, Op::Fields(FieldOp::Remove(Members::Slices(&there))));
    }
    Ok(())
}

/// Options of HSETEX.
struct SetRequest<'a> {
    end_ms: Option<i64>,
    keeps: bool,
    /// Only when none of the fields is there (false), or all are (true).
    there: Option<bool>,
    /// Fields and values in turn.
    pairs: &'a [&'a [u8]],
}

fn set_request<'a>(args: &'a [&'a [u8]], now_ms: u64) -> Result<SetRequest<'a>, Refusal> {
    const COMMAND: &str = "hsetex";
    let mut request = SetRequest { end_ms: None, keeps: false, there: None, pairs: &[] };
    let mut rest = &args[2..];
    while let [word, tail @ ..] = rest {
        rest = tail;
        if is(word, "fields") {
            let arity = || Refusal::Arity(COMMAND.into());
            let [count, pairs @ ..] = tail else { return Err(arity()) };
            if pairs.len() < 2 {
                return Err(arity());
            }
            let bounds = 1..=i64::from(i32::MAX);
            let n = parse_i64(count).filter(|n| bounds.contains(n));
            let n = n.ok_or(Refusal::Text("ERR invalid number of fields"))? as usize;
            if n.checked_mul(2) != Some(pairs.len()) {
                return Err(arity());
            }
            request.pairs = pairs;
            return Ok(request);
        }
        let once = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";
        if let Some(when) = When::option(word) {
            if request.end_ms.is_some() || request.keeps {
                return Err(Refusal::Text(once));
            }
            let [arg, tail @ ..] = tail else { return Err(Refusal::Text("ERR missing expire time")) };
            request.end_ms = Some(moment(arg, when, now_ms, COMMAND)?);
            rest = tail;
        } else if is(word, "keepttl") {
            if request.end_ms.is_some() || request.keeps {
                return Err(Refusal::Text(once));
            }
            request.keeps = true;
        } else if is(word, "fnx") || is(word, "fxx") {
            if request.there.is_some() {
                return Err(Refusal::Text("ERR Only one of FXX or FNX arguments can be specified"));
            }
            request.there = Some(is(word, "fxx"));
        } else {
            let word = String::from_utf8_lossy(word);
            return Err(Refusal::Quoted(format!("ERR unknown argument: {word}")));
        }
    }
    Err(Refusal::Arity(COMMAND.into()))
}

pub fn hsetex(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let now_ms = unit.now_ms();
    let request = set_request(args, now_ms)?;
    let key = unit.key(args[1]);
    let hash = unit.hash(&key)?;
    let all: Vec<&[u8]> = request.pairs.iter().step_by(2).copied().collect();
    let is_there = |field: &[u8]| hash.is_some_and(|hash| hash.contains(field));
    let unmet = match request.there {
        None => false,
        Some(true) => !all.iter().all(|field| is_there(field)),
        Some(false) => all.iter().any(|field| is_there(field)),
    };
    if unmet {
        reply.integer(0);
        return Ok(());
    }
    reply.integer(1);
    let names = distinct(&all, |_| true);
    if request.end_ms.is_some_and(|ms| ms <= now_ms as i64) {
        // They are gone before they are there.
        let there = distinct(&all, is_there);
        if !there.is_empty() {
            unit.emit(&key, Op::Fields(FieldOp::Remove(Members::Slices(&there))));
        }
        return Ok(());
    }
    let moments: Vec<(Expiry, &[u8])> = match request.end_ms {
        Some(ms) => names.iter().map(|field| (Expiry::at_ms(ms as u64), *field)).collect(),
        None if request.keeps => {
            let end = |field: &[u8]| hash.and_then(|hash| hash.end(field)).unwrap_or(Expiry::NEVER);
            let ends = names.iter().map(|field| (end(field), *field));
            ends.filter(|(end, _)| *end != Expiry::NEVER).collect()
        }
        None => Vec::new(),
    };
    unit.emit(&key, Op::Fields(FieldOp::Put(Members::Slices(request.pairs))));
    if !moments.is_empty() {
        unit.emit(&key, Op::Fields(FieldOp::Expire(Moments::Slices(&moments))));
    }
    Ok(())
}
