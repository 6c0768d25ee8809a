//! Changes anywhere in a chunk.

use smallvec::SmallVec;

use super::super::span::{Life, Span, Spans, push_id, push_part, push_span};
use super::packed::{self, Packed, SPAN_MAX};
use super::{Chunk, Side, entry};
use crate::effect::lists::ElementId;

/// A span and its neighbours, before a change and after.
const AROUND: usize = 5;

impl Chunk {
    /// Live elements before a place.
    fn live_before(&self, place: usize) -> usize {
        if self.live == self.total {
            return place.min(self.live());
        }
        let (mut at, mut live) = (0, 0);
        for span in self.spans() {
            if at >= place {
                break;
            }
            live += if span.is_live() { span.len().min(place - at) } else { 0 };
            at += span.len();
        }
        live
    }

    /// Start and end of the live element number `nth` in the bytes.
    fn data_range(&self, nth: usize) -> (usize, usize) {
        let (start, end) = (self.start as usize, self.data_end());
        let mut rest = self.data();
        if nth < self.live() / 2 {
            (0..nth).for_each(|_| _ = entry::take_first(&mut rest));
            let from = end - rest.len();
            entry::take_first(&mut rest);
            (from, end - rest.len())
        } else {
            (nth + 1..self.live()).for_each(|_| _ = entry::take_last(&mut rest));
            let to = start + rest.len();
            if nth < self.live() {
                entry::take_last(&mut rest);
            }
            (start + rest.len(), to)
        }
    }

    /// Puts a live element's bytes before the live element number `nth`.
    fn put_data(&mut self, nth: usize, value: &[u8]) {
        let size = entry::size(value);
        self.make_room(Side::Back, size, 0);
        let (at, end) = (self.data_range(nth).0, self.data_end());
        self.bytes.copy_within(at..end, at + size);
        entry::write(&mut self.bytes[at..at + size], value);
        self.data_len += size as u32;
        self.gap -= size as u32;
    }

    fn cut_data(&mut self, nth: usize) {
        let ((from, to), end) = (self.data_range(nth), self.data_end());
        self.bytes.copy_within(to..end, from);
        self.data_len -= (to - from) as u32;
        self.gap += (to - from) as u32;
    }

    /// Changes the span that holds a place; `edit` gets it with its neighbours, and the place among their elements.
    fn edit_spans(&mut self, place: usize, edit: impl FnOnce(&mut Spans, usize)) {
        let (mut spans, mut before) = (Spans::new(), None::<(Span, usize)>);
        // Elements before what is read next, and where that is.
        let (mut at, mut to) = (0, self.spans_at());
        let (from, first) = loop {
            let Some((span, size)) = packed::first(&self.bytes[to..], self.base) else { return };
            to += size;
            if place < at + span.len() {
                spans.extend(before.map(|(span, _)| span));
                spans.push(span);
                let (elements, bytes) = before.map_or((0, 0), |(span, size)| (span.len(), size));
                break (to - size - bytes, at - elements);
            }
            at += span.len();
            before = Some((span, size));
        };
        if let Some((next, size)) = packed::first(&self.bytes[to..], self.base) {
            spans.push(next);
            to += size;
        }
        edit(&mut spans, place - first);
        let mut written = SmallVec::<[u8; AROUND * SPAN_MAX]>::new();
        spans.iter().for_each(|span| written.extend_from_slice(Packed::new(span, self.base).as_slice()));
        let (from, to) = (from - self.spans_at(), to - self.spans_at());
        self.replace_spans(from, to, &written);
    }

    /// Other bytes for those from and to some places among the bytes of the spans.
    fn replace_spans(&mut self, from: usize, to: usize, written: &[u8]) {
        let more = written.len().saturating_sub(to - from);
        self.make_room(Side::Back, 0, more);
        let (from, to) = (self.spans_at() + from, self.spans_at() + to);
        let old = self.bytes.len();
        self.bytes.resize(old + more, 0);
        self.bytes.copy_within(to..old, from + written.len());
        self.bytes[from..from + written.len()].copy_from_slice(written);
        self.bytes.truncate(from + written.len() + old - to);
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
            self.put_data(self.live_before(place), value);
            self.live += 1;
        }
        self.edit_spans(place, |spans, place| {
            *spans = with(spans, place, |edited, span, cut| {
                push_part(edited, span, 0, cut);
                push_id(edited, id, life);
                push_part(edited, span, cut, span.ids.len);
            });
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
        if place + 1 == self.total() {
            return self.pop_back();
        }
        self.change(place, None);
        self.total -= 1;
    }

    fn change(&mut self, place: usize, life: Option<Life>) {
        if let Some((_, Life::Live, before)) = self.look(place) {
            self.cut_data(before);
            self.live -= 1;
        }
        self.edit_spans(place, |spans, place| {
            *spans = with(spans, place, |edited, span, cut| {
                push_part(edited, span, 0, cut);
                if let Some(life) = life {
                    push_id(edited, span.ids.at(cut), life);
                }
                push_part(edited, span, cut + 1, span.ids.len);
            });
        });
        self.settle();
    }

    /// Another value for a live element.
    pub fn set(&mut self, place: usize, value: &[u8]) {
        let nth = self.live_before(place);
        self.cut_data(nth);
        self.live -= 1;
        self.put_data(nth, value);
        self.live += 1;
        self.settle();
    }
}

/// The spans, with what `edit` makes of the one that holds a place; it gets the place among its elements.
fn with(spans: &Spans, place: usize, edit: impl Fn(&mut Spans, &Span, u32)) -> Spans {
    let (mut edited, mut at) = (Spans::new(), 0);
    for span in spans {
        if (at..at + span.len()).contains(&place) {
            edit(&mut edited, span, (place - at) as u32);
        } else {
            push_span(&mut edited, *span);
        }
        at += span.len();
    }
    edited
}
