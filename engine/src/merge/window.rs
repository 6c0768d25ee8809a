//! A key's window: its unstable effects above a stable base, and the visible value they add up to.
//!
//! The visible value lives in the table's entry. While nothing is in dispute (*lean*: one root, one type) the entry doubles as the
//! root's payload and an arriving effect is folded in place; otherwise (*explicit*) every payload is kept here and the visible
//! value is worked out again from the live effects, member by member where only members changed.
//!
//! An effect that cancels (assignment, reset, remove) acts when it arrives: causal delivery means that everything it saw
//! is here, and nothing that comes later was seen by it. So only *live* effects are kept: assignments, updates and adds that no
//! cancelling effect saw.
//!
//! Invariant: the visible value is a function of the set of effects delivered and nothing else (merge/oracle.rs says which).

mod change;
mod dispute;
mod explain;
mod image;
mod list;

use std::cmp::Ordering;

use hashbrown::HashMap;
use proto::{EffectId, Frontier, Hlc, NodeId};
use smallvec::SmallVec;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use super::causal::{Causal, Meta};
use super::elements::Elements;
use super::list::ListWindow;
use super::text::{self, Update};
use crate::effect::fork::fork_choice_cmp;
use crate::effect::{Effect, Expiry, Op, Payload};
use crate::number::parse_i64;
use crate::state::table::Entry;
use crate::state::value::{Kind, Value, ValueMut, ValueRef};

pub(crate) use dispute::render;
pub use dispute::{Dispute, Rule, Side};
pub use explain::{ExplainedEffect, Explanation};

/// What a merge decided, for counters and for the conflict feed.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Concurrent whole values met: one of them lost.
    pub fork: bool,
    /// Effects of two types are live: one type is hidden.
    pub clash: bool,
    /// The effect was older than a new life of the key and counts nowhere.
    pub late: bool,
    /// What came to be hidden.
    pub disputes: Vec<Dispute>,
}

/// What pruning came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pruned {
    /// The window may go: the entry's value is the new base (or nothing is left).
    Whole,
    /// Everything in it is stable, but it must stay for a time.
    Lingers,
    /// Something in it is not stable.
    Partly,
}

/// A live assignment.
struct Root {
    meta: Meta,
    kind: Kind,
    /// `None` while lean: the entry has it.
    payload: Option<Value>,
    /// `None` once another effect on the expiry replaced it.
    expiry: Option<Expiry>,
}

/// The stable value below.
enum Base {
    Absent,
    /// `None` while lean: the entry has it.
    Live(Option<Value>),
}

type Lapsed = HashMap<Box<[u8]>, u64, Xxh3DefaultBuilder>;

/// See the module.
pub struct Window {
    causal: Causal,
    /// Effects older than this (ms) belong to a life that ended.
    floor_ms: u64,
    base: Base,
    /// `None` once an unstable effect replaced it.
    base_expiry: Option<Expiry>,
    /// Live effects on the expiry that are no root's own.
    expiries: Vec<(Meta, Expiry)>,
    roots: SmallVec<[Root; 2]>,
    updates: Vec<(Meta, Update)>,
    elements: Elements,
    /// Moments at which fields had ended before they were written anew: nothing of a field that is older counts, ms.
    lapsed: Option<Box<Lapsed>>,
    list: Option<Box<ListWindow>>,
    explicit: bool,
    /// A live expiry lies before a live effect: two lives are in the window.
    split: bool,
    /// Latest effect folded here: an upper bound of the live ones.
    latest: Hlc,
    /// The effect folded last.
    last: EffectId,
    /// Chances to prune that were let pass since the last one taken.
    passed: u32,
}

