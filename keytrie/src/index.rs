//! The sorted run: chunks of pointers in key order.
//!
//! A chunk holds at most [`CHUNK_MAX`] pointers, so that inserting, splitting and sweeping are bounded. Finding a key is a
//! binary search over the chunks' first keys, then inside one chunk.

use std::cmp::Ordering;

use crate::{Keyed, prefix_end};

const CHUNK_MAX: usize = 512;
/// Chunks are built this full, leaving room for keys that come later.
const CHUNK_FILL: usize = 384;

/// One database's ordered index. Guarded by a lock of its own.
#[derive(Debug)]
pub struct Index<P> {
    chunks: Vec<Vec<P>>,
    len: usize,
    /// Offered and not yet merged; sorted when `sorted` says so, largest key first (so that the smallest is popped).
    pending: Vec<P>,
    pending_sorted: bool,
    /// Dead pointers in the run, as told.
    dead: usize,
    sweep_at: usize,
}

impl<P> Default for Index<P> {
    fn default() -> Self {
        Index { chunks: Vec::new(), len: 0, pending: Vec::new(), pending_sorted: true, dead: 0, sweep_at: 0 }
    }
}

impl<P: Keyed> Index<P> {
    /// Queues new pointers; they are walked only after [`Index::merge_step`] took them in.
    pub fn offer(&mut self, mut pointers: Vec<P>) {
        if pointers.is_empty() {
            return;
        }
        self.pending_sorted = false;
        if self.pending.is_empty() {
            self.pending = pointers;
        } else {
            self.pending.append(&mut pointers);
        }
    }

    /// Pointers offered and not yet merged.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Walks see every pointer that was offered.
    pub fn is_current(&self) -> bool {
        self.pending.is_empty()
    }

