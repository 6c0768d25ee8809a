//! A node's frontier is exactly what it has shown, and what it has shown is in its log: never ahead of it, never back.

use engine::replication::Replica;
use proto::Frontier;

use crate::sim::world::World;

#[derive(Default)]
pub struct Memory {
    shown: Frontier,
}

pub fn after(world: &mut World, slot: usize) {
    let Some(engine) = world.engine(slot) else { return };
    let at = &mut world.slots[slot];
    let (shown, ack) = (engine.frontier(), engine.ack());
    if shown != at.logged {
        let text = format!("n{slot} says {shown:?}, its log holds {:?}", at.logged);
        return world.violate("frontier", text);
    }
    if ack.applied != shown || ack.own < shown.seq(engine.node()) {
        let text = format!("n{slot} would ack {ack:?} and shows {shown:?}");
        return world.violate("frontier", text);
    }
    let before = std::mem::replace(&mut at.watched.frontier.shown, shown.clone());
    if !shown.covers(&before) {
        let text = format!("n{slot} went back from {before:?} to {shown:?}");
        return world.violate("frontier", text);
    }
    if let Some(origin) = world.ledger.origins.get_mut(&engine.node()) {
        origin.shown = shown;
    }
}
