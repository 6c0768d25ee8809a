//! Memory of a whole process: what it says it uses, and what goes when there is a limit.

use std::time::Duration;

use proto::resp::Value;
use tests::client::{Client, encode};
use tests::cluster::{Cluster, await_that, digest, info};
use tests::proxy::Conditions;
use tests::server::Server;

const DEADLINE: Duration = Duration::from_secs(30);
const BATCH: usize = 500;
const OOM: &[u8] = b"OOM command not allowed when used memory > 'maxmemory'.";

fn ok() -> Value {
    Value::Simple(b"OK".to_vec())
}

/// Sends commands in pipelines; their replies.
fn pipeline(client: &mut Client, commands: impl Iterator<Item = Vec<String>>) -> Vec<Value> {
    let commands: Vec<Vec<String>> = commands.collect();
    let mut replies = Vec::with_capacity(commands.len());
    for batch in commands.chunks(BATCH) {
        let mut bytes = Vec::new();
        batch.iter().for_each(|command| encode(command, &mut bytes));
        client.send_raw(&bytes).expect("sent");
        replies.extend(batch.iter().map(|_| client.read().expect("a reply")));
    }
    replies
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn key(name: &str, at: usize) -> String {
    format!("{name}:{at:06}")
}

/// SETs `count` keys with values of `bytes` bytes; how many were taken.
fn load(client: &mut Client, name: &str, count: usize, bytes: usize, more: &[&str]) -> usize {
    let value = "v".repeat(bytes);
    let command = |at| {
        let mut command = vec!["SET".to_owned(), key(name, at), value.clone()];
        command.extend(more.iter().map(|word| word.to_string()));
        command
    };
    let replies = pipeline(client, (0..count).map(command));
    replies.iter().filter(|reply| **reply == ok()).count()
}

fn living(client: &mut Client, name: &str, range: std::ops::Range<usize>) -> usize {
    let replies = pipeline(client, range.map(|at| vec!["EXISTS".to_owned(), key(name, at)]));
    replies.iter().filter(|reply| **reply == Value::Integer(1)).count()
}

fn number(server: &Server, section: &str, name: &str) -> u64 {
    let text = info(server, section);
    let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|l| l.trim().parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
}

fn used(server: &Server) -> u64 {
    number(server, "memory", "used_memory")
}

fn integer(client: &mut Client, command: &str) -> i64 {
    match client.run(command) {
        Value::Integer(n) => n,
        other => panic!("{command}: {other:?}"),
    }
}

fn within(what: &str, a: u64, b: u64, percent: u64) {
    assert!(a.abs_diff(b) * 100 <= b * percent, "{what}: {a} is not within {percent} % of {b}");
}

#[test]
fn used_memory_is_what_keys_say_they_take_and_falls_when_they_go() {
    // What is touched ahead of need is resident and not used.
    let server = Server::with(&["--warm-memory", "0"]);
    let mut client = server.client();
    let (before, resident) = (used(&server), number(&server, "memory", "used_memory_rss"));
    let shapes = [("small", 40_000, 30), ("middle", 20_000, 700), ("large", 2000, 10_000)];
    for (name, count, bytes) in shapes {
        assert_eq!(load(&mut client, name, count, bytes, &[]), count);
    }
    load(&mut client, "brief", 10_000, 100, &["EX", "100000"]);
    let set = |at: usize| {
        let mut command = vec!["SADD".to_owned(), key("set", at)];
        command.extend((0..100).map(|n| format!("member-{at}-{n}")));
        command
    };
    pipeline(&mut client, (0..500).map(set));
    let grown = used(&server) - before;
    let mut told = 0;
    for (name, count) in
        [("small", 40_000), ("middle", 20_000), ("large", 2000), ("brief", 10_000), ("set", 500)]
    {
        let ask = |at| vec!["MEMORY".into(), "USAGE".into(), key(name, at), "SAMPLES".into(), "0".into()];
        for reply in pipeline(&mut client, (0..count).map(ask)) {
            let Value::Integer(bytes) = reply else { panic!("MEMORY USAGE: {reply:?}") };
            told += bytes as u64;
        }
    }
    within("the sum of MEMORY USAGE", told, grown, 10);
    let rss_grown = number(&server, "memory", "used_memory_rss") - resident;
    assert!(grown < rss_grown * 11 / 10, "{grown} bytes allocated in {rss_grown} resident ones");
    assert!(grown > rss_grown / 2, "{grown} bytes allocated in {rss_grown} resident ones");
    let all = grown;
    let del = |name: &'static str| move |at| vec!["DEL".to_owned(), key(name, at)];
    pipeline(&mut client, (0..20_000).map(del("middle")).chain((0..20_000).map(del("small"))));
    let left = used(&server) - before;
    let gone = 20_000 * (700 + 30);
    assert!(left + gone * 3 / 4 < all, "{left} of {all} bytes are left without {gone}");
    client.run("FLUSHALL");
    let left = used(&server) - before;
    assert!(left * 10 < all, "{left} of {all} bytes are left");
}

#[test]
fn without_eviction_writes_are_refused_in_redis_words_until_there_is_room() {
    let server = Server::with(&["--maxmemory", "10mb"]);
    let mut client = server.client();
    let taken = load(&mut client, "k", 40_000, 500, &[]);
    assert!((12_000..20_000).contains(&taken), "{taken} keys of 500 bytes fit in 10 MB");
    assert_eq!(client.run("SET another 1"), Value::Error(OOM.to_vec()));
    assert_eq!(integer(&mut client, "DBSIZE"), taken as i64);
    assert_eq!(number(&server, "stats", "evicted_keys"), 0);
    within("used_memory", used(&server), 10 << 20, 10);
    client.run("FLUSHALL");
    assert_eq!(client.run("SET another 1"), ok());
}

#[test]
fn lru_keeps_the_keys_that_are_read() {
    let server = Server::start();
    let mut client = server.client();
    for setting in ["maxmemory-policy allkeys-lru", "maxmemory 12mb"] {
        assert_eq!(client.run(&format!("CONFIG SET {setting}")), ok());
    }
    let hot = 2000;
    assert_eq!(load(&mut client, "old", 14_000, 500, &[]), 14_000);
    await_that("the keys have been idle for two seconds", DEADLINE, || {
        integer(&mut client, "OBJECT IDLETIME old:013999") >= 2
    });
    pipeline(&mut client, (0..hot).map(|at| vec!["GET".to_owned(), key("old", at)]));
    assert_eq!(load(&mut client, "new", 10_000, 500, &[]), 10_000);
    let evicted = number(&server, "stats", "evicted_keys");
    let keys = integer(&mut client, "DBSIZE") as u64;
    assert_eq!(evicted + keys, 24_000);
    assert!(evicted > 3000, "{evicted} keys were evicted");
    within("used_memory", used(&server), 12 << 20, 10);
    let (kept, cold) = (living(&mut client, "old", 0..hot), living(&mut client, "old", hot..14_000));
    let new = living(&mut client, "new", 0..10_000);
    assert!(kept * 100 >= hot * 95, "{kept} of {hot} keys that were read are left, {cold} others");
    assert!(new >= 9500, "{new} of the new keys are left");
    assert!(cold < 10_000, "{cold} keys that nobody read are left");
}

#[test]
fn lfu_keeps_the_keys_that_are_read_often() {
    let server = Server::with(&["--maxmemory", "12mb", "--maxmemory-policy", "allkeys-lfu"]);
    let mut client = server.client();
    let hot = 1000;
    // A minute may begin meanwhile.
    assert_eq!(client.run("CONFIG SET lfu-decay-time 0"), ok());
    load(&mut client, "old", 14_000, 500, &[]);
    for _ in 0..30 {
        pipeline(&mut client, (0..hot).map(|at| vec!["GET".to_owned(), key("old", at)]));
    }
    assert!(integer(&mut client, "OBJECT FREQ old:000000") >= 6);
    assert_eq!(integer(&mut client, "OBJECT FREQ old:013999"), 5);
    let Value::Error(text) = client.run("OBJECT IDLETIME old:000000") else { panic!("idle time is told") };
    assert!(text.starts_with(b"ERR An LFU maxmemory policy is selected, idle time not tracked."));
    load(&mut client, "new", 12_000, 500, &[]);
    let kept = living(&mut client, "old", 0..hot);
    let others = living(&mut client, "old", hot..14_000);
    assert!(kept * 100 >= hot * 95, "{kept} of {hot} keys that were read are left");
    assert!(others * 100 < 13_000 * 85, "{others} keys that nobody read are left");
}

#[test]
fn volatile_policies_take_keys_with_an_expiry_only_and_then_refuse() {
    for policy in ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"] {
        let server = Server::with(&["--maxmemory", "8mb", "--maxmemory-policy", policy]);
        let mut client = server.client();
        assert_eq!(load(&mut client, "kept", 5000, 500, &[]), 5000, "{policy}");
        load(&mut client, "late", 1500, 500, &["EX", "50000"]);
        load(&mut client, "soon", 1500, 500, &["EX", "500"]);
        let taken = load(&mut client, "more", 5000, 500, &[]);
        assert!(taken > 3000, "{policy}: {taken}");
        if policy == "volatile-ttl" {
            let (late, soon) = (living(&mut client, "late", 0..1500), living(&mut client, "soon", 0..1500));
            assert!(soon == 0 || late > soon * 2, "{late} late ones and {soon} soon ones are left");
        }
        load(&mut client, "last", 10_000, 500, &[]);
        assert_eq!(client.run("SET another 1"), Value::Error(OOM.to_vec()), "{policy}");
        assert_eq!(living(&mut client, "kept", 0..5000), 5000, "{policy}");
        let left = living(&mut client, "late", 0..1500) + living(&mut client, "soon", 0..1500);
        assert_eq!(left, 0, "{policy}");
        assert_eq!(number(&server, "stats", "evicted_keys"), 3000, "{policy}");
    }
}

