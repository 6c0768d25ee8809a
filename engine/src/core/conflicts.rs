//! The conflict feed: what merges decided against somebody, kept in memory within a bound.
//!
//! A decision is told once, when it is made: by the effect that did not see the other. What is read again from the log at a start or
//! while the state is worked out anew is no news. A number counts for this node and this start only.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

use super::Engine;
use crate::merge::{Dispute, Rule};

/// Bytes of a key that are kept.
const KEY_MAX: usize = 256;

/// One decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conflict {
    /// Grows by one with each.
    pub number: u64,
    /// When it was made here, Unix ms.
    pub at_ms: u64,
    /// Physical database.
    pub(super) db: u32,
    /// Its first 256 bytes.
    pub key: Box<[u8]>,
    pub dispute: Dispute,
}

/// See the module.
pub(crate) struct Conflicts {
    feed: Mutex<VecDeque<Conflict>>,
    next: AtomicU64,
    size_max: AtomicUsize,
    /// The wall clock as last told, Unix ms.
    now_ms: AtomicU64,
    /// By place in [`Rule::ALL`].
    counts: [AtomicU64; Rule::ALL.len()],
}

impl Default for Conflicts {
    fn default() -> Self {
        Conflicts {
            feed: Mutex::default(),
            next: AtomicU64::new(1),
            size_max: AtomicUsize::new(1024),
            now_ms: AtomicU64::new(0),
            counts: Default::default(),
        }
    }
}

impl Conflicts {
    /// What the decisions from here on are dated with.
    pub fn tick(&self, now_ms: u64) {
        self.now_ms.store(now_ms, Relaxed);
    }

    #[cold]
    pub fn note(&self, db: u32, key: &[u8], disputes: Vec<Dispute>) {
        let (size_max, at_ms) = (self.size_max.load(Relaxed), self.now_ms.load(Relaxed));
        let mut feed = self.feed.lock();
        for dispute in disputes {
            let place = Rule::ALL.iter().position(|rule| *rule == dispute.rule);
            self.counts[place.expect("every rule is listed")].fetch_add(1, Relaxed);
            let number = self.next.fetch_add(1, Relaxed);
            let key = key[..key.len().min(KEY_MAX)].into();
            feed.push_back(Conflict { number, at_ms, db, key, dispute });
        }
        let over = feed.len().saturating_sub(size_max);
        feed.drain(..over);
    }
}

impl Engine {
    /// `conflict-feed-size`: decisions kept; the oldest go first.
    pub fn set_conflict_feed_size(&self, size: usize) {
        self.conflicts.size_max.store(size, Relaxed);
        let mut feed = self.conflicts.feed.lock();
        let over = feed.len().saturating_sub(size);
        feed.drain(..over);
    }

    /// Decisions made since the start, by rule.
    pub fn conflict_counts(&self) -> Vec<(Rule, u64)> {
        Rule::ALL.into_iter().zip(self.conflicts.counts.iter().map(|n| n.load(Relaxed))).collect()
    }

    /// Visits the decisions kept, oldest first, with the client's number of the database, until `visit` says false.
    pub fn conflicts(&self, newest_first: bool, visit: &mut dyn FnMut(&Conflict, u32) -> bool) {
        let client = |db: u32| (0..self.databases()).find(|c| self.physical(*c) == db).unwrap_or(db);
        let feed = self.conflicts.feed.lock();
        if newest_first {
            feed.iter().rev().all(|conflict| visit(conflict, client(conflict.db)));
        } else {
            feed.iter().all(|conflict| visit(conflict, client(conflict.db)));
        }
    }
}
