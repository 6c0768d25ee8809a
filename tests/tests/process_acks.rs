//! What a client of a cluster can have waited for and told: replies held until members have the write, tokens, lags.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proto::resp::Value;
use tests::client::Client;
use tests::cluster::{Cluster, await_that, info};
use tests::proxy::Conditions;
use tests::server::Server;

const PATIENCE: Duration = Duration::from_secs(30);
const DELAY_MS: u64 = 40;

fn ok() -> Value {
    Value::Simple(b"OK".to_vec())
}

fn is_noack(value: &Value) -> bool {
    matches!(value, Value::Error(text) if text.starts_with(b"NOACK 0 of the 1 other members"))
}

fn cluster(args: &[&str]) -> Cluster {
    let cluster = Cluster::start(2, Conditions::wan(DELAY_MS, 0.0), args);
    cluster.await_links(PATIENCE);
    cluster
}

fn replies(client: &mut Client, count: usize) -> Vec<Value> {
    (0..count).map(|_| client.read().expect("a reply")).collect()
}

fn counter(node: &Server, name: &str) -> u64 {
    let text = info(node, "replication");
    let line = text.lines().find_map(|l| l.strip_prefix(&format!("{name}:")).map(str::to_owned));
    line.expect("told").trim().parse().expect("a number")
}

#[test]
fn a_reply_waits_for_the_members_that_its_rule_asks_for() {
    let cluster = cluster(&["--rule", "cart:*=unsafe,acks=1", "--acks-timeout", "10000"]);
    let [near, far] = [0, 1].map(|i| &cluster.nodes[i]);
    let mut client = near.client();
    // A key of no such rule, and one that is read, are answered at once.
    let began = Instant::now();
    assert_eq!(client.run("SET other v"), ok());
    assert_eq!(client.run("GET cart:1"), Value::Null);
    let at_once = began.elapsed();
    let began = Instant::now();
    assert_eq!(client.run("SET cart:1 v"), ok());
    let waited = began.elapsed();
    assert!(waited >= Duration::from_millis(2 * DELAY_MS), "{waited:?}, and {at_once:?} without");
    assert_eq!(far.client().run("GET cart:1"), Value::Bulk(b"v".to_vec()), "it has it before the reply");

    // A pipeline waits once, in order, whatever stands in it; other clients of the reactor do not wait at all.
    let began = Instant::now();
    let mut batch = Vec::new();
    for n in 0..200 {
        batch.extend_from_slice(format!("INCR cart:n\r\nGET cart:{n}\r\n").as_bytes());
    }
    batch.extend_from_slice(b"MULTI\r\nSET cart:e 1\r\nSET other 2\r\nEXEC\r\nSETNX cart:e 2\r\nPING\r\n");
    client.send_raw(&batch).expect("sent");
    assert_eq!(near.client().run("GET cart:n"), Value::Bulk(b"200".to_vec()), "shown at once");
    let got = replies(&mut client, 400 + 6);
    for (n, pair) in got[..400].chunks(2).enumerate() {
        assert_eq!(pair[0], Value::Integer(n as i64 + 1));
    }
    assert_eq!(got[403], Value::Array(vec![ok(), ok()]));
    assert_eq!(got[404..], [Value::Integer(0), Value::Simple(b"PONG".to_vec())]);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());

    // Nobody to hear it: an error in its place, and the write stands.
    cluster.set(Conditions::wan(DELAY_MS, 0.0).cut());
    client.run("CONFIG SET acks-timeout 300");
    let missed = counter(near, "acks_missed");
    client
        .send_raw(b"SET cart:1 w\r\nGET cart:1\r\nMULTI\r\nSET cart:2 x\r\nGET other\r\nEXEC\r\nPING\r\n")
        .expect("sent");
    let got = replies(&mut client, 7);
    assert!(is_noack(&got[0]) && is_noack(&got[5]), "{got:?}");
    assert_eq!(got[1], Value::Bulk(b"w".to_vec()));
    assert_eq!(got[6], Value::Simple(b"PONG".to_vec()));
    assert_eq!(counter(near, "acks_missed"), missed + 2);
    // A client that goes, and one that is told to wait for ever, leave nothing behind.
    let mut gone = near.client();
    gone.send_raw(b"SET cart:3 x\r\n").expect("sent");
    drop(gone);
    client.run("CONFIG SET acks-timeout 0");
    client.send_raw(b"SET cart:4 x\r\nWAIT 1 0\r\nQUIT\r\n").expect("sent");
    await_that("it runs", PATIENCE, || near.client().run("GET cart:4") == Value::Bulk(b"x".to_vec()));
    cluster.set(Conditions::wan(DELAY_MS, 0.0));
    assert_eq!(replies(&mut client, 3), [ok(), Value::Integer(1), ok()]);
    assert!(client.read().is_err(), "closed after the last reply");
}

