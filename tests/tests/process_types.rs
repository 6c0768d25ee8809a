//! Three real nodes on which commands of every family are run, all at once, while one restarts, while one is cut off, and while one
//! is evicted and joins again. After each of these every type's keys are the same everywhere, and what the oracle makes of the log.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proto::resp::Value;
use tests::client::{Client, encode};
use tests::cluster::{Cluster, await_second_start, await_that, digest, is_stable};
use tests::grammar::{self, FAMILIES, Family};
use tests::log_effects::LogEffects;
use tests::proxy::Conditions;
use tests::random::{Random, seed, setting};
use tests::server::{Server, binary};

const PATIENCE: Duration = Duration::from_secs(60);
/// Commands of each of the four storms on all nodes together: `ATOLL_TEST_EFFECTS`.
const COMMANDS: u64 = 6_000;
const PIPELINE: u64 = 20;
const TYPES: [&str; 6] = ["string", "hash", "set", "zset", "list", "stream"];

/// What Redis 7.0 does not have, and what chooses its own ids.
const OURS: Family = Family {
    name: "ours",
    patterns: &[
        "HSET {k} *{m}+{v}",
        "HINCRBY {k} {m} 3",
        "HEXPIRE|HPEXPIRE {k} 3600000 ?NX|XX|GT|LT FIELDS 1 {m}",
        "HPEXPIRE {k} 1 FIELDS 1 {m}",
        "HPERSIST {k} FIELDS 1 {m}",
        "HSETEX {k} ?FNX|FXX ?EX+100|PX+5|KEEPTTL FIELDS 1 {m} {v}",
        "HGETEX {k} ?EX+100|PX+5|PERSIST FIELDS 1 {m}",
        "HGETDEL {k} FIELDS 1 {m}",
        "HDEL {k} *{m}",
    ],
};
const CHOSEN: Family = Family {
    name: "chosen",
    patterns: &[
        "XADD {k} * f {v}",
        "XADD {k} MAXLEN ?~ 10 * f {v} g {n}",
        "XADD {k} * f {v} ?g+{v}",
        "XGROUP CREATE {k} g1|g2 0|$ MKSTREAM",
        "XREADGROUP GROUP g1|g2 {m} ?COUNT+3 ?NOACK STREAMS {k} >",
        "XAUTOCLAIM {k} g1|g2 {m} 0 0 COUNT 3",
        "XTRIM {k} MAXLEN ?~ 5",
    ],
};

/// On keys of any type, and within one database.
const GENERIC: Family = Family {
    name: "generic",
    patterns: &[
        "DEL {k}",
        "UNLINK {k}",
        "RENAME|RENAMENX {k} {k}",
        "COPY {k} {k} ?REPLACE",
        "EXPIRE {k} 1000 ?NX|XX|GT|LT",
        "PEXPIRE {k} 40",
        "PERSIST {k}",
        "SORT {k} ALPHA STORE {k}",
    ],
};

/// Each family has a database of its own; what works on keys of any type is among every one.
fn families() -> Vec<Vec<&'static Family>> {
    // Those swap and flush databases.
    let own = FAMILIES.iter().filter(|family| !matches!(family.name, "generic" | "transaction"));
    let own = own.chain([&OURS, &CHOSEN]);
    own.map(|family| std::iter::repeat_n(family, 7).chain([&GENERIC]).collect()).collect()
}

/// Random commands on one node for as long as it answers. What a command is refused for does not matter here.
fn storm(port: u16, mut random: Random, commands: u64) {
    let families = families();
    let Ok(mut client) = Client::connect(port) else { return };
    let mut out = Vec::new();
    for _ in 0..commands / PIPELINE {
        out.clear();
        let database = random.index(families.len());
        encode(&["SELECT", &database.to_string()], &mut out);
        for _ in 0..PIPELINE {
            encode(&grammar::command(&mut random, &families[database]), &mut out);
        }
        if client.send_raw(&out).is_err() {
            return;
        }
        for _ in 0..=PIPELINE {
            let Ok(reply) = client.read_raw() else { return };
            assert!(!reply.starts_with(b"-MISCONF"), "{}", String::from_utf8_lossy(&reply));
        }
    }
}

/// Storms on all nodes while `trouble` goes on.
fn under_storm(cluster: &mut Cluster, round: u64, trouble: impl FnOnce(&mut Cluster)) {
    let commands = setting("ATOLL_TEST_EFFECTS", COMMANDS) / cluster.nodes.len() as u64;
    std::thread::scope(|scope| {
        for (i, node) in cluster.nodes.iter().enumerate() {
            let (port, random) = (node.port(), Random::new(seed() ^ (round << 32) ^ ((i as u64 + 1) << 8)));
            scope.spawn(move || storm(port, random, commands));
        }
        trouble(cluster);
    });
}

