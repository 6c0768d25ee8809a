//! The executable specification: from a *set* of effects of one key to its value. Slow and obvious.
//!
//! SEMANTICS §1: first everything that some assignment or delete saw, then deletes, then concurrent assignments by HLC, then the
//! updates that nobody's assignment or delete saw; a remove cancels only what it saw. The shipped fold ([`super::window`],
//! [`super::solo`]) must give the same for every order of delivery.

use std::collections::{BTreeMap, BTreeSet};

use proto::{EffectId, Hlc, NodeId};

use super::text::{self, Update};
use crate::effect::fork::fork_choice_cmp;
use crate::effect::{Effect, Expiry, Op, Payload};
use crate::state::set::SetValue;
use crate::state::value::{Kind, Value};

/// One effect with its whole causal past on the key (ids of effects of the same key, and of flushes).
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    pub id: EffectId,
    pub effect: Effect<'a>,
    pub past: BTreeSet<EffectId>,
}

impl Observed<'_> {
    fn rank(&self) -> (Hlc, NodeId) {
        (self.effect.hlc, self.id.node)
    }

    fn saw(&self, other: &Observed<'_>) -> bool {
        self.past.contains(&other.id)
    }

    /// Cancels what it saw of the whole key.
    fn cancels(&self) -> bool {
        matches!(self.effect.op, Op::Assign { .. } | Op::Reset | Op::Flush { .. })
            || self.effect.fresh.is_some()
    }

    fn expiry(&self) -> Option<Expiry> {
        match self.effect.op {
            Op::Assign { expiry, .. } | Op::Ttl(expiry) => Some(expiry),
            _ => None,
        }
    }

    fn update(&self) -> Option<Update> {
        Some(match self.effect.op {
            Op::Delta(n) => Update::Delta(n),
            Op::DeltaFloat(n) => Update::DeltaFloat(n),
            Op::Append(bytes) => Update::Append(bytes.into()),
            Op::Overlay { base, offset, bytes } => Update::Overlay { base, offset, bytes: bytes.into() },
            _ => return None,
        })
    }
}

