//! Members with their scores, packed into one piece of memory, in order.
//!
//! ```text
//! few:     (length u8 | member | score)…
//! indexed: room u16 | tags room × u8 | places room × u16 | scores room × f64 | (length u8 | member)…
//! ```
//! Tags and places are those of [`crate::state::packed`], but in order, as are the scores beside them; the members are in no order.

use std::cmp::Ordering;

use memchr::memchr_iter;

use super::super::handle::Packed;
use super::super::packed::{FORM_INDEXED, FORM_PLAIN, put_u16, same, shift_places, tag_of, u16_at};
use super::super::ranked::order;

/// More members than this have an index.
const FEW: usize = 16;
/// More members, or bytes of them, are not packed.
const MEMBERS_MAX: usize = 256;
const BYTES_MAX: usize = u16::MAX as usize;
const MEMBER_MAX: usize = u8::MAX as usize;
const ROOM_FIRST: usize = 24;
const SCORE: usize = size_of::<f64>();
const LINE: usize = 64;
/// Lines that are brought near at once.
const LINES_MAX: usize = 16;

/// A score, short where it is a small integer: its width (1, 2, 4 bytes; 8 for any double), then the bytes.
#[derive(Clone, Copy)]
struct Short {
    bytes: [u8; 1 + SCORE],
    len: usize,
}

impl Short {
    fn new(score: f64) -> Self {
        let whole = score as i32;
        let mut short = Short { bytes: [0; 1 + SCORE], len: 0 };
        if f64::from(whole).to_bits() != score.to_bits() {
            short.put(&score.to_le_bytes());
        } else if let Ok(small) = i8::try_from(whole) {
            short.put(&small.to_le_bytes());
        } else if let Ok(middle) = i16::try_from(whole) {
            short.put(&middle.to_le_bytes());
        } else {
            short.put(&whole.to_le_bytes());
        }
        short
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes[0] = bytes.len() as u8;
        self.bytes[1..=bytes.len()].copy_from_slice(bytes);
        self.len = 1 + bytes.len();
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The score at a place, and where it ends.
#[inline]
fn short_at(bytes: &[u8], at: usize) -> (f64, usize) {
    let end = at + 1 + usize::from(bytes[at]);
    let score = match bytes[at + 1..end] {
        [a] => f64::from(a as i8),
        [a, b] => f64::from(i16::from_le_bytes([a, b])),
        [a, b, c, d] => f64::from(i32::from_le_bytes([a, b, c, d])),
        _ => long_at(bytes, at + 1),
    };
    (score, end)
}

#[inline]
fn long_at(bytes: &[u8], at: usize) -> f64 {
    f64::from_le_bytes(bytes[at..at + SCORE].try_into().expect("eight bytes"))
}

/// A member with its score.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub member: &'a [u8],
    pub score: f64,
    at: usize,
    end: usize,
    /// Its place in the order, where there is an index.
    slot: usize,
}

/// Where a member lies, without what is there.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    score: f64,
    at: usize,
    end: usize,
    slot: usize,
}

impl Found<'_> {
    pub fn spot(&self) -> Spot {
        Spot { score: self.score, at: self.at, end: self.end, slot: self.slot }
    }
}

/// Where the parts of an index begin.
#[derive(Clone, Copy)]
struct Parts {
    tags: usize,
    places: usize,
    scores: usize,
    members: usize,
}

fn parts(room: usize) -> Parts {
    let (tags, places) = (2, 2 + room);
    let scores = places + 2 * room;
    Parts { tags, places, scores, members: scores + SCORE * room }
}

fn is_indexed(packed: &Packed) -> bool {
    packed.form() == FORM_INDEXED
}

/// The few members one after another.
fn few(bytes: &[u8]) -> impl Iterator<Item = Found<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let from = at;
        let member_end = from + 1 + usize::from(*bytes.get(from)?);
        let (score, end) = short_at(bytes, member_end);
        at = end;
        Some(Found { member: &bytes[from + 1..member_end], score, at: from, end, slot: 0 })
    })
}

/// Members that have an index.
#[derive(Clone, Copy)]
struct Indexed<'a> {
    bytes: &'a [u8],
    count: usize,
    parts: Parts,
}

impl<'a> Indexed<'a> {
    fn of(packed: &'a Packed) -> Option<Self> {
        let bytes = packed.bytes();
        is_indexed(packed).then(|| Indexed { bytes, count: packed.count(), parts: parts(u16_at(bytes, 0)) })
    }

