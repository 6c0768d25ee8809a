//! Engines in few steps: members that are taken out, and checkpoints that are lent, as longer runs found them.

use std::sync::Arc;

use engine::core::{CheckpointPolicy, Engine, EngineConfig};
use engine::replication::standing::Standing;
use engine::replication::{Received, Replica};
use proto::{NodeId, Seq};
use tests::sim_disk::SimDisk;
use tests::{batches, plans};

const NOW_MS: u64 = 1_000_000;

struct Node {
    disk: SimDisk,
    engine: Arc<Engine>,
}

fn open(disk: &SimDisk, seed: u64) -> Arc<Engine> {
    let config = EngineConfig {
        databases: 1,
        expects_peers: true,
        segment_bytes: 1000,
        addr: format!("node-{seed}:1"),
        started_ms: NOW_MS,
        ..EngineConfig::default()
    };
    let mut ids = batches::ids(seed ^ disk.operations() << 20);
    let engine = Engine::open(config, disk.mount(), &mut || ids() | 1).expect("opens").0;
    engine.set_checkpoint_policy(CheckpointPolicy { retention_bytes: 0, ..Default::default() });
    engine
}

impl Node {
    fn new(seed: u64) -> Node {
        let disk = SimDisk::new(seed);
        let engine = open(&disk, seed);
        Node { disk, engine }
    }

    /// A clean stop and a start.
    fn restart(&mut self, seed: u64) {
        self.engine.end_turn().expect("a good disk");
        self.engine.log().expect("a log").close_clean().expect("a good disk");
        self.engine = open(&self.disk, seed);
    }

    fn run(&self, line: &str) {
        plans::run(&self.engine, NOW_MS, 0, line).expect("runs");
        self.engine.end_turn().expect("the log takes it");
    }

    fn checkpoint(&self) {
        self.engine.checkpoint(&|| NOW_MS, &|| false).expect("it is taken");
    }

    /// Everything that is shown here reaches the other; what became of the last batch.
    fn send(&self, to: &Node) -> Option<Received> {
        let mut last = None;
        for (origin, _) in self.engine.frontier().iter() {
            let mut bytes = Vec::new();
            let after: Seq = to.engine.frontier().seq(origin);
            self.engine.read_log(origin, after, usize::MAX, &mut bytes).expect("reads");
            for batch in beacon::frame::batches(&bytes) {
                let batch = batch.expect("whole");
                last = to.engine.batch(self.engine.node(), batch, 0).ok().or(last);
            }
        }
        last
    }

    fn shown_of(&self, other: &Node) -> Seq {
        self.engine.frontier().seq(other.engine.node())
    }

    /// All of this node's loan, taken over by the other at a start.
    fn lend(&self, to: &mut Node, seed: u64) {
        let loan = loop {
            match Replica::lend(&*self.engine).expect("it lends") {
                Some(loan) => break loan,
                None => self.checkpoint(),
            }
        };
        for wanted in Replica::borrow(&*to.engine, &loan).expect("it borrows") {
            let mut offset = Some(wanted.offset);
            while let Some(at) = offset {
                let mut bytes = Vec::new();
                offset = Replica::read_loan(&*self.engine, loan.number, wanted.part, at, 1 << 20, &mut bytes)
                    .expect("it reads");
                Replica::borrowed(&*to.engine, wanted.part, &bytes).expect("it writes");
            }
        }
        Replica::borrowed_all(&*to.engine, &self.engine.member()).expect("it is whole");
        to.restart(seed);
    }
}

fn link(a: &Node, b: &Node) -> Standing {
    let (at_a, at_b) = (a.engine.position(), b.engine.position());
    b.engine.peer_up(&a.engine.member(), &at_b, &at_a, 0);
    a.engine.peer_up(&b.engine.member(), &at_a, &at_b, 0)
}

fn three() -> [Node; 3] {
    let nodes = [1, 2, 3].map(Node::new);
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        link(&nodes[a], &nodes[b]);
    }
    nodes
}

/// Each tells the other who is evicted.
fn tell(a: &Node, b: &Node) {
    for (from, to) in [(a, b), (b, a)] {
        Replica::learn_evictions(&*to.engine, &Replica::evictions(&*from.engine)).expect("it is written");
    }
}

fn evict(by: &Node, who: &Node) -> u64 {
    let directory = who.engine.log().expect("a log").identity().directory;
    by.engine.evict_member(&format!("{directory:016x}")).expect("it is known");
    directory
}

/// Up to where effects of `origin`, an evicted one, count.
fn cut(node: &Node, directory: u64, origin: NodeId) -> Option<Seq> {
    let evictions = node.engine.evictions();
    evictions.get(directory)?.cut.as_ref().map(|cut| cut.reached.seq(origin))
}

