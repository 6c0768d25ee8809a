//! Five real nodes in three regions, written to while relays die, links flap, paths are cut in one direction, a region is lost,
//! nodes are restarted one by one, a disk is wiped and a region is added again. Afterwards all show the same, and that is what
//! the oracle works out from the log.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use proto::resp::Value;
use tests::cluster::{Cluster, await_that, digest, info};
use tests::log_effects::LogEffects;
use tests::mixed::Mixed;
use tests::proxy::{Conditions, Path};
use tests::random::{Random, seed, setting};
use tests::server::{self, Server};

const REGIONS: [&str; 5] = ["eu", "eu", "us", "us", "ap"];
/// Commands on all nodes together: `ATOLL_TEST_EFFECTS`.
const COMMANDS: u64 = 40_000;
const AT_ONCE: u64 = 200;

fn patience() -> Duration {
    server::patience().max(Duration::from_secs(60))
}

/// A field of INFO replication.
fn field(node: &Server, name: &str) -> u64 {
    let told = info(node, "replication");
    let line = told.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|v| v.trim().parse().ok()).unwrap_or_else(|| panic!("{name} in {told}"))
}

/// The `linkN` line of `node` about the node that advertises `addr`.
fn link_to(node: &Server, addr: &str) -> String {
    let told = info(node, "replication");
    let about = format!(",addr={addr},");
    told.lines().find(|l| l.starts_with("link") && l.contains(&about)).unwrap_or_default().to_string()
}

fn integer(value: Value) -> i64 {
    match value {
        Value::Integer(n) => n,
        Value::Bulk(text) => String::from_utf8_lossy(&text).parse().expect("a number"),
        other => panic!("no number: {other:?}"),
    }
}

fn start() -> Cluster {
    let line = Path { delay: Duration::from_millis(3), loss: 0.002, ..Path::default() };
    // The oracle reads the whole log.
    let whole = ["--log-retention-size", "1000gb"];
    let mut cluster = Cluster::start_in(&REGIONS, Conditions::both(line), &whole);
    for node in &mut cluster.nodes {
        // Kills and cuts are told in the log.
        node.allow_log(" WARN ");
    }
    cluster.await_links(patience());
    cluster
}

/// What the writers of all nodes share.
struct Load {
    written: Vec<AtomicU64>,
    paused: AtomicBool,
    ended: AtomicBool,
}

impl Load {
    fn total(&self) -> u64 {
        self.written.iter().map(|w| w.load(Relaxed)).sum()
    }

    /// Writes on one node, as long as it answers, until all have written `commands`.
    fn write(&self, node: usize, port: u16, mixed: Mixed, commands: u64) {
        let mut random = Random::new(seed() ^ ((node as u64 + 1) << 8));
        while self.total() < commands && !self.ended.load(Relaxed) {
            if self.paused.load(Relaxed) || !mixed.write(port, &mut random, AT_ONCE) {
                std::thread::sleep(Duration::from_millis(20));
                continue;
            }
            self.written[node].fetch_add(AT_ONCE, Relaxed);
        }
    }
}

/// Queues for peers stay within their bounds, whatever happens.
fn check_queues(cluster: &Cluster) {
    for node in &cluster.nodes {
        assert!(field(node, "horizon_bytes") <= field(node, "horizon_bytes_max"));
        assert!(field(node, "nacks_in_flight") <= 16 * 5);
    }
}

/// All the trouble, while the writers write.
fn trouble(cluster: &mut Cluster) {
    // A relay: of some origin's effects either of the two is one.
    cluster.nodes[2].kill9();
    std::thread::sleep(Duration::from_millis(1_500));
    cluster.nodes[2].launch();
    for _ in 0..3 {
        cluster.between(0, 2, Some(Conditions::default().cut()));
        std::thread::sleep(Duration::from_millis(400));
        cluster.between(0, 2, None);
        std::thread::sleep(Duration::from_millis(200));
    }
    // Node 4 does not hear node 0 any more.
    let deaf = Conditions { to: Path { cut: true, ..Path::default() }, ..Conditions::default() };
    cluster.between(0, 4, Some(deaf));
    let addr = cluster.proxies[4].addr().to_string();
    await_that("a cut in one direction is seen", patience(), || {
        link_to(&cluster.nodes[0], &addr).contains("reach=suspect")
    });
    check_queues(cluster);
    await_seen("effects take another way round the cut", &cluster.nodes[0], &cluster.nodes[4]);
    cluster.between(0, 4, None);
    // A region is lost; the others go on.
    cluster.isolate(&[2, 3], true);
    await_seen("one unreachable region stops no other", &cluster.nodes[1], &cluster.nodes[4]);
    std::thread::sleep(Duration::from_millis(2_000));
    check_queues(cluster);
    cluster.isolate(&[2, 3], false);
    for node in 0..cluster.nodes.len() {
        cluster.nodes[node].terminate();
        cluster.nodes[node].launch();
    }
    check_queues(cluster);
}

