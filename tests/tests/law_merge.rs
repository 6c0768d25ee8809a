//! The law of the merge: engines that exchanged effects in any causal order, with duplicates, pruning at any moment,
//! checkpoints taken meanwhile and restarts, show what the oracle works out from the set of effects alone.
//!
//! Each case is one seed: a few real engines, random commands run by their real plans, batches carried in random order. The
//! number of cases is `ATOLL_LAW_CASES` (10,000 by default; half as many of each kind of values alone, or of `ATOLL_LAW_KIND`);
//! `ATOLL_LAW_SEED` replays one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::commands::{self, Plan};
use engine::core::{CheckpointError, Engine, EngineConfig, LockPlan};
use engine::effect::batch::Batch;
use engine::effect::{Effect, ListOp, Op};
use engine::merge::oracle::{self, Observed};
use engine::replication::{Member, Replica};
use engine::state::value::Value;
use proto::resp::{Protocol, Replies};
use proto::{EffectId, NodeId, Seq};
use tests::memory_disk::MemoryDisk;

/// Histories by default.
const CASES: u64 = 10_000;
/// Arms of [`World::command`].
const COMMANDS: usize = STREAMS + STREAM_COMMANDS;
/// Those on lists.
const LISTS: std::ops::Range<usize> = 53..70;
/// Those on fields that end, and on other fields.
const FIELDS: [std::ops::Range<usize>; 2] = [26..35, 70..STREAMS];
/// The first of them on streams.
const STREAMS: usize = 79;
/// Arms of [`World::stream_command`].
const STREAM_COMMANDS: usize = 26;
/// The arms on values of one kind: from, and up to but without.
const KINDS: [(&str, &[(usize, usize)]); 6] = [
    ("string", &[(0, 9), (23, 25), (46, 53)]),
    ("set", &[(13, 22)]),
    ("hash", &[(FIELDS[0].start, FIELDS[0].end), (FIELDS[1].start, FIELDS[1].end)]),
    ("zset", &[(35, 46)]),
    ("list", &[(LISTS.start, LISTS.end)]),
    ("stream", &[(STREAMS, COMMANDS)]),
];
/// Arms on keys of any kind.
const GENERIC: [usize; 5] = [9, 11, 12, 22, 25];
const KEYS: [&str; 3] = ["a", "b", "c"];
/// No command: what LTRIM does to a list too long to name all that goes.
const TRIM: &str = "trim";

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

struct Node {
    engine: Arc<Engine>,
    disk: Arc<MemoryDisk>,
    /// Own batches read off the log so far.
    read: Seq,
    now_ms: u64,
}

/// A batch on its way, and which nodes have it.
struct Carried {
    bytes: Vec<u8>,
}

struct World {
    random: Random,
    nodes: Vec<Node>,
    batches: Vec<Carried>,
    /// Per node: which batches were handed to it.
    delivered: Vec<BTreeSet<usize>>,
    /// Every effect by id: encoded batch index, and its true past.
    pasts: BTreeMap<EffectId, BTreeSet<EffectId>>,
    trace: Vec<String>,
    /// Commands and keys of this case (swarm testing: a case that does few things does them often).
    commands: Vec<usize>,
    keys: usize,
}

fn config(seed: u64) -> EngineConfig {
    EngineConfig {
        databases: 2,
        expects_peers: true,
        hash_seed_override: Some(7),
        random_seed: seed,
        ..EngineConfig::default()
    }
}

fn open(disk: &Arc<MemoryDisk>, seed: u64) -> Arc<Engine> {
    let mut ids = Random(seed);
    let opened = Engine::open(config(seed), disk.clone(), &mut || ids.next() | 1);
    opened.expect("a memory disk opens").0
}

/// A value without fields that have ended.
fn alive(mut value: Value, now_ms: u64) -> Option<Value> {
    if let Value::Hash(hash) = &mut value {
        hash.purge(now_ms, usize::MAX);
    }
    (!value.is_empty_collection()).then_some(value)
}

