//! Data directories of every format version there was open, and show what they showed when they were written.

use std::sync::Arc;

use engine::core::{Engine, EngineConfig, LockPlan};
use engine::state::value::ValueRef;
use tests::memory_disk;
use tests::server::workspace_dir;

/// A moment after everything in the directories was written and before anything in them expires.
const NOW_MS: u64 = 1_900_000_000_000;

fn open(name: &str) -> Arc<Engine> {
    let dir = workspace_dir().join("tests/golden").join(name);
    let disk = Arc::new(memory_disk::copy_of(&dir).expect("the directory reads"));
    let mut id = 1000;
    let mut fresh_id = || {
        id += 1;
        id
    };
    Engine::open(EngineConfig::default(), disk, &mut fresh_id).expect("the directory opens").0
}

#[test]
fn a_directory_of_log_format_1_shows_what_it_showed() {
    let engine = open("log-1");
    let (digest, keys, _) = engine.digest(NOW_MS);
    assert_eq!((format!("{digest:032x}").as_str(), keys), ("4e54d214946e2d01abd0922df4ba5bdc", 12));
    let turn = engine.turn(NOW_MS);
    let mut unit = engine.begin(&turn, 0, LockPlan::Everything);
    for (key, value) in [("counter", "42"), ("float", "3.25"), ("text", "abXXef"), ("tx", "1"), ("k2", "2")] {
        let key = unit.key(key.as_bytes());
        assert_eq!(unit.value(&key), Some(ValueRef::String(value.as_bytes())));
    }
}
