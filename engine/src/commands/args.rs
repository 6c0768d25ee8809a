//! Arguments that many commands share.

use crate::effect::Expiry;
use crate::number::parse_i64;
use crate::refusal::Refusal;

/// An integer argument.
pub fn integer(arg: &[u8]) -> Result<i64, Refusal> {
    parse_i64(arg).ok_or(Refusal::NotInteger)
}

/// An integer argument within bounds.
pub fn integer_within(arg: &[u8], min: i64, max: i64) -> Result<i64, Refusal> {
    let n = integer(arg)?;
    if (min..=max).contains(&n) { Ok(n) } else { Err(Refusal::NotBetween(min, max)) }
}

/// A database's number: an integer of 32 bits that names one of `databases`.
pub fn database(arg: &[u8], databases: u64) -> Result<u64, Refusal> {
    let db = integer_within(arg, i64::from(i32::MIN), i64::from(i32::MAX))?;
    u64::try_from(db).ok().filter(|db| *db < databases).ok_or(Refusal::DbIndexOutOfRange)
}

/// True when the argument is this word, in any case. As in Redis, what follows a zero byte does not count.
pub fn is(arg: &[u8], word: &str) -> bool {
    match arg.get(word.len()) {
        None => arg.eq_ignore_ascii_case(word.as_bytes()),
        Some(after) => *after == 0 && arg[..word.len()].eq_ignore_ascii_case(word.as_bytes()),
    }
}

/// A patience in milliseconds, `None` for ever (0).
pub fn patience_ms(arg: &[u8]) -> Result<Option<u64>, Refusal> {
    let ms = parse_i64(arg).ok_or(Refusal::Text("ERR timeout is not an integer or out of range"))?;
    let ms = u64::try_from(ms).map_err(|_| Refusal::Text("ERR timeout is negative"))?;
    Ok(Some(ms).filter(|ms| *ms > 0))
}

/// Unit and base of an expiry argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// EX
    InSeconds,
    /// PX
    InMs,
    /// EXAT
    AtSecond,
    /// PXAT
    AtMs,
}

impl When {
    /// The option word's meaning in SET and GETEX.
    pub fn option(word: &[u8]) -> Option<When> {
        [("ex", When::InSeconds), ("px", When::InMs), ("exat", When::AtSecond), ("pxat", When::AtMs)]
            .into_iter()
            .find(|(w, _)| is(word, w))
            .map(|(_, when)| when)
    }

    pub fn is_absolute(self) -> bool {
        matches!(self, When::AtSecond | When::AtMs)
    }

    /// Unix milliseconds of a count, however signed; `None` when it leaves 64 bits.
    pub fn resolve(self, count: i64, now_ms: u64) -> Option<i64> {
        let ms = match self {
            When::InSeconds | When::AtSecond => count.checked_mul(1000)?,
            When::InMs | When::AtMs => count,
        };
        if self.is_absolute() { Some(ms) } else { ms.checked_add(now_ms as i64) }
    }
}

/// The expiry option of a command that sets values: a positive integer in range.
pub fn expiry(arg: &[u8], when: When, now_ms: u64, command: &'static str) -> Result<Expiry, Refusal> {
    let count = integer(arg)?;
    let ms = if count > 0 { when.resolve(count, now_ms) } else { None };
    ms.map(|ms| Expiry::at_ms(ms as u64)).ok_or(Refusal::InvalidExpire(command))
}
