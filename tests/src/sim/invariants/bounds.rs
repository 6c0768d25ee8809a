//! Memory is bounded: what waits in the horizon while the run goes, and nothing at all once everything is stable everywhere.

use crate::sim::fault::FaultKind;
use crate::sim::workload::FAMILIES;
use crate::sim::world::World;
use crate::sim_disk::Stop;

pub fn after(world: &mut World, slot: usize) {
    let Some(engine) = world.engine(slot) else { return };
    let queues = engine.queues();
    let (batches, bytes) = (queues.horizon_batches, queues.horizon_bytes);
    if batches > 1 && bytes > world.plan.horizon_bytes {
        let text = format!(
            "n{slot} holds {batches} batches of {bytes} bytes, {} are allowed",
            world.plan.horizon_bytes
        );
        world.violate("bounds", text);
    }
}

/// Of a node: keys with a window, unstable effects queued, batches held.
fn kept(world: &World, slot: usize) -> Option<(usize, usize, usize)> {
    let engine = world.engine(slot)?;
    let (_, windows, unstable) = engine.shard_stats();
    Some((windows, unstable, engine.queues().horizon_batches))
}

/// Nothing is left to remember. What a clash of types or an ended life hides stays in its window. A directory that is lost for good holds everything; a batch that saw what a power cut took
/// waits for ever.
pub fn is_drained(world: &World) -> bool {
    if world.plan.loses_members() {
        return true;
    }
    let lossy = world.plan.faults.iter().any(|f| {
        matches!(f.kind, FaultKind::Crash { stop: Stop::PowerCut, .. } | FaultKind::CrashTwice { .. })
    });
    let hides = world.plan.mixed_types || world.plan.families.iter().any(|at| FAMILIES[*at].expires);
    (0..world.slots.len()).all(|slot| {
        kept(world, slot).is_some_and(|kept| (hides || kept.0 == 0) && kept.1 == 0 && (lossy || kept.2 == 0))
    })
}

pub fn missed(world: &mut World) {
    let left: Vec<_> = (0..world.slots.len()).map(|slot| kept(world, slot)).collect();
    world.violate("bounds", format!("windows, unstable effects and held batches stay: {left:?}"));
}
