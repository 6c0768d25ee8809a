//! The incremental parser of one connection.
//!
//! It remembers how far it came into an incomplete command, so that a large argument arriving in small reads is scanned
//! once. What it accepts, and the order in which it complains, is Redis 7.0's, including two oddities: the byte after a
//! `\r` and the two after an argument are skipped unread, and a NUL hides the end of its line.
//!
//! Invariant: however the stream is cut into reads, the same commands come out.

use super::batch::Span;
use super::{ProtocolError, RequestLimits, Requests};
use crate::resp::inline;

const UNAUTHENTICATED_ARGS_MAX: i64 = 10;
const UNAUTHENTICATED_BULK_MAX: i64 = 16384;
/// Arguments of an incomplete command whose memory is kept afterwards.
const PARTIAL_KEPT: usize = 64;

/// See the module.
#[derive(Debug)]
pub struct RequestParser {
    /// May change between calls; an incomplete command goes on under the new ones.
    pub limits: RequestLimits,
    /// Arguments of the incomplete command so far, counted from its start.
    partial: Vec<Span>,
    /// Bulk arguments still to come; 0 = between commands.
    left: usize,
    /// Offset (from the command's start) where scanning goes on.
    at: usize,
    /// Length of the bulk being waited for.
    bulk: Option<usize>,
    /// Bytes already searched for a line end.
    searched: usize,
    failed: Option<ProtocolError>,
}

enum Step {
    /// `at` is the command's length; there may be no argument.
    Done {
        inline: bool,
    },
    Incomplete,
}

impl RequestParser {
    pub fn new(limits: RequestLimits) -> Self {
        RequestParser { limits, partial: Vec::new(), left: 0, at: 0, bulk: None, searched: 0, failed: None }
    }

    /// Parses up to `max_commands` complete commands from the front of `input` into `out` (cleared first); returns the
    /// bytes they took, which the caller drops from the front before the next call.
    ///
    /// Commands before a malformed one are delivered alone; the next call judges it anew, under the limits of then, as
    /// those commands may have changed them (AUTH, CONFIG SET). An error is final.
    pub fn parse(
        &mut self,
        input: &[u8],
        max_commands: usize,
        out: &mut Requests,
    ) -> Result<usize, ProtocolError> {
        out.clear();
        if let Some(error) = self.failed.clone() {
            return Err(error);
        }
        let mut consumed = 0;
        while out.len() < max_commands {
            let rest = &input[consumed..];
            if rest.is_empty() {
                break;
            }
            if self.left == 0
                && let Some(bytes) = self.whole(rest, consumed, out)
            {
                consumed += bytes;
                self.searched = 0;
                out.finish_command(consumed, false);
                continue;
            }
            let mark = out.mark();
            match self.command(rest, consumed, out) {
                Ok(Step::Done { inline }) => {
                    consumed += self.at;
                    self.at = 0;
                    self.searched = 0;
                    if out.mark() > mark {
                        out.finish_command(consumed, inline);
                    }
                }
                Ok(Step::Incomplete) => break,
                Err(error) if out.is_empty() => {
                    self.failed = Some(error.clone());
                    return Err(error);
                }
                Err(_) => {
                    out.rewind(mark).for_each(drop);
                    *self = RequestParser::new(self.limits);
                    break;
                }
            }
        }
        Ok(consumed)
    }

    /// Input bytes (from the front of the buffer) without which another parse is useless; lets the reader make room at
    /// once for a large argument. 0 when unknown.
    pub fn need(&self) -> usize {
        self.bulk.map_or(0, |len| self.at.saturating_add(len).saturating_add(2))
    }

    /// Bytes of memory held, used or not.
    pub fn memory_bytes(&self) -> usize {
        self.partial.capacity() * size_of::<Span>()
    }

