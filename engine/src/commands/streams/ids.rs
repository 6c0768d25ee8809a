//! Ids of entries as clients write and read them.

use proto::resp::{Replies, put_digits};

use crate::refusal::Refusal;
use crate::state::stream::{Fields, StreamId};

const INVALID: Refusal = Refusal::Text("ERR Invalid stream ID specified as stream command argument");
/// An id is not longer.
const TEXT_MAX: usize = 127;

/// A number as C reads it where Redis' own reading fails: spaces and a sign before it, leading zeros.
fn number(text: &[u8]) -> Option<u64> {
    let text = &text[text.iter().take_while(|b| b.is_ascii_whitespace() || **b == 0x0b).count()..];
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if negative && !digits.starts_with(b"0") || digits.is_empty() {
        return None;
    }
    let mut value = 0u64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        value = value.checked_mul(10)?.checked_add(u64::from((digit < 10).then_some(digit)?))?;
    }
    Some(if negative { value.wrapping_neg() } else { value })
}

/// What a client wrote: milliseconds, and the seq if it is not to be chosen here.
fn parts(arg: &[u8], missing_seq: u64, may_choose: bool) -> Option<(u64, Option<u64>)> {
    if arg.len() > TEXT_MAX {
        return None;
    }
    // As in Redis, what follows a zero byte does not count.
    let text = arg.split(|b| *b == 0).next()?;
    match text.iter().position(|b| *b == b'-') {
        None => Some((number(text)?, Some(missing_seq))),
        Some(dash) => match &text[dash + 1..] {
            b"*" if may_choose => Some((number(&text[..dash])?, None)),
            seq => Some((number(&text[..dash])?, Some(number(seq)?))),
        },
    }
}

/// An id; without a sequence number it has `missing_seq`.
pub(super) fn strict(arg: &[u8], missing_seq: u64) -> Result<StreamId, Refusal> {
    match parts(arg, missing_seq, false) {
        Some((ms, Some(seq))) => Ok(StreamId::new(ms, seq)),
        _ => Err(INVALID),
    }
}

/// An id, or `-` or `+` for the first and the last.
pub(super) fn any(arg: &[u8], missing_seq: u64) -> Result<StreamId, Refusal> {
    match arg {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        _ => strict(arg, missing_seq),
    }
}

/// Milliseconds and sequence number of a new entry, `None` for one to be chosen.
pub(super) fn of_new(arg: &[u8]) -> Result<(u64, Option<u64>), Refusal> {
    parts(arg, 0, true).ok_or(INVALID)
}

/// Where an interval begins: `-`, an id, or `(` and an id that is not part of it.
pub(super) fn start(arg: &[u8]) -> Result<StreamId, Refusal> {
    match arg {
        [b'(', id @ ..] if !id.is_empty() => {
            strict(id, 0)?.next().ok_or(Refusal::Text("ERR invalid start ID for the interval"))
        }
        _ => any(arg, 0),
    }
}

/// Where an interval ends, as [`start`].
pub(super) fn end(arg: &[u8]) -> Result<StreamId, Refusal> {
    match arg {
        [b'(', id @ ..] if !id.is_empty() => {
            strict(id, u64::MAX)?.prev().ok_or(Refusal::Text("ERR invalid end ID for the interval"))
        }
        _ => any(arg, u64::MAX),
    }
}

/// Several ids.
pub(super) fn all(args: &[&[u8]]) -> Result<Vec<StreamId>, Refusal> {
    args.iter().map(|arg| strict(arg, 0)).collect()
}

/// Writes an id.
pub(super) fn write(reply: &mut Replies<'_>, id: StreamId) {
    let mut text = [0u8; 41];
    let dash = put_digits(&mut text, 41, id.seq) - 1;
    text[dash] = b'-';
    let at = put_digits(&mut text, dash, id.ms);
    reply.bulk(&text[at..]);
}

/// Writes an entry: its id, its fields and values in turn.
pub(super) fn write_entry(reply: &mut Replies<'_>, id: StreamId, fields: &Fields<'_>) {
    reply.array(2);
    write(reply, id);
    reply.array(2 * fields.len());
    for (name, value) in fields.iter() {
        reply.bulk(name);
        reply.bulk(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_redis_reads_them() {
        let id = |ms, seq| Ok(StreamId::new(ms, seq));
        assert_eq!(strict(b"5", 9), id(5, 9));
        assert_eq!(strict(b"5-07", 9), id(5, 7));
        assert_eq!(strict(b" 5-+7", 9), id(5, 7));
        assert_eq!(strict(b"18446744073709551615-18446744073709551615", 0), id(u64::MAX, u64::MAX));
        for wrong in
            [&b""[..], b"-", b"+", b"a", b"5-", b"5-x", b"5-*", b"-5", b"5--7", b"18446744073709551616"]
        {
            assert_eq!(strict(wrong, 0), Err(INVALID));
        }
        assert_eq!(of_new(b"5-*"), Ok((5, None)));
        assert_eq!(start(b"(5-7"), id(5, 8));
        assert_eq!(end(b"(5-0"), id(4, u64::MAX));
        assert_eq!((start(b"("), end(b"(-")), (Err(INVALID), Err(INVALID)));
        let mut out = Vec::new();
        write(&mut Replies::new(&mut out, proto::resp::Protocol::Resp2), StreamId::new(0, u64::MAX));
        assert_eq!(out, b"$22\r\n0-18446744073709551615\r\n");
    }
}
