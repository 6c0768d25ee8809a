//! A reader of replies, for tests, tools and the benchmark.

/// A decoded reply, RESP2 or RESP3.
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
    #[error("reply is nested deeper than {DEPTH_MAX}")]
    TooDeep,
}

const DEPTH_MAX: usize = 64;
const ITEMS_RESERVED_MAX: usize = 1024;

impl Value {
    /// Reads one reply from the front of `input`: the value and its length in bytes, `None` when it has not all arrived.
    pub fn decode(input: &[u8]) -> Result<Option<(Value, usize)>, DecodeError> {
        let mut at = 0;
        Ok(decode(input, &mut at, 0)?.map(|value| (value, at)))
    }
}

fn line<'a>(input: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let rest = &input[*at..];
    let end = rest.windows(2).position(|w| w == b"\r\n")?;
    *at += end + 2;
    Some(&rest[..end])
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn decode(input: &[u8], at: &mut usize, depth: usize) -> Result<Option<Value>, DecodeError> {
    if depth > DEPTH_MAX {
        return Err(DecodeError::TooDeep);
    }
    let start = *at;
    let malformed = DecodeError::Malformed(start);
    let Some(head) = line(input, at) else { return Ok(None) };
    let Some((kind, rest)) = head.split_first() else { return Err(malformed) };
    let items = |count: i64, at: &mut usize| -> Result<Option<Vec<Value>>, DecodeError> {
        let count = usize::try_from(count).map_err(|_| DecodeError::Malformed(start))?;
        let mut out = Vec::with_capacity(count.min(ITEMS_RESERVED_MAX));
        for _ in 0..count {
            match decode(input, at, depth + 1)? {
                Some(value) => out.push(value),
                None => return Ok(None),
            }
        }
        Ok(Some(out))
    };
    let len = || number(rest).ok_or(malformed.clone());
    Ok(Some(match kind {
        b'+' => Value::Simple(rest.to_vec()),
        b'-' => Value::Error(rest.to_vec()),
        b':' => Value::Integer(len()?),
        b'_' => Value::Null,
        b'#' => Value::Bool(rest == b"t"),
        b',' => {
            let text = std::str::from_utf8(rest).map_err(|_| malformed.clone())?;
            Value::Double(text.parse().map_err(|_| malformed)?)
        }
        b'(' => Value::BigNumber(rest.to_vec()),
        b'$' | b'=' => {
            let len = len()?;
            if len == -1 {
                return Ok(Some(Value::Null));
            }
            let len = usize::try_from(len).map_err(|_| malformed.clone())?;
            let Some(end) = at.checked_add(len) else { return Err(malformed) };
            if input.len() < end + 2 {
                return Ok(None);
            }
            let bytes = &input[*at..end];
            *at = end + 2;
            match (kind, bytes) {
                (b'=', [a, b, c, b':', text @ ..]) => Value::Verbatim([*a, *b, *c], text.to_vec()),
                (b'=', _) => return Err(malformed),
                _ => Value::Bulk(bytes.to_vec()),
            }
        }
        b'*' | b'~' | b'>' => {
            let len = len()?;
            if len == -1 {
                return Ok(Some(Value::Null));
            }
            let Some(list) = items(len, at)? else { return Ok(None) };
            match kind {
                b'*' => Value::Array(list),
                b'~' => Value::Set(list),
                _ => Value::Push(list),
            }
        }
        b'%' => {
            let len = len()?;
            let Some(list) = items(len.saturating_mul(2), at)? else { return Ok(None) };
            let mut list = list.into_iter();
            let mut pairs = Vec::new();
            while let (Some(key), Some(value)) = (list.next(), list.next()) {
                pairs.push((key, value));
            }
            Value::Map(pairs)
        }
        _ => return Err(malformed),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_replies_decode_once_they_are_whole() {
        let input = b"*3\r\n$2\r\nab\r\n%1\r\n+k\r\n:5\r\n=6\r\ntxt:hi\r\n";
        for cut in 0..input.len() {
            assert_eq!(Value::decode(&input[..cut]), Ok(None));
        }
        let (value, len) = Value::decode(input).unwrap().unwrap();
        assert_eq!(len, input.len());
        let map = Value::Map(vec![(Value::Simple(b"k".to_vec()), Value::Integer(5))]);
        let verbatim = Value::Verbatim(*b"txt", b"hi".to_vec());
        assert_eq!(value, Value::Array(vec![Value::Bulk(b"ab".to_vec()), map, verbatim]));
    }
}
