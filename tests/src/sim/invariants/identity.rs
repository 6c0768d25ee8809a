//! Seqs and clocks are never used again and never go back: a node goes on under an id only where it left off.
//!
//! The ledger compares every batch with what was written under its seqs before.

use engine::replication::Replica;

use crate::sim::world::World;

pub fn started(world: &mut World, slot: usize, id_unused: bool) {
    let Some(engine) = world.engine(slot) else { return };
    let (node, last) = (engine.node(), engine.ack().own);
    if id_unused && last.0 > 0 && !world.slots[slot].damaged {
        return world.violate("identity", format!("n{slot} starts as {node}, which is new, from {last}"));
    }
    let written = world.ledger.origins.get(&node).map_or(last, |origin| origin.last());
    if last < written && !world.slots[slot].damaged {
        world.violate(
            "identity",
            format!("n{slot} goes on as {node} from {last}, though {written} was written"),
        );
    }
}
