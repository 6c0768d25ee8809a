//! Live effects on single elements of collections: members, fields, scores.
//!
//! SEMANTICS §1 per element: the latest of the assignments that nobody's assignment or remove saw, over what lies below, and on
//! top of it the changes (deltas, maxima, minima) that nobody's assignment or remove saw, in fork-choice order.
//!
//! A field ends at the latest of the ends that nobody's later one saw; one that was put without an end has one that never comes.
//! When something of it is not older than its end, what is older is over, as with a key.

use hashbrown::HashMap;
use proto::{Frontier, Hlc, NodeId};
use smallvec::SmallVec;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use super::causal::Meta;
use super::streams::{self, StreamWrite};
use super::text::{self, Update};
use crate::effect::fork::fork_choice_cmp;
use crate::effect::{Expiry, FieldOp, Op, ScoreOp};
use crate::number::LongDouble;
use crate::state::stream::{Part, StreamValue};
use crate::state::value::{Item, Kind, Value, ValueMut};

/// Stable changes of one element are worked in while others stay once there are so many.
const CHANGES_KEPT: usize = 8;

/// What an effect makes of one element.
#[derive(Clone, PartialEq, Debug)]
pub enum Write {
    Put(Item),
    /// On a field's number.
    Delta(i64),
    DeltaFloat(LongDouble),
    /// On a score.
    Add(f64),
    Max(f64),
    Min(f64),
    /// On a part of a stream.
    Stream(StreamWrite),
    /// When a field ends.
    Expire(Expiry),
}

impl Write {
    fn is_put(&self) -> bool {
        matches!(self, Write::Put(_))
    }

    /// What it saw of the element no longer counts.
    pub fn replaces(&self) -> bool {
        self.is_put() || matches!(self, Write::Stream(StreamWrite::Ack))
    }

    /// The key has its type because of it.
    pub fn makes(&self) -> bool {
        match self {
            Write::Put(Item::Stream(part)) => matches!(part, Part::Marks(_)),
            Write::Stream(write) => write.makes(),
            Write::Expire(_) => false,
            _ => true,
        }
    }

    /// In any order with others that do, it comes to the same.
    pub fn commutes(&self) -> bool {
        matches!(self, Write::Stream(write) if write.commutes())
    }

    /// It says when the field ends.
    pub fn sets_end(&self) -> bool {
        matches!(self, Write::Expire(_) | Write::Put(Item::Field(..)))
    }

    /// It says that alone.
    pub fn is_end(&self) -> bool {
        matches!(self, Write::Expire(_))
    }

    /// Applies it to what is there.
    pub fn apply(&self, value: &mut Option<Item>) {
        let delta = match self {
            Write::Put(item) => {
                *value = Some(item.clone());
                return;
            }
            Write::Delta(n) => Update::Delta(*n),
            Write::DeltaFloat(n) => Update::DeltaFloat(*n),
            Write::Add(n) => return score(value, *n, |score| score + n),
            Write::Max(n) => return score(value, *n, |score| score.max(*n)),
            Write::Min(n) => return score(value, *n, |score| score.min(*n)),
            Write::Stream(write) => return write.apply(value),
            Write::Expire(end) => {
                if let Some(Item::Field(_, own)) = value {
                    *own = *end;
                }
                return;
            }
        };
        let (mut text, end) = match value.take() {
            Some(Item::Field(bytes, end)) => (Some(bytes.into_vec()), end),
            _ => (None, Expiry::NEVER),
        };
        text::apply(&mut text, &delta);
        *value = text.map(|bytes| Item::Field(bytes.into(), end));
    }
}

/// A sum that is no number leaves the score as it was.
fn score(value: &mut Option<Item>, alone: f64, change: impl Fn(f64) -> f64) {
    match value {
        Some(Item::Score(score)) => {
            let changed = change(*score);
            if !changed.is_nan() {
                *score = changed;
            }
        }
        _ => *value = Some(Item::Score(alone)),
    }
}

/// What an effect does to one element.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    Write(Write),
    Remove,
    /// A remove that also takes whatever is older than this moment, ms.
    Lapse(u64),
}

