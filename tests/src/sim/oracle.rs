//! What a node with a given frontier must show, worked out from the set of effects alone by `merge::oracle`.

use std::collections::{BTreeMap, BTreeSet};

use engine::core::key_digest;
use engine::effect::fork::fork_choice_cmp;
use engine::effect::{Effect, Op};
use engine::merge::oracle::{self, Observed};
use engine::state::value::ValueRef;
use proto::{EffectId, Frontier, Hlc, NodeId};

use super::ledger::Ledger;

/// Digest of everything alive at `now_ms`, and how many keys that is; as `Engine::digest` counts.
pub fn digest(ledger: &Ledger, frontier: &Frontier, databases: u32, now_ms: u64) -> (u128, u64) {
    let (mut sum, mut keys) = (0u128, 0);
    each(ledger, frontier, databases, now_ms, &mut |_, _, digest| {
        sum = sum.wrapping_add(digest);
        keys += 1;
    });
    (sum, keys)
}

/// A line for each key alive, for a failing run's report.
pub fn lines(ledger: &Ledger, frontier: &Frontier, databases: u32, now_ms: u64) -> BTreeMap<String, String> {
    let mut lines = BTreeMap::new();
    each(ledger, frontier, databases, now_ms, &mut |name, text, _| {
        lines.insert(name, text);
    });
    lines
}

/// A value in words, the same for equal ones.
pub fn line(value: &ValueRef<'_>, expiry_ms: Option<u64>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut words = Vec::new();
    match value {
        ValueRef::String(bytes) => words.push(text(bytes)),
        ValueRef::Set(set) => words.extend(set.to_vec().iter().map(|m| text(m))),
        ValueRef::Hash(hash) => {
            hash.for_each(|field, value| words.push(format!("{}={}", text(field), text(value))))
        }
        // The digest tells them apart.
        _ => {}
    }
    words.sort_unstable();
    let digest = key_digest(0, b"", value, None);
    format!("{words:?} ({digest:08x}) {expiry_ms:?}")
}

/// Every effect of a key (client's name for it, as in [`lines`]) with what of it each had seen.
pub fn history(ledger: &Ledger, frontier: &Frontier, key: &[u8]) -> String {
    let all: Vec<Seen<'_>> = ledger
        .within(frontier)
        .map(Seen::new)
        .filter(|s| s.effect.key == key || matches!(s.effect.op, Op::Flush { .. } | Op::SwapDb { .. }))
        .collect();
    let mut ordered: Vec<&Seen<'_>> = all.iter().collect();
    ordered.sort_by_key(|s| s.effect.hlc);
    let line = |one: &&Seen<'_>| {
        let unseen: Vec<EffectId> =
            all.iter().filter(|o| o.effect.hlc < one.effect.hlc && !one.saw(o.id)).map(|o| o.id).collect();
        format!("\n    {} {:?}, had not seen {unseen:?}", one.id, one.effect)
    };
    ordered.iter().map(line).collect()
}

struct Seen<'l> {
    id: EffectId,
    effect: Effect<'l>,
    context: &'l Frontier,
    /// Of a flush: exactly what it cancels.
    flushed: Option<Frontier>,
}

impl<'l> Seen<'l> {
    fn new((id, effect, context): (EffectId, Effect<'l>, &'l Frontier)) -> Self {
        let flushed = match &effect.op {
            Op::Flush { seen, .. } => Some(seen.to_frontier()),
            _ => None,
        };
        Seen { id, effect, context, flushed }
    }

    /// Emitted knowing `other`.
    fn saw(&self, other: EffectId) -> bool {
        match &self.flushed {
            Some(seen) => seen.contains(other),
            None if other.node == self.id.node => other.seq < self.id.seq,
            None => self.context.contains(other),
        }
    }
}

fn each(
    ledger: &Ledger,
    frontier: &Frontier,
    databases: u32,
    now_ms: u64,
    visit: &mut dyn FnMut(String, String, u128),
) {
    let mut keys: BTreeMap<(u32, &[u8]), Vec<Seen<'_>>> = BTreeMap::new();
    let (mut flushes, mut swaps): (Vec<Seen<'_>>, Vec<(Hlc, NodeId, u32, u32)>) = Default::default();
    for seen in ledger.within(frontier).map(Seen::new) {
        match seen.effect.op {
            Op::Bind { .. } | Op::Noop => {}
            Op::Flush { .. } => flushes.push(seen),
            Op::SwapDb { a, b } => swaps.push((seen.effect.hlc, seen.id.node, a, b)),
            _ => keys.entry((seen.effect.db, seen.effect.key)).or_default().push(seen),
        }
    }
    swaps.sort_by(|x, y| fork_choice_cmp((x.0, x.1), (y.0, y.1)));
    let mut physical: Vec<u32> = (0..databases).collect();
    swaps.iter().for_each(|(_, _, a, b)| physical.swap(*a as usize, *b as usize));
    for ((db, key), effects) in &keys {
        let of_key = |f: &&Seen<'_>| match f.effect.op {
            Op::Flush { db: Some(flushed), .. } => flushed == *db,
            _ => true,
        };
        let all: Vec<&Seen<'_>> = effects.iter().chain(flushes.iter().filter(of_key)).collect();
        let observed: Vec<Observed<'_>> = all
            .iter()
            .map(|one| {
                let past: BTreeSet<EffectId> =
                    all.iter().map(|o| o.id).filter(|o| *o != one.id && one.saw(*o)).collect();
                Observed { id: one.id, effect: one.effect.clone(), past }
            })
            .collect();
        if let Some((mut value, expiry)) = oracle::value(&observed)
            && !expiry.reached(now_ms)
            && value.show_at(now_ms)
        {
            let client = physical.iter().position(|p| p == db).expect("swaps permute") as u32;
            let digest = key_digest(client, key, &value.as_ref(), expiry.ms());
            let name = format!("{client}/{}", String::from_utf8_lossy(key));
            visit(name, line(&value.as_ref(), expiry.ms()), digest);
        }
    }
}
