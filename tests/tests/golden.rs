//! Data directories of every format version there was open, and show what they showed when they were written.

use std::sync::Arc;

use engine::core::{CheckpointPolicy, Engine, EngineConfig, LockPlan};
use engine::state::value::ValueRef;
use tests::memory_disk::{self, MemoryDisk};
use tests::server::workspace_dir;

/// A moment after everything in the directories was written and before anything in them expires.
const NOW_MS: u64 = 1_900_000_000_000;

fn disk(name: &str) -> Arc<MemoryDisk> {
    let dir = workspace_dir().join("tests/golden").join(name);
    Arc::new(memory_disk::copy_of(&dir).expect("the directory reads"))
}

fn open(disk: &Arc<MemoryDisk>, config: EngineConfig) -> Arc<Engine> {
    let mut id = 1000;
    let mut fresh_id = || {
        id += 1;
        id
    };
    Engine::open(config, disk.clone(), &mut fresh_id).expect("the directory opens").0
}

#[test]
fn a_directory_of_log_format_1_shows_what_it_showed() {
    let disk = disk("log-1");
    let engine = open(&disk, EngineConfig::default());
    let (digest, keys, _) = engine.digest(NOW_MS);
    assert_eq!((format!("{digest:032x}").as_str(), keys), ("4e54d214946e2d01abd0922df4ba5bdc", 12));
    let turn = engine.turn(NOW_MS);
    let mut unit = engine.begin(&turn, 0, LockPlan::Everything);
    for (key, value) in [("counter", "42"), ("float", "3.25"), ("text", "abXXef"), ("tx", "1"), ("k2", "2")] {
        let key = unit.key(key.as_bytes());
        assert_eq!(unit.value(&key), Some(ValueRef::String(value.as_bytes())));
    }
}

#[test]
fn a_directory_of_before_there_were_checkpoints_takes_one_and_goes_on_from_it() {
    let disk = disk("log-1");
    let engine = open(&disk, EngineConfig::default());
    let before = engine.digest(NOW_MS);
    engine.set_checkpoint_policy(CheckpointPolicy { retention_bytes: 0, ..Default::default() });
    engine.checkpoint(&|| NOW_MS, &|| false).expect("it is taken");
    drop(engine);
    let engine = open(&disk, EngineConfig::default());
    assert_eq!(engine.checkpoint_status(NOW_MS).number, 1);
    assert_eq!((engine.digest(NOW_MS).0, engine.digest(NOW_MS).1), (before.0, before.1));
}

#[test]
fn a_directory_of_checkpoint_format_1_shows_what_it_showed() {
    // Full images and changes, windows of a node whose peer never came, every kind of value and expiry; log behind them.
    let disk = disk("checkpoint-1");
    let engine = open(&disk, EngineConfig { expects_peers: true, ..EngineConfig::default() });
    assert_eq!(engine.checkpoint_status(NOW_MS).number, 2);
    let (digest, keys, _) = engine.digest(NOW_MS);
    assert_eq!((format!("{digest:032x}").as_str(), keys), ("5b245dec8161f8ea0b13e2742bdacce6", 38));
    assert!(engine.shard_stats().1 > 20, "windows are there");
    let turn = engine.turn(NOW_MS);
    let mut unit = engine.begin(&turn, 0, LockPlan::Everything);
    for (key, value) in [("counter", "43"), ("float", "3.25"), ("text", "abXXefgh"), ("later", "log")] {
        let key = unit.key(key.as_bytes());
        assert_eq!(unit.value(&key), Some(ValueRef::String(value.as_bytes())));
    }
}
