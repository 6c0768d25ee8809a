//! A window's elements: what an effect on members, fields or scores does to them.

use proto::Hlc;
use smallvec::SmallVec;

use super::{Base, Window, drop_if_empty};
use crate::effect::{FieldOp, Op};
use crate::merge::causal::Meta;
use crate::merge::elements::{self, Change, Element};
use crate::merge::streams;
use crate::state::stream::Span;
use crate::state::table::Entry;
use crate::state::value::{Kind, Value};

impl Window {
    /// Folds an effect on elements.
    pub(super) fn change_elements(&mut self, entry: &mut Entry<'_>, meta: &Meta, op: &Op<'_>) {
        let Some(kind) = elements::kind_of(op) else { return };
        self.note_lapses(op);
        let writes = !elements::removes(op);
        if !self.explicit && entry.kind() != Some(kind) {
            match entry.kind() {
                // A lean window has one type: there is nothing of this one to take away.
                _ if !writes && self.elements.of(kind).is_none() => return,
                None if self.elements.0.iter().all(|group| group.kind == kind) => {
                    let mut value = Value::empty(kind);
                    self.elements.lay(&mut value, self.roots.first().map(|root| &root.meta));
                    entry.set_value(value, self.expiry_in_force(0));
                }
                _ => self.make_explicit(entry),
            }
        }
        let span = streams::span(op);
        if self.explicit {
            if let Some(span) = span {
                self.cancel_span(kind, meta, span);
            }
            elements::each_change(op, meta.hlc, &mut |member, change| {
                self.change_explicit(kind, meta, member, change);
            });
            self.elements.tidy();
            self.elements_changed(entry, kind, meta.hlc, op);
            return;
        }
        // A lean root is the base, which every arriving effect saw, or one assignment.
        let root = self.roots.first().map(|root| &root.meta);
        let root_seen = root.is_none_or(|root| meta.saw(root.id));
        let saw_all = self.causal.saw_all();
        let lapsed = self.lapsed.as_deref().filter(|_| kind == Kind::Hash);
        let is_late = |field: &[u8]| lapsed.and_then(|l| l.get(field)).is_some_and(|ms| meta.hlc.ms() < *ms);
        let Some(mut visible) = entry.value_mut() else { return };
        let held = self.elements.make(kind);
        if let Some(span) = span {
            streams::take_span(held, &mut visible, meta, span, root_seen);
        }
        elements::each_change(op, meta.hlc, &mut |member, change| match change {
            Change::Write(_) if is_late(member) => {}
            Change::Write(write) => {
                let mut now = visible.item(member);
                let element = match held.get_mut(member) {
                    Some(element) => element,
                    None => held
                        .entry(member.into())
                        .insert(Element { below: now.clone(), writes: SmallVec::new() })
                        .into_mut(),
                };
                // A field that ends may have had a life before the one that shows.
                let simple = !element.knows_ends(element.below.as_ref()) && !write.is_end();
                if simple && (saw_all || write.commutes() && element.commutes()) {
                    write.apply(&mut now);
                    element.write(meta, write);
                } else {
                    element.write(meta, write);
                    now = element.shown(root);
                }
                elements::show(&mut visible, member, now);
            }
            Change::Remove => {
                let Some(element) = held.get_mut(member) else {
                    if root_seen {
                        visible.remove_item(member);
                    }
                    return;
                };
                element.writes.retain(|w| !meta.saw(w.0.id));
                if root_seen {
                    element.below = None;
                }
                elements::show(&mut visible, member, element.shown(root));
                if element.writes.is_empty() {
                    held.remove(member);
                }
            }
            Change::Lapse(ms) => {
                let Some(element) = held.get_mut(member) else {
                    if root_seen || root.is_some_and(|root| root.hlc.ms() < ms) {
                        visible.remove_item(member);
                    }
                    return;
                };
                element.take(meta, root, ms);
                elements::show(&mut visible, member, element.shown(root));
                if element.writes.is_empty() {
                    held.remove(member);
                }
            }
        });
        self.elements.tidy();
        drop_if_empty(entry);
    }

    /// Takes a span out of payloads that are kept apart.
    fn cancel_span(&mut self, kind: Kind, meta: &Meta, span: Span<'_>) {
        streams::cancel_span(self.elements.make(kind), meta, span);
        let roots = self.roots.iter_mut().filter(|r| meta.saw(r.meta.id)).filter_map(|r| r.payload.as_mut());
        roots.for_each(|payload| payload.remove_span(span));
        if let Base::Live(Some(base)) = &mut self.base {
            base.remove_span(span);
        }
    }

