//! Arguments that many commands share.

use smallvec::SmallVec;

use crate::effect::Expiry;
use crate::number::{LongDouble, parse_f64, parse_i64};
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

/// An integer argument of at least `min`; `refused` says whatever is wrong with it.
pub fn at_least(arg: &[u8], min: i64, refused: &'static str) -> Result<usize, Refusal> {
    let n = parse_i64(arg).filter(|n| *n >= min);
    n.and_then(|n| usize::try_from(n).ok()).ok_or(Refusal::Text(refused))
}

/// A database's number: an integer of 32 bits that names one of `databases`.
pub fn database(arg: &[u8], databases: u64) -> Result<u64, Refusal> {
    let db = integer_within(arg, i64::from(i32::MIN), i64::from(i32::MAX))?;
    u64::try_from(db).ok().filter(|db| *db < databases).ok_or(Refusal::DbIndexOutOfRange)
}

/// An integer that is not negative.
pub fn positive(arg: &[u8]) -> Result<usize, Refusal> {
    let n = parse_i64(arg).and_then(|n| usize::try_from(n).ok());
    n.ok_or(Refusal::Text("ERR value is out of range, must be positive"))
}

/// A number for extended precision; `None` for infinity, which is a number to Redis, but no sum.
pub fn long_double(text: &[u8]) -> Result<Option<LongDouble>, Refusal> {
    let unsigned = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    if is(unsigned, "inf") || is(unsigned, "infinity") {
        return Ok(None);
    }
    LongDouble::parse(text).map(Some).ok_or(Refusal::NotFloat)
}

/// Up to so many arguments are compared with each other; more are hashed.
const COMPARED_MAX: usize = 8;

/// The distinct arguments, in order of first appearance, for which `keep` holds.
pub fn distinct<'a>(args: &[&'a [u8]], keep: impl Fn(&[u8]) -> bool) -> SmallVec<[&'a [u8]; COMPARED_MAX]> {
    if args.len() <= COMPARED_MAX {
        let first = |i: usize| !args[..i].contains(&args[i]);
        return (0..args.len()).filter(|i| first(*i) && keep(args[*i])).map(|i| args[i]).collect();
    }
    let mut seen = hashbrown::HashSet::<&[u8], xxhash_rust::xxh3::Xxh3DefaultBuilder>::default();
    args.iter().copied().filter(|m| keep(m) && seen.insert(m)).collect()
}

/// The next number of a small generator, seeded by its state.
pub fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// True when the argument is this word, in any case. As in Redis, what follows a zero byte does not count.
pub fn is(arg: &[u8], word: &str) -> bool {
    match arg.get(word.len()) {
        None => arg.eq_ignore_ascii_case(word.as_bytes()),
        Some(after) => *after == 0 && arg[..word.len()].eq_ignore_ascii_case(word.as_bytes()),
    }
}

/// A patience in seconds with a fraction, as milliseconds; `None` for ever (0).
pub fn timeout_seconds(arg: &[u8], now_ms: u64) -> Result<Option<u64>, Refusal> {
    let wrong = Refusal::Text("ERR timeout is not a float or out of range");
    let seconds = match parse_f64(arg) {
        Some(seconds) => seconds,
        // Redis reads it with a wider exponent.
        None if LongDouble::parse(arg).is_some() => f64::INFINITY,
        None => return Err(wrong),
    };
    let ms = (seconds * 1000.0).ceil();
    // As in Redis, what leaves 64 bits counts as negative.
    if ms < 0.0 || ms >= i64::MAX as f64 {
        return Err(Refusal::Text("ERR timeout is negative"));
    }
    let ms = ms as u64;
    if ms > i64::MAX as u64 - now_ms {
        return Err(Refusal::Text("ERR timeout is out of range"));
    }
    Ok(Some(ms).filter(|ms| *ms > 0))
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
