//! A span's bytes inside a chunk: their number follows from the flags, which stand at both ends, so spans are read from either side.
//!
//! ```text
//! flags u8 | seq against the chunk's base, zigzag, 2, 3, 4 or 8 bytes LE | [node u64 LE] | [len u16 LE, index u32 LE] | flags u8
//! flags: life 2 bits | other node 1 | by seq 1 | down 1 | width 2 | run 1
//! ```
//! Without the run bit there is one element, with index 0.

use proto::varint;

use super::super::span::{Life, Span};
use crate::effect::lists::{ElementId, IdRun, Step};

/// Node and seq that a chunk's spans are written against: those of the first element it ever had.
#[derive(Clone, Copy, Debug, Default)]
pub struct Base {
    pub node: u64,
    pub seq: u64,
}

const OTHER_NODE: u8 = 4;
const BY_SEQ: u8 = 8;
const DOWN: u8 = 16;
const WIDTH_AT: u32 = 5;
const RUN: u8 = 128;
const WIDTHS: [usize; 4] = [2, 3, 4, 8];
const NODE: usize = 8;
const RUN_LEN: usize = 6;
/// Flags twice, and everything else at its longest.
pub const SPAN_MAX: usize = 2 + 8 + NODE + RUN_LEN;

/// A span's bytes.
pub struct Packed {
    bytes: [u8; SPAN_MAX],
    len: u8,
}

impl Packed {
    pub fn new(span: &Span, base: Base) -> Self {
        let ElementId { node, seq, index } = span.ids.first;
        let delta = varint::zigzag(seq.wrapping_sub(base.seq) as i64);
        let width = match 64 - delta.leading_zeros() {
            0..=16 => 0,
            17..=24 => 1,
            25..=32 => 2,
            _ => 3u8,
        };
        let mut flags = span.life as u8 | width << WIDTH_AT;
        let mut bytes = [0; SPAN_MAX];
        bytes[1..9].copy_from_slice(&delta.to_le_bytes());
        let mut at = 1 + WIDTHS[usize::from(width)];
        if node != base.node {
            flags |= OTHER_NODE;
            bytes[at..at + NODE].copy_from_slice(&node.to_le_bytes());
            at += NODE;
        }
        if span.ids.len > 1 || index != 0 {
            let step = span.ids.step;
            flags |= RUN | if step.by_seq { BY_SEQ } else { 0 } | if step.down { DOWN } else { 0 };
            let len = u16::try_from(span.ids.len).expect("a chunk has fewer elements");
            bytes[at..at + 2].copy_from_slice(&len.to_le_bytes());
            bytes[at + 2..at + RUN_LEN].copy_from_slice(&index.to_le_bytes());
            at += RUN_LEN;
        }
        (bytes[0], bytes[at]) = (flags, flags);
        Packed { bytes, len: at as u8 + 1 }
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    pub fn len(&self) -> usize {
        usize::from(self.len)
    }
}

/// Bytes of a span with these flags.
fn size(flags: u8) -> usize {
    let node = if flags & OTHER_NODE != 0 { NODE } else { 0 };
    let run = if flags & RUN != 0 { RUN_LEN } else { 0 };
    2 + WIDTHS[usize::from(flags >> WIDTH_AT & 3)] + node + run
}

/// Reads a span of exactly these bytes.
#[inline]
fn read(bytes: &[u8], flags: u8, base: Base) -> Option<Span> {
    let width = WIDTHS[usize::from(flags >> WIDTH_AT & 3)];
    // The commonest widths without a loop.
    let delta = match (bytes, width) {
        ([_, a, b, ..], 2) => u64::from(u16::from_le_bytes([*a, *b])),
        ([_, a, b, c, ..], 3) => u64::from(u32::from_le_bytes([*a, *b, *c, 0])),
        ([_, a, b, c, d, ..], 4) => u64::from(u32::from_le_bytes([*a, *b, *c, *d])),
        _ => u64::from_le_bytes(*bytes.get(1..)?.first_chunk()?),
    };
    let seq = base.seq.wrapping_add(varint::unzigzag(delta) as u64);
    let life = Life::from_bits(u64::from(flags & 3))?;
    if flags & (OTHER_NODE | RUN) == 0 {
        let step = Step { by_seq: flags & BY_SEQ != 0, down: flags & DOWN != 0 };
        let ids = IdRun { first: ElementId { node: base.node, seq, index: 0 }, len: 1, step };
        return Some(Span { ids, life });
    }
    let mut rest = bytes.get(1 + width..)?;
    let mut node = base.node;
    if flags & OTHER_NODE != 0 {
        let (head, tail) = rest.split_first_chunk()?;
        (node, rest) = (u64::from_le_bytes(*head), tail);
    }
    let (mut len, mut index) = (1, 0);
    if flags & RUN != 0 {
        let (head, tail) = rest.split_first_chunk()?;
        (len, index) = (u32::from(u16::from_le_bytes(*head)), u32::from_le_bytes(*tail.first_chunk()?));
    }
    let step = Step { by_seq: flags & BY_SEQ != 0, down: flags & DOWN != 0 };
    let ids = IdRun { first: ElementId { node, seq, index }, len, step };
    Some(Span { ids, life })
}

/// The span at the front, and how many bytes it takes.
#[inline]
pub fn first(bytes: &[u8], base: Base) -> Option<(Span, usize)> {
    let flags = *bytes.first()?;
    let size = size(flags);
    Some((read(bytes.get(..size)?, flags, base)?, size))
}

/// The span at the end, and how many bytes it takes.
#[inline]
pub fn last(bytes: &[u8], base: Base) -> Option<(Span, usize)> {
    let flags = *bytes.last()?;
    let size = size(flags);
    Some((read(&bytes[bytes.len().checked_sub(size)?..], flags, base)?, size))
}
