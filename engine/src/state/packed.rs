//! Names packed into one piece of memory, with values or without, in order of arrival.
//!
//! ```text
//! plain:   (name length u8 | [value length u8] | name | [value])…
//! indexed: room u16 | tags room × u8 | places room × u16 | entries as above
//! ```
//! Where a length is 255, all lengths of the entry follow as u32. Entries have an index when they are not few and no place is too far.
//!
//! A tag is a byte of the name's hash, a place the entry's distance from the first. A search looks at tags side by side and then at
//! one entry, or so.
//!
//! Invariants: tags and places stand in the same order, of no meaning; each entry has one of both.

use memchr::memchr_iter;
use xxhash_rust::xxh3::xxh3_64;

use super::handle::Packed;

/// More entries than this have an index.
const FEW: usize = 16;
/// An index reaches so far.
const INDEXED_BYTES_MAX: usize = u16::MAX as usize;
/// More entries, or bytes of them, are not small, nor are longer names and values.
const SMALL_ENTRIES: usize = 512;
const SMALL_BYTES: usize = 1 << 15;
const SMALL_PART: usize = LONG - 1;
/// More are not packed at all.
const ENTRIES_MAX: usize = u16::MAX as usize;
const BYTES_MAX: usize = 1 << 30;
const ROOM_FIRST: usize = 24;
/// In the place of a length: lengths of four bytes follow.
const LONG: usize = u8::MAX as usize;

/// Forms of [`Packed`] bytes.
pub(super) const FORM_PLAIN: u8 = 1;
pub(super) const FORM_INDEXED: u8 = 2;

/// Where `n` tags and places lie, before the entries.
fn index_bytes(room: usize) -> usize {
    2 + 3 * room
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

pub(super) fn put_u16(bytes: &mut [u8], at: usize, value: usize) {
    bytes[at..at + 2].copy_from_slice(&(value as u16).to_le_bytes());
}

/// A byte of a name's hash.
#[inline]
pub(super) fn tag_of(name: &[u8]) -> u8 {
    xxh3_64(name) as u8
}

/// Equality of names in a linear search: most that differ do so in their length or their last byte, which costs no call.
#[inline]
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.last() == b.last() && a == b
}

/// Bytes of the index, none while the entries are few.
pub(super) fn entries_at(packed: &Packed) -> usize {
    match packed.form() {
        FORM_INDEXED => index_bytes(u16_at(packed.bytes(), 0)),
        _ => 0,
    }
}

/// Places of entries that moved by so many bytes because of one at a place.
pub(super) fn shift_places(places: &mut [u8], after: usize, by: isize) {
    for place in places.chunks_exact_mut(2) {
        let at = usize::from(u16::from_le_bytes([place[0], place[1]]));
        if at > after {
            place.copy_from_slice(&((at as isize + by) as u16).to_le_bytes());
        }
    }
}

/// An entry: `at` counts from the first.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub name: &'a [u8],
    pub value: &'a [u8],
    at: usize,
    end: usize,
    /// Its place in the index.
    slot: usize,
}

/// Where an entry lies, without what is in it.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    at: usize,
    end: usize,
    slot: usize,
    value_len: usize,
    is_long: bool,
}

impl Found<'_> {
    pub fn spot(&self) -> Spot {
        let is_long = self.name.len().max(self.value.len()) >= LONG;
        Spot { at: self.at, end: self.end, slot: self.slot, value_len: self.value.len(), is_long }
    }
}

/// Names with values, or (`!VALUES`) without.
pub(super) struct Names<const VALUES: bool>;

impl<const VALUES: bool> Names<VALUES> {
    /// Lengths of an entry: short ones take a byte each.
    const LENGTHS: usize = if VALUES { 2 } else { 1 };
    const LONG_LENGTHS: usize = Self::LENGTHS * (1 + size_of::<u32>());

