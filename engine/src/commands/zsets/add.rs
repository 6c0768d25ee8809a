//! ZADD, ZINCRBY.

use hashbrown::HashMap;
use proto::resp::Replies;
use smallvec::SmallVec;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use crate::commands::args::is;
use crate::core::{Key, Unit};
use crate::effect::{Op, ScoreOp, Scores};
use crate::number::parse_f64;
use crate::refusal::Refusal;

/// Pairs of most commands: no more are kept without memory of their own.
const PAIRS: usize = 4;

/// What ZADD and GEOADD may be told.
#[derive(Clone, Copy, Default)]
pub(in crate::commands) struct Options {
    pub nx: bool,
    pub xx: bool,
    pub gt: bool,
    pub lt: bool,
    pub changed: bool,
    pub increment: bool,
}

/// What one pair came to.
#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Added(f64),
    Updated(f64),
    Same(f64),
    Refused,
}

impl Options {
    /// What a pair makes of the score that is there.
    fn outcome(self, current: Option<f64>, by: f64) -> Result<Outcome, Refusal> {
        let Some(current) = current else {
            return Ok(if self.xx { Outcome::Refused } else { Outcome::Added(by) });
        };
        if self.nx {
            return Ok(Outcome::Refused);
        }
        let score = if self.increment { current + by } else { by };
        if score.is_nan() {
            return Err(Refusal::Text("ERR resulting score is not a number (NaN)"));
        }
        if self.lt && score >= current || self.gt && score <= current {
            return Ok(Outcome::Refused);
        }
        Ok(if score == current { Outcome::Same(score) } else { Outcome::Updated(score) })
    }

    fn op<'a>(self, scores: Scores<'a>) -> Op<'a> {
        Op::Scores(match () {
            () if self.increment => ScoreOp::Add(scores),
            () if self.gt => ScoreOp::Max(scores),
            () if self.lt => ScoreOp::Min(scores),
            () => ScoreOp::Put(scores),
        })
    }
}

/// Sums of a command that adds.
#[derive(Default)]
struct Sums {
    added: usize,
    updated: usize,
    /// The last pair's score; `None` when it was refused.
    score: Option<f64>,
}

fn add(
    unit: &mut Unit<'_>,
    key: &Key<'_>,
    pairs: &[(f64, &[u8])],
    options: Options,
) -> Result<Sums, Refusal> {
    // With peers a score that stays renews a member that a concurrent remove may cancel; alone it would be a no-op.
    let renews = !unit.is_alone();
    let zset = unit.zset(key)?;
    if let Some(zset) = zset {
        zset.prefetch_order();
    }
    let mut sums = Sums::default();
    let mut emitted: SmallVec<[(f64, &[u8]); PAIRS]> = SmallVec::with_capacity(pairs.len());
    // Members named before: where they are in `emitted`, and their score by now.
    let mut named: HashMap<&[u8], (Option<usize>, Option<f64>), Xxh3DefaultBuilder> = HashMap::default();
    for (by, member) in pairs {
        let before = named.get(member).copied();
        let current = match before {
            Some((_, score)) => score,
            None => zset.and_then(|zset| zset.score(member)),
        };
        let outcome = options.outcome(current, *by)?;
        let score = match outcome {
            Outcome::Added(score) | Outcome::Updated(score) | Outcome::Same(score) => Some(score),
            Outcome::Refused => None,
        };
        sums.added += usize::from(matches!(outcome, Outcome::Added(_)));
        sums.updated += usize::from(matches!(outcome, Outcome::Updated(_)));
        sums.score = score;
        let mut place = before.and_then(|before| before.0);
        let counts = match outcome {
            Outcome::Added(_) | Outcome::Updated(_) => true,
            Outcome::Same(_) => renews,
            Outcome::Refused => false,
        };
        if counts {
            match place {
                Some(at) => emitted[at].0 = *by,
                None => {
                    place = Some(emitted.len());
                    emitted.push((*by, member));
                }
            }
        }
        if pairs.len() > 1 {
            named.insert(member, (place, score.or(current)));
        }
    }
    if !emitted.is_empty() {
        unit.emit(key, options.op(Scores::Slices(&emitted)));
    }
    Ok(sums)
}

/// Adds members; how many were added, or changed if that was asked for.
pub(in crate::commands) fn add_all(
    unit: &mut Unit<'_>,
    key: &Key<'_>,
    pairs: &[(f64, &[u8])],
    options: Options,
) -> Result<i64, Refusal> {
    let sums = add(unit, key, pairs, options)?;
    Ok((sums.added + if options.changed { sums.updated } else { 0 }) as i64)
}

pub fn zadd(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let mut o = Options::default();
    let mut rest = &args[2..];
    while let [word, tail @ ..] = rest {
        match () {
            () if is(word, "nx") => o.nx = true,
            () if is(word, "xx") => o.xx = true,
            () if is(word, "ch") => o.changed = true,
            () if is(word, "incr") => o.increment = true,
            () if is(word, "gt") => o.gt = true,
            () if is(word, "lt") => o.lt = true,
            () => break,
        }
        rest = tail;
    }
    if rest.is_empty() || !rest.len().is_multiple_of(2) {
        return Err(Refusal::Syntax);
    }
    if o.nx && o.xx {
        return Err(Refusal::Text("ERR XX and NX options at the same time are not compatible"));
    }
    if (o.gt || o.lt) && o.nx || o.gt && o.lt {
        return Err(Refusal::Text("ERR GT, LT, and/or NX options at the same time are not compatible"));
    }
    if o.increment && rest.len() > 2 {
        return Err(Refusal::Text("ERR INCR option supports a single increment-element pair"));
    }
    let mut pairs = SmallVec::<[(f64, &[u8]); PAIRS]>::with_capacity(rest.len() / 2);
    for pair in rest.chunks_exact(2) {
        pairs.push((parse_f64(pair[0]).ok_or(Refusal::NotFloat)?, pair[1]));
    }
    let key = unit.key(args[1]);
    let sums = add(unit, &key, &pairs, o)?;
    match sums.score {
        Some(score) if o.increment => reply.double(score),
        None if o.increment => reply.null(),
        _ => reply.integer((sums.added + if o.changed { sums.updated } else { 0 }) as i64),
    }
    Ok(())
}

pub fn zincrby(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let by = parse_f64(args[2]).ok_or(Refusal::NotFloat)?;
    let key = unit.key(args[1]);
    let options = Options { increment: true, ..Options::default() };
    let sums = add(unit, &key, &[(by, args[3])], options)?;
    reply.double(sums.score.unwrap_or(by));
    Ok(())
}
