//! Stamps past what the wall clock allows are not taken from a peer, whoever brings them, and nothing of them is kept.

use std::sync::Arc;

use engine::core::{Engine, EngineConfig};
use engine::replication::{Received, Replica, ReplicaError};
use proto::Seq;
use tests::memory_disk::MemoryDisk;
use tests::plans;

const NOW_MS: u64 = 1_000_000;

fn open(first_id: u64) -> Arc<Engine> {
    let config = EngineConfig { expects_peers: true, ..EngineConfig::default() };
    let mut next = first_id;
    let opened = Engine::open(config, Arc::new(MemoryDisk::default()), &mut || {
        next += 1;
        next
    });
    opened.expect("a memory disk opens").0
}

#[test]
fn a_batch_past_the_limit_is_refused_and_taken_when_the_clock_allows_it() {
    let (ahead, relay, node) = (open(100), open(200), open(300));
    plans::run(&ahead, NOW_MS + 600, 0, "SET k v").expect("a write");
    ahead.end_turn().expect("it is logged");
    let mut batch = Vec::new();
    ahead.read_log(ahead.node(), Seq(0), 1 << 20, &mut batch).expect("the log reads");
    node.stamps_until(NOW_MS + 500);
    for peer in [ahead.node(), relay.node()] {
        match node.batch(peer, &batch, 0) {
            Err(ReplicaError::Ahead(origin, 100)) => assert_eq!(origin, ahead.node()),
            other => panic!("it was taken: {other:?}"),
        }
    }
    assert_eq!(node.frontier().seq(ahead.node()), Seq(0));
    node.stamps_until(NOW_MS + 600);
    let taken = node.batch(relay.node(), &batch, 0).expect("it is taken");
    assert_eq!(taken, Received::Shown { batches: 1 });
}
