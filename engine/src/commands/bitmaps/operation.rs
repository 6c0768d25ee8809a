//! BITOP.

use proto::resp::Replies;

use crate::commands::args::is;
use crate::core::Unit;
use crate::effect::{Expiry, Op, Payload};
use crate::refusal::Refusal;

pub fn bitop(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (join, invert): (fn(u8, u8) -> u8, bool) = match args[1] {
        word if is(word, "and") => (|a, b| a & b, false),
        word if is(word, "or") => (|a, b| a | b, false),
        word if is(word, "xor") => (|a, b| a ^ b, false),
        word if is(word, "not") => (|a, _| a, true),
        _ => return Err(Refusal::Syntax),
    };
    if invert && args.len() != 4 {
        return Err(Refusal::Text("ERR BITOP NOT must be called with a single source key."));
    }
    let mut longest = 0;
    for name in &args[3..] {
        let key = unit.key(name);
        longest = longest.max(unit.string(&key)?.map_or(0, <[u8]>::len));
    }
    let mut out = Vec::new();
    for (i, name) in args[3..].iter().enumerate() {
        let key = unit.key(name);
        let bytes = unit.string(&key)?.unwrap_or_default();
        if i == 0 {
            out = bytes.to_vec();
            out.resize(longest, 0);
            continue;
        }
        let padded = bytes.iter().copied().chain(std::iter::repeat(0));
        out.iter_mut().zip(padded).for_each(|(a, b)| *a = join(*a, b));
    }
    if invert {
        out.iter_mut().for_each(|byte| *byte = !*byte);
    }
    let to = unit.key(args[2]);
    if !out.is_empty() {
        unit.emit(&to, Op::Assign { payload: Payload::String(&out), expiry: Expiry::NEVER });
    } else if unit.kind(&to).is_some() {
        unit.emit(&to, Op::Reset);
    }
    reply.integer(out.len() as i64);
    Ok(())
}
