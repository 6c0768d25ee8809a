//! A sorted set's members with their scores, compact while small.
//!
//! Few short members are packed bytes in order; others a table from member to score beside a counting tree in order. Members
//! are shared by both. What Redis would call its encoding is kept apart: as there, a sorted set that left the packed one does not
//! go back.

mod scores;

use std::borrow::Cow;
use std::sync::Arc;

use self::scores::Scores;
use super::handle::{Form, FormMut, Handle};
use super::hash_table::{HashTable, Record};
use super::limits;
use super::ranked::{Ranked, Scored, order};

impl Record for Scored {
    fn key(&self) -> &[u8] {
        &self.member
    }

    fn heap_bytes(&self, block: fn(usize) -> usize) -> usize {
        block(self.member.len() + 2 * size_of::<usize>())
    }
}

#[derive(Clone, Debug, Default)]
struct Big {
    scores: HashTable<Scored>,
    order: Ranked,
    /// Redis would have them packed.
    listpack: bool,
}

/// Distinct members, each with a score that is a number.
#[derive(Clone, Debug, Default)]
#[repr(transparent)]
pub struct ZSetValue(Handle<Big>);

impl PartialEq for ZSetValue {
    fn eq(&self, other: &Self) -> bool {
        let mut same = self.len() == other.len();
        self.walk(0, self.len(), false, &mut |member, score| same &= other.score(member) == Some(score));
        same
    }
}

