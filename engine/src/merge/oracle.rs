//! The executable specification: from a *set* of effects of one key to its value. Slow and obvious.
//!
//! SEMANTICS §1: first everything that some assignment or delete saw, then deletes, then concurrent assignments by HLC, then the
//! updates that nobody's assignment or delete saw; a remove cancels only what it saw. The shipped fold ([`super::window`],
//! [`super::solo`]) must give the same for every order of delivery.

mod fields;
mod lists;

use std::collections::{BTreeMap, BTreeSet};

use proto::{EffectId, Hlc, NodeId};

use self::fields::Lapses;
use self::lists::Lists;
use super::elements::{self, Change, Write};
use super::streams;
use super::text::{self, Update};
use crate::effect::fork::fork_choice_cmp;
use crate::effect::{Effect, Expiry, Op};
use crate::state::list::ListValue;
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
        Update::of(&self.effect.op)
    }
}

/// The value that effects of one key add up to, with its expiry; `None` when there is none. Whether the expiry was reached is for
/// the reader's clock to say.
pub fn value(effects: &[Observed<'_>]) -> Option<(Value, Expiry)> {
    // 1. Dead: seen by something that cancels, or older than a life somebody saw ended.
    let floor_ms = effects.iter().filter_map(|e| e.effect.fresh).max().unwrap_or(0);
    let lists = Lists::new(effects, floor_ms);
    let lapses = Lapses::new(effects);
    let mut alive: Vec<&Observed<'_>> = effects
        .iter()
        .filter(|e| e.effect.hlc.ms() >= floor_ms)
        .filter(|e| !effects.iter().any(|c| c.cancels() && c.saw(e)))
        .collect();
    // 2. Lives: an expiry in force that lies before a living effect ended what is older than it.
    let mut cut_ms = 0;
    let expiry = loop {
        alive.retain(|e| e.effect.hlc.ms() >= cut_ms);
        let counts: Vec<&&Observed<'_>> =
            alive.iter().filter(|e| counts_as_life(e, effects, &lists, &lapses)).collect();
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
    let source = winner.and_then(|w| {
        let Op::Assign { payload, .. } = &w.effect.op else { return None };
        if payload.kind() == Kind::List {
            return None;
        }
        let mut value = Value::from_payload(payload, w.id);
        for remove in effects.iter().filter(|r| r.saw(w)) {
            if let Some(span) = streams::span(&remove.effect.op) {
                value.remove_span(span);
            }
            each_removed(remove, value.kind(), &mut |member| value.remove_item(member));
        }
        lapses.take_from(&mut value, w);
        (!value.is_empty_collection()).then_some(value)
    });
    // 4. Writes of elements that no remove and no later assignment of the element saw; updates in fork-choice order.
    let mut written: BTreeMap<(Kind, Vec<u8>), Vec<(&Observed<'_>, Write)>> = BTreeMap::new();
    for by in &alive {
        let Some(kind) = elements::kind_of(&by.effect.op) else { continue };
        elements::each_change(&by.effect.op, by.effect.hlc, &mut |member, change| {
            let Change::Write(write) = change else { return };
            if !lost(by, kind, member, write.is_end(), effects, &lapses) {
                let writes = written.entry((kind, member.to_vec())).or_default();
                if write.replaces() || write.is_end() {
                    // Named twice by one effect: the last naming counts.
                    writes.retain(|w| w.0.id != by.id);
                }
                writes.push((by, write));
            }
        });
    }
    let mut updates: Vec<(&Observed<'_>, Update)> =
        alive.iter().filter_map(|e| Some((*e, e.update()?))).collect();
    updates.sort_by(|a, b| fork_choice_cmp(a.0.rank(), b.0.rank()));
    // An overlay dies with the value it was made on.
    let makers = updates.clone();
    updates.retain(|(by, update)| match update.laid_on() {
        Some(Some(EffectId::STABLE)) => match winner {
            Some(winner) => by.saw(winner),
            None => makers.iter().any(|(made, update)| by.saw(made) && update.makes_value()),
        },
        Some(Some(base)) => winner.is_some_and(|w| w.id == base),
        Some(None) => winner.is_none_or(|w| by.saw(w)),
        None => true,
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
            Kind::List => lists.created(winner, cut_ms),
            kind => {
                let writes = written.iter().filter(|w| w.0.0 == kind).flat_map(|w| w.1);
                first(&mut writes.filter(|w| w.1.makes()).map(|w| w.0.rank()))
            }
        }
    };
    let kinds = Kind::ALL.into_iter().filter_map(|k| created(k).map(|c| (c, k)));
    let kind = kinds.max_by(|a, b| fork_choice_cmp(a.0, b.0))?.1;
    let source = source.filter(|v| v.kind() == kind);
    if kind == Kind::String {
        let mut value = match source {
            Some(Value::String(bytes)) => Some(bytes),
            _ => None,
        };
        for (_, update) in &updates {
            text::apply(&mut value, update);
        }
        return Some((Value::String(value?), expiry));
    }
    if kind == Kind::List {
        let values = lists.values(winner.map(|w| w.id), cut_ms);
        let list = ListValue::from_values(EffectId::NONE, values.into_iter());
        return Some((Value::List(list), expiry));
    }
    let mut value = source.unwrap_or_else(|| Value::empty(kind));
    for ((_, member), writes) in written.iter().filter(|w| w.0.0 == kind) {
        let below = value.item(member);
        let item = match kind {
            Kind::Hash => fields::resolve(below.zip(winner), writes),
            _ => elements::resolve(below, writes.iter().map(|(by, write)| (by.rank(), write))),
        };
        elements::show(&mut value.as_mut(), member, item);
    }
    Some((value, expiry))
}

/// Visits the elements that an effect takes from collections of a kind.
fn each_removed(effect: &Observed<'_>, kind: Kind, visit: &mut dyn FnMut(&[u8])) {
    if elements::kind_of(&effect.effect.op) == Some(kind) {
        elements::each_change(&effect.effect.op, effect.effect.hlc, &mut |member, change| {
            if matches!(change, Change::Remove | Change::Lapse(_)) {
                visit(member);
            }
        });
    }
}

/// Whether a write of an element was seen by a remove of it, or by a later assignment that stands for it; or is older than a moment
/// at which the element had ended. `is_end`: it only says when the element ends, which a later one does anew.
fn lost(
    write: &Observed<'_>,
    kind: Kind,
    member: &[u8],
    is_end: bool,
    all: &[Observed<'_>],
    lapses: &Lapses,
) -> bool {
    let seen =
        all.iter().filter(|by| elements::kind_of(&by.effect.op) == Some(kind) && by.saw(write)).any(|by| {
            let mut ends = streams::span(&by.effect.op).is_some_and(|span| span.contains(member));
            elements::each_change(&by.effect.op, by.effect.hlc, &mut |m, change| {
                let replaces = match &change {
                    Change::Remove | Change::Lapse(_) => true,
                    Change::Write(Write::Expire(_)) => is_end,
                    Change::Write(write) => write.replaces(),
                };
                ends |= m == member && replaces;
            });
            ends
        });
    seen || kind == Kind::Hash && lapses.ended(member, write)
}

/// Evidence that time passed for the key: anything that still has a say in it.
fn counts_as_life(e: &Observed<'_>, all: &[Observed<'_>], lists: &Lists<'_>, lapses: &Lapses) -> bool {
    match &e.effect.op {
        Op::Assign { .. } => true,
        op if Update::of(op).is_some() => true,
        Op::Ttl(_) => !all.iter().any(|t| t.expiry().is_some() && t.saw(e)),
        Op::List(_) => lists.has_say(e.id),
        op => {
            let mut counts = false;
            if let Some(kind) = elements::kind_of(op) {
                elements::each_change(op, e.effect.hlc, &mut |member, change| {
                    if let Change::Write(write) = change {
                        counts |= !lost(e, kind, member, write.is_end(), all, lapses);
                    }
                });
            }
            counts
        }
    }
}
