//! Effects on the fields of a hash.

use proto::varint::{self, put_bytes, take, take_bytes};

use super::{Expiry, Members};
use crate::number::LongDouble;

/// What an effect does to fields.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum FieldOp<'a> {
    /// Fields and values in turn, an even number: each an assignment of its field.
    Put(Members<'a>),
    /// Each field loses what this effect saw.
    Remove(Members<'a>),
    Delta {
        field: &'a [u8],
        by: i64,
    },
    DeltaFloat {
        field: &'a [u8],
        by: LongDouble,
    },
    /// When each field ends; one that is not after the effect itself takes the field as a remove does.
    Expire(Moments<'a>),
    /// Fields that had ended at these moments: each loses what this effect saw, and whatever is older than the moment.
    Lapse(Moments<'a>),
}

/// Fields, each with a moment: borrowed from a plan or from an encoded record.
#[derive(Clone, Copy, Debug)]
pub enum Moments<'a> {
    Slices(&'a [(Expiry, &'a [u8])]),
    /// `count` times (moment, field); checked when decoded.
    Encoded {
        count: usize,
        bytes: &'a [u8],
    },
}

impl<'a> Moments<'a> {
    pub fn len(&self) -> usize {
        match self {
            Moments::Slices(slices) => slices.len(),
            Moments::Encoded { count, .. } => *count,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = (Expiry, &'a [u8])> + use<'a> {
        let (slices, count, mut bytes) = match *self {
            Moments::Slices(slices) => (slices, 0, &[][..]),
            Moments::Encoded { count, bytes } => (&[][..], count, bytes),
        };
        let mut last = 0;
        let encoded = (0..count).map_while(move |_| take_moment(&mut bytes, &mut last));
        slices.iter().copied().chain(encoded)
    }

    /// Fields that end together cost a byte each, and their names.
    fn encode(&self, out: &mut Vec<u8>) {
        varint::put(out, self.len() as u64);
        let mut last = 0u64;
        for (moment, field) in self.iter() {
            let one_more = moment.ms().map_or(0, |ms| ms + 1);
            varint::put(out, varint::zigzag(one_more.wrapping_sub(last) as i64));
            last = one_more;
            put_bytes(out, field);
        }
    }

    fn decode(input: &mut &'a [u8]) -> Option<Self> {
        let count = usize::try_from(take(input)?).ok()?;
        let (bytes, mut last) = (*input, 0);
        for _ in 0..count {
            take_moment(input, &mut last)?;
        }
        Some(Moments::Encoded { count, bytes: &bytes[..bytes.len() - input.len()] })
    }
}

fn take_moment<'a>(input: &mut &'a [u8], last: &mut u64) -> Option<(Expiry, &'a [u8])> {
    *last = last.wrapping_add(varint::unzigzag(take(input)?) as u64);
    let moment = last.checked_sub(1).map_or(Expiry::NEVER, Expiry::at_ms);
    Some((moment, take_bytes(input)?))
}

impl PartialEq for Moments<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

pub(super) const KIND_PUT: u8 = 32;
pub(super) const KIND_REMOVE: u8 = 33;
pub(super) const KIND_DELTA: u8 = 34;
pub(super) const KIND_DELTA_FLOAT: u8 = 35;
pub(super) const KIND_EXPIRE: u8 = 36;
pub(super) const KIND_LAPSE: u8 = 37;

impl<'a> FieldOp<'a> {
    pub(super) fn kind(&self) -> u8 {
        match self {
            FieldOp::Put(_) => KIND_PUT,
            FieldOp::Remove(_) => KIND_REMOVE,
            FieldOp::Delta { .. } => KIND_DELTA,
            FieldOp::DeltaFloat { .. } => KIND_DELTA_FLOAT,
            FieldOp::Expire(_) => KIND_EXPIRE,
            FieldOp::Lapse(_) => KIND_LAPSE,
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            FieldOp::Put(pairs) => encode_pairs(out, pairs),
            FieldOp::Remove(fields) => fields.encode(out),
            FieldOp::Delta { field, by } => {
                put_bytes(out, field);
                varint::put(out, varint::zigzag(*by));
            }
            FieldOp::DeltaFloat { field, by } => {
                put_bytes(out, field);
                out.extend_from_slice(&by.to_bytes());
            }
            FieldOp::Expire(moments) | FieldOp::Lapse(moments) => moments.encode(out),
        }
    }

    /// `None`: not of this family, or malformed.
    pub(super) fn decode(body: &mut &'a [u8], kind: u8) -> Option<Self> {
        Some(match kind {
            KIND_PUT => FieldOp::Put(decode_pairs(body)?),
            KIND_REMOVE => FieldOp::Remove(Members::decode(body)?),
            KIND_DELTA => {
                let field = take_bytes(body)?;
                FieldOp::Delta { field, by: varint::unzigzag(take(body)?) }
            }
            KIND_DELTA_FLOAT => {
                let field = take_bytes(body)?;
                let (number, rest) = body.split_first_chunk::<10>()?;
                *body = rest;
                FieldOp::DeltaFloat { field, by: LongDouble::from_bytes(*number)? }
            }
            KIND_EXPIRE => FieldOp::Expire(Moments::decode(body)?),
            KIND_LAPSE => FieldOp::Lapse(Moments::decode(body)?),
            _ => return None,
        })
    }
}

/// Appends the number of pairs and the pairs.
pub(super) fn encode_pairs(out: &mut Vec<u8>, pairs: &Members<'_>) {
    debug_assert!(pairs.len().is_multiple_of(2));
    varint::put(out, pairs.len() as u64 / 2);
    pairs.iter().for_each(|part| put_bytes(out, part));
}

/// Reads what [`encode_pairs`] wrote.
pub(super) fn decode_pairs<'a>(input: &mut &'a [u8]) -> Option<Members<'a>> {
    let count = usize::try_from(take(input)?).ok()?.checked_mul(2)?;
    let bytes = *input;
    for _ in 0..count {
        take_bytes(input)?;
    }
    Some(Members::Encoded { count, bytes: &bytes[..bytes.len() - input.len()] })
}
