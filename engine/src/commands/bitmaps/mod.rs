//! Commands on the bits of strings.

mod bit;
mod count;
mod field;
mod operation;

pub use bit::{getbit, setbit};
pub use count::{bitcount, bitpos};
pub use field::{bitfield, bitfield_ro};
pub use operation::bitop;

use crate::core::Unit;
use crate::number::parse_i64;
use crate::refusal::Refusal;

/// A bit's place: not negative, and within the longest string. With `width`, `#n` is the n-th integer of that width.
fn offset(unit: &Unit<'_>, arg: &[u8], width: Option<u32>) -> Result<u64, Refusal> {
    let wrong = Refusal::Text("ERR bit offset is not an integer or out of range");
    let (text, factor) = match (arg, width) {
        ([b'#', rest @ ..], Some(width)) => (rest, u64::from(width)),
        _ => (arg, 1),
    };
    let n = parse_i64(text).and_then(|n| u64::try_from(n).ok()).and_then(|n| n.checked_mul(factor));
    n.filter(|n| n >> 3 < unit.string_bytes_max()).ok_or(wrong)
}

/// Writing the bits that are there already is no change, as in Redis. To peers it is one: it stands against what they write
/// meanwhile.
fn needs_no_effect(unit: &Unit<'_>, old: u64, new: u64) -> bool {
    old == new && unit.is_alone()
}
