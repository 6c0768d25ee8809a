use std::time::Duration;

use node::{Node, Options, converged, linked, until};
use tests::proxy::{Conditions, Path};

use crate::node;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_link_and_exchange_in_both_directions() {
    let a = Node::start(1, Options::default()).await;
    let b = Node::start(2, Options { join: vec![a.addr()], ..Options::default() }).await;
    let took = linked(SOON, &[&a, &b]).await;
    eprintln!("linked after {took:?}");
    for _ in 0..500 {
        a.write(3, 20);
        b.write(3, 20);
    }
    let took = converged(SOON, &[&a, &b]).await;
    eprintln!("converged after {took:?}");
    until("stable", SOON, &[&a, &b], || {
        a.memory.stable() == a.memory.shown() && b.memory.stable() == b.memory.shown()
    })
    .await;
    eprintln!("{:#?}", a.beacon.links());
}
