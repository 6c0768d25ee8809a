//! Unstable effects on a list: what it takes to put elements of nodes that did not see each other into one order.
//!
//! Every element hangs on another one, or on one of the list's ends ([`Place`]); that makes a tree, and the list is the tree
//! read from left to right. Only elements *alive at their author* are hung on, so what everybody saw go is never named again.
//! The tree itself is not kept: the list's own order is, with the inserts that are not stable yet, which is enough to find
//! where a new one belongs ([`seek`]).
//!
//! Pruning, at whatever time on whichever node, changes nothing:
//! - an insert's record is dropped once it is stable: whatever arrives later saw it, and `seek` asks only about inserts that
//!   the new one did not see;
//! - a dead element is dropped once insert and removal are stable: whatever arrives later saw it go, so hangs neither on it
//!   nor on anything that does. Dead elements are dropped by generations: those that died before a certain moment go when
//!   everything folded up to that moment is stable.
//!
//! Removal is final: a name never comes alive again, though a second effect that moved the same element arrives later.

mod image;
mod seek;

use hashbrown::HashMap;
use proto::{EffectId, Frontier, Hlc, NodeId};
use smallvec::SmallVec;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use super::causal::Meta;
use crate::effect::Members;
use crate::effect::fork::fork_choice_cmp;
use crate::effect::lists::{ElementId, ListOp, RunKey, Spot, WholeList};
use crate::state::list::{Item, Life, ListValue, Pos};
use crate::state::table::Entry;
use crate::state::value::{Kind, Value, ValueRef};

/// An unstable insert.
pub(super) struct Insert {
    /// The earliest effect that made it: it says where the elements stand.
    meta: Meta,
    /// Others that moved the same element here.
    others: SmallVec<[Meta; 0]>,
    spot: Spot,
    /// Elements alive.
    live: u32,
    /// An assignment of the whole list.
    root: bool,
}

impl Insert {
    fn metas(&self) -> impl Iterator<Item = &Meta> {
        std::iter::once(&self.meta).chain(&self.others)
    }
}

/// Two values of one element met.
pub(super) struct Lost {
    pub winner: (Meta, Box<[u8]>),
    pub loser: (Meta, Box<[u8]>),
}

type Inserts = HashMap<RunKey, Insert, Xxh3DefaultBuilder>;

/// See the module.
pub(super) struct ListWindow {
    /// All elements, when the entry does not have them: no list shows, or not all of it.
    doc: Option<ListValue>,
    inserts: Inserts,
    /// The effect that gave an element its value, where that is not its insert, or not the earliest of them.
    values: HashMap<ElementId, Meta, Xxh3DefaultBuilder>,
    /// Live elements whose insert is stable.
    base_live: u64,
    /// In which generation elements die now: 0 or 1.
    generation: u8,
    /// When this is stable, the generation before is dropped.
    closing: Frontier,
    /// Everything folded on the key since the window has a list.
    latest: Frontier,
    /// Some element was moved here by two effects that did not see each other.
    twice: bool,
    /// About where the last insert came to stand.
    near: Option<Pos>,
    /// What the effect folded last decided.
    lost: Vec<Lost>,
}

impl ListWindow {
    /// Over an entry's stable value, if that is a list.
    pub fn open(entry: &Entry<'_>) -> Self {
        let base_live = match entry.value() {
            Some(ValueRef::List(list)) => list.len() as u64,
            _ => 0,
        };
        ListWindow {
            doc: None,
            inserts: Inserts::default(),
            values: HashMap::default(),
            base_live,
            generation: 0,
            closing: Frontier::new(),
            latest: Frontier::new(),
            twice: false,
            near: None,
            lost: Vec::new(),
        }
    }

    /// Notes an effect of the key, whatever it does: nothing of the list goes before it is stable.
    pub fn note(&mut self, id: EffectId) {
        self.latest.advance(id.node, id.seq);
    }

