//! How each fault begins and ends.

use engine::core::CheckpointError;
use engine::replication::Replica;

use super::fault::FaultKind;
use super::world::{Event, World};
use super::{MS, Us};
use crate::random::Random;
use crate::sim_disk::Stop;

/// Slots of a bit mask.
fn bits(mask: u32) -> impl Iterator<Item = usize> {
    (0..32).filter(move |at| mask >> at & 1 == 1)
}

impl World {
    pub fn begin_fault(&mut self, number: usize) {
        let fault = self.plan.faults[number].clone();
        let mut random = Random::new(fault.seed);
        self.note(|| format!("fault {number}: {:?}", fault.kind));
        let ends = |world: &mut World, lasts: Us| world.at(world.now + lasts, Event::FaultEnds { number });
        match fault.kind {
            FaultKind::Cut { from, to, back, lasts } => {
                for (a, b) in bits(from).flat_map(|a| bits(to).map(move |b| (a, b))) {
                    self.network.cut(a, b, self.now);
                    if back {
                        self.network.cut(b, a, self.now);
                    }
                }
                ends(self, lasts);
            }
            FaultKind::Break { a, b } => {
                for conn in self.conns_between(a, b) {
                    self.close_end(conn, 0, false);
                    self.close_end(conn, 1, false);
                }
            }
            FaultKind::Stall { from, to, lasts } => {
                let until = self.now + lasts;
                self.inboxes(from, to, |end| end.inbox.stalled_until = until);
            }
            FaultKind::Pause { slot, lasts } => self.slots[slot].paused_until = self.now + lasts,
            FaultKind::Crash { slot, stop, operation: Some(operation), down }
                if self.engine(slot).is_some() =>
            {
                self.slots[slot].stop_in_operation = Some((stop, down));
                self.slots[slot].disk.stop_at(operation);
            }
            FaultKind::Crash { slot, stop, down, .. } => self.crash_for(slot, stop, down),
            FaultKind::CrashTwice { slot, stop, operation, down } => {
                self.crash_for(slot, stop, down);
                self.slots[slot].interrupt_start = Some(operation);
            }
            FaultKind::Restart { slot, down } => {
                self.stop_cleanly(slot);
                self.start_unless_starting(slot, down);
            }
            FaultKind::RollingRestart { each } => self.roll_on(0, each),
            FaultKind::ClockJump { slot, by_ms } => self.slots[slot].clock.ahead_ms += by_ms,
            FaultKind::ClockFreeze { slot, lasts } => {
                self.slots[slot].clock.freeze(self.now);
                ends(self, lasts);
            }
            FaultKind::DiskFull { slot, room, lasts } => {
                let used = self.slots[slot].disk.used_bytes();
                self.slots[slot].disk.set_capacity(used + room);
                ends(self, lasts);
            }
            FaultKind::DiskFail { slot, operation, kind } if self.engine(slot).is_some() => {
                self.slots[slot].disk.fail_next(operation, kind);
            }
            FaultKind::DiskFail { .. } => {}
            FaultKind::FlipOnWire { from, to } => {
                let seed = random.number();
                self.inboxes(from, to, |end| end.flip = Some(seed));
                for fetch in self.fetches_between(from, to) {
                    self.flip_fetch(fetch);
                }
            }
            FaultKind::FlipAtRest { slot, clean, down } => {
                if clean {
                    self.stop_cleanly(slot);
                } else {
                    self.crash(slot, Stop::Kill);
                }
                self.flip_at_rest(slot, &mut random);
                self.start_unless_starting(slot, down);
            }
            FaultKind::Checkpoint { slot, gives_up } => {
                self.checkpoint(slot, if gives_up { random.below(1024) } else { u64::MAX });
            }
            FaultKind::Evict { slot } => {
                if let Some(directory) = self.slots[slot].directory.filter(|_| slot != self.plan.evictor) {
                    self.evict(directory, self.plan.evictor);
                }
            }
            FaultKind::Reload { slot } => self.reload(slot),
            FaultKind::Wipe { slot, down } => {
                self.crash(slot, Stop::Kill);
                self.wipe(slot);
                self.start_unless_starting(slot, down);
            }
            FaultKind::Resend { from, to } => self.resend(from, to, &mut random),
        }
    }

    pub fn end_fault(&mut self, number: usize) {
        match self.plan.faults[number].kind.clone() {
            FaultKind::Cut { from, to, back, .. } => {
                for (a, b) in bits(from).flat_map(|a| bits(to).map(move |b| (a, b))) {
                    self.network.mend(a, b);
                    if back {
                        self.network.mend(b, a);
                    }
                }
            }
            FaultKind::ClockFreeze { slot, .. } => {
                let catches_up = self.random.index(2) == 0;
                let now = self.now;
                self.slots[slot].clock.thaw(now, catches_up);
            }
            FaultKind::DiskFull { slot, .. } => self.slots[slot].disk.set_capacity(u64::MAX),
            _ => {}
        }
    }

