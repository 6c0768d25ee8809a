//! Where a new element belongs among those that its author did not see.
//!
//! Its author saw it between two neighbours. Whatever stands there now was put there by others meanwhile (or is dead, and was
//! known to be). Of those only the ones that hang on the same element matter: they are siblings, and [`Place`] says in which
//! order siblings stand. What hangs on a sibling goes with it.

use hashbrown::HashMap;
use proto::{Hlc, NodeId};

use super::ListWindow;
use crate::effect::fork::fork_choice_cmp;
use crate::effect::lists::{ElementId, Place, RunKey, Spot};
use crate::merge::causal::Meta;
use crate::state::list::{Life, ListValue, Pos};

/// A sibling of the new element: how it hangs there, and when it came.
type Sibling = (Place, (Hlc, NodeId));

/// What was found out about the inserts met on the way.
type Known = HashMap<RunKey, Option<Sibling>>;

impl ListWindow {
    /// The place before which the first element of an insert goes.
    pub(super) fn seek(&self, doc: &ListValue, meta: &Meta, spot: &Spot) -> Pos {
        let parent = spot.parent().and_then(|parent| doc.find(parent, self.near));
        let mut known = Known::new();
        match (spot.place, parent) {
            (Place::Behind, Some(parent)) => {
                self.seek_forward(doc, meta, spot, doc.behind(parent), &mut known)
            }
            (Place::Before | Place::Ahead, Some(parent)) => {
                self.seek_backward(doc, meta, spot, parent, &mut known)
            }
            (Place::Start, _) => self.seek_forward(doc, meta, spot, Pos::default(), &mut known),
            // Whatever an effect hangs on is here, unless its author made it up.
            (_, None) | (Place::End, _) => {
                let spot = Spot { place: Place::End, ..*spot };
                self.seek_backward(doc, meta, &spot, doc.end(), &mut known)
            }
        }
    }

    fn seek_forward(&self, doc: &ListValue, meta: &Meta, spot: &Spot, from: Pos, known: &mut Known) -> Pos {
        let mut at = from;
        let mut cursor = doc.cursor(from);
        while let Some((pos, item)) = cursor.next() {
            match self.passes(meta, spot, item.id, item.life, known) {
                Some(true) => at = doc.behind(pos),
                Some(false) => {}
                None => break,
            }
        }
        at
    }

    fn seek_backward(&self, doc: &ListValue, meta: &Meta, spot: &Spot, from: Pos, known: &mut Known) -> Pos {
        let mut at = from;
        let mut cursor = doc.cursor(from);
        while let Some((pos, item)) = cursor.prev() {
            match self.passes(meta, spot, item.id, item.life, known) {
                Some(true) => at = pos,
                Some(false) => {}
                None => break,
            }
        }
        at
    }

    /// Whether an element met on the way stands between parent and new element: `Some(true)` yes, `Some(false)` it tells
    /// nothing, `None` no, and nothing farther away does.
    fn passes(&self, meta: &Meta, spot: &Spot, id: ElementId, life: Life, known: &mut Known) -> Option<bool> {
        if self.is_placed_as_seen(meta, id) {
            // Behind and Ahead were chosen with nothing in between: what is dead there had been dropped at the author's.
            let was_gone = life != Life::Live && matches!(spot.place, Place::Behind | Place::Ahead);
            return if was_gone { Some(false) } else { None };
        }
        let (place, rank) = self.sibling(meta, spot, id, known)?;
        let earlier = fork_choice_cmp(rank, meta.rank()).is_lt();
        let nearer = match spot.place {
            Place::Behind => earlier,
            Place::Before => place == Place::Before && !earlier,
            Place::Ahead => place == Place::Before || earlier,
            Place::Start | Place::End => !earlier,
        };
        nearer.then_some(true)
    }

    /// The author of the new element saw an element where it stands. What it hangs on was seen as well, and stands there, unless
    /// two effects moved that one and the author saw only the later.
    fn is_placed_as_seen(&self, meta: &Meta, id: ElementId) -> bool {
        let mut run = id.run();
        loop {
            let Some(insert) = self.inserts.get(&run) else { return true };
            if !meta.saw(insert.meta.id) {
                return false;
            }
            match insert.spot.parent().filter(|_| self.twice) {
                Some(parent) => run = parent.run(),
                None => return true,
            }
        }
    }

    /// The sibling of the new element that `id` is, or hangs on.
    fn sibling(&self, meta: &Meta, spot: &Spot, id: ElementId, known: &mut Known) -> Option<Sibling> {
        let mut way = Vec::new();
        let mut run = id.run();
        let found = loop {
            if let Some(found) = known.get(&run) {
                break *found;
            }
            way.push(run);
            let Some(insert) = self.inserts.get(&run) else { break None };
            let seen = meta.saw(insert.meta.id);
            if seen && !self.twice {
                break None;
            }
            let side = |place: Place| match place {
                Place::Behind => 0,
                Place::Before | Place::Ahead => 1,
                Place::Start => 2,
                Place::End => 3,
            };
            if side(insert.spot.place) == side(spot.place) && insert.spot.parent() == spot.parent() {
                break (!seen).then(|| (insert.spot.place, insert.meta.rank()));
            }
            match insert.spot.parent() {
                Some(parent) => run = parent.run(),
                None => break None,
            }
        };
        for run in way {
            known.insert(run, found);
        }
        found
    }

    /// Moves an element, and all that hangs on it, to where `spot` says.
    pub(super) fn move_subtree(&mut self, doc: &mut ListValue, id: ElementId, meta: &Meta, spot: &Spot) {
        let Some(pos) = doc.find(id, self.near) else { return };
        let mut known = HashMap::<RunKey, bool>::new();
        known.insert(id.run(), true);
        let mut taken = Vec::new();
        let mut cursor = doc.cursor(pos);
        while let Some((_, item)) = cursor.prev() {
            if !self.hangs_on(item.id, &mut known) {
                break;
            }
            taken.push((item.id, item.value.to_vec(), item.life));
        }
        taken.reverse();
        cursor = doc.cursor(pos);
        while let Some((_, item)) = cursor.next() {
            if !self.hangs_on(item.id, &mut known) {
                break;
            }
            taken.push((item.id, item.value.to_vec(), item.life));
        }
        drop(cursor);
        for (id, _, _) in &taken {
            if let Some(pos) = doc.find(*id, Some(pos)) {
                doc.remove(pos);
            }
        }
        let mut at = self.seek(doc, meta, spot);
        for (id, value, life) in taken {
            doc.insert(at, id, &value, life);
            at = doc.find(id, Some(at)).map_or(at, |found| doc.behind(found));
        }
    }

    /// Whether an element hangs on one of which it is known.
    fn hangs_on(&self, id: ElementId, known: &mut HashMap<RunKey, bool>) -> bool {
        let mut way = Vec::new();
        let mut run = id.run();
        let found = loop {
            if let Some(found) = known.get(&run) {
                break *found;
            }
            way.push(run);
            match self.inserts.get(&run).and_then(|insert| insert.spot.parent()) {
                Some(parent) => run = parent.run(),
                None => break false,
            }
        };
        for run in way {
            known.insert(run, found);
        }
        found
    }
}
