//! A set's members, compact while small.
//!
//! Up to `set-max-intset-entries` integers are a sorted array of the narrowest width that fits; other sets are packed bytes while small, then an
//! open-addressing table in hash order. As in Redis, a set that left an encoding does not go back.

use std::borrow::Cow;

use super::handle::{Form, FormMut, Handle, Packed};
use super::hash_table::HashTable;
use super::limits;
use super::packed::Names;
use crate::number::{parse_i64, push_i64};

type Table = HashTable<Box<[u8]>>;
type Members = Names<false>;

/// Forms of packed bytes besides those of [`Names`]: integers of so many bytes are this and their width.
const FORM_INTS: u8 = 16;

/// Distinct byte strings.
#[derive(Clone, Debug, Default)]
#[repr(transparent)]
pub struct SetValue(Handle<Table>);

impl PartialEq for SetValue {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|m| other.contains(&m))
    }
}

/// Integers in order, little-endian, each of `width` bytes.
#[derive(Clone, Copy)]
struct Ints<'a> {
    bytes: &'a [u8],
    width: usize,
}

impl<'a> Ints<'a> {
    /// `None` when the bytes are members of another form.
    fn of(packed: &'a Packed) -> Option<Self> {
        match packed.form() {
            0 => Some(Ints { bytes: &[], width: 2 }),
            form => {
                let width = usize::from(form.checked_sub(FORM_INTS)?);
                Some(Ints { bytes: packed.bytes(), width })
            }
        }
    }

    fn len(self) -> usize {
        self.bytes.len() / self.width
    }

    fn at(self, n: usize) -> i64 {
        let bytes = &self.bytes[n * self.width..][..self.width];
        match *bytes {
            [a, b] => i64::from(i16::from_le_bytes([a, b])),
            [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
            _ => i64::from_le_bytes(bytes.try_into().expect("integers are of two, four or eight bytes")),
        }
    }

    fn iter(self) -> impl Iterator<Item = i64> + 'a {
        (0..self.len()).map(move |n| self.at(n))
    }

    /// The place of a number, or where it would go.
    fn find(self, n: i64) -> Result<usize, usize> {
        let (mut from, mut to) = (0, self.len());
        while from < to {
            let middle = from.midpoint(to);
            match self.at(middle).cmp(&n) {
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Less => from = middle + 1,
                std::cmp::Ordering::Greater => to = middle,
            }
        }
        Err(from)
    }

    fn has(self, member: &[u8]) -> bool {
        parse_i64(member).is_some_and(|n| self.find(n).is_ok())
    }
}

fn width_of(n: i64) -> usize {
    match n {
        n if i16::try_from(n).is_ok() => 2,
        n if i32::try_from(n).is_ok() => 4,
        _ => 8,
    }
}

/// Adds a number to integers, made wider first where it does not fit. False when it was there.
fn insert_int(packed: &mut Packed, n: i64) -> bool {
    let Some(ints) = Ints::of(packed) else { return false };
    let width = ints.width;
    if width_of(n) > width {
        let (wider, numbers) = (width_of(n), ints.iter().collect::<Vec<_>>());
        packed.open(0, numbers.len() * (wider - width));
        for (old, bytes) in numbers.iter().zip(packed.bytes_mut().chunks_exact_mut(wider)) {
            bytes.copy_from_slice(&old.to_le_bytes()[..wider]);
        }
        packed.set_form(FORM_INTS + wider as u8);
        return insert_int(packed, n);
    }
    let Err(at) = ints.find(n) else { return false };
    packed.open(at * width, width);
    packed.set_form(FORM_INTS + width as u8);
    packed.bytes_mut()[at * width..][..width].copy_from_slice(&n.to_le_bytes()[..width]);
    true
}

