//! A hash: fields with values, of which some may end by themselves.
//!
//! What ended is *hidden* from reads, and kept until nothing older than its end can arrive any more; merges see it. Reads see
//! the hash as of the moment last told with [`HashValue::set_now`]. A hash in which a field ever had an end remembers so, be it that
//! none is left: a field that is missing in it may be one that ended.

mod ends;
mod fields;

use ends::Ends;
use fields::{FieldValues, Wide};

use super::handle::Either;
use crate::effect::Expiry;

#[derive(Clone, Debug)]
struct Ending {
    fields: FieldValues,
    ends: Ends,
}

/// Distinct fields, each with a value.
#[derive(Clone, Debug, Default)]
#[repr(transparent)]
pub struct HashValue(Either<Wide, Ending>);

impl PartialEq for HashValue {
    fn eq(&self, other: &Self) -> bool {
        let mut same = self.total() == other.total();
        self.for_each_kept(|field, value, end| same &= other.kept(field) == Some((value, end)));
        same
    }
}

impl HashValue {
    /// Of fields and values in turn.
    pub fn from_pairs<'a>(mut pairs: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut hash = HashValue::default();
        while let (Some(field), Some(value)) = (pairs.next(), pairs.next()) {
            hash.put(field, value);
        }
        hash
    }

    fn fields(&self) -> &FieldValues {
        self.0.get().unwrap_or_else(|ending| &ending.fields)
    }

    fn ends(&self) -> Option<&Ends> {
        self.0.get().err().map(|ending| &ending.ends)
    }

    fn hides(&self, field: &[u8]) -> bool {
        self.ends().is_some_and(|ends| ends.hides(field))
    }

    /// Reads see what has not ended at this moment.
    #[inline]
    pub fn set_now(&mut self, now_ms: u64) {
        if let Err(ending) = self.0.get_mut() {
            ending.ends.set_now(now_ms);
        }
    }

    /// Fields that reads see.
    pub fn len(&self) -> usize {
        self.total() - self.ends().map_or(0, Ends::hidden)
    }

    /// Reads see no field.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fields kept, hidden ones included.
    pub fn total(&self) -> usize {
        self.fields().len()
    }

    /// What OBJECT ENCODING of Redis says.
    pub fn encoding(&self) -> &'static str {
        match self.ends() {
            _ if !self.fields().is_listpack() => "hashtable",
            Some(ends) if ends.len() > 0 => "listpackex",
            _ => "listpack",
        }
    }

    /// Bytes out of line, in blocks of the allocator; fields of a table by the mean of `samples` of them (0 = all).
    pub fn heap_bytes(&self, samples: usize, block: fn(usize) -> usize) -> usize {
        let ends = self.ends().map_or(0, |ends| block(size_of::<Ending>()) + ends.heap_bytes(block));
        self.fields().heap_bytes(samples, block) + ends
    }

    pub fn get(&self, field: &[u8]) -> Option<&[u8]> {
        self.fields().get(field).filter(|_| !self.hides(field))
    }

    pub fn contains(&self, field: &[u8]) -> bool {
        self.get(field).is_some()
    }

    /// When a field that reads see ends.
    pub fn end(&self, field: &[u8]) -> Option<Expiry> {
        self.get(field)?;
        Some(self.ends().map_or(Expiry::NEVER, |ends| ends.of(field)))
    }

    /// Value and end of a field, hidden or not.
    pub fn kept(&self, field: &[u8]) -> Option<(&[u8], Expiry)> {
        let value = self.fields().get(field)?;
        Some((value, self.ends().map_or(Expiry::NEVER, |ends| ends.of(field))))
    }

    /// Some field has, or had, an end.
    pub fn knows_ends(&self) -> bool {
        self.0.get().is_err()
    }

    /// When the first field ends, ms.
    pub fn first_end_ms(&self) -> Option<u64> {
        self.ends()?.first_ms()
    }

    /// When the last field ends, ms; `None` when one never does, or there is none.
    pub fn last_end_ms(&self) -> Option<u64> {
        let ends = self.ends()?;
        if ends.len() < self.total() { None } else { ends.last_ms() }
    }

    /// Sets a field, which then never ends. True when it was not there, hidden or not.
    pub fn put(&mut self, field: &[u8], value: &[u8]) -> bool {
        match self.0.get_mut() {
            Ok(fields) => fields.put(field, value),
            Err(ending) => {
                ending.ends.set(field, Expiry::NEVER);
                ending.fields.put(field, value)
            }
        }
    }

    /// Says when a field ends that is there.
    pub fn set_end(&mut self, field: &[u8], end: Expiry) {
        if end == Expiry::NEVER && !self.knows_ends() || self.fields().get(field).is_none() {
            return;
        }
        self.learn_ends().set(field, end);
    }

    /// From now on the hash remembers that fields of it ended.
    pub fn remember_ends(&mut self) {
        self.learn_ends();
    }

    fn learn_ends(&mut self) -> &mut Ends {
        if let Ok(fields) = self.0.get_mut() {
            let fields = std::mem::take(fields);
            self.0.set_beside(Ending { fields, ends: Ends::default() });
        }
        match self.0.get_mut() {
            Err(ending) => &mut ending.ends,
            Ok(_) => unreachable!("just changed"),
        }
    }

    /// True when it was there, hidden or not.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match self.0.get_mut() {
            Ok(fields) => fields.remove(field),
            Err(ending) => {
                ending.ends.set(field, Expiry::NEVER);
                ending.fields.remove(field)
            }
        }
    }

    /// Drops fields that ended by `ms`, at most so many. Returns how many.
    pub fn purge(&mut self, ms: u64, at_most: usize) -> usize {
        let Err(ending) = self.0.get_mut() else { return 0 };
        let mut gone = 0;
        while gone < at_most
            && let Some(field) = ending.ends.take_first(ms)
        {
            ending.fields.remove(&field);
            gone += 1;
        }
        gone
    }

    /// Every field that reads see with its value, in the order in which the hash keeps them.
    pub fn for_each<'a>(&'a self, mut visit: impl FnMut(&'a [u8], &'a [u8])) {
        match self.ends().filter(|ends| ends.hidden() > 0) {
            None => self.fields().for_each(visit),
            Some(ends) => self.fields().for_each(|field, value| {
                if !ends.hides(field) {
                    visit(field, value);
                }
            }),
        }
    }

    /// Every field with its value and its end, hidden ones too.
    pub fn for_each_kept<'a>(&'a self, mut visit: impl FnMut(&'a [u8], &'a [u8], Expiry)) {
        let ends = self.ends();
        self.fields().for_each(|field, value| {
            visit(field, value, ends.map_or(Expiry::NEVER, |ends| ends.of(field)));
        });
    }

    /// A field at random with its value; `random` gives fresh numbers.
    pub fn random(&self, random: &mut dyn FnMut() -> u64) -> Option<(&[u8], &[u8])> {
        const TRIES: usize = 32;
        if self.is_empty() {
            return None;
        }
        for _ in 0..TRIES {
            let picked = self.fields().random(random)?;
            if !self.hides(picked.0) {
                return Some(picked);
            }
        }
        let mut shown = Vec::with_capacity(self.len());
        self.for_each(|field, value| shown.push((field, value)));
        Some(shown[(random() % shown.len() as u64) as usize])
    }

    /// As [`super::set::SetValue::scan`].
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(&[u8], &[u8])) -> u64 {
        self.fields().scan(cursor, count, &mut |field, value| {
            if !self.hides(field) {
                visit(field, value);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_is_hidden_and_kept_until_it_is_purged() {
        let mut hash = HashValue::from_pairs([&b"a"[..], b"1", b"b", b"2", b"c", b"3"].into_iter());
        assert_eq!((hash.encoding(), hash.knows_ends()), ("listpack", false));
        hash.set_end(b"missing", Expiry::at_ms(5));
        hash.set_end(b"a", Expiry::NEVER);
        assert!(!hash.knows_ends());
        hash.set_end(b"a", Expiry::at_ms(10));
        hash.set_end(b"b", Expiry::at_ms(20));
        assert_eq!((hash.encoding(), hash.len(), hash.last_end_ms()), ("listpackex", 3, None));
        hash.set_now(10);
        assert_eq!(
            (hash.len(), hash.total(), hash.get(b"a"), hash.end(b"b")),
            (2, 3, None, Some(Expiry::at_ms(20)))
        );
        assert_eq!(hash.kept(b"a"), Some((&b"1"[..], Expiry::at_ms(10))));
        let mut seen = Vec::new();
        hash.for_each(|field, _| seen.push(field.to_vec()));
        assert_eq!(seen, [b"b".to_vec(), b"c".to_vec()]);
        // The clock may go back for a reader, and a longer life may become known.
        hash.set_now(9);
        assert_eq!(hash.len(), 3);
        hash.set_now(30);
        assert_eq!(hash.len(), 1);
        hash.set_end(b"a", Expiry::at_ms(40));
        assert_eq!((hash.len(), hash.get(b"a")), (2, Some(&b"1"[..])));
        assert_eq!((hash.purge(30, 10), hash.total(), hash.first_end_ms()), (1, 2, Some(40)));
        hash.remove(b"c");
        assert_eq!(hash.last_end_ms(), Some(40));
        assert!(hash.put(b"c", b"x") && !hash.put(b"a", b"y"));
        assert_eq!(
            (hash.end(b"a"), hash.knows_ends(), hash.encoding()),
            (Some(Expiry::NEVER), true, "listpack")
        );
    }

    #[test]
    fn a_random_field_is_one_that_shows() {
        let names: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        let mut hash = HashValue::from_pairs(names.iter().flat_map(|n| [n.as_bytes(), b"v"]));
        names[1..].iter().for_each(|n| hash.set_end(n.as_bytes(), Expiry::at_ms(5)));
        hash.set_now(5);
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            state >> 8
        };
        assert_eq!(hash.random(&mut random).map(|picked| picked.0), Some(names[0].as_bytes()));
        hash.set_end(names[0].as_bytes(), Expiry::at_ms(5));
        assert_eq!(hash.random(&mut random), None);
    }
}
