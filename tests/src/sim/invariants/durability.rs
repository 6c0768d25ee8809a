//! What a client was told yes for is never lost by more than the fsync policy allows: nothing by a kill, nothing that was
//! synced by a power cut; and what any log holds comes back to all.
//!
//! Losses are excused where they happen (`World::excuse_losses`): what no disk holds any more.

use engine::replication::Replica;
use proto::{EffectId, NodeId, Seq};

use crate::sim::node::Ended;
use crate::sim::world::World;

/// A node shows at its start what its disk had to keep.
pub fn started(world: &mut World, slot: usize) {
    let Some(engine) = world.engine(slot) else { return };
    let at = &world.slots[slot];
    let shown = engine.frontier();
    // A wrong bit in a tail that no mark calls durable looks like a torn one.
    let torn = at.damaged && at.stopped_by != Some(Ended::Cleanly);
    if at.stopped_by.is_none() || torn {
        return;
    }
    // After a power cut what is logged is what was durable.
    let expected = &at.logged;
    if !shown.covers(expected) {
        let text =
            format!("n{slot} starts with {shown:?} after {:?}, had to have {expected:?}", at.stopped_by);
        return world.violate("durability", text);
    }
    // What the start found, it made durable.
    world.slots[slot].durable = shown;
}

/// Everything acknowledged is shown everywhere.
pub fn settled(world: &mut World) {
    let Some(engine) = world.engine(0) else { return };
    let shown = engine.frontier();
    let late = |node: NodeId, seq: Seq| world.ledger.late.contains(&EffectId::new(node, seq));
    let missing = world.ledger.origins.iter().find(|(node, o)| {
        let (shown, told) = (shown.seq(**node), o.acknowledged);
        // What came too late was kept as such: that it is all of it was asked then.
        shown < told && !(shown.0 + 1..=told.0).any(|seq| late(**node, Seq(seq)))
    });
    if let Some((node, origin)) = missing {
        let text = format!(
            "{node} of n{} was acknowledged up to {}, shown is {}",
            origin.slot,
            origin.acknowledged,
            shown.seq(*node)
        );
        world.violate("durability", text);
    }
}
