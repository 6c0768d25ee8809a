//! A piece of a list: some elements in order, with their names beside them.
//!
//! ```text
//! data: (length varint, bytes) of each live element | spans: the names of all, live and dead | tail: where the last span begins
//! span: len << 5 | down << 4 | by seq << 3 | same node << 2 | state, varint | [node u64 LE] | seq, zigzag varint against the
//!       span before | index varint
//! tail: 0 when there is one span; else offset u16 LE among the spans, what it is written against (node u64 LE, seq u64 LE), 1
//! ```
//! A change rewrites the spans next to its place; those farther on stay as they are.
//!
//! A *dead* element keeps its name and place for a time, without its bytes; the state says in which of two generations it
//! died.

use proto::varint;
use smallvec::SmallVec;

use crate::effect::lists::{ElementId, IdRun, Step};

/// A chunk is cut in two past so many elements, or bytes of more than one.
pub(super) const ITEMS_MAX: usize = 256;
pub(super) const BYTES_MAX: usize = 4096;

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

    fn from_bits(bits: u64) -> Option<Life> {
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

pub(super) type Spans = SmallVec<[Span; 8]>;

/// One element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Item<'a> {
    pub id: ElementId,
    /// Empty when dead.
    pub value: &'a [u8],
    pub life: Life,
}

/// Where the last span begins among the spans, and the node and seq that it is written against.
#[derive(Clone, Copy, Default)]
struct Tail {
    at: usize,
    before: (u64, u64),
}

const TAIL_LEN: usize = 19;
/// Spans that a change at one place rewrites: the one before it, its own and two more.
const AROUND: usize = 4;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    data_len: u32,
    live: u16,
    total: u16,
}

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

/// Reads the span at the front; `None` at the end, or when malformed.
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
    if let Some(last) = spans.last_mut()
        && last.life == life
        && last.ids.extend(id)
    {
        return;
    }
    spans.push(Span { ids: IdRun::one(id), life });
}

fn varint_len(n: usize) -> usize {
    (usize::BITS - (n | 1).leading_zeros()).div_ceil(7) as usize
}

impl Chunk {
    pub fn live(&self) -> usize {
        self.live as usize
    }

    pub fn total(&self) -> usize {
        self.total as usize
    }

    pub fn heap_bytes(&self, block: fn(usize) -> usize) -> usize {
        if self.bytes.capacity() == 0 { 0 } else { block(self.bytes.capacity()) }
    }

    /// Past its size, and made of more than one element.
    pub fn is_full(&self) -> bool {
        self.total() > ITEMS_MAX || self.total() > 1 && self.bytes.len() > BYTES_MAX
    }

    /// Another element of so many bytes keeps it below its size.
    pub fn has_room(&self, value_len: usize) -> bool {
        self.total == 0 || self.total() < ITEMS_MAX && self.bytes.len() + value_len + 8 <= BYTES_MAX
    }

    fn data(&self) -> &[u8] {
        &self.bytes[..self.data_len as usize]
    }

    /// `None` without a span.
    fn tail(&self) -> Option<Tail> {
        if self.bytes.len() == self.data_len as usize {
            return None;
        }
        let Some((bytes, 1)) = self.bytes.split_last().map(|(last, rest)| (rest, *last)) else {
            return Some(Tail::default());
        };
        let (bytes, seq) = bytes.split_last_chunk::<8>()?;
        let (bytes, node) = bytes.split_last_chunk::<8>()?;
        let (_, at) = bytes.split_last_chunk::<2>()?;
        let before = (u64::from_le_bytes(*node), u64::from_le_bytes(*seq));
        Some(Tail { at: u16::from_le_bytes(*at).into(), before })
    }

    fn put_tail(&mut self, tail: Tail) {
        if tail.at == 0 {
            return self.bytes.push(0);
        }
        self.bytes.extend_from_slice(&(tail.at as u16).to_le_bytes());
        self.bytes.extend_from_slice(&tail.before.0.to_le_bytes());
        self.bytes.extend_from_slice(&tail.before.1.to_le_bytes());
        self.bytes.push(1);
    }

