//! A reader of replies, for tests, tools and the benchmark: the tree of one reply, built as its bytes arrive.
//!
//! Total over bytes: whatever a server sends gives a value, an error or "not yet", within [`ReplyLimits`].

/// A decoded reply, RESP2 or RESP3. Attributes are read and left out.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Simple(Vec<u8>),
    Error(Vec<u8>),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Set(Vec<Value>),
    Push(Vec<Value>),
    Double(f64),
    Bool(bool),
    BigNumber(Vec<u8>),
    /// Format and text.
    Verbatim([u8; 3], Vec<u8>),
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("reply is not RESP at byte {0}")]
    Malformed(usize),
    #[error("reply is nested deeper than {0}")]
    TooDeep(usize),
    #[error("reply is longer than {0} bytes")]
    TooLong(usize),
}

/// What a reader puts up with.
#[derive(Clone, Copy, Debug)]
pub struct ReplyLimits {
    /// Whole reply. The tree takes up to some twenty times as much memory, when it is all tiny values.
    pub bytes_max: usize,
    /// Aggregates inside aggregates.
    pub depth_max: usize,
}

impl Default for ReplyLimits {
    fn default() -> Self {
        ReplyLimits { bytes_max: 1 << 30, depth_max: 64 }
    }
}

/// Items of an aggregate given room before the first has come.
const ITEMS_RESERVED_MAX: usize = 256;

impl Value {
    /// Reads one reply from the front of `input`: the value and its length in bytes, `None` when it has not all arrived.
    pub fn decode(input: &[u8]) -> Result<Option<(Value, usize)>, DecodeError> {
        ReplyReader::new(ReplyLimits::default()).read(input)
    }
}

/// Incremental decoder of one connection; what has been read is not read again.
#[derive(Debug)]
pub struct ReplyReader {
    limits: ReplyLimits,
    /// Aggregates that are not whole yet, outermost first.
    open: Vec<Aggregate>,
    /// Offset where reading goes on.
    at: usize,
    /// Bytes already searched for a line end.
    searched: usize,
}

#[derive(Debug)]
struct Aggregate {
    kind: u8,
    left: usize,
    items: Vec<Value>,
}

/// What one line begins.
enum Frame {
    /// A value and the end of its bytes.
    Leaf(Value, usize),
    /// An aggregate of so many items, and the end of its line.
    Items(u8, usize, usize),
}

impl ReplyReader {
    pub fn new(limits: ReplyLimits) -> Self {
        ReplyReader { limits, open: Vec::new(), at: 0, searched: 0 }
    }

    /// Goes on with the reply at the front of `input`: the value and its length in bytes, which the caller drops before
    /// the next call; `None` when it has not all arrived. After an error the connection is of no more use.
    pub fn read(&mut self, input: &[u8]) -> Result<Option<(Value, usize)>, DecodeError> {
        while let Some(frame) = self.frame(input)? {
            let (mut value, end) = match frame {
                Frame::Leaf(value, end) => (value, end),
                Frame::Items(kind, left, end) => {
                    if self.open.len() >= self.limits.depth_max {
                        return Err(DecodeError::TooDeep(self.limits.depth_max));
                    }
                    self.move_to(end)?;
                    if left > 0 {
                        let items = Vec::with_capacity(left.min(ITEMS_RESERVED_MAX));
                        self.open.push(Aggregate { kind, left, items });
                        continue;
                    }
                    match closed(kind, Vec::new()) {
                        Some(value) => (value, end),
                        None => continue,
                    }
                }
            };
            self.move_to(end)?;
            loop {
                let Some(parent) = self.open.last_mut() else {
                    self.at = 0;
                    self.searched = 0;
                    return Ok(Some((value, end)));
                };
                parent.items.push(value);
                parent.left -= 1;
                if parent.left > 0 {
                    break;
                }
                let whole = self.open.pop().and_then(|a| closed(a.kind, a.items));
                // An attribute is no value: what it describes comes next.
                let Some(whole) = whole else { break };
                value = whole;
            }
        }
        Ok(None)
    }

    fn move_to(&mut self, end: usize) -> Result<(), DecodeError> {
        if end > self.limits.bytes_max {
            return Err(DecodeError::TooLong(self.limits.bytes_max));
        }
        self.at = end;
        self.searched = end;
        Ok(())
    }

