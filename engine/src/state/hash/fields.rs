//! Fields with values, compact while small.
//!
//! Few short fields are packed bytes in order of arrival; others an open-addressing table in hash order, one allocation for a
//! field with its value. As in Redis, a hash that left the packed form does not go back.

use proto::varint;

use crate::state::hash_table::{HashTable, Record};
use crate::state::limits;
use crate::state::packed::same;

/// A field and its value in one allocation: field length varint, field, value.
#[derive(Clone, Debug)]
struct Pair(Box<[u8]>);

impl Pair {
    fn new(field: &[u8], value: &[u8]) -> Self {
        let mut bytes =
            Vec::with_capacity(field.len() + value.len() + if field.len() < 0x80 { 1 } else { 5 });
        varint::put_bytes(&mut bytes, field);
        bytes.extend_from_slice(value);
        Pair(bytes.into())
    }

    fn split(&self) -> (&[u8], &[u8]) {
        let mut rest = &self.0[..];
        let field = varint::take_bytes(&mut rest).expect("a pair begins with its field");
        (field, rest)
    }

    fn set(&mut self, value: &[u8]) {
        let (field, old) = self.split();
        if old.len() == value.len() {
            let at = self.0.len() - value.len();
            self.0[at..].copy_from_slice(value);
        } else {
            *self = Pair::new(field, value);
        }
    }
}

impl Record for Pair {
    fn key(&self) -> &[u8] {
        self.split().0
    }

    fn heap_bytes(&self, block: fn(usize) -> usize) -> usize {
        block(self.0.len())
    }
}

#[derive(Clone, Debug)]
enum Repr {
    /// Field, value, field, value, …: each a length varint and the bytes.
    Packed {
        bytes: Vec<u8>,
        count: u32,
    },
    Table(Box<HashTable<Pair>>),
}

/// Distinct fields, each with a value.
#[derive(Clone, Debug)]
pub struct FieldValues(Repr);

impl Default for FieldValues {
    fn default() -> Self {
        FieldValues(Repr::Packed { bytes: Vec::new(), count: 0 })
    }
}

impl FieldValues {
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Packed { count, .. } => *count as usize,
            Repr::Table(table) => table.len(),
        }
    }

    pub fn is_packed(&self) -> bool {
        matches!(self.0, Repr::Packed { .. })
    }

    /// Bytes out of line, in blocks of the allocator; fields of a table by the mean of `samples` of them (0 = all).
    pub fn heap_bytes(&self, samples: usize, block: fn(usize) -> usize) -> usize {
        match &self.0 {
            Repr::Packed { bytes, .. } if bytes.capacity() == 0 => 0,
            Repr::Packed { bytes, .. } => block(bytes.capacity()),
            Repr::Table(table) => block(size_of::<HashTable<Pair>>()) + table.heap_bytes(samples, block),
        }
    }

    pub fn get(&self, field: &[u8]) -> Option<&[u8]> {
        match &self.0 {
            Repr::Packed { bytes, .. } => packed(bytes).find(|p| same(p.field, field)).map(|p| p.value),
            Repr::Table(table) => table.find(field).map(|pair| pair.split().1),
        }
    }

    /// Sets a field. True when it was not there.
    pub fn put(&mut self, field: &[u8], value: &[u8]) -> bool {
        match &mut self.0 {
            Repr::Table(table) => {
                if let Some(pair) = table.find_mut(field) {
                    pair.set(value);
                    return false;
                }
                table.insert_new(Pair::new(field, value));
                true
            }
            Repr::Packed { bytes, count } => {
                let longest = limits::HASH_BYTES.get();
                if field.len() > longest || value.len() > longest {
                    return self.widen().put(field, value);
                }
                let found = packed(bytes).find(|p| same(p.field, field));
                if let Some((from, to, len)) = found.map(|p| (p.value_at, p.end, p.value.len())) {
                    if len == value.len() {
                        bytes[to - value.len()..to].copy_from_slice(value);
                    } else {
                        let mut new = Vec::with_capacity(value.len() + 2);
                        varint::put_bytes(&mut new, value);
                        bytes.reserve_exact(new.len().saturating_sub(to - from));
                        bytes.splice(from..to, new);
                    }
                    return false;
                }
                if *count as usize >= limits::HASH_ENTRIES.get() {
                    return self.widen().put(field, value);
                }
                let size = |part: &[u8]| part.len() + if part.len() < 0x80 { 1 } else { 5 };
                bytes.reserve_exact(size(field) + size(value));
                varint::put_bytes(bytes, field);
                varint::put_bytes(bytes, value);
                *count += 1;
                true
            }
        }
    }

    /// True when it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match &mut self.0 {
            Repr::Table(table) => table.remove(field).is_some(),
            Repr::Packed { bytes, count } => {
                let Some(found) = packed(bytes).find(|p| same(p.field, field)) else { return false };
                let (from, to) = (found.at, found.end);
                bytes.drain(from..to);
                *count -= 1;
                true
            }
        }
    }

    fn widen(&mut self) -> &mut Self {
        let mut table = Box::new(HashTable::default());
        self.for_each(|field, value| table.insert_new(Pair::new(field, value)));
        self.0 = Repr::Table(table);
        self
    }

    /// Every field with its value, in the order in which the hash keeps them.
    pub fn for_each<'a>(&'a self, mut visit: impl FnMut(&'a [u8], &'a [u8])) {
        match &self.0 {
            Repr::Packed { bytes, .. } => packed(bytes).for_each(|p| visit(p.field, p.value)),
            Repr::Table(table) => table.iter().for_each(|pair| {
                let (field, value) = pair.split();
                visit(field, value);
            }),
        }
    }

    /// A field at random with its value; `random` gives fresh numbers.
    pub fn random(&self, random: &mut dyn FnMut() -> u64) -> Option<(&[u8], &[u8])> {
        match &self.0 {
            Repr::Table(table) => table.random(random).map(Pair::split),
            Repr::Packed { count: 0, .. } => None,
            Repr::Packed { bytes, count } => {
                packed(bytes).nth((random() % u64::from(*count)) as usize).map(|p| (p.field, p.value))
            }
        }
    }

    /// As [`crate::state::set::SetValue::scan`].
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(&[u8], &[u8])) -> u64 {
        match &self.0 {
            Repr::Table(table) => table.scan(cursor, count, &mut |pair| {
                let (field, value) = pair.split();
                visit(field, value);
            }),
            Repr::Packed { bytes, .. } => {
                packed(bytes).for_each(|p| visit(p.field, p.value));
                0
            }
        }
    }
}

