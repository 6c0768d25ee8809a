//! Nodes find each other by DNS: SRV records, names, plain services; names that change; names that lead nowhere.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use node::{Node, Options, converged, linked, until};
use tests::cluster::{await_that, info};
use tests::dns::DnsServer;
use tests::server::Server;

use crate::node;

const SOON: Duration = Duration::from_secs(20);
const HOME: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn port(node: &Node) -> u16 {
    node.addr().parse::<SocketAddr>().unwrap().port()
}

fn joining(dns: &DnsServer, name: &str) -> Options {
    Options { join: vec![name.into()], dns_servers: vec![dns.addr()], ..Options::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_found_by_the_services_of_a_name() {
    let dns = DnsServer::start().unwrap();
    let a = Node::start(1, Options::default()).await;
    let b = Node::start(2, Options::default()).await;
    dns.set_addresses("n1.atoll.test", &[HOME]);
    dns.set_addresses("n2.atoll.test", &[HOME]);
    let services = [(0, port(&a), "n1.atoll.test"), (0, port(&b), "n2.atoll.test")];
    dns.set_services("_atoll._udp.eu.atoll.test", &services);
    // The name itself leads elsewhere: services come first.
    dns.set_addresses("eu.atoll.test", &[Ipv4Addr::new(127, 0, 0, 9)]);
    let c = Node::start(3, joining(&dns, "eu.atoll.test")).await;
    let d = Node::start(4, joining(&dns, "_atoll._udp.eu.atoll.test")).await;
    let all = [&a, &b, &c, &d];
    linked(SOON, &all).await;
    all.iter().for_each(|n| n.write(5, 20));
    converged(SOON, &all).await;
    until("everything a name leads to is linked", SOON, &all, || c.beacon.joins()[0].linked).await;
    assert_eq!(c.beacon.joins()[0].addrs.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_alone_asks_again_and_follows_a_name_that_changes() {
    let dns = DnsServer::start().unwrap();
    let a = Node::start(1, Options::default()).await;
    let b = Node::start(2, joining(&dns, "_atoll._udp.atoll.test")).await;
    until("a name without records is told", SOON, &[&b], || {
        b.beacon.joins()[0].reason == "_atoll._udp.atoll.test has no SRV records"
    })
    .await;
    let alarms = b.beacon.alarms();
    assert_eq!(alarms[0].name, "dns");
    assert!(alarms[0].text.contains("_atoll._udp.atoll.test"), "{alarms:?}");
    // A target without an address, then one that nobody answers at, then the right one.
    dns.set_services("_atoll._udp.atoll.test", &[(0, port(&a), "gone.atoll.test")]);
    until("a target without an address is told", SOON, &[&b], || {
        b.beacon.joins()[0].reason.contains("gone.atoll.test has no address records")
    })
    .await;
    dns.set_addresses("n1.atoll.test", &[HOME]);
    // Of two priorities the first that leads anywhere.
    let services = [(1, 9, "n1.atoll.test"), (0, port(&a), "n1.atoll.test")];
    dns.set_services("_atoll._udp.atoll.test", &services);
    linked(SOON, &[&a, &b]).await;
    until("linked", SOON, &[&b], || b.beacon.joins()[0].linked && b.beacon.joins()[0].reason.is_empty())
        .await;
}

#[test]
fn a_server_joins_by_name_and_says_in_info_where_names_lead() {
    let dns = DnsServer::start().unwrap();
    let name_server = dns.addr().to_string();
    let common = ["--default-mode", "unsafe", "--cluster-secret", "the tests' secret", "--dns-server"];
    let a = Server::with(&common[..4]);
    let join = "eu.atoll.test,nowhere.atoll.test,n1.atoll.test:1";
    dns.set_addresses("n1.atoll.test", &[HOME]);
    dns.set_services("_atoll._udp.eu.atoll.test", &[(0, a.port() + 1000, "n1.atoll.test")]);
    let mut b = Server::stopped(&common);
    b.add_args(&[&name_server, "--join", join]);
    b.allow_log("nowhere.atoll.test cannot be resolved");
    b.launch();
    let told = || info(&b, "replication");
    let led = format!("join0:name=eu.atoll.test,linked=1,addresses=127.0.0.1:{},reason=\r", a.port() + 1000);
    await_that("the name led to the other node", SOON, || {
        told().contains(&led) && told().contains("links_up:1")
    });
    let nowhere = "join1:name=nowhere.atoll.test,linked=0,addresses=,reason=neither _atoll._udp.nowhere.atoll.test nor \
                   nowhere.atoll.test has records that lead anywhere";
    await_that("the name without records is told", SOON, || told().contains(nowhere));
    await_that("an address that nobody answers at is told", SOON, || {
        told().contains("join2:name=n1.atoll.test:1,linked=0,addresses=127.0.0.1:1,reason=")
    });
}
