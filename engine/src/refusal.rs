//! Refusals: the errors a client is answered with, each text spelled once, exactly as Redis 7.0 spells it.
//!
//! A refusal is an answer, not a failure of ours: it is never logged.

use std::borrow::Cow;

/// A client's error answer. [`Refusal::text`] is the whole line without the leading `-`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    WrongType,
    NoAuth,
    Syntax,
    NotInteger,
    NotFloat,
    NanOrInfinity,
    Overflow,
    OutOfRange,
    /// An integer outside the bounds that its argument has, both inclusive.
    NotBetween(i64, i64),
    OffsetOutOfRange,
    IndexOutOfRange,
    StringTooLong,
    NoSuchKey,
    SameObject,
    DbIndexOutOfRange,
    InvalidDbIndex,
    InvalidFirstDbIndex,
    InvalidSecondDbIndex,
    /// `invalid expire time in '<command>' command`.
    InvalidExpire(&'static str),
    /// `wrong number of arguments for '<command>' command`.
    Arity(String),
    /// Any other fixed text, complete with its code word (`ERR …`).
    Text(&'static str),
    /// A text that quotes the client, complete with its code word; control characters are replaced when written.
    Quoted(String),
}

impl Refusal {
    pub fn text(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Refusal::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
            Refusal::NoAuth => "NOAUTH Authentication required.",
            Refusal::Syntax => "ERR syntax error",
            Refusal::NotInteger => "ERR value is not an integer or out of range",
            Refusal::NotFloat => "ERR value is not a valid float",
            Refusal::NanOrInfinity => "ERR increment would produce NaN or Infinity",
            Refusal::Overflow => "ERR increment or decrement would overflow",
            Refusal::OutOfRange => "ERR value is out of range",
            Refusal::OffsetOutOfRange => "ERR offset is out of range",
            Refusal::IndexOutOfRange => "ERR index out of range",
            Refusal::StringTooLong => "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            Refusal::NoSuchKey => "ERR no such key",
            Refusal::SameObject => "ERR source and destination objects are the same",
            Refusal::DbIndexOutOfRange => "ERR DB index is out of range",
            Refusal::InvalidDbIndex => "ERR invalid DB index",
            Refusal::InvalidFirstDbIndex => "ERR invalid first DB index",
            Refusal::InvalidSecondDbIndex => "ERR invalid second DB index",
            Refusal::NotBetween(min, max) => {
                return format!("ERR value is out of range, value must between {min} and {max}").into();
            }
            Refusal::InvalidExpire(command) => {
                return format!("ERR invalid expire time in '{command}' command").into();
            }
            Refusal::Arity(command) => {
                return format!("ERR wrong number of arguments for '{command}' command").into();
            }
            Refusal::Text(text) => text,
            Refusal::Quoted(text) => return text.clone().into(),
        })
    }
}
