//! Clean stops keep everything; one data directory has one node.

use std::process::Command;

use proto::resp::Value;
use tests::client::Client;
use tests::server::{Server, binary, free_port};

const WRITES: [&str; 10] = [
    "SET plain value",
    "SET timed value EX 100000",
    "SADD set a b c 1 2",
    "SREM set a",
    "INCRBYFLOAT float 10.5",
    "APPEND text hello",
    "SETRANGE text 5 world",
    "MSET a 1 b 2",
    "RENAME a renamed",
    "DEL b",
];

fn write(client: &mut Client) {
    for command in WRITES {
        let reply = client.run(command);
        assert!(!matches!(reply, Value::Error(_)), "{command}: {reply:?}");
    }
    client.run("SELECT 5");
    client.run("SET there x");
}

/// Everything a client can see, without what changes by itself.
fn contents(client: &mut Client) -> Vec<String> {
    let mut seen = Vec::new();
    for db in [0, 5] {
        client.run(&format!("SELECT {db}"));
        let Value::Array(mut keys) = client.run("KEYS *") else { panic!("KEYS") };
        keys.sort_by_cached_key(|k| format!("{k:?}"));
        for key in keys {
            let Value::Bulk(name) = &key else { panic!("a key") };
            let name = String::from_utf8_lossy(name).into_owned();
            let value = match client.run(&format!("TYPE {name}")) {
                Value::Simple(kind) if kind == b"set" => {
                    let Value::Array(mut members) = client.run(&format!("SMEMBERS {name}")) else { panic!() };
                    members.sort_by_cached_key(|m| format!("{m:?}"));
                    Value::Array(members)
                }
                _ => client.run(&format!("GET {name}")),
            };
            let expiry = client.run(&format!("PEXPIRETIME {name}"));
            seen.push(format!("{db} {name} {value:?} {expiry:?}"));
        }
    }
    seen
}

fn survives(stop: impl FnOnce(&mut Server)) {
    let mut server = Server::start();
    write(&mut server.client());
    let before = contents(&mut server.client());
    assert_eq!(before.len(), 7, "{before:#?}");
    stop(&mut server);
    server.launch();
    assert_eq!(contents(&mut server.client()), before);
    // And once more, from what the second start wrote.
    server.restart();
    assert_eq!(contents(&mut server.client()), before);
}

#[test]
fn sigterm_stops_cleanly_and_keeps_everything() {
    survives(|server| assert!(server.terminate().success()));
}

#[test]
fn sigint_stops_cleanly_and_keeps_everything() {
    survives(|server| assert!(server.signal("INT").success()));
}

#[test]
fn shutdown_stops_cleanly_and_keeps_everything() {
    survives(|server| {
        let mut client = server.client();
        client.send(&["SHUTDOWN"]).expect("the command is sent");
        assert!(client.read().is_err(), "SHUTDOWN has no reply");
        assert!(server.wait().success());
    });
}

#[test]
fn shutdown_with_options_is_understood_and_nonsense_refused() {
    let mut server = Server::start();
    let mut client = server.client();
    assert_eq!(client.run("SHUTDOWN NOSENSE"), Value::Error(b"ERR syntax error".to_vec()));
    assert_eq!(client.run("SHUTDOWN ABORT"), Value::Error(b"ERR No shutdown in progress.".to_vec()));
    client.run("SET k v");
    client.send(&["SHUTDOWN", "NOSAVE", "NOW", "FORCE"]).expect("the command is sent");
    assert!(client.read().is_err());
    assert!(server.wait().success());
    server.launch();
    assert_eq!(server.client().run("GET k"), Value::Bulk(b"v".to_vec()));
}

#[test]
fn kill9_keeps_every_kind_of_write() {
    survives(Server::kill9);
}

#[test]
fn a_second_node_on_the_same_directory_is_refused() {
    let mut server = Server::start();
    server.client().run("SET k v");
    let second = Command::new(binary())
        .args(["serve", "--port", &free_port().to_string(), "--data-dir"])
        .arg(server.data_dir())
        .output()
        .expect("the atoll binary starts");
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success(), "{said}");
    let dir = server.data_dir().display().to_string();
    assert!(said.contains(&dir) && said.contains("another"), "it names the directory and the reason: {said}");
    assert_eq!(server.client().run("GET k"), Value::Bulk(b"v".to_vec()));
    server.restart();
    assert_eq!(server.client().run("GET k"), Value::Bulk(b"v".to_vec()));
}

#[test]
fn a_taken_port_is_named() {
    let server = Server::start();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let second = Command::new(binary())
        .args(["serve", "--port", &server.port().to_string(), "--data-dir"])
        .arg(dir.path().join("other"))
        .output()
        .expect("the atoll binary starts");
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && said.contains(&server.port().to_string()), "{said}");
}
