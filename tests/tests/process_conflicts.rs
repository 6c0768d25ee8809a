//! What two real nodes tell of their merges after a cut: the conflict feed, its counters, and the explanation of a key.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::resp::Value;
use tests::client::Client;
use tests::cluster::{Cluster, await_that, info};
use tests::proxy::Conditions;

const PATIENCE: Duration = Duration::from_secs(30);

fn text(value: &Value) -> String {
    match value {
        Value::Bulk(bytes) | Value::Simple(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Integer(n) => n.to_string(),
        other => panic!("a scalar: {other:?}"),
    }
}

fn fields(value: &Value) -> BTreeMap<String, Value> {
    match value {
        Value::Array(flat) => flat.chunks(2).map(|p| (text(&p[0]), p[1].clone())).collect(),
        Value::Map(pairs) => pairs.iter().map(|(k, v)| (text(k), v.clone())).collect(),
        other => panic!("pairs: {other:?}"),
    }
}

fn items(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        other => panic!("an array: {other:?}"),
    }
}

/// `rule key loser>winner`, each side as `region:value`.
fn told(client: &mut Client, options: &str) -> Vec<String> {
    let one = |conflict: &Value| {
        let conflict = fields(conflict);
        let side = |name: &str| {
            let side = fields(&conflict[name]);
            format!("{}:{}", text(&side["region"]), text(&side["value"]))
        };
        format!("{} {} {}>{}", text(&conflict["rule"]), text(&conflict["key"]), side("loser"), side("winner"))
    };
    items(client.run(format!("ATOLL.CONFLICTS {options}").trim())).iter().map(one).collect()
}

#[test]
fn every_value_that_lost_is_told_once_on_each_node() {
    let line = Conditions::wan(5, 0.0);
    let cluster = Cluster::start(2, line, &[]);
    cluster.await_links(PATIENCE);
    let [mut a, mut b] = [0, 1].map(|i| cluster.nodes[i].client());
    for line in ["SET d 5", "SET x 9223372036854775800", "SET o abcdef", "SET t v EX 10000", "SET calm 1"] {
        a.run(line);
    }
    a.run("WAIT 1 20000");
    // What saw the other is no conflict.
    b.run("SET calm 2");
    b.run("WAIT 1 20000");
    assert_eq!(told(&mut a, ""), Vec::<String>::new());

    cluster.set(line.cut());
    let pause = || std::thread::sleep(Duration::from_millis(30));
    for line in [
        "SET w first",
        "SET y s",
        "SET d abc",
        "INCRBY x 6",
        "SET o 123456",
        "EXPIRE t 100",
        "HSET h f one same 1",
    ] {
        a.run(line);
    }
    // The other side writes later, by clock.
    pause();
    for line in [
        "SET w second",
        "SADD y m",
        "INCR d",
        "INCRBY x 5",
        "SETRANGE o 2 zz",
        "EXPIRE t 500",
        "HSET h f two same 1",
    ] {
        b.run(line);
    }
    cluster.set(line);
    cluster.await_one_digest(PATIENCE);

    for (client, own, other) in [(&mut a, "r0", "r1"), (&mut b, "r1", "r0")] {
        let all = told(client, "COUNT 100");
        let expect = |want: &str| {
            assert!(
                all.iter().any(|line| line.starts_with(want)),
                "{want} on {own}, besides {other}: {all:#?}"
            );
        };
        expect("lww w r0:\"first\">r1:\"second\"");
        expect("type y r0:\"s\">r1:");
        expect("delta d r1:delta 1>r0:\"abc\"");
        expect("overflow x r1:delta 5>");
        expect("overlay o r1:overlay at 2 \"zz\">r0:\"123456\"");
        expect("ttl t r0:expires at");
        expect("element h r0:\"f\" \"one\">r1:\"f\" \"two\"");
        assert_eq!(all.len(), 7, "{all:#?}");
        assert_eq!(told(client, "KEY w"), [all.iter().find(|l| l.starts_with("lww")).expect("told").clone()]);
        assert_eq!(told(client, "COUNT 2").as_slice(), &all[5..]);
        assert_eq!(told(client, "AFTER 2 COUNT 3").as_slice(), &all[2..5]);
        assert_eq!(told(client, "AFTER 7"), Vec::<String>::new());
        client.run("CONFIG SET conflict-feed-size 2");
        assert_eq!(told(client, "AFTER 0").as_slice(), &all[5..]);
        for bad in ["COUNT", "COUNT 0", "AFTER -1", "NOPE 1", "COUNT x"] {
            assert!(matches!(client.run(&format!("ATOLL.CONFLICTS {bad}")), Value::Error(_)), "{bad}");
        }
    }
    let stats = info(&cluster.nodes[0], "stats");
    for line in ["conflicts_lww:1", "conflicts_type:1", "conflicts_late:0", "conflicts_ttl:1"] {
        assert!(stats.contains(line), "{line}: {stats}");
    }
    a.run("HELLO 3");
    assert_eq!(told(&mut a, "COUNT 1").len(), 1, "maps in RESP3");
}

#[test]
fn a_key_is_explained_by_its_effects() {
    let line = Conditions::wan(5, 0.0);
    let cluster = Cluster::start(2, line, &[]);
    cluster.await_links(PATIENCE);
    let [mut a, mut b] = [0, 1].map(|i| cluster.nodes[i].client());
    a.run("SET k 5");
    a.run("SET lone v");
    let explain = |client: &mut Client, key: &str| fields(&client.run(&format!("ATOLL.EXPLAIN {key}")));
    for client in [&mut a, &mut b] {
        await_that("what all have is stable", PATIENCE, || {
            matches!(client.run("GET k"), Value::Bulk(_)) && text(&explain(client, "k")["state"]) == "stable"
        });
    }
    let calm = explain(&mut a, "k");
    assert_eq!((text(&calm["value"]), text(&calm["base"])), ("\"5\"".into(), "\"5\"".into()));
    assert_eq!(items(calm["effects"].clone()), []);
    assert_eq!(a.run("ATOLL.EXPLAIN nothing"), Value::Null);

    a.run("WAIT 1 20000");
    cluster.set(line.cut());
    a.run("SET k 100");
    b.run("INCR k");
    b.run("INCR k");
    let open = explain(&mut a, "k");
    assert_eq!((text(&open["state"]), text(&open["live-effects"])), ("unstable".into(), "1".into()));
    let effect = fields(&items(open["effects"].clone())[0]);
    assert_eq!(
        (text(&effect["why"]), text(&effect["region"])),
        ("wins: the latest assignment".into(), "r0".into())
    );
    let apart = explain(&mut b, "k");
    let why: Vec<String> = items(apart["effects"].clone())
        .iter()
        .map(|e| fields(e)["wrote"].clone())
        .map(|v| text(&v))
        .collect();
    assert_eq!(why, ["delta 1", "delta 1"]);
    assert_eq!(items(apart["tips"].clone()).len(), 1);
    a.run("HELLO 3");
    assert!(matches!(a.run("ATOLL.EXPLAIN k"), Value::Map(_)));
    cluster.set(line);
    cluster.await_one_digest(PATIENCE);
    assert_eq!(a.run("GET k"), Value::Bulk(b"102".to_vec()));
}