    #[inline]
    fn entry(entries: &[u8], at: usize, slot: usize) -> Found<'_> {
        let (name, value) = (usize::from(entries[at]), if VALUES { usize::from(entries[at + 1]) } else { 0 });
        if name == LONG || value == LONG {
            return Self::long_entry(entries, at, slot);
        }
        let name_at = at + Self::LENGTHS;
        let (value_at, end) = (name_at + name, name_at + name + value);
        Found { name: &entries[name_at..value_at], value: &entries[value_at..end], at, end, slot }
    }

    #[cold]
    fn long_entry(entries: &[u8], at: usize, slot: usize) -> Found<'_> {
        let mut lengths = entries[at + Self::LENGTHS..at + Self::LONG_LENGTHS].chunks_exact(4);
        let mut next = || lengths.next().map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize);
        let name_at = at + Self::LONG_LENGTHS;
        let value_at = name_at + next();
        let end = value_at + next();
        Found { name: &entries[name_at..value_at], value: &entries[value_at..end], at, end, slot }
    }

    /// What stands before a name and a value, and how much of it counts.
    fn lengths(name: &[u8], value: &[u8]) -> ([u8; 10], usize) {
        let mut lengths = [0; 10];
        if name.len().max(value.len()) < LONG {
            lengths[..2].copy_from_slice(&[name.len() as u8, value.len() as u8]);
            return (lengths, Self::LENGTHS);
        }
        lengths[..Self::LENGTHS].fill(LONG as u8);
        lengths[Self::LENGTHS..][..4].copy_from_slice(&(name.len() as u32).to_le_bytes());
        lengths[Self::LENGTHS + 4..][..4].copy_from_slice(&(value.len() as u32).to_le_bytes());
        (lengths, Self::LONG_LENGTHS)
    }

    /// Every entry, in order.
    pub fn iter(packed: &Packed) -> impl Iterator<Item = Found<'_>> {
        let entries = &packed.bytes()[entries_at(packed)..];
        let mut at = 0;
        std::iter::from_fn(move || {
            let found = (at < entries.len()).then(|| Self::entry(entries, at, 0))?;
            at = found.end;
            Some(found)
        })
    }

    #[inline]
    pub fn find<'a>(packed: &'a Packed, name: &[u8]) -> Option<Found<'a>> {
        let bytes = packed.bytes();
        if packed.form() == FORM_INDEXED {
            let room = u16_at(bytes, 0);
            let (index, entries) = bytes.split_at(index_bytes(room));
            let (tags, places) = index[2..].split_at(room);
            for slot in memchr_iter(tag_of(name), &tags[..packed.count()]) {
                let found = Self::entry(entries, u16_at(places, 2 * slot), slot);
                if found.name == name {
                    return Some(found);
                }
            }
            // Who looks in vain often adds it.
            packed.prefetch_end();
            return None;
        }
        let mut at = 0;
        while at < bytes.len() {
            let found = Self::entry(bytes, at, 0);
            if same(found.name, name) {
                return Some(found);
            }
            at = found.end;
        }
        None
    }

    /// The entry of a number below the count.
    pub fn nth(packed: &Packed, n: usize) -> Option<Found<'_>> {
        let bytes = packed.bytes();
        if packed.form() != FORM_INDEXED {
            return Self::iter(packed).nth(n);
        }
        let room = u16_at(bytes, 0);
        let place = u16_at(bytes, 2 + room + 2 * n);
        (n < packed.count()).then(|| Self::entry(&bytes[index_bytes(room)..], place, n))
    }

    /// With one more entry of this name and value, or one that has them from now on, it is still small.
    pub fn is_small(packed: &Packed, name: &[u8], value: &[u8]) -> bool {
        let more = Self::LENGTHS + name.len() + value.len();
        packed.count() < SMALL_ENTRIES
            && name.len().max(value.len()) <= SMALL_PART
            && packed.len() + more <= SMALL_BYTES
    }

    /// One more entry of this name and value, or one that has them from now on, may be packed at all.
    pub fn fits(packed: &Packed, name: &[u8], value: &[u8]) -> bool {
        packed.count() < ENTRIES_MAX && packed.len() + name.len() + value.len() <= BYTES_MAX
    }

    /// Adds an entry that is not there and that [`Names::fits`].
    pub fn push(packed: &mut Packed, name: &[u8], value: &[u8]) {
        let count = packed.count();
        if count >= FEW {
            Self::reindex(packed, Self::LONG_LENGTHS + name.len() + value.len());
        }
        let at = packed.len();
        let (lengths, used) = Self::lengths(name, value);
        packed.append(&[&lengths[..used], name, value]);
        if packed.form() == FORM_INDEXED {
            let bytes = packed.bytes_mut();
            let room = u16_at(bytes, 0);
            bytes[2 + count] = tag_of(name);
            put_u16(bytes, 2 + room + 2 * count, at - index_bytes(room));
        } else {
            packed.set_form(FORM_PLAIN);
        }
        packed.set_count(count + 1);
    }

    /// Changes a value; [`Names::fits`] it.
    pub fn set_value(packed: &mut Packed, spot: Spot, value: &[u8]) {
        let (old, new) = (spot.value_len, value.len());
        if spot.is_long || new >= LONG {
            return Self::set_long(packed, spot, value);
        }
        if new > old && packed.form() == FORM_INDEXED {
            Self::reindex(packed, new - old);
        }
        let first = entries_at(packed);
        let end = first + spot.end;
        if new > old {
            packed.open(end, new - old);
        } else if new < old {
            packed.close(end - (old - new), old - new);
        }
        let bytes = packed.bytes_mut();
        let value_at = end - old;
        bytes[value_at..value_at + new].copy_from_slice(value);
        if new != old {
            bytes[first + spot.at + 1] = new as u8;
            Self::moved(packed, spot.at, new as isize - old as isize);
        }
    }

    /// Writes a whole entry anew whose lengths are long, or were.
    #[cold]
    fn set_long(packed: &mut Packed, spot: Spot, value: &[u8]) {
        if packed.form() == FORM_INDEXED {
            Self::reindex(packed, Self::LONG_LENGTHS + value.len());
        }
        let at = entries_at(packed) + spot.at;
        let name = Self::entry(&packed.bytes()[at - spot.at..], spot.at, 0).name.to_vec();
        let (lengths, used) = Self::lengths(&name, value);
        let entry = [&lengths[..used], &name, value].concat();
        let old = spot.end - spot.at;
        packed.close(at, old);
        packed.open(at, entry.len());
        packed.bytes_mut()[at..at + entry.len()].copy_from_slice(&entry);
        Self::moved(packed, spot.at, entry.len() as isize - old as isize);
    }

    pub fn remove(packed: &mut Packed, spot: Spot) {
        let count = packed.count() - 1;
        let first = entries_at(packed);
        packed.close(first + spot.at, spot.end - spot.at);
        if packed.form() == FORM_INDEXED {
            let room = u16_at(packed.bytes(), 0);
            let bytes = packed.bytes_mut();
            bytes[2 + spot.slot] = bytes[2 + count];
            let places = 2 + room;
            bytes.copy_within(places + 2 * count..places + 2 * count + 2, places + 2 * spot.slot);
            packed.set_count(count);
            Self::moved(packed, spot.at, -((spot.end - spot.at) as isize));
            if count <= FEW / 2 {
                Self::forget_index(packed);
            }
        }
        packed.set_count(count);
    }

    /// The entries after one moved.
    fn moved(packed: &mut Packed, after: usize, by: isize) {
        if packed.form() == FORM_INDEXED {
            let count = packed.count();
            let bytes = packed.bytes_mut();
            let places = 2 + u16_at(bytes, 0);
            shift_places(&mut bytes[places..places + 2 * count], after, by);
        }
    }

    /// Before an entry comes, or grows by so many bytes: gives the entries an index with room, or takes it off if it would not reach.
    #[inline]
    fn reindex(packed: &mut Packed, more: usize) {
        let (count, indexed) = (packed.count(), packed.form() == FORM_INDEXED);
        if packed.len() + more > INDEXED_BYTES_MAX {
            if indexed {
                Self::forget_index(packed);
            }
        } else if !indexed {
            Self::index(packed, (count + 1).next_multiple_of(8).max(ROOM_FIRST));
        } else if count == u16_at(packed.bytes(), 0) {
            Self::index(packed, (count + count / 2).next_multiple_of(8));
        }
    }

    #[cold]
    fn forget_index(packed: &mut Packed) {
        let first = entries_at(packed);
        packed.close(0, first);
        packed.set_form(FORM_PLAIN);
    }

    /// Gives the entries an index with room for so many, more than there are.
    #[cold]
    fn index(packed: &mut Packed, room: usize) {
        let had = entries_at(packed);
        let entries: Vec<(u8, usize)> = Self::iter(packed).map(|e| (tag_of(e.name), e.at)).collect();
        packed.open(had, index_bytes(room) - had);
        let bytes = packed.bytes_mut();
        put_u16(bytes, 0, room);
        for (slot, (tag, at)) in entries.into_iter().enumerate() {
            bytes[2 + slot] = tag;
            put_u16(bytes, 2 + room + 2 * slot, at);
        }
        packed.set_form(FORM_INDEXED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_are_the_same_and_others_are_not() {
        for (a, b, equal) in [("", "", true), ("a", "", false), ("ab", "ab", true), ("ab", "cb", false)] {
            assert_eq!(same(a.as_bytes(), b.as_bytes()), equal, "{a} {b}");
        }
    }

    #[test]
    fn entries_keep_their_order_with_and_without_an_index() {
        type Pairs = Names<true>;
        let (mut packed, mut model, mut state) = (Packed::new(), Vec::<(Vec<u8>, Vec<u8>)>::new(), 3u64);
        let mut forms = std::collections::BTreeSet::new();
        for step in 0..40_000usize {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let n = state >> 33;
            // Many for a time, then few; at times long, and so many bytes that no index reaches.
            let space = if step % 10_000 < 6000 { 400 } else { 12 };
            let name = format!("name{}", n % space).into_bytes();
            let longest = if step % 20_000 < 10_000 { 90 } else { 400 };
            let value = vec![n as u8; (n >> 10) as usize % longest];
            let known = model.iter().position(|e| e.0 == name);
            let spot = Pairs::find(&packed, &name).map(|found| found.spot());
            let removes = state >> 62 == 0;
            match (spot, known) {
                (Some(spot), Some(at)) if removes => {
                    Pairs::remove(&mut packed, spot);
                    model.remove(at);
                }
                (Some(spot), Some(at)) => {
                    Pairs::set_value(&mut packed, spot, &value);
                    model[at].1 = value;
                }
                (None, None) => {
                    Pairs::push(&mut packed, &name, &value);
                    model.push((name, value));
                }
                (spot, _) => panic!("found: {}", spot.is_some()),
            }
            if space == 12 && model.len() > 12 {
                let spot = Pairs::find(&packed, &model[0].0).expect("it is there").spot();
                Pairs::remove(&mut packed, spot);
                model.remove(0);
            }
            assert_eq!(packed.count(), model.len());
            forms.insert((packed.form(), packed.len() > INDEXED_BYTES_MAX));
            if step % 97 == 0 {
                let all: Vec<_> = Pairs::iter(&packed).map(|e| (e.name.to_vec(), e.value.to_vec())).collect();
                assert_eq!(all, model);
                let drawn = (0..model.len()).filter_map(|n| Pairs::nth(&packed, n));
                let mut drawn: Vec<_> = drawn.map(|e| e.name.to_vec()).collect();
                drawn.sort();
                let mut names: Vec<_> = model.iter().map(|e| e.0.clone()).collect();
                names.sort();
                assert_eq!(drawn, names);
            }
        }
        let all = [(FORM_PLAIN, false), (FORM_PLAIN, true), (FORM_INDEXED, false)];
        assert!(all.iter().all(|form| forms.contains(form)), "{forms:?}");
    }
}
