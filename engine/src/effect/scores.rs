//! Effects on the members of a sorted set.

use proto::varint::{self, put_bytes, take, take_bytes};

use super::Members;

/// Members with scores: borrowed from a plan or from an encoded record. No score is NaN.
#[derive(Clone, Copy, Debug)]
pub enum Scores<'a> {
    Slices(&'a [(f64, &'a [u8])]),
    /// `count` times (8 bytes little-endian, varint length, bytes); checked when decoded.
    Encoded {
        count: usize,
        bytes: &'a [u8],
    },
}

impl<'a> Scores<'a> {
    pub fn len(&self) -> usize {
        match self {
            Scores::Slices(s) => s.len(),
            Scores::Encoded { count, .. } => *count,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn iter(&self) -> ScoresIter<'a> {
        ScoresIter(*self)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        varint::put(out, self.len() as u64);
        for (score, member) in self.iter() {
            out.extend_from_slice(&score.to_le_bytes());
            put_bytes(out, member);
        }
    }

    pub(super) fn decode(input: &mut &'a [u8]) -> Option<Self> {
        let count = usize::try_from(take(input)?).ok()?;
        let bytes = *input;
        for _ in 0..count {
            take_pair(input).filter(|(score, _)| !score.is_nan())?;
        }
        Some(Scores::Encoded { count, bytes: &bytes[..bytes.len() - input.len()] })
    }
}

impl PartialEq for Scores<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

fn take_pair<'a>(input: &mut &'a [u8]) -> Option<(f64, &'a [u8])> {
    let (score, rest) = input.split_first_chunk::<8>()?;
    *input = rest;
    Some((f64::from_le_bytes(*score), take_bytes(input)?))
}

/// Iterator over [`Scores`].
pub struct ScoresIter<'a>(Scores<'a>);

impl<'a> Iterator for ScoresIter<'a> {
    type Item = (f64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Scores::Slices(slices) => {
                let (first, rest) = slices.split_first()?;
                *slices = rest;
                Some(*first)
            }
            Scores::Encoded { count, bytes } => {
                *count = count.checked_sub(1)?;
                take_pair(bytes)
            }
        }
    }
}

/// What an effect does to members.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ScoreOp<'a> {
    /// Each an assignment of its member's score.
    Put(Scores<'a>),
    /// Added to the score.
    Add(Scores<'a>),
    /// The score is raised to this.
    Max(Scores<'a>),
    /// The score is lowered to this.
    Min(Scores<'a>),
    /// Each member loses what this effect saw.
    Remove(Members<'a>),
}

pub(super) const KIND_PUT: u8 = 40;
pub(super) const KIND_ADD: u8 = 41;
pub(super) const KIND_MAX: u8 = 42;
pub(super) const KIND_MIN: u8 = 43;
pub(super) const KIND_REMOVE: u8 = 44;

impl<'a> ScoreOp<'a> {
    pub(super) fn kind(&self) -> u8 {
        match self {
            ScoreOp::Put(_) => KIND_PUT,
            ScoreOp::Add(_) => KIND_ADD,
            ScoreOp::Max(_) => KIND_MAX,
            ScoreOp::Min(_) => KIND_MIN,
            ScoreOp::Remove(_) => KIND_REMOVE,
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            ScoreOp::Put(scores) | ScoreOp::Add(scores) | ScoreOp::Max(scores) | ScoreOp::Min(scores) => {
                scores.encode(out);
            }
            ScoreOp::Remove(members) => members.encode(out),
        }
    }

    /// `None`: not of this family, or malformed.
    pub(super) fn decode(body: &mut &'a [u8], kind: u8) -> Option<Self> {
        Some(match kind {
            KIND_PUT => ScoreOp::Put(Scores::decode(body)?),
            KIND_ADD => ScoreOp::Add(Scores::decode(body)?),
            KIND_MAX => ScoreOp::Max(Scores::decode(body)?),
            KIND_MIN => ScoreOp::Min(Scores::decode(body)?),
            KIND_REMOVE => ScoreOp::Remove(Members::decode(body)?),
            _ => return None,
        })
    }
}