    /// Reads the line at `self.at` and, of a bulk, its bytes; moves nothing.
    fn frame(&mut self, input: &[u8]) -> Result<Option<Frame>, DecodeError> {
        let (start, malformed) = (self.at, DecodeError::Malformed(self.at));
        let Some(line_end) = self.line_end(input)? else { return Ok(None) };
        let end = line_end + 2;
        let Some((&kind, rest)) = input[start..line_end].split_first() else { return Err(malformed) };
        let number = || text(rest).and_then(|text| text.parse::<i64>().ok()).ok_or(malformed.clone());
        let leaf = match kind {
            b'+' => Value::Simple(rest.to_vec()),
            b'-' => Value::Error(rest.to_vec()),
            b':' => Value::Integer(number()?),
            b'_' if rest.is_empty() => Value::Null,
            b'#' if rest == b"t" => Value::Bool(true),
            b'#' if rest == b"f" => Value::Bool(false),
            b',' => Value::Double(text(rest).and_then(|text| text.parse().ok()).ok_or(malformed)?),
            b'(' => Value::BigNumber(rest.to_vec()),
            b'$' | b'=' | b'*' | b'~' | b'>' if rest == b"-1" => Value::Null,
            b'$' | b'=' => {
                let len = usize::try_from(number()?).map_err(|_| malformed)?;
                return self.bulk(input, kind, end, len);
            }
            b'*' | b'~' | b'>' | b'%' | b'|' => {
                let count = usize::try_from(number()?).map_err(|_| malformed)?;
                let items = if matches!(kind, b'%' | b'|') { count.saturating_mul(2) } else { count };
                return Ok(Some(Frame::Items(kind, items, end)));
            }
            _ => return Err(malformed),
        };
        Ok(Some(Frame::Leaf(leaf, end)))
    }

    /// The offset of the `\r\n` that ends the line at `self.at`.
    fn line_end(&mut self, input: &[u8]) -> Result<Option<usize>, DecodeError> {
        let from = self.searched.max(self.at).min(input.len());
        match input[from..].windows(2).position(|pair| pair == b"\r\n") {
            Some(found) => Ok(Some(from + found)),
            None if input.len() > self.limits.bytes_max => Err(DecodeError::TooLong(self.limits.bytes_max)),
            None => {
                // The last byte may be half of a line end.
                self.searched = input.len().saturating_sub(1);
                Ok(None)
            }
        }
    }

    fn bulk(&self, input: &[u8], kind: u8, from: usize, len: usize) -> Result<Option<Frame>, DecodeError> {
        let end = from.saturating_add(len).saturating_add(2);
        if end > self.limits.bytes_max {
            return Err(DecodeError::TooLong(self.limits.bytes_max));
        }
        if input.len() < end {
            return Ok(None);
        }
        let malformed = Err(DecodeError::Malformed(self.at));
        let (bytes, line_end) = input[from..end].split_at(len);
        if line_end != b"\r\n" {
            return malformed;
        }
        let value = match (kind, bytes) {
            (b'$', bytes) => Value::Bulk(bytes.to_vec()),
            (_, [a, b, c, b':', text @ ..]) => Value::Verbatim([*a, *b, *c], text.to_vec()),
            _ => return malformed,
        };
        Ok(Some(Frame::Leaf(value, end)))
    }
}

