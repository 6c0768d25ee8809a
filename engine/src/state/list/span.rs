//! The names of a list's elements, as runs.

use proto::varint;
use smallvec::SmallVec;

use crate::effect::lists::{ElementId, IdRun, Step};

/// Whether an element is alive; if not, in which generation it died.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Life {
    Live = 0,
    Dead0 = 1,
    Dead1 = 2,
}

impl Life {
    pub fn dead(generation: u8) -> Life {
        if generation == 0 { Life::Dead0 } else { Life::Dead1 }
    }

    pub(super) fn from_bits(bits: u64) -> Option<Life> {
        match bits {
            0 => Some(Life::Live),
            1 => Some(Life::Dead0),
            2 => Some(Life::Dead1),
            _ => None,
        }
    }
}

/// Elements next to each other whose names follow, all alive or all dead alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    pub ids: IdRun,
    pub life: Life,
}

impl Span {
    pub(super) fn one(id: ElementId, life: Life) -> Self {
        Span { ids: IdRun::one(id), life }
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len as usize
    }

    pub(super) fn is_live(&self) -> bool {
        self.life == Life::Live
    }

    /// Takes in the element behind. False when its name does not follow.
    pub(super) fn extend(&mut self, id: ElementId, life: Life) -> bool {
        self.life == life && self.ids.extend(id)
    }

    /// Takes in the element ahead. False when the first one's name does not follow from its.
    pub(super) fn extend_ahead(&mut self, id: ElementId, life: Life) -> bool {
        let mut ids = IdRun::one(id);
        if self.life != life || !ids.extend(self.ids.first) || self.ids.len > 1 && self.ids.step != ids.step {
            return false;
        }
        self.ids = IdRun { len: self.ids.len + 1, ..ids };
        true
    }
}

pub(super) type Spans = SmallVec<[Span; 8]>;

/// Appends a span as images have it: `len << 5 | down << 4 | by seq << 3 | same node << 2 | state` varint, [node u64 LE], seq
/// zigzag varint against the span before, index varint.
pub(super) fn put_span(out: &mut Vec<u8>, span: &Span, before: &mut (u64, u64)) {
    let ElementId { node, seq, index } = span.ids.first;
    let same = node == before.0;
    let flags = u64::from(span.ids.step.down) << 4
        | u64::from(span.ids.step.by_seq) << 3
        | u64::from(same) << 2
        | span.life as u64;
    varint::put(out, u64::from(span.ids.len) << 5 | flags);
    if !same {
        out.extend_from_slice(&node.to_le_bytes());
    }
    varint::put(out, varint::zigzag(seq.wrapping_sub(before.1) as i64));
    varint::put(out, u64::from(index));
    *before = (node, seq);
}

/// Reads what [`put_span`] wrote; `None` at the end, or when malformed.
pub(super) fn take_span(input: &mut &[u8], before: &mut (u64, u64)) -> Option<Span> {
    let head = varint::take(input)?;
    let life = Life::from_bits(head & 3)?;
    let node = if head & 4 != 0 {
        before.0
    } else {
        let (node, rest) = input.split_first_chunk::<8>()?;
        *input = rest;
        u64::from_le_bytes(*node)
    };
    let seq = before.1.wrapping_add(varint::unzigzag(varint::take(input)?) as u64);
    let index = u32::try_from(varint::take(input)?).ok()?;
    *before = (node, seq);
    let step = Step { by_seq: head & 8 != 0, down: head & 16 != 0 };
    let len = u32::try_from(head >> 5).ok()?;
    Some(Span { ids: IdRun { first: ElementId { node, seq, index }, len, step }, life })
}

/// Appends an element to spans, to the last one if its name follows.
pub(super) fn push_id(spans: &mut Spans, id: ElementId, life: Life) {
    if !spans.last_mut().is_some_and(|last| last.extend(id, life)) {
        spans.push(Span::one(id, life));
    }
}

/// Appends a span, joined to the last one where their names follow.
pub(super) fn push_span(spans: &mut Spans, span: Span) {
    push_part(spans, &span, 0, span.ids.len);
}

/// Appends elements `from..to` of a span, joined to the last one where their names follow.
pub(super) fn push_part(spans: &mut Spans, span: &Span, from: u32, to: u32) {
    if from >= to {
        return;
    }
    let first = span.ids.at(from);
    if spans.last_mut().is_some_and(|last| last.extend(first, span.life)) {
        if to - from > 1 {
            let next = span.ids.at(from + 1);
            let mut last = spans.last_mut().filter(|last| last.ids.step == span.ids.step);
            match &mut last {
                Some(last) if last.ids.follows(next) => {
                    last.ids.extend(next);
                    last.ids.len += to - from - 2;
                }
                _ => push_part(spans, span, from + 1, to),
            }
        }
        return;
    }
    spans.push(Span { ids: IdRun { first, len: to - from, step: span.ids.step }, life: span.life });
}
