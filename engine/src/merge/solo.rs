//! Folding where every effect is stable at once: a node without peers. No metadata is kept.

use proto::EffectId;

use super::elements::{self, Change};
use super::text::Update;
use super::window::fold_text;
use crate::effect::lists::{ElementId, ListOp, Place};
use crate::effect::{Effect, Expiry, FieldOp, Op, Payload, ScoreOp, StreamOp};
use crate::state::list::{Life, ListValue};
use crate::state::table::Entry;
use crate::state::value::{Item, Kind, Value, ValueMut};

/// Folds one effect that saw everything of its key. Leaves the entry without value when the key is gone.
pub fn fold(entry: &mut Entry<'_>, id: EffectId, effect: &Effect<'_>) {
    if effect.fresh.is_some() || entry.kind().is_some() && entry.end().reached(effect.hlc.ms()) {
        entry.clear();
    }
    let expiry = entry.expiry();
    match &effect.op {
        Op::Assign { payload: Payload::String(bytes), expiry } => entry.set_string(bytes, *expiry),
        Op::Assign { payload, expiry } => entry.set_value(Value::from_payload(payload, id), *expiry),
        Op::Reset => entry.clear(),
        Op::Ttl(expiry) if entry.kind().is_some() => entry.set_expiry(*expiry),
        Op::MemberAdd(_) | Op::MemberRemove(_) | Op::Fields(_) | Op::Scores(_) => {
            change(entry, effect, expiry)
        }
        Op::List(op) => list(entry, id, op, expiry),
        Op::Stream(op) => stream(entry, op, expiry),
        op => {
            if let Some(update) = Update::of(op) {
                text(entry, &update);
            }
        }
    }
}

/// Folds an effect on elements.
fn change(entry: &mut Entry<'_>, effect: &Effect<'_>, expiry: Expiry) {
    let (op, hlc) = (&effect.op, effect.hlc);
    let Some(kind) = elements::kind_of(op) else { return };
    let removes = elements::removes(op);
    if entry.kind().is_none() && !removes {
        entry.set_value(Value::empty(kind), expiry);
    }
    let Some(mut value) = entry.value_mut().filter(|value| value.kind() == kind) else { return };
    match (&mut value, op) {
        (ValueMut::Set(set), Op::MemberAdd(members)) => members.iter().for_each(|m| _ = set.insert(m)),
        (ValueMut::Hash(hash), Op::Fields(FieldOp::Put(pairs))) => {
            let mut pairs = pairs.iter();
            while let (Some(field), Some(value)) = (pairs.next(), pairs.next()) {
                hash.put(field, value);
            }
        }
        (ValueMut::ZSet(zset), Op::Scores(ScoreOp::Put(scores))) => {
            scores.iter().for_each(|(score, member)| _ = zset.put(member, score));
        }
        (value, op) => elements::each_change(op, hlc, &mut |member, change| match change {
            Change::Remove | Change::Lapse(_) => value.remove_item(member),
            Change::Write(write) => {
                let ended = |item: &Item| matches!(item, Item::Field(_, end) if end.reached(hlc.ms()));
                let mut item = value.item(member).filter(|item| !ended(item));
                write.apply(&mut item);
                elements::show(value, member, item);
            }
        }),
    }
    if value.as_ref().is_empty_collection() {
        entry.clear();
    }
}

/// Folds an effect on a stream.
fn stream(entry: &mut Entry<'_>, op: &StreamOp<'_>, expiry: Expiry) {
    if entry.kind().is_none() {
        entry.set_value(Value::empty(Kind::Stream), expiry);
    }
    let Some(value) = entry.value_mut() else { return };
    let ValueMut::Stream(stream) = value else { return };
    stream.fold(op);
    if !stream.shows() {
        entry.clear();
    }
}

fn text(entry: &mut Entry<'_>, update: &Update) {
    if entry.kind().is_none_or(|kind| kind == Kind::String) {
        let expiry = entry.expiry();
        fold_text(entry, update, expiry);
    }
}

/// Folds an effect on a list's elements: nothing is dead in it, and whatever is named is there.
fn list(entry: &mut Entry<'_>, id: EffectId, op: &ListOp<'_>, expiry: Expiry) {
    if entry.kind().is_none() && matches!(op, ListOp::Insert { .. }) {
        entry.set_value(Value::List(ListValue::default()), expiry);
    }
    let Some(ValueMut::List(list)) = entry.value_mut() else { return };
    match op {
        ListOp::Insert { spot, moved, values } => {
            let first = moved.unwrap_or(ElementId::new(id, 0));
            let is_end =
                |end: Option<(ElementId, Life)>| end.is_some_and(|(end, _)| spot.parent() == Some(end));
            if values.len() == 1
                && let (Some(parent), Some(value)) = (spot.parent(), values.iter().next())
                && match spot.place {
                    Place::Behind => list.push_behind(parent, first, value),
                    Place::Ahead => list.push_ahead(parent, first, value),
                    _ => false,
                }
            {
                return;
            }
            match spot.place {
                Place::End => list.append_run(first, *values, Life::Live),
                Place::Start => list.prepend_run(first, *values, Life::Live),
                Place::Behind if is_end(list.last()) => list.append_run(first, *values, Life::Live),
                Place::Ahead if is_end(list.first()) => list.prepend_run(first, *values, Life::Live),
                place => {
                    let at = match spot.parent().and_then(|parent| list.find(parent, None)) {
                        None => list.end(),
                        Some(parent) if place == Place::Behind => list.behind(parent),
                        Some(parent) => parent,
                    };
                    list.insert_run(at, first, *values, place.is_reversed(), Life::Live);
                }
            }
        }
        ListOp::Remove(runs) if runs.one().is_some_and(|id| list.pop_front_if(id)) => {}
        ListOp::Remove(runs) => {
            let mut near = None;
            for run in runs.iter() {
                for i in 0..run.len {
                    if let Some(pos) = list.find(run.at(i), near) {
                        list.remove(pos);
                        near = Some(pos);
                    }
                }
            }
        }
        ListOp::Set { id, value } => {
            if let Some(pos) = list.find(*id, None) {
                list.set(pos, value);
            }
        }
        ListOp::Trim { first, last } => {
            if let (Some(first), Some(last)) = (list.find(*first, None), list.find(*last, None)) {
                list.keep_between(first, last);
            }
        }
    }
    if list.is_empty() {
        entry.clear();
    }
}
