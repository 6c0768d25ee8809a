//! Reading values.

use std::borrow::Cow;

use proto::EffectId;

use super::compact::{self, Element};
use super::*;
use crate::number::{parse_f64, push_i64};
use crate::state::hash::HashValue;
use crate::state::list::ListValue;
use crate::state::set::SetValue;
use crate::state::zset::ZSetValue;

/// Bytes that are no value, or one of a type that is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// Nodes of a quicklist: one long element, or packed ones.
const NODE_PLAIN: usize = 1;
const NODE_PACKED: usize = 2;

/// What a length field holds.
enum Length {
    Of(usize),
    /// Not a length: a form of string.
    Special(u8),
}

pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }

    fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn length_field(&mut self) -> Option<Length> {
        let wide = |bytes: &[u8]| bytes.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
        let first = self.byte()?;
        Some(Length::Of(match first {
            0..0x40 => usize::from(first),
            0x40..0x80 => usize::from(first & 63) << 8 | usize::from(self.byte()?),
            0x80 => wide(self.take(4)?) as usize,
            0x81 => usize::try_from(wide(self.take(8)?)).ok()?,
            0xc0.. => return Some(Length::Special(first & 63)),
            _ => return None,
        }))
    }

    pub fn length(&mut self) -> Option<usize> {
        match self.length_field()? {
            Length::Of(len) => Some(len),
            Length::Special(_) => None,
        }
    }

    /// A number of things that follow, each at least a byte long, and at least one.
    fn count(&mut self) -> Option<usize> {
        self.length().filter(|count| (1..=self.0.len()).contains(count))
    }

    pub fn string(&mut self) -> Option<Element<'a>> {
        let number = |n: i64| {
            let mut out = Vec::new();
            push_i64(&mut out, n);
            Cow::Owned(out)
        };
        Some(match self.length_field()? {
            Length::Of(len) => Cow::Borrowed(self.take(len)?),
            Length::Special(0) => number(i64::from(self.byte()? as i8)),
            Length::Special(1) => number(i64::from(i16::from_le_bytes(self.take(2)?.try_into().ok()?))),
            Length::Special(2) => number(i64::from(i32::from_le_bytes(self.take(4)?.try_into().ok()?))),
            Length::Special(3) => {
                let (packed, len) = (self.length()?, self.length()?);
                Cow::Owned(compact::decompress(self.take(packed)?, len)?)
            }
            Length::Special(_) => return None,
        })
    }

    /// A score as text, its length before it; the highest lengths stand for what has no digits.
    fn score_text(&mut self) -> Option<f64> {
        match self.byte()? {
            253 => None,
            254 => Some(f64::INFINITY),
            255 => Some(f64::NEG_INFINITY),
            len => parse_f64(self.take(usize::from(len))?),
        }
    }
}

/// Reads a value with its type before it; nothing may follow.
pub fn value(bytes: &[u8]) -> Result<Value, Malformed> {
    let mut input = Input(bytes);
    let value = typed(&mut input).ok_or(Malformed)?;
    if input.0.is_empty() { Ok(value) } else { Err(Malformed) }
}

fn typed(input: &mut Input<'_>) -> Option<Value> {
    match input.byte()? {
        STRING => Some(Value::String(input.string()?.into_owned())),
        LIST => {
            let count = input.count()?;
            list((0..count).map(|_| input.string()))
        }
        LIST_ZIPLIST => list(compact::ziplist(&input.string()?)?.into_iter().map(Some)),
        LIST_QUICKLIST => {
            let mut out = Vec::new();
            for _ in 0..input.count()? {
                out.extend(owned(compact::ziplist(&input.string()?)?));
            }
            list(out.into_iter().map(Some))
        }
        LIST_QUICKLIST_2 => {
            let mut out = Vec::new();
            for _ in 0..input.count()? {
                match input.length()? {
                    NODE_PLAIN => out.push(Cow::Owned(input.string()?.into_owned())),
                    NODE_PACKED => out.extend(owned(compact::listpack(&input.string()?)?)),
                    _ => return None,
                }
            }
            list(out.into_iter().map(Some))
        }
        SET => {
            let count = input.count()?;
            set((0..count).map(|_| input.string()))
        }
        SET_INTSET => set(compact::intset(&input.string()?)?.into_iter().map(Some)),
        HASH => {
            let count = input.count()?.checked_mul(2)?;
            hash((0..count).map(|_| input.string()))
        }
        HASH_ZIPMAP => hash(compact::zipmap(&input.string()?)?.into_iter().map(Some)),
        HASH_ZIPLIST => hash(compact::ziplist(&input.string()?)?.into_iter().map(Some)),
        HASH_LISTPACK => hash(compact::listpack(&input.string()?)?.into_iter().map(Some)),
        ZSET => {
            let count = input.count()?;
            zset((0..count).map(|_| {
                let member = input.string()?;
                Some((member, f64::from_le_bytes(input.take(8)?.try_into().ok()?)))
            }))
        }
        ZSET_TEXT => {
            let count = input.count()?;
            zset((0..count).map(|_| Some((input.string()?, input.score_text()?))))
        }
        ZSET_ZIPLIST => scored(&compact::ziplist(&input.string()?)?),
        form @ (STREAM | STREAM_2 | STREAM_3) => stream::read(input, form).map(Value::Stream),
        ZSET_LISTPACK => scored(&compact::listpack(&input.string()?)?),
        _ => None,
    }
}

/// Elements that outlive the node of the list that they were in.
fn owned(elements: Vec<Element<'_>>) -> impl Iterator<Item = Element<'static>> {
    elements.into_iter().map(|element| Cow::Owned(element.into_owned()))
}

fn list<'a>(elements: impl Iterator<Item = Option<Element<'a>>>) -> Option<Value> {
    let elements: Vec<_> = elements.collect::<Option<_>>()?;
    // Named when the list is assigned.
    let out = ListValue::from_values(EffectId::NONE, elements.iter().map(|element| &element[..]));
    (!out.is_empty()).then_some(Value::List(out))
}

fn set<'a>(members: impl Iterator<Item = Option<Element<'a>>>) -> Option<Value> {
    let mut out = SetValue::default();
    for member in members {
        // A member twice is damage.
        out.insert(&member?).then_some(())?;
    }
    (!out.is_empty()).then_some(Value::Set(out))
}

fn hash<'a>(mut parts: impl Iterator<Item = Option<Element<'a>>>) -> Option<Value> {
    let mut out = HashValue::default();
    while let Some(field) = parts.next() {
        let (field, value) = (field?, parts.next()??);
        out.put(&field, &value).then_some(())?;
    }
    (!out.is_empty()).then_some(Value::Hash(out))
}

fn zset<'a>(members: impl Iterator<Item = Option<(Element<'a>, f64)>>) -> Option<Value> {
    let mut out = ZSetValue::default();
    for member in members {
        let (member, score) = member?;
        (!score.is_nan() && out.put(&member, score)).then_some(())?;
    }
    (!out.is_empty()).then_some(Value::ZSet(out))
}

/// Members and scores in turn.
fn scored(parts: &[Element<'_>]) -> Option<Value> {
    zset(parts.chunks(2).map(|pair| match pair {
        [member, score] => Some((Cow::Borrowed(&**member), parse_f64(score)?)),
        _ => None,
    }))
}
