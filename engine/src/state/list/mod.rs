//! A list's elements in order, each with its name.
//!
//! A short list is one chunk; a longer one is blocks of chunks, with counts at each level: the ends are near, and an index is
//! found by stepping over blocks, chunks and at last elements. While peers may still refer to them, elements that are gone
//! stay as *dead* ones in their places, without bytes; they count nowhere and cost a share of a span.

mod chunk;
mod cursor;
mod rope;
mod span;

use smallvec::{SmallVec, smallvec};

use proto::{EffectId, varint};

use super::table::prefetch_all;
use crate::effect::Members;
use crate::effect::lists::{ElementId, IdRun};
use crate::image::bytes::Fields;
use chunk::Chunk;
pub use chunk::Item;
pub use cursor::Cursor;
use rope::{Above, Block, CHUNKS_MAX, ChunkInPlace, Rope};
pub use span::{Life, Span};
use span::{Spans, push_id, push_part, put_span, take_span};

/// Where an element is. Valid until the list changes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Pos {
    block: u32,
    chunk: u32,
    item: u32,
}

impl Pos {
    fn at(block: usize, chunk: usize, item: usize) -> Pos {
        Pos { block: block as u32, chunk: chunk as u32, item: item as u32 }
    }

    fn chunk_place(self) -> (usize, usize) {
        (self.block as usize, self.chunk as usize)
    }
}

#[derive(Clone, Debug)]
enum Repr {
    One(Chunk),
    Many(Rope),
}

/// See the module.
#[derive(Clone, Debug)]
pub struct ListValue(Repr);

impl Default for ListValue {
    fn default() -> Self {
        ListValue(Repr::One(Chunk::default()))
    }
}

impl PartialEq for ListValue {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.values().eq(other.values())
    }
}

