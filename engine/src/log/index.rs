//! Where each origin's effects lie in the log: a sparse table, one entry per origin and stretch of log.
//!
//! Invariant: an entry names a batch that advanced its origin, so reading from the last entry at or before a seq finds
//! that seq's batch. Memory is bounded per origin: past [`ENTRIES_MAX`] every second entry goes and the stretch doubles.

use std::collections::BTreeMap;

use proto::{Frontier, NodeId, Seq, varint};

use super::LogPosition;
use crate::effect::batch::{BatchHeader, BatchKind};
use crate::effect::record::{put_frontier, take_frontier};

/// Log bytes between two entries of an origin, at first.
const STRETCH_BYTES: u64 = 64 << 10;
/// 256 KiB per origin.
const ENTRIES_MAX: usize = 16 << 10;

/// See the module.
#[derive(Clone, Default, Debug, PartialEq)]
pub struct Index {
    origins: BTreeMap<NodeId, Origin>,
    /// By where a segment begins, what lies before it.
    segments: BTreeMap<LogPosition, Frontier>,
}

#[derive(Clone, Debug, PartialEq)]
struct Origin {
    last: Seq,
    stretch_bytes: u64,
    /// First seq of a batch and where it begins; both ascend.
    entries: Vec<(Seq, LogPosition)>,
}

impl Index {
    /// Of a log that begins at `at`, with `before` having lain before it.
    pub fn beginning(at: LogPosition, before: Frontier) -> Index {
        let origin = |last| Origin { last, stretch_bytes: STRETCH_BYTES, entries: Vec::new() };
        let origins = before.iter().map(|(node, last)| (node, origin(last))).collect();
        Index { origins, segments: [(at, before)].into_iter().collect() }
    }

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

    /// Where to begin reading for effects of `origin` after `after`, or before where the log begins; `None` when there are none.
    pub fn seek(&self, origin: NodeId, after: Seq) -> Option<LogPosition> {
        let origin = self.origins.get(&origin)?;
        if origin.last <= after {
            return None;
        }
        let next = origin.entries.partition_point(|e| e.0.0 <= after.0 + 1);
        Some(next.checked_sub(1).map_or(LogPosition(0), |found| origin.entries[found].1))
    }

    /// Highest seq of `origin` in the log.
    pub fn last(&self, origin: NodeId) -> Seq {
        self.origins.get(&origin).map_or(Seq(0), |o| o.last)
    }

    /// Forgets where effects lay before `at`.
    pub fn drop_before(&mut self, at: LogPosition) {
        for origin in self.origins.values_mut() {
            origin.entries.retain(|e| e.1 >= at);
        }
        self.segments = self.segments.split_off(&at);
    }

    /// A segment begins at `at`: everything noted so far lies before it.
    pub fn note_segment(&mut self, at: LogPosition) {
        let before = self.reached();
        self.segments.entry(at).or_insert(before);
    }

    /// Of each origin the highest seq in the log, dropped ones included.
    pub fn reached(&self) -> Frontier {
        self.origins.iter().map(|(node, origin)| (*node, origin.last)).collect()
    }

    /// Of each origin the effects that lie before the segment beginning at `at`; where that is not known, all there are.
    pub fn before(&self, at: LogPosition) -> Frontier {
        if at == LogPosition(0) {
            return Frontier::new();
        }
        self.segments.get(&at).cloned().unwrap_or_else(|| self.reached())
    }

    /// Where the first batch with an effect beyond `frontier` lies, or a little before; `None` when there is none.
    pub fn first_beyond(&self, frontier: &Frontier) -> Option<LogPosition> {
        self.origins.keys().filter_map(|node| self.seek(*node, frontier.seq(*node))).min()
    }

