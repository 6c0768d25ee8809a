//! Values as they are kept.

use super::hash::HashValue;
use super::list::ListValue;
use super::set::SetValue;
use super::stream::{Part, StreamValue};
use super::zset::ZSetValue;
use crate::effect::{Expiry, Payload};
use proto::EffectId;

/// What a key holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Kind {
    String = 1,
    Set = 2,
    Hash = 3,
    ZSet = 4,
    List = 5,
    Stream = 6,
}

impl Kind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Kind; 6] = [Kind::String, Kind::Set, Kind::Hash, Kind::ZSet, Kind::List, Kind::Stream];

    /// TYPE's answer.
    pub fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Set => "set",
            Kind::Hash => "hash",
            Kind::ZSet => "zset",
            Kind::List => "list",
            Kind::Stream => "stream",
        }
    }

    pub(crate) fn from_bits(bits: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| *kind as u8 == bits)
    }
}

/// An owned value.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    String(Vec<u8>),
    Set(SetValue),
    Hash(HashValue),
    ZSet(ZSetValue),
    List(ListValue),
    Stream(StreamValue),
}

/// A value to change in place.
#[derive(Debug)]
pub enum ValueMut<'a> {
    String(&'a mut Vec<u8>),
    Set(&'a mut SetValue),
    Hash(&'a mut HashValue),
    ZSet(&'a mut ZSetValue),
    List(&'a mut ListValue),
    Stream(&'a mut StreamValue),
}

/// A borrowed value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ValueRef<'a> {
    String(&'a [u8]),
    Set(&'a SetValue),
    Hash(&'a HashValue),
    ZSet(&'a ZSetValue),
    List(&'a ListValue),
    Stream(&'a StreamValue),
}

impl Value {
    /// A collection without elements, or an empty string.
    pub fn empty(kind: Kind) -> Value {
        match kind {
            Kind::String => Value::String(Vec::new()),
            Kind::Set => Value::Set(SetValue::default()),
            Kind::Hash => Value::Hash(HashValue::default()),
            Kind::ZSet => Value::ZSet(ZSetValue::default()),
            Kind::List => Value::List(ListValue::default()),
            Kind::Stream => Value::Stream(StreamValue::default()),
        }
    }

    pub fn kind(&self) -> Kind {
        self.as_ref().kind()
    }

    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Value::String(bytes) => ValueRef::String(bytes),
            Value::Set(set) => ValueRef::Set(set),
            Value::Hash(hash) => ValueRef::Hash(hash),
            Value::ZSet(zset) => ValueRef::ZSet(zset),
            Value::List(list) => ValueRef::List(list),
            Value::Stream(stream) => ValueRef::Stream(stream),
        }
    }

    /// The value that the assignment `id` makes.
    pub fn from_payload(payload: &Payload<'_>, id: EffectId) -> Value {
        match payload {
            Payload::String(bytes) => Value::String(bytes.to_vec()),
            Payload::Set(members) => Value::Set(SetValue::from_members(members.iter())),
            Payload::Hash(pairs) => Value::Hash(HashValue::from_pairs(pairs.iter())),
            Payload::ZSet(scores) => Value::ZSet(ZSetValue::from_scores(scores.iter())),
            Payload::List(whole) => Value::List(ListValue::from_values(id, whole.values.iter())),
            Payload::Stream(whole) => Value::Stream(whole.value()),
        }
    }

    pub fn as_mut(&mut self) -> ValueMut<'_> {
        match self {
            Value::String(bytes) => ValueMut::String(bytes),
            Value::Set(set) => ValueMut::Set(set),
            Value::Hash(hash) => ValueMut::Hash(hash),
            Value::ZSet(zset) => ValueMut::ZSet(zset),
            Value::List(list) => ValueMut::List(list),
            Value::Stream(stream) => ValueMut::Stream(stream),
        }
    }

    /// As [`ValueRef::is_empty_collection`].
    pub fn is_empty_collection(&self) -> bool {
        self.as_ref().is_empty_collection()
    }

    /// Has reads see the value as of a moment. False when nothing is left of it then.
    pub fn show_at(&mut self, now_ms: u64) -> bool {
        self.as_mut().show_at(now_ms)
    }

    /// One element of a collection; `None` of a string.
    pub fn item(&self, member: &[u8]) -> Option<Item> {
        self.as_ref().item(member)
    }

    /// Sets one element of a collection of the item's kind.
    pub fn put_item(&mut self, member: &[u8], item: &Item) {
        self.as_mut().put_item(member, item);
    }

    pub fn remove_item(&mut self, member: &[u8]) {
        self.as_mut().remove_item(member);
    }

    /// Removes the elements of a span, of a stream.
    pub(crate) fn remove_span(&mut self, span: super::stream::Span<'_>) {
        if let Value::Stream(stream) = self {
            stream.remove_span(span);
        }
    }

    /// Elements of a collection, dead ones of a list and hidden ones of a hash included: how much there is to free.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Value::List(list) => list.total(),
            Value::Stream(stream) => stream.len() + stream.pending(),
            Value::Hash(hash) => hash.total(),
            value => value.len(),
        }
    }

    /// Elements of a collection; 1 for a string.
    pub fn len(&self) -> usize {
        self.as_ref().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ValueMut<'_> {
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            ValueMut::String(bytes) => ValueRef::String(bytes),
            ValueMut::Set(set) => ValueRef::Set(set),
            ValueMut::Hash(hash) => ValueRef::Hash(hash),
            ValueMut::ZSet(zset) => ValueRef::ZSet(zset),
            ValueMut::List(list) => ValueRef::List(list),
            ValueMut::Stream(stream) => ValueRef::Stream(stream),
        }
    }

    pub fn kind(&self) -> Kind {
        self.as_ref().kind()
    }

    /// One element of a collection; `None` of a string.
    pub fn item(&self, member: &[u8]) -> Option<Item> {
        self.as_ref().item(member)
    }

    /// Has reads see the value as of a moment. False when nothing is left of it then.
    #[inline]
    pub fn show_at(&mut self, now_ms: u64) -> bool {
        match self {
            ValueMut::Hash(hash) if hash.knows_ends() => {
                hash.set_now(now_ms);
                !hash.is_empty()
            }
            _ => true,
        }
    }

    /// Sets one element of a collection of the item's kind.
    pub fn put_item(&mut self, member: &[u8], item: &Item) {
        match (self, item) {
            (ValueMut::Set(set), Item::Member) => _ = set.insert(member),
            (ValueMut::Hash(hash), Item::Field(value, end)) => {
                hash.put(member, value);
                hash.set_end(member, *end);
            }
            (ValueMut::ZSet(zset), Item::Score(score)) => _ = zset.put(member, *score),
            (ValueMut::Stream(stream), Item::Stream(part)) => stream.put_part(member, part),
            _ => {}
        }
    }

    pub fn remove_item(&mut self, member: &[u8]) {
        match self {
            ValueMut::String(_) | ValueMut::List(_) => {}
            ValueMut::Set(set) => _ = set.remove(member),
            ValueMut::Hash(hash) => _ = hash.remove(member),
            ValueMut::ZSet(zset) => _ = zset.remove(member),
            ValueMut::Stream(stream) => stream.remove_part(member),
        }
    }
}

/// What a collection holds under one name.
#[derive(Clone, PartialEq, Debug)]
pub enum Item {
    /// A set's member.
    Member,
    /// The value of a hash's field, and when the field ends.
    Field(Box<[u8]>, Expiry),
    /// The score of a sorted set's member.
    Score(f64),
    /// A part of a stream.
    Stream(Part),
}

impl ValueRef<'_> {
    pub fn kind(&self) -> Kind {
        match self {
            ValueRef::String(_) => Kind::String,
            ValueRef::Set(_) => Kind::Set,
            ValueRef::Hash(_) => Kind::Hash,
            ValueRef::ZSet(_) => Kind::ZSet,
            ValueRef::List(_) => Kind::List,
            ValueRef::Stream(_) => Kind::Stream,
        }
    }

    pub fn to_value(&self) -> Value {
        match self {
            ValueRef::String(bytes) => Value::String(bytes.to_vec()),
            ValueRef::Set(set) => Value::Set((*set).clone()),
            ValueRef::Hash(hash) => Value::Hash((*hash).clone()),
            ValueRef::ZSet(zset) => Value::ZSet((*zset).clone()),
            ValueRef::List(list) => Value::List((*list).clone()),
            ValueRef::Stream(stream) => Value::Stream((*stream).clone()),
        }
    }

    /// Elements of a collection; 1 for a string.
    pub fn len(&self) -> usize {
        match self {
            ValueRef::String(_) => 1,
            ValueRef::Set(set) => set.len(),
            ValueRef::Hash(hash) => hash.len(),
            ValueRef::ZSet(zset) => zset.len(),
            ValueRef::List(list) => list.len(),
            ValueRef::Stream(stream) => stream.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A collection whose last element went is no value; a stream may be without entries.
    pub fn is_empty_collection(&self) -> bool {
        match self {
            ValueRef::Stream(stream) => !stream.shows(),
            ValueRef::Hash(hash) => hash.total() == 0,
            value => value.is_empty(),
        }
    }

    pub fn item(&self, member: &[u8]) -> Option<Item> {
        match self {
            ValueRef::String(_) | ValueRef::List(_) => None,
            ValueRef::Set(set) => set.contains(member).then_some(Item::Member),
            ValueRef::Hash(hash) => hash.kept(member).map(|(value, end)| Item::Field(value.into(), end)),
            ValueRef::ZSet(zset) => zset.score(member).map(Item::Score),
            ValueRef::Stream(stream) => stream.part(member).map(Item::Stream),
        }
    }

    pub fn has_item(&self, member: &[u8]) -> bool {
        match self {
            ValueRef::String(_) | ValueRef::List(_) => false,
            ValueRef::Set(set) => set.contains(member),
            ValueRef::Hash(hash) => hash.kept(member).is_some(),
            ValueRef::ZSet(zset) => zset.contains(member),
            ValueRef::Stream(stream) => stream.part(member).is_some(),
        }
    }
}
