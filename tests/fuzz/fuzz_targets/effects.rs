//! Batches and records from disk or a peer: any bytes are decoded or refused; what was decoded says the same when encoded again.
#![no_main]

use engine::effect::batch::{self, Batch, BatchKind};
use engine::effect::record;
use libfuzzer_sys::fuzz_target;
use proto::{EffectId, Hlc, NodeId, Seq};

fn records(mut input: &[u8]) {
    let (mut seq, mut previous) = (1, Hlc(0));
    while !input.is_empty() {
        let id = EffectId::new(NodeId(7), Seq(seq));
        let Ok(effect) = record::decode(&mut input, id, previous) else { return };
        let mut bytes = Vec::new();
        record::encode(&mut bytes, &effect, id, previous);
        let again = record::decode(&mut &bytes[..], id, previous);
        assert_eq!(again.as_ref(), Ok(&effect));
        previous = effect.hlc;
        seq += 1;
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((what, input)) = data.split_first() else { return };
    if what % 2 == 0 {
        return records(input);
    }
    // As it came, and with a header and checksum that fit, so that the fuzzer gets past them.
    for bytes in [input.to_vec(), sealed(input)] {
        let Ok(batch) = Batch::parse(&bytes) else { continue };
        let sound = batch.check().is_ok();
        let _ = (batch.context(), batch.settled(), batch.payload());
        let decoded = batch.effects().take(1 << 16).filter(|e| e.is_ok()).count();
        assert!(!sound || batch.header.kind != BatchKind::Effects || decoded > 0 || batch.header.count == 0);
    }
});

/// A batch with `input` for records.
fn sealed(input: &[u8]) -> Vec<u8> {
    let header = batch::BatchHeader {
        kind: BatchKind::Effects,
        flags: 0,
        count: u32::from(input.first().copied().unwrap_or(0)) + 1,
        origin: NodeId(7),
        first: Seq(1),
        hlc: Hlc(0),
        body_bytes: 0,
        crc: 0,
    };
    let mut out = Vec::new();
    batch::encode(&mut out, &header, &Default::default(), &Default::default(), input);
    out
}
