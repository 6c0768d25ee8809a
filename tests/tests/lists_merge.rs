//! Concurrent writes on lists, case by case: two or three engines that write without having seen each other, then exchange
//! everything. The cases that other stores get wrong, and those that their documentation promises.

use std::sync::Arc;

use engine::core::{Engine, EngineConfig, LockPlan};
use engine::effect::batch::Batch;
use engine::replication::Replica;
use engine::state::value::ValueRef;
use proto::Seq;
use tests::memory_disk::MemoryDisk;
use tests::plans;

struct Nodes(Vec<(Arc<Engine>, Seq)>, u64);

impl Nodes {
    fn new(count: u64) -> Nodes {
        let open = |seed: u64| {
            let mut id = seed * 1000;
            let config = EngineConfig {
                databases: 1,
                expects_peers: true,
                hash_seed_override: Some(7),
                ..EngineConfig::default()
            };
            let opened = Engine::open(config, Arc::new(MemoryDisk::default()), &mut || {
                id += 1;
                id
            });
            (opened.expect("a memory disk opens").0, Seq(0))
        };
        let nodes = Nodes((1..=count).map(open).collect(), 1_000_000);
        for (a, _) in &nodes.0 {
            nodes.0.iter().for_each(|(b, _)| _ = a.learn(&b.member()));
        }
        nodes
    }

    /// Each command one millisecond after the one before.
    fn run(&mut self, at: usize, line: &str) {
        self.1 += 1;
        plans::run(&self.0[at].0, self.1, 0, line).expect("taken");
    }

    /// Everybody gets everything.
    fn exchange(&mut self) {
        for from in 0..self.0.len() {
            let (engine, read) = &mut self.0[from];
            engine.end_turn().expect("a memory disk takes it");
            let mut bytes = Vec::new();
            let own = engine.node();
            let Some(last) = engine.read_log(own, *read, usize::MAX, &mut bytes).expect("reads") else {
                continue;
            };
            *read = last;
            for to in (0..self.0.len()).filter(|to| *to != from) {
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let batch = Batch::parse(rest).expect("whole");
                    rest = &rest[batch.bytes.len()..];
                    self.0[to].0.batch(own, batch.bytes, 0).expect("taken");
                }
            }
        }
    }

    /// Everything is proved to be everywhere.
    fn settle(&mut self) {
        self.exchange();
        for (a, _) in &self.0 {
            for (b, _) in &self.0 {
                if a.node() != b.node() {
                    a.acked(b.node(), &b.ack(), 0);
                }
            }
        }
        self.0.iter().for_each(|(engine, _)| _ = engine.prune_step());
    }

    fn shown(&self, at: usize, name: &str) -> String {
        let engine = &self.0[at].0;
        let mut unit = engine.begin(&engine.turn(self.1), 0, LockPlan::Everything);
        let key = unit.key(name.as_bytes());
        match unit.value(&key) {
            Some(ValueRef::List(list)) => {
                let values = list.values().map(|v| String::from_utf8_lossy(v).into_owned());
                values.collect::<Vec<_>>().join(" ")
            }
            Some(_) => "another type".into(),
            None => String::new(),
        }
    }

    /// After everything is exchanged, and again once it is stable.
    fn expect(&mut self, key: &str, expected: &str) {
        for settled in [false, true] {
            if settled {
                self.settle()
            } else {
                self.exchange()
            }
            for at in 0..self.0.len() {
                assert_eq!(self.shown(at, key), expected, "node {at}, settled: {settled}");
            }
        }
    }
}

/// Two nodes with `before` on both; then one command or several on each; then what both show.
fn case(before: &[&str], one: &[&str], other: &[&str], expected: &str) {
    for stable in [false, true] {
        let mut nodes = Nodes::new(2);
        before.iter().for_each(|line| nodes.run(0, line));
        if stable {
            nodes.settle()
        } else {
            nodes.exchange()
        }
        one.iter().for_each(|line| nodes.run(0, line));
        other.iter().for_each(|line| nodes.run(1, line));
        nodes.expect("l", expected);
    }
}

#[test]
fn pushes_to_one_end_stand_in_the_order_of_their_clocks() {
    case(&["rpush l a b"], &["lpush l x"], &["lpush l y"], "y x a b");
    case(&["rpush l a b"], &["rpush l x"], &["rpush l y"], "a b x y");
    case(&[], &["rpush l x"], &["rpush l y"], "x y");
    case(&[], &["lpush l x"], &["rpush l y"], "x y");
}

#[test]
fn runs_of_two_nodes_are_not_interleaved() {
    case(&["rpush l a"], &["rpush l 1", "rpush l 2 3"], &["rpush l x", "rpush l y"], "a 1 2 3 x y");
    case(&["rpush l a"], &["lpush l 1", "lpush l 2 3"], &["lpush l x", "lpush l y"], "y x 3 2 1 a");
    case(
        &["rpush l a b"],
        &["linsert l after a 1", "linsert l after 1 2"],
        &["linsert l after a x", "linsert l after x y"],
        "a 1 2 x y b",
    );
}

