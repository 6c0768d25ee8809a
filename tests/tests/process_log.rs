//! `atoll log` on directories that real nodes left: sound ones, damaged ones, ones in use.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use proto::resp::Value;
use serde_json::Value as Json;
use tests::server::{Server, binary};

const SEGMENT: &str = "log-000000000001.seg";

fn log(args: &[&str], dir: &Path) -> Output {
    Command::new(binary())
        .args(["log", args[0], "--data-dir"])
        .arg(dir)
        .args(&args[1..])
        .output()
        .expect("the atoll binary starts")
}

/// Exit code and standard output.
fn said(args: &[&str], dir: &Path) -> (i32, String) {
    let output = log(args, dir);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("panicked"), "{args:?}: {errors}");
    (output.status.code().expect("an exit code"), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Every file below a directory.
fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).expect("the directory reads") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(content(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).expect("the file reads"));
        }
    }
    found
}

/// A node that wrote and was stopped.
fn stopped() -> Server {
    let mut server = Server::start();
    let mut client = server.client();
    for command in
        ["SET a one", "SET b two EX 100000", "INCR n", "SADD s x y", "APPEND a +", "SELECT 3", "SET c three"]
    {
        let reply = client.run(command);
        assert!(!matches!(reply, Value::Error(_)), "{command}: {reply:?}");
    }
    drop(client);
    assert!(server.terminate().success());
    server
}

/// Flips a bit in the batch of this effect; returns where that batch begins.
fn damage(dir: &Path, seq: u64) -> u64 {
    let (_, lines) = said(&["dump", "--json"], dir);
    let effect: Json = lines
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).expect("JSON"))
        .find(|effect| effect["seq"] == seq)
        .expect("the effect");
    let offset = effect["offset"].as_u64().expect("an offset");
    let path = dir.join(SEGMENT);
    let mut bytes = std::fs::read(&path).expect("the segment reads");
    bytes[offset as usize + 50] ^= 4;
    std::fs::write(&path, bytes).expect("the segment can be written");
    offset
}

#[test]
fn a_sound_directory_is_verified_and_counted() {
    let server = stopped();
    let dir = server.data_dir();
    let before = content(&dir);
    let (code, text) = said(&["verify"], &dir);
    assert!(code == 0 && text.contains("sound") && text.lines().count() == 1, "{code}: {text}");
    let (code, text) = said(&["stat", "--json"], &dir);
    let stat: Json = serde_json::from_str(&text).expect("JSON");
    assert_eq!((code, &stat["clean"], &stat["damages"]), (0, &true.into(), &0.into()), "{text}");
    assert_eq!((&stat["effects"], &stat["segments"]), (&6.into(), &1.into()), "{text}");
    assert_eq!((&stat["kinds"]["assign"], &stat["kinds"]["delta"]), (&3.into(), &1.into()), "{text}");
    assert_eq!((&stat["origins"][0]["first"], &stat["origins"][0]["last"]), (&1.into(), &6.into()), "{text}");
    let (code, text) = said(&["stat"], &dir);
    assert!(code == 0 && text.contains("clean stop     yes") && text.contains("seq 1 to 6"), "{text}");
    let (code, text) = said(&["repair", "--yes"], &dir);
    assert!(code == 0 && text.contains("nothing to repair"), "{text}");
    assert_eq!(content(&dir), before, "looking changes nothing");
}

#[test]
fn effects_are_dumped_and_filtered() {
    let server = stopped();
    let dir = server.data_dir();
    let count = |args: &[&str]| {
        let (code, text) = said(&[&["dump"], args].concat(), &dir);
        assert_eq!(code, 0, "{args:?}: {text}");
        text.lines().count()
    };
    assert_eq!(count(&[]), 6);
    assert_eq!(count(&["--key", "a"]), 2);
    assert_eq!(count(&["--match", "[ab]"]), 3);
    assert_eq!(count(&["--db", "3"]), 1);
    assert_eq!(count(&["--kind", "delta,append"]), 2);
    assert_eq!(count(&["--limit", "4"]), 4);
    assert_eq!(count(&["--node", "1"]), 0);
    assert_eq!(count(&["--from", "2020-01-01", "--to", "2100-01-01T00:00:00Z"]), 6);
    assert_eq!(count(&["--to", "1000"]), 0);
    let (_, text) = said(&["dump", "--key", "b"], &dir);
    assert!(text.contains(" db0 assign \"b\" \"two\" expires=20"), "{text}");
    let (_, text) = said(&["dump", "--json", "--key", "a"], &dir);
    let effects: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(effects[0]["key"], "a");
    assert_eq!((&effects[0]["value"], &effects[1]["value"]), (&"one".into(), &"+".into()));
    assert_eq!(log(&["dump", "--kind", "nonsense"], &dir).status.code(), Some(2));
    assert_eq!(log(&["dump", "--from", "soon"], &dir).status.code(), Some(2));
}

