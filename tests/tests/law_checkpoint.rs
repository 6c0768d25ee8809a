//! The law of checkpoints: whatever was written before, while and after they were taken, a start shows what was shown, from any
//! mixture of full images, changes and log.
//!
//! Keys are chosen to lie in few shards, so that images have several chunks and changes are worth an extent of their own.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use engine::core::{CheckpointPolicy, Engine, EngineConfig};
use engine::replication::{Member, Replica};
use proto::NodeId;
use tests::memory_disk::MemoryDisk;
use tests::plans::{self, keys_of_shards};
use tests::random::Random;

const SEED: u64 = 7;
const KEYS: usize = 1200;
const SHARDS: u64 = 2;

/// Keys of the first shards.
fn keys() -> Vec<String> {
    keys_of_shards("key:", SEED, SHARDS, KEYS)
}

struct Node {
    engine: Arc<Engine>,
    disk: Arc<MemoryDisk>,
    random: Random,
    keys: Arc<Vec<String>>,
    now_ms: u64,
    peers: bool,
    fulls: u64,
    changes: u64,
}

impl Node {
    fn new(seed: u64, keys: &Arc<Vec<String>>) -> Node {
        let disk = Arc::new(MemoryDisk::default());
        let mut random = Random::new(seed);
        let peers = random.index(3) == 0;
        let engine = open(&disk, peers, seed);
        let (keys, now_ms) = (keys.clone(), 1_000_000);
        let node = Node { engine, disk, random, keys, now_ms, peers, fulls: 0, changes: 0 };
        node.introduce();
        node
    }

    /// A member that never acks: everything stays unstable.
    fn introduce(&self) {
        if self.peers {
            let (directory, node) = (99, NodeId(99));
            let member = Member {
                directory,
                node,
                incarnation: 1,
                region: "far".into(),
                addr: "far:1".into(),
                level: 1,
            };
            self.engine.learn(&member);
        }
    }

    fn command(&mut self) {
        let key = self.keys[self.random.index(self.keys.len())].clone();
        let n = self.random.index(1000);
        let line = match self.random.index(58) {
            0..16 => format!("set {key} value-{n}"),
            16..20 => format!("set {key} {n} px {}", 1 + n * 10),
            20..24 => format!("incrby {key} {n}"),
            24..30 => format!("del {key}"),
            30..33 => format!("sadd {key} {n} m{n}"),
            33..35 => format!("append {key} {n}"),
            35..37 => format!("pexpire {key} {}", 1 + n * 10),
            37 => format!("rename {key} {}", self.keys[self.random.index(self.keys.len())]),
            38 => format!("srem {key} {n}"),
            39 => format!("hset {key} f{} {n}", n % 5),
            40 => format!("hdel {key} f{}", n % 5),
            41 => format!("zadd {key} {n} m{}", n % 5),
            42 | 43 => format!("rpush {key} {n} m{}", n % 5),
            44 => format!("lpush {key} {n} m{}", n % 5),
            45 => format!("linsert {key} before m{} {n}", n % 5),
            46 => format!("lpop {key}"),
            47 => format!("lset {key} 0 {n}"),
            48 => format!("lmove {key} {} left right", self.keys[self.random.index(self.keys.len())]),
            49 | 50 => format!("xadd {key} * f{} {n}", n % 3),
            51 => format!("xadd {key} maxlen {} * f {n}", n % 9),
            52 => format!("xtrim {key} maxlen {}", n % 5),
            53 => format!("xgroup create {key} g 0 mkstream"),
            54 | 55 => format!("xreadgroup group g c{} count 2 streams {key} >", n % 3),
            56 => format!("xautoclaim {key} g c{} 0 0 count 1", n % 3),
            _ if self.random.index(60) == 0 => "flushall".into(),
            _ => format!("copy {key} {} replace", self.keys[self.random.index(self.keys.len())]),
        };
        let _ = plans::run(&self.engine, self.now_ms, 0, &line);
    }

    fn commands(&mut self, upto: usize) {
        for _ in 0..self.random.index(upto) {
            self.command();
        }
        if self.random.index(2) == 0 {
            self.engine.end_turn().expect("a memory disk takes it");
        }
        if self.random.index(8) == 0 {
            self.now_ms += self.random.below(3000);
            self.engine.expire_step(self.now_ms, 1000);
        }
    }

