//! Fields with values, compact while small.
//!
//! Few short fields are packed bytes in order of arrival; others an open-addressing table in hash order, one allocation for a
//! field with its value. What Redis would call its encoding is kept apart: as there, a hash that left the packed one does not go
//! back.

use proto::varint;

use crate::state::handle::{Form, FormMut, Handle};
use crate::state::hash_table::{HashTable, Record};
use crate::state::limits;
use crate::state::packed::Names;

type Pairs = Names<true>;

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

/// Fields that are many or long.
#[derive(Clone, Debug)]
pub struct Wide {
    table: HashTable<Pair>,
    /// Redis would have them packed.
    listpack: bool,
}

/// Distinct fields, each with a value.
pub(super) type FieldValues = Handle<Wide>;

impl FieldValues {
    #[inline]
    pub fn len(&self) -> usize {
        match self.form() {
            Form::Packed(packed) => packed.count(),
            Form::Grown(wide) => wide.table.len(),
        }
    }

    /// Redis would have them packed.
    pub fn is_listpack(&self) -> bool {
        match self.form() {
            Form::Packed(packed) => !packed.is_marked(),
            Form::Grown(wide) => wide.listpack,
        }
    }

    /// Bytes out of line, in blocks of the allocator; fields of a table by the mean of `samples` of them (0 = all).
    pub fn heap_bytes(&self, samples: usize, block: fn(usize) -> usize) -> usize {
        match self.form() {
            Form::Packed(packed) => packed.heap_bytes(block),
            Form::Grown(wide) => block(size_of::<Wide>()) + wide.table.heap_bytes(samples, block),
        }
    }

    #[inline]
    pub fn get(&self, field: &[u8]) -> Option<&[u8]> {
        match self.form() {
            Form::Packed(packed) => Pairs::find(packed, field).map(|found| found.value),
            Form::Grown(wide) => wide.table.find(field).map(|pair| pair.split().1),
        }
    }

    /// Sets a field. True when it was not there.
    pub fn put(&mut self, field: &[u8], value: &[u8]) -> bool {
        self.put_within(field, value, limits::HASH_ENTRIES.get(), limits::HASH_BYTES.get())
    }

    /// As [`FieldValues::put`]: Redis packs so many fields, and so many bytes of a field or a value.
    fn put_within(&mut self, field: &[u8], value: &[u8], entries_max: usize, bytes_max: usize) -> bool {
        let long = field.len() > bytes_max || value.len() > bytes_max;
        match self.form_mut() {
            FormMut::Grown(wide) => {
                wide.listpack &= !long;
                if let Some(pair) = wide.table.find_mut(field) {
                    pair.set(value);
                    return false;
                }
                wide.table.insert_new(Pair::new(field, value));
                wide.listpack &= wide.table.len() <= entries_max;
                true
            }
            FormMut::Packed(packed) => {
                let spot = Pairs::find(packed, field).map(|found| found.spot());
                let entries = packed.count() + usize::from(spot.is_none());
                // Redis has them packed, and in order, as long as these limits say.
                let leaves = long || entries > entries_max || packed.is_marked();
                let stays =
                    Pairs::is_small(packed, field, value) || !leaves && Pairs::fits(packed, field, value);
                match spot {
                    _ if !stays => {
                        if leaves {
                            packed.mark();
                        }
                        return self.widen().put_within(field, value, entries_max, bytes_max);
                    }
                    Some(spot) => Pairs::set_value(packed, spot, value),
                    None => Pairs::push(packed, field, value),
                }
                if leaves {
                    packed.mark();
                }
                spot.is_none()
            }
        }
    }

    /// True when it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match self.form_mut() {
            FormMut::Grown(wide) => wide.table.remove(field).is_some(),
            FormMut::Packed(packed) => {
                let Some(spot) = Pairs::find(packed, field).map(|found| found.spot()) else { return false };
                Pairs::remove(packed, spot);
                true
            }
        }
    }

    fn widen(&mut self) -> &mut Self {
        let mut wide = Wide { table: HashTable::default(), listpack: self.is_listpack() };
        self.for_each(|field, value| wide.table.insert_new(Pair::new(field, value)));
        self.grow(wide);
        self
    }

    /// Every field with its value, in the order in which the hash keeps them.
    pub fn for_each<'a>(&'a self, mut visit: impl FnMut(&'a [u8], &'a [u8])) {
        match self.form() {
            Form::Packed(packed) => Pairs::iter(packed).for_each(|found| visit(found.name, found.value)),
            Form::Grown(wide) => wide.table.iter().for_each(|pair| {
                let (field, value) = pair.split();
                visit(field, value);
            }),
        }
    }

    /// A field at random with its value; `random` gives fresh numbers.
    pub fn random(&self, random: &mut dyn FnMut() -> u64) -> Option<(&[u8], &[u8])> {
        match self.form() {
            Form::Grown(wide) => wide.table.random(random).map(Pair::split),
            Form::Packed(packed) if packed.count() == 0 => None,
            Form::Packed(packed) => {
                let found = Pairs::nth(packed, (random() % packed.count() as u64) as usize)?;
                Some((found.name, found.value))
            }
        }
    }

    /// As [`crate::state::set::SetValue::scan`].
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(&[u8], &[u8])) -> u64 {
        match self.form() {
            Form::Grown(wide) => wide.table.scan(cursor, count, &mut |pair| {
                let (field, value) = pair.split();
                visit(field, value);
            }),
            Form::Packed(packed) => {
                Pairs::iter(packed).for_each(|found| visit(found.name, found.value));
                0
            }
        }
    }
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
            assert_eq!(hash.is_listpack(), kind == 0);
        }
    }

    #[test]
    fn what_redis_has_packed_keeps_its_order_however_long() {
        let mut hash = FieldValues::default();
        let long = [b'v'; 5000];
        let fields: Vec<Vec<u8>> = (0..600).rev().map(|n| format!("f{n}").into_bytes()).collect();
        for field in &fields {
            assert!(hash.put_within(field, &long[..field.len() * 1000], 1_000_000, 1_000_000));
        }
        let mut seen = Vec::new();
        hash.for_each(|field, value| {
            assert_eq!(value.len(), field.len() * 1000);
            seen.push(field.to_vec());
        });
        assert_eq!((seen, hash.is_listpack()), (fields, true));
        assert!(hash.put(b"one more", b""));
        assert!(!hash.is_listpack() && matches!(hash.form(), Form::Grown(_)));
    }

    #[test]
    fn long_values_and_many_fields_leave_the_packed_form() {
        let mut hash = FieldValues::default();
        (0..512).for_each(|n| _ = hash.put(n.to_string().as_bytes(), &[b'v'; 64]));
        assert!(hash.is_listpack());
        hash.put(b"x", b"");
        assert!(!hash.is_listpack());
        let mut hash = FieldValues::default();
        hash.put(b"f", &[b'v'; 65]);
        assert!(!hash.is_listpack());
    }
}