/// Writes a value on one node and waits until it shows on the other, behind whatever is on the way already.
fn await_seen(what: &str, from: &Server, to: &Server) {
    static VALUES: AtomicU64 = AtomicU64::new(0);
    let value = VALUES.fetch_add(1, Relaxed).to_string();
    from.client().run(&format!("SET probe {value}"));
    let mut client = to.client();
    await_that(what, patience(), || client.run("GET probe") == Value::Bulk(value.clone().into_bytes()));
}

fn is_stable(cluster: &Cluster) -> bool {
    cluster.nodes.iter().all(|node| field(node, "unstable_effects") == 0)
}

fn used_memory(node: &Server) -> u64 {
    let told = info(node, "memory");
    let line = told.lines().find_map(|l| l.strip_prefix("used_memory:"));
    line.and_then(|v| v.trim().parse().ok()).expect("used_memory")
}

#[test]
fn five_nodes_in_three_regions_meet_again_after_every_trouble() {
    let commands = setting("ATOLL_TEST_EFFECTS", COMMANDS);
    let mut cluster = start();
    let mixed = Mixed { keys: 2_000 + commands / 100 };
    let started = Instant::now();
    let load = Load {
        written: (0..REGIONS.len()).map(|_| AtomicU64::new(0)).collect(),
        paused: AtomicBool::new(false),
        ended: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        let ports: Vec<u16> = cluster.nodes.iter().map(Server::port).collect();
        for (node, port) in ports.into_iter().enumerate() {
            let load = &load;
            scope.spawn(move || load.write(node, port, mixed, commands));
        }
        // Whatever fails, the writers end.
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            loop {
                trouble(&mut cluster);
                if load.total() >= commands {
                    break;
                }
            }
        }));
        if let Err(failure) = ended {
            load.ended.store(true, Relaxed);
            std::panic::resume_unwind(failure);
        }
    });
    eprintln!("{} commands and all the trouble took {:?}", load.total(), started.elapsed());
    cluster.await_links(patience());
    let patience = patience() + Duration::from_millis(commands / 50);
    eprintln!("one digest {:?} later", cluster.await_one_digest(patience));
    eprintln!("stable {:?} later", await_that("everything becomes stable", patience, || is_stable(&cluster)));
    check_queues(&cluster);
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let log = LogEffects::read(&cluster.nodes[1].data_dir());
    eprintln!("{} effects", log.count());
    let (sum, keys) = log.oracle_digest(now_ms);
    assert_eq!(digest(&cluster.nodes[1]), format!("{sum:032x} of {keys}"), "the oracle says otherwise");
    drop(log);
    memory_is_back(&mut cluster);
    a_wiped_disk_is_filled_again(&mut cluster);
    a_region_that_is_added_again_loses_nothing(&mut cluster);
}

/// What a node needs for the same data alone is what it needs in the cluster, once everything is stable.
fn memory_is_back(cluster: &mut Cluster) {
    let in_cluster = used_memory(&cluster.nodes[1]);
    cluster.nodes[1].terminate();
    cluster.nodes[1].launch();
    let fresh = used_memory(&cluster.nodes[1]);
    eprintln!("used_memory {in_cluster} in the cluster, {fresh} after a start");
    assert!(in_cluster < fresh * 11 / 10 + (8 << 20), "{in_cluster} bytes, {fresh} after a fresh start");
    cluster.await_links(patience());
}

fn a_wiped_disk_is_filled_again(cluster: &mut Cluster) {
    cluster.nodes[4].terminate();
    std::fs::remove_dir_all(cluster.nodes[4].data_dir()).expect("the data directory goes");
    cluster.nodes[4].launch();
    eprintln!("filled again in {:?}", cluster.await_one_digest(patience()));
}

