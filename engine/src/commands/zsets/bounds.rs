//! Ends of ranges: by place, by score, by bytes.

use crate::commands::args;
use crate::number::parse_bound;
use crate::refusal::Refusal;
use crate::state::zset::ZSetValue;

/// One end of a range of byte strings.
#[derive(Clone, Copy)]
pub enum LexEnd<'a> {
    /// `-`
    First,
    /// `+`
    Last,
    /// `[bytes`, `(bytes`
    At { bytes: &'a [u8], open: bool },
}

/// What a range is measured in, with its ends, the lower first.
#[derive(Clone, Copy)]
pub enum Range<'a> {
    Rank(i64, i64),
    Score { min: (f64, bool), max: (f64, bool) },
    Lex { min: LexEnd<'a>, max: LexEnd<'a> },
}

/// How a range is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum By {
    Rank,
    Score,
    Lex,
}

/// A score and whether it is left out.
fn score_end(text: &[u8]) -> Option<(f64, bool)> {
    match text {
        [b'(', rest @ ..] => Some((parse_bound(rest)?, true)),
        _ => Some((parse_bound(text)?, false)),
    }
}

fn lex_end(text: &[u8]) -> Option<LexEnd<'_>> {
    match text {
        b"-" => Some(LexEnd::First),
        b"+" => Some(LexEnd::Last),
        [b'[', bytes @ ..] => Some(LexEnd::At { bytes, open: false }),
        [b'(', bytes @ ..] => Some(LexEnd::At { bytes, open: true }),
        _ => None,
    }
}

/// Reads the two ends, the lower first.
pub fn parse<'a>(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Range<'a>, Refusal> {
    match by {
        By::Rank => Ok(Range::Rank(args::integer(min)?, args::integer(max)?)),
        By::Score => {
            let wrong = Refusal::Text("ERR min or max is not a float");
            let (Some(min), Some(max)) = (score_end(min), score_end(max)) else { return Err(wrong) };
            Ok(Range::Score { min, max })
        }
        By::Lex => {
            let wrong = Refusal::Text("ERR min or max not valid string range item");
            let (Some(min), Some(max)) = (lex_end(min), lex_end(max)) else { return Err(wrong) };
            Ok(Range::Lex { min, max })
        }
    }
}

impl Range<'_> {
    /// The place where the range begins and how many it takes; places are counted from the end with `reverse` for ranks only.
    pub fn places(&self, zset: &ZSetValue) -> (usize, usize) {
        let (from, to) = match self {
            Range::Rank(start, end) => return ranks(*start, *end, zset.len()),
            Range::Score { min, max } => {
                if min.0 > max.0 || min.0 == max.0 && (min.1 || max.1) {
                    return (0, 0);
                }
                let from = zset.partition(&|score, _| if min.1 { score <= min.0 } else { score < min.0 });
                let to = zset.partition(&|score, _| if max.1 { score < max.0 } else { score <= max.0 });
                (from, to)
            }
            Range::Lex { min, max } => (
                zset.partition(&|_, member| match min {
                    LexEnd::First => false,
                    LexEnd::Last => true,
                    LexEnd::At { bytes, open: true } => member <= *bytes,
                    LexEnd::At { bytes, open: false } => member < *bytes,
                }),
                zset.partition(&|_, member| match max {
                    LexEnd::First => false,
                    LexEnd::Last => true,
                    LexEnd::At { bytes, open: true } => member < *bytes,
                    LexEnd::At { bytes, open: false } => member <= *bytes,
                }),
            ),
        };
        (from, to.saturating_sub(from))
    }
}

/// Begin and length of a range of places, negative ones from the end.
pub fn ranks(start: i64, end: i64, len: usize) -> (usize, usize) {
    let len = len as i64;
    let start = if start < 0 { (start + len).max(0) } else { start };
    let end = (if end < 0 { end + len } else { end }).min(len - 1);
    if start > end || start >= len { (0, 0) } else { (start as usize, (end - start + 1) as usize) }
}
