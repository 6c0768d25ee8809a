//! A sorted set's members with their scores, compact while small.
//!
//! Few short members are packed bytes in order; others a table from member to score beside a counting tree in order. Members
//! are shared by both. As in Redis, a sorted set that left the packed form does not go back.

use std::borrow::Cow;
use std::sync::Arc;

use proto::varint;

use super::hash_table::{HashTable, Record};
use super::limits;
use super::packed::same;
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
}

#[derive(Clone, Debug)]
enum Repr {
    /// (length varint, member, score) after another, in order.
    Packed {
        bytes: Vec<u8>,
        count: u32,
    },
    Big(Box<Big>),
}

/// Distinct members, each with a score that is a number.
#[derive(Clone, Debug)]
pub struct ZSetValue(Repr);

impl Default for ZSetValue {
    fn default() -> Self {
        ZSetValue(Repr::Packed { bytes: Vec::new(), count: 0 })
    }
}

impl PartialEq for ZSetValue {
    fn eq(&self, other: &Self) -> bool {
        let mut same = self.len() == other.len();
        self.walk(0, self.len(), false, &mut |member, score| same &= other.score(member) == Some(score));
        same
    }
}

/// A score, short where it is a small integer (-0 is 0, as in Redis' packed form): its width (1, 2, 4 bytes; 8 for any double), then the bytes.
fn put_score(out: &mut Vec<u8>, score: f64) {
    let whole = score as i32;
    if f64::from(whole) != score {
        out.push(8);
        out.extend_from_slice(&score.to_le_bytes());
    } else if let Ok(small) = i8::try_from(whole) {
        out.push(1);
        out.push(small as u8);
    } else if let Ok(short) = i16::try_from(whole) {
        out.push(2);
        out.extend_from_slice(&short.to_le_bytes());
    } else {
        out.push(4);
        out.extend_from_slice(&whole.to_le_bytes());
    }
}

fn take_score(input: &mut &[u8]) -> Option<f64> {
    let (width, rest) = input.split_first()?;
    let (bytes, rest) = rest.split_at_checked(usize::from(*width))?;
    *input = rest;
    Some(match *bytes {
        [a] => f64::from(a as i8),
        [a, b] => f64::from(i16::from_le_bytes([a, b])),
        [a, b, c, d] => f64::from(i32::from_le_bytes([a, b, c, d])),
        _ => f64::from_le_bytes(bytes.try_into().ok()?),
    })
}

struct Found<'a> {
    member: &'a [u8],
    score: f64,
    at: usize,
    end: usize,
}

fn packed(bytes: &[u8]) -> impl Iterator<Item = Found<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let at = bytes.len() - rest.len();
        let member = varint::take_bytes(&mut rest)?;
        let score = take_score(&mut rest)?;
        Some(Found { member, score, at, end: bytes.len() - rest.len() })
    })
}

