//! Programs of several versions and clocks that go wrong: what is not understood stops a link with words, never data.

use std::time::Duration;

use beacon::{Alarm, LinkState};
use node::{Node, Options, converged, linked, until};
use proto::resp::Value;
use tests::cluster::{await_that, info};
use tests::server::Server;

use crate::node;

const SOON: Duration = Duration::from_secs(20);

fn alarm(node: &Node, name: &str) -> Option<Alarm> {
    node.beacon.alarms().into_iter().find(|a| a.name == name)
}

fn is_linked(node: &Node) -> bool {
    node.beacon.links().iter().any(|l| l.state == LinkState::Up)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effect_of_an_unknown_kind_stops_the_link_and_names_it() {
    let a = Node::start(1, Options::default()).await;
    let b = Node::start(2, Options { join: vec![a.addr()], ..Options::default() }).await;
    linked(SOON, &[&a, &b]).await;
    a.write(3, 10);
    converged(SOON, &[&a, &b]).await;
    a.write_unknown();
    let words = "unknown effect kind 99, written by a newer version: upgrade this node";
    until("the receiver says so", SOON, &[&a, &b], || {
        alarm(&b, "level").is_some_and(|a| a.text.contains(words))
    })
    .await;
    until("it is not linked", SOON, &[&a, &b], || !is_linked(&b)).await;
    assert_eq!(b.memory.shown().seq(proto::NodeId(1)).0, 3, "nothing of it is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_ahead_closes_the_link_whoever_dialled_it() {
    let a = Node::start(1, Options::default()).await;
    let b = Node::start(2, Options { join: vec![a.addr()], ..Options::default() }).await;
    for (jumps, other) in [(&a, &b), (&b, &a)] {
        linked(SOON, &[&a, &b]).await;
        jumps.memory.skew(5_000);
        until("the other refuses it", SOON, &[&a, &b], || {
            let ahead = alarm(other, "clock_ahead");
            ahead.is_some_and(|a| a.text.contains(&jumps.addr()) && a.text.contains("check NTP"))
        })
        .await;
        until("it hears why", SOON, &[&a, &b], || alarm(jumps, "refused").is_some()).await;
        until("the link is down", SOON, &[&a, &b], || !is_linked(&a) && !is_linked(&b)).await;
        jumps.memory.skew(0);
    }
    linked(SOON, &[&a, &b]).await;
    a.write(3, 10);
    converged(SOON, &[&a, &b]).await;
}

#[test]
fn a_cluster_is_at_the_level_of_its_oldest_program_and_rises_when_that_is_upgraded() {
    const COMMON: [&str; 4] = ["--default-mode", "unsafe", "--cluster-secret", "the tests' secret"];
    let older = [&COMMON[..], &["--feature-level", "1"]].concat();
    let mut a = Server::with(&older);
    let join = format!("127.0.0.1:{}", a.port() + 1000);
    let mut b = Server::with(&[&COMMON[..], &["--join", &join]].concat());
    for node in [&mut a, &mut b] {
        node.allow_log("knows feature level 1, its cluster is at 2 already");
    }
    let at = |node: &Server, level: u32| {
        let told = info(node, "replication");
        told.contains(&format!("feature_level:{level}\r")) && told.contains("links_up:1\r")
    };
    await_that("both are at the older level", SOON, || at(&a, 1) && at(&b, 1));
    let refused = b.client().call(&["HSET", "h", "f", "v"]).expect("an answer");
    let Value::Error(why) = &refused else { panic!("{refused:?}") };
    let why = String::from_utf8_lossy(why);
    assert!(why.starts_with("ERR 'hset' needs feature level 2 on every node, and node "), "{why}");
    assert!(why.contains(&join) && why.ends_with("knows 1: upgrade it first"), "{why}");
    a.client().run("SET k from-a");
    await_that("it came over", SOON, || b.client().run("GET k") == a.client().run("GET k"));
    // The level is known of a member that is down as well.
    a.terminate();
    b.terminate();
    b.launch();
    assert!(info(&b, "replication").contains("feature_level:1\r"));
    a.set_arg("--feature-level", "2");
    a.launch();
    await_that("both rose", SOON, || at(&a, 2) && at(&b, 2));
    assert_eq!(b.client().run("HSET h f v"), Value::Integer(1));
    // From now on an older program is refused, and both sides say why.
    let mut c = Server::stopped(&[&older[..], &["--join", &join]].concat());
    c.allow_log("knows feature level 1, its cluster is at 2 already");
    c.launch();
    let words = "knows feature level 1, its cluster is at 2 already: upgrade it";
    await_that("the older one hears why", SOON, || info(&c, "replication").contains(words));
    await_that("the cluster says why", SOON, || info(&a, "replication").contains(words));
    assert!(info(&c, "replication").contains("links_up:0"));
}
