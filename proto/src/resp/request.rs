//! The request side: pipelined commands as argument ranges of the input buffer, without an allocation per command.
//!
//! The parser remembers how far it came into an incomplete command, so that a large argument arriving in small reads is
//! scanned once.

use super::inline;

/// What a client may send.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// Largest argument (`proto-max-bulk-len`), bytes.
    pub bulk_bytes_max: usize,
    /// Most arguments of one command.
    pub args_max: usize,
    /// Longest inline command or length line, bytes.
    pub inline_bytes_max: usize,
    /// Before AUTH on a server with a password: 10 arguments of 16 KiB.
    pub unauthenticated: bool,
}

impl Default for RequestLimits {
    fn default() -> Self {
        RequestLimits {
            bulk_bytes_max: 512 << 20,
            args_max: i32::MAX as usize,
            inline_bytes_max: 64 << 10,
            unauthenticated: false,
        }
    }
}

const UNAUTHENTICATED_ARGS_MAX: i64 = 10;
const UNAUTHENTICATED_BULK_MAX: i64 = 16384;

/// Malformed input: answered `-ERR Protocol error: …`, then the connection is closed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProtocolError {
    #[error("Protocol error: invalid multibulk length")]
    MultibulkLength,
    #[error("Protocol error: unauthenticated multibulk length")]
    UnauthenticatedMultibulk,
    #[error("Protocol error: too big mbulk count string")]
    MultibulkLine,
    #[error("Protocol error: expected '$', got '{}'", char::from(*.0))]
    ExpectedBulk(u8),
    #[error("Protocol error: invalid bulk length")]
    BulkLength,
    #[error("Protocol error: unauthenticated bulk length")]
    UnauthenticatedBulk,
    #[error("Protocol error: too big bulk count string")]
    BulkLine,
    #[error("Protocol error: unbalanced quotes in request")]
    Quotes,
    #[error("Protocol error: too big inline request")]
    InlineLine,
}

/// Where an argument lies: in the input buffer, or (inline commands) in the side buffer.
#[derive(Clone, Copy, Debug)]
struct Arg {
    start: usize,
    len: usize,
    side: bool,
}

/// Complete commands of one parse. Reused between parses.
#[derive(Default, Debug)]
pub struct Requests {
    args: Vec<Arg>,
    /// End of each command in `args`, and of its bytes in the input.
    ends: Vec<(usize, usize)>,
    side: Vec<u8>,
}

impl Requests {
    pub fn new() -> Self {
        Self::default()
    }

    /// Complete commands.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn clear(&mut self) {
        self.args.clear();
        self.ends.clear();
        self.side.clear();
    }

    fn bounds(&self, command: usize) -> (usize, usize) {
        (command.checked_sub(1).map_or(0, |i| self.ends[i].0), self.ends[command].0)
    }

    /// Arguments of a command, its name included; never zero.
    pub fn arg_count(&self, command: usize) -> usize {
        let (from, to) = self.bounds(command);
        to - from
    }

    /// One argument; `input` is the buffer that was parsed.
    #[inline]
    pub fn arg<'a>(&'a self, command: usize, at: usize, input: &'a [u8]) -> &'a [u8] {
        let arg = self.args[self.bounds(command).0 + at];
        self.slice(arg, input)
    }

    /// Replaces `out` by the arguments of a command.
    #[inline]
    pub fn args<'a>(&'a self, command: usize, input: &'a [u8], out: &mut Vec<&'a [u8]>) {
        let (from, to) = self.bounds(command);
        out.clear();
        out.extend(self.args[from..to].iter().map(|arg| self.slice(*arg, input)));
    }

    /// Input bytes up to the end of a command.
    pub fn end(&self, command: usize) -> usize {
        self.ends[command].1
    }

    #[inline]
    fn slice<'a>(&'a self, arg: Arg, input: &'a [u8]) -> &'a [u8] {
        let from = if arg.side { &self.side[..] } else { input };
        &from[arg.start..arg.start + arg.len]
    }
}

/// Incremental parser of one connection.
#[derive(Debug)]
pub struct RequestParser {
    pub limits: RequestLimits,
    /// Arguments of the incomplete command so far (offsets from its start).
    partial: Vec<(usize, usize)>,
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
    Done,
    Incomplete,
}

impl RequestParser {
    pub fn new(limits: RequestLimits) -> Self {
        RequestParser { limits, partial: Vec::new(), left: 0, at: 0, bulk: None, searched: 0, failed: None }
    }

