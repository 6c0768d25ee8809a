//! Clients of a real node that wait: for peers with `WAIT`, until their time is up, until somebody ends it.

use std::time::{Duration, Instant};

use proto::resp::Value;
use tests::client::Client;
use tests::cluster::{Cluster, await_that, info};
use tests::proxy::Conditions;
use tests::server::Server;

const PATIENCE: Duration = Duration::from_secs(30);

fn await_blocked(node: &Server, count: usize) {
    let want = format!("blocked_clients:{count}\r\n");
    await_that("so many clients wait", PATIENCE, || info(node, "clients").contains(&want));
}

fn id(client: &mut Client) -> i64 {
    match client.run("CLIENT ID") {
        Value::Integer(id) => id,
        other => panic!("an id: {other:?}"),
    }
}

#[test]
fn a_lonely_node_waits_for_nobody_until_the_time_is_up() {
    let node = Server::start();
    let mut client = node.client();
    client.run("SET k v");
    assert_eq!(client.run("WAIT 0 0"), Value::Integer(0));
    assert_eq!(client.run("WAIT -3 0"), Value::Integer(0));
    let began = Instant::now();
    assert_eq!(client.run("WAIT 1 120"), Value::Integer(0));
    assert!(began.elapsed() >= Duration::from_millis(115), "{:?}", began.elapsed());
    for (command, error) in [
        ("WAIT x 1", "ERR value is not an integer or out of range"),
        ("WAIT 1 x", "ERR timeout is not an integer or out of range"),
        ("WAIT 1 -1", "ERR timeout is negative"),
    ] {
        assert_eq!(client.run(command), Value::Error(error.into()));
    }
    // A transaction never waits.
    client.run("MULTI");
    client.run("WAIT 1 0");
    assert_eq!(client.run("EXEC"), Value::Array(vec![Value::Integer(0)]));
}

#[test]
fn what_is_behind_a_waiting_command_runs_after_it_and_other_clients_go_on() {
    let node = Server::with(&["--threads", "1"]);
    let mut client = node.client();
    client.send_raw(b"SET k 1\r\nWAIT 1 200\r\nINCR k\r\nWAIT 1 0\r\nGET k\r\n").expect("sent");
    await_blocked(&node, 1);
    let mut other = node.client();
    assert_eq!(other.run("SET other 1"), Value::Simple(b"OK".to_vec()));
    assert_eq!(client.read().expect("a reply"), Value::Simple(b"OK".to_vec()));
    assert_eq!(client.read().expect("a reply"), Value::Integer(0));
    assert_eq!(client.read().expect("a reply"), Value::Integer(2));
    // The second waits for ever; another client ends it.
    await_blocked(&node, 1);
    let listed = match other.run("CLIENT LIST") {
        Value::Bulk(text) => String::from_utf8_lossy(&text).into_owned(),
        other => panic!("a list: {other:?}"),
    };
    let line = listed.lines().find(|l| l.contains("cmd=wait")).expect("the one that waits");
    assert!(line.contains("flags=b "), "{line}");
    let name = line.split_whitespace().find_map(|w| w.strip_prefix("id=")).expect("an id");
    assert_eq!(other.run(&format!("CLIENT UNBLOCK {name}")), Value::Integer(1));
    assert_eq!(client.read().expect("a reply"), Value::Integer(0));
    assert_eq!(client.read().expect("a reply"), Value::Bulk(b"2".to_vec()));
    assert_eq!(other.run(&format!("CLIENT UNBLOCK {name}")), Value::Integer(0), "it waits no more");
    assert_eq!(other.run("CLIENT UNBLOCK 999999"), Value::Integer(0));
    await_blocked(&node, 0);
}

#[test]
fn a_wait_ends_with_an_error_a_kill_or_the_connection() {
    let node = Server::with(&["--threads", "2"]);
    let mut other = node.client();
    let mut client = node.client();
    let number = id(&mut client);
    client.send_raw(b"WAIT 1 0\r\nPING\r\n").expect("sent");
    await_blocked(&node, 1);
    assert_eq!(other.run(&format!("CLIENT UNBLOCK {number} ERROR")), Value::Integer(1));
    let error = Value::Error("UNBLOCKED client unblocked via CLIENT UNBLOCK".into());
    assert_eq!(client.read().expect("a reply"), error);
    assert_eq!(client.read().expect("a reply"), Value::Simple(b"PONG".to_vec()));

    client.send_raw(b"WAIT 1 0\r\n").expect("sent");
    await_blocked(&node, 1);
    assert_eq!(other.run(&format!("CLIENT KILL ID {number}")), Value::Integer(1));
    assert!(client.read().is_err(), "killed");
    await_blocked(&node, 0);

    let mut gone = node.client();
    gone.send_raw(b"WAIT 1 0\r\n").expect("sent");
    await_blocked(&node, 1);
    drop(gone);
    await_blocked(&node, 0);
    let many: Vec<Client> = (0..50)
        .map(|_| {
            let mut client = node.client();
            client.send_raw(b"WAIT 1 100\r\n").expect("sent");
            client
        })
        .collect();
    for mut client in many {
        assert_eq!(client.read().expect("a reply"), Value::Integer(0));
    }
    // A stop does not wait for those who wait.
    let mut last = node.client();
    last.send_raw(b"WAIT 1 0\r\n").expect("sent");
    await_blocked(&node, 1);
    let mut node = node;
    assert!(node.terminate().success());
}

#[test]
fn wait_counts_regions_that_have_the_clients_writes() {
    let cluster = Cluster::start(3, Conditions::wan(20, 0.0), &[]);
    cluster.await_links(PATIENCE);
    let mut client = cluster.nodes[0].client();
    client.run("SET k v");
    let began = Instant::now();
    assert_eq!(client.run("WAIT 2 20000"), Value::Integer(2));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for node in &cluster.nodes[1..] {
        assert_eq!(node.client().run("GET k"), Value::Bulk(b"v".to_vec()));
    }
    // There is no third region besides: the count at the end of the time.
    assert_eq!(client.run("WAIT 3 300"), Value::Integer(2));
    // Cut off, a new write is nowhere else; without one, what was counted stays.
    cluster.set(Conditions::wan(20, 0.0).cut());
    assert_eq!(client.run("WAIT 2 100"), Value::Integer(2));
    client.run("SET k w");
    assert_eq!(client.run("WAIT 1 300"), Value::Integer(0));
    client.send_raw(b"WAIT 2 0\r\n").expect("sent");
    await_blocked(&cluster.nodes[0], 1);
    cluster.set(Conditions::wan(20, 0.0));
    assert_eq!(client.read().expect("a reply"), Value::Integer(2));
}
