//! Nodes that come when the cluster's logs are not whole any more: they fetch a checkpoint, serve meanwhile, and lose nothing that
//! they were told to write before.

use std::time::{Duration, Instant};

use proto::resp::Value;
use tests::client::encode;
use tests::cluster::{Cluster, await_second_start, await_that, info};
use tests::proxy::Conditions;
use tests::server::Server;

const PATIENCE: Duration = Duration::from_secs(60);
const KEYS: u64 = 16_000;

/// The clean stop that a restart goes through is told as such.
const ALLOWED: &str = " WARN ";

fn fill(node: &Server, from: u64, to: u64) {
    let mut client = node.client();
    let mut out = Vec::new();
    for key in from..to {
        encode(&["SET", &format!("key:{key}"), &format!("value of {key} {}", "x".repeat(60))], &mut out);
    }
    client.send_raw(&out).expect("the node reads");
    for _ in from..to {
        assert_eq!(client.read_raw().expect("the node answers")[0], b'+');
    }
}

fn shorten(node: &Server) {
    assert_eq!(node.client().run("SAVE"), Value::Simple("OK".into()));
    let begins = info(node, "persistence");
    assert!(!begins.contains("log_begins_at:0\r"), "the log was shortened: {begins}");
}

fn field(node: &Server, section: &str, name: &str) -> String {
    let text = info(node, section);
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::to_owned));
    line.unwrap_or_else(|| panic!("{name} is in {text}"))
}

fn members(node: &Server, key: &str) -> Vec<String> {
    let Value::Array(members) = node.client().run(&format!("SMEMBERS {key}")) else { panic!("a set") };
    let text = |member| match member {
        Value::Bulk(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => panic!("a member is {other:?}"),
    };
    let mut members: Vec<String> = members.into_iter().map(text).collect();
    members.sort();
    members
}

/// Runs a command until the node answers it: it starts again in between.
fn insist(node: &Server, command: &str) -> Value {
    let began = Instant::now();
    loop {
        if let Ok(mut client) = tests::client::Client::connect(node.port()) {
            let mut out = Vec::new();
            encode(&command.split(' ').collect::<Vec<_>>(), &mut out);
            let answer = client.send_raw(&out).and_then(|()| client.read_raw());
            if let Ok(bytes) = answer
                && bytes[0] != b'-'
            {
                return Value::Bulk(bytes);
            }
        }
        assert!(began.elapsed() < PATIENCE, "{command} is answered");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_new_node_takes_over_a_checkpoint_and_keeps_what_it_wrote_before() {
    let mut cluster = Cluster::start(2, Conditions::wan(5, 0.0), &["--log-retention-size", "0"]);
    cluster.await_links(PATIENCE);
    fill(&cluster.nodes[0], 0, KEYS);
    fill(&cluster.nodes[1], KEYS, KEYS + 1000);
    cluster.await_one_digest(PATIENCE);
    // Everything is stable soon, so that both may drop log.
    for node in &cluster.nodes {
        await_that("nothing is unstable", PATIENCE, || field(node, "replication", "unstable_effects") == "0");
        shorten(node);
    }
    cluster.nodes[0].client().run("INCRBY counter 5");
    let joined = cluster.add(Conditions::wan(5, 0.0), &["--log-retention-size", "0"]);
    insist(&cluster.nodes[joined], "INCRBY counter 10");
    insist(&cluster.nodes[joined], "SADD early one");
    cluster.nodes[joined].allow_log(ALLOWED);
    await_second_start(&cluster.nodes[joined], PATIENCE);
    cluster.await_links(PATIENCE);
    await_that("the new node has it all", PATIENCE, || {
        cluster.nodes[joined].client().run("DBSIZE") == Value::Integer(KEYS as i64 + 1002)
    });
    cluster.await_one_digest(PATIENCE);
    for node in &cluster.nodes {
        assert_eq!(node.client().run("GET counter"), Value::Bulk(b"15".to_vec()));
        assert_eq!(members(node, "early"), ["one"]);
    }
    // It is a member as any other: it writes, restarts, and its peers' logs may be dropped again.
    fill(&cluster.nodes[joined], 0, 500);
    cluster.nodes[joined].terminate();
    fill(&cluster.nodes[0], 500, 1000);
    cluster.nodes[joined].launch();
    cluster.await_one_digest(PATIENCE);
}

#[test]
fn a_member_that_was_away_for_longer_than_the_log_lasts_merges_what_it_wrote() {
    let args = ["--log-retention-size", "0", "--log-absent-size", "1mb"];
    let mut cluster = Cluster::start(2, Conditions::wan(1, 0.0), &args);
    cluster.nodes.iter_mut().for_each(|node| node.allow_log(ALLOWED));
    cluster.await_links(PATIENCE);
    fill(&cluster.nodes[0], 0, 100);
    cluster.nodes[1].client().run("SADD both a b");
    cluster.await_one_digest(PATIENCE);
    cluster.set(Conditions::wan(1, 0.0).cut());
    // The one that is away writes little, the other more than its log keeps.
    cluster.nodes[1].client().run("SREM both a");
    cluster.nodes[1].client().run("INCRBY counter 7");
    // Its link goes with it, and with that what the other had sent already.
    cluster.nodes[1].kill9();
    cluster.nodes[0].client().run("SADD both c");
    cluster.nodes[0].client().run("INCRBY counter 4");
    for round in 0..2 {
        fill(&cluster.nodes[0], 0, KEYS);
        assert_eq!(cluster.nodes[0].client().run("SAVE"), Value::Simple("OK".into()), "round {round}");
    }
    assert_ne!(field(&cluster.nodes[0], "persistence", "log_begins_at"), "0");
    cluster.set(Conditions::wan(1, 0.0));
    cluster.nodes[1].launch();
    await_second_start(&cluster.nodes[1], PATIENCE);
    cluster.await_links(PATIENCE);
    cluster.await_one_digest(PATIENCE);
    for node in &cluster.nodes {
        assert_eq!(node.client().run("GET counter"), Value::Bulk(b"11".to_vec()));
        assert_eq!(members(node, "both"), ["b", "c"]);
    }
}