    #[inline]
    fn score(self, slot: usize) -> f64 {
        long_at(self.bytes, self.parts.scores + SCORE * slot)
    }

    #[inline]
    fn member(self, slot: usize) -> (usize, &'a [u8]) {
        let place = u16_at(self.bytes, self.parts.places + 2 * slot);
        let at = self.parts.members + place;
        (place, &self.bytes[at + 1..][..usize::from(self.bytes[at])])
    }

    fn at(self, slot: usize) -> Found<'a> {
        let (at, member) = self.member(slot);
        Found { member, score: self.score(slot), at, end: at + 1 + member.len(), slot }
    }

    /// Brings near what a change of the order looks at and writes.
    fn prefetch_order(self, packed: &Packed) {
        let (from, to) = (self.parts.scores, self.parts.scores + SCORE * self.count);
        (from..to).step_by(LINE).take(LINES_MAX).for_each(|at| packed.prefetch(at));
        packed.prefetch_end();
    }

    /// How many come before the first that `before` denies.
    fn partition(self, before: impl Fn(usize) -> bool) -> usize {
        let (mut from, mut to) = (0, self.count);
        while from < to {
            let middle = from.midpoint(to);
            if before(middle) { from = middle + 1 } else { to = middle }
        }
        from
    }

    /// How many come before a member with a score.
    fn rank(self, score: f64, member: &[u8]) -> usize {
        self.partition(|slot| match self.score(slot).partial_cmp(&score) {
            Some(Ordering::Less) => true,
            Some(Ordering::Greater) => false,
            _ => self.member(slot).1 < member,
        })
    }
}

/// See the module.
pub(super) struct Scores;