    /// Takes the elements out of the entry, which then has no value.
    pub fn reclaim(&mut self, entry: &mut Entry<'_>) {
        if self.doc.is_some() {
            return;
        }
        let list = if entry.kind() == Some(Kind::List) { entry.take_value() } else { None };
        self.doc = Some(match list {
            Some(Value::List(list)) => list,
            _ => ListValue::default(),
        });
    }

    /// The elements are here, not in the entry.
    pub fn is_apart(&self) -> bool {
        self.doc.is_some()
    }

    pub fn take_doc(&mut self) -> Option<ListValue> {
        self.doc.take()
    }

    pub fn put_doc(&mut self, doc: ListValue) {
        self.doc = Some(doc);
    }

    /// Live elements, hidden ones included.
    pub fn any_live(&self) -> bool {
        self.base_live > 0 || self.inserts.values().any(|insert| insert.live > 0)
    }

    pub fn len(&self) -> usize {
        self.inserts.len()
    }

    /// Effects that still have a say.
    pub fn metas(&self) -> impl Iterator<Item = &Meta> {
        self.inserts.values().filter(|insert| insert.live > 0 && !insert.root).flat_map(Insert::metas)
    }

    /// An assignment's elements are alive, some of them at least.
    pub fn root_live(&self, id: EffectId) -> bool {
        self.inserts.get(&ElementId::new(id, 0).run()).is_some_and(|insert| insert.root && insert.live > 0)
    }

    /// What the effect folded last decided.
    pub fn take_lost(&mut self) -> Vec<Lost> {
        std::mem::take(&mut self.lost)
    }

    /// Everything folded is stable.
    pub fn is_stable(&self, stable: &Frontier) -> bool {
        stable.covers(&self.latest)
    }

    /// When the list was made: by the winning assignment, else by the earliest insert alive. `None`: nothing of it shows.
    pub fn creation(&self, winner: Option<&Meta>, cut_ms: u64) -> Option<(Hlc, NodeId)> {
        if let Some(winner) = winner {
            let run = ElementId::new(winner.id, 0).run();
            if self.inserts.get(&run).is_some_and(|insert| insert.root && insert.live > 0) {
                return Some(winner.rank());
            }
        } else if self.base_live > 0 && cut_ms == 0 {
            return Some((Hlc(0), NodeId(0)));
        }
        let alive = |insert: &&Insert| {
            insert.live > 0 && !insert.root && insert.metas().all(|meta| meta.hlc.ms() >= cut_ms)
        };
        let ranks = self.inserts.values().filter(alive).map(|insert| insert.meta.rank());
        ranks.min_by(|a, b| fork_choice_cmp(*a, *b))
    }

    /// The list as it shows now. Given whole to the entry when nothing is hidden.
    pub fn show(&mut self, winner: Option<EffectId>, cut_ms: u64) -> ListValue {
        let shows = |insert: &Insert| {
            (!insert.root || Some(insert.meta.id) == winner)
                && insert.metas().all(|meta| meta.hlc.ms() >= cut_ms)
        };
        let hides_inserts = self.inserts.values().any(|insert| insert.live > 0 && !shows(insert));
        let hides_base = cut_ms > 0 && self.base_live > 0;
        if !hides_inserts && !hides_base {
            return self.doc.take().unwrap_or_default();
        }
        let mut shown = self.doc.clone().unwrap_or_default();
        // Hidden elements stay in their places as dead ones: who writes here must not take neighbours for adjacent.
        shown.kill_where(Life::Dead0, |item| match self.inserts.get(&item.id.run()) {
            Some(insert) => !shows(insert),
            None => cut_ms > 0,
        });
        shown
    }

