//! Values in Redis' serialised form, as DUMP makes it and RESTORE takes it.
//!
//! ```text
//! type u8 | value | version u16 LE | CRC-64 of all before, u64 LE
//! ```
//! Written in the plainest encoding of each type, which every Redis reads; read in all that Redis up to 7.0 writes.

mod checksum;
mod compact;
mod read;
mod stream;
mod write;

pub use read::Malformed;

use crate::state::value::{Value, ValueRef};

/// What Redis 7.0 writes, and the highest that it reads.
const VERSION: u16 = 10;
const FOOTER: usize = 10;

const STRING: u8 = 0;
const LIST: u8 = 1;
const SET: u8 = 2;
const ZSET_TEXT: u8 = 3;
const HASH: u8 = 4;
const ZSET: u8 = 5;
const HASH_ZIPMAP: u8 = 9;
const LIST_ZIPLIST: u8 = 10;
const SET_INTSET: u8 = 11;
const ZSET_ZIPLIST: u8 = 12;
const HASH_ZIPLIST: u8 = 13;
const LIST_QUICKLIST: u8 = 14;
const STREAM: u8 = 15;
const HASH_LISTPACK: u8 = 16;
const ZSET_LISTPACK: u8 = 17;
const LIST_QUICKLIST_2: u8 = 18;
const STREAM_2: u8 = 19;
/// Of Redis 7.2, whose dumps have a version of their own.
const STREAM_3: u8 = 21;
const STREAM_3_VERSION: u16 = 11;

/// Serialises a value.
pub fn dump(value: &ValueRef<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write::value(&mut out, value);
    out.extend_from_slice(&VERSION.to_le_bytes());
    let checksum = checksum::crc64(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// True when version and checksum are right.
pub fn is_whole(bytes: &[u8]) -> bool {
    let Some((body, footer)) = bytes.len().checked_sub(FOOTER).map(|at| bytes.split_at(at)) else {
        return false;
    };
    let version = u16::from_le_bytes([footer[0], footer[1]]);
    let told = footer[2..].iter().rev().fold(0, |sum, b| sum << 8 | u64::from(*b));
    let newer = version == STREAM_3_VERSION && body.first() == Some(&STREAM_3);
    (version <= VERSION || newer) && checksum::crc64(&bytes[..body.len() + 2]) == told
}

/// Reads what [`dump`], or a Redis up to 7.0, made; [`is_whole`] was asked before.
pub fn restore(bytes: &[u8]) -> Result<Value, Malformed> {
    read::value(&bytes[..bytes.len().saturating_sub(FOOTER)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Members;
    use crate::state::hash::HashValue;
    use crate::state::list::ListValue;
    use crate::state::set::SetValue;
    use crate::state::stream::{Cursor, Delivery, Head, Marks, Name, Part, StreamId, StreamValue};
    use crate::state::zset::ZSetValue;

    fn list(values: &[&[u8]]) -> Value {
        Value::List(ListValue::from_values(proto::EffectId::NONE, values.iter().copied()))
    }

    #[test]
    fn lists_are_read_in_every_form() {
        let ziplist = b"\x10\0\0\0\x0b\0\0\0\x02\0\0\xf6\x02\x01b\xff";
        let listpack = b"\x0c\0\0\0\x02\0\x05\x01\x81b\x02\xff";
        let string = |bytes: &[u8]| [&[bytes.len() as u8], bytes].concat();
        let forms = [
            [&[LIST, 2][..], b"\x015\x01b"].concat(),
            [&[LIST_ZIPLIST][..], &string(ziplist)].concat(),
            [&[LIST_QUICKLIST, 1][..], &string(ziplist)].concat(),
            [&[LIST_QUICKLIST_2, 1, 2][..], &string(listpack)].concat(),
            [&[LIST_QUICKLIST_2, 2, 1][..], b"\x015", &[1], b"\x01b"].concat(),
        ];
        for form in forms {
            assert_eq!(read::value(&form), Ok(list(&[b"5", b"b"])), "{form:?}");
            for cut in 0..form.len() {
                assert_eq!(read::value(&form[..cut]), Err(Malformed));
            }
        }
        assert_eq!(read::value(&[LIST_QUICKLIST_2, 1, 3, 1, b'a']), Err(Malformed));
    }

    fn a_stream() -> Value {
        let mut stream = StreamValue::default();
        for n in 0..150u64 {
            let (name, value) = (if n % 5 == 0 { "g" } else { "f" }, (n * n).to_string());
            let fields = [name.as_bytes(), value.as_bytes(), b"x", b"text"];
            stream.put(StreamId::new(n / 2 + 1, n % 2 + 7), &Members::Slices(&fields));
        }
        let last = StreamId::new(400, u64::MAX);
        let marks = Marks { last, added: 900, deleted: StreamId::new(3, 1), made: true };
        let pending = Name::Pending(b"g", StreamId::new(2, 7)).encode();
        let delivery = Delivery { owner: b"c"[..].into(), count: 70_000, time_ms: 1 << 41 };
        let head = |read| Part::Group(Box::new(Head { cursor: Cursor::at(last), read, made: true }));
        stream.put_part(&Name::Marks.encode(), &marks.into());
        stream.put_part(&Name::Group(b"g").encode(), &head(Some(5)));
        stream.put_part(&Name::Group(b"12").encode(), &head(None));
        stream.put_part(&Name::Consumer(b"g", b"c").encode(), &Part::Consumer(77));
        stream.put_part(&Name::Consumer(b"g", b"idle").encode(), &Part::Consumer(78));
        stream.put_part(&pending, &Part::Pending(Box::new(delivery)));
        Value::Stream(stream)
    }

    #[test]
    fn values_of_every_type_come_back() {
        let long = vec![7u8; 70_000];
        let values = [
            Value::String(b"12".to_vec()),
            Value::String(b"-70000".to_vec()),
            Value::String(b"99999999999".to_vec()),
            Value::String(long.clone()),
            Value::String(Vec::new()),
            Value::Set(SetValue::from_members([&b"a"[..], b"5", &long].into_iter())),
            Value::Hash(HashValue::from_pairs([&b"f"[..], b"v", b"", &long].into_iter())),
            list(&[b"a", b"", b"-5", &long, b"a"]),
            Value::ZSet(ZSetValue::from_scores([(1.5, &b"a"[..]), (f64::NEG_INFINITY, b"")].into_iter())),
            a_stream(),
        ];
        for value in values {
            let bytes = dump(&value.as_ref());
            assert!(is_whole(&bytes));
            assert_eq!(restore(&bytes).ok(), Some(value));
            for cut in 1..bytes.len().min(200) {
                assert!(!is_whole(&bytes[..bytes.len() - cut]));
                let _ = restore(&bytes[..bytes.len() - cut]);
            }
        }
    }

    #[test]
    fn bytes_of_a_redis_are_read() {
        // DUMP of SET k 10.
        let ten = b"\x00\xc0\n\n\x00n\x9fWE\x0e\xaec\xbb";
        assert!(is_whole(ten));
        assert_eq!(restore(ten).ok(), Some(Value::String(b"10".to_vec())));
    }
}
