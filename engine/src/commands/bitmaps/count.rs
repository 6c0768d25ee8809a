//! BITCOUNT, BITPOS.

use proto::resp::Replies;

use crate::commands::args::{self, is};
use crate::core::Unit;
use crate::number::bits;
use crate::refusal::Refusal;

/// `BYTE` or `BIT`: true when places are of bits.
fn unit_of(word: Option<&&[u8]>) -> Result<bool, Refusal> {
    match word {
        None => Ok(false),
        Some(word) if is(word, "bit") => Ok(true),
        Some(word) if is(word, "byte") => Ok(false),
        Some(_) => Err(Refusal::Syntax),
    }
}

/// First and last place of a range, negative ones counted from the end; `None` when it is empty.
fn clamp(start: i64, end: i64, total: i64) -> Option<(u64, u64)> {
    if start < 0 && end < 0 && start > end {
        return None;
    }
    let from_end = |at: i64| if at < 0 { at.saturating_add(total).max(0) } else { at };
    let (start, end) = (from_end(start), from_end(end).min(total - 1));
    (start <= end).then_some((start as u64, end as u64))
}

pub fn bitcount(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    // A missing or wrong key answers before its range is read.
    if unit.string(&key)?.is_none() {
        reply.integer(0);
        return Ok(());
    }
    let range = match args.len() {
        2 => None,
        4 | 5 => {
            let (start, end) = (args::integer(args[2])?, args::integer(args[3])?);
            // Nothing, whatever it is counted in: Redis does not read that.
            if end < start && start < 0 {
                reply.integer(0);
                return Ok(());
            }
            Some((start, end, unit_of(args.get(4))?))
        }
        _ => return Err(Refusal::Syntax),
    };
    let bytes = unit.string(&key)?.unwrap_or_default();
    let (start, end, in_bits) = range.unwrap_or((0, -1, false));
    let total = bytes.len() as i64 * if in_bits { 8 } else { 1 };
    let Some((first, last)) = clamp(start, end, total) else {
        reply.integer(0);
        return Ok(());
    };
    let (first, end) = if in_bits { (first, last + 1) } else { (first * 8, (last + 1) * 8) };
    let (low, high) = ((first / 8) as usize, end.div_ceil(8) as usize);
    let mut count: i64 = bytes[low..high].iter().map(|b| i64::from(b.count_ones())).sum();
    // What was counted of the bytes at the ends outside the range.
    count -= i64::from(bits::read(bytes, low as u64 * 8, (first % 8) as u32).count_ones());
    count -= i64::from(bits::read(bytes, end, (high as u64 * 8 - end) as u32).count_ones());
    reply.integer(count);
    Ok(())
}

pub fn bitpos(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let wanted = args::integer(args[2])?;
    if !(0..=1).contains(&wanted) {
        return Err(Refusal::Text("ERR The bit argument must be 1 or 0."));
    }
    let wanted = wanted == 1;
    let key = unit.key(args[1]);
    if unit.string(&key)?.is_none() {
        reply.integer(if wanted { -1 } else { 0 });
        return Ok(());
    }
    let (start, end, ended, in_bits) = match args.len() {
        3 => (0, -1, false, false),
        4 => (args::integer(args[3])?, -1, false, false),
        5 | 6 => {
            let start = args::integer(args[3])?;
            let in_bits = unit_of(args.get(5))?;
            (start, args::integer(args[4])?, true, in_bits)
        }
        _ => return Err(Refusal::Syntax),
    };
    let bytes = unit.string(&key)?.unwrap_or_default();
    let total = bytes.len() as i64 * if in_bits { 8 } else { 1 };
    let from_end = |at: i64| if at < 0 { at.saturating_add(total).max(0) } else { at };
    let (first, last) = (from_end(start), from_end(end).min(total - 1));
    if first > last {
        reply.integer(-1);
        return Ok(());
    }
    let (first, end) = match in_bits {
        true => (first as u64, last as u64 + 1),
        false => (first as u64 * 8, (last as u64 + 1) * 8),
    };
    let found = find(bytes, wanted, first, end);
    reply.integer(match found {
        Some(at) => at as i64,
        // The string goes on with zeros, unless its end was named.
        None if !wanted && !ended => bytes.len() as i64 * 8,
        None => -1,
    });
    Ok(())
}

/// The first bit of this kind in `first..end`.
fn find(bytes: &[u8], wanted: bool, first: u64, end: u64) -> Option<u64> {
    let skipped = if wanted { 0 } else { 0xff };
    let mut at = first;
    while at < end {
        if at.is_multiple_of(8) {
            let from = (at / 8) as usize;
            let run = bytes[from..].iter().take_while(|b| **b == skipped).count();
            at += run as u64 * 8;
            if at >= end {
                return None;
            }
        }
        if (bits::read(bytes, at, 1) == 1) == wanted {
            return Some(at);
        }
        at += 1;
    }
    None
}