impl World {
    fn new(seed: u64, kind: Option<usize>) -> World {
        let mut random = Random(seed);
        let count = 2 + random.below(2);
        let nodes: Vec<Node> = (0..count)
            .map(|_| {
                let disk = Arc::new(MemoryDisk::default());
                Node { engine: open(&disk, random.next()), disk, read: Seq(0), now_ms: 1_000_000 }
            })
            .collect();
        let all: Vec<usize> = (0..COMMANDS).collect();
        let commands = match random.below(7) {
            0 => all,
            // Lists alone, with what ends and renames them.
            1 => LISTS.chain([9, 22, 25]).collect(),
            2 => (0..2 + random.below(4)).map(|_| LISTS.start + random.below(LISTS.len())).collect(),
            3 if random.below(2) == 0 => (STREAMS..COMMANDS).chain([9, 22, 25]).collect(),
            3 => (0..3 + random.below(5)).map(|_| STREAMS + random.below(STREAM_COMMANDS)).collect(),
            // The same of fields that end.
            4 if random.below(3) == 0 => FIELDS.into_iter().flatten().chain([9, 11, 22, 25]).collect(),
            // Counters that end: nothing is ever put.
            4 if random.below(2) == 0 => vec![29, 31, 70, 72, 76, 77],
            4 => (0..2 + random.below(5)).map(|_| FIELDS[1].start + random.below(FIELDS[1].len())).collect(),
            _ => (0..2 + random.below(4)).map(|_| random.below(COMMANDS)).collect(),
        };
        let commands = match kind {
            Some(kind) => {
                let of_kind: Vec<usize> = KINDS[kind].1.iter().flat_map(|(from, to)| *from..*to).collect();
                match random.below(3) {
                    0 => of_kind.into_iter().chain(GENERIC).collect(),
                    1 => (0..2 + random.below(5)).map(|_| of_kind[random.below(of_kind.len())]).collect(),
                    _ => {
                        let some = (0..3 + random.below(3)).map(|_| of_kind[random.below(of_kind.len())]);
                        let mut some: Vec<usize> = some.collect();
                        some.push(GENERIC[random.below(GENERIC.len())]);
                        some
                    }
                }
            }
            None => commands,
        };
        let keys = 1 + random.below(KEYS.len());
        let world = World {
            commands,
            keys,
            random,
            delivered: vec![BTreeSet::new(); nodes.len()],
            nodes,
            batches: Vec::new(),
            pasts: BTreeMap::new(),
            trace: Vec::new(),
        };
        world.introduce();
        world
    }

    fn introduce(&self) {
        let members: Vec<Member> = self.nodes.iter().map(|n| n.engine.member()).collect();
        for node in &self.nodes {
            members.iter().for_each(|m| _ = node.engine.learn(m));
        }
    }

