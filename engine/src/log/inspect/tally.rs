//! Counting what batches hold, in memory that grows with origins and kinds only.

use std::collections::BTreeMap;

use proto::{NodeId, Seq};

use crate::effect::batch::{Batch, BatchKind};
use crate::effect::{FieldOp, ListOp, Op, Payload, ScoreOp, StreamOp};

/// Effects of one origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OriginTally {
    pub first: Seq,
    pub last: Seq,
    pub batches: u64,
    pub effects: u64,
}

/// Sums over the batches that were noted.
#[derive(Clone, Default, Debug)]
pub struct Tally {
    /// Of effects.
    pub batches: u64,
    pub effects: u64,
    /// Bookkeeping: stable marks and lists of members.
    pub stable_marks: u64,
    pub member_lists: u64,
    pub origins: BTreeMap<NodeId, OriginTally>,
    /// By [`kind_name`].
    pub kinds: BTreeMap<&'static str, u64>,
    /// Earliest and latest stamp (Unix ms).
    pub times_ms: Option<(u64, u64)>,
    pub largest_batch_bytes: u64,
}

impl Tally {
    /// Adds a batch. Effects that do not decode are counted by the header alone.
    pub fn note(&mut self, batch: &Batch<'_>) {
        let header = &batch.header;
        self.largest_batch_bytes = self.largest_batch_bytes.max(header.bytes() as u64);
        match header.kind {
            BatchKind::Stable => self.stable_marks += 1,
            BatchKind::Members | BatchKind::Evictions => self.member_lists += 1,
            BatchKind::Effects => {
                self.batches += 1;
                self.effects += u64::from(header.count);
                let (first, last) = (header.first, header.last());
                let origin = self.origins.entry(header.origin).or_insert(OriginTally {
                    first,
                    last,
                    batches: 0,
                    effects: 0,
                });
                (origin.first, origin.last) = (origin.first.min(first), origin.last.max(last));
                origin.batches += 1;
                origin.effects += u64::from(header.count);
                for (_, effect) in batch.effects().map_while(Result::ok) {
                    *self.kinds.entry(kind_name(&effect.op)).or_default() += 1;
                    let ms = effect.hlc.ms();
                    let (low, high) = self.times_ms.unwrap_or((ms, ms));
                    self.times_ms = Some((low.min(ms), high.max(ms)));
                }
            }
        }
    }
}

/// Every name of [`kind_name`].
pub const KIND_NAMES: [&str; 44] = [
    "assign",
    "assign-set",
    "assign-hash",
    "assign-zset",
    "assign-list",
    "assign-stream",
    "reset",
    "delta",
    "delta-float",
    "append",
    "overlay",
    "bits",
    "registers",
    "ttl",
    "add",
    "remove",
    "field-put",
    "field-remove",
    "field-delta",
    "field-delta-float",
    "field-expire",
    "field-lapse",
    "score-put",
    "score-add",
    "score-max",
    "score-min",
    "score-remove",
    "list-insert",
    "list-remove",
    "list-set",
    "list-trim",
    "stream-add",
    "stream-remove",
    "stream-trim",
    "stream-set",
    "group-set",
    "group-drop",
    "deliver",
    "ack",
    "consumer-drop",
    "flush",
    "swap",
    "bind",
    "noop",
];

/// What tools call an effect of this kind.
pub fn kind_name(op: &Op<'_>) -> &'static str {
    match op {
        Op::Assign { payload: Payload::String(_), .. } => "assign",
        Op::Assign { payload: Payload::Set(_), .. } => "assign-set",
        Op::Assign { payload: Payload::Hash(_), .. } => "assign-hash",
        Op::Assign { payload: Payload::ZSet(_), .. } => "assign-zset",
        Op::Assign { payload: Payload::Stream(_), .. } => "assign-stream",
        Op::Stream(StreamOp::Add { .. }) => "stream-add",
        Op::Stream(StreamOp::Remove(_)) => "stream-remove",
        Op::Stream(StreamOp::Trim { .. }) => "stream-trim",
        Op::Stream(StreamOp::Set(_)) => "stream-set",
        Op::Stream(StreamOp::GroupSet { .. }) => "group-set",
        Op::Stream(StreamOp::GroupDrop { .. }) => "group-drop",
        Op::Stream(StreamOp::Deliver(_)) => "deliver",
        Op::Stream(StreamOp::Ack { .. }) => "ack",
        Op::Stream(StreamOp::ConsumerDrop { .. }) => "consumer-drop",
        Op::Fields(FieldOp::Put(_)) => "field-put",
        Op::Fields(FieldOp::Remove(_)) => "field-remove",
        Op::Fields(FieldOp::Delta { .. }) => "field-delta",
        Op::Fields(FieldOp::DeltaFloat { .. }) => "field-delta-float",
        Op::Fields(FieldOp::Expire(_)) => "field-expire",
        Op::Fields(FieldOp::Lapse(_)) => "field-lapse",
        Op::Scores(ScoreOp::Put(_)) => "score-put",
        Op::Scores(ScoreOp::Add(_)) => "score-add",
        Op::Scores(ScoreOp::Max(_)) => "score-max",
        Op::Scores(ScoreOp::Min(_)) => "score-min",
        Op::Scores(ScoreOp::Remove(_)) => "score-remove",
        Op::Assign { payload: Payload::List(_), .. } => "assign-list",
        Op::Reset => "reset",
        Op::Delta(_) => "delta",
        Op::DeltaFloat(_) => "delta-float",
        Op::Append(_) => "append",
        Op::Overlay { .. } => "overlay",
        Op::Bits(_) => "bits",
        Op::Registers(_) => "registers",
        Op::Ttl(_) => "ttl",
        Op::MemberAdd(_) => "add",
        Op::MemberRemove(_) => "remove",
        Op::List(ListOp::Insert { .. }) => "list-insert",
        Op::List(ListOp::Remove(_)) => "list-remove",
        Op::List(ListOp::Set { .. }) => "list-set",
        Op::List(ListOp::Trim { .. }) => "list-trim",
        Op::Flush { .. } => "flush",
        Op::SwapDb { .. } => "swap",
        Op::Bind { .. } => "bind",
        Op::Noop => "noop",
    }
}