/// What was there whenever all nodes showed the same: what never was, was not tested.
#[derive(Default)]
struct Present {
    families: BTreeSet<&'static str>,
    types: BTreeSet<&'static str>,
}

impl Present {
    /// All nodes show the same.
    fn check_same(&mut self, cluster: &Cluster, what: &str) {
        eprintln!("{what}: one digest after {:?}", cluster.await_one_digest(PATIENCE));
        let mut client = cluster.nodes[0].client();
        for (database, family) in families().iter().enumerate() {
            client.run(&format!("SELECT {database}"));
            if matches!(client.run("DBSIZE"), Value::Integer(1..)) {
                self.families.insert(family[0].name);
            }
            for kind in TYPES {
                match client.run(&format!("SCAN 0 COUNT 1000 TYPE {kind}")) {
                    Value::Array(parts) if matches!(&parts[..], [_, Value::Array(keys)] if !keys.is_empty()) =>
                    {
                        self.types.insert(kind);
                    }
                    Value::Array(_) => {}
                    other => panic!("SCAN answers {other:?}"),
                }
            }
        }
    }

    fn check_all(&self) {
        let all: BTreeSet<&str> = families().iter().map(|family| family[0].name).collect();
        assert_eq!(self.families, all, "every family left keys");
        assert_eq!(self.types, TYPES.into_iter().collect(), "every type was there");
    }
}

fn check_oracle(node: &Server) {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let log = LogEffects::read(&node.data_dir());
    let (sum, keys) = log.oracle_digest(now_ms);
    assert_eq!(digest(node), format!("{sum:032x} of {keys}"), "the oracle says otherwise");
}

#[test]
fn every_type_is_the_same_everywhere_after_restarts_a_partition_and_a_rejoin() {
    let line = Conditions::wan(2, 0.002);
    // The oracle reads the whole log.
    let mut cluster = Cluster::start(3, line, &["--log-retention-size", "1000gb"]);
    // Kills, cuts and the eviction are told in the log.
    cluster.nodes.iter_mut().for_each(|node| node.allow_log(" WARN "));
    cluster.nodes[2].allow_log("this node was evicted");
    cluster.await_links(PATIENCE);
    let mut present = Present::default();
    under_storm(&mut cluster, 0, |_| {});
    present.check_same(&cluster, "together");

    under_storm(&mut cluster, 1, |cluster| {
        cluster.nodes[1].kill9();
        cluster.nodes[1].launch();
        cluster.nodes[2].terminate();
        cluster.nodes[2].launch();
    });
    cluster.await_links(PATIENCE);
    present.check_same(&cluster, "restarted");

    cluster.isolate(&[0], true);
    under_storm(&mut cluster, 2, |_| {});
    cluster.isolate(&[0], false);
    cluster.await_links(PATIENCE);
    present.check_same(&cluster, "healed");
    await_that("everything becomes stable", PATIENCE, || cluster.nodes.iter().all(is_stable));
    present.check_same(&cluster, "stable");
    check_oracle(&cluster.nodes[0]);

    // One is cut off, written to, lost and evicted; it returns as a new member.
    cluster.isolate(&[2], true);
    under_storm(&mut cluster, 3, |_| {});
    cluster.nodes[2].kill9();
    cluster.isolate(&[2], false);
    let gone = cluster.proxies[2].addr().to_string();
    let evict = Command::new(binary())
        .args(["cluster", "evict", &gone, "--port", &cluster.nodes[0].port().to_string()])
        .output()
        .expect("atoll runs");
    assert!(evict.status.success(), "{evict:?}");
    await_that("nothing waits for it", PATIENCE, || cluster.nodes[..2].iter().all(is_stable));
    cluster.nodes[2].launch();
    await_second_start(&cluster.nodes[2], PATIENCE);
    cluster.await_links(PATIENCE);
    present.check_same(&cluster, "joined again");
    under_storm(&mut cluster, 4, |_| {});
    present.check_same(&cluster, "a member again");
    await_that("everything becomes stable", PATIENCE, || cluster.nodes.iter().all(is_stable));
    for node in &mut cluster.nodes {
        node.terminate();
        node.launch();
    }
    cluster.await_links(PATIENCE);
    present.check_same(&cluster, "started anew");
    present.check_all();
}