#[test]
fn a_lonely_node_says_that_nobody_has_the_write() {
    let node = Server::with(&["--rule", "*=unsafe,acks=1", "--acks-timeout", "50"]);
    let mut client = node.client();
    assert!(is_noack(&client.run("SET k v")));
    assert_eq!(client.run("GET k"), Value::Bulk(b"v".to_vec()));
    assert!(is_noack(&client.run("FLUSHALL")));
    // What is not answered is not waited for.
    client.run("CONFIG SET acks-timeout 0");
    client.send_raw(b"CLIENT REPLY OFF\r\nSET k v\r\nCLIENT REPLY ON\r\n").expect("sent");
    assert_eq!(client.read().expect("a reply"), ok());
}

fn pairs(value: Value) -> BTreeMap<String, Value> {
    let text = |v: &Value| match v {
        Value::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("a name: {other:?}"),
    };
    match value {
        Value::Array(flat) => flat.chunks(2).map(|p| (text(&p[0]), p[1].clone())).collect(),
        Value::Map(pairs) => pairs.iter().map(|(k, v)| (text(k), v.clone())).collect(),
        other => panic!("pairs: {other:?}"),
    }
}

fn lags(client: &mut Client) -> Vec<BTreeMap<String, Value>> {
    match client.run("ATOLL.LAG") {
        Value::Array(members) => members.into_iter().map(pairs).collect(),
        other => panic!("lags: {other:?}"),
    }
}

