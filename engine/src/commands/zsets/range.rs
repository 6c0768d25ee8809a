//! ZRANGE and its kin, ZRANGESTORE.

use proto::resp::Replies;

use super::bounds::{self, By, Range};
use super::store;
use crate::commands::args::{self, is};
use crate::commands::pick;
use crate::core::Unit;
use crate::refusal::Refusal;
use crate::state::zset::ZSetValue;

/// A parsed request for a range.
struct Request<'a> {
    range: Range<'a>,
    reverse: bool,
    /// Left out from the beginning; negative leaves out all.
    offset: i64,
    /// Taken at most; negative takes all.
    limit: i64,
    with_scores: bool,
}

/// Reads `min max [options]`. What is fixed by the command's name is no option.
fn request<'a>(args: &[&'a [u8]], fixed: Option<(By, bool)>, stores: bool) -> Result<Request<'a>, Refusal> {
    let (mut by, mut reverse) = fixed.unwrap_or((By::Rank, false));
    let (mut chosen, mut limited, mut with_scores) = (fixed.is_some(), false, false);
    let (mut offset, mut limit) = (0, -1);
    let mut rest = &args[2..];
    while let [word, tail @ ..] = rest {
        rest = tail;
        if !stores && is(word, "withscores") {
            with_scores = true;
        } else if let [from, count, tail @ ..] = rest
            && is(word, "limit")
        {
            (offset, limit) = (args::integer(from)?, args::integer(count)?);
            limited = limit != -1;
            rest = tail;
        } else if fixed.is_none() && !reverse && is(word, "rev") {
            reverse = true;
        } else if !chosen && is(word, "bylex") {
            (by, chosen) = (By::Lex, true);
        } else if !chosen && is(word, "byscore") {
            (by, chosen) = (By::Score, true);
        } else {
            return Err(Refusal::Syntax);
        }
    }
    if limited && by == By::Rank {
        return Err(Refusal::Text(
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
        ));
    }
    if with_scores && by == By::Lex {
        return Err(Refusal::Text("ERR syntax error, WITHSCORES not supported in combination with BYLEX"));
    }
    let (min, max) = if reverse && by != By::Rank { (args[1], args[0]) } else { (args[0], args[1]) };
    let range = bounds::parse(by, min, max)?;
    Ok(Request { range, reverse, offset, limit, with_scores })
}

impl Request<'_> {
    /// Where to begin, counted in the request's direction, and how many to take.
    fn places(&self, zset: &ZSetValue) -> (usize, usize) {
        let (from, count) = self.range.places(zset);
        if let Range::Rank(..) = self.range {
            return (from, count);
        }
        let Ok(offset) = usize::try_from(self.offset) else { return (0, 0) };
        let first = if self.reverse { zset.len() - from - count } else { from };
        let left = count.saturating_sub(offset);
        let take = usize::try_from(self.limit).map_or(left, |limit| left.min(limit));
        (first.saturating_add(offset), take)
    }
}

fn answer(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    fixed: Option<(By, bool)>,
    reply: &mut Replies<'_>,
) -> Result<(), Refusal> {
    let request = request(&args[2..], fixed, false)?;
    let key = unit.key(args[1]);
    let Some(zset) = unit.zset(&key)? else {
        reply.array(0);
        return Ok(());
    };
    let (from, count) = request.places(zset);
    pick::header(reply, count, request.with_scores);
    zset.walk(from, count, request.reverse, &mut |member, score| {
        pick::pair(reply, request.with_scores);
        reply.bulk(member);
        if request.with_scores {
            reply.double(score);
        }
    });
    Ok(())
}

pub fn zrange(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    answer(unit, args, None, reply)
}

pub fn zrevrange(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    answer(unit, args, Some((By::Rank, true)), reply)
}

pub fn zrangebyscore(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    answer(unit, args, Some((By::Score, false)), reply)
}

pub fn zrevrangebyscore(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    answer(unit, args, Some((By::Score, true)), reply)
}

pub fn zrangebylex(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    answer(unit, args, Some((By::Lex, false)), reply)
}

pub fn zrevrangebylex(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    answer(unit, args, Some((By::Lex, true)), reply)
}

pub fn zrangestore(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let request = request(&args[3..], None, true)?;
    let (to, from) = (unit.key(args[1]), unit.key(args[2]));
    let mut found = Vec::new();
    if let Some(zset) = unit.zset(&from)? {
        let (from, count) = request.places(zset);
        found.reserve(count);
        zset.walk(from, count, request.reverse, &mut |member, score| found.push((score, member.to_vec())));
    }
    let slices: Vec<(f64, &[u8])> = found.iter().map(|(score, member)| (*score, member.as_slice())).collect();
    store(unit, &to, &slices);
    reply.integer(found.len() as i64);
    Ok(())
}
