//! Names of stream entries.

use std::fmt;

/// Sequence numbers from here on were made by a node with peers: above, a counter from 1; below, the node's slot.
const SLOTTED: u64 = 1 << 32;
/// Counters above this are a client's own numbers.
const COUNTERS_END: u64 = 1 << 16;

/// Milliseconds and sequence number, ordered so.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct StreamId {
    pub ms: u64,
    pub seq: u64,
}

impl StreamId {
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    pub const MAX: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

    pub fn new(ms: u64, seq: u64) -> Self {
        StreamId { ms, seq }
    }

    /// The one after it; `None` after the last.
    pub fn next(self) -> Option<Self> {
        match (self.ms, self.seq) {
            (u64::MAX, u64::MAX) => None,
            (ms, u64::MAX) => Some(StreamId::new(ms + 1, 0)),
            (ms, seq) => Some(StreamId::new(ms, seq + 1)),
        }
    }

    /// The one before it; `None` before the first.
    pub fn prev(self) -> Option<Self> {
        match (self.ms, self.seq) {
            (0, 0) => None,
            (ms, 0) => Some(StreamId::new(ms - 1, u64::MAX)),
            (ms, seq) => Some(StreamId::new(ms, seq - 1)),
        }
    }

    /// Big-endian, so that bytes are ordered as ids are.
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let both = u128::from_be_bytes(bytes);
        StreamId::new((both >> 64) as u64, both as u64)
    }

    /// Which node made it: its slot, or 0 for ids that no node with peers made.
    pub fn slot(self) -> u32 {
        let counter = self.seq >> 32;
        if (1..=COUNTERS_END).contains(&counter) { self.seq as u32 } else { 0 }
    }

    /// The sequence number that comes after `seq` in the same millisecond, of a node with this slot (`None`: alone). The last
    /// one has none after it.
    pub fn seq_after(seq: u64, slot: Option<u32>) -> Option<u64> {
        match slot {
            None => seq.checked_add(1),
            Some(slot) => {
                let same = seq & !(SLOTTED - 1) | u64::from(slot);
                if same > seq && same >= SLOTTED { Some(same) } else { same.checked_add(SLOTTED) }
            }
        }
    }

    /// The first sequence number of a millisecond.
    pub fn first_seq(slot: Option<u32>) -> u64 {
        slot.map_or(0, |slot| SLOTTED | u64::from(slot))
    }

    /// What most often comes next in a stream written by one node.
    pub(super) fn likely_seq(self, same_ms: bool) -> u64 {
        match (self.slot(), same_ms) {
            (0, true) => self.seq.wrapping_add(1),
            (0, false) => 0,
            (_, true) => self.seq.wrapping_add(SLOTTED),
            (slot, false) => SLOTTED | u64::from(slot),
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_nodes_never_meet_and_always_grow() {
        assert_eq!(StreamId::seq_after(7, None), Some(8));
        assert_eq!(StreamId::seq_after(u64::MAX, None), None);
        let mut seqs = [StreamId::first_seq(Some(5)), StreamId::first_seq(Some(9))];
        assert!(seqs[0] > 0 && seqs[0] != seqs[1]);
        let mut last = 0;
        for step in 0..1000 {
            let node = step * 7 % 3 % 2;
            let slot = [5, 9][node];
            let next = StreamId::seq_after(last, Some(slot)).unwrap();
            assert!(next > last && StreamId::new(1, next).slot() == slot);
            (seqs[node], last) = (next, next);
        }
        assert_eq!(StreamId::new(3, 9).slot(), 0);
        assert_eq!(StreamId::new(3, u64::MAX).slot(), 0);
    }

    #[test]
    fn neighbours_and_bytes_keep_the_order() {
        let id = StreamId::new(5, u64::MAX);
        assert_eq!(id.next(), Some(StreamId::new(6, 0)));
        assert_eq!(id.next().unwrap().prev(), Some(id));
        assert_eq!((StreamId::MAX.next(), StreamId::MIN.prev()), (None, None));
        assert_eq!(StreamId::from_bytes(id.to_bytes()), id);
        assert!(id.to_bytes() < StreamId::new(6, 0).to_bytes());
    }
}
