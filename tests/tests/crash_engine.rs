//! A whole engine on a disk that stops at every operation: while commands are written, the log is synced, checkpoints are taken,
//! segments are dropped, the node starts and stops. And on one where every operation fails once.
//!
//! Invariant checked: what a start shows is what was shown after some turn, and none before the last one that the kind of stop
//! has to leave: every acknowledged turn after a kill, every synced one after a power cut.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use engine::core::{CheckpointPolicy, Engine, EngineConfig, Fsync};
use engine::log::LogError;
use tests::batches;
use tests::plans::{self, keys_of_shards};
use tests::random::Random;
use tests::sim_disk::{SimDisk, Stop};

const HASH_SEED: u64 = 7;
const NOW_MS: u64 = 1_000_000;
const STEPS: usize = 24;
/// Stops to come to at least, over all seeds.
const POINTS: u64 = 20_000;

/// Keys of two shards, so that changes are worth an extent of their own.
fn keys() -> Vec<String> {
    keys_of_shards("key:", HASH_SEED, 2, 80)
}

/// One life of a data directory, the same for the same seed up to where the machine stops.
struct Life<'k> {
    seed: u64,
    random: Random,
    keys: &'k [String],
    disk: SimDisk,
    fsync: Fsync,
    engine: Option<Arc<Engine>>,
    /// What was shown after each turn; the last one perhaps never reached the log.
    shown: Vec<u128>,
    acknowledged: usize,
    synced: usize,
    starts: u64,
    /// An operation may fail without the machine stopping.
    faulty: bool,
}

impl<'k> Life<'k> {
    fn new(seed: u64, keys: &'k [String]) -> Self {
        let mut random = Random::new(seed);
        let fsync = if random.index(3) == 0 { Fsync::Always } else { Fsync::EverySecond };
        let disk = SimDisk::new(seed);
        let mut life = Life {
            seed,
            random,
            keys,
            disk,
            fsync,
            engine: None,
            shown: Vec::new(),
            acknowledged: 0,
            synced: 0,
            starts: 0,
            faulty: false,
        };
        life.shown.push(0);
        life
    }

    /// False when the machine stopped meanwhile.
    fn start(&mut self) -> bool {
        self.starts += 1;
        match open(&self.disk, self.fsync, self.seed ^ self.starts << 32) {
            Ok(engine) => {
                self.engine = Some(engine);
                // What a start found it made durable.
                self.synced = self.acknowledged;
                true
            }
            // A start that met a fault is tried again.
            Err(_) if self.faulty && self.disk.failed() => {
                self.faulty = false;
                self.start()
            }
            Err(error) => {
                assert!(self.disk.stopped(), "seed {}: {error}", self.seed);
                false
            }
        }
    }

    /// Runs until the end, or until the machine stops.
    fn run(&mut self) {
        if !self.start() {
            return;
        }
        if self.random.index(3) > 0 {
            // Enough for changes to be few beside it.
            let pairs: Vec<String> = self.keys.iter().flat_map(|k| [k.clone(), "v".repeat(9)]).collect();
            if !self.turn(&[format!("mset {}", pairs.join(" "))]) {
                return;
            }
        }
        for _ in 0..STEPS {
            let goes_on = match self.random.index(12) {
                0..7 => {
                    let lines: Vec<String> = (0..1 + self.random.index(3)).map(|_| self.line()).collect();
                    self.turn(&lines)
                }
                7 => self.sync(),
                8..11 => self.checkpoint(),
                _ => self.stop_cleanly() && self.start(),
            };
            if !goes_on {
                return;
            }
        }
        self.stop_cleanly();
    }

    fn engine(&self) -> &Arc<Engine> {
        self.engine.as_ref().expect("the engine runs")
    }

    fn line(&mut self) -> String {
        let key = self.keys[self.random.index(self.keys.len())].clone();
        let n = self.random.index(100);
        match self.random.index(10) {
            0..4 => format!("set {key} value-{n}"),
            4 => format!("set {key} {n} px 100000000"),
            5 => format!("incr count:{key}"),
            6 => format!("del {key}"),
            7 => format!("sadd s:{key} {n} a b"),
            8 if n == 0 => "flushall".into(),
            8 => format!("append {key} {n}"),
            _ => format!("rename {key} {}", self.keys[n % self.keys.len()]),
        }
    }

    fn turn(&mut self, lines: &[String]) -> bool {
        let engine = self.engine().clone();
        for line in lines {
            let _ = plans::run(&engine, NOW_MS, 0, line);
        }
        self.shown.push(engine.digest(NOW_MS).0);
        if let Err(refused) = engine.end_turn() {
            assert!(self.disk.stopped() || self.faulty && self.disk.failed(), "seed {}", self.seed);
            if self.disk.stopped() || engine.log().expect("a log").poisoned().is_some() {
                return self.restart_poisoned();
            }
            assert!(matches!(refused.0, LogError::Full(_)), "seed {}: {refused}", self.seed);
            // There is room again.
            engine.end_turn().expect("what was refused is written");
        }
        self.acknowledged = self.shown.len() - 1;
        if self.fsync == Fsync::Always {
            self.synced = self.acknowledged;
        }
        true
    }

