//! Everybody comes to show the same, which is what the oracle says of all effects; and on the way each node shows what the
//! oracle says of those it has.

use std::collections::BTreeSet;

use engine::core::LockPlan;
use engine::replication::Replica;

use super::durability;
use crate::sim::node::DATABASES;
use crate::sim::oracle;
use crate::sim::world::World;

/// Every node runs, and all have the same.
pub fn is_one(world: &World) -> bool {
    let mut frontiers = world.slots.iter().enumerate().map(|(slot, s)| {
        let process = s.process.as_ref().filter(|_| world.is_written(slot) && !s.disk.stopped())?;
        Some(process.engine.frontier())
    });
    let Some(Some(first)) = frontiers.next() else { return false };
    frontiers.all(|other| other.as_ref() == Some(&first))
}

/// It took too long.
pub fn missed(world: &mut World) {
    let of = |s: &crate::sim::node::Slot| s.process.as_ref().map(|p| p.engine.frontier());
    let frontiers: Vec<_> = world.slots.iter().map(of).collect();
    world.violate("convergence", format!("the nodes do not become one: {frontiers:?}"));
}

/// All have the same: then all show the same, and the right thing.
pub fn settled(world: &mut World) {
    durability::settled(world);
    let now_ms = (0..world.slots.len()).map(|slot| world.wall_ms(slot)).max().unwrap_or(0);
    let digests: Vec<(u128, u64)> = (0..world.slots.len())
        .filter_map(|slot| world.engine(slot))
        .map(|engine| engine.digest(now_ms))
        .map(|(digest, keys, _)| (digest, keys))
        .collect();
    world.summary.digest = digests.first().map_or(0, |d| d.0);
    for slot in 0..world.slots.len() {
        agree(world, slot, now_ms);
    }
    let distinct: BTreeSet<_> = digests.iter().collect();
    if distinct.len() > 1 {
        world.violate("convergence", format!("one frontier, different digests: {digests:x?}"));
    }
}

/// A node shows what the oracle says of the effects it has, at any moment.
pub fn compare(world: &mut World, slot: usize) {
    if world.engine(slot).is_some_and(|engine| !engine.has_failed()) && world.is_written(slot) {
        // A clock that went back does not bring back what died meanwhile.
        let seen_ms = world.engine(slot).map_or(0, |engine| engine.hlc().ms());
        let now_ms = world.wall_ms(slot).max(seen_ms);
        agree(world, slot, now_ms);
    }
}

fn agree(world: &mut World, slot: usize, now_ms: u64) {
    let Some(engine) = world.engine(slot) else { return };
    let (digest, keys, _) = engine.digest(now_ms);
    let frontier = engine.frontier();
    let expected = oracle::digest(&world.ledger, &frontier, DATABASES, now_ms);
    if (digest, keys) == expected {
        return;
    }
    let mut text = format!("n{slot} shows {keys} keys, the oracle {}:", expected.1);
    let turn = engine.turn(now_ms);
    let mut told = false;
    let lines = oracle::lines(&world.ledger, &frontier, DATABASES, now_ms);
    for (name, line) in &lines {
        let Some((db, key)) = name.split_once('/') else { continue };
        let mut unit = engine.begin(&turn, db.parse().unwrap_or(0), LockPlan::Everything);
        let name_of_key = key.as_bytes();
        let key = unit.key(name_of_key);
        let expiry_ms = unit.expiry(&key).and_then(|e| e.ms());
        let shown = unit.value(&key).map(|v| oracle::line(&v, expiry_ms));
        if shown.as_ref() != Some(line) {
            text.push_str(&format!("\n  {name}: shows {shown:?}, expected {line}"));
            if !std::mem::replace(&mut told, true) {
                text.push_str(&oracle::history(&world.ledger, &frontier, name_of_key));
            }
        }
    }
    world.violate("convergence", text);
}
