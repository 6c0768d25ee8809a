//! Updates of a string value: deltas, appended chunks, overlays.

use proto::EffectId;

use crate::effect::{BitsOp, Op, RegistersOp};
use crate::hyperloglog;
use crate::number::{LongDouble, bits, parse_i64, push_i64};

/// One update, owned.
#[derive(Clone, PartialEq, Debug)]
pub enum Update {
    Delta(i64),
    DeltaFloat(LongDouble),
    Append(Box<[u8]>),
    Overlay { base: Option<EffectId>, offset: u64, bytes: Box<[u8]> },
    Bits(BitsOp),
    Registers(Box<RegistersOp>),
}

impl Update {
    /// What an effect does to a string; `None` of one that is no update.
    pub fn of(op: &Op<'_>) -> Option<Update> {
        Some(match op {
            Op::Delta(n) => Update::Delta(*n),
            Op::DeltaFloat(n) => Update::DeltaFloat(*n),
            Op::Append(bytes) => Update::Append((*bytes).into()),
            Op::Overlay { base, offset, bytes } => {
                Update::Overlay { base: *base, offset: *offset, bytes: (*bytes).into() }
            }
            Op::Bits(op) => Update::Bits(*op),
            Op::Registers(op) => Update::Registers(Box::new(op.clone())),
            _ => return None,
        })
    }

    /// The value that this one shows on alone; `None`: it shows on any.
    pub fn laid_on(&self) -> Option<Option<EffectId>> {
        match self {
            Update::Overlay { base, .. } | Update::Bits(BitsOp { base, .. }) => Some(*base),
            _ => None,
        }
    }

    /// Makes a value where there is none.
    pub fn makes_value(&self) -> bool {
        !matches!(self.laid_on(), Some(Some(_)))
    }
}

/// Applies one update to a value (absent counts as empty, or zero). The result is Redis' on one server; a delta on something
/// that is no number leaves it (SEMANTICS §1.1, "hidden"). Returns false when it was left so.
pub fn apply(value: &mut Option<Vec<u8>>, update: &Update) -> bool {
    match update {
        Update::Delta(n) => {
            let current = match value.as_deref() {
                None => Some(0),
                Some(bytes) => parse_i64(bytes),
            };
            if let Some(current) = current {
                let out = value.get_or_insert_default();
                out.clear();
                push_i64(out, current.saturating_add(*n));
                return true;
            }
            add_float(value, LongDouble::from_i64(*n))
        }
        Update::DeltaFloat(n) => add_float(value, *n),
        Update::Append(bytes) => {
            value.get_or_insert_default().extend_from_slice(bytes);
            true
        }
        Update::Overlay { offset, bytes, .. } => {
            overlay(value.get_or_insert_default(), *offset, bytes);
            true
        }
        Update::Bits(op) => {
            set_bits(value.get_or_insert_default(), op);
            true
        }
        Update::Registers(op) => hyperloglog::raise(value, &op.ranks, op.dense),
    }
}

/// Sets an integer within a string, or adds to it.
pub fn set_bits(value: &mut Vec<u8>, op: &BitsOp) {
    let width = u32::from(op.width);
    let there = if op.adds { bits::read(value, op.at, width) } else { 0 };
    bits::write(value, op.at, width, bits::low(there.wrapping_add(op.value), width));
}

/// Writes `bytes` at `offset`, extending with zeros.
pub fn overlay(value: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let start = offset as usize;
    let end = start + bytes.len();
    if value.len() < end {
        value.resize(end, 0);
    }
    value[start..end].copy_from_slice(bytes);
}

fn add_float(value: &mut Option<Vec<u8>>, n: LongDouble) -> bool {
    let current = match value.as_deref() {
        None => Some(LongDouble::from_i64(0)),
        Some(bytes) => LongDouble::parse(bytes),
    };
    let Some(sum) = current.and_then(|c| c.checked_add(n)) else { return false };
    let out = value.get_or_insert_default();
    out.clear();
    sum.format_human(out);
    true
}
