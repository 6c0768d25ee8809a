//! ZCARD, ZSCORE, ZMSCORE, ZRANK, ZREVRANK, ZCOUNT, ZLEXCOUNT, ZRANDMEMBER, ZSCAN.

use proto::resp::{Decimal, Replies};

use super::bounds::{self, By};
use crate::commands::args::{self, is};
use crate::commands::generic::{scan_cursor, scan_options};
use crate::commands::pick;
use crate::core::Unit;
use crate::glob;
use crate::refusal::Refusal;

pub fn zcard(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let len = unit.zset(&key)?.map_or(0, |zset| zset.len());
    reply.integer(len as i64);
    Ok(())
}

fn score(reply: &mut Replies<'_>, score: Option<f64>) {
    match score {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
}

pub fn zscore(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    score(reply, unit.zset(&key)?.and_then(|zset| zset.score(args[2])));
    Ok(())
}

pub fn zmscore(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let zset = unit.zset(&key)?;
    reply.array(args.len() - 2);
    for member in &args[2..] {
        score(reply, zset.and_then(|zset| zset.score(member)));
    }
    Ok(())
}

fn rank(unit: &mut Unit<'_>, args: &[&[u8]], reverse: bool, reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let zset = unit.zset(&key)?;
    match zset.and_then(|zset| Some((zset.rank(args[2])?.0, zset.len()))) {
        Some((rank, len)) => reply.integer(if reverse { len - 1 - rank } else { rank } as i64),
        None => reply.null(),
    }
    Ok(())
}

pub fn zrank(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    rank(unit, args, false, reply)
}

pub fn zrevrank(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    rank(unit, args, true, reply)
}

fn count(unit: &mut Unit<'_>, args: &[&[u8]], by: By, reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let range = bounds::parse(by, args[2], args[3])?;
    let key = unit.key(args[1]);
    let count = unit.zset(&key)?.map_or(0, |zset| range.places(zset).1);
    reply.integer(count as i64);
    Ok(())
}

pub fn zcount(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    count(unit, args, By::Score, reply)
}

pub fn zlexcount(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    count(unit, args, By::Lex, reply)
}

pub fn zrandmember(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let options = pick::options(&args[2..], |word| is(word, "withscores"))?;
    let bytes_max = unit.string_bytes_max();
    let key = unit.key(args[1]);
    let mut seed = unit.random();
    let mut random = move || args::splitmix(&mut seed);
    let zset = unit.zset(&key)?;
    let Some((count, with_scores)) = options else {
        match zset.and_then(|zset| zset.random(&mut random)) {
            Some((member, _)) => reply.bulk(&member),
            None => reply.null(),
        }
        return Ok(());
    };
    let Some(zset) = zset else {
        reply.array(0);
        return Ok(());
    };
    let write = |reply: &mut Replies<'_>, member: &[u8], score: f64| {
        pick::pair(reply, with_scores);
        reply.bulk(member);
        if with_scores {
            reply.double(score);
        }
    };
    match usize::try_from(count) {
        // Negative: with repetition, exactly so many.
        Err(_) => {
            let start = reply.buffer().len();
            let n = pick::repeated(count, bytes_max)?;
            pick::header(reply, n, with_scores);
            for _ in 0..n {
                if let Some((member, score)) = zset.random(&mut random) {
                    write(reply, &member, score);
                }
                pick::bounded(reply, start, bytes_max)?;
            }
        }
        Ok(count) if count.saturating_mul(3) > zset.len() => {
            let mut all = zset.to_vec();
            let count = count.min(all.len());
            match count < all.len() {
                true => pick::shuffle(&mut all, count, &mut random),
                // All of them come from the highest on, as Redis walks them.
                false => all.reverse(),
            }
            pick::header(reply, count, with_scores);
            all[..count].iter().for_each(|(score, member)| write(reply, member, *score));
        }
        Ok(count) => {
            let mut chosen = std::collections::BTreeMap::new();
            while chosen.len() < count {
                if let Some((member, score)) = zset.random(&mut random) {
                    chosen.insert(member.into_owned(), score);
                }
            }
            pick::header(reply, count, with_scores);
            chosen.iter().for_each(|(member, score)| write(reply, member, *score));
        }
    }
    Ok(())
}

pub fn zscan(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let cursor = scan_cursor(args[2])?;
    let key = unit.key(args[1]);
    let mut found = Vec::new();
    let next = match unit.zset(&key)? {
        Some(zset) => {
            let scan = scan_options(&args[3..], false)?;
            zset.scan(cursor, scan.count, &mut |member, score| {
                if scan.pattern.is_none_or(|p| glob::matches(p, member)) {
                    found.push((member.to_vec(), score));
                }
            })
        }
        // Redis does not look at the options then.
        None => 0,
    };
    reply.array(2);
    reply.bulk(next.to_string().as_bytes());
    reply.array(2 * found.len());
    for (member, score) in &found {
        reply.bulk(member);
        reply.bulk(Decimal::double(*score).as_bytes());
    }
    Ok(())
}
