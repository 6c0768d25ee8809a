//! KEYS, SCAN, RANDOMKEY, DBSIZE.

use proto::resp::Replies;

use crate::commands::args::{self, is};
use crate::core::Unit;
use crate::refusal::Refusal;

pub fn keys(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let mut found = Vec::new();
    unit.keys(args[1], &mut |key| found.push(key.to_vec()));
    reply.array(found.len());
    found.iter().for_each(|key| reply.bulk(key));
    Ok(())
}

pub fn randomkey(unit: &mut Unit<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    match unit.random_key() {
        Some(key) => reply.bulk(&key),
        None => reply.null(),
    }
    Ok(())
}

pub fn dbsize(unit: &mut Unit<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    reply.integer(unit.db_len() as i64);
    Ok(())
}

/// A cursor as C's `strtoul` reads it: empty is zero, a sign is taken, negative numbers wrap, a zero byte ends the text.
pub(in crate::commands) fn scan_cursor(arg: &[u8]) -> Result<u64, Refusal> {
    let text = arg.split(|b| *b == 0).next().unwrap_or_default();
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let digit = |n: u64, b: &u8| match b {
        b'0'..=b'9' => n.checked_mul(10)?.checked_add(u64::from(b - b'0')),
        _ => None,
    };
    let n = digits.iter().try_fold(0, digit).filter(|_| text.is_empty() || !digits.is_empty());
    let n = n.ok_or(Refusal::Text("ERR invalid cursor"))?;
    Ok(if negative { n.wrapping_neg() } else { n })
}

/// Options of a SCAN-like command.
pub(in crate::commands) struct ScanOptions<'a> {
    pub count: usize,
    pub pattern: Option<&'a [u8]>,
    pub kind: Option<&'a [u8]>,
}

/// Reads `[MATCH pattern] [COUNT count] [TYPE type]`.
pub(in crate::commands) fn scan_options<'a>(
    args: &[&'a [u8]],
    with_type: bool,
) -> Result<ScanOptions<'a>, Refusal> {
    let mut rest = args;
    let mut out = ScanOptions { count: 10, pattern: None, kind: None };
    while let [word, value, tail @ ..] = rest {
        rest = tail;
        if is(word, "count") {
            let count = args::integer(value)?;
            if count < 1 {
                return Err(Refusal::Syntax);
            }
            out.count = usize::try_from(count).unwrap_or(usize::MAX);
        } else if is(word, "match") {
            out.pattern = (*value != b"*").then_some(*value);
        } else if is(word, "type") && with_type {
            out.kind = Some(value);
        } else {
            return Err(Refusal::Syntax);
        }
    }
    if rest.is_empty() { Ok(out) } else { Err(Refusal::Syntax) }
}

pub fn scan(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let cursor = scan_cursor(args[1])?;
    let scan = scan_options(&args[2..], true)?;
    let mut found = Vec::new();
    let next = unit.scan(cursor, scan.count, scan.pattern, &mut |visited| {
        if scan.kind.is_none_or(|kind| is(kind, visited.kind.name())) {
            found.push(visited.key.to_vec());
        }
    });
    reply.array(2);
    reply.bulk(next.to_string().as_bytes());
    reply.array(found.len());
    found.iter().for_each(|key| reply.bulk(key));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_strtoul_reads_them() {
        for (text, cursor) in [
            ("", Some(0)),
            ("0", Some(0)),
            ("007", Some(7)),
            ("+5", Some(5)),
            ("-1", Some(u64::MAX)),
            ("12\x00x", Some(12)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            (" 1", None),
            ("1 ", None),
            ("-", None),
            ("0x1", None),
        ] {
            assert_eq!(scan_cursor(text.as_bytes()).ok(), cursor, "{text:?}");
        }
    }
}