    /// The rule, read without a detour: a command that is here as a whole, its lengths short. Its bytes, or `None` when it is
    /// to be read with care.
    #[inline]
    fn whole(&self, rest: &[u8], offset: usize, out: &mut Requests) -> Option<usize> {
        let (count, mut at) = short_line(b'*', rest)?;
        if count == 0 || count > self.limits.args_max || self.limits.unauthenticated {
            return None;
        }
        let mark = out.mark();
        for _ in 0..count {
            let found = short_line(b'$', &rest[at..]).filter(|(len, _)| *len <= self.limits.bulk_bytes_max);
            let place = found.map(|(len, bytes)| (at + bytes, len));
            let Some((start, len)) = place.filter(|(start, len)| start + len + 2 <= rest.len()) else {
                out.rewind(mark).for_each(drop);
                return None;
            };
            out.push_span(offset + start, len);
            at = start + len + 2;
        }
        Some(at)
    }

    /// Goes on with the command at the front of `rest`, which lies at `offset` of the input.
    #[inline]
    fn command(&mut self, rest: &[u8], offset: usize, out: &mut Requests) -> Result<Step, ProtocolError> {
        if self.left == 0 {
            if rest[0] != b'*' {
                return self.inline(rest, out);
            }
            let Some(count) = self.arg_count(rest)? else { return Ok(Step::Incomplete) };
            if count == 0 {
                return Ok(Step::Done { inline: false });
            }
            self.left = count;
            self.partial.clear();
        }
        // The whole command in one buffer is the rule: its arguments then go straight to `out`.
        let direct = self.partial.is_empty();
        let mark = out.mark();
        while self.left > 0 {
            let len = match self.bulk {
                Some(len) => len,
                None => match self.bulk_length(rest)? {
                    Some(len) => len,
                    None => break,
                },
            };
            if rest.len().saturating_sub(self.at) < len.saturating_add(2) {
                self.bulk = Some(len);
                break;
            }
            self.bulk = None;
            if direct {
                out.push_span(offset + self.at, len);
            } else {
                self.partial.push(Span { start: self.at, len });
            }
            self.at += len + 2;
            self.left -= 1;
        }
        if self.left > 0 {
            if direct {
                self.partial.extend(out.rewind(mark).map(|s| Span { start: s.start - offset, len: s.len }));
            }
            return Ok(Step::Incomplete);
        }
        if !direct {
            self.partial.drain(..).for_each(|s| out.push_span(offset + s.start, s.len));
            self.partial.shrink_to(PARTIAL_KEPT);
        }
        Ok(Step::Done { inline: false })
    }

    /// Reads `*count\r\n`; 0 for a command to ignore.
    #[inline]
    fn arg_count(&mut self, rest: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let count = match short_line(b'*', rest) {
            Some((count, bytes)) => {
                self.at = bytes;
                count as i64
            }
            None => {
                let Some(line) = self.line(rest, ProtocolError::MultibulkLine)? else { return Ok(None) };
                length(&line[1..]).ok_or(ProtocolError::MultibulkLength)?
            }
        };
        if count > limit(self.limits.args_max) {
            return Err(ProtocolError::MultibulkLength);
        }
        if self.limits.unauthenticated && count > UNAUTHENTICATED_ARGS_MAX {
            return Err(ProtocolError::UnauthenticatedMultibulk);
        }
        Ok(Some(count.max(0) as usize))
    }

    /// Reads `$length\r\n`.
    #[inline]
    fn bulk_length(&mut self, rest: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let len = match short_line(b'$', rest.get(self.at..).unwrap_or_default()) {
            Some((len, bytes)) => {
                self.at += bytes;
                len as i64
            }
            None => {
                let first = rest.get(self.at).copied().unwrap_or_default();
                let Some(line) = self.line(rest, ProtocolError::BulkLine)? else { return Ok(None) };
                if first != b'$' {
                    return Err(ProtocolError::ExpectedBulk(first));
                }
                length(&line[1..]).ok_or(ProtocolError::BulkLength)?
            }
        };
        if len < 0 || len > limit(self.limits.bulk_bytes_max) {
            return Err(ProtocolError::BulkLength);
        }
        if self.limits.unauthenticated && len > UNAUTHENTICATED_BULK_MAX {
            return Err(ProtocolError::UnauthenticatedBulk);
        }
        Ok(Some(len as usize))
    }

