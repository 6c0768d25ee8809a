//! What people do: they take lost members out, decide about late sets, and begin anew where two nodes cannot be joined.

use std::collections::BTreeSet;

use engine::core::LateStatus;
use engine::replication::Replica;

use super::SECOND;
use super::world::{Event, World};
use crate::sim_disk::Stop;

/// Between two looks at the cluster.
const LOOK_EVERY: super::Us = SECOND;
/// A member that lacks what it said it has is taken out after so long.
const AWAITED_MAX: super::Us = 5 * SECOND;
/// Two nodes that cannot be joined for so long are looked at.
const APART_MAX: super::Us = 12 * SECOND;

impl World {
    /// Somebody looks after everything.
    pub fn operate(&mut self) {
        for slot in 0..self.slots.len() {
            self.decide_late(slot);
        }
        if self.plan.operator {
            let lost: BTreeSet<u64> = self.lost.union(&self.unknown()).copied().collect();
            lost.into_iter().for_each(|directory| self.evict(directory, self.plan.evictor));
        }
        self.evict_who_lost_what_counts();
        self.at(self.now + LOOK_EVERY, Event::Operate);
    }

    /// What counts of an evicted member, and only a damaged disk had, comes no more: who said it has it is taken out too.
    fn evict_who_lost_what_counts(&mut self) {
        let engines: Vec<_> = (0..self.slots.len()).filter_map(|slot| self.engine(slot)).collect();
        let whole = engines.len() == self.slots.len() && engines.iter().all(|engine| !engine.was_evicted());
        let mut awaited: BTreeSet<u64> = BTreeSet::new();
        for engine in engines.iter().filter(|_| whole) {
            // Nobody has it, not even who is to bring it.
            let own = engine.member().directory;
            let waits = engine.member_list().into_iter().filter(|m| m.state == "evicting");
            awaited.extend(waits.flat_map(|m| m.waits_for).filter(|directory| *directory == own));
        }
        self.awaited.retain(|directory, _| awaited.contains(directory));
        for directory in awaited {
            let since = *self.awaited.entry(directory).or_insert(self.now);
            let by = engines.iter().position(|engine| engine.member().directory != directory);
            if let Some(by) = by.filter(|_| self.now - since >= AWAITED_MAX) {
                self.evict(directory, by);
            }
        }
    }

    /// A member is taken out by a node.
    pub fn evict(&mut self, directory: u64, by: usize) {
        let Some(engine) = self.engine(by) else { return };
        let closed = engine.evictions().get(directory).is_some_and(|e| e.cut.is_some());
        if engine.member().directory == directory || closed || engine.was_evicted() {
            return;
        }
        let evicted = engine.evict_member(&format!("{directory:016x}")).map(|member| member.node);
        if evicted.is_ok() {
            self.evicted.insert(directory);
        }
        self.note(|| format!("n{by} evicts {directory:016x}: {evicted:?}"));
        self.look(by);
        self.wake_senders(by);
        self.notice_broken_log(by);
    }

    /// Late sets that wait for somebody are done again or dropped.
    fn decide_late(&mut self, slot: usize) {
        let Some(engine) = self.engine(slot) else { return };
        if engine.wants_restart() || engine.was_evicted() {
            return;
        }
        let sets = engine.late_sets().unwrap_or_default();
        let waiting: Vec<LateStatus> = sets.into_iter().filter(|set| !set.replays).collect();
        for set in waiting {
            let turn = engine.turn(self.wall_ms(slot));
            let first =
                engine.late_effects(set.id, 1).ok().and_then(|effects| effects.first().map(|e| e.id.node));
            let theirs =
                first.is_some_and(|node| self.ledger.origins.get(&node).is_some_and(|o| o.slot != slot));
            // What others wrote they tell themselves.
            if theirs || self.random.index(3) == 0 {
                let dropped = engine.late_drop(set.id).map(|set| set.effects);
                self.note(|| format!("n{slot} drops late set {}: {dropped:?}", set.id));
            } else {
                let budget = 1 + self.random.below(20);
                let done = engine.late_replay(set.id, &turn, budget);
                self.note(|| format!("n{slot} does late set {} again: {done:?}", set.id));
            }
        }
        self.look(slot);
        self.wake_senders(slot);
        self.notice_broken_log(slot);
    }

    /// Each of the two has dropped log that the other never saw. If others do not bring it for long, one of them begins with an empty
    /// directory.
    pub fn apart(&mut self, a: usize, b: usize) {
        let slot = a.max(b);
        self.note(|| format!("n{a} and n{b} are apart"));
        self.refused(a, b);
        let since = *self.apart.entry((a.min(b), slot)).or_insert(self.now);
        if self.now - since < APART_MAX {
            return;
        }
        self.summary.apart += 1;
        if !self.plan.may_come_apart() {
            return self.violate("membership", format!("n{a} and n{b} cannot be joined any more"));
        }
        if self.slots[slot].process.is_some() {
            self.crash(slot, Stop::Kill);
        }
        self.wipe(slot);
        if !self.slots[slot].starting {
            self.start_after(slot, SECOND);
        }
    }

    /// Members that no machine is, when all of them run: what an evicted node was going to be, if its directory was lost before.
    fn unknown(&self) -> BTreeSet<u64> {
        let running: Option<BTreeSet<u64>> =
            self.slots.iter().map(|slot| Some(slot.process.as_ref()?.engine.member().directory)).collect();
        let listed = self.engine(self.plan.evictor).map(|engine| engine.members()).unwrap_or_default();
        let listed = listed.into_iter().map(|member| member.directory);
        running.map_or_else(BTreeSet::new, |running| listed.filter(|d| !running.contains(d)).collect())
    }
}
