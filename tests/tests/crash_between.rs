//! What may happen between the chunks of a checkpoint, and between a checkpoint and a start: each scenario ends with what must
//! hold.

use std::cell::Cell;
use std::sync::Arc;

use engine::commands::{self, Plan};
use engine::core::{CheckpointPolicy, Engine, EngineConfig, LockPlan, OpenError};
use engine::replication::{Ack, Member, Replica};
use proto::resp::{Protocol, Replies};
use proto::{NodeId, Seq};
use tests::memory_disk::MemoryDisk;
use tests::plans::{self, keys_of_shards};
use xxhash_rust::xxh3::xxh3_64_with_seed;

const SEED: u64 = 7;
const NOW_MS: u64 = 1_000_000;

/// Keys of the first shard, with a common prefix.
fn keys(prefix: &str, count: usize) -> Vec<String> {
    keys_of_shards(prefix, SEED, 1, count)
}

/// Those in the second half of the shard's hash space: with 600 keys, its second chunk.
fn late(keys: &[String]) -> Vec<String> {
    let upper = |key: &&String| xxh3_64_with_seed(key.as_bytes(), SEED) >> 53 & 1 == 1;
    keys.iter().filter(upper).cloned().collect()
}

fn try_open(disk: &Arc<MemoryDisk>, peers: bool, databases: u32) -> Result<Arc<Engine>, OpenError> {
    let config = EngineConfig {
        hash_seed_override: Some(SEED),
        expects_peers: peers,
        databases,
        ..EngineConfig::default()
    };
    let mut next = 1000 + disk_age();
    let engine = Engine::open(config, disk.clone(), &mut || {
        next += 1;
        next
    });
    let engine = engine?.0;
    engine.set_checkpoint_policy(CheckpointPolicy::default());
    if peers {
        engine.learn(&Member {
            directory: 99,
            node: NodeId(99),
            incarnation: 1,
            region: "far".into(),
            addr: "far:1".into(),
            level: 1,
        });
    }
    Ok(engine)
}

fn open(disk: &Arc<MemoryDisk>, peers: bool) -> Arc<Engine> {
    try_open(disk, peers, 16).expect("a memory disk opens")
}

/// Ids differ from start to start.
fn disk_age() -> u64 {
    static STARTS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    STARTS.fetch_add(1000, std::sync::atomic::Ordering::Relaxed)
}

fn run(engine: &Engine, db: u32, line: &str) {
    let _ = plans::run(engine, NOW_MS, db, line);
}

/// Takes a checkpoint; `between` runs once, before the second chunk of the first shard.
fn checkpoint(engine: &Engine, between: &dyn Fn()) {
    let asked = Cell::new(0);
    let done = engine.checkpoint(&|| NOW_MS, &|| {
        if asked.replace(asked.get() + 1) == 1 {
            between();
        }
        false
    });
    done.expect("a memory disk takes it");
}

fn restart(engine: Arc<Engine>, disk: &Arc<MemoryDisk>, peers: bool) -> Arc<Engine> {
    engine.end_turn().expect("a memory disk takes it");
    engine.log().expect("a log").close_clean().expect("closes");
    drop(engine);
    open(disk, peers)
}

/// The member has shown everything.
fn ack_and_prune(engine: &Engine) {
    engine.end_turn().expect("a memory disk takes it");
    let ack = Ack { applied: engine.frontier(), own: Seq(0), hlc: Replica::hlc(engine) };
    engine.acked(NodeId(99), &ack, NOW_MS);
    engine.prune_step();
}

/// A full image, some changes, and a second checkpoint that writes them while `between` runs.
fn shown_after_changes(between: impl Fn(&Engine, &[String])) {
    let disk = Arc::new(MemoryDisk::default());
    let engine = open(&disk, false);
    let keys = keys("key:", 600);
    keys.iter().for_each(|key| run(&engine, 0, &format!("set {key} v")));
    checkpoint(&engine, &|| {});
    keys.iter().take(20).for_each(|key| run(&engine, 0, &format!("set {key} w")));
    checkpoint(&engine, &|| between(&engine, &keys));
    engine.end_turn().expect("a memory disk takes it");
    let before = engine.digest(NOW_MS);
    let engine = restart(engine, &disk, false);
    let after = engine.digest(NOW_MS);
    assert_eq!(before.1, after.1, "keys");
    assert_eq!(before.0, after.0);
}

#[test]
fn nothing_between_chunks_of_changes() {
    shown_after_changes(|_, _| {});
}

#[test]
fn few_removals_between_chunks_of_changes() {
    shown_after_changes(|engine, keys| {
        late(keys)[..20].iter().for_each(|k| run(engine, 0, &format!("del {k}")))
    });
}

#[test]
fn a_flush_between_chunks_of_changes() {
    shown_after_changes(|engine, _| run(engine, 0, "flushall"));
}

#[test]
fn many_removals_between_chunks_of_changes() {
    shown_after_changes(|engine, keys| late(keys).iter().for_each(|k| run(engine, 0, &format!("del {k}"))));
}

