//! The stage: where local effects take their seq and clock, and wait, encoded, for the turn's one log write.
//!
//! Invariants: records stand in seq order without gaps; a unit's effects are consecutive.

use proto::{EffectId, Hlc, NodeId, Seq};

use crate::effect::{Effect, record};

/// Local effects not yet written.
pub(crate) struct Stage {
    node: NodeId,
    next: Seq,
    last_hlc: Hlc,
    records: Vec<u8>,
    count: u32,
    /// Seq of the first record and the clock its delta counts from.
    first: Seq,
    base_hlc: Hlc,
    /// Stamp of the last record.
    recorded_hlc: Hlc,
}

/// What a batch is made of.
pub(crate) struct Staged {
    pub records: Vec<u8>,
    pub count: u32,
    pub first: Seq,
    pub base_hlc: Hlc,
}

impl Stage {
    /// `written`: seq of the node's last effect in the log; `hlc`: the latest clock seen anywhere.
    pub fn new(node: NodeId, written: Seq, hlc: Hlc) -> Self {
        let next = Seq(written.0 + 1);
        Stage {
            node,
            next,
            last_hlc: hlc,
            records: Vec::new(),
            count: 0,
            first: next,
            base_hlc: hlc,
            recorded_hlc: hlc,
        }
    }

    /// The next stamp: after every stamp given or seen, not before the wall clock.
    pub fn tick(&mut self, now_ms: u64) -> Hlc {
        self.last_hlc = Hlc(self.last_hlc.0.saturating_add(1)).max(Hlc::from_ms(now_ms));
        self.last_hlc
    }

    /// A stamp of another node was seen.
    pub fn observe(&mut self, hlc: Hlc) {
        self.last_hlc = self.last_hlc.max(hlc);
    }

    pub fn last_hlc(&self) -> Hlc {
        self.last_hlc
    }

    pub fn next_id(&self) -> EffectId {
        EffectId::new(self.node, self.next)
    }

    /// Seq of the last effect staged or written.
    pub fn last(&self) -> Seq {
        Seq(self.next.0 - 1)
    }

    pub fn staged_bytes(&self) -> usize {
        self.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Encodes an effect stamped by [`Stage::tick`] as the next of the sequence.
    pub fn push(&mut self, effect: &Effect<'_>) -> EffectId {
        let id = self.next_id();
        if self.count == 0 {
            self.first = id.seq;
            self.base_hlc = effect.hlc;
            self.recorded_hlc = effect.hlc;
        }
        // Counted from the record before, as it will be decoded: stamps of others may have been seen since.
        record::encode(&mut self.records, effect, id, self.recorded_hlc);
        self.recorded_hlc = effect.hlc;
        self.count += 1;
        self.next.0 += 1;
        id
    }

    /// Takes everything staged, leaving `spare` to collect the next.
    pub fn take(&mut self, spare: Vec<u8>) -> Staged {
        let records = std::mem::replace(&mut self.records, spare);
        Staged { records, count: std::mem::take(&mut self.count), first: self.first, base_hlc: self.base_hlc }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::batch::{self, Batch, BatchHeader, BatchKind};
    use crate::effect::{Deps, Op};

    #[test]
    fn stamps_are_read_back_as_given_whatever_was_seen_in_between() {
        let mut stage = Stage::new(NodeId(1), Seq(0), Hlc(5));
        let mut given = Vec::new();
        for seen_ms in [0, 90, 70, 200] {
            stage.observe(Hlc::from_ms(seen_ms));
            let hlc = stage.tick(80);
            given.push(hlc);
            stage.push(&Effect { hlc, db: 0, key: b"k", deps: Deps::new(), fresh: None, op: Op::Delta(1) });
        }
        let staged = stage.take(Vec::new());
        let header = BatchHeader {
            kind: BatchKind::Effects,
            flags: 0,
            count: staged.count,
            origin: NodeId(1),
            first: staged.first,
            hlc: staged.base_hlc,
            body_bytes: 0,
            crc: 0,
        };
        let mut bytes = Vec::new();
        batch::encode(&mut bytes, &header, &Default::default(), &Default::default(), &staged.records);
        let batch = Batch::parse(&bytes).unwrap();
        let read: Vec<Hlc> = batch.effects().map(|e| e.unwrap().1.hlc).collect();
        assert_eq!(read, given);
    }
}
