//! Sessions of a whole process: EXEC, which holds locks while its commands run, so that none of them may wait for those, whichever
//! command it is; settings that take effect at once.

use std::time::Duration;

use proto::resp::Value;
use tests::server::Server;

/// What would end the connection, stop the server or say nothing.
const LEFT_OUT: [&str; 6] = ["shutdown", "quit", "monitor", "subscribe", "client|reply", "debug|sleep"];

fn words(value: Value) -> Vec<String> {
    let Value::Array(items) = value else { panic!("a list of commands: {value:?}") };
    let text = |v: Value| match v {
        Value::Bulk(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => panic!("a name: {other:?}"),
    };
    items.into_iter().map(text).collect()
}

/// Smallest number of arguments that the command takes, name included.
fn arity(client: &mut tests::client::Client, name: &str) -> usize {
    let Value::Array(infos) = client.run(&format!("COMMAND INFO {name}")) else {
        panic!("no info of {name}")
    };
    match &infos[0] {
        Value::Array(fields) => match fields[1] {
            Value::Integer(arity) => arity.unsigned_abs() as usize,
            ref other => panic!("arity {other:?}"),
        },
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn every_command_answers_inside_a_transaction_that_holds_locks() {
    let server = Server::with(&["--threads", "1"]);
    let mut asker = server.client();
    let mut names = words(asker.run("COMMAND LIST"));
    names.extend(words(asker.run("COMMAND LIST FILTERBY PATTERN *|*")));
    names.retain(|name| !LEFT_OUT.contains(&name.as_str()));
    assert!(names.len() > 100, "{names:?}");
    for name in names {
        let parts: Vec<&str> = name.split('|').collect();
        let missing = arity(&mut asker, &name).saturating_sub(parts.len());
        // More than one try: some commands want numbers, some words.
        for filler in ["1", "k"] {
            let mut client = server.client();
            client.set_reply_timeout(Duration::from_secs(10)).expect("a socket option");
            let mut command = parts.clone();
            command.extend(std::iter::repeat_n(filler, missing));
            client.run("MULTI");
            client.run("SET k 1");
            client.call(&command).unwrap_or_else(|e| panic!("queueing {command:?}: {e}"));
            client.run("GET k");
            let answer = client.call(&["EXEC"]).unwrap_or_else(|e| panic!("EXEC with {command:?}: {e}"));
            assert!(
                matches!(answer, Value::Array(_) | Value::Error(_) | Value::Null),
                "{command:?}: {answer:?}"
            );
        }
    }
}

#[test]
fn the_fsync_policy_changes_at_run_time() {
    let server = Server::with(&["--appendfsync", "no"]);
    let mut client = server.client();
    let syncs = |client: &mut tests::client::Client| -> u64 {
        let Value::Bulk(text) = client.run("INFO persistence") else { panic!("INFO answers a text") };
        let text = String::from_utf8_lossy(&text).into_owned();
        let line = text.lines().find_map(|l| l.strip_prefix("log_syncs:")).expect("log_syncs is told");
        line.parse().expect("a number")
    };
    client.run("SET k 1");
    let before = syncs(&mut client);
    assert_eq!(client.run("CONFIG SET appendfsync always"), Value::Simple(b"OK".to_vec()));
    for _ in 0..5 {
        client.run("SET k 2");
    }
    assert!(syncs(&mut client) >= before + 5);
}

#[test]
fn past_the_memory_limit_reads_and_removes_go_on() {
    let server = Server::start();
    let mut client = server.client();
    let ok = Value::Simple(b"OK".to_vec());
    let refused = Value::Error(b"OOM command not allowed when used memory > 'maxmemory'.".to_vec());
    assert_eq!(client.run("SET k 1"), ok);
    assert_eq!(client.call(&["SET", "large", &"x".repeat(64 << 20)]).expect("a reply"), ok);
    assert_eq!(client.run("CONFIG SET maxmemory 32mb"), ok);
    assert_eq!(client.run("SET k 2"), refused);
    assert_eq!(client.run("GET k"), Value::Bulk(b"1".to_vec()));
    assert_eq!(client.run("DEL k"), Value::Integer(1));
    client.run("MULTI");
    assert_eq!(client.run("INCR k"), refused);
    assert!(matches!(client.run("EXEC"), Value::Error(text) if text.starts_with(b"EXECABORT")));
    assert_eq!(client.run("CONFIG SET maxmemory 0"), ok);
    assert_eq!(client.run("SET k 2"), ok);
}

#[test]
fn a_watched_key_that_was_past_its_expiry_already_does_not_change_by_going() {
    let server = Server::start();
    let mut client = server.client();
    client.run("DEBUG SET-ACTIVE-EXPIRE 0");
    let pong = Value::Array(vec![Value::Simple(b"PONG".to_vec())]);
    for going in ["DEL stale", "GET stale", "FLUSHDB", "SWAPDB 0 9"] {
        client.run("FLUSHALL");
        client.run("SET stale v PX 1");
        while client.run("EXISTS stale") == Value::Integer(1) {
            std::thread::yield_now();
        }
        client.run("SET stale v PX 1");
        std::thread::sleep(std::time::Duration::from_millis(3));
        client.run("WATCH stale");
        client.run(going);
        client.run("MULTI");
        client.run("PING");
        assert_eq!(client.run("EXEC"), pong, "{going}");
        // One that was live did change, whoever removes it.
        client.run("SET live v");
        client.run("WATCH live");
        client.run(&going.replace("stale", "live").replace("GET", "DEL"));
        client.run("MULTI");
        client.run("PING");
        assert_eq!(client.run("EXEC"), Value::Null, "{going}");
    }
}
