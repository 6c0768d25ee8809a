//! ZUNION, ZINTER, ZDIFF, their STORE forms, ZINTERCARD. Sets take part with scores of 1.

use proto::resp::Replies;

use super::store;
use crate::commands::args::{self, is};
use crate::commands::pick;
use crate::core::{Key, Unit};
use crate::number::parse_f64;
use crate::refusal::Refusal;
use crate::state::value::ValueRef;
use crate::state::zset::ZSetValue;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Algebra {
    Union,
    Inter,
    Diff,
    Count,
}

#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn join(self, a: f64, b: f64) -> f64 {
        match self {
            // Opposite infinities are nothing.
            Aggregate::Sum => Some(a + b).filter(|sum| !sum.is_nan()).unwrap_or(0.0),
            Aggregate::Min if b < a => b,
            Aggregate::Max if b > a => b,
            _ => a,
        }
    }
}

struct Source<'a> {
    key: Key<'a>,
    weight: f64,
    len: usize,
}

fn weighted(weight: f64, score: f64) -> f64 {
    Some(weight * score).filter(|score| !score.is_nan()).unwrap_or(0.0)
}

struct Request<'a> {
    sources: Vec<Source<'a>>,
    aggregate: Aggregate,
    with_scores: bool,
    limit: usize,
}

/// Reads `numkeys key… [options]`; the types are looked at before the options, as Redis does.
fn request<'a>(
    unit: &mut Unit<'_>,
    args: &[&'a [u8]],
    algebra: Algebra,
    stores: bool,
    command: &str,
) -> Result<Request<'a>, Refusal> {
    let count = args::integer(args[0])?;
    if count < 1 {
        return Err(Refusal::Quoted(format!("ERR at least 1 input key is needed for '{command}' command")));
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > args.len() - 1 {
        return Err(Refusal::Syntax);
    }
    let (keys, mut rest) = args[1..].split_at(count);
    let mut sources = Vec::with_capacity(count);
    for name in keys {
        let key = unit.key(name);
        let len = match unit.value(&key) {
            None => 0,
            Some(ValueRef::ZSet(zset)) => zset.len(),
            Some(ValueRef::Set(set)) => set.len(),
            Some(_) => return Err(Refusal::WrongType),
        };
        sources.push(Source { key, weight: 1.0, len });
    }
    let mut request = Request { sources, aggregate: Aggregate::Sum, with_scores: false, limit: 0 };
    let weighs = matches!(algebra, Algebra::Union | Algebra::Inter);
    while let [word, tail @ ..] = rest {
        if weighs && tail.len() >= count && is(word, "weights") {
            let (weights, tail) = tail.split_at(count);
            for (source, weight) in request.sources.iter_mut().zip(weights) {
                source.weight = parse_f64(weight).ok_or(Refusal::Text("ERR weight value is not a float"))?;
            }
            rest = tail;
        } else if let [how, tail @ ..] = tail
            && weighs
            && is(word, "aggregate")
        {
            request.aggregate = match () {
                () if is(how, "sum") => Aggregate::Sum,
                () if is(how, "min") => Aggregate::Min,
                () if is(how, "max") => Aggregate::Max,
                () => return Err(Refusal::Syntax),
            };
            rest = tail;
        } else if !stores && algebra != Algebra::Count && is(word, "withscores") {
            request.with_scores = true;
            rest = tail;
        } else if let [limit, tail @ ..] = tail
            && algebra == Algebra::Count
            && is(word, "limit")
        {
            request.limit =
                args::positive(limit).map_err(|_| Refusal::Text("ERR LIMIT can't be negative"))?;
            rest = tail;
        } else {
            return Err(Refusal::Syntax);
        }
    }
    Ok(request)
}

/// A key's members with scores.
fn members(unit: &mut Unit<'_>, key: &Key<'_>) -> Vec<(f64, Vec<u8>)> {
    match unit.value(key) {
        Some(ValueRef::ZSet(zset)) => zset.to_vec(),
        Some(ValueRef::Set(set)) => set.to_vec().into_iter().map(|member| (1.0, member)).collect(),
        _ => Vec::new(),
    }
}

/// For each member its score in a key, `None` where it is not in it.
fn scores(unit: &mut Unit<'_>, key: &Key<'_>, of: &[(f64, Vec<u8>)]) -> Vec<Option<f64>> {
    match unit.value(key) {
        Some(ValueRef::ZSet(zset)) => of.iter().map(|(_, member)| zset.score(member)).collect(),
        Some(ValueRef::Set(set)) => of.iter().map(|(_, m)| set.contains(m).then_some(1.0)).collect(),
        _ => vec![None; of.len()],
    }
}

