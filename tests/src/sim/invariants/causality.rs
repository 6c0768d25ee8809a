//! Causal order: a node logs and shows a batch only after everything it saw, each origin's in sequence; and every effect is
//! stamped after everything it saw.

use engine::effect::batch::Batch;

use crate::sim::world::World;

pub fn logged(world: &mut World, slot: usize, batch: &Batch<'_>, new: bool) {
    let header = batch.header;
    let logged = &world.slots[slot].logged;
    let reached = logged.seq(header.origin);
    if header.first.0 > reached.0 + 1 || header.last() <= reached {
        let text =
            format!("n{slot} logs {}:{}..{} after {reached}", header.origin, header.first, header.last());
        return world.violate("causality", text);
    }
    let context = world.ledger.origins[&header.origin].context(header.last());
    let Some(context) = context.filter(|context| !logged.covers(context)) else {
        if new {
            stamped_later(world, batch);
        }
        return;
    };
    let text = format!(
        "n{slot} logs {}:{} which saw {context:?}, and has only {logged:?}",
        header.origin, header.first
    );
    world.violate("causality", text);
}

fn stamped_later(world: &mut World, batch: &Batch<'_>) {
    let Some(context) = world.ledger.origins[&batch.header.origin].context(batch.header.last()) else {
        return;
    };
    let seen = world.ledger.latest(context);
    let first = batch.effects().next().and_then(Result::ok);
    if let Some((id, effect)) = first.filter(|(_, e)| e.hlc <= seen) {
        let text = format!("{id} is stamped {}, and saw {seen}", effect.hlc);
        world.violate("causality", text);
    }
}
