//! What HRANDFIELD and ZRANDMEMBER have in common.

use proto::resp::Replies;

use super::args;
use crate::refusal::Refusal;

/// Bytes of the shortest element's reply.
const REPLY_MIN: u64 = 6;

/// Count, and whether values are asked for too; `None` without a count.
pub fn options(args: &[&[u8]], is_word: impl Fn(&[u8]) -> bool) -> Result<Option<(i64, bool)>, Refusal> {
    let (count, rest) = match args {
        [] => return Ok(None),
        [count, rest @ ..] => (args::integer_within(count, -i64::MAX, i64::MAX)?, rest),
    };
    match rest {
        [] => Ok(Some((count, false))),
        [word] if is_word(word) => {
            if !(-i64::MAX / 2..=i64::MAX / 2).contains(&count) {
                return Err(Refusal::OutOfRange);
            }
            Ok(Some((count, true)))
        }
        _ => Err(Refusal::Syntax),
    }
}

/// How many to answer with repetition. A reply is as long as a value at most; Redis would go on until memory ends.
pub fn repeated(count: i64, bytes_max: u64) -> Result<usize, Refusal> {
    let n = count.unsigned_abs();
    if n.saturating_mul(REPLY_MIN) > bytes_max { Err(Refusal::OutOfRange) } else { Ok(n as usize) }
}

/// Refuses a reply that outgrew the bound of [`repeated`].
pub fn bounded(reply: &mut Replies<'_>, start: usize, bytes_max: u64) -> Result<(), Refusal> {
    let written = (reply.buffer().len() - start) as u64;
    if written > bytes_max { Err(Refusal::OutOfRange) } else { Ok(()) }
}

/// Begins a reply of so many elements: pairs lie flat in RESP2.
pub fn header(reply: &mut Replies<'_>, count: usize, pairs: bool) {
    reply.array(if pairs && !reply.is_resp3() { 2 * count } else { count });
}

/// Begins one element: a pair is an array of its own in RESP3.
pub fn pair(reply: &mut Replies<'_>, pairs: bool) {
    if pairs && reply.is_resp3() {
        reply.array(2);
    }
}

/// Puts `count` of all, chosen at random, to the front.
pub fn shuffle<T>(all: &mut [T], count: usize, random: &mut dyn FnMut() -> u64) {
    for i in 0..count {
        let other = i + (random() % (all.len() - i) as u64) as usize;
        all.swap(i, other);
    }
}
