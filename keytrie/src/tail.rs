//! New keys of one shard, in the order they came.

use crate::Keyed;

/// Below this many dead pointers a tail is not compacted.
const DEAD_MIN: usize = 8;

/// Unsorted pointers, owned by a shard and guarded by its lock.
#[derive(Debug)]
pub struct Tail<P> {
    pending: Vec<P>,
    dead: usize,
}

impl<P> Default for Tail<P> {
    fn default() -> Self {
        Tail { pending: Vec::new(), dead: 0 }
    }
}

impl<P: Keyed> Tail<P> {
    /// A key was created. O(1).
    #[inline]
    pub fn push(&mut self, pointer: P) {
        if self.pending.len() == self.pending.capacity() {
            // Growth by a quarter: the tail may hold every key of the shard for long, and slack is memory per key.
            let more = (self.pending.len() / 4).max(16);
            self.pending.reserve_exact(more);
        }
        self.pending.push(pointer);
    }

    /// One of the pointers in here died.
    pub fn note_dead(&mut self) {
        self.dead += 1;
    }

    /// Drops dead pointers when a quarter is dead, handing each to `free`. Amortised O(1) per death.
    pub fn compact(&mut self, free: impl FnMut(P)) {
        if self.dead >= DEAD_MIN && self.dead * 4 >= self.pending.len() {
            self.drop_dead(free);
        }
    }

    /// As [`Tail::compact`] while memory is short: when a sixteenth is dead.
    pub fn compact_soon(&mut self, free: impl FnMut(P)) {
        if self.dead * 16 > self.pending.len() {
            self.drop_dead(free);
        }
    }

    fn drop_dead(&mut self, mut free: impl FnMut(P)) {
        self.pending.retain(|p| {
            let dead = p.is_dead();
            if dead {
                free(*p);
            }
            !dead
        });
        self.dead = 0;
    }

    /// Hands everything over, dead ones included, for [`crate::Index::offer`].
    pub fn take(&mut self) -> Vec<P> {
        self.dead = 0;
        std::mem::take(&mut self.pending)
    }

    pub fn len(&self) -> usize {
        self.pending.len()
    }

    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Pointers in order of arrival.
    pub fn pointers(&self) -> &[P] {
        &self.pending
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.pending.capacity() * size_of::<P>()
    }
}