    fn command(&mut self) -> Vec<String> {
        let key = KEYS[self.random.below(self.keys)];
        let other = KEYS[self.random.below(self.keys)];
        let n = self.random.below(10);
        let m = ["x", "y", "1", "2"][self.random.below(4)];
        let line = match self.commands[self.random.below(self.commands.len())] {
            arm @ STREAMS.. => self.stream_command(arm - STREAMS, key),
            0 | 1 => format!("set {key} {n}"),
            2 => format!("set {key} v{n} px {}", 1 + n * 10),
            3 => format!("set {key} {n} keepttl"),
            4 | 5 => format!("incrby {key} {n}"),
            6 => format!("incrbyfloat {key} 0.{n}"),
            7 => format!("append {key} {m}"),
            8 => format!("setrange {key} {n} {m}{m}"),
            9 | 10 => format!("del {key}"),
            11 => format!("pexpire {key} {}", 1 + n * 10),
            12 => format!("persist {key}"),
            13..16 => format!("sadd {key} {m}"),
            16 => format!("sadd {key} p q {m}"),
            17 | 18 => format!("srem {key} {m}"),
            19 => format!("spop {key}"),
            20 => format!("smove {key} {other} {m}"),
            21 => format!("sunionstore {key} {other} {key}"),
            22 => format!("rename {key} {other}"),
            23 => format!("mset {key} {n} {other} {m}"),
            24 => format!("getdel {key}"),
            25 if self.random.below(3) == 0 => "flushall".into(),
            25 => format!("copy {key} {other} replace"),
            26 | 27 => format!("hset {key} {m} {n}"),
            28 => format!("hset {key} {m} v{n} 1 {n} {m} {n}"),
            29 | 30 => format!("hincrby {key} {m} {n}"),
            31 => format!("hincrbyfloat {key} {m} 0.{n}"),
            32 | 33 => format!("hdel {key} {m}"),
            34 => format!("hdel {key} x y {m}"),
            35 | 36 => format!("zadd {key} {n} {m}"),
            37 => format!("zadd {key} {n} {m} -{n} q {n} p"),
            38 => format!("zadd {key} gt {n} {m}"),
            39 => format!("zadd {key} lt {n} {m}"),
            40 | 41 => format!("zincrby {key} {n} {m}"),
            42 | 43 => format!("zrem {key} {m}"),
            44 => format!("zpopmin {key}"),
            45 => format!("zunionstore {key} 2 {other} {key}"),
            46 => format!("setbit {key} {n} 1"),
            47 => format!("setbit {key} {n} 0"),
            48 => format!("bitfield {key} incrby u4 {n} 3 set u3 4 {n}"),
            49 => format!("bitop or {key} {other} {key}"),
            50 => format!("pfadd {key} {m}"),
            51 => format!("pfadd {key} {n} {m}"),
            52 => format!("pfmerge {key} {other}"),
            53 => format!("lpush {key} {m}"),
            54 => format!("lpush {key} {m} {n}"),
            55 => format!("rpush {key} {n}"),
            56 => format!("rpush {key} {m} {n} {m}"),
            57 => format!("linsert {key} before {m} i{n}"),
            58 => format!("linsert {key} after {m} a{n}"),
            59 => format!("lset {key} {} s{n}", n as i64 - 5),
            60 => format!("lrem {key} {} {m}", n as i64 % 5 - 2),
            61 => format!("lpop {key} {}", 1 + n / 5),
            62 => format!("rpop {key}"),
            63 => format!("ltrim {key} {} {}", n / 4, n as i64 - 5),
            64 => format!("lmove {key} {other} left right"),
            65 => format!("lmove {key} {other} right left"),
            66 => format!("rpoplpush {key} {other}"),
            67 => format!("linsert {key} before i{n} x"),
            68 => format!("rpushx {key} {n}"),
            69 => format!("{TRIM} {key} {}", n % 3),
            70 => format!("hpexpire {key} {} fields 1 {m}", 1 + n * 10),
            71 => format!("hpexpire {key} {} gt fields 2 x {m}", 1 + n * 20),
            72 => format!("hpexpire {key} {} fields 4 x y 1 2", 1 + n * 10),
            73 => format!("hpersist {key} fields 2 x {m}"),
            74 => format!("hsetex {key} px {} fields 1 {m} {n}", 1 + n * 10),
            75 => format!("hsetex {key} keepttl fields 2 {m} {n} y k{n}"),
            76 => format!("hgetex {key} px {} fields 1 {m}", 1 + n * 10),
            77 => format!("hincrby {key} {m} {n}"),
            _ => format!("hgetdel {key} fields 1 {m}"),
        };
        line.split(' ').map(str::to_string).collect()
    }

