//! Folding where every effect is stable at once: a node without peers. No metadata is kept.

use super::elements::{self, Change};
use super::text::Update;
use super::window::fold_text;
use crate::effect::{Effect, Expiry, FieldOp, Op, Payload, ScoreOp};
use crate::state::table::Entry;
use crate::state::value::{Kind, Value};

/// Folds one effect that saw everything of its key. Leaves the entry without value when the key is gone.
pub fn fold(entry: &mut Entry<'_>, effect: &Effect<'_>) {
    if effect.fresh.is_some() || entry.kind().is_some() && entry.expiry().reached(effect.hlc.ms()) {
        entry.clear();
    }
    let expiry = entry.expiry();
    match &effect.op {
        Op::Assign { payload: Payload::String(bytes), expiry } => entry.set_string(bytes, *expiry),
        Op::Assign { payload, expiry } => entry.set_value(Value::from_payload(payload), *expiry),
        Op::Reset => entry.clear(),
        Op::Ttl(expiry) if entry.kind().is_some() => entry.set_expiry(*expiry),
        Op::MemberAdd(_) | Op::MemberRemove(_) | Op::Fields(_) | Op::Scores(_) => {
            change(entry, &effect.op, expiry)
        }
        op => {
            if let Some(update) = Update::of(op) {
                text(entry, &update);
            }
        }
    }
}

/// Folds an effect on elements.
fn change(entry: &mut Entry<'_>, op: &Op<'_>, expiry: Expiry) {
    let Some(kind) = elements::kind_of(op) else { return };
    let removes = elements::removes(op);
    if entry.kind().is_none() && !removes {
        entry.set_value(Value::empty(kind), expiry);
    }
    let Some(value) = entry.boxed_mut().filter(|value| value.kind() == kind) else { return };
    match (&mut *value, op) {
        (Value::Set(set), Op::MemberAdd(members)) => members.iter().for_each(|m| _ = set.insert(m)),
        (Value::Hash(hash), Op::Fields(FieldOp::Put(pairs))) => {
            let mut pairs = pairs.iter();
            while let (Some(field), Some(value)) = (pairs.next(), pairs.next()) {
                hash.put(field, value);
            }
        }
        (Value::ZSet(zset), Op::Scores(ScoreOp::Put(scores))) => {
            scores.iter().for_each(|(score, member)| _ = zset.put(member, score));
        }
        (value, op) => elements::each_change(op, &mut |member, change| match change {
            Change::Remove => value.remove_item(member),
            Change::Write(write) => {
                let mut item = value.item(member);
                write.apply(&mut item);
                elements::show(value, member, item);
            }
        }),
    }
    if removes && value.is_empty() {
        entry.clear();
    }
}

fn text(entry: &mut Entry<'_>, update: &Update) {
    if entry.kind().is_none_or(|kind| kind == Kind::String) {
        let expiry = entry.expiry();
        fold_text(entry, update, expiry);
    }
}