    /// Folds one effect on the elements. `dead`: it is older than a life that ended; its elements only keep their places.
    pub fn fold(&mut self, doc: &mut ListValue, meta: &Meta, op: &ListOp<'_>, dead: bool) {
        match op {
            ListOp::Insert { spot, moved, values } => {
                let run = moved.unwrap_or(ElementId::new(meta.id, 0));
                // A moved element that came before is unstable yet: what comes later saw whatever is stable.
                let twice = moved.is_some() && self.inserts.contains_key(&run.run());
                let known = if twice { doc.find(run, self.near) } else { None };
                match known {
                    Some(pos) => self.insert_again(doc, pos, run, meta, *spot, *values, dead),
                    None => self.insert(doc, run, meta, *spot, *values, dead, false),
                }
            }
            _ if dead => {}
            ListOp::Remove(runs) => {
                let mut near = None;
                for run in runs.iter() {
                    for i in 0..run.len {
                        let Some(pos) = doc.find(run.at(i), near) else { continue };
                        self.kill(doc, pos);
                        near = Some(pos);
                    }
                }
            }
            ListOp::Set { id, value } => self.set(doc, *id, meta, value),
            ListOp::Trim { first, last } => self.trim(doc, meta, *first, *last),
        }
    }

    /// Folds an assignment's elements.
    pub fn fold_whole(&mut self, doc: &mut ListValue, meta: &Meta, whole: &WholeList<'_>, dead: bool) {
        self.insert(doc, ElementId::new(meta.id, 0), meta, whole.spot, whole.values, dead, true);
    }

    #[allow(clippy::too_many_arguments)]
    fn insert(
        &mut self,
        doc: &mut ListValue,
        first: ElementId,
        meta: &Meta,
        spot: Spot,
        values: Members<'_>,
        dead: bool,
        root: bool,
    ) {
        let at = self.seek(doc, meta, &spot);
        let life = if dead { Life::dead(self.generation) } else { Life::Live };
        self.near = Some(doc.insert_run(at, first, values, spot.place.is_reversed(), life));
        let live = if dead { 0 } else { values.len() as u32 };
        let insert = Insert { meta: meta.clone(), others: SmallVec::new(), spot, live, root };
        self.inserts.insert(first.run(), insert);
    }

    /// A second effect moved the same element here, not having seen the first: the earlier one says where it stands, the
    /// later one what it holds.
    #[allow(clippy::too_many_arguments)]
    fn insert_again(
        &mut self,
        doc: &mut ListValue,
        pos: Pos,
        id: ElementId,
        meta: &Meta,
        spot: Spot,
        values: Members<'_>,
        dead: bool,
    ) {
        let Some(insert) = self.inserts.get_mut(&id.run()) else { return };
        let first = insert.meta.clone();
        self.twice = true;
        let earlier = fork_choice_cmp(meta.rank(), first.rank()).is_lt();
        if earlier {
            insert.others.push(std::mem::replace(&mut insert.meta, meta.clone()));
            insert.spot = spot;
            self.values.entry(id).or_insert(first);
        } else {
            insert.others.push(meta.clone());
        }
        if dead {
            self.kill(doc, pos);
        }
        if let Some(value) = values.iter().next() {
            self.set(doc, id, meta, value);
        }
        if earlier {
            self.move_subtree(doc, id, meta, &spot);
        }
    }

    /// The later of two values counts.
    fn set(&mut self, doc: &mut ListValue, id: ElementId, meta: &Meta, value: &[u8]) {
        let Some(pos) = doc.find(id, self.near) else { return };
        if !doc.is_live(pos) {
            return;
        }
        let holder = self.values.get(&id).or_else(|| self.inserts.get(&id.run()).map(|i| &i.meta));
        if let Some(holder) = holder {
            let loses = fork_choice_cmp(meta.rank(), holder.rank()).is_lt();
            let held = doc.item(pos).map(|item| item.value).unwrap_or_default();
            if !meta.saw(holder.id) && held != value {
                let (own, held) = ((meta.clone(), value.into()), (holder.clone(), held.into()));
                let (winner, loser) = if loses { (held, own) } else { (own, held) };
                self.lost.push(Lost { winner, loser });
            }
            if loses {
                return;
            }
        }
        doc.set(pos, value);
        self.values.insert(id, meta.clone());
    }

