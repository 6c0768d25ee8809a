//! BITFIELD, BITFIELD_RO.

use proto::resp::Replies;

use super::{needs_no_effect, offset};
use crate::commands::args::{self, is};
use crate::core::Unit;
use crate::effect::{BitsOp, Op};
use crate::number::{bits, parse_i64};
use crate::refusal::Refusal;

#[derive(Clone, Copy)]
struct Integer {
    signed: bool,
    width: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

#[derive(Clone, Copy)]
enum Action {
    Get,
    Set(i64),
    Increment(i64),
}

struct Step {
    kind: Integer,
    at: u64,
    action: Action,
    overflow: Overflow,
}

impl Integer {
    fn parse(arg: &[u8]) -> Result<Integer, Refusal> {
        let wrong = Refusal::Text(
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
        );
        let (signed, text) = match arg {
            [b'i', rest @ ..] => (true, rest),
            [b'u', rest @ ..] => (false, rest),
            _ => return Err(wrong),
        };
        let widest = if signed { 64 } else { 63 };
        match parse_i64(text).filter(|width| (1..=widest).contains(width)) {
            Some(width) => Ok(Integer { signed, width: width as u32 }),
            None => Err(wrong),
        }
    }

    /// Bits as the number they stand for.
    fn number(self, bits: u64) -> i128 {
        let sign = self.signed && bits >> (self.width - 1) & 1 == 1;
        i128::from(bits) - if sign { 1 << self.width } else { 0 }
    }

    fn range(self) -> (i128, i128) {
        match self.signed {
            true => (-(1 << (self.width - 1)), (1 << (self.width - 1)) - 1),
            false => (0, (1 << self.width) - 1),
        }
    }

    /// A number as bits, and whether it overflowed; `None` when that fails.
    fn fit(self, number: i128, overflow: Overflow) -> Option<u64> {
        let (min, max) = self.range();
        let fitted = match overflow {
            _ if (min..=max).contains(&number) => number,
            Overflow::Wrap => number,
            Overflow::Saturate => number.clamp(min, max),
            Overflow::Fail => return None,
        };
        Some(bits::low(fitted as u64, self.width))
    }
}

fn parse(unit: &Unit<'_>, args: &[&[u8]], reads_only: bool) -> Result<Vec<Step>, Refusal> {
    let (mut steps, mut overflow, mut rest) = (Vec::new(), Overflow::Wrap, args);
    while let [word, tail @ ..] = rest {
        let wanted = match () {
            () if is(word, "get") && tail.len() >= 2 => 2,
            () if is(word, "set") && tail.len() >= 3 => 3,
            () if is(word, "incrby") && tail.len() >= 3 => 3,
            () if is(word, "overflow") && !tail.is_empty() => {
                overflow = match () {
                    () if is(tail[0], "wrap") => Overflow::Wrap,
                    () if is(tail[0], "sat") => Overflow::Saturate,
                    () if is(tail[0], "fail") => Overflow::Fail,
                    () => return Err(Refusal::Text("ERR Invalid OVERFLOW type specified")),
                };
                rest = &tail[1..];
                continue;
            }
            () => return Err(Refusal::Syntax),
        };
        let (given, tail) = tail.split_at(wanted);
        let kind = Integer::parse(given[0])?;
        let at = offset(unit, given[1], Some(kind.width))?;
        let action = match wanted {
            2 => Action::Get,
            _ if is(word, "set") => Action::Set(args::integer(given[2])?),
            _ => Action::Increment(args::integer(given[2])?),
        };
        steps.push(Step { kind, at, action, overflow });
        rest = tail;
    }
    if reads_only && steps.iter().any(|step| !matches!(step.action, Action::Get)) {
        return Err(Refusal::Text("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    Ok(steps)
}

fn run(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    reads_only: bool,
    reply: &mut Replies<'_>,
) -> Result<(), Refusal> {
    let steps = parse(unit, &args[2..], reads_only)?;
    let key = unit.key(args[1]);
    let len = unit.string(&key)?.map_or(0, <[u8]>::len) as u64;
    let writes = steps.iter().filter(|step| !matches!(step.action, Action::Get));
    let end = writes.map(|step| (step.at + u64::from(step.kind.width)).div_ceil(8)).max().unwrap_or(0);
    if end > unit.string_bytes_max() {
        return Err(Refusal::StringTooLong);
    }
    if end > len {
        // The string reaches as far as the last write would, even if that fails.
        let base = unit.overlay_base(&key);
        unit.emit(&key, Op::Overlay { base, offset: end, bytes: b"" });
    }
    reply.array(steps.len());
    for step in steps {
        let Step { kind, at, action, overflow } = step;
        let stored = bits::read(unit.string(&key)?.unwrap_or_default(), at, kind.width);
        let old = kind.number(stored);
        let (new, adds, answer) = match action {
            Action::Get => {
                reply.integer(old as i64);
                continue;
            }
            Action::Set(value) => {
                // An unsigned value is taken as the bits it has.
                let value = if kind.signed { i128::from(value) } else { i128::from(value as u64) };
                (kind.fit(value, overflow), None, old)
            }
            Action::Increment(by) => {
                let sum = kind.fit(old + i128::from(by), overflow);
                let answer = sum.map_or(0, |sum| kind.number(sum));
                (sum, sum.map(|sum| bits::low(sum.wrapping_sub(stored), kind.width)), answer)
            }
        };
        let Some(new) = new else {
            reply.null();
            continue;
        };
        reply.integer(answer as i64);
        if needs_no_effect(unit, stored, new) {
            continue;
        }
        let base = unit.overlay_base(&key);
        let (value, adds) = (adds.unwrap_or(new), adds.is_some());
        unit.emit(&key, Op::Bits(BitsOp { base, at, width: kind.width as u8, value, adds }));
    }
    Ok(())
}

pub fn bitfield(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    run(unit, args, false, reply)
}

pub fn bitfield_ro(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    run(unit, args, true, reply)
}
