//! Five nodes in three regions: one copy of each effect enters a region, the next relay takes over, older levels still get
//! everything.

use std::time::Duration;

use engine::replication::Reach;
use node::{Node, Options, converged, linked, until};
use proto::NodeId;

use crate::node;

const SOON: Duration = Duration::from_secs(20);
const REGIONS: [&str; 5] = ["eu", "eu", "us", "us", "ap"];

async fn five(options: impl Fn(u64) -> Options) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for (id, region) in (1..).zip(REGIONS) {
        let join = nodes.first().map(Node::addr).into_iter().collect();
        nodes.push(Node::start(id, Options { region, join, ..options(id) }).await);
    }
    let all: Vec<&Node> = nodes.iter().collect();
    linked(SOON, &all).await;
    settled(&all).await;
    nodes
}

/// Waits until everyone knows whom everyone reaches.
async fn settled(all: &[&Node]) {
    until("all reach all", SOON, all, || {
        let seen = |n: &&Node| {
            let reach = n.beacon.reachability();
            reach.iter().filter(|r| r.reach == Reach::Live && r.witnesses + 2 == all.len()).count()
        };
        all.iter().all(|n| seen(n) == all.len() - 1)
    })
    .await;
}

/// Effects that each node sent into other regions so far.
fn sent_abroad(nodes: &[&Node]) -> u64 {
    let abroad = |n: &&Node| -> u64 {
        let sent = n.beacon.sent().into_iter();
        sent.filter(|r| r.region != n.region()).map(|r| r.effects).sum()
    };
    nodes.iter().map(abroad).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_copy_of_each_effect_enters_each_other_region() {
    let nodes = five(|_| Options::default()).await;
    let all: Vec<&Node> = nodes.iter().collect();
    // The last change of mind about relays has come through when a round costs what it should.
    loop {
        let before = sent_abroad(&all);
        all.iter().for_each(|n| n.write(1, 40));
        converged(SOON, &all).await;
        if sent_abroad(&all) - before == 5 * 2 {
            break;
        }
    }
    let came = || all.iter().map(|n| n.memory.received().1).sum::<u64>();
    let (before, duplicates) = (sent_abroad(&all), came());
    for _ in 0..300 {
        all.iter().for_each(|n| n.write(4, 40));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    converged(SOON, &all).await;
    // Each of 6000 effects into two other regions: 1.00 copies, also where a machine out of breath suspects a relay.
    let sent = sent_abroad(&all) - before;
    assert!((12_000..12_060).contains(&sent), "{sent} effects sent abroad");
    assert!(came() - duplicates < 30, "{} batches came twice", came() - duplicates);
    let relayed: u64 = all.iter().flat_map(|n| n.beacon.links()).map(|l| l.relayed_batches).sum();
    assert!(relayed > 0);
    until("everything becomes stable", SOON, &all, || {
        all.iter().all(|n| n.memory.stable() == n.memory.shown())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_relay_takes_over_from_one_that_stops_under_load() {
    let mut nodes = five(|_| Options::default()).await;
    // Of the first node's effects into the second region.
    let relay = [3, 4].into_iter().max_by_key(|n| beacon::relay::rank(NodeId(1), NodeId(*n))).unwrap();
    for _ in 0..100 {
        nodes[0].write(4, 40);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let stopped = nodes.remove(relay as usize - 1);
    let memory = stopped.memory.clone();
    drop(stopped);
    let written = std::time::Instant::now();
    while written.elapsed() < Duration::from_secs(3) {
        nodes[0].write(4, 40);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let all: Vec<&Node> = nodes.iter().collect();
    converged(SOON, &all).await;
    assert!(memory.shown().seq(NodeId(1)) < nodes[0].memory.shown().seq(NodeId(1)));
    let left: Vec<_> = nodes[0].beacon.reachability();
    assert!(left.iter().any(|r| r.node == NodeId(relay) && r.reach == Reach::Left), "{left:?}");
    let sent = nodes[0].beacon.sent();
    let copies = sent.iter().find(|r| r.region == "us").unwrap().copies();
    assert!(copies < 1.25, "{copies} copies into the region that lost its relay");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_says_goodbye_has_left_at_once() {
    let a = Node::start(1, Options::default()).await;
    let b = Node::start(2, Options { join: vec![a.addr()], ..Options::default() }).await;
    linked(SOON, &[&a, &b]).await;
    settled(&[&a, &b]).await;
    // What is written last is not left behind.
    b.write(20, 100);
    b.beacon.shutdown().await;
    assert_eq!(a.memory.shown().seq(NodeId(2)).0, 20);
    let took = until("left", SOON, &[&a], || a.beacon.reachability()[0].reach == Reach::Left).await;
    assert!(took < Duration::from_millis(1_000), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_node_among_newer_ones_gets_and_gives_everything() {
    let nodes = {
        let mut nodes: Vec<Node> = Vec::new();
        for (id, region) in (1..).zip(REGIONS) {
            let join = nodes.first().map(Node::addr).into_iter().collect();
            let level = if id == 1 { 1 } else { 2 };
            nodes.push(Node::start(id, Options { region, join, level, ..Options::default() }).await);
        }
        nodes
    };
    let all: Vec<&Node> = nodes.iter().collect();
    linked(SOON, &all).await;
    for _ in 0..100 {
        all.iter().for_each(|n| n.write(4, 40));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    converged(SOON, &all).await;
    let (_, duplicates) = nodes[0].memory.received();
    assert_eq!(duplicates, 0, "each origin streams to the older node itself, and nobody else does");
}