fn is_closed(node: &Node, directory: u64) -> bool {
    node.engine.evictions().get(directory).is_some_and(|eviction| eviction.cut.is_some())
}

#[test]
fn what_waited_for_its_causes_when_its_origin_was_fenced_is_not_shown_later() {
    let [a, b, c] = three();
    b.run("set cause 1");
    b.send(&a);
    // It saw what the third has not got.
    a.run("set effect 1");
    let mut bytes = Vec::new();
    a.engine.read_log(a.engine.node(), Seq(0), usize::MAX, &mut bytes).expect("reads");
    let held = c.engine.batch(a.engine.node(), &bytes, 0).expect("a good batch");
    assert_eq!(held, Received::Held);
    let gone = evict(&b, &a);
    tell(&b, &c);
    assert!(is_closed(&b, gone));
    b.send(&c);
    assert_eq!((c.shown_of(&b), c.shown_of(&a)), (Seq(1), Seq(0)), "beyond the cut nothing is shown");
}

#[test]
fn whoever_evicted_a_node_closes_it_whatever_the_node_says_of_itself() {
    let [a, b, c] = three();
    let gone = evict(&a, &c);
    // It hears of it by a closed link, later by the clock, and meets the second first.
    c.run("set unseen 1");
    c.engine.tick(NOW_MS + 1000);
    c.engine.become_evicted(gone);
    c.engine.step(0, &mut Vec::new());
    tell(&c, &b);
    tell(&b, &a);
    assert!(is_closed(&a, gone));
    let cut = a.engine.evictions().get(gone).and_then(|eviction| eviction.cut.clone()).expect("a cut");
    assert_eq!(cut.reached.seq(c.engine.node()), Seq(0), "nobody who remains has what it wrote last");
}

#[test]
fn who_came_from_an_evicted_node_alone_begins_again_as_a_new_member() {
    let [a, b, c] = three();
    // It meets only the one that is evicted at the same time, and shows what nobody else does.
    let d = Node::new(4);
    link(&c, &d);
    c.run("set seen-by one");
    c.send(&d);
    d.run("incrby counter 3");
    let gone = evict(&a, &c);
    tell(&a, &b);
    assert!(is_closed(&a, gone));
    let old = d.engine.log().expect("a log").identity().directory;
    tell(&d, &a);
    assert!(d.engine.was_evicted() && !a.engine.was_evicted());
    tell(&d, &a);
    tell(&a, &b);
    tell(&a, &b);
    assert!(is_closed(&a, old), "and nothing waits for what it was");
}

#[test]
fn an_eviction_whose_evictor_is_lost_is_closed_by_who_evicts_that_one() {
    let nodes = three();
    let d = Node::new(4);
    nodes.iter().for_each(|node| _ = link(node, &d));
    let [a, b, c] = nodes;
    let gone = evict(&a, &c);
    tell(&a, &b);
    // The third node's fence never came, and now the first is lost as well.
    let lost = evict(&b, &a);
    tell(&b, &d);
    assert!(is_closed(&b, lost) && is_closed(&b, gone));
}

#[test]
fn a_checkpoint_from_before_the_state_was_worked_out_again_is_not_lent() {
    let [mut a, b] = [1, 2].map(Node::new);
    link(&a, &b);
    for n in 0..40 {
        a.run(&format!("set key:{n} value"));
    }
    a.send(&b);
    a.engine.informed(b.engine.node(), &b.engine.members());
    a.engine.acked(b.engine.node(), &b.engine.ack(), 0);
    a.engine.prune_step();
    a.checkpoint();
    a.restart(1);
    // A stranger that wrote before it met anybody.
    let c = Node::new(3);
    c.run("incrby counter 1");
    let whole = b.engine.log().expect("a log").begins_at().0 == 0;
    assert!(whole);
    link(&b, &c);
    assert!(Replica::lend(&*b.engine).expect("it will lend").is_none(), "there is none yet");
    b.checkpoint();
    c.send(&b);
    let mut d = Node::new(4);
    link(&b, &d);
    b.lend(&mut d, 5);
    assert_eq!(d.engine.digest(NOW_MS).0, b.engine.digest(NOW_MS).0);
    assert_eq!(d.shown_of(&c), Seq(1));
}

/// A log without its beginning, all of it settled.
fn shortened() -> (Node, Node) {
    let [a, b] = [1, 2].map(Node::new);
    link(&a, &b);
    for n in 0..40 {
        a.run(&format!("set key:{n} value"));
    }
    a.send(&b);
    a.engine.informed(b.engine.node(), &b.engine.members());
    a.engine.acked(b.engine.node(), &b.engine.ack(), 0);
    a.engine.prune_step();
    a.checkpoint();
    assert!(a.engine.log().expect("a log").begins_at().0 > 0);
    (a, b)
}

