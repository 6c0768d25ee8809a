//! Stability is never wrong: what a node declares stable every member it knows has shown, and nothing arrives afterwards
//! that had not seen it, unless from somebody the node had not met.

use std::collections::BTreeSet;

use engine::effect::batch::Batch;
use engine::replication::Replica;
use proto::{Frontier, NodeId};

use crate::sim::world::World;

/// Declared since the state was last worked out anew, and the incarnations known then.
#[derive(Default)]
pub struct Memory {
    marks: Vec<(Frontier, BTreeSet<NodeId>)>,
}

/// A node left a mark in its log: everything below is stable.
pub fn marked(world: &mut World, slot: usize, batch: &Batch<'_>) {
    let Some(engine) = world.engine(slot) else { return };
    let Ok(stable) = batch.context() else { return };
    let own = engine.node();
    let members = engine.members();
    // Whom it knew when it wrote this is not known any more; who was evicted waits for its end.
    if world.slots[slot].watched.replaying || engine.was_evicted() {
        return;
    }
    for member in members.iter().filter(|m| m.node != own) {
        let shown = world.ledger.origins.get(&member.node).map(|o| o.shown.clone()).unwrap_or_default();
        if !shown.covers(&stable) {
            let text = format!("n{slot} takes {stable:?} for stable, {} has shown {shown:?}", member.node);
            return world.violate("stability", text);
        }
    }
    let memory = &mut world.slots[slot].watched.stability;
    let met = members.iter().map(|m| m.node).collect();
    memory.marks.retain(|(earlier, known)| *known != met || !stable.covers(earlier));
    memory.marks.push((stable, met));
}

/// A batch came into the log.
pub fn logged(world: &mut World, slot: usize, batch: &Batch<'_>) {
    let Some(engine) = world.engine(slot) else { return };
    let origin = batch.header.origin;
    let Some(written) = world.ledger.origins.get(&origin) else { return };
    let Some(context) = written.context(batch.header.last()) else { return };
    let at = &world.slots[slot];
    let late = |(stable, _): &&(Frontier, BTreeSet<NodeId>)| {
        !stable.iter().all(|(node, seq)| node == origin || context.seq(node) >= seq)
    };
    if !at.watched.stability.marks.iter().any(|mark| late(&mark)) {
        return;
    }
    // Who was not known then could not be taken into account; nor could what its own machine lost.
    let members = engine.members();
    let known = |node: &NodeId| {
        let of = world.ledger.origins.get(node);
        of.is_some_and(|o| o.directory == written.directory && o.boot >= written.boot)
    };
    let wrong = |mark: &&(Frontier, BTreeSet<NodeId>)| {
        late(mark) && mark.1.iter().any(known) && members.iter().all(|m| mark.1.contains(&m.node))
    };
    let kept = written.kept.is_none_or(|kept| batch.header.last() <= kept);
    if let Some((stable, _)) = at.watched.stability.marks.iter().find(wrong).filter(|_| kept) {
        let text = format!(
            "n{slot} took {stable:?} for stable, then {origin}:{} arrives, which saw {context:?}",
            batch.header.first
        );
        return world.violate("stability", text);
    }
    // The node worked its state out anew, with nothing taken for stable.
    world.slots[slot].watched.stability = Memory::default();
}
