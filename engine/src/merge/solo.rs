//! Folding where every effect is stable at once: a node without peers. No metadata is kept.

use super::text::Update;
use super::window::fold_text;
use crate::effect::{Effect, Op, Payload};
use crate::state::set::SetValue;
use crate::state::table::Entry;
use crate::state::value::{Kind, Value, ValueRef};

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
        Op::Delta(n) => text(entry, &Update::Delta(*n)),
        Op::DeltaFloat(n) => text(entry, &Update::DeltaFloat(*n)),
        Op::Append(bytes) => text(entry, &Update::Append((*bytes).into())),
        Op::Overlay { base, offset, bytes } => {
            text(entry, &Update::Overlay { base: *base, offset: *offset, bytes: (*bytes).into() });
        }
        Op::MemberAdd(members) => {
            if entry.kind().is_none() {
                entry.set_value(Value::Set(SetValue::default()), expiry);
            }
            if let Some(Value::Set(set)) = entry.boxed_mut() {
                for member in members.iter() {
                    set.insert(member);
                }
            }
        }
        Op::MemberRemove(members) => {
            if let Some(Value::Set(set)) = entry.boxed_mut() {
                for member in members.iter() {
                    set.remove(member);
                }
            }
            if matches!(entry.value(), Some(ValueRef::Set(set)) if set.is_empty()) {
                entry.clear();
            }
        }
        Op::Ttl(_) | Op::Flush { .. } | Op::SwapDb { .. } | Op::Bind { .. } | Op::Noop => {}
    }
}

fn text(entry: &mut Entry<'_>, update: &Update) {
    if entry.kind() != Some(Kind::Set) {
        let expiry = entry.expiry();
        fold_text(entry, update, expiry);
    }
}