    /// The line at `self.at` up to its `\r`, once the byte after that has arrived; moves past both.
    fn line<'i>(
        &mut self,
        rest: &'i [u8],
        too_long: ProtocolError,
    ) -> Result<Option<&'i [u8]>, ProtocolError> {
        let (start, end) = (self.at, self.search(rest, b'\r'));
        match rest.get(end) {
            Some(b'\r') if end + 1 < rest.len() => {
                self.at = end + 2;
                Ok(Some(&rest[start..end]))
            }
            Some(b'\r') => Ok(None),
            _ if rest.len().saturating_sub(start) > self.limits.inline_bytes_max => Err(too_long),
            _ => Ok(None),
        }
    }

    fn inline(&mut self, rest: &[u8], out: &mut Requests) -> Result<Step, ProtocolError> {
        let end = self.search(rest, b'\n');
        if rest.get(end) != Some(&b'\n') {
            let too_long = rest.len() > self.limits.inline_bytes_max;
            return if too_long { Err(ProtocolError::InlineLine) } else { Ok(Step::Incomplete) };
        }
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        self.at = end + 1;
        inline::split(line, |word| out.push_word(word)).ok_or(ProtocolError::Quotes)?;
        Ok(Step::Done { inline: true })
    }

    /// Where `end` or a NUL stands first at or after `self.at`, or all of `rest`; what was searched is not searched again.
    fn search(&mut self, rest: &[u8], end: u8) -> usize {
        let from = self.searched.max(self.at).min(rest.len());
        let found = rest[from..].iter().position(|b| *b == end || *b == 0);
        self.searched = found.map_or(rest.len(), |i| from + i);
        self.searched
    }
}

/// The hot case: a whole length line of up to three digits, with what follows it. Its value and bytes.
#[inline]
fn short_line(kind: u8, text: &[u8]) -> Option<(usize, usize)> {
    let [k, a, b, c, d, _, ..] = *text else { return None };
    let digit = |byte: u8| usize::from(byte.wrapping_sub(b'0'));
    let (a, bb, cc) = (digit(a), digit(b), digit(c));
    if k != kind || a > 9 {
        None
    } else if b == b'\r' {
        Some((a, 4))
    } else if a == 0 || bb > 9 {
        None
    } else if c == b'\r' {
        Some((a * 10 + bb, 5))
    } else if cc <= 9 && d == b'\r' {
        Some((a * 100 + bb * 10 + cc, 6))
    } else {
        None
    }
}

fn limit(max: usize) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX)
}

