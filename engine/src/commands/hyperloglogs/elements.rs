//! PFADD, PFCOUNT, PFMERGE.

use proto::resp::Replies;

use super::{refusal, registers};
use crate::core::Unit;
use crate::effect::{Op, RegistersOp};
use crate::hyperloglog::{self, REGISTERS};
use crate::refusal::Refusal;

pub fn pfadd(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let mut ranks: Vec<(u16, u8)> = args[2..].iter().map(|element| hyperloglog::place(element)).collect();
    // The highest of each register.
    ranks.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    ranks.dedup_by_key(|place| place.0);
    let before = registers(unit, &key)?;
    let changes = |(register, rank): &(u16, u8)| match &before {
        Some(before) => before[usize::from(*register)] < *rank,
        None => true,
    };
    let changed = before.is_none() || ranks.iter().any(changes);
    if changed {
        if unit.is_alone() {
            ranks.retain(changes);
        }
        unit.emit(&key, Op::Registers(RegistersOp { dense: false, ranks }));
    }
    reply.integer(i64::from(changed));
    Ok(())
}

/// The highest rank of each register among keys.
fn joined(unit: &mut Unit<'_>, names: &[&[u8]]) -> Result<Vec<u8>, Refusal> {
    let mut all = vec![0; REGISTERS];
    for name in names {
        let key = unit.key(name);
        if let Some(ranks) = registers(unit, &key)? {
            all.iter_mut().zip(ranks).for_each(|(highest, rank)| *highest = rank.max(*highest));
        }
    }
    Ok(all)
}

pub fn pfcount(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let ranks = joined(unit, &args[1..])?;
    reply.integer(hyperloglog::estimate(&ranks) as i64);
    Ok(())
}

pub fn pfmerge(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let mut dense = false;
    for name in &args[1..] {
        let key = unit.key(name);
        if let Some(bytes) = unit.string(&key)? {
            dense |= hyperloglog::form(bytes).map_err(refusal)? == "dense";
        }
    }
    let all = joined(unit, &args[1..])?;
    let ranks = (0..).zip(all).filter(|(_, rank)| *rank > 0).collect();
    let key = unit.key(args[1]);
    unit.emit(&key, Op::Registers(RegistersOp { dense, ranks }));
    reply.ok();
    Ok(())
}