    fn trim(&mut self, doc: &mut ListValue, meta: &Meta, first: ElementId, last: ElementId) {
        let (Some(first), Some(last)) = (doc.find(first, None), doc.find(last, None)) else { return };
        let (inserts, values, base_live) = (&mut self.inserts, &mut self.values, &mut self.base_live);
        doc.kill_outside((first, last), Life::dead(self.generation), |item| {
            let insert = inserts.get_mut(&item.id.run());
            let seen = insert.as_ref().is_none_or(|insert| insert.metas().any(|seen| meta.saw(seen.id)));
            if seen {
                match insert {
                    Some(insert) => insert.live -= 1,
                    None => *base_live -= 1,
                }
                values.remove(&item.id);
            }
            seen
        });
    }

    fn kill(&mut self, doc: &mut ListValue, pos: Pos) {
        let Some(item) = doc.item(pos).filter(|item| item.life == Life::Live) else { return };
        match self.inserts.get_mut(&item.id.run()) {
            Some(insert) => insert.live -= 1,
            None => self.base_live -= 1,
        }
        self.values.remove(&item.id);
        doc.kill(pos, Life::dead(self.generation));
    }

    fn kill_where(&mut self, doc: &mut ListValue, dies: impl Fn(&Item<'_>, Option<&Insert>) -> bool) {
        let (inserts, values, base_live) = (&mut self.inserts, &mut self.values, &mut self.base_live);
        doc.kill_where(Life::dead(self.generation), |item| {
            let mut insert = inserts.get_mut(&item.id.run());
            if !dies(item, insert.as_deref()) {
                return false;
            }
            match &mut insert {
                Some(insert) => insert.live -= 1,
                None => *base_live -= 1,
            }
            values.remove(&item.id);
            true
        });
    }

    /// What `cancels` names dies, and everything stable. The elements are here.
    pub fn cancel(&mut self, cancels: impl Fn(&Meta) -> bool) {
        let Some(mut doc) = self.doc.take() else { return };
        self.kill_where(&mut doc, |_, insert| insert.is_none_or(|insert| insert.metas().any(&cancels)));
        self.doc = Some(doc);
    }

    /// Everything dies. The elements are here.
    pub fn cancel_all(&mut self) {
        self.cancel(|_| true);
    }

    /// Drops what is stable, as far as it goes while other effects are not. `doc`: the elements, wherever they are.
    pub fn prune(&mut self, doc: &mut ListValue, stable: &Frontier) {
        if !stable.covers(&self.closing) {
            return;
        }
        // The generation before this one died before `closing`.
        let before = self.generation ^ 1;
        doc.purge(Some(Life::dead(before)));
        let base_live = &mut self.base_live;
        self.inserts.retain(|_, insert| {
            let goes = !insert.root && insert.metas().all(|meta| stable.contains(meta.id));
            if goes {
                *base_live += u64::from(insert.live);
            }
            !goes
        });
        self.values.retain(|_, meta| !stable.contains(meta.id));
        self.twice = self.inserts.values().any(|insert| !insert.others.is_empty());
        self.generation = before;
        self.closing = self.latest.clone();
    }

    /// A list's assignment became the base.
    pub fn settle_root(&mut self, id: EffectId) {
        if let Some(insert) = self.inserts.remove(&ElementId::new(id, 0).run()) {
            self.base_live += u64::from(insert.live);
        }
    }

    /// The element is the last of an insert that was put just before `right`, and nothing stands between: what is put
    /// between the two may hang on the element.
    pub fn leads_to(&self, left: ElementId, right: ElementId) -> bool {
        self.inserts.get(&left.run()).is_some_and(|insert| insert.spot.right == Some(right))
    }
}
