//! Clients that wait for keys, on a bare engine: who is woken, in which order, by whose effects.

use std::sync::Arc;

use engine::core::{Blocking, Engine, EngineConfig, LockPlan};
use engine::effect::batch::Batch;
use engine::replication::Replica;
use engine::state::value::Kind;
use engine::state::waiters::{Waiter, Want};
use proto::Seq;
use tests::memory_disk::MemoryDisk;
use tests::plans;

const NOW_MS: u64 = 1_000_000;
const REACTOR: usize = 3;

fn open(seed: u64) -> Arc<Engine> {
    let mut id = seed;
    let config = EngineConfig {
        databases: 2,
        expects_peers: true,
        hash_seed_override: Some(7),
        ..EngineConfig::default()
    };
    let opened = Engine::open(config, Arc::new(MemoryDisk::default()), &mut || {
        id += 2;
        id
    });
    opened.expect("a memory disk opens").0
}

/// A client that pops a member of the first of its sets that has one.
struct Client<'e> {
    engine: &'e Engine,
    id: u64,
    keys: Vec<&'static str>,
    waiter: Option<Arc<Waiter>>,
}

impl<'e> Client<'e> {
    fn new(engine: &'e Engine, id: u64, keys: &[&'static str]) -> Self {
        Client { engine, id, keys: keys.to_vec(), waiter: None }
    }

    /// Runs the command: what it took, or `None` when it waits or, in its last run, gives up.
    fn run(&mut self, may_wait: bool) -> Option<String> {
        let engine = self.engine;
        let hashes: Vec<u64> = self.keys.iter().map(|k| engine.key_hash(k.as_bytes())).collect();
        let mut unit = engine.begin(&engine.turn(NOW_MS), 0, LockPlan::Many(&hashes));
        unit.set_blocking(Blocking {
            client: self.id,
            reactor: REACTOR,
            waiter: self.waiter.take(),
            may_wait,
        });
        let mut took = None;
        for name in &self.keys {
            let key = unit.key(name.as_bytes());
            if !unit.may_take(&key, Kind::Set) {
                continue;
            }
            let members = unit.set(&key).ok().flatten().map(|set| set.to_vec()).unwrap_or_default();
            if let Some(member) = members.into_iter().min() {
                let taken: &[&[u8]] = &[&member];
                unit.emit(&key, engine::effect::Op::MemberRemove(engine::effect::Members::Slices(taken)));
                took = Some(format!("{name}:{}", String::from_utf8(member).expect("text")));
                break;
            }
        }
        if took.is_none() {
            let names = self.keys.clone();
            let keys: Vec<_> = names.iter().map(|k| unit.key(k.as_bytes())).collect();
            unit.block(&keys, Want { kind: Kind::Set, shares: false, going: false }, None);
        }
        self.waiter = unit.settle_blocking().map(|(waiter, _)| waiter);
        took
    }

    fn waits(&self) -> bool {
        self.waiter.is_some()
    }
}

fn woken(engine: &Engine) -> Vec<u64> {
    engine.end_turn().expect("a memory disk takes it");
    engine.take_woken(REACTOR)
}

fn run(engine: &Engine, line: &str) {
    plans::run(engine, NOW_MS, 0, line).expect("taken");
}

#[test]
fn clients_are_served_one_by_one_in_the_order_in_which_they_began_to_wait() {
    let engine = open(100);
    let [mut a, mut b, mut c] = [1, 2, 3].map(|id| Client::new(&engine, id, &["k"]));
    for client in [&mut a, &mut b, &mut c] {
        assert_eq!(client.run(true), None);
    }
    assert_eq!(woken(&engine), []);
    run(&engine, "sadd k x y");
    run(&engine, "sadd k z");
    assert_eq!(woken(&engine), [1], "one at a time");
    // Whoever comes later stands behind those who wait.
    let mut late = Client::new(&engine, 4, &["k"]);
    assert_eq!(late.run(true), None);
    assert_eq!(a.run(true).as_deref(), Some("k:x"));
    assert_eq!(woken(&engine), [2]);
    assert_eq!(b.run(true).as_deref(), Some("k:y"));
    assert_eq!(woken(&engine), [3]);
    // Somebody else takes it first: it goes on waiting in its place.
    run(&engine, "srem k z");
    assert_eq!(c.run(true), None);
    assert!(c.waits());
    run(&engine, "sadd k 1 2");
    assert_eq!(woken(&engine), [3]);
    assert_eq!(c.run(true).as_deref(), Some("k:1"));
    assert_eq!(woken(&engine), [4]);
    assert_eq!(late.run(true).as_deref(), Some("k:2"));
    assert_eq!(woken(&engine), []);
}

#[test]
fn whoever_leaves_or_gives_up_passes_its_turn_on() {
    let engine = open(200);
    let [mut a, mut b, mut c] = [1, 2, 3].map(|id| Client::new(&engine, id, &["j", "k"]));
    for client in [&mut a, &mut b, &mut c] {
        assert_eq!(client.run(true), None);
    }
    run(&engine, "sadd k x");
    assert_eq!(woken(&engine), [1]);
    // Its connection ends before it is served.
    engine.leave(&a.waiter.take().expect("it waits"));
    assert_eq!(woken(&engine), [2]);
    run(&engine, "srem k x");
    assert_eq!(b.run(false), None, "its time is up");
    assert!(!b.waits());
    run(&engine, "set j text");
    assert_eq!(woken(&engine), [], "another type");
    run(&engine, "del j");
    run(&engine, "sadd j m");
    assert_eq!(woken(&engine), [3]);
    assert_eq!(c.run(true).as_deref(), Some("j:m"));
}

#[test]
fn effects_of_peers_wake_and_so_does_a_swap() {
    let (here, there) = (open(300), open(400));
    here.learn(&there.member());
    there.learn(&here.member());
    let mut client = Client::new(&here, 1, &["k"]);
    assert_eq!(client.run(true), None);
    run(&there, "sadd k far");
    there.end_turn().expect("a memory disk takes it");
    let mut bytes = Vec::new();
    Replica::read_log(&*there, there.node(), Seq(0), 1 << 20, &mut bytes).expect("reads");
    let batch = Batch::parse(&bytes).expect("one batch");
    here.batch(batch.header.origin, batch.bytes, 0).expect("taken");
    assert_eq!(here.take_woken(REACTOR), [1], "told once the batch is shown");
    assert_eq!(client.run(true).as_deref(), Some("k:far"));

    assert_eq!(client.run(true), None);
    plans::run(&here, NOW_MS, 1, "sadd k other").expect("taken");
    assert_eq!(woken(&here), [], "another database");
    run(&here, "swapdb 0 1");
    assert_eq!(woken(&here), [1]);
    assert_eq!(client.run(true).as_deref(), Some("k:other"));
    // It waits on what its database's number means now.
    assert_eq!(client.run(true), None);
    run(&here, "swapdb 0 1");
    assert_eq!(woken(&here), [1]);
    assert_eq!(client.run(true), None);
    run(&here, "sadd k mine");
    assert_eq!(woken(&here), [1]);
    assert_eq!(client.run(true).as_deref(), Some("k:mine"));
}
