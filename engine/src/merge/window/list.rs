//! A window's list: where its elements are, and when they show.
//!
//! The elements lie in the entry while all of them show, with the dead ones among them; else here in the window, and the
//! entry has another type's value, a copy without what is hidden, or nothing.

use proto::{EffectId, Frontier};

use super::{Dispute, Rule, Side, Window, render};
use crate::effect::lists::{ElementId, ListOp, WholeList};
use crate::merge::causal::Meta;
use crate::merge::list::{ListWindow, Lost};
use crate::state::list::ListValue;
use crate::state::table::Entry;
use crate::state::value::{Kind, Value, ValueMut, ValueRef};

impl Window {
    /// Folds an effect on elements; `late`: they belong to a life that ended.
    pub(super) fn change_list(&mut self, entry: &mut Entry<'_>, meta: &Meta, op: &ListOp<'_>, late: bool) {
        self.with_list(entry, meta, late, |list, doc| list.fold(doc, meta, op, late));
    }

    /// Folds the elements of an assignment.
    pub(super) fn assign_list(
        &mut self,
        entry: &mut Entry<'_>,
        meta: &Meta,
        whole: &WholeList<'_>,
        late: bool,
    ) {
        self.with_list(entry, meta, late, |list, doc| list.fold_whole(doc, meta, whole, late));
    }

    fn with_list(
        &mut self,
        entry: &mut Entry<'_>,
        meta: &Meta,
        hidden: bool,
        fold: impl FnOnce(&mut ListWindow, &mut ListValue),
    ) {
        let in_place = !self.explicit
            && entry.kind().map_or_else(|| self.elements.is_empty(), |kind| kind == Kind::List);
        if !in_place && !hidden {
            self.make_explicit(entry);
        }
        let mut list = self.list.take().unwrap_or_else(|| Box::new(ListWindow::open(entry)));
        list.note(meta.id);
        match entry.value_mut() {
            Some(ValueMut::List(doc)) if !list.is_apart() => fold(&mut list, doc),
            _ => {
                list.reclaim(entry);
                if let Some(mut doc) = list.take_doc() {
                    fold(&mut list, &mut doc);
                    list.put_doc(doc);
                }
            }
        }
        self.list = Some(list);
        if !in_place {
            if self.explicit {
                self.rebuild(entry);
            }
            return;
        }
        // All of it shows, or nothing is left.
        let expiry = match entry.kind() {
            Some(_) => entry.expiry(),
            None => self.expiry_in_force(0),
        };
        let Some(list) = &mut self.list else { return };
        match entry.value_mut() {
            Some(ValueMut::List(doc)) if doc.is_empty() => list.reclaim(entry),
            Some(_) => {}
            None if list.any_live() => {
                let shown = list.take_doc().unwrap_or_default();
                entry.set_value(Value::List(shown), expiry);
            }
            None => {}
        }
    }

    /// Takes the elements out of the entry, if it has some.
    pub(super) fn reclaim_list(&mut self, entry: &mut Entry<'_>) {
        if self.list.is_none() && entry.kind() == Some(Kind::List) {
            self.list = Some(Box::new(ListWindow::open(entry)));
        }
        if let Some(list) = &mut self.list {
            list.reclaim(entry);
        }
    }

    /// Every element goes, and keeps its place until that is stable: others may still hang theirs on it.
    pub(super) fn bury_list(&mut self, entry: &mut Entry<'_>, id: EffectId) {
        self.reclaim_list(entry);
        if let Some(list) = &mut self.list {
            list.note(id);
            list.cancel_all();
        }
    }

    /// Something of a list is alive, shown or hidden.
    pub(super) fn list_live(&self) -> bool {
        self.list.as_ref().is_some_and(|list| list.any_live())
    }

    /// An assignment's elements are alive, some of them at least.
    pub(super) fn list_root_live(&self, id: EffectId) -> bool {
        self.list.as_ref().is_some_and(|list| list.root_live(id))
    }

    /// The values of elements that lost in the effect folded last.
    pub(super) fn lost_values(&mut self) -> Vec<Dispute> {
        let lost = self.list.as_mut().map(|list| list.take_lost()).unwrap_or_default();
        let side = |(meta, value): (Meta, Box<[u8]>)| Side {
            id: meta.id,
            hlc: meta.hlc,
            text: render(ValueRef::String(&value)),
        };
        let dispute =
            |lost: Lost| Dispute { rule: Rule::Element, winner: side(lost.winner), loser: side(lost.loser) };
        lost.into_iter().map(dispute).collect()
    }

    /// Everything is stable: what was kept for others goes.
    pub(crate) fn settle_list(entry: &mut Entry<'_>) {
        if let Some(ValueMut::List(doc)) = entry.value_mut() {
            doc.purge(None);
        }
    }

    /// Drops what is stable of a list while other effects are not.
    pub(crate) fn prune_list(&mut self, entry: &mut Entry<'_>, stable: &Frontier) {
        // An insert's time and type may count yet while something else is alive or another life is in the window.
        if self.split || !self.roots.is_empty() || self.kinds_live().any(|kind| kind != Kind::List) {
            return;
        }
        let Some(list) = &mut self.list else { return };
        match entry.value_mut() {
            Some(ValueMut::List(doc)) if !list.is_apart() => list.prune(doc, stable),
            _ => {
                if let Some(mut doc) = list.take_doc() {
                    list.prune(&mut doc, stable);
                    list.put_doc(doc);
                }
            }
        }
    }

    /// What is put between these two neighbours may hang on the left one.
    pub(crate) fn list_leads_to(&self, left: ElementId, right: ElementId) -> bool {
        self.list.as_ref().is_some_and(|list| list.leads_to(left, right))
    }

    /// The list as it shows: the elements go to the entry unless some are hidden.
    pub(super) fn shown_list(&mut self, cut_ms: u64) -> ListValue {
        let winner = self.winner(cut_ms).map(|i| self.roots[i].meta.id);
        self.list.as_mut().map(|list| list.show(winner, cut_ms)).unwrap_or_default()
    }
}
