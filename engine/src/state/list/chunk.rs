//! A piece of a list: some elements in order, with their names beside them.
//!
//! ```text
//! room | data: each live element (see entry) | room | spans: the names of all, live and dead (see packed) | room
//! ```
//! What is put to either end goes into the room there, and what is taken from there leaves room; nothing else moves until the
//! room is used up.
//!
//! A *dead* element keeps its name and place for a time, without its bytes; the state says in which of two generations it
//! died.

mod entry;
mod inner;
mod packed;

use super::span::{Life, Span};
use crate::effect::lists::ElementId;
use crate::state::handle::class_size;
use crate::state::spots::Spots;
use packed::{Base, Packed};

/// A chunk is cut in two past so many elements, or bytes of more than one.
pub(super) const ITEMS_MAX: usize = 256;
pub(super) const BYTES_MAX: usize = 3840;

/// What an element of such a chunk takes besides its value, at most: two lengths and a name.
const ENTRY_MAX: usize = 4 + packed::SPAN_MAX;
/// Memory of a chunk of many elements at most, but for what a cut in two needs for a moment.
const MEMORY_MAX: usize = 4096;
/// A chunk for a list that is long already begins with so much.
const MEMORY_OF_LONG: usize = 1024;
/// Less room than this is not worth moving anything for.
const ROOM_KEPT: usize = 128;
/// About the length of an element: what is put to an end, or taken from there, is so far around it.
pub(super) const NEAR: u64 = 32;
/// Smaller chunks are given little room: most of them are small and stay so.
const SMALL: usize = 192;

/// One element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Item<'a> {
    pub id: ElementId,
    /// Empty when dead.
    pub value: &'a [u8],
    pub life: Life,
}

/// Where a chunk is changed, and room is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Front,
    Back,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk {
    /// Up to the end of the spans; the room behind them is its capacity.
    bytes: Vec<u8>,
    /// Room ahead of the data.
    start: u32,
    data_len: u32,
    /// Room between data and spans.
    gap: u32,
    live: u16,
    total: u16,
    base: Base,
}

