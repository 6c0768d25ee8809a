//! Batches made by hand, for rings that need bytes and no engine.

use engine::effect::batch::{self, BatchHeader, BatchKind};
use engine::effect::{Deps, Effect, Expiry, Op, Payload, record};
use engine::log::{Log, LogError, LogOptions, Recovered};
use proto::{EffectId, Frontier, Hlc, NodeId, Seq};

use crate::sim_disk::SimDisk;

/// Appends one batch: `count` assignments of `origin` from `first` on, each with a value of `value_bytes`.
pub fn put_effects(out: &mut Vec<u8>, origin: NodeId, first: Seq, count: u32, value_bytes: usize) {
    let value: Vec<u8> = (0..value_bytes).map(|i| (first.0 as u8).wrapping_add(i as u8)).collect();
    let mut records = Vec::new();
    let mut hlc = Hlc::from_ms(1_700_000_000_000 + first.0);
    let header =
        BatchHeader { kind: BatchKind::Effects, flags: 0, count, origin, first, hlc, body_bytes: 0, crc: 0 };
    for seq in first.0..first.0 + u64::from(count) {
        let next = Hlc(hlc.0 + 1);
        let op = Op::Assign { payload: Payload::String(&value), expiry: Expiry::NEVER };
        let effect = Effect { hlc: next, db: 0, key: b"key", deps: Deps::new(), fresh: None, op };
        record::encode(&mut records, &effect, EffectId::new(origin, Seq(seq)), hlc);
        hlc = next;
    }
    let context: Frontier = [(NodeId(77), first)].into_iter().collect();
    batch::encode(out, &header, &context, &Frontier::new(), &records);
}

/// Such a batch alone.
pub fn effects(origin: NodeId, first: Seq, count: u32, value_bytes: usize) -> Vec<u8> {
    let mut out = Vec::new();
    put_effects(&mut out, origin, first, count, value_bytes);
    out
}

/// Random ids for a log, the same for the same seed.
pub fn ids(seed: u64) -> impl FnMut() -> u64 {
    let mut next = seed;
    move || {
        next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        next ^ (next >> 29)
    }
}

/// Opens a log over a simulated disk; returns the batches it found.
pub fn open_log(
    disk: &SimDisk,
    segment_bytes: u64,
    fresh_id: &mut dyn FnMut() -> u64,
) -> Result<(Log, Recovered, Vec<Vec<u8>>), LogError> {
    let mut found = Vec::new();
    let options = LogOptions { segment_bytes, fresh_id };
    let (log, recovered) = Log::open(disk.mount(), options, &mut |batch| {
        batch.check()?;
        found.push(batch.bytes.to_vec());
        Ok(())
    })?;
    Ok((log, recovered, found))
}