#[test]
fn evictions_are_effects_that_outlive_a_restart() {
    let mut server = Server::start();
    let mut client = server.client();
    for setting in ["maxmemory-policy allkeys-random", "maxmemory 8mb"] {
        client.run(&format!("CONFIG SET {setting}"));
    }
    load(&mut client, "k", 20_000, 500, &[]);
    client.run("CONFIG SET maxmemory 0");
    let evicted = number(&server, "stats", "evicted_keys");
    assert!(evicted > 4000, "{evicted} keys were evicted");
    let before = digest(&server);
    assert_eq!(living(&mut client, "k", 0..20_000) as u64 + evicted, 20_000);
    drop(client);
    server.restart();
    assert_eq!(digest(&server), before);
}

#[test]
fn a_lower_limit_is_reached_without_a_write_and_past_a_current_index() {
    let server = Server::with(&["--maxmemory", "20mb", "--maxmemory-policy", "allkeys-lru"]);
    let mut client = server.client();
    assert_eq!(load(&mut client, "k", 20_000, 500, &[]), 20_000);
    // A walk by prefix hands all keys to the ordered index, which then holds the memory of those removed.
    let Value::Array(found) = client.run("KEYS k:0000*") else { panic!("KEYS answers a list") };
    assert_eq!(found.len(), 100);
    assert_eq!(client.run("CONFIG SET maxmemory 6mb"), ok());
    await_that("the memory used falls", DEADLINE, || used(&server) < 7 << 20);
    assert_eq!(client.run("SET another 1"), ok());
    let left = living(&mut client, "k", 0..20_000) as u64;
    assert_eq!(number(&server, "stats", "evicted_keys") + left, 20_000);
}