    fn crash_for(&mut self, slot: usize, stop: Stop, down: Us) {
        self.crash(slot, stop);
        self.start_unless_starting(slot, down);
    }

    fn start_unless_starting(&mut self, slot: usize, down: Us) {
        if !self.slots[slot].starting && self.slots[slot].process.is_none() {
            self.start_after(slot, down);
        }
    }

    /// Stops and starts one node, then the next.
    pub fn roll_on(&mut self, slot: usize, each: Us) {
        if slot >= self.slots.len() || self.now >= self.plan.length {
            return;
        }
        if self.slots[slot].process.is_some() {
            self.stop_cleanly(slot);
            self.start_after(slot, each / 2);
        }
        self.at(self.now + each, Event::RollOn { slot: slot + 1, each });
    }

    fn inboxes(&mut self, from: usize, to: usize, mut change: impl FnMut(&mut super::link::End)) {
        for conn in self.conns.values_mut() {
            let side = usize::from(conn.ends[1].slot == to);
            if conn.ends[side].slot == to && conn.ends[1 - side].slot == from {
                change(&mut conn.ends[side]);
            }
        }
    }

    /// One bit of one file of a stopped node is not what it was.
    fn flip_at_rest(&mut self, slot: usize, random: &mut Random) {
        let at = &mut self.slots[slot];
        if at.process.is_some() {
            return;
        }
        let files: Vec<String> =
            at.disk.names().into_iter().filter(|n| !at.disk.content(n).is_empty()).collect();
        if files.is_empty() {
            return;
        }
        let name = &files[random.index(files.len())];
        let mut bytes = at.disk.content(name);
        let bit = random.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        at.disk.set_content(name, &bytes);
        at.damaged = true;
        let name = name.clone();
        self.note(|| format!("n{slot}: bit {bit} of {name} is wrong"));
    }

    /// Takes a checkpoint; gives up after so many steps.
    pub fn checkpoint(&mut self, slot: usize, steps: u64) {
        let Some(engine) = self.engine(slot) else { return };
        let wall_ms = self.wall_ms(slot);
        let left = std::cell::Cell::new(steps);
        // What is staged may be in a segment that goes at once.
        let _ = engine.end_turn();
        self.look(slot);
        let logged = self.slots[slot].logged.clone();
        let taken = engine.checkpoint(&|| wall_ms, &|| {
            left.set(left.get().saturating_sub(1));
            left.get() == 0
        });
        self.look(slot);
        self.note(|| format!("n{slot} checkpoint: {taken:?}"));
        match taken {
            Ok(_) => self.slots[slot].durable = logged,
            Err(CheckpointError::Stopped | CheckpointError::Disk(_) | CheckpointError::Log(_)) => {}
            Err(error) => self.violate("durability", format!("n{slot} takes no checkpoint: {error}")),
        }
        self.wake_senders(slot);
        self.notice_broken_log(slot);
    }

    fn reload(&mut self, slot: usize) {
        let Some(engine) = self.engine(slot) else { return };
        let before = engine.frontier();
        let reloaded = engine.reload();
        if let (Ok(()), true) = (&reloaded, engine.frontier() != before)
            && !engine.frontier().covers(&before)
        {
            self.violate(
                "frontier",
                format!("n{slot} showed {before:?}, after a reload {:?}", engine.frontier()),
            );
        }
        self.note(|| format!("n{slot} reload: {reloaded:?}"));
        self.look(slot);
        self.notice_broken_log(slot);
    }

    /// What is in a log arrives once more.
    fn resend(&mut self, from: usize, to: usize, random: &mut Random) {
        let (Some(sender), Some(receiver)) = (self.engine(from), self.engine(to)) else { return };
        if self.network.is_cut(from, to) {
            return;
        }
        let held: Vec<_> = sender.frontier().iter().collect();
        if held.is_empty() {
            return;
        }
        let (origin, last) = held[random.index(held.len())];
        let mut group = Vec::new();
        let after = proto::Seq(random.below(last.0.max(1)));
        let peer = sender.node();
        if sender.read_log(origin, after, 2000, &mut group).is_ok() {
            for batch in beacon::frame::batches(&group).flatten() {
                // Refused when the disk refuses; a link would close then.
                let _ = receiver.batch(peer, batch, self.now / 1000);
            }
        }
        self.look(to);
        self.wake_senders(to);
        self.schedule_step(to, self.now + 2 * MS);
        self.notice_broken_log(to);
    }
}
