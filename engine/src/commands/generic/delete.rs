//! DEL, UNLINK, EXISTS, TOUCH, TYPE.

use proto::resp::Replies;

use crate::core::Unit;
use crate::effect::Op;
use crate::refusal::Refusal;

pub fn del(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let mut removed = 0;
    for key in &args[1..] {
        let key = unit.key(key);
        if unit.kind(&key).is_some() {
            unit.emit(&key, Op::Reset);
            removed += 1;
        }
    }
    reply.integer(removed);
    Ok(())
}

pub fn unlink(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    del(unit, args, reply)
}

pub fn exists(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let found = args[1..].iter().filter(|key| {
        let key = unit.key(key);
        unit.kind(&key).is_some()
    });
    let found = found.count();
    reply.integer(found as i64);
    Ok(())
}

pub fn touch(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    unit.set_touch(true);
    exists(unit, args, reply)
}

pub fn type_(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    unit.set_touch(false);
    let key = unit.key(args[1]);
    reply.simple(unit.kind(&key).map_or("none", |kind| kind.name()));
    Ok(())
}
