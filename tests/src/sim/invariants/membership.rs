//! Nothing beyond the cut of an evicted member is ever shown by those who remain; whoever takes over a peer's checkpoint shows
//! what the peer has, and of its own all that the peer has not is in a late set: exactly that.

use std::collections::BTreeSet;

use engine::effect::Op;
use engine::effect::batch::Batch;
use engine::replication::Replica;
use proto::{EffectId, NodeId, Seq};

use crate::sim::ledger::Origin;
use crate::sim::world::World;

/// Of who remains: shown up to the cut at most.
pub fn after(world: &mut World, slot: usize) {
    let Some(engine) = world.engine(slot) else { return };
    if engine.evictions_version() == 0 || engine.was_evicted() {
        return;
    }
    let shown = engine.frontier();
    for eviction in engine.evictions().iter() {
        let Some(cut) = eviction.cut.as_ref().map(|cut| &cut.reached) else { continue };
        let beyond = eviction.nodes.iter().find(|node| shown.seq(**node) > cut.seq(**node));
        if let Some(node) = beyond {
            let text = format!("n{slot} shows {node}:{}, the cut is {cut:?}", shown.seq(*node));
            return world.violate("membership", text);
        }
    }
}

/// A start put a borrowed checkpoint in place of what was there.
pub fn took_over(world: &mut World, slot: usize) {
    let Some(engine) = world.engine(slot) else { return };
    let shown = engine.frontier();
    let directory = world.slots[slot].directory;
    let of_it = world.ledger.origins.iter().filter(|(_, origin)| Some(origin.directory) == directory);
    let own_nodes: BTreeSet<NodeId> = of_it.map(|(node, _)| *node).collect();
    let own = |node: NodeId| own_nodes.contains(&node);
    let mut late: BTreeSet<EffectId> = BTreeSet::new();
    for set in engine.late_sets().unwrap_or_default() {
        match engine.late_effects(set.id, usize::MAX) {
            Ok(effects) => {
                // Its own from before it was evicted, if it had begun with them by then.
                let is_own = |node| world.ledger.origins.get(&node).is_some_and(|o| o.slot == slot);
                if set.replays
                    && let Some(other) = effects.iter().find(|effect| !is_own(effect.id.node))
                {
                    let text = format!("n{slot} is to do {} again, which is another's to tell", other.id);
                    return world.violate("membership", text);
                }
                late.extend(effects.into_iter().map(|effect| effect.id));
            }
            Err(error) => {
                return world.violate("membership", format!("n{slot} cannot read its late set: {error}"));
            }
        }
    }
    let news: BTreeSet<EffectId> = late.difference(&world.ledger.late).copied().collect();
    if let Some(id) = news.iter().find(|id| shown.contains(**id)) {
        return world.violate("membership", format!("n{slot} keeps {id} as late, and shows it"));
    }
    world.note(|| format!("n{slot} took a checkpoint over: {shown:?}, {} effects are late", news.len()));
    world.ledger.late.extend(&news);
    let before = world.slots[slot].logged.clone();
    for (node, seq) in before.iter().filter(|(node, seq)| *seq > shown.seq(*node)) {
        let Some(origin) = world.ledger.origins.get(&node) else { continue };
        let missing = (shown.seq(node).0 + 1..=seq.0).map(Seq).find(|seq| {
            let id = EffectId::new(node, *seq);
            let kept = world.ledger.late.contains(&id) || is_bind(origin, id);
            // Of what others wrote it may have had no more than a checkpoint; of its own too, if its log is not kept for the absent.
            !kept && (own(node) && world.plan.absent_bytes == 0 || !own(node) && !is_held(world, slot, id))
        });
        if let Some(seq) = missing {
            let text = format!("n{slot} had {node}:{seq}, and neither shows it nor keeps it as late");
            return world.violate("membership", text);
        }
    }
}

/// Another machine has it, or its own lost it.
fn is_held(world: &World, slot: usize, id: EffectId) -> bool {
    let mut others = world.slots.iter().enumerate().filter(|(at, _)| *at != slot);
    let kept = world.ledger.origins.get(&id.node).and_then(|origin| origin.kept);
    others.any(|(_, other)| other.logged.contains(id)) || kept.is_some_and(|kept| kept < id.seq)
}

/// It closes a bundle and says nothing by itself.
fn is_bind(origin: &Origin, id: EffectId) -> bool {
    let Some(written) = origin.batch(id.seq) else { return false };
    let batch = Batch::parse(&written.bytes).expect("noted whole");
    batch
        .effects()
        .filter_map(Result::ok)
        .any(|(at, effect)| at == id && matches!(effect.op, Op::Bind { .. }))
}
