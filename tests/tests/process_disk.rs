//! Real file systems that fail: one that fills up under load loses no acknowledged write, says why it refuses, answers reads, and
//! takes writes again when there is room, without a restart; one that is read-only, or no directory, refuses a start by name.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use proto::resp::Value;
use tests::client::Client;
use tests::random::{Random, seed};
use tests::server::Server;
use tests::small_disk::SmallDisk;

const DISK_BYTES: u64 = 16 << 20;
const FILLER_BYTES: usize = 6 << 20;
const KEYS: u64 = 500;
const VALUE_BYTES: usize = 2000;
const PATIENCE: Duration = Duration::from_secs(20);

/// Overwrites keys until a write is refused, or for so many writes. Returns the refusal.
fn write_until_refused(
    client: &mut Client,
    random: &mut Random,
    acknowledged: &mut HashMap<u64, u64>,
    unknown: &mut HashMap<u64, u64>,
    writes: u64,
) -> Option<String> {
    for _ in 0..writes {
        let (key, version) = (random.below(KEYS), random.below(1 << 40));
        let value = format!("{version:0>VALUE_BYTES$}");
        match client.call(&["SET".to_owned(), format!("key:{key}"), value]) {
            Ok(Value::Simple(_)) => {
                acknowledged.insert(key, version);
                unknown.remove(&key);
            }
            Ok(Value::Error(text)) => {
                // The turn in which the log refused may be written yet: it is the first thing when there is room.
                unknown.insert(key, version);
                return Some(String::from_utf8_lossy(&text).into_owned());
            }
            Ok(other) => panic!("SET answered {other:?}"),
            // Closed after the refusal.
            Err(_) => return Some(String::new()),
        }
    }
    None
}

fn check(client: &mut Client, acknowledged: &HashMap<u64, u64>, unknown: &HashMap<u64, u64>) {
    for (key, version) in acknowledged {
        let found = match client.run(&format!("GET key:{key}")) {
            Value::Bulk(bytes) => {
                String::from_utf8(bytes).expect("digits").trim_start_matches('0').to_owned()
            }
            other => panic!("key:{key}: {other:?}"),
        };
        let maybe = unknown.get(key).map(u64::to_string);
        assert!(found == version.to_string() || Some(found) == maybe, "key:{key} lost a write");
    }
}

#[test]
fn a_disk_that_fills_up_loses_nothing_and_writes_go_on_when_there_is_room() {
    let Some(disk) = SmallDisk::new(DISK_BYTES) else {
        println!("skipped: nobody may make a mount namespace here");
        return;
    };
    let filler = disk.outside().join("filler");
    fs::write(&filler, vec![1; FILLER_BYTES]).expect("the filler is written");
    let mut server = Server::stopped(&["--checkpoint-log-size", "0", "--log-retention-size", "0"]);
    server.keep_data_in(disk.inside().join("data"), disk.wrapper());
    for expected in ["the disk is full", "No space left", "writes are refused", "no checkpoint was taken"] {
        server.allow_log(expected);
    }
    server.launch();
    let mut random = Random::new(seed());
    let (mut acknowledged, mut unknown) = (HashMap::new(), HashMap::new());
    let mut client = server.client();
    let mut write = |client: &mut Client, writes| {
        write_until_refused(client, &mut random, &mut acknowledged, &mut unknown, writes)
    };
    let refusal = write(&mut client, 100_000).expect("the disk fills up");
    let mut client = server.client();
    let refusal = if refusal.is_empty() { write(&mut client, 1).expect("it is full") } else { refusal };
    assert!(refusal.starts_with("MISCONF ") && refusal.contains("the log"), "{refusal}");
    // A checkpoint finds no room either: it is told, and harms nothing.
    assert!(matches!(client.run("SAVE"), Value::Error(_)));
    assert_eq!(client.run("PING"), Value::Simple(b"PONG".to_vec()));
    check(&mut client, &acknowledged, &unknown);
    // Room again, and nothing else: the node comes back by itself.
    fs::remove_file(&filler).expect("the filler goes");
    let mut write = |client: &mut Client, writes| {
        write_until_refused(client, &mut random, &mut acknowledged, &mut unknown, writes)
    };
    let deadline = Instant::now() + PATIENCE;
    while write(&mut client, 1).is_some() {
        assert!(Instant::now() < deadline, "writes are still refused");
    }
    assert_eq!(write(&mut client, 200), None);
    // A checkpoint makes more: it stands for the log, which goes.
    assert_eq!(client.run("SAVE"), Value::Simple(b"OK".to_vec()));
    let used: u64 = fs::read_dir(disk.outside().join("data"))
        .expect("the directory reads")
        .map(|entry| entry.expect("an entry").metadata().expect("its size").len())
        .sum();
    let data = KEYS * VALUE_BYTES as u64;
    assert!(used < 2 * data, "{used} bytes on disk for {data} bytes of data");
    // From now on checkpoints keep the log short, so overwriting for ever never fills the disk.
    client.run("CONFIG SET checkpoint-log-size 3mb");
    assert_eq!(write(&mut client, 20_000), None, "40 MB of writes on a disk of 16");
    check(&mut client, &acknowledged, &unknown);
    server.restart();
    check(&mut server.client(), &acknowledged, &unknown);
}

#[test]
fn a_start_on_a_full_disk_is_refused_by_name_and_succeeds_when_there_is_room() {
    let Some(disk) = SmallDisk::new(DISK_BYTES) else {
        println!("skipped: nobody may make a mount namespace here");
        return;
    };
    let mut server = Server::stopped(&[]);
    server.keep_data_in(disk.inside().join("data"), disk.wrapper());
    server.launch();
    server.client().run("SET k v");
    server.kill9();
    let filler = disk.outside().join("filler");
    // As much as goes, down to the last page.
    let mut file = fs::File::create(&filler).expect("the filler is made");
    while std::io::Write::write_all(&mut file, &[1; 4096]).is_ok() {}
    let status = server.launch_in_vain();
    assert!(!status.success() && server.log().contains("No space left"), "{}", server.log());
    drop(file);
    fs::remove_file(&filler).expect("the filler goes");
    server.launch();
    assert_eq!(server.client().run("GET k"), Value::Bulk(b"v".to_vec()));
}

#[test]
fn a_read_only_file_system_refuses_a_start_by_name_and_keeps_what_was_written() {
    let Some(disk) = SmallDisk::new(DISK_BYTES) else {
        println!("skipped: nobody may make a mount namespace here");
        return;
    };
    let mut server = Server::stopped(&[]);
    server.keep_data_in(disk.inside().join("data"), disk.wrapper());
    server.launch();
    server.client().run("SET k v");
    server.client().run("SAVE");
    server.client().run("SET l w");
    server.kill9();
    disk.set_read_only(true);
    let status = server.launch_in_vain();
    assert!(!status.success() && server.log().contains("Read-only file system"), "{}", server.log());
    disk.set_read_only(false);
    server.launch();
    assert_eq!(server.client().run("GET k"), Value::Bulk(b"v".to_vec()));
    assert_eq!(server.client().run("GET l"), Value::Bulk(b"w".to_vec()));
}

#[test]
fn a_data_directory_that_is_none_is_named() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("file");
    fs::write(&file, "no directory").expect("the file is written");
    let mut server = Server::stopped(&[]);
    server.keep_data_in(file.clone(), vec!["env".into()]);
    let status = server.launch_in_vain();
    assert!(!status.success() && server.log().contains(&file.display().to_string()), "{}", server.log());
    assert_eq!(fs::read(&file).expect("it is still there"), b"no directory");
}
