//! The second part of a run: every fault ends, every node is started, and all becomes one within bounded time.

use engine::replication::Replica;

use super::clock::Clock;
use super::world::{Event, World};
use super::{MS, SECOND, Us, invariants};

/// Virtual time until every node shows the same.
const CONVERGE_MAX: Us = 40 * SECOND;
/// And until nothing is remembered of what is stable everywhere.
const DRAIN_MAX: Us = 30 * SECOND;

impl World {
    pub fn heal(&mut self) {
        if self.violation.is_some() {
            return;
        }
        self.note(|| "every fault ends".into());
        self.network.mend_all();
        self.plan.cut_per_mille = 0;
        for slot in 0..self.slots.len() {
            let at = &mut self.slots[slot];
            at.paused_until = 0;
            at.disk.heal();
            at.interrupt_start = None;
            at.stop_in_operation = None;
            at.clock = Clock::new(0);
            if let Some(boot) = at.process.as_ref().map(|p| p.boot) {
                if at.process.as_ref().is_some_and(|p| p.engine.log().is_some_and(|log| log.is_poisoned())) {
                    self.at(self.now, Event::Replace { slot, boot });
                }
            } else {
                self.start_after(slot, MS);
            }
            for conn in self.conns.values_mut() {
                conn.ends.iter_mut().for_each(|end| end.inbox.stalled_until = 0);
            }
        }
        // Clocks that ran ahead are waited for: nobody links to a node far ahead of its wall clock.
        let shown = self.slots.iter().filter_map(|s| Some(s.process.as_ref()?.engine.hlc().ms()));
        // Also those that are down: they will have what they wrote.
        let lead_ms = shown.max().unwrap_or(0).max(self.ledger.last_hlc().ms());
        let leap_ms = lead_ms.saturating_sub(self.wall_ms(0));
        let begun = self.now + leap_ms * MS;
        self.leap(begun);
        let converged = self.run_while(begun + CONVERGE_MAX, |world| !invariants::convergence::is_one(world));
        if self.violation.is_some() {
            return;
        }
        if !converged {
            return invariants::convergence::missed(self);
        }
        self.summary.healed = self.now - begun;
        invariants::convergence::settled(self);
        let drained = self.run_while(self.now + DRAIN_MAX, |world| !invariants::bounds::is_drained(world));
        if !drained && self.violation.is_none() {
            invariants::bounds::missed(self);
        }
        if self.violation.is_none() {
            invariants::bounds::shortened(self);
        }
    }

    /// Runs while `unfinished`, at most to the deadline. True when it is finished.
    fn run_while(&mut self, deadline: Us, unfinished: fn(&World) -> bool) -> bool {
        while self.violation.is_none() && unfinished(self) {
            if self.now >= deadline {
                return false;
            }
            self.run_until(self.now + 100 * MS);
        }
        self.violation.is_none()
    }

    /// Time passes at once: nothing happens in between, all of it is late.
    fn leap(&mut self, to: Us) {
        for slot in &mut self.slots {
            slot.paused_until = to;
        }
        self.now = to;
        self.slots.iter_mut().for_each(|slot| slot.paused_until = 0);
    }
}