#[test]
fn early_writes_that_another_member_merged_are_not_done_again() {
    let (a, b) = shortened();
    let mut c = Node::new(3);
    c.run("incrby counter 5");
    c.run("incrby counter 2");
    let first = c.engine.node();
    // The second still has the whole log, and merges what the new one wrote.
    assert!(link(&c, &b).is_level());
    c.send(&b);
    assert_eq!(link(&c, &a), Standing::Behind { stranger: true });
    a.lend(&mut c, 7);
    assert_eq!(c.engine.frontier().seq(first), Seq(0));
    assert_eq!(c.engine.late_sets().expect("reads").len(), 1);
    let step = |c: &Node| c.engine.late_step(&c.engine.turn(NOW_MS)).expect("it goes on");
    assert!(!step(&c), "nobody has said yet what it has");
    link(&c, &a);
    assert!(!step(&c), "the second may have it");
    link(&c, &b);
    assert!(!step(&c), "it has it, and tells it");
    // It cannot be merged here: the second's state is taken over.
    b.send(&c);
    assert_eq!(link(&c, &b), Standing::Behind { stranger: false });
    b.lend(&mut c, 8);
    assert!(step(&c), "it is settled");
    assert!(c.engine.late_sets().expect("reads").is_empty());
    assert_eq!(c.shown_of(&c), Seq(0), "nothing was done again");
    assert_eq!(c.engine.digest(NOW_MS).0, b.engine.digest(NOW_MS).0);
}

#[test]
fn log_is_kept_while_a_checkpoint_is_borrowed() {
    let (a, mut c) = (Node::new(1), Node::new(3));
    link(&a, &c);
    for n in 0..40 {
        a.run(&format!("set key:{n} value"));
    }
    // Nobody is waited for: a member that was away begins behind.
    let bounded = CheckpointPolicy { retention_bytes: 0, absent_bytes: 1, ..Default::default() };
    for node in [&a, &c] {
        node.engine.set_checkpoint_policy(bounded.clone());
    }
    a.checkpoint();
    c.run("incrby counter 5");
    assert_eq!(link(&c, &a), Standing::Behind { stranger: false });
    let loan = Replica::lend(&*a.engine).expect("it lends").expect("it has one");
    Replica::borrow(&*c.engine, &loan).expect("it begins");
    for n in 0..40 {
        c.run(&format!("set own:{n} value"));
    }
    c.checkpoint();
    assert_eq!(c.engine.log().expect("a log").begins_at().0, 0);
    a.lend(&mut c, 7);
    for node in [&a, &c] {
        assert_eq!(node.engine.db_len(0).0, if std::ptr::eq(node, &c) { 81 } else { 40 });
    }
}

#[test]
fn what_others_wrote_is_kept_apart_and_not_replayed_unasked() {
    let (a, _b) = shortened();
    let [mut c, d] = [3, 4].map(Node::new);
    link(&c, &d);
    c.run("incrby counter 5");
    d.run("incrby counter 70");
    d.send(&c);
    assert_eq!(link(&c, &a), Standing::Behind { stranger: true });
    let (own, other) = (c.engine.node(), d.engine.node());
    a.lend(&mut c, 7);
    let sets = c.engine.late_sets().expect("reads");
    let told: Vec<_> = sets
        .iter()
        .map(|set| (set.replays, c.engine.late_effects(set.id, 9).expect("reads")[0].id.node))
        .collect();
    assert_eq!(told, [(true, own), (false, other)]);
}

#[test]
fn who_waits_for_a_checkpoint_keeps_the_link_that_brings_it() {
    let (a, b) = shortened();
    let c = Node::new(3);
    c.run("incrby counter 5");
    assert!(link(&c, &b).is_level());
    c.send(&b);
    let mut bytes = Vec::new();
    b.engine.read_log(c.engine.node(), Seq(0), usize::MAX, &mut bytes).expect("reads");
    link(&b, &a);
    assert!(a.engine.batch(b.engine.node(), &bytes, 0).is_err(), "the first time the link begins again");
    assert_eq!(link(&a, &b), Standing::Behind { stranger: false });
    assert_eq!(a.engine.batch(b.engine.node(), &bytes, 0).expect("the link stays"), Received::Dropped);
}

