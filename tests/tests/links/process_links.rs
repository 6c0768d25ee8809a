//! Links between nodes through the proxy: loss, cuts, restarts.

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_megabytes_cross_a_long_lossy_line() {
    let rate = std::env::var("RATE").ok().map(|r| r.parse::<u64>().unwrap());
    let ms = std::env::var("DELAY").map_or(40, |r| r.parse::<u64>().unwrap());
    let loss = std::env::var("LOSS").map_or(5.0, |r| r.parse::<f64>().unwrap());
    let mb = std::env::var("MB").map_or(5, |r| r.parse::<usize>().unwrap());
    let path =
        Path { delay: Duration::from_millis(ms), loss: loss / 100.0, bytes_per_s: rate, ..Path::default() };
    let a = Node::start(1, Options::default()).await;
    a.proxy.set(Conditions::both(path));
    let b = Node::start(2, Options { join: vec![a.addr()], ..Options::default() }).await;
    b.proxy.set(Conditions::both(path));
    let took = linked(SOON, &[&a, &b]).await;
    eprintln!("linked after {took:?}");
    for round in 0..3 {
        for _ in 0..100 * mb {
            a.write(1, 10_000);
        }
        let took = converged(SOON * 10, &[&a, &b]).await;
        let links = a.beacon.links();
        eprintln!(
            "{round}: converged after {took:?} sent {} wire {} rtt {}",
            links[0].sent_bytes, links[0].sent_wire_bytes, links[0].rtt_us
        );
    }
    eprintln!("{:?}", a.proxy.counts());
}
