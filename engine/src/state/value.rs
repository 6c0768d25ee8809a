//! Values as they are kept.

use super::set::SetValue;
use crate::effect::Payload;

/// What a key holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Kind {
    String = 1,
    Set = 2,
}

impl Kind {
    /// TYPE's answer.
    pub fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Set => "set",
        }
    }

    pub(crate) fn from_bits(bits: u8) -> Option<Kind> {
        match bits {
            1 => Some(Kind::String),
            2 => Some(Kind::Set),
            _ => None,
        }
    }
}

/// An owned value.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    String(Vec<u8>),
    Set(SetValue),
}

/// A borrowed value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ValueRef<'a> {
    String(&'a [u8]),
    Set(&'a SetValue),
}

impl Value {
    pub fn kind(&self) -> Kind {
        self.as_ref().kind()
    }

    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Value::String(bytes) => ValueRef::String(bytes),
            Value::Set(set) => ValueRef::Set(set),
        }
    }

    pub fn from_payload(payload: &Payload<'_>) -> Value {
        match payload {
            Payload::String(bytes) => Value::String(bytes.to_vec()),
            Payload::Set(members) => Value::Set(SetValue::from_members(members.iter())),
        }
    }

    /// A collection whose last member went is no value.
    pub fn is_empty_collection(&self) -> bool {
        matches!(self, Value::Set(set) if set.is_empty())
    }
}

impl ValueRef<'_> {
    pub fn kind(&self) -> Kind {
        match self {
            ValueRef::String(_) => Kind::String,
            ValueRef::Set(_) => Kind::Set,
        }
    }

    pub fn to_value(&self) -> Value {
        match self {
            ValueRef::String(bytes) => Value::String(bytes.to_vec()),
            ValueRef::Set(set) => Value::Set((*set).clone()),
        }
    }
}
