//! What effects on a list add up to: the tree of all elements ever inserted, read from left to right, less what is gone.

use std::collections::{BTreeMap, BTreeSet};

use proto::{EffectId, Hlc, NodeId};

use super::Observed;
use crate::effect::fork::fork_choice_cmp;
use crate::effect::lists::{ElementId, ListOp, Place, Spot};
use crate::effect::{Op, Payload};

/// One effect that made an element: usually the only one.
struct Dot<'o> {
    by: &'o Observed<'o>,
    root: bool,
    parent: Option<ElementId>,
    place: Place,
    value: &'o [u8],
}

/// See the module.
pub(super) struct Lists<'o> {
    /// Earliest first: it says where the element stands.
    elements: BTreeMap<ElementId, Vec<Dot<'o>>>,
    /// All of them, from left to right.
    order: Vec<ElementId>,
    gone: BTreeSet<ElementId>,
    effects: &'o [Observed<'o>],
}

fn by_rank(a: (Hlc, NodeId), b: (Hlc, NodeId)) -> std::cmp::Ordering {
    fork_choice_cmp(a, b)
}

impl<'o> Lists<'o> {
    pub fn new(effects: &'o [Observed<'o>], floor_ms: u64) -> Self {
        let mut lists =
            Lists { elements: BTreeMap::new(), order: Vec::new(), gone: BTreeSet::new(), effects };
        for by in effects {
            let (spot, first, values, root) = match &by.effect.op {
                Op::List(ListOp::Insert { spot, moved, values }) => {
                    (*spot, moved.unwrap_or(ElementId::new(by.id, 0)), *values, false)
                }
                Op::Assign { payload: Payload::List(whole), .. } => {
                    (whole.spot, ElementId::new(by.id, 0), whole.values, true)
                }
                _ => continue,
            };
            lists.add(by, spot, first, values.iter(), root);
        }
        for dots in lists.elements.values_mut() {
            dots.sort_by(|a, b| by_rank(a.by.rank(), b.by.rank()));
        }
        lists.read();
        lists.take_out(floor_ms);
        lists
    }

    fn add(
        &mut self,
        by: &'o Observed<'o>,
        spot: Spot,
        first: ElementId,
        values: impl Iterator<Item = &'o [u8]>,
        root: bool,
    ) {
        let chain = if spot.place.is_reversed() { Place::Ahead } else { Place::Behind };
        let (mut parent, mut place) = (spot.parent(), spot.place);
        for (i, value) in values.enumerate() {
            let id =
                if first.index == ElementId::MOVED { first } else { ElementId { index: i as u32, ..first } };
            self.elements.entry(id).or_default().push(Dot { by, root, parent, place, value });
            (parent, place) = (Some(id), chain);
        }
    }

    /// Reads the tree.
    fn read(&mut self) {
        let children = |parent: Option<ElementId>, place: Place| {
            let hang = |(_, dots): &(&ElementId, &Vec<Dot<'_>>)| {
                dots[0].place == place && (parent.is_none() || dots[0].parent == parent)
            };
            let mut found: Vec<_> = self.elements.iter().filter(hang).collect();
            found.sort_by(|a, b| by_rank(a.1[0].by.rank(), b.1[0].by.rank()));
            if place.is_reversed() {
                found.reverse();
            }
            found.into_iter().map(|(id, _)| *id).collect::<Vec<_>>()
        };
        fn visit(
            id: ElementId,
            children: &dyn Fn(Option<ElementId>, Place) -> Vec<ElementId>,
            order: &mut Vec<ElementId>,
        ) {
            for place in [Place::Ahead, Place::Before] {
                children(Some(id), place).into_iter().for_each(|child| visit(child, children, order));
            }
            order.push(id);
            children(Some(id), Place::Behind).into_iter().for_each(|child| visit(child, children, order));
        }
        let mut order = Vec::new();
        for place in [Place::Start, Place::End] {
            children(None, place).into_iter().for_each(|id| visit(id, &children, &mut order));
        }
        self.order = order;
    }

    fn take_out(&mut self, floor_ms: u64) {
        let position = |id: &ElementId| self.order.iter().position(|at| at == id);
        let mut gone = BTreeSet::new();
        for (id, dots) in &self.elements {
            let seen = |by: &Observed<'_>| dots.iter().any(|dot| by.saw(dot.by));
            let late = dots.iter().any(|dot| dot.by.effect.hlc.ms() < floor_ms);
            let goes = |by: &Observed<'_>| match &by.effect.op {
                Op::List(ListOp::Remove(runs)) => {
                    runs.iter().any(|run| (0..run.len).any(|i| run.at(i) == *id))
                }
                Op::List(ListOp::Trim { first, last }) => {
                    let at = position(id);
                    seen(by) && (at < position(first) || at > position(last))
                }
                _ => by.cancels() && seen(by),
            };
            if late || self.effects.iter().any(goes) {
                gone.insert(*id);
            }
        }
        self.gone = gone;
    }

    /// Something that the effect inserted is not gone.
    pub fn has_say(&self, by: EffectId) -> bool {
        self.elements.iter().any(|(id, dots)| !self.gone.contains(id) && dots.iter().any(|d| d.by.id == by))
    }

    fn shown(
        &self,
        winner: Option<EffectId>,
        cut_ms: u64,
    ) -> impl Iterator<Item = (ElementId, &Vec<Dot<'o>>)> {
        self.order.iter().map(|id| (*id, &self.elements[id])).filter(move |(id, dots)| {
            !self.gone.contains(id)
                && dots.iter().all(|dot| dot.by.effect.hlc.ms() >= cut_ms)
                && dots.iter().all(|dot| !dot.root || Some(dot.by.id) == winner)
        })
    }

    /// When the list that shows was made.
    pub fn created(&self, winner: Option<&Observed<'_>>, cut_ms: u64) -> Option<(Hlc, NodeId)> {
        let id = winner.map(|w| w.id);
        let mut ranks: Vec<_> =
            self.shown(id, cut_ms).filter(|(_, d)| !d[0].root).map(|(_, d)| d[0].by.rank()).collect();
        ranks.sort_by(|a, b| by_rank(*a, *b));
        match self.shown(id, cut_ms).find(|(_, dots)| dots[0].root) {
            Some((_, dots)) => Some(dots[0].by.rank()),
            None => ranks.first().copied(),
        }
    }

    /// The values that show, in order. Of an element's values the latest counts.
    pub fn values(&self, winner: Option<EffectId>, cut_ms: u64) -> Vec<&'o [u8]> {
        let value = |id: ElementId, dots: &[Dot<'o>]| {
            let sets = self.effects.iter().filter_map(|by| match &by.effect.op {
                Op::List(ListOp::Set { id: named, value }) if *named == id => Some((by.rank(), *value)),
                _ => None,
            });
            let made = dots.iter().map(|dot| (dot.by.rank(), dot.value));
            made.chain(sets).max_by(|a, b| by_rank(a.0, b.0)).map_or(&[][..], |found| found.1)
        };
        self.shown(winner, cut_ms).map(|(id, dots)| value(id, dots)).collect()
    }
}