    /// Parses up to `max_commands` complete commands from the front of `input` into `out` (cleared first); returns the bytes they
    /// took, which the caller drops from the front before the next call. Commands before a malformed one are delivered; the error
    /// comes with the call that finds no command before it.
    pub fn parse(&mut self, input: &[u8], max_commands: usize, out: &mut Requests) -> Result<usize, ProtocolError> {
        out.clear();
        let mut consumed = 0;
        if let Some(error) = self.failed.clone() {
            return Err(error);
        }
        while out.len() < max_commands {
            let rest = &input[consumed..];
            if rest.is_empty() {
                break;
            }
            let args_before = out.args.len();
            match self.command(rest, consumed, out) {
                Ok(Step::Done) => {
                    consumed += self.at;
                    self.at = 0;
                    self.searched = 0;
                    if out.args.len() > args_before {
                        out.ends.push((out.args.len(), consumed));
                    }
                }
                Ok(Step::Incomplete) => break,
                Err(error) => {
                    self.failed = Some(error.clone());
                    if out.is_empty() {
                        return Err(error);
                    }
                    break;
                }
            }
        }
        Ok(consumed)
    }

    /// Input bytes (from the front of the buffer) without which another parse is useless; lets the reader make room at once for a
    /// large argument. 0 when unknown.
    pub fn need(&self) -> usize {
        self.bulk.map_or(0, |len| self.at + len + 2)
    }

    fn command(&mut self, rest: &[u8], offset: usize, out: &mut Requests) -> Result<Step, ProtocolError> {
        if self.left == 0 {
            if rest[0] != b'*' {
                return self.inline(rest, out);
            }
            let Some(line) = self.line(rest, ProtocolError::MultibulkLine)? else { return Ok(Step::Incomplete) };
            let count = length(&rest[1..line]).ok_or(ProtocolError::MultibulkLength)?;
            if count > self.limits.args_max as i64 {
                return Err(ProtocolError::MultibulkLength);
            }
            if self.limits.unauthenticated && count > UNAUTHENTICATED_ARGS_MAX {
                return Err(ProtocolError::UnauthenticatedMultibulk);
            }
            if count <= 0 {
                return Ok(Step::Done);
            }
            self.left = count as usize;
            self.partial.clear();
        }
        // The whole command in one buffer is the rule: its arguments then go straight to `out`.
        let direct = self.partial.is_empty();
        let args_before = out.args.len();
        while self.left > 0 {
            let len = match self.bulk {
                Some(len) => len,
                None => match self.bulk_length(rest)? {
                    Some(len) => len,
                    None => break,
                },
            };
            if rest.len() < self.at + len + 2 {
                self.bulk = Some(len);
                break;
            }
            self.bulk = None;
            if direct {
                out.args.push(Arg { start: offset + self.at, len, side: false });
            } else {
                self.partial.push((self.at, len));
            }
            self.at += len + 2;
            self.searched = self.at;
            self.left -= 1;
        }
        if self.left > 0 {
            if direct {
                let arrived = out.args.drain(args_before..);
                self.partial.extend(arrived.map(|a| (a.start - offset, a.len)));
            }
            return Ok(Step::Incomplete);
        }
        if !direct {
            let args = self.partial.drain(..);
            out.args.extend(args.map(|(start, len)| Arg { start: offset + start, len, side: false }));
        }
        Ok(Step::Done)
    }

    fn bulk_length(&mut self, rest: &[u8]) -> Result<Option<usize>, ProtocolError> {
        // Short lengths on complete lines, the hot case, without a search.
        if let [b'$', d @ b'0'..=b'9', b'\r', b'\n', ..] = rest[self.at.min(rest.len())..] {
            self.at += 4;
            return Ok(Some(usize::from(d - b'0')));
        }
        let start = self.at;
        let Some(line) = self.line(rest, ProtocolError::BulkLine)? else { return Ok(None) };
        if rest[start] != b'$' {
            return Err(ProtocolError::ExpectedBulk(rest[start]));
        }
        let len = length(&rest[start + 1..line]).ok_or(ProtocolError::BulkLength)?;
        if len < 0 || len > self.limits.bulk_bytes_max as i64 {
            return Err(ProtocolError::BulkLength);
        }
        if self.limits.unauthenticated && len > UNAUTHENTICATED_BULK_MAX {
            return Err(ProtocolError::UnauthenticatedBulk);
        }
        Ok(Some(len as usize))
    }

