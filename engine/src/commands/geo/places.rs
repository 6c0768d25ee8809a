//! GEOADD, GEOPOS, GEOHASH, GEODIST.

use proto::resp::Replies;

use super::{metres, position, write_distance, write_position};
use crate::commands::args::is;
use crate::commands::zsets;
use crate::core::Unit;
use crate::number::geohash::Position;
use crate::refusal::Refusal;

pub fn geoadd(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let mut options = zsets::AddOptions::default();
    let mut rest = &args[2..];
    while let [word, tail @ ..] = rest {
        match () {
            () if is(word, "nx") => options.nx = true,
            () if is(word, "xx") => options.xx = true,
            () if is(word, "ch") => options.changed = true,
            () => break,
        }
        rest = tail;
    }
    if rest.is_empty() || !rest.len().is_multiple_of(3) || options.nx && options.xx {
        return Err(Refusal::Syntax);
    }
    let mut pairs = Vec::with_capacity(rest.len() / 3);
    for place in rest.chunks_exact(3) {
        pairs.push((position(place[0], place[1])?.score(), place[2]));
    }
    let key = unit.key(args[1]);
    reply.integer(zsets::add_all(unit, &key, &pairs, options)?);
    Ok(())
}

/// The positions of members; `None` for one that is not there.
fn positions(unit: &mut Unit<'_>, name: &[u8], members: &[&[u8]]) -> Result<Vec<Option<Position>>, Refusal> {
    let key = unit.key(name);
    let zset = unit.zset(&key)?;
    let score = |member: &&[u8]| zset.and_then(|zset| zset.score(member));
    Ok(members.iter().map(|member| score(member).map(Position::of_score)).collect())
}

pub fn geopos(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let found = positions(unit, args[1], &args[2..])?;
    reply.array(found.len());
    for at in found {
        match at {
            Some(at) => write_position(reply, at),
            None => reply.null_array(),
        }
    }
    Ok(())
}

pub fn geohash(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let found = positions(unit, args[1], &args[2..])?;
    reply.array(found.len());
    for at in found {
        match at {
            Some(at) => reply.bulk(&at.text()),
            None => reply.null(),
        }
    }
    Ok(())
}

pub fn geodist(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let metres = match &args[4..] {
        [] => 1.0,
        [name] => metres(name)?,
        _ => return Err(Refusal::Syntax),
    };
    match positions(unit, args[1], &args[2..4])?[..] {
        [Some(a), Some(b)] => write_distance(reply, a.distance(b) / metres),
        _ => reply.null(),
    }
    Ok(())
}
