//! Peer frames and the hello: any bytes are decoded or refused, within bounds.
#![no_main]

use beacon::frame::{self, Frame};
use beacon::hello::Hello;
use engine::effect::batch::Batch;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((what, input)) = data.split_first() else { return };
    if what % 4 == 0 {
        if let Ok(hello) = Hello::decode(bytes::Bytes::copy_from_slice(input)) {
            let again = Hello::decode(hello.encode().into());
            assert!(again.is_ok());
        }
        return;
    }
    let mut rest = input;
    while let Ok(Some((frame, taken))) = frame::decode(rest) {
        assert!(taken > 0 && taken <= rest.len());
        rest = &rest[taken..];
        if let Frame::Batches(group) = frame {
            for bytes in frame::batches(&group) {
                let Ok(bytes) = bytes else { break };
                let _ = Batch::parse(bytes).and_then(|batch| batch.check());
            }
        }
    }
});