struct Found<'a> {
    field: &'a [u8],
    value: &'a [u8],
    /// Where the field's length begins, the value's, and the end of both.
    at: usize,
    value_at: usize,
    end: usize,
}

fn packed(bytes: &[u8]) -> impl Iterator<Item = Found<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let at = bytes.len() - rest.len();
        let field = varint::take_bytes(&mut rest)?;
        let value_at = bytes.len() - rest.len();
        let value = varint::take_bytes(&mut rest)?;
        Some(Found { field, value, at, value_at, end: bytes.len() - rest.len() })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn agrees_with_a_tree_through_both_encodings() {
        let mut state = 5u64;
        for kind in 0..3u64 {
            let (mut hash, mut model) = (FieldValues::default(), BTreeMap::new());
            for _ in 0..6000 {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let n = state >> 33;
                let field = format!("f{}", n % [20, 400, 3000][kind as usize]).into_bytes();
                let value = vec![b'v'; (n >> 12) as usize % if kind == 0 { 60 } else { 200 }];
                if state >> 62 == 0 {
                    assert_eq!(hash.remove(&field), model.remove(&field).is_some());
                } else {
                    assert_eq!(hash.put(&field, &value), model.insert(field.clone(), value).is_none());
                }
                assert_eq!(hash.len(), model.len());
                assert_eq!(hash.get(&field), model.get(&field).map(Vec::as_slice));
            }
            let mut all = BTreeMap::new();
            hash.for_each(|f, v| _ = all.insert(f.to_vec(), v.to_vec()));
            assert_eq!(all, model);
            assert_eq!(hash.is_packed(), kind == 0);
        }
    }

    #[test]
    fn long_values_and_many_fields_leave_the_packed_form() {
        let mut hash = FieldValues::default();
        (0..512).for_each(|n| _ = hash.put(n.to_string().as_bytes(), &[b'v'; 64]));
        assert!(hash.is_packed());
        hash.put(b"x", b"");
        assert!(!hash.is_packed());
        let mut hash = FieldValues::default();
        hash.put(b"f", &[b'v'; 65]);
        assert!(!hash.is_packed());
    }
}
