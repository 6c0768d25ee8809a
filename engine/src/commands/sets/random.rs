//! SPOP, SRANDMEMBER.

use std::collections::BTreeSet;

use proto::resp::Replies;

use crate::commands::args::{self, splitmix};
use crate::core::Unit;
use crate::effect::{Members, Op};
use crate::refusal::Refusal;
use crate::state::set::SetValue;

/// Bytes of the shortest member's reply.
const REPLY_MIN: u64 = 6;

/// `count` distinct members at random.
fn choose(set: &SetValue, count: usize, random: &mut dyn FnMut() -> u64) -> Vec<Vec<u8>> {
    if count.saturating_mul(3) > set.len() {
        // Most of the set: shuffle all of it far enough.
        let mut all = set.to_vec();
        for i in 0..count.min(all.len()) {
            let other = i + (random() % (all.len() - i) as u64) as usize;
            all.swap(i, other);
        }
        all.truncate(count);
        return all;
    }
    let mut chosen = BTreeSet::new();
    while chosen.len() < count {
        if let Some(member) = set.random(random) {
            chosen.insert(member.into_owned());
        }
    }
    chosen.into_iter().collect()
}

pub fn spop(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let count = match args[2..] {
        [] => None,
        [count] => Some(args::positive(count)?),
        _ => return Err(Refusal::Syntax),
    };
    let key = unit.key(args[1]);
    let mut seed = unit.random();
    let mut random = move || splitmix(&mut seed);
    let popped = match unit.set(&key)? {
        Some(set) => choose(set, count.unwrap_or(1).min(set.len()), &mut random),
        None => Vec::new(),
    };
    if !popped.is_empty() {
        let slices: Vec<&[u8]> = popped.iter().map(Vec::as_slice).collect();
        unit.emit(&key, Op::MemberRemove(Members::Slices(&slices)));
    }
    match (count, popped.first()) {
        (None, Some(member)) => reply.bulk(member),
        (None, None) => reply.null(),
        (Some(_), _) => {
            reply.set(popped.len());
            popped.iter().for_each(|m| reply.bulk(m));
        }
    }
    Ok(())
}

pub fn srandmember(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let count = match args[2..] {
        [] => None,
        [count] => Some(args::integer_within(count, -i64::MAX, i64::MAX)?),
        _ => return Err(Refusal::Syntax),
    };
    // A reply is as long as a value at most; Redis would go on until memory ends.
    let bytes_max = unit.string_bytes_max();
    let key = unit.key(args[1]);
    let mut seed = unit.random();
    let mut random = move || splitmix(&mut seed);
    let set = unit.set(&key)?;
    match (count, set) {
        (None, Some(set)) => match set.random(&mut random) {
            Some(member) => reply.bulk(&member),
            None => reply.null(),
        },
        (None, None) => reply.null(),
        (Some(_), None) => reply.array(0),
        // Negative: with repetition, exactly so many.
        (Some(n), Some(set)) if n < 0 => {
            let (n, start) = (n.unsigned_abs(), reply.buffer().len());
            if n.saturating_mul(REPLY_MIN) > bytes_max {
                return Err(Refusal::OutOfRange);
            }
            reply.array(n as usize);
            for _ in 0..n {
                if let Some(member) = set.random(&mut random) {
                    reply.bulk(&member);
                }
                if (reply.buffer().len() - start) as u64 > bytes_max {
                    return Err(Refusal::OutOfRange);
                }
            }
        }
        (Some(n), Some(set)) => {
            let chosen = choose(set, (n as usize).min(set.len()), &mut random);
            reply.array(chosen.len());
            chosen.iter().for_each(|m| reply.bulk(m));
        }
    }
    Ok(())
}
