//! Where each origin's effects lie in the log: a sparse table, one entry per origin and stretch of log.
//!
//! Invariant: an entry names a batch that advanced its origin, so reading from the last entry at or before a seq finds
//! that seq's batch. Memory is bounded per origin: past [`ENTRIES_MAX`] every second entry goes and the stretch doubles.

use std::collections::BTreeMap;

use proto::{NodeId, Seq};

use super::LogPosition;
use crate::effect::batch::{BatchHeader, BatchKind};

/// Log bytes between two entries of an origin, at first.
const STRETCH_BYTES: u64 = 64 << 10;
/// 256 KiB per origin.
const ENTRIES_MAX: usize = 16 << 10;

#[derive(Default)]
pub struct Index {
    origins: BTreeMap<NodeId, Origin>,
}

struct Origin {
    last: Seq,
    stretch_bytes: u64,
    /// First seq of a batch and where it begins; both ascend.
    entries: Vec<(Seq, LogPosition)>,
}

impl Index {
    /// A batch stands at `at`. One that has no effects, or none that is new for its origin, is not worth finding.
    pub fn note(&mut self, header: &BatchHeader, at: LogPosition) {
        if header.kind == BatchKind::Effects {
            self.note_effects(header.origin, header.first, header.last(), at);
        }
    }

    fn note_effects(&mut self, origin: NodeId, first: Seq, last: Seq, at: LogPosition) {
        let origin = self.origins.entry(origin).or_insert_with(|| Origin {
            last: Seq(0),
            stretch_bytes: STRETCH_BYTES,
            entries: Vec::new(),
        });
        if last <= origin.last {
            return;
        }
        origin.last = last;
        if origin.entries.last().is_some_and(|e| at.0 - e.1.0 < origin.stretch_bytes) {
            return;
        }
        origin.entries.push((first, at));
        if origin.entries.len() > ENTRIES_MAX {
            let mut kept = false;
            origin.entries.retain(|_| {
                kept = !kept;
                kept
            });
            origin.stretch_bytes *= 2;
        }
    }

    /// Where to begin reading for effects of `origin` after `after`; `None` when there are none.
    pub fn seek(&self, origin: NodeId, after: Seq) -> Option<LogPosition> {
        let origin = self.origins.get(&origin)?;
        if origin.last <= after {
            return None;
        }
        let next = origin.entries.partition_point(|e| e.0.0 <= after.0 + 1);
        origin.entries.get(next.saturating_sub(1)).map(|e| e.1)
    }

    /// Highest seq of `origin` in the log.
    pub fn last(&self, origin: NodeId) -> Seq {
        self.origins.get(&origin).map_or(Seq(0), |o| o.last)
    }

    pub fn entries(&self) -> usize {
        self.origins.values().map(|o| o.entries.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seek_lands_at_or_before_the_batch_and_the_table_stays_bounded() {
        let mut index = Index::default();
        let origin = NodeId(1);
        for batch in 0..200_000u64 {
            index.note_effects(origin, Seq(batch * 10 + 1), Seq(batch * 10 + 10), LogPosition(batch * 9000));
        }
        assert!(index.entries() <= ENTRIES_MAX);
        for after in [0, 5, 9, 10, 11, 123_456, 1_999_999] {
            let wanted = after / 10 * 9000;
            let at = index.seek(origin, Seq(after)).unwrap();
            assert!(at.0 <= wanted && wanted - at.0 <= 4 * STRETCH_BYTES, "{after}: {at} for {wanted}");
        }
        assert_eq!(index.seek(origin, Seq(2_000_000)), None);
        assert_eq!(index.seek(NodeId(2), Seq(0)), None);
    }

    #[test]
    fn a_repeated_batch_leaves_no_entry() {
        let mut index = Index::default();
        index.note_effects(NodeId(1), Seq(1), Seq(5), LogPosition(0));
        index.note_effects(NodeId(1), Seq(1), Seq(5), LogPosition(STRETCH_BYTES * 3));
        assert_eq!(index.entries(), 1);
    }
}
