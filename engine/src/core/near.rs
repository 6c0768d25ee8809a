//! Bringing what commands will look at near, in phases, before they run: a key's slot and its shard, then its entry, then its
//! elements. A phase reads only what the one before it asked for, so that the waits of many keys fall together.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use super::Engine;
use crate::state::list::Ends;
use crate::state::shard::Part;
use crate::state::table::{SHARDS, home_of, prefetch, shard_of};

/// A cache line, bytes.
const LINE: usize = 64;
/// Lines of a shard that every command reads.
const SHARD_LINES: usize = 2;

/// Where most entries of collections end, bytes.
const ENTRY_END: usize = 40;
/// Where the last of what every command reads of a part begins, bytes.
const PART_END: usize = 40;

/// Where a shard's keys were when they were last looked for, for whoever has not got the shard: hints, of any age.
#[derive(Default)]
pub(super) struct Whereabouts {
    part: AtomicUsize,
    slots: AtomicUsize,
    capacity: AtomicUsize,
}

impl Whereabouts {
    #[inline]
    fn learn(&self, part: &Part) {
        let (slots, capacity) = part.table.slots_at();
        let known =
            [(&self.part, (&raw const *part) as usize), (&self.slots, slots), (&self.capacity, capacity)];
        for (known, now) in known {
            // Others read the line far more often than it changes.
            if known.load(Relaxed) != now {
                known.store(now, Relaxed);
            }
        }
    }
}

pub(super) fn new_whereabouts() -> Box<[Whereabouts]> {
    (0..SHARDS).map(|_| Whereabouts::default()).collect()
}

#[inline]
fn near(address: usize) {
    prefetch(address as *const u8);
}

impl Engine {
    /// First phase: a key's shard and its slot.
    #[inline]
    pub(crate) fn prefetch_slot(&self, hash: u64) {
        let at = shard_of(hash);
        let shard = self.shards[at].address() as usize;
        (0..SHARD_LINES).for_each(|line| near(shard + line * LINE));
        let known = &self.whereabouts[at];
        let part = known.part.load(Relaxed);
        near(part);
        near(part + PART_END);
        near(known.slots.load(Relaxed) + home_of(hash, known.capacity.load(Relaxed)) * size_of::<u64>());
    }

    /// Second phase: its entry.
    #[inline]
    pub(crate) fn prefetch_entry(&self, db: u32, hash: u64) {
        let at = shard_of(hash);
        let shard = self.shards[at].lock();
        if let Some(part) = shard.part_ref(db) {
            self.whereabouts[at].learn(part);
            let address = part.table.entry_address(hash);
            if !address.is_null() {
                prefetch(address);
                // Behind a key of usual length.
                prefetch(address.wrapping_add(ENTRY_END));
            }
        }
    }

    /// Third phase, for keys of collections: the elements.
    #[inline]
    pub(crate) fn prefetch_value(&self, db: u32, hash: u64) {
        let shard = self.shards[shard_of(hash)].lock();
        if let Some(table) = shard.table(db) {
            table.prefetch_value(hash);
        }
    }

    /// Then, for keys of lists and streams: what their ends lie in.
    #[inline]
    pub(crate) fn prefetch_ends(&self, db: u32, hash: u64, ends: Ends) {
        let shard = self.shards[shard_of(hash)].lock();
        if let Some(table) = shard.table(db) {
            table.prefetch_ends(hash, ends);
        }
    }
}