#[test]
fn damage_is_named_and_repaired_only_when_told_to() {
    let mut server = stopped();
    let dir = server.data_dir();
    let offset = damage(&dir, 4);
    let place = format!("{SEGMENT}, byte {offset}:");
    let (code, text) = said(&["verify"], &dir);
    assert!(code == 1 && text.contains(&place), "{code}: {text}");
    let node = Command::new(binary())
        .args(["serve", "--port", "0", "--data-dir"])
        .arg(&dir)
        .output()
        .expect("the atoll binary starts");
    let refusal = String::from_utf8_lossy(&node.stderr).into_owned();
    let named = format!("{SEGMENT} is damaged at byte {offset}");
    assert!(!node.status.success() && refusal.contains(&named), "{refusal}");

    let before = content(&dir);
    let (code, text) = said(&["repair"], &dir);
    assert!(code == 1 && text.contains("--yes") && text.contains("seq 5 to 6, 2 effects"), "{code}: {text}");
    assert_eq!(content(&dir), before, "nothing is done without --yes");

    let (code, text) = said(&["repair", "--yes"], &dir);
    assert_eq!(code, 0, "{text}");
    let (code, text) = said(&["verify"], &dir);
    assert!(code == 0 && text.contains(" 3 effects"), "{code}: {text}");
    let side = std::fs::read_dir(&dir)
        .expect("the directory reads")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.is_dir())
        .expect("a side directory");
    let dump = Command::new(binary())
        .args(["log", "dump", "--file"])
        .arg(side.join(SEGMENT))
        .output()
        .expect("the atoll binary starts");
    let text = String::from_utf8_lossy(&dump.stdout).into_owned();
    assert_eq!(dump.status.code(), Some(1), "the damage went with it");
    assert!(text.lines().count() == 2 && text.contains("append \"a\" \"+\""), "{text}");
    assert!(side.join("CLEAN").is_file());

    server.launch();
    let mut client = server.client();
    assert_eq!(client.run("GET a"), Value::Bulk(b"one".to_vec()));
    assert_eq!(client.run("GET n"), Value::Bulk(b"1".to_vec()));
    assert_eq!(client.run("EXISTS s"), Value::Integer(0));
    client.run("SET after repair");
    drop(client);
    server.restart();
    assert_eq!(server.client().run("GET after"), Value::Bulk(b"repair".to_vec()));
    assert!(side.join(SEGMENT).is_file(), "a start leaves the side directory alone");
}

#[test]
fn a_torn_tail_is_sound_and_mentioned() {
    let server = stopped();
    let dir = server.data_dir();
    std::fs::remove_file(dir.join("CLEAN")).expect("the marker goes");
    let path = dir.join(SEGMENT);
    let bytes = std::fs::read(&path).expect("the segment reads");
    std::fs::write(&path, &bytes[..bytes.len() - 3]).expect("the segment can be written");
    let (code, text) = said(&["verify"], &dir);
    assert!(code == 0 && text.contains("note: ") && text.contains("torn tail"), "{code}: {text}");
    let (code, text) = said(&["stat"], &dir);
    assert!(code == 0 && text.contains("clean stop     no"), "{text}");
}

#[test]
fn directories_that_cannot_be_read_are_refused_by_name() {
    let server = Server::start();
    let empty = tempfile::tempdir().expect("a temporary directory");
    let cases = [
        (server.data_dir(), "running node"),
        (empty.path().to_path_buf(), "no Atoll data directory"),
        (empty.path().join("none"), "none"),
    ];
    for (dir, word) in cases {
        for command in ["verify", "dump", "stat", "repair"] {
            let output = log(&[command], &dir);
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{command}: {text}");
            assert!(text.contains(word) && text.contains(&*dir.to_string_lossy()), "{command}: {text}");
        }
    }
    assert_eq!(std::fs::read_dir(empty.path()).expect("it reads").count(), 0, "nothing is created");
}

#[test]
fn a_reader_that_leaves_ends_a_dump_quietly() {
    let mut server = Server::start();
    let mut client = server.client();
    let value = "v".repeat(100);
    for i in 0..3000 {
        client.send(&["SET", &format!("key:{i}"), &value]).expect("it is sent");
    }
    for _ in 0..3000 {
        client.read().expect("a reply");
    }
    drop(client);
    assert!(server.terminate().success());
    let mut dump = Command::new(binary())
        .args(["log", "dump", "--data-dir"])
        .arg(server.data_dir())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the atoll binary starts");
    let mut first = [0; 100];
    dump.stdout.take().expect("a pipe").read_exact(&mut first).expect("some output");
    let output = dump.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