/// The value that effects of one key add up to, with its expiry; `None` when there is none. Whether the expiry was reached is for
/// the reader's clock to say.
pub fn value(effects: &[Observed<'_>]) -> Option<(Value, Expiry)> {
    // 1. Dead: seen by something that cancels, or older than a life somebody saw ended.
    let floor_ms = effects.iter().filter_map(|e| e.effect.fresh).max().unwrap_or(0);
    let mut alive: Vec<&Observed<'_>> = effects
        .iter()
        .filter(|e| e.effect.hlc.ms() >= floor_ms)
        .filter(|e| !effects.iter().any(|c| c.cancels() && c.saw(e)))
        .collect();
    // 2. Lives: an expiry in force that lies before a living effect ended what is older than it.
    let mut cut_ms = 0;
    let expiry = loop {
        alive.retain(|e| e.effect.hlc.ms() >= cut_ms);
        let counts: Vec<&&Observed<'_>> = alive.iter().filter(|e| counts_as_life(e, effects)).collect();
        // Longest of those that no later expiry of the key replaced.
        let replaced = |e: &Observed<'_>| effects.iter().any(|t| t.expiry().is_some() && t.saw(e));
        let in_force = alive.iter().filter(|e| !replaced(e)).filter_map(|e| e.expiry()).max();
        let expiry = in_force.unwrap_or(Expiry::NEVER);
        let latest_ms = counts.iter().map(|e| e.effect.hlc.ms()).max();
        match (expiry.ms(), latest_ms) {
            (Some(ms), Some(latest_ms)) if cut_ms < ms && ms <= latest_ms => cut_ms = ms,
            _ => break expiry,
        }
    };
    // 3. The winner among concurrent assignments, its payload less what later removes took from it.
    let by_rank = |a: &&&Observed<'_>, b: &&&Observed<'_>| fork_choice_cmp(a.rank(), b.rank());
    let winner = alive.iter().filter(|e| matches!(e.effect.op, Op::Assign { .. })).max_by(by_rank).copied();
    let removed = |add: &Observed<'_>, member: &[u8]| {
        effects.iter().any(|r| match &r.effect.op {
            Op::MemberRemove(members) => r.saw(add) && members.iter().any(|m| m == member),
            _ => false,
        })
    };
    let source = winner.and_then(|w| match &w.effect.op {
        Op::Assign { payload: Payload::String(bytes), .. } => Some(Value::String(bytes.to_vec())),
        Op::Assign { payload: Payload::Set(members), .. } => {
            Some(Value::Set(SetValue::from_members(members.iter().filter(|m| !removed(w, m)))))
        }
        _ => None,
    });
    let source = source.filter(|v| !v.is_empty_collection());
    // 4. Adds that no remove saw; updates in fork-choice order.
    let mut adds: BTreeMap<&[u8], Vec<&Observed<'_>>> = BTreeMap::new();
    for add in &alive {
        if let Op::MemberAdd(members) = &add.effect.op {
            for member in members.iter().filter(|m| !removed(add, m)) {
                adds.entry(member).or_default().push(add);
            }
        }
    }
    // A later add of a member stands for the earlier ones it saw.
    for dots in adds.values_mut() {
        let all = dots.clone();
        dots.retain(|add| !all.iter().any(|later| later.saw(add)));
    }
    let mut updates: Vec<(&Observed<'_>, Update)> =
        alive.iter().filter_map(|e| Some((*e, e.update()?))).collect();
    updates.sort_by(|a, b| fork_choice_cmp(a.0.rank(), b.0.rank()));
    // An overlay dies with the value it was made on.
    let makers = updates.clone();
    updates.retain(|(by, update)| match update {
        Update::Overlay { base: Some(EffectId::STABLE), .. } => match winner {
            Some(winner) => by.saw(winner),
            None => makers.iter().any(|(made, update)| {
                by.saw(made) && !matches!(update, Update::Overlay { base: Some(_), .. })
            }),
        },
        Update::Overlay { base: Some(base), .. } => winner.is_some_and(|w| w.id == *base),
        Update::Overlay { base: None, .. } => winner.is_none_or(|w| by.saw(w)),
        _ => true,
    });
    // 5. One type: of those with anything alive, the one created last.
    let created = |kind: Kind| -> Option<(Hlc, NodeId)> {
        if source.as_ref().is_some_and(|v| v.kind() == kind) {
            return winner.map(|w| w.rank());
        }
        let first =
            |ranks: &mut dyn Iterator<Item = (Hlc, NodeId)>| ranks.min_by(|a, b| fork_choice_cmp(*a, *b));
        match kind {
            Kind::String => first(&mut updates.iter().map(|u| u.0.rank())),
            Kind::Set => first(&mut adds.values().flatten().map(|e| e.rank())),
        }
    };
    let kinds = [Kind::String, Kind::Set].into_iter().filter_map(|k| created(k).map(|c| (c, k)));
    let kind = kinds.max_by(|a, b| fork_choice_cmp(a.0, b.0))?.1;
    let source = source.filter(|v| v.kind() == kind);
    let value = match kind {
        Kind::String => {
            let mut value = match source {
                Some(Value::String(bytes)) => Some(bytes),
                _ => None,
            };
            for (_, update) in &updates {
                text::apply(&mut value, update);
            }
            Value::String(value?)
        }
        Kind::Set => {
            let mut set = match source {
                Some(Value::Set(set)) => set,
                _ => SetValue::default(),
            };
            adds.keys().for_each(|m| _ = set.insert(m));
            Value::Set(set)
        }
    };
    Some((value, expiry))
}

/// Evidence that time passed for the key: anything that still has a say in it.
fn counts_as_life(e: &Observed<'_>, all: &[Observed<'_>]) -> bool {
    match &e.effect.op {
        Op::Assign { .. } | Op::Delta(_) | Op::DeltaFloat(_) | Op::Append(_) | Op::Overlay { .. } => true,
        Op::Ttl(_) => !all.iter().any(|t| t.expiry().is_some() && t.saw(e)),
        Op::MemberAdd(members) => members.iter().any(|m| {
            let gone = |r: &Observed<'_>| match &r.effect.op {
                Op::MemberRemove(removed) => r.saw(e) && removed.iter().any(|x| x == m),
                // A later add of the member stands for this one.
                Op::MemberAdd(added) => r.saw(e) && added.iter().any(|x| x == m),
                _ => false,
            };
            !all.iter().any(gone)
        }),
        _ => false,
    }
}