impl Chunk {
    /// An empty chunk at one end of a long list.
    pub fn at_end_of_long(at_back: bool) -> Self {
        let mut chunk = Chunk::default();
        let rest = MEMORY_OF_LONG / 4;
        if at_back {
            chunk.lay_out(0, MEMORY_OF_LONG - rest, MEMORY_OF_LONG);
        } else {
            chunk.lay_out(MEMORY_OF_LONG - rest, rest, MEMORY_OF_LONG);
        }
        chunk
    }

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
        self.total() > ITEMS_MAX || self.total() > 1 && self.used() > BYTES_MAX
    }

    /// Another element of so many bytes keeps it below its size.
    pub fn has_room(&self, value_len: usize) -> bool {
        self.total == 0 || self.total() < ITEMS_MAX && self.used() + value_len + ENTRY_MAX <= BYTES_MAX
    }

    /// Bytes without the room.
    fn used(&self) -> usize {
        self.bytes.len() - (self.start + self.gap) as usize
    }

    fn data_end(&self) -> usize {
        (self.start + self.data_len) as usize
    }

    fn spans_at(&self) -> usize {
        self.data_end() + self.gap as usize
    }

    fn data(&self) -> &[u8] {
        &self.bytes[self.start as usize..self.data_end()]
    }

    fn span_bytes(&self) -> &[u8] {
        &self.bytes[self.spans_at()..]
    }

    /// Where a change at the front takes place: among the values and among the names.
    #[inline]
    pub fn front(&self) -> Spots {
        Spots::new(self.address(self.start as usize), self.address(self.spans_at().saturating_sub(1)))
    }

    /// Where a change at the back takes place.
    #[inline]
    pub fn back(&self) -> Spots {
        Spots::new(self.address(self.data_end()), self.address(self.bytes.len().saturating_sub(1)))
    }

    fn address(&self, at: usize) -> *const u8 {
        self.bytes.as_ptr().wrapping_add(at)
    }

    pub fn spans(&self) -> impl Iterator<Item = Span> + '_ {
        let (mut rest, base) = (self.span_bytes(), self.base);
        std::iter::from_fn(move || {
            let (span, size) = packed::first(rest, base)?;
            rest = &rest[size..];
            Some(span)
        })
    }

    /// The span at one end, and how many bytes it takes.
    #[inline]
    fn span_at(&self, side: Side) -> Option<(Span, usize)> {
        match side {
            Side::Front => packed::first(self.span_bytes(), self.base),
            Side::Back => packed::last(self.span_bytes(), self.base),
        }
    }

    /// The first span.
    #[inline]
    pub fn first_span(&self) -> Option<Span> {
        packed::first(self.span_bytes(), self.base).map(|(span, _)| span)
    }

    /// The last span.
    #[inline]
    pub fn last_span(&self) -> Option<Span> {
        packed::last(self.span_bytes(), self.base).map(|(span, _)| span)
    }

    /// The first element, if it lives.
    #[inline]
    pub fn first_live(&self) -> Option<(ElementId, &[u8])> {
        let (span, _) = self.span_at(Side::Front).filter(|(span, _)| span.is_live())?;
        Some((span.ids.first, entry::take_first(&mut self.data())?))
    }

    /// The last element, if it lives.
    #[inline]
    pub fn last_live(&self) -> Option<(ElementId, &[u8])> {
        let (span, _) = self.span_at(Side::Back).filter(|(span, _)| span.is_live())?;
        Some((span.ids.at(span.ids.len - 1), entry::take_last(&mut self.data())?))
    }

    /// Values of the live elements.
    pub fn values(&self) -> impl Iterator<Item = &[u8]> + '_ {
        let mut rest = self.data();
        std::iter::from_fn(move || entry::take_first(&mut rest))
    }

    /// The value of the live element number `nth`.
    pub fn value(&self, nth: usize) -> Option<&[u8]> {
        if nth < self.live() / 2 {
            return self.values().nth(nth);
        }
        let mut rest = self.data();
        let from_end = std::iter::from_fn(move || entry::take_last(&mut rest));
        from_end.into_iter().nth((self.live() - 1).checked_sub(nth)?)
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
            at += span.len();
        }
        None
    }

    /// Name and life of the element at a place, and how many live ones are before it.
    pub fn look(&self, at: usize) -> Option<(ElementId, Life, usize)> {
        let (mut first, mut live) = (0, 0);
        for span in self.spans() {
            let within = at - first;
            if within < span.len() {
                let before = if span.is_live() { within } else { 0 };
                return Some((span.ids.at(within as u32), span.life, live + before));
            }
            first += span.len();
            live += if span.is_live() { span.len() } else { 0 };
        }
        None
    }

    pub fn item(&self, at: usize) -> Option<Item<'_>> {
        let (id, life, before) = self.look(at)?;
        let value = match life {
            Life::Live => self.value(before).unwrap_or_default(),
            _ => &[],
        };
        Some(Item { id, value, life })
    }

    /// Place among all of the live element number `nth`.
    pub fn place_of_live(&self, nth: usize) -> Option<usize> {
        if self.live == self.total {
            return (nth < self.live()).then_some(nth);
        }
        let (mut at, mut live) = (0, 0);
        for span in self.spans() {
            if span.is_live() {
                if nth < live + span.len() {
                    return Some(at + nth - live);
                }
                live += span.len();
            }
            at += span.len();
        }
        None
    }

    /// Lays everything out anew, with so much room ahead and between, in so much memory.
    fn lay_out(&mut self, start: usize, gap: usize, memory: usize) {
        let mut bytes = Vec::with_capacity(memory.max(self.used() + start + gap));
        bytes.resize(start, 0);
        bytes.extend_from_slice(self.data());
        bytes.resize(bytes.len() + gap, 0);
        bytes.extend_from_slice(self.span_bytes());
        self.bytes = bytes;
        (self.start, self.gap) = (start as u32, gap as u32);
    }

    /// Makes room on one side for so many bytes of data and of spans.
    fn make_room(&mut self, side: Side, data: usize, spans: usize) {
        let behind = self.bytes.capacity() - self.bytes.len();
        let (for_data, for_spans) = match side {
            Side::Front => (self.start as usize, self.gap as usize),
            Side::Back => (self.gap as usize, behind),
        };
        if data > for_data || spans > for_spans {
            self.widen(side, data, spans);
        }
    }

    #[cold]
    fn widen(&mut self, side: Side, data: usize, spans: usize) {
        let used = self.used() + data + spans;
        let slack = used
            / if used < SMALL {
                8
            } else if used < MEMORY_OF_LONG {
                3
            } else {
                2
            };
        let slack = if used < BYTES_MAX { slack.min(MEMORY_MAX - used) } else { slack.min(ROOM_KEPT) };
        // What the other end has is kept, but not more than half of what this end gets.
        let behind = self.bytes.capacity() - self.bytes.len();
        let kept = if side == Side::Front { behind } else { self.start as usize }.min(slack / 3);
        let memory = class_size(used + slack);
        let more = memory - used - kept;
        // Names are shorter than values, mostly.
        let (more_data, more_spans) =
            if spans > data { (more / 2, more / 2) } else { (more - more / 4, more / 4) };
        match side {
            Side::Front => self.lay_out(data + more_data, spans + more_spans, memory),
            Side::Back => self.lay_out(kept, data + more_data, memory),
        }
    }

    /// Gives memory back that is mostly room.
    fn settle(&mut self) {
        let used = self.used();
        if self.bytes.capacity() > 4 * used + 2 * ROOM_KEPT {
            self.lay_out(used / 8, used / 8, class_size(used + used / 2));
        }
    }

    /// Makes room at one end for an element. Gives the span to be written there, the bytes of the one that it takes in, and those of
    /// the element's value.
    #[inline]
    fn receive(
        &mut self,
        side: Side,
        neighbour: Option<(Span, usize)>,
        id: ElementId,
        value: &[u8],
        life: Life,
    ) -> (Packed, usize, usize) {
        if self.total == 0 {
            // The first element's name is what all are written against.
            self.base = Base { node: id.node, seq: id.seq };
        }
        let joined = neighbour.and_then(|(mut span, size)| {
            let joins = match side {
                Side::Front => span.extend_ahead(id, life),
                Side::Back => span.extend(id, life),
            };
            joins.then_some((span, size))
        });
        let (span, replaced) = joined.unwrap_or((Span::one(id, life), 0));
        let written = Packed::new(&span, self.base);
        let size = if life == Life::Live { entry::size(value) } else { 0 };
        self.make_room(side, size, written.len());
        (written, replaced, size)
    }

    /// Puts an element before all others.
    pub fn push_front(&mut self, id: ElementId, value: &[u8], life: Life) {
        let neighbour = self.span_at(Side::Front);
        self.put_first(neighbour, id, value, life);
    }

    /// Puts a live element before all others if `next` is the first of them, and lives.
    #[inline]
    pub fn push_ahead(&mut self, next: ElementId, id: ElementId, value: &[u8]) -> bool {
        let neighbour = self.span_at(Side::Front);
        let fits = neighbour.is_some_and(|(span, _)| span.is_live() && span.ids.first == next);
        if fits {
            self.put_first(neighbour, id, value, Life::Live);
        }
        fits
    }

    fn put_first(&mut self, neighbour: Option<(Span, usize)>, id: ElementId, value: &[u8], life: Life) {
        let (written, replaced, size) = self.receive(Side::Front, neighbour, id, value, life);
        let end = self.spans_at() + replaced;
        self.bytes[end - written.len()..end].copy_from_slice(written.as_slice());
        self.gap = self.gap + replaced as u32 - written.len() as u32;
        if life == Life::Live {
            self.start -= size as u32;
            self.data_len += size as u32;
            let start = self.start as usize;
            entry::write(&mut self.bytes[start..start + size], value);
            self.live += 1;
        }
        self.total += 1;
    }

    /// Puts an element behind all others.
    pub fn push_back(&mut self, id: ElementId, value: &[u8], life: Life) {
        let neighbour = self.span_at(Side::Back);
        self.put_last(neighbour, id, value, life);
    }

    /// Puts a live element behind all others if `prev` is the last of them, and lives.
    #[inline]
    pub fn push_behind(&mut self, prev: ElementId, id: ElementId, value: &[u8]) -> bool {
        let neighbour = self.span_at(Side::Back);
        let fits = neighbour.is_some_and(|(span, _)| span.is_live() && span.ids.at(span.ids.len - 1) == prev);
        if fits {
            self.put_last(neighbour, id, value, Life::Live);
        }
        fits
    }

    fn put_last(&mut self, neighbour: Option<(Span, usize)>, id: ElementId, value: &[u8], life: Life) {
        let (written, replaced, size) = self.receive(Side::Back, neighbour, id, value, life);
        self.bytes.truncate(self.bytes.len() - replaced);
        self.bytes.extend_from_slice(written.as_slice());
        if life == Life::Live {
            let end = self.data_end();
            entry::write(&mut self.bytes[end..end + size], value);
            self.data_len += size as u32;
            self.gap -= size as u32;
            self.live += 1;
        }
        self.total += 1;
    }

    /// Takes the first element out.
    fn pop_front(&mut self) {
        if let Some((span, replaced)) = self.span_at(Side::Front) {
            self.take_first(span, replaced);
        }
    }

    /// Takes the first element out if it is this one.
    #[inline]
    pub fn pop_front_if(&mut self, id: ElementId) -> bool {
        let Some((span, replaced)) = self.span_at(Side::Front).filter(|(span, _)| span.ids.first == id)
        else {
            return false;
        };
        self.take_first(span, replaced);
        true
    }

    /// Takes the first element out, whose name is in `span`, of `replaced` bytes.
    fn take_first(&mut self, mut span: Span, replaced: usize) {
        let mut rest = self.data();
        if span.is_live() && entry::take_first(&mut rest).is_some() {
            let size = self.data_len - rest.len() as u32;
            self.start += size;
            self.data_len -= size;
            self.live -= 1;
        }
        self.total -= 1;
        self.gap += replaced as u32;
        if span.ids.len > 1 {
            (span.ids.first, span.ids.len) = (span.ids.at(1), span.ids.len - 1);
            let written = Packed::new(&span, self.base);
            // It may be longer than it was; its old bytes are room already, and what they hold is written again.
            if self.gap < written.len() as u32 {
                self.widen(Side::Front, 0, written.len());
            }
            let end = self.spans_at();
            self.bytes[end - written.len()..end].copy_from_slice(written.as_slice());
            self.gap -= written.len() as u32;
        }
        self.settle();
    }

    /// Takes the last element out.
    fn pop_back(&mut self) {
        let Some((mut span, replaced)) = packed::last(self.span_bytes(), self.base) else { return };
        let mut rest = self.data();
        if span.is_live() && entry::take_last(&mut rest).is_some() {
            let size = self.data_len - rest.len() as u32;
            self.data_len -= size;
            self.gap += size;
            self.live -= 1;
        }
        self.total -= 1;
        self.bytes.truncate(self.bytes.len() - replaced);
        if span.ids.len > 1 {
            span.ids.len -= 1;
            let written = Packed::new(&span, self.base);
            self.make_room(Side::Back, 0, written.len());
            self.bytes.extend_from_slice(written.as_slice());
        }
        self.settle();
    }

    /// A chunk of the elements for which `keep` gives a life.
    pub fn filtered(&self, mut keep: impl FnMut(&Item<'_>) -> Option<Life>) -> Chunk {
        let mut chunk = Chunk::default();
        let room = (self.data_len as usize).max(self.span_bytes().len());
        chunk.lay_out(0, room, self.used() + room);
        for item in self.items() {
            if let Some(life) = keep(&item) {
                chunk.push_back(item.id, item.value, life);
            }
        }
        chunk.fit();
        chunk
    }

    /// Gives all room back.
    pub fn fit(&mut self) {
        let memory = class_size(self.used());
        if self.total == 0 {
            self.bytes = Vec::new();
            (self.start, self.data_len, self.gap) = (0, 0, 0);
        } else if self.bytes.capacity() > memory {
            self.lay_out(0, 0, memory);
        }
    }

    /// Cuts off everything from a place on.
    pub fn split_off(&mut self, place: usize) -> Chunk {
        let part = |chunk: &Chunk, wanted: fn(usize, usize) -> bool| {
            let mut at = 0;
            chunk.filtered(|item| {
                at += 1;
                wanted(at - 1, place).then_some(item.life)
            })
        };
        let tail = part(self, |at, place| at >= place);
        *self = part(self, |at, place| at < place);
        tail
    }
}

#[cfg(test)]
mod tests;