/// The kind of collection on whose elements an effect works.
pub fn kind_of(op: &Op<'_>) -> Option<Kind> {
    match op {
        Op::MemberAdd(_) | Op::MemberRemove(_) => Some(Kind::Set),
        Op::Fields(_) => Some(Kind::Hash),
        Op::Scores(_) => Some(Kind::ZSet),
        Op::Stream(_) => Some(Kind::Stream),
        _ => None,
    }
}

/// The effect takes elements away and makes none.
pub fn removes(op: &Op<'_>) -> bool {
    match op {
        Op::Stream(op) => streams::removes(op),
        op => {
            matches!(
                op,
                Op::MemberRemove(_)
                    | Op::Fields(FieldOp::Remove(_) | FieldOp::Lapse(_))
                    | Op::Scores(ScoreOp::Remove(_))
            )
        }
    }
}

/// Visits what an effect stamped so does to each element it names. An element named twice is as the last naming leaves it.
pub fn each_change(op: &Op<'_>, hlc: Hlc, visit: &mut dyn FnMut(&[u8], Change)) {
    match op {
        Op::MemberAdd(members) => {
            members.iter().for_each(|m| visit(m, Change::Write(Write::Put(Item::Member))))
        }
        Op::MemberRemove(members)
        | Op::Fields(FieldOp::Remove(members))
        | Op::Scores(ScoreOp::Remove(members)) => members.iter().for_each(|m| visit(m, Change::Remove)),
        Op::Fields(FieldOp::Put(pairs)) => {
            let mut pairs = pairs.iter();
            while let (Some(field), Some(value)) = (pairs.next(), pairs.next()) {
                visit(field, Change::Write(Write::Put(Item::Field(value.into(), Expiry::NEVER))));
            }
        }
        Op::Fields(FieldOp::Delta { field, by }) => visit(field, Change::Write(Write::Delta(*by))),
        Op::Fields(FieldOp::DeltaFloat { field, by }) => visit(field, Change::Write(Write::DeltaFloat(*by))),
        Op::Fields(FieldOp::Expire(moments)) => moments.iter().for_each(|(end, field)| {
            // An end that is not after the effect itself is there and then.
            let over = end.reached(hlc.ms());
            visit(field, if over { Change::Remove } else { Change::Write(Write::Expire(end)) });
        }),
        Op::Fields(FieldOp::Lapse(moments)) => {
            moments.iter().for_each(|(end, field)| visit(field, Change::Lapse(end.ms().unwrap_or(0))));
        }
        Op::Scores(ScoreOp::Put(scores)) => {
            scores.iter().for_each(|(s, m)| visit(m, Change::Write(Write::Put(Item::Score(s)))));
        }
        Op::Scores(ScoreOp::Add(scores)) => {
            scores.iter().for_each(|(s, m)| visit(m, Change::Write(Write::Add(s))))
        }
        Op::Scores(ScoreOp::Max(scores)) => {
            scores.iter().for_each(|(s, m)| visit(m, Change::Write(Write::Max(s))))
        }
        Op::Scores(ScoreOp::Min(scores)) => {
            scores.iter().for_each(|(s, m)| visit(m, Change::Write(Write::Min(s))))
        }
        Op::Stream(op) => streams::each_change(op, visit),
        _ => {}
    }
}

type Rank = (Hlc, NodeId);

/// What live writes make of what lies below them.
pub fn resolve<'w>(
    below: Option<Item>,
    writes: impl Iterator<Item = (Rank, &'w Write)> + Clone,
) -> Option<Item> {
    let puts = writes.clone().filter(|w| w.1.is_put());
    let mut value = match puts.clone().max_by(|a, b| fork_choice_cmp(a.0, b.0)) {
        Some((_, Write::Put(Item::Stream(_)))) => {
            let parts = puts.filter_map(|(rank, write)| match write {
                Write::Put(Item::Stream(part)) => Some((rank, part)),
                _ => None,
            });
            streams::resolve_puts(parts).map(Item::Stream)
        }
        Some((_, Write::Put(item))) => Some(item.clone()),
        _ => below,
    };
    let mut changes: SmallVec<[(Rank, &Write); 4]> = writes.filter(|w| !w.1.is_put()).collect();
    changes.sort_by(|a, b| fork_choice_cmp(a.0, b.0));
    changes.iter().for_each(|(_, change)| change.apply(&mut value));
    value
}

