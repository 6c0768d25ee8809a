//! Members that compare their states: nothing is found where nothing is wrong, also while everything is written and expires; a damaged
//! value is found, told and repaired.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use proto::resp::Value;
use tests::cluster::{Cluster, await_that, info};
use tests::proxy::Conditions;
use tests::random::Random;
use tests::server::Server;

const PATIENCE: Duration = Duration::from_secs(60);
const ARGS: [&str; 2] = ["--compare-interval", "20"];

fn counter(node: &Server, section: &str, name: &str) -> u64 {
    let text = info(node, section);
    let line = text.lines().find_map(|l| l.strip_prefix(&format!("{name}:")).map(str::to_owned));
    line.unwrap_or_else(|| panic!("{name} is not told")).trim().parse().expect("a number")
}

fn sum(cluster: &Cluster, name: &str) -> u64 {
    cluster.nodes.iter().map(|node| counter(node, "replication", name)).sum()
}

#[test]
fn nothing_is_found_while_everything_is_written_and_expires() {
    let cluster = Cluster::start(3, Conditions::wan(10, 0.01), &ARGS);
    cluster.await_links(PATIENCE);
    let (over, began) = (AtomicBool::new(false), Instant::now());
    std::thread::scope(|scope| {
        for (i, node) in cluster.nodes.iter().enumerate() {
            let (over, mut client) = (&over, node.client());
            scope.spawn(move || {
                let mut random = Random::new(7 + i as u64);
                while !over.load(Ordering::Relaxed) {
                    let key = random.below(3_000);
                    let _ = match random.below(8) {
                        0 => client.run(&format!("SET k{key} v{i} PX {}", 1 + random.below(9_000))),
                        1 => client.run(&format!("DEL k{key}")),
                        2 => client.run(&format!("INCR n{key}")),
                        3 => client.run(&format!("SADD s{key} {i}")),
                        4 => client.run(&format!("SREM s{key} {i}")),
                        5 => client.run(&format!("APPEND a{key} {i}")),
                        6 => client.run(&format!("EXPIRE n{key} {}", 1 + random.below(20))),
                        _ => client.run(&format!("SET k{key} v{i}")),
                    };
                }
            });
        }
        await_that("each compared ranges, also such as were being written", PATIENCE, || {
            cluster.nodes.iter().all(|node| counter(node, "replication", "compared_ranges") > 20)
                && sum(&cluster, "compare_candidates") > 20
                && began.elapsed() > Duration::from_secs(8)
        });
        over.store(true, Ordering::Relaxed);
    });
    cluster.await_one_digest(PATIENCE);
    assert_eq!(sum(&cluster, "compare_differences"), 0);
    assert_eq!(sum(&cluster, "compare_repairs"), 0);
}

#[test]
fn a_damaged_value_is_found_told_and_written_again() {
    let mut cluster = Cluster::start(3, Conditions::wan(5, 0.0), &ARGS);
    cluster.nodes.iter_mut().for_each(|node| node.allow_log("state_differs"));
    cluster.await_links(PATIENCE);
    let mut client = cluster.nodes[0].client();
    for n in 0..2_500 {
        client.run(&format!("SET k{n} v{n}"));
    }
    cluster.await_one_digest(PATIENCE);
    let mut broken = cluster.nodes[2].client();
    await_that("what is written is stable", PATIENCE, || {
        counter(&cluster.nodes[2], "stats", "window_keys") == 0
    });
    assert_eq!(broken.run("DEBUG CORRUPT k777"), Value::Integer(1));
    assert_eq!(broken.run("GET k777"), Value::Bulk(b"v777?".to_vec()));
    assert_eq!(broken.run("DEBUG CORRUPT nothing"), Value::Integer(0));
    // Two of three show the other.
    await_that("it is repaired", PATIENCE, || broken.run("GET k777") == Value::Bulk(b"v777".to_vec()));
    cluster.await_one_digest(PATIENCE);
    assert!(sum(&cluster, "compare_differences") >= 1);
    assert!(sum(&cluster, "compare_repairs") >= 1);
    await_that("the alarm is told", PATIENCE, || {
        cluster.nodes.iter().any(|node| info(node, "replication").contains("name=state_differs"))
    });
    let in_feed = |node: &Server| node.client().run("ATOLL.CONFLICTS KEY k777") != Value::Array(Vec::new());
    await_that("the feed has it", PATIENCE, || cluster.nodes.iter().any(in_feed));
    assert!(cluster.nodes.iter().any(|node| counter(node, "stats", "conflicts_digest") > 0));
    for part in ["MATCH k77*", "RANGE k1 k2"] {
        let one = |node: &Server| match node.client().run(&format!("ATOLL.DIGEST {part}")) {
            Value::Array(parts) => (parts[0].clone(), parts[1].clone()),
            other => panic!("a digest: {other:?}"),
        };
        let digests: Vec<_> = cluster.nodes.iter().map(one).collect();
        assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
        assert!(matches!(digests[0].1, Value::Integer(keys) if (1..2_500).contains(&keys)), "{digests:?}");
    }
    assert!(matches!(client.run("ATOLL.DIGEST MATCH"), Value::Error(_)));
}