    /// Where the spans end in the bytes.
    fn spans_end(&self) -> usize {
        match self.bytes.last() {
            _ if self.bytes.len() == self.data_len as usize => self.bytes.len(),
            Some(1) => self.bytes.len() - TAIL_LEN,
            _ => self.bytes.len() - 1,
        }
    }

    pub fn spans(&self) -> impl Iterator<Item = Span> + '_ {
        let mut rest = &self.bytes[self.data_len as usize..self.spans_end()];
        let mut before = (0, 0);
        std::iter::from_fn(move || take_span(&mut rest, &mut before))
    }

    /// The last span.
    pub fn last_span(&self) -> Option<Span> {
        let Tail { at, mut before } = self.tail()?;
        take_span(&mut &self.bytes[self.data_len as usize + at..self.spans_end()], &mut before)
    }

    /// Values of the live elements.
    pub fn values(&self) -> impl Iterator<Item = &[u8]> + '_ {
        let mut rest = self.data();
        std::iter::from_fn(move || varint::take_bytes(&mut rest))
    }

    /// Every element, dead ones included.
    pub fn items(&self) -> impl Iterator<Item = Item<'_>> + '_ {
        let mut values = self.values();
        self.spans().flat_map(|span| (0..span.ids.len).map(move |i| (span.ids.at(i), span.life))).map(
            move |(id, life)| Item {
                id,
                value: if life == Life::Live { values.next().unwrap_or_default() } else { &[] },
                life,
            },
        )
    }

    /// Place of an element.
    pub fn find(&self, id: ElementId) -> Option<usize> {
        let mut at = 0;
        for span in self.spans() {
            if let Some(i) = span.ids.position(id) {
                return Some(at + i as usize);
            }
            at += span.ids.len as usize;
        }
        None
    }

    /// Name and life of the element at a place, and how many live ones are before it.
    pub fn look(&self, at: usize) -> Option<(ElementId, Life, usize)> {
        let (mut first, mut live) = (0, 0);
        for span in self.spans() {
            let len = span.ids.len as usize;
            let is_live = span.life == Life::Live;
            if at < first + len {
                let within = at - first;
                return Some((
                    span.ids.at(within as u32),
                    span.life,
                    live + if is_live { within } else { 0 },
                ));
            }
            first += len;
            live += if is_live { len } else { 0 };
        }
        None
    }

    pub fn item(&self, at: usize) -> Option<Item<'_>> {
        let (id, life, before) = self.look(at)?;
        let value = match life {
            Life::Live => self.values().nth(before).unwrap_or_default(),
            _ => &[],
        };
        Some(Item { id, value, life })
    }

    /// Place among all of the live element number `nth`.
    pub fn place_of_live(&self, nth: usize) -> Option<usize> {
        let (mut at, mut live) = (0, 0);
        for span in self.spans() {
            let len = span.ids.len as usize;
            if span.life == Life::Live {
                if nth < live + len {
                    return Some(at + nth - live);
                }
                live += len;
            }
            at += len;
        }
        None
    }

    /// Live elements before a place.
    pub fn live_before(&self, place: usize) -> usize {
        let (mut at, mut live) = (0, 0);
        for span in self.spans() {
            let len = (span.ids.len as usize).min(place.saturating_sub(at));
            live += if span.life == Life::Live { len } else { 0 };
            at += len;
        }
        live
    }

    /// Writes spans from a place among them on, and the tail.
    fn put_spans(&mut self, from: Tail, spans: &[Span]) {
        self.bytes.truncate(self.data_len as usize + from.at);
        let (mut before, mut tail) = (from.before, None);
        for span in spans {
            tail = Some(Tail { at: self.bytes.len() - self.data_len as usize, before });
            put_span(&mut self.bytes, span, &mut before);
        }
        if let Some(tail) = tail {
            self.put_tail(tail);
        }
    }

    /// The span before the one that holds a place, or that one if it is the first; and the place of its first element.
    fn span_before(&self, place: usize) -> (Tail, usize) {
        let all = &self.bytes[self.data_len as usize..self.spans_end()];
        let (mut rest, mut here, mut at) = (all, Tail::default(), 0);
        let (mut from, mut first) = (here, at);
        loop {
            let mut before = here.before;
            match take_span(&mut rest, &mut before).map(|span| span.ids.len as usize) {
                Some(len) if place >= at + len => {
                    (from, first) = (here, at);
                    at += len;
                    here = Tail { at: all.len() - rest.len(), before };
                }
                _ => return (from, first),
            }
        }
    }

    /// Changes the spans around a place, which may be the end. `edit` gets some of them, and the place among their elements; it
    /// may be asked twice.
    fn edit_spans(&mut self, place: usize, edit: impl Fn(&mut Spans, usize)) {
        let (base, end) = (self.data_len as usize, self.spans_end());
        let tail = self.tail().unwrap_or_default();
        let (from, first) = if place == self.total() {
            (tail, place - self.last_span().map_or(0, |last| last.ids.len as usize))
        } else {
            self.span_before(place)
        };
        let mut spans = Spans::new();
        let (mut rest, mut before) = (&self.bytes[base + from.at..end], from.before);
        while spans.len() < AROUND
            && let Some(span) = take_span(&mut rest, &mut before)
        {
            spans.push(span);
        }
        let left = rest.len();
        if left == 0 {
            edit(&mut spans, place - first);
            return self.put_spans(from, &spans);
        }
        let anchor = spans.last().map(|span| span.ids.first);
        edit(&mut spans, place - first);
        if spans.last().map(|span| span.ids.first) != anchor {
            // What follows is written against the last of them.
            let mut spans: Spans = self.spans().collect();
            edit(&mut spans, place);
            return self.put_spans(Tail::default(), &spans);
        }
        let mut written = Vec::with_capacity(64);
        let mut before = from.before;
        spans.iter().for_each(|span| put_span(&mut written, span, &mut before));
        let (start, stop) = (base + from.at, end - left);
        let shifted = tail.at + written.len() - (stop - start);
        self.bytes.truncate(end);
        self.bytes.splice(start..stop, written);
        self.put_tail(Tail { at: shifted, ..tail });
    }

    /// Room for more bytes, without doubling: most chunks are small and stay so.
    fn grow(&mut self, more: usize) {
        let need = self.bytes.len() + more;
        if need > self.bytes.capacity() {
            let target = (need + need / 8).next_multiple_of(16);
            self.bytes.reserve_exact(target - self.bytes.len());
        }
    }

    /// Start and end of the live element number `nth` in the data.
    fn data_range(&self, nth: usize) -> (usize, usize) {
        if nth >= self.live() {
            return (self.data_len as usize, self.data_len as usize);
        }
        let mut rest = self.data();
        for _ in 0..nth {
            varint::take_bytes(&mut rest);
        }
        let start = self.data_len as usize - rest.len();
        varint::take_bytes(&mut rest);
        (start, self.data_len as usize - rest.len())
    }

    fn put_data(&mut self, at: usize, value: &[u8]) {
        let head = varint_len(value.len());
        self.grow(head + value.len() + 16);
        let old = self.bytes.len();
        self.bytes.resize(old + head + value.len(), 0);
        self.bytes.copy_within(at..old, at + head + value.len());
        let mut n = value.len();
        for byte in &mut self.bytes[at..at + head] {
            *byte = n as u8 | 0x80;
            n >>= 7;
        }
        self.bytes[at + head - 1] &= 0x7f;
        self.bytes[at + head..at + head + value.len()].copy_from_slice(value);
        self.data_len += (head + value.len()) as u32;
    }

    fn cut_data(&mut self, start: usize, end: usize) {
        self.bytes.drain(start..end);
        self.data_len -= (end - start) as u32;
        if self.bytes.capacity() > 256 && self.bytes.len() < self.bytes.capacity() / 4 {
            self.bytes.shrink_to(self.bytes.len() * 2);
        }
    }

    /// Puts an element at a place, before the one that is there.
    pub fn insert(&mut self, place: usize, id: ElementId, value: &[u8], life: Life) {
        if life == Life::Live {
            let at = if place == self.total() {
                self.data_len as usize
            } else {
                self.data_range(self.live_before(place)).0
            };
            self.put_data(at, value);
            self.live += 1;
        }
        let append = place == self.total();
        self.edit_spans(place, |spans, place| {
            if append {
                return push_id(spans, id, life);
            }
            let mut edited = Spans::new();
            let mut at = 0;
            for span in spans.iter() {
                let len = span.ids.len as usize;
                if place < at || place >= at + len {
                    push_span(&mut edited, *span);
                } else {
                    let cut = (place - at) as u32;
                    push_part(&mut edited, span, 0, cut);
                    push_id(&mut edited, id, life);
                    push_part(&mut edited, span, cut, span.ids.len);
                }
                at += len;
            }
            *spans = edited;
        });
        self.total += 1;
    }

    /// Marks a live element dead, dropping its bytes.
    pub fn kill(&mut self, place: usize, life: Life) {
        self.change(place, Some(life));
    }

    /// Takes an element out altogether.
    pub fn remove(&mut self, place: usize) {
        self.change(place, None);
        self.total -= 1;
    }

    fn change(&mut self, place: usize, life: Option<Life>) {
        if let Some((_, Life::Live, before)) = self.look(place) {
            let (start, end) = self.data_range(before);
            self.cut_data(start, end);
            self.live -= 1;
        }
        self.edit_spans(place, |spans, place| {
            let mut edited = Spans::new();
            let mut at = 0;
            for span in spans.iter() {
                let len = span.ids.len as usize;
                if place < at || place >= at + len {
                    push_span(&mut edited, *span);
                } else {
                    let cut = (place - at) as u32;
                    push_part(&mut edited, span, 0, cut);
                    if let Some(life) = life {
                        push_id(&mut edited, span.ids.at(cut), life);
                    }
                    push_part(&mut edited, span, cut + 1, span.ids.len);
                }
                at += len;
            }
            *spans = edited;
        });
    }

    /// Another value for a live element.
    pub fn set(&mut self, place: usize, value: &[u8]) {
        let (start, end) = self.data_range(self.live_before(place));
        self.cut_data(start, end);
        self.put_data(start, value);
    }

    /// A chunk of the elements for which `keep` gives a life.
    pub fn filtered(&self, mut keep: impl FnMut(&Item<'_>) -> Option<Life>) -> Chunk {
        let mut chunk = Chunk::default();
        let mut spans = Spans::new();
        for item in self.items() {
            let Some(life) = keep(&item) else { continue };
            if life == Life::Live {
                varint::put_bytes(&mut chunk.bytes, item.value);
                chunk.live += 1;
            }
            chunk.total += 1;
            push_id(&mut spans, item.id, life);
        }
        chunk.data_len = chunk.bytes.len() as u32;
        chunk.put_spans(Tail::default(), &spans);
        chunk.bytes.shrink_to_fit();
        chunk
    }

    /// Cuts off everything from a place on.
    pub fn split_off(&mut self, place: usize) -> Chunk {
        let mut at = 0;
        let tail = self.filtered(|item| {
            at += 1;
            (at > place).then_some(item.life)
        });
        at = 0;
        *self = self.filtered(|item| {
            at += 1;
            (at <= place).then_some(item.life)
        });
        tail
    }
}

