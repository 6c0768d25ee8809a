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

/// Cursor, MATCH and COUNT of a SCAN-like command; further options go to `other`, which says how many arguments it took.
pub(in crate::commands) struct ScanArgs<'a> {
    pub cursor: u64,
    pub count: usize,
    pub pattern: Option<&'a [u8]>,
    pub kind: Option<&'a [u8]>,
}

/// Reads `cursor [MATCH pattern] [COUNT count] [TYPE type]`.
pub(in crate::commands) fn scan_args<'a>(
    args: &[&'a [u8]],
    with_type: bool,
) -> Result<ScanArgs<'a>, Refusal> {
    let (cursor, mut rest) = (args[0], &args[1..]);
    let cursor = std::str::from_utf8(cursor).ok().and_then(|c| c.parse().ok());
    let cursor = cursor.ok_or(Refusal::Text("ERR invalid cursor"))?;
    let mut out = ScanArgs { cursor, count: 10, pattern: None, kind: None };
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
    let scan = scan_args(&args[1..], true)?;
    let mut found = Vec::new();
    let next = unit.scan(scan.cursor, scan.count, scan.pattern, &mut |visited| {
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
