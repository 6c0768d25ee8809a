//! A set's members, compact while small.
//!
//! Up to `set-max-intset-entries` integers are a sorted array of the narrowest width that fits; other sets are packed bytes while small, then an
//! open-addressing table in hash order. As in Redis, a set that left an encoding does not go back.

use std::borrow::Cow;

use super::hash_table::HashTable;
use super::limits;
use super::packed::same;
use crate::number::{parse_i64, push_i64};

/// Packed sets end at so many members or bytes.
const PACKED_MEMBERS_MAX: usize = 32;
const PACKED_BYTES_MAX: usize = 1024;

#[derive(Clone, Debug)]
enum Repr {
    Ints16(Vec<i16>),
    Ints32(Vec<i32>),
    Ints64(Vec<i64>),
    /// (length byte, bytes) after another; members of up to 255 bytes.
    Packed {
        bytes: Vec<u8>,
        count: usize,
    },
    Table(Box<HashTable<Box<[u8]>>>),
}

/// Distinct byte strings.
#[derive(Clone, Debug)]
pub struct SetValue(Repr);

impl Default for SetValue {
    fn default() -> Self {
        SetValue(Repr::Ints16(Vec::new()))
    }
}

impl PartialEq for SetValue {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|m| other.contains(&m))
    }
}

impl SetValue {
    pub fn from_members<'a>(members: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut set = SetValue::default();
        members.for_each(|m| _ = set.insert(m));
        set
    }

    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Ints16(v) => v.len(),
            Repr::Ints32(v) => v.len(),
            Repr::Ints64(v) => v.len(),
            Repr::Packed { count, .. } => *count,
            Repr::Table(table) => table.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What OBJECT ENCODING of Redis 7.0 says.
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Repr::Packed { .. } | Repr::Table(_) => "hashtable",
            _ => "intset",
        }
    }

    /// Bytes out of line, in blocks of the allocator; members of a table by the mean of `samples` of them (0 = all).
    pub fn heap_bytes(&self, samples: usize, block: fn(usize) -> usize) -> usize {
        let array = |bytes: usize| if bytes == 0 { 0 } else { block(bytes) };
        match &self.0 {
            Repr::Ints16(v) => array(v.capacity() * 2),
            Repr::Ints32(v) => array(v.capacity() * 4),
            Repr::Ints64(v) => array(v.capacity() * 8),
            Repr::Packed { bytes, .. } => array(bytes.capacity()),
            Repr::Table(table) => block(size_of::<HashTable<Box<[u8]>>>()) + table.heap_bytes(samples, block),
        }
    }

    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.0 {
            Repr::Packed { bytes, .. } => packed(bytes).any(|(_, m)| same(m, member)),
            Repr::Table(table) => table.find(member).is_some(),
            ints => parse_i64(member).is_some_and(|n| find(ints, n).is_ok()),
        }
    }

    /// True when it was not there.
    pub fn insert(&mut self, member: &[u8]) -> bool {
        match (&mut self.0, parse_i64(member)) {
            (Repr::Table(table), _) => {
                let new = table.find(member).is_none();
                if new {
                    table.insert_new(member.into());
                }
                new
            }
            (Repr::Packed { bytes, count }, _) => {
                if packed(bytes).any(|(_, m)| same(m, member)) {
                    return false;
                }
                if *count < PACKED_MEMBERS_MAX
                    && bytes.len() + member.len() < PACKED_BYTES_MAX
                    && let Ok(len) = u8::try_from(member.len())
                {
                    bytes.reserve_exact(1 + member.len());
                    bytes.push(len);
                    bytes.extend_from_slice(member);
                    *count += 1;
                    return true;
                }
                self.widen().insert(member)
            }
            (ints, Some(n)) if len(ints) < limits::SET_INTS.get() => insert_int(ints, n),
            (ints, Some(n)) if find(ints, n).is_ok() => false,
            _ => {
                // The first member that is no integer (or one integer too many) ends the array.
                let old = std::mem::replace(&mut self.0, Repr::Packed { bytes: Vec::new(), count: 0 });
                if len(&old) > PACKED_MEMBERS_MAX {
                    self.widen();
                }
                SetValue(old).for_each(|m| _ = self.insert(m));
                self.insert(member)
            }
        }
    }

    /// True when it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.0 {
            Repr::Table(table) => table.remove(member).is_some(),
            Repr::Packed { bytes, count } => {
                let Some((at, found)) = packed(bytes).find(|(_, m)| same(m, member)) else { return false };
                let end = at + 1 + found.len();
                bytes.drain(at..end);
                *count -= 1;
                true
            }
            ints => match parse_i64(member).map(|n| find(ints, n)) {
                Some(Ok(at)) => {
                    match ints {
                        Repr::Ints16(v) => drop(v.remove(at)),
                        Repr::Ints32(v) => drop(v.remove(at)),
                        Repr::Ints64(v) => drop(v.remove(at)),
                        _ => {}
                    }
                    true
                }
                _ => false,
            },
        }
    }

    fn widen(&mut self) -> &mut Self {
        let mut table = Box::new(HashTable::default());
        self.for_each(|m| table.insert_new(m.into()));
        self.0 = Repr::Table(table);
        self
    }

    /// Every member, in the order in which the set keeps them.
    pub fn for_each(&self, mut visit: impl FnMut(&[u8])) {
        let mut text = Vec::with_capacity(20);
        let mut int = |n: i64| {
            text.clear();
            push_i64(&mut text, n);
            visit(&text);
        };
        match &self.0 {
            Repr::Ints16(v) => v.iter().for_each(|n| int(i64::from(*n))),
            Repr::Ints32(v) => v.iter().for_each(|n| int(i64::from(*n))),
            Repr::Ints64(v) => v.iter().for_each(|n| int(*n)),
            Repr::Packed { bytes, .. } => packed(bytes).for_each(|(_, m)| visit(m)),
            Repr::Table(table) => table.iter().for_each(|m| visit(m)),
        }
    }

    pub fn iter(&self) -> Box<dyn Iterator<Item = Cow<'_, [u8]>> + '_> {
        let int = |n: i64| {
            let mut text = Vec::with_capacity(20);
            push_i64(&mut text, n);
            Cow::Owned(text)
        };
        match &self.0 {
            Repr::Ints16(v) => Box::new(v.iter().map(move |n| int(i64::from(*n)))),
            Repr::Ints32(v) => Box::new(v.iter().map(move |n| int(i64::from(*n)))),
            Repr::Ints64(v) => Box::new(v.iter().map(move |n| int(*n))),
            Repr::Packed { bytes, .. } => Box::new(packed(bytes).map(|(_, m)| Cow::Borrowed(m))),
            Repr::Table(table) => Box::new(table.iter().map(|m| Cow::Borrowed(&**m))),
        }
    }

    /// Every member, owned.
    pub fn to_vec(&self) -> Vec<Vec<u8>> {
        let mut out = Vec::with_capacity(self.len());
        self.for_each(|m| out.push(m.to_vec()));
        out
    }

    /// A member at random; `random` gives fresh numbers.
    pub fn random(&self, random: &mut dyn FnMut() -> u64) -> Option<Cow<'_, [u8]>> {
        match &self.0 {
            Repr::Table(table) => table.random(random).map(|m| Cow::Borrowed(&**m)),
            _ if self.is_empty() => None,
            _ => self.iter().nth((random() % self.len() as u64) as usize),
        }
    }

    /// Visits members from `cursor` (0 = start), about `count` of them; returns the next cursor, 0 at the end. Small sets come
    /// whole. A member present throughout is visited.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(&[u8])) -> u64 {
        match &self.0 {
            Repr::Table(table) => table.scan(cursor, count, &mut |m| visit(m)),
            _ => {
                self.for_each(visit);
                0
            }
        }
    }
}