fn push_span(spans: &mut Spans, span: Span) {
    push_part(spans, &span, 0, span.ids.len);
}

/// Appends elements `from..to` of a span, joined to the last one where their names follow.
pub(super) fn push_part(spans: &mut Spans, span: &Span, from: u32, to: u32) {
    if from >= to {
        return;
    }
    let first = span.ids.at(from);
    let joins = spans.last().is_some_and(|last| last.life == span.life && last.ids.first.node == first.node);
    if joins {
        let before = spans.len();
        push_id(spans, first, span.life);
        if spans.len() == before {
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
        spans.pop();
    }
    spans.push(Span { ids: IdRun { first, len: to - from, step: span.ids.step }, life: span.life });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_edits_of_a_chunk_equal_those_of_a_vector() {
        let mut state = 7u64;
        let mut random = |n: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % n
        };
        for _ in 0..300 {
            let mut chunk = Chunk::default();
            let mut model: Vec<(ElementId, Vec<u8>, Life)> = Vec::new();
            let mut seq = 1000;
            for _ in 0..60 {
                match random(6) {
                    0..3 => {
                        let place = if random(2) == 0 { model.len() } else { random(model.len() + 1) };
                        seq += [1, 1, 1, 5][random(4)];
                        let id = match random(5) {
                            0 => ElementId { node: u64::MAX, seq: seq << 40, index: ElementId::MOVED },
                            1 => ElementId { node: 2, seq, index: 3 },
                            _ => ElementId { node: 1, seq, index: 0 },
                        };
                        let life = if random(5) == 0 { Life::Dead1 } else { Life::Live };
                        let value = if life == Life::Live { vec![b'v'; random(200)] } else { Vec::new() };
                        chunk.insert(place, id, &value, life);
                        model.insert(place, (id, value, life));
                    }
                    3 if !model.is_empty() => {
                        let place = random(model.len());
                        chunk.remove(place);
                        model.remove(place);
                    }
                    4 if !model.is_empty() => {
                        let place = random(model.len());
                        if model[place].2 == Life::Live {
                            chunk.kill(place, Life::Dead0);
                            model[place].1.clear();
                            model[place].2 = Life::Dead0;
                        }
                    }
                    5 if !model.is_empty() => {
                        let place = random(model.len());
                        if model[place].2 == Life::Live {
                            let value = vec![b'w'; random(300)];
                            chunk.set(place, &value);
                            model[place].1 = value;
                        }
                    }
                    _ => {}
                }
                let items: Vec<_> = chunk.items().map(|i| (i.id, i.value.to_vec(), i.life)).collect();
                assert_eq!(items, model);
                assert_eq!(chunk.live(), model.iter().filter(|m| m.2 == Life::Live).count());
                assert_eq!(chunk.total(), model.len());
                for (at, (id, value, _)) in model.iter().enumerate() {
                    assert_eq!(chunk.find(*id), Some(at));
                    assert_eq!(chunk.item(at).unwrap().value, value);
                }
            }
            let cut = random(model.len() + 1);
            let tail = chunk.split_off(cut);
            assert_eq!(
                chunk.items().map(|i| i.id).collect::<Vec<_>>(),
                model[..cut].iter().map(|m| m.0).collect::<Vec<_>>()
            );
            assert_eq!(
                tail.items().map(|i| i.value).collect::<Vec<_>>(),
                model[cut..].iter().map(|m| &m.1[..]).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn a_run_takes_one_span_whichever_way_it_was_pushed() {
        let id = |seq, index| ElementId { node: 9, seq, index };
        let mut pushed = Chunk::default();
        (0..100).for_each(|i| pushed.insert(i as usize, id(i, 0), b"x", Life::Live));
        assert_eq!(pushed.spans().count(), 1);
        let mut ahead = Chunk::default();
        (0..100).for_each(|i| ahead.insert(0, id(i, 0), b"x", Life::Live));
        assert_eq!(ahead.spans().count(), 1);
        let mut one = Chunk::default();
        (0..100).for_each(|i| one.insert(0, id(5, i), b"x", Life::Live));
        assert_eq!(one.spans().count(), 1);
        assert!(pushed.bytes.len() < 100 * 2 + 20);
    }
}
