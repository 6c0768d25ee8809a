//! SORT, SORT_RO.
//!
//! A pattern with a place for the element names keys that no argument tells; the command's scope takes care of that. Texts are
//! compared by their bytes.

use std::cmp::Ordering;

use proto::resp::Replies;

use crate::commands::args::{self, is};
use crate::commands::lists;
use crate::core::Unit;
use crate::effect::{Expiry, Op};
use crate::number::parse_f64;
use crate::refusal::Refusal;
use crate::state::value::{Kind, ValueRef};

struct Request<'a> {
    by: Option<&'a [u8]>,
    get: Vec<&'a [u8]>,
    /// First place, and number of places; a negative number takes all.
    limit: (i64, i64),
    descending: bool,
    alpha: bool,
    store: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    fn parse(args: &[&'a [u8]], stores: bool) -> Result<Self, Refusal> {
        let mut request = Request {
            by: None,
            get: Vec::new(),
            limit: (0, -1),
            descending: false,
            alpha: false,
            store: None,
        };
        let mut rest = args;
        while let [word, tail @ ..] = rest {
            rest = match (word, tail) {
                (word, _) if is(word, "asc") => {
                    request.descending = false;
                    tail
                }
                (word, _) if is(word, "desc") => {
                    request.descending = true;
                    tail
                }
                (word, _) if is(word, "alpha") => {
                    request.alpha = true;
                    tail
                }
                (word, [from, count, tail @ ..]) if is(word, "limit") => {
                    request.limit = (args::integer(from)?, args::integer(count)?);
                    tail
                }
                (word, [to, tail @ ..]) if stores && is(word, "store") => {
                    request.store = Some(to);
                    tail
                }
                (word, [pattern, tail @ ..]) if is(word, "by") => {
                    request.by = Some(pattern);
                    tail
                }
                (word, [pattern, tail @ ..]) if is(word, "get") => {
                    request.get.push(pattern);
                    tail
                }
                _ => return Err(Refusal::Syntax),
            };
        }
        Ok(request)
    }
}

/// What a pattern names.
enum Named<'p> {
    /// `#`: the element itself.
    Element,
    /// A pattern without a place for the element.
    Nothing,
    /// A string's value, or with a field that of the field, of the key with the element between these two.
    Key { before: &'p [u8], after: &'p [u8], field: Option<&'p [u8]> },
}

impl<'p> Named<'p> {
    fn by(pattern: &'p [u8]) -> Self {
        if pattern == b"#" {
            return Named::Element;
        }
        let Some(star) = pattern.iter().position(|b| *b == b'*') else { return Named::Nothing };
        let (before, after) = (&pattern[..star], &pattern[star + 1..]);
        // An arrow leads to a field when something follows it.
        let arrow = after.windows(2).position(|pair| pair == b"->").filter(|at| at + 2 < after.len());
        match arrow {
            Some(at) => Named::Key { before, after: &after[..at], field: Some(&after[at + 2..]) },
            None => Named::Key { before, after, field: None },
        }
    }

    fn value(&self, unit: &mut Unit<'_>, element: &[u8]) -> Option<Vec<u8>> {
        let (before, after, field) = match *self {
            Named::Element => return Some(element.to_vec()),
            Named::Nothing => return None,
            Named::Key { before, after, field } => (before, after, field),
        };
        let name = [before, element, after].concat();
        let key = unit.key(&name);
        match (unit.value(&key)?, field) {
            (ValueRef::String(text), None) => Some(text.to_vec()),
            (ValueRef::Hash(hash), Some(field)) => hash.get(field).map(<[u8]>::to_vec),
            _ => None,
        }
    }
}

/// An element and what it is sorted by.
struct Weighed {
    element: Vec<u8>,
    number: f64,
    /// With BY and ALPHA; `None` where there is no such key.
    text: Option<Vec<u8>>,
}

/// The elements of a key in their own order.
fn elements(unit: &mut Unit<'_>, name: &[u8]) -> Result<(Vec<Vec<u8>>, Option<Kind>), Refusal> {
    let key = unit.key(name);
    Ok(match unit.value(&key) {
        None => (Vec::new(), None),
        Some(ValueRef::List(list)) => (list.values().map(<[u8]>::to_vec).collect(), Some(Kind::List)),
        Some(ValueRef::Set(set)) => (set.to_vec(), Some(Kind::Set)),
        Some(ValueRef::ZSet(zset)) => (zset.to_vec().into_iter().map(|(_, m)| m).collect(), Some(Kind::ZSet)),
        Some(_) => return Err(Refusal::WrongType),
    })
}

