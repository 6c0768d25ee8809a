//! Updates of a string value: deltas, appended chunks, overlays.

use crate::number::{LongDouble, parse_i64, push_i64};

/// One update, owned.
#[derive(Clone, PartialEq, Debug)]
pub enum Update {
    Delta(i64),
    DeltaFloat(LongDouble),
    Append(Box<[u8]>),
    Overlay { base: Option<proto::EffectId>, offset: u64, bytes: Box<[u8]> },
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
    }
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