#[test]
fn what_one_node_evicts_is_gone_on_the_others() {
    let cluster = Cluster::start(2, Conditions::default(), &[]);
    cluster.await_links(DEADLINE);
    let (small, large) = (&cluster.nodes[0], &cluster.nodes[1]);
    for setting in ["maxmemory-policy allkeys-lru", "maxmemory 10mb"] {
        small.client().run(&format!("CONFIG SET {setting}"));
    }
    load(&mut small.client(), "k", 20_000, 500, &[]);
    assert!(number(small, "stats", "evicted_keys") > 1000);
    cluster.await_one_digest(DEADLINE);
    assert_eq!(number(large, "stats", "evicted_keys"), 0);
    // What comes from a peer is never refused; the node that is full evicts for it on its own.
    assert_eq!(load(&mut large.client(), "more", 5000, 500, &[]), 5000);
    await_that("the full node makes room", DEADLINE, || {
        used(small) < 12 << 20 && living(&mut small.client(), "more", 0..5000) > 1000
    });
    cluster.await_one_digest(DEADLINE);
}

#[test]
fn memory_answers_with_the_fields_of_redis() {
    let server = Server::start();
    let mut client = server.client();
    client.run("SET k v");
    let Value::Array(stats) = client.run("MEMORY STATS") else { panic!("MEMORY STATS is a list") };
    let names: Vec<String> = stats
        .iter()
        .step_by(2)
        .map(|name| match name {
            Value::Bulk(text) => String::from_utf8_lossy(text).into_owned(),
            other => panic!("a name: {other:?}"),
        })
        .collect();
    let expected = words(
        "peak.allocated total.allocated startup.allocated replication.backlog clients.slaves clients.normal \
         cluster.links aof.buffer lua.caches functions.caches db.0 overhead.total keys.count keys.bytes-per-key \
         dataset.bytes dataset.percentage peak.percentage allocator.allocated allocator.active allocator.resident \
         allocator-fragmentation.ratio allocator-fragmentation.bytes allocator-rss.ratio allocator-rss.bytes \
         rss-overhead.ratio rss-overhead.bytes fragmentation fragmentation.bytes",
    );
    assert_eq!(names, expected);
    assert_eq!(client.run("MEMORY PURGE"), ok());
    assert!(matches!(client.run("MEMORY DOCTOR"), Value::Bulk(_)));
    let Value::Bulk(text) = client.run("MEMORY MALLOC-STATS") else { panic!("a text") };
    assert!(text.starts_with(b"allocator: mimalloc"));
}
