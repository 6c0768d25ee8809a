//! Counts whole replies in received bytes without building anything.

use crate::error::BenchError;

/// What was found at the front of a buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counted {
    /// Whole replies, errors and nulls included.
    pub replies: usize,
    /// Their length in bytes; what follows is a reply not yet whole.
    pub consumed: usize,
    pub errors: usize,
    pub nulls: usize,
}

/// Counts the replies of commands that answer with a line, a bulk string, or an array of bulk strings: all that the load sends. Any
/// other reply is refused.
#[inline]
pub fn count(input: &[u8], limit: usize) -> Result<Counted, BenchError> {
    let mut counted = Counted::default();
    while counted.replies < limit {
        let rest = &input[counted.consumed..];
        if rest.starts_with(b"+OK\r\n") {
            counted.consumed += 5;
            counted.replies += 1;
            continue;
        }
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { break };
        let length = match rest[0] {
            b'+' | b':' => end + 1,
            b'-' => {
                counted.errors += 1;
                end + 1
            }
            b'$' => match bulk_length(&rest[1..end])? {
                None => {
                    counted.nulls += 1;
                    end + 1
                }
                Some(bytes) => end + 1 + bytes + 2,
            },
            b'*' => match array_length(rest, end)? {
                Some(length) => length,
                None => break,
            },
            _ => return Err(malformed(rest)),
        };
        if length > rest.len() {
            break;
        }
        counted.consumed += length;
        counted.replies += 1;
    }
    Ok(counted)
}

/// The first error reply among the replies at the front of `input`.
pub fn first_error(mut input: &[u8]) -> Option<String> {
    while let Ok(Counted { replies: 1, consumed, errors, .. }) = count(input, 1) {
        if errors == 1 {
            return Some(String::from_utf8_lossy(&input[1..consumed]).trim_end().to_string());
        }
        input = &input[consumed..];
    }
    None
}

/// The bytes of an array of bulk strings whose first line ends at `end`; `None` while it is not whole.
fn array_length(bytes: &[u8], end: usize) -> Result<Option<usize>, BenchError> {
    let count = bulk_length(&bytes[1..end])?.ok_or_else(|| malformed(bytes))?;
    let mut at = end + 1;
    for _ in 0..count {
        let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) else { return Ok(None) };
        if rest[0] != b'$' {
            return Err(malformed(rest));
        }
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        at += end + 1 + bulk_length(&rest[1..end])?.ok_or_else(|| malformed(rest))? + 2;
    }
    Ok((at <= bytes.len()).then_some(at))
}

/// `None` for the null's `-1`.
fn bulk_length(digits: &[u8]) -> Result<Option<usize>, BenchError> {
    let digits = digits.strip_suffix(b"\r").unwrap_or(digits);
    if digits == b"-1" {
        return Ok(None);
    }
    let mut length = 0usize;
    for digit in digits {
        if !digit.is_ascii_digit() || length > 1 << 30 {
            return Err(malformed(digits));
        }
        length = length * 10 + usize::from(digit - b'0');
    }
    Ok(Some(length))
}

fn malformed(bytes: &[u8]) -> BenchError {
    BenchError::Malformed(bytes[..bytes.len().min(40)].escape_ascii().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLIES: &[u8] =
        b"+OK\r\n$4\r\na\r\nb\r\n:12\r\n$-1\r\n-ERR no\r\n+PONG\r\n$0\r\n\r\n*2\r\n$1\r\na\r\n$0\r\n\r\n*0\r\n";

    #[test]
    fn all_reply_shapes_of_the_load_are_counted() {
        let counted = count(REPLIES, 100).unwrap();
        assert_eq!(counted, Counted { replies: 9, consumed: REPLIES.len(), errors: 1, nulls: 1 });
        assert_eq!(first_error(REPLIES).as_deref(), Some("ERR no"));
        assert_eq!(first_error(b"+OK\r\n:1\r\n"), None);
    }

    #[test]
    fn replies_cut_anywhere_are_counted_once_they_are_whole() {
        for cut in 0..=REPLIES.len() {
            let front = count(&REPLIES[..cut], 100).unwrap();
            assert!(front.consumed <= cut);
            let back = count(&REPLIES[front.consumed..], 100).unwrap();
            assert_eq!(front.replies + back.replies, 9, "cut at {cut}");
            assert_eq!(front.errors + back.errors, 1);
        }
    }

    #[test]
    fn counting_stops_at_the_limit() {
        assert_eq!(count(REPLIES, 2).unwrap(), Counted { replies: 2, consumed: 15, errors: 0, nulls: 0 });
    }

    #[test]
    fn other_bytes_are_refused() {
        assert!(count(b"*2\r\n:1\r\n:2\r\n", 9).is_err());
        assert!(count(b"$x\r\n", 9).is_err());
        assert!(count(b"$99999999999999999999\r\n", 9).is_err());
    }
}