impl ZSetValue {
    pub fn from_scores<'a>(scores: impl Iterator<Item = (f64, &'a [u8])>) -> Self {
        let mut zset = ZSetValue::default();
        scores.for_each(|(score, member)| _ = zset.put(member, score));
        zset
    }

    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Packed { count, .. } => *count as usize,
            Repr::Big(big) => big.scores.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What OBJECT ENCODING of Redis 7.0 says.
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Repr::Packed { .. } => "listpack",
            Repr::Big(_) => "skiplist",
        }
    }

    /// Bytes out of line, in blocks of the allocator; members by the mean of `samples` of them (0 = all).
    pub fn heap_bytes(&self, samples: usize, block: fn(usize) -> usize) -> usize {
        match &self.0 {
            Repr::Packed { bytes, .. } if bytes.capacity() == 0 => 0,
            Repr::Packed { bytes, .. } => block(bytes.capacity()),
            Repr::Big(big) => {
                let frame = block(size_of::<Big>()) + big.order.heap_bytes(block);
                frame + big.scores.heap_bytes(samples, block)
            }
        }
    }

    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.0 {
            Repr::Packed { bytes, .. } => packed(bytes).find(|p| same(p.member, member)).map(|p| p.score),
            Repr::Big(big) => big.scores.find(member).map(|found| found.score),
        }
    }

    pub fn contains(&self, member: &[u8]) -> bool {
        self.score(member).is_some()
    }

    /// Sets a member's score. True when the member was not there.
    pub fn put(&mut self, member: &[u8], score: f64) -> bool {
        debug_assert!(!score.is_nan());
        match &mut self.0 {
            Repr::Big(big) => {
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
                true
            }
            Repr::Packed { bytes, count } => {
                let mut known = None;
                let mut place = None;
                for found in packed(bytes) {
                    if known.is_none() && same(found.member, member) {
                        known = Some((found.at, found.end, found.score));
                    } else if place.is_none() && order((found.score, found.member), (score, member)).is_gt() {
                        place = Some(found.at);
                    }
                    if known.is_some() && place.is_some() {
                        break;
                    }
                }
                let too_many = known.is_none() && *count as usize >= limits::ZSET_ENTRIES.get();
                if too_many || member.len() > limits::ZSET_BYTES.get() {
                    return self.widen().put(member, score);
                }
                let mut at = place.unwrap_or(bytes.len());
                if let Some((from, to, old)) = known {
                    if old.to_bits() == score.to_bits() {
                        return false;
                    }
                    bytes.drain(from..to);
                    *count -= 1;
                    if at >= to {
                        at -= to - from;
                    }
                }
                let mut new = Vec::with_capacity(member.len() + 12);
                varint::put_bytes(&mut new, member);
                put_score(&mut new, score);
                bytes.reserve_exact(new.len());
                bytes.splice(at..at, new);
                *count += 1;
                known.is_none()
            }
        }
    }

    /// True when it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.0 {
            Repr::Big(big) => match big.scores.remove(member) {
                Some(found) => {
                    big.order.remove(found.score, member);
                    true
                }
                None => false,
            },
            Repr::Packed { bytes, count } => {
                let Some(found) = packed(bytes).find(|p| same(p.member, member)) else { return false };
                let (from, to) = (found.at, found.end);
                bytes.drain(from..to);
                *count -= 1;
                true
            }
        }
    }

    fn widen(&mut self) -> &mut Self {
        let mut big = Box::new(Big::default());
        self.walk(0, self.len(), false, &mut |member, score| {
            let member: Arc<[u8]> = member.into();
            big.order.insert(score, member.clone());
            big.scores.insert_new(Scored { score, member });
        });
        self.0 = Repr::Big(big);
        self
    }

    /// How many members lie before the first that `before(score, member)` denies; `before` holds for a beginning of the order.
    pub fn partition(&self, before: &dyn Fn(f64, &[u8]) -> bool) -> usize {
        match &self.0 {
            Repr::Packed { bytes, .. } => packed(bytes).take_while(|p| before(p.score, p.member)).count(),
            Repr::Big(big) => big.order.partition(before),
        }
    }

    /// A member's place and score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        Some((self.partition(&|s, m| order((s, m), (score, member)).is_lt()), score))
    }

    /// Visits `take` members from a place on, counted from the end and backwards with `reverse`.
    pub fn walk(&self, from: usize, take: usize, reverse: bool, visit: &mut dyn FnMut(&[u8], f64)) {
        match &self.0 {
            Repr::Big(big) => big.order.walk(from, take, reverse, &mut |score, member| visit(member, score)),
            Repr::Packed { bytes, .. } if !reverse => {
                packed(bytes).skip(from).take(take).for_each(|p| visit(p.member, p.score));
            }
            Repr::Packed { bytes, .. } => {
                let all: Vec<Found<'_>> = packed(bytes).collect();
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
        match &self.0 {
            Repr::Big(big) => big.scores.random(random).map(|s| (Cow::Borrowed(&*s.member), s.score)),
            Repr::Packed { count: 0, .. } => None,
            Repr::Packed { bytes, count } => {
                let found = packed(bytes).nth((random() % u64::from(*count)) as usize)?;
                Some((Cow::Borrowed(found.member), found.score))
            }
        }
    }

    /// As [`super::set::SetValue::scan`].
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(&[u8], f64)) -> u64 {
        match &self.0 {
            Repr::Big(big) => big.scores.scan(cursor, count, &mut |s| visit(&s.member, s.score)),
            Repr::Packed { bytes, .. } => {
                packed(bytes).for_each(|p| visit(p.member, p.score));
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

    #[test]
    fn scores_keep_every_bit_but_the_sign_of_zero() {
        let scores = [0.0, 1.0, -128.0, 128.0, 40_000.0, -3e9, 0.1, f64::INFINITY, f64::MAX, 2147483648.0];
        for score in scores {
            let mut bytes = Vec::new();
            put_score(&mut bytes, score);
            let mut input = &bytes[..];
            assert_eq!(take_score(&mut input).map(f64::to_bits), Some(score.to_bits()));
            assert!(input.is_empty());
        }
    }
}
