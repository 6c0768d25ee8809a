//! Two engines in few steps each: what longer runs found.

use std::sync::Arc;

use engine::core::{Engine, EngineConfig};
use engine::replication::{Received, Replica};
use proto::Seq;
use tests::memory_disk::MemoryDisk;
use tests::sim_disk::{SimDisk, Stop};
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
    to.informed(from.node(), &from.members());
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
fn a_field_s_life_that_ended_is_kept_while_its_end_may_be_put_off() {
    let [a, b] = two();
    run(&a, NOW_MS, "hincrby h f 1");
    send(&a, &b);
    // One has the field end, the other counts on after that, and has not heard.
    run(&a, NOW_MS + 1, "hpexpire h 50 fields 1 f");
    run(&b, NOW_MS + 100, "hincrby h f 7");
    send(&a, &b);
    send(&b, &a);
    // All is stable on one node; the other has heard no ack.
    acknowledge(&a, &b, NOW_MS + 200);
    acknowledge(&a, &b, NOW_MS + 300);
    run(&b, NOW_MS + 300, "hpexpire h 100000 fields 1 f");
    send(&b, &a);
    let digest = a.digest(NOW_MS + 301).0;
    assert_eq!(digest, b.digest(NOW_MS + 301).0, "both show 8");
    run(&b, NOW_MS + 302, "hset h f 9");
    send(&b, &a);
    acknowledge(&a, &b, NOW_MS + 400);
    assert_eq!(b.shard_stats().1, 0, "nothing is left to be brought back");
}

#[test]
fn an_end_without_a_value_is_not_that_of_a_field_which_somebody_makes_anew() {
    let [a, b] = two();
    run(&a, NOW_MS, "hset h f 1");
    send(&a, &b);
    run(&a, NOW_MS + 1, "hpexpire h 500 fields 1 f");
    run(&b, NOW_MS + 2, "del h");
    run(&b, NOW_MS + 2, "hset h g 1");
    send(&a, &b);
    send(&b, &a);
    // All is stable on one node; the other has heard no ack.
    acknowledge(&a, &b, NOW_MS + 3);
    acknowledge(&a, &b, NOW_MS + 4);
    run(&b, NOW_MS + 10, "hincrby h f 3");
    send(&b, &a);
    for at_ms in [NOW_MS + 11, NOW_MS + 1000] {
        assert_eq!(a.digest(at_ms).0, b.digest(at_ms).0, "f is 3, for ever");
    }
    acknowledge(&a, &b, NOW_MS + 1001);
    assert_eq!(b.shard_stats().1, 0, "nothing is held for it any more");
}

#[test]
fn what_was_stable_before_a_member_came_goes_with_what_is_stable_later() {
    let [a, b] = two();
    let (c, d) = (open(3), open(4));
    introduce(&a, &c);
    introduce(&b, &c);
    run(&a, NOW_MS, "sadd k x");
    run(&b, NOW_MS + 1, "sadd k y");
    send(&a, &b);
    send(&a, &c);
    send(&b, &a);
    // The one add is stable on the first node, the other is not: the third has only the one.
    acknowledge(&b, &a, NOW_MS + 2);
    acknowledge(&c, &a, NOW_MS + 2);
    assert_eq!(a.shard_stats().2, 1);
    for known in [&a, &b, &c] {
        introduce(known, &d);
    }
    // Who came last has the later one first.
    send(&b, &c);
    send(&b, &d);
    for from in [&b, &c, &d] {
        acknowledge(from, &a, NOW_MS + 3);
    }
    assert_eq!(a.shard_stats().2, 0);
    send(&a, &d);
    acknowledge(&d, &a, NOW_MS + 4);
    assert_eq!(a.shard_stats().1, 0, "all is stable, and nothing is remembered");
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

#[test]
fn what_a_machine_lost_and_one_peer_may_still_take_is_waited_for() {
    let disk = SimDisk::new(5);
    let start = |seed: u64| {
        let config = EngineConfig { databases: 1, expects_peers: true, ..EngineConfig::default() };
        let mut ids = batches::ids(seed);
        Engine::open(config, disk.mount(), &mut || ids() | 1).expect("opens").0
    };
    let (a, [b, c]) = (start(9), two());
    introduce(&a, &b);
    introduce(&a, &c);
    a.log().expect("a log").sync().expect("a good disk");
    // Not durable, and on its way.
    run(&a, NOW_MS, "append k a");
    let mut on_its_way = Vec::new();
    a.read_log(a.node(), Seq(0), usize::MAX, &mut on_its_way).expect("reads");
    run(&c, NOW_MS + 1, "set k c");
    send(&c, &b);
    acknowledge(&b, &c, NOW_MS + 2);
    let old = a.node();
    drop(a);
    disk.restart(Stop::PowerCut);
    let a = start(10);
    assert_eq!(a.frontier().seq(old), Seq(0));
    introduce(&a, &c);
    send(&c, &a);
    acknowledge(&a, &c, NOW_MS + 3);
    assert_eq!(c.shard_stats().2, 1, "the other has not heard that the machine lost something");
    acknowledge(&b, &c, NOW_MS + 4);
    assert_eq!(c.shard_stats().2, 1);
    introduce(&a, &b);
    let taken = b.batch(old, &on_its_way, 0).expect("a good batch");
    assert_eq!(taken, Received::Duplicate, "nothing more comes of a process that is over");
    acknowledge(&b, &c, NOW_MS + 5);
    acknowledge(&a, &c, NOW_MS + 5);
    assert_eq!(c.shard_stats().2, 0);
}

#[test]
fn what_is_alive_is_judged_by_the_clock_that_stamps_are_given_by() {
    let [a, b] = two();
    run(&a, NOW_MS, "sadd s x y");
    run(&a, NOW_MS, "pexpire s 100");
    send(&a, &b);
    // The other's wall clock is behind: what it has seen is past the expiry.
    run(&a, NOW_MS + 300, "set other 1");
    send(&a, &b);
    run(&b, NOW_MS + 50, "smove s t x");
    run(&b, NOW_MS + 50, "set new 1 px 100");
    send(&b, &a);
    let (a, b) = (a.digest(NOW_MS + 301), b.digest(NOW_MS + 301));
    assert_eq!((a.0, a.1), (b.0, b.1));
    assert_eq!(b.1, 2, "nothing was moved out of a key that had ended; what ends later than its stamp lives");
}

#[test]
fn what_a_stranger_wrote_before_a_life_that_ended_stays_dead_when_all_is_worked_out_anew() {
    let [a, b] = two();
    run(&a, NOW_MS, "set k 1 px 50");
    run(&a, NOW_MS + 100, "append k x");
    send(&a, &b);
    for at_ms in [NOW_MS + 200, NOW_MS + 300] {
        acknowledge(&b, &a, at_ms);
    }
    run(&a, NOW_MS + 400, "set other 1");
    // Its clock is behind, and it wrote before it met anybody.
    let c = open(3);
    run(&c, NOW_MS - 1000, "append k y");
    introduce(&a, &c);
    send(&c, &a);
    send(&a, &c);
    let at_ms = NOW_MS + 500;
    assert_eq!(a.digest(at_ms).0, c.digest(at_ms).0);
}