impl Window {
    /// Opens a window over an entry whose value (if any) is stable.
    pub fn open(entry: &Entry<'_>) -> Self {
        let (base, base_expiry) = match entry.kind() {
            // A list's elements know themselves what is stable.
            Some(Kind::List) => (Base::Absent, Some(entry.expiry())),
            Some(_) => (Base::Live(None), Some(entry.expiry())),
            None => (Base::Absent, None),
        };
        Window {
            causal: Causal::default(),
            floor_ms: 0,
            base,
            base_expiry,
            expiries: Vec::new(),
            roots: SmallVec::new(),
            updates: Vec::new(),
            elements: Elements::default(),
            lapsed: None,
            list: (entry.kind() == Some(Kind::List)).then(|| Box::new(ListWindow::open(entry))),
            explicit: false,
            split: false,
            latest: Hlc(0),
            last: EffectId::NONE,
            passed: 0,
        }
    }

    /// Opens a window over an entry whose value is one live assignment that saw all before it.
    pub fn open_assigned(entry: &Entry<'_>, id: EffectId, hlc: Hlc) -> Self {
        let mut window = Window::open(entry);
        let meta = window.causal.observe(id, hlc, &[], &Frontier::new());
        window.restart(&meta);
        if let Some(kind) = entry.kind() {
            window.roots.push(Root { meta, kind, payload: None, expiry: Some(entry.expiry()) });
        }
        window
    }

    /// The key's tips.
    pub fn tips(&self) -> &[EffectId] {
        self.causal.tips()
    }

    /// The live assignment an overlay made now would lie on.
    pub fn overlay_base(&self) -> Option<EffectId> {
        self.winner(0).map(|i| self.roots[i].meta.id)
    }

    /// Folds one effect that arrived in causal order. `Flush` comes through [`Window::flush`] instead.
    /// `settled`: what its origin had folded as stable, and so saw without naming it.
    pub fn fold(
        &mut self,
        entry: &mut Entry<'_>,
        id: EffectId,
        effect: &Effect<'_>,
        settled: &Frontier,
    ) -> Verdict {
        let meta = self.causal.observe(id, effect.hlc, &effect.deps, settled);
        self.latest = self.latest.max(effect.hlc);
        self.last = id;
        if let Some(list) = &mut self.list {
            list.note(id);
        }
        if effect.hlc.ms() < self.floor_ms {
            // Who did not see that life end may hang something on these elements.
            match &effect.op {
                Op::List(op) => self.change_list(entry, &meta, op, true),
                Op::Assign { payload: Payload::List(whole), .. } => {
                    self.assign_list(entry, &meta, whole, true);
                }
                _ => {}
            }
            let disputes = vec![dispute::late(id, effect, self.floor_ms)];
            return Verdict { late: true, disputes, ..Verdict::default() };
        }
        // What saw everything hides nothing that was shown to its writer.
        let before = (!self.causal.saw_all()).then(|| self.hidden(entry));
        let mut verdict = Verdict::default();
        if let Some(floor_ms) = effect.fresh {
            let floor_ms = self.floor_ms.max(floor_ms);
            if self.causal.saw_all() {
                self.bury_list(entry, id);
                self.restart(&meta);
                entry.clear();
            } else {
                self.make_explicit(entry);
                self.cancel(|m| meta.saw(m.id) || m.hlc.ms() < floor_ms);
                self.rebuild(entry);
            }
            self.floor_ms = floor_ms;
        }
        match &effect.op {
            Op::Assign { payload, expiry } => self.assign(entry, meta, payload, *expiry, &mut verdict),
            Op::Reset => self.reset(entry, &meta),
            Op::Ttl(expiry) => self.expire(entry, meta, *expiry),
            Op::MemberAdd(_) | Op::MemberRemove(_) | Op::Fields(_) | Op::Scores(_) | Op::Stream(_) => {
                self.change_elements(entry, &meta, &effect.op);
            }
            Op::List(op) => self.change_list(entry, &meta, op, false),
            op => {
                if let Some(update) = Update::of(op) {
                    self.update(entry, meta, update);
                }
            }
        }
        self.split_if_due(entry);
        verdict.clash = self.explicit && self.kinds_live().count() > 1;
        if let Some(before) = before {
            verdict.disputes = self.disputes_since(&before, id, effect, entry);
            verdict.disputes.append(&mut self.lost_values());
        }
        verdict
    }