/// Live effects on one element.
pub struct Element {
    /// Lean only: what the value below has under this name.
    pub below: Option<Item>,
    pub writes: SmallVec<[(Meta, Write); 1]>,
}

impl Element {
    /// What it comes to above `below`, of the writes not older than `cut_ms`. `root`: the assignment that `below` is of; a stable
    /// value without one.
    pub fn over(&self, below: Option<Item>, root: Option<&Meta>, cut_ms: u64) -> Option<Item> {
        let alive = |cut_ms: u64| self.writes.iter().filter(move |w| w.0.hlc.ms() >= cut_ms);
        let resolve =
            |below, cut_ms: u64| resolve(below, alive(cut_ms).map(|(meta, write)| (meta.rank(), write)));
        if !self.knows_ends(below.as_ref()) {
            return resolve(below, cut_ms);
        }
        let mut below = below;
        let (cut_ms, end) = self.present(&mut below, root, cut_ms);
        let mut item = resolve(below, cut_ms);
        if let Some(Item::Field(_, own)) = &mut item {
            *own = end;
        }
        item
    }

    /// Where a field's lives before the present one ended, ms (`cut_ms` if that is the first), and when that one ends. Takes `below`
    /// if it was of an earlier one.
    fn present(&self, below: &mut Option<Item>, root: Option<&Meta>, cut_ms: u64) -> (u64, Expiry) {
        let mut cut_ms = cut_ms;
        loop {
            let end = self.end(below.as_ref(), root, cut_ms).unwrap_or(Expiry::NEVER);
            let root_ms = root.filter(|_| below.is_some()).map(|root| root.hlc.ms());
            let alive = self.writes.iter().map(|w| w.0.hlc.ms()).filter(|ms| *ms >= cut_ms);
            match (end.ms(), alive.chain(root_ms).max()) {
                (Some(ms), Some(latest_ms)) if cut_ms < ms && ms <= latest_ms => {
                    cut_ms = ms;
                    if root.is_none_or(|root| root.hlc.ms() < ms) {
                        *below = None;
                    }
                }
                _ => return (cut_ms, end),
            }
        }
    }

    /// Of a field more is held than shows: an earlier life, which shows again when the end of that is put off; or an end after
    /// `closed_ms` that holds for a value which another node still makes.
    pub fn is_awaited(&self, below: Option<Item>, root: Option<&Meta>, closed_ms: u64) -> bool {
        if !self.knows_ends(below.as_ref()) {
            return false;
        }
        let mut left = below.clone();
        let (cut_ms, end) = self.present(&mut left, root, 0);
        let hides = left != below || self.writes.iter().any(|w| !w.1.is_end() && w.0.hlc.ms() < cut_ms);
        hides || end.ms().is_some_and(|ms| ms > closed_ms) && self.over(below, root, 0).is_none()
    }

    /// It is a field that ends, or that was said to.
    pub fn knows_ends(&self, below: Option<&Item>) -> bool {
        matches!(below, Some(Item::Field(_, end)) if *end != Expiry::NEVER)
            || self.writes.iter().any(|w| matches!(w.1, Write::Expire(_)))
    }

    /// The latest of the ends of a field that no later one replaced.
    fn end(&self, below: Option<&Item>, root: Option<&Meta>, cut_ms: u64) -> Option<Expiry> {
        let said = || self.writes.iter().filter(|w| w.0.hlc.ms() >= cut_ms && w.1.sets_end());
        let own = match below {
            Some(Item::Field(_, end)) => Some(*end),
            _ => None,
        };
        // Whatever arrives saw a stable value.
        let own = own.filter(|_| !said().any(|w| root.is_none_or(|root| w.0.saw(root.id))));
        let expires = |w: &(Meta, Write)| matches!(w.1, Write::Expire(_));
        let unseen = said().filter(|put| expires(put) || !said().any(|w| expires(w) && w.0.saw(put.0.id)));
        let ends = unseen.map(|w| match w.1 {
            Write::Expire(end) => end,
            _ => Expiry::NEVER,
        });
        ends.chain(own).max()
    }

    /// What a lean window shows, above its root if it has one.
    pub fn shown(&self, root: Option<&Meta>) -> Option<Item> {
        self.over(self.below.clone(), root, 0)
    }