#[test]
fn a_long_key_removed_between_chunks_of_changes() {
    shown_after_changes(|engine, keys| {
        run(engine, 0, &format!("del {}", late(keys)[100]));
        let long = self::keys(&"l".repeat(300), 1).remove(0);
        run(engine, 0, &format!("set {long} v"));
        run(engine, 0, &format!("del {long}"));
    });
}

#[test]
fn windows_of_one_name_in_two_databases_go_after_a_restart() {
    let disk = Arc::new(MemoryDisk::default());
    let engine = open(&disk, true);
    run(&engine, 0, "set k a");
    run(&engine, 1, "set k b");
    checkpoint(&engine, &|| {});
    let engine = restart(engine, &disk, true);
    ack_and_prune(&engine);
    assert_eq!(engine.shard_stats().1, 0, "windows");
}

#[test]
fn windows_that_became_stable_between_two_extents_go_after_a_restart() {
    let disk = Arc::new(MemoryDisk::default());
    let engine = open(&disk, true);
    let keys = keys("key:", 40);
    keys.iter().for_each(|key| run(&engine, 0, &format!("set {key} v")));
    checkpoint(&engine, &|| {});
    ack_and_prune(&engine);
    assert_eq!(engine.shard_stats().1, 0, "windows before");
    run(&engine, 0, &format!("set {} w", keys[0]));
    checkpoint(&engine, &|| {});
    let engine = restart(engine, &disk, true);
    ack_and_prune(&engine);
    run(&engine, 0, &format!("set {} x", keys[1]));
    ack_and_prune(&engine);
    assert_eq!(engine.shard_stats().1, 0, "windows");
}

#[test]
fn a_start_with_fewer_databases_than_the_log_names_is_refused() {
    let disk = Arc::new(MemoryDisk::default());
    let engine = open(&disk, false);
    run(&engine, 9, "set k v");
    engine.end_turn().expect("a memory disk takes it");
    for taken in [false, true] {
        if taken {
            engine.checkpoint(&|| NOW_MS, &|| false).expect("it is taken");
        }
        match try_open(&disk, false, 4) {
            Err(OpenError::Databases { needed: 10, given: 4 }) => {}
            other => panic!("{:?}", other.map(|_| ())),
        }
    }
}

/// EXEC of a write and INFO replication, while checkpoints are begun.
#[test]
fn a_transaction_that_asks_for_members_goes_on_beside_checkpoints() {
    let disk = Arc::new(MemoryDisk::default());
    let engine = open(&disk, true);
    let (ended, waiting) = std::sync::mpsc::channel();
    let (writer, saver) = (engine.clone(), engine);
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let done = ended.clone();
    std::thread::spawn(move || {
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            let turn = writer.turn(NOW_MS);
            let mut unit = writer.begin(&turn, 0, LockPlan::One(writer.key_hash(b"k")));
            let Plan::Data(plan) = commands::lookup(b"incr").expect("known").plan else { panic!("data") };
            let mut out = Vec::new();
            let args: [&[u8]; 2] = [b"incr", b"k"];
            let _ = plan(&mut unit, &args, &mut Replies::new(&mut out, Protocol::Resp2));
            // As a session command inside EXEC does.
            assert!(writer.members().len() > 1);
            drop(unit);
            writer.end_turn().expect("a memory disk takes it");
        }
        done.send(()).expect("somebody waits");
    });
    std::thread::spawn(move || {
        for _ in 0..80 {
            saver.checkpoint(&|| NOW_MS, &|| false).expect("a memory disk takes it");
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        ended.send(()).expect("somebody waits");
    });
    for _ in 0..2 {
        waiting.recv_timeout(std::time::Duration::from_secs(60)).expect("both threads go on");
    }
}

#[test]
fn a_clock_set_back_across_a_restart_loses_and_reorders_nothing() {
    let disk = Arc::new(MemoryDisk::default());
    let mut engine = open(&disk, false);
    let mut hlc = Replica::hlc(&*engine);
    // Each start is an hour before the one before it; the checkpoint is taken in the middle.
    for start in 0..6u64 {
        let now_ms = 100 * 3_600_000 - start * 3_600_000;
        let at = |line: &str| plans::run(&engine, now_ms, 0, line).expect("it is done");
        at(&format!("set last {start}"));
        at("incr count");
        at(&format!("append text {start}"));
        assert!(Replica::hlc(&*engine) > hlc, "clocks of effects only rise");
        hlc = Replica::hlc(&*engine);
        if start == 2 {
            engine.checkpoint(&|| now_ms, &|| false).expect("it is taken");
        }
        engine.end_turn().expect("a memory disk takes it");
        let before = engine.digest(now_ms).0;
        drop(engine);
        engine = open(&disk, false);
        assert_eq!(engine.digest(now_ms).0, before, "start {start}");
    }
    let mut unit = engine.begin(&engine.turn(NOW_MS), 0, LockPlan::Everything);
    for (key, value) in [("last", "5"), ("count", "6"), ("text", "012345")] {
        let key = unit.key(key.as_bytes());
        assert_eq!(unit.string(&key).expect("a string"), Some(value.as_bytes()));
    }
}