    /// Cancels what a flush saw. True when nothing is left of the key.
    pub fn flush(&mut self, entry: &mut Entry<'_>, id: EffectId, seen: &Frontier) -> bool {
        self.last = id;
        self.make_explicit(entry);
        if let Some(list) = &mut self.list {
            list.note(id);
        }
        self.cancel(|m| seen.contains(m.id));
        self.rebuild(entry);
        self.nothing_live()
    }

    /// Drops what is stable. `closed_ms`: no effect older than this can arrive any more.
    pub fn prune(&mut self, entry: &mut Entry<'_>, stable: &Frontier, closed_ms: u64) -> Pruned {
        let list_stable = self.list.as_ref().is_none_or(|list| list.is_stable(stable));
        if list_stable && self.metas().all(|m| stable.contains(m.id)) {
            // What is hidden below may be uncovered yet: the last member may go, an expiry may be put off.
            let hides = self.explicit && (self.split || self.kinds_live().count() > 1);
            // An expiry without a value holds for a value that another node still makes.
            let awaits = match self.expiry_in_force(0).ms() {
                Some(ms) => entry.kind().is_none() && ms > closed_ms,
                None => false,
            };
            if let Some(lapsed) = &mut self.lapsed {
                lapsed.retain(|_, ms| *ms > closed_ms);
            }
            let awaits_field = self.awaits_field(closed_ms);
            if awaits_field {
                self.prune_partly(stable);
            }
            return if !hides && !awaits && !awaits_field && self.floor_ms() <= closed_ms {
                Self::settle_list(entry);
                if let Some(ValueMut::Stream(stream)) = entry.value_mut() {
                    stream.drop_hidden();
                }
                Pruned::Whole
            } else {
                Pruned::Lingers
            };
        }
        self.prune_partly(stable);
        self.prune_list(entry, stable);
        Pruned::Partly
    }

    /// Works stable effects into the base while others stay.
    pub fn prune_partly(&mut self, stable: &Frontier) {
        // All that is held is looked at: once for many effects, where many are held.
        self.passed += 1;
        if (self.passed as usize) < self.len() / 4 {
            return;
        }
        self.passed = 0;
        if !self.explicit {
            self.prune_root(stable);
            if self.roots.is_empty() {
                self.prune_elements(stable);
                self.prune_updates(stable);
                self.prune_expiries(stable);
            }
        }
    }

    /// The effect folded last.
    pub fn last(&self) -> EffectId {
        self.last
    }