impl SetValue {
    pub fn from_members<'a>(members: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut set = SetValue::default();
        members.for_each(|m| _ = set.insert(m));
        set
    }

    #[inline]
    pub fn len(&self) -> usize {
        match self.0.form() {
            Form::Grown(table) => table.len(),
            Form::Packed(packed) => Ints::of(packed).map_or(packed.count(), Ints::len),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What OBJECT ENCODING of Redis 7.0 says.
    pub fn encoding(&self) -> &'static str {
        match self.0.form() {
            Form::Packed(packed) if Ints::of(packed).is_some() => "intset",
            _ => "hashtable",
        }
    }

    /// Bytes out of line, in blocks of the allocator; members of a table by the mean of `samples` of them (0 = all).
    pub fn heap_bytes(&self, samples: usize, block: fn(usize) -> usize) -> usize {
        match self.0.form() {
            Form::Packed(packed) => packed.heap_bytes(block),
            Form::Grown(table) => block(size_of::<Table>()) + table.heap_bytes(samples, block),
        }
    }

    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        match self.0.form() {
            Form::Grown(table) => table.find(member).is_some(),
            Form::Packed(packed) => match Ints::of(packed) {
                Some(ints) => ints.has(member),
                None => Members::find(packed, member).is_some(),
            },
        }
    }

    /// True when it was not there.
    pub fn insert(&mut self, member: &[u8]) -> bool {
        let packed = match self.0.form_mut() {
            FormMut::Packed(packed) => packed,
            FormMut::Grown(table) => {
                let new = table.find(member).is_none();
                if new {
                    table.insert_new(member.into());
                }
                return new;
            }
        };
        if let Some(ints) = Ints::of(packed) {
            let n = parse_i64(member);
            match n {
                Some(n) if ints.len() < limits::SET_INTS.get() => return insert_int(packed, n),
                Some(n) if ints.find(n).is_ok() => return false,
                _ => {}
            }
            // The first member that is no integer (or one integer too many) ends the array.
            let names = self.to_vec();
            let mut fresh = Packed::new();
            let fits = names.iter().all(|name| {
                let fits = Members::is_small(&fresh, name, b"");
                if fits {
                    Members::push(&mut fresh, name, b"");
                }
                fits
            });
            if !fits || !Members::is_small(&fresh, member, b"") {
                return self.widen().insert(member);
            }
            Members::push(&mut fresh, member, b"");
            if let FormMut::Packed(packed) = self.0.form_mut() {
                *packed = fresh;
            }
            return true;
        }
        if Members::find(packed, member).is_some() {
            return false;
        }
        if !Members::is_small(packed, member, b"") {
            return self.widen().insert(member);
        }
        Members::push(packed, member, b"");
        true
    }

    /// True when it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        let packed = match self.0.form_mut() {
            FormMut::Packed(packed) => packed,
            FormMut::Grown(table) => return table.remove(member).is_some(),
        };
        if let Some(ints) = Ints::of(packed) {
            let (width, found) = (ints.width, parse_i64(member).map(|n| ints.find(n)));
            let Some(Ok(at)) = found else { return false };
            packed.close(at * width, width);
            return true;
        }
        let Some(spot) = Members::find(packed, member).map(|found| found.spot()) else { return false };
        Members::remove(packed, spot);
        true
    }

    fn widen(&mut self) -> &mut Self {
        let mut table = Table::default();
        self.for_each(|m| table.insert_new(m.into()));
        self.0.grow(table);
        self
    }

    /// Every member, in the order in which the set keeps them.
    pub fn for_each(&self, mut visit: impl FnMut(&[u8])) {
        let packed = match self.0.form() {
            Form::Grown(table) => return table.iter().for_each(|m| visit(m)),
            Form::Packed(packed) => packed,
        };
        let Some(ints) = Ints::of(packed) else {
            return Members::iter(packed).for_each(|found| visit(found.name));
        };
        let mut text = Vec::with_capacity(20);
        for n in ints.iter() {
            text.clear();
            push_i64(&mut text, n);
            visit(&text);
        }
    }

    pub fn iter(&self) -> Box<dyn Iterator<Item = Cow<'_, [u8]>> + '_> {
        match self.0.form() {
            Form::Grown(table) => Box::new(table.iter().map(|m| Cow::Borrowed(&**m))),
            Form::Packed(packed) => match Ints::of(packed) {
                Some(ints) => Box::new(ints.iter().map(|n| Cow::Owned(text_of(n)))),
                None => Box::new(Members::iter(packed).map(|found| Cow::Borrowed(found.name))),
            },
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
        let packed = match self.0.form() {
            Form::Grown(table) => return table.random(random).map(|m| Cow::Borrowed(&**m)),
            Form::Packed(_) if self.is_empty() => return None,
            Form::Packed(packed) => packed,
        };
        let n = (random() % self.len() as u64) as usize;
        match Ints::of(packed) {
            Some(ints) => Some(Cow::Owned(text_of(ints.at(n)))),
            None => Members::nth(packed, n).map(|found| Cow::Borrowed(found.name)),
        }
    }

    /// Visits members from `cursor` (0 = start), about `count` of them; returns the next cursor, 0 at the end. Small sets come
    /// whole. A member present throughout is visited.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(&[u8])) -> u64 {
        match self.0.form() {
            Form::Grown(table) => table.scan(cursor, count, &mut |m| visit(m)),
            Form::Packed(_) => {
                self.for_each(visit);
                0
            }
        }
    }
}

fn text_of(n: i64) -> Vec<u8> {
    let mut text = Vec::with_capacity(20);
    push_i64(&mut text, n);
    text
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