/// A length as Redis' `string2ll` reads it: no sign but `-`, no leading zero, no space, within 64 bits.
fn length(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 && digits.iter().all(u8::is_ascii_digit) => {}
        _ => return None,
    }
    // Nineteen digits fit in 64 bits unsigned.
    let value = digits.iter().fold(0u64, |value, digit| value * 10 + u64::from(digit - b'0'));
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Commands = Vec<Vec<Vec<u8>>>;

    /// Everything a connection would run, the input arriving in pieces of the given sizes (the last one repeated), and
    /// what ended it.
    fn all(
        input: &[u8],
        pieces: &[usize],
        batch: usize,
        limits: RequestLimits,
    ) -> (Commands, Option<ProtocolError>) {
        let mut parser = RequestParser::new(limits);
        let (mut buffer, mut commands) = (Vec::new(), Vec::new());
        let mut requests = Requests::new();
        let (mut input, mut pieces) = (input, pieces.iter().copied());
        let mut piece = 1;
        while !input.is_empty() {
            piece = pieces.next().unwrap_or(piece).clamp(1, input.len());
            buffer.extend_from_slice(&input[..piece]);
            input = &input[piece..];
            loop {
                match parser.parse(&buffer, batch, &mut requests) {
                    Err(error) => return (commands, Some(error)),
                    Ok(consumed) => {
                        let mut args = Vec::new();
                        for i in 0..requests.len() {
                            requests.args(i, &buffer, &mut args);
                            commands.push(args.iter().map(|a| a.to_vec()).collect());
                        }
                        if let Some(last) = requests.len().checked_sub(1) {
                            assert!(requests.end(last) <= consumed);
                        }
                        drop(args);
                        buffer.drain(..consumed);
                        if consumed == 0 {
                            break;
                        }
                    }
                }
            }
        }
        (commands, None)
    }

    fn whole(input: &[u8]) -> (Commands, Option<ProtocolError>) {
        all(input, &[input.len()], 32, RequestLimits::default())
    }

    #[test]
    fn any_split_of_the_stream_gives_the_same_commands() {
        let input = b"*2\r\n$3\r\nGET\r\n$11\r\nhello\r\nworl\r\nPING\r\n\r\n*0\r\n*-1\r\nset \"a b\" 'c'\n*1\r\n$0\r\n\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n";
        let expected = whole(input);
        assert_eq!(expected.0.len(), 5);
        assert_eq!(expected.0[0][1], b"hello\r\nworl");
        assert_eq!(expected.0[2], [b"set".to_vec(), b"a b".to_vec(), b"c".to_vec()]);
        for step in 1..input.len() {
            assert_eq!(all(input, &[step], 3, RequestLimits::default()), expected, "step {step}");
        }
    }

    #[test]
    fn malformed_input_is_named_after_the_commands_before_it() {
        for (input, error) in [
            (&b"*a\r\n"[..], ProtocolError::MultibulkLength),
            (b"*+1\r\n", ProtocolError::MultibulkLength),
            (b"*-0\r\n", ProtocolError::MultibulkLength),
            (b"*2147483648\r\n", ProtocolError::MultibulkLength),
            (b"*99999999999999999999\r\n", ProtocolError::MultibulkLength),
            (b"*1\r\n:1\r\n", ProtocolError::ExpectedBulk(b':')),
            (b"*1\r\n\r\n", ProtocolError::ExpectedBulk(b'\r')),
            (b"*1\r\n$-1\r\n", ProtocolError::BulkLength),
            (b"*1\r\n$01\r\n", ProtocolError::BulkLength),
            (b"*1\r\n$536870913\r\n", ProtocolError::BulkLength),
            (b"set \"a\n", ProtocolError::Quotes),
        ] {
            let mut with_ping = b"PING\r\n".to_vec();
            with_ping.extend_from_slice(input);
            for step in [1, 4, 100] {
                let got = all(&with_ping, &[step], 32, RequestLimits::default());
                assert_eq!(got, (vec![vec![b"PING".to_vec()]], Some(error.clone())));
            }
        }
    }

    #[test]
    fn a_line_without_an_end_is_refused_once_it_is_long() {
        let long = vec![b'x'; 70_000];
        assert_eq!(whole(&long).1, Some(ProtocolError::InlineLine));
        assert_eq!(whole(&long[..65_536]).1, None);
        let long = [b"*".to_vec(), vec![b'1'; 70_000]].concat();
        assert_eq!(whole(&long).1, Some(ProtocolError::MultibulkLine));
        let long = [b"*1\r\n$".to_vec(), vec![b'1'; 70_000]].concat();
        assert_eq!(whole(&long).1, Some(ProtocolError::BulkLine));
    }

    #[test]
    fn negative_counts_are_ignored_over_all_of_64_bits() {
        for count in ["0", "-1", "-1234567890123456789", "-9223372036854775808"] {
            assert_eq!(whole(format!("*{count}\r\nPING\r\n").as_bytes()).0.len(), 1, "{count}");
        }
        assert_eq!(whole(b"*-9223372036854775809\r\n").1, Some(ProtocolError::MultibulkLength));
    }

    #[test]
    fn a_nul_hides_the_end_of_its_line() {
        for input in [&b"PING\0\r\nPING\r\n"[..], b"*1\0\r\n$4\r\nPING\r\n", b"*1\r\n$4\0\r\nPING\r\n"] {
            assert_eq!(whole(input), (vec![], None));
        }
        assert_eq!(
            whole(&[b"\0\r\n".to_vec(), vec![b'x'; 70_000]].concat()).1,
            Some(ProtocolError::InlineLine)
        );
    }

    #[test]
    fn a_limit_lifted_by_the_command_before_holds_for_the_next_one() {
        let input = b"AUTH x\r\n*11\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n";
        let limits = RequestLimits { unauthenticated: true, ..RequestLimits::default() };
        let mut requests = Requests::new();
        for authenticated in [true, false] {
            let mut parser = RequestParser::new(limits);
            assert_eq!(parser.parse(input, 32, &mut requests), Ok(8));
            assert_eq!(requests.len(), 1);
            parser.limits.unauthenticated = !authenticated;
            let next = parser.parse(&input[8..], 32, &mut requests);
            if authenticated {
                assert_eq!(next, Ok(input.len() - 8));
                assert_eq!(requests.arg_count(0), 11);
            } else {
                assert_eq!(next, Err(ProtocolError::UnauthenticatedMultibulk));
            }
        }
        let bulk = b"*1\r\n$16385\r\n";
        assert_eq!(all(bulk, &[99], 1, limits).1, Some(ProtocolError::UnauthenticatedBulk));
    }

    #[test]
    fn a_huge_bulk_asks_for_its_room_and_is_not_scanned_again() {
        let mut parser = RequestParser::new(RequestLimits::default());
        let mut requests = Requests::new();
        let head = b"*2\r\n$3\r\nGET\r\n$536870912\r\n";
        assert_eq!(parser.parse(head, 32, &mut requests), Ok(0));
        assert_eq!(parser.need(), head.len() + (512 << 20) + 2);
        // Nothing before the awaited bytes is looked at: a changed front goes unnoticed.
        let mut changed = vec![0; head.len()];
        changed.extend_from_slice(b"value");
        assert_eq!(parser.parse(&changed, 32, &mut requests), Ok(0));
        let unlimited = RequestLimits { bulk_bytes_max: usize::MAX, ..RequestLimits::default() };
        let mut parser = RequestParser::new(unlimited);
        assert_eq!(parser.parse(b"*1\r\n$9223372036854775807\r\nx", 32, &mut requests), Ok(0));
        assert!(parser.need() > i64::MAX as usize);
    }

    fn multibulk(args: &[Vec<u8>]) -> Vec<u8> {
        let mut out = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args {
            out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            out.extend_from_slice(arg);
            out.extend_from_slice(b"\r\n");
        }
        out
    }

    fn args() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1200), 1..6)
    }

    /// Bytes that parsers stumble over.
    fn noise() -> impl Strategy<Value = Vec<u8>> {
        let letters = b"*$-0123459\r\n\n\r\"' ax\\\x00\xff\x0b";
        prop::collection::vec(prop::sample::select(letters.to_vec()), 0..60)
    }

    proptest! {
        #[test]
        fn well_formed_commands_arrive_as_sent(
            sent in prop::collection::vec(args(), 1..8),
            pieces in prop::collection::vec(1usize..3000, 1..40),
            batch in 1usize..5,
        ) {
            let input: Vec<u8> = sent.iter().flat_map(|args| multibulk(args)).collect();
            prop_assert_eq!(all(&input, &pieces, batch, RequestLimits::default()), (sent, None));
        }

        #[test]
        fn cut_and_mixed_streams_parse_alike_however_they_arrive(
            parts in prop::collection::vec(prop_oneof![noise(), args().prop_map(|a| multibulk(&a))], 0..6),
            pieces in prop::collection::vec(1usize..40, 1..20),
            batch in 1usize..5,
            unauthenticated: bool,
        ) {
            let input = parts.concat();
            let limits = RequestLimits { unauthenticated, bulk_bytes_max: 1000, ..RequestLimits::default() };
            let expected = all(&input, &[input.len()], usize::MAX, limits);
            prop_assert_eq!(all(&input, &pieces, batch, limits), expected);
        }
    }
}