    /// Ids are few, so that nodes that do not hear each other make equal ones.
    fn stream_command(&mut self, arm: usize, key: &str) -> String {
        let ms = 1 + (self.nodes[0].now_ms - 1_000_000) / 16;
        let id = |random: &mut Random| format!("{}-{}", 1 + random.next() % ms, 1 + random.below(3));
        let (r, n) = (&mut self.random, self.nodes.len());
        let (group, other) = (["g", "h"][r.below(2)], ["c", "d"][r.below(2)]);
        let value = ["x", "y"][r.below(2)];
        match arm {
            0 | 1 => format!("xadd {key} {ms}-{} f {value}", 1 + r.below(3)),
            2 => format!("xadd {key} {ms}-* f {value} g {n}"),
            3 => format!("xadd {key} * f {value}"),
            4 => format!("xadd {key} maxlen {} {ms}-* f {value}", r.below(4)),
            5 => format!("xadd {key} minid {} {ms}-* f {value}", id(r)),
            6 => format!("xdel {key} {} {}", id(r), id(r)),
            7 => format!("xtrim {key} maxlen {}", r.below(4)),
            8 => format!("xtrim {key} minid {}", id(r)),
            9 => format!("xsetid {key} {ms}-{}", 1 + r.below(9)),
            10 => format!("xsetid {key} {ms}-9 entriesadded {} maxdeletedid {}", 9 + r.below(9), id(r)),
            11 | 12 => format!("xgroup create {key} {group} 0 mkstream"),
            13 => format!("xgroup create {key} {group} $ entriesread {}", r.below(3)),
            14 => format!("xgroup setid {key} {group} {}", id(r)),
            15 => format!("xgroup destroy {key} {group}"),
            16 => format!("xgroup createconsumer {key} {group} {other}"),
            17 => format!("xgroup delconsumer {key} {group} {other}"),
            18 | 19 => format!("xreadgroup group {group} {other} count {} streams {key} >", 1 + r.below(3)),
            20 => format!("xreadgroup group {group} {other} noack streams {key} >"),
            21 => format!("xreadgroup group {group} {other} streams {key} 0"),
            22 => format!("xack {key} {group} {} {}", id(r), id(r)),
            23 => {
                format!("xclaim {key} {group} {other} 0 {} {} force retrycount {}", id(r), id(r), r.below(5))
            }
            24 => {
                format!("xclaim {key} {group} {other} 0 {} lastid {} time {}", id(r), id(r), 1 + r.below(9))
            }
            _ => format!("xautoclaim {key} {group} {other} 0 0 count {}", 1 + r.below(3)),
        }
    }

    /// Some commands in one turn, one log write for all; clocks of others are seen in between.
    fn run_turn(&mut self, at: usize) {
        for _ in 0..1 + self.random.below(3) {
            self.run_command(at);
            if self.random.below(2) == 0 {
                let seen_ms = self.nodes[at].now_ms + self.random.below(5) as u64;
                self.nodes[at].engine.tick(seen_ms);
            }
        }
        self.nodes[at].engine.end_turn().expect("a memory disk takes it");
        self.collect(at);
    }

    fn run_command(&mut self, at: usize) {
        let words = self.command();
        let args: Vec<&[u8]> = words.iter().map(|w| w.as_bytes()).collect();
        if words[0] == TRIM {
            return self.trim(at, &words);
        }
        let spec = commands::lookup(args[0]).expect("a known command");
        let spec = args.get(1).and_then(|word| commands::subcommand(spec, word)).unwrap_or(spec);
        let Plan::Data(plan) = spec.plan else { panic!("a data command") };
        let node = &self.nodes[at];
        let turn = node.engine.turn(node.now_ms);
        let mut out = Vec::new();
        {
            let mut unit = node.engine.begin(&turn, 0, LockPlan::Everything);
            // A refusal (wrong type, no such key) emits nothing.
            let _ = plan(&mut unit, &args, &mut Replies::new(&mut out, Protocol::Resp2));
        }
        self.trace.push(format!("n{at}@{}: {}", node.now_ms, words.join(" ")));
    }

