//! Effects on the bits of a string, and on the registers of a HyperLogLog.

use proto::EffectId;
use proto::varint::{put, take};

/// An integer of `width` bits (1 to 64) at a bit's place, set or added to. Shows on the value it was laid on, as an overlay does.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BitsOp {
    /// As of an overlay.
    pub base: Option<EffectId>,
    /// Counted from the highest bit of the first byte.
    pub at: u64,
    pub width: u8,
    /// No more than `width` bits.
    pub value: u64,
    /// Added, modulo 2^width, to what is there.
    pub adds: bool,
}

/// A bit no string reaches.
const BITS_MAX: u64 = 1 << 35;
const REGISTERS: u64 = 1 << 14;

impl BitsOp {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let base = self.base.unwrap_or(EffectId::NONE);
        out.extend_from_slice(&base.node.0.to_le_bytes());
        put(out, base.seq.0);
        put(out, self.at);
        // 1 to 64, and above that the same for an addition.
        out.push(self.width | if self.adds { 0x80 } else { 0 });
        put(out, self.value);
    }

    pub(super) fn decode(body: &mut &[u8]) -> Option<Self> {
        let base = super::record::take_id(body)?;
        let at = take(body)?;
        let (form, rest) = body.split_first()?;
        *body = rest;
        let (width, adds, value) = (form & 0x7f, form & 0x80 != 0, take(body)?);
        let fits = (1..=64).contains(&width)
            && at < BITS_MAX
            && crate::number::bits::low(value, width.into()) == value;
        fits.then_some(BitsOp { base: (base != EffectId::NONE).then_some(base), at, width, value, adds })
    }
}

/// Registers of a HyperLogLog with the ranks they are raised to.
#[derive(Clone, PartialEq, Debug)]
pub struct RegistersOp {
    /// The dense form from here on.
    pub dense: bool,
    /// Ascending registers below 2^14, ranks from 1 to 63.
    pub ranks: Vec<(u16, u8)>,
}

impl RegistersOp {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.dense));
        put(out, self.ranks.len() as u64);
        let mut next = 0;
        for (register, rank) in &self.ranks {
            put(out, u64::from(*register) - next);
            out.push(*rank);
            next = u64::from(*register) + 1;
        }
    }

    pub(super) fn decode(body: &mut &[u8]) -> Option<Self> {
        let (dense, rest) = body.split_first()?;
        *body = rest;
        let count = take(body)?;
        let (mut ranks, mut next) = (Vec::new(), 0u64);
        for _ in 0..count {
            let register = next.checked_add(take(body)?).filter(|register| *register < REGISTERS)?;
            let (rank, rest) = body.split_first()?;
            *body = rest;
            if !(1..=63).contains(rank) {
                return None;
            }
            ranks.push((register as u16, *rank));
            next = register + 1;
        }
        Some(RegistersOp { dense: *dense != 0, ranks })
    }
}
