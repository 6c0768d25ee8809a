//! What must always hold, one file each. After every event on a node, what its log took is read and everything is asked again.

pub mod atomicity;
pub mod bounds;
pub mod causality;
pub mod convergence;
pub mod durability;
pub mod frontier;
pub mod identity;
pub mod membership;
pub mod session;
pub mod stability;

use std::sync::atomic::Ordering::Relaxed;

use engine::effect::batch::{Batch, BatchKind};
use engine::log::LogPosition;
use engine::replication::Replica;
use proto::Frontier;

use super::world::World;

/// What the invariants remember of one data directory.
#[derive(Default)]
pub struct Watched {
    pub frontier: frontier::Memory,
    pub stability: stability::Memory,
    pub session: session::Memory,
    /// The log is read from its beginning after a start: it was judged when it was written.
    pub replaying: bool,
    /// Times that the process worked its state out anew.
    pub rebuilds: u64,
}

impl Watched {
    /// A new process reads the log again.
    pub fn restart(&mut self) {
        *self = Watched { replaying: true, ..Watched::default() };
    }
}

/// A process has opened the directory; `borrowed`: with a peer's checkpoint in the place of what was there.
pub fn started(world: &mut World, slot: usize, id_unused: bool, borrowed: bool) {
    identity::started(world, slot, id_unused);
    if borrowed {
        membership::took_over(world, slot);
        // What is late lies in a file of its own from now on.
        let shown = world.engine(slot).map(|engine| engine.frontier()).unwrap_or_default();
        world.slots[slot].durable.meet(&shown);
    } else {
        durability::started(world, slot);
    }
    world.slots[slot].doubted |= world.slots[slot].damaged;
    world.slots[slot].logged = Frontier::new();
    world.slots[slot].stopped_by = None;
    world.slots[slot].damaged = false;
}

impl World {
    /// Reads what a node's log took since the last look, and asks every invariant about it and about what the node shows now.
    pub fn look(&mut self, slot: usize) {
        if self.violation.is_some() || self.slots[slot].disk.stopped() {
            return;
        }
        let Some(process) = &mut self.slots[slot].process else { return };
        let engine = process.engine.clone();
        if engine.has_failed() {
            return;
        }
        let Some(log) = engine.log() else { return };
        let (from, end) = (process.tail, log.appended_upto());
        process.tail = end;
        let mut batches: Vec<Vec<u8>> = Vec::new();
        if end > from {
            if from == LogPosition(0) && log.begins_at() > from {
                // The beginning was dropped: what it held is in the checkpoint.
                self.slots[slot].logged = engine.frontier();
            } else {
                let disk = self.slots[slot].disk.clone();
                let read = disk.aside(|| {
                    log.replay_from(from, &mut |batch| {
                        batches.push(batch.bytes.to_vec());
                        Ok(())
                    })
                });
                if let Err(error) = read {
                    if self.gives_up_damaged(slot, &error.to_string()) {
                        return;
                    }
                    return self.violate("durability", format!("n{slot} cannot read its own log: {error}"));
                }
            }
        }
        for bytes in &batches {
            match Batch::parse(bytes) {
                Ok(batch) => self.logged(slot, &batch),
                Err(error) => self.violate("durability", format!("n{slot} logged {error}")),
            }
        }
        self.slots[slot].watched.replaying = false;
        let rebuilds = engine.stats().rebuilds.load(Relaxed);
        if rebuilds > self.slots[slot].watched.rebuilds {
            self.summary.rebuilds += rebuilds - self.slots[slot].watched.rebuilds;
            self.slots[slot].watched.rebuilds = rebuilds;
            self.note(|| format!("n{slot} worked its state out anew"));
        }
        frontier::after(self, slot);
        bounds::after(self, slot);
        membership::after(self, slot);
        if !batches.is_empty() {
            atomicity::after(self, slot);
        }
    }

    /// One batch or mark came to lie in a node's log.
    fn logged(&mut self, slot: usize, batch: &Batch<'_>) {
        match batch.header.kind {
            BatchKind::Effects => {
                let new = match self.ledger.note(batch) {
                    Ok(new) => new,
                    Err(text) => return self.violate("identity", format!("in n{slot}'s log: {text}")),
                };
                causality::logged(self, slot, batch, new);
                stability::logged(self, slot, batch);
                self.slots[slot].logged.advance(batch.header.origin, batch.header.last());
            }
            BatchKind::Stable => {
                self.note(|| format!("n{slot} marks {:?}", batch.context()));
                stability::marked(self, slot, batch);
            }
            _ => {}
        }
    }
}