fn union(unit: &mut Unit<'_>, request: &Request<'_>) -> ZSetValue {
    let mut out = ZSetValue::default();
    for source in &request.sources {
        for (score, member) in members(unit, &source.key) {
            let score = weighted(source.weight, score);
            let joined = out.score(&member).map_or(score, |old| request.aggregate.join(old, score));
            out.put(&member, joined);
        }
    }
    out
}

fn intersection(unit: &mut Unit<'_>, request: &Request<'_>) -> Vec<(f64, Vec<u8>)> {
    let [first, others @ ..] = &request.sources[..] else { return Vec::new() };
    let mut found = members(unit, &first.key);
    found.iter_mut().for_each(|found| found.0 = weighted(first.weight, found.0));
    for other in others {
        let mut there = scores(unit, &other.key, &found).into_iter();
        found.retain_mut(|found| match there.next().flatten() {
            Some(score) => {
                found.0 = request.aggregate.join(found.0, weighted(other.weight, score));
                true
            }
            None => false,
        });
    }
    found
}

fn difference(unit: &mut Unit<'_>, request: &Request<'_>) -> Vec<(f64, Vec<u8>)> {
    let [first, others @ ..] = &request.sources[..] else { return Vec::new() };
    let mut found = members(unit, &first.key);
    for other in others.iter().filter(|other| other.len > 0) {
        let mut there = scores(unit, &other.key, &found).into_iter();
        found.retain(|_| there.next().flatten().is_none());
    }
    found
}

fn combine(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    algebra: Algebra,
    stores: bool,
    command: &str,
) -> Result<(ZSetValue, Request<'static>), Refusal> {
    let mut request = request(unit, args, algebra, stores, command)?;
    if algebra != Algebra::Diff {
        // Smallest first; also the order in which sums are taken.
        request.sources.sort_by_key(|source| source.len);
    }
    let found = match algebra {
        Algebra::Union => union(unit, &request),
        Algebra::Inter | Algebra::Count if request.sources[0].len == 0 => ZSetValue::default(),
        Algebra::Inter | Algebra::Count => in_order(&intersection(unit, &request)),
        Algebra::Diff => in_order(&difference(unit, &request)),
    };
    let Request { aggregate, with_scores, limit, .. } = request;
    Ok((found, Request { sources: Vec::new(), aggregate, with_scores, limit }))
}

fn in_order(found: &[(f64, Vec<u8>)]) -> ZSetValue {
    ZSetValue::from_scores(found.iter().map(|(score, member)| (*score, member.as_slice())))
}

fn answer(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    algebra: Algebra,
    command: &str,
    reply: &mut Replies<'_>,
) -> Result<(), Refusal> {
    let (found, request) = combine(unit, &args[1..], algebra, false, command)?;
    pick::header(reply, found.len(), request.with_scores);
    found.for_each(|member, score| {
        pick::pair(reply, request.with_scores);
        reply.bulk(member);
        if request.with_scores {
            reply.double(score);
        }
    });
    Ok(())
}

fn store_result(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    algebra: Algebra,
    command: &str,
    reply: &mut Replies<'_>,
) -> Result<(), Refusal> {
    let (found, _) = combine(unit, &args[2..], algebra, true, command)?;
    let found = found.to_vec();
    let slices: Vec<(f64, &[u8])> = found.iter().map(|(score, member)| (*score, member.as_slice())).collect();
    let to = unit.key(args[1]);
    store(unit, &to, &slices);
    reply.integer(found.len() as i64);
    Ok(())
}

pub fn zunion(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    answer(unit, args, Algebra::Union, "zunion", reply)
}

pub fn zinter(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    answer(unit, args, Algebra::Inter, "zinter", reply)
}

pub fn zdiff(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    answer(unit, args, Algebra::Diff, "zdiff", reply)
}

pub fn zunionstore(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    store_result(unit, args, Algebra::Union, "zunionstore", reply)
}

pub fn zinterstore(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    store_result(unit, args, Algebra::Inter, "zinterstore", reply)
}

pub fn zdiffstore(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    store_result(unit, args, Algebra::Diff, "zdiffstore", reply)
}

pub fn zintercard(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (found, request) = combine(unit, &args[1..], Algebra::Count, false, "zintercard")?;
    let limit = if request.limit == 0 { usize::MAX } else { request.limit };
    reply.integer(found.len().min(limit) as i64);
    Ok(())
}
