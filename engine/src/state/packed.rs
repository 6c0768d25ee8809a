//! Names packed into one piece of memory, with values or without, in order of arrival.
//!
//! ```text
//! few:     (name length u8 | [value length u8] | name | [value])…
//! indexed: room u16 | tags room × u8 | places room × u16 | entries as above
//! ```
//! A tag is a byte of the name's hash, a place the entry's distance from the first. A search looks at tags side by side and then at
//! one entry, or so.
//!
//! Invariants: tags and places stand in the same order, of no meaning; each entry has one of both.

use memchr::memchr_iter;
use xxhash_rust::xxh3::xxh3_64;

use super::handle::Packed;

/// More entries than this have an index.
const FEW: usize = 16;
/// More entries, or bytes of them, are not packed.
const ENTRIES_MAX: usize = 512;
const BYTES_MAX: usize = u16::MAX as usize;
const PART_MAX: usize = u8::MAX as usize;
const ROOM_FIRST: usize = 24;

/// Forms of [`Packed`] bytes.
pub(super) const FORM_FEW: u8 = 1;
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
}

impl Found<'_> {
    pub fn spot(&self) -> Spot {
        Spot { at: self.at, end: self.end, slot: self.slot, value_len: self.value.len() }
    }
}

/// Names with values, or (`!VALUES`) without.
pub(super) struct Names<const VALUES: bool>;

impl<const VALUES: bool> Names<VALUES> {
    const HEAD: usize = if VALUES { 2 } else { 1 };

    #[inline]
    fn entry(entries: &[u8], at: usize, slot: usize) -> Found<'_> {
        let name_at = at + Self::HEAD;
        let value_at = name_at + usize::from(entries[at]);
        let end = if VALUES { value_at + usize::from(entries[at + 1]) } else { value_at };
        Found { name: &entries[name_at..value_at], value: &entries[value_at..end], at, end, slot }
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

    /// One more entry of this name and value may be packed too.
    pub fn fits(packed: &Packed, name: &[u8], value: &[u8]) -> bool {
        packed.count() < ENTRIES_MAX && Self::holds(packed, name, value)
    }

    /// An entry may have this name and value, as far as their lengths go.
    pub fn holds(packed: &Packed, name: &[u8], value: &[u8]) -> bool {
        let more = Self::HEAD + name.len() + value.len();
        name.len() <= PART_MAX && value.len() <= PART_MAX && packed.len() + more <= BYTES_MAX
    }

    /// Adds an entry that is not there and that [`Names::fits`].
    pub fn push(packed: &mut Packed, name: &[u8], value: &[u8]) {
        let count = packed.count();
        if packed.form() == FORM_INDEXED {
            let room = u16_at(packed.bytes(), 0);
            if count == room {
                Self::index(packed, (room + room / 2).next_multiple_of(8));
            }
        } else if count == FEW {
            Self::index(packed, ROOM_FIRST);
        }
        let at = packed.len();
        let lens = [name.len() as u8, value.len() as u8];
        packed.append(&[&lens[..Self::HEAD], name, value]);
        if packed.form() == FORM_INDEXED {
            let bytes = packed.bytes_mut();
            let room = u16_at(bytes, 0);
            bytes[2 + count] = tag_of(name);
            put_u16(bytes, 2 + room + 2 * count, at - index_bytes(room));
        } else {
            packed.set_form(FORM_FEW);
        }
        packed.set_count(count + 1);
    }

    /// Changes a value; [`Names::holds`] it.
    pub fn set_value(packed: &mut Packed, spot: Spot, value: &[u8]) {
        let first = entries_at(packed);
        let end = first + spot.end;
        let (old, new) = (spot.value_len, value.len());
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
                packed.close(0, first);
                packed.set_form(FORM_FEW);
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
        for step in 0..40_000usize {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let n = state >> 33;
            // Many for a time, then few.
            let space = if step % 10_000 < 6000 { 400 } else { 12 };
            let name = format!("name{}", n % space).into_bytes();
            let value = vec![n as u8; (n >> 10) as usize % 90];
            let known = model.iter().position(|e| e.0 == name);
            let spot = Pairs::find(&packed, &name).map(|found| found.spot());
            assert_eq!(spot.is_some(), known.is_some());
            let removes = state >> 62 == 0 || space == 12 && model.len() > 12;
            match (spot, known) {
                (Some(spot), Some(at)) if removes => {
                    Pairs::remove(&mut packed, spot);
                    model.remove(at);
                }
                (Some(spot), Some(at)) if Pairs::holds(&packed, &name, &value) => {
                    Pairs::set_value(&mut packed, spot, &value);
                    model[at].1 = value;
                }
                (None, None) if Pairs::fits(&packed, &name, &value) => {
                    Pairs::push(&mut packed, &name, &value);
                    model.push((name, value));
                }
                _ => {}
            }
            if space == 12
                && removes
                && let Some((name, _)) = model.first().cloned()
            {
                let spot = Pairs::find(&packed, &name).expect("it is there").spot();
                Pairs::remove(&mut packed, spot);
                model.remove(0);
            }
            assert_eq!(packed.count(), model.len());
            if step % 97 == 0 {
                assert!(
                    Pairs::iter(&packed)
                        .map(|e| (e.name, e.value))
                        .eq(model.iter().map(|e| (&e.0[..], &e.1[..])))
                );
                let mut drawn: Vec<_> =
                    (0..model.len()).filter_map(|n| Pairs::nth(&packed, n)).map(|e| e.name).collect();
                drawn.sort();
                let mut names: Vec<_> = model.iter().map(|e| &e.0[..]).collect();
                names.sort();
                assert_eq!(drawn, names);
            }
        }
    }
}