    /// Pointers in the run, dead ones included.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0 && self.pending.is_empty()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let held: usize = self.chunks.iter().map(|c| c.capacity()).sum::<usize>() + self.pending.capacity();
        held * size_of::<P>() + self.chunks.capacity() * size_of::<Vec<P>>()
    }

    /// Merges up to `budget` pending pointers (and one sort of those newly offered); returns how many are left. Dead ones go to
    /// `free` at once. O(budget · log n); the sort is O(p · log p) once per offer.
    pub fn merge_step(&mut self, budget: usize, mut free: impl FnMut(P)) -> usize {
        if !self.pending_sorted {
            self.pending.retain(|p| {
                let dead = p.is_dead();
                if dead {
                    free(*p);
                }
                !dead
            });
            // Finds what was sorted before and only merges the rest in.
            self.pending.sort_by(|a, b| b.key().cmp(a.key()));
            self.pending_sorted = true;
        }
        let mut left = budget;
        while left > 0 {
            let Some(first) = self.pending.last() else { break };
            let at = self.chunk_of(first.key());
            let bound = self.chunks.get(at + 1).and_then(|c| c.first()).copied();
            // All pending pointers that belong to this chunk go in together.
            let take = self.pending.len().min(left).min(CHUNK_MAX);
            let from = self.pending.len() - take;
            let group = &self.pending[from..];
            let fits =
                group.iter().rev().take_while(|p| bound.is_none_or(|b| p.key() < b.key())).count().max(1);
            let group: Vec<P> = self.pending.drain(self.pending.len() - fits..).rev().collect();
            left -= fits;
            self.len += fits;
            self.merge_into(at, group);
        }
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
        self.pending.len()
    }

    fn merge_into(&mut self, at: usize, group: Vec<P>) {
        if self.chunks.is_empty() {
            self.chunks.push(Vec::new());
        }
        let old = std::mem::take(&mut self.chunks[at]);
        let mut merged = Vec::with_capacity(old.len() + group.len());
        let (mut a, mut b) = (old.into_iter().peekable(), group.into_iter().peekable());
        while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
            let from_old = x.key() <= y.key();
            merged.extend(if from_old { a.next() } else { b.next() });
        }
        merged.extend(a);
        merged.extend(b);
        if merged.len() <= CHUNK_MAX {
            self.chunks[at] = merged;
            return;
        }
        let pieces = merged.len().div_ceil(CHUNK_FILL);
        let size = merged.len().div_ceil(pieces);
        let split: Vec<Vec<P>> = merged.chunks(size).map(|c| c.to_vec()).collect();
        self.chunks.splice(at..=at, split);
    }

    /// Pointers in the run died.
    pub fn note_dead(&mut self, count: usize) {
        self.dead += count;
    }

    /// A quarter of the run is dead.
    pub fn wants_sweep(&self) -> bool {
        self.dead * 4 > self.len.max(256)
    }

    /// Looks at the next chunks, about `budget` pointers, handing dead ones to `free`. Returns true at the end of a round.
    pub fn sweep_step(&mut self, budget: usize, mut free: impl FnMut(P)) -> bool {
        let mut looked = 0;
        while looked < budget {
            if self.sweep_at >= self.chunks.len() {
                self.sweep_at = 0;
                // Small neighbours are joined once a round, so that chunks stay worth their header.
                self.join_small();
                return true;
            }
            let chunk = &mut self.chunks[self.sweep_at];
            looked += chunk.len();
            let before = chunk.len();
            chunk.retain(|p| {
                let dead = p.is_dead();
                if dead {
                    free(*p);
                }
                !dead
            });
            let freed = before - chunk.len();
            self.len -= freed;
            self.dead = self.dead.saturating_sub(freed);
            if chunk.is_empty() {
                self.chunks.remove(self.sweep_at);
            } else {
                self.sweep_at += 1;
            }
        }
        false
    }

    fn join_small(&mut self) {
        let mut at = 0;
        while at + 1 < self.chunks.len() {
            if self.chunks[at].len() + self.chunks[at + 1].len() <= CHUNK_FILL {
                let next = self.chunks.remove(at + 1);
                self.chunks[at].extend(next);
            } else {
                at += 1;
            }
        }
    }

    /// Hands everything to `free` and starts anew.
    pub fn clear(&mut self, mut free: impl FnMut(P)) {
        let old = std::mem::take(self);
        old.chunks.into_iter().flatten().chain(old.pending).for_each(&mut free);
    }

    /// The chunk where `key` belongs: the last whose first key is not above it.
    fn chunk_of(&self, key: &[u8]) -> usize {
        self.chunks.partition_point(|c| c[0].key() <= key).saturating_sub(1)
    }

    /// Position of the first pointer whose key is at least `key` (or above, when `after`).
    fn seek(&self, key: &[u8], after: bool) -> (usize, usize) {
        let below = |p: &P| match p.key().cmp(key) {
            Ordering::Less => true,
            Ordering::Equal => after,
            Ordering::Greater => false,
        };
        let at = self.chunks.partition_point(|c| below(&c[0])).saturating_sub(1);
        match self.chunks.get(at) {
            Some(chunk) => (at, chunk.partition_point(below)),
            None => (0, 0),
        }
    }

    /// Live pointers from `from` (excluded when `after`) up to `end` (excluded; `None` = the last), in key order, while `visit`
    /// returns true. Pending pointers are not seen: see [`Index::is_current`].
    pub fn walk(&self, from: &[u8], after: bool, end: Option<&[u8]>, mut visit: impl FnMut(P) -> bool) {
        let (at, within) = self.seek(from, after);
        let mut start = within;
        for chunk in self.chunks.iter().skip(at) {
            for pointer in &chunk[start..] {
                if end.is_some_and(|end| pointer.key() >= end) {
                    return;
                }
                if !pointer.is_dead() && !visit(*pointer) {
                    return;
                }
            }
            start = 0;
        }
    }

    /// Live pointers whose key begins with `prefix`, in key order, while `visit` returns true.
    pub fn walk_prefix(&self, prefix: &[u8], visit: impl FnMut(P) -> bool) {
        self.walk(prefix, false, prefix_end(prefix).as_deref(), visit);
    }

    /// How many pointers lie under `prefix`, dead ones included. O(log n + chunks between).
    pub fn prefix_len(&self, prefix: &[u8]) -> usize {
        let (first, from) = self.seek(prefix, false);
        let (last, to) = match prefix_end(prefix) {
            Some(end) => self.seek(&end, false),
            None => (self.chunks.len(), 0),
        };
        if first == last {
            return to - from;
        }
        let whole: usize = self.chunks[first..last].iter().map(|c| c.len()).sum();
        whole - from + to
    }
}
