//! A piece of a list: some elements in order, with their names beside them.
//!
//! ```text
//! room | data: (length varint, bytes) of each live element | room | spans: the names of all, live and dead | tail: the last span
//! span: len << 5 | down << 4 | by seq << 3 | same node << 2 | state, varint | [node u64 LE] | seq, zigzag varint against the
//!       span before | index varint
//! tail: 0 when there is one span; else its length u8, what it is written against (node u64 LE, seq u64 LE), 1
//! ```
//! A change rewrites the spans next to its place; those farther on stay as they are. At both ends it moves nothing else: what is
//! put to the front goes into the room ahead, and what is taken from there leaves room.
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

const TAIL_LEN: usize = 18;
/// Head, node, seq and index of a span at their longest.
const SPAN_MAX: usize = 5 + 8 + 10 + 5;
/// Spans that a change at one place rewrites: the one before it, its own and two more.
const AROUND: usize = 4;
/// Less room than this is not worth moving anything for.
const ROOM_KEPT: usize = 128;
/// From this size on a chunk is given more room at once than is asked for.
const ROOMY: usize = 1024;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    /// Where the data begins.
    start: u32,
    data_len: u32,
    /// Room between data and spans.
    gap: u32,
    live: u16,
    total: u16,
}

/// A span's bytes.
struct SpanBytes {
    bytes: [u8; SPAN_MAX],
    len: usize,
}

impl SpanBytes {
    fn new(span: &Span, before: &mut (u64, u64)) -> Self {
        let mut out = SpanBytes { bytes: [0; SPAN_MAX], len: 0 };
        let ElementId { node, seq, index } = span.ids.first;
        let same = node == before.0;
        let flags = u64::from(span.ids.step.down) << 4
            | u64::from(span.ids.step.by_seq) << 3
            | u64::from(same) << 2
            | span.life as u64;
        out.put(u64::from(span.ids.len) << 5 | flags);
        if !same {
            out.bytes[out.len..out.len + 8].copy_from_slice(&node.to_le_bytes());
            out.len += 8;
        }
        out.put(varint::zigzag(seq.wrapping_sub(before.1) as i64));
        out.put(u64::from(index));
        *before = (node, seq);
        out
    }

    fn put(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.bytes[self.len] = n as u8 | 0x80;
            self.len += 1;
            n >>= 7;
        }
        self.bytes[self.len] = n as u8;
        self.len += 1;
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

pub(super) fn put_span(out: &mut Vec<u8>, span: &Span, before: &mut (u64, u64)) {
    out.extend_from_slice(SpanBytes::new(span, before).as_slice());
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
        self.total() > ITEMS_MAX || self.total() > 1 && self.used() > BYTES_MAX
    }

    /// Another element of so many bytes keeps it below its size.
    pub fn has_room(&self, value_len: usize) -> bool {
        self.total == 0 || self.total() < ITEMS_MAX && self.used() + value_len + 8 <= BYTES_MAX
    }

    fn room(&self) -> usize {
        (self.start + self.gap) as usize
    }

    /// Bytes without the room.
    fn used(&self) -> usize {
        self.bytes.len() - self.room()
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

    /// Places that a change at one end looks at; they may be prefetched.
    pub fn ends(&self) -> [*const u8; 4] {
        let at = |place: usize| self.bytes[place.min(self.bytes.len())..].as_ptr();
        let len = self.bytes.len();
        [at(self.start as usize), at(self.spans_at()), at(self.data_end()), at(len.saturating_sub(TAIL_LEN))]
    }

    /// `None` without a span.
    fn tail(&self) -> Option<Tail> {
        if self.bytes.len() == self.spans_at() {
            return None;
        }
        let Some((bytes, 1)) = self.bytes.split_last().map(|(last, rest)| (rest, *last)) else {
            return Some(Tail::default());
        };
        let (bytes, seq) = bytes.split_last_chunk::<8>()?;
        let (bytes, node) = bytes.split_last_chunk::<8>()?;
        let (len, spans) = bytes.split_last()?;
        let before = (u64::from_le_bytes(*node), u64::from_le_bytes(*seq));
        Some(Tail { at: spans.len() - self.spans_at() - usize::from(*len), before })
    }

    fn put_tail(&mut self, tail: Tail) {
        if tail.at == 0 {
            return self.bytes.push(0);
        }
        let len = self.bytes.len() - self.spans_at() - tail.at;
        let mut bytes = [1; TAIL_LEN];
        bytes[0] = len as u8;
        bytes[1..9].copy_from_slice(&tail.before.0.to_le_bytes());
        bytes[9..17].copy_from_slice(&tail.before.1.to_le_bytes());
        self.bytes.extend_from_slice(&bytes);
    }

    /// Where the spans end in the bytes.
    fn spans_end(&self) -> usize {
        match self.bytes.last() {
            _ if self.bytes.len() == self.spans_at() => self.bytes.len(),
            Some(1) => self.bytes.len() - TAIL_LEN,
            _ => self.bytes.len() - 1,
        }
    }

    pub fn spans(&self) -> impl Iterator<Item = Span> + '_ {
        let mut rest = &self.bytes[self.spans_at()..self.spans_end()];
        let mut before = (0, 0);
        std::iter::from_fn(move || take_span(&mut rest, &mut before))
    }