    /// Live effects held.
    pub fn len(&self) -> usize {
        let list = self.list.as_ref().map_or(0, |list| list.len());
        self.roots.len() + self.updates.len() + self.elements.len() + self.expiries.len() + list
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A window that only remembers a dead key: nothing live in it, base gone.
    pub fn nothing_live(&self) -> bool {
        self.is_empty() && self.list.is_none() && matches!(self.base, Base::Absent)
    }

    /// What is older than this may still be dead.
    pub fn floor_ms(&self) -> u64 {
        let lapsed = self.lapsed.iter().flat_map(|lapsed| lapsed.values());
        lapsed.copied().max().unwrap_or(0).max(self.floor_ms)
    }

    fn metas(&self) -> impl Iterator<Item = &Meta> {
        let roots = self.roots.iter().map(|r| &r.meta);
        let updates = self.updates.iter().map(|u| &u.0);
        let list = self.list.iter().flat_map(|list| list.metas());
        let elements = self.elements.metas().chain(list);
        roots.chain(updates).chain(elements).chain(self.expiries.iter().map(|e| &e.0))
    }

    /// The live effects on the expiry, those of roots first.
    fn expiries(&self) -> impl Iterator<Item = (&Meta, Expiry)> {
        let of_roots = self.roots.iter().filter_map(|root| Some((&root.meta, root.expiry?)));
        of_roots.chain(self.expiries.iter().map(|(meta, expiry)| (meta, *expiry)))
    }

    fn restart(&mut self, meta: &Meta) {
        self.causal.restart(meta);
        self.base = Base::Absent;
        self.base_expiry = None;
        self.expiries.clear();
        self.roots.clear();
        self.updates = Vec::new();
        self.elements.clear();
        self.explicit = false;
        self.split = false;
        self.latest = meta.hlc;
    }

    fn assign(
        &mut self,
        entry: &mut Entry<'_>,
        meta: Meta,
        payload: &Payload<'_>,
        expiry: Expiry,
        verdict: &mut Verdict,
    ) {
        let kind = payload.kind();
        if self.causal.saw_all() {
            self.bury_list(entry, meta.id);
            self.restart(&meta);
            match payload {
                Payload::String(bytes) => entry.set_string(bytes, expiry),
                Payload::List(whole) => {
                    entry.clear();
                    self.roots.push(Root { meta: meta.clone(), kind, payload: None, expiry: Some(expiry) });
                    return self.assign_list(entry, &meta, whole, false);
                }
                _ => entry.set_value(Value::from_payload(payload, meta.id), expiry),
            }
            self.roots.push(Root { meta, kind, payload: None, expiry: Some(expiry) });
            return;
        }
        self.make_explicit(entry);
        self.cancel(|m| meta.saw(m.id));
        verdict.fork = !self.roots.is_empty();
        let expiry = Some(expiry);
        if let Payload::List(whole) = payload {
            self.roots.push(Root { meta: meta.clone(), kind, payload: None, expiry });
            return self.assign_list(entry, &meta, whole, false);
        }
        let mut payload = Value::from_payload(payload, meta.id);
        if kind == Kind::Hash {
            let lapsed = self.lapsed.iter().flat_map(|lapsed| lapsed.iter());
            let older = lapsed.filter(|(_, ms)| meta.hlc.ms() < **ms);
            older.for_each(|(field, _)| payload.remove_item(field));
        }
        self.roots.push(Root { meta, kind, payload: Some(payload), expiry });
        self.rebuild(entry);
    }

    fn reset(&mut self, entry: &mut Entry<'_>, meta: &Meta) {
        if self.causal.saw_all() {
            let floor_ms = self.floor_ms;
            self.bury_list(entry, meta.id);
            self.restart(meta);
            self.floor_ms = floor_ms;
            entry.clear();
            return;
        }
        let roots_seen = self.roots.iter().all(|r| meta.saw(r.meta.id));
        if let Some(kind) = entry.kind().filter(|kind| !matches!(kind, Kind::String | Kind::List))
            && !self.explicit
            && roots_seen
        {
            // All that lies below goes; what is left is the elements' own, and they may be few.
            self.cancel(|m| meta.saw(m.id));
            let mut left = Value::empty(kind);
            self.elements.cover(&mut left, None, 0);
            match left.is_empty_collection() {
                true => entry.clear(),
                false => entry.set_value(left, self.expiry_in_force(0)),
            }
            return;
        }
        self.make_explicit(entry);
        self.cancel(|m| meta.saw(m.id));
        self.rebuild(entry);
    }

    fn expire(&mut self, entry: &mut Entry<'_>, meta: Meta, expiry: Expiry) {
        self.expiries.retain(|e| !meta.saw(e.0.id));
        for root in self.roots.iter_mut().filter(|root| meta.saw(root.meta.id)) {
            root.expiry = None;
        }
        self.base_expiry = None;
        self.expiries.push((meta, expiry));
        if self.split {
            self.rebuild(entry);
        } else if entry.kind().is_some() {
            entry.set_expiry(self.expiry_in_force(0));
        }
    }

    fn update(&mut self, entry: &mut Entry<'_>, meta: Meta, update: Update) {
        let other_types = entry.kind().is_some_and(|kind| kind != Kind::String) || !self.elements.is_empty();
        if self.explicit || other_types {
            self.make_explicit(entry);
            self.updates.push((meta, update));
            self.rebuild(entry);
            return;
        }
        self.keep_source(entry);
        let in_place = match update.laid_on() {
            Some(_) => self.causal.saw_all() && self.shows(&meta, &update, self.winner(0), 0),
            None => self.causal.saw_all() || self.commutes(entry, &update),
        };
        self.updates.push((meta, update));
        let expiry = entry.kind().map_or_else(|| self.expiry_in_force(0), |_| entry.expiry());
        if in_place {
            let (_, update) = &self.updates[self.updates.len() - 1];
            fold_text(entry, update, expiry);
        } else {
            let value = self.text(0);
            set_text(entry, value, expiry);
        }
    }

    /// Integer deltas commute while no order of them can leave 64 bits.
    fn commutes(&self, entry: &Entry<'_>, update: &Update) -> bool {
        let magnitude = |u: &Update| match u {
            Update::Delta(n) => Some(u128::from(n.unsigned_abs())),
            _ => None,
        };
        let current = match entry.value() {
            None => 0,
            Some(ValueRef::String(bytes)) => match parse_i64(bytes) {
                Some(n) => n.unsigned_abs(),
                None => return false,
            },
            Some(_) => return false,
        };
        let mut sum = u128::from(current) * 2;
        for u in self.updates.iter().map(|u| &u.1).chain([update]) {
            match magnitude(u) {
                Some(n) => sum += 2 * n,
                None => return false,
            }
        }
        sum < i64::MAX as u128
    }

    /// Copies the lean root's payload out of the entry before the first update changes it there.
    fn keep_source(&mut self, entry: &Entry<'_>) {
        if !self.updates.is_empty() {
            return;
        }
        let payload = || entry.value().map(|v| v.to_value());
        if let Some(root) = self.roots.first_mut() {
            root.payload = payload();
        } else if let Base::Live(kept) = &mut self.base {
            *kept = payload();
        }
    }

    fn make_explicit(&mut self, entry: &mut Entry<'_>) {
        let was_list = entry.kind() == Some(Kind::List);
        self.reclaim_list(entry);
        if self.explicit {
            return;
        }
        self.explicit = true;
        if was_list || self.roots.iter().any(|root| root.kind == Kind::List) {
            return;
        }
        let payload = match entry.value() {
            // Updates made a copy already.
            Some(ValueRef::String(_)) if !self.updates.is_empty() => return,
            Some(visible) => {
                let mut root = visible.to_value();
                self.elements.uncover(&mut root);
                root
            }
            // The root was emptied element by element.
            None => Value::empty(self.roots.first().map_or(Kind::Set, |root| root.kind)),
        };
        if let Some(root) = self.roots.first_mut() {
            root.payload = Some(payload);
        } else if let Base::Live(kept) = &mut self.base {
            *kept = Some(payload);
        }
    }

    fn cancel(&mut self, cancels: impl Fn(&Meta) -> bool) {
        if let Some(list) = &mut self.list {
            list.cancel(&cancels);
        }
        // Whatever arrives saw the base.
        self.base = Base::Absent;
        self.base_expiry = None;
        self.roots.retain(|r| !cancels(&r.meta));
        self.updates.retain(|u| !cancels(&u.0));
        self.expiries.retain(|e| !cancels(&e.0));
        self.elements.cancel(&cancels);
        if self.roots.is_empty() {
            self.elements.nothing_below();
        }
    }

    fn expiry_in_force(&self, cut_ms: u64) -> Expiry {
        let live = self.expiries().filter(|e| e.0.hlc.ms() >= cut_ms).map(|e| e.1).max();
        let base = if cut_ms == 0 { self.base_expiry } else { None };
        live.or(base).unwrap_or(Expiry::NEVER)
    }

    fn split_if_due(&mut self, entry: &mut Entry<'_>) {
        if !self.split && self.expiry_in_force(0).reached(self.latest.ms()) && self.life_cut_ms() > 0 {
            self.make_explicit(entry);
            self.rebuild(entry);
        }
    }

    /// Where the lives before the present one end: effects older than this (ms) are dead. 0: there is one life.
    fn life_cut_ms(&self) -> u64 {
        let mut cut_ms = 0;
        loop {
            let latest = self.metas().map(|m| m.hlc).filter(|h| h.ms() >= cut_ms).max();
            let Some(latest) = latest else { return cut_ms };
            match self.expiry_in_force(cut_ms).ms() {
                // An expiry not after the life's own beginning ends nothing: the key reads as dead.
                Some(ms) if cut_ms < ms && ms <= latest.ms() => cut_ms = ms,
                _ => return cut_ms,
            }
        }
    }

    /// The winning live assignment of the present life.
    fn winner(&self, cut_ms: u64) -> Option<usize> {
        let alive = self.roots.iter().enumerate().filter(|(_, r)| r.meta.hlc.ms() >= cut_ms);
        alive.max_by(|a, b| fork_choice_cmp(a.1.meta.rank(), b.1.meta.rank())).map(|(i, _)| i)
    }

    fn source(&self, winner: Option<usize>, cut_ms: u64) -> Option<&Value> {
        match (winner, &self.base) {
            (Some(i), _) => self.roots[i].payload.as_ref(),
            (None, Base::Live(payload)) if cut_ms == 0 => payload.as_ref(),
            _ => None,
        }
    }

    /// The types of which anything is alive.
    fn kinds_live(&self) -> impl Iterator<Item = Kind> {
        let base = match &self.base {
            Base::Live(Some(value)) => Some(value.kind()),
            _ => None,
        };
        let winner = self.winner(0);
        Kind::ALL.into_iter().filter(move |kind| {
            base == Some(*kind)
                || *kind != Kind::List && self.roots.iter().any(|r| r.kind == *kind)
                || match kind {
                    Kind::String => {
                        self.updates.iter().any(|(meta, update)| self.shows(meta, update, winner, 0))
                    }
                    Kind::List => self.list_live(),
                    kind => self.elements.make_type(*kind),
                }
        })
    }

    /// The type that the key has: of those with something alive, the one created last in fork-choice order.
    fn kind_in_force(&self, cut_ms: u64) -> Option<Kind> {
        let alive = |m: &&Meta| m.hlc.ms() >= cut_ms;
        let rank_order = |a: &(Hlc, NodeId), b: &(Hlc, NodeId)| fork_choice_cmp(*a, *b);
        let winner = self.winner(cut_ms);
        let source = self.source(winner, cut_ms).filter(|v| !v.is_empty_collection());
        let creation = |kind: Kind| -> Option<(Hlc, NodeId)> {
            if source.is_some_and(|v| v.kind() == kind) {
                return Some(winner.map_or((Hlc(0), NodeId(0)), |i| self.roots[i].meta.rank()));
            }
            match kind {
                Kind::String => {
                    let shown = self.updates.iter().filter(|u| self.shows(&u.0, &u.1, winner, cut_ms));
                    shown.map(|u| &u.0).filter(alive).map(Meta::rank).min_by(rank_order)
                }
                Kind::List => {
                    let by = winner.map(|i| &self.roots[i].meta);
                    self.list.as_ref().and_then(|list| list.creation(by, cut_ms))
                }
                kind => {
                    let writes = self.elements.of(kind)?.values().flat_map(|e| e.writes.iter());
                    let makers = writes.filter(|w| w.1.makes()).map(|w| &w.0);
                    makers.filter(alive).map(Meta::rank).min_by(rank_order)
                }
            }
        };
        let claims = Kind::ALL.into_iter().filter_map(|k| creation(k).map(|c| (c, k)));
        claims.max_by(|a, b| fork_choice_cmp(a.0, b.0)).map(|c| c.1)
    }

    /// Every update shows but an overlay that lost its base.
    fn shows(&self, meta: &Meta, update: &Update, winner: Option<usize>, cut_ms: u64) -> bool {
        update.laid_on().is_none_or(|base| self.lies_on_source(meta, base, winner, cut_ms))
    }

    /// An overlay shows only on the value it was made on.
    fn lies_on_source(&self, by: &Meta, on: Option<EffectId>, winner: Option<usize>, cut_ms: u64) -> bool {
        match (on, winner) {
            (Some(EffectId::STABLE), Some(winner)) => by.saw(self.roots[winner].meta.id),
            (Some(EffectId::STABLE), None) => {
                cut_ms == 0 && matches!(self.base, Base::Live(_))
                    || self.updates.iter().any(|(meta, update)| {
                        meta.hlc.ms() >= cut_ms && by.saw(meta.id) && update.makes_value()
                    })
            }
            (Some(on), Some(winner)) => self.roots[winner].meta.id == on,
            // An assignment that left the window by being stable is the base; any other is gone.
            (Some(_), None) => cut_ms == 0 && matches!(self.base, Base::Live(_)),
            (None, Some(winner)) => by.saw(self.roots[winner].meta.id),
            (None, None) => true,
        }
    }

    /// The string the live effects add up to, updates in fork-choice order.
    fn text(&self, cut_ms: u64) -> Option<Vec<u8>> {
        let winner = self.winner(cut_ms);
        let mut value = match self.source(winner, cut_ms) {
            Some(Value::String(bytes)) => Some(bytes.clone()),
            _ => None,
        };
        let mut ordered: Vec<_> = self.updates.iter().filter(|u| u.0.hlc.ms() >= cut_ms).collect();
        ordered.sort_by(|a, b| fork_choice_cmp(a.0.rank(), b.0.rank()));
        for (meta, update) in ordered {
            if self.shows(meta, update, winner, cut_ms) {
                text::apply(&mut value, update);
            }
        }
        value
    }

    /// Works the visible value out again. Explicit windows only.
    fn rebuild(&mut self, entry: &mut Entry<'_>) {
        debug_assert!(self.explicit);
        self.reclaim_list(entry);
        let cut_ms = self.life_cut_ms();
        self.split = cut_ms > 0;
        let expiry = self.expiry_in_force(cut_ms);
        match self.kind_in_force(cut_ms) {
            None => entry.clear(),
            Some(Kind::String) => match self.source(self.winner(cut_ms), cut_ms) {
                Some(Value::String(bytes)) if self.updates.is_empty() => entry.set_string(bytes, expiry),
                _ => set_text(entry, self.text(cut_ms), expiry),
            },
            Some(Kind::List) => {
                let shown = self.shown_list(cut_ms);
                entry.set_value(Value::List(shown), expiry);
                drop_if_empty(entry);
            }
            Some(kind) => {
                let winner = self.winner(cut_ms);
                let source = self.source(winner, cut_ms).filter(|source| source.kind() == kind);
                let mut value = source.cloned().unwrap_or_else(|| Value::empty(kind));
                self.elements.cover(&mut value, winner.map(|i| &self.roots[i].meta), cut_ms);
                entry.set_value(value, expiry);
                drop_if_empty(entry);
            }
        }
    }

    /// Lean: a stable assignment that everything live saw becomes the base.
    fn prune_root(&mut self, stable: &Frontier) {
        let [root] = &self.roots[..] else { return };
        let id = root.meta.id;
        if stable.contains(id) && self.metas().all(|m| m.id == id || m.saw(id)) {
            let Some(root) = self.roots.pop() else { return };
            self.expiries.extend(root.expiry.map(|expiry| (root.meta, expiry)));
            if root.kind != Kind::List {
                self.base = Base::Live(root.payload);
            } else if let Some(list) = &mut self.list {
                list.settle_root(id);
            }
        }
    }

    /// Lean, no root: stable effects on elements join the base one by one.
    fn prune_elements(&mut self, stable: &Frontier) {
        if self.elements.prune(stable) && matches!(self.base, Base::Absent) {
            self.base = Base::Live(None);
        }
    }

    /// Lean, no root: the stable updates that every other one saw are worked into the base.
    fn prune_updates(&mut self, stable: &Frontier) {
        if self.updates.len() < 8 {
            return;
        }
        self.updates.sort_by(|a, b| fork_choice_cmp(a.0.rank(), b.0.rank()));
        let mut cut = self.updates.iter().take_while(|u| stable.contains(u.0.id)).count();
        // Shrink until everything above saw everything below.
        while cut > 0 {
            let (below, above) = self.updates.split_at(cut);
            let unseen = |u: &(Meta, Update)| above.iter().any(|a| !a.0.saw(u.0.id));
            match below.iter().position(unseen) {
                Some(at) => cut = at,
                None => break,
            }
        }
        if cut == 0 {
            return;
        }
        // An overlay that lost its base goes without a trace.
        let shown: Vec<bool> = self.updates[..cut].iter().map(|(m, u)| self.shows(m, u, None, 0)).collect();
        let mut value = match std::mem::replace(&mut self.base, Base::Absent) {
            Base::Live(Some(Value::String(bytes))) => Some(bytes),
            _ => None,
        };
        for ((_, update), shown) in self.updates.drain(..cut).zip(shown) {
            if shown {
                text::apply(&mut value, &update);
            }
        }
        // Without updates left the entry is the base again.
        let keep = !self.updates.is_empty();
        self.base = match value {
            None => Base::Absent,
            Some(bytes) => Base::Live(keep.then_some(Value::String(bytes))),
        };
    }

    fn prune_expiries(&mut self, stable: &Frontier) {
        if !self.expiries.is_empty() && self.expiries.iter().all(|e| stable.contains(e.0.id)) {
            self.base_expiry = Some(self.expiry_in_force(0));
            self.expiries.clear();
        }
    }
}

fn drop_if_empty(entry: &mut Entry<'_>) {
    if entry.value().is_some_and(|value| value.is_empty_collection()) {
        entry.clear();
    }
}

fn set_text(entry: &mut Entry<'_>, value: Option<Vec<u8>>, expiry: Expiry) {
    match value {
        Some(bytes) => entry.set_string(&bytes, expiry),
        None => entry.clear(),
    }
}

/// Applies one update to the entry's string (or nothing) in place; keeps or sets its expiry.
pub(super) fn fold_text(entry: &mut Entry<'_>, update: &Update, expiry: Expiry) {
    if let Update::Delta(n) = update {
        let current = match entry.value() {
            None => Some(0),
            Some(ValueRef::String(bytes)) => parse_i64(bytes),
            Some(_) => None,
        };
        if let Some(current) = current {
            let sum = proto::resp::Decimal::integer(current.saturating_add(*n));
            entry.set_string(sum.as_bytes(), expiry);
            return;
        }
    }
    // Long values are changed where they lie.
    if let Some(ValueMut::String(bytes)) = entry.value_mut() {
        let done = match update {
            Update::Append(chunk) => {
                bytes.extend_from_slice(chunk);
                true
            }
            Update::Overlay { offset, bytes: patch, .. } => {
                text::overlay(bytes, *offset, patch);
                true
            }
            Update::Bits(op) => {
                text::set_bits(bytes, op);
                true
            }
            Update::Registers(_) => {
                let mut value = Some(std::mem::take(bytes));
                text::apply(&mut value, update);
                *bytes = value.unwrap_or_default();
                true
            }
            _ => false,
        };
        if done {
            entry.set_raw(true);
            return;
        }
    }
    let mut value = match entry.value() {
        Some(ValueRef::String(bytes)) => Some(bytes.to_vec()),
        _ => None,
    };
    text::apply(&mut value, update);
    let raw = match update {
        Update::Append(_) | Update::Overlay { .. } => entry.kind().is_some(),
        update => matches!(update, Update::Bits(_) | Update::Registers(_)),
    };
    set_text(entry, value, expiry);
    entry.set_raw(raw);
    entry.set_text(matches!(update, Update::DeltaFloat(_)));
}

impl PartialEq for Meta {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

/// Orders effects as updates are applied.
pub fn update_order(a: &Meta, b: &Meta) -> Ordering {
    fork_choice_cmp(a.rank(), b.rank())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_small() {
        // One for each key that two members wrote while they were apart.
        assert!(size_of::<Window>() <= 664, "{}", size_of::<Window>());
        assert!(size_of::<Root>() <= 160, "{}", size_of::<Root>());
    }
}
