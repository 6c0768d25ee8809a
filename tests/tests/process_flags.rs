//! The command line: wrong values are refused by name before anything starts, and help names every flag.

use std::process::{Command, Output};
use std::time::Duration;

use proto::resp::Value;
use tests::cluster::await_that;
use tests::server::{Server, binary};

/// Every flag of `atoll serve`.
const FLAGS: [&str; 26] = [
    "--bind",
    "--port",
    "--unixsocket",
    "--data-dir",
    "--appendfsync",
    "--threads",
    "--databases",
    "--maxclients",
    "--maxmemory",
    "--maxmemory-policy",
    "--timeout",
    "--region",
    "--cluster-port",
    "--cluster-advertise",
    "--cluster-secret",
    "--cluster-secret-file",
    "--join",
    "--default-mode",
    "--rule",
    "--acks-timeout",
    "--compare-interval",
    "--max-divergence-size",
    "--max-divergence-time",
    "--conflict-feed-size",
    "--log-format",
    "--log-level",
];

fn serve(args: &[&str], variables: &[(&str, &str)]) -> Output {
    let dir = tempfile::tempdir().expect("a temporary directory");
    Command::new(binary())
        .arg("serve")
        .args(args)
        .envs(variables.iter().copied())
        .current_dir(dir.path())
        .output()
        .expect("the atoll binary starts")
}

fn refused(args: &[&str], variables: &[(&str, &str)], words: &[&str]) {
    let output = serve(args, variables);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{args:?} {variables:?} was accepted: {said}");
    assert!(!said.contains("panicked"), "{args:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{args:?} {variables:?}: no '{word}' in: {said}");
    }
}

#[test]
fn unknown_and_malformed_flags_are_refused_by_name() {
    refused(&["--no-such-flag"], &[], &["--no-such-flag"]);
    refused(&["--prot", "7000"], &[], &["--prot"]);
    refused(&["positional"], &[], &["positional"]);
    refused(&["--appendfsync", "sometimes"], &[], &["appendfsync", "sometimes"]);
    refused(&["--port", "65536"], &[], &["--port", "65536"]);
    refused(&["--port", "-1"], &[], &["-1"]);
    refused(&["--port", "abc"], &[], &["--port", "abc"]);
    refused(&["--threads", "0"], &[], &["--threads", "0"]);
    refused(&["--threads", "many"], &[], &["--threads", "many"]);
    refused(&["--databases", "0"], &[], &["--databases", "0"]);
    refused(&["--maxclients", "0"], &[], &["--maxclients", "0"]);
    refused(&["--maxmemory", "plenty"], &[], &["--maxmemory", "plenty"]);
    refused(&["--maxmemory-policy", "lru"], &[], &["--maxmemory-policy", "lru", "allkeys-lru"]);
    refused(&["--timeout", "-5"], &[], &["-5"]);
    refused(&["--log-level", "loud"], &[], &["--log-level", "loud"]);
    refused(&["--log-format", "xml"], &[], &["--log-format", "xml"]);
    refused(&["--default-mode", "maybe"], &[], &["--default-mode", "maybe"]);
    refused(&["--region", "a b"], &[], &["--region", "a b"]);
    refused(&["--config", "no-such-file.toml"], &[], &["no-such-file.toml"]);
    refused(&["--cluster-secret-file", "no-such-file"], &[], &["--cluster-secret-file", "no-such-file"]);
    refused(&["--bind", "not an address", "--port", "0"], &[], &["not an address"]);
}

#[test]
fn malformed_rules_are_refused_by_name() {
    for rule in ["nonsense", "a*=maybe", "=unsafe", "a*="] {
        refused(&["--rule", rule], &[], &["--rule", rule]);
    }
}

#[test]
fn contradictions_are_refused_by_name() {
    let secret = ["--cluster-secret", "long enough to use"];
    refused(
        &[&secret[..], &["--cluster-secret-file", "secret.txt"]].concat(),
        &[],
        &["--cluster-secret", "--cluster-secret-file"],
    );
    refused(&["--join", "127.0.0.1:7000"], &[], &["--join", "--cluster-secret"]);
    let joining = [&secret[..], &["--join", "127.0.0.1:7000"]].concat();
    refused(&joining, &[], &["--default-mode", "unsafe"]);
    refused(&[&joining[..], &["--default-mode", "safe"]].concat(), &[], &["--default-mode", "unsafe"]);
    let rule = ["--default-mode", "unsafe", "--rule", "stock:*=safe"];
    refused(&[&joining[..], &rule].concat(), &[], &["stock:*=safe", "unsafe"]);
    let unsafe_mode = ["--default-mode", "unsafe"];
    refused(&[&secret[..], &unsafe_mode, &["--join", "no:where"]].concat(), &[], &["--join", "no:where"]);
    refused(
        &[&secret[..], &unsafe_mode, &["--cluster-advertise", "nowhere"]].concat(),
        &[],
        &["--cluster-advertise", "nowhere"],
    );
    refused(&[&secret[..], &unsafe_mode, &["--port", "65000"]].concat(), &[], &["65000", "--cluster-port"]);
}