fn a_region_that_is_added_again_loses_nothing(cluster: &mut Cluster) {
    let before = integer(cluster.nodes[2].client().run("INCRBY added-again 7"));
    await_that("the others have it", patience(), || {
        cluster.nodes[0].client().run("GET added-again") == cluster.nodes[2].client().run("GET added-again")
    });
    for node in [2, 3] {
        cluster.nodes[node].terminate();
    }
    cluster.nodes[0].client().run("INCRBY added-again 5");
    cluster.nodes[4].client().run("SADD added-again:set while away");
    for node in [2, 3] {
        cluster.nodes[node].launch();
    }
    cluster.nodes[3].client().run("INCRBY added-again 3");
    cluster.await_one_digest(patience());
    for node in &cluster.nodes {
        let sum = integer(node.client().run("GET added-again"));
        assert_eq!(sum, before + 8, "{}", node.port());
    }
}

#[test]
fn keys_over_64_kb_expiry_settings_and_second_senders_are_no_trouble() {
    let mut cluster = start();
    let long_key = "k".repeat(70_000);
    let set = cluster.nodes[0].client().call(&["SET", &long_key, "long"]).expect("an answer");
    assert_eq!(set, Value::Simple(b"OK".to_vec()));
    await_that("a key of 70 kB travels", patience(), || {
        let got = cluster.nodes[4].client().call(&["GET", &long_key]).expect("an answer");
        got == Value::Bulk(b"long".to_vec())
    });
    // Expiry sends no message, and a later life of the key is the same everywhere.
    cluster.nodes[1].client().run("SET lazy old PX 300");
    await_that("it arrives or is gone", patience(), || {
        cluster.nodes.iter().all(|n| n.client().run("EXISTS lazy") == Value::Integer(0))
    });
    assert_eq!(cluster.nodes[2].client().run("APPEND lazy new"), Value::Integer(3));
    // The effects of each origin reach a region by a relay, and again from another sender when the relay goes.
    for round in 0..3 {
        for (i, node) in cluster.nodes.iter().enumerate() {
            let mut client = node.client();
            for _ in 0..100 {
                client.run(&format!("INCRBY twice {}", i + 1));
            }
        }
        let relay = 2 + round % 2;
        cluster.isolate(&[relay], true);
        cluster.nodes[0].client().run("INCRBY twice 1000");
        std::thread::sleep(Duration::from_millis(300));
        cluster.isolate(&[relay], false);
    }
    cluster.await_links(patience());
    cluster.await_one_digest(patience());
    for node in &cluster.nodes {
        assert_eq!(integer(node.client().run("GET twice")), 3 * (1500 + 1000), "{}", node.port());
        assert_eq!(node.client().run("GET lazy"), Value::Bulk(b"new".to_vec()));
    }
    // Another setting and another order of names to join: nothing is sent again.
    await_that("everything becomes stable", patience(), || is_stable(&cluster));
    let had = field(&cluster.nodes[3], "master_repl_offset");
    cluster.nodes[3].terminate();
    cluster.nodes[3].add_args(&["--maxclients", "500"]);
    cluster.nodes[3].launch();
    cluster.await_links(patience());
    cluster.await_one_digest(patience());
    let node = &cluster.nodes[3];
    assert!(field(node, "master_repl_offset") >= had, "the same incarnation goes on");
    assert_eq!((field(node, "remote_effects"), field(node, "full_rebuilds")), (0, 0), "nothing came again");
}

#[test]
fn a_peer_that_is_away_costs_a_bounded_amount_and_nothing_once_it_is_back() {
    let mut cluster = start();
    cluster.nodes[0].client().run("SET warm up");
    await_that("everything becomes stable", patience(), || is_stable(&cluster));
    cluster.nodes[4].kill9();
    let mut client = cluster.nodes[0].client();
    let mut batch = Vec::new();
    const WRITES: u64 = 20_000;
    for i in 0..WRITES {
        tests::client::encode(&["SET", &format!("away{}", i % 5_000), &i.to_string()], &mut batch);
    }
    client.send_raw(&batch).expect("the node reads");
    for _ in 0..WRITES {
        client.read_raw().expect("the node answers");
    }
    await_that("the others go on", patience(), || {
        let count = |n: usize| cluster.nodes[n].client().run("DBSIZE");
        (1..4).all(|n| count(n) == count(0))
    });
    let unstable = field(&cluster.nodes[0], "unstable_effects");
    assert!(unstable > 0, "the one that is away has not acknowledged them");
    cluster.nodes[4].launch();
    cluster.await_one_digest(patience());
    await_that("everything becomes stable", patience(), || is_stable(&cluster));
}