#[test]
fn an_element_set_while_another_is_pushed_keeps_both() {
    case(&["rpush l a b"], &["lset l 0 x"], &["rpush l y"], "x b y");
    case(&["rpush l a b"], &["lset l 0 x"], &["lset l 0 y"], "y b");
    case(&["rpush l a b"], &["lset l 0 x"], &["lpop l"], "b");
    case(&["rpush l a b"], &["lpop l"], &["lset l 0 x"], "b");
}

#[test]
fn an_insert_lands_between_its_neighbours() {
    case(&["rpush l a b"], &["linsert l before b x"], &["rpush l y"], "a x b y");
    case(&["rpush l a"], &["linsert l after a y1"], &["linsert l after a y2"], "a y1 y2");
    case(&["rpush l a b c"], &["linsert l before b x"], &["lrem l 0 b"], "a x c");
    case(&["rpush l a b c"], &["linsert l after b x"], &["lpop l 2"], "x c");
}

#[test]
fn an_element_taken_twice_takes_no_other_with_it() {
    case(&["rpush l a b c"], &["lpop l"], &["lpop l"], "b c");
    case(&["rpush l a b c"], &["rpop l"], &["lpop l"], "b");
    case(&["rpush l a b a"], &["lrem l 0 a"], &["rpush l a"], "b a");
    case(&["rpush l a"], &["lpop l"], &["rpush l y"], "y");
}

#[test]
fn a_delete_or_trim_takes_only_what_it_saw() {
    case(&["rpush l x"], &["del l"], &["rpush l y"], "y");
    case(&["rpush l x"], &["del l"], &["lpush l y", "lset l -1 z"], "y");
    case(&["rpush l a b c d"], &["ltrim l 1 2"], &["lpush l x", "rpush l y"], "x b c y");
    case(&["rpush l a b c"], &["ltrim l 5 9"], &["linsert l after b x"], "x");
    case(&["rpush l a b"], &["flushall"], &["rpush l y"], "y");
}

#[test]
fn elements_moved_alike_are_one() {
    case(&["rpush s a b"], &["lmove s l left right"], &["lmove s l left right"], "a");
    case(&["rpush s a b"], &["lmove s l left right"], &["lmove s l right left"], "b a");
    case(&["rpush s a", "rpush l z"], &["lmove s l left left"], &["lmove s l left right"], "a z");
    case(&["rpush l a b c"], &["lmove l l left right"], &["lmove l l left right"], "b c a");
    case(
        &["rpush w a b"],
        &["lmove w s left right", "lmove s l left right"],
        &["lmove w s left right", "lmove s l left right"],
        "a",
    );
    // Whoever took it from where it went has taken it.
    case(&["rpush s a b"], &["lmove s l left right", "lpop l"], &["lmove s l left right"], "");
}

#[test]
fn a_whole_list_stands_where_the_old_one_stood() {
    case(&["rpush l a b", "rpush s 1 2"], &["copy s l replace"], &["rpush l y"], "1 2 y");
    case(&["rpush l a b", "rpush s 1 2"], &["copy s l replace"], &["lpush l y"], "y 1 2");
    case(&["rpush s 1 2", "rpush t 3"], &["rename s l"], &["rename t l"], "3");
    case(&["rpush l 1 2"], &["rename l m"], &["rpush l y"], "y");
}

#[test]
fn lists_and_other_types_hide_each_other() {
    case(&[], &["set l v"], &["rpush l a"], "a");
    case(&[], &["rpush l a"], &["sadd l m"], "another type");
    case(&["rpush l a"], &["set l v"], &["rpush l b"], "b");
    case(&["rpush l a"], &["rpush l b", "rpush l c"], &["set l v"], "another type");
    case(&["rpush l a"], &["set l v", "del l"], &["rpush l b"], "b");
}

/// A queue that never rests: pruning goes on while there is always something unstable.
#[test]
fn a_busy_queue_forgets_what_left_it() {
    let mut nodes = Nodes::new(3);
    for round in 0..300 {
        nodes.run(round % 3, &format!("rpush l a{round} b{round}"));
        nodes.run((round + 1) % 3, &format!("rpush l c{round}"));
        if round % 2 == 0 {
            nodes.run((round + 2) % 3, "lpop l 3");
        }
        if round % 5 == 4 {
            nodes.settle();
            // Others write before anything is stable.
            nodes.run(0, "lpush l x");
        }
    }
    let engine = &nodes.0[0].0;
    let mut unit = engine.begin(&engine.turn(nodes.1), 0, LockPlan::Everything);
    let key = unit.key(b"l");
    let list = unit.list(&key).expect("a list").expect("there");
    assert!(list.total() - list.len() < 120, "{} of {} are dead", list.total() - list.len(), list.total());
    drop(unit);
    nodes.settle();
    let shown: Vec<String> = (0..3).map(|at| nodes.shown(at, "l")).collect();
    assert!(shown.iter().all(|s| *s == shown[0]));
}