impl ZSetValue {
    pub fn from_scores<'a>(scores: impl Iterator<Item = (f64, &'a [u8])>) -> Self {
        let mut zset = ZSetValue::default();
        scores.for_each(|(score, member)| _ = zset.put(member, score));
        zset
    }

    #[inline]
    pub fn len(&self) -> usize {
        match self.0.form() {
            Form::Packed(packed) => packed.count(),
            Form::Grown(big) => big.scores.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What OBJECT ENCODING of Redis 7.0 says.
    pub fn encoding(&self) -> &'static str {
        if self.is_listpack() { "listpack" } else { "skiplist" }
    }

    fn is_listpack(&self) -> bool {
        match self.0.form() {
            Form::Packed(packed) => !packed.is_marked(),
            Form::Grown(big) => big.listpack,
        }
    }

    /// Bytes out of line, in blocks of the allocator; members by the mean of `samples` of them (0 = all).
    pub fn heap_bytes(&self, samples: usize, block: fn(usize) -> usize) -> usize {
        match self.0.form() {
            Form::Packed(packed) => packed.heap_bytes(block),
            Form::Grown(big) => {
                let frame = block(size_of::<Big>()) + big.order.heap_bytes(block);
                frame + big.scores.heap_bytes(samples, block)
            }
        }
    }

    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match self.0.form() {
            Form::Packed(packed) => Scores::find(packed, member).map(|found| found.score),
            Form::Grown(big) => big.scores.find(member).map(|found| found.score),
        }
    }

    /// A member's score may change soon, or one may be added: brings near what that looks at.
    #[inline]
    pub fn prefetch_order(&self) {
        if let Form::Packed(packed) = self.0.form() {
            Scores::prefetch_order(packed);
        }
    }

    pub fn contains(&self, member: &[u8]) -> bool {
        self.score(member).is_some()
    }

    /// Sets a member's score. True when the member was not there.
    pub fn put(&mut self, member: &[u8], score: f64) -> bool {
        debug_assert!(!score.is_nan());
        let long = member.len() > limits::ZSET_BYTES.get();
        match self.0.form_mut() {
            FormMut::Grown(big) => {
                big.listpack &= !long;
                let score = if big.listpack { score + 0.0 } else { score };
                if let Some(found) = big.scores.find_mut(member) {
                    if found.score.to_bits() != score.to_bits() {
                        big.order.remove(found.score, member);
                        found.score = score;
                        big.order.insert(score, found.member.clone());
                    }
                    return false;
                }
                let member: Arc<[u8]> = member.into();
                big.order.insert(score, member.clone());
                big.scores.insert_new(Scored { score, member });
                big.listpack &= big.scores.len() <= limits::ZSET_ENTRIES.get();
                true
            }
            FormMut::Packed(packed) => {
                let spot = Scores::find(packed, member).map(|found| found.spot());
                let entries = packed.count() + 1;
                let leaves = long || spot.is_none() && entries > limits::ZSET_ENTRIES.get();
                // Redis' packed form knows no -0.
                let score = if leaves || packed.is_marked() { score } else { score + 0.0 };
                match spot {
                    Some(spot) => Scores::set_score(packed, spot, member, score),
                    None if Scores::fits(packed, member) => Scores::insert(packed, member, score),
                    None => return self.widen().put(member, score),
                }
                if leaves {
                    packed.mark();
                }
                spot.is_none()
            }
        }
    }

    /// True when it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self.0.form_mut() {
            FormMut::Grown(big) => match big.scores.remove(member) {
                Some(found) => {
                    big.order.remove(found.score, member);
                    true
                }
                None => false,
            },
            FormMut::Packed(packed) => {
                let Some(spot) = Scores::find(packed, member).map(|found| found.spot()) else { return false };
                Scores::remove(packed, spot);
                true
            }
        }
    }

    fn widen(&mut self) -> &mut Self {
        let mut big = Big { listpack: self.is_listpack(), ..Big::default() };
        self.walk(0, self.len(), false, &mut |member, score| {
            let member: Arc<[u8]> = member.into();
            big.order.insert(score, member.clone());
            big.scores.insert_new(Scored { score, member });
        });
        self.0.grow(big);
        self
    }

    /// How many members lie before the first that `before(score, member)` denies; `before` holds for a beginning of the order.
    pub fn partition(&self, before: &dyn Fn(f64, &[u8]) -> bool) -> usize {
        match self.0.form() {
            Form::Packed(packed) => Scores::partition(packed, before),
            Form::Grown(big) => big.order.partition(before),
        }
    }

    /// A member's place and score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        Some((self.partition(&|s, m| order((s, m), (score, member)).is_lt()), score))
    }

    /// Visits `take` members from a place on, counted from the end and backwards with `reverse`.
    pub fn walk(&self, from: usize, take: usize, reverse: bool, visit: &mut dyn FnMut(&[u8], f64)) {
        match self.0.form() {
            Form::Grown(big) => {
                big.order.walk(from, take, reverse, &mut |score, member| visit(member, score))
            }
            Form::Packed(packed) if !reverse => {
                Scores::iter(packed).skip(from).take(take).for_each(|p| visit(p.member, p.score));
            }
            Form::Packed(packed) => {
                let all: Vec<_> = Scores::iter(packed).collect();
                all.iter().rev().skip(from).take(take).for_each(|p| visit(p.member, p.score));
            }
        }
    }

    /// Every member with its score, in order.
    pub fn for_each(&self, mut visit: impl FnMut(&[u8], f64)) {
        self.walk(0, self.len(), false, &mut visit);
    }

    /// Every member with its score, in order, owned.
    pub fn to_vec(&self) -> Vec<(f64, Vec<u8>)> {
        let mut out = Vec::with_capacity(self.len());
        self.for_each(|member, score| out.push((score, member.to_vec())));
        out
    }

    /// A member at random with its score; `random` gives fresh numbers.
    pub fn random(&self, random: &mut dyn FnMut() -> u64) -> Option<(Cow<'_, [u8]>, f64)> {
        match self.0.form() {
            Form::Grown(big) => big.scores.random(random).map(|s| (Cow::Borrowed(&*s.member), s.score)),
            Form::Packed(packed) if packed.count() == 0 => None,
            Form::Packed(packed) => {
                let found = Scores::iter(packed).nth((random() % packed.count() as u64) as usize)?;
                Some((Cow::Borrowed(found.member), found.score))
            }
        }
    }

    /// As [`super::set::SetValue::scan`].
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(&[u8], f64)) -> u64 {
        match self.0.form() {
            Form::Grown(big) => big.scores.scan(cursor, count, &mut |s| visit(&s.member, s.score)),
            Form::Packed(packed) => {
                Scores::iter(packed).for_each(|p| visit(p.member, p.score));
                0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn sorted(model: &BTreeMap<Vec<u8>, f64>) -> Vec<(f64, Vec<u8>)> {
        let mut all: Vec<_> = model.iter().map(|(m, s)| (*s, m.clone())).collect();
        all.sort_by(|a, b| order((a.0, &a.1), (b.0, &b.1)));
        all
    }

    #[test]
    fn agrees_with_a_sorted_list_through_both_encodings() {
        let mut state = 9u64;
        for members in [30u64, 300, 20_000] {
            let (mut zset, mut model) = (ZSetValue::default(), BTreeMap::new());
            for step in 0..30_000 {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let n = state >> 33;
                let member = format!("m{}", n % members).into_bytes();
                let score =
                    [(n % 50) as f64, -((n % 70_000) as f64), n as f64 / 7.0, -0.0][(n >> 20) as usize % 4];
                let shrinking = step > 20_000;
                if state >> 62 == 0 || shrinking && state >> 61 != 1 {
                    assert_eq!(zset.remove(&member), model.remove(&member).is_some());
                } else {
                    assert_eq!(zset.put(&member, score), model.insert(member.clone(), score).is_none());
                }
                assert_eq!(zset.len(), model.len());
                assert_eq!(zset.score(&member), model.get(&member).copied());
                if step % 1000 == 0 {
                    let all = sorted(&model);
                    assert_eq!(zset.to_vec(), all);
                    for (place, (score, member)) in all.iter().enumerate().step_by(7) {
                        assert_eq!(zset.rank(member), Some((place, *score)));
                    }
                    let mut back = Vec::new();
                    zset.walk(3, 5, true, &mut |m, s| back.push((s, m.to_vec())));
                    assert_eq!(back, all.iter().rev().skip(3).take(5).cloned().collect::<Vec<_>>());
                    let below = all.iter().filter(|p| p.0 < 10.0).count();
                    assert_eq!(zset.partition(&|score, _| score < 10.0), below);
                }
            }
        }
    }
}
