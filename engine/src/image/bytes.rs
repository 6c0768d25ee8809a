//! Fields of an image.

use proto::{EffectId, Frontier, Hlc, NodeId, Seq, varint};

use crate::effect::{Expiry, record};
use crate::state::hash::HashValue;
use crate::state::list::ListValue;
use crate::state::set::SetValue;
use crate::state::stream::StreamValue;
use crate::state::value::{Value, ValueRef};
use crate::state::zset::ZSetValue;

const STRING: u8 = 1;
const SET: u8 = 2;
const HASH: u8 = 3;
const ZSET: u8 = 4;
const LIST: u8 = 5;
const STREAM: u8 = 6;
/// A hash that knows of ends of fields.
const HASH_ENDS: u8 = 19;

pub fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub fn put_id(out: &mut Vec<u8>, id: EffectId) {
    put_u64(out, id.node.0);
    varint::put(out, id.seq.0);
}

/// One more than the moment; 0 for never.
pub fn put_expiry(out: &mut Vec<u8>, expiry: Expiry) {
    varint::put(out, expiry.ms().map_or(0, |ms| ms + 1));
}

pub fn put_value(out: &mut Vec<u8>, value: &ValueRef<'_>) {
    match value {
        ValueRef::String(text) => {
            out.push(STRING);
            varint::put_bytes(out, text);
        }
        ValueRef::Set(set) => {
            out.push(SET);
            varint::put(out, set.len() as u64);
            set.iter().for_each(|member| varint::put_bytes(out, &member));
        }
        ValueRef::Hash(hash) if hash.knows_ends() => {
            out.push(HASH_ENDS);
            varint::put(out, hash.total() as u64);
            hash.for_each_kept(|field, value, end| {
                varint::put_bytes(out, field);
                varint::put_bytes(out, value);
                put_expiry(out, end);
            });
        }
        ValueRef::Hash(hash) => {
            out.push(HASH);
            varint::put(out, hash.len() as u64);
            hash.for_each(|field, value| {
                varint::put_bytes(out, field);
                varint::put_bytes(out, value);
            });
        }
        ValueRef::ZSet(zset) => {
            out.push(ZSET);
            varint::put(out, zset.len() as u64);
            zset.for_each(|member, score| {
                put_u64(out, score.to_bits());
                varint::put_bytes(out, member);
            });
        }
        ValueRef::List(list) => {
            out.push(LIST);
            list.encode(out);
        }
        ValueRef::Stream(stream) => {
            out.push(STREAM);
            stream.encode(out);
        }
    }
}

/// Reads fields one after another; `None` when the bytes end or make no sense.
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn u8(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub fn u64(&mut self) -> Option<u64> {
        let (head, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*head))
    }

    pub fn varint(&mut self) -> Option<u64> {
        varint::take(&mut self.0)
    }

    /// A number of things that follow, each at least one byte long.
    pub fn count(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok().filter(|count| *count <= self.0.len())
    }

    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        varint::take_bytes(&mut self.0)
    }

    pub fn id(&mut self) -> Option<EffectId> {
        Some(EffectId::new(NodeId(self.u64()?), Seq(self.varint()?)))
    }

    pub fn hlc(&mut self) -> Option<Hlc> {
        self.u64().map(Hlc)
    }

    pub fn frontier(&mut self) -> Option<Frontier> {
        record::take_frontier(&mut self.0)
    }

    pub fn expiry(&mut self) -> Option<Expiry> {
        self.varint().map(|one_more| one_more.checked_sub(1).map_or(Expiry::NEVER, Expiry::at_ms))
    }

    /// A number that is one.
    pub fn score(&mut self) -> Option<f64> {
        self.u64().map(f64::from_bits).filter(|score| !score.is_nan())
    }

    pub fn value(&mut self) -> Option<Value> {
        Some(match self.value_or_text()? {
            Ok(text) => Value::String(text.to_vec()),
            Err(collection) => collection,
        })
    }

    /// As [`Fields::value`], with a string borrowed.
    pub fn value_or_text(&mut self) -> Option<Result<&'a [u8], Value>> {
        match self.u8()? {
            STRING => self.bytes().map(Ok),
            SET => self.set().map(|set| Err(Value::Set(set))),
            HASH_ENDS => self.ending_hash().map(|hash| Err(Value::Hash(hash))),
            HASH => self.hash().map(|hash| Err(Value::Hash(hash))),
            ZSET => self.zset().map(|zset| Err(Value::ZSet(zset))),
            LIST => ListValue::decode(self).map(|list| Err(Value::List(list))),
            STREAM => StreamValue::decode(&mut self.0).map(|stream| Err(Value::Stream(stream))),
            _ => None,
        }
    }

    fn hash(&mut self) -> Option<HashValue> {
        let mut hash = HashValue::default();
        for _ in 0..self.count()? {
            hash.put(self.bytes()?, self.bytes()?);
        }
        Some(hash)
    }

    fn ending_hash(&mut self) -> Option<HashValue> {
        let mut hash = HashValue::default();
        hash.remember_ends();
        for _ in 0..self.count()? {
            let (field, value) = (self.bytes()?, self.bytes()?);
            hash.put(field, value);
            hash.set_end(field, self.expiry()?);
        }
        Some(hash)
    }

    fn zset(&mut self) -> Option<ZSetValue> {
        let mut zset = ZSetValue::default();
        for _ in 0..self.count()? {
            let score = self.score()?;
            zset.put(self.bytes()?, score);
        }
        Some(zset)
    }

    fn set(&mut self) -> Option<SetValue> {
        let mut set = SetValue::default();
        for _ in 0..self.count()? {
            set.insert(self.bytes()?);
        }
        Some(set)
    }
}