    /// Appends: count varint, then per origin node u64, last seq, stretch and count as varints, and the entries as differences;
    /// then per segment, after their count, where it begins and what lies before it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        varint::put(out, self.origins.len() as u64);
        for (node, origin) in &self.origins {
            out.extend_from_slice(&node.0.to_le_bytes());
            varint::put(out, origin.last.0);
            varint::put(out, origin.stretch_bytes);
            varint::put(out, origin.entries.len() as u64);
            let mut before = (0, 0);
            for (seq, at) in &origin.entries {
                varint::put(out, seq.0 - before.0);
                varint::put(out, at.0 - before.1);
                before = (seq.0, at.0);
            }
        }
        varint::put(out, self.segments.len() as u64);
        for (at, before) in &self.segments {
            varint::put(out, at.0);
            put_frontier(out, before);
        }
    }

    /// Reads what [`Index::encode`] wrote; `None` when it is malformed. `segments`: written since they are noted.
    pub fn decode(input: &mut &[u8], segments: bool) -> Option<Index> {
        let mut index = Index::default();
        for _ in 0..varint::take(input)? {
            let (node, rest) = input.split_first_chunk::<8>()?;
            *input = rest;
            let last = Seq(varint::take(input)?);
            let stretch_bytes = varint::take(input)?;
            let count = usize::try_from(varint::take(input)?).ok().filter(|n| *n <= ENTRIES_MAX)?;
            let (mut entries, mut before) = (Vec::with_capacity(count), (0u64, 0u64));
            for _ in 0..count {
                before.0 = before.0.checked_add(varint::take(input)?)?;
                before.1 = before.1.checked_add(varint::take(input)?)?;
                entries.push((Seq(before.0), LogPosition(before.1)));
            }
            let node = NodeId(u64::from_le_bytes(*node));
            index.origins.insert(node, Origin { last, stretch_bytes, entries });
        }
        for _ in 0..if segments { varint::take(input)? } else { 0 } {
            let at = LogPosition(varint::take(input)?);
            index.segments.insert(at, take_frontier(input)?);
        }
        Some(index)
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
    fn what_is_encoded_is_read_back_and_cut_short_refused() {
        let mut index = Index::default();
        for batch in 0..100u64 {
            let at = LogPosition(batch * 40_000);
            index.note_effects(NodeId(batch % 3 + 1), Seq(batch * 7 + 1), Seq(batch * 7 + 7), at);
        }
        index.note_segment(LogPosition(2_000_000));
        let mut bytes = Vec::new();
        index.encode(&mut bytes);
        assert_eq!(Index::decode(&mut &bytes[..], true).as_ref(), Some(&index));
        assert!((0..bytes.len()).all(|cut| Index::decode(&mut &bytes[..cut], true).is_none()));
        index.drop_before(LogPosition(2_000_000));
        assert_eq!(index.seek(NodeId(1), Seq(0)), Some(LogPosition(0)));
        assert!(index.seek(NodeId(1), Seq(600)) > Some(LogPosition(2_000_000)));
    }

    #[test]
    fn what_lies_before_a_segment_is_known_exactly() {
        let mut index = Index::default();
        let (a, b) = (NodeId(1), NodeId(2));
        index.note_effects(a, Seq(1), Seq(5), LogPosition(0));
        index.note_segment(LogPosition(100));
        index.note_effects(a, Seq(6), Seq(7), LogPosition(100));
        index.note_effects(b, Seq(1), Seq(1), LogPosition(200));
        assert_eq!(index.before(LogPosition(0)), Frontier::new());
        assert_eq!(index.before(LogPosition(100)), [(a, Seq(5))].into_iter().collect());
        index.drop_before(LogPosition(100));
        assert_eq!(index.before(LogPosition(100)), [(a, Seq(5))].into_iter().collect());
        assert_eq!(index.before(LogPosition(300)), index.reached(), "not known: all of it");
        assert_eq!(index.first_beyond(&index.reached()), None);
        assert_eq!(index.first_beyond(&[(a, Seq(7))].into_iter().collect()), Some(LogPosition(200)));
    }

    #[test]
    fn a_repeated_batch_leaves_no_entry() {
        let mut index = Index::default();
        index.note_effects(NodeId(1), Seq(1), Seq(5), LogPosition(0));
        index.note_effects(NodeId(1), Seq(1), Seq(5), LogPosition(STRETCH_BYTES * 3));
        assert_eq!(index.entries(), 1);
    }
}