/// The value of a whole aggregate; `None` for an attribute.
fn closed(kind: u8, items: Vec<Value>) -> Option<Value> {
    match kind {
        b'*' => Some(Value::Array(items)),
        b'~' => Some(Value::Set(items)),
        b'>' => Some(Value::Push(items)),
        b'%' => {
            let mut pairs = Vec::with_capacity(items.len() / 2);
            let mut items = items.into_iter();
            while let (Some(key), Some(value)) = (items.next(), items.next()) {
                pairs.push((key, value));
            }
            Some(Value::Map(pairs))
        }
        _ => None,
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn strict() -> ReplyReader {
        ReplyReader::new(ReplyLimits { bytes_max: 50, depth_max: 3 })
    }

    #[test]
    fn nested_replies_decode_once_they_are_whole() {
        let input = b"*3\r\n$2\r\nab\r\n%1\r\n+k\r\n:5\r\n=6\r\ntxt:hi\r\n";
        let mut reader = ReplyReader::new(ReplyLimits::default());
        for cut in 0..input.len() {
            assert_eq!(Value::decode(&input[..cut]), Ok(None));
            assert_eq!(reader.read(&input[..cut]), Ok(None));
        }
        let (value, len) = Value::decode(input).unwrap().unwrap();
        assert_eq!(len, input.len());
        let map = Value::Map(vec![(Value::Simple(b"k".to_vec()), Value::Integer(5))]);
        let verbatim = Value::Verbatim(*b"txt", b"hi".to_vec());
        assert_eq!(value, Value::Array(vec![Value::Bulk(b"ab".to_vec()), map, verbatim]));
        assert_eq!(reader.read(input), Ok(Some((value, len))));
        assert_eq!(reader.read(b":1\r\n"), Ok(Some((Value::Integer(1), 4))));
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let leaves: [(&[u8], Value); 12] = [
            (b"+OK\r\n", Value::Simple(b"OK".to_vec())),
            (b"-ERR x\r\n", Value::Error(b"ERR x".to_vec())),
            (b"$-1\r\n", Value::Null),
            (b"*-1\r\n", Value::Null),
            (b"_\r\n", Value::Null),
            (b"#t\r\n", Value::Bool(true)),
            (b",-inf\r\n", Value::Double(f64::NEG_INFINITY)),
            (b",1.5e-05\r\n", Value::Double(1.5e-5)),
            (
                b"(123456789012345678901234567890\r\n",
                Value::BigNumber(b"123456789012345678901234567890".to_vec()),
            ),
            (b"~0\r\n", Value::Set(vec![])),
            (b">1\r\n_\r\n", Value::Push(vec![Value::Null])),
            (b"$4\r\n\r\n\r\n\r\n", Value::Bulk(b"\r\n\r\n".to_vec())),
        ];
        for (input, value) in leaves {
            assert_eq!(Value::decode(input), Ok(Some((value, input.len()))));
        }
    }

    #[test]
    fn attributes_are_left_out() {
        let input = b"*2\r\n|1\r\n+ttl\r\n:5\r\n:1\r\n|0\r\n:2\r\n";
        let value = Value::Array(vec![Value::Integer(1), Value::Integer(2)]);
        assert_eq!(Value::decode(input), Ok(Some((value, input.len()))));
    }

    #[test]
    fn what_is_no_reply_is_refused_where_it_stands() {
        for input in [
            &b"\r\n"[..],
            b"x\r\n",
            b":1x\r\n",
            b"#true\r\n",
            b"_1\r\n",
            b"$-2\r\n",
            b"%-1\r\n",
            b"$1\r\nabc",
            b"=2\r\nab\r\n",
            b",\xff\r\n",
        ] {
            assert_eq!(Value::decode(input), Err(DecodeError::Malformed(0)), "{}", input.escape_ascii());
        }
        assert_eq!(Value::decode(b"*1\r\nx\r\n"), Err(DecodeError::Malformed(4)));
    }

    #[test]
    fn deep_and_long_replies_are_refused_early() {
        assert!(matches!(strict().read(b"*1\r\n*1\r\n*1\r\n:1\r\n"), Ok(Some(_))));
        assert_eq!(strict().read(b"*1\r\n*1\r\n*1\r\n*1\r\n"), Err(DecodeError::TooDeep(3)));
        assert_eq!(strict().read(b"$100\r\n"), Err(DecodeError::TooLong(50)));
        assert_eq!(strict().read(b"$9223372036854775807\r\n"), Err(DecodeError::TooLong(50)));
        assert_eq!(strict().read(&[b'+'; 51]), Err(DecodeError::TooLong(50)));
        assert_eq!(strict().read(&b"*30\r\n:1\r\n".repeat(20)), Err(DecodeError::TooDeep(3)));
        let flat = [b"*30\r\n".to_vec(), b":1\r\n".repeat(20)].concat();
        assert_eq!(strict().read(&flat), Err(DecodeError::TooLong(50)));
        assert_eq!(Value::decode(b"*9223372036854775807\r\n"), Ok(None));
        assert_eq!(Value::decode(b"%9223372036854775807\r\n"), Ok(None));
    }

    proptest! {
        #[test]
        fn replies_read_alike_however_they_arrive(
            parts in prop::collection::vec(prop::sample::select(vec![
                "*2\r\n", "%1\r\n", "~3\r\n", ">1\r\n", "|1\r\n", "$3\r\n", "=5\r\n", "abc", "txt:x", "\r\n", "$-1\r\n",
                ":12\r\n", "+a", "_\r\n", "#t\r\n", ",1.5\r\n", "\r", "\n", "*0\r\n", "x",
            ]), 0..40),
            pieces in prop::collection::vec(1usize..9, 1..50),
        ) {
            let input = parts.concat().into_bytes();
            let whole = Value::decode(&input);
            let mut reader = ReplyReader::new(ReplyLimits::default());
            let (mut arrived, mut pieces) = (0, pieces.iter().cycle());
            let split = loop {
                match reader.read(&input[..arrived]) {
                    Ok(None) if arrived < input.len() => {
                        arrived = input.len().min(arrived + pieces.next().unwrap_or(&1));
                    }
                    done => break done,
                }
            };
            prop_assert_eq!(split, whole);
        }
    }
}