#[test]
fn a_token_brings_a_clients_writes_to_another_node_and_lags_say_how_far_that_is() {
    let cluster = cluster(&[]);
    let [mut here, mut there] = [0, 1].map(|i| cluster.nodes[i].client());
    let token = |client: &mut Client| match client.run("ATOLL.TOKEN") {
        Value::Bulk(text) => String::from_utf8(text).expect("text"),
        other => panic!("a token: {other:?}"),
    };
    for n in 0..20 {
        here.run(&format!("SET k {n}"));
        let token = token(&mut here);
        assert!(token.len() < 100 && !token.contains(' '), "{token}");
        assert_eq!(there.run(&format!("ATOLL.WAIT {token} 10000")), ok());
        assert_eq!(there.run("GET k"), Value::Bulk(n.to_string().into_bytes()));
    }
    for (command, error) in [
        ("ATOLL.WAIT nonsense 10", "ERR malformed token"),
        ("ATOLL.WAIT * 10", "ERR malformed token"),
        ("ATOLL.WAIT", "ERR wrong number of arguments"),
    ] {
        match there.run(command) {
            Value::Error(text) => assert!(text.starts_with(error.as_bytes()), "{command}: {text:?}"),
            other => panic!("{command}: {other:?}"),
        }
    }
    let known = token(&mut here);
    assert_eq!(here.run(&format!("ATOLL.WAIT {known} -1")), Value::Error("ERR timeout is negative".into()));
    // Both have everything.
    await_that("nobody lacks anything", PATIENCE, || {
        lags(&mut here)
            .iter()
            .all(|l| l["lacks-effects"] == Value::Integer(0) && l["we-lack"] == Value::Integer(0))
    });
    let lag = &lags(&mut here)[0];
    assert_eq!((&lag["region"], &lag["link"]), (&Value::Bulk(b"r1".to_vec()), &Value::Bulk(b"up".to_vec())));
    assert!(matches!(lag["rtt-us"], Value::Integer(us) if us >= 2 * DELAY_MS as i64 * 1000), "{lag:?}");
    assert_eq!(lag["behind-ms"], Value::Integer(0));

    cluster.set(Conditions::wan(DELAY_MS, 0.0).cut());
    for n in 0..7 {
        here.run(&format!("SET cut:{n} v"));
    }
    let token = token(&mut here);
    assert_eq!(here.run(&format!("ATOLL.WAIT {token} 0")), ok(), "where it was taken");
    let behind = there.run(&format!("ATOLL.WAIT {token} 200"));
    assert!(
        matches!(&behind, Value::Error(text) if text.starts_with(b"BEHIND this node lacks 7 effects")),
        "{behind:?}"
    );
    there.run("MULTI");
    for refused in ["ATOLL.TOKEN".to_owned(), format!("ATOLL.WAIT {token} 0")] {
        match there.run(&refused) {
            Value::Error(text) => {
                assert!(text.ends_with(b"not allowed inside a transaction"), "{refused}: {text:?}")
            }
            other => panic!("{refused} within a transaction: {other:?}"),
        }
    }
    assert!(matches!(there.run("EXEC"), Value::Error(text) if text.starts_with(b"EXECABORT")));
    let lag = &lags(&mut here)[0];
    assert_eq!((&lag["lacks-ours"], &lag["lacks-effects"]), (&Value::Integer(7), &Value::Integer(7)));
    assert!(matches!(lag["lacks-bytes"], Value::Integer(n) if (7 * 20..7 * 300).contains(&n)), "{lag:?}");
    assert!(matches!(lag["behind-ms"], Value::Integer(ms) if (150..30_000).contains(&ms)), "{lag:?}");
    let told = info(&cluster.nodes[0], "replication");
    assert!(told.contains("lag0:node=") && told.contains("lacks_ours=7"), "{told}");
    here.run("HELLO 3");
    assert_eq!(lags(&mut here).len(), 1);

    there.send_raw(format!("ATOLL.WAIT {token} 0\r\nGET cut:6\r\n").as_bytes()).expect("sent");
    cluster.set(Conditions::wan(DELAY_MS, 0.0));
    assert_eq!(replies(&mut there, 2), [ok(), Value::Bulk(b"v".to_vec())]);
}

#[test]
fn a_node_goes_on_alone_as_far_as_it_is_told_to() {
    let cluster = cluster(&["--max-divergence-size", "4kb"]);
    let [mut here, mut there] = [0, 1].map(|i| cluster.nodes[i].client());
    assert_eq!(here.run("SET before cut"), ok());
    cluster.set(Conditions::wan(DELAY_MS, 0.0).cut());
    let mut written = 0;
    let refused = |value: &Value| matches!(value, Value::Error(text) if text.starts_with(b"DIVERGED"));
    await_that("writes are refused", PATIENCE, || {
        written += 1;
        refused(&here.run(&format!("SET k{written} {}", "v".repeat(100))))
    });
    assert!(written > 20, "{written} writes of 100 bytes are no 4 KiB");
    assert_eq!(here.run("GET k1"), Value::Bulk("v".repeat(100).into_bytes()), "reads go on");
    assert_eq!(there.run("SET other side"), ok(), "the other side has written less");
    assert!(info(&cluster.nodes[0], "replication").contains("diverged:1"));
    assert_eq!(here.run("CONFIG SET max-divergence-size 0"), ok());
    assert_eq!(here.run("SET k1 anew"), ok());
    assert_eq!(here.run("CONFIG SET max-divergence-time 50"), ok());
    await_that("it is too long", PATIENCE, || refused(&here.run("SET k1 again")));
    cluster.set(Conditions::wan(DELAY_MS, 0.0));
    await_that("writes are taken again", PATIENCE, || here.run("SET after heal") == ok());
    cluster.await_one_digest(PATIENCE);
}