fn packed(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let len = usize::from(*bytes.get(at)?);
        let found = (at, &bytes[at + 1..at + 1 + len]);
        at += 1 + len;
        Some(found)
    })
}

fn len(ints: &Repr) -> usize {
    match ints {
        Repr::Ints16(v) => v.len(),
        Repr::Ints32(v) => v.len(),
        Repr::Ints64(v) => v.len(),
        _ => 0,
    }
}

fn find(ints: &Repr, n: i64) -> Result<usize, usize> {
    match ints {
        Repr::Ints16(v) => i16::try_from(n).map_or(Err(0), |n| v.binary_search(&n)),
        Repr::Ints32(v) => i32::try_from(n).map_or(Err(0), |n| v.binary_search(&n)),
        Repr::Ints64(v) => v.binary_search(&n),
        _ => Err(0),
    }
}

fn insert_int(ints: &mut Repr, n: i64) -> bool {
    // Widen first where the number does not fit.
    match ints {
        Repr::Ints16(v) if i16::try_from(n).is_err() => {
            let wide = v.iter().map(|n| i32::from(*n)).collect();
            *ints = Repr::Ints32(wide);
            return insert_int(ints, n);
        }
        Repr::Ints32(v) if i32::try_from(n).is_err() => {
            let wide = v.iter().map(|n| i64::from(*n)).collect();
            *ints = Repr::Ints64(wide);
            return insert_int(ints, n);
        }
        _ => {}
    }
    let Err(at) = find(ints, n) else { return false };
    match ints {
        Repr::Ints16(v) => v.insert(at, n as i16),
        Repr::Ints32(v) => v.insert(at, n as i32),
        Repr::Ints64(v) => v.insert(at, n),
        _ => {}
    }
    true
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn agrees_with_a_tree_through_every_encoding() {
        let mut state = 3u64;
        for kind in 0..4 {
            let (mut set, mut model) = (SetValue::default(), BTreeSet::new());
            for _ in 0..6000 {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let n = state >> 33;
                let member = match kind {
                    0 => (n % 700).to_string(),
                    1 => (n as i64 * 3 - (1 << 30)).to_string(),
                    2 => format!("m{}", n % 20),
                    _ => format!("{}{}", "x".repeat((n % 300) as usize), n % 900),
                }
                .into_bytes();
                if state >> 62 == 0 {
                    assert_eq!(set.remove(&member), model.remove(&member));
                } else {
                    assert_eq!(set.insert(&member), model.insert(member.clone()));
                }
                assert_eq!(set.len(), model.len());
                assert_eq!(set.contains(&member), model.contains(&member));
            }
            let members: BTreeSet<Vec<u8>> = set.to_vec().into_iter().collect();
            assert_eq!(members, model);
            let (mut seen, mut cursor) = (BTreeSet::new(), 0);
            loop {
                cursor = set.scan(cursor, 7, &mut |m| _ = seen.insert(m.to_vec()));
                if cursor == 0 {
                    break;
                }
            }
            assert_eq!(seen, model);
        }
    }

    #[test]
    fn encodings_are_named_as_redis_names_them() {
        let mut set = SetValue::from_members([&b"1"[..], b"-70000", b"9000000000"].into_iter());
        assert_eq!(set.encoding(), "intset");
        set.insert(b"a");
        assert_eq!(set.encoding(), "hashtable");
        set.remove(b"a");
        assert_eq!(set.encoding(), "hashtable");
        let ints: Vec<String> = (0..513).map(|n| n.to_string()).collect();
        let set = SetValue::from_members(ints.iter().map(|s| s.as_bytes()));
        assert_eq!((set.encoding(), set.len()), ("hashtable", 513));
    }
}