impl ListValue {
    /// The elements that the assignment `id` makes.
    pub fn from_values<'a>(id: EffectId, values: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut list = ListValue::default();
        for (i, value) in (0..).zip(values) {
            list.push_back(ElementId::new(id, i), value, Life::Live);
        }
        list.fit();
        list
    }

    /// Gives back room at the end of what was made element by element.
    fn fit(&mut self) {
        match &mut self.0 {
            Repr::One(one) => one.fit(),
            Repr::Many(rope) => {
                rope.blocks
                    .last_mut()
                    .and_then(|block| block.chunks.back_mut())
                    .into_iter()
                    .for_each(Chunk::fit);
            }
        }
    }

    /// Live elements.
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::One(chunk) => chunk.live(),
            Repr::Many(rope) => rope.live,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Live and dead elements.
    pub fn total(&self) -> usize {
        match &self.0 {
            Repr::One(chunk) => chunk.total(),
            Repr::Many(rope) => rope.total,
        }
    }

    /// What OBJECT ENCODING of Redis 7.0 says.
    pub fn encoding(&self) -> &'static str {
        "quicklist"
    }

    fn blocks(&self) -> usize {
        match &self.0 {
            Repr::One(_) => 1,
            Repr::Many(rope) => rope.blocks.len(),
        }
    }

    fn chunks_of(&self, block: usize) -> usize {
        match &self.0 {
            Repr::One(_) => 1,
            Repr::Many(rope) => rope.blocks[block].chunks.len(),
        }
    }

    fn chunk(&self, (block, chunk): (usize, usize)) -> Option<&Chunk> {
        match &self.0 {
            Repr::One(one) => (block == 0 && chunk == 0).then_some(one),
            Repr::Many(rope) => rope.blocks.get(block)?.chunks.get(chunk),
        }
    }

    /// Changes a chunk and the counts above it, then cuts or drops it as its size asks.
    fn edit(&mut self, (block, chunk): (usize, usize), edit: impl FnOnce(&mut Chunk)) {
        let rope = match &mut self.0 {
            Repr::One(one) => {
                edit(one);
                if !one.is_full() {
                    return;
                }
                self.rope().divide(0, 0);
                return;
            }
            Repr::Many(rope) => rope,
        };
        let blocks = rope.blocks.len();
        let Some(held) = rope.blocks.get_mut(block) else { return };
        let Some(target) = held.chunks.get_mut(chunk) else { return };
        let before = (target.live(), target.total());
        edit(target);
        let (live, total, full) = (target.live(), target.total(), target.is_full());
        held.live = held.live + live as u32 - before.0 as u32;
        held.total = held.total + total as u32 - before.1 as u32;
        rope.live = rope.live + live - before.0;
        rope.total = rope.total + total - before.1;
        if total == 0 {
            held.chunks.remove(chunk);
            if held.chunks.is_empty() {
                rope.blocks.remove(block);
            }
            if rope.blocks.is_empty() {
                self.0 = Repr::One(Chunk::default());
            }
        } else if full {
            rope.divide(block, chunk);
        } else {
            if (block, chunk) == (0, 0) {
                rope.front = target.front();
            }
            if block + 1 == blocks && chunk + 1 == held.chunks.len() {
                rope.back = held.chunks[chunk].back();
            }
        }
    }

    /// Puts an element before the one at `pos`, which may be the end.
    pub fn insert(&mut self, pos: Pos, id: ElementId, value: &[u8], life: Life) {
        let (mut place, mut item) = (pos.chunk_place(), pos.item as usize);
        if self.chunk(place).is_none() {
            return self.push_back(id, value, life);
        }
        // The end of the chunk before serves as well as the beginning of this one, and spans may join there.
        if item == 0 && (place.0, place.1) > (0, 0) {
            place = self.chunk_before(place);
            item = self.chunk(place).map_or(0, Chunk::total);
        }
        self.edit(place, |chunk| chunk.insert(item, id, value, life));
    }

    /// Puts a command's values before the element at `pos`, each behind the one before or, `reversed`, before it. Returns about
    /// where they are.
    pub fn insert_run(
        &mut self,
        pos: Pos,
        first: ElementId,
        values: Members<'_>,
        reversed: bool,
        life: Life,
    ) -> Pos {
        if pos == self.end() && !reversed {
            self.append_run(first, values, life);
            return self.end();
        }
        if pos == Pos::default() && reversed {
            self.prepend_run(first, values, life);
            return pos;
        }
        let (mut at, count) = (pos, values.len());
        for (done, (id, value)) in (1..).zip(named(first, values, life)) {
            self.insert(at, id, value, life);
            // Chunks may have been cut.
            if done < count {
                at = match self.find(id, Some(at)) {
                    Some(found) if reversed => found,
                    Some(found) => self.behind(found),
                    None => at,
                };
            }
        }
        at
    }

    /// Puts a command's values behind all elements, one behind the other.
    pub fn append_run(&mut self, first: ElementId, values: Members<'_>, life: Life) {
        named(first, values, life).for_each(|(id, value)| self.push_back(id, value, life));
    }

    /// Puts a command's values ahead of all elements, each ahead of the one before.
    pub fn prepend_run(&mut self, first: ElementId, values: Members<'_>, life: Life) {
        named(first, values, life).for_each(|(id, value)| self.push_front(id, value, life));
    }

    fn chunk_before(&self, (block, chunk): (usize, usize)) -> (usize, usize) {
        if chunk > 0 { (block, chunk - 1) } else { (block - 1, self.chunks_of(block - 1) - 1) }
    }

    pub fn push_back(&mut self, id: ElementId, value: &[u8], life: Life) {
        if let Some(end) = self.end_with_room(true, value.len()) {
            let ChunkInPlace { chunk, above } = end.count(life);
            chunk.push_back(id, value, life);
            if let Some(above) = above {
                *above.spots = chunk.back();
            }
            return;
        }
        self.fresh_chunk(true);
        let block = self.blocks() - 1;
        let place = (block, self.chunks_of(block) - 1);
        self.edit(place, |chunk| chunk.push_back(id, value, life));
    }

    pub fn push_front(&mut self, id: ElementId, value: &[u8], life: Life) {
        if let Some(end) = self.end_with_room(false, value.len()) {
            let ChunkInPlace { chunk, above } = end.count(life);
            chunk.push_front(id, value, life);
            if let Some(above) = above {
                *above.spots = chunk.front();
            }
            return;
        }
        self.fresh_chunk(false);
        self.edit((0, 0), |chunk| chunk.push_front(id, value, life));
    }

    /// Puts a live element behind all others if `prev` is the last of them. False, and nothing is changed: it is not, or that
    /// takes more than a look at the end.
    #[inline]
    pub fn push_behind(&mut self, prev: ElementId, id: ElementId, value: &[u8]) -> bool {
        let Some(end) = self.end_with_room(true, value.len()) else { return false };
        let done = end.chunk.push_behind(prev, id, value);
        if done && let ChunkInPlace { chunk, above: Some(above) } = end.count(Life::Live) {
            *above.spots = chunk.back();
        }
        done
    }

    /// As [`ListValue::push_behind`], at the other end.
    #[inline]
    pub fn push_ahead(&mut self, next: ElementId, id: ElementId, value: &[u8]) -> bool {
        let Some(end) = self.end_with_room(false, value.len()) else { return false };
        let done = end.chunk.push_ahead(next, id, value);
        if done && let ChunkInPlace { chunk, above: Some(above) } = end.count(Life::Live) {
            *above.spots = chunk.front();
        }
        done
    }

    /// The chunk at one end with the counts above it, if so many bytes more do not make it too large.
    #[inline]
    fn end_with_room(&mut self, at_back: bool, value_len: usize) -> Option<ChunkInPlace<'_>> {
        let (chunk, above) = match &mut self.0 {
            Repr::One(one) => (one, None),
            Repr::Many(Rope { blocks, live, total, front, back }) => {
                let block = if at_back { blocks.last_mut() } else { blocks.first_mut() }?;
                let chunks = &mut block.chunks;
                let (chunk, spots) =
                    if at_back { (chunks.back_mut()?, back) } else { (chunks.front_mut()?, front) };
                let above =
                    Above { of_block: (&mut block.live, &mut block.total), of_list: (live, total), spots };
                (chunk, Some(above))
            }
        };
        chunk.has_room(value_len).then_some(ChunkInPlace { chunk, above })
    }

    /// The blocks; a single chunk becomes the first of them.
    fn rope(&mut self) -> &mut Rope {
        if let Repr::One(one) = &mut self.0 {
            let one = std::mem::take(one);
            let (live, total) = (one.live(), one.total());
            let block = Block::of([one].into());
            self.0 = Repr::Many(Rope { blocks: smallvec![block], live, total, ..Rope::default() });
        }
        match &mut self.0 {
            Repr::Many(rope) => rope,
            Repr::One(_) => unreachable!("it was made a rope"),
        }
    }

    /// An empty chunk at one end, for an element that is put there at once.
    fn fresh_chunk(&mut self, at_back: bool) {
        let rope = self.rope();
        let end = if at_back { rope.blocks.last_mut() } else { rope.blocks.first_mut() };
        if end.is_none_or(|block| block.chunks.len() >= CHUNKS_MAX) {
            if at_back {
                rope.blocks.push(Block::default());
            } else {
                rope.blocks.insert(0, Block::default());
            }
        }
        let end = if at_back { rope.blocks.last_mut() } else { rope.blocks.first_mut() };
        let Some(end) = end else { return };
        if at_back {
            end.chunks.push_back(Chunk::at_end_of_long(true));
        } else {
            end.chunks.push_front(Chunk::at_end_of_long(false));
        }
    }

    pub fn set(&mut self, pos: Pos, value: &[u8]) {
        self.edit(pos.chunk_place(), |chunk| chunk.set(pos.item as usize, value));
    }

    /// Marks a live element dead.
    pub fn kill(&mut self, pos: Pos, life: Life) {
        self.edit(pos.chunk_place(), |chunk| chunk.kill(pos.item as usize, life));
    }

    /// Takes an element out altogether.
    pub fn remove(&mut self, pos: Pos) {
        self.edit(pos.chunk_place(), |chunk| chunk.remove(pos.item as usize));
    }

    /// Takes the first element out if it is this one.
    pub fn pop_front_if(&mut self, id: ElementId) -> bool {
        let mut done = false;
        self.edit((0, 0), |chunk| done = chunk.pop_front_if(id));
        done
    }

    /// Name and value of the first live element.
    #[inline]
    pub fn front(&self) -> Option<(ElementId, &[u8])> {
        let at_end = self.chunk((0, 0)).and_then(Chunk::first_live);
        at_end.or_else(|| Some((self.id(0)?, self.get(0)?)))
    }

    /// Name and value of the last live element.
    #[inline]
    pub fn back(&self) -> Option<(ElementId, &[u8])> {
        let block = self.blocks() - 1;
        let at_end = self.chunk((block, self.chunks_of(block) - 1)).and_then(Chunk::last_live);
        let last = || self.len().checked_sub(1);
        at_end.or_else(|| Some((self.id(last()?)?, self.get(last()?)?)))
    }

    /// Whether the element is alive.
    pub fn is_live(&self, pos: Pos) -> bool {
        let looked = self.chunk(pos.chunk_place()).and_then(|chunk| chunk.look(pos.item as usize));
        looked.is_some_and(|(_, life, _)| life == Life::Live)
    }

    pub fn item(&self, pos: Pos) -> Option<Item<'_>> {
        self.chunk(pos.chunk_place())?.item(pos.item as usize)
    }

    /// The chunk with the live element number `index`, and its number there.
    fn chunk_of_live(&self, index: usize) -> Option<(usize, usize, usize)> {
        if index >= self.len() {
            return None;
        }
        let rope = match &self.0 {
            Repr::One(_) => return Some((0, 0, index)),
            Repr::Many(rope) => rope,
        };
        // From the nearer end.
        let (mut block, mut first) = (0, 0);
        if index < rope.live / 2 {
            while first + rope.blocks[block].live() <= index {
                first += rope.blocks[block].live();
                block += 1;
            }
        } else {
            (block, first) = (rope.blocks.len() - 1, rope.live - rope.blocks[rope.blocks.len() - 1].live());
            while first > index {
                block -= 1;
                first -= rope.blocks[block].live();
            }
        }
        let held = &rope.blocks[block];
        let within = index - first;
        let (mut chunk, mut first) = (0, 0);
        if within < held.live() / 2 {
            while first + held.chunks[chunk].live() <= within {
                first += held.chunks[chunk].live();
                chunk += 1;
            }
        } else {
            (chunk, first) = (held.chunks.len() - 1, held.live() - held.chunks[held.chunks.len() - 1].live());
            while first > within {
                chunk -= 1;
                first -= held.chunks[chunk].live();
            }
        }
        Some((block, chunk, within - first))
    }

    /// The value of the live element number `index`.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let (block, chunk, within) = self.chunk_of_live(index)?;
        self.chunk((block, chunk))?.value(within)
    }

    /// Place of the live element number `index`.
    pub fn place(&self, index: usize) -> Option<Pos> {
        let (block, chunk, within) = self.chunk_of_live(index)?;
        let item = self.chunk((block, chunk))?.place_of_live(within)?;
        Some(Pos::at(block, chunk, item))
    }

    /// Name of the live element number `index`.
    pub fn id(&self, index: usize) -> Option<ElementId> {
        let pos = self.place(index)?;
        Some(self.chunk(pos.chunk_place())?.look(pos.item as usize)?.0)
    }

    pub fn first_id(&self) -> Option<ElementId> {
        match self.first_span() {
            Some(Span { ids, life: Life::Live }) => Some(ids.first),
            _ => self.id(0),
        }
    }

    pub fn last_id(&self) -> Option<ElementId> {
        match self.last_span() {
            Some(Span { ids, life: Life::Live }) => Some(ids.at(ids.len - 1)),
            _ => self.id(self.len().checked_sub(1)?),
        }
    }

    /// The first span, of live or dead elements.
    fn first_span(&self) -> Option<Span> {
        self.chunk((0, 0))?.first_span()
    }

    /// The last span, of live or dead elements.
    fn last_span(&self) -> Option<Span> {
        let block = self.blocks() - 1;
        self.chunk((block, self.chunks_of(block) - 1))?.last_span()
    }

    /// Name and life of the first of all elements.
    pub fn first(&self) -> Option<(ElementId, Life)> {
        self.first_span().map(|span| (span.ids.first, span.life))
    }

    /// Name and life of the last of all elements.
    pub fn last(&self) -> Option<(ElementId, Life)> {
        self.last_span().map(|span| (span.ids.at(span.ids.len - 1), span.life))
    }

    /// Brings near what a change at these ends looks at.
    #[inline]
    pub(crate) fn prefetch_ends(&self, ends: Ends) {
        let (front, back) =
            (matches!(ends, Ends::Front | Ends::Both), matches!(ends, Ends::Back | Ends::Both));
        match &self.0 {
            Repr::One(one) => {
                if front {
                    one.front().prefetch(chunk::NEAR);
                }
                if back {
                    one.back().prefetch(chunk::NEAR);
                }
            }
            Repr::Many(rope) => {
                if front && let Some(first) = rope.blocks.first().and_then(|block| block.chunks.front()) {
                    prefetch_all(first);
                    rope.front.prefetch(chunk::NEAR);
                }
                if back && let Some(last) = rope.blocks.last().and_then(|block| block.chunks.back()) {
                    prefetch_all(last);
                    rope.back.prefetch(chunk::NEAR);
                }
            }
        }
    }

    /// Some element, alive or dead, came from another list: it may come to stand elsewhere.
    pub fn has_moved(&self) -> bool {
        let chunks =
            (0..self.blocks()).flat_map(|block| (0..self.chunks_of(block)).map(move |chunk| (block, chunk)));
        let mut spans = chunks.filter_map(|place| self.chunk(place)).flat_map(Chunk::spans);
        spans.any(|span| span.ids.first.index == ElementId::MOVED)
    }

    /// Live values from number `start` on.
    pub fn values_from(&self, start: usize) -> impl Iterator<Item = &[u8]> + '_ {
        let (block, chunk, within) = self.chunk_of_live(start).unwrap_or((self.blocks(), 0, 0));
        let mut place = (block, chunk);
        let chunks = std::iter::from_fn(move || {
            let found = self.chunk(place)?;
            place.1 += 1;
            if place.1 >= self.chunks_of(place.0) {
                place = (place.0 + 1, 0);
            }
            Some(found)
        });
        chunks.flat_map(Chunk::values).skip(within)
    }

    pub fn values(&self) -> impl Iterator<Item = &[u8]> + '_ {
        self.values_from(0)
    }

    /// Reads elements in both directions from a place on.
    pub fn cursor(&self, pos: Pos) -> Cursor<'_> {
        Cursor::new(self, pos)
    }

    /// The place behind the last element.
    pub fn end(&self) -> Pos {
        let block = self.blocks() - 1;
        let chunk = self.chunks_of(block) - 1;
        Pos::at(block, chunk, self.chunk((block, chunk)).map_or(0, Chunk::total))
    }

    /// Finds an element by its name: where `near` says, then from both ends inwards.
    pub fn find(&self, id: ElementId, near: Option<Pos>) -> Option<Pos> {
        let look = |place: (usize, usize)| {
            let item = self.chunk(place)?.find(id)?;
            Some(Pos::at(place.0, place.1, item))
        };
        if let Some(near) = near {
            let (block, chunk) = near.chunk_place();
            let around = [(block, chunk), (block, chunk + 1), (block + 1, 0)];
            if let Some(found) = around.into_iter().find_map(look) {
                return Some(found);
            }
        }
        if self.first().is_some_and(|(first, _)| first == id) {
            return Some(Pos::default());
        }
        let end = self.end();
        if self.last().is_some_and(|(last, _)| last == id) {
            return Some(Pos { item: end.item - 1, ..end });
        }
        let (mut front, mut back) = ((0, 0), end.chunk_place());
        while front <= back {
            if let Some(found) = look(front).or_else(|| look(back)) {
                return Some(found);
            }
            front.1 += 1;
            if front.1 >= self.chunks_of(front.0) {
                front = (front.0 + 1, 0);
            }
            if back == (0, 0) {
                break;
            }
            back = self.chunk_before(back);
        }
        None
    }

    /// Rewrites the list: each element is kept with the life that `keep` gives it, or taken out. Blocks, and chunks by their
    /// place, for which nothing is to do stay as they are; `touches` is asked with the numbers of live and of all elements.
    fn rewrite(
        &mut self,
        touches: impl Fn(Option<(usize, usize)>, usize, usize) -> bool,
        mut keep: impl FnMut(Pos, &Item<'_>) -> Option<Life>,
    ) {
        let mut filter = |chunk: &mut Chunk, place: (usize, usize)| {
            if touches(Some(place), chunk.live(), chunk.total()) {
                let mut at = 0;
                *chunk = chunk.filtered(|item| {
                    at += 1;
                    keep(Pos::at(place.0, place.1, at - 1), item)
                });
            }
        };
        match &mut self.0 {
            Repr::One(one) => filter(one, (0, 0)),
            Repr::Many(rope) => {
                (rope.live, rope.total) = (0, 0);
                for (b, block) in rope.blocks.iter_mut().enumerate() {
                    if touches(None, block.live(), block.total()) {
                        for (c, chunk) in block.chunks.iter_mut().enumerate() {
                            filter(chunk, (b, c));
                        }
                        block.chunks.retain(|chunk| chunk.total() > 0);
                        block.count();
                    }
                    rope.live += block.live();
                    rope.total += block.total();
                }
                rope.blocks.retain(|block| !block.chunks.is_empty());
                if rope.blocks.is_empty() {
                    self.0 = Repr::One(Chunk::default());
                }
            }
        }
    }

    /// Takes dead elements out: of one generation, or all.
    pub fn purge(&mut self, only: Option<Life>) {
        self.rewrite(
            |_, live, total| total > live,
            |_, item| {
                let goes = item.life != Life::Live && only.is_none_or(|only| only == item.life);
                (!goes).then_some(item.life)
            },
        );
    }

    /// Marks those live elements dead for which `dies` holds.
    pub fn kill_where(&mut self, life: Life, mut dies: impl FnMut(&Item<'_>) -> bool) {
        self.rewrite(
            |_, live, _| live > 0,
            |_, item| Some(if item.life == Life::Live && dies(item) { life } else { item.life }),
        );
    }

    /// Marks those live elements before one place and behind another dead for which `dies` holds.
    pub fn kill_outside(
        &mut self,
        (first, last): (Pos, Pos),
        life: Life,
        mut dies: impl FnMut(&Item<'_>) -> bool,
    ) {
        let inner = |place: (usize, usize)| first.chunk_place() < place && place < last.chunk_place();
        self.rewrite(
            |place, live, _| live > 0 && !place.is_some_and(inner),
            |pos, item| {
                let outside = pos < first || last < pos;
                Some(if outside && item.life == Life::Live && dies(item) { life } else { item.life })
            },
        );
    }

    /// Keeps only the elements between two places, both included.
    pub fn keep_between(&mut self, first: Pos, last: Pos) {
        match &mut self.0 {
            Repr::One(_) => {
                self.rewrite(|_, _, _| true, |pos, item| (first <= pos && pos <= last).then_some(item.life));
            }
            Repr::Many(rope) => {
                rope.blocks.truncate(last.block as usize + 1);
                if let Some(block) = rope.blocks.last_mut() {
                    block.chunks.truncate(last.chunk as usize + 1);
                    if let Some(chunk) = block.chunks.back_mut() {
                        chunk.split_off(last.item as usize + 1);
                    }
                }
                rope.blocks.drain(..first.block as usize);
                if let Some(block) = rope.blocks.first_mut() {
                    block.chunks.drain(..first.chunk as usize);
                    if let Some(chunk) = block.chunks.front_mut() {
                        *chunk = chunk.split_off(first.item as usize);
                    }
                }
                for block in [0, rope.blocks.len().saturating_sub(1)] {
                    if let Some(block) = rope.blocks.get_mut(block) {
                        block.count();
                    }
                }
                rope.live = rope.blocks.iter().map(Block::live).sum();
                rope.total = rope.blocks.iter().map(Block::total).sum();
                if rope.total == 0 {
                    self.0 = Repr::One(Chunk::default());
                }
            }
        }
    }

    /// The place behind an element.
    pub fn behind(&self, pos: Pos) -> Pos {
        Pos { item: pos.item + 1, ..pos }
    }

    /// Names of the live elements from number `start` on, as runs.
    pub fn runs(&self, start: usize, count: usize) -> SmallVec<[IdRun; 4]> {
        let mut spans = Spans::new();
        let (block, chunk, mut skip) = self.chunk_of_live(start).unwrap_or((self.blocks(), 0, 0));
        let (mut place, mut left) = ((block, chunk), count);
        while left > 0
            && let Some(chunk) = self.chunk(place)
        {
            for span in chunk.spans().filter(|span| span.life == Life::Live) {
                let len = span.ids.len as usize;
                let (from, to) = (skip.min(len), len.min(skip + left));
                skip -= from;
                if from < to {
                    push_part(&mut spans, &span, from as u32, to as u32);
                    left -= to - from;
                }
                if left == 0 {
                    break;
                }
            }
            place.1 += 1;
            if place.1 >= self.chunks_of(place.0) {
                place = (place.0 + 1, 0);
            }
        }
        spans.into_iter().map(|span| span.ids).collect()
    }

    /// Bytes out of line, in blocks of the allocator; long lists by the mean of `samples` chunks (0 = all).
    pub fn heap_bytes(&self, samples: usize, block: fn(usize) -> usize) -> usize {
        let rope = match &self.0 {
            Repr::One(chunk) => return chunk.heap_bytes(block),
            Repr::Many(rope) => rope,
        };
        let frames: usize = rope.blocks.iter().map(|b| block(b.chunks.capacity() * size_of::<Chunk>())).sum();
        let chunks: usize = rope.blocks.iter().map(|b| b.chunks.len()).sum();
        let looked = if samples == 0 { chunks } else { samples.min(chunks) };
        let all = rope.blocks.iter().flat_map(|b| b.chunks.iter());
        let bytes: usize = all.take(looked).map(|chunk| chunk.heap_bytes(block)).sum();
        let spilled =
            if rope.blocks.spilled() { block(rope.blocks.capacity() * size_of::<Block>()) } else { 0 };
        spilled + frames + (bytes * chunks).checked_div(looked).unwrap_or(0)
    }

    /// Appends every element with its name and life.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut spans = Spans::new();
        let mut cursor = self.cursor(Pos::default());
        while let Some((_, item)) = cursor.next() {
            push_id(&mut spans, item.id, item.life);
        }
        varint::put(out, spans.len() as u64);
        let mut before = (0, 0);
        for span in &spans {
            put_span(out, span, &mut before);
        }
        self.values().for_each(|value| varint::put_bytes(out, value));
    }

    /// Reads what [`ListValue::encode`] wrote.
    pub fn decode(fields: &mut Fields<'_>) -> Option<ListValue> {
        let mut list = ListValue::default();
        let count = fields.count()?;
        let mut spans = Spans::new();
        let mut before = (0, 0);
        for _ in 0..count {
            spans.push(take_span(&mut fields.0, &mut before).filter(|span| span.ids.len > 0)?);
        }
        for span in &spans {
            for i in 0..span.ids.len {
                let value = if span.life == Life::Live { fields.bytes()? } else { &[] };
                list.push_back(span.ids.at(i), value, span.life);
            }
        }
        list.fit();
        Some(list)
    }
}

/// Which ends of a list or stream a command works at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ends {
    Front,
    Back,
    Both,
    /// What only the memory that was brought near by now leads to.
    Farther,
}