    /// Keeps all but so many elements of a list's beginning and one of its end.
    fn trim(&mut self, at: usize, words: &[String]) {
        let node = &self.nodes[at];
        let turn = node.engine.turn(node.now_ms);
        let mut unit = node.engine.begin(&turn, 0, LockPlan::Everything);
        let key = unit.key(words[1].as_bytes());
        let Ok(Some(list)) = unit.list(&key) else { return };
        if list.has_moved() {
            return;
        }
        let start: usize = words[2].parse().expect("a number");
        let stop = list.len().saturating_sub(2).max(start);
        if let (Some(first), Some(last)) = (list.id(start), list.id(stop)) {
            unit.emit(&key, Op::List(ListOp::Trim { first, last }));
            self.trace.push(format!("n{at}@{}: {}", node.now_ms, words.join(" ")));
        }
    }

    /// Takes new own batches off a node's log, noting the true past of each effect.
    fn collect(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let own = node.engine.node();
        let mut bytes = Vec::new();
        let Some(last) = node.engine.read_log(own, node.read, usize::MAX, &mut bytes).expect("reads") else {
            return;
        };
        let before = node.read;
        node.read = last;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let batch = Batch::parse(rest).expect("a whole batch");
            rest = &rest[batch.bytes.len()..];
            let index = self.batches.len();
            self.batches.push(Carried { bytes: batch.bytes.to_vec() });
            let shown: BTreeSet<EffectId> =
                self.delivered[at].iter().flat_map(|b| ids(&self.batches[*b].bytes)).collect();
            let mut past = shown;
            for (id, _) in batch.effects().map(|e| e.expect("decodes")).filter(|e| e.0.seq > before) {
                self.pasts.insert(id, past.clone());
                past.insert(id);
            }
            self.delivered[at].insert(index);
        }
    }

    fn deliver(&mut self, at: usize) {
        if self.batches.is_empty() {
            return;
        }
        // Any batch, in any order, known ones included: the horizon puts them right.
        let index = self.random.below(self.batches.len());
        self.hand_over(at, index);
    }

    fn hand_over(&mut self, at: usize, index: usize) {
        let bytes = self.batches[index].bytes.clone();
        let peer = self.nodes[(at + 1) % self.nodes.len()].engine.node();
        let node = &self.nodes[at];
        node.engine.batch(peer, &bytes, 0).expect("a good batch is taken");
        // What is shown now is what counts as delivered.
        let shown = node.engine.frontier();
        for (i, carried) in self.batches.iter().enumerate() {
            let header = Batch::parse(&carried.bytes).expect("whole").header;
            if shown.contains(EffectId::new(header.origin, header.last())) {
                self.delivered[at].insert(i);
            }
        }
    }

    /// Acks travel behind the effects they speak of; here: only once the receiver has those.
    fn acknowledge(&mut self, from: usize, to: usize) {
        let ack = self.nodes[from].engine.ack();
        let (peer, known) = (self.nodes[from].engine.node(), self.nodes[from].engine.members());
        self.nodes[to].engine.informed(peer, &known);
        self.nodes[to].engine.acked(peer, &ack, 0);
        self.nodes[to].engine.prune_step();
    }

    fn restart(&mut self, at: usize) {
        let seed = self.random.next();
        let node = &mut self.nodes[at];
        let clean = seed.is_multiple_of(2);
        if clean {
            node.engine.log().expect("a log").close_clean().expect("closes");
        }
        let before = node.engine.node();
        node.engine = open(&node.disk, seed);
        if node.engine.node() != before {
            node.read = Seq(0);
        }
        self.trace.push(format!("n{at}: restart"));
        self.introduce();
        self.compare(at);
    }

    /// Takes a checkpoint while commands run and batches arrive; often the node starts again soon after.
    fn checkpoint(&mut self, at: usize) {
        let engine = self.nodes[at].engine.clone();
        let moments: Vec<usize> = (0..self.random.below(4)).map(|_| self.random.below(1024)).collect();
        self.trace.push(format!("n{at}: checkpoint begins"));
        let world = std::cell::RefCell::new(&mut *self);
        let shard = std::cell::Cell::new(0);
        let outcome = engine.checkpoint(&|| 0, &|| {
            let now = shard.replace(shard.get() + 1);
            for _ in moments.iter().filter(|moment| **moment == now) {
                let mut world = world.borrow_mut();
                match world.random.below(4) {
                    0 => world.deliver(at),
                    1 => {
                        let nodes = world.nodes.len();
                        let from = world.random.below(nodes);
                        if from != at {
                            world.acknowledge(from, at);
                        }
                    }
                    _ => world.run_turn(at),
                }
            }
            false
        });
        self.trace.push(format!("n{at}: checkpoint {outcome:?}"));
        match outcome {
            Ok(_) | Err(CheckpointError::Rebuilt) => {}
            Err(error) => panic!("{error}"),
        }
        match self.random.below(4) {
            0 => {
                self.nodes[at].engine.reload().expect("a memory disk reads");
                self.trace.push(format!("n{at}: reload"));
                self.compare(at);
            }
            1 => {}
            _ => self.restart(at),
        }
    }

    fn step(&mut self) {
        let at = self.random.below(self.nodes.len());
        match self.random.below(22) {
            20 => self.checkpoint(at),
            21 => self.calm(),
            0..8 => self.run_turn(at),
            8..15 => self.deliver(at),
            15..17 => {
                let from = self.random.below(self.nodes.len());
                if from != at {
                    self.acknowledge(from, at);
                }
            }
            17 => {
                self.nodes[at].now_ms += self.random.below(60) as u64;
                if self.random.below(2) == 0 {
                    let node = &self.nodes[at];
                    node.engine.expire_step(node.now_ms, 100);
                }
            }
            18 => self.compare(at),
            _ if self.random.below(6) == 0 => self.restart(at),
            _ => {
                let latest = self.nodes.iter().map(|n| n.now_ms).max().unwrap_or(0);
                self.nodes[at].now_ms = latest;
            }
        }
    }

    /// Everybody gets everything, and some hear that everybody has it: what was concurrent is stable, then more is written.
    fn calm(&mut self) {
        self.exchange();
        let nodes = self.nodes.len();
        let deaf = self.random.below(nodes + 1);
        for to in (0..nodes).filter(|to| *to != deaf) {
            (0..nodes).filter(|from| *from != to).for_each(|from| self.acknowledge(from, to));
        }
        self.trace.push(format!("calm, without acks for n{deaf}"));
    }

    /// A node shows what the oracle says of the effects it has.
    fn compare(&mut self, at: usize) {
        let node = &self.nodes[at];
        let batches: Vec<Batch<'_>> = self.delivered[at]
            .iter()
            .map(|b| Batch::parse(&self.batches[*b].bytes).expect("whole"))
            .collect();
        let effects: Vec<(EffectId, Effect<'_>)> =
            batches.iter().flat_map(|b| b.effects().map(|e| e.expect("decodes"))).collect();
        let turn = node.engine.turn(node.now_ms);
        let mut unit = node.engine.begin(&turn, 0, LockPlan::Everything);
        for name in KEYS {
            let observed: Vec<Observed<'_>> = effects
                .iter()
                .filter(|(_, e)| e.key == name.as_bytes() || matches!(e.op, Op::Flush { .. }))
                .map(|(id, e)| Observed { id: *id, effect: e.clone(), past: self.pasts[id].clone() })
                .collect();
            let expected = oracle::value(&observed).filter(|(_, expiry)| !expiry.reached(turn.now_ms));
            let key = unit.key(name.as_bytes());
            let shown: Option<Value> = unit.value(&key).map(|v| v.to_value());
            let expiry = unit.expiry(&key);
            let found = shown.zip(expiry);
            let at_now = |(value, expiry)| Some((alive(value, turn.now_ms)?, expiry));
            let (found, expected) = (found.and_then(at_now), expected.and_then(at_now));
            assert!(
                found == expected,
                "node {at} at {}: key {name}\n shows   {found:?}\n expected {expected:?}\n{}\n{}",
                node.now_ms,
                observed
                    .iter()
                    .map(|o| format!("  {:?} {:?} past {:?}", o.id, o.effect, o.past))
                    .collect::<Vec<_>>()
                    .join("\n"),
                self.trace.join("\n"),
            );
        }
    }

    /// Everybody gets everything.
    fn exchange(&mut self) {
        for at in 0..self.nodes.len() {
            for _ in 0..2 {
                for index in 0..self.batches.len() {
                    if !self.delivered[at].contains(&index) {
                        self.hand_over(at, index);
                    }
                }
            }
            assert_eq!(self.delivered[at].len(), self.batches.len(), "node {at} has everything");
        }
    }

    /// Everybody gets everything: all digests are equal.
    fn settle(&mut self) {
        self.exchange();
        let seen_ms = |n: &Node| n.now_ms.max(n.engine.hlc().ms());
        let latest = self.nodes.iter().map(seen_ms).max().unwrap_or(0);
        self.nodes.iter_mut().for_each(|n| n.now_ms = latest);
        for at in 0..self.nodes.len() {
            self.compare(at);
        }
        let digests: BTreeSet<u128> = self.nodes.iter().map(|n| n.engine.digest(latest).0).collect();
        assert_eq!(digests.len(), 1, "one digest everywhere");
    }
}

