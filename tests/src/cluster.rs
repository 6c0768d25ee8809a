//! Several real nodes in one cluster, each behind its own UDP proxy.
//!
//! Peers know only the proxies' addresses, so whatever a proxy does to packets holds for every link to its node. A link belongs to
//! the node that was dialled: to isolate nodes, cut all proxies.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use proto::resp::Value;

use crate::proxy::{Conditions, Proxy};
use crate::server::Server;

const SECRET: &str = "the tests' secret";
const POLL_INTERVAL: Duration = Duration::from_millis(20);

pub struct Cluster {
    pub nodes: Vec<Server>,
    pub proxies: Vec<Proxy>,
}

impl Cluster {
    /// Starts `count` nodes, each in a region of its own, on which every key merges; all but the first join the first. `args`:
    /// more flags of `atoll serve`.
    pub fn start(count: usize, conditions: Conditions, args: &[&str]) -> Cluster {
        let regions: Vec<String> = (0..count).map(|i| format!("r{i}")).collect();
        let regions: Vec<&str> = regions.iter().map(String::as_str).collect();
        Self::start_in(&regions, conditions, args)
    }

    /// As [`Cluster::start`], with a node in each of `regions`, which may repeat.
    pub fn start_in(regions: &[&str], conditions: Conditions, args: &[&str]) -> Cluster {
        let mut cluster = Cluster { nodes: Vec::new(), proxies: Vec::new() };
        for region in regions {
            cluster.add_in(region, conditions, args);
        }
        cluster
    }

    /// Starts one more node in a region of its own; returns its place.
    pub fn add(&mut self, conditions: Conditions, args: &[&str]) -> usize {
        self.add_in(&format!("r{}", self.nodes.len()), conditions, args)
    }

    fn add_in(&mut self, region: &str, conditions: Conditions, args: &[&str]) -> usize {
        let i = self.nodes.len();
        let mut node = Server::stopped(&["--default-mode", "unsafe", "--cluster-secret", SECRET]);
        let target = SocketAddr::from(([127, 0, 0, 1], node.port() + 1000));
        let proxy = Proxy::start(target, 7 + i as u64).expect("a proxy");
        proxy.set(conditions);
        node.add_args(&["--cluster-advertise", &proxy.addr().to_string()]);
        node.add_args(&["--region", region]);
        node.add_args(args);
        if let Some(first) = self.proxies.first() {
            node.add_args(&["--join", &first.addr().to_string()]);
        }
        node.launch();
        self.proxies.push(proxy);
        self.nodes.push(node);
        i
    }

    /// Packets that arrive from now on fare so, at every proxy.
    pub fn set(&self, conditions: Conditions) {
        self.proxies.iter().for_each(|proxy| proxy.set(conditions));
    }

    /// What happens to packets from node `from` to node `to` and back from now on, whoever dialled; `None`: as to all.
    pub fn between(&self, from: usize, to: usize, conditions: Option<Conditions>) {
        let source = |node: usize| SocketAddr::from(([127, 0, 0, 1], self.nodes[node].port() + 1000));
        let turned = conditions.map(|c| Conditions { to: c.back, back: c.to });
        self.proxies[to].set_peer(source(from), conditions);
        self.proxies[from].set_peer(source(to), turned);
    }

    /// Cuts every path between nodes of `these` and the others, or heals them.
    pub fn isolate(&self, these: &[usize], cut: bool) {
        for a in these {
            for b in (0..self.nodes.len()).filter(|b| !these.contains(b)) {
                self.between(*a, b, cut.then(|| Conditions::default().cut()));
            }
        }
    }

    /// Waits until each node counts all others as up.
    pub fn await_links(&self, deadline: Duration) {
        let want = format!("links_up:{}", self.nodes.len() - 1);
        await_that("every node has all its links", deadline, || {
            self.nodes.iter().all(|node| info(node, "replication").contains(&want))
        });
    }

    /// Waits until all nodes show the same; how long that took.
    pub fn await_one_digest(&self, deadline: Duration) -> Duration {
        let start = Instant::now();
        let same = || self.nodes.iter().map(digest).collect::<BTreeSet<String>>().len() == 1;
        while !same() {
            if start.elapsed() > deadline {
                for node in &self.nodes {
                    eprintln!("{} with {:?}", digest(node), node.client().run("ATOLL.FRONTIER"));
                    eprintln!("{}", info(node, "replication"));
                }
                panic!("the nodes do not show the same within {deadline:?}");
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        start.elapsed()
    }
}

/// Waits until a node has started again by itself: with a checkpoint of a peer, or as a new member.
pub fn await_second_start(node: &Server, deadline: Duration) {
    await_that("the node has started again", deadline, || {
        let log = node.log();
        log.split_once("the node starts again").is_some_and(|(_, after)| after.contains("ready to accept"))
    });
}

/// Every member is known to have all that the node shows.
pub fn is_stable(node: &Server) -> bool {
    info(node, "replication").contains("unstable_effects:0\r")
}

/// What `ATOLL.DIGEST` says of a node's keys.
pub fn digest(node: &Server) -> String {
    match node.client().run("ATOLL.DIGEST") {
        Value::Array(parts) => match &parts[..] {
            [Value::Bulk(sum), Value::Integer(keys), ..] => {
                format!("{} of {keys}", String::from_utf8_lossy(sum))
            }
            other => panic!("a digest looks otherwise: {other:?}"),
        },
        other => panic!("a digest looks otherwise: {other:?}"),
    }
}

/// One section of INFO.
pub fn info(node: &Server, section: &str) -> String {
    match node.client().run(&format!("INFO {section}")) {
        Value::Bulk(text) => String::from_utf8_lossy(&text).into_owned(),
        other => panic!("INFO answers {other:?}"),
    }
}

/// Polls; how long it took.
pub fn await_that(what: &str, deadline: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < deadline, "not within {deadline:?}: {what}");
        std::thread::sleep(POLL_INTERVAL);
    }
    start.elapsed()
}