/// The elements that the command answers, in order.
fn sorted(unit: &mut Unit<'_>, name: &[u8], request: &mut Request<'_>) -> Result<Vec<Vec<u8>>, Refusal> {
    let (mut all, kind) = elements(unit, name)?;
    // A pattern without a place for the element sorts nothing.
    let mut sorts = request.by.is_none_or(|pattern| pattern.contains(&b'*'));
    if !sorts && kind == Some(Kind::Set) && request.store.is_some() {
        // What is stored has to be in some order.
        (sorts, request.alpha, request.by) = (true, true, None);
    }
    if !sorts && matches!(kind, Some(Kind::List | Kind::ZSet)) && request.descending {
        all.reverse();
    }
    if sorts {
        all = in_order(unit, all, request)?;
    }
    let len = all.len() as i64;
    let (first, count) = (request.limit.0.clamp(0, len), request.limit.1.clamp(-1, len));
    let end = if count < 0 { len } else { (first + count).min(len) };
    all.truncate(end as usize);
    all.drain(..first as usize);
    Ok(all)
}

fn in_order(unit: &mut Unit<'_>, all: Vec<Vec<u8>>, request: &Request<'_>) -> Result<Vec<Vec<u8>>, Refusal> {
    let by = request.by.map(Named::by);
    let mut weighed = Vec::with_capacity(all.len());
    for element in all {
        let named = by.as_ref().map(|by| by.value(unit, &element));
        let (mut number, mut text) = (0.0, None);
        if request.alpha {
            text = named.flatten();
        } else if let Some(weight) = named.as_ref().map_or(Some(&element), Option::as_ref) {
            let wrong = Refusal::Text("ERR One or more scores can't be converted into double");
            number = weight_of(weight).ok_or(wrong)?;
        }
        weighed.push(Weighed { element, number, text });
    }
    let order = |a: &Weighed, b: &Weighed| match (request.alpha, by.is_some()) {
        (false, _) => a.number.total_cmp(&b.number).then_with(|| a.element.cmp(&b.element)),
        (true, true) => a.text.cmp(&b.text),
        (true, false) => a.element.cmp(&b.element),
    };
    let directed =
        |a: &Weighed, b: &Weighed| -> Ordering { if request.descending { order(b, a) } else { order(a, b) } };
    weighed.sort_by(directed);
    Ok(weighed.into_iter().map(|w| w.element).collect())
}

/// A number as `strtod` reads it up to a zero byte: blanks before it are skipped, nothing is zero.
fn weight_of(text: &[u8]) -> Option<f64> {
    let text = text.split(|b| *b == 0).next().unwrap_or_default();
    let first = text.iter().position(|b| !matches!(b, b' ' | 9..=13)).unwrap_or(text.len());
    let number = if text.is_empty() { Some(0.0) } else { parse_f64(&text[first..]) };
    // -0 is 0.
    number.map(|number| number + 0.0)
}

fn run(unit: &mut Unit<'_>, args: &[&[u8]], stores: bool, reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let mut request = Request::parse(&args[2..], stores)?;
    let all = sorted(unit, args[1], &mut request)?;
    let get: Vec<Named<'_>> = request.get.iter().map(|pattern| Named::by(pattern)).collect();
    let mut out: Vec<Option<Vec<u8>>> = Vec::with_capacity(all.len() * get.len().max(1));
    for element in all {
        out.extend(get.iter().map(|named| named.value(unit, &element)));
        if get.is_empty() {
            out.push(Some(element));
        }
    }
    let Some(to) = request.store else {
        reply.array(out.len());
        for value in &out {
            match value {
                Some(value) => reply.bulk(value),
                None => reply.null(),
            }
        }
        return Ok(());
    };
    let to = unit.key(to);
    let values: Vec<&[u8]> = out.iter().map(|value| value.as_deref().unwrap_or_default()).collect();
    if !values.is_empty() {
        lists::assign(unit, &to, &values, Expiry::NEVER);
    } else if unit.kind(&to).is_some() {
        unit.emit(&to, Op::Reset);
    }
    reply.integer(values.len() as i64);
    Ok(())
}

pub fn sort(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    run(unit, args, true, reply)
}

pub fn sort_ro(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    run(unit, args, false, reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_as_strtod_reads_them() {
        for (text, number) in [
            (&b""[..], Some(0.0)),
            (b" 5", Some(5.0)),
            (b"-0", Some(0.0)),
            (b"1e3\0x", Some(1000.0)),
            (b"5 ", None),
            (b" ", None),
            (b"nan", None),
        ] {
            assert_eq!(weight_of(text), number, "{text:?}");
        }
    }
}
