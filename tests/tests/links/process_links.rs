//! Links between nodes through the proxy: order kept under loss and reordering, gaps repaired, cuts survived, strangers refused.

use std::time::Duration;

use node::{Node, Options, converged, linked, until};
use tests::proxy::{Conditions, Path};

use crate::node;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_exchange_and_everything_becomes_stable() {
    let a = Node::start(1, Options::default()).await;
    let b = Node::start(2, Options { join: vec![a.addr()], ..Options::default() }).await;
    linked(SOON, &[&a, &b]).await;
    for _ in 0..500 {
        a.write(3, 20);
        b.write(3, 20);
    }
    converged(SOON, &[&a, &b]).await;
    until("stable", SOON, &[&a, &b], || {
        a.memory.stable() == a.memory.shown() && b.memory.stable() == b.memory.shown()
    })
    .await;
    let (received, duplicates) = b.memory.received();
    assert!(received >= 1 && duplicates == 0, "{received} received, {duplicates} twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_line_keeps_causal_order_and_loses_nothing() {
    let bad = Path {
        delay: Duration::from_millis(10),
        jitter: Duration::from_millis(10),
        loss: 0.05,
        duplicate: 0.05,
        reorder: 0.1,
        ..Path::default()
    };
    let a = Node::start(1, Options::default()).await;
    let mut nodes = vec![a];
    for id in 2..4 {
        let join = vec![nodes[0].addr()];
        nodes.push(Node::start(id, Options { join, ..Options::default() }).await);
    }
    nodes.iter().for_each(|n| n.proxy.set(Conditions::both(bad)));
    let all: Vec<&Node> = nodes.iter().collect();
    linked(SOON, &all).await;
    for _ in 0..200 {
        nodes.iter().for_each(|n| n.write(5, 100));
    }
    converged(SOON, &all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_megabytes_cross_a_long_lossy_line_in_reasonable_time() {
    let line = Conditions::wan(40, 0.05);
    let a = Node::start(1, Options::default()).await;
    a.proxy.set(line);
    let b = Node::start(2, Options { join: vec![a.addr()], ..Options::default() }).await;
    b.proxy.set(line);
    linked(SOON, &[&a, &b]).await;
    for _ in 0..500 {
        a.write(1, 10_000);
    }
    // Halving its rate at each loss, a sender would need minutes.
    converged(SOON, &[&a, &b]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_is_repaired_by_whoever_has_it() {
    let a = Node::start(1, Options::default()).await;
    let b = Node::start(2, Options { join: vec![a.addr()], ..Options::default() }).await;
    linked(SOON, &[&a, &b]).await;
    a.write(10, 100);
    converged(SOON, &[&a, &b]).await;
    // The author is gone when the third asks.
    drop(a);
    let c = Node::start(3, Options { join: vec![b.addr()], ..Options::default() }).await;
    converged(SOON, &[&b, &c]).await;
    assert_eq!(c.memory.shown().seq(proto::NodeId(1)).0, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_a_restart_and_a_one_way_cut_heal() {
    let a = Node::start(1, Options::default()).await;
    let mut b = Node::start(2, Options { join: vec![a.addr()], ..Options::default() }).await;
    linked(SOON, &[&a, &b]).await;
    a.proxy.set(Conditions::default().cut());
    b.proxy.set(Conditions::default().cut());
    a.write(100, 50);
    b.write(100, 50);
    b = b.restart().await;
    a.proxy.set(Conditions::default());
    b.proxy.set(Conditions::default());
    converged(SOON, &[&a, &b]).await;
    // What one side hears and the other does not is no link either.
    let deaf = Conditions { back: Path { cut: true, ..Path::default() }, ..Conditions::default() };
    a.proxy.set(deaf);
    b.proxy.set(deaf);
    a.write(100, 50);
    a.proxy.set(Conditions::default());
    b.proxy.set(Conditions::default());
    converged(SOON, &[&a, &b]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_another_secret_gets_nothing() {
    let a = Node::start(1, Options::default()).await;
    let strange = Options { secret: b"of another cluster", join: vec![a.addr()], ..Options::default() };
    let stranger = Node::start(2, strange).await;
    let b = Node::start(3, Options { join: vec![a.addr()], ..Options::default() }).await;
    a.write(10, 10);
    stranger.write(10, 10);
    // A friend that came later is linked by the time the stranger has tried.
    converged(SOON, &[&a, &b]).await;
    assert_eq!(stranger.memory.shown().seq(proto::NodeId(1)).0, 0);
    assert_eq!(a.memory.shown().seq(proto::NodeId(2)).0, 0);
}