/// A command's values with their names; without bytes if they are not alive.
fn named<'a>(
    first: ElementId,
    values: Members<'a>,
    life: Life,
) -> impl Iterator<Item = (ElementId, &'a [u8])> {
    (0..).zip(values.iter()).map(move |(index, value)| {
        let id = if first.index == ElementId::MOVED { first } else { ElementId { index, ..first } };
        (id, if life == Life::Live { value } else { &[] })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(seq: u64) -> ElementId {
        ElementId { node: 1 + seq % 3, seq, index: 0 }
    }

    #[test]
    fn random_edits_equal_those_of_a_vector() {
        let mut state = 3u64;
        let mut random = move |n: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % n
        };
        for round in 0..6 {
            let mut list = ListValue::default();
            let mut model: Vec<(ElementId, Vec<u8>, Life)> = Vec::new();
            for seq in 0..4000 {
                let long = if round % 2 == 0 { 30 } else { 2000 };
                match random(10) {
                    0..4 => {
                        let value = vec![seq as u8; random(long)];
                        list.push_back(id(seq), &value, Life::Live);
                        model.push((id(seq), value, Life::Live));
                    }
                    4 | 5 => {
                        let value = vec![seq as u8; random(long)];
                        list.push_front(id(seq), &value, Life::Live);
                        model.insert(0, (id(seq), value, Life::Live));
                    }
                    6 if !model.is_empty() => {
                        let at = random(model.len());
                        let pos = list.find(model[at].0, None).unwrap();
                        list.insert(pos, id(seq), b"new", Life::Live);
                        model.insert(at, (id(seq), b"new".to_vec(), Life::Live));
                    }
                    7 if !model.is_empty() => {
                        let at = random(model.len());
                        list.remove(list.find(model[at].0, None).unwrap());
                        model.remove(at);
                    }
                    8 if !list.is_empty() => {
                        let index = random(list.len());
                        let pos = list.place(index).unwrap();
                        let name = list.id(index).unwrap();
                        list.kill(pos, Life::Dead0);
                        let at = model.iter().position(|m| m.0 == name).unwrap();
                        model[at].1.clear();
                        model[at].2 = Life::Dead0;
                    }
                    9 if !list.is_empty() => {
                        let index = random(list.len());
                        list.set(list.place(index).unwrap(), &[9; 100]);
                        let name = list.id(index).unwrap();
                        model.iter_mut().find(|m| m.0 == name).unwrap().1 = vec![9; 100];
                    }
                    _ => {}
                }
            }
            let check = |list: &ListValue, model: &[(ElementId, Vec<u8>, Life)]| {
                let live: Vec<_> = model.iter().filter(|m| m.2 == Life::Live).collect();
                assert_eq!((list.len(), list.total()), (live.len(), model.len()));
                assert!(list.values().eq(live.iter().map(|m| &m.1[..])));
                for (i, m) in live.iter().enumerate().step_by(7) {
                    assert_eq!(list.get(i), Some(&m.1[..]));
                    assert_eq!(list.id(i), Some(m.0));
                }
                let mut cursor = list.cursor(Pos::default());
                let mut all = Vec::new();
                while let Some((pos, item)) = cursor.next() {
                    assert_eq!(list.item(pos), Some(item));
                    all.push(item.id);
                }
                assert!(all.iter().eq(model.iter().map(|m| &m.0)));
                let mut back = Vec::new();
                let mut cursor = list.cursor(list.end());
                while let Some((_, item)) = cursor.prev() {
                    back.push(item.id);
                }
                assert!(back.iter().rev().eq(all.iter()));
            };
            check(&list, &model);
            let mut bytes = Vec::new();
            list.encode(&mut bytes);
            let read = ListValue::decode(&mut Fields(&bytes)).unwrap();
            check(&read, &model);
            assert!(ListValue::decode(&mut Fields(&bytes[..bytes.len() - 1])).is_none());
            list.purge(None);
            model.retain(|m| m.2 == Life::Live);
            check(&list, &model);
            let (from, to) = (model.len() / 5, model.len() / 2);
            let mut cut = list.clone();
            cut.keep_between(list.place(from).unwrap(), list.place(to).unwrap());
            check(&cut, &model[from..=to]);
            list.kill_where(Life::Dead1, |item| item.id.seq % 2 == 0);
            list.purge(Some(Life::Dead1));
            model.retain(|m| m.0.seq % 2 != 0);
            check(&list, &model);
            let runs = list.runs(0, model.len());
            let names: Vec<_> = runs.iter().flat_map(|r| (0..r.len).map(|i| r.at(i))).collect();
            assert!(names.iter().eq(model.iter().map(|m| &m.0)));
        }
    }
}