    pub fn write(&mut self, meta: &Meta, write: Write) {
        if write.replaces() {
            self.writes.retain(|w| !meta.saw(w.0.id) && w.0.id != meta.id);
        } else if write.is_end() {
            self.writes.retain(|w| !w.1.is_end() || !meta.saw(w.0.id) && w.0.id != meta.id);
        }
        if matches!(write, Write::Put(Item::Stream(_)) | Write::Stream(_)) && !write.commutes() {
            // In front, where [`Element::commutes`] looks.
            self.writes.insert(0, (meta.clone(), write));
        } else {
            self.writes.push((meta.clone(), write));
        }
    }

    /// All its writes commute.
    pub fn commutes(&self) -> bool {
        self.writes.first().is_none_or(|w| w.1.commutes())
    }

    /// Takes what an effect saw, and whatever is older than `floor_ms`, `root` included.
    pub fn take(&mut self, meta: &Meta, root: Option<&Meta>, floor_ms: u64) {
        let goes = |by: &Meta| meta.saw(by.id) || by.hlc.ms() < floor_ms;
        self.writes.retain(|w| !goes(&w.0));
        if root.is_none_or(goes) {
            self.below = None;
        }
    }

    /// Works stable writes into what lies below. True when it did.
    fn prune(&mut self, kind: Kind, stable: &Frontier) -> bool {
        let is_stable = |w: &(Meta, Write)| stable.contains(w.0.id);
        if kind != Kind::Set && !self.commutes() && !self.writes.iter().all(is_stable) {
            // Others stay: only what all of them saw may go below them.
            let (below, above): (Vec<_>, Vec<_>) = self.writes.iter().partition(|w| is_stable(w));
            let seen = below.iter().all(|b| above.iter().all(|a| a.0.saw(b.0.id)));
            if below.len() < CHANGES_KEPT || !seen {
                return false;
            }
        }
        // A member of a set is there or not: its adds go one by one, as do writes whose order is of no matter.
        let before = self.writes.len();
        let (writes, stay) = std::mem::take(&mut self.writes).into_iter().partition(is_stable);
        self.writes = stay;
        let sunk = Element { below: self.below.take(), writes };
        if kind == Kind::Hash && sunk.is_awaited(sunk.below.clone(), None, 0) {
            self.below = sunk.below;
            self.writes.extend(sunk.writes);
            return false;
        }
        self.below = sunk.shown(None);
        self.writes.len() < before
    }
}

pub type ElementMap = HashMap<Box<[u8]>, Element, Xxh3DefaultBuilder>;

/// Live effects on elements of one kind of collection.
pub struct Group {
    pub kind: Kind,
    pub elements: ElementMap,
}

/// Live effects on elements, by kind. No group is empty, and no element without a write.
#[derive(Default)]
pub struct Elements(pub SmallVec<[Box<Group>; 1]>);