#[test]
fn variables_and_the_file_are_checked_like_flags() {
    refused(&[], &[("ATOLL_APPENDFSYNC", "sometimes")], &["appendfsync", "sometimes"]);
    refused(&[], &[("ATOLL_PORT", "65536")], &["65536"]);
    refused(&[], &[("ATOLL_THREADS", "0")], &["threads"]);
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (text, word) in [
        ("prot = 7000\n", "prot"),
        ("port = 70000\n", "port"),
        ("appendfsync = \"sometimes\"\n", "sometimes"),
        ("rule = [\"x\"]\n", "--rule"),
        ("= broken", "atoll.toml"),
    ] {
        let path = dir.path().join("atoll.toml");
        std::fs::write(&path, text).expect("the file is written");
        refused(&["--config", path.to_str().expect("a plain path")], &[], &[word]);
    }
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("atoll.toml");
    std::fs::write(&path, "databases = 3\nmaxclients = 33\ntimeout = 333\n").expect("the file is written");
    let config = path.to_str().expect("a plain path");
    let server =
        Server::with_variables(&["--config", config, "--databases", "5"], &[("ATOLL_MAXCLIENTS", "44")]);
    let mut client = server.client();
    for (name, value) in [("databases", "5"), ("maxclients", "44"), ("timeout", "333")] {
        let expected = [name, value].map(|text| Value::Bulk(text.as_bytes().to_vec()));
        assert_eq!(client.run(&format!("CONFIG GET {name}")), Value::Array(expected.to_vec()));
    }
    assert!(matches!(client.run("SELECT 5"), Value::Error(_)));
}

#[test]
fn help_names_every_flag() {
    let output = serve(&["--help"], &[]);
    assert!(output.status.success());
    let help = String::from_utf8_lossy(&output.stdout);
    for flag in FLAGS {
        assert!(help.contains(flag), "{flag} is not in --help");
        let variable = flag.trim_start_matches('-').to_uppercase().replace('-', "_");
        assert!(help.contains(&format!("ATOLL_{variable}")), "ATOLL_{variable} is not in --help");
    }
    let short = Command::new(binary()).arg("--help").output().expect("the atoll binary starts");
    assert!(String::from_utf8_lossy(&short.stdout).contains("serve"));
}

#[test]
fn clients_over_the_limit_are_refused() {
    let mut server = Server::with(&["--maxclients", "3"]);
    server.allow_log("maxclients");
    // The fixture's own question at the start may still hold a place.
    let mut first = server.client();
    await_that(
        "only this client is left",
        Duration::from_secs(10),
        || matches!(first.run("INFO clients"), Value::Bulk(text) if text.windows(b"connected_clients:1\r\n".len()).any(|w| w == b"connected_clients:1\r\n")),
    );
    let mut kept = vec![first, server.client(), server.client()];
    for client in &mut kept {
        assert_eq!(client.run("PING"), Value::Simple(b"PONG".to_vec()));
    }
    let mut fourth = server.client();
    assert_eq!(fourth.read().ok(), Some(Value::Error(b"ERR max number of clients reached".to_vec())));
    assert!(fourth.read().is_err());
    assert_eq!(kept[0].run("PING"), Value::Simple(b"PONG".to_vec()));
}

#[test]
fn a_unix_socket_serves_as_well() {
    use std::io::{Read, Write};
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("s");
    let server = Server::with(&["--unixsocket", path.to_str().expect("a plain path")]);
    server.client().run("SET k v");
    let mut stream = std::os::unix::net::UnixStream::connect(&path).expect("the socket accepts");
    stream.write_all(b"GET k\r\n").expect("written");
    let mut reply = [0; 7];
    stream.read_exact(&mut reply).expect("a reply");
    assert_eq!(&reply, b"$1\r\nv\r\n");
}
