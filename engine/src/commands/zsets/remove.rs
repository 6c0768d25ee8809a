//! ZREM, ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX.

use proto::resp::Replies;

use super::bounds::{self, By};
use crate::commands::args::distinct;
use crate::core::{Key, Unit};
use crate::effect::{Members, Op, ScoreOp};
use crate::refusal::Refusal;

/// Takes members away that are there.
pub(super) fn remove<'a>(unit: &mut Unit<'_>, key: &Key<'_>, members: impl Iterator<Item = &'a [u8]>) {
    let slices: Vec<&[u8]> = members.collect();
    if !slices.is_empty() {
        unit.emit(key, Op::Scores(ScoreOp::Remove(Members::Slices(&slices))));
    }
}

pub fn zrem(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let gone = match unit.zset(&key)? {
        Some(zset) => distinct(&args[2..], |member| zset.contains(member)),
        None => Default::default(),
    };
    remove(unit, &key, gone.iter().copied());
    reply.integer(gone.len() as i64);
    Ok(())
}

fn remove_range(unit: &mut Unit<'_>, args: &[&[u8]], by: By, reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let range = bounds::parse(by, args[2], args[3])?;
    let key = unit.key(args[1]);
    let mut gone = Vec::new();
    if let Some(zset) = unit.zset(&key)? {
        let (from, count) = range.places(zset);
        zset.walk(from, count, false, &mut |member, _| gone.push(member.to_vec()));
    }
    remove(unit, &key, gone.iter().map(Vec::as_slice));
    reply.integer(gone.len() as i64);
    Ok(())
}

pub fn zremrangebyrank(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    remove_range(unit, args, By::Rank, reply)
}

pub fn zremrangebyscore(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    remove_range(unit, args, By::Score, reply)
}

pub fn zremrangebylex(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    remove_range(unit, args, By::Lex, reply)
}
