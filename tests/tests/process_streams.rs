//! Streams on two real nodes that do not hear each other for a while: every entry is kept, acknowledgements are final, a group
//! misses nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use proto::resp::Value;
use tests::client::Client;
use tests::cluster::{Cluster, info};
use tests::proxy::Conditions;

const PATIENCE: Duration = Duration::from_secs(30);

fn items(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        other => panic!("an array: {other:?}"),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Bulk(bytes) | Value::Simple(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Integer(n) => n.to_string(),
        other => panic!("a scalar: {other:?}"),
    }
}

fn ids(value: Value) -> Vec<String> {
    items(value).into_iter().map(|entry| text(&items(entry)[0])).collect()
}

/// Ids that a read of one stream brought.
fn read(client: &mut Client, line: &str) -> Vec<String> {
    let mut streams = items(client.run(line));
    if streams.is_empty() { Vec::new() } else { ids(items(streams.remove(0)).remove(1)) }
}

/// `id consumer count` of everything pending.
fn pending(client: &mut Client) -> Vec<String> {
    let all = items(client.run("XPENDING s g - + 1000"));
    all.into_iter()
        .map(|entry| {
            let parts = items(entry);
            format!("{} {} {}", text(&parts[0]), text(&parts[1]), text(&parts[3]))
        })
        .collect()
}

fn pair() -> (Cluster, Conditions) {
    let line = Conditions::wan(5, 0.0);
    let cluster = Cluster::start(2, line, &[]);
    cluster.await_links(PATIENCE);
    (cluster, line)
}

#[test]
fn entries_that_two_nodes_add_at_once_are_all_kept_and_a_group_gets_each() {
    const ENTRIES: usize = 300;
    let (cluster, line) = pair();
    let [mut a, mut b] = [0, 1].map(|i| cluster.nodes[i].client());
    a.run("XGROUP CREATE s g $ MKSTREAM");
    a.run("WAIT 1 20000");
    cluster.set(line.cut());
    // Many within one millisecond on either side.
    let (mut added, mut got) = (BTreeSet::new(), Vec::new());
    for n in 0..ENTRIES {
        for client in [&mut a, &mut b] {
            added.insert(text(&client.run(&format!("XADD s * n {n}"))));
        }
        if n % 50 == 0 {
            got.extend(read(&mut a, "XREADGROUP GROUP g one STREAMS s >"));
        }
    }
    assert_eq!(added.len(), 2 * ENTRIES, "no id twice");
    got.extend(read(&mut a, "XREADGROUP GROUP g one STREAMS s >"));
    assert_eq!(got.len(), ENTRIES, "its own so far");
    cluster.set(line);
    cluster.await_one_digest(PATIENCE);
    for client in [&mut a, &mut b] {
        let shown = ids(client.run("XRANGE s - +"));
        assert!(shown.iter().eq(&sorted(&added)), "all, in one order");
    }
    // Those of the other node lie among what was read, and come nevertheless.
    got.extend(read(&mut a, "XREADGROUP GROUP g one STREAMS s >"));
    let each: BTreeSet<String> = got.iter().cloned().collect();
    assert_eq!((got.len(), each), (2 * ENTRIES, added));
    assert_eq!(read(&mut a, "XREADGROUP GROUP g one STREAMS s >"), Vec::<String>::new());
}

/// In the order of ids.
fn sorted(ids: &BTreeSet<String>) -> Vec<String> {
    let parts = |id: &String| -> (u64, u64) {
        let (ms, seq) = id.split_once('-').expect("an id");
        (ms.parse().expect("ms"), seq.parse().expect("seq"))
    };
    let mut out: Vec<String> = ids.iter().cloned().collect();
    out.sort_by_key(parts);
    out
}

#[test]
fn acknowledgements_are_final_and_two_consumers_may_get_one_entry() {
    let (cluster, line) = pair();
    let [mut a, mut b] = [0, 1].map(|i| cluster.nodes[i].client());
    for line in ["XADD s 1-1 f 1", "XADD s 2-1 f 2", "XADD s 3-1 f 3", "XGROUP CREATE s g 0", "WAIT 1 20000"]
    {
        a.run(line);
    }
    assert_eq!(read(&mut a, "XREADGROUP GROUP g old COUNT 2 STREAMS s >"), ["1-1", "2-1"]);
    a.run("WAIT 1 20000");
    cluster.set(line.cut());
    assert_eq!(a.run("XACK s g 1-1"), Value::Integer(1));
    assert_eq!(read(&mut a, "XREADGROUP GROUP g left STREAMS s >"), ["3-1"]);
    // Does not know of either, claims and reads the same.
    assert_eq!(ids(b.run("XCLAIM s g right 0 1-1 2-1")), ["1-1", "2-1"]);
    assert_eq!(ids(b.run("XCLAIM s g right 0 1-1")), ["1-1"]);
    assert_eq!(read(&mut b, "XREADGROUP GROUP g right STREAMS s >"), ["3-1"]);
    assert_eq!(b.run("XADD s 9-1 f b"), Value::Bulk(b"9-1".to_vec()));
    assert_eq!(a.run("XADD s 9-1 f a"), Value::Bulk(b"9-1".to_vec()));
    cluster.set(line);
    cluster.await_one_digest(PATIENCE);
    for client in [&mut a, &mut b] {
        let shown = pending(client);
        assert!(shown.iter().all(|entry| !entry.starts_with("1-1")), "acknowledged for ever: {shown:?}");
        assert!(shown.contains(&"2-1 right 2".to_string()), "{shown:?}");
        assert_eq!(shown.len(), 2, "{shown:?}");
        assert_eq!(ids(client.run("XRANGE s 9 9")), ["9-1"]);
    }
    let stats = info(&cluster.nodes[0], "stats");
    assert!(stats.contains("conflicts_element:1"), "the entry that lost is told: {stats}");
}