impl Scores {
    /// Every member, in order.
    pub fn iter(packed: &Packed) -> impl Iterator<Item = Found<'_>> {
        let indexed = Indexed::of(packed);
        let bytes = if indexed.is_some() { &[][..] } else { packed.bytes() };
        few(bytes).chain(indexed.into_iter().flat_map(|all| (0..all.count).map(move |slot| all.at(slot))))
    }

    #[inline]
    pub fn find<'a>(packed: &'a Packed, member: &[u8]) -> Option<Found<'a>> {
        let Some(all) = Indexed::of(packed) else {
            return few(packed.bytes()).find(|found| same(found.member, member));
        };
        memchr_iter(tag_of(member), &all.bytes[all.parts.tags..][..all.count])
            .find(|slot| all.member(*slot).1 == member)
            .map(|slot| all.at(slot))
    }

    /// How many members lie before the first that `before(score, member)` denies; `before` holds for a beginning of the order.
    pub fn partition(packed: &Packed, before: &dyn Fn(f64, &[u8]) -> bool) -> usize {
        match Indexed::of(packed) {
            Some(all) => all.partition(|slot| before(all.score(slot), all.member(slot).1)),
            None => few(packed.bytes()).take_while(|p| before(p.score, p.member)).count(),
        }
    }

    /// A member's score may change soon, or one may be added.
    #[inline]
    pub fn prefetch_order(packed: &Packed) {
        if let Some(all) = Indexed::of(packed) {
            all.prefetch_order(packed);
        }
    }

    /// One more member may be packed too.
    pub fn fits(packed: &Packed, member: &[u8]) -> bool {
        let more = 2 + SCORE + member.len();
        packed.count() < MEMBERS_MAX && member.len() <= MEMBER_MAX && packed.len() + more <= BYTES_MAX
    }

    /// Adds a member that is not there and that [`Scores::fits`].
    pub fn insert(packed: &mut Packed, member: &[u8], score: f64) {
        let count = packed.count();
        match Indexed::of(packed) {
            Some(all) if all.parts.places - 2 == count => {
                Self::index(packed, (count + count / 2).next_multiple_of(8))
            }
            None if count == FEW => Self::index(packed, ROOM_FIRST),
            _ => {}
        }
        let Some(all) = Indexed::of(packed) else {
            Self::insert_few(packed, member, score);
            packed.set_count(count + 1);
            return;
        };
        let (slot, parts, end) = (all.rank(score, member), all.parts, packed.len());
        packed.append(&[&[member.len() as u8], member]);
        let bytes = packed.bytes_mut();
        // What comes after it moves up.
        for (first, width) in [(parts.tags, 1), (parts.places, 2), (parts.scores, SCORE)] {
            bytes.copy_within(first + width * slot..first + width * count, first + width * (slot + 1));
        }
        bytes[parts.tags + slot] = tag_of(member);
        put_u16(bytes, parts.places + 2 * slot, end - parts.members);
        bytes[parts.scores + SCORE * slot..][..SCORE].copy_from_slice(&score.to_le_bytes());
        packed.set_count(count + 1);
    }

    fn insert_few(packed: &mut Packed, member: &[u8], score: f64) {
        let after = |found: &Found<'_>| order((found.score, found.member), (score, member)).is_gt();
        let at = few(packed.bytes()).find(after).map_or(packed.len(), |found| found.at);
        let short = Short::new(score);
        packed.open(at, 1 + member.len() + short.len);
        packed.set_form(FORM_PLAIN);
        let bytes = &mut packed.bytes_mut()[at..];
        bytes[0] = member.len() as u8;
        bytes[1..][..member.len()].copy_from_slice(member);
        bytes[1 + member.len()..][..short.len].copy_from_slice(short.as_bytes());
    }

    /// Gives a member another score.
    pub fn set_score(packed: &mut Packed, spot: Spot, member: &[u8], score: f64) {
        if spot.score.to_bits() == score.to_bits() {
            return;
        }
        let Some(all) = Indexed::of(packed) else {
            packed.close(spot.at, spot.end - spot.at);
            return Self::insert_few(packed, member, score);
        };
        let (parts, from) = (all.parts, spot.slot);
        // The member itself lies before its new place if that is higher up.
        let rank = all.rank(score, member);
        let to = if rank > from { rank - 1 } else { rank };
        let bytes = packed.bytes_mut();
        for (first, width) in [(parts.tags, 1), (parts.places, 2), (parts.scores, SCORE)] {
            let (low, high) = (from.min(to), from.max(to) + 1);
            let span = &mut bytes[first + width * low..first + width * high];
            if from < to { span.rotate_left(width) } else { span.rotate_right(width) }
        }
        bytes[parts.scores + SCORE * to..][..SCORE].copy_from_slice(&score.to_le_bytes());
    }

    pub fn remove(packed: &mut Packed, spot: Spot) {
        let count = packed.count() - 1;
        let Some(all) = Indexed::of(packed) else {
            packed.close(spot.at, spot.end - spot.at);
            packed.set_count(count);
            return;
        };
        let (parts, slot) = (all.parts, spot.slot);
        let bytes = packed.bytes_mut();
        for (first, width) in [(parts.tags, 1), (parts.places, 2), (parts.scores, SCORE)] {
            bytes.copy_within(first + width * (slot + 1)..first + width * (count + 1), first + width * slot);
        }
        let less = spot.end - spot.at;
        shift_places(&mut bytes[parts.places..][..2 * count], spot.at, -(less as isize));
        packed.close(parts.members + spot.at, less);
        packed.set_count(count);
        if count <= FEW / 2 {
            let mut fresh = Packed::new();
            Self::iter(packed).enumerate().for_each(|(n, found)| {
                Self::insert_few(&mut fresh, found.member, found.score);
                fresh.set_count(n + 1);
            });
            if packed.is_marked() {
                fresh.mark();
            }
            *packed = fresh;
        }
    }

    /// Gives the members an index with room for so many, more than there are.
    #[cold]
    fn index(packed: &mut Packed, room: usize) {
        let parts = parts(room);
        let (mut head, mut members) = (vec![0; parts.members], Vec::with_capacity(packed.len()));
        put_u16(&mut head, 0, room);
        for (slot, found) in Self::iter(packed).enumerate() {
            head[parts.tags + slot] = tag_of(found.member);
            put_u16(&mut head, parts.places + 2 * slot, members.len());
            head[parts.scores + SCORE * slot..][..SCORE].copy_from_slice(&found.score.to_le_bytes());
            members.push(found.member.len() as u8);
            members.extend_from_slice(found.member);
        }
        let (count, marked) = (packed.count(), packed.is_marked());
        *packed = Packed::new();
        packed.open(0, head.len() + members.len());
        let (index, rest) = packed.bytes_mut().split_at_mut(head.len());
        index.copy_from_slice(&head);
        rest.copy_from_slice(&members);
        packed.set_form(FORM_INDEXED);
        packed.set_count(count);
        if marked {
            packed.mark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_keep_every_bit() {
        let scores =
            [0.0, -0.0, 1.0, -128.0, 128.0, 40_000.0, -3e9, 0.1, f64::INFINITY, f64::MAX, 2147483648.0];
        for score in scores {
            let short = Short::new(score);
            let (read, end) = short_at(short.as_bytes(), 0);
            assert_eq!((read.to_bits(), end), (score.to_bits(), short.len));
        }
    }
}