#[test]
fn whoever_has_what_cannot_be_merged_is_asked_when_the_first_lender_is_gone() {
    let (a, b) = shortened();
    let [c, d] = [3, 4].map(Node::new);
    c.run("incrby counter 5");
    for node in [&b, &d] {
        link(&c, node);
        c.send(node);
    }
    link(&d, &b);
    b.send(&d);
    let mut bytes = Vec::new();
    b.engine.read_log(c.engine.node(), Seq(0), usize::MAX, &mut bytes).expect("reads");
    for node in [&b, &d] {
        link(node, &a);
    }
    let from = |peer: &Node| a.engine.batch(peer.engine.node(), &bytes, 0);
    assert!(from(&b).is_err(), "the link begins again");
    assert_eq!(link(&a, &b), Standing::Behind { stranger: false });
    assert_eq!(from(&d).expect("one lends already"), Received::Dropped);
    Replica::peer_down(&*a.engine, b.engine.node(), 0);
    assert!(from(&d).is_err(), "nobody lends: this link begins again too");
    assert_eq!(link(&a, &d), Standing::Behind { stranger: false });
}

/// Four, of which the third wrote what only the fourth has, and is evicted: all have fenced it and know the cut.
fn closed_by_the_word_of_one() -> ([Node; 4], u64) {
    let [a, b, c] = three();
    let d = Node::new(4);
    [&a, &b, &c].into_iter().for_each(|node| _ = link(node, &d));
    c.run("set seen-by one");
    c.send(&d);
    let gone = evict(&a, &c);
    for other in [&b, &d, &b, &d] {
        tell(&a, other);
    }
    let node = c.engine.node();
    assert_eq!([&a, &b, &d].map(|at| cut(at, gone, node)), [Some(Seq(1)); 3]);
    ([a, b, c, d], gone)
}

#[test]
fn a_cut_that_only_a_lost_member_reached_is_closed_again() {
    let ([a, b, c, d], gone) = closed_by_the_word_of_one();
    let lost = evict(&a, &d);
    tell(&a, &b);
    tell(&a, &b);
    assert!(is_closed(&b, lost));
    assert_eq!([&a, &b].map(|at| cut(at, gone, c.engine.node())), [Some(Seq(0)); 2]);
    d.send(&b);
    assert_eq!(b.shown_of(&c), Seq(0), "beyond the new cut nothing is shown");
    // Nothing waits for either of them.
    a.run("set after evictions");
    a.send(&b);
    a.engine.informed(b.engine.node(), &b.engine.members());
    a.engine.acked(b.engine.node(), &b.engine.ack(), 0);
    a.engine.prune_step();
    assert_eq!(a.engine.shard_stats().2, 0, "it is stable");
    let states: Vec<_> = a.engine.member_list().into_iter().map(|m| (m.state, m.waits_for)).collect();
    assert_eq!(states.iter().filter(|(state, waits)| *state == "evicted" && waits.is_empty()).count(), 2);
}

#[test]
fn who_alone_has_what_counts_of_an_evicted_member_is_waited_for_by_name() {
    let ([a, _b, _c, d], gone) = closed_by_the_word_of_one();
    let told = |node: &Node| {
        let list = node.engine.member_list();
        list.into_iter().find(|m| m.member.directory == gone).map(|m| (m.state, m.waits_for))
    };
    assert_eq!(told(&a), Some(("evicting", vec![d.engine.member().directory])));
    d.send(&a);
    assert_eq!(told(&a), Some(("evicted", vec![])));
    assert_eq!(told(&d), Some(("evicted", vec![])));
}

#[test]
fn what_another_took_from_a_lost_member_still_counts() {
    let ([a, b, c, d], gone) = closed_by_the_word_of_one();
    d.send(&b);
    assert_eq!(b.shown_of(&c), Seq(1));
    evict(&a, &d);
    b.send(&a);
    assert_eq!(a.shown_of(&c), Seq(0), "the second has not said yet that it has it");
    tell(&a, &b);
    assert_eq!(cut(&a, gone, c.engine.node()), Some(Seq(1)));
    b.send(&a);
    assert_eq!(a.shown_of(&c), Seq(1));
}

#[test]
fn who_is_evicted_again_before_it_returned_returns_as_the_next() {
    let [a, _b, mut c] = three();
    evict(&a, &c);
    tell(&a, &c);
    let first = c.engine.member().directory;
    link(&a, &c);
    a.engine.evict_member(&format!("{first:016x}")).expect("it is known");
    tell(&a, &c);
    let next = c.engine.member().directory;
    assert_ne!(next, first);
    // Somebody else says so too.
    c.engine.become_evicted(first);
    assert_eq!(c.engine.member().directory, next);
    c.restart(8);
    assert_eq!((c.engine.was_evicted(), c.engine.member().directory), (true, next), "also after a start");
    a.run("set before its-return");
    link(&a, &c);
    a.lend(&mut c, 9);
    assert!(!c.engine.was_evicted());
    assert_eq!(c.engine.log().expect("a log").identity().directory, next);
    assert_eq!(c.engine.digest(NOW_MS).0, a.engine.digest(NOW_MS).0);
}