    /// Finds the `\r` that ends the line at `self.at` and moves past its `\n`; returns the line's end.
    fn line(&mut self, rest: &[u8], too_long: ProtocolError) -> Result<Option<usize>, ProtocolError> {
        let from = self.searched.max(self.at);
        match rest[from.min(rest.len())..].iter().position(|b| *b == b'\r') {
            // As Redis, which trusts the byte after `\r`; it must have arrived.
            Some(i) if from + i + 1 < rest.len() => {
                let end = from + i;
                self.at = end + 2;
                self.searched = self.at;
                Ok(Some(end))
            }
            Some(i) => {
                self.searched = from + i;
                Ok(None)
            }
            None => {
                if rest.len() - self.at.min(rest.len()) > self.limits.inline_bytes_max {
                    return Err(too_long);
                }
                self.searched = rest.len();
                Ok(None)
            }
        }
    }

    fn inline(&mut self, rest: &[u8], out: &mut Requests) -> Result<Step, ProtocolError> {
        let from = self.searched.min(rest.len());
        let Some(i) = rest[from..].iter().position(|b| *b == b'\n') else {
            if rest.len() > self.limits.inline_bytes_max {
                return Err(ProtocolError::InlineLine);
            }
            self.searched = rest.len();
            return Ok(Step::Incomplete);
        };
        let end = from + i;
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        self.at = end + 1;
        let Requests { args, side, .. } = out;
        inline::split(line, |word| {
            args.push(Arg { start: side.len(), len: word.len(), side: true });
            side.extend_from_slice(word);
        })
        .ok_or(ProtocolError::Quotes)?;
        Ok(Step::Done)
    }
}

/// A length as Redis' `string2ll` reads it.
fn length(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', rest @ ..] if rest.len() < 18 => {}
        _ => return None,
    }
    let mut value = 0i64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8], step: usize) -> (Vec<Vec<Vec<u8>>>, Option<ProtocolError>) {
        let mut parser = RequestParser::new(RequestLimits::default());
        let (mut buffer, mut commands) = (Vec::new(), Vec::new());
        let mut requests = Requests::new();
        for chunk in input.chunks(step) {
            buffer.extend_from_slice(chunk);
            loop {
                match parser.parse(&buffer, 3, &mut requests) {
                    Err(error) => return (commands, Some(error)),
                    Ok(consumed) => {
                        let mut args = Vec::new();
                        for i in 0..requests.len() {
                            requests.args(i, &buffer, &mut args);
                            commands.push(args.iter().map(|a| a.to_vec()).collect());
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

    #[test]
    fn any_split_of_the_stream_gives_the_same_commands() {
        let input = b"*2\r\n$3\r\nGET\r\n$11\r\nhello\r\nworl\r\nPING\r\n\r\n*0\r\n*-1\r\nset \"a b\" 'c'\n*1\r\n$0\r\n\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n";
        let whole = all(input, input.len());
        assert_eq!(whole.0.len(), 5);
        assert_eq!(whole.0[0][1], b"hello\r\nworl");
        assert_eq!(whole.0[2], [b"set".to_vec(), b"a b".to_vec(), b"c".to_vec()]);
        for step in 1..input.len() {
            assert_eq!(all(input, step), whole, "step {step}");
        }
    }

    #[test]
    fn malformed_input_is_named_after_the_commands_before_it() {
        for (input, error) in [
            (&b"*a\r\n"[..], ProtocolError::MultibulkLength),
            (b"*+1\r\n", ProtocolError::MultibulkLength),
            (b"*99999999999\r\n", ProtocolError::MultibulkLength),
            (b"*1\r\n:1\r\n", ProtocolError::ExpectedBulk(b':')),
            (b"*1\r\n$-1\r\n", ProtocolError::BulkLength),
            (b"*1\r\n$01\r\n", ProtocolError::BulkLength),
            (b"*1\r\n$536870913\r\n", ProtocolError::BulkLength),
            (b"set \"a\n", ProtocolError::Quotes),
        ] {
            let mut with_ping = b"PING\r\n".to_vec();
            with_ping.extend_from_slice(input);
            for step in [1, 4, 100] {
                assert_eq!(all(&with_ping, step), (vec![vec![b"PING".to_vec()]], Some(error.clone())));
            }
        }
        let long = vec![b'x'; 70_000];
        assert_eq!(all(&long, 1000).1, Some(ProtocolError::InlineLine));
        let long = [b"*1\r\n$".to_vec(), vec![b'1'; 70_000]].concat();
        assert_eq!(all(&long, 1000).1, Some(ProtocolError::BulkLine));
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut state = 1u64;
        for _ in 0..20_000 {
            let mut input = Vec::new();
            for _ in 0..40 {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                input.push(b"*$-0123\r\n\"' ax\\\x00"[(state >> 33) as usize % 16]);
            }
            let whole = all(&input, 40);
            assert_eq!(all(&input, 7), whole);
        }
    }
}
