//! A member is taken out after it died: nothing waits for it any more, it is fenced when it returns, joins again as a new
//! member, and what nobody had of its writes is in its late set, to be done again. All by `atoll cluster`.

use std::process::Command;
use std::time::Duration;

use proto::resp::Value;
use tests::cluster::{Cluster, await_second_start, await_that, is_stable};
use tests::proxy::Conditions;
use tests::server::{Server, binary};

const PATIENCE: Duration = Duration::from_secs(60);

fn run(node: &Server, command: &str) {
    let answer = node.client().run(command);
    assert!(!matches!(answer, Value::Error(_)), "{command}: {answer:?}");
}

/// What `atoll cluster` prints when it asks a node; the exit code with it.
fn cluster(node: &Server, words: &[&str]) -> (i32, String) {
    let output = Command::new(binary())
        .arg("cluster")
        .args(words)
        .args(["--port", &node.port().to_string()])
        .output()
        .expect("atoll runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn an_evicted_member_holds_nothing_back_and_returns_as_a_new_one() {
    let line = Conditions::wan(2, 0.0);
    let mut all = Cluster::start(3, line, &[]);
    all.nodes.iter_mut().for_each(|node| node.allow_log(" WARN "));
    all.nodes[2].allow_log("this node was evicted");
    all.await_links(PATIENCE);
    run(&all.nodes[0], "SET before yes");
    run(&all.nodes[2], "SADD shared both");
    all.await_one_digest(PATIENCE);

    // The third writes what nobody hears of, and dies.
    let gone = all.proxies[2].addr().to_string();
    all.set(line.cut());
    run(&all.nodes[2], "SET lost value");
    run(&all.nodes[2], "INCRBY counter 7");
    run(&all.nodes[2], "SADD shared unseen");
    all.nodes[2].kill9();
    all.set(line);
    run(&all.nodes[0], "INCRBY counter 5");
    run(&all.nodes[1], "DEL shared");
    await_that("the two agree", PATIENCE, || {
        all.nodes[1].client().run("GET counter") == Value::Bulk(b"5".to_vec())
    });
    assert!(!is_stable(&all.nodes[0]), "what the third does not have is held for it");

    let (code, text) = cluster(&all.nodes[0], &["evict", "nobody:1"]);
    assert_eq!((code, text.contains("no member is called nobody:1")), (1, true), "{text}");
    let (code, text) = cluster(&all.nodes[0], &["evict", &gone]);
    assert_eq!((code, text.contains("evicting")), (0, true), "{text}");
    for node in &all.nodes[..2] {
        await_that("it is evicted", PATIENCE, || {
            let (_, text) = cluster(node, &["members"]);
            text.lines().any(|line| line.contains(&gone) && line.contains("state=evicted"))
        });
        await_that("nothing waits for it", PATIENCE, || is_stable(node));
    }
    run(&all.nodes[1], "SET after eviction");

    all.nodes[2].launch();
    let returned = &all.nodes[2];
    await_second_start(returned, PATIENCE);
    await_that("it shows what the others show", PATIENCE, || {
        returned.client().run("GET after") == Value::Bulk(b"eviction".to_vec())
    });
    all.await_one_digest(PATIENCE);
    assert_eq!(returned.client().run("GET lost"), Value::Null);
    assert_eq!(returned.client().run("GET counter"), Value::Bulk(b"5".to_vec()));

    // What might come back from a member that has it is not replayed.
    all.await_links(PATIENCE);
    let (_, text) = cluster(returned, &["late", "list"]);
    assert!(text.contains("set=1") && text.contains("effects=3"), "{text}");
    let (_, text) = cluster(returned, &["late", "list", "1"]);
    assert!(["lost", "counter", "shared"].iter().all(|key| text.contains(key)), "{text}");
    assert_eq!(cluster(returned, &["late", "replay", "1"]), (0, "3\n".into()));
    assert_eq!(cluster(returned, &["late", "drop", "1"]).0, 1, "it is gone");
    all.await_one_digest(PATIENCE);
    for node in &all.nodes {
        assert_eq!(node.client().run("GET counter"), Value::Bulk(b"12".to_vec()));
        assert_eq!(node.client().run("GET lost"), Value::Bulk(b"value".to_vec()));
        assert_eq!(node.client().run("SCARD shared"), Value::Integer(1));
    }
    // The list forgets the old one.
    let old = cluster(&all.nodes[0], &["members"]).1;
    let old = old.lines().find(|line| line.contains("state=evicted")).expect("it is listed").to_string();
    let directory = old.split_whitespace().find_map(|field| field.strip_prefix("directory=")).expect("an id");
    assert_eq!(cluster(&all.nodes[0], &["forget", directory]).0, 0);
    assert!(!cluster(&all.nodes[0], &["members"]).1.contains(directory));
    // It is a member like any other again.
    run(&all.nodes[2], "SET again member");
    all.await_one_digest(PATIENCE);
    await_that("everything is stable", PATIENCE, || all.nodes.iter().all(is_stable));
}

#[test]
fn those_who_dial_an_evicted_member_tell_it_and_stay() {
    let line = Conditions::wan(2, 0.0);
    let mut all = Cluster::start(3, line, &[]);
    all.nodes.iter_mut().for_each(|node| node.allow_log(" WARN "));
    all.nodes[0].allow_log("this node was evicted");
    all.await_links(PATIENCE);
    run(&all.nodes[0], "SET before yes");
    all.await_one_digest(PATIENCE);

    // The others joined by this one, so they dial it whoever it is.
    let gone = all.proxies[0].addr().to_string();
    all.nodes[0].kill9();
    let (code, text) = cluster(&all.nodes[1], &["evict", &gone]);
    assert_eq!(code, 0, "{text}");
    for node in &all.nodes[1..] {
        await_that("it is evicted", PATIENCE, || {
            let (_, text) = cluster(node, &["members"]);
            text.lines().any(|line| line.contains(&gone) && line.contains("state=evicted"))
        });
    }
    all.nodes[0].launch();
    await_second_start(&all.nodes[0], PATIENCE);
    run(&all.nodes[1], "SET after eviction");
    all.await_one_digest(PATIENCE);
    for node in &all.nodes {
        let (_, text) = cluster(node, &["members"]);
        assert!(text.contains("state=self"), "{text}");
        assert_eq!(node.client().run("GET after"), Value::Bulk(b"eviction".to_vec()));
    }
}

#[test]
fn a_member_that_leaves_takes_nothing_along_and_holds_nothing_back() {
    let line = Conditions::wan(2, 0.0);
    let mut all = Cluster::start(3, line, &[]);
    all.nodes.iter_mut().for_each(|node| node.allow_log(" WARN "));
    all.await_links(PATIENCE);
    run(&all.nodes[1], "SET before yes");
    all.await_one_digest(PATIENCE);

    // One of the others is away: the leave waits for it, and can be called off.
    all.isolate(&[2], true);
    run(&all.nodes[2], "SET far 1");
    run(&all.nodes[2], "SADD shared mine");
    run(&all.nodes[2], "ATOLL.CLUSTER LEAVE");
    assert!(
        matches!(all.nodes[2].client().run("SET late 1"), Value::Error(text) if text.starts_with(b"LEAVING"))
    );
    assert_eq!(all.nodes[2].client().run("GET far"), Value::Bulk(b"1".to_vec()));
    let (_, text) = cluster(&all.nodes[2], &["status"]);
    let waits = text.lines().find_map(|l| l.strip_prefix("leaving_waits_for: ")).expect("told").to_string();
    assert!(all.proxies[..2].iter().all(|p| waits.contains(&p.addr().to_string())), "{text}");
    assert_eq!(cluster(&all.nodes[2], &["stay"]), (0, "staying\n".into()));
    assert_eq!(cluster(&all.nodes[2], &["stay"]).0, 1);
    run(&all.nodes[2], "SET far 2");

    all.isolate(&[2], false);
    let (code, text) = cluster(&all.nodes[2], &["leave"]);
    assert!(code == 0 && text.ends_with("left\n"), "{code}: {text}");
    assert!(all.nodes[2].wait().success());
    let gone = all.proxies[2].addr().to_string();
    for node in &all.nodes[..2] {
        assert_eq!(node.client().run("GET far"), Value::Bulk(b"2".to_vec()));
        assert_eq!(node.client().run("SMEMBERS shared"), Value::Array(vec![Value::Bulk(b"mine".to_vec())]));
        await_that("it is no member", PATIENCE, || {
            let (_, text) = cluster(node, &["members"]);
            text.lines().any(|line| line.contains(&gone) && line.contains("state=evicted"))
        });
    }
    run(&all.nodes[0], "DEL shared");
    await_that("nothing waits for it", PATIENCE, || all.nodes[..2].iter().all(is_stable));

    // Its directory comes back as a new member, without a late set.
    all.nodes[2].launch();
    await_second_start(&all.nodes[2], PATIENCE);
    all.await_one_digest(PATIENCE);
    assert_eq!(all.nodes[2].client().run("ATOLL.LATE LIST"), Value::Array(vec![]));
    run(&all.nodes[2], "SET again member");
    all.await_one_digest(PATIENCE);
}

#[test]
fn a_token_is_all_that_a_new_node_needs() {
    let first = Server::with(&["--default-mode", "unsafe", "--cluster-secret", "a secret of tests"]);
    let at = format!("127.0.0.1:{}", first.port() + 1000);
    let token = Command::new(binary())
        .args(["cluster", "join-token", "--join", &at, "--cluster-secret", "a secret of tests"])
        .output()
        .expect("atoll runs");
    let token = String::from_utf8_lossy(&token.stdout).trim().to_string();
    let second = Server::with(&["--default-mode", "unsafe", "--join-token", &token]);
    run(&first, "SET there yes");
    await_that("the second has it", PATIENCE, || {
        second.client().run("GET there") == Value::Bulk(b"yes".to_vec())
    });
    let mut wrong = Server::stopped(&["--join-token", &token[..token.len() - 2]]);
    assert!(!wrong.launch_in_vain().success());
    assert!(wrong.log().contains("no join token"), "{}", wrong.log());
    wrong.allow_log("");
}
