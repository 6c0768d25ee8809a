//! LCS: the longest common subsequence of two strings.

use proto::resp::Replies;

use crate::commands::args::{self, is};
use crate::core::Unit;
use crate::refusal::Refusal;

/// A stretch that both strings share: inclusive ranges in each.
struct Match {
    a: (usize, usize),
    b: (usize, usize),
}

pub fn lcs(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let not_strings = || Refusal::Text("ERR The specified keys must contain string values");
    let (first, second) = (unit.key(args[1]), unit.key(args[2]));
    let a = unit.string(&first).map_err(|_| not_strings())?.unwrap_or_default().to_vec();
    let b = unit.string(&second).map_err(|_| not_strings())?.unwrap_or_default().to_vec();
    let (mut idx, mut only_len, mut with_len, mut min) = (false, false, false, 0);
    let mut rest = &args[3..];
    while let [word, tail @ ..] = rest {
        rest = tail;
        if is(word, "idx") {
            idx = true;
        } else if is(word, "len") {
            only_len = true;
        } else if is(word, "withmatchlen") {
            with_len = true;
        } else if let [count, tail @ ..] = rest
            && is(word, "minmatchlen")
        {
            min = args::integer(count)?.max(0) as usize;
            rest = tail;
        } else {
            return Err(Refusal::Syntax);
        }
    }
    if idx && only_len {
        return Err(Refusal::Text("ERR If you want both the length and indexes, please just use IDX."));
    }
    let cells = (a.len() as u64 + 1).saturating_mul(b.len() as u64 + 1);
    if cells.saturating_mul(size_of::<u32>() as u64) > unit.string_bytes_max() {
        return Err(Refusal::Text(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    let width = b.len() + 1;
    let mut table = vec![0u32; (a.len() + 1) * width];
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            table[i * width + j] = if a[i - 1] == b[j - 1] {
                table[(i - 1) * width + j - 1] + 1
            } else {
                table[(i - 1) * width + j].max(table[i * width + j - 1])
            };
        }
    }
    let len = table[a.len() * width + b.len()] as usize;
    if only_len {
        reply.integer(len as i64);
        return Ok(());
    }
    let (text, matches) = walk_back(&a, &b, &table, len);
    if !idx {
        reply.bulk(&text);
        return Ok(());
    }
    let matches: Vec<&Match> = matches.iter().filter(|m| m.a.1 - m.a.0 + 1 >= min).collect();
    reply.map(2);
    reply.bulk(b"matches");
    reply.array(matches.len());
    for m in matches {
        reply.array(2 + usize::from(with_len));
        for (from, to) in [m.a, m.b] {
            reply.array(2);
            reply.integer(from as i64);
            reply.integer(to as i64);
        }
        if with_len {
            reply.integer((m.a.1 - m.a.0 + 1) as i64);
        }
    }
    reply.bulk(b"len");
    reply.integer(len as i64);
    Ok(())
}

/// Reads the subsequence and its stretches off the table, from the end as Redis does.
fn walk_back(a: &[u8], b: &[u8], table: &[u32], len: usize) -> (Vec<u8>, Vec<Match>) {
    let width = b.len() + 1;
    let (mut i, mut j, mut at) = (a.len(), b.len(), len);
    let mut text = vec![0; len];
    let mut matches: Vec<Match> = Vec::new();
    let mut open: Option<Match> = None;
    while i > 0 && j > 0 {
        if a[i - 1] == b[j - 1] {
            at -= 1;
            text[at] = a[i - 1];
            match &mut open {
                Some(m) if m.a.0 == i && m.b.0 == j => {
                    m.a.0 -= 1;
                    m.b.0 -= 1;
                }
                _ => {
                    matches.extend(open.take());
                    open = Some(Match { a: (i - 1, i - 1), b: (j - 1, j - 1) });
                }
            }
            i -= 1;
            j -= 1;
        } else {
            if table[(i - 1) * width + j] > table[i * width + j - 1] {
                i -= 1;
            } else {
                j -= 1;
            }
            matches.extend(open.take());
        }
    }
    matches.extend(open);
    (text, matches)
}
