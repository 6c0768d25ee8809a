//! Memory is bounded: what waits in the horizon while the run goes, and nothing at all once everything is stable everywhere.

use std::collections::BTreeSet;

use engine::core::{LockPlan, MemberStatus};
use engine::replication::Replica;

use crate::sim::fault::FaultKind;
use crate::sim::node::DATABASES;
use crate::sim::workload::FAMILIES;
use crate::sim::world::World;
use crate::sim_disk::Stop;

/// More than a loan waits for whoever borrows (ms).
const LOAN_MS: u64 = 120_000;
/// Of segments that hold what came last.
const LAST_SEGMENTS: u64 = 3;
/// Batches that arrive together and are appended at once (bytes).
const APPENDED_TOGETHER: u64 = 8_000;

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

/// Everything is stable: the log goes, but for what was to be kept and the segments that hold what came last.
pub fn shortened(world: &mut World) {
    if world.plan.retention_bytes == u64::MAX || !world.lost.is_empty() && !world.plan.operator {
        return;
    }
    for slot in 0..world.slots.len() {
        // Loans that nobody reads from run out.
        let later_ms = world.wall_ms(slot) + LOAN_MS;
        if let Some(engine) = world.engine(slot) {
            engine.tick(later_ms);
        }
        // The second ends the segment that the first began in.
        for _ in 0..2 {
            world.checkpoint(slot, u64::MAX);
        }
        let Some(engine) = world.engine(slot) else { return };
        let Some(log) = engine.log() else { return };
        let kept = log.bytes_since(log.begins_at());
        // A segment is longer than it should be by what is appended at once: batches that arrive together, or one.
        let longest = world.plan.segment_bytes.max(APPENDED_TOGETHER) + world.ledger.longest_batch();
        let most = world.plan.retention_bytes + LAST_SEGMENTS * longest;
        if kept > most {
            let text = format!("n{slot} keeps {kept} bytes of log, and needs {most} at most");
            return world.violate("bounds", text);
        }
    }
}

/// Nothing is left to remember. What a clash of types or an ended life hides stays in its window. A directory that is lost for good holds everything; a batch that saw what a power cut took
/// waits for ever.
pub fn is_drained(world: &World) -> bool {
    if !world.lost.is_empty() && !world.plan.operator {
        return true;
    }
    let lossy = world.plan.faults.iter().any(|f| {
        matches!(f.kind, FaultKind::Crash { stop: Stop::PowerCut, .. } | FaultKind::CrashTwice { .. })
    });
    let hides = world.plan.mixed_types || world.plan.families.iter().any(|at| FAMILIES[*at].expires);
    (0..world.slots.len()).all(|slot| {
        kept(world, slot).is_some_and(|kept| {
            (hides || kept.0 == 0) && kept.1 == 0 && (lossy || !world.evicted.is_empty() || kept.2 == 0)
        })
    })
}

/// Keys with a window on a node, each with all that is known of it.
fn windowed(world: &World, slot: usize) -> Vec<(u32, String)> {
    let Some(engine) = world.engine(slot) else { return Vec::new() };
    let (turn, frontier) = (engine.turn(world.wall_ms(slot)), engine.frontier());
    let names: BTreeSet<&[u8]> = world.ledger.within(&frontier).map(|(_, effect, _)| effect.key).collect();
    let explain = |(db, name): (u32, &[u8])| {
        let mut unit = engine.begin(&turn, db, LockPlan::Everything);
        let key = unit.key(name);
        let explained = unit.explain(&key, 3).filter(|known| !known.tips.is_empty())?;
        Some((db, format!("{} {explained:?}", String::from_utf8_lossy(name))))
    };
    (0..DATABASES).flat_map(|db| names.iter().map(move |name| (db, *name))).filter_map(explain).collect()
}

pub fn missed(world: &mut World) {
    let left: Vec<_> = (0..world.slots.len()).map(|slot| kept(world, slot)).collect();
    let mut text = format!("windows, unstable effects and held batches stay: {left:?}");
    for slot in 0..world.slots.len() {
        let list = world.engine(slot).map(|engine| engine.member_list()).unwrap_or_default();
        let line = |m: &MemberStatus| {
            format!("{} {:016x} {} {:x?}", m.member.addr, m.member.directory, m.state, m.waits_for)
        };
        text.push_str(&format!("\n  n{slot}: {:?}", list.iter().map(line).collect::<Vec<_>>()));
    }
    for slot in 0..world.slots.len() {
        for (db, key) in windowed(world, slot) {
            text.push_str(&format!("\n  n{slot} remembers {db}/{key}"));
        }
    }
    let open = world.engine(0).map(|engine| (engine.evictions(), engine.frontier()));
    for eviction in open.iter().flat_map(|(all, shown)| all.iter().map(move |one| (one, shown))) {
        if !eviction.0.is_covered(eviction.1) {
            text.push_str(&format!("\n  not let go of: {:x?}", eviction.0));
        }
    }
    world.violate("bounds", text);
}