    /// The first span.
    pub fn first_span(&self) -> Option<Span> {
        take_span(&mut &self.bytes[self.spans_at()..self.spans_end()], &mut (0, 0))
    }

    /// The last span.
    pub fn last_span(&self) -> Option<Span> {
        let Tail { at, mut before } = self.tail()?;
        take_span(&mut &self.bytes[self.spans_at() + at..self.spans_end()], &mut before)
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
            if at >= place {
                break;
            }
            let len = (span.ids.len as usize).min(place - at);
            live += if span.life == Life::Live { len } else { 0 };
            at += len;
        }
        live
    }

    /// Writes spans from a place among them on, and the tail.
    fn put_spans(&mut self, from: Tail, spans: &[Span]) {
        let mut written = SmallVec::<[u8; 4 * SPAN_MAX]>::new();
        let (mut before, mut tail) = (from.before, None);
        for span in spans {
            tail = Some(Tail { at: from.at + written.len(), before });
            written.extend_from_slice(SpanBytes::new(span, &mut before).as_slice());
        }
        self.bytes.truncate(self.spans_at() + from.at);
        if let Some(tail) = tail {
            self.grow(written.len() + if tail.at == 0 { 1 } else { TAIL_LEN });
            self.bytes.extend_from_slice(&written);
            self.put_tail(tail);
        }
    }

    /// The span before the one that holds a place, or that one if it is the first; and the place of its first element.
    fn span_before(&self, place: usize) -> (Tail, usize) {
        let all = &self.bytes[self.spans_at()..self.spans_end()];
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

    /// Changes the spans around a place. `edit` gets some of them, and the place among their elements; it
    /// may be asked twice.
    fn edit_spans(&mut self, place: usize, edit: impl Fn(&mut Spans, usize)) {
        let (base, end) = (self.spans_at(), self.spans_end());
        let tail = self.tail().unwrap_or_default();
        let (from, first) = self.span_before(place);
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
        let mut written = SmallVec::<[u8; 4 * SPAN_MAX]>::new();
        let mut before = from.before;
        spans.iter().for_each(|span| written.extend_from_slice(SpanBytes::new(span, &mut before).as_slice()));
        let (start, stop) = (base + from.at, end - left);
        let shifted = tail.at + written.len() - (stop - start);
        self.bytes.truncate(end);
        self.grow(written.len() + TAIL_LEN);
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

    /// Start and end of the live element number `nth` in the bytes.
    fn data_range(&self, nth: usize) -> (usize, usize) {
        let end = self.data_end();
        if nth >= self.live() {
            return (end, end);
        }
        let mut rest = self.data();
        for _ in 0..nth {
            varint::take_bytes(&mut rest);
        }
        let start = end - rest.len();
        varint::take_bytes(&mut rest);
        (start, end - rest.len())
    }

    /// Takes all room out, in place.
    fn squeeze(&mut self) {
        let (start, data_end, spans_at) = (self.start as usize, self.data_end(), self.spans_at());
        self.bytes.copy_within(start..data_end, 0);
        let data_len = self.data_len as usize;
        self.bytes.copy_within(spans_at.., data_len);
        self.bytes.truncate(data_len + self.bytes.len() - spans_at);
        (self.start, self.gap) = (0, 0);
    }

    /// Gives memory back that is mostly room.
    fn settle(&mut self) {
        if self.room() > ROOM_KEPT && self.room() > self.bytes.len() / 2 {
            self.squeeze();
        }
        if self.bytes.capacity() > 256 && self.bytes.len() < self.bytes.capacity() / 4 {
            self.bytes.shrink_to(self.bytes.len() * 2);
        }
    }

    /// How much room to make where some is needed.
    fn ample(&self, needed: usize) -> usize {
        if self.bytes.len() < ROOMY { needed } else { needed + ROOM_KEPT }
    }

    /// Has so much room between data and spans.
    fn make_gap(&mut self, len: usize) {
        let Some(needed) = len.checked_sub(self.gap as usize).filter(|needed| *needed > 0) else { return };
        if self.bytes.len() + needed + 16 > self.bytes.capacity() && self.start as usize > ROOM_KEPT.max(len)
        {
            self.squeeze();
            return self.make_gap(len);
        }
        let more = self.ample(needed);
        self.grow(more + 16);
        let (at, old) = (self.spans_at(), self.bytes.len());
        self.bytes.resize(old + more, 0);
        self.bytes.copy_within(at..old, at + more);
        self.gap += more as u32;
    }

    /// Has so much room ahead of the data.
    fn make_start(&mut self, len: usize) {
        let Some(needed) = len.checked_sub(self.start as usize).filter(|needed| *needed > 0) else { return };
        let more = self.ample(needed);
        self.grow(more + 16);
        let old = self.bytes.len();
        self.bytes.resize(old + more, 0);
        self.bytes.copy_within(0..old, more);
        self.start += more as u32;
    }

    /// Puts a live element's bytes before what is at a place among the bytes of the data.
    fn put_data(&mut self, at: usize, value: &[u8]) {
        let head = varint_len(value.len());
        let len = head + value.len();
        let before = at - self.start as usize;
        let place = if before == 0 && self.data_len > 0 {
            self.make_start(len);
            self.start -= len as u32;
            self.start as usize
        } else {
            self.make_gap(len);
            let (at, end) = (self.start as usize + before, self.data_end());
            self.bytes.copy_within(at..end, at + len);
            self.gap -= len as u32;
            at
        };
        self.data_len += len as u32;
        let (bytes, mut n) = (&mut self.bytes[place..place + len], value.len());
        for byte in &mut bytes[..head] {
            *byte = n as u8 | 0x80;
            n >>= 7;
        }
        bytes[head - 1] &= 0x7f;
        bytes[head..].copy_from_slice(value);
    }

    fn cut_data(&mut self, start: usize, end: usize) {
        let len = (end - start) as u32;
        if start == self.start as usize {
            self.start += len;
        } else {
            let data_end = self.data_end();
            self.bytes.copy_within(end..data_end, start);
            self.gap += len;
        }
        self.data_len -= len;
    }

    /// Changes the first spans. `edit` gets the first two; false when there are not more than these, or no room for what it makes
    /// of them: then nothing has changed.
    fn edit_front(&mut self, edit: impl FnOnce(&mut Spans)) -> bool {
        let (base, end) = (self.spans_at(), self.spans_end());
        let (mut rest, mut before) = (&self.bytes[base..end], (0, 0));
        let mut spans = Spans::new();
        while spans.len() < 2
            && let Some(span) = take_span(&mut rest, &mut before)
        {
            spans.push(span);
        }
        let (unchanged, last) = (rest.len(), spans.last().map(|span| span.ids.first));
        if unchanged == 0 {
            return false;
        }
        edit(&mut spans);
        assert!(spans.last().map(|span| span.ids.first) == last, "what follows is written against it");
        let (mut written, mut before) = (SmallVec::<[u8; 4 * SPAN_MAX]>::new(), (0, 0));
        spans.iter().for_each(|span| written.extend_from_slice(SpanBytes::new(span, &mut before).as_slice()));
        let front = end - unchanged;
        if front - base + (self.gap as usize) < written.len() {
            let needed = written.len() - (front - base);
            self.make_gap(needed);
        }
        let front = self.spans_at() + (front - base);
        let from = front - written.len();
        self.bytes[from..front].copy_from_slice(&written);
        self.gap = (from - self.data_end()) as u32;
        true
    }

    /// Puts an element before all others.
    fn push_front(&mut self, id: ElementId, value: &[u8], life: Life) {
        if life == Life::Live {
            self.put_data(self.start as usize, value);
            self.live += 1;
        }
        self.total += 1;
        let put = |spans: &mut Spans| {
            let mut edited = Spans::new();
            push_id(&mut edited, id, life);
            let joined = spans.first().and_then(|first| Some((step_into(&edited[0], first)?, first.ids.len)));
            if let Some((step, len)) = joined {
                (edited[0].ids.step, edited[0].ids.len) = (step, len + 1);
            }
            spans[usize::from(joined.is_some())..].iter().for_each(|span| edited.push(*span));
            *spans = edited;
        };
        if !self.edit_front(put) {
            let mut spans: Spans = self.spans().collect();
            put(&mut spans);
            self.put_spans(Tail::default(), &spans);
        }
    }

    /// Takes the first element out.
    fn pop_front(&mut self) {
        let Some(first) = self.first_span() else { return };
        if first.life == Life::Live {
            let (start, end) = self.data_range(0);
            self.cut_data(start, end);
            self.live -= 1;
        }
        self.total -= 1;
        let take = |spans: &mut Spans| {
            let ids = &mut spans[0].ids;
            if ids.len == 1 {
                spans.remove(0);
            } else {
                (ids.first, ids.len) = (ids.at(1), ids.len - 1);
            }
        };
        if !self.edit_front(take) {
            let mut spans: Spans = self.spans().collect();
            take(&mut spans);
            self.put_spans(Tail::default(), &spans);
        }
        self.settle();
    }

    /// Puts an element behind all others.
    fn push_back(&mut self, id: ElementId, value: &[u8], life: Life) {
        if life == Life::Live {
            self.put_data(self.data_end(), value);
            self.live += 1;
        }
        self.total += 1;
        let next = Span { ids: IdRun::one(id), life };
        let (base, end) = (self.spans_at(), self.spans_end());
        let Some(tail) = self.tail() else { return self.put_spans(Tail::default(), &[next]) };
        let (mut rest, mut before) = (&self.bytes[base + tail.at..end], tail.before);
        if let Some(mut last) = take_span(&mut rest, &mut before)
            && last.life == life
            && last.ids.extend(id)
        {
            return self.put_spans(tail, &[last]);
        }
        self.put_spans(Tail { at: end - base, before }, &[next]);
    }

    /// Puts an element at a place, before the one that is there.
    pub fn insert(&mut self, place: usize, id: ElementId, value: &[u8], life: Life) {
        if place == self.total() {
            return self.push_back(id, value, life);
        }
        if place == 0 {
            return self.push_front(id, value, life);
        }
        if life == Life::Live {
            self.put_data(self.data_range(self.live_before(place)).0, value);
            self.live += 1;
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
        if place == 0 {
            return self.pop_front();
        }
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
        self.settle();
    }

    /// Another value for a live element.
    pub fn set(&mut self, place: usize, value: &[u8]) {
        let nth = self.live_before(place);
        let (start, end) = self.data_range(nth);
        self.cut_data(start, end);
        // What was the first has become room.
        let at = if nth == 0 { self.start as usize } else { start };
        self.put_data(at, value);
        self.settle();
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

/// The step by which the first element of `next` follows the one of `one`, and all of `next` with it.
fn step_into(one: &Span, next: &Span) -> Option<Step> {
    let mut ids = one.ids;
    let joins = one.life == next.life && ids.extend(next.ids.first);
    (joins && (next.ids.len == 1 || next.ids.step == ids.step)).then_some(ids.step)
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
    fn what_comes_and_goes_at_the_ends_leaves_little_room() {
        for (front, back) in [(true, false), (false, true), (true, true)] {
            let mut chunk = Chunk::default();
            for seq in 0..20_000u64 {
                let id = ElementId { node: 1 + seq % 2, seq: seq * 7, index: 0 };
                let value = vec![b'v'; (seq % 60) as usize];
                let place = if front && (seq % 2 == 0 || !back) { 0 } else { chunk.total() };
                chunk.insert(place, id, &value, Life::Live);
                if chunk.total() > 40 {
                    chunk.remove(if back { 0 } else { chunk.total() - 1 });
                }
                assert!(chunk.bytes.capacity() < 3 * chunk.used() + 1024, "{chunk:?}");
            }
            assert_eq!((chunk.items().count(), chunk.values().count()), (40, 40));
        }
    }

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
                        let place = [0, model.len(), model.len(), random(model.len() + 1)][random(4)];
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
                        let place = if random(2) == 0 { 0 } else { random(model.len()) };
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