    /// Nothing is written any more, but reads are answered; a new process goes on from what was acknowledged.
    fn restart_poisoned(&mut self) -> bool {
        if self.disk.stopped() {
            return false;
        }
        let engine = self.engine.take().expect("the engine runs");
        assert_eq!(Some(&engine.digest(NOW_MS).0), self.shown.last(), "reads go on");
        assert!(engine.writable().is_err(), "writes are refused");
        // A checkpoint that was asked for is given up, not tried again at once.
        engine.request_checkpoint();
        assert!(engine.checkpoint(&|| NOW_MS, &|| false).is_err());
        assert!(!engine.checkpoint_due(NOW_MS), "an attempt that failed is followed by a rest");
        drop(engine);
        if !self.start() {
            return false;
        }
        let found = self.engine().digest(NOW_MS).0;
        let at = self.shown.iter().rposition(|shown| *shown == found);
        let at = at.filter(|at| *at >= self.acknowledged).unwrap_or_else(|| {
            panic!("seed {}: an acknowledged turn is missing after a poisoned log", self.seed)
        });
        self.shown.truncate(at + 1);
        self.acknowledged = at;
        self.synced = at;
        true
    }

    fn sync(&mut self) -> bool {
        if self.engine().log().expect("a log").sync().is_err() {
            return self.restart_poisoned();
        }
        self.synced = self.acknowledged;
        true
    }

    fn checkpoint(&mut self) -> bool {
        let taken = self.engine().checkpoint(&|| NOW_MS, &|| false);
        if taken.is_ok() {
            self.synced = self.acknowledged;
        }
        // A stop while old files are removed is none of the checkpoint's.
        if self.disk.stopped() {
            return false;
        }
        match self.engine().log().expect("a log").poisoned() {
            Some(_) => self.restart_poisoned(),
            None => {
                assert!(taken.is_ok() || self.faulty && self.disk.failed(), "seed {}: {taken:?}", self.seed);
                true
            }
        }
    }

    fn stop_cleanly(&mut self) -> bool {
        let closed = self.engine().log().expect("a log").close_clean().is_ok();
        self.engine = None;
        if closed {
            self.synced = self.acknowledged;
        }
        closed || self.faulty && self.disk.failed() && !self.disk.stopped()
    }

    /// Starts again after the stop, on a copy of the disk, and looks.
    fn check(&self, stop: Stop, also_while_starting: Option<u64>) {
        let disk = self.disk.copy();
        disk.restart(stop);
        let mut least = if stop == Stop::Kill { self.acknowledged } else { self.synced };
        if let Some(operation) = also_while_starting {
            disk.stop_at(operation);
            drop(open(&disk, self.fsync, self.seed ^ 0xdead));
            disk.restart(Stop::PowerCut);
            least = least.min(self.synced);
        }
        let context = format!("seed {} after {stop:?} ({also_while_starting:?})", self.seed);
        let engine = open(&disk, self.fsync, self.seed ^ 0xbeef).unwrap_or_else(|e| panic!("{context}: {e}"));
        let found = engine.digest(NOW_MS).0;
        assert!(
            self.shown[least..].contains(&found),
            "{context}: shows none of the last {} of {} states",
            self.shown.len() - least,
            self.shown.len()
        );
    }
}

fn open(disk: &SimDisk, fsync: Fsync, seed: u64) -> Result<Arc<Engine>, engine::core::OpenError> {
    let config = EngineConfig {
        databases: 1,
        hash_seed_override: Some(HASH_SEED),
        random_seed: seed,
        fsync,
        segment_bytes: 2500,
        ..EngineConfig::default()
    };
    let mut ids = batches::ids(seed);
    let engine = Engine::open(config, disk.mount(), &mut || ids() | 1)?.0;
    engine.set_checkpoint_policy(CheckpointPolicy { retention_bytes: 1000, ..Default::default() });
    Ok(engine)
}

/// Every operation of one seed's life, each with a kill and a power cut. Returns how many stops were looked at.
fn every_stop(seed: u64, keys: &[String]) -> u64 {
    let operations = {
        let mut life = Life::new(seed, keys);
        life.run();
        life.disk.operations()
    };
    let mut random = Random::new(!seed);
    for operation in 0..operations {
        let mut life = Life::new(seed, keys);
        life.disk.stop_at(operation);
        life.run();
        assert!(life.disk.stopped(), "seed {seed}: operation {operation} comes every time");
        for stop in [Stop::Kill, Stop::PowerCut] {
            life.check(stop, None);
        }
        if random.index(4) == 0 {
            life.check(Stop::PowerCut, Some(random.below(40)));
        }
    }
    operations * 2
}

#[test]
fn a_stop_at_any_operation_leaves_a_state_that_was_shown() {
    let keys = keys();
    if let Ok(seed) = std::env::var("ATOLL_CRASH_SEED") {
        every_stop(seed.parse().expect("ATOLL_CRASH_SEED is a number"), &keys);
        return;
    }
    let wanted = std::env::var("ATOLL_CRASH_POINTS").map_or(POINTS, |n| n.parse().expect("a number"));
    let (next, points) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while points.load(Relaxed) < wanted {
                    points.fetch_add(every_stop(next.fetch_add(1, Relaxed), &keys), Relaxed);
                }
            });
        }
    });
    println!("{} stops in {} lives", points.load(Relaxed), next.load(Relaxed));
}

/// Every operation of one seed's life fails once, as a broken or as a full disk. Returns how many.
fn every_fault(seed: u64, keys: &[String]) -> u64 {
    let operations = {
        let mut life = Life::new(seed, keys);
        life.run();
        life.disk.operations()
    };
    for operation in 0..operations {
        for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
            let mut life = Life::new(seed, keys);
            life.faulty = true;
            life.disk.fail_at(operation, kind);
            life.run();
            assert!(life.disk.failed(), "seed {seed}: operation {operation} comes every time");
            life.check(Stop::Kill, None);
        }
    }
    operations * 2
}

#[test]
fn a_fault_in_any_operation_loses_no_acknowledged_turn() {
    let keys = keys();
    let (mut faults, mut seed) = (0, 1000);
    while faults < 3000 {
        faults += every_fault(seed, &keys);
        seed += 1;
    }
}