    /// `busy`: commands run between the chunks. `gives_up`: the attempt ends somewhere in the middle.
    fn checkpoint(&mut self, busy: bool, gives_up: bool) {
        let (engine, number) = (self.engine.clone(), Cell::new(0));
        let end = if gives_up { self.random.index(8) } else { usize::MAX };
        let node = RefCell::new(&mut *self);
        let outcome = engine.checkpoint(&|| 0, &|| {
            let now = number.replace(number.get() + 1);
            // The rest of the shards are empty.
            if busy && now < 16 {
                node.borrow_mut().commands(60);
            }
            now >= end
        });
        match outcome {
            Ok(done) => {
                let status = engine.checkpoint_status(0);
                self.fulls += u64::from(done.bytes > status.live_bytes / 2);
                self.changes += u64::from(done.bytes > 0 && done.bytes < status.live_bytes / 2);
            }
            Err(error) => assert!(gives_up, "{error}"),
        }
    }

    fn reload(&mut self) {
        let at_ms = self.engine.turn(self.now_ms).now_ms;
        let before = self.engine.digest(at_ms);
        self.engine.reload().expect("it reads back");
        let after = self.engine.digest(at_ms);
        assert_eq!((before.0, before.1), (after.0, after.1), "what is shown after a reload");
        assert!(after.2.covers(&before.2), "the frontier after a reload");
    }

    fn restart(&mut self) {
        self.engine.end_turn().expect("a memory disk takes it");
        let at_ms = self.engine.turn(self.now_ms).now_ms;
        let before = self.engine.digest(at_ms);
        let seed = self.random.below(1 << 40);
        if self.random.index(2) == 0 {
            self.engine.log().expect("a log").close_clean().expect("closes");
        }
        self.engine = open(&self.disk, self.peers, seed);
        let after = self.engine.digest(at_ms);
        assert_eq!((before.0, before.1), (after.0, after.1), "what is shown after a start");
        assert!(after.2.covers(&before.2), "the frontier after a start");
        self.introduce();
    }
}

fn open(disk: &Arc<MemoryDisk>, peers: bool, seed: u64) -> Arc<Engine> {
    let config = EngineConfig {
        hash_seed_override: Some(SEED),
        random_seed: seed,
        expects_peers: peers,
        segment_bytes: 20_000,
        ..EngineConfig::default()
    };
    let mut ids = Random::new(seed ^ 0xabcd);
    let engine = Engine::open(config, disk.clone(), &mut || ids.below(usize::MAX as u64) | 1);
    let engine = engine.expect("a memory disk opens").0;
    engine.set_checkpoint_policy(CheckpointPolicy { retention_bytes: 30_000, ..Default::default() });
    engine
}

#[test]
fn law_a_start_shows_what_was_shown() {
    let cases = std::env::var("ATOLL_LAW_CASES").map_or(60, |n| n.parse().expect("a number"));
    let keys = Arc::new(keys());
    let (mut fulls, mut changes, mut dropped) = (0, 0, 0);
    for seed in 0..cases {
        let outcome = std::panic::catch_unwind(|| {
            let mut node = Node::new(seed, &keys);
            node.commands(4000);
            for _ in 0..6 + node.random.index(10) {
                match node.random.index(9) {
                    0..3 => node.checkpoint(false, false),
                    3..5 => node.checkpoint(true, false),
                    5 => node.checkpoint(true, true),
                    6 => node.reload(),
                    _ => node.restart(),
                }
                let upto = [20, 300, 2000][node.random.index(3)];
                node.commands(upto);
            }
            node.restart();
            let begins_at = node.engine.log().expect("a log").begins_at();
            assert!(!node.peers || begins_at.0 == 0, "with peers nothing is dropped");
            (node.fulls, node.changes, u64::from(begins_at.0 > 0))
        });
        let Ok(counts) = outcome else { panic!("seed {seed} failed") };
        (fulls, changes, dropped) = (fulls + counts.0, changes + counts.1, dropped + counts.2);
    }
    // The cases are worth nothing if they never come to these.
    assert!(fulls >= cases && changes >= cases && dropped * 4 >= cases, "{fulls} {changes} {dropped}");
}