fn ids(bytes: &[u8]) -> Vec<EffectId> {
    let header = Batch::parse(bytes).expect("whole").header;
    let origin: NodeId = header.origin;
    (header.first.0..=header.last().0).map(|seq| EffectId::new(origin, Seq(seq))).collect()
}

fn case(seed: u64, kind: Option<usize>) {
    let mut world = World::new(seed, kind);
    for _ in 0..20 + world.random.below(40) {
        world.step();
    }
    world.settle();
}

/// Runs `cases` seeds, or the one asked for.
fn cases(cases: u64, kind: Option<usize>) {
    let setting = |name: &str| {
        std::env::var(name).ok().map(|n| n.parse::<u64>().unwrap_or_else(|_| panic!("{name} is a number")))
    };
    if let Some(seed) = setting("ATOLL_LAW_SEED") {
        return case(seed, kind);
    }
    let first = setting("ATOLL_LAW_FIRST").unwrap_or(0);
    for seed in first..first + setting("ATOLL_LAW_CASES").map_or(cases, |all| all * cases / CASES) {
        let outcome = std::panic::catch_unwind(|| case(seed, kind));
        if let Err(panic) = outcome {
            let of_kind = kind.map_or(String::new(), |kind| format!(" ATOLL_LAW_KIND={}", KINDS[kind].0));
            eprintln!("replay with ATOLL_LAW_SEED={seed}{of_kind}");
            std::panic::resume_unwind(panic);
        }
    }
}

fn chosen_kind() -> Option<usize> {
    let name = std::env::var("ATOLL_LAW_KIND").ok()?;
    let place = KINDS.iter().position(|kind| kind.0 == name);
    Some(place.unwrap_or_else(|| panic!("ATOLL_LAW_KIND is one of {:?}", KINDS.map(|kind| kind.0))))
}

#[test]
fn law_any_delivery_order_shows_what_the_oracle_says() {
    if chosen_kind().is_none() {
        cases(CASES, None);
    }
}

#[test]
fn law_it_holds_of_each_kind_alone() {
    let chosen = chosen_kind();
    for kind in (0..KINDS.len()).filter(|kind| chosen.is_none_or(|chosen| chosen == *kind)) {
        cases(CASES / 2, Some(kind));
    }
}
