//! Clients that wait for entries of streams, on a bare engine: from where they read on, and what ends their wait.

use std::sync::Arc;

use engine::commands::{self, Plan};
use engine::core::{Blocking, Engine, EngineConfig, LockPlan};
use engine::state::waiters::Waiter;
use proto::resp::{Protocol, Replies};
use tests::memory_disk::MemoryDisk;
use tests::plans;

const NOW_MS: u64 = 1_000_000;
const REACTOR: usize = 0;

fn open() -> Arc<Engine> {
    let mut id = 1;
    let config = EngineConfig { hash_seed_override: Some(7), ..EngineConfig::default() };
    let opened = Engine::open(config, Arc::new(MemoryDisk::default()), &mut || {
        id += 2;
        id
    });
    opened.expect("a memory disk opens").0
}

/// A client with one command.
struct Client<'e> {
    engine: &'e Engine,
    id: u64,
    line: &'static str,
    waiter: Option<Arc<Waiter>>,
}

impl<'e> Client<'e> {
    /// Runs the command, which finds nothing yet.
    fn waiting(engine: &'e Engine, id: u64, line: &'static str) -> Self {
        let mut client = Client { engine, id, line, waiter: None };
        assert_eq!(client.run(), None);
        client
    }

    /// Runs the command again: its answer, or `None` when it waits on.
    fn run(&mut self) -> Option<String> {
        let args: Vec<&[u8]> = self.line.split(' ').map(str::as_bytes).collect();
        let Plan::Data(plan) = commands::lookup(args[0]).expect("a known command").plan else {
            panic!("a data command")
        };
        let mut unit = self.engine.begin(&self.engine.turn(NOW_MS), 0, LockPlan::Everything);
        let waiter = self.waiter.take();
        unit.set_blocking(Blocking { client: self.id, reactor: REACTOR, waiter, may_wait: true });
        let mut out = Vec::new();
        let outcome = plan(&mut unit, &args, &mut Replies::new(&mut out, Protocol::Resp2));
        self.waiter = unit.settle_blocking().map(|(waiter, _)| waiter);
        if let Err(refusal) = outcome {
            return Some(refusal.text().into_owned());
        }
        self.waiter.is_none().then(|| String::from_utf8(out).expect("text").replace("\r\n", " "))
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
fn a_reader_goes_on_from_the_end_it_first_saw_and_all_are_woken() {
    let engine = open();
    run(&engine, "xadd s 1-1 f old");
    let mut a = Client::waiting(&engine, 1, "xread block 0 streams t s $ $");
    let mut b = Client::waiting(&engine, 2, "xread block 0 count 1 streams s $");
    run(&engine, "xadd s 2-1 f x");
    run(&engine, "xadd s 3-1 f y");
    let mut late = Client::waiting(&engine, 3, "xread block 0 streams s $");
    assert_eq!(woken(&engine), [1, 2]);
    let both = "*1 *2 $1 s *2 *2 $3 2-1 *2 $1 f $1 x *2 $3 3-1 *2 $1 f $1 y ";
    assert_eq!(a.run().as_deref(), Some(both));
    assert_eq!(b.run().as_deref(), Some("*1 *2 $1 s *1 *2 $3 2-1 *2 $1 f $1 x "));
    // What is below its end, a key that goes, and one of another type are not what it waits for.
    run(&engine, "xgroup create s g 0");
    assert_eq!(woken(&engine), [3]);
    assert_eq!(late.run(), None);
    run(&engine, "set s text");
    assert_eq!(woken(&engine), []);
    assert_eq!(late.run(), None);
    run(&engine, "del s");
    run(&engine, "xadd s 3-1 f low");
    assert_eq!(woken(&engine), [3]);
    assert_eq!(late.run(), None);
    run(&engine, "xadd s 3-2 f z");
    assert_eq!(woken(&engine), [3]);
    assert_eq!(late.run().as_deref(), Some("*1 *2 $1 s *1 *2 $3 3-2 *2 $1 f $1 z "));
}

#[test]
fn consumers_are_served_in_turn_and_told_when_their_group_goes() {
    const NO_KEY: &str = "UNBLOCKED the stream key no longer exists";
    const NO_GROUP: &str = "NOGROUP the consumer group this client was blocked on no longer exists";
    let engine = open();
    run(&engine, "xgroup create s g $ mkstream");
    let one = "xreadgroup group g a block 0 count 1 streams s >";
    let mut a = Client::waiting(&engine, 1, one);
    let mut b = Client::waiting(&engine, 2, "xreadgroup group g b block 0 streams s >");
    run(&engine, "xadd s 1-1 f x");
    assert_eq!(woken(&engine), [1, 2]);
    assert_eq!(a.run().as_deref(), Some("*1 *2 $1 s *1 *2 $3 1-1 *2 $1 f $1 x "));
    assert_eq!(b.run(), None, "it is another one's");
    for (line, answer) in
        [("xgroup destroy s g", NO_GROUP), ("del s", NO_KEY), ("set s v", NO_KEY), ("rename s t", NO_KEY)]
    {
        if b.waiter.is_none() {
            run(&engine, "del s");
            run(&engine, "xgroup create s g $ mkstream");
            b = Client::waiting(&engine, 2, one);
        }
        woken(&engine);
        run(&engine, line);
        assert_eq!(woken(&engine), [2], "{line}");
        assert_eq!(b.run().as_deref(), Some(answer), "{line}");
    }
}
