//! Two engines in few steps each: what longer runs found.

use std::sync::Arc;

use engine::core::{Engine, EngineConfig};
use engine::replication::Replica;
use proto::Seq;
use tests::memory_disk::MemoryDisk;
use tests::sim_disk::SimDisk;
use tests::{batches, plans};

const NOW_MS: u64 = 1_000_000;

fn open(seed: u64) -> Arc<Engine> {
    let config = EngineConfig {
        databases: 1,
        expects_peers: true,
        hash_seed_override: Some(7),
        random_seed: seed,
        ..EngineConfig::default()
    };
    let mut ids = batches::ids(seed);
    Engine::open(config, Arc::new(MemoryDisk::default()), &mut || ids() | 1).expect("opens").0
}

fn introduce(a: &Engine, b: &Engine) {
    a.learn(&b.member());
    b.learn(&a.member());
}

/// Two nodes that know each other.
fn two() -> [Arc<Engine>; 2] {
    let engines = [1, 2].map(open);
    introduce(&engines[0], &engines[1]);
    engines
}

fn run(engine: &Engine, now_ms: u64, line: &str) {
    plans::run(engine, now_ms, 0, line).expect("runs");
    engine.end_turn().expect("the log takes it");
}

/// Everything that one wrote reaches the other.
fn send(from: &Engine, to: &Engine) {
    let mut bytes = Vec::new();
    let after: Seq = to.frontier().seq(from.node());
    from.read_log(from.node(), after, usize::MAX, &mut bytes).expect("reads");
    for batch in beacon::frame::batches(&bytes) {
        to.batch(from.node(), batch.expect("whole"), 0).expect("is taken");
    }
}

/// An ack of one, made at a moment, reaches the other, which prunes.
fn acknowledge(from: &Engine, to: &Engine, now_ms: u64) {
    from.tick(now_ms);
    to.tick(now_ms);
    to.acked(from.node(), &from.ack(), 0);
    to.prune_step();
}

#[test]
fn a_key_that_died_of_age_and_is_forgotten_stays_dead_where_it_is_remembered() {
    let [a, b] = two();
    run(&a, NOW_MS, "incrby k 100");
    run(&a, NOW_MS, "pexpire k 50");
    send(&a, &b);
    let later_ms = NOW_MS + 100;
    // The one knows that nothing older can come and forgets the key; the other has heard no ack.
    acknowledge(&b, &a, later_ms);
    a.expire_step(later_ms, 1000);
    run(&a, later_ms, "incrby k 7");
    run(&a, later_ms, "pexpire k 100000");
    send(&a, &b);
    assert_eq!(a.digest(later_ms).0, b.digest(later_ms).0, "both show 7");
}

#[test]
fn windows_that_wait_for_time_alone_go_while_nobody_writes() {
    let [a, b] = two();
    run(&a, NOW_MS, "set k v");
    send(&a, &b);
    // An expiry that outlives the value it was given to.
    run(&a, NOW_MS + 1, "pexpire k 500");
    run(&b, NOW_MS + 2, "del k");
    send(&a, &b);
    send(&b, &a);
    for (from, to) in [(&a, &b), (&b, &a)] {
        acknowledge(from, to, NOW_MS + 3);
        assert_eq!(to.shard_stats().1, 1, "another may still make a value for it");
        assert_eq!(to.shard_stats().2, 0, "all is stable");
    }
    for (from, to) in [(&a, &b), (&b, &a)] {
        acknowledge(from, to, NOW_MS + 1000);
        assert_eq!(to.shard_stats().1, 0, "nobody can any more");
    }
}

#[test]
fn what_a_full_disk_refused_is_written_once_there_is_room_though_nobody_asks() {
    let disk = SimDisk::new(1);
    let config = EngineConfig { databases: 1, expects_peers: true, ..EngineConfig::default() };
    let mut ids = batches::ids(1);
    let engine = Engine::open(config, disk.mount(), &mut || ids() | 1).expect("opens").0;
    disk.set_capacity(disk.used_bytes() + 10);
    plans::run(&engine, NOW_MS, 0, "set k v").expect("runs");
    assert!(engine.end_turn().is_err(), "there is no room");
    engine.tick(NOW_MS + 20);
    assert_eq!(engine.frontier().seq(engine.node()), Seq(0));
    disk.set_capacity(u64::MAX);
    engine.tick(NOW_MS + 40);
    assert_eq!(engine.frontier().seq(engine.node()), Seq(1));
}

#[test]
fn a_reload_without_a_checkpoint_takes_each_batch_as_it_was_taken_first() {
    let [a, b] = two();
    run(&a, NOW_MS, "append k x");
    run(&b, NOW_MS + 1, "set k b");
    send(&a, &b);
    send(&b, &a);
    // The other settles all of it and says so with its next write.
    acknowledge(&a, &b, NOW_MS + 2);
    run(&b, NOW_MS + 3, "set other 1");
    send(&b, &a);
    let shown = a.digest(NOW_MS + 3).0;
    assert_eq!(shown, b.digest(NOW_MS + 3).0);
    a.reload().expect("reads its log");
    assert_eq!(a.digest(NOW_MS + 3).0, shown, "the append was not seen by the assignment");
}

#[test]
fn what_was_stable_before_a_stranger_came_is_pruned_again() {
    let [a, b] = two();
    run(&a, NOW_MS, "set k 1");
    run(&b, NOW_MS, "set m 1");
    send(&a, &b);
    send(&b, &a);
    acknowledge(&b, &a, NOW_MS + 1);
    assert_eq!(a.shard_stats().1, 0);
    // It wrote before it met anybody: everything is worked out anew.
    let c = open(3);
    run(&c, NOW_MS + 2, "set j 2");
    introduce(&a, &c);
    introduce(&b, &c);
    send(&c, &a);
    send(&c, &b);
    assert!(a.shard_stats().1 > 0);
    send(&a, &c);
    acknowledge(&b, &a, NOW_MS + 3);
    acknowledge(&c, &a, NOW_MS + 3);
    send(&b, &c);
    acknowledge(&c, &a, NOW_MS + 4);
    assert_eq!(a.shard_stats().1, 0, "everybody has everything");
}