impl Elements {
    pub fn len(&self) -> usize {
        self.0.iter().map(|g| g.elements.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn of(&self, kind: Kind) -> Option<&ElementMap> {
        self.0.iter().find(|g| g.kind == kind).map(|g| &g.elements)
    }

    pub fn get_mut(&mut self, kind: Kind) -> Option<&mut ElementMap> {
        self.0.iter_mut().find(|g| g.kind == kind).map(|g| &mut g.elements)
    }

    /// The elements of a kind, made if there are none: the caller adds one.
    pub fn make(&mut self, kind: Kind) -> &mut ElementMap {
        let at = self.0.iter().position(|g| g.kind == kind).unwrap_or_else(|| {
            self.0.push(Box::new(Group { kind, elements: ElementMap::default() }));
            self.0.len() - 1
        });
        &mut self.0[at].elements
    }

    /// Takes a group away that became empty.
    pub fn tidy(&mut self) {
        self.0.retain(|g| !g.elements.is_empty());
    }

    pub fn metas(&self) -> impl Iterator<Item = &Meta> {
        let elements = self.0.iter().flat_map(|g| g.elements.values());
        elements.flat_map(|e| e.writes.iter().map(|w| &w.0))
    }

    pub fn cancel(&mut self, cancels: &impl Fn(&Meta) -> bool) {
        for group in &mut self.0 {
            group.elements.retain(|_, element| {
                element.writes.retain(|w| !cancels(&w.0));
                !element.writes.is_empty()
            });
        }
        self.tidy();
    }

    /// Nothing lies below any more.
    pub fn nothing_below(&mut self) {
        self.0.iter_mut().flat_map(|g| g.elements.values_mut()).for_each(|e| e.below = None);
    }

    /// Lean, without a root: stable writes join the value below, element by element. True when any did.
    pub fn prune(&mut self, stable: &Frontier) -> bool {
        let mut joined = false;
        for group in &mut self.0 {
            let kind = group.kind;
            group.elements.retain(|_, element| {
                joined |= element.prune(kind, stable);
                !element.writes.is_empty()
            });
        }
        self.tidy();
        joined
    }

    /// Takes a lean window's elements off its visible value: what lies below is left.
    pub fn uncover(&self, visible: &mut Value) {
        let Some(elements) = self.of(visible.kind()) else { return };
        for (member, element) in elements {
            match &element.below {
                Some(item) => visible.put_item(member, item),
                None => visible.remove_item(member),
            }
        }
    }

    /// The key may have this type because of them.
    pub fn make_type(&self, kind: Kind) -> bool {
        self.of(kind).is_some_and(|held| {
            !matches!(kind, Kind::Stream | Kind::Hash)
                || held.values().any(|element| element.writes.iter().any(|w| w.1.makes()))
        })
    }

    /// Lays a lean window's elements over nothing.
    pub fn lay(&self, value: &mut Value, root: Option<&Meta>) {
        let held = self.of(value.kind()).into_iter().flatten();
        held.for_each(|(member, element)| show(&mut value.as_mut(), member, element.shown(root)));
    }

    /// Lays the elements of a value's kind over it, leaving out what is older than `cut_ms`.
    /// `root`: the assignment that the value is of.
    pub fn cover(&self, value: &mut Value, root: Option<&Meta>, cut_ms: u64) {
        let Some(elements) = self.of(value.kind()) else { return };
        for (member, element) in elements {
            if element.writes.iter().any(|w| w.0.hlc.ms() >= cut_ms) {
                let item = element.over(value.item(member), root, cut_ms);
                show(&mut value.as_mut(), member, item);
            }
        }
    }
}

/// Makes a part of a stream what a write makes of it.
pub fn show_part(stream: &mut StreamValue, name: &[u8], write: &Write) {
    let mut item = stream.part(name).map(Item::Stream);
    write.apply(&mut item);
    match item {
        Some(Item::Stream(part)) => stream.put_part(name, &part),
        _ => stream.remove_part(name),
    }
}

/// Makes an element what it comes to.
pub fn show(value: &mut ValueMut<'_>, member: &[u8], item: Option<Item>) {
    match item {
        Some(item) => value.put_item(member, &item),
        None => value.remove_item(member),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(below: Option<Item>, writes: &[(u64, Write)]) -> Option<Item> {
        resolve(below, writes.iter().map(|(hlc, write)| ((Hlc(*hlc), NodeId(1)), write)))
    }

    #[test]
    fn the_latest_assignment_lies_under_every_change() {
        let field = |text: &str| Item::Field(text.as_bytes().into(), Expiry::NEVER);
        let writes = [(3, Write::Delta(1)), (5, Write::Put(field("10"))), (4, Write::Put(field("7")))];
        assert_eq!(item(Some(field("2")), &writes), Some(field("11")));
        assert_eq!(item(Some(field("abc")), &[(3, Write::Delta(1))]), Some(field("abc")));
        assert_eq!(item(None, &[(3, Write::Delta(-4))]), Some(field("-4")));
    }

    #[test]
    fn scores_are_raised_and_lowered_in_order_and_never_no_number() {
        let writes = [(1, Write::Max(5.0)), (2, Write::Add(1.0)), (3, Write::Min(2.0))];
        assert_eq!(item(Some(Item::Score(1.0)), &writes), Some(Item::Score(2.0)));
        assert_eq!(item(None, &[(1, Write::Max(-5.0))]), Some(Item::Score(-5.0)));
        let infinite = Some(Item::Score(f64::INFINITY));
        assert_eq!(item(infinite.clone(), &[(1, Write::Add(f64::NEG_INFINITY))]), infinite);
    }
}
