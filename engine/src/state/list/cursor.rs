//! Reading a list's elements in either direction, dead ones included.

use smallvec::SmallVec;

use super::chunk::Item;
use super::{ListValue, Pos};

/// Stands between two elements; see [`ListValue::cursor`].
pub struct Cursor<'a> {
    list: &'a ListValue,
    place: (usize, usize),
    /// The chunk at `place`.
    items: SmallVec<[Item<'a>; 16]>,
    /// The element that [`Cursor::next`] reads.
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(list: &'a ListValue, pos: Pos) -> Self {
        let mut cursor =
            Cursor { list, place: pos.chunk_place(), items: SmallVec::new(), at: pos.item as usize };
        cursor.load();
        cursor
    }

    fn load(&mut self) {
        self.items.clear();
        if let Some(chunk) = self.list.chunk(self.place) {
            self.items.extend(chunk.items());
        }
    }

    /// The element ahead, which is then behind.
    #[allow(clippy::should_implement_trait)] // It goes both ways.
    pub fn next(&mut self) -> Option<(Pos, Item<'a>)> {
        if self.at >= self.items.len() {
            let mut ahead = (self.place.0, self.place.1 + 1);
            if ahead.1 >= self.list.chunks_of(ahead.0) {
                ahead = (ahead.0 + 1, 0);
            }
            self.list.chunk(ahead)?;
            self.place = ahead;
            self.at = 0;
            self.load();
        }
        let item = *self.items.get(self.at)?;
        let pos = Pos::at(self.place.0, self.place.1, self.at);
        self.at += 1;
        Some((pos, item))
    }

    /// The element behind, which is then ahead.
    pub fn prev(&mut self) -> Option<(Pos, Item<'a>)> {
        if self.at == 0 {
            if self.place == (0, 0) {
                return None;
            }
            self.place = self.list.chunk_before(self.place);
            self.load();
            self.at = self.items.len();
        }
        self.at = self.at.checked_sub(1)?;
        Some((Pos::at(self.place.0, self.place.1, self.at), *self.items.get(self.at)?))
    }
}
