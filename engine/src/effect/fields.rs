//! Effects on the fields of a hash.

use proto::varint::{self, put_bytes, take, take_bytes};

use super::Members;
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
}

pub(super) const KIND_PUT: u8 = 32;
pub(super) const KIND_REMOVE: u8 = 33;
pub(super) const KIND_DELTA: u8 = 34;
pub(super) const KIND_DELTA_FLOAT: u8 = 35;

impl<'a> FieldOp<'a> {
    pub(super) fn kind(&self) -> u8 {
        match self {
            FieldOp::Put(_) => KIND_PUT,
            FieldOp::Remove(_) => KIND_REMOVE,
            FieldOp::Delta { .. } => KIND_DELTA,
            FieldOp::DeltaFloat { .. } => KIND_DELTA_FLOAT,
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