    /// What one effect does to one element where payloads are kept apart.
    fn change_explicit(&mut self, kind: Kind, meta: &Meta, member: &[u8], change: Change) {
        let is_late = meta.hlc.ms() < self.lapsed_ms(member) && kind == Kind::Hash;
        let held = self.elements.make(kind);
        match change {
            Change::Write(_) if is_late => {}
            Change::Write(write) => {
                if let Some(element) = held.get_mut(member) {
                    return element.write(meta, write);
                }
                let mut element = Element { below: None, writes: SmallVec::new() };
                element.write(meta, write);
                held.insert(member.into(), element);
            }
            Change::Remove | Change::Lapse(_) => {
                let floor_ms = if let Change::Lapse(ms) = change { ms } else { 0 };
                let goes = |by: &Meta| meta.saw(by.id) || by.hlc.ms() < floor_ms;
                if let Some(element) = held.get_mut(member) {
                    element.writes.retain(|w| !goes(&w.0));
                    if element.writes.is_empty() {
                        held.remove(member);
                    }
                }
                let roots = self.roots.iter_mut().filter(|r| r.kind == kind && goes(&r.meta));
                let mut payloads: SmallVec<[&mut Value; 2]> =
                    roots.filter_map(|r| r.payload.as_mut()).collect();
                if let Base::Live(Some(base)) = &mut self.base {
                    payloads.push(base);
                }
                for payload in payloads.into_iter().filter(|payload| payload.kind() == kind) {
                    payload.remove_item(member);
                }
            }
        }
    }

    /// Works the visibility of the elements that an effect names out again.
    fn elements_changed(&mut self, entry: &mut Entry<'_>, kind: Kind, hlc: Hlc, op: &Op<'_>) {
        // With another type alive below, the last element to go uncovers it.
        let apart = self.split || entry.kind() != Some(kind) || self.kinds_live().any(|live| live != kind);
        if apart || streams::span(op).is_some() {
            self.rebuild(entry);
            return;
        }
        let winner = self.winner(0);
        let root = winner.map(|i| &self.roots[i].meta);
        let source = self.source(winner, 0).filter(|source| source.kind() == kind);
        let held = self.elements.of(kind);
        let Some(mut visible) = entry.value_mut() else { return };
        elements::each_change(op, hlc, &mut |member, _| {
            let below = source.and_then(|source| source.item(member));
            let item = match held.and_then(|held| held.get(member)) {
                Some(element) => element.over(below, root, 0),
                None => below,
            };
            elements::show(&mut visible, member, item);
        });
        drop_if_empty(entry);
    }

    /// Of a field more is held than shows, which may count yet. `closed_ms`: no effect older than this can arrive any more.
    pub(super) fn awaits_field(&self, closed_ms: u64) -> bool {
        let Some(held) = self.elements.of(Kind::Hash) else { return false };
        let winner = self.winner(0);
        let root = winner.map(|i| &self.roots[i].meta);
        let source = self.source(winner, 0).filter(|source| source.kind() == Kind::Hash);
        held.iter().any(|(field, element)| {
            let below = match self.explicit {
                true => source.and_then(|source| source.item(field)),
                false => element.below.clone(),
            };
            element.is_awaited(below, root, closed_ms)
        })
    }

    /// Something held of a field says when it ends.
    pub fn knows_end(&self, field: &[u8]) -> bool {
        let element = self.elements.of(Kind::Hash).and_then(|held| held.get(field));
        element.is_some_and(|element| element.knows_ends(None))
    }

    /// Nothing of a field that is older than this (ms) counts.
    fn lapsed_ms(&self, field: &[u8]) -> u64 {
        self.lapsed.as_ref().and_then(|lapsed| lapsed.get(field)).copied().unwrap_or(0)
    }

    fn note_lapses(&mut self, op: &Op<'_>) {
        let Op::Fields(FieldOp::Lapse(moments)) = op else { return };
        for (moment, field) in moments.iter() {
            if let Some(ms) = moment.ms().filter(|ms| *ms > 0) {
                let floor = self.lapsed.get_or_insert_default().entry(field.into()).or_insert(0);
                *floor = ms.max(*floor);
            }
        }
    }
}
